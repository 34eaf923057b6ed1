"""The exports: one module each, all with ``write(golden, out) -> Counts`` and ``check(path) -> findings``."""
