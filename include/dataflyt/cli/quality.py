"""``dataflyt quality``: the quality rules over time, the rows in quarantine, and what people decide about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli.decided import made, shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App, ShowsAKommune
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor

if TYPE_CHECKING:
    from dataflyt.operations.quality import Quality, Seen


quality_app = App(help="Kvalitetsreglene over tid, radene i karantene, og det noen bestemmer om dem.")
quality_app.info.cls = ShowsAKommune


@quality_app.command()
def show(
    kommune: KommuneName,
    runs: Annotated[int, typer.Option(help="Hvor mange kjøringer som vises.")] = 12,
    everything: Annotated[bool, typer.Option("--all", help="Ta med reglene som ingen rad bryter.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FIL", help="Skriv alle reglene til en fil som slutter på .csv, .xlsx eller .parquet."),
    ] = None,
) -> None:
    """Vis hver regel over tid: hva som er nytt, hvor gammelt det er, og hvem som retter det. Bare antall vises.

    Ordet foran kommunen kan utelates.

    Eksempel: `dataflyt quality show haugesund --runs 4 --out kvalitet.xlsx`
    """
    from dataflyt.operations import quality

    with installation() as outside:
        found = quality.over_time(kommune_of(kommune), outside.environment(), max(runs, 1))
        if out is not None:
            quality.write_table(found, out)
            echo(f"{len(found.rules)} regler over {len(found.runs)} kjøringer er skrevet til {out}.")
            return
        if not found.runs:
            echo("Ingen kjøring er kontrollert ennå.")
            return
        _print(found, [one for one in found.rules if everything or any(one.found)])


def _print(quality: "Quality", rules: "list[Seen]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from dataflyt.operations.quality import said

    table = Table("Regel", "Grunn", "Rettes av", "Siden", box=box.SIMPLE, pad_edge=False)
    for run in quality.runs:
        table.add_column(str(run), justify="right")
    for one in rules:
        since = "ny" if one.new else "" if one.since is None else f"{one.since:%d.%m.%Y}"
        table.add_row(one.rule, one.reason, one.responsible, since, *(str(said(number)) for number in one.found))
    Console().print(table)
    new, broken = sum(one.new for one in quality.rules), sum(one.broken for one in quality.rules)
    echo(f"{len(quality.rules)} regler i siste kjøring og før: {broken} brytes nå, {new} av dem er nye.")


@quality_app.command()
def rows(
    kommune: KommuneName,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """List opp radene i karantene: regelen, grunnen, hvem som retter det, og om noen kan slippe raden ut.

    Uten --as vises ingen personer. Med --as og --purpose vises hvem raden gjelder, for dem som har retten «persons».

    Eksempel: `dataflyt quality rows haugesund --as 101 --purpose 1`
    """
    from dataflyt.decisions import held_rows
    from dataflyt.decisions.quarantine import SHOWN

    words = {"released": "sluppet ut", "rejected": "avvist"}
    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt quality rows") if user or graded else None
        listed = held_rows.listed(found, environment, who, graded=graded)
        for row in listed:
            can = words.get(row.decided or "", "kan slippes ut" if row.releasable else "må rettes i kilden")
            about = "".join(f"  {name} ({person})" for person, name in row.people.items())
            echo(f"{row.row[:SHOWN]}  {row.rule}  {row.reason} Rettes av: {row.responsible}. [{can}]{about}")
        echo(f"{len(listed)} rader og regler i karantene." if listed else "Ingen rader i karantene.")


@quality_app.command()
def release(
    kommune: KommuneName,
    row: Annotated[str, typer.Option(help="Raden, som «dataflyt quality rows» viser den.")],
    rule: Annotated[str, typer.Option(help="Regelen raden bryter, som hr_employment.percentage.")],
    reason: Annotated[str, typer.Option(help="Hvorfor raden er riktig likevel. Lagres bare i varehuset.")],
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å slippe en rad ut av karantene. En annen må bekrefte det, med «dataflyt decide confirm».

    Raden tas inn ved neste kjøring, så lenge innholdet er det samme. Regler om fødselsnummer, beskyttelse, henvisninger
    og foreldreansvar kan ingen slippe en rad forbi.

    Eksempel: `dataflyt quality release haugesund --row 3f2a9c41d0b7 --rule hr_employment.percentage
    --reason "220 prosent i juli stemmer" --as 101 --purpose 2`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.quarantine import ReleaseRow

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt quality release")
        decision = made(ReleaseRow, row=row, rule=rule, reason=reason)
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@quality_app.command()
def reject(
    kommune: KommuneName,
    row: Annotated[str, typer.Option(help="Raden, som «dataflyt quality rows» viser den.")],
    rule: Annotated[str, typer.Option(help="Regelen raden bryter.")],
    reason: Annotated[str, typer.Option(help="Hvorfor raden skal bli i karantene. Lagres bare i varehuset.")],
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """Avvis en rad: den er sett og blir i karantene. Det avslutter også at den er sluppet ut.

    Eksempel: `dataflyt quality reject haugesund --row 3f2a9c41d0b7 --rule hr_employment.percentage
    --reason "skrivefeil, HR retter" --as 101 --purpose 2`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.quarantine import RejectRow

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt quality reject")
        decision = made(RejectRow, row=row, rule=rule, reason=reason)
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@quality_app.command()
def docs(
    kommune: KommuneName,
    out: Annotated[Path, typer.Option(metavar="MAPPE", help="En ny eller tom mappe til sidene.")],
) -> None:
    """Skriv sider (Data Docs) om alle reglene: grunn, hvem som retter, og utfallet av siste kjøring som antall.

    Eksempel: `dataflyt quality docs haugesund --out kvalitet`, og åpne kvalitet/index.html.
    """
    from dataflyt.operations import quality_docs

    with installation() as outside:
        written = quality_docs.build(kommune_of(kommune), outside.environment(), out)
        echo(f"{written} sider er skrevet. Begynn med {out / 'index.html'}.")
