"""What a kommune file may say, and one clear sentence when it says something else.

In comes ``<folder>/<id>.yaml``, laid over Dataflyt's ``_defaults.yaml`` or, where there is one, the folder's own (maps
are merged, lists and values replaced); out goes a frozen ``Kommune``. Operators write these files, so every error is
one Norwegian sentence that names the file, the line, what is wrong and what to write; it never repeats a value that
looks like a secret or an identity number. What to write is the field's description below.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import os
import re
import types
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

import orjson
import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from dataflyt.config.exports import CHOICES, ExportName
from dataflyt.errors import ConfigError
from dataflyt.identity import numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEZONE = "Europe/Oslo"
DEFAULTS = "_defaults.yaml"
LONGEST_FILE = 256 * 1024
LARGEST_DEPTH = 100
LONGEST_BROKEN_ID = 100
"""Airflow takes no DAG id longer than 250 letters, and one that is stops every DAG of the same file."""

WEEKDAYS = {
    "monday": "mandag",
    "tuesday": "tirsdag",
    "wednesday": "onsdag",
    "thursday": "torsdag",
    "friday": "fredag",
    "saturday": "lørdag",
    "sunday": "søndag",
}
_CRON_DAY = {day: (number + 1) % 7 for number, day in enumerate(WEEKDAYS)}

PlanKind = Literal[
    "guardian_gains_access",
    "guardian_loses_access",
    "protection_raised",
    "protection_lowered",
    "pupil_starts",
    "pupil_leaves",
    "pupil_changes_school",
    "employee_starts",
    "employee_leaves",
    "name_changes",
    "number_changes",
    "persons_join",
    "person_splits",
    "identity_protection",
    "identity_block",
    "identity_access",
    "contact_changes",
    "group_appears",
    "group_vanishes",
    "membership_changes",
    "account_created",
    "account_disabled",
    "sas_guardian_without_basis",
    "sas_guardian_missing",
]
"""The kinds of change that a plan can hold, and that the guard can have limits for."""

Loc: TypeAlias = tuple[int | str, ...]


def _wrong(what: str) -> PydanticCustomError:
    return PydanticCustomError("dataflyt", "{what}", {"what": what})


def _orgnr(value: str) -> str:
    if not re.fullmatch(r"[0-9]{9}", value):
        raise _wrong("skal ha ni sifre")
    if numbers.orgnr(value) is None:
        raise _wrong("har et kontrollsiffer som ikke stemmer")
    return value


def _different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    keys = [value.id if isinstance(value, Approver) else value for value in values]
    if len(set(keys)) < len(keys):
        raise _wrong("har det samme to ganger")
    return values


def _file_pattern(value: str) -> str:
    if "/" in value or "\\" in value or value in {".", ".."}:
        raise _wrong("skal være et filnavn uten mappe")
    return value


Id = Annotated[
    str,
    Field(
        pattern=r"^[a-z][a-z0-9_]{1,40}$",
        description="skriv samme navn som filen, med små bokstaver a–z, sifre og understrek",
    ),
]
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Kommunenummer = Annotated[
    str, Field(pattern=r"^[0-9]{4}$", description='skriv fire sifre i anførselstegn, for eksempel "1106"')
]
Orgnr = Annotated[
    str,
    AfterValidator(_orgnr),
    Field(description='skriv organisasjonsnummeret i anførselstegn, for eksempel "944073787"'),
]
ConnectionName = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9_]+$",
        description="skriv en tilkobling med små bokstaver a–z, sifre og understrek, for eksempel freg_haugesund",
    ),
]
FilePattern = Annotated[
    str,
    AfterValidator(_file_pattern),
    Field(min_length=1, description='skriv et filmønster, for eksempel "Stamdata3_*.xml"'),
]
MailAddress = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$",
        description="skriv en e-postadresse, for eksempel drift@haugesund.kommune.no",
    ),
]
Percent = Annotated[float, Field(strict=True, ge=0, le=100, description="skriv et tall fra 0 til 100, for eksempel 5")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LegalBasis(_Part):
    """On what legal basis the kommune asks: without ``med_hjemmel`` foreldreansvar is never asked for."""

    freg: Literal["med_hjemmel", "none"] = Field(description="skriv med_hjemmel eller none")
    text: Text = Field(description="skriv hvilket rettslig grunnlag kommunen har")


class Schedule(_Part):
    """When the kommune's run is due, in Europe/Oslo."""

    every: Literal["week", "month"] = Field(description="skriv week eller month")
    day: str | Annotated[int, Field(strict=True)] = Field(
        description="skriv en ukedag på engelsk (sunday) for every: week, eller en dato fra 1 til 28 for every: month"
    )
    at: str = Field(
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description='skriv klokkeslettet i anførselstegn, for eksempel "03:00"',
    )
    done_by: str | None = Field(
        default=None,
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description='skriv klokkeslettet kjøringen skal være ferdig, i anførselstegn: "06:00", eller ta det bort',
    )

    @model_validator(mode="after")
    def _day_fits(self) -> Schedule:
        if self.every == "week" and self.day not in WEEKDAYS:
            raise _wrong("skal ha en ukedag som day når every er week, skriv day: sunday")
        if self.every == "month" and not (isinstance(self.day, int) and 1 <= self.day <= 28):
            raise _wrong("skal ha en dato fra 1 til 28 som day når every er month, skriv for eksempel day: 1")
        return self

    @property
    def cron(self) -> str:
        """The five fields of cron: ``0 3 * * 0``."""
        hour, minute = (int(part) for part in self.at.split(":"))
        if self.every == "week":
            return f"{minute} {hour} * * {_CRON_DAY[str(self.day)]}"
        return f"{minute} {hour} {self.day} * *"

    @property
    def time_allowed(self) -> timedelta | None:
        """From the time a run is due to the time it is to be done, at most a day; None when the file does not say."""
        if self.done_by is None:
            return None
        due, done = (datetime.strptime(hour, "%H:%M") for hour in (self.at, self.done_by))
        return done - due if done > due else done - due + timedelta(days=1)

    def due(self, day: date) -> bool:
        """Tell whether a run is due on this day."""
        return day.weekday() == list(WEEKDAYS).index(str(self.day)) if self.every == "week" else day.day == self.day

    @property
    def in_words(self) -> str:
        """In Norwegian: ``hver søndag kl. 03.00``."""
        at = self.at.replace(":", ".")
        if self.every == "week":
            return f"hver {WEEKDAYS[str(self.day)]} kl. {at}"
        return f"den {self.day}. i hver måned kl. {at}"


