"""A run's plan, opened for reading.

Everybody may read counts without protection. Rows and names need the right ``persons``. The warehouse's own ids, and
all else that tells of protection, need ``graded``. Each such look is kept in the audit, in the transaction that reads.
Show nothing before that transaction has ended.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.config.connections import Connect
from dataflyt.config.kommune import Kommune, Right
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.storage.database import OWN_KEY
from dataflyt.warehouse import audit, people, plan, runs
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.plan import PlanRow
from dataflyt.warehouse.refusals import refusals
from dataflyt.warehouse.runs import Run
from dataflyt.warehouse.vetoed_views import Views

COVERED = 16
"""One in so many people is not named to those who may not see protection, see ``OpenPlan.named``."""

OF_GUARDIANS = "contact_changes"
"""The kind whose subject is there as a guardian. Without ``graded`` nobody is named in its rows."""
_OF_TWO = frozenset({"persons_join", "person_splits", "sas_guardian_without_basis", "sas_guardian_missing"})
"""The kinds whose ``other`` is a person, with those about access and identity."""


def is_covered(person: str) -> str:
    """Return SQL that tells whether the id ``person`` is one in ``COVERED``; it needs the parameter ``owner``."""
    return f"('x' || left(control.keyed_hash({OWN_KEY}, 'cover ' || {person}::text), 4))::bit(16)::int % {COVERED} = 0"


class NoSuchRun(ConfigError):
    """The kommune has no run of this number."""


class NamedRow(NamedTuple):
    """A change with the names of its people and its school; a name is None where it is not told.

    ``before`` and ``after`` are the values where the change is of a name or a school; otherwise None.
    """

    kind: str
    subject: str | None
    other: str | None
    school: str | None
    inferred: bool
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class OpenPlan:
    """A run's plan while it is open for reading, by ``visitor`` if anybody is to see more than counts."""

    kommune: Kommune
    connect: Connect
    visitor: Visitor | None
    run: Run
    released: int
    connection: Connection

    @cached_property
    def planned(self) -> plan.Plan:
        """The plan's rows, computed when somebody asks for more than counts."""
        return plan.build(self.connection, self.run.owner, self.run.number, self.released)

    @property
    def stands(self) -> bool:
        """Whether the plan's rows are there. Of a run that was undone only the counts are kept."""
        return self.run.state in ("merged", "released")

    def counts(self, *, graded: bool = False) -> dict[str, int]:
        """Return the rows per kind, without protection, as they were counted when the run was merged.

        With ``graded``, return the rows that stand, protection too. Raises NotAllowed for that without the right.
        """
        if graded:
            audit.record(self.connection, self.run.owner, self._seen_by("graded"), "plan", detail=self._detail)
        if graded and self.stands:
            return plan.all_counts(self.planned)
        changed: dict[str, int] = self._noted.get("changed", {})
        return changed

    def limits(self) -> dict[str, Mapping[str, float | None]]:
        """Return the limits of each kind that has some, as the guard judged: ``of`` (rounded), percent and count."""
        limits: dict[str, Mapping[str, float | None]] = self._noted.get("limits", {})
        return limits

    @property
    def inferred_losses(self) -> int:
        """How many of the losses of access rest on absence."""
        return int(self._noted.get("inferred_losses", 0))

    @cached_property
    def _noted(self) -> dict[str, Any]:
        return report.notes(self.connection, self.run)

    def doubts(self) -> list[str]:
        """Return sentences on each doubt about the extract and later events. Raises NotAllowed without ``graded``."""
        audit.record(self.connection, self.run.owner, self._seen_by("graded"), "plan", detail=self._detail)
        doubts = {doubt for lane in ("doubts", "doubts_beside") for doubt in self._noted.get(lane, [])}
        return [sentence for doubt, sentence in report.DOUBTS.items() if doubt in doubts]

    def changes(self, *, graded: bool = False) -> list[tuple[str, str]]:
        """Return the counts in words for an operator; with ``graded`` the counts of all rows that stand.

        Raises NotAllowed for ``graded`` without that right.
        """
        inferred = 0 if graded and self.stands else self.inferred_losses
        return report.changes(self.counts(graded=graded), inferred)

    def rows(self, *, graded: bool = False) -> Iterator[plan.PlanRow]:
        """Return the rows; no rows when the run was undone.

        Without ``graded`` they have no ids (``plan.rows``). No rows are returned then when the counts have changed
        since they were told: the missing rows would show how many have become protected. Raises NotAllowed without the
        right ``persons``, or ``graded``.
        """
        visitor = self._seen_by("graded" if graded else "persons")
        if not self._told(graded):
            return iter(())
        seen = plan.people(self.planned) if graded else ()
        audit.record(self.connection, self.run.owner, visitor, "plan rows", seen, self._detail)
        if graded:
            return plan.rows(self.planned, graded=True)
        others = (row for row in plan.rows(self.planned) if row.kind != OF_GUARDIANS)
        return chain(others, self._of_guardians(sys.maxsize))

    def named(self, kind: str, most: int, *, graded: bool = False) -> list[NamedRow]:
        """Return the first ``most`` rows of a kind with names; none where ``rows`` returns none.

        Without ``graded``, protected people are not named, and neither is one in ``COVERED`` of all others, by a
        keyed hash: always the same people. A row without a name, or without a school, then tells of no protection.
        The names of groups are never told: they may hold a person's. Nor are those of guardians whose contact details
        change: a protection withholds details, and a week's few rows without a name would be its guardians'. Raises
        NotAllowed as ``rows`` does.
        """
        visitor = self._seen_by("graded" if graded else "persons")
        if not self._told(graded):
            return []
        found = list(islice((row for row in plan.with_people(self.planned, graded=graded) if row.kind == kind), most))
        if kind == OF_GUARDIANS and not graded:
            found = self._of_guardians(most)
        named = self._names(found, graded=graded)
        detail = f"{self._detail}, {kind}"
        audit.record(self.connection, self.run.owner, visitor, "plan rows", named["after"].keys(), detail)
        schools = self._schools(found)
        # Those without names last: a place among the others, who stand by their ids, would tell them apart.
        return sorted((_named(row, named, schools) for row in found), key=lambda row: row[1:4] == (None, None, None))

    def about(self, person: UUID, *, graded: bool = False) -> list[NamedRow]:
        """Return the rows about a person with names, as ``named`` does, but none in which somebody is not named.

        Without ``graded`` no row is found about one person in ``COVERED``: that there is none tells nothing then.
        """
        visitor = self._seen_by("graded" if graded else "persons")
        if not self._told(graded):
            return []
        found = [row for row in plan.with_people(self.planned, graded=graded) if person in _people(row)]
        named, schools = self._names(found, graded=graded), self._schools(found)
        told = [row for row in found if all(one in named["after"] for one in _people(row) if one)]
        if not graded and self._guardians_of_hidden(told):
            told = [row for row in told if row.kind != OF_GUARDIANS]
        about = {one for row in told for one in _people(row) if one} | {person}
        audit.record(self.connection, self.run.owner, visitor, "plan rows", about, f"{self._detail}, om personen")
        return [_named(row, named, schools) for row in told]

    def _names(self, rows: Iterable[PlanRow], *, graded: bool) -> dict[str, dict[UUID, str]]:
        """Return the names before and after, of the people in these rows who may be named."""
        ids = sorted({one for row in rows for one in _people(row) if one})
        if not graded:
            hidden = self.connection.execute(
                text(f"select one from unnest(cast(:ids as uuid[])) as ids (one) where {is_covered('one')}"),
                {"ids": ids, "owner": self.run.owner},
            )
            covered = set(hidden.scalars())
            ids = [one for one in ids if one not in covered]
        found = {
            side: people.names(Views(self.connection, self.run.owner, 0, f"{side}_"), ids, graded=graded)
            for side in ("before", "after")
        }
        if not graded:  # protected in either: not named in the other
            either = {
                one
                for side in ("before", "after")
                for one in people.hidden(Views(self.connection, self.run.owner, 0, f"{side}_"), ids)
            }
            found = {
                side: {one: name for one, name in names.items() if one not in either} for side, names in found.items()
            }
        return {"before": found["before"], "after": found["before"] | found["after"]}

    def _guardians_of_hidden(self, rows: Iterable[PlanRow]) -> set[UUID]:
        """Return the people in rows about contact who may be known as guardians neither before nor after the run."""
        adults = {person for row in rows if row.kind == OF_GUARDIANS and (person := _person(row.subject))}
        known = [
            people.known_guardians(Views(self.connection, self.run.owner, 0, f"{side}_"), adults, graded=False)
            for side in ("before", "after")
        ]
        return adults - set().union(*known)

    def _schools(self, rows: Iterable[PlanRow]) -> dict[str, str]:
        """Return the names of the schools in these rows."""
        units = {unit for row in rows for unit in f"{row.unit_id or ''} {row.other}".split()}
        found = self.connection.execute(
            text(
                "select unit_id, name from before_unit where unit_id = any(:units) "
                "union all select unit_id, name from after_unit where unit_id = any(:units)"
            ),
            {"units": sorted(units)},
        )
        return {unit: name for unit, name in found}

    def _told(self, graded: bool) -> bool:
        if not self.stands or graded:
            return self.stands
        now, told = ({**found, OF_GUARDIANS: 0} for found in (plan.counts(self.planned), self.counts()))
        return now == told

    def _of_guardians(self, most: int) -> list[PlanRow]:
        """Return as many rows about contact as were told when the run was merged, without people.

        A protection since then withholds details. That there were fewer rows would tell of it.
        """
        return [PlanRow(OF_GUARDIANS, "", "", None, False)] * min(most, self.counts().get(OF_GUARDIANS, 0))

    @property
    def _detail(self) -> str:
        return f"kjøring {self.run.number}"

    def _seen_by(self, right: Right) -> Visitor:
        if self.visitor is None:
            raise NotAllowed("Planens rader vises bare til den som sier hvem hun er, og hvorfor.")
        with refusals(self.kommune, self.connect, self.visitor, "plan"):
            self.kommune.case_worker(self.visitor.id, right)
        return self.visitor


