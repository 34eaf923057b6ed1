"""The guard: whether a run's plan may be released without asking.

Limits per kind, in percent of what there is and absolute: a count above either is asked about. Access that FREG has
answered is ended counts for no limit: the veto has taken it already.

Some things always ask: a first run, a full reload, and the kinds of ``_ALWAYS``; and the questions of ``sql/guard/``,
one a file.
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
"""What a limit's percent is of, by the first word of the kind: a column of ``sql/guard/bases.sql``."""

_ALWAYS = frozenset(
    {
        *("persons_join", "person_splits", "identity_protection", "identity_block", "identity_access"),
        "protection_lowered",
    }
)


class Limit(Protocol):
    """At most ``percent`` of what there is and at most ``count`` rows of a kind go through unasked; None: no limit."""

    @property
    def percent(self) -> float | None:
        """Of what there is."""

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
) -> list[str]:
    """Say why the plan must be asked about; an empty list when it need not.

    ``computed`` is the golden record that the plan is of, and ``clean`` the rows that it came from. What is published
    may fall by ``max_drop_percent`` against what may be shown now (the views ``now``, of prefix ``now_``).

    Reasons are words without numbers of protection in them: ``first_run``, ``full_reload``, ``limit:<kind>``,
    ``limit:published``, or ``always`` for those that must not tell more outside the plan's own page.
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
    why += [f"limit:{kind}" for kind, limit in sorted(limits.items()) if _over(base, kind, limited, limit)]
    before, after = (
        connection.execute(text(rules.sql("guard/published").format(p=prefix))).one()
        for prefix in (now.prefix, "after_")
    )
    if any(new < old * (1 - max_drop_percent / 100) for old, new in zip(before, after, strict=True)):
        why.append("limit:published")
    questions = [rule.sql for rule in rules.folder("guard").values() if rule.makes == "question"]
    always = any(found.get(kind) for kind in _ALWAYS) or any(
        connection.scalar(text(question), bound) for question in questions
    )
    return why + (["always"] if always else [])


def bases(plan: Plan, kinds: Iterable[str]) -> dict[str, int]:
    """Return what each kind's limit in percent is of, rounded: 0, to tens, from a thousand on to two digits.

    Exact, it would be beside the counts of plan and file what tells how many are protected.
    """
    base = _counted_once(plan)
    exact = {kind: base(kind) for kind in kinds}
    return {kind: round(count, -1 if count < 1000 else 2 - len(str(count))) for kind, count in exact.items()}


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
    """Return a function from a kind to what its limit in percent is of; all are counted when the first is asked for."""

    @cache
    def counted() -> Mapping[str, int]:
        return dict(plan.connection.execute(text(rules.sql("guard/bases"))).one()._mapping)

    return lambda kind: counted()[_BASE[kind.split("_")[0]]]
