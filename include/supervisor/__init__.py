"""Run Dataflyt on one machine, for trial: embedded PostgreSQL, simulated registers and a real Airflow.

Everything is kept in ``.local/`` of the repository, and every process that is started here is stopped here. Production
uses none of this: Airflow, PostgreSQL and the registers exist already, and connections give their addresses.

- ``home.py``: the folder, its secrets, and the environment that the started processes get.
- ``processes.py``: starts processes, notices when one dies, leaves none behind.
- ``postgres.py``: the embedded server, its role and database.
- ``airflow_api.py``: Airflow's REST API, as far as a demo needs it.
- ``demo.py``: runs a kommune's DAG and prints the outcome.
- ``weeks.py``: runs all kommuner through weeks of a simulated calendar, without Airflow.
- ``up.py``: keeps Airflow running. ``logins.py``: its users. ``remote.py``: the demo of docker compose.
- ``backup.py``: keeps the warehouse in a file, and brings it back.
- ``install.py``: makes ``.venv``.
"""
