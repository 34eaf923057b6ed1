"""The forms of decisions: a form's fields, from the model of its kind, and a decision from what somebody has typed.

People are typed as the commands take them, and looked up as the commands do: the look is kept in the audit, and a
hidden person is not found.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, Union, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, ValidationError

from dataflyt.config.kommune import Kommune
from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.consent import Given, WithdrawConsent
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.grant import EndGrant, Grant
from dataflyt.decisions.hold_back import EndHoldBack, HoldBack
from dataflyt.decisions.link import Link, Unlink, former
from dataflyt.decisions.manual_person import EndManualPerson, ManualPeople, Registered
from dataflyt.decisions.override import EndOverride, Override, RaiseProtection
from dataflyt.decisions.publishable import EndPublishable, Publishable
from dataflyt.decisions.quarantine import RejectRow, ReleaseRow
from dataflyt.decisions.suspension import KeepSuspension, LiftSuspension
from dataflyt.errors import ConfigError
from dataflyt.formats.dates import OSLO
from dataflyt.identity import numbers
from dataflyt.run.environment import Environment
from dataflyt.warehouse.audit import Visitor

BEGIN: dict[str, tuple[type[Decision], ...]] = {
    "access": (Grant, Block),
    "protection": (HoldBack, RaiseProtection, Publishable),
    "people": (Override, ManualPeople, Link, Unlink),
}
"""The kinds that somebody begins with an empty form, by what they are about."""

_FOLLOW: tuple[type[Decision], ...] = (
    *(EndGrant, WithdrawConsent, LiftBlock, KeepSuspension, LiftSuspension, EndHoldBack, EndPublishable),
    *(EndOverride, EndManualPerson, ReleaseRow, RejectRow),
)
"""The kinds that are about something in a list, which begins their form."""

KINDS: dict[str, type[Decision]] = {kind.kind: kind for kinds in (*BEGIN.values(), _FOLLOW) for kind in kinds}
"""Every kind that the pages have a form for. Runs are undone, kommuner taken over and people erased by command."""

Input: TypeAlias = Literal["who", "adult", "people", "consents", "choice", "day", "number", "line", "text"]

_ADULTS = ("adult", "by")
_LONG = ("reason",)
_MAY_BE_EMPTY = ("value",)


class Field(NamedTuple):
    """A field of a form: its name in the model, how it is typed, and what can be chosen."""

    name: str
    input: Input
    required: bool
    choices: tuple[str, ...] = ()


class Unusable(ConfigError):
    """What somebody has typed cannot be used. ``fields`` are the names of the fields to look at."""

    def __init__(self, sentence: str, fields: tuple[str, ...]) -> None:
        super().__init__(sentence)
        self.fields = fields


@dataclass(frozen=True)
class Looker:
    """Somebody who looks people up in order to decide about them."""

    kommune: Kommune
    environment: Environment
    visitor: Visitor
    graded: bool

    def person(self, asked: str) -> UUID:
        """Return a person."""
        return deciding.look_up(self.kommune, self.environment, [asked], self.visitor, graded=self.graded)[0]

    def adult(self, asked: str) -> str:
        """Return an adult, as the warehouse writes one."""
        return deciding.look_up_adult(self.kommune, self.environment, asked, self.visitor, graded=self.graded)


def fields_of(kind: type[BaseModel]) -> tuple[Field, ...]:
    """Return the fields of a kind of decision, in the order of its model."""
    return tuple(field for name, info in kind.model_fields.items() for field in _fields(name, info))


def _fields(name: str, info: Any) -> Iterator[Field]:
    said = _plain(info.annotation)
    required = info.is_required() and name not in _MAY_BE_EMPTY
    if said == tuple[Registered, ...]:  # one at a time: more come in a file, by command
        yield from (one for one in fields_of(Registered) if one.name != "line")
    elif said == tuple[Given, ...]:
        yield Field(name, "consents", required)
    elif said == tuple[UUID, ...]:
        yield Field(name, "people", required)
    elif name == "apart":  # typed as a number, see ``former``
        yield Field(name, "line", required)
    elif said is UUID:
        yield Field(name, "who", required)
    elif get_origin(said) is Literal:
        yield Field(name, "choice", required, get_args(said))
    else:
        short: Input = "adult" if name in _ADULTS else "text" if name in _LONG else "line"
        kinds: dict[Any, Input] = {date: "day", int: "number"}
        yield Field(name, kinds.get(said, short), required)


def _plain(annotation: Any) -> Any:
    """Return a type without ``None`` beside it, and without what is annotated."""
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (one for one in get_args(annotation) if one is not NoneType)
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def people_of(kind: type[Decision], typed: Mapping[str, str]) -> list[str]:
    """Return the people that somebody has typed in a form, as they are typed: whom a refusal is about."""
    return [said for one in fields_of(kind) if one.input in ("who", "adult") and (said := typed.get(one.name, ""))]


def decision_of(kind: type[Decision], typed: Mapping[str, str], looker: Looker) -> Decision:
    """Return the decision that somebody has typed.

    Raises Unusable, NotFound for nobody and for somebody hidden, and NotAllowed without the right to see people.
    """
    fields = fields_of(kind)
    given = {one.name: said for one in fields if (said := typed.get(one.name, "").strip())}
    if missing := tuple(one.name for one in fields if one.required and one.name not in given):
        raise Unusable("Noe mangler: fyll ut feltene som er merket.", missing)
    looker.kommune.case_worker(looker.visitor.id, "graded" if looker.graded else "persons")
    values: dict[str, Any] = {one.name: _value(one, given[one.name], looker) for one in fields if one.name in given}
    for name in _MAY_BE_EMPTY:
        if any(one.name == name for one in fields):
            values.setdefault(name, "")
    if kind is Unlink:
        values["apart"] = _apart(values["person"], given["apart"], looker)
    if kind is ManualPeople:
        of_person = {name: values.pop(name) for name in Registered.model_fields if name in values}
        values["people"] = (of_person,)
    try:
        return kind(**values)
    except ValidationError as error:  # the error would quote what somebody has written
        wrong = dict.fromkeys(str(part) for one in error.errors() for part in one["loc"] if isinstance(part, str))
        raise Unusable(
            "Det som er skrevet, kan ikke brukes: se på feltene som er merket.",
            tuple(name for name in wrong if name != "people" or kind is not ManualPeople),
        ) from None


def _value(field: Field, said: str, looker: Looker) -> Any:
    if field.input == "who":
        return looker.person(said)
    if field.input == "adult":
        return looker.adult(said)
    if field.input == "people":
        return tuple(looker.person(line) for line in said.splitlines() if line.strip())
    if field.input == "consents":
        return tuple(_given(field, line, looker) for line in said.splitlines() if line.strip())
    return said


def _given(field: Field, line: str, looker: Looker) -> dict[str, Any]:
    """Return a consent: who, how and when, with semicolons between."""
    by, _, rest = line.partition(";")
    how, _, day = rest.rpartition(";")
    try:
        at = datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=OSLO)
    except ValueError:
        at = None
    if not by.strip() or not how.strip() or at is None:
        raise Unusable("Skriv hvert samtykke på en linje, slik: «ola.nordmann; skjema; 2026-11-20».", (field.name,))
    return {"by": looker.adult(by), "how": how.strip(), "at": at}


def _apart(person: UUID, said: str, looker: Looker) -> UUID:
    written = numbers.read(said)
    with deciding.moment(looker.kommune, looker.environment, lock=False) as at:
        return former(at, person, written.value if written else "")
