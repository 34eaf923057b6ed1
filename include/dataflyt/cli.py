"""The command line. ``dataflyt --help`` lists the commands; each has a help of its own."""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli_account import account_app
from dataflyt.cli_doctor import doctor_command
from dataflyt.cli_feide import feide_app
from dataflyt.cli_kommune import kommune_app
from dataflyt.cli_read import id_command, read_command
from dataflyt.cli_roles import roles_command
from dataflyt.cli_warehouse import login_command
from dataflyt.connections import from_environment, path_of
from dataflyt.errors import ConfigError, DataflytError, NotApproved

if TYPE_CHECKING:
    from dataflyt.flow import Environment, Job
    from dataflyt.kommune import Kommune

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",  # paragraphs of the docstrings flow
    help="From the registers to FEIDE.",
)
warehouse_app = typer.Typer(no_args_is_help=True, help="The warehouse's schema and roles.")
app.command("read")(read_command)
app.command("id")(id_command)
app.command("doctor")(doctor_command)
app.add_typer(account_app, name="account")
app.add_typer(feide_app, name="feide")
app.add_typer(kommune_app, name="kommune")
kommune_app.command("roles")(roles_command)
app.add_typer(warehouse_app, name="warehouse")
warehouse_app.command("login")(login_command)

KommuneName = Annotated[str, typer.Argument(help="The kommune's id or number: haugesund or 1106.")]


def environment() -> "Environment":
    """Return the environment of the command line: connections from variables, paths by their address."""
    from dataflyt.flow import Environment

    storage = os.environ.get("DATAFLYT_STORAGE")
    if not storage:
        raise ConfigError(
            "Sett miljøvariabelen DATAFLYT_STORAGE til mappen for landing, eksport og rapporter, "
            "eller bruk «make run» og «make plan», som starter det som trengs."
        )

    return Environment(from_environment, path_of, storage)


@app.command()
def run(
    kommune: KommuneName,
    approve: Annotated[
        bool | None,
        typer.Option("--approve/--reject", help="Answer the guard's question beforehand instead of being asked."),
    ] = None,
    approver: Annotated[
        str | None,
        typer.Option(envvar="DATAFLYT_APPROVER", help="Who answers: the id among approvers in the kommune's file."),
    ] = None,
    key: Annotated[str | None, typer.Option(help="Name of the run; naming a run again continues it.")] = None,
    plan_only: Annotated[bool, typer.Option(help="Stop at the plan; nothing is released or published.")] = False,
    full_reload: Annotated[
        bool, typer.Option(help="A new beginning: not measured against the run before, and always asked about.")
    ] = False,
) -> None:
    """Run a kommune's whole flow here and now, without Airflow. Asks for approval where the guard does."""
    from dataflyt import flow, report

    def steps(found: "Kommune") -> None:
        now = datetime.now(UTC)
        name = key or f"cli__{now.isoformat(timespec='seconds')}"
        job = flow.open_job(found, name, now, environment(), plan_only=plan_only, full_reload=full_reload)
        typer.echo(f"{found.display_name}, kjøring {job.run.number}")
        failed, broken = _steps(job, approve, approver)
        settled = flow.settle(job, failed)
        for count, word in {"received": "mottatt", "quarantined": "i karantene", "staged": "til fletting"}.items():
            typer.echo(f"  {word}: {settled[count]}")
        typer.echo(report.OUTCOMES[settled["outcome"]])
        if broken:
            raise broken

    _with(kommune, steps)


def _steps(job: "Job", approve: bool | None, approver: str | None) -> tuple[list[str], DataflytError | None]:
    """Run the steps as the DAG does: withdraw whatever became of the extracts, the rest only after success."""
    from dataflyt import flow

    failed: list[str] = []
    first: DataflytError | None = None
    for name, step in flow.steps():
        if failed and name != "withdraw":
            continue
        try:
            step(job)
            typer.echo(f"  {name}: ferdig")
        except DataflytError as error:
            typer.echo(f"  {name}: stoppet: {error.sentence}", err=True)
            failed.append(name)
            first = first or error
    if failed or job.plan_only:
        return failed, first
    question = flow.question(job)
    if question:
        typer.echo(question.body)
        if not _answer(job, question.digest, approve, approver):
            return failed, None
    last_steps: list[tuple[str, Callable[[], object]]] = [
        ("release", lambda: flow.release(job)),
        ("publish", lambda: flow.publish(job)),
    ]
    for name, last in last_steps:
        try:
            last()
            typer.echo(f"  {name}: ferdig")
        except DataflytError as error:
            typer.echo(f"  {name}: stoppet: {error.sentence}", err=True)
            return [name], error
    return failed, None


