"""The source sas: the school administration system."""
