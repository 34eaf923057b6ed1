"""The command line. ``dataflyt --help`` lists the commands; each has a help of its own."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli import outside_run, terminal
from dataflyt.cli.account import account_app
from dataflyt.cli.airflow import airflow_app
from dataflyt.cli.doctor import doctor_command
from dataflyt.cli.feide import feide_app
from dataflyt.cli.kommune import kommune_app
from dataflyt.cli.norwegian import App, ask, confirm
from dataflyt.cli.read import id_command, read_command
from dataflyt.cli.terminal import echo
from dataflyt.cli.warehouse import login_command
from dataflyt.errors import DataflytError, NotApproved

if TYPE_CHECKING:
    from dataflyt.cli.outside_run import Outside
    from dataflyt.config.kommune import Kommune
    from dataflyt.run.flow import Job

app = App(help="Fra registrene til FEIDE.")
warehouse_app = App(help="Varehusets tabeller og roller.")
app.command("read")(read_command)
app.command("id")(id_command)
app.command("doctor")(doctor_command)
app.add_typer(account_app, name="account")
app.add_typer(airflow_app, name="airflow")
app.add_typer(feide_app, name="feide")
app.add_typer(kommune_app, name="kommune")
app.add_typer(warehouse_app, name="warehouse")
warehouse_app.command("login")(login_command)

KommuneName = Annotated[str, typer.Argument(help="Kommunens id eller nummer: haugesund eller 1106.")]


@app.command()
def run(
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
    from dataflyt.run import flow, report

    def steps(found: "Kommune", outside: "Outside") -> None:
        now = datetime.now(UTC)
        name = key or f"cli__{now.isoformat(timespec='seconds')}"
        job = flow.open_job(found, name, now, outside.environment(), plan_only=plan_only, full_reload=full_reload)
        echo(f"{found.display_name}, kjøring {job.run.number}")
        failed, broken = _steps(job, approve, approver)
        settled = flow.settle(job, failed)
        for count, word in {"received": "mottatt", "quarantined": "i karantene", "staged": "til fletting"}.items():
            echo(f"  {word}: {settled[count]}")
        echo(report.OUTCOMES[settled["outcome"]])
        if broken:
            raise broken

    _with(kommune, steps)


def _steps(job: "Job", approve: bool | None, approver: str | None) -> tuple[list[str], DataflytError | None]:
    """Run the steps as the DAG does: withdraw whatever became of the extracts, the rest only after success."""
    from dataflyt.run import flow

    failed: list[str] = []
    first: DataflytError | None = None
    for name, step in flow.steps():
        if failed and name != "withdraw":
            continue
        if error := _tried(name, partial(step, job)):
            failed.append(name)
            first = first or error
    if failed or job.plan_only:
        return failed, first
    question = flow.question(job)
    if question:
        echo(question.body)
        try:
            if not _answer(job, question.digest, approve, approver):
                return failed, None
        except NotApproved as refused:  # somebody answered who may not
            return failed, refused
    last_steps: list[tuple[str, Callable[[], object]]] = [
        ("release", lambda: flow.release(job)),
        ("publish", lambda: flow.publish(job)),
    ]
    for name, last in last_steps:
        if error := _tried(name, last):
            return [name], error
    return failed, None


def _tried(name: str, step: Callable[[], object]) -> DataflytError | None:
    """Do a step and say what became of it; give what stopped it. A full disk stops a step, and the run is settled."""
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


def _answer(job: "Job", digest: str, approve: bool | None, approver: str | None) -> bool:
    """Ask, where there is somebody to ask, and keep the answer as the approver's; tell whether it is yes.

    Raises NotApproved when the answer does not count.
    """
    from dataflyt.run import flow
    from dataflyt.warehouse.runs import User

    known = {one.id: one.name for one in job.kommune.approvers}
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
    flow.answer(job, digest, "approved" if approve else "rejected", user, "command_line")
    return bool(approve)


@app.command()
def plan(
    kommune: KommuneName,
    number: Annotated[int | None, typer.Option("--run", help="Kjøringens nummer; den nyeste når det utelates.")] = None,
    rows: Annotated[
        bool,
        typer.Option(
            "--rows",
            help="Vis hver rad, med varehusets egne id-er: slag, hvem, hvem andre, enhet, og 1 når det er "
            "sluttet av at noe mangler. Tabulator mellom.",
        ),
    ] = False,
    graded: Annotated[
        bool,
        typer.Option(
            "--graded", help="Vis også beskyttede, og hvorfor et uttrekk ble avvist: for dem som har lov til å se det."
        ),
    ] = False,
) -> None:
    """Vis hva en kjøring ville endre, eller har endret: antall av hvert slag, uten beskyttede."""
    from rich.console import Console
    from rich.table import Table

    from dataflyt.run import report
    from dataflyt.run.flow import open_plan

    def show(found: "Kommune", outside: "Outside") -> None:
        console = Console()
        with open_plan(found, outside.environment(), number) as opened:
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
                    echo("\t".join([row.kind, row.subject, row.other, row.unit_id or "", str(int(row.inferred))]))

    _with(kommune, show)


@app.command("work-list")
def work_list(
    kommune: KommuneName,
    rows: Annotated[
        bool,
        typer.Option(
            "--rows", help="Vis hver rad, med varehusets egne id-er: slag, hvem, hvem andre, enhet. Tabulator mellom."
        ),
    ] = False,
    graded: Annotated[
        bool, typer.Option("--graded", help="Vis også beskyttede: for dem som har lov til å se det.")
    ] = False,
) -> None:
    """Vis det noen må se på, per i dag: antall av hvert slag, uten beskyttede."""
    from collections import Counter

    from rich.console import Console
    from rich.table import Table

    def show(found: "Kommune", outside: "Outside") -> None:
        from dataflyt.operations.work_list import KINDS, items

        listed = items(found, outside.environment(), graded=graded)
        console = Console()
        console.print(f"{found.display_name}: {'arbeidslisten' if listed else 'ingenting på arbeidslisten'}")
        table = Table("Hva", "Antall")
        for kind, count in Counter(item.kind for item in listed).items():
            table.add_row(KINDS[kind], str(count))
        if listed:
            console.print(table)
        for item in listed if rows else ():
            echo("\t".join([item.kind, item.subject, item.other, item.unit_id or ""]))

    _with(kommune, show)


@app.command()
def events() -> None:
    """Les hendelsene fra Folkeregisteret én gang, som DAG-en freg_events gjør hver time, og ta bort det de krever.

    For alle kommuner. En linje for alt som ikke gikk, og det venter til neste gang; returkoden er da 2.
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.operations import fast_lane

    def work(outside: "Outside") -> None:
        outcome = fast_lane.run(load_all(folder_of_kommuner())[0], outside.environment())
        counts = outcome.counts
        echo(
            f"Hendelser lest: {counts['events']}. Kommuner det er spurt for: {counts['kommuner']}, "
            f"som venter: {counts['waiting']}."
        )
        if outcome.trouble:
            raise DataflytError("\n".join(trouble.sentence for trouble in outcome.trouble))

    _sentence(work)


