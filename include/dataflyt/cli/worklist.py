"""``dataflyt worklist``: what people have to correct, who corrects it, how old it is, and who has taken it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App, ShowsAKommune
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, Graded, Purpose, visitor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from dataflyt.config.kommune import Kommune
    from dataflyt.operations.work_list import Item

worklist_app = App(
    help="Arbeidslisten: hva noen må rette, hvem som gjør det, hvor gammelt det er, og hvem som har det."
)
worklist_app.info.cls = ShowsAKommune

ItemName = Annotated[str, typer.Argument(metavar="SAK", help="Sakens id, eller begynnelsen av den.")]


@worklist_app.command()
def show(
    kommune: KommuneName,
    school: Annotated[
        str | None, typer.Option(metavar="SKOLE", help="Bare én skole: navnet eller organisasjonsnummeret.")
    ] = None,
    owner: Annotated[
        str | None, typer.Option(metavar="HVEM", help="Bare det denne retter: school_office, hr, system_owner …")
    ] = None,
    kind: Annotated[str | None, typer.Option(metavar="SLAG", help="Bare ett slag, som name_differs.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Bare det som er nytt siden kjøringen før.")] = False,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Vis fødselsnummeret til dem saken gjelder. Det føres.")
    ] = False,
    csv: Annotated[
        Path | None, typer.Option(metavar="FIL", help="Skriv listen til en fil som slutter på .csv.")
    ] = None,
    xlsx: Annotated[
        Path | None, typer.Option(metavar="FIL", help="Skriv listen til en fil som slutter på .xlsx.")
    ] = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Vis arbeidslisten per i dag. Uten --as vises bare antall; med --as og --purpose vises navn, og det føres.

    Ordet foran kommunen kan utelates.

    Eksempel: `dataflyt worklist show haugesund --school "Skåredalen skole" --as 101 --purpose "Retting"`
    """
    from dataflyt.errors import ConfigError
    from dataflyt.formats.dates import OSLO
    from dataflyt.operations import work_files, work_list

    wanted = (user, purpose, graded, numbers, csv, xlsx)
    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        chosen = work_list.Wanted(school, owner, kind, new)
        if not work_list.begun(found, environment):
            raise ConfigError(f"{found.display_name} har ikke frigitt noen kjøring ennå: da kommer arbeidslisten.")
        if not any(wanted):
            _print_counts(found, work_list.counts(found, environment, chosen))
            return
        who = visitor(found, user, purpose, "dataflyt worklist")
        files = _files(csv, xlsx)
        listed = work_list.items(found, environment, who, chosen, graded=graded, numbers=numbers)
        today = environment.now().astimezone(OSLO).date()
        for file in files:
            work_files.write_table(found, listed, file, today, numbers=numbers)
            echo(f"{len(listed)} saker er skrevet til {file}.")
        if not files:
            _print(found, listed, today)


def _files(csv: Path | None, xlsx: Path | None) -> list[Path]:
    """Return the files to write. Raises ConfigError for one with another ending, before anybody is looked at."""
    from dataflyt.errors import ConfigError

    for file, ending in ((csv, ".csv"), (xlsx, ".xlsx")):
        if file is not None and file.suffix.lower() != ending:
            raise ConfigError(f"Skriv et filnavn som slutter på {ending}, etter --{ending[1:]}.")
    return [file for file in (csv, xlsx) if file is not None]


def _print_counts(kommune: "Kommune", counted: "Mapping[str, int]") -> None:
    from rich.console import Console
    from rich.table import Table

    from dataflyt.operations.work_kinds import KINDS, corrected_by

    console = Console()
    console.print(f"{kommune.display_name}: {'arbeidslisten' if counted else 'ingenting på arbeidslisten'}")
    table = Table("Hva", "Antall", "Rettes av", "Slag")
    for name, count in counted.items():
        table.add_row(KINDS[name].title, str(count), corrected_by(name), name)
    if counted:
        console.print(table)


def _print(kommune: "Kommune", listed: "Sequence[Item]", today: "date") -> None:
    from itertools import groupby

    from dataflyt.why.correcting import CORRECTORS

    names = {one.id: one.name for one in kommune.people}
    echo(f"{kommune.display_name}: {len(listed)} saker på arbeidslisten")
    for (kind, owner), of_kind in groupby(listed, lambda item: (item.kind, item.owner)):
        every = list(of_kind)
        echo(f"\n{every[0].about.title}: {len(every)}  [{kind}]")
        echo(f"{CORRECTORS[owner].title}: {every[0].about.todo}")
        for item in every:
            words = [item.whom or "(navnet vises ikke)", item.number, item.beside, item.school]
            words += [_age(item, today), f"tatt av {names.get(item.taken_by, item.taken_by)}" if item.taken_by else ""]
            echo("  " + "  ".join([item.id, *(_printable(word) for word in words if word)]))


def _age(item: "Item", today: "date") -> str:
    if item.since is None:
        return ""
    days = max((today - item.since).days, 0)
    age = "i dag" if days == 0 else "1 dag" if days == 1 else f"{days} dager"
    return f"ny, {age}" if item.new else age


def _printable(typed: str) -> str:
    """Return text that people have typed, without letters that could steer the terminal."""
    return "".join(letter for letter in typed if letter.isprintable())


@worklist_app.command()
def take(
    kommune: KommuneName,
    item: ItemName,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Ta en sak, så andre ser hvem som arbeider med den. Det føres.

    Eksempel: `dataflyt worklist take haugesund 3f2a9c41d0 --as 101 --purpose 3`
    """
    from dataflyt.operations import work_list

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt worklist take")
        taken = work_list.take(found, environment, item, who, graded=graded)
        echo(f"{taken.id} er din: {taken.about.todo}")


@worklist_app.command()
def release(
    kommune: KommuneName,
    item: ItemName,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Gi fra deg en sak, eller frigjør en som en annen har tatt. Det føres.

    Eksempel: `dataflyt worklist release haugesund 3f2a9c41d0 --as 101 --purpose 3`
    """
    from dataflyt.operations import work_list

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt worklist release")
        echo(f"{work_list.release(found, environment, item, who, graded=graded).id} er det ingen som har nå.")