Rolle = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
_WRITE_ROLLE = "skriv rolleId fra KS Fiks (36 tegn), eller ta det bort og skriv den i tilkoblingen"


class Residents(_Part):
    """Which of its own inhabitants a kommune looks for: those who reach these ages in the calendar year."""

    from_age: Annotated[int, Field(strict=True, ge=0, le=25)] = Field(
        description="skriv alderen de yngste fyller i år, fra 0 til 25, for eksempel 6"
    )
    to_age: Annotated[int, Field(strict=True, ge=0, le=25)] = Field(
        description="skriv alderen de eldste fyller i år, fra 0 til 25, for eksempel 16"
    )

    @model_validator(mode="after")
    def _ages_fit(self) -> Residents:
        if self.from_age > self.to_age:
            raise _wrong("har en from_age som er høyere enn to_age, skriv for eksempel {from_age: 6, to_age: 16}")
        return self


class FregSource(_Part):
    """Folkeregisteret, by one of three routes.

    The connection's address is the base up to ``…/offentlig-med-hjemmel/api`` for ``skatteetaten``, Fiks' own
    (``https://api.fiks.ks.no``) for ``fiks`` and ``fiks_oppvekst``, which need a ``rolle`` here or in the connection.
    ``residents``, when it is there: children who live in the kommune and are not in the school system are looked for.
    ``employees``: those who work at a school are asked about too, so that the protected among them are known.
    """

    route: Literal["skatteetaten", "fiks", "fiks_oppvekst"] = Field(
        default="skatteetaten", description="skriv skatteetaten, fiks eller fiks_oppvekst"
    )
    rolle: Rolle | None = Field(default=None, description=_WRITE_ROLLE)
    connection: ConnectionName
    residents: Residents | None = Field(
        default=None, description="skriv residents: {from_age: 6, to_age: 16}, eller ta det bort"
    )
    employees: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="skriv true når kommunen har rett til å spørre om ansatte ved skolene, ellers false"
    )

    @property
    def format(self) -> Literal["bulk", "oppvekst"]:
        """How the route's answers are read."""
        return "oppvekst" if self.route == "fiks_oppvekst" else "bulk"

    @property
    def route_alone(self) -> Literal["skatteetaten", "fiks"]:
        """The route to people who are no pupils, always read as ``bulk``: oppvekst gives guardians too."""
        return "fiks" if self.route == "fiks_oppvekst" else self.route


class KrrSource(_Part):
    """Kontakt- og reservasjonsregisteret, by one of two routes.

    The connection's address is the base before ``/rest/v2/personer`` for ``digdir``, Fiks' own for ``fiks``, which
    needs a ``rolle`` and asks for one person at a time.
    """

    route: Literal["digdir", "fiks"] = Field(default="digdir", description="skriv digdir eller fiks")
    version: Literal[1, 2] = Field(default=2, description="skriv 1 eller 2: versjonen av Digdirs tjeneste")
    rolle: Rolle | None = Field(default=None, description=_WRITE_ROLLE)
    connection: ConnectionName

    @property
    def format(self) -> Literal["personer", "fiks"]:
        """How the route's answers are read."""
        return "fiks" if self.route == "fiks" else "personer"


