"""Reference data that is open to all: schools (NSR), subjects (Grep) and codes (Klass)."""
