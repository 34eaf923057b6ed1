"""A run, step by step. The DAG and the command line call the same functions; each can be repeated.

extract_sas, extract_hr -> extract_freg -> extract_krr -> withdraw -> check -> merge -> (question) -> release ->
publish -> settle. A step takes a Job and returns counts that are safe to show: never anything about protection.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from typing import Any, BinaryIO, Literal

import orjson
from sqlalchemy import Connection, Engine, text

from dataflyt.accounts import day_one
from dataflyt.config.connections import Connect
from dataflyt.config.kommune import Kommune, Residents
from dataflyt.errors import CheckFailed, ConfigError, DataInDoubt, NobodyNamed, NotApproved, Unreadable
from dataflyt.exports import publishing
from dataflyt.on_airflow import notices
from dataflyt.reference import not_registered
from dataflyt.registers.http import AGAIN, Named, unanswered
from dataflyt.run import report
from dataflyt.run.report import UNASKED
from dataflyt.sources import Reader
from dataflyt.sources.freg import EMPLOYEES
from dataflyt.sources.freg import client as freg_client
from dataflyt.sources.freg import rows as freg_rows
from dataflyt.sources.hr import client as hr_client
from dataflyt.sources.hr import rows as hr_rows
from dataflyt.sources.krr import client as krr_client
from dataflyt.sources.krr import rows as krr_rows
from dataflyt.sources.sas import client as sas_client
from dataflyt.sources.sas import rows as sas_rows
from dataflyt.storage import database
from dataflyt.storage.files import purge_landing, remove, write_atomically
from dataflyt.storage.landing import FACTS, Landing
from dataflyt.warehouse import contact, events, golden, guard, plan, runs, staging, veto, vetoed_views
from dataflyt.warehouse import merge as merging
from dataflyt.warehouse.golden import OSLO, Moment
from dataflyt.warehouse.runs import Channel, Run, User

log = logging.getLogger(__name__)

SOURCES = ("sas", "hr", "freg", "krr")
REGISTERS = ("freg", "freg_residents", "krr")
"""Where in a run's landing the registers' raw answers lie."""

FREG_PARTS = (
    "identifikasjonsnummer",
    "status",
    "doedsfall",
    "foedsel",
    "kjoenn",
    "navn",
    "bostedsadresse",
    "deltBosted",
    "oppholdsadresse",
    "postadresse",
    "postadresseIUtlandet",
    "adressebeskyttelse",
)
"""What is asked of FREG for everybody; ``freg_parts`` adds what only a kommune "med hjemmel" may ask for."""
CLOCKS_DIFFER = timedelta(minutes=10)
"""So much may the clocks of two machines differ."""
RELOADED = {"ungraded", "local_ids"}
"""Doubts that a full reload goes past: it asks."""
IN_DOUBT = (
    "Uttrekket fra Folkeregisteret er ikke godtatt: det skiller seg for mye fra det kommunen har. Det som beskytter "
    "noen, gjelder likevel straks; ellers er ingenting endret, og kjøringen stopper. Undersøk om kommunen har mistet "
    "rettigheter i Folkeregisteret, eller om Folkeregisteret har endret svarene sine. Den som kan se "
    "adressebeskyttelse, får vite mer med «dataflyt plan --graded»."
)
"""Of every extract that is not believed: the reason alone can tell of protection."""
RESIDENTS = "3-residents"
RESIDENT_PARTS = ("identifikasjonsnummer", "status", "foedsel", "navn", "adressebeskyttelse")
"""What is asked of FREG for children who live here and are no pupils."""
EMPLOYEE_PARTS = tuple(part for part in FREG_PARTS if part not in ("foedsel", "kjoenn"))
"""What is asked of FREG for employees: who is protected, by whichever of their addresses."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Environment:
    """What lies outside.

    ``connect`` gives connections by name, ``path`` turns an address into a path (pathlib's shape), ``storage`` is the
    address of the folder that holds landing/, exports/ and reports/, ``now`` is the clock.
    """

    connect: Connect
    path: Callable[[str], Any]
    storage: str
    now: Callable[[], datetime] = _now

    def day(self, as_of: datetime) -> date:
        """Return the day in Norway on which a run is read: today, or its own where its calendar is ahead."""
        return max(moment.astimezone(OSLO).date() for moment in (self.now(), as_of))

    def folder(self, name: str) -> Any:
        """Return one of the folders in the storage."""
        return self.path(self.storage) / name


@dataclass(frozen=True)
class Question:
    """What an approver is asked: Markdown with counts only, and the digest of the plan it is about."""

    subject: str
    body: str
    digest: str


@dataclass(frozen=True)
class Job:
    """A kommune's run in its environment: what every step is given.

    ``plan_only``: the run ends with its plan and is never released (so too for a kommune on trial). ``full_reload``: it
    is a new beginning, not measured against the run before, and always asked about.
    """

    kommune: Kommune
    run: Run
    environment: Environment
    plan_only: bool = False
    full_reload: bool = False

    @cached_property
    def db(self) -> Engine:
        """The warehouse, as the kommune's own role."""
        return database.engine(self.environment.connect(self.kommune.warehouse).url)

    @property
    def owner(self) -> str:
        """The kommune's id."""
        return self.kommune.id

    def landing(self, source: str, *, runs_ago: int = 0) -> Landing:
        """Where this run's raw answers of a source lie, or those of one before it."""
        return Landing(self.environment.folder("landing") / self.owner / f"{self.run.number - runs_ago:06d}" / source)

    def transaction(self, *, lock: bool = True) -> "contextlib.AbstractContextManager[Connection]":
        """One transaction in the warehouse, under the kommune's lock."""
        return database.transaction(self.db, self.owner, lock=lock)

    @property
    def moment(self) -> Moment:
        """What the golden record of this run is computed from."""
        kommune, run = self.kommune, self.run
        units, day_one, realm = kommune.sources.hr.units, kommune.accounts, kommune.feide.realm
        publish_unasked = kommune.pupils_without_number == "publish"
        return Moment(self.owner, run.number, run.as_of, units, day_one, realm, publish_unasked)


