"""The warehouse's work for Oslo: loading and merging persons, and computing golden record and plan for guardians.

The simulator makes pupils and guardians, and lands the registers' answers and the school system's file once, in a
temporary folder. Every time is compared with a bare COPY: the same rows, written in the same run by the same client
into plain tables without key or index in the same database.
"""

import io
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

import orjson
import psycopg
from measuring import KOMMUNER, Figure, postgres
from sqlalchemy import Engine, event, make_url, text

from dataflyt.config.connections import Connection
from dataflyt.config.kommune import CaseWorker
from dataflyt.config.loading import find
from dataflyt.records.show_person import show_person
from dataflyt.run.approve import answer, question
from dataflyt.run.environment import Environment
from dataflyt.run.freg_parts import FREG_PARTS
from dataflyt.run.job import Job, mark_passed, open_job
from dataflyt.run.landed import stage
from dataflyt.run.merge import merge
from dataflyt.run.release import release
from dataflyt.sources.freg import bulk
from dataflyt.sources.freg import rows as freg_rows
from dataflyt.storage.database import driver, keep_connections
from dataflyt.storage.landing import Landing
from dataflyt.warehouse import golden, plan, runs, staging
from dataflyt.warehouse import merge as merging
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.tables import GOLDEN, SourceTable, source_tables
from simulator.files import write_pifu
from simulator.large import Family, Large
from simulator.model import Member, Person, SasPerson
from simulator.registers import elements, folkeregisterperson, krr_person

DAY = date(2026, 11, 22)
PER_PAGE = 1000
T = TypeVar("T")


class Guardians(Large):
    """Pupils and guardians alone. The registers' answers about them are landed while the SAS file is written."""

    def __init__(self, pupils: int, landing: Path) -> None:
        super().__init__("1106", 1, DAY, pupils)
        self.groups = []
        self.guardians = 0
        parts = (*FREG_PARTS, "foreldreansvar", "familierelasjon")
        self._wanted, _ = elements(parts)
        names = {"freg/1-pupils": "oppslag", "freg/2-guardians": "oppslag", "krr/krr": "personer"}
        self._pages = {name: _Pages(landing / name, key) for name, key in names.items()}

    def sas_persons(self) -> Iterator[SasPerson]:
        """Everybody in the SAS file except employees."""
        for number in range(self.people.families):
            family = self.people.family_of(number)
            self._land(family)
            yield from (pupil.sas for pupil in family.pupils)
            yield from family.sas_guardians
        for pages in self._pages.values():
            pages.flush()

    def memberships(self) -> Iterator[tuple[str, list[Member]]]:
        """Schools and their pupils."""
        for school, members in super().memberships():
            yield school, [member for member in members if member.role == "01"]

    def _land(self, family: Family) -> None:
        children = [pupil.person for pupil in family.pupils if pupil.person]
        responsible = {record.ansvarlig for child in children for record in child.responsibility}
        for child in children:
            self._pages["freg/1-pupils"].add(self._answer(child))
        for adult in family.adults:
            if adult.number in responsible:
                self.guardians += 1
                self._pages["freg/2-guardians"].add(self._answer(adult))
                self._pages["krr/krr"].add(krr_person(adult.number, adult, contact=True, mailbox=False))

    def _answer(self, person: Person) -> dict[str, Any]:
        document = folkeregisterperson(person, self._wanted, history=False)
        return {"foedselsEllerDNummer": person.number, "folkeregisterperson": document}


class _Pages:
    """Answers to a thousand numbers each."""

    def __init__(self, stem: Path, key: str) -> None:
        stem.parent.mkdir(parents=True, exist_ok=True)
        self._stem, self._key, self._page, self._waiting = stem, key, 0, []

    def add(self, answer: dict[str, Any]) -> None:
        self._waiting.append(answer)
        if len(self._waiting) == PER_PAGE:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._page += 1
            path = self._stem.with_name(f"{self._stem.name}-{self._page:05d}.json")
            path.write_bytes(orjson.dumps({self._key: self._waiting}))
            self._waiting = []


class Timer:
    """The seconds of named pieces of work."""

    def __init__(self) -> None:
        self.took: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.took[name] = time.perf_counter() - began

    def around(self, name: str, work: Callable[..., T]) -> Callable[..., T]:
        """Return ``work``, timed whenever it is called."""

        def timed(*args: Any, **kwargs: Any) -> T:
            with self(name):
                return work(*args, **kwargs)

        return timed


