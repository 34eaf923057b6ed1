"""Run a kommune's DAG in Airflow, as its operator and its approver would, and print the outcome."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
from rich.live import Live
from rich.markdown import Markdown
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from supervisor.processes import SupervisorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from supervisor.airflow_api import AirflowApi
    from supervisor.processes import Processes

PAUSE = 1.0
"""Seconds between two looks at a run."""

THINKING = 3.0
"""Seconds before a question is answered. Airflow 3.3 runs a task anew, and asks again, when the answer comes before the
scheduler has heard that the asking process ended."""

LONGEST_RETRY = 20.0
"""Seconds that the demo waits for a task that Airflow will try again."""

STATES = {
    None: "venter",
    "scheduled": "venter",
    "queued": "i kø",
    "running": "[cyan]arbeider[/]",
    "restarting": "starter på nytt",
    "up_for_retry": "[yellow]prøver igjen[/]",
    "awaiting_input": "[yellow]venter på svar[/]",
    "deferred": "[yellow]venter[/]",
    "success": "[green]ferdig[/]",
    "skipped": "hoppet over",
    "failed": "[red]feilet[/]",
    "upstream_failed": "[red]ikke kjørt[/]",
    "removed": "fjernet",
}
WORTH_A_LINE = {"running", "success", "failed", "upstream_failed", "skipped", "awaiting_input", "up_for_retry"}


@dataclass
class Demo:
    """One run of one kommune's DAG. ``approver`` is logged in to Airflow as the person who answers the guard."""

    airflow: AirflowApi
    approver: Callable[[], AirflowApi]
    approver_name: str
    dag: str
    console: Console
    processes: Processes
    states: dict[str, str | None] = field(default_factory=dict)
    paused: bool = True
    """Whether the DAG was paused before, and is paused again afterwards."""

    def wait_until_read(self, since: datetime) -> str:
        """Wait until Airflow has read the kommune's DAG after ``since``; return its display name."""
        found: dict[str, Any] = {}

        def read() -> bool:
            details = self.airflow.dag(self.dag)
            parsed = details and details.get("last_parsed_time")
            if details and parsed and datetime.fromisoformat(parsed) >= since:
                found.update(details)
                return True
            if errors := self.airflow.import_errors():
                raise SupervisorError("Airflow kan ikke lese DAG-filen:\n" + errors[0].rstrip().splitlines()[-1])
            return False

        self.processes.wait_for("Airflows DAG-leser", read)
        if found["is_paused"] and "feil" in {tag["name"] for tag in found["tags"]}:
            raise SupervisorError(str(found["doc_md"]))
        self.paused = bool(found["is_paused"])
        return str(found["dag_display_name"])

    def run(self) -> str:
        """Start a run and follow it to its end; return its final state, success or failed."""
        for run in self.airflow.active_runs(self.dag):
            self.console.print(f"En tidligere kjøring ble avbrutt ({run}). Den lukkes; den nye angrer det den rakk.")
            self.airflow.give_up(self.dag, run)
        run = self.airflow.trigger(self.dag, "Startet av make demo")
        self.airflow.pause(self.dag, False)
        try:
            if not self.console.is_terminal:
                return self.follow(run, lambda tasks: None)
            with Live(console=self.console, refresh_per_second=8) as live:
                return self.follow(run, lambda tasks: live.update(progress(tasks)))
        finally:
            with suppress(httpx.HTTPError):
                # The DAG is paused again unless make up has let it run. Left unpaused, it would run at the next start.
                self.airflow.pause(self.dag, self.paused)

    def follow(self, run: str, show: Callable[[list[dict[str, Any]]], None]) -> str:
        """Show the tasks until the run has ended, and answer its question; give up on a long wait for a retry."""
        asked = waited = 0.0
        while True:
            self.processes.must_run()
            state = self.airflow.run_state(self.dag, run)
            tasks = sorted(self.airflow.tasks(self.dag, run), key=order)
            show(tasks)
            for task in tasks:
                self.tell(task)
            asking = [task["task_id"] for task in tasks if task["state"] == "awaiting_input"]
            asked = asked + PAUSE if asking else 0
            if asked > THINKING:
                self.answer(run, asking[0])
                asked = 0
            if state in {"success", "failed"}:
                if state == "failed":
                    self.explain(run, tasks, "failed")
                return state
            waited = waited + PAUSE if any(task["state"] == "up_for_retry" for task in tasks) else 0
            if waited > LONGEST_RETRY:
                self.explain(run, tasks, "up_for_retry")
                self.console.print("Airflow venter for å prøve igjen. Demoen har ingenting å vente på, og gir opp.")
                self.airflow.give_up(self.dag, run)
                return "failed"
            time.sleep(PAUSE)

    def tell(self, task: dict[str, Any]) -> None:
        """Print a line when a task has a new state, where the terminal shows no table."""
        name, state = task["task_id"], task["state"]
        if self.states.get(name) != state and state in WORTH_A_LINE and not self.console.is_terminal:
            self.console.print(f"  {task['task_display_name']}: {STATES[state]}{seconds(task)}")
        self.states[name] = state

    def answer(self, run: str, task: str) -> None:
        """Show the question and answer it as the approver, and say so."""
        question = self.airflow.question(self.dag, run, task)
        self.console.print(f"\n[bold]Vakten spør:[/] {escape(question['subject'])}")
        self.console.print(Padding(Markdown(question["body"] or ""), (0, 2)))
        self.approver().answer(self.dag, run, task, "Approve")
        self.console.print(
            f"[bold]Demoens godkjenner, {self.approver_name}, svarer ja[/] over Airflows REST-API. "
            "I drift er det et menneske som svarer, i Airflow.\n"
        )

    def explain(self, run: str, tasks: list[dict[str, Any]], state: str) -> None:
        """Print the sentence with which each task in ``state`` stopped."""
        for task in tasks:
            if task["state"] == state:
                with suppress(httpx.HTTPError):
                    sentence = self.airflow.failure(self.dag, run, task)
                    self.console.print(f"[red]{task['task_display_name']}:[/] {escape(sentence or 'se loggen')}")