def open_job(
    kommune: Kommune,
    key: str,
    as_of: datetime,
    environment: Environment,
    *,
    plan_only: bool = False,
    full_reload: bool = False,
) -> Job:
    """Open or find the run that ``key`` names (an Airflow run's id), undoing an unreleased one before it.

    ``as_of`` counts only the first time; ``plan_only`` and ``full_reload`` are to be the same each time. Raises
    ConfigError or SourceUnavailable, and NotApproved when ``as_of`` would turn time back, or lies ahead: what has ended
    since must not begin again.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id) as connection:
        publishing.put_forward(connection, kommune.id, environment.folder("exports") / kommune.id)
        if not runs.is_known(connection, kommune.id, key):
            _not_turned_back(connection, kommune, as_of, environment.now())
        run = runs.open_run(connection, kommune.id, key, as_of, kommune.version)
        if "stood" not in report.notes(connection, run):
            stands = publishing.published(connection, kommune.id)
            report.note(connection, run, "stood", stands.sizes if stands else {})
    return Job(kommune, run, environment, plan_only or kommune.trial, full_reload)


def _not_turned_back(connection: Connection, kommune: Kommune, as_of: datetime, now: datetime) -> None:
    if as_of > now + CLOCKS_DIFFER:
        raise NotApproved(
            f"Kjøringen skulle gjelde {_moment(as_of)}, som ikke er kommet ennå: start en ny kjøring uten dato."
        )
    released = runs.released_before(connection, kommune.id)
    if released and as_of < (newest := runs.get(connection, kommune.id, released).as_of):
        raise NotApproved(
            f"Kjøringen skulle gjelde {_moment(as_of)}, men en kjøring for {_moment(newest)} er frigitt, og tiden "
            "stilles ikke tilbake: start en ny kjøring uten dato."
        )


def _moment(when: datetime) -> str:
    return f"{when.astimezone(OSLO):%d.%m.%Y kl. %H.%M}"


def _done(job: Job, *, extracts: bool = False) -> bool:
    """Tell whether the run is released: its data stand, and repeating a step before that changes nothing.

    A run that was undone goes on where it was left if it is still the newest. After a step that ``extracts``, those
    that look at what was extracted have to be gone through again.
    """
    with job.transaction() as connection:
        released = runs.resume(connection, job.owner, job.run.number) == "released"
        if extracts and not released:
            report.note(connection, job.run, "passed", [])
        return released


def _pass(connection: Connection, job: Job, step: str) -> None:
    """Note that a step that may stop a run has not: Airflow's word for it could be anybody's."""
    passed = report.notes(connection, job.run).get("passed", [])
    report.note(connection, job.run, "passed", sorted({*passed, step}))


def _must_have_passed(connection: Connection, job: Job, *needed: str) -> None:
    passed = report.notes(connection, job.run).get("passed", [])
    if missing := [notices.STEPS[step] for step in needed if step not in passed]:
        raise CheckFailed(
            f"Det som skal kjøres før flettingen ({', '.join(missing)}), er ikke kjørt ferdig, så ingenting flettes: "
            "kjør det på nytt, eller start en ny kjøring."
        )


# --- extract -----------------------------------------------------------------------------------------------------


def extract_sas(job: Job) -> dict[str, int]:
    """Land the newest file of the school administration system, its timetable and its calendars, and stage them."""
    if _done(job, extracts=True):
        return {}
    source = job.kommune.sources.sas
    sas_client.extract(
        job.environment.path(job.environment.connect(source.connection).url),
        source.format,
        source.files,
        source.timetable,
        job.landing("sas"),
        newest=source.newest,
        earlier=job.landing("sas", runs_ago=1),
        as_of=job.run.as_of,
        max_age_days=job.kommune.max_age_days(source),
    )
    if source.calendars:
        sas_client.fetch_calendars(job.environment.connect(source.calendars), job.landing("sas"))
    _note_files(job, "sas")
    return _stage(job, "sas", extracts=True)


def extract_hr(job: Job) -> dict[str, int]:
    """Land the newest file of the HR system, and stage it."""
    if _done(job, extracts=True):
        return {}
    source = job.kommune.sources.hr
    hr_client.extract(
        job.environment.path(job.environment.connect(source.connection).url),
        source.files,
        job.landing("hr"),
        newest=source.newest,
        earlier=job.landing("hr", runs_ago=1),
        as_of=job.run.as_of,
        max_age_days=job.kommune.max_age_days(source),
    )
    _note_files(job, "hr")
    return _stage(job, "hr", extracts=True)


def _note_files(job: Job, source: str) -> None:
    """Note which files the run has read, and which of them are byte by byte those of the released run before it."""
    landing = job.landing(source)
    files = {name: facts for name in landing.names() if (facts := landing.delivered(name))}
    with job.transaction() as connection:
        released = runs.released_before(connection, job.owner, job.run.number)
        before = report.notes(connection, runs.get(connection, job.owner, released)) if released else {}
        said = before.get(f"files_{source}", {})
        noted = {
            page: {"name": facts.name, "sha256": facts.sha256, "same": said.get(page, {}).get("sha256") == facts.sha256}
            for page, facts in files.items()
        }
        report.note(connection, job.run, f"files_{source}", noted)


def extract_freg(job: Job) -> dict[str, int]:
    """Ask FREG for the pupils in the school system's file, then for those responsible for them who did not come along.

    Then, where the kommune's file says so, for children who live in the kommune and are none of its pupils, and for
    those who work at its schools. Raises CheckFailed when the school system's file is not staged in this run.
    """
    if _done(job, extracts=True):
        return {}
    with job.transaction(lock=False) as warehouse:
        if not staging.counts(warehouse, job.owner, job.run.number, "sas"):
            raise CheckFailed("Folkeregisteret blir ikke spurt, for skolesystemets fil er ikke lest i denne kjøringen.")
    source = job.kommune.sources.freg
    connection = job.environment.connect(source.connection)
    landing, parts = job.landing("freg"), freg_parts(job.kommune)
    route, rolle = source.route, source.rolle
    pupils = _numbers(job, _PUPILS, hold=True)
    freg_client.extract(connection, pupils, parts, landing, "1-pupils", route=route, rolle=rolle)
    _stage(job, "freg", phase="1-pupils", extracts=True)
    _numbers(job, _RESPONSIBLE, hold=True)
    guardians, parts = _numbers(job, _GUARDIANS), freg_parts(job.kommune, pupils=False)
    freg_client.extract(connection, guardians, parts, landing, "2-guardians", route=route, rolle=rolle)
    counts = _stage(job, "freg", phase="2-guardians", anew=False, extracts=True)
    if source.residents:
        counts = _ask_residents(job, source.residents)
    if source.employees:
        counts = _ask_employees(job)
    return counts


def _ask_residents(job: Job, wanted: Residents) -> dict[str, int]:
    """Ask FREG for children of these ages who live in the kommune, and are not answered for."""
    source, landing = job.kommune.sources.freg, job.landing("freg")
    connection, route, rolle = job.environment.connect(source.connection), source.route_alone, source.rolle
    year, answered = job.moment.today.year, set(_numbers(job, _ANSWERED))
    born = (year - wanted.to_age, year - wanted.from_age)
    residents: list[str] = []
    for number in job.kommune.kommunenummer:
        residents += freg_client.residents(
            connection, number, born, job.landing("freg_residents"), route=route, rolle=rolle
        )
    numbers = [number for number in residents if number not in answered]
    freg_client.extract(connection, numbers, RESIDENT_PARTS, landing, RESIDENTS, route=route, rolle=rolle)
    return _stage(job, "freg", phase=RESIDENTS, anew=False, extracts=True)


def _ask_employees(job: Job) -> dict[str, int]:
    """Ask FREG for those who hold a position at a school on the run's day, and are not answered for.

    By the golden record's own rule (employment.sql), over what this run has staged. Where HR has not answered: over
    the HR file of the last released run, for whoever was protected since must not wait for a file.
    """
    source, owner = job.kommune.sources.freg, job.owner
    with job.transaction(lock=False) as warehouse:
        hr_is_staged = staging.intact(warehouse, owner, job.run.number, "hr")
        golden.views_of_staging(warehouse, owner, ["sas", "hr"] if hr_is_staged else ["sas"])
        for table, select in {
            "new_unit": golden.statement("unit"),
            "hr_identity": "select employee_id, number as person_id from hr_employee",
            "at_school": f"select distinct person_id as number from ({golden.statement('employment')}) as held",
        }.items():
            warehouse.execute(text(f"drop table if exists pg_temp.{table} cascade"))
            warehouse.execute(text(f"create temporary table {table} on commit drop as {select}"), job.moment.bound())
        wanted = "select number from at_school where number ~ '^[0-9]{11}$'"
        events.hold(warehouse, owner, wanted)
        found = text(f"{wanted} except ({_ANSWERED.format(owner=owner)}) order by 1")
        numbers = list(warehouse.execute(found).scalars())
    freg_client.extract(
        job.environment.connect(source.connection),
        numbers,
        EMPLOYEE_PARTS,
        job.landing("freg"),
        EMPLOYEES,
        route=source.route_alone,
        rolle=source.rolle,
    )
    return _stage(job, "freg", phase=EMPLOYEES, anew=False, extracts=True)


def freg_parts(kommune: Kommune, *, pupils: bool = True) -> tuple[str, ...]:
    """Return what is asked of FREG for a kommune's pupils, or for adults.

    False identity, foreldreansvar and familierelasjon are confidential (Skatteetaten, "taushetsbelagte opplysninger"):
    without hjemmel they are never asked for.
    """
    if kommune.legal_basis.freg != "med_hjemmel":
        return FREG_PARTS
    return (*FREG_PARTS, "falskIdentitet", *(("foreldreansvar", "familierelasjon") if pupils else ()))


def freg_reader(kommune: Kommune, landing: Landing, page: str) -> Reader:
    """Return the reader of a landed page of FREG. Whom it leaves out, asked twice, is ``Ubesvart``."""
    alone = {RESIDENTS: "residents", EMPLOYEES: "bulk"}
    format = next((alone[phase] for phase in alone if page.startswith(phase)), kommune.sources.freg.format)
    return _and_left_out(freg_rows.FORMATS[format], partial(freg_rows.named, format=format), landing, page)


def extract_krr(job: Job) -> dict[str, int]:
    """Ask KRR for e-mail and phone of those who are responsible for pupils."""
    if _done(job, extracts=True):
        return {}
    source = job.kommune.sources.krr
    left_out = krr_client.extract(
        job.environment.connect(source.connection),
        _numbers(job, _RESPONSIBLE),
        job.landing("krr"),
        route=source.route,
        version=source.version,
        rolle=source.rolle,
    )
    with job.transaction() as connected:
        report.note(connected, job.run, "krr_unanswered", left_out)
    return _stage(job, "krr", extracts=True)


# Role 01 is a pupil (PIFU-IMS 1.3). Whose number has gone from the file, or is written wrongly now, is asked about by
# the one that is known.
_PUPILS = """
select coalesce(p.number, k.value) as number from staging_{owner}.sas_person p
join staging_{owner}.sas_membership m on m.person_id = p.person_id and m.role = '01'
left join golden.person_link l on p.number is null and l.owner = '{owner}' and l.to_run is null and l.scheme = 'sas'
    and l.value in (p.person_id, p.old_person_id)