def _answer(job: "Job", digest: str, approve: bool | None, approver: str | None) -> bool:
    """Ask, where there is somebody to ask, and keep the answer as the approver's; tell whether it is yes."""
    from dataflyt import flow
    from dataflyt.warehouse.runs import User

    known = {one.id: one.name for one in job.kommune.approvers}
    if approve is None and sys.stdin.isatty():
        approve = typer.confirm("Godkjenne?", default=False)
        if approve and approver is None:
            approver = typer.prompt(f"Hvem svarer? ({', '.join(known)})")
    elif approve is None:
        typer.echo("Her er ingen å spørre, og det regnes som nei. «dataflyt run … --approve» svarer ja på forhånd.")
    elif approve and approver is None:
        typer.echo(
            f"Skriv hvem som svarer, med --approver: {' eller '.join(known)}. Uten det regnes det som nei.", err=True
        )
        approve = False
    user = User(approver, known.get(approver, approver)) if approver else None
    try:
        flow.answer(job, digest, "approved" if approve else "rejected", user, "command_line")
    except NotApproved as error:
        typer.echo(error.sentence, err=True)
        return False
    return bool(approve)


@app.command()
def plan(
    kommune: KommuneName,
    number: Annotated[int | None, typer.Option("--run", help="The run's number; the newest when left out.")] = None,
    rows: Annotated[
        bool,
        typer.Option(
            help="Show each row, by the warehouse's own ids: kind, subject, other, unit, and 1 where it is inferred "
            "from absence, with tabs between."
        ),
    ] = False,
    graded: Annotated[
        bool,
        typer.Option(
            "--graded", help="Show protected people too, and why an extract was refused: for those who may see that."
        ),
    ] = False,
) -> None:
    """Show what a run would change, or changed: counts by kind, protected people left out."""
    from rich.console import Console
    from rich.table import Table

    from dataflyt import report
    from dataflyt.flow import open_plan

    def show(found: "Kommune") -> None:
        console = Console()
        with open_plan(found, environment(), number) as opened:
            state = opened.run.state
            console.print(f"{found.display_name}, kjøring {opened.run.number}: {report.STATES.get(state, state)}")
            for word in (opened.run.asks or "").split():
                console.print(report.reason(word))
            table = Table("Endring", "Antall")
            for what, count in opened.changes(graded=graded):
                table.add_row(what, count)
            for doubt in opened.doubts() if graded else ():
                console.print(doubt)
            if state == "open":
                console.print("Planen er ikke klar før kjøringen er flettet.")
            else:
                console.print(table if table.row_count else "Ingen endringer.")
            if rows and not opened.stands:
                console.print("Radene er borte: kjøringen er angret. Bare antallene er tatt vare på.")
            if rows:
                for row in opened.rows(graded=graded):
                    typer.echo("\t".join([row.kind, row.subject, row.other, row.unit_id or "", str(int(row.inferred))]))

    _with(kommune, show)


@app.command("work-list")
def work_list(
    kommune: KommuneName,
    rows: Annotated[
        bool,
        typer.Option(help="Show each row, by the warehouse's own ids: kind, subject, other, unit, with tabs between."),
    ] = False,
    graded: Annotated[
        bool, typer.Option("--graded", help="Show protected people too: for those who may see protection.")
    ] = False,
) -> None:
    """Show what somebody has to look at, as of today: counts by kind, protected people left out."""
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    def show(found: "Kommune") -> None:
        from dataflyt.work_list import KINDS, items

        listed = items(found, environment(), graded=graded)
        console = Console()
        console.print(f"{found.display_name}: {'arbeidslisten' if listed else 'ingenting på arbeidslisten'}")
        table = Table("Hva", "Antall")
        for kind, count in Counter(item.kind for item in listed).items():
            table.add_row(KINDS[kind], str(count))
        if listed:
            console.print(table)
        for item in listed if rows else ():
            typer.echo("\t".join([item.kind, item.subject, item.other, item.unit_id or ""]))

    _with(kommune, show)


