"""``dataflyt kommune``: check the kommune files, list them, and begin a new one."""

import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dataflyt.cli import outside_run
from dataflyt.cli.norwegian import App, ask
from dataflyt.cli.terminal import echo
from dataflyt.config.kommune import Kommune, claimed, find, folder_of_kommuner, load_all
from dataflyt.errors import ConfigError
from dataflyt.identity.names import ascii_fold
from dataflyt.run.environment import Outside

kommune_app = App(help="Kommunefilene: kontroller dem, list dem opp, begynn på en ny.")


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
        fine = (not outside or _answers(kommune, outside)) and fine
    for sentence in broken:
        echo(f"FEIL {sentence}")
    if not fine:
        raise typer.Exit(1)


def _answers(kommune: Kommune, outside: Outside) -> bool:
    """Print for each source whether it answers and with whose rights; return whether all is well."""
    from dataflyt.operations import source_check

    fine = True
    for source, well, sentence in source_check.check(kommune, outside.connect, outside.path, datetime.now(UTC)):
        echo(f"{'OK' if well else 'FEIL'} {kommune.id}, {source}: {sentence}")
        fine = fine and well
    return fine


@kommune_app.command(name="list")
def list_kommuner() -> None:
    """List opp kommunene: id, navn, nummer, når de kjøres, og eksporter. Filer med feil nevnes under tabellen."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

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
    try:
        path = _write(folder_of_kommuner(), number.strip(), name, id_)
    except ConfigError as error:
        echo(error.sentence, err=True)
        raise typer.Exit(2) from None
    echo(_NEXT.format(path=path, id=path.stem))


def _write(folder: Path, number: str, name: str | None, given_id: str | None) -> Path:
    """Write the file and return its path. Raises ConfigError, and then leaves no file."""
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
    text = _TEMPLATE.format(id=kommune_id, comment=name, name=json.dumps(name, ensure_ascii=False), number=number)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), 0o644)  # it holds no secret, and Airflow may run as somebody else
    except FileExistsError:
        raise ConfigError(f"{path.name} finnes fra før og blir ikke skrevet over: skriv en annen --id.") from None
    except OSError:
        raise ConfigError(f"{path.name} kan ikke skrives i {folder}: gi Dataflyt lov til å skrive der.") from None
    return path


_TEMPLATE = """\
# {comment}. Alt som ikke står her, kommer fra _defaults.yaml: mappens egen, ellers Dataflyts.
# Fyll ut linjene som er merket «fyll ut», og kontroller filen med: dataflyt kommune check {id}
# Nøkler og passord skal aldri stå her: de ligger i tilkoblingene (connections).

id: {id} # samme som filnavnet; endres aldri
name: {name}
kommunenummer: ["{number}"] # alltid i anførselstegn; flere når kommuner er slått sammen
orgnr: # fyll ut: kommunens organisasjonsnummer i anførselstegn, "944073787"

trial: true # på prøve: planlegger og sammenligner, publiserer ingenting; false når kommunen er klar

legal_basis:
  freg: # fyll ut: med_hjemmel, eller none (da blir foreldreansvar aldri hentet)
  text: # fyll ut: hvilket rettslig grunnlag kommunen har for å hente opplysningene

schedule: # norsk tid
  every: week # week eller month
  day: sunday # ukedag på engelsk, eller dato 1-28 når every er month
  at: "03:00"
  # done_by: "07:00"              # er kjøringen ikke ferdig da, sier Dataflyt fra

sources:
  freg: # Folkeregisteret
    connection: freg_{id}
    # route: fiks                 # gjennom KS Fiks: fiks eller fiks_oppvekst, med rolleId fra Fiks
    # rolle: 00000000-0000-0000-0000-000000000000
    # residents: {{from_age: 6, to_age: 16}} # finn også barn som bor i kommunen og ikke står i skolesystemet
    # employees: true # spør også om ansatte ved skolene, når kommunen har rett til det
  krr: # Kontakt- og reservasjonsregisteret
    connection: krr_{id}
    # route: fiks                 # gjennom KS Fiks, én person om gangen
    # rolle: 00000000-0000-0000-0000-000000000000
  hr: # lønns- og personalsystemet: nyeste fil i tilkoblingens mappe
    # format: visma # når filen er Vismas personsXML og ikke Stamdata3
    connection: hr_{id}
    files: "Stamdata3_*.xml"
    units: # fyll ut: HR-enhetens id og skolens organisasjonsnummer på hver sin linje under, begge i anførselstegn
      # "011110": "311060015"
    # employment_types: # hva kodene for ansettelsestype betyr: fast, midlertidig, vikar, timelønnet eller inaktiv
    #   "H": inaktiv
    # protected: # hvor HR-systemet merker ansatte som ikke skal kunne finnes: type Relation, hos Visma category
    #   "KODE": ["6"]
  sas: # det skoleadministrative systemet
    # format: oneroster # når filen er OneRoster (zip) og ikke PIFU; files er da "*.zip"
    connection: sas_{id}
    files: "pifu_*.xml"
    # max_age_days: 10 # en eldre fil stopper kjøringen; uten er det 8 døgn (33 hver måned); hr kan ha det også
    # newest: name # datoen i filnavnet (2026-11-28) sier hvilken fil som er nyest, ikke leveringstiden; hr også
    # timetable: "timeplan_*.csv" # når det leverer timeplan; "timeplan_*.ics" når det er en kalender
    # calendars: calendars_{id} # når timeplanene hentes fra lenker til kalendere, som tilkoblingen har

feide:
  realm: # fyll ut: kommunens domene i FEIDE, for eksempel haugesund.kommune.no
  mail: # fyll ut: adressen FEIDE viser for skoleeier og skoler, for eksempel feide@haugesund.kommune.no

accounts: dataflyt # hvem gir brukernavn: dataflyt, eller bas når kommunen har et brukeradministrativt system

exports: [feide_ldif] # feide_ldif, pifu eller begge

# Vakten spør en godkjenner når en kjøring endrer mer enn grensene i _defaults.yaml. Andre grenser for denne kommunen:
# guard:
#   limits:
#     pupil_leaves: {{percent: 5, count: 20}}
#   august:                       # egne grenser når skoleåret begynner
#     pupil_starts: {{percent: 25, count: null}}

approvers: # fyll ut: minst én linje under; id er brukerens nummer i Airflow (airflow users list)
  # - {{id: "101", name: "Anita Ingebretsen"}}

# Hvem får e-post når en kjøring spør, stopper eller er forsinket: antall og en lenke, ingen navn.
# mail: {{to: [drift@haugesund.kommune.no]}}
"""

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