left join golden.person_link k on k.owner = '{owner}' and k.to_run is null and k.scheme = 'number' and k.current
    and k.person_id = l.person_id
where coalesce(p.number, k.value) ~ '^[0-9]{{11}}$' group by 1 order by 1
"""


def responsible(tables: str) -> str:
    """Select whom FREG's documents name as responsible for their own person; ``tables`` stands before a table's name.

    As responsible.sql: a document of somebody who is a parent may speak of their child (``ansvarssubjekt``).
    """
    return f"""
select distinct f.ansvarlig from {tables}freg_foreldreansvar f
where f.ansvarlig ~ '^[0-9]+$' and length(f.ansvarlig) = 11 and f.ergjeldende is not false
    and f.ansvarlig <> f.foedselsellerdnummer
    and (f.ansvarssubjekt is null or f.ansvarssubjekt = f.foedselsellerdnummer or exists (
        select from {tables}freg_identifikasjonsnummer s
        where s.foedselsellerdnummer = f.foedselsellerdnummer and s.identifikasjonsnummer = f.ansvarssubjekt
    ))
"""


_RESPONSIBLE = f"""
with pupil as ({_PUPILS})
{responsible("staging_{owner}.")}
    and f.foedselsellerdnummer in (
        select p.foedselsellerdnummer from staging_{{owner}}.freg_person p
        where p.oppslag in (select number from pupil)
        union
        select i.foedselsellerdnummer from staging_{{owner}}.freg_identifikasjonsnummer i
        where i.identifikasjonsnummer in (select number from pupil)
    )
