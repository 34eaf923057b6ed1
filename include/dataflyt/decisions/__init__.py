"""What people decide: each kind of decision is a module here, and a line in ``kinds``.

A decision is a row that is never changed, only ended by another. What protects holds at once; what gives holds from the
next run, through its plan and guard.
"""
