"""The plan: what is true before a run against what would be true after releasing it, as typed rows.

Before: the released golden record under the vetoes that stood when the run began. After: the run's golden record under
all vetoes in force, less those that releasing it would lift. The vetoes a run itself brought are thus in its plan, and
in force already. The rules stand in ``sql/plan/``.

A reader without the right to see protection cannot count the protected. A person in no export (strengtFortrolig, held
back) is in no row, a fortrolig person is in the same rows as everybody, and suspended access counts as access.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, get_args

from sqlalchemy import Connection, text

from dataflyt.config.kommune import PlanKind
from dataflyt.storage.database import OWN_KEY
from dataflyt.warehouse import rules, vetoed_views

GRADED_KINDS = frozenset({"protection_raised", "protection_lowered", "identity_protection"})
"""Kinds that only a reader with the right to see protection may see, and that are never told as a number elsewhere."""


class PlanRow(NamedTuple):
    """One change.

    ``subject`` is a person or group, ``other`` the adult, school, group or person it is about; ``inferred`` is True
    when it rests on absence rather than on an answer.
    """

    kind: str
    subject: str
    other: str
    unit_id: str | None
    inferred: bool


@dataclass(frozen=True)
class Plan:
    """The plan of ``run`` against the run ``released`` before it (0: none), in temporary tables.

    ``plan`` and ``open_plan`` hold its rows, and the views ``before_<table>`` and ``after_<table>`` what they come
    from. They last as long as the transaction.
    """

    connection: Connection
    owner: str
    run: int
    released: int


def build(connection: Connection, owner: str, run: int, released: int) -> Plan:
    """Compute the plan of ``run`` against the run ``released`` before it (0: none)."""
    vetoed_views.views(connection, owner, released, "before_", vetoes_before=run)
    vetoed_views.views(connection, owner, run, "after_", lifting=run)
    access = rules.sql("plan/access")
    placed = {
        "graded_kinds": ", ".join(repr(kind) for kind in sorted(GRADED_KINDS)),
        "access": access.format(active="'active'"),
        "access_or_suspended": access.format(active="'active', 'suspended'"),
    }
    made = [rule for rule in rules.folder("plan").values() if rule.relation]
    rules.make(connection, made, {"owner": owner, "run": run}, **placed)
    return Plan(connection, owner, run, released)


def rows(plan: Plan, *, graded: bool = False) -> Iterator[PlanRow]:
    """Yield the plan's rows in a fixed order; without ``graded`` those that tell nothing of protection."""
    found = plan.connection.execute(
        text(
            "select kind, subject, other, unit_id, inferred "
            f"from {'plan' if graded else 'open_plan'} order by 1, 2, 3, 4, 5"
        ),
        execution_options={"yield_per": 1000},
    )
    for row in found:
        yield PlanRow(*row)


def counts(plan: Plan) -> dict[str, int]:
    """Count rows per kind, in the order of ``PlanKind``, without what only ``graded`` may see."""
    found = plan.connection.execute(text("select kind, count(*) from open_plan group by kind"))
    counted = {kind: count for kind, count in found}
    return {kind: counted[kind] for kind in get_args(PlanKind) if kind in counted}


def inferred_losses(plan: Plan) -> int:
    """Count the losses of access that rest on absence rather than on an answer, of those that ``counts`` counts."""
    found = text("select count(*) from open_plan where kind = 'guardian_loses_access' and inferred")
    return plan.connection.scalar(found) or 0


def all_counts(plan: Plan) -> dict[str, int]:
    """Count rows per kind, protection too: for the guard, never to be shown."""
    found = plan.connection.execute(text("select kind, count(*) from plan group by kind"))
    return {kind: count for kind, count in found}


def digest(plan: Plan) -> str:
    """Return the keyed hash of a run's plan, by which an approval names it.

    Keyed, and of that run alone: a digest that everybody knows (of a plan without rows, or of last week's) would tell
    of rows that only ``graded`` may see.
    """
    value = plan.connection.scalar(
        text(
            f"select control.keyed_hash({OWN_KEY}, concat(cast(:run as text), ':', "
            "string_agg(md5(line), '' order by line collate \"C\"))) "
            "from (select plan::text as line from plan) as lines"
        ),
        {"owner": plan.owner, "run": plan.run},
    )
    return str(value)