order by 1
"""
_GUARDIANS = f"""
select ansvarlig from ({_RESPONSIBLE}) as responsible
where not exists (select from staging_{{owner}}.freg_person p where p.oppslag = ansvarlig) order by 1
"""
_ANSWERED = """
select oppslag from staging_{owner}.freg_person
union select identifikasjonsnummer from staging_{owner}.freg_identifikasjonsnummer
"""


def _numbers(job: Job, query: str, *, hold: bool = False) -> list[str]:
    """Whom to ask about. ``hold``: what FREG tells of them from now on concerns the kommune, whatever it answers."""
    with job.transaction(lock=False) as connection:
        if hold:
            events.hold(connection, job.owner, query.format(owner=job.owner))
        return list(connection.execute(text(query.format(owner=job.owner))).scalars())


def _pages(job: Job, source: str) -> list[tuple[str, Reader]]:
    """Landed pages of a source with the reader of each, in their order."""
    landing = job.landing(source)
    names = [name for name in landing.names() if not name.endswith((".request.json", FACTS))]
    sources = job.kommune.sources
    readers: dict[str, Callable[[str], Reader]] = {
        "freg": lambda name: freg_reader(job.kommune, landing, name),
        "krr": lambda name: _and_left_out(krr_rows.FORMATS[sources.krr.format], None, landing, name),
        "hr": lambda _: partial(
            hr_rows.FORMATS[sources.hr.format],
            employment_types=sources.hr.employment_types,
            protected=sources.hr.protected,
        ),
        "sas": lambda name: _of_day(sas_client.format_of(name, sources.sas.format), job),
    }
    return [(name, readers[source](name)) for name in names]


def _of_day(format: str, job: Job) -> Reader:
    """Return the reader of a school system's format; a calendar is read as of the run's day."""
    if format == "ical":
        return partial(sas_rows.ical, today=job.environment.day(job.run.as_of))
    return sas_rows.FORMATS[format]


def _and_left_out(reader: Reader, named: Named | None, landing: Landing, name: str) -> Reader:
    """Read, of a page that asked about numbers once more, those that FREG leaves out again as unanswered.

    A page that names nobody is no fault: all that it was asked about stand in the question that was asked once more.
    KRR's (without ``named``) are counted by the extract.
    """

    def read(stream: BinaryIO) -> Iterator[tuple[Any, ...]]:
        with contextlib.suppress(NobodyNamed):
            yield from reader(stream)
        if named and f"{AGAIN}-" in name:
            for number in unanswered(landing, name.removesuffix(".json"), named):
                yield freg_rows.Ubesvart(number, None)

    return read


def _stage(
    job: Job,
    source: str,
    *,
    phase: str = "",
    anew: bool = True,
    skip_unreadable: bool = False,
    extracts: bool = False,
) -> dict[str, int]:
    """Copy what a source has landed (in one phase, or all) into staging, anew or after what is there.

    When it ``extracts``, what looks at it has to be gone through after that.
    Raises NotApproved when a newer run has begun.
    """
    with job.transaction() as connection:
        runs.resume(connection, job.owner, job.run.number)
        if extracts:
            report.note(connection, job.run, "passed", [])
        if anew:
            staging.prepare(connection, job.owner, source)
        counts = staging.load(
            connection,
            job.owner,
            job.run.number,
            source,
            [(name, reader) for name, reader in _pages(job, source) if name.startswith(phase)],
            job.landing(source),
            skip_unreadable=skip_unreadable,
        )
    return report.shown(counts)


# --- withdraw ----------------------------------------------------------------------------------------------------


def withdraw(job: Job) -> dict[str, int]:
    """Write what the landed answers take away, and publish the released run anew under it if anything was written.

    Runs whatever became of the extracts, before any check: raised protection and ended access must not wait. Raises
    DataInDoubt when some of what the extract says is too much to believe (``veto.learn``): that is not taken, all else
    is. Why is noted for those who may see protection, and no sentence tells one reason from another.
    """
    if _done(job):
        return {}
    staged = []
    for source in ("sas", "freg"):
        with job.transaction(lock=False) as connection:
            intact = staging.exists(connection, job.owner, source) and staging.intact(
                connection, job.owner, job.run.number, source
            )
            # An extract that broke off has landed more than it has staged.
            if source == "freg" and intact:
                landed = {name for name, _ in _pages(job, source)}
                intact = landed <= staging.pages(connection, job.owner, source)
        if not intact and _pages(job, source):
            with contextlib.suppress(Unreadable):
                _stage(job, source, skip_unreadable=source == "freg")
                intact = True
        if intact:
            staged.append(source)
    if "freg" not in staged:
        log.info("FREG has answered nothing in this run: there is nothing to withdraw.")
        return {}
    with job.transaction() as connection:
        golden.views_of_staging(connection, job.owner, staged)
        if staging.exists(connection, job.owner, "hr") and staging.intact(connection, job.owner, job.run.number, "hr"):
            golden.marked_in_staging(connection, job.owner)
        golden.compute(connection, job.moment, for_vetoes=True)
        released = runs.released_before(connection, job.owner)
        vetoed_views.views(connection, job.owner, released, "now_")
        answered = f"staging_{job.owner}.freg_person"
        doubts = veto.learn(connection, job.moment, job.kommune.guard, answered=answered)
        if job.full_reload:  # a new beginning, and always asked about
            doubts -= RELOADED
        report.note(connection, job.run, "doubts", sorted(doubts))
    republish(job.kommune, job.environment)
    if doubts:
        raise DataInDoubt(IN_DOUBT)
    with job.transaction() as connection:
        _pass(connection, job, "withdraw")
    return {}


def republish(kommune: Kommune, environment: Environment) -> None:
    """Write what is published anew when the state it came from has changed; nothing when nothing is published.

    It is the run that is published that is written, not one whose files did not pass. Of a kommune that has been put on
    trial again too: what protects does not wait for the trial to end. Repeating it does nothing.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    folder = environment.folder("exports") / kommune.id
    with database.transaction(db, kommune.id) as connection:
        publishing.put_forward(connection, kommune.id, folder)
        published = publishing.published(connection, kommune.id)
        if published is None:
            return
        _learn_overrides(connection, kommune, environment)
        run = runs.get(connection, kommune.id, published.run)
        if published.state == publishing.state(connection, kommune, run.number, environment.day(run.as_of)):
            return
        publishing.publish(connection, kommune, run, environment, must_pass=False)
    with database.transaction(db, kommune.id) as connection:
        publishing.put_forward(connection, kommune.id, folder, just_written=True)