EmploymentType = Literal["fast", "midlertidig", "vikar", "timelønnet", "inaktiv"]
"""What a customer's own code for a kind of employment means. ``inaktiv`` at 0 percent is no employment."""

MaxAge = Annotated[int, Field(strict=True, ge=0, le=366)]
_WRITE_MAX_AGE = (
    "skriv hvor mange døgn gammel filen kan være, for eksempel 10, eller ta det bort: da er det 8 når kommunen kjører "
    "hver uke og 33 når den kjører hver måned"
)
Newest = Literal["name", "time"]
"""What tells which delivered file is the newest: the date in its name, or the time it was delivered."""
_WRITE_NEWEST = (
    "skriv name når datoen i filnavnet (2026-11-28 eller 20261128) sier hvilken fil som er nyest, time når "
    "leveringstiden gjør det, eller ta det bort: da gjelder leveringstiden, og kjøringen stopper når navnet sier noe "
    "annet"
)
MAX_AGE_DAYS = {"week": 8, "month": 33}
"""How old a delivered file may be, by how often the kommune's run is due, where its file does not say."""


class HrSource(_Part):
    """The HR system. The connection's address is a folder; ``units`` says which school an HR unit is."""

    format: Literal["stamdata3", "visma"] = Field(description="skriv stamdata3 eller visma")
    connection: ConnectionName
    files: FilePattern
    max_age_days: MaxAge | None = Field(default=None, description=_WRITE_MAX_AGE)
    newest: Newest | None = Field(default=None, description=_WRITE_NEWEST)
    units: dict[str, Orgnr] = Field(
        default_factory=dict,
        description='skriv HR-enhetens id og skolens organisasjonsnummer, begge i anførselstegn: "100": "974553031"',
    )
    employment_types: dict[str, EmploymentType] = Field(
        default_factory=dict,
        description='skriv koden for ansettelsestypen og fast, midlertidig, vikar, timelønnet eller inaktiv: "A": fast',
    )

    protected: dict[str, list[str]] = Field(
        default_factory=dict,
        description="skriv hvor HR-systemet merker ansatte som ikke skal kunne finnes: typen av Relation i Stamdata3, "
        'eller category i Vismas fil, og verdiene som sier det: "KODE": ["6"]',
    )

    @property
    def in_words(self) -> str:
        """Say in Norwegian which employees work at a school, where ``units`` names any."""
        units = ", ".join(f"{unit} ({orgnr})" for unit, orgnr in sorted(self.units.items()))
        return (
            f"Ansatte ved skole: HR-enhet {units} og enhetene under, og de som har en skoles organisasjonsnummer som "
            "HR-enhet eller arbeidssted."
        )


class SasSource(_Part):
    """The school administration system. The connection's address is a folder; no ``timetable``, no timetable file.

    A ``timetable`` that ends in ``.ics`` is a calendar (RFC 5545), any other is CSV. ``calendars`` is a connection with
    links to calendars: its address, and those in its extra's ``links``. They are as secret as a key.
    """

    format: Literal["pifu", "oneroster"] = Field(description="skriv pifu eller oneroster")
    connection: ConnectionName
    files: FilePattern
    max_age_days: MaxAge | None = Field(default=None, description=_WRITE_MAX_AGE)
    newest: Newest | None = Field(default=None, description=_WRITE_NEWEST)
    timetable: FilePattern | None = Field(
        default=None,
        description='skriv et filmønster, for eksempel "timeplan_*.csv" eller "timeplan_*.ics", eller ta det bort',
    )
    calendars: ConnectionName | None = Field(
        default=None,
        description="skriv navnet på tilkoblingen som har lenkene til kalenderne, eller ta det bort",
    )


class Sources(_Part):
    """Where the data comes from: all four."""

    freg: FregSource = Field(description="skriv freg: {connection: freg_<id>}")
    krr: KrrSource = Field(description="skriv krr: {connection: krr_<id>}")
    hr: HrSource = Field(description="skriv hr: {connection: hr_<id>}")
    sas: SasSource = Field(description="skriv sas: {connection: sas_<id>}")


class Feide(_Part):
    """The kommune as a Feide host organisation."""

    realm: str = Field(
        max_length=253,
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        description="skriv domenet med små bokstaver, for eksempel haugesund.kommune.no",
    )
    mail: MailAddress | None = Field(
        default=None,
        description="skriv e-postadressen Feide skal vise for skoleeieren, for eksempel feide@haugesund.kommune.no",
    )


class Limit(_Part):
    """How much of one kind of change a run may bring unasked: share of what the kommune has, and number.

    What is above either is asked about; an empty one is no limit.
    """

    percent: Percent | None = Field(default=None, description="skriv et tall fra 0 til 100, for eksempel 5")
    count: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        default=None, description="skriv et helt tall, for eksempel 20"
    )


