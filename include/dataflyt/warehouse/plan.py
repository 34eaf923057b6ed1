"""The plan: the differences between the state before a run and the state after its release, as typed rows.

Before: the released golden record under the vetoes in force when the run began. After: the run's golden record under
all vetoes in force, without the vetoes that its release would lift. The run's own vetoes are thus in its plan, and in
force already. The rules are in ``sql/plan/``.

A reader without the right to see protection cannot count the protected. A person in no export (strengtFortrolig, held
back) is in no row, a fortrolig person is in the same rows as everybody, and suspended access counts as access. Contact
details change where the exports' do: details that are withheld are as none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, get_args
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.config.kommune import PlanKind
from dataflyt.storage.database import OWN_KEY
from dataflyt.warehouse import rules, shown, vetoed_views

GRADED_KINDS = frozenset({"protection_raised", "protection_lowered", "identity_protection"})
"""Kinds that only a reader with the right to see protection may see; their counts are never told elsewhere."""


OF_GROUPS = frozenset({"group_appears", "group_vanishes", "group_loses_resources"})
"""Kinds whose subject is a group."""

UNDOING_KINDS = ("leaves_exports", "block_again")
"""Kinds that only the plan of an undoing has (``undoing.reverse_plan``); no guard has limits for them."""


_GROUPS = ", ".join(repr(kind) for kind in sorted(OF_GROUPS))


class PlanRow(NamedTuple):
    """One change.

    ``subject`` is a person or group, ``other`` the adult, school, group or person that the change is about;
    ``inferred`` is True if the change rests on absence rather than on an answer. ``subject`` and ``other`` are "" for a
    reader who may not see protection.
    """

    kind: str
    subject: str
    other: str
    unit_id: str | None
    inferred: bool


@dataclass(frozen=True)
class Plan:
    """The plan of ``run`` against the run ``released`` before it (0: none), in temporary tables.

    ``plan`` and ``open_plan`` hold its rows; the views ``before_<table>`` and ``after_<table>`` hold the rows that it
    compares. They last as long as the transaction.
    """

    connection: Connection
    owner: str
    run: int
    released: int


def build(connection: Connection, owner: str, run: int, released: int) -> Plan:
    """Compute the plan of ``run`` against the run ``released`` before it (0: none)."""
    before = vetoed_views.views(connection, owner, released, "before_", vetoes_before=run, whole=True)
    after = vetoed_views.views(connection, owner, run, "after_", lifting=run, whole=True)
    for views in (before, after):
        shown.views(views, "shown_relation")
    return compare(connection, owner, run, released)


def compare(connection: Connection, owner: str, run: int, released: int) -> Plan:
    """Compute the plan from the relations ``before_<table>`` and ``after_<table>``, which the caller has made.

    ``before_shown_relation`` and ``after_shown_relation`` are among them.
    """
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
    """Yield the plan's rows in a fixed order; without ``graded`` only what tells nothing about protection.

    Without ``graded`` a row has its kind, and a group's row the school, but no id. The protected are in the rows as
    everybody is, and in no look-up: an id that no look-up finds would be a protected person's. An id made for the plan
    would not do: what several rows tell of one person, such as a guardian of two children, tells who it is. Nor would
    a school or a group: the protected there are those who are counted and cannot be looked up.
    """
    if graded:
        yield from with_people(plan, graded=True)
        return
    found = plan.connection.execute(
        text(
            f"select kind, '', '', case when kind in ({_GROUPS}) then unit_id end, inferred "
            "from open_plan order by 1, 4, 5"
        ),
        execution_options={"yield_per": 1000},
    )
    for row in found:
        yield PlanRow(*row)


def with_people(plan: Plan, *, graded: bool = False) -> Iterator[PlanRow]:
    """Yield the rows with the ids of their people, protected people too, for a caller that does not show ids."""
    found = plan.connection.execute(
        text(
            "select kind, subject, other, unit_id, inferred "
            f"from {'plan' if graded else 'open_plan'} order by 1, 2, 3, 4, 5"
        ),
        execution_options={"yield_per": 1000},
    )
    for row in found:
        yield PlanRow(*row)


def people(plan: Plan) -> list[UUID]:
    """List the people in the rows that ``rows`` yields with ``graded``, for the audit."""
    found = plan.connection.execute(
        text(
            "with shown as (select subject, other from plan) "
            "select cast(id as uuid) from (select subject as id from shown union select other from shown) as ids "
            "where pg_input_is_valid(id, 'uuid') order by id"
        )
    )
    return list(found.scalars())


def counts(plan: Plan) -> dict[str, int]:
    """Count rows per kind, in the order of ``PlanKind``, without the rows that only ``graded`` may see."""
    found = plan.connection.execute(text("select kind, count(*) from open_plan group by kind"))
    counted = {kind: count for kind, count in found}
    return {kind: counted[kind] for kind in (*get_args(PlanKind), *UNDOING_KINDS) if kind in counted}


def inferred_losses(plan: Plan) -> int:
    """Count the losses of access in ``counts`` that rest on absence rather than on an answer."""
    found = text("select count(*) from open_plan where kind = 'guardian_loses_access' and inferred")
    return plan.connection.scalar(found) or 0


def all_counts(plan: Plan) -> dict[str, int]:
    """Count rows per kind, protection too. The counts are for the guard and must never be shown."""
    found = plan.connection.execute(text("select kind, count(*) from plan group by kind"))
    return {kind: count for kind, count in found}


def digest(plan: Plan) -> str:
    """Return the keyed hash of a run's plan, by which an approval names the plan.

    The hash has a key and includes the run. Otherwise a known digest (of a plan without rows, or of last week's plan)
    would tell of rows that only ``graded`` may see.
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