def _learn_overrides(connection: Connection, kommune: Kommune, environment: Environment) -> None:
    """Write the vetoes that overrides give which no run has learned: also of those who live together, and of access.

    A run learns them when FREG has answered; people's decisions do not wait for that.
    """
    owner = kommune.id
    released, newest = runs.released_before(connection, owner), runs.newest(connection, owner)
    vetoed_views.views(connection, owner, released, "now_")
    if not connection.scalar(text(_OVERRIDES_NOT_LEARNED), {"owner": owner}):
        return
    job = Job(kommune, runs.get(connection, owner, newest), environment)
    golden.views_of_history(connection, owner)
    # As the next run would have it: an override may be made for that.
    golden.compute(connection, replace(job.moment, run=newest + 1), for_vetoes=True)
    veto.learn(connection, job.moment, kommune.guard, answered=None, beside=True)


_OVERRIDES_NOT_LEARNED = """
select exists (
    select from control.override o
    where o.owner = :owner and o.field = 'adressebeskyttelse' and o.ended_at is null and not exists (
        select from now_protection x
        where x.known_level >= case o.value when 'fortrolig' then 2 else 3 end and (
            x.person_id = o.person_id
            or x.person_id in (select k.other_id from now_kin k where k.person_id = o.person_id)
        )
    )
)
"""


# --- check and merge ---------------------------------------------------------------------------------------------


