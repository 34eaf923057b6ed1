"""``dataflyt account``: import the kommune's present directory, and compare Dataflyt's with it."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli.installation import installation, kommune_of
from dataflyt.cli.norwegian import App, confirm
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, Purpose, visitor
from dataflyt.errors import ConfigError
from dataflyt.storage import private

if TYPE_CHECKING:
    from dataflyt.accounts.day_one import Row

account_app = App(help="Hvem som har hvilket brukernavn: importer dagens katalog, og sammenlign med den.")


@account_app.command(name="import")
def import_directory(
    file: Annotated[Path, typer.Argument(metavar="FIL", help="Dagens katalog: LDIF eller CSV.")],
    kommune: Annotated[
        str | None,
        typer.Option(help="Kommunens id eller nummer; finnes ved FEIDE-domenet i filen når det utelates."),
    ] = None,
    approve: Annotated[
        bool | None, typer.Option("--approve/--reject", help="Svar ja eller nei på forhånd, i stedet for å bli spurt.")
    ] = None,
    rows: Annotated[
        bool,
        typer.Option(
            "--rows",
            help="Vis det som må ses på, en linje for hver: slag, varehusets id for personen eller linjen i "
            "filen, og slaget på norsk, med tabulator mellom. De som stemmer, telles bare. For dem som har retten "
            "«graded» i kommunefilen.",
        ),
    ] = False,
    user: As = None,
    purpose: Purpose = None,
) -> None:
    """Importer kommunens katalog slik den er i dag, så alle beholder brukernavnet de har.

    Personer kjennes igjen på nummer, aldri på navn. Første linje i en CSV-fil navngir kolonnene:
    `eduPersonPrincipalName` (eller feide) eller `uid` (eller brukernavn), og `norEduPersonNIN` (eller fødselsnummer).
    I tillegg kan den ha `eduPersonAffiliation` (eller rolle) og `norEduOrgUnitUniqueIdentifier` (eller orgnr, skolens).
    Andre kolonner leses ikke. Komma eller semikolon, UTF-8 eller ISO-8859-1. Brukernavn som Dataflyt har gitt, står;
    en ny import erstatter resten. Med `--rows` føres det hvem som så på, og hvorfor.
    """
    from dataflyt.accounts import day_one
    from dataflyt.config.loading import folder_of_kommuner
    from dataflyt.storage.database import engine
    from dataflyt.warehouse.refusals import refusals

    with installation() as outside:
        found = day_one.kommune_of(file, folder_of_kommuner(), kommune)
        who = visitor(found, user, purpose, "dataflyt account import") if rows else None
        db = engine(outside.connect(found.warehouse).url)
        with _progress(file) as progress:
            proposal = day_one.propose(db, found, file, progress)
        echo(f"{found.display_name}: {file.name}")
        if private.everybody_can_read(file):
            echo(f"Alle på maskinen kan lese filen, og den har fødselsnumre: kjør «chmod go= {file}».", err=True)
        if not proposal.run:
            echo("Varehuset har ingen kjøring ennå: alle er ukjente til den første.")
        _table("Oppføringer", proposal.counts, day_one.IMPORT_KINDS)
        if who:
            with refusals(found, outside.connect, who, "import rows"):
                _rows(day_one.proposed_rows(db, found, who), day_one.IMPORT_KINDS)
        if approve is None and sys.stdin.isatty():
            approve = confirm("Godkjenne?")
        elif approve is None:
            echo("Her er ingen å spørre, og det regnes som nei. «dataflyt account import … --approve» svarer ja.")
        if not approve:
            day_one.reject(db, found)
            echo("Importen ble avvist. Ingenting er endret.")
            return
        undone = day_one.accept(db, found, proposal.digest)
        echo("Katalogen er importert. Navnene i den gis bare til dem som har dem.")
        if undone:
            echo(f"Kjøring {undone} var ikke frigitt og er angret: den navnga kontoer uten katalogen. Kjør på nytt.")


@account_app.command()
def difference(
    kommune: Annotated[str, typer.Argument(help="Kommunens id eller nummer: haugesund eller 1106.")],
    rows: Annotated[
        bool,
        typer.Option(
            "--rows",
            help="Vis personene, en linje for hver: slag, varehusets egen id og slaget på norsk, med "
            "tabulator mellom. De som har samme brukernavn, eller bare står i katalogen, telles bare. For dem som har "
            "retten «graded» i kommunefilen.",
        ),
    ] = False,
    user: As = None,
    purpose: Purpose = None,
) -> None:
    """Vis forskjellen mellom det den nyeste kjøringen ville publisere, og den importerte katalogen.

    De som er skjult i eksportene, kan ikke skilles fra andre i antallene. Med `--rows` føres det hvem som så på, og
    hvorfor.
    """
    from dataflyt.accounts import day_one
    from dataflyt.run.report import STATES
    from dataflyt.storage.database import engine, transaction
    from dataflyt.warehouse import runs
    from dataflyt.warehouse.refusals import refusals

    with installation() as outside:
        found = kommune_of(kommune)
        who = visitor(found, user, purpose, "dataflyt account difference") if rows else None
        kept = refusals(found, outside.connect, who, "account rows") if who else nullcontext()
        db = engine(outside.connect(found.warehouse).url)
        with kept, transaction(db, found.id, lock=False) as connection:
            imported = day_one.imported_at(connection, found.id)
            if imported is None:
                raise ConfigError(
                    f"{found.display_name} har ingen importert katalog: «dataflyt account import FIL» importerer den."
                )
            newest = runs.newest(connection, found.id)
            state = runs.get(connection, found.id, newest).state if newest else "none"
            if state not in ("merged", "released"):
                stands = f"kjøring {newest} er {STATES[state]}" if newest else "det er ingen kjøring ennå"
                raise ConfigError(f"{found.display_name} har ingenting å sammenligne: {stands}. Kjør «dataflyt run».")
            counts = day_one.compare(connection, runs.get(connection, found.id, newest))
            listed = day_one.compared_rows(connection, found, who) if who else []
        echo(
            f"{found.display_name}, kjøring {newest} ({STATES[state]}), "
            f"mot katalogen som ble importert {imported:%d.%m.%Y}"
        )
        _table("Kontoer", counts, day_one.COMPARED_KINDS)
        _rows(listed, day_one.COMPARED_KINDS)


def _table(title: str, counts: Mapping[str, int], kinds: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from dataflyt.accounts.day_one import said

    table = Table(title, "Antall")
    for what, count in said(counts, kinds):
        table.add_row(what, count)
    Console().print(table)


def _rows(rows: "list[Row]", kinds: Mapping[str, str]) -> None:
    for row in rows:
        echo(f"{row.kind}\t{row.person_id or f'linje {row.line}'}\t{kinds[row.kind]}")


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[int], None]]:
    """Show a bar on a terminal while the file is read."""
    from rich.console import Console
    from rich.progress import Progress

    size = file.stat().st_size if file.is_file() else None
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as shown:
        task = shown.add_task("Leser katalogen", total=size)
        yield lambda read: shown.update(task, completed=read)
