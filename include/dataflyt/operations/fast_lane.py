"""The fast lane: every hour, FREG's events end access and hide people in each kommune's publication.

    read FREG's event list once, for all kommuner -> each person of a kommune whom it names waits in the warehouse
        -> for each kommune: ask FREG about them by its own grant, write vetoes, publish anew under them
        -> bring every kommune's publication in line with its other changes (``nightly``)

Only events that take away are dealt with: protection, foreldreansvar, deaths, changed numbers. A change that gives
waits for the kommune's next run. The connection ``freg_events`` reads the list. The connection ``warehouse_events``
keeps the place in it; its role sees keyed hashes and owners alone. Each kommune's own connection asks about its people,
and its own role in the warehouse handles the answers.

It may be killed at any point and run again: one transaction keeps the events and moves the place in the list past them,
and a person waits until the kommune is published anew.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice

from sqlalchemy import Connection, Engine, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, DataflytError, DataInDoubt, SourceRefused, Unreadable
from dataflyt.operations.digest import said
from dataflyt.operations.nightly import Outcome, bring_in_line, trouble_of
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.run.freg_parts import EMPLOYEE_PARTS, SIBLING_PARTS, freg_parts
from dataflyt.run.job import Job
from dataflyt.run.landed import freg_reader
from dataflyt.run.republish import write_anew
from dataflyt.run.whom_to_ask import responsible
from dataflyt.sources import freg
from dataflyt.sources.freg import client as freg_client
from dataflyt.sources.freg.events import EventList, EventPage, TooOld
from dataflyt.sources.origin import with_origin
from dataflyt.storage import database
from dataflyt.storage.files import remove
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import landed
from dataflyt.warehouse import events, golden, runs, veto, vetoed_views
from dataflyt.warehouse.events import Waiting
from dataflyt.warehouse.tables import SourceTable, source_tables

log = logging.getLogger(__name__)

FEED = "freg"
LIST, WAREHOUSE = "freg_events", "warehouse_events"
"""The connections of the installation: FREG's event list, and the warehouse as ``dataflyt_events``."""

PAGES_AT_A_TIME = 100
"""Events are kept each time this many pages are read: at most 100 000 hashes are in memory."""

_FRESH = "fresh_"
_ROWS_AT_A_TIME = 20_000


def run(kommuner: Iterable[Kommune], environment: Environment) -> Outcome:
    """Read the list, and act on it, kommune by kommune. Trouble in one kommune stops no other.

    Raises ConfigError or SourceUnavailable when the warehouse itself cannot be reached.
    """
    db = database.engine(environment.connect(WAREHOUSE).url)
    outcome = Outcome({"pages": 0, "events": 0, "kommuner": 0, "waiting": 0})
    if trouble := trouble_of(lambda: read(environment, outcome.counts), "Folkeregisterets hendelser"):
        with database.reading_events(db) as connection:
            known = events.pointer(connection, FEED)
        since = f" De ble sist lest {said(known.read_at)}." if known else ""
        outcome.trouble.append(type(trouble)(trouble.sentence + since, **trouble.facts))
    else:
        outcome.read = True
    by_id = {kommune.id: kommune for kommune in kommuner}
    with database.reading_events(db) as connection:
        waiting = events.owners(connection)
    for owner in waiting:
        if trouble := trouble_of(partial(_withdraw_of, owner, by_id, environment), owner):
            outcome.trouble.append(trouble)
        else:
            outcome.counts["kommuner"] += 1
    for owner in sorted(by_id.keys() - waiting):  # a killed try may have left answers
        if trouble := trouble_of(partial(remove, _landing(owner, environment).folder), owner):
            outcome.trouble.append(trouble)
    known_trouble = {trouble.sentence for trouble in outcome.trouble}
    outcome.trouble += [
        trouble for trouble in bring_in_line(by_id.values(), environment) if trouble.sentence not in known_trouble
    ]
    with database.reading_events(db) as connection:
        outcome.counts["waiting"] = len(events.owners(connection))
    for trouble in outcome.trouble:
        log.error("%s %s", trouble.sentence, trouble.facts or "")
    return outcome


def _withdraw_of(owner: str, by_id: Mapping[str, Kommune], environment: Environment) -> None:
    if owner not in by_id:
        raise ConfigError("kommunefilen mangler eller har feil, så hendelsene venter: kjør «dataflyt kommune check».")
    withdraw(by_id[owner], environment)


def _landing(owner: str, environment: Environment) -> Landing:
    return Landing(environment.folder("landing") / owner / "events")