class Guard(_Part):
    """When a run has to ask (``limits``, ``august``), how long it waits, and when it has to stop (the last three).

    ``august`` holds the limits that are other in August, when the school year begins: each is laid over its own.
    """

    limits: dict[PlanKind, Limit] = Field(
        default_factory=dict,
        description="skriv en endringstype og grensene, for eksempel pupil_leaves: {percent: 5, count: 20}",
    )
    august: dict[PlanKind, Limit] = Field(
        default_factory=dict,
        description="skriv en endringstype og grensene i august, for eksempel pupil_starts: {percent: 25, count: null}",
    )
    answer_days: Annotated[int, Field(strict=True, ge=1, le=30)] = Field(
        default=5, description="skriv hvor mange døgn en godkjenner har på seg, fra 1 til 30"
    )
    max_drop_percent: Percent
    max_children_losing_access_percent: Percent
    max_unknown_grading_percent: Percent = 1

    def limits_at(self, day: date) -> dict[PlanKind, Limit]:
        """Return the limits that hold on this day."""
        return {**self.limits, **self.august} if day.month == 8 else self.limits


class Approver(_Part):
    """A person who may answer: ``id`` is the user's number in Airflow, which FAB gives, as text."""

    id: str = Field(pattern=r"^\S{1,100}$", description="skriv brukerens nummer i Airflow, i anførselstegn")
    name: Text = Field(description="skriv navnet som skal vises")


class WithoutNumber(_Part):
    """Who decided to publish pupils about whom FREG cannot be asked, and that they knew what it means."""

    by: Text = Field(description="skriv navn og stilling på den som har bestemt det")
    on: date = Field(description="skriv datoen det ble bestemt, for eksempel 2026-08-01")
    protection_unknown: Literal[True] = Field(
        description="skriv true: den som bestemte det, vet at ingen kan se om disse elevene har adressebeskyttelse"
    )


class Mail(_Part):
    """Who is told by e-mail when a run asks, stops or is late; ``connection`` is the mail server. Counts, no names."""

    to: Annotated[tuple[MailAddress, ...], AfterValidator(_different)] = Field(
        min_length=1, description="skriv en liste med e-postadresser, for eksempel [drift@haugesund.kommune.no]"
    )
    connection: ConnectionName = Field(default="smtp_default", description="skriv navnet på tilkoblingen for e-post")


class Kommune(_Part):
    """One school owner, as its file says it over the defaults."""

    id: Id
    name: str = Field(  # a tag in Airflow, which takes no longer one
        min_length=1, max_length=100, pattern=r"\S", description="skriv kommunens navn"
    )
    kommunenummer: Annotated[tuple[Kommunenummer, ...], AfterValidator(_different)] = Field(
        min_length=1, description='skriv en liste, for eksempel ["1106"]'
    )
    orgnr: Orgnr
    legal_basis: LegalBasis = Field(description='skriv legal_basis: {freg: med_hjemmel, text: "…"}')
    schedule: Schedule = Field(description='skriv schedule: {every: week, day: sunday, at: "03:00"}')
    sources: Sources = Field(description="skriv sources: med freg, krr, hr og sas under")
    warehouse: ConnectionName
    feide: Feide = Field(description="skriv feide: {realm: haugesund.kommune.no}")
    exports: Annotated[tuple[ExportName, ...], AfterValidator(_different)] = Field(min_length=1, description=CHOICES)
    trial: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="skriv true mens kommunen prøver Dataflyt uten å publisere, ellers false"
    )
    accounts: Literal["dataflyt", "bas"] = Field(
        default="dataflyt", description="skriv dataflyt eller bas: hvem som gir brukernavn"
    )
    pupils_without_number: Literal["ask", "publish"] = Field(
        default="ask",
        description="skriv ask eller publish: om elever Folkeregisteret ikke kan spørres om, holdes tilbake til noen "
        "har bestemt, eller publiseres",
    )
    pupils_without_number_decided: WithoutNumber | None = Field(
        default=None,
        description='skriv hvem som har bestemt det og når: {by: "Kari Nordmann, oppvekstsjef", on: 2026-08-01, '
        "protection_unknown: true}",
    )
    guard: Guard = Field(description="skriv guard: {max_drop_percent: 30, max_children_losing_access_percent: 5}")
    approvers: Annotated[tuple[Approver, ...], AfterValidator(_different)] = Field(
        min_length=1, description='skriv minst én som kan godkjenne: [{id: "101", name: "Anita Ingebretsen"}]'
    )
    mail: Mail | None = Field(
        default=None, description="skriv mail: {to: [drift@haugesund.kommune.no]}, eller ta det bort"
    )

    @model_validator(mode="after")
    def _somebody_has_decided(self) -> Kommune:
        if self.pupils_without_number == "publish" and self.pupils_without_number_decided is None:
            raise _wrong(
                "publiserer elever Folkeregisteret ikke kan spørres om uten at noen har bestemt det, skriv "
                'pupils_without_number_decided: {by: "Kari Nordmann, oppvekstsjef", on: 2026-08-01, '
                "protection_unknown: true}, eller pupils_without_number: ask"
            )
        return self

    @model_validator(mode="after")
    def _guardians_may_be_asked_for(self) -> Kommune:
        if self.sources.freg.route == "fiks_oppvekst" and self.legal_basis.freg != "med_hjemmel":
            raise _wrong(
                "henter foreldreansvar med fiks_oppvekst uten hjemmel, skriv freg: med_hjemmel under legal_basis, "
                "eller route: fiks under sources.freg"
            )
        return self

    @property
    def cron(self) -> str:
        """The schedule as cron's five fields, in Europe/Oslo."""
        return self.schedule.cron

    def max_age_days(self, source: HrSource | SasSource) -> int:
        """Return how many days old a source's file may be: as the file says, or a little more than between two runs."""
        return MAX_AGE_DAYS[self.schedule.every] if source.max_age_days is None else source.max_age_days

    @property
    def display_name(self) -> str:
        """Name and number for a list: ``Haugesund (1106)``."""
        return f"{self.name} ({', '.join(self.kommunenummer)})"

    @property
    def version(self) -> str:
        """sha256 of what the file and the defaults say together; comments and order do not change it."""
        content = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Broken:
    """A kommune file that cannot be used. ``id`` is the file's name made fit for a DAG id, ``sentence`` says why."""

    path: Path
    id: str
    sentence: str


