"""``dataflyt undo``: propose to undo the newest released run, and show what that changes."""

from typing import Annotated

import typer

from dataflyt.cli.decided import shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.run import plan_line
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor


def undo_command(
    kommune: KommuneName,
    number: Annotated[int, typer.Option("--run", help="Kjøringens nummer: den nyeste som er frigitt.")],
    rows: Annotated[
        bool,
        typer.Option(
            "--rows",
            help="Vis hver rad, som «dataflyt plan»: varehusets id-er bare med --graded. For dem som har retten "
            "«persons».",
        ),
    ] = False,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å angre en frigitt kjøring, den nyeste først. En annen må bekrefte det, med «dataflyt decide confirm».

    Det kjøringen ga, forsvinner straks. Det den tok, kommer ikke tilbake før neste kjøring som frigis, og ingen
    beskyttelse senkes. Eksempel: `dataflyt undo haugesund --run 12 --dry-run --as 101 --purpose Feilsøking`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.undo import Undo
    from dataflyt.decisions.undo_rows import undo_rows

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt undo")
        decision = Undo(run=number)
        listed = undo_rows(found, environment, decision, who, graded=graded) if rows or graded else []
        decided = deciding.decide(found, environment, decision, who, dry_run=dry_run)
    shown(decided, dry_run=dry_run)
    for row in listed:
        echo(plan_line(row))
