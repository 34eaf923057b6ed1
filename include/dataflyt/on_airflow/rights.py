"""Who may do what in Airflow, as data: roles for each kommune, and one for the data engineer.

``access_control`` says it for a DAG, as the DAG declares it; ``rights.roles`` says the same for each role, as FAB keeps
it, and the module ``roles`` brings FAB's tables in line. Other rights than those to a DAG count only together with the
right to read that DAG: Airflow asks for both, so none of them reaches another kommune's DAG.

- ``kommune_<id>_operator`` sees the kommune's DAG and its runs, and starts runs.
- ``kommune_<id>_approver`` sees them, and answers when a run asks.
- ``dataflyt_engineer`` sees all DAGs, and pauses, starts, clears and marks. Answers nothing, and has no connections.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

COMMON = ("freg_events", "nightly", "reference_data")
"""The DAGs that are one for all kommuner: the engineer's alone."""

POOLS = {
    "freg": (4, "Oppgaver som spør Folkeregisteret samtidig"),
    "krr": (4, "Oppgaver som spør KRR samtidig"),
}
"""Airflow's pools that our tasks use: how many slots a pool gets when it is made, and what it is for. A pool limits how
many kommuner ask a register at once."""

ENGINEER = "dataflyt_engineer"

Right = tuple[str, str]
"""An action and what it may be done with: ``("can_read", "DAG:kommune_haugesund")``."""

PREFIXES = {"DAGs": "DAG:", "DAG Runs": "DAG Run:"}
"""What ``access_control`` can give rights to, with the prefix that FAB gives its name for one DAG."""

SEES = frozenset(
    {
        ("can_read", "Website"),
        *(("can_read", what) for what in ("DAG Runs", "Task Instances", "Task Logs", "HITL Detail")),
        *(("can_read", what) for what in ("DAG Dependencies", "DAG Versions")),  # a DAG's graph
        *(("menu_access", what) for what in ("DAGs", "HITL Detail")),
        *((action, what) for action in ("can_read", "can_edit") for what in ("My Password", "My Profile")),
    }
)
"""What a person needs to look at a DAG that they may read."""

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
"""What the engineer needs besides. Marking a task as success releases nothing."""


def dag_of(kommune: str) -> str:
    """Return the DAG's name of the kommune with this id."""
    return f"kommune_{kommune}"


def operator(kommune: str) -> str:
    """Return the role of those who start a kommune's runs."""
    return f"{dag_of(kommune)}_operator"


def approver(kommune: str) -> str:
    """Return the role of those who answer when a kommune's run asks."""
    return f"{dag_of(kommune)}_approver"


def access_control(kommune: str | None = None) -> dict[str, dict[str, set[str]]]:
    """Return what each role may do with a kommune's DAG; without ``kommune``, with a DAG that is common to all."""
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
