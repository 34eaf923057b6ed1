"""``dataflyt kommune``: check the kommune files and list them."""

from typing import Annotated

import typer

from dataflyt.errors import ConfigError
from dataflyt.kommune import find, folder_of_kommuner, load_all

kommune_app = typer.Typer(help="Kommune files: check them, list them.", no_args_is_help=True)


@kommune_app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Ids or kommunenummer; none: all files.")
    ] = None,
) -> None:
    """Validate kommune files: one line a file, and exit code 1 when any is broken."""
    folder = folder_of_kommuner()
    lines: list[tuple[str, bool]] = []
    try:
        if names:
            for name in names:
                try:
                    lines.append((f"{find(folder, name).id}.yaml: OK", True))
                except ConfigError as error:
                    lines.append((f"FEIL {error.sentence}", False))
        else:
            good, broken = load_all(folder)
            lines = sorted(
                [(f"{kommune.id}.yaml: OK", True) for kommune in good]
                + [(f"FEIL {one.sentence}", False) for one in broken],
                key=lambda line: (not line[1], line[0]),
            )
            if not lines:
                lines = [
                    (f"FEIL Mappen {folder} har ingen kommunefiler: legg en der, eller sett DATAFLYT_KOMMUNER.", False)
                ]
    except ConfigError as error:
        lines = [(f"FEIL {error.sentence}", False)]
    for line, _ in lines:
        typer.echo(line)
    if not all(fine for _, fine in lines):
        raise typer.Exit(1)


@kommune_app.command(name="list")
def list_kommuner() -> None:
    """List the kommuner: id, name, number, schedule and exports. Broken files are named below the table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    try:
        good, broken = load_all(folder_of_kommuner())
    except ConfigError as error:
        typer.echo(error.sentence, err=True)
        raise typer.Exit(1) from None
    table = Table("id", "navn", "kommunenummer", "kjøres", "eksporter", box=box.SIMPLE)
    for kommune in good:
        table.add_row(
            kommune.id,
            kommune.name,
            ", ".join(kommune.kommunenummer),
            kommune.schedule.in_words,
            ", ".join(kommune.exports),
        )
    Console().print(table)
    for one in broken:
        typer.echo(f"FEIL {one.sentence}", err=True)
