"""Making a decision: who may, the second person, the effect, the audit, and the publication that follows.

Commands and pages call ``decide`` and ``answer``. A dry run does everything in a transaction that is rolled back, so
what it shows is what would happen.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import orjson
from pydantic import ValidationError
from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.decisions import adults, effect
from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.decisions.effect import Effect
from dataflyt.decisions.kinds import KINDS
from dataflyt.identity import numbers
from dataflyt.run.environment import Environment
from dataflyt.run.now import day_of, views_now
from dataflyt.run.republish import learn_overrides, republish
from dataflyt.storage import database
from dataflyt.warehouse import audit, people, runs
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.refusals import refusals

_SECOND = "another person"
"""Stands for the second person in a dry run, whose rows are not kept."""
_PATIENCE = 30.0
"""Seconds that a recipient's place may be silent while a person waits. It is tried again within the hour."""


@dataclass(frozen=True)
class Decided:
    """What came of a decision: its ``number``, or the number of the ``proposal`` that waits for a second person."""

    number: int | None
    proposal: int | None
    effect: Effect


@contextmanager
def moment(
    kommune: Kommune, environment: Environment, *, lock: bool = True, before_first: bool = False
) -> Iterator[Moment]:
    """Open a transaction on the released golden record as of now, in which people are found and decisions are made.

    Raises NotAllowed before the first run is released, when there is nobody to decide about, unless ``before_first``.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=lock) as connection:
        released = runs.released_before(connection, kommune.id)
        if not released and not before_first:
            raise NotAllowed(f"{kommune.display_name} har ikke frigitt noen kjøring ennå: der er ingen å slå opp.")
        now = views_now(connection, kommune, released, environment)
        day = day_of(connection, kommune, released, environment)
        yield Moment(connection, kommune, now, day, released, runs.newest(connection, kommune.id) + 1)


@contextmanager
def seeing(
    kommune: Kommune,
    environment: Environment,
    visitor: Visitor,
    action: str,
    asked: Iterable[str] = (),
    *,
    graded: bool,
) -> Iterator[Moment]:
    """Open a moment for a visitor who only looks; a refusal is kept in the audit (``warehouse.refusals``).

    Raises NotAllowed without the right to see people, or with ``graded`` protected people.
    """
    with (
        refusals(kommune, environment.connect, visitor, action, asked),
        moment(kommune, environment, lock=False) as at,
    ):
        kommune.case_worker(visitor.id, "graded" if graded else "persons")
        yield at


def look_up(
    kommune: Kommune, environment: Environment, asked: Sequence[str], visitor: Visitor, *, graded: bool
) -> list[UUID]:
    """Return the people that ``asked`` names, and keep in the audit that they were looked up.

    Raises NotAllowed without the right to see people, or protected people. Raises NotFound.
    """
    with seeing(kommune, environment, visitor, "look up", asked, graded=graded) as at:
        found = [people.find(at.now, who, graded=graded, realm=kommune.feide.realm).person_id for who in asked]
        audit.record(at.connection, at.owner, visitor, "look up", found)
    return found


def look_up_adult(kommune: Kommune, environment: Environment, asked: str, visitor: Visitor, *, graded: bool) -> str:
    """Return an adult as the warehouse writes one, and keep in the audit that the adult was looked up.

    ``asked`` is a person as in ``look_up``, an organisation's number, or somebody without a number: ``uten nummer:``,
    given name, middle name if any, family name and birth date, with commas between. With ``graded`` the number of
    somebody that no source has named yet is the person who will get it; without, the answer would tell who is
    protected. Raises NotAllowed and NotFound.
    """
    said = " ".join(asked.split())
    if numbers.orgnr(said):
        return f"org:{said}"
    with seeing(kommune, environment, visitor, "look up", [said], graded=graded) as at:
        if said.casefold().startswith("uten nummer:"):
            return _without_number(at, said.partition(":")[2])
        try:
            found = str(people.find(at.now, said, graded=graded, realm=kommune.feide.realm).person_id)
        except people.NotFound:
            outside = _outside(at, said, graded=graded)
            if outside is None:
                raise
            found = outside
        audit.record(at.connection, at.owner, visitor, "look up", [UUID(found)])
        return found


def _outside(at: Moment, said: str, *, graded: bool) -> str | None:
    """Return an adult who is not among the people of the golden record: by number, or by the id of a work list.

    That is somebody whom a source has named, such as a guardian that the school has entered by hand, or with ``graded``
    somebody whom no source has named yet.
    """
    read = numbers.read(said)
    number = read.value if read and read.kind == "number" else None
    database.copied(at.connection, "named", "number text, id text", [(number, said.casefold())])
    found = set(
        at.connection.execute(
            text(
                "select l.person_id from named n join now_person_link l "
                "on l.scheme = 'number' and l.value = n.number or l.person_id::text = n.id"
            )
        ).scalars()
    )
    if not graded:
        found -= people.hidden(at.now, found)
    if len(found) == 1:
        return str(found.pop())
    return adults.to_come(at, number) if number and graded and not found else None


def _without_number(at: Moment, said: str) -> str:
    given, *middle, family, born = [part.strip() for part in said.split(",")] if said.count(",") in (2, 3) else [""] * 3
    try:
        day = date.fromisoformat(born)
    except ValueError:
        day = None
    if not (given and family and day):
        raise NotAllowed("Skriv en voksen uten nummer slik: «uten nummer: Maria, Lopez, 1985-03-01».")
    return adults.without_number(at, given, middle[0] if middle else None, family, day)


def decide(
    kommune: Kommune, environment: Environment, decision: Decision, visitor: Visitor, *, dry_run: bool = False
) -> Decided:
    """Make a decision, or propose it when it takes two people.

    A proposal changes nothing until somebody else confirms it (``answer``). What protects is written at once, and the
    publication follows. With ``dry_run`` nothing is kept; the effect is that of the decision when it is made.

    Raises NotAllowed.
    """
    with refusals(kommune, environment.connect, visitor, decision.kind) as tried, moment(kommune, environment) as at:
        tried |= set(decision.about(at))
        told_apart = _may_decide(at, decision, visitor.id, decision.missing())
        decision.demand(at)
        if "graded" in kommune.case_worker(visitor.id, "decide").may:
            decision.demand_unseen(at)
        two_people = decision.two_people or (decision.gives and not told_apart)
        if two_people and not dry_run:
            does = Effect(later=(*([] if decision.two_people else [_NOT_TOLD_APART]), *decision.later(at)))
            proposal = propose(at, decision, visitor)
            audit.record(at.connection, at.owner, visitor, f"propose {decision.kind}", decision.about(at))
            return Decided(None, proposal, does)
        about = decision.about(at)
        number, does = _make(at, environment, decision, visitor, visitor.id, _SECOND if two_people else None)
        if dry_run:
            at.connection.rollback()
    if dry_run:
        _keep_try(kommune, environment, decision, visitor, about)
        return Decided(None, None, does)
    republish(kommune, environment, patience=_PATIENCE)
    decision.afterwards(kommune, environment)
    return Decided(number, None, does)


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

    Both people's rights and the rules are tried again, since the world may have changed. Raises NotAllowed; with the
    same sentence for a proposal that is unknown, answered, or about somebody that the visitor may not know of.
    """
    with (
        refusals(kommune, environment.connect, visitor, f"{said} proposal") as tried,
        moment(kommune, environment) as at,
    ):
        with suppress(NotAllowed):
            tried |= set(open_proposal(at, proposal)[1].about(at))
        kommune.case_worker(visitor.id, "decide")
        proposed, decision = open_proposal(at, proposal)
        _may_decide(at, decision, visitor.id, _NOT_WAITING.format(proposal))
        if said == "taken_back" and proposed != visitor.id:
            raise NotAllowed("Bare den som har foreslått, kan trekke et forslag: du kan avslå det.")
        if said == "confirmed":
            if proposed == visitor.id:
                raise NotAllowed("Ingen bekrefter sitt eget forslag: det må en annen gjøre.")
            _may_still_decide(at, decision, proposed)
            if "graded" in kommune.case_worker(visitor.id, "decide").may:
                decision.demand_unseen(at)
            elif decision.takes_graded():
                raise NotAllowed(_TAKES_GRADED)
            decision.demand(at)
        keep_answer(at, proposal, said, visitor)
        about = decision.about(at)
        if said == "confirmed":
            number, does = _make(at, environment, decision, visitor, proposed, visitor.id)
        else:
            number, does = None, Effect()
            audit.record(at.connection, at.owner, visitor, f"{said} {decision.kind}", decision.about(at))
        if dry_run:
            at.connection.rollback()
    if dry_run:
        _keep_try(kommune, environment, decision, visitor, about)
        return Decided(None, proposal, does)
    if said == "confirmed":
        republish(kommune, environment, patience=_PATIENCE)
        decision.afterwards(kommune, environment)
    return Decided(number, proposal, does)


