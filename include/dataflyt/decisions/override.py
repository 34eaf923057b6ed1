"""A value set beside the register's: name, gender, displayed name, an employee's school, the policy of a user name.

Raised protection is a kind of its own: one person sets it and it holds at once. Every other override takes two people
and holds from the next run. The register's value stays beside it (``golden.overridden``). Ending takes two people.
"""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, Field
from sqlalchemy import text

from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.identity.names import clean

FIELDS = {
    "fornavn": "fornavn",
    "mellomnavn": "mellomnavn",
    "etternavn": "etternavn",
    "kjoenn": "kjønn",
    "display_name": "visningsnavn i FEIDE",
    "school_unit": "skolen til en ansatt",
    "user_name": "om brukernavnet beholdes eller fornyes",
    "adressebeskyttelse": "adressebeskyttelse",
}
"""The fields that can be overridden, in an operator's words."""

# Cleaned: what one person types is shown in another's terminal.
Words = Annotated[str, BeforeValidator(clean), Field(min_length=1, max_length=2000)]
CaseNumber = Annotated[str, BeforeValidator(clean), Field(min_length=1, max_length=100)]
_CHOICES = {"kjoenn": ("kvinne", "mann"), "user_name": ("keep", "renew")}


class Override(Decision):
    """An override that gives: two people, from the next run. A person has at most one of each field in force."""

    kind: ClassVar[str] = "override"
    two_people: ClassVar[bool] = True

    person: UUID
    field: Literal["fornavn", "mellomnavn", "etternavn", "kjoenn", "display_name", "school_unit", "user_name"]
    value: Annotated[str, AfterValidator(clean), Field(max_length=200)]
    reason: Words
    case_number: CaseNumber
    review_on: date | None = None

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the person."""
        return (self.person,)

    def details(self, names: Mapping[UUID, str]) -> str:
        """Return the field, the value and the case."""
        return f"{FIELDS[self.field]} = {self.value or '(tomt)'}, sak {self.case_number}"

    def demand(self, moment: Moment) -> None:
        """Demand a known person, a value that the field can have, and no other override of the field in force."""
        _must_be_known(moment, self.person)
        if self.field in _CHOICES and self.value not in _CHOICES[self.field]:
            raise NotAllowed(f"Verdien må være {' eller '.join(_CHOICES[self.field])}.")
        if not self.value and self.field != "mellomnavn":
            raise NotAllowed("Verdien mangler: bare mellomnavn kan være tomt.")
        bound = {"owner": moment.owner, "person": self.person, "field": self.field, "value": self.value}
        if self.field == "school_unit":
            if not moment.connection.scalar(text(_SCHOOL), bound):
                raise NotAllowed("Verdien må være organisasjonsnummeret til en av kommunens skoler.")
            if not moment.connection.scalar(text(_EMPLOYED), bound):
                raise NotAllowed("Bare en ansatt i HR-systemet kan få en annen skole.")
        if number := moment.connection.scalar(text(_SAME_FIELD), bound):
            raise NotAllowed(f"Overstyring {number} av samme felt gjelder fra før: avslutt den først.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the override."""
        said = (self.person, self.field, self.value, self.reason, self.case_number, self.review_on)
        return _written(moment, said, decided_by, approved_by)

    def later(self, moment: Moment) -> list[str]:
        """Tell when it holds."""
        return ["Overstyringen gjelder fra neste kjøring som frigis. Registerets verdi står ved siden av."]


class RaiseProtection(Decision):
    """Protection above the register's: one person, at once. It never lowers anything, and never ends by itself."""

    kind: ClassVar[str] = "raise_protection"
    two_people: ClassVar[bool] = False

    person: UUID
    value: Literal["fortrolig", "strengtFortrolig"]
    reason: Words
    case_number: CaseNumber
    review_on: date

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the person."""
        return (self.person,)

    def demand(self, moment: Moment) -> None:
        """Demand a known person. The same again is allowed: a refusal would tell that somebody is protected."""
        _must_be_known(moment, self.person)

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the override."""
        said = (self.person, "adressebeskyttelse", self.value, self.reason, self.case_number, self.review_on)
        return _written(moment, said, decided_by, approved_by)

    def later(self, moment: Moment) -> list[str]:
        """Tell what people must do."""
        return ["Beskyttelsen står til to personer avslutter den. Si fra til dem som alt har fått opplysningene."]


class EndOverride(Decision):
    """The end of an override, by two people. What it protected stays until a released run lifts it by name."""

    kind: ClassVar[str] = "end_override"
    two_people: ClassVar[bool] = True

    override: int

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the person of the override."""
        row = moment.connection.execute(text(_ONE), {"owner": moment.owner, "number": self.override}).one_or_none()
        return (row.person_id,) if row else ()

    def missing(self) -> str:
        """Return the sentence of an override that is not there."""
        return f"Overstyring {self.override} finnes ikke, eller er avsluttet."

    def demand(self, moment: Moment) -> None:
        """Demand that the override is in force."""
        row = moment.connection.execute(text(_ONE), {"owner": moment.owner, "number": self.override}).one_or_none()
        if row is None or row.ended_at is not None:
            raise NotAllowed(self.missing())

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """End the override."""
        moment.connection.execute(
            text(
                "update control.override set ended_at = clock_timestamp(), ended_by = :one, ended_by_second = :other "
                "where owner = :owner and override = :number"
            ),
            {"owner": moment.owner, "number": self.override, "one": decided_by, "other": approved_by},
        )
        return self.override

    def later(self, moment: Moment) -> list[str]:
        """Tell when the register's value counts again."""
        return [
            "Registerets verdi gjelder igjen fra neste kjøring som frigis. Beskyttelse står til en kjøring som "
            "godkjennes, senker den."
        ]


def _must_be_known(moment: Moment, person: UUID) -> None:
    found = moment.connection.scalar(
        text("select exists (select from now_person where person_id = :person)"), {"person": person}
    )
    if not found:
        raise NotAllowed("Fant ingen i kommunen som passer.")


def _written(moment: Moment, said: tuple[object, ...], decided_by: str, approved_by: str | None) -> int:
    columns = (
        "person_id uuid, field text, value text, reason text, case_number text, review_on date, "
        "decided_by text, approved_by text, from_run bigint"
    )
    return moment.insert("override", columns, [(*said, decided_by, approved_by, moment.next_run)])[0]


_ONE = "select person_id, ended_at from control.override where owner = :owner and override = :number"
_SCHOOL = "select exists (select from now_unit where unit_id = :value and kind = 'school')"
_EMPLOYED = "select exists (select from now_person_link where person_id = :person and scheme = 'hr')"
_SAME_FIELD = (
    "select override from control.override "
    "where owner = :owner and person_id = :person and field = :field and ended_at is null"
)