@contextmanager
def open_plan(
    kommune: Kommune, environment: Environment, number: int | None, visitor: Visitor | None = None
) -> Iterator[OpenPlan]:
    """Open the plan of a kommune's run, the newest when ``number`` is None. Raises NoSuchRun when there is none."""
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        wanted = number or runs.newest(connection, kommune.id)
        if not runs.exists(connection, kommune.id, wanted):
            raise NoSuchRun(f"{kommune.display_name} har ingen kjøring {number or ''}".rstrip() + ".")
        run = runs.get(connection, kommune.id, wanted)
        released = runs.released_before(connection, kommune.id, wanted)
        yield OpenPlan(kommune, environment.connect, visitor, run, released, connection)


def _named(row: PlanRow, names: Mapping[str, Mapping[UUID, str]], schools: Mapping[str, str]) -> NamedRow:
    """Return a row with names. Of a row whose person is not named, nothing else is told."""
    subject, other = _people(row)
    name = names["after"].get(subject) if subject else None
    untold = (subject is not None and name is None) or (other is not None and other not in names["after"])
    if untold:
        return NamedRow(row.kind, None, None, None, row.inferred)
    said = NamedRow(
        row.kind,
        name,
        names["after"].get(other) if other else None,
        schools.get(row.unit_id or ""),
        row.inferred,
    )
    if row.kind == "name_changes" and subject:
        return said._replace(before=names["before"].get(subject), after=name)
    if row.kind == "pupil_changes_school":
        before, after = (
            ", ".join(schools.get(unit, unit) for unit in units.split()) for units in (row.other, row.unit_id or "")
        )
        return said._replace(school=None, before=before, after=after)
    return said


def _people(row: PlanRow) -> tuple[UUID | None, UUID | None]:
    """Return the people that a row is about: None for a group, a school, and an organisation."""
    of_two = row.kind in _OF_TWO or row.kind.startswith(("guardian_", "identity_"))
    return (
        None if row.kind in plan.OF_GROUPS else _person(row.subject),
        _person(row.other) if of_two else None,
    )


def _person(text: str) -> UUID | None:
    """Return an id of the warehouse's; None for an organisation's number."""
    try:
        return UUID(text)
    except ValueError:
        return None