def folder_of_kommuner() -> Path:
    """Give the folder of kommune files: DATAFLYT_KOMMUNER, otherwise include/kommuner of this checkout."""
    return Path(os.environ.get("DATAFLYT_KOMMUNER") or Path(__file__).resolve().parents[2] / "kommuner")


def load(path: Path) -> Kommune:
    """Read one kommune file over the defaults; raises ConfigError with one sentence."""
    return _understand(_Yaml.read(path), _defaults(path.parent))


def load_all(folder: Path) -> tuple[list[Kommune], list[Broken]]:
    """Read every kommune file of a folder, in the order of their names.

    A file that says a kommunenummer or a warehouse connection that an earlier file has, is broken.
    Raises ConfigError when the folder cannot be read.
    """
    good: list[Kommune] = []
    broken: list[Broken] = []
    taken: dict[tuple[str, str], str] = {}
    ids: set[str] = set()
    defaults: _Yaml | ConfigError
    try:
        defaults = _defaults(folder)
    except ConfigError as error:
        defaults = error
    for path in _files(folder):
        try:
            if isinstance(defaults, ConfigError):
                raise defaults
            if path.suffix != ".yaml":
                raise ConfigError(f"{path.name} leses ikke: gi filen endelsen .yaml.")
            text = _Yaml.read(path)
            kommune = _understand(text, defaults)
            claims = [("kommunenummer", number) for number in kommune.kommunenummer]
            claims += [("orgnr", kommune.orgnr), ("warehouse", kommune.warehouse)]
            for field, value in claims:
                if (other := taken.get((field, value))) is not None:
                    line = text.line((field,))[0]
                    raise ConfigError(
                        f"{path.name}, linje {line}: «{field}» {value} står også i {other}: rett den som er feil."
                    )
            taken.update({claim: path.name for claim in claims})
            good.append(kommune)
            ids.add(kommune.id)
        except ConfigError as error:
            broken.append(Broken(path, "", error.sentence))
    named: list[Broken] = []
    for one in broken:
        wish = name = re.sub(r"[^a-z0-9_]+", "_", one.path.stem.lower())[:LONGEST_BROKEN_ID] or "uten_navn"
        number = 1
        while name in ids:
            number += 1
            name = f"{wish}_{number}"
        ids.add(name)
        named.append(Broken(one.path, name, one.sentence))
    return good, named


def claimed(folder: Path) -> dict[str, str]:
    """Give the file of each kommunenummer that a file of the folder names, even one that cannot be used yet.

    Raises ConfigError when the folder cannot be read.
    """
    found: dict[str, str] = {}
    for path in _files(folder):
        with contextlib.suppress(ConfigError):
            numbers = _Yaml.read(path).data.get("kommunenummer")
            for number in numbers if isinstance(numbers, list) else [numbers]:
                if isinstance(number, str):
                    found.setdefault(number, path.name)
    return found


def find(folder: Path, name: str) -> Kommune:
    """Find a kommune by id or kommunenummer; raises ConfigError when it is unknown or its file is broken."""
    good, broken = load_all(folder)
    wanted = name.strip().lower()
    for kommune in good:
        if wanted in (kommune.id, *kommune.kommunenummer):
            return kommune
    for one in broken:
        if wanted in (one.id, one.path.stem.lower()):
            raise ConfigError(one.sentence)
    close = difflib.get_close_matches(wanted, [kommune.id for kommune in good], n=1)
    hint = f"mente du «{close[0]}»?" if close else "«dataflyt kommune list» viser dem som finnes."
    files = "kommunefil" if len(broken) == 1 else "kommunefiler"
    also = f" ({len(broken)} {files} kunne ikke leses)" if broken else ""
    raise ConfigError(f"Ingen kommune i {folder} heter «{_shown(name)}»{also}: {hint}")


