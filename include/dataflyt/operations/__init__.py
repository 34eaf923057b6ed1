"""Work outside a run: the fast lane, the night, the doctor, the sources' check, the work list, and after a restore."""
