"""``dataflyt person``: people registered by hand, and persons that are one or must be parted."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from dataflyt.cli.decided import made, shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App
from dataflyt.cli.override import asked_for
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor
from dataflyt.errors import ConfigError, why_refused
from dataflyt.storage import private

person_app = App(help="Personer registrert for hånd (vikar, praksisstudent, testbruker, alias), og koblinger.")

Kind: TypeAlias = Annotated[
    str, typer.Option(help="Slaget: substitute (vikar), student_teacher (praksisstudent), tester eller alias.")
]
Sponsor: TypeAlias = Annotated[str, typer.Option(help="Hvem i kommunen som går god for personen.")]
Until: TypeAlias = Annotated[
    datetime | None,
    typer.Option(metavar="<dato>", formats=["%Y-%m-%d"], help="Siste dag, høyst tre måneder frem. Ikke for alias."),
]
Reason: TypeAlias = Annotated[
    str | None, typer.Option(help="Hvorfor. Blir spurt om når den utelates, og lagres bare i varehuset.")
]
Case: TypeAlias = Annotated[str, typer.Option(help="Saksnummeret i arkivet.")]


@person_app.command(name="list")
def listed(
    kommune: KommuneName,
    links: Annotated[bool, typer.Option("--links", help="Vis koblinger og delinger i stedet.")] = False,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Vis dem som er registrert for hånd. Alias vises bare med --graded. Oppslaget føres.

    Eksempel: `dataflyt person list haugesund --as 101 --purpose 3`
    """
    from dataflyt.decisions import people_lists as lists
    from dataflyt.decisions.manual_person import KINDS

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt person list")
        if links:
            for link in lists.links(found, environment, who, graded=graded):
                echo(f"{link.number}  {link.name}: {'to er én' if link.joined else 'delt i to'}")
                echo(f"   {link.reason} (sak {link.case_number})")
            return
        rows = lists.manual_people(found, environment, who, graded=graded)
        if not rows:
            echo("Ingen er registrert for hånd.")
        for row in rows:
            role = "elev" if row.role == "pupil" else "ansatt"
            last = f"til og med {row.until:%d.%m.%Y}" if row.until else f"vurderes på nytt {row.review_on:%d.%m.%Y}"
            group = f", klasse {row.group_id}" if row.group_id else ""
            alias = f", for {row.stands_for}" if row.stands_for else ""
            echo(f"{row.number}  {row.name}: {KINDS[row.kind]}{alias} ({role} ved {row.unit_id}{group}), {last}")
            echo(f"   {row.reason} (ansvarlig: {row.sponsor})")


