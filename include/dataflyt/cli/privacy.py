"""``dataflyt erase``, ``retention``, ``subject-access``, ``disclosed`` and ``privacy-record``: people's rights."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from dataflyt.cli.decided import made, shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor

Folder: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--to", metavar="MAPPE", help="Mappen filene skrives i. Bare du kan lese dem; slett dem når de er levert."
    ),
]
AsPdf: TypeAlias = Annotated[bool, typer.Option("--pdf", help="Skriv PDF i tillegg.")]
Person: TypeAlias = Annotated[str, typer.Argument(help="Fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")]


def retention_command(kommune: KommuneName) -> None:
    """Slett det som har hatt sin tid i en kommune, som DAG-en nightly gjør hver natt.

    Eksempel: `dataflyt retention haugesund`
    """
    from dataflyt.operations import retention

    with installation() as outside:
        found = kommune_of(kommune)
        counts = retention.retain(found, outside.environment())
        echo(
            f"{found.display_name}: slettet {counts['landing']} mapper med hentede svar og "
            f"{counts['quarantine']} rader i karantene. Personer som har sluttet i alt, beskyttede ikke medregnet: "
            f"{counts['people']}."
        )


def erase_command(
    kommune: KommuneName,
    person: Person,
    case: Annotated[str, typer.Option(help="Saksnummeret i arkivet.")],
    reason: Annotated[str, typer.Option(help="Begrunnelsen. Den står bare i varehuset.")],
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å slette en person som har sluttet i alt, før tiden i kommunefilen. En annen må bekrefte det.

    Den som er elev, ansatt eller foresatt nå, slettes ikke: opplysningene ville komme tilbake med neste kjøring.

    Eksempel: `dataflyt erase haugesund ola.nordmann --case 2026/1234 --reason "Krav om sletting" --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.erase import Erase
    from dataflyt.warehouse import audit, everyone
    from dataflyt.warehouse.refusals import refusals

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        looks = visitor(found, user, purpose, "dataflyt erase")
        with (
            refusals(found, environment.connect, looks, "look up", [person]),
            deciding.moment(found, environment, lock=False) as at,
        ):
            found.case_worker(looks.id, "graded" if graded else "persons")
            meant = everyone.find(at.connection, at.owner, person, graded=graded, realm=found.feide.realm)
            audit.record(at.connection, at.owner, looks, "look up", [meant])
        decision = made(Erase, person=meant, case_number=case, reason=reason)
        shown(deciding.decide(found, environment, decision, looks, dry_run=dry_run), dry_run=dry_run)


def subject_access_command(
    kommune: KommuneName,
    number: Annotated[str, typer.Argument(help="Fødselsnummeret eller D-nummeret til den innsynet gjelder.")],
    guardian: Annotated[
        str | None, typer.Option(help="Nummeret til den foresatte som ber om innsyn på vegne av barnet.")
    ] = None,
    to: Folder = Path(),
    as_pdf: AsPdf = False,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Skriv alt Dataflyt har om en person, med kilder, formål, mottakere og oppslag, til den det gjelder.

    Vær sikker på hvem som spør før du gir det ut. Opplysninger om andre er utelatt. Svarer ikke Dataflyt, skal en
    person med retten graded behandle innsynet.

    Eksempel: `dataflyt subject-access haugesund 018150xxxxx --to innsyn --as 101 --purpose "Krav om innsyn"`
    """
    import orjson

    from dataflyt.records import documents
    from dataflyt.records.subject_access import subject_access

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        looks = visitor(found, user, purpose, "dataflyt subject-access")
        answer = subject_access(found, environment, number, looks, graded=graded, requester=guardian)
        name = f"innsyn-{environment.now():%Y%m%d-%H%M%S}-{str(answer.person_id)[:8]}"
        files = {"json": orjson.dumps(answer.data, option=orjson.OPT_INDENT_2)}
        files |= {"html": documents.html(answer.document).encode()}
        files |= {"pdf": documents.pdf(answer.document)} if as_pdf else {}
        for kind, content in files.items():
            echo(str(documents.write_private(to / f"{name}.{kind}", content)))
        if answer.document.warning:
            echo("Utkast: en person må gå gjennom det før det gis ut. Hvorfor, står øverst i dokumentet.")


def disclosed_command(
    kommune: KommuneName, person: Person, user: As = None, purpose: Purpose = None, graded: Graded = False
) -> None:
    """Vis hvilke publiserte filer en person er eller har vært i, hvem som får dem, og fra når til når.

    Til et varsel om avvik, som har frist på 72 timer. Gjelder også utgaver som er trukket tilbake.

    Eksempel: `dataflyt disclosed haugesund ola.nordmann --as 101 --purpose "Avvik 2026/77"`
    """
    from dataflyt.formats.dates import OSLO
    from dataflyt.records.disclosed import disclosed

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        looks = visitor(found, user, purpose, "dataflyt disclosed")
        rows = disclosed(found, environment, person, looks, graded=graded)
        if not rows:
            echo("Personen er ikke i noen fil som er publisert, og har ikke vært det så langt tilbake det er ført.")
        for row in rows:
            since = f"{row.since.astimezone(OSLO):%d.%m.%Y kl. %H.%M.%S}"
            until = f"{row.until.astimezone(OSLO):%d.%m.%Y kl. %H.%M.%S}" if row.until else "nå"
            disk = " En fil med personen ligger fortsatt på disken." if row.until and row.on_disk else ""
            echo(f"{row.export}: fra {since} til {until}. Mottakere: {'; '.join(row.recipients)}.{disk}")
            echo(f"  utgave {', '.join(row.publications)}")


def privacy_record_command(kommune: KommuneName, to: Folder = Path(), as_pdf: AsPdf = False) -> None:
    """Skriv kommunens protokoll over behandlingen (personvernforordningen artikkel 30).

    Den lages av kommunefilen og programmets egne lister: hvilke felt, fra hvilke kilder, til hvilke formål, hvem som
    får dem, hvor lenge de står, og hvilke tiltak som finnes.

    Eksempel: `dataflyt privacy-record haugesund --to protokoll --pdf`
    """
    from dataflyt.records import documents
    from dataflyt.records.privacy_record import privacy_record

    with installation():
        found, now = kommune_of(kommune), datetime.now(UTC)
        document = privacy_record(found, now)
        name = f"protokoll-{found.id}-{now:%Y%m%d-%H%M%S}"
        echo(str(documents.write_private(to / f"{name}.html", documents.html(document).encode())))
        if as_pdf:
            echo(str(documents.write_private(to / f"{name}.pdf", documents.pdf(document))))