def check(job: Job) -> dict[str, int]:
    """Check what was staged: rows that fail go to quarantine, a table that fails stops the run.

    Raises CheckFailed with what is wrong and who must look.
    """
    if _done(job):
        return {}
    from dataflyt.quality import running
    from dataflyt.quality.rules import Context
    from dataflyt.sources.freg import checks as freg_checks
    from dataflyt.sources.hr import checks as hr_checks
    from dataflyt.sources.krr import checks as krr_checks
    from dataflyt.sources.sas import checks as sas_checks

    _rebuild_staging(job)
    with job.transaction(lock=False) as connection:
        previous = {} if job.full_reload else report.staged_before(connection, job.owner, job.run.number)
        pupils = {} if job.full_reload else report.pupils_before(connection, job.owner, job.run.number)
        connection.execute(text(f"set local search_path to staging_{job.owner}"))
        counting = f"select count(*) as every, count(*) filter (where starts_with(page, '{EMPLOYEES}')) as beside"
        counted = {
            table: connection.execute(text(f"{counting} from {table} t where {among}")).one()
            for table, among in freg_checks.COUNTED.items()
        }
    beside = {table: count.beside for table, count in counted.items()}
    context = Context(previous, job.kommune.guard.max_drop_percent, pupils, beside)
    suites = [suite for checks in (freg_checks, krr_checks, hr_checks, sas_checks) for suite in checks.suites(context)]
    result = running.run(job.environment.connect(job.kommune.warehouse).url, f"staging_{job.owner}", suites)
    with job.transaction() as connection:
        connection.execute(text(f"set local search_path to staging_{job.owner}"))
        at_schools = connection.execute(text(sas_checks.PUPILS_PER_SCHOOL.format(memberships="sas_membership")))
        report.note(connection, job.run, "pupils", dict(sorted((orgnr, count) for orgnr, count in at_schools if orgnr)))
        report.note(connection, job.run, "beside", beside)
        report.note(connection, job.run, "counted", {table: count.every for table, count in counted.items()})
    with job.transaction() as connection:
        _quarantine(connection, job, result.quarantined)
        quarantined = report.quarantined(connection, job.owner, job.run.number)
        for held in report.reasons(connection, job.run):
            log.info(
                "I karantene: %s i %s. %s Rettes av: %s.",
                f"{report.spaced(held['rows'])} {'rad' if held['rows'] == 1 else 'rader'}",
                held["table_name"],
                held["reason"],
                held["responsible"],
            )
        report.note(
            connection,
            job.run,
            "stopped_by",
            [{"rule": b.rule, "reason": b.reason, "responsible": b.responsible} for b in result.broken],
        )
        report.note(
            connection,
            job.run,
            "noted",
            [n._asdict() for n in result.noted if not n.rule.endswith(".grading")],
        )
        unknown = f"select distinct felt from staging_{job.owner}.freg_ukjentfelt order by 1"
        report.note(connection, job.run, "unknown_fields", list(connection.execute(text(unknown)).scalars()))
        if not result.broken:
            _pass(connection, job, "check")
    if result.broken:
        sentences = "; ".join(f"{broken.reason} (ansvarlig: {broken.responsible})" for broken in result.broken)
        raise CheckFailed(f"Kjøringen er stoppet før noe ble endret: {sentences}")
    return report.shown(quarantined)


def _quarantine(connection: Connection, job: Job, found: Sequence[Any]) -> None:
    bound = {"owner": job.owner, "run": job.run.number}
    connection.execute(text("delete from control.quarantine where owner = :owner and run = :run"), bound)
    columns = "table_name text, row_id bigint, rule text, reason text, responsible text"
    database.copied(connection, "found", columns, found)
    for table in connection.execute(text("select distinct table_name from found")).scalars().all():
        connection.execute(
            text(
                "insert into control.quarantine "
                "(owner, run, table_name, row_id, rule, reason, responsible, key, subject) "
                "select :owner, :run, f.table_name, f.row_id, f.rule, f.reason, f.responsible, s.key, s.subject "
                f"from found f join staging_{job.owner}.{table} s on s.row_id = f.row_id where f.table_name = :table "
                "on conflict do nothing"
            ),
            {**bound, "table": table},
        )


def _rebuild_staging(job: Job) -> None:
    """Stage from landing again what a crashed server has emptied.

    Raises CheckFailed when its raw answers are gone too, for the run was settled: then it has to ask again.
    """
    for source in SOURCES:
        with job.transaction(lock=False) as connection:
            intact = staging.intact(connection, job.owner, job.run.number, source)
        if not intact:
            if not _pages(job, source):
                step = notices.STEPS[f"extract_{source}"]
                raise CheckFailed(
                    f"Det som ble hentet i «{step}», er ikke lenger å finne, og svarene ble slettet da kjøringen ble "
                    f"gjort opp. Start en ny kjøring, eller denne på nytt fra «{step}»."
                )
            log.warning("Staging of %s is not what was copied in: it is built again from the landed pages.", source)
            _stage(job, source)


def merge(job: Job) -> dict[str, Any]:
    """Merge the clean rows into history, compute the golden record and the plan, and judge the plan.

    Returns ``asks`` (1 when an approver must answer) and rows per kind of change. Repeating it
    gives the same rows: it begins by undoing itself.
    """
    if _done(job):
        return {"asks": 0}
    _rebuild_staging(job)
    owner, number = job.owner, job.run.number
    doubts: frozenset[str] = frozenset()
    try:
        with job.transaction() as connection:
            # Now that the lock is held: the run may have been released or replaced meanwhile.
            state = runs.resume(connection, owner, number)
            if state == "released":
                return {"asks": 0}
            _must_have_passed(connection, job, "withdraw", "check")
            if state == "merged":
                merging.undo(connection, owner, number)
            merging.clean_views(connection, owner, number)
            contact.keep(connection, job.run)
            report.note(connection, job.run, "rows", report.account(connection, owner, number))
            merged = merging.merge_history(connection, owner, number)
            report.note(connection, job.run, "merged", report.shown_pairs(merged))
            golden.views_of_history(connection, owner)
            golden.compute(connection, job.moment)
            missing = not_registered.notes(connection, job.kommune, job.run.as_of)
            report.note(connection, job.run, "reference", [note._asdict() for note in missing])
            released = runs.released_before(connection, owner, number)
            vetoed_views.views(connection, owner, released, "now_")
            # What people have decided since (an override) raises protection too; answered losses are withdraw's.
            doubts = veto.learn(connection, job.moment, job.kommune.guard, answered=None)
            doubts -= RELOADED if job.full_reload else set()
            if doubts:
                raise DataInDoubt(IN_DOUBT)
            veto.plan_lifts(connection, job.moment)
            merging.merge_golden(connection, owner, number)
            plan.build(connection, owner, number, released)
            digest = plan.digest(connection, owner, number)
            limits = job.kommune.guard.limits_at(job.moment.today)
            drop = job.kommune.guard.max_drop_percent
            asks = guard.reasons(
                connection, job.moment, released, limits, max_drop_percent=drop, full_reload=job.full_reload
            )
            changed = plan.counts(connection)
            runs.set_merged(connection, job.run, digest, " ".join(asks))
            judged = runs.get(connection, owner, number)
            runs.keep_answer(connection, judged, "asked" if asks else "not_needed", "guard")
            report.note(connection, job.run, "changed", changed)
            measured = {kind: limit for kind, limit in limits.items() if kind in changed}
            of = guard.bases(connection, measured)
            beside = {kind: {"of": of[kind], **limit.model_dump()} for kind, limit in measured.items()}
            report.note(connection, job.run, "limits", beside)
            report.note(connection, job.run, "inferred_losses", plan.inferred_losses(connection))
            if job.kommune.trial:
                report.note(connection, job.run, "directory", day_one.compare(connection, job.run))
    except DataInDoubt:
        with job.transaction() as connection:  # what was merged is rolled back; why is not
            report.note(connection, job.run, "doubts", sorted(doubts))
        raise
    return {"asks": int(bool(asks)), **changed}


