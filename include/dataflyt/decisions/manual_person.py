"""People registered by hand: a substitute, a student teacher, a tester, or an alias for a protected person.

They have an account from the next run, are in the exports as what they are, and are gone after their last day, at most
three months on (docs.identum.no: manual users of eFeide). Two people register; one ends it, at once. A registration
takes no protection away: somebody who is protected by number is hidden here too. An alias has no last day, because it
protects: its review date puts it on the work list.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import text

from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.decisions.override import CaseNumber, Words
from dataflyt.identity import numbers
from dataflyt.identity.names import ascii_fold, clean
from dataflyt.storage.database import copied
from dataflyt.warehouse.people import hidden

KINDS = {
    "substitute": "vikar",
    "student_teacher": "praksisstudent",
    "tester": "testbruker",
    "alias": "alias for en beskyttet person",
}
"""The kinds, in an operator's words."""

MOST = timedelta(days=89)
"""The longest time that a registration lasts: no more than three months, whatever the months are."""
MOST_AT_ONCE = 1000

Name = Annotated[str, BeforeValidator(clean), Field(min_length=1, max_length=200)]
Kind = Literal["substitute", "student_teacher", "tester", "alias"]
Role = Literal["pupil", "employee"]


class Registered(BaseModel):
    """One person as written: ``line`` is the line of a file, for the complaints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fornavn: Name
    etternavn: Name
    role: Role
    unit_id: str = Field(pattern=r"^[0-9]{9}$")
    number: str | None = Field(default=None, max_length=100)
    group_id: str | None = Field(default=None, min_length=1, max_length=200)
    line: int | None = None


class ManualPeople(Decision):
    """People of one kind, registered together: all of them or none."""

    kind: ClassVar[str] = "manual_person"
    two_people: ClassVar[bool] = True

    kind_of_person: Kind
    people: tuple[Registered, ...] = Field(min_length=1, max_length=MOST_AT_ONCE)
    sponsor: Words
    reason: Words
    case_number: CaseNumber | None = None
    until: date | None = None
    review_on: date | None = None
    stands_for: UUID | None = None

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return those of the people that the kommune knows by number, and the person that an alias stands for."""
        found = moment.connection.execute(
            text("select distinct person_id from now_person_link where scheme = 'number' and value = any(:numbers)"),
            {"numbers": [one.number for one in self.people if one.number]},
        ).scalars()
        return [*found, *([self.stands_for] if self.stands_for else [])]

    def details(self, names: Mapping[UUID, str]) -> str:
        """Return the names, schools and last day."""
        people = ", ".join(f"{one.fornavn} {one.etternavn} ({one.unit_id})" for one in self.people)
        return f"{people}, til og med {self.until:%d.%m.%Y}" if self.until else people

    def must_see(self, moment: Moment) -> Iterable[UUID]:
        """Return the person that an alias stands for. A refusal by number would tell who is protected."""
        return (self.stands_for,) if self.stands_for else ()

    def demand(self, moment: Moment) -> None:
        """Demand a last day, and for every person a school, a class and a number that can be used."""
        found = [*self._whole(moment), *complaints(moment, self.kind_of_person, self.people)]
        if found:
            raise NotAllowed("\n".join(found))

    def demand_unseen(self, moment: Moment) -> None:
        """Demand that nobody is blocked from a protected child."""
        if found := _blocked(moment, self.people, graded=True):
            raise NotAllowed("\n".join(found))

    def takes_graded(self) -> bool:
        """Tell whether anybody has a number: only numbers are known to be blocked."""
        return any(_numbers(one)[0] for one in self.people)

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write a row for each; return the number of the first."""
        # The day has ended these already: the database holds at most one of a number in force.
        given = [(number,) for one in self.people if (number := _numbers(one)[0])]
        copied(moment.connection, "registering", "number text", given)
        moment.connection.execute(
            text(
                "update control.manual_person set ended_at = clock_timestamp(), ended_by = 'until' "
                "where owner = :owner and ended_at is null and until < :day "
                "and number in (select number from registering)"
            ),
            {"owner": moment.owner, "day": moment.day},
        )
        columns = (
            "kind text, role text, fornavn text, etternavn text, number text, local_number text, unit_id text, "
            "group_id text, stands_for uuid, sponsor text, reason text, case_number text, decided_by text, "
            "approved_by text, decided_on date, from_run bigint, until date, review_on date"
        )
        rows = [
            (
                *(self.kind_of_person, one.role, one.fornavn, one.etternavn, *_numbers(one)),
                *(one.unit_id, one.group_id, self.stands_for, self.sponsor, self.reason, self.case_number),
                *(decided_by, approved_by, moment.day, moment.next_run, self.until, self.review_on),
            )
            for one in self.people
        ]
        return moment.insert("manual_person", columns, rows)[0]

    def later(self, moment: Moment) -> list[str]:
        """Tell when they appear and disappear."""
        count = len(self.people)
        who = "Personen" if count == 1 else f"{count} personer"
        found = [f"{who} får konto og kommer med i eksportene ved neste kjøring som frigis."]
        if self.until:
            found.append(f"Siste dag er {self.until:%d.%m.%Y}.")
        return found

    def _whole(self, moment: Moment) -> Iterator[str]:
        if self.kind_of_person == "alias":
            if self.stands_for is None or len(self.people) > 1:
                yield "Et alias står for én beskyttet person: skriv hvem."
            if self.until or not self.review_on or not self.case_number:
                yield (
                    "Et alias slutter ikke av seg selv: skriv saksnummer og dagen det skal vurderes på nytt, og ingen "
                    "sluttdato."
                )
            if self.stands_for:
                yield from self._alias(moment, self.stands_for)
            return
        if self.stands_for:
            yield "Bare et alias står for en annen."
        if self.until is None or not moment.day <= self.until <= moment.day + MOST:
            yield f"Sluttdatoen må være fra i dag til {moment.day + MOST:%d.%m.%Y}: lenger enn tre måneder går ikke."

    def _alias(self, moment: Moment, person: UUID) -> Iterator[str]:
        row = moment.connection.execute(text(_HIDDEN), {"person": person}).one_or_none()
        if row is None or not row.hidden:
            yield "Et alias er bare for en som har strengt fortrolig adresse, eller holdes tilbake."
            return
        own = {part for name in row if isinstance(name, str) for part in ascii_fold(name).lower().split()}
        told = {part for one in self.people for part in ascii_fold(f"{one.fornavn} {one.etternavn}").lower().split()}
        if own & told:
            yield "Aliaset kan ikke ha noen av personens egne navn."


class EndManualPerson(Decision):
    """The end of a registration by hand, at once: it takes an account away."""

    kind: ClassVar[str] = "end_manual_person"
    two_people: ClassVar[bool] = False

    manual_person: int

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the person, and the one that an alias stands for."""
        return moment.connection.execute(text(_PEOPLE_OF), self._bound(moment)).scalars().all()

    def must_see(self, moment: Moment) -> Iterable[UUID]:
        """Return the person that an alias stands for."""
        return moment.connection.execute(text(_STANDS_FOR), self._bound(moment)).scalars().all()

    def missing(self) -> str:
        """Return the sentence of a registration that is not there."""
        return f"Registrering {self.manual_person} finnes ikke, eller er avsluttet."

    def demand(self, moment: Moment) -> None:
        """Demand that the registration is in force."""
        if not moment.connection.scalar(text(_IN_FORCE), self._bound(moment)):
            raise NotAllowed(self.missing())

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """End the registration."""
        moment.connection.execute(
            text(
                "update control.manual_person set ended_at = clock_timestamp(), ended_by = :by "
                "where owner = :owner and manual_person = :number"
            ),
            {**self._bound(moment), "by": decided_by},
        )
        return self.manual_person

    def _bound(self, moment: Moment) -> dict[str, object]:
        return {"owner": moment.owner, "number": self.manual_person}


