"""Dataflyt's pages, a FastAPI app inside Airflow's API server. ``app`` puts it together, ``pages`` has a module a page.

A page asks Airflow's auth manager who is there (``login``), calls the functions that the command line calls, and shows
a template. docs/develop/add-a-page.md says how to add one.
"""
