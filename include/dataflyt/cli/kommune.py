"""``dataflyt kommune``: check the kommune files, list them, begin a new one, merge and split kommuner."""

import json
import os
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt import config
from dataflyt.cli import outside_run
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App, ask
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, DryRun, Purpose, visitor
from dataflyt.config.exports import EXPORTS
from dataflyt.errors import ConfigError
from dataflyt.identity.names import ascii_fold
from dataflyt.run.environment import Installation

if TYPE_CHECKING:
    from dataflyt.config.kommune import Kommune

kommune_app = App(help="Kommunefilene: kontroller dem, list dem opp, begynn på en ny; slå sammen og del kommuner.")


@kommune_app.command()
def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="KOMMUNE", help="Id eller kommunenummer; ingen: alle filene.")
    ] = None,
    online: Annotated[
        bool, typer.Option("--online", help="Spør hver kilde også: om den svarer, og med hvem sine rettigheter.")
    ] = False,
) -> None:
    """Kontroller kommunefilene: en linje for hver, og returkode 1 når noen har feil.

    Med navn vises også hvem som arbeider ved en skole. Med --online også en linje for hver kilde: om den svarer, om
    rettighetene er kommunens egne, og hvor gammel den nyeste filen er. Ingen personer slås opp.
    """
    from dataflyt.config.loading import find, folder_of_kommuner, load_all

    outside = outside_run.use() if online else None
    folder = folder_of_kommuner()
    good: list[Kommune] = []
    broken: list[str] = []
    try:
        if names:
            for name in names:
                try:
                    good.append(find(folder, name))
                except ConfigError as error:
                    broken.append(error.sentence)
        else:
            good, wrong = load_all(folder)
            broken = sorted(one.sentence for one in wrong)
            if not good and not broken:
                broken = [f"Mappen {folder} har ingen kommunefiler: legg en der, eller sett DATAFLYT_KOMMUNER."]
    except ConfigError as error:
        broken.append(error.sentence)
    fine = not broken
    for kommune in sorted(good, key=lambda kommune: kommune.id):
        echo(f"{kommune.id}.yaml: OK")
        if names and kommune.sources.hr.units and not online:
            echo(f"  {kommune.sources.hr.in_words}")
        for one in kommune.people:
            if "decide" in one.may and one.employee_id is None:
                echo(
                    f"  {one.name} kan bestemme, og har ingen employee_id: Dataflyt ser ikke om det gjelder en selv "
                    "eller egne barn. Det som gir noe, må en annen bekrefte."
                )
        fine = (not outside or _answers(kommune, outside)) and fine
    for sentence in broken:
        echo(f"FEIL {sentence}")
    if not fine:
        raise typer.Exit(1)


def _answers(kommune: "Kommune", outside: Installation) -> bool:
    """Print for each source whether it answers and with whose rights. Return whether all is well."""
    from dataflyt.operations import source_check

    fine = True
    for source, well, sentence in source_check.ask_sources(kommune, outside.connect, outside.path, datetime.now(UTC)):
        echo(f"{'OK' if well else 'FEIL'} {kommune.id}, {source}: {sentence}")
        fine = fine and well
    return fine