# --- approve, release, publish, settle ---------------------------------------------------------------------------


def question(job: Job) -> Question | None:
    """Return what an approver must answer before the run is released.

    None when the guard lets it pass, and when it has been approved.
    """
    with job.transaction(lock=False) as connection:
        run = runs.get(connection, job.owner, job.run.number)
        noted = report.notes(connection, run)
        answered = runs.may_be_released(connection, run)
    if job.plan_only or answered or not run.digest or run.state == "released":
        return None
    changed, limits = noted.get("changed", {}), noted.get("limits", {})
    changes = report.changes(changed, noted.get("inferred_losses", 0))
    lines = [
        f"- {what}: {report.limited(count, limits[kind]) if kind in limits else count}"
        for kind, (what, count) in zip(changed, changes, strict=True)
    ]
    why = [report.reason(word) for word in (run.asks or "").split()]
    body = "\n".join(
        [
            f"Kjøring {run.number} for {job.kommune.display_name} venter på svar.",
            "",
            "**Hvorfor du blir spurt:** " + " ".join(why),
            "",
            "**Dette vil endres:**",
            "",
            *(lines or ["- ingen endringer"]),
            "",
            f"Se hva som ligger bak tallene: `dataflyt plan {job.owner} --run {run.number}`.",
            "«Approve» godkjenner. «Reject» avviser; da endres ingenting, heller ikke om ingen svarer innen fristen.",
            "",
            f"Plan: `{run.digest[:16]}`",
        ]
    )
    return Question(f"Godkjenne kjøring {run.number} for {job.kommune.display_name}?", body, run.digest)


def answer(
    job: Job, digest: str, said: Literal["approved", "rejected", "unanswered"], user: User | None, channel: Channel
) -> None:
    """Keep an answer to the question that ``digest`` names: in the warehouse, where ``release`` looks for it.

    ``user`` is who said it, None when nobody did. Raises NotApproved when the plan has become another, and when
    somebody approves whom the kommune's file does not name.
    """
    approvers = [approver.id for approver in job.kommune.approvers]
    if said == "approved" and (user is None or user.id not in approvers):
        raise NotApproved(
            f"Svaret gjelder ikke, for den som svarte, er ikke godkjenner for {job.kommune.display_name} i "
            "kommunefilen. Kjøringen er ikke godkjent."
        )
    with job.transaction() as connection:
        run = runs.get(connection, job.owner, job.run.number)
        if run.state != "merged" or run.digest != digest:
            if said != "approved":  # of a plan that is gone: nothing is to be released, and nothing is
                return
            raise NotApproved("Planen er ikke lenger den det ble spurt om. Kjør på nytt, og svar på den nye planen.")
        runs.keep_answer(connection, run, said, channel, user=user, approvers=approvers)


def release(job: Job) -> dict[str, int]:
    """Make the merged run the kommune's current one, when the warehouse has the answer to it. Raises NotApproved."""
    if job.plan_only:
        raise NotApproved("Kjøringen er bare en plan, og kan ikke frigis.")
    with job.transaction() as connection:
        runs.release(connection, job.owner, job.run.number)
        events.hold_no_others(connection, job.owner, employees=job.kommune.sources.freg.employees)
    return {"run": job.run.number}


def publish(job: Job) -> dict[str, int]:
    """Write, check and publish the released run's exports. Raises CheckFailed; what was published then stays.

    Raises NotApproved when a newer run has been released: an old one never takes its place again. Returns how many
    files: how many people are in them, beside the plan and the run before, would tell how many are hidden now.
    """
    with job.transaction() as connection:
        run = runs.get(connection, job.owner, job.run.number)
        if run.state != "released":
            raise CheckFailed("Kjøringen er ikke frigitt og kan ikke publiseres.")
        if runs.released_before(connection, job.owner) != run.number:
            raise NotApproved("En nyere kjøring er frigitt: denne kan ikke publiseres på nytt.")
        files = publishing.publish(connection, job.kommune, run, job.environment, must_pass=True)
        report.note(connection, run, "published", files)
    with job.transaction() as connection:
        folder = job.environment.folder("exports") / job.owner
        publishing.put_forward(connection, job.owner, folder, just_written=True)
    return {"files": len(files)}


