"""Lets every lineage event pass Dataflyt's filter, where Airflow has not read our ``airflow_local_settings``.

No plugin: Airflow imports the files of this folder before it loads its providers' plugins, OpenLineage's among them.
"""

from dataflyt.on_airflow.lineage import guard

guard()