@person_app.command()
def add(
    kommune: KommuneName,
    kind: Kind,
    given: Annotated[str, typer.Option(help="Fornavn.")],
    family: Annotated[str, typer.Option(help="Etternavn.")],
    school: Annotated[str, typer.Option(help="Skolens organisasjonsnummer.")],
    sponsor: Sponsor,
    role: Annotated[str, typer.Option(help="employee (ansatt) eller pupil (elev: bare testbruker og alias).")] = (
        "employee"
    ),
    number: Annotated[str | None, typer.Option(help="Fødselsnummer eller D-nummer, for en som finnes.")] = None,
    group: Annotated[str | None, typer.Option(help="Klassens eller gruppens id.")] = None,
    until: Until = None,
    alias_of: Annotated[
        str | None, typer.Option(help="For alias: hvem aliaset står for, skrevet som i andre kommandoer.")
    ] = None,
    review: Annotated[
        datetime | None,
        typer.Option(metavar="<dato>", formats=["%Y-%m-%d"], help="For alias: dagen det skal vurderes på nytt."),
    ] = None,
    case: Annotated[str | None, typer.Option(help="Saksnummeret i arkivet; må være med for alias.")] = None,
    reason: Reason = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å registrere en person for hånd. En annen må bekrefte det; personen får konto fra neste kjøring.

    Eksempel: `dataflyt person add haugesund --kind substitute --given Kari --family Vik --school 311060015
    --number «nummeret» --sponsor "Rektor" --until 2026-12-18 --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.manual_person import ManualPeople

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt person add")
        hidden = deciding.look_up(found, environment, [alias_of], who, graded=graded) if alias_of else [None]
        person = {"fornavn": given, "etternavn": family, "role": role, "unit_id": school, "number": number}
        decision = made(
            ManualPeople,
            kind_of_person=kind,
            people=({**person, "group_id": group},),
            sponsor=sponsor,
            reason=asked_for(reason),
            case_number=case,
            until=until and until.date(),
            review_on=review and review.date(),
            stands_for=hidden[0],
        )
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@person_app.command(name="import")
def import_people(
    kommune: KommuneName,
    file: Annotated[Path, typer.Argument(metavar="FIL", help="CSV-filen, som eFeide tar den.")],
    kind: Kind,
    sponsor: Sponsor,
    until: Until = None,
    reason: Reason = None,
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å registrere alle i en CSV-fil. Er én linje feil, registreres ingen.

    Kolonnene er eFeides, i denne rekkefølgen: skolens organisasjonsnummer, etternavn, fornavn, fødselsnummer, e-post,
    telefon, FEIDE-navn, klasse, type (1 elev, 2 ansatt). E-post, telefon og FEIDE-navn leses ikke.

    Eksempel: `dataflyt person import haugesund vikarer.csv --kind substitute --sponsor "Rektor" --until 2026-12-18
    --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding, manual_file
    from dataflyt.decisions.manual_person import ManualPeople, complaints
    from dataflyt.warehouse.refusals import refusals

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt person import")
        with refusals(found, environment.connect, who, ManualPeople.kind):
            found.case_worker(who.id, "decide")
        try:
            with file.open("rb") as stream:
                people, wrong = manual_file.read(stream)
        except OSError as error:
            raise ConfigError(f"{file} kan ikke åpnes: {why_refused(error)}.") from None
        if private.everybody_can_read(file):
            echo(f"Alle på maskinen kan lese filen, og den har fødselsnumre: kjør «chmod go= {file}».", err=True)
        decision = (
            made(
                ManualPeople,
                kind_of_person=kind,
                people=tuple(people),
                sponsor=sponsor,
                reason=asked_for(reason),
                until=until and until.date(),
            )
            if people
            else None
        )
        if decision:
            with deciding.moment(found, environment, lock=False) as at:
                wrong += complaints(at, decision.kind_of_person, decision.people)
        if wrong or decision is None:
            for sentence in sorted(wrong, key=_line):
                echo(sentence, err=True)
            raise ConfigError("Ingen er registrert: rett linjene over, og prøv på nytt.")
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@person_app.command()
def end(
    kommune: KommuneName,
    number: Annotated[int, typer.Argument(help="Registreringens nummer, som «dataflyt person list» viser.")],
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """Avslutt en registrering for hånd. Gjelder straks, og ny utgave publiseres straks.

    Eksempel: `dataflyt person end haugesund 2 --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.manual_person import EndManualPerson

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt person end")
        decided = deciding.decide(found, environment, EndManualPerson(manual_person=number), who, dry_run=dry_run)
        shown(decided, dry_run=dry_run)


@person_app.command()
def link(
    kommune: KommuneName,
    person: Annotated[str, typer.Option(help="Den ene: fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")],
    same_as: Annotated[str, typer.Option(help="Den andre, som personen blir stående som.")],
    case: Case,
    reason: Reason = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Foreslå at to personer er én. En annen må bekrefte det, og neste kjøring spør en godkjenner.

    Eksempel: `dataflyt person link haugesund --person «D-nummeret» --same-as «fødselsnummeret» --case 2026/14 --as 101
    --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.link import Link

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt person link")
        pair = deciding.look_up(found, environment, [person, same_as], who, graded=graded)
        decision = made(Link, person=pair[0], became=pair[1], reason=asked_for(reason), case_number=case)
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@person_app.command()
def unlink(
    kommune: KommuneName,
    person: Annotated[str, typer.Option(help="Personen som skal deles.")],
    number: Annotated[str, typer.Option(help="Et fødselsnummer som personen har nå, og som er en annens.")],
    case: Case,
    reason: Reason = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å dele to personer som feilaktig er blitt én. En annen må bekrefte det, og neste kjøring spør.

    Beskyttelse og sperringer blir stående for begge.

    Eksempel: `dataflyt person unlink haugesund --person ola.nordmann --number «D-nummeret» --case 2026/15 --as 101
    --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.link import Unlink, former
    from dataflyt.identity import numbers

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt person unlink")
        (about,) = deciding.look_up(found, environment, [person], who, graded=graded)
        written = numbers.read(number)
        with deciding.moment(found, environment, lock=False) as at:
            apart = former(at, about, written.value if written else "")
        decision = made(Unlink, person=about, apart=apart, reason=asked_for(reason), case_number=case)
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


def _line(sentence: str) -> int:
    return int(sentence.removeprefix("Linje ").partition(":")[0])
