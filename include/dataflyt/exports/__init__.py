"""The exports, a module each, which ends with its ``EXPORT``; and the publishing of their files."""
