"""The source freg: FREG (Folkeregisteret)."""