def job(owner: str, url: str, folder: Path, run: int) -> Job:
    """Open a run of a kommune of this id."""
    kommune = find(KOMMUNER, "haugesund").model_copy(update={"id": owner})
    environment = Environment(lambda name: Connection(name, url), Path, str(folder))
    return open_job(kommune, f"run-{run}", datetime(2026, 11, 21 + run, 3, tzinfo=UTC), environment)


# --- Persons --------------------------------------------------------------------------------------------------------


class NoPages(Landing):
    """In place of landed pages when the rows have been read already."""

    def __init__(self) -> None:
        super().__init__(None)

    def open(self, name: str) -> io.BytesIO:
        """Return an empty page."""
        return io.BytesIO()


def persons_of(landing: Path, count: int) -> list[NamedTuple]:
    """Read the rows of this many persons."""
    rows: list[NamedTuple] = []
    for page in sorted((landing / "freg").glob("*.json"))[: -(-count // PER_PAGE)]:
        with page.open("rb") as stream:
            rows += bulk.read(stream)
    return rows


def one_in_a_hundred_renamed(rows: Iterable[NamedTuple], name: str) -> tuple[list[NamedTuple], int]:
    """Give one person in a hundred this family name; return how many."""
    changed, seen, some = [], 0, 0
    for row in rows:
        if isinstance(row, freg_rows.Navn):
            seen += 1
            if seen % 100 == 0:
                row, some = row._replace(etternavn=name), some + 1
        changed.append(row)
    return changed, some


def close(opened: Job) -> None:
    """Let the server write earlier changes to disk, so that the next measurement does not wait for them."""
    with opened.transaction() as connection:
        connection.execute(text("checkpoint"))


def a_week_passes(url: str) -> None:
    """Analyse and vacuum the tables that a first run has filled, as the server itself does within a week."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")


def bare_copy(opened: Job, columns: dict[str, dict[str, str]], rows: dict[str, list[Any]]) -> float:
    """COPY rows into new plain tables; return the seconds, the commit included."""
    with opened.transaction() as connection:
        for name, types in columns.items():
            made = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
            connection.execute(text(f"drop table if exists staging_{opened.owner}.bare_{name}"))
            connection.execute(text(f"create table staging_{opened.owner}.bare_{name} ({made})"))
    began = time.perf_counter()
    with opened.transaction() as connection, driver(connection).cursor() as cursor:
        for name, found in rows.items():
            with cursor.copy(f"copy staging_{opened.owner}.bare_{name} from stdin") as copy:
                for row in found:
                    copy.write_row(row)
    return time.perf_counter() - began


def load_and_merge(opened: Job, rows: list[NamedTuple]) -> tuple[float, float, int]:
    """Stage and merge persons; seconds for each, and history rows opened."""
    began = time.perf_counter()
    with opened.transaction() as connection:
        staging.prepare(connection, opened.owner, "freg")
        pages = [("page", lambda _: iter(rows))]
        staging.load(connection, opened.owner, opened.run.number, "freg", pages, NoPages())
    staged = time.perf_counter()
    with opened.transaction() as connection:
        clean = merging.clean_rows(connection, opened.owner, opened.run.number)
        merged = merging.merge_history(clean)
    return staged - began, time.perf_counter() - staged, sum(opened_rows for opened_rows, _ in merged.values())


def measure_persons(urls: dict[str, str], folder: Path, rows: list[NamedTuple]) -> list[Figure]:
    """Merge persons, and then five times with one in a hundred changed, each time between two bare COPYs."""
    job_of = partial(job, "persons", urls["kommune_persons"], folder)
    first = job_of(1)
    with first.transaction() as connection:
        for source in ("krr", "hr", "sas"):
            staging.prepare(connection, "persons", source)
    tables: dict[type, SourceTable] = {t.table.row: t for t in source_tables().values() if t.source == "freg"}
    columns = {table.name: table.columns for table in tables.values()}
    load_and_merge(first, rows)
    a_week_passes(urls["dataflyt"])
    times: list[tuple[float, float, float]] = []
    for run in range(2, 7):
        rows, some = one_in_a_hundred_renamed(rows, f"Nytt{run}")
        by_table: dict[str, list[Any]] = {name: [] for name in columns}
        for row in rows:
            by_table[tables[type(row)].name].append(row)
        with first.transaction() as connection:
            connection.execute(text("update control.run set state = 'released' where owner = 'persons'"))
        next_ = job_of(run)
        close(next_)
        before = bare_copy(next_, columns, by_table)
        close(next_)
        staged, merged, new = load_and_merge(next_, rows)
        if new != some:
            raise SystemExit(f"{new} rows opened where {some} were changed")
        close(next_)
        times.append((staged, merged, (before + bare_copy(next_, columns, by_table)) / 2))
    staged, merged, bare = (median(took) for took in zip(*times, strict=True))
    ratios = sorted((staged + merged) / bare for staged, merged, bare in times)
    ratio = median(ratios)
    return [
        Figure(
            f"COPY into staging and merge of {len(by_table['freg_person'])} persons ({len(rows)} rows), 1 % changed",
            f"{staged + merged:.1f} s",
        ),
        Figure("  bare COPY of the same rows", f"{bare:.1f} s"),
        Figure(
            f"  ratio, median of five from {ratios[0]:.1f} to {ratios[-1]:.1f} "
            f"(staging {staged / bare:.1f}, merge {merged / bare:.1f})",
            f"{ratio:.1f}",
            "aim: at most 2.5",
            ratio <= 2.5,
        ),
    ]


# --- Guardians ------------------------------------------------------------------------------------------------------


def passed(one: Job) -> None:
    """Note the steps that a run passes before its merge, which are not measured here."""
    with one.transaction() as connection:
        for step in ("withdraw", "check"):
            mark_passed(connection, one, step)


def approve(one: Job) -> None:
    """Answer yes to what the run asks."""
    if asked := question(one):
        approver = one.kommune.approvers[0]
        answer(one, asked.digest, "approved", runs.User(approver.id, approver.name), "command_line")


def read_staging(one: Job) -> None:
    """Read every column of every staged row."""
    with one.transaction(lock=False) as connection:
        for name in source_tables():
            connection.execute(text(f"select count(cast(s as text)) from staging_{one.owner}.{name} s"))


def week(opened: Callable[[int], Job], run: int, timer: Timer, *, changed: bool) -> dict[str, float]:
    """Merge the staged rows in another run, with another family name for one in a hundred; return what each part took.

    The run is not released.
    """
    one = opened(run)
    with one.transaction() as connection:  # the same answers again, from staging
        staged = text("update control.staged set run = :run where owner = :owner")
        connection.execute(staged, {"run": run, "owner": one.owner})
        if changed:
            rename = f"update staging_{one.owner}.freg_navn set etternavn = 'Nytt' where row_id % 100 = 0"
            connection.execute(text(rename))
    passed(one)
    close(one)
    timer.took.clear()
    with timer("whole"):
        merge(one)
    return dict(timer.took)


def measure_guardians(urls: dict[str, str], folder: Path, guardians: int, pupils: int) -> list[Figure]:
    """Merge a first run, and then a week with nothing changed and a week with one in a hundred changed."""
    timer = Timer()
    real = golden.compute, plan.build, merging.merge_history, merging.merge_golden
    golden.compute, plan.build = timer.around("golden", real[0]), timer.around("plan", real[1])
    merging.merge_history = timer.around("history", real[2])
    merging.merge_golden = timer.around("merge of golden", real[3])
    job_of = partial(job, "oslo", urls["kommune_oslo"], folder)
    try:
        first = job_of(1)
        with first.transaction() as connection:
            staging.prepare(connection, "oslo", "hr")
            staging.load(connection, "oslo", 1, "hr", [], first.landing("hr"))
        for source in ("sas", "freg", "krr"):
            stage(first, source)
        passed(first)
        merge(first)
        new = dict(timer.took)
        approve(first)
        release(first)
        a_week_passes(urls["dataflyt"])
        same = week(job_of, 2, timer, changed=False)
        with timer("staging"):
            read_staging(first)
        read = timer.took["staging"]
        weekly = week(job_of, 3, timer, changed=True)
    finally:
        golden.compute, plan.build, merging.merge_history, merging.merge_golden = real
    looks = measure_pages(first)
    rows: dict[str, list[Any]] = {}
    with first.transaction() as connection:
        for name, table in GOLDEN.items():
            wanted = ", ".join(f'"{column}"' for column in table.columns)
            found = connection.execute(text(f"select {wanted} from golden.{name} where owner = 'oslo'"))
            rows[name] = [tuple(row) for row in found]
    if not rows["guardian_access"]:
        raise SystemExit("The golden record is empty: the pages that were landed are not read.")
    bare = bare_copy(first, {name: table.columns for name, table in GOLDEN.items()}, rows)
    count = sum(map(len, rows.values()))
    whole = weekly["whole"]
    return [
        Figure(
            f"golden record and plan of {guardians} guardians and {pupils} pupils, first run",
            f"{new['golden'] + new['plan']:.1f} s",
        ),
        Figure(
            f"  golden {new['golden']:.1f} s, plan {new['plan']:.1f} s; a second run, nothing changed: golden, plan",
            f"{same['golden']:.1f} s, {same['plan']:.1f} s",
        ),
        Figure(f"  bare COPY of the golden record's {count} rows", f"{bare:.1f} s"),
        Figure("  ratio, first run and second", f"{_ratio(new, bare):.1f}, {_ratio(same, bare):.1f}"),
        Figure("a week, 1 % changed: the whole step merge", f"{whole:.1f} s", "aim: at most 30 s", whole <= 30),
        Figure("  history, golden, merge of golden, plan", _parts(weekly)),
        Figure("a week, nothing changed: the whole step merge", f"{same['whole']:.1f} s"),
        Figure("  history, golden, merge of golden, plan", _parts(same)),
        Figure("  reading every column of the staged rows", f"{read:.1f} s"),
        Figure(
            "  history against that reading",
            f"{same['history'] / read:.1f}",
            "aim: at most 2",
            same["history"] <= 2 * read,
        ),
        *looks,
    ]


# --- One person -----------------------------------------------------------------------------------------------------


def measure_pages(one: Job) -> list[Figure]:
    """Show twenty pupils and twenty guardians: the clock, and the pages of 8 KiB that each query reads.

    As the API server does it, over a connection that is kept.
    """
    keep_connections(1)
    visitor = Visitor("1", "Anita", "måling", "bench")
    kommune = one.kommune.model_copy(update={"people": (CaseWorker(id="1", name="Anita", may=("persons", "graded")),)})
    with one.transaction(lock=False) as connection:
        found = connection.execute(
            text(
                "select number from golden.person p where owner = :owner and to_run is null and number is not null "
                "and person_id::text in ((select child_id::text from golden.guardian_access order by child_id limit 20)"
                " union all (select adult from golden.guardian_access where adult_kind = 'person' "
                "order by adult limit 20))"
            ),
            {"owner": one.owner},
        )
        numbers = list(found.scalars())

    def page(number: str) -> float:
        began = time.perf_counter()
        show_person(kommune, one.environment, number, visitor, graded=True)
        return (time.perf_counter() - began) * 1000

    took = sorted(page(number) for number in numbers)
    read: dict[str, int] = {}

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip("( \n").startswith(("select", "with")):
            with connection.connection.driver_connection.cursor() as cursor:
                cursor.execute(f"explain (analyze, buffers, format json) {statement}", parameters or None)
                top = cursor.fetchone()[0][0]["Plan"]
            read[statement] = max(read.get(statement, 0), top["Shared Hit Blocks"] + top["Shared Read Blocks"])

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        for number in numbers:
            page(number)
    finally:
        event.remove(Engine, "before_cursor_execute", explain)
    return [
        Figure(
            f"one person's history, {len(numbers)} people: median, from {took[0]:.0f} to {took[-1]:.0f}",
            f"{median(took):.0f} ms",
            "aim: at most 50 ms",
            median(took) <= 50,
        ),
        Figure(f"  pages of 8 KiB read by its {len(read)} queries, and by the greatest", _pages(read)),
    ]


def _pages(read: dict[str, int]) -> str:
    return f"{sum(read.values())}, {max(read.values())}"


def _parts(took: dict[str, float]) -> str:
    return ", ".join(f"{took[part]:.1f}" for part in ("history", "golden", "merge of golden", "plan"))


def _ratio(took: dict[str, float], bare: float) -> float:
    return (took["golden"] + took["plan"]) / bare


def measure(pupils: int = 70_000, persons: int = 100_000) -> list[Figure]:
    """Make the people, and measure both."""
    with (
        tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as made,
        postgres(Path(made), ["persons", "oslo"]) as urls,
    ):
        folder = Path(made)
        landing = folder / "landing" / "oslo" / "000001"
        people = Guardians(pupils, landing)
        (landing / "sas").mkdir(parents=True)
        with (landing / "sas" / "pifu-00001.xml").open("wb") as out:
            write_pifu(people, DAY, out)
        rows = persons_of(landing, persons)
        found = measure_persons(urls, folder, rows)
        rows.clear()
        return found + measure_guardians(urls, folder, people.guardians, pupils)


if __name__ == "__main__":
    import sys

    print(*measure(*(int(size) for size in sys.argv[1:])), sep="\n")
