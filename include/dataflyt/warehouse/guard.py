"""The guard: it decides whether a run's plan may be released without asking.

Each kind has limits, one in percent of the existing rows and one absolute: a count above either is asked about. Access
that has ended by FREG's answer counts for no limit: the veto has taken it away already.

A first run, a full reload and the kinds of ``_ALWAYS`` are always asked about. So is each question of ``sql/guard/``
(one a file) that is answered yes.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Protocol

from sqlalchemy import text

from dataflyt.warehouse import plan as plans
from dataflyt.warehouse import rules
from dataflyt.warehouse.golden import Computed
from dataflyt.warehouse.merge import CleanRows
from dataflyt.warehouse.plan import Plan
from dataflyt.warehouse.vetoed_views import Views

_BASE = {
    "guardian": "guardian_access",
    "sas": "guardian_access",
    "pupil": "enrolment",
    "employee": "employment",
    "name": "person",
    "number": "person",
    "person": "person",
    "persons": "person",
    "identity": "person",
    "contact": "contact",
    "group": "school_group",
    "membership": "membership",
    "account": "account",
}
"""The base of a limit in percent, by the first word of the kind: a column of ``sql/guard/bases.sql``."""

_ALWAYS = frozenset(
    {
        *("persons_join", "person_splits", "identity_protection", "identity_block", "identity_access"),
        "protection_lowered",
    }
)


class Limit(Protocol):
    """At most ``percent`` of the existing rows and at most ``count`` rows of a kind pass unasked; None is no limit."""

    @property
    def percent(self) -> float | None:
        """Percent of the existing rows."""

    @property
    def count(self) -> int | None:
        """Rows."""


def reasons(
    plan: Plan,
    computed: Computed,
    now: Views,
    clean: CleanRows,
    limits: Mapping[Any, Limit],
    *,
    max_drop_percent: float,
    full_reload: bool = False,
    groups_not_ready: bool = False,
) -> list[str]:
    """Return the reasons to ask about the plan; an empty list if nobody need be asked.

    ``computed`` is the golden record of the plan, and ``clean`` the rows that it came from. The published rows may be
    ``max_drop_percent`` fewer than the rows that may be shown now (the views ``now``, of prefix ``now_``). With
    ``groups_not_ready`` only people are compared: the schools are making new groups.

    Reasons are words that give no number of protected people: ``first_run``, ``full_reload``, ``limit:<kind>``,
    ``limit:published``, or ``always`` for reasons that must tell no more outside the plan's own page.
    """
    if not plan.released:
        return ["first_run"]
    connection = clean.connection
    bound = {**computed.inputs.bound(), "released": plan.released}
    found = plans.all_counts(plan)
    inferred = connection.scalar(text(rules.sql("guard/inferred_losses"))) or 0
    limited = {**found, "guardian_loses_access": inferred}
    why = ["full_reload"] if full_reload else []
    base = _counted_once(plan)
    told = {**plans.counts(plan), "guardian_loses_access": plans.inferred_losses(plan)}
    over = {kind for kind, limit in limits.items() if _over(base, kind, limited, limit)}
    told_over = {kind for kind, limit in limits.items() if _over(base, kind, told, limit)}
    # Details that a protection withholds change in the exports, as those that KRR has changed.
    over |= told_over & {"contact_changes"}
    why += [f"limit:{kind}" for kind in sorted(over & told_over)]
    before, after = (
        connection.execute(text(rules.sql("guard/published").format(p=prefix))).one()
        for prefix in (now.prefix, "after_")
    )
    measured = list(zip(before, after, strict=True))[: 1 if groups_not_ready else None]
    if any(new < old * (1 - max_drop_percent / 100) for old, new in measured):
        why.append("limit:published")
    questions = [rule.sql for rule in rules.folder("guard").values() if rule.makes == "question"]
    # A limit that only rows for those with graded are over would tell of these rows.
    always = (
        bool(over - told_over)
        or any(found.get(kind) for kind in _ALWAYS)
        or any(connection.scalar(text(question), bound) for question in questions)
    )
    return why + (["always"] if always else [])


def bases(plan: Plan, kinds: Iterable[str]) -> dict[str, int]:
    """Return the base of each kind's limit in percent, rounded: 0, to tens, from a thousand on to two digits.

    An exact base, compared with the counts of plan and file, would tell how many people are protected.
    """
    base = _counted_once(plan)
    return {kind: rounded(base(kind)) for kind in kinds}


def rounded(count: int) -> int:
    """Return a number rounded to tens, from a thousand on to two digits.

    >>> rounded(4), rounded(47), rounded(12345)
    (0, 50, 12000)
    """
    return round(count, -1 if count < 1000 else 2 - len(str(count)))


def _over(base: Callable[[str], int], kind: str, found: Mapping[str, int], limit: Limit) -> bool:
    count = found.get(kind, 0)
    if not count or kind in plans.GRADED_KINDS:
        return False
    if limit.count is not None and count > limit.count:
        return True
    if limit.percent is None:
        return False
    return count > base(kind) * limit.percent / 100


def _counted_once(plan: Plan) -> Callable[[str], int]:
    """Return a function from a kind to the base of its limit in percent; its first call counts all bases."""

    @cache
    def counted() -> Mapping[str, int]:
        return dict(plan.connection.execute(text(rules.sql("guard/bases"))).one()._mapping)

    return lambda kind: counted()[_BASE[kind.split("_")[0]]]