def complaints(moment: Moment, kind: Kind, people: Iterable[Registered]) -> list[str]:
    """Return a Norwegian sentence for each fault of a person, with the line. No sentence names anyone."""
    people = list(people)
    schools = set(moment.connection.execute(text("select unit_id from now_unit where kind = 'school'")).scalars())
    groups = {tuple(row) for row in moment.connection.execute(text("select unit_id, group_id from now_school_group"))}
    taken = set(
        moment.connection.execute(
            text(
                "select number from control.manual_person where owner = :owner and number is not null "
                "and ended_at is null and coalesce(until, 'infinity') >= :day"
            ),
            {"owner": moment.owner, "day": moment.day},
        ).scalars()
    )
    twice = Counter(number for one in people if (number := _numbers(one)[0] or _numbers(one)[1]))
    found = []
    for one in people:
        found += [_said(one, sentence) for sentence in _wrong(one, kind, schools, groups, taken, twice)]
    return found + _blocked(moment, people, graded=False)


def _blocked(moment: Moment, people: Iterable[Registered], *, graded: bool) -> list[str]:
    """Return a sentence for each person who is blocked from a child; without ``graded`` by the blocks that are listed.

    A block between people of whom one is protected is listed for nobody else (``access_lists``).
    """
    people = list(people)
    asked = {"numbers": [number for one in people if (number := _numbers(one)[0])]}
    found = moment.connection.execute(text(_BLOCKED), asked).all()
    about = {one for row in found for one in (row.child_id, row.person_id)}
    unseen = set() if graded else hidden(moment.now, about)
    blocked = {row.number for row in found if not {row.child_id, row.person_id} & unseen}
    sentence = "personen kan ikke registreres for hånd før systemansvarlig har sett på det."
    return [_said(one, sentence) for one in people if _numbers(one)[0] in blocked]


