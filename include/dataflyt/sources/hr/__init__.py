"""The source hr: the HR system."""
