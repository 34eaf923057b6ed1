"""``dataflyt show`` and ``dataflyt audit``: what the warehouse has about a person, and who has looked."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, Graded, Purpose, visitor
from dataflyt.errors import ConfigError

if TYPE_CHECKING:
    from dataflyt.records.show_person import Page, Value

show_app = App(help="Slå opp det varehuset har. Hvert oppslag føres, med hvem, hvorfor og når.")

Since = Annotated[
    datetime | None, typer.Option(metavar="<dato>", formats=["%Y-%m-%d"], help="Bare fra og med denne dagen.")
]


@show_app.command()
def person(
    kommune: KommuneName,
    who: Annotated[str, typer.Argument(metavar="HVEM", help="Fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")],
    at: Annotated[
        datetime | None,
        typer.Option(
            metavar="<dato>",
            formats=["%Y-%m-%d"],
            help="Slik det var denne dagen. Beskyttelse og sperringer er slik de er nå.",
        ),
    ] = None,
    run: Annotated[int | None, typer.Option("--run", help="Slik det var i denne frigitte kjøringen.")] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Vis hele fødselsnummeret, ikke bare fødselsdatoen. Det føres.")
    ] = False,
    in_json: Annotated[bool, typer.Option("--json", help="Skriv alt som JSON.")] = False,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Vis alt varehuset har om en person: hver verdi med kilde, kjøring og regelen som avgjorde, og hva den var før.

    Eksempel: `dataflyt show person haugesund ola.nordmann --as 101 --purpose 1`
    """
    from dataflyt.records.show_person import show_person

    if at is not None and run is not None:
        raise ConfigError("Skriv --at eller --run, ikke begge.")
    with installation() as outside:
        found = kommune_of(kommune)
        looking = visitor(found, user, purpose, "dataflyt show person")
        page = show_person(
            found, outside.environment(), who, looking, at=at and at.date(), run=run, graded=graded, numbers=numbers
        )
    if in_json:
        echo(json.dumps(_in_json(page), ensure_ascii=False, indent=2))
    else:
        _print(page)


def audit_command(
    kommune: KommuneName,
    about: Annotated[
        str | None,
        typer.Option("--person", help="Bare om denne: fødselsnummer, FEIDE-navn, navn og fødselsdato, eller id."),
    ] = None,
    since: Since = None,
    by: Annotated[str | None, typer.Option("--user", help="Bare det denne har gjort: id-en i kommunefilen.")] = None,
    in_csv: Annotated[bool, typer.Option("--csv", help="Skriv som CSV, med semikolon.")] = False,
    user: As = None,
    purpose: Purpose = None,
) -> None:
    """Vis hvem som har slått opp eller bestemt noe, om hvem, når og hvorfor. For dem som har retten «graded».

    Også dette føres. Eksempel: `dataflyt audit haugesund --person ola.nordmann --since 2026-11-01 --as 101 --purpose 4`
    """
    from dataflyt.formats.dates import OSLO
    from dataflyt.records.audited import looks
    from dataflyt.warehouse import actions

    with installation() as outside:
        found = kommune_of(kommune)
        looking = visitor(found, user, purpose, "dataflyt audit")
        listed = looks(found, outside.environment(), looking, who=about, since=since and since.date(), user=by)
    heads = ("Tid", "Hvem", "Bruker", "Gjorde", "Om", "Mer", "Formål", "Sted")
    rows = [
        (
            f"{one.at.astimezone(OSLO):%d.%m.%Y %H.%M.%S}",
            f"{one.user_name} ({one.user_id})",
            one.login,
            actions.title(one.action),
            str(one.person or ""),
            one.detail,
            one.purpose,
            one.place,
        )
        for one in listed
    ]
    if in_csv:
        _write_csv([heads, *rows])
    else:
        _table(f"Innsynsloggen for {found.display_name}", heads, rows)


def _print(page: "Page") -> None:
    from rich.console import Console

    console = Console()
    console.print(f"[bold]{_plain(page.name)}[/bold], id {page.person_id}", highlight=False)
    console.print(
        f"Slik det var i kjøring {page.run}, {page.day:%d.%m.%Y}. Beskyttelse og sperringer er slik de er nå."
    )
    for title, values in (("Gjelder", page.current), ("Gjaldt før", page.earlier)):
        if values:
            heads = ("Hva", "", "Verdi", "Kilde", "Regel", "Fra", "Til")
            _table(title, heads, [_cells(one) for one in values])


def _cells(one: "Value") -> tuple[str, ...]:
    return (
        one.section,
        one.name,
        one.value,
        one.source,
        one.rule,
        _span(one.from_run, one.from_day),
        _span(one.to_run, one.to_day),
    )


def _span(run: int | None, day: object) -> str:
    return "" if run is None else f"{run} ({day:%d.%m.%Y})" if day else str(run)


def _in_json(page: "Page") -> dict[str, object]:
    def values(listed: Iterable["Value"]) -> list[dict[str, object]]:
        return [
            {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in one._asdict().items()}
            for one in listed
        ]

    return {
        "person_id": str(page.person_id),
        "name": page.name,
        "run": page.run,
        "day": page.day.isoformat(),
        "current": values(page.current),
        "earlier": values(page.earlier),
    }


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*heads, title=title, title_justify="left")
    for row in rows:
        table.add_row(*(_plain(cell) for cell in row))
    Console().print(table)


def _plain(typed: str) -> str:
    """Return text that people have typed, as it is: rich would read [brackets] as styles."""
    from rich.markup import escape

    return escape("".join(letter for letter in typed if letter.isprintable()))


def _write_csv(rows: Iterable[Sequence[str]]) -> None:
    """Write rows to stdout. A spreadsheet reads text that begins with = + - @ as a formula: a quote goes before it."""
    writer = csv.writer(sys.stdout, delimiter=";", lineterminator="\n")
    for row in rows:
        writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell for cell in row])