@dataclass(frozen=True)
class Waiting:
    """A proposal that waits for a second person. ``about`` are the names of the people that it is about."""

    proposal: int
    title: str
    about: tuple[str, ...]
    proposed_by: str
    proposed_at: datetime
    details: str


def waiting(kommune: Kommune, environment: Environment, visitor: Visitor, *, graded: bool) -> list[Waiting]:
    """Return the proposals that wait for a second person, and keep in the audit that they were seen.

    Without ``graded`` a proposal about a protected person is neither shown nor counted. Raises NotAllowed without the
    right to see people, or protected people.
    """
    with seeing(kommune, environment, visitor, "list proposals", graded=graded) as at:
        rows = at.connection.execute(
            text(
                "select proposal, kind, said, proposed_by_name, proposed_at from control.proposal "
                "where owner = :owner and answer is null order by proposed_at, proposal"
            ),
            {"owner": at.owner},
        ).all()
        proposed = [(row, decision) for row in rows if (decision := _readable(row.kind, row.said))]
        # As the refusals have it (must_see): a substitute's number must not tell whether its person is protected.
        about = {
            row.proposal: set(decision.about(at) if graded else decision.must_see(at)) for row, decision in proposed
        }
        everybody = set().union(*about.values())
        unseen = set() if graded else people.hidden(at.now, everybody)
        names = people.names(at.now, sorted(everybody), graded=graded)
        seen = [
            (row, decision)
            for row, decision in proposed
            if graded or not (decision.graded or about[row.proposal] & unseen)
        ]
        shown_people = set().union(*(about[row.proposal] for row, _ in seen))
        audit.record(at.connection, at.owner, visitor, "list proposals", shown_people)
        return [
            Waiting(
                row.proposal,
                decision.title,
                tuple(sorted(names.get(one, UNNAMED) for one in about[row.proposal])),
                row.proposed_by_name,
                row.proposed_at,
                decision.details(names),
            )
            for row, decision in seen
        ]


