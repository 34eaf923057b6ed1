"""The rights in Airflow as data: roles for each kommune, and one for the data engineer.

``access_control`` gives the rights to one DAG, as the DAG declares them. ``rights.roles`` gives the same rights by
role, as FAB keeps them, and the module ``roles`` brings FAB's tables in line. A right that names no DAG counts only
together with the right to read the DAG: Airflow asks for both, so no such right reaches another kommune's DAG.

- ``kommune_<id>_operator`` sees the kommune's DAG and its runs, and starts runs.
- ``kommune_<id>_approver`` sees them, and answers when a run asks.
- ``dataflyt_engineer`` sees all DAGs, and pauses, starts, clears and marks. Answers nothing, and has no connections.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMON = ("freg_events", "nightly", "morning", "reference_data")
"""The DAGs common to all kommuner. Only the engineer has rights to them."""

POOLS = {
    "freg": (4, "Oppgaver som spør Folkeregisteret samtidig"),
    "krr": (4, "Oppgaver som spør KRR samtidig"),
}
"""Airflow's pools that our tasks use: how many slots a pool gets when it is made, and what it is for. A pool limits how
many kommuner ask a register at once."""

ENGINEER = "dataflyt_engineer"

Right = tuple[str, str]
"""An action and its object: ``("can_read", "DAG:kommune_haugesund")``."""

PREFIXES = {"DAGs": "DAG:", "DAG Runs": "DAG Run:"}
"""The kinds of objects in ``access_control``, with the prefix that FAB gives the name of one DAG's."""

SEES = frozenset(
    {
        ("can_read", "Website"),
        *(("can_read", what) for what in ("DAG Runs", "Task Instances", "Task Logs", "HITL Detail")),
        *(("can_read", what) for what in ("DAG Dependencies", "DAG Versions")),  # a DAG's graph
        *(("menu_access", what) for what in ("DAGs", "HITL Detail")),
        *((action, what) for action in ("can_read", "can_edit") for what in ("My Password", "My Profile")),
    }
)
"""The rights that a person needs to look at a DAG."""

ANSWERS = frozenset({("can_edit", "HITL Detail")})

MENDS = frozenset(
    {
        *(("can_read", what) for what in ("DAG Code", "DAG Warnings", "ImportError", "XComs", "Audit Logs")),
        *(("can_read", what) for what in ("Cluster Activity", "Jobs", "Pools", "Plugins", "Providers")),
        *(("menu_access", what) for what in ("Browse", "DAG Runs", "Task Instances", "Jobs", "Audit Logs")),
        *(("menu_access", what) for what in ("Admin", "Pools", "Plugins", "Providers", "XComs")),
        *((action, "Task Instances") for action in ("can_create", "can_edit", "can_delete")),
        ("can_edit", "DAG Runs"),
    }
)
"""The engineer's further rights. Marking a task as success releases nothing."""


def dag_of(kommune: str) -> str:
    """Return the DAG's name of the kommune with this id."""
    return f"kommune_{kommune}"


def operator(kommune: str) -> str:
    """Return the name of the role that starts a kommune's runs."""
    return f"{dag_of(kommune)}_operator"


def approver(kommune: str) -> str:
    """Return the name of the role that answers when a kommune's run asks."""
    return f"{dag_of(kommune)}_approver"


def access_control(kommune: str | None = None) -> dict[str, dict[str, set[str]]]:
    """Return each role's rights to a kommune's DAG; without ``kommune``, to a DAG that is common to all."""
    control = {ENGINEER: {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}}
    if kommune is not None:
        control[operator(kommune)] = {"DAGs": {"can_read"}, "DAG Runs": {"can_read", "can_create"}}
        control[approver(kommune)] = {"DAGs": {"can_read"}, "DAG Runs": {"can_read"}}
    return control


def roles(kommuner: Iterable[str]) -> dict[str, set[Right]]:
    """Return every role with all its rights, for the kommuner with these ids."""
    found: dict[str, set[Right]] = defaultdict(set, {ENGINEER: {*SEES, *MENDS}})
    controls = {dag: access_control() for dag in COMMON}
    for kommune in kommuner:
        controls[dag_of(kommune)] = access_control(kommune)
        found[operator(kommune)] |= SEES
        found[approver(kommune)] |= SEES | ANSWERS
    for dag, control in controls.items():
        for role, rights in control.items():
            for what, actions in rights.items():
                found[role] |= {(action, PREFIXES[what] + dag) for action in actions}
    return dict(found)