# --- from a file to a Kommune ---------------------------------------------------------------------------------------


def _files(folder: Path) -> list[Path]:
    try:
        paths = sorted(folder.iterdir())
    except OSError:
        raise ConfigError(
            f"Mappen {folder} kan ikke leses: sett DATAFLYT_KOMMUNER til mappen med kommunefilene."
        ) from None
    return [path for path in paths if path.suffix in (".yaml", ".yml") and path.name[0] not in "._"]


def _defaults(folder: Path) -> _Yaml:
    """Read what holds for all kommuner: the folder's own file, or Dataflyt's."""
    own = folder / DEFAULTS
    return _Yaml.read(own if own.exists() else Path(__file__).with_name(DEFAULTS))


def _understand(text: _Yaml, defaults: _Yaml) -> Kommune:
    merged = _merge(defaults.data, text.data)
    identity = merged.get("id")
    if "warehouse" not in merged and isinstance(identity, str):
        merged["warehouse"] = f"warehouse_{identity}"
    try:
        kommune = Kommune.model_validate(merged)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    else:
        if kommune.id == text.path.stem:
            return kommune
        line = text.line(("id",))[0]
        raise ConfigError(
            f"{text.path.name}, linje {line}: «id» er {kommune.id}, men filen heter {text.path.name}: "
            f"skriv id: {text.path.stem}, eller gi filen navnet {kommune.id}.yaml."
        )
    raise ConfigError(
        min((_Complaint.about(problem, text, defaults) for problem in problems), key=_Complaint.order).sentence
    )