UNNAMED = "(ikke lenger i kommunen)"
"""Stands for the name of a person that the released run no longer has."""

_NOT_WAITING = "Det er ikke noe forslag {} som venter på svar: «dataflyt decide list» viser dem som gjør det."


_TAKES_GRADED = (
    "En som har retten «graded» i kommunefilen, må bekrefte dette, fordi det er skrevet et fødselsnummer: bare hen kan "
    "se alt som kan være til hinder."
)
_NOT_TOLD_APART = (
    "En annen må bekrefte dette, fordi Dataflyt ikke vet om det gjelder deg selv: ansattnummeret ditt (employee_id "
    "under people i kommunefilen) mangler, eller finnes ikke i lønnssystemets fil."
)


def _may_decide(at: Moment, decision: Decision, user_id: str, missing: str) -> bool:
    """Raise NotAllowed unless this person may decide, may know of the people, and is none of them, nor their guardian.

    Returns whether the person is known by an employee's id, so that "none of them" is certain. ``missing`` is said to a
    person without ``graded`` when the decision tells of protection.
    """
    who = at.kommune.case_worker(user_id, "decide")
    about = set(decision.about(at))
    unseen = set() if "graded" in who.may else people.hidden(at.now, about)
    if "graded" not in who.may and (decision.graded or people.hidden(at.now, decision.must_see(at))):
        raise NotAllowed(missing)
    own = at.connection.execute(text(_OWN), {"id": who.employee_id}).all() if who.employee_id else ()
    # A refusal for a hidden child would tell the parent that the child is here.
    if any(person in about and not (is_child and person in unseen) for person, is_child in own):
        raise NotAllowed("Ingen bestemmer om seg selv eller om barn de er foresatt til: det må en annen gjøre.")
    return bool(own)


