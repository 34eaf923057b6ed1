"""A kommune's day one: the directory it has today, imported and compared."""
