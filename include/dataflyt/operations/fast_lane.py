"""The fast lane: what FREG tells of people that a kommune holds takes away within the hour, whatever its runs do.

    read FREG's event list once, for all kommuner -> who is held, and by whom, waits in the warehouse
        -> for each kommune: ask FREG about them by its own grant, write vetoes, publish anew without what they take
        -> every kommune's publication is brought in line with what else has changed since (``nightly``)

Only what takes away: protection, foreldreansvar, deaths, numbers that change. What gives waits for the kommune's next
run. The list is read at the connection ``freg_events`` and kept track of by ``warehouse_events``, which sees keyed
hashes and owners alone; each kommune's people are asked for at its own connection and handled as its own role.

Killed at any point it is run again: the place in the list moves in the transaction that keeps what was read before it,
and whoever waits does so until the kommune is published anew.
"""

import logging
from collections.abc import Iterable, Mapping
from functools import partial

from sqlalchemy import Connection, Engine, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, DataflytError, DataInDoubt, SourceRefused, Unreadable
from dataflyt.operations.nightly import Outcome, bring_in_line, trouble_of
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.run.freg_parts import EMPLOYEE_PARTS, freg_parts
from dataflyt.run.job import Job
from dataflyt.run.landed import freg_reader
from dataflyt.run.republish import republish
from dataflyt.run.whom_to_ask import responsible
from dataflyt.sources import freg
from dataflyt.sources.freg import client as freg_client
from dataflyt.sources.freg.events import EventList, Page, TooOld
from dataflyt.sources.origin import with_origin
from dataflyt.storage import database
from dataflyt.storage.files import remove
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import landed
from dataflyt.warehouse import events, golden, runs, veto, vetoed_views
from dataflyt.warehouse.tables import source_tables

log = logging.getLogger(__name__)

FEED = "freg"
LIST, WAREHOUSE = "freg_events", "warehouse_events"
"""The connections of the installation: FREG's event list, and the warehouse as ``dataflyt_events``."""

PAGES_AT_A_TIME = 100
"""So many pages are read before what they told of is kept: at most 100 000 hashes in memory."""

_FRESH = "fresh_"
_ROWS_AT_A_TIME = 20_000


def run(kommuner: Iterable[Kommune], environment: Environment) -> Outcome:
    """Read the list, and take away what it tells of, kommune by kommune. No trouble of one stops the others.

    Raises ConfigError or SourceUnavailable when the warehouse itself cannot be reached.
    """
    db = database.engine(environment.connect(WAREHOUSE).url)
    outcome = Outcome({"pages": 0, "events": 0, "kommuner": 0, "waiting": 0})
    if trouble := trouble_of(lambda: read(environment, outcome.counts), "Folkeregisterets hendelser"):
        with database.reading_events(db) as connection:
            known = events.pointer(connection, FEED)
        since = f" De ble sist lest {known.read_at:%d.%m.%Y kl. %H.%M} UTC." if known else ""
        outcome.trouble.append(type(trouble)(trouble.sentence + since, **trouble.facts))
    by_id = {kommune.id: kommune for kommune in kommuner}
    with database.reading_events(db) as connection:
        waiting = events.owners(connection)
    for owner in waiting:
        if trouble := trouble_of(partial(_withdraw_of, owner, by_id, environment), owner):
            outcome.trouble.append(trouble)
        else:
            outcome.counts["kommuner"] += 1
    for owner in sorted(by_id.keys() - waiting):  # what a try that was killed has landed, and nobody waits for
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
    """Read the list to its end, adding to ``counts``; what concerns nobody we hold is dropped unread.

    The first time, and when the place we had come to is no longer kept (36 months), nobody knows what has been missed:
    every kommune then asks about everybody it holds, and the list is read from its end. The latter raises DataInDoubt,
    afterwards, so that somebody is told.
    """
    db = database.engine(environment.connect(WAREHOUSE).url)
    with database.reading_events(db) as connection:
        known, secret = events.pointer(connection, FEED), events.key(connection)
    heard: dict[str, int] = {}
    unkept: Page | None = None

    def keep(page: Page) -> None:
        with database.reading_events(db) as connection:
            events.let_wait(connection, heard.items())
            events.move_pointer(connection, FEED, page.next_seq, page.etag, ahead=page.ahead)
        heard.clear()

    with EventList(environment.connect(LIST)) as event_list:
        try:
            for page in event_list.pages(known.next_seq, known.etag) if known else ():
                heard.update((events.hashed(secret, number), seq) for number, seq in page.urgent)
                counts["pages"] += 1
                counts["events"] += page.events
                unkept = page
                if page.ahead:
                    log.warning("The event list has newer numbers than events: it is read on from here next time.")
                if not page.events or counts["pages"] % PAGES_AT_A_TIME == 0:
                    keep(page)
                    unkept = None
            if known:
                return
        except TooOld:
            log.warning("The place in the event list is older than what FREG keeps: everybody is asked about anew.")
        except DataflytError:
            if unkept:  # what was told before it stopped does not wait until all of it can be read
                keep(unkept)
            raise
        end = event_list.end()
    with database.reading_events(db) as connection:
        events.let_all_wait(connection, end - 1)
        events.move_pointer(connection, FEED, end, None)
    if known:
        raise DataInDoubt(
            "noen som vi ikke har lest, er slettet, for de er eldre enn 36 måneder. Det blir spurt på nytt om alle som "
            "kommunene har; start også en kjøring med full innlasting i hver kommune."
        )


