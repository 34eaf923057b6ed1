"""Load and merge beside other tools that keep history, each in an environment of its own."""
