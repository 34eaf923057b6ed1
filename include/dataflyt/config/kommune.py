"""The contents of a kommune file: one frozen model for each section of the file, and ``Kommune`` for the whole.

A field's description tells the operator what to write; ``complaints`` repeats the description when the file says
something else.
"""

from __future__ import annotations

import hashlib
import re
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from dataflyt.config.exports import ALWAYS_WITH_CONTACT, CHOICES, EXTRAS, WITHOUT_GUARDIANS, ExportName
from dataflyt.config.formats import WRITE_HR, WRITE_SAS, HrFormat, SasFormat
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.identity import numbers

WEEKDAYS = {
    "monday": "mandag",
    "tuesday": "tirsdag",
    "wednesday": "onsdag",
    "thursday": "torsdag",
    "friday": "fredag",
    "saturday": "lørdag",
    "sunday": "søndag",
}
_SCHOOL_BEGINS, _SCHOOL_BEGUN = (8, 1), (9, 15)
"""The start of the school year, by month and day: the first day, and the last day of ``daily_in_august``."""
_GROUPS_END = (6, 1)
"""The day from which the groups of a school year may end."""
_CRON_DAY = {day: (number + 1) % 7 for number, day in enumerate(WEEKDAYS)}

PlanKind = Literal[
    "guardian_gains_access",
    "guardian_loses_access",
    "protection_raised",
    "protection_lowered",
    "pupil_starts",
    "pupil_leaves",
    "pupil_changes_school",
    "pupil_published",
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
    "group_loses_resources",
    "membership_changes",
    "account_created",
    "account_disabled",
    "account_renamed",
    "sas_guardian_without_basis",
    "sas_guardian_missing",
]
"""The kinds of change that a plan can hold, and that the guard can have limits for."""


def _wrong(what: str) -> PydanticCustomError:
    return PydanticCustomError("dataflyt", "{what}", {"what": what})


def _orgnr(value: str) -> str:
    if not re.fullmatch(r"[0-9]{9}", value):
        raise _wrong("skal ha ni sifre")
    if numbers.orgnr(value) is None:
        raise _wrong("har et kontrollsiffer som ikke stemmer")
    return value


def _key(value: Any) -> Any:
    """Return what must differ between two values of a list."""
    if isinstance(value, SchoolYear):
        return value.first_day.year
    if isinstance(value, Delivery):
        return value.connection
    return value.id if isinstance(value, (Approver, CaseWorker)) else value


def _different(values: tuple[Any, ...]) -> tuple[Any, ...]:
    keys = [_key(value) for value in values]
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
    """The legal basis on which the kommune asks FREG. Foreldreansvar is asked for only with ``med_hjemmel``."""

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

    daily_in_august: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="skriv true når kommunen skal kjøre hver dag fra 1. august til 15. september, ellers false",
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
        """The schedule as cron's five fields: ``0 3 * * 0``."""
        hour, minute = (int(part) for part in self.at.split(":"))
        if self.every == "week":
            return f"{minute} {hour} * * {_CRON_DAY[str(self.day)]}"
        return f"{minute} {hour} {self.day} * *"

    @property
    def crons(self) -> tuple[str, ...]:
        """Every schedule as cron's five fields: ``cron``, and with ``daily_in_august`` two for the start of school."""
        if not self.daily_in_august:
            return (self.cron,)
        hour, minute = (int(part) for part in self.at.split(":"))
        return (self.cron, f"{minute} {hour} * 8 *", f"{minute} {hour} 1-{_SCHOOL_BEGUN[1]} {_SCHOOL_BEGUN[0]} *")

    @property
    def time_allowed(self) -> timedelta | None:
        """The time between ``at`` and ``done_by``, at most a day; None when the file has no ``done_by``."""
        if self.done_by is None:
            return None
        due, done = (datetime.strptime(hour, "%H:%M") for hour in (self.at, self.done_by))
        return done - due if done > due else done - due + timedelta(days=1)

    def due(self, day: date) -> bool:
        """Tell whether a run is due on this day."""
        if self.daily_in_august and _SCHOOL_BEGINS <= (day.month, day.day) <= _SCHOOL_BEGUN:
            return True
        return day.weekday() == list(WEEKDAYS).index(str(self.day)) if self.every == "week" else day.day == self.day

    @property
    def in_words(self) -> str:
        """The schedule in Norwegian: ``hver søndag kl. 03.00``."""
        at = self.at.replace(":", ".")
        daily = ", og hver dag fra 1. august til 15. september" if self.daily_in_august else ""
        if self.every == "week":
            return f"hver {WEEKDAYS[str(self.day)]} kl. {at}{daily}"
        return f"den {self.day}. i hver måned kl. {at}{daily}"


