"""``dataflyt run`` and ``plan``: a kommune's run without Airflow, and its plan."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli import terminal
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import ask, confirm
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, Purpose, visitor
from dataflyt.errors import DataflytError

if TYPE_CHECKING:
    from dataflyt.config.kommune import Kommune
    from dataflyt.run.approve import Question
    from dataflyt.run.execute import Answer
    from dataflyt.warehouse.plan import PlanRow


def run_command(
    kommune: KommuneName,
    approve: Annotated[
        bool | None,
        typer.Option("--approve/--reject", help="Svar ja eller nei på forhånd, i stedet for å bli spurt."),
    ] = None,
    approver: Annotated[
        str | None,
        typer.Option(envvar="DATAFLYT_APPROVER", help="Hvem som svarer: id-en under approvers i kommunefilen."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Navn på kjøringen; samme navn en gang til fortsetter den.")] = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="Stopp ved planen; ingenting frigis eller publiseres.")
    ] = False,
    full_reload: Annotated[
        bool, typer.Option("--full-reload", help="Begynn på nytt: måles ikke mot forrige kjøring, og spør alltid.")
    ] = False,
) -> None:
    """Kjør hele flyten for en kommune her og nå, uten Airflow: fra registrene til det som publiseres.

    Spør i terminalen når vakten vil ha svar fra en godkjenner. Spør den ikke, frigis kjøringen.
    """
    from dataflyt.run import report
    from dataflyt.run.execute import execute
    from dataflyt.run.job import open_job

    with installation() as outside:
        found, now = kommune_of(kommune), datetime.now(UTC)
        name = key or f"cli__{now.isoformat(timespec='seconds')}"
        job = open_job(found, name, now, outside.environment(), plan_only=plan_only, full_reload=full_reload)
        echo(f"{found.display_name}, kjøring {job.run.number}")
        ended = execute(job, lambda question: _answer(found, question, approve, approver), attempt=_tried)
        for count, word in {"received": "mottatt", "quarantined": "i karantene", "staged": "til fletting"}.items():
            echo(f"  {word}: {ended.closed[count]}")
        echo(report.OUTCOMES[ended.closed["outcome"]])
        if ended.error:
            raise ended.error


def _tried(name: str, step: Callable[[], None]) -> DataflytError | None:
    """Do a step and print its outcome; return its error. A full disk stops a step, and the run is closed."""
    try:
        step()
    except DataflytError as error:
        stopped = error
    except OSError as error:
        stopped = DataflytError(terminal.sentence_of(error))
    else:
        echo(f"  {name}: ferdig")
        return None
    echo(f"  {name}: stoppet: {stopped.sentence}", err=True)
    return stopped


def _answer(kommune: "Kommune", question: "Question", approve: bool | None, approver: str | None) -> "Answer":
    """Show the question, and return the approver's answer: from an option, or asked for in the terminal."""
    from dataflyt.run.execute import Answer
    from dataflyt.warehouse.runs import User

    echo(question.body)
    known = {one.id: one.name for one in kommune.approvers}
    who = " eller ".join(f"{one} ({name})" for one, name in known.items())
    if approve is None and sys.stdin.isatty():
        approve = confirm("Godkjenne?")
        if approve and approver is None:
            approver = ask(f"Hvem svarer? Skriv {who}")
    elif approve is None:
        echo("Her er ingen å spørre, og det regnes som nei. «dataflyt run … --approve» svarer ja på forhånd.")
    elif approve and approver is None:
        echo(f"Skriv hvem som svarer, med --approver: {who}. Uten det regnes det som nei.", err=True)
        approve = False
    user = User(approver, known.get(approver, approver)) if approver else None
    return Answer("approved" if approve else "rejected", user, "command_line")


def plan_command(
    kommune: KommuneName,
    number: Annotated[int | None, typer.Option("--run", help="Kjøringens nummer; den nyeste når det utelates.")] = None,
    rows: Annotated[
        bool,
        typer.Option(
            "--rows",
            help="Vis hver rad: slag, hvem, hvem andre, enhet, 1 når det er sluttet av at noe mangler, og slaget på "
            "norsk. Tabulator mellom. For dem som har retten «persons» i kommunefilen. Varehusets id-er, og enheten "
            "til en person, vises bare med --graded: navnene står på siden Plan.",
        ),
    ] = False,
    graded: Annotated[
        bool,
        typer.Option(
            "--graded",
            help="Vis også beskyttede, og hvorfor et uttrekk ble avvist: for dem som har retten «graded» i "
            "kommunefilen.",
        ),
    ] = False,
    user: As = None,
    purpose: Purpose = None,
) -> None:
    """Vis hva en kjøring ville endre, eller har endret: antall av hvert slag, uten beskyttede.

    Med `--rows` eller `--graded` føres det hvem som så på, og hvorfor. Eksempel: `dataflyt plan haugesund --rows
    --as 101 --purpose Feilsøking`
    """
    from rich.console import Console
    from rich.table import Table

    from dataflyt.run import report
    from dataflyt.run.open_plan import open_plan

    console = Console()
    with installation() as outside:
        found = kommune_of(kommune)
        who = visitor(found, user, purpose, "dataflyt plan") if rows or graded else None
        with open_plan(found, outside.environment(), number, who) as opened:
            changes, doubts = opened.changes(graded=graded), opened.doubts() if graded else []
            # Shown when the audit is kept, not before: a closed pipe would undo it.
            listed = list(opened.rows(graded=graded)) if rows else []
        run = opened.run
        console.print(f"{found.display_name}, kjøring {run.number}: {report.STATES.get(run.state, run.state)}")
        for word in (run.asks or "").split():
            console.print(report.reason(word))
        table = Table("Endring", "Antall")
        for what, count in changes:
            table.add_row(what, count)
        for doubt in doubts:
            console.print(doubt)
        if run.state == "open":
            console.print("Planen er ikke klar før kjøringen er flettet.")
        else:
            console.print(table if table.row_count else "Ingen endringer.")
        if rows and not opened.stands:
            console.print("Radene er borte: kjøringen er angret. Bare antallene er tatt vare på.")
        for row in listed:
            echo(plan_line(row))


def plan_line(row: "PlanRow") -> str:
    """Return a row of a plan as a line: its code and ids, with tabs between, and last the code in Norwegian."""
    from dataflyt.run.report import title

    inferred = str(int(row.inferred))
    return "\t".join([row.kind, row.subject, row.other, row.unit_id or "", inferred, title(row.kind)])