@kommune_app.command(name="list")
def list_kommuner() -> None:
    """List opp kommunene: id, navn, nummer, når de kjøres, og eksporter. Filer med feil nevnes under tabellen."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from dataflyt.config.loading import folder_of_kommuner, load_all

    try:
        good, broken = load_all(folder_of_kommuner())
    except ConfigError as error:
        echo(error.sentence, err=True)
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
        echo(f"FEIL {one.sentence}", err=True)


@kommune_app.command()
def new(
    number: Annotated[str, typer.Argument(metavar="NUMMER", help="Kommunenummeret, fire sifre: 1106.")],
    name: Annotated[
        str | None, typer.Option(help="Kommunens navn. Du blir spurt når det utelates: her er ingen liste over dem.")
    ] = None,
    id_: Annotated[
        str | None,
        typer.Option("--id", metavar="ID", help="Navnet på filen, som aldri endres; lages av --name når det utelates."),
    ] = None,
) -> None:
    """Skriv en kommunefil med forklaringer, til å fylle ut, og si hva som er neste steg.

    Kommunen er på prøve til filen sier noe annet: det planlegges og sammenlignes, og ingenting publiseres.
    """
    from dataflyt.config.loading import folder_of_kommuner

    try:
        path = _write(folder_of_kommuner(), number.strip(), name, id_)
    except ConfigError as error:
        echo(error.sentence, err=True)
        raise typer.Exit(2) from None
    echo(_NEXT.format(path=path, id=path.stem))


@kommune_app.command()
def merge(
    kommune: KommuneName,
    into: Annotated[str, typer.Option(help="Kommunen som overtar: id eller nummer.")],
    confirm: Annotated[int | None, typer.Option(help="Nummeret på forslaget du bekrefter: et annet enn ditt.")] = None,
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """La en kommune overta en annen: FEIDE-navn, sperringer, beskyttelse og tilganger følger folk på fødselsnummer.

    Det som beskytter, gjelder straks. Resten er et forslag som en annen må bekrefte, med samme kommando og --confirm.
    Ingenting endres i kommunen som overtas. Gjenta kommandoen hvis noe bestemmes der etterpå.

    Eksempel: `dataflyt kommune merge haugesund --into bergen --as 101 --purpose "Sammenslåing 1.1.2028"`
    """
    _take_over(kommune, into, (), confirm, user, purpose, dry_run, "dataflyt kommune merge")


@kommune_app.command()
def split(
    kommune: KommuneName,
    into: Annotated[str, typer.Option(help="Kommunen som overtar en del: id eller nummer.")],
    school: Annotated[list[str], typer.Option(help="En skole som følger med, med organisasjonsnummer; gjentas.")],
    confirm: Annotated[int | None, typer.Option(help="Nummeret på forslaget du bekrefter: et annet enn ditt.")] = None,
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """La en kommune overta noen av skolene til en annen. Gjør det én gang for hver kommune som får en del.

    Som «dataflyt kommune merge», bare for folk ved disse skolene. De som ikke går på noen skole, følger med hver del.

    Eksempel: `dataflyt kommune split haugesund --into bergen --school 311060015 --school 311060023 --as 101`
    """
    _take_over(kommune, into, school, confirm, user, purpose, dry_run, "dataflyt kommune split")


def _take_over(
    name: str,
    into: str,
    schools: Sequence[str],
    confirm: int | None,
    user: str | None,
    purpose: str | None,
    dry_run: bool,
    place: str,
) -> None:
    from dataflyt.decisions import kommuner

    with installation() as outside:
        source, target = kommune_of(name), kommune_of(into)
        who = visitor(target, user, purpose, place)
        taken = kommuner.take_over(
            source, target, outside.environment(), who, schools=schools, confirm=confirm, dry_run=dry_run
        )
        if dry_run:
            echo("Prøve: ingenting er endret. Dette ville skje:")
        elif taken.proposal is not None:
            echo(f"Forslag {taken.proposal} venter på at en annen bekrefter det, med --confirm {taken.proposal}.")
        else:
            echo("Overtatt. FEIDE-navn og tilganger gjelder fra neste kjøring.")
        for sentence in taken.sentences():
            echo(f"  {sentence}")


def _write(folder: Path, number: str, name: str | None, given_id: str | None) -> Path:
    """Write the file and return its path. Raises ConfigError, and then leaves no file."""
    from dataflyt.config.loading import claimed

    if not re.fullmatch("[0-9]{4}", number):
        raise ConfigError("Et kommunenummer har fire sifre: skriv for eksempel «dataflyt kommune new 1106».")
    if other := claimed(folder).get(number):
        raise ConfigError(f"{other} har kommunenummer {number} fra før: rett den filen, eller skriv et annet nummer.")
    if name is None and sys.stdin.isatty():
        name = ask("Kommunens navn")
    name = " ".join((name or "").split())
    if not name or len(name) > 100 or not name.isprintable():
        raise ConfigError(
            "Skriv kommunens navn med --name, høyst 100 tegn: Dataflyt har ingen liste over kommuner å slå opp i."
        )
    kommune_id = given_id or re.sub("[^a-z0-9]+", "_", ascii_fold(name).lower()).strip("_")
    if not re.fullmatch("[a-z][a-z0-9_]{1,40}", kommune_id):
        raise ConfigError("Skriv en id med --id: små bokstaver a–z, sifre og understrek, fra 2 til 41 tegn.")
    path = folder / f"{kommune_id}.yaml"
    text = filled_template(kommune_id, name, number)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)  # it holds no secret, and Airflow may run as somebody else
    except FileExistsError:
        raise ConfigError(f"{path.name} finnes fra før og blir ikke skrevet over: skriv en annen --id.") from None
    except OSError:
        raise ConfigError(f"{path.name} kan ikke skrives i {folder}: gi Dataflyt lov til å skrive der.") from None
    return path


def filled_template(kommune_id: str, name: str, number: str) -> str:
    """Return a new kommune file's text. ``name`` is on one line; ``kommune_id`` and ``number`` need no quoting."""
    template = Template(_TEMPLATE.read_text(encoding="utf-8"))
    return template.substitute(
        id=kommune_id,
        comment=name,
        name=json.dumps(name, ensure_ascii=False),
        number=number,
        exports=", ".join(EXPORTS),
    )


_TEMPLATE = Path(config.__file__).with_name("template.yaml")

_NEXT = """\
{path} er skrevet. Videre:
  1. Fyll ut linjene som er merket «fyll ut», og kontroller: dataflyt kommune check {id}
  2. Gjør varehuset klart: dataflyt warehouse migrate
     Lag kommunens roller i Airflow: dataflyt airflow prepare, og gi dem til dem som skal starte og godkjenne
  3. Lag tilkoblingene warehouse_{id} (dataflyt warehouse login {id}), freg_{id}, krr_{id}, hr_{id} og sas_{id},
     og prøv dem: dataflyt kommune check {id} --online
  4. Importer dagens katalog: dataflyt account import FIL --kommune {id}
  5. Første kjøring, på prøve: dataflyt run {id}, og så dataflyt account difference {id}
Sett trial: false i filen når forskjellen er som den skal være."""
