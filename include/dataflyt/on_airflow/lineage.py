"""Lineage by OpenLineage: whether it is on, and the walls around it. ``lineage_events`` makes and trims the events.

Off until ``[openlineage] transport`` in Airflow's settings names a place. Every event then passes
``lineage_events.Told`` on its way there. Nothing of OpenLineage is imported here: Airflow reads this with every DAG.
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataflyt.config.kommune import Kommune
    from dataflyt.run.job import Job

log = logging.getLogger(__name__)

TOLD = "dataflyt.on_airflow.lineage_events.Told"
"""The class that every event passes."""

_VARIABLE = "AIRFLOW__OPENLINEAGE__{}"
_PAST_US = ("config_path", "config_conn_id")
_PAST_AIRFLOW = ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT")


def guard() -> None:
    """Let every event pass ``Told``; called by each of Airflow's processes at its start, before its plugins load.

    OpenLineage can be told of a place in other ways too, and ``Told`` would not be on the way there. With one of those
    set, nothing is sent. A backend that hangs must not hold a task: Airflow waits for a thread, not for a fork.
    """
    from airflow.configuration import conf
    from airflow.exceptions import AirflowConfigException

    others = [option for option in _PAST_US if conf.get("openlineage", option, fallback="")]
    others += [name for name in os.environ if name.startswith(_PAST_AIRFLOW)]
    transport: Any = None
    try:
        transport = conf.getjson("openlineage", "transport", fallback={})
    except AirflowConfigException:
        others.append("a text that is not JSON")
    if others:
        log.warning("No lineage is sent: the place must be JSON in [openlineage] transport, not %s.", ", ".join(others))
        os.environ[_VARIABLE.format("DISABLED")] = "True"
        return
    if not transport or _passes(transport):
        return
    wrapped = {"type": "transform", "transformer_class": TOLD, "transport": transport}
    os.environ[_VARIABLE.format("TRANSPORT")] = json.dumps(wrapped)
    os.environ.setdefault(_VARIABLE.format("EXECUTE_IN_THREAD"), "True")


def on() -> bool:
    """Return whether lineage is sent, past ``Told``."""
    from airflow.sdk.configuration import conf

    with suppress(Exception):  # a setting that cannot be read is the provider's to complain of
        return not conf.getboolean("openlineage", "disabled", fallback=False) and _passes(
            conf.getjson("openlineage", "transport", fallback={})
        )
    return False


def _passes(transport: Any) -> bool:
    return isinstance(transport, dict) and transport.get("transformer_class") == TOLD


def of_step(step: str, kommune: Kommune, job: Callable[[], Job], *, done: bool) -> Any:
    """Return what OpenLineage is told of a step that has ended: its datasets; None when it is told nothing.

    ``done``: the step did its work. Never raises: lineage that cannot be found is a line in the log.
    """
    if not on():
        return None
    try:
        from dataflyt.on_airflow import lineage_events

        return lineage_events.of_step(step, kommune, job, done=done)
    except Exception as error:
        log.warning("No lineage of %s is sent: %s", step, type(error).__name__)
        return None