def _merge(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


@dataclass(frozen=True)
class _Complaint:
    """One of pydantic's errors, as a sentence. A misspelled key comes before what is missing because of it."""

    sentence: str
    line: int
    rank: int

    def order(self) -> tuple[int, int]:
        return self.rank, self.line

    @classmethod
    def about(cls, problem: ErrorDetails, text: _Yaml, defaults: _Yaml) -> _Complaint:
        kind, value = problem["type"], problem["input"]
        loc = _plain(problem["loc"])
        source, (line, scalar) = text, text.line(loc)
        if not text.has(loc) and defaults.has(loc):
            source, (line, scalar) = defaults, defaults.line(loc)
        key = _dotted(loc)
        remedy = _description(loc)
        rank = 1
        if kind == "extra_forbidden":
            rank = 0
            what, remedy = "er ikke et kjent felt", _instead(str(loc[-1]), list(_fields(loc[:-1])))
        elif problem["loc"] and problem["loc"][-1] == "[key]" and kind == "literal_error":
            rank = 0
            what, remedy = "er ikke en kjent endringstype", _instead(str(loc[-1]), list(get_args(PlanKind)))
        elif kind == "missing":
            rank, what = 2, "mangler"
        elif value is None:
            what = "er tom"
        elif kind == "string_type" and scalar is not None and not isinstance(value, (dict, list)):
            written = scalar.zfill(4) if "kommunenummer" in loc and scalar.isdigit() else scalar
            what, remedy = "skal være tekst", f'skriv "{_shown(written)}" i anførselstegn'
        elif kind == "dataflyt":
            what = str(problem["ctx"]["what"])
            if ", skriv " in what:
                what, _, remedy = what.partition(", ")
        elif kind in ("model_type", "dict_type"):
            what = "skal ha felter under seg"
        elif kind in ("tuple_type", "list_type"):
            what = "skal være en liste"
        elif kind == "too_short":
            rank, what = (3 if value else 1), "er en tom liste"  # pydantic counts only the elements that are right
        elif isinstance(value, (dict, list)):
            what = "skal være én verdi"
        else:
            what = f"kan ikke være «{_shown(str(scalar if scalar is not None else value))}»"
        ending = "" if remedy.endswith("?") else "."
        return cls(f"{source.path.name}, linje {line}: «{key}» {what}: {remedy}{ending}", line, rank)


def _plain(loc: Loc) -> Loc:
    """Leave out what pydantic puts into a place besides keys and numbers: ``[key]`` and the branches of ``day``."""
    if loc[:2] == ("schedule", "day"):
        return loc[:2]
    return tuple(part for part in loc if part != "[key]")


def _dotted(loc: Loc) -> str:
    return ".".join(str(part + 1) if isinstance(part, int) else _shown(part) for part in loc) or "filen"


def _shown(value: str) -> str:
    """Repeat a value in a sentence only when it can be neither a secret nor somebody's number."""
    value = " ".join(value.split())
    if len(value) > 60 or re.search(r"[0-9]{11}", value) or _SECRET_VALUE.search(value):
        return "…"
    return value


def _instead(written: str, known: list[str]) -> str:
    close = difflib.get_close_matches(written.lower(), known, n=1, cutoff=0.6)
    if close:
        return f"mente du «{close[0]}»?"
    return f"ta det bort eller skriv et av {', '.join(sorted(known))}" if known else "ta det bort"


def _annotation(loc: Loc) -> tuple[Any, str]:
    """Walk the models to a place: its type (without Annotated) and the nearest description of what to write."""
    kind: Any = Kommune
    description = "se include/kommuner/haugesund.yaml for et eksempel"
    for part in loc:
        if isinstance(kind, types.UnionType):  # what may be left out
            kind = get_args(kind)[0]
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            if field is None:
                return None, description
            kind, description = field.annotation, field.description or description
        else:
            arguments = get_args(kind)
            if not arguments:
                return kind, description
            kind = arguments[1] if len(arguments) == 2 and arguments[1] is not Ellipsis else arguments[0]
        if hasattr(kind, "__metadata__"):
            description = next(
                (m.description for m in kind.__metadata__ if getattr(m, "description", None)), description
            )
            kind = kind.__origin__
    return kind, description


def _description(loc: Loc) -> str:
    return _annotation(loc)[1]


def _fields(loc: Loc) -> Iterator[str]:
    kind = _annotation(loc)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield from kind.model_fields


# --- from bytes to YAML that knows its lines ------------------------------------------------------------------------

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = yaml.reader.Reader.NON_PRINTABLE
_SECRET_KEY = re.compile(
    r"password|passord|secret|hemmelig|token|private|privat|api_?key|n[øo]kkel|\bpem\b", re.IGNORECASE
)
_SECRET_VALUE = re.compile(r"-----BEGIN|://[^/\s]*:[^/\s]*@|^eyJ[\w-]+\.")
_PROBLEMS = (
    ("found duplicate anchor", "bruker et anker to ganger", "skriv verdiene ut der de trengs"),
    ("found undefined alias", "viser til et anker som ikke finnes", "skriv verdien ut, uten * og &"),
    ("expected a single document", "har flere dokumenter", "ta bort linjen med ---"),
    ("but found another document", "har flere dokumenter", "ta bort linjen med ---"),
    ("mapping values are not allowed", "har et kolon for mye", "sett teksten i anførselstegn, eller rett innrykket"),
    ("could not find expected ':'", "mangler et kolon", "skriv felt: verdi, med mellomrom etter kolonet"),
    (
        "did not find expected key",
        "har et innrykk eller et tegn som ikke passer",
        "rett innrykket, eller skriv felt: verdi",
    ),
    ("did not find expected ',' or", "har en klamme som ikke er lukket", "skriv den avsluttende ] eller }"),
    ("unexpected end of stream", "har et anførselstegn som ikke er lukket", "skriv det avsluttende anførselstegnet"),
    ("did not find expected '-'", "har en liste med ujevnt innrykk", "la alle - i listen stå like langt inne"),
    ("could not determine a constructor", "har en YAML-merkelapp (!)", "skriv verdien uten merkelapp"),
    ("cannot start any token", "har et tegn YAML ikke kan begynne med", "sett verdien i anførselstegn"),
)


@dataclass(frozen=True)
class _Yaml:
    """A YAML file as data, and as nodes that know their lines."""

    path: Path
    data: dict[str, Any]
    node: yaml.MappingNode

    @classmethod
    def read(cls, path: Path) -> _Yaml:
        """Parse a file once; raises ConfigError with one sentence when it is not a plain YAML map."""
        text = _text(path)
        if _too_deep(text):
            raise ConfigError(f"{path.name}, linje 1: filen har for mange nivåer: se haugesund.yaml for et eksempel.")
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise ConfigError(f"{path.name}, linje 1: filen er tom: skriv kommunens felter, som i haugesund.yaml.")
            if not isinstance(node, yaml.MappingNode):
                raise ConfigError(
                    f"{path.name}, linje {_at(node)}: filen har ikke felter: skriv felt: verdi på hver linje."
                )
            _inspect(path, node)
            data = loader.construct_document(node)
        except yaml.YAMLError as error:
            sentence = _syntax(path, text, error)
        except (RecursionError, TypeError, ValueError):
            sentence = f"{path.name}, linje 1: filen kan ikke leses som YAML: se haugesund.yaml for et eksempel."
        else:
            return cls(path, data, node)
        finally:
            loader.dispose()
        raise ConfigError(sentence)

    def _steps(self, loc: Loc) -> Iterator[tuple[int, yaml.Node]]:
        """Go down along ``loc`` as far as the file has it: the line and the node of each step."""
        node: yaml.Node = self.node
        for part in loc:
            if isinstance(node, yaml.MappingNode):
                found = next(((key, value) for key, value in node.value if key.value == str(part)), None)
                if found is None:
                    return
                line, node = _at(found[0]), found[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = _at(node)
            else:
                return
            yield line, node

    def has(self, loc: Loc) -> bool:
        """Whether the file itself has this place."""
        return len(list(self._steps(loc))) == len(loc)

    def line(self, loc: Loc) -> tuple[int, str | None]:
        """Give the line of a place or of the nearest above it, and what is written there when it is one value."""
        steps = list(self._steps(loc))
        if not steps:
            return _at(self.node), None
        line, node = steps[-1]
        return line, node.value if len(steps) == len(loc) and isinstance(node, yaml.ScalarNode) else None


def _at(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _text(path: Path) -> str:
    """Read a file as UTF-8 text that YAML can take; raises ConfigError."""
    if path.exists() and not path.is_file():  # a pipe would be waited for without end
        raise ConfigError(f"{path.name} er ikke en vanlig fil: flytt den ut av mappen med kommunefilene.")
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{path.name} finnes ikke i {path.parent}: skriv filen, eller rett navnet.") from None
    except OSError:
        raise ConfigError(f"{path.name} kan ikke leses: gi Dataflyt lov til å lese filen.") from None
    if len(raw) > LONGEST_FILE:
        raise ConfigError(f"{path.name} er for stor til å være en kommunefil: den skal være under 256 KiB.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        text = None
    if text is None:
        raise ConfigError(
            f"{path.name}, linje {line}: filen er ikke i UTF-8: lagre den på nytt med tegnkodingen UTF-8."
        )
    if found := re.search(r"^ *\t", text, re.MULTILINE):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError(f"{path.name}, linje {line}: linjen begynner med tabulator: bruk mellomrom til innrykk.")
    if found := _UNPRINTABLE.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ConfigError(f"{path.name}, linje {line}: filen har et usynlig styretegn: skriv linjen på nytt (UTF-8).")
    return text


def _too_deep(text: str) -> bool:
    """Tell whether a file is nested so deeply that composing it would exhaust libyaml's stack and end the process."""
    if sum(text.count(sign) for sign in ("[", "{", "- ", "? ")) < LARGEST_DEPTH:
        return False
    depth = 0
    with contextlib.suppress(yaml.YAMLError):
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > LARGEST_DEPTH:
                return True
    return False


def _inspect(path: Path, top: yaml.Node) -> None:
    """Refuse duplicate keys, aliases and secrets, which a YAML parser would take without a word."""
    seen: set[int] = set()
    waiting: list[yaml.Node] = [top]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            raise ConfigError(
                f"{path.name}, linje {_at(node)}: verdien gjentas med & og *: skriv den ut der den trengs."
            )
        seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            if _SECRET_VALUE.search(node.value):
                raise ConfigError(
                    f"{path.name}, linje {_at(node)}: verdien ser ut som en hemmelighet: "
                    "ta den bort herfra, legg den i tilkoblingen og bytt den ut."
                )
        elif isinstance(node, yaml.SequenceNode):
            waiting += reversed(node.value)
        elif isinstance(node, yaml.MappingNode):
            first: dict[str, int] = {}
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                    raise ConfigError(
                        f"{path.name}, linje {_at(key)}: feltet har ikke et vanlig navn: skriv felt: verdi."
                    )
                if key.tag != "tag:yaml.org,2002:str":
                    raise ConfigError(
                        f"{path.name}, linje {_at(key)}: «{_shown(key.value)}» skal være tekst: "
                        f'skriv "{_shown(key.value)}" i anførselstegn.'
                    )
                if key.value in first:
                    raise ConfigError(
                        f"{path.name}, linje {_at(key)}: «{_shown(key.value)}» står også på linje {first[key.value]}: "
                        "ta bort den ene."
                    )
                if _SECRET_KEY.search(key.value):
                    raise ConfigError(
                        f"{path.name}, linje {_at(key)}: «{_shown(key.value)}» hører ikke hjemme i en kommunefil: "
                        "legg hemmeligheter i tilkoblingen."
                    )
                first[key.value] = _at(key)
            waiting += [value for _, value in reversed(node.value)]


def _syntax(path: Path, text: str, error: yaml.YAMLError) -> str:
    """Say a YAML error in Norwegian."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    lines = max(1, len(text.splitlines()))
    line = min(mark.line + 1, lines) if mark else 1
    problem = f"{getattr(error, 'context', '') or ''} {getattr(error, 'problem', '') or ''}"
    for known, what, remedy in _PROBLEMS:
        if known in problem:
            return f"{path.name}, linje {line}: filen {what}: {remedy}."
    return (
        f"{path.name}, linje {line}: filen er ikke gyldig YAML her: se etter kolon, innrykk, klammer og anførselstegn."
    )
