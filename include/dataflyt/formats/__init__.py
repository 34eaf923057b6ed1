"""Text formats, pure: bytes and text in, values out. No database, no files, no network."""
