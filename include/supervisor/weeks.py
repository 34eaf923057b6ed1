"""Run three kommuner through weeks of a simulated calendar, each run when it is due, with an approver who answers.

A run is ``dataflyt.run.execute``: the functions that the DAGs call, in the same order. Only Airflow is left out, and a
year passes in minutes. On the first day every kommune has its first run, whatever its schedule. Then, day by day, the
simulator is moved to the day and the runs due that day are run, with the time they were due as their ``as_of``.

The approver says yes, but once no and once nothing, to show both. Such a run must leave everything as it was, except
for its vetoes. That is verified and printed for every run that was not released.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple
from zoneinfo import ZoneInfo

import httpx
from rich.markup import escape
from rich.table import Table

from supervisor.airflow_api import http
from supervisor.demo import in_words, number
from supervisor.home import REPOSITORY
from supervisor.processes import SupervisorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from dataflyt.config.kommune import Kommune
    from dataflyt.errors import DataflytError
    from dataflyt.run.approve import Question
    from dataflyt.run.environment import Environment
    from dataflyt.run.execute import Answer
    from dataflyt.run.job import Job
    from supervisor.home import Home

Said = Literal["approved", "rejected", "unanswered"]
OSLO = ZoneInfo("Europe/Oslo")
MONTHS = (
    *("januar", "februar", "mars", "april", "mai", "juni"),
    *("juli", "august", "september", "oktober", "november", "desember"),
)
OUTCOMES = {
    "released": "frigitt",
    "rejected": "avvist",
    "unanswered": "ubesvart",
    "planned": "bare plan",
    "not_published": "ikke publisert",
    "failed": "stoppet",
}
"""The ways a run ends: the columns of the last table."""


class Stand(NamedTuple):
    """The state that an unreleased run must not change: the pointer, and the publication (sha256, its run)."""

    released: int
    manifest: str
    published_run: int


@dataclass
class Waiting:
    """A run that waits for an answer about the plan ``digest``, until the time ``until``."""

    job: Job
    digest: str
    until: datetime
    before: Stand
    changed: dict[str, int]


class Registers:
    """The simulator's clock."""

    def __init__(self, url: str, home: Home) -> None:
        self.http = http(url, timeout=300)
        self.today = home.today
        self.log = home.folder / "logs" / "simulator.log"

    def advance(self, day: date) -> None:
        """Let time pass until ``day``: people, registers and files. Raises SupervisorError."""
        if day <= self.today:
            return
        try:
            self.http.post("/simulator/date", json={"date": day.isoformat()}).raise_for_status()
        except httpx.HTTPError as error:
            raise SupervisorError(
                f"Registersimulatoren kom ikke til {day} ({type(error).__name__}): se loggen {self.log}."
            ) from None
        self.today = day


class Approver:
    """Answers for all kommuner: yes, but once no and once not at all.

    Each first run is approved. Of the later runs that ask, the first is rejected and the second left unanswered. The
    second may be another kommune's, or the same kommune's next run, which asks again about the rejected changes.
    """

    def __init__(self) -> None:
        self.answers: Iterator[Said] = iter(("rejected", "unanswered"))

    def answer(self, *, first: bool) -> Said:
        """Return approved, rejected or unanswered."""
        return "approved" if first else next(self.answers, "approved")


