"""Making a decision: who may, the second person, the effect, the audit, and the publication that follows.

Commands and pages call ``decide`` and ``answer``. A dry run does everything in a transaction that is rolled back, so
what it shows is what would happen.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from dataflyt.config.kommune import CaseWorker, Kommune, Right
from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.decisions.kinds import KINDS
from dataflyt.run.environment import Environment
from dataflyt.run.republish import learn_overrides, republish
from dataflyt.storage import database
from dataflyt.warehouse import audit, people, runs, shown, vetoed_views
from dataflyt.warehouse.audit import Visitor

_SECOND = "another person"
"""Stands for the second person in a dry run, whose rows are not kept."""


@dataclass(frozen=True)
class Effect:
    """What a decision does: at once, by counts, and later, in sentences.

    ``losing`` are adults who lose access to a child at once, ``hidden`` people who leave the exports at once.
    """

    losing: int = 0
    hidden: int = 0
    republished: bool = False
    later: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """Return the effect in Norwegian."""
        found = []
        if self.losing:
            found.append(f"{self.losing} {'foresatt' if self.losing == 1 else 'foresatte'} mister tilgang straks.")
        if self.hidden:
            found.append(f"{self.hidden} {'person' if self.hidden == 1 else 'personer'} tas ut av eksportene straks.")
        if self.republished:
            found.append("Ny utgave publiseres.")
        return [*found, *self.later] or ["Ingenting endres straks."]


@dataclass(frozen=True)
class Decided:
    """What came of a decision: its ``number``, or the number of the ``proposal`` that waits for a second person."""

    number: int | None
    proposal: int | None
    effect: Effect


def case_worker(kommune: Kommune, user_id: str, right: Right) -> CaseWorker:
    """Return the person of this id in the kommune's file. Raises NotAllowed unless the person has the right."""
    found = next((one for one in kommune.people if one.id == user_id), None)
    if found is None or right not in found.may:
        raise NotAllowed(
            f"Du har ikke retten «{right}» i {kommune.display_name}: den står under people i kommunefilen."
        )
    return found


