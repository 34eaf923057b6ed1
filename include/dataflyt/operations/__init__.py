"""What happens beside a run: the fast lane, the night, the doctor, and after a restore."""