@dataclass
class Calendar:
    """The kommuner, their environment, and the outcomes of their runs so far."""

    kommuner: Sequence[Kommune]
    environment: Environment
    home: Home
    registers: Registers
    approver: Approver
    console: Console
    waiting: dict[str, Waiting] = field(default_factory=dict)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    asked: int = 0
    runs: int = 0
    day: date = date.min

    def __post_init__(self) -> None:
        """Make the calendar the clock of Dataflyt's runs."""
        self.environment = replace(self.environment, now=lambda: datetime.combine(self.day, datetime.max.time(), OSLO))

    def run(self, start: date, weeks: int) -> None:
        """Go through the calendar and print what happens.

        Raises SupervisorError when the simulator stops, and when a run that was not released has changed something.
        """
        began = time.monotonic()
        self.day = start
        write_log(self.home.folder / "logs" / "weeks.log")
        self.console.print(
            "Stegene er de samme funksjonene som Airflows DAG-er kaller (dataflyt.run), her uten Airflow.\n"
            "Demoens godkjenner svarer ja, men én gang nei og én gang ikke i det hele tatt."
        )
        self.console.rule(f"[bold]Første kjøring for hver kommune, {day_in_words(start)}", align="left")
        self.advance(start)
        for kommune in sorted(self.kommuner, key=lambda kommune: due(kommune, start)):
            self.one(kommune, due(kommune, start), first=True)
        for week in range(1, weeks + 1):
            days = [start + timedelta(days=7 * (week - 1) + ahead) for ahead in range(1, 8)]
            self.console.rule(
                f"[bold]Uke {week} av {weeks}, til og med {day_in_words(days[-1])}[/]  "
                f"({time.monotonic() - began:.0f} s så langt)",
                align="left",
            )
            asked, ran = self.asked, self.runs
            for day in days:
                self.pass_day(day)
            if self.runs == ran:
                self.console.print("Ingen kjøring sto for tur denne uken.")
            elif self.asked == asked:
                self.console.print("Ingen kjøring spurte denne uken: alt var innenfor grensene.")
        for waiting in list(self.waiting.values()):
            self.console.rule(f"[bold]Etter siste uke, {day_in_words(waiting.until.date())}", align="left")
            self.time_out(waiting)
        self.sum_up(time.monotonic() - began)

    def pass_day(self, day: date) -> None:
        """Close the runs whose time to answer is over, and run those due on this day."""
        self.day = day
        todays = sorted(
            (due(kommune, day), kommune.id, kommune) for kommune in self.kommuner if kommune.schedule.due(day)
        )
        for moment, _, kommune in [*todays, (datetime.combine(day, datetime.max.time(), OSLO), "", None)]:
            for waiting in [waiting for waiting in self.waiting.values() if waiting.until <= moment]:
                self.time_out(waiting)
            if kommune is None:
                break
            if kommune.id in self.waiting:
                self.console.print(
                    f"\n{kommune.display_name}: forrige kjøring venter på svar, og den nye venter på den."
                )
                continue
            self.advance(day)
            self.one(kommune, moment)

    def advance(self, day: date) -> None:
        """Move the simulator to ``day``, and store the day for its next start."""
        self.registers.advance(day)
        self.home.calendar.write_text(day.isoformat(), encoding="utf-8")
        # The files are whole when the simulator has answered; Dataflyt would still watch each new file for a second.
        for file in self.home.drop.glob("*/*/*"):
            if time.time() - file.stat().st_mtime < 60:
                os.utime(file, (file.stat().st_atime, time.time() - 3600))

    def one(self, kommune: Kommune, moment: datetime, *, first: bool = False) -> None:
        """Run a kommune as its DAG does, to the end or to a question without an answer; print each step."""
        from dataflyt.run.execute import execute
        from dataflyt.run.job import open_job

        began = time.monotonic()
        self.runs += 1
        job = open_job(kommune, f"weeks__{moment.isoformat()}", moment, self.environment)
        before = stand(job)
        said: list[str] = []
        asked: list[tuple[Question, Said]] = []

        def ask(question: Question) -> Answer | None:
            self.asked += 1
            answer = self.approver.answer(first=first)
            asked.append((question, answer))
            return None if answer == "unanswered" else self.answer(job, answer)

        with self.console.status(f"{kommune.display_name}, kjøring {job.run.number} …") as status:

            def attempt(name: str, work: Callable[[], None]) -> DataflytError | None:
                status.update(f"{kommune.display_name}: {name} …")
                error = tried(work)
                said.extend([error.sentence] if error else [])
                return error

            ended = execute(job, ask, attempt=attempt)
        if ended.error and not ended.failed:  # the answer did not count
            raise ended.error
        merged = ended.counts.get("merge", {})
        changed = {kind: count for kind, count in merged.items() if kind != "asks"}
        self.console.print(
            f"\n[bold]{escape(kommune.display_name)}, kjøring {job.run.number}[/], {day_in_words(moment.date())} "
            f"kl. {moment:%H.%M}  ({time.monotonic() - began:.1f} s)"
        )
        self.tell_changes(changed, merged=bool(merged))
        for sentence in said:
            self.console.print(f"  [red]Stoppet:[/] {escape(sentence)}", soft_wrap=True)
        for question, answer in asked:
            self.tell_answer(job, answer)
            if not ended.closed:
                until = moment + timedelta(days=kommune.guard.answer_days)
                self.waiting[kommune.id] = Waiting(job, question.digest, until, before, changed)
        if ended.closed:
            self.tell_outcome(job, ended.closed["outcome"], before, changed, first=first)

    def answer(self, job: Job, said: Said) -> Answer:
        """Return an answer by the kommune's first approver, or an answer by nobody."""
        from dataflyt.run.execute import Answer
        from dataflyt.warehouse.runs import User

        one = job.kommune.approvers[0]
        user = None if said == "unanswered" else User(one.id, one.name)
        return Answer(said, user, "command_line")

    def tell_changes(self, changed: Mapping[str, int], *, merged: bool) -> None:
        """Print a run's planned changes by kind; no number tells of protection."""
        if not merged:
            return
        if not any(changed.values()):
            self.console.print("  Ville ikke endret noe som vises her.")
        for kind, count in changed.items():
            self.console.print(f"  {number(count):>7}  {in_words(kind)}", markup=False)

    def tell_answer(self, job: Job, answer: Said | None) -> None:
        """Print why a run asked, and the approver's answer."""
        from dataflyt.run import report
        from dataflyt.warehouse import runs

        with job.transaction(lock=False) as connection:
            asks = runs.get(connection, job.owner, job.run.number).asks or ""
        name = job.kommune.approvers[0].name
        said = {
            "approved": f"{name} svarte ja.",
            "rejected": f"{name} svarte nei.",
            "unanswered": f"{name} svarte ikke. Kjøringen venter i {job.kommune.guard.answer_days} døgn.",
        }[answer or ""]
        for word in asks.split():
            self.console.print(f"  [yellow]Spurte:[/] {escape(report.reason(word))}", soft_wrap=True)
        self.console.print(f"  {said}", markup=False)

    def time_out(self, waiting: Waiting) -> None:
        """Close a run that nobody has answered in time."""
        from dataflyt.run.approve import answer
        from dataflyt.run.close_run import close_run

        del self.waiting[waiting.job.owner]
        self.console.print(
            f"\n[bold]{escape(waiting.job.kommune.display_name)}, kjøring {waiting.job.run.number}[/]: "
            f"{waiting.job.kommune.guard.answer_days} døgn er gått, {day_in_words(waiting.until.date())}."
        )
        answer(waiting.job, waiting.digest, *self.answer(waiting.job, "unanswered"))
        outcome = close_run(waiting.job, [])["outcome"]
        self.tell_outcome(waiting.job, outcome, waiting.before, waiting.changed)

    def tell_outcome(
        self,
        job: Job,
        outcome: str,
        before: Stand,
        changed: Mapping[str, int],
        *,
        first: bool = False,
    ) -> None:
        """Print a closed run's outcome, and make sure that an unreleased run left everything as it was."""
        from dataflyt.run import report

        self.ended[job.owner, outcome] += 1
        self.console.print(f"  [bold]{report.OUTCOMES[outcome]}[/]", soft_wrap=True)
        if outcome in ("released", "not_published"):
            if not first:
                self.changes.update({(job.owner, kind): count for kind, count in changed.items()})
            return
        after = stand(job)
        if (after.released, after.published_run) != (before.released, before.published_run):
            raise SupervisorError(
                f"{job.kommune.display_name}, kjøring {job.run.number}, ble ikke frigitt, men det som gjelder, er "
                "endret: si fra til en dataingeniør."
            )
        if not before.manifest and not after.manifest:
            self.console.print("  Det er fremdeles ingenting frigitt og ingenting publisert.")
        elif after == before:
            self.console.print(
                f"  Før og etter: frigitt kjøring {before.released}, samme manifest (sha256 {before.manifest[:12]}…)."
            )
        else:
            self.console.print(
                f"  Før og etter: frigitt kjøring {before.released}. Manifestet er skrevet på nytt "
                f"(sha256 {before.manifest[:12]}… ble {after.manifest[:12]}…), uten dem som etter det "
                "kjøringen fikk vite, ikke lenger kan vises eller ha tilgang.",
                soft_wrap=True,
            )

    def sum_up(self, spent: float) -> None:
        """Print the weeks' outcomes by kommune and kind, and where the files are."""
        from dataflyt.run import report

        self.console.rule("[bold]Til sammen", align="left")
        seldom = [name for name in ("planned", "not_published") if self.total(name)]
        shown = ["released", "rejected", "unanswered", *seldom, "failed"]
        table = Table("kommune", box=None, pad_edge=False)
        for title in ("kjøringer", *(OUTCOMES[name] for name in shown)):
            table.add_column(title, justify="right")
        for kommune in self.kommuner:
            counts = [self.ended[kommune.id, name] for name in shown]
            runs = sum(count for (owner, _), count in self.ended.items() if owner == kommune.id)
            table.add_row(kommune.display_name, *(number(count) for count in (runs, *counts)))
        self.console.print(table)
        kinds = [kind for kind in report.KINDS if any(name == kind for _, name in self.changes)]
        if kinds:
            self.console.print()
            table = Table("frigitte endringer etter første kjøring", box=None, pad_edge=False)
            for kommune in self.kommuner:
                table.add_column(kommune.name, justify="right")
            for kind in kinds:
                table.add_row(in_words(kind), *(number(self.changes[kommune.id, kind]) for kommune in self.kommuner))
            self.console.print(table)
        for outcome, words in {"rejected": "avvist", "unanswered": "ubesvart"}.items():
            if not self.total(outcome):
                self.console.print(f"Ingen kjøring ble {words}: for få spurte. Flere uker (WEEKS) gir flere.")
        folder = self.home.folder
        shown_folder = folder.relative_to(REPOSITORY) if folder.is_relative_to(REPOSITORY) else folder
        self.console.print("\n[bold]Filene ligger i:[/]")
        for kommune in self.kommuner:
            manifest = folder / "storage" / "exports" / kommune.id / "manifest.json"
            if manifest.exists():
                publication = json.loads(manifest.read_bytes())["publication"]
                self.console.print(f"  {manifest.parent / publication}", soft_wrap=True)
        self.console.print("[bold]Se på det som ligger der:[/]")
        for kommune in self.kommuner:
            self.console.print(f"  DATAFLYT_LOCAL={shown_folder} make plan KOMMUNE={kommune.id}", soft_wrap=True)
        self.console.print(f"\n[bold green]Ferdig[/] på {spent:.0f} s.")

    def total(self, outcome: str) -> int:
        """Count the runs with this outcome."""
        return sum(count for (_, name), count in self.ended.items() if name == outcome)