@contextmanager
def moment(kommune: Kommune, environment: Environment, *, lock: bool = True) -> Iterator[Moment]:
    """Open a transaction on the released golden record as of now, in which people are found and decisions are made.

    Raises NotAllowed before the first run is released: there is nobody to decide about.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=lock) as connection:
        released = runs.released_before(connection, kommune.id)
        if not released:
            raise NotAllowed(f"{kommune.display_name} har ikke frigitt noen kjøring ennå: der er ingen å slå opp.")
        day = environment.day(runs.get(connection, kommune.id, released).as_of)
        now = _views(connection, kommune, released, environment)
        yield Moment(connection, kommune, now, day, released, runs.newest(connection, kommune.id) + 1)


def look_up(
    kommune: Kommune, environment: Environment, asked: Sequence[str], visitor: Visitor, *, graded: bool
) -> list[UUID]:
    """Return the people that ``asked`` names, and keep in the audit that they were looked up.

    Raises NotAllowed without the right to see people, or protected people. Raises NotFound.
    """
    case_worker(kommune, visitor.id, "graded" if graded else "persons")
    with moment(kommune, environment, lock=False) as at:
        found = [people.find(at.now, who, graded=graded).person_id for who in asked]
        audit.record(at.connection, at.owner, visitor, "look up", found)
    return found


def decide(
    kommune: Kommune, environment: Environment, decision: Decision, visitor: Visitor, *, dry_run: bool = False
) -> Decided:
    """Make a decision, or propose it when it takes two people.

    A proposal changes nothing until somebody else confirms it (``answer``). What protects is written at once, and the
    publication follows. With ``dry_run`` nothing is kept; the effect is that of the decision when it is made.

    Raises NotAllowed.
    """
    with moment(kommune, environment) as at:
        _may_decide(at, decision, visitor.id)
        decision.demand(at)
        if decision.two_people and not dry_run:
            effect = Effect(later=tuple(decision.later(at)))
            proposal = propose(at, decision, visitor)
            audit.record(at.connection, at.owner, visitor, f"propose {decision.kind}", decision.about(at))
            return Decided(None, proposal, effect)
        number, effect = _make(at, environment, decision, visitor, visitor.id, _SECOND if decision.two_people else None)
        if dry_run:
            at.connection.rollback()
            return Decided(None, None, effect)
    republish(kommune, environment)
    return Decided(number, None, effect)


def answer(
    kommune: Kommune,
    environment: Environment,
    proposal: int,
    said: Literal["confirmed", "refused", "taken_back"],
    visitor: Visitor,
    *,
    dry_run: bool = False,
) -> Decided:
    """Answer a proposal: confirm or refuse another's, or take back one's own.

    The rules are tried again, since the world may have changed. Raises NotAllowed.
    """
    with moment(kommune, environment) as at:
        proposed, decision = waiting(at, proposal)
        _may_decide(at, decision, visitor.id)
        if said == "taken_back" and proposed != visitor.id:
            raise NotAllowed("Bare den som har foreslått, kan trekke et forslag: du kan avslå det.")
        if said == "confirmed" and proposed == visitor.id:
            raise NotAllowed("Ingen bekrefter sitt eget forslag: det må en annen gjøre.")
        keep_answer(at, proposal, said, visitor)
        if said != "confirmed":
            audit.record(at.connection, at.owner, visitor, f"{said} {decision.kind}", decision.about(at))
            return Decided(None, proposal, Effect())
        decision.demand(at)
        number, effect = _make(at, environment, decision, visitor, proposed, visitor.id)
        if dry_run:
            at.connection.rollback()
            return Decided(None, proposal, effect)
    republish(kommune, environment)
    return Decided(number, proposal, effect)


def _views(connection: Connection, kommune: Kommune, released: int, environment: Environment) -> vetoed_views.Views:
    day = environment.day(runs.get(connection, kommune.id, released).as_of)
    hold = kommune.pupils_without_number == "ask"
    views = vetoed_views.views(connection, kommune.id, released, "now_", day=day, hold_unasked=hold)
    shown.views(views)
    return views


def _may_decide(at: Moment, decision: Decision, user_id: str) -> None:
    """Raise NotAllowed unless this person may decide, and the decision is about somebody else."""
    who = case_worker(at.kommune, user_id, "decide")
    if who.employee_id is None:
        return
    own = at.connection.execute(
        text("select person_id from now_person_link where scheme = 'hr' and value = :id"), {"id": who.employee_id}
    ).scalars()
    if set(own) & set(decision.about(at)):
        raise NotAllowed("Ingen bestemmer om seg selv: det må en annen gjøre.")


def propose(at: Moment, decision: Decision, visitor: Visitor) -> int:
    """Keep a decision as a proposal; return its number."""
    said = orjson.dumps(decision.said()).decode()
    columns = "kind text, said text, proposed_by text, proposed_by_name text"
    database.copied(at.connection, "proposed", columns, [(decision.kind, said, visitor.id, visitor.name)])
    number = at.connection.scalar(
        text(
            "insert into control.proposal (owner, kind, said, proposed_by, proposed_by_name) "
            "select :owner, kind, said, proposed_by, proposed_by_name from proposed returning proposal"
        ),
        {"owner": at.owner},
    )
    return int(number or 0)


def keep_answer(at: Moment, proposal: int, said: str, visitor: Visitor) -> None:
    """Keep the answer to a proposal. The database refuses a second answer, and one's own ``confirmed``."""
    at.connection.execute(
        text(
            "update control.proposal set answer = :answer, answered_by = :by, answered_by_name = :name, "
            "answered_at = clock_timestamp() where owner = :owner and proposal = :proposal"
        ),
        {"owner": at.owner, "proposal": proposal, "answer": said, "by": visitor.id, "name": visitor.name},
    )


def waiting(at: Moment, proposal: int) -> tuple[str, Decision]:
    """Return who proposed, and the decision, of a proposal that nobody has answered. Raises NotAllowed."""
    row = at.connection.execute(
        text(
            "select kind, said, proposed_by, answer from control.proposal where owner = :owner and proposal = :number"
        ),
        {"owner": at.owner, "number": proposal},
    ).one_or_none()
    if row is None:
        raise NotAllowed(f"{at.kommune.display_name} har ikke noe forslag {proposal}.")
    if row.answer is not None:
        raise NotAllowed(f"Forslag {proposal} er besvart.")
    return row.proposed_by, KINDS[row.kind].model_validate(orjson.loads(row.said), strict=False)


def _make(
    at: Moment, environment: Environment, decision: Decision, visitor: Visitor, decided_by: str, approved_by: str | None
) -> tuple[int, Effect]:
    """Write a decision and its audit, and measure what it changes at once."""
    access, shown_people = _access(at), _people(at)
    later = tuple(decision.later(at))
    number = decision.write(at, decided_by, approved_by)
    audit.record(at.connection, at.owner, visitor, decision.kind, decision.about(at), f"nr. {number}")
    learn_overrides(at.connection, at.kommune, environment)
    _views(at.connection, at.kommune, at.released, environment)
    losing, hidden = access - _access(at), shown_people - _people(at)
    return number, Effect(len(losing), len(hidden), bool(losing or hidden), later)


def _access(at: Moment) -> set[tuple[UUID, str]]:
    found = at.connection.execute(text("select child_id, adult from now_guardian_access where state = 'active'"))
    return {(child, adult) for child, adult in found}


def _people(at: Moment) -> set[UUID]:
    return set(at.connection.execute(text("select person_id from now_shown_person")).scalars())