class SchoolYear(_Part):
    """The beginning of one school year in the owner's calendar.

    ``first_day`` is the pupils' first day. Until ``groups_ready``, missing classes, subject codes and timetables are
    nothing to look at: the schools are still making them.
    """

    first_day: date = Field(description="skriv elevenes første skoledag, for eksempel 2027-08-16")
    groups_ready: date = Field(
        description="skriv dagen da klasser, undervisningsgrupper og timeplaner skal være på plass, for eksempel "
        "2027-09-06"
    )

    @model_validator(mode="after")
    def _days_fit(self) -> SchoolYear:
        begins = date(self.first_day.year, *_SCHOOL_BEGINS)
        if not begins <= self.first_day <= self.groups_ready <= date(begins.year, 12, 31):
            raise _wrong(
                "skal ha en første skoledag fra 1. august, og groups_ready samme dag eller senere samme høst, skriv "
                "for eksempel {first_day: 2027-08-16, groups_ready: 2027-09-06}"
            )
        return self


Rolle = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")]
_WRITE_ROLLE = "skriv rolleId fra KS Fiks (36 tegn), eller ta det bort og skriv den i tilkoblingen"


class Residents(_Part):
    """The inhabitants that a kommune looks for in FREG: people who reach these ages in the calendar year."""

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

    The connection's address is the base up to ``…/offentlig-med-hjemmel/api`` for ``skatteetaten``, and Fiks' own
    (``https://api.fiks.ks.no``) for ``fiks`` and ``fiks_oppvekst``, which need a ``rolle`` here or in the connection.
    ``residents``: also look for children who live in the kommune and are not in the school system.
    ``employees``: also ask about people who work at a school, to know which of them are protected.
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
        """The format of the route's answers."""
        return "oppvekst" if self.route == "fiks_oppvekst" else "bulk"

    @property
    def route_alone(self) -> Literal["skatteetaten", "fiks"]:
        """The route for people who are not pupils; its format is ``bulk``. ``fiks_oppvekst`` gives guardians too."""
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
        """The format of the route's answers."""
        return "fiks" if self.route == "fiks" else "personer"


EmploymentType = Literal["fast", "midlertidig", "vikar", "timelønnet", "inaktiv"]
"""The meaning of a customer's own code for a kind of employment. ``inaktiv`` at 0 percent is no employment."""
Position = Literal[
    "faglærer",
    "lærerstudent",
    "vikar",
    "rådgiver",
    "kontormedarbeider",
    "skolehelsetjeneste",
    "skolebibliotekar",
    "vaktmester",
    "renholdsarbeider",
    "sosiallærer",
    "pptansatt",
    "skoleledelse",
    "rektor",
    "inspektør",
    "administrator",
    "iktansvarlig",
    "assistent",
]
"""The meaning of a customer's own position: PIFU-IMS' words for what an employee is at a school."""

MaxAge = Annotated[int, Field(strict=True, ge=0, le=366)]
_WRITE_MAX_AGE = (
    "skriv hvor mange døgn gammel filen kan være, for eksempel 10, eller ta det bort: da er det 8 når kommunen kjører "
    "hver uke og 33 når den kjører hver måned"
)
Newest = Literal["name", "time"]
"""How the newest delivered file is found: by the date in its name, or by the time of delivery."""
_WRITE_NEWEST = (
    "skriv name når datoen i filnavnet (2026-11-28 eller 20261128) sier hvilken fil som er nyest, time når "
    "leveringstiden gjør det, eller ta det bort: da gjelder leveringstiden, og kjøringen stopper når navnet sier noe "
    "annet"
)
MAX_AGE_DAYS = {"week": 8, "month": 33}
"""The greatest age in days of a delivered file, by how often a run is due, where the kommune file has none."""


class HrSource(_Part):
    """The HR system. The connection's address is a folder; ``units`` maps HR units to schools.

    ``positions`` maps the kommune's own positions, by code or name, to PIFU's words.
    """

    format: HrFormat = Field(description=WRITE_HR)
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

    positions: dict[str, Position] = Field(
        default_factory=dict,
        description='skriv stillingskoden, eller navnet på stillingen, og hva den er i PIFU: "Assistent": assistent',
    )

    protected: dict[str, list[str]] = Field(
        default_factory=dict,
        description="skriv hvor HR-systemet merker ansatte som ikke skal kunne finnes: typen av Relation i Stamdata3, "
        'eller category i Vismas fil, og verdiene som sier det: "KODE": ["6"]',
    )

    @property
    def in_words(self) -> str:
        """Tell in Norwegian which employees work at a school, where ``units`` names any."""
        units = ", ".join(f"{unit} ({orgnr})" for unit, orgnr in sorted(self.units.items()))
        return (
            f"Ansatte ved skole: HR-enhet {units} og enhetene under, og de som har en skoles organisasjonsnummer som "
            "HR-enhet eller arbeidssted."
        )


class SasSource(_Part):
    """The school administration system. The connection's address is a folder.

    Without ``timetable`` no timetable is read. A timetable that ends in ``.ics`` is a calendar (RFC 5545); any other is
    CSV. ``calendars`` is a connection. Its address, and ``links`` in its extra, are links to calendars; they are as
    secret as a key.
    """

    format: SasFormat = Field(description=WRITE_SAS)
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
    """The sources of the data: all four."""

    freg: FregSource = Field(description="skriv freg: {connection: freg_<id>}")
    krr: KrrSource = Field(description="skriv krr: {connection: krr_<id>}")
    hr: HrSource = Field(description="skriv hr: {connection: hr_<id>}")
    sas: SasSource = Field(description="skriv sas: {connection: sas_<id>}")


class Feide(_Part):
    """The kommune as a Feide host organisation.

    With ``resources_need_timetable`` a subject group without a timetable gives no digital learning resources: the
    exports have it without its Grep code, and Feide's file has it not.
    """

    realm: str = Field(
        max_length=253,
        pattern=r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        description="skriv domenet med små bokstaver, for eksempel haugesund.kommune.no",
    )
    mail: MailAddress | None = Field(
        default=None,
        description="skriv e-postadressen Feide skal vise for skoleeieren, for eksempel feide@haugesund.kommune.no",
    )
    resources_need_timetable: bool = Field(
        default=False, strict=True, description="skriv true når faggrupper uten timeplan ikke skal gi læremidler"
    )


class Limit(_Part):
    """The most changes of one kind that a run may make without asking: a percentage of the kommune's, and a number.

    The run asks when either is exceeded. None is no limit.
    """

    percent: Percent | None = Field(default=None, description="skriv et tall fra 0 til 100, for eksempel 5")
    count: Annotated[int, Field(strict=True, ge=0)] | None = Field(
        default=None, description="skriv et helt tall, for eksempel 20"
    )


class Guard(_Part):
    """When a run must ask (``limits``, ``august``), how long it waits (``answer_days``), and when it must stop.

    A limit in ``august`` replaces the limit of the same kind in a run to which August has brought changes: the school
    year begins in that month.
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

    def limits_at(self, day: date, before: date | None = None) -> dict[PlanKind, Limit]:
        """Return the limits for a run on this day, when the run before it was on the day ``before``.

        August's limits hold when a day of August has come since: the first run of a monthly kommune after the schools
        have begun may be in September.
        """
        august = date(day.year, 8, 1) <= day and min(before or day, day) <= date(day.year, 8, 31)
        return {**self.limits, **self.august} if august else self.limits


class Approver(_Part):
    """A person who may answer a run's question. ``id`` is the user's number in Airflow (FAB's), as text."""

    id: str = Field(pattern=r"^\S{1,100}$", description="skriv brukerens nummer i Airflow, i anførselstegn")
    name: Text = Field(description="skriv navnet som skal vises")


Right = Literal["persons", "graded", "decide"]
"""What a person may do: see names and numbers, see protected people too, decide about people."""


class CaseWorker(_Part):
    """A person who may look people up or decide about them.

    ``id`` is the user's number in Airflow (FAB's), as text. ``employee_id`` is the person's own id in the HR system:
    nobody decides about themselves.
    """

    id: str = Field(pattern=r"^\S{1,100}$", description="skriv brukerens nummer i Airflow, i anførselstegn")
    name: Text = Field(description="skriv navnet som skal vises")
    may: Annotated[tuple[Right, ...], AfterValidator(_different)] = Field(
        min_length=1, description="skriv én eller flere av [persons, graded, decide]"
    )
    employee_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="skriv vedkommendes ansattnummer i HR, eller ta det bort",
    )


class WithoutNumber(_Part):
    """The decision to publish pupils about whom FREG cannot be asked: by whom, when, and that the risk was known."""

    by: Text = Field(description="skriv navn og stilling på den som har bestemt det")
    on: date = Field(description="skriv datoen det ble bestemt, for eksempel 2026-08-01")
    protection_unknown: Literal[True] = Field(
        description="skriv true: den som bestemte det, vet at ingen kan se om disse elevene har adressebeskyttelse"
    )


class Decided(_Part):
    """A decision that the kommune has made: by whom and when."""

    by: Text = Field(description="skriv navn og stilling på den som har bestemt det")
    on: date = Field(description="skriv datoen det ble bestemt, for eksempel 2026-08-01")


class Retention(_Part):
    """How long the kommune keeps what it no longer needs. ``history_days``: after somebody has left everything."""

    history_days: Annotated[int, Field(strict=True, ge=30, le=1826)] = Field(
        description="skriv hvor mange døgn opplysningene står etter at noen har sluttet i alt, fra 30 til 1826"
    )


class Mail(_Part):
    """The receivers of the notice when a run asks, stops or is late (counts, no names).

    ``connection``: the mail server. ``apprise``: an Airflow connection of that type, to Teams, Slack, a webhook and so
    on, which gets the same text. One of ``to`` and ``apprise`` must be there.
    """

    to: Annotated[tuple[MailAddress, ...], AfterValidator(_different)] = Field(
        default=(),
        min_length=1,
        description="skriv en liste med e-postadresser, for eksempel [drift@haugesund.kommune.no]",
    )
    connection: ConnectionName = Field(default="smtp_default", description="skriv navnet på tilkoblingen for e-post")
    apprise: ConnectionName | None = Field(
        default=None, description="skriv navnet på tilkoblingen til Teams, Slack eller noe annet Apprise kan"
    )

    @model_validator(mode="after")
    def _somebody_gets_it(self) -> Mail:
        if not self.to and self.apprise is None:
            raise _wrong("har ingen mottaker, skriv to: [drift@haugesund.kommune.no], eller apprise: en tilkobling")
        return self


WorkOwner = Literal[
    "guardian_freg",
    "guardian_krr",
    "hr",
    "school_leader",
    "school_office",
    "system_owner",
    "vendor",
    "register",
]
"""Those who correct the items of a work list, as ``why.correcting`` names them."""


class WorkList(_Part):
    """The weekly mail about the work list: to whom, for each corrector, and on which day.

    A mail has counts and a link, no names. What a guardian or a register must correct, somebody here has to follow up.
    """

    mail: dict[WorkOwner, Annotated[tuple[MailAddress, ...], Field(min_length=1), AfterValidator(_different)]] = Field(
        min_length=1,
        description="skriv hvem som retter, og adressene: school_office: [skolekontor@haugesund.kommune.no]",
    )
    day: Literal["monday", "tuesday", "wednesday", "thursday", "friday"] = Field(
        default="monday", description="skriv en ukedag på engelsk, fra monday til friday"
    )
    connection: ConnectionName = Field(default="smtp_default", description="skriv navnet på tilkoblingen for e-post")


Extra = Literal["numbers", "birth_dates", "contact", "guardians"]
"""What an export may hold only where the kommune's file says so (``config.exports.EXTRAS``)."""


def _extras_fit(value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    for export, extras in value.items():
        for extra in extras:
            if export not in EXTRAS:
                *first, last = EXTRAS
                where = f"{', '.join(first)} eller {last}"
                raise _wrong(f"har {extra} for {export}, skriv det for {where}, eller ta det bort")
            if extra not in EXTRAS[export]:
                raise _wrong(f"har {extra} for {export}, skriv noe av [{', '.join(EXTRAS[export])}]")
        if export == "sds" and "guardians" in extras and "contact" not in extras:
            raise _wrong(
                "har guardians uten contact for sds, skriv sds: [guardians, contact], for School Data Sync tar bare "
                "imot foresatte med e-postadresse"
            )
    return value


class Delivery(_Part):
    """A recipient of an export: the place where Dataflyt puts its file. The connection's address is a folder.

    That of ``feide_ldif`` may be an LDAP directory, which is loaded: ``ldaps://host/dc=haugesund,dc=kommune,dc=no``.

    ``contact`` lets this recipient have the contact details that the export's file holds. Without it the recipient gets
    a file without them. A private recipient never gets them.
    """

    to: Text = Field(description="skriv navnet på mottakeren, for eksempel Læringsplattformen")
    connection: ConnectionName
    recipient: Literal["private", "public"] = Field(
        default="private",
        description="skriv public når mottakeren er kommunen selv, en databehandler for den eller et annet offentlig "
        "organ, ellers private",
    )
    contact: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="skriv true når mottakeren skal ha kontaktopplysninger, ellers false"
    )

    @model_validator(mode="after")
    def _contact_is_public(self) -> Delivery:
        if self.contact and self.recipient == "private":
            raise _wrong(
                "gir kontaktopplysninger til en privat mottaker, skriv recipient: public når mottakeren er kommunen "
                "selv, en databehandler for den eller et annet offentlig organ, eller ta bort contact"
            )
        return self


class Kommune(_Part):
    """One school owner: its file laid over the defaults."""

    id: Id
    name: str = Field(  # a tag in Airflow, which takes no longer tags
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
    user_name_at_name_change: Literal["keep", "renew"] = Field(
        default="keep",
        description="skriv keep eller renew: om den som får nytt fornavn eller kjønn, beholder brukernavnet sitt eller "
        "får et nytt",
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
    consent: Annotated[bool, Field(strict=True)] = Field(
        default=False,
        description="skriv true når kommunen gir voksne tilgang til et barn med samtykke fra alle med foreldreansvar, "
        "ellers false",
    )
    guard: Guard = Field(description="skriv guard: {max_drop_percent: 30, max_children_losing_access_percent: 5}")
    approvers: Annotated[tuple[Approver, ...], AfterValidator(_different)] = Field(
        min_length=1, description='skriv minst én som kan godkjenne: [{id: "101", name: "Anita Ingebretsen"}]'
    )
    people: Annotated[tuple[CaseWorker, ...], AfterValidator(_different)] = Field(
        default=(),
        description='skriv [{id: "101", name: "Anita Ingebretsen", may: [persons, decide]}], eller ta det bort',
    )
    purposes: Annotated[tuple[Text, ...], AfterValidator(_different)] = Field(
        default=(), description="skriv en liste over formål folk slås opp for: [Henvendelse fra en foresatt]"
    )
    retention: Retention = Field(description="skriv retention: {history_days: 90}, eller ta det bort")
    recipients: dict[ExportName, Annotated[tuple[Text, ...], AfterValidator(_different)]] = Field(
        default_factory=dict,
        description="skriv hvem som får hver eksport: pifu: [Læringsplattformen], eller ta det bort",
    )
    export_extras: Annotated[
        dict[ExportName, Annotated[tuple[Extra, ...], AfterValidator(_different)]], AfterValidator(_extras_fit)
    ] = Field(
        default_factory=dict,
        description="skriv hva en eksport skal ha i tillegg: oneroster: [guardians, contact], eller ta det bort",
    )
    delivery: dict[ExportName, Annotated[tuple[Delivery, ...], AfterValidator(_different)]] = Field(
        default_factory=dict,
        description="skriv hvor hver eksport skal leveres: pifu: [{to: Læringsplattformen, connection: "
        "levering_haugesund}], eller ta det bort",
    )
    calendars_of_all_decided: Decided | None = Field(
        default=None,
        description="skriv hvem som har bestemt at også grupper med noen som har adressebeskyttelse, skal ha kalender, "
        'og når: {by: "Kari Nordmann, oppvekstsjef", on: 2026-08-01}, eller ta det bort',
    )
    mail: Mail | None = Field(
        default=None, description="skriv mail: {to: [drift@haugesund.kommune.no]}, eller ta det bort"
    )
    work_list: WorkList | None = Field(
        default=None,
        description="skriv work_list: {mail: {school_office: [skolekontor@haugesund.kommune.no]}}, eller ta det bort",
    )
    school_years: Annotated[tuple[SchoolYear, ...], AfterValidator(_different)] = Field(
        default=(),
        description="skriv [{first_day: 2027-08-16, groups_ready: 2027-09-06}], en linje for hvert skoleår, eller ta "
        "det bort",
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
    def _what_is_delivered_is_exported(self) -> Kommune:
        for export in self.delivery:
            if export not in self.exports:
                raise _wrong(
                    f"leverer {export} uten å ha det som eksport, skriv {export} under exports, eller ta det bort fra "
                    "delivery"
                )
        return self

    @model_validator(mode="after")
    def _calendars_have_a_timetable(self) -> Kommune:
        if "calendar" in self.exports and not (self.sources.sas.timetable or self.sources.sas.calendars):
            raise _wrong(
                "har eksporten calendar uten timeplan, skriv timetable under sources.sas, eller ta calendar bort fra "
                "exports"
            )
        return self

    @model_validator(mode="after")
    def _needed_timetables_are_read(self) -> Kommune:
        if self.feide.resources_need_timetable and not (self.sources.sas.timetable or self.sources.sas.calendars):
            raise _wrong(
                "krever timeplan for læremidler uten å lese noen, skriv timetable under sources.sas, eller ta "
                "resources_need_timetable bort fra feide"
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

    def without_contact(self, export: str) -> bool:
        """Tell whether some recipient is to have this export's file without the contact details that it holds."""
        held = export in ALWAYS_WITH_CONTACT or "contact" in self.export_extras.get(export, ())
        return held and any(not one.contact for one in self.delivery.get(export, ()))

    def tells_of_guardians(self, export: str) -> bool:
        """Tell whether this export's file tells which adults have access to which pupils."""
        if "guardians" in EXTRAS.get(export, ()):
            return "guardians" in self.export_extras.get(export, ())
        return export not in WITHOUT_GUARDIANS

    def receivers(self, export: str, *, contact: bool | None = None) -> tuple[str, ...]:
        """Return the names of those who get an export: under ``recipients``, and under ``delivery``.

        With ``contact``, only those who get the file that has contact details, or only those who get the other.
        """
        bare = self.without_contact(export)
        delivered = (
            one.to for one in self.delivery.get(export, ()) if contact is None or contact == (one.contact or not bare)
        )
        others = () if contact is False else self.recipients.get(export, ())
        return tuple(dict.fromkeys((*others, *delivered)))

    def purpose(self, said: str) -> str:
        """Return a purpose by its number in ``purposes``, or as it is said.

        Raises ConfigError for a number that is not in the list: the audit would keep a number that says nothing.
        """
        said = said.strip()
        if not said.isdecimal():
            return said
        if 0 < int(said) <= len(self.purposes):
            return self.purposes[int(said) - 1]
        number = f"et nummer fra 1 til {len(self.purposes)}, eller " if self.purposes else ""
        raise ConfigError(f"Kommunens liste har ikke noe formål {said}: skriv {number}formålet med egne ord.")

    def case_worker(self, user_id: str, right: Right) -> CaseWorker:
        """Return the person of this id under ``people``. Raises NotAllowed unless the person has the right."""
        found = next((one for one in self.people if one.id == user_id), None)
        if found is None or right not in found.may:
            raise NotAllowed(
                f"Du har ikke retten «{right}» i {self.display_name}: den står under people i kommunefilen."
            )
        return found

    @property
    def cron(self) -> str:
        """The schedule as cron's five fields, in Europe/Oslo."""
        return self.schedule.cron

    @property
    def crons(self) -> tuple[str, ...]:
        """Every schedule as cron's five fields, in Europe/Oslo. A run is due whenever one of them says so."""
        return self.schedule.crons

    def max_age_days(self, source: HrSource | SasSource, day: date) -> int:
        """Return the greatest age in days of a source's file on this day.

        It is the kommune file's, or a bit more than the time between runs. In the weeks of daily runs a file may still
        be as old as before them until the first school day: a system delivers nothing new in the holidays. From that
        day on it is that of weekly runs.
        """
        if source.max_age_days is not None:
            return source.max_age_days
        year = self._school_year(day)
        daily = self.schedule.daily_in_august and year is not None and year.first_day <= day
        return MAX_AGE_DAYS["week" if daily and (day.month, day.day) <= _SCHOOL_BEGUN else self.schedule.every]

    def groups_not_ready(self, day: date) -> bool:
        """Tell whether schools are still making classes, subject groups and timetables on this day.

        They are from 1 August to ``groups_ready`` in the calendar. A year without a line in the calendar has 15
        September as that day.
        """
        return date(day.year, *_SCHOOL_BEGINS) <= day < self._groups_ready(day)

    def groups_end_or_begin(self, day: date) -> bool:
        """Tell whether the groups of one school year end on this day, or those of the next are being made.

        From 1 June classes and subject groups end, each on a day of its own; the new ones are there from
        ``groups_ready``. In between there may be few of them, or none of one kind.
        """
        return date(day.year, *_GROUPS_END) <= day < self._groups_ready(day)

    def _groups_ready(self, day: date) -> date:
        year = self._school_year(day)
        return year.groups_ready if year else date(day.year, *_SCHOOL_BEGUN)

    def _school_year(self, day: date) -> SchoolYear | None:
        """Return the calendar's line for the school year that begins in the year of this day."""
        return next((one for one in self.school_years if one.first_day.year == day.year), None)

    @property
    def display_name(self) -> str:
        """The name and the numbers: ``Haugesund (1106)``."""
        return f"{self.name} ({', '.join(self.kommunenummer)})"

    @property
    def version(self) -> str:
        """The sha256 of the file's and the defaults' values; comments and order do not change it."""
        content = orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()