def environment(variables: Mapping[str, str]) -> Environment:
    """Set these variables, and return the environment they give a run."""
    from dataflyt.config.connections import from_environment, path_of
    from dataflyt.run.environment import Environment

    os.environ.update(variables)
    return Environment(from_environment, path_of, os.environ["DATAFLYT_STORAGE"])


def due(kommune: Kommune, day: date) -> datetime:
    """Return the moment on ``day`` at which a kommune's runs are due."""
    return datetime.combine(day, datetime.strptime(kommune.schedule.at, "%H:%M").time(), OSLO)


def tried(step: Callable[[], None]) -> DataflytError | None:
    """Do a step; return the error that stopped it.

    No text of an unexpected error is shown: it may quote a row.
    """
    from dataflyt.errors import DataflytError

    try:
        step()
    except DataflytError as error:
        return error
    except Exception as error:
        return DataflytError(f"Uventet feil ({type(error).__name__}): si fra til en dataingeniør.")
    return None


def stand(job: Job) -> Stand:
    """Return what is released and published for a kommune now."""
    from dataflyt.warehouse import runs

    with job.transaction(lock=False) as connection:
        released = runs.released_before(connection, job.owner)
    manifest = job.environment.folder("exports") / job.owner / "manifest.json"
    if not manifest.exists():
        return Stand(released, "", 0)
    content = manifest.read_bytes()
    return Stand(released, hashlib.sha256(content).hexdigest(), json.loads(content)["run"])


def day_in_words(day: date) -> str:
    """Write a day in Norwegian.

    >>> day_in_words(date(2026, 7, 20))
    'mandag 20. juli 2026'
    """
    from dataflyt.config.kommune import WEEKDAYS

    return f"{list(WEEKDAYS.values())[day.weekday()]} {day.day}. {MONTHS[day.month - 1]} {day.year}"


def write_log(path: Path) -> None:
    """Log Dataflyt's lines to a file, and of libraries warnings only: their other lines can hold URLs and rows."""
    logging.basicConfig(filename=path, level=logging.WARNING, format="%(asctime)s %(name)s %(message)s", force=True)
    logging.getLogger("dataflyt").setLevel(logging.INFO)