@app.command()
def publish(
    kommune: Annotated[
        str | None, typer.Argument(help="Kommunens id eller nummer: haugesund eller 1106. Alle når det utelates.")
    ] = None,
) -> None:
    """La det som er publisert, følge dagen, som DAG-en nightly gjør hver natt.

    Det en kommune har publisert, skrives på nytt når noe det bygger på, er endret: vetoer, det folk har bestemt,
    kommunefilen, dagen. Ingen ny kjøring frigis. En linje for alt som ikke gikk; returkoden er da 2.
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.operations import nightly
    from dataflyt.run import flow

    def work(outside: "Outside") -> None:
        outcome = nightly.run(load_all(folder_of_kommuner())[0], outside.environment())
        echo(f"Kommuner der det som er publisert, følger dagen: {outcome.counts['kommuner']}.")
        if outcome.trouble:
            raise DataflytError("\n".join(trouble.sentence for trouble in outcome.trouble))

    def one(found: "Kommune", outside: "Outside") -> None:
        flow.republish(found, outside.environment())
        echo(f"{found.display_name}: det som er publisert, følger dagen.")

    if kommune is None:
        _sentence(work)
    else:
        _with(kommune, one)


@app.command(name="reference")
def read_reference(
    accept_smaller: Annotated[
        bool, typer.Option("--accept-smaller", help="Godta et svar med langt færre rader enn før.")
    ] = False,
) -> None:
    """Les skoler, fagkoder og kommuner, som DAG-en reference_data gjør hver uke, for alle kommuner.

    En linje for hvert register, og en setning for hvert som ikke gikk; returkoden er da 2.
    """
    from datetime import UTC, datetime

    from dataflyt.reference import refresh

    def work(outside: "Outside") -> None:
        failed = []
        for name, source in refresh.SOURCES.items():
            try:
                counts = refresh.refresh(name, outside.connect, datetime.now(UTC), accept_smaller=accept_smaller)
            except DataflytError as error:
                failed.append(error.sentence)
                continue
            echo(f"{source.who}: {counts['rows']} ({counts['opened']} nye, {counts['closed']} borte eller endret).")
        if failed:
            raise DataflytError("\n".join(failed))

    _sentence(work)


@warehouse_app.command("migrate")
def warehouse_migrate() -> None:
    """Oppgrader varehusets tabeller til denne versjonen, og lag en rolle for hver kommunefil.

    Bruker tilkoblingen `warehouse`.
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.warehouse.schema import migrate

    def work(outside: "Outside") -> None:
        kommuner, broken = load_all(folder_of_kommuner())
        for file in broken:
            echo(file.sentence, err=True)
        made = migrate(outside.connect("warehouse").url, [kommune.id for kommune in kommuner])
        echo(f"Varehuset er oppgradert. Nye kommuner: {', '.join(made) or 'ingen'}.")

    _sentence(work)


@warehouse_app.command("restored")
def warehouse_restored() -> None:
    """Etter pg_restore av en sikkerhetskopi: få lageret til å stemme med den, for hver kommune.

    Kaster råsvar fra kjøringer som varehuset ikke kjenner. Det varehuset ikke vet er publisert, står til neste kjøring
    er frigitt.
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.operations.after_restore import settle_in

    def work(outside: "Outside") -> None:
        for kommune in load_all(folder_of_kommuner())[0]:
            known = settle_in(kommune, outside.environment())
            stands = "kjent" if known["published_is_known"] else "ukjent for varehuset"
            echo(f"{kommune.display_name}: frigitt kjøring {known['released']}; det som er publisert, er {stands}.")

    _sentence(work)


def _with(name: str, work: "Callable[[Kommune, Outside], None]") -> None:
    from dataflyt.config.loading import find, folder_of_kommuner

    _sentence(lambda outside: work(find(folder_of_kommuner(), name), outside))


def _sentence(work: "Callable[[Outside], None]") -> None:
    """Do the work where connections are known; an expected error is one sentence on stderr and exit code 2."""
    try:
        work(outside_run.use())
    except DataflytError as error:
        echo(error.sentence, err=True)
        raise typer.Exit(2) from None
