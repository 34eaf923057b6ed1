"""The exports: one module each, which ends with its ``EXPORT``, and the publishing of what they write."""