def withdraw(kommune: Kommune, environment: Environment) -> None:
    """Ask FREG about whom the list has told of, write what that takes away, and publish the kommune without it.

    Raises SourceUnavailable or SourceRefused when FREG does not answer: they wait. Whom it leaves out, or will not tell
    of, waits for the next day, and that is raised once, as SourceRefused. DataInDoubt when what is told is too much to
    believe: that is not taken, all else is.
    """
    owner = kommune.id
    db = database.engine(environment.connect(kommune.warehouse).url)
    landing = _landing(owner, environment)
    remove(landing.folder)  # of a try that was killed: answers of then
    try:
        with database.transaction(db, owner, lock=False) as connection:
            people = events.waiting(connection, owner)
        employees = kommune.sources.freg.employees
        numbers = {one.number: one.part for one in people if one.number and (employees or one.part != "employee")}
        if numbers:
            _ask(kommune, environment, db, landing, numbers)
        with database.transaction(db, owner) as connection:
            job = Job(kommune, runs.get(connection, owner, runs.newest(connection, owner)), environment)
            answered = _load(connection, kommune, landing)
            in_doubt = bool(answered) and _learn(connection, job)
        republish(kommune, environment)
    finally:
        remove(landing.folder)
    if in_doubt:
        raise DataInDoubt(
            "det Folkeregisteret svarte om hendelsene, er ikke godtatt: det skiller seg for mye fra det kommunen har. "
            "Det som beskytter noen, gjelder likevel straks. Undersøk om kommunen har mistet rettigheter i "
            "Folkeregisteret, eller om Folkeregisteret har endret svarene sine, og start en kjøring."
        )
    # What a run under way has been told may be older, and its people are not in the golden record yet: once more then.
    if job.run.state == "open":
        return
    # There is nothing to take away from somebody whom FREG has never answered about.
    left = [one for one in people if one.number in numbers and one.number not in answered and one.known]
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
    """Land FREG's answers about pupils, about the others, and about adults that the pupils' answers name first now.

    About employees no more is asked than a run asks.
    """
    ask = partial(freg_client.extract, kommune.sources.freg, environment, landing)
    pupils, others, employees = (
        [number for number, part in numbers.items() if part == wanted] for wanted in ("pupil", "other", "employee")
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
    ask(numbers=employees, parts=EMPLOYEE_PARTS, phase=freg.EMPLOYEES)


def _learn(connection: Connection, job: Job) -> bool:
    """Write the vetoes of the answers in the fresh tables; tell whether some were too much to believe.

    Why is noted with the kommune's newest run, for those who may see protection.
    """
    owner, inputs = job.owner, job.golden_inputs
    views = golden.views_of_staging(connection, owner, ["freg"], prefix=_FRESH)
    computed = golden.compute(views, inputs, for_vetoes=True)
    # A run that waits for its answer must not give, or lift, when released what FREG has taken since.
    against: list[tuple[int, int | None]] = [(runs.released_before(connection, owner), None)]
    if job.run.state == "merged":
        against.append((job.run.number, job.run.number))
    believed_less: set[str] = set()
    for number, lifting in against:
        now = vetoed_views.views(connection, owner, number, "now_", lifting=lifting)
        doubts = veto.learn(computed, now, job.kommune.guard, answered=f"{_FRESH}freg_person", outside_run=inputs.run)
        believed_less |= doubts - {"ungraded"}  # a lowering waits for the next run anyway
    # Numbers that we hear of here first: what FREG tells of them next is told under them.
    events.route_new_numbers(
        connection,
        owner,
        f"select i.identifikasjonsnummer, p.oppslag from {_FRESH}freg_identifikasjonsnummer i "
        f"join {_FRESH}freg_person p using (foedselsellerdnummer)",
    )
    report.note(connection, job.run, "doubts_beside", sorted(believed_less))
    return bool(believed_less)


def _load(connection: Connection, kommune: Kommune, landing: Landing) -> set[str]:
    """Copy the landed answers into temporary tables; return the numbers of whom they tell.

    Not into staging, which is the run's under way. Documents that disagree are not told apart: access is only taken
    here, and only from whom no document gives it; the strictest protection of all counts. Somebody's answer tells of
    the numbers that it says they have had, also where another was asked for; what it was asked for alone is no sign
    that it is theirs.
    """
    tables = [table for table in source_tables().values() if table.source == "freg"]
    for table in tables:
        columns = ", ".join(f'"{name.lower()}" {sql_type}' for name, sql_type in table.columns.items())
        subject = f'subject text generated always as ("{table.table.subject.lower()}") stored'
        connection.execute(text(f"create temporary table {_FRESH}{table.name} ({columns}, {subject}) on commit drop"))
    waiting: dict[type, list[tuple[object, ...]]] = {table.table.row: [] for table in tables}

    def flush() -> None:
        with database.driver(connection).cursor() as cursor:
            for table in tables:
                columns = ", ".join(f'"{name.lower()}"' for name in table.columns)
                rows = waiting[table.table.row]
                if rows:
                    with cursor.copy(f"copy {_FRESH}{table.name} ({columns}) from stdin") as copy:
                        for row in rows:
                            copy.write_row(row)
                    rows.clear()

    for page in landed(landing):
        try:
            with landing.open(str(page)) as stream:
                for count, row in enumerate(freg_reader(kommune, landing, page)(stream), 1):
                    waiting[type(row)].append(row)
                    if count % _ROWS_AT_A_TIME == 0:
                        flush()
        except Unreadable as error:
            raise with_origin(error, "freg", str(page), landing) from None
        flush()
    for table in tables:
        connection.execute(text(f"analyze {_FRESH}{table.name}"))
    told = text(
        f"select foedselsellerdnummer from {_FRESH}freg_person "
        f"union select identifikasjonsnummer from {_FRESH}freg_identifikasjonsnummer"
    )
    return set(connection.execute(told).scalars())
