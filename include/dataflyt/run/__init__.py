"""A run: a module for each step, their order in ``steps``, all of them in ``execute``, and the run's report.

Each step is a function that takes a ``Job`` and returns counts that are safe to show: none of them tells how many are
protected. Each step can be repeated.
"""
