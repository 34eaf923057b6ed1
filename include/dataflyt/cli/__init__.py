"""The command ``dataflyt``."""
