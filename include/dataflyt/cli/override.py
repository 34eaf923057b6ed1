"""``dataflyt override``: values that people have set beside the registers'."""

import sys
from datetime import datetime
from typing import Annotated

import typer

from dataflyt.cli.decided import made, shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App, ask
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor
from dataflyt.errors import ConfigError

override_app = App(
    help="Overstyringer: navn, kjønn, beskyttelse og annet som noen har bestemt ved siden av registeret."
)


@override_app.command(name="list")
def listed(kommune: KommuneName, user: As = None, purpose: Purpose = None, graded: Graded = False) -> None:
    """Vis overstyringene som gjelder, med registerets verdi ved siden av.

    Beskyttelse, og det som gjelder beskyttede, vises bare med --graded. Oppslaget føres.

    Eksempel: `dataflyt override list haugesund --as 101 --purpose 3`
    """
    from dataflyt.decisions import people_lists as lists
    from dataflyt.decisions.override import FIELDS

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt override list")
        rows = lists.overrides(found, environment, who, graded=graded)
        if not rows:
            echo("Ingen overstyringer å vise.")
        for row in rows:
            beside = f" (registeret: {row.registered})" if row.registered else ""
            review = f", vurderes på nytt {row.review_on:%d.%m.%Y}" if row.review_on else ""
            echo(f"{row.number}  {row.name}: {FIELDS[row.field]} = {row.value or 'ingen'}{beside}")
            echo(f"   {row.reason} (sak {row.case_number}{review})")


@override_app.command()
def add(
    kommune: KommuneName,
    person: Annotated[str, typer.Option(help="Hvem: fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")],
    field: Annotated[
        str,
        typer.Option(
            help="Feltet: fornavn, mellomnavn, etternavn, kjoenn (kvinne eller mann), display_name (visningsnavnet i "
            "FEIDE), school_unit (skolens organisasjonsnummer, for en ansatt), user_name (keep: brukernavnet beholdes, "
            "renew: det fornyes) eller adressebeskyttelse (fortrolig eller strengtFortrolig)."
        ),
    ],
    value: Annotated[str, typer.Option(help="Verdien som skal gjelde. Et tomt mellomnavn er ingen mellomnavn.")],
    case: Annotated[str, typer.Option(help="Saksnummeret i arkivet.")],
    reason: Annotated[
        str | None, typer.Option(help="Hvorfor. Blir spurt om når den utelates, og lagres bare i varehuset.")
    ] = None,
    review: Annotated[
        datetime | None,
        typer.Option(
            metavar="<dato>", formats=["%Y-%m-%d"], help="Dagen den skal vurderes på nytt; må være med for beskyttelse."
        ),
    ] = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Sett en verdi ved siden av registerets.

    Hevet beskyttelse gjelder straks. Alt annet foreslås: en annen må bekrefte det, og det gjelder fra neste kjøring.

    Eksempel: `dataflyt override add haugesund --person ola.nordmann --field fornavn --value Ola-Kim --case 2026/12
    --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.override import FIELDS, Override, RaiseProtection

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt override add")
        if field not in FIELDS:
            raise ConfigError(f"--field må være {', '.join(FIELDS)}.")
        (about,) = deciding.look_up(found, environment, [person], who, graded=graded)
        fields = {"person": about, "value": value, "case_number": case, "review_on": review and review.date()}
        fields["reason"] = asked_for(reason)
        decision = (
            made(RaiseProtection, **fields) if field == "adressebeskyttelse" else made(Override, field=field, **fields)
        )
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@override_app.command()
def end(
    kommune: KommuneName,
    number: Annotated[int, typer.Argument(help="Overstyringens nummer, som «dataflyt override list» viser.")],
    user: As = None,
    purpose: Purpose = None,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å avslutte en overstyring. En annen må bekrefte det, med «dataflyt decide confirm».

    Eksempel: `dataflyt override end haugesund 4 --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.override import EndOverride

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt override end")
        decided = deciding.decide(found, environment, EndOverride(override=number), who, dry_run=dry_run)
        shown(decided, dry_run=dry_run)


def asked_for(reason: str | None) -> str:
    """Return the reason; ask in the terminal when it was left out. Raises ConfigError where nobody answers."""
    if reason is None and sys.stdin.isatty():
        reason = ask("Begrunnelse")
    if reason is None or not reason.strip():
        raise ConfigError("Skriv begrunnelsen, med --reason.")
    return reason
