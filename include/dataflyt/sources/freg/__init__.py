"""The source freg: FREG (Folkeregisteret)."""

EMPLOYEES = "4-employees"
"""What pages about employees are called. How many they are says nothing of whether FREG answered for the pupils."""