def _said(one: Registered, sentence: str) -> str:
    return f"Linje {one.line}: {sentence}" if one.line else sentence[0].upper() + sentence[1:]


def _wrong(
    one: Registered,
    kind: Kind,
    schools: set[str],
    groups: set[tuple[Any, ...]],
    taken: set[str],
    twice: Counter[str],
) -> Iterator[str]:
    if one.unit_id not in schools:
        yield "organisasjonsnummeret er ikke en av kommunens skoler."
    elif one.group_id and (one.unit_id, one.group_id) not in groups:
        yield "klassen finnes ikke ved skolen: skriv gruppens id, eller la feltet være tomt."
    if one.role == "pupil" and kind not in ("tester", "alias"):
        yield "en vikar eller praksisstudent er ansatt, ikke elev: elever kommer fra skolesystemet."
    number, local = _numbers(one)
    written = numbers.read(one.number)
    if number and kind in ("tester", "alias"):
        yield "en testbruker eller et alias skal ikke ha et ekte fødselsnummer."
    elif kind in ("substitute", "student_teacher") and written and not number:
        yield "fødselsnummeret er ikke riktig skrevet: se på sifrene."
    if (number or local) and twice[number or local or ""] > 1:
        yield "nummeret står flere ganger."
    if number in taken:
        yield "nummeret er registrert for hånd fra før: avslutt den registreringen først."


def _numbers(one: Registered) -> tuple[str | None, str | None]:
    """Return the identity number, or else the number that the kommune has made up itself."""
    written = numbers.read(one.number)
    if written is None:
        return None, None
    return (written.value, None) if written.kind == "number" else (None, written.value)


_HIDDEN = """
select x.level >= 3 or x.held_back as hidden, p.fornavn, p.mellomnavn, p.etternavn
from now_protection x
left join now_person p on p.person_id = x.person_id
where x.person_id = :person
"""
# Blocked from any child of the kommune: a refusal for one school would tell where the child goes.
_BLOCKED = """
select l.value as number, l.person_id, b.child_id
from now_person_link l
join now_block b on b.adult = l.person_id::text
where l.scheme = 'number' and l.value = any(:numbers)
"""
_IN_FORCE = """
select exists (
    select from control.manual_person where owner = :owner and manual_person = :number and ended_at is null
)
"""
_STANDS_FOR = """
select stands_for from control.manual_person
where owner = :owner and manual_person = :number and stands_for is not null
"""
_PEOPLE_OF = f"""
{_STANDS_FOR}
union
select l.person_id from now_person_link l where l.scheme = 'manual' and l.value = cast(cast(:number as bigint) as text)
"""
