"""``dataflyt block``: who must not have access to a child."""

from datetime import datetime
from typing import Annotated

import typer

from dataflyt.cli.decided import made, shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor

block_app = App(help="Sperringer: voksne som ikke skal ha tilgang til et barn, også når de har foreldreansvar.")


@block_app.command()
def add(
    kommune: KommuneName,
    child: Annotated[str, typer.Option(help="Barnet: fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")],
    adult: Annotated[str, typer.Option(help="Den voksne, skrevet på samme måte.")],
    basis: Annotated[
        str, typer.Option(help="Grunnlaget: barnevern_decision, court_judgment, contact_ban eller other.")
    ],
    case: Annotated[str, typer.Option(help="Saksnummeret i arkivet.")],
    review: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Dagen sperringen skal vurderes på nytt.")
    ] = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Sperr en voksen fra et barn. Gjelder straks, og ny utgave publiseres straks.

    Eksempel: `dataflyt block add haugesund --child ola.nordmann --adult 12345678901 --basis court_judgment
    --case 2026/1234 --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.block import Block

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt block add")
        pair = deciding.look_up(found, environment, [child, adult], who, graded=graded)
        decision = made(
            Block, child=pair[0], adult=pair[1], basis=basis, case_number=case, review_on=review and review.date()
        )
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@block_app.command()
def end(
    kommune: KommuneName,
    number: Annotated[int, typer.Argument(help="Sperringens nummer, som «dataflyt block list» viser.")],
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å heve en sperring. En annen må bekrefte det, med «dataflyt decide confirm»."""
    from dataflyt.decisions import deciding
    from dataflyt.decisions.block import LiftBlock

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt block end")
        shown(deciding.decide(found, environment, LiftBlock(block=number), who, dry_run=dry_run), dry_run=dry_run)
