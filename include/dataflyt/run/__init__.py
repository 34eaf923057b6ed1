"""A kommune's run, from extract to close."""
