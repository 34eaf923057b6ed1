"""Access on another basis than foreldreansvar: given by two people from the next run, ended by one at once."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from dataflyt.decisions.adults import Adult, kind_of, persons
from dataflyt.decisions.consent import Given, age_of, demand_consents
from dataflyt.decisions.decision import Decision, Moment, NotAllowed

BASES = {
    "consent": "samtykke",
    "court_judgment": "dom eller kjennelse",
    "barnevern_decision": "vedtak fra barnevernet",
    "verge": "verge",
    "representative": "representant",
}

Words = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class Grant(Decision):
    """A grant (DESIGN, "Who gets access to a child"). Documents stay in the archive: ``case_number`` points there.

    ``scope`` says what the adult has a right to, ``seen_by`` who has seen the document, ``until`` the last day.
    ``consents`` are for the basis ``consent``, and for every basis when the pupil is 18.
    """

    kind: ClassVar[str] = "grant"
    two_people: ClassVar[bool] = True

    child: UUID
    adult: Adult
    basis: Literal["consent", "court_judgment", "barnevern_decision", "verge", "representative"]
    scope: Words
    case_number: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
    seen_by: Words
    until: date | None = None
    consents: tuple[Given, ...] = ()

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the child, the adult, and those who have consented."""
        return {self.child} | persons([self.adult, *(one.by for one in self.consents)])

    def details(self, names: Mapping[UUID, str]) -> str:
        """Return who gets access to whom, the basis and the case."""
        adult = next((name for one, name in names.items() if str(one) == self.adult), self.adult)
        child = names.get(self.child, "barnet")
        return f"{adult} får tilgang til {child}, {BASES[self.basis]}, {self.scope}, sak {self.case_number}"

    def demand(self, moment: Moment) -> None:
        """Demand a pupil, an adult who may get access, a day to come, and the consents that the basis rests on."""
        if str(self.child) == self.adult:
            raise NotAllowed("Barnet og den voksne er samme person.")
        if self.until is not None and self.until < moment.day:
            raise NotAllowed("Siste dag er passert: skriv en dag som kommer, eller ta den bort.")
        values = {
            **{"child": self.child, "adult": self.adult, "basis": self.basis},
            **{"owner": moment.owner, "day": moment.day, "released": moment.released},
        }
        for sentence, condition in _REFUSED.items():
            if moment.connection.scalar(text(f"select {condition}"), values):
                raise NotAllowed(sentence)
        if kind_of(self.adult) == "person" and moment.connection.scalar(text(_GONE), {"adult": self.adult}):
            raise NotAllowed(
                "Den voksne er død, eller er ikke kjent i kommunen: skolen må først ha lagt vedkommende inn."
            )
        self._demand_basis(moment)

    def _demand_basis(self, moment: Moment) -> None:
        if self.basis == "consent":
            if not moment.kommune.consent:
                raise NotAllowed(
                    f"{moment.kommune.display_name} gir ikke tilgang med samtykke: det må i så fall slås på i "
                    "kommunefilen, med consent: true."
                )
            if moment.connection.scalar(text(_PROTECTED), {"child": self.child}):
                raise NotAllowed("Barnet er beskyttet: da gis tilgang aldri med samtykke.")
        elif age_of(moment, self.child) != "of_age":
            if self.consents:
                raise NotAllowed("Samtykker hører bare til grunnlaget consent, og til elever som er 18 år.")
            return
        demand_consents(moment, self.child, self.consents)

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the grant, which holds from the next run, and its consents."""
        columns = (
            "child_id uuid, adult text, adult_kind text, basis text, scope text, case_number text, seen_by text, "
            "decided_by text, approved_by text, until date, from_run bigint"
        )
        said = (self.child, self.adult, kind_of(self.adult), self.basis, self.scope, self.case_number, self.seen_by)
        row = (*said, decided_by, approved_by, self.until, moment.next_run)
        (number,) = moment.insert("access_grant", columns, [row])
        given = [(number, one.by, one.how, one.at) for one in self.consents]
        moment.insert("consent", "access_grant bigint, given_by text, how text, given_at timestamptz", given)
        return number

    def later(self, moment: Moment) -> list[str]:
        """Tell when access begins and ends."""
        ends = f" Siste dag er {self.until:%d.%m.%Y}." if self.until else ""
        return [f"Tilgangen begynner ved neste kjøring som frigis.{ends}"]


_SUCH = """exists (
    select from control.access_grant g
    where g.owner = :owner and g.child_id = :child and g.adult = :adult and g.basis = :basis
        and g.withdrawn_at is null and coalesce(g.until, 'infinity') >= :day
        and (g.from_run > :released or g.access_grant in (select access_grant from now_access_by_grant))
        and not exists (
            select from control.consent c
            where c.owner = :owner and c.access_grant = g.access_grant and c.withdrawn_at is not null
        )
)"""
_REFUSED = {
    "Barnet er ikke elev ved noen av kommunens skoler: da er det ingenting å gi tilgang til.": (
        "not exists (select from now_enrolment e join now_person p on p.person_id = e.person_id "
        "where e.person_id = :child and not p.dead)"
    ),
    "Den voksne er sperret fra barnet: sperringen må heves først.": (
        "exists (select from now_block where child_id = :child and adult = :adult)"
    ),
    "Den voksne har en slik tilgang fra før: avslutt den først, eller la den stå.": _SUCH,
}
"""Conditions under which a grant is refused, by the sentence for it."""

# The school's own guardians are known by their numbers alone, until a grant makes them people of the golden record.
_GONE = """
select not exists (select from now_person_link where person_id::text = :adult)
    or exists (select from now_person where person_id::text = :adult and dead)
"""
_PROTECTED = "select exists (select from now_protection where person_id = :child and level >= 2)"


class EndGrant(Decision):
    """The end of a grant, at once, by one person."""

    kind: ClassVar[str] = "end_grant"
    two_people: ClassVar[bool] = False

    grant: int

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the child and the adult of the grant."""
        row = moment.connection.execute(
            text("select child_id, adult from control.access_grant where owner = :owner and access_grant = :grant"),
            {"owner": moment.owner, "grant": self.grant},
        ).one_or_none()
        return {row.child_id} | persons([row.adult]) if row else ()

    def missing(self) -> str:
        """Return the sentence for a grant that does not exist."""
        return f"Tilgang {self.grant} finnes ikke, eller er trukket."

    def demand(self, moment: Moment) -> None:
        """Demand that the grant has not been ended."""
        if not moment.connection.scalar(
            text(
                "select exists (select from control.access_grant where owner = :owner and access_grant = :grant "
                "and withdrawn_at is null)"
            ),
            {"owner": moment.owner, "grant": self.grant},
        ):
            raise NotAllowed(self.missing())

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """End the grant."""
        moment.connection.execute(
            text(
                "update control.access_grant set withdrawn_at = clock_timestamp(), withdrawn_by = :by "
                "where owner = :owner and access_grant = :grant"
            ),
            {"owner": moment.owner, "grant": self.grant, "by": decided_by},
        )
        return self.grant