@app.command()
def events() -> None:
    """Do once what the DAG freg_events does every hour: read FREG's events, and take away at once what they tell of.

    For all kommuner. A line for each trouble, and exit code 2 when there is any: it waits for the next time.
    """
    from dataflyt import fast_lane
    from dataflyt.kommune import folder_of_kommuner, load_all

    def work() -> None:
        outcome = fast_lane.run(load_all(folder_of_kommuner())[0], environment())
        counts = outcome.counts
        typer.echo(
            f"Hendelser lest: {counts['events']}. Kommuner det er spurt for: {counts['kommuner']}, "
            f"som venter: {counts['waiting']}."
        )
        if outcome.trouble:
            raise DataflytError("\n".join(trouble.sentence for trouble in outcome.trouble))

    _sentence(work)


@app.command()
def publish(
    kommune: Annotated[
        str | None, typer.Argument(help="The kommune's id or number: haugesund or 1106. All when left out.")
    ] = None,
) -> None:
    """Do once what the DAG nightly does every night: bring what is published in line with the day.

    What a kommune has published is written anew when what it rests on has changed: vetoes, what people have decided,
    the kommune file, the day. No new run is released by it. A line for each trouble, and exit code 2 when there is any.
    """
    from dataflyt import flow, nightly
    from dataflyt.kommune import folder_of_kommuner, load_all

    def work() -> None:
        outcome = nightly.run(load_all(folder_of_kommuner())[0], environment())
        typer.echo(f"Kommuner der det som er publisert, følger dagen: {outcome.counts['kommuner']}.")
        if outcome.trouble:
            raise DataflytError("\n".join(trouble.sentence for trouble in outcome.trouble))

    def one(found: "Kommune") -> None:
        flow.republish(found, environment())
        typer.echo(f"{found.display_name}: det som er publisert, følger dagen.")

    if kommune is None:
        _sentence(work)
    else:
        _with(kommune, one)


@app.command(name="reference")
def read_reference(
    accept_smaller: Annotated[
        bool, typer.Option("--accept-smaller", help="Take an answer with far fewer rows than what is held.")
    ] = False,
) -> None:
    """Do once what the DAG reference_data does every week: read schools, subject codes and kommuner, for all kommuner.

    A line for each register; what did not go well is a sentence, and exit code 2 in the end.
    """
    from datetime import UTC, datetime

    from dataflyt import reference

    failed = []
    for name, source in reference.SOURCES.items():
        try:
            counts = reference.refresh(name, from_environment, datetime.now(UTC), accept_smaller=accept_smaller)
        except DataflytError as error:
            failed.append(error.sentence)
            continue
        typer.echo(f"{source.who}: {counts['rows']} ({counts['opened']} nye, {counts['closed']} borte eller endret).")
    if failed:
        typer.echo("\n".join(failed), err=True)
        raise typer.Exit(2)


@warehouse_app.command("migrate")
def warehouse_migrate() -> None:
    """Bring the warehouse's schema to this version and make a role per kommune file (connection ``warehouse``)."""
    from dataflyt.kommune import folder_of_kommuner, load_all
    from dataflyt.warehouse.database import migrate

    def work() -> None:
        kommuner, broken = load_all(folder_of_kommuner())
        for file in broken:
            typer.echo(file.sentence, err=True)
        made = migrate(from_environment("warehouse").url, [kommune.id for kommune in kommuner])
        typer.echo(f"The warehouse is up to date; new kommuner: {', '.join(made) or 'none'}.")

    _sentence(work)


@warehouse_app.command("restored")
def warehouse_restored() -> None:
    """After pg_restore of a backup: bring the storage in line with it, for every kommune.

    Throws away raw answers of runs that the warehouse does not know, and leaves what it does not know to be published
    as it is until the next run is released.
    """
    from dataflyt.kommune import folder_of_kommuner, load_all
    from dataflyt.restored import settle_in

    def work() -> None:
        for kommune in load_all(folder_of_kommuner())[0]:
            known = settle_in(kommune, environment())
            stands = "kjent" if known["published_is_known"] else "ukjent for varehuset"
            typer.echo(
                f"{kommune.display_name}: frigitt kjøring {known['released']}; det som er publisert, er {stands}."
            )

    _sentence(work)


def _with(name: str, work: "Callable[[Kommune], None]") -> None:
    from dataflyt.kommune import find, folder_of_kommuner

    _sentence(lambda: work(find(folder_of_kommuner(), name)))


def _sentence(work: Callable[[], None]) -> None:
    """Do the work; an expected error is one sentence on stderr and exit code 2."""
    try:
        work()
    except DataflytError as error:
        typer.echo(error.sentence, err=True)
        raise typer.Exit(2) from None