# The person behind an employee's id, under every id of the person, and the children that the person is guardian to.
_OWN = """
with self as (
    select l.person_id from now_person_link l where l.scheme = 'hr' and l.value = :id
    union
    select k.other_id from now_person_link l join now_kin k on k.person_id = l.person_id
    where l.scheme = 'hr' and l.value = :id
)
select person_id, false as is_child from self
union
select a.child_id, true from now_guardian_access a join self s on s.person_id::text = a.adult
"""


def _may_still_decide(at: Moment, decision: Decision, proposed_by: str) -> None:
    """Raise NotAllowed when the person who proposed may no longer decide about these people."""
    try:
        _may_decide(at, decision, proposed_by, "")
    except NotAllowed:
        raise NotAllowed(
            "Den som foreslo det, kan ikke lenger bestemme dette: avslå forslaget, og la en annen foreslå det på nytt."
        ) from None


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


def open_proposal(at: Moment, proposal: int) -> tuple[str, Decision]:
    """Return who proposed, and the decision, of a proposal that nobody has answered. Raises NotAllowed."""
    row = at.connection.execute(
        text(
            "select kind, said, proposed_by from control.proposal "
            "where owner = :owner and proposal = :number and answer is null"
        ),
        {"owner": at.owner, "number": proposal},
    ).one_or_none()
    if row is None:
        raise NotAllowed(_NOT_WAITING.format(proposal))
    return row.proposed_by, _read(row.kind, row.said)


def _read(kind: str, said: str) -> Decision:
    """Return a decision from its JSON. Raises NotAllowed for one that an older version of Dataflyt has written."""
    decision = _readable(kind, said)
    if decision is None:
        raise NotAllowed("Forslaget er fra en eldre utgave av Dataflyt: foreslå det på nytt.")
    return decision


def _readable(kind: str, said: str) -> Decision | None:
    try:
        return KINDS[kind].model_validate(orjson.loads(said), strict=False)
    except (KeyError, ValidationError):  # the error would quote what somebody has written
        return None


def _keep_try(
    kommune: Kommune, environment: Environment, decision: Decision, visitor: Visitor, about: Iterable[UUID]
) -> None:
    """Keep in the audit that a dry run was made: it shows what would become of people, and its own rows are gone."""
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        audit.record(connection, kommune.id, visitor, f"try {decision.kind}", about)


def _make(
    at: Moment, environment: Environment, decision: Decision, visitor: Visitor, decided_by: str, approved_by: str | None
) -> tuple[int, Effect]:
    """Write a decision and its audit, and measure what it changes at once."""
    later = tuple(decision.later(at))
    if decision.counted:
        effect.remember(at.now)
    number = decision.write(at, decided_by, approved_by)
    audit.record(at.connection, at.owner, visitor, decision.kind, decision.about(at), f"nr. {number}")
    if not decision.counted:
        return number, Effect(later=later)
    learn_overrides(at.connection, at.kommune, environment)
    losing, hidden = effect.lost(views_now(at.connection, at.kommune, at.released, environment))
    if losing and "graded" not in at.kommune.case_worker(visitor.id, "decide").may:
        hidden = 0  # an adult who stays in the exports has another child, and that child may be hidden
    return number, Effect(losing, hidden, bool(losing or hidden), later)