def settle(job: Job, failed: Sequence[str]) -> dict[str, Any]:
    """Close the run: undo it unless it was released, bring what is published in line, write the run's report.

    ``failed`` names the steps that failed; what was answered stands in the warehouse. What was only to be planned stays
    as it is, to be looked at until the next run begins. Returns the report's outcome and totals.

    The registers' raw answers are thrown away, whatever became of the run: nothing reads them again, they say where
    protected people live, and an encrypted one would still tell by its presence and need a key that is thrown away as
    surely. HR's and the school system's files stay until the next run is settled, which takes over those that are the
    same; a run that is taken up again after this asks the registers anew.
    """
    with job.transaction() as connection:
        run = runs.get(connection, job.owner, job.run.number)
        planned = job.plan_only and run.state == "merged" and not failed
        if run.state != "released" and not planned:
            said = runs.answer_to(connection, run) if run.state == "merged" else None
            state = said if said in ("rejected", "unanswered") and not failed else "failed"
            runs.undo(connection, job.owner, run.number, state)
        contact.forget(connection, job.owner)
    try:
        republish(job.kommune, job.environment)
    finally:  # nothing that is wrong with the exports leaves raw answers, or a run without its report
        for source in REGISTERS:
            remove(job.landing(source).folder)
        purge_landing(job.environment.folder("landing") / job.owner, keep=run.number)
        written = _report(job, run, failed)
    for sentence in written["sentences"]:
        log.info("%s", sentence)
    return {"outcome": written["outcome"], "held_pupils": _newly_held(job), **written["totals"]}


def _newly_held(job: Job) -> int:
    """Count the pupils whom a released run holds back, and the one before did not: FREG cannot be asked about them."""
    with job.transaction(lock=False) as connection:
        found = text(
            "select count(distinct w.subject) from golden.work_item w "
            "join control.run r on r.owner = w.owner and r.run = w.from_run and r.state = 'released' "
            "where w.owner = :owner and w.from_run = :run and w.to_run is null and w.kind = any(:kinds) "
            "and not exists (select from golden.work_item b where b.owner = w.owner and b.to_run = w.from_run "
            "and b.subject = w.subject and b.kind = any(:kinds))"
        )
        bound = {"owner": job.owner, "run": job.run.number, "kinds": sorted(UNASKED)}
        return connection.scalar(found, bound) or 0


def _report(job: Job, run: Run, failed: Sequence[str]) -> dict[str, Any]:
    """Write a settled run's report to the storage, and return it."""
    with job.transaction() as connection:
        stood = report.notes(connection, run).get("stood", {})
        stands = publishing.published(connection, job.owner)
        smaller = publishing.fallen(stood, stands.sizes if stands else {}, job.kommune.guard.max_drop_percent)
        report.note(connection, run, "much_smaller", bool(smaller))
        written = report.build(connection, job.kommune, run, failed)
    folder = job.environment.folder("reports") / job.owner
    write_atomically(folder / f"run-{run.number:06d}.json", orjson.dumps(written, option=orjson.OPT_INDENT_2))
    return written


def steps() -> Iterator[tuple[str, Callable[[Job], dict[str, Any]]]]:
    """Yield the steps up to the plan by the names that tasks bear, in their order."""
    yield "extract_sas", extract_sas
    yield "extract_hr", extract_hr
    yield "extract_freg", extract_freg
    yield "extract_krr", extract_krr
    yield "withdraw", withdraw
    yield "check", check
    yield "merge", merge


@dataclass(frozen=True)
class OpenPlan:
    """A run's plan while it is open for reading."""

    run: Run
    connection: Connection

    @property
    def stands(self) -> bool:
        """Whether its rows are there: of a run that was undone only the counts are kept."""
        return self.run.state in ("merged", "released")

    def counts(self) -> dict[str, int]:
        """Count rows per kind, without what only ``graded`` may see: as it was told when the run was merged."""
        changed: dict[str, int] = report.notes(self.connection, self.run).get("changed", {})
        return changed

    def doubts(self) -> list[str]:
        """Say what was not believed of the extract, and of events since; for those who may see protection."""
        noted = report.notes(self.connection, self.run)
        doubts = {doubt for lane in ("doubts", "doubts_beside") for doubt in noted.get(lane, [])}
        return [sentence for doubt, sentence in report.DOUBTS.items() if doubt in doubts]

    def changes(self, *, graded: bool = False) -> list[tuple[str, str]]:
        """Say the counts in words for an operator, with ``graded`` those of all rows that stand."""
        if graded and self.stands:
            return report.changes(plan.all_counts(self.connection), 0)
        inferred = report.notes(self.connection, self.run).get("inferred_losses", 0)
        return report.changes(self.counts(), inferred)

    def rows(self, *, graded: bool = False) -> Iterator[plan.PlanRow]:
        """Yield the rows; none of a run that was undone.

        Without the right to see protection none either of a plan that has become another than was told: what is
        missing from it would tell of whom.
        """
        told = self.stands and (graded or plan.counts(self.connection) == self.counts())
        return plan.rows(self.connection, graded=graded) if told else iter(())


@contextlib.contextmanager
def open_plan(kommune: Kommune, environment: Environment, number: int | None) -> Iterator[OpenPlan]:
    """Open the plan of a kommune's run, the newest when ``number`` is None. Raises ConfigError when there is none."""
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        wanted = number or runs.newest(connection, kommune.id)
        if not runs.exists(connection, kommune.id, wanted):
            raise ConfigError(f"{kommune.display_name} har ingen kjøring {number or ''}".rstrip() + ".")
        run = runs.get(connection, kommune.id, wanted)
        plan.build(connection, kommune.id, wanted, runs.released_before(connection, kommune.id, wanted))
        yield OpenPlan(run, connection)
