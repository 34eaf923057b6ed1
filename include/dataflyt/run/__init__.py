"""A run: one module a step, ``steps`` with their order, ``execute`` that does them all, and the run's report.

Each step is a function that takes a ``Job`` and returns counts that are safe to show: none of them tells how many are
protected. Each step can be repeated.
"""
