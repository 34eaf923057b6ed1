"""Dataflyt as Airflow runs it. The only package that imports Airflow."""