def order(task: dict[str, Any]) -> tuple[bool, str]:
    """Sort tasks by when they began; the waiting ones come last, in Airflow's order."""
    return task["start_date"] is None, task["start_date"] or ""


def seconds(task: dict[str, Any]) -> str:
    """Return a finished task's duration, as a suffix."""
    return f" ({task['duration']:.1f} s)" if task["duration"] and task["state"] in {"success", "failed"} else ""


def progress(tasks: list[dict[str, Any]]) -> Table:
    """Draw the tasks and their states."""
    table = Table.grid(padding=(0, 2))
    for task in tasks:
        table.add_row("  " + task["task_display_name"], STATES.get(task["state"], str(task["state"])) + seconds(task))
    return table


def reports(folder: Path) -> set[Path]:
    """Find the reports of a kommune's runs."""
    return set(folder.glob("run-*.json"))


def newest_report(folder: Path, known: set[Path]) -> dict[str, Any]:
    """Read the report that this run wrote; raises SupervisorError when it wrote none."""
    written = sorted(reports(folder) - known)
    if not written:
        raise SupervisorError(f"Kjøringen skrev ingen rapport i {folder}.")
    report: dict[str, Any] = json.loads(written[-1].read_text(encoding="utf-8"))
    return report


COLUMNS = {
    "received": "mottatt",
    "quarantined": "karantene",
    "held_over": "holdt over",
    "duplicates": "dubletter",
    "staged": "til fletting",
}
"""A report's columns, as the summary names them: the first is the sum of the others."""


def summarise(report: dict[str, Any], exports: Path, console: Console) -> None:
    """Print a run's report: received, quarantined, merged, changed, published, and where below ``exports``."""
    tables = Table(title="Mottatt", title_justify="left", title_style="bold", box=None, pad_edge=False)
    tables.add_column("tabell")
    for title in COLUMNS.values():
        tables.add_column(title, justify="right")
    rows = report.get("tables", [])
    for row in rows:
        tables.add_row(row["table"], *(number(row.get(column, 0)) for column in COLUMNS))
    totals = {column: sum(row.get(column, 0) for row in rows) for column in COLUMNS}
    tables.add_row("[bold]i alt[/]", *(f"[bold]{number(total)}[/]" for total in totals.values()))
    console.print(tables)
    for held in report.get("quarantine") or []:
        console.print(
            f"  i karantene: {number(held['rows'])} i {held['table_name']}: {held['reason']} "
            f"Rettes av: {held['responsible']}.",
            markup=False,
            soft_wrap=True,
        )

    merged = (report.get("merged") or {}).values()
    opened, closed = (sum(table[what] for table in merged) for what in ("opened", "closed"))
    console.print(f"\n[bold]Flettet:[/] {number(opened)} nye rader i historikken, {number(closed)} lukket")
    changed = {kind: count for kind, count in (report.get("changed") or {}).items() if count}
    done = report.get("outcome") in {"released", "not_published"}
    title = "Endret:" if done else "Ville ha endret:"
    console.print(f"[bold]{title}[/]" if changed else "[bold]Ingenting er endret.[/]")
    for kind, count in changed.items():
        console.print(f"  {in_words(kind)}: {number(count)}", markup=False)

    published = report.get("published") or []
    console.print(f"[bold]Publisert:[/] {len(published)} {'fil' if len(published) == 1 else 'filer'}")
    if published:
        folder = exports / json.loads((exports / "manifest.json").read_text())["publication"]
        for file in published:
            console.print(f"  {file}: {number((folder / file).stat().st_size)} byte", markup=False)
        console.print(f"[bold]Filene ligger i:[/] {folder}", soft_wrap=True)
    for sentence in report.get("sentences", []):
        if not sentence.startswith(("Endret:", "Ingenting er endret")):  # printed above, line by line
            console.print(sentence, markup=False)


def in_words(kind: str) -> str:
    """Return a kind of change in Norwegian."""
    from dataflyt.run.report import KINDS

    return KINDS.get(kind, kind)


def number(count: int) -> str:
    """Write a number as in Norwegian: 12 345."""
    return f"{count:,}".replace(",", "\N{NO-BREAK SPACE}")


def now() -> datetime:
    """Return the present moment, as Airflow writes it."""
    return datetime.now(tz=UTC)
