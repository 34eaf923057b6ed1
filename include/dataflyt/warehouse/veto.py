"""Vetoes: changes that take access or visibility away, and that hold at once.

A veto is a row outside the line of runs, as of now: protection raised, an adult's access to a child ended or suspended,
a death. It is written as soon as it is learned, from staged rows before any check, and applied to every read
(``vetoed_views``). Undoing a run does not remove its vetoes. A veto is lifted by the release of a later run whose plan
named the lifting, or by people. The rules are in ``sql/veto/``.

A veto is about a person, not about an id. It is written for the person that an answer is about now, and for every
person that the same number or local id stood for in the released run. It is read for every person who is or has been
one with its person.

A changed format looks like a thousand secret addresses, or a thousand deaths. Known words are always believed. Unknown
words, deaths and losses of access are believed up to a bound; above the bound none of them is.
"""

from collections.abc import Sequence
from math import ceil
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection, TextClause, text

from dataflyt.warehouse import rules
from dataflyt.warehouse.golden import Computed
from dataflyt.warehouse.merge import CleanRows
from dataflyt.warehouse.vetoed_views import Views

_FEWEST_IN_DOUBT = 5
_FEWEST_UNKNOWN = 10


class Bounds(Protocol):
    """The part of an extract that is believed, in percent of the rows that we hold."""

    @property
    def max_children_losing_access_percent(self) -> float:
        """The share of children with access that may lose any of it, and the share of people that may die."""

    @property
    def max_unknown_grading_percent(self) -> float:
        """The share of people that may be graded with an unknown word."""


def learn(
    computed: Computed,
    now: Views,
    bounds: Bounds,
    *,
    answered: str | None,
    outside_run: int | None = None,
) -> frozenset[str]:
    """Write the vetoes that a computed golden record adds to the present state (``now``, of prefix ``now_``).

    Returns the parts of the extract that were too much to believe: ``access`` (its losses), ``deaths``,
    ``unknown_grading``, ``local_ids`` (the school system or HR numbers its people anew; people are then identified by
    their numbers), and ``ungraded`` (no grading is left of several, in more than one family). Nothing returned or
    logged tells whether a veto was written.

    ``answered`` names a table or view with the numbers (column ``subject``) that FREG answered for in this run. Only
    these children can lose access. If more of them than the bound's percent of those with access would lose it (at
    least five), no loss is believed: a lost right to a part of FREG looks like that. Without ``answered`` no loss is
    believed. Unknown gradings are not believed for more than ten people and the bound's percent of all. A second call
    writes nothing new.

    ``outside_run`` is the newest run, perhaps under way, if the vetoes are learned outside it. Only some numbers are
    then answered for. The limits are measured by all children with access, and by all people that unknown words hide
    already.
    """
    connection, bound = now.connection, computed.inputs.bound()
    bound["outside_run"] = outside_run is not None
    if outside_run is not None:
        bound["run"] = outside_run
    doubts = {"local_ids"} if connection.scalar(text(rules.sql("veto/local_ids"))) else set()
    rule = rules.folder("veto")
    writes = [rule[name] for name in ("protection", "consent_falls", "death", "access_suspended")]
    rules.make(connection, rules.needed("veto", writes), bound)
    placed = {"answered": answered or ""}

    def statement(name: str) -> TextClause:
        return text(rule[name].sql.format(**placed))

    def count(name: str) -> int:
        return connection.scalar(statement(name), bound) or 0

    people = count("people")
    unknown = count("unknown_outside_run" if outside_run is not None and answered else "unknown")
    if unknown > max(_FEWEST_UNKNOWN, people * bounds.max_unknown_grading_percent / 100):
        doubts.add("unknown_grading")
    bound["believed"] = "unknown_grading" not in doubts
    connection.execute(statement("protection"), bound)
    connection.execute(statement("consent_falls"), bound)
    percent = bounds.max_children_losing_access_percent
    if count("deaths") > max(_FEWEST_IN_DOUBT, ceil(people * percent / 100)):
        doubts.add("deaths")
    else:
        connection.execute(statement("death"), bound)
    if answered:
        rules.make(connection, [rule["lost_access"]], bound, **placed)
        children = count("children_losing_access")
        known = count("children_with_access" if outside_run is not None else "children_answered")
        if children > max(_FEWEST_IN_DOUBT, ceil(known * percent / 100)):
            doubts.add("access")
        else:
            connection.execute(statement("access_ended"), bound)
        found = connection.execute(statement("ungraded"), bound).scalars().all()
        if _of_several_families(connection, found):
            doubts.add("ungraded")
    connection.execute(statement("access_suspended"), bound)
    return frozenset(doubts)


def _of_several_families(connection: Connection, ungraded: Sequence[UUID]) -> bool:
    """Tell whether the people that the answers leave ungraded are several, and not all of one family.

    The ordinary lowering of the last protected family is only asked about, as every lowering is.
    """
    if len(ungraded) <= _FEWEST_IN_DOUBT:
        return False
    families = [{person} for person in ungraded]
    people = {"people": [str(person) for person in ungraded]}
    for one, other in connection.execute(text(rules.sql("veto/family")), people):
        joined = [family for family in families if one in family or other in family]
        families = [family for family in families if family not in joined] + [set().union(*joined)]
    return len(families) > 1


def plan_lifts(computed: Computed, clean: CleanRows) -> None:
    """Write the vetoes that releasing the run would lift: older vetoes that fresh, clean answers contradict.

    A person with a row in quarantine has no clean answer, and rows that are held over lift nothing. A run does not lift
    a veto that a change of identity in the same run carries to another person.
    """
    connection, bound = clean.connection, computed.inputs.bound()
    connection.execute(text("delete from control.lift where owner = :owner and run = :run"), bound)
    rule = rules.folder("veto")
    lifts = [rule["lifts"], rule["lifts_of_suspensions"]]
    rules.make(connection, rules.needed("veto", lifts), bound)
    for one in lifts:
        connection.execute(text(one.sql), bound)


def lift(connection: Connection, owner: str, run: int) -> None:
    """Lift the vetoes that are named by the plan of the run being released."""
    connection.execute(
        text(
            "update control.veto set lifted_run = :run, lifted_at = now() where owner = :owner and lifted_at is null "
            "and veto in (select veto from control.lift where owner = :owner and run = :run)"
        ),
        {"owner": owner, "run": run},
    )
