"""``dataflyt block``: who must not have access to a child."""

from datetime import datetime
from typing import Annotated

import typer

from dataflyt.cli.decided import made, print_list, shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor

block_app = App(help="Sperringer: voksne som ikke skal ha tilgang til et barn, også når de har foreldreansvar.")


@block_app.command("list")
def list_blocks(kommune: KommuneName, user: As = None, purpose: Purpose = None, graded: Graded = False) -> None:
    """Vis sperringene som gjelder: nummer, barnet, den voksne, grunnlag og saksnummer. Innsynet føres.

    Eksempel: `dataflyt block list haugesund --as 101 --purpose 3`
    """
    from dataflyt.decisions.block import BASES

    print_list(kommune, "blocks", user, purpose, graded, "dataflyt block list", BASES, "Ingen sperringer.")


@block_app.command()
def add(
    kommune: KommuneName,
    child: Annotated[str, typer.Option(help="Barnet: fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")],
    adult: Annotated[
        str,
        typer.Option(
            help="Den voksne, skrevet på samme måte; eller et organisasjonsnummer. Med --graded kan det være nummeret "
            "til en som ikke er kjent i kommunen ennå."
        ),
    ],
    basis: Annotated[
        str, typer.Option(help="Grunnlaget: barnevern_decision, court_judgment, contact_ban eller other.")
    ],
    case: Annotated[str, typer.Option(help="Saksnummeret i arkivet.")],
    review: Annotated[
        datetime | None,
        typer.Option(metavar="<dato>", formats=["%Y-%m-%d"], help="Dagen sperringen skal vurderes på nytt."),
    ] = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Sperr en voksen fra et barn. Gjelder straks, og ny utgave publiseres straks.

    Eksempel: `dataflyt block add haugesund --child ola.nordmann --adult kari.nordmann --basis court_judgment
    --case 2026/1234 --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.block import Block

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt block add")
        (pupil,) = deciding.look_up(found, environment, [child], who, graded=graded)
        barred = deciding.look_up_adult(found, environment, adult, who, graded=graded)
        decision = made(
            Block, child=pupil, adult=barred, basis=basis, case_number=case, review_on=review and review.date()
        )
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@block_app.command()
def end(
    kommune: KommuneName,
    number: Annotated[
        int, typer.Argument(metavar="NUMMER", help="Sperringens nummer, som «dataflyt block list» viser.")
    ],
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å heve en sperring. En annen må bekrefte det, og tilgangen kommer tilbake ved neste kjøring.

    Eksempel: `dataflyt block end haugesund 482913 --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.block import LiftBlock

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt block end")
        shown(deciding.decide(found, environment, LiftBlock(block=number), who, dry_run=dry_run), dry_run=dry_run)
