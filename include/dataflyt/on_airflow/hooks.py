"""The hooks of Dataflyt's connection types: what Airflow's button Test calls.

In: the id under which Airflow has the form's connection while the test lasts. Out: whether all is well, and a Norwegian
sentence (``operations.connection_check``). The types and their forms are in ``connection_types``. No task uses a hook.

Airflow runs a test where its API server runs, and only with ``[core] test_connection = Enabled``.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseHook

from dataflyt.on_airflow import environment
from dataflyt.on_airflow.connection_types import HOOKS, TITLES


class DataflytHook(BaseHook):  # type: ignore[misc]
    """A hook that only tries its connection."""

    conn_name_attr = "conn_id"
    conn_type = ""
    hook_name = ""

    def __init__(self, conn_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conn_id = conn_id

    def test_connection(self) -> tuple[bool, str]:
        """Try the connection; return whether all is well, and a sentence. Never raises."""
        from dataflyt.operations import connection_check

        found = self.get_connection(self.conn_id)
        if not found.host:
            return False, "Adressen mangler: fyll den ut."
        connection = environment.of_airflow(connection_check.NAME, found)
        return connection_check.check(self.conn_type, connection, environment.storage_path, datetime.now(UTC))


def let_connections_without_port_be_tested() -> None:
    """Let Airflow's page test a stored connection that has no port; call this in the API server.

    The page of Airflow 3.3.2 sends port 0 for none. Its API takes that for another place than the stored one, and
    answers 400. Airflow mended it in its pull request 73298: then there is nothing to do here.
    """
    from airflow.api_fastapi.core_api.routes.public import connections

    with suppress(AttributeError):
        same = connections._same_endpoint
        if not same(0, None):
            connections._same_endpoint = lambda asked, stored: same(asked or None, stored or None)


def _hook(kind: str) -> type[DataflytHook]:
    named = {"conn_type": kind, "hook_name": TITLES[kind], "default_conn_name": kind, "__doc__": TITLES[kind]}
    return type(HOOKS[kind], (DataflytHook,), named)


FregHook = _hook("freg")
KrrHook = _hook("krr")
FregEventsHook = _hook("freg_events")
HrFilesHook = _hook("hr_files")
SasFilesHook = _hook("sas_files")
SasCalendarsHook = _hook("sas_calendars")
ExportFolderHook = _hook("export_folder")
DataflytWarehouseHook = _hook("dataflyt_warehouse")