def read(environment: Environment, counts: dict[str, int]) -> None:
    """Read the list to its end, adding to ``counts``. Events about people of no kommune here are dropped unread.

    The first time, and when FREG no longer keeps the events at our place in the list (36 months), events may have been
    missed. Every kommune then asks about all its people, and the list is read on from its end. When events were lost,
    DataInDoubt is then raised, so that somebody is told.
    """
    db = database.engine(environment.connect(WAREHOUSE).url)
    with database.reading_events(db) as connection:
        known, secret = events.pointer(connection, FEED), events.key(connection)
    with EventList(environment.connect(LIST)) as event_list:
        if known:
            try:
                _read_on(db, event_list.pages(known.next_seq, known.etag), secret, counts)
                return
            except TooOld:
                log.warning("The place in the event list is older than what FREG keeps: everybody is asked about anew.")
        end = event_list.end()
    with database.reading_events(db) as connection:
        events.let_all_wait(connection, end - 1)
        events.move_pointer(connection, FEED, end, None)
    if known:
        raise DataInDoubt(
            "noen som vi ikke har lest, er slettet, for de er eldre enn 36 måneder. Det blir spurt på nytt om alle som "
            "kommunene har; start også en kjøring med full innlasting i hver kommune."
        )


def _read_on(db: Engine, pages: Iterable[EventPage], secret: str, counts: dict[str, int]) -> None:
    """Queue each person named in these pages, and move the place in the list."""
    heard: dict[str, int] = {}
    unkept: EventPage | None = None

    def keep(page: EventPage) -> None:
        with database.reading_events(db) as connection:
            events.let_wait(connection, heard.items())
            events.move_pointer(connection, FEED, page.next_seq, page.etag, ahead=page.ahead)
        heard.clear()

    try:
        for page in pages:
            heard.update((events.hashed(secret, number), seq) for number, seq in page.urgent)
            counts["pages"] += 1
            counts["events"] += page.events
            unkept = page
            if page.ahead:
                log.warning("The event list has newer numbers than events: it is read on from here next time.")
            if not page.events or counts["pages"] % PAGES_AT_A_TIME == 0:
                keep(page)
                unkept = None
    except TooOld:
        raise
    except DataflytError:
        if unkept:  # events read before the list failed do not wait for the rest of it
            keep(unkept)
        raise


def withdraw(kommune: Kommune, environment: Environment) -> None:
    """Ask FREG about the waiting people, write the answers' vetoes, and publish the kommune anew under them.

    Raises SourceUnavailable or SourceRefused when FREG does not answer: everybody waits on. People whom FREG leaves out
    or refuses wait for the next day, and SourceRefused is raised the first time. Raises DataInDoubt when an answer is
    too much to believe: no veto is written for that part, and vetoes are written for the rest.
    """
    owner = kommune.id
    db = database.engine(environment.connect(kommune.warehouse).url)
    landing = _landing(owner, environment)
    remove(landing.folder)  # old answers of a try that was killed
    try:
        with database.transaction(db, owner, lock=False) as connection:
            people = events.waiting(connection, owner)
        unasked = set() if kommune.sources.freg.employees else {"employee"}
        if kommune.legal_basis.freg != "med_hjemmel":
            unasked.add("sibling")
        numbers = {one.number: one.part for one in people if one.number and one.part not in unasked}
        if numbers:
            _ask(kommune, environment, db, landing, numbers)
        with database.transaction(db, owner) as connection:
            job = Job(kommune, runs.get(connection, owner, runs.newest(connection, owner)), environment)
            answered = _load(connection, kommune, landing)
            in_doubt = bool(answered) and _learn(connection, job)
        write_anew(kommune, environment)  # delivered when every kommune has been written
    finally:
        remove(landing.folder)
    if in_doubt:
        raise DataInDoubt(
            "det Folkeregisteret svarte om hendelsene, er ikke godtatt: det skiller seg for mye fra det kommunen har. "
            "Det som beskytter noen, gjelder likevel straks. Undersøk om kommunen har mistet rettigheter i "
            "Folkeregisteret, eller om Folkeregisteret har endret svarene sine, og start en kjøring."
        )
    # A run under way may have older answers, and its people are not in the golden record yet. They are asked about
    # again after its merge.
    if job.run.state == "open":
        return
    # A person whom FREG has never answered about has nothing that could be taken away.
    left = [one for one in people if one.number in numbers and one.number not in answered and one.known]
    _keep_waiting(db, owner, people, left)


def _keep_waiting(db: Engine, owner: str, people: Collection[Waiting], left: Sequence[Waiting]) -> None:
    """Let the people ``left`` without an answer wait for the next day; raise SourceRefused when some are new."""
    with database.transaction(db, owner) as connection:
        events.dealt_with(connection, owner, set(people) - set(left))
        events.unanswered(connection, owner, left)
    if new := sum(not one.told for one in left):
        raise SourceRefused(
            "Folkeregisteret har meldt hendelser på noen som det ikke svarer om: det som er kjent om dem, gjelder, de "
            "står på arbeidslisten, og Dataflyt spør igjen hver dag.",
            unanswered=new,
        )


def _ask(kommune: Kommune, environment: Environment, db: Engine, landing: Landing, numbers: Mapping[str, str]) -> None:
    """Land FREG's answers about pupils, about other people, and about adults whom the pupils' answers name as new.

    The parts asked for about employees and siblings are those of a run.
    """
    ask = partial(freg_client.extract, kommune.sources.freg, environment, landing)
    pupils, others, siblings, employees = (
        [number for number, part in numbers.items() if part == wanted]
        for wanted in ("pupil", "other", "sibling", "employee")
    )
    ask(numbers=pupils, parts=freg_parts(kommune), phase=freg.PUPILS)
    with database.transaction(db, kommune.id, lock=False) as warehouse:
        _load(warehouse, kommune, landing)
        named = warehouse.execute(
            text(
                f"{responsible(_FRESH)} and not exists (select from history.freg_person h "
                "where h.owner = :owner and h.to_run is null and h.oppslag = f.ansvarlig)"
            ),
            {"owner": kommune.id},
        )
        others += sorted(set(named.scalars()) - numbers.keys())
    ask(numbers=others, parts=freg_parts(kommune, pupils=False), phase=freg.OTHERS)
    ask(numbers=siblings, parts=SIBLING_PARTS, phase=freg.SIBLINGS)
    ask(numbers=employees, parts=EMPLOYEE_PARTS, phase=freg.EMPLOYEES)


def _learn(connection: Connection, job: Job) -> bool:
    """Write the vetoes of the answers in the temporary tables; return whether some answers were too much to believe.

    The reason is noted with the kommune's newest run, for those who may see protection.
    """
    owner, inputs = job.owner, job.golden_inputs
    views = golden.views_of_staging(connection, owner, ["freg"], prefix=_FRESH)
    computed = golden.compute(views, inputs, for_vetoes=True)
    # When a waiting run is released, it must not give back or lift what FREG has taken away since.
    against: list[tuple[int, int | None]] = [(runs.released_before(connection, owner), None)]
    if job.run.state == "merged":
        against.append((job.run.number, job.run.number))
    believed_less: set[str] = set()
    for number, lifting in against:
        now = vetoed_views.views(connection, owner, number, "now_", lifting=lifting)
        doubts = veto.learn(computed, now, job.kommune.guard, answered=f"{_FRESH}freg_person", outside_run=inputs.run)
        believed_less |= doubts - {"ungraded"}  # a lowering waits for the next run anyway
    # The answers may name new numbers of these people, and FREG's next events may use them.
    events.route_new_numbers(
        connection,
        owner,
        f"select i.identifikasjonsnummer, p.oppslag from {_FRESH}freg_identifikasjonsnummer i "
        f"join {_FRESH}freg_person p using (foedselsellerdnummer)",
    )
    report.note(connection, job.run, "doubts_beside", sorted(believed_less))
    return bool(believed_less)


def _load(connection: Connection, kommune: Kommune, landing: Landing) -> set[str]:
    """Copy the landed answers into temporary tables; return the numbers of the people in them.

    Staging is not used: it belongs to the run under way. All documents about a person are loaded. Access is only taken
    away here, and only where no document gives it; the strictest protection counts. An answer is about the numbers that
    it says the person has had, even when FREG was asked by another number. The number FREG was asked by does not show
    by itself that the answer is about its holder.
    """
    tables = [table for table in source_tables().values() if table.source == "freg"]
    for table in tables:
        columns = ", ".join(f'"{name.lower()}" {sql_type}' for name, sql_type in table.columns.items())
        subject = f'subject text generated always as ("{table.table.subject.lower()}") stored'
        connection.execute(text(f"create temporary table {_FRESH}{table.name} ({columns}, {subject}) on commit drop"))
    for page in landed(landing):
        try:
            with landing.open(str(page)) as stream:
                _copy(connection, tables, freg_reader(kommune, landing, page)(stream))
        except Unreadable as error:
            raise with_origin(error, "freg", str(page), landing) from None
    for table in tables:
        connection.execute(text(f"analyze {_FRESH}{table.name}"))
    told = text(
        f"select foedselsellerdnummer from {_FRESH}freg_person "
        f"union select identifikasjonsnummer from {_FRESH}freg_identifikasjonsnummer"
    )
    return set(connection.execute(told).scalars())


def _copy(connection: Connection, tables: Sequence[SourceTable], rows: Iterable[tuple[object, ...]]) -> None:
    """Copy each row into the temporary table of its type, 20 000 at a time."""
    table_of = {table.table.row: table for table in tables}
    left = iter(rows)
    while batch := list(islice(left, _ROWS_AT_A_TIME)):
        by_type: dict[type, list[tuple[object, ...]]] = {}
        for row in batch:
            by_type.setdefault(type(row), []).append(row)
        with database.driver(connection).cursor() as cursor:
            for kind, found in by_type.items():
                table = table_of[kind]
                columns = ", ".join(f'"{name.lower()}"' for name in table.columns)
                with cursor.copy(f"copy {_FRESH}{table.name} ({columns}) from stdin") as copy:
                    for row in found:
                        copy.write_row(row)
