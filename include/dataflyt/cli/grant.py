"""``dataflyt grant`` and ``dataflyt consent``: access on another basis than foreldreansvar, and consents taken back."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli.decided import made, print_list, shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor
from dataflyt.errors import ConfigError
from dataflyt.formats.dates import OSLO

if TYPE_CHECKING:
    from dataflyt.config.kommune import Kommune
    from dataflyt.decisions.consent import Given
    from dataflyt.run.environment import Environment
    from dataflyt.warehouse.audit import Visitor

grant_app = App(help="Tilganger på annet grunnlag enn foreldreansvar: samtykke, dom, barnevern, verge, representant.")
consent_app = App(help="Samtykker til tilganger: trekk tilbake et samtykke. De gis med «dataflyt grant add».")

Number = Annotated[int, typer.Argument(metavar="NUMMER", help="Tilgangens nummer, som «dataflyt grant list» viser.")]


@grant_app.command("list")
def list_grants(kommune: KommuneName, user: As = None, purpose: Purpose = None, graded: Graded = False) -> None:
    """Vis tilgangene som ikke er avsluttet: nummer, barnet, den voksne, grunnlag, sak og om de gjelder. Innsynet føres.

    Eksempel: `dataflyt grant list haugesund --as 101 --purpose 3`
    """
    from dataflyt.decisions.grant import BASES

    print_list(kommune, "grants", user, purpose, graded, "dataflyt grant list", BASES, "Ingen tilganger.")


@grant_app.command()
def add(
    kommune: KommuneName,
    child: Annotated[str, typer.Option(help="Barnet: fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")],
    adult: Annotated[
        str,
        typer.Option(
            help="Den voksne, skrevet på samme måte; et organisasjonsnummer; eller «uten nummer: Maria, Lopez, "
            "1985-03-01»."
        ),
    ],
    basis: Annotated[
        str,
        typer.Option(help="Grunnlaget: consent, court_judgment, barnevern_decision, verge eller representative."),
    ],
    scope: Annotated[str, typer.Option(help="Hva tilgangen gjelder, for eksempel «alt» eller «timeplan».")],
    case: Annotated[str, typer.Option(help="Saksnummeret i arkivet. Dokumentene ligger der, ikke her.")],
    seen_by: Annotated[str, typer.Option(help="Hvem som har sett dokumentet eller samtykkene.")],
    until: Annotated[
        datetime | None, typer.Option(metavar="<dato>", formats=["%Y-%m-%d"], help="Siste dag tilgangen gjelder.")
    ] = None,
    consent: Annotated[
        list[str] | None,
        typer.Option(
            help="Et samtykke: hvem; hvordan; dato, som «ola.nordmann; skjema; 2026-11-20». Ett for hver som har "
            "foreldreansvar, og for eleven fra 15 år."
        ),
    ] = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Foreslå en tilgang. En annen må bekrefte den, og den begynner ved neste kjøring som frigis.

    Eksempel: `dataflyt grant add haugesund --child ola.nordmann --adult kari.nordmann --basis court_judgment
    --scope alt --case 2026/1234 --seen-by "Anita Ingebretsen" --as 101 --purpose 3 --dry-run`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.grant import Grant

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt grant add")
        (pupil,) = deciding.look_up(found, environment, [child], who, graded=graded)
        decision = made(
            Grant,
            child=pupil,
            adult=deciding.look_up_adult(found, environment, adult, who, graded=graded),
            basis=basis,
            scope=scope,
            case_number=case,
            seen_by=seen_by,
            until=until and until.date(),
            consents=tuple(_given(found, environment, one, who, graded=graded) for one in consent or ()),
        )
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


@grant_app.command()
def end(
    kommune: KommuneName, number: Number, user: As = None, purpose: Purpose = None, dry_run: DryRun = False
) -> None:
    """Avslutt en tilgang. Den voksne mister den straks, og ny utgave publiseres straks.

    Eksempel: `dataflyt grant end haugesund 12 --as 101 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.grant import EndGrant

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt grant end")
        shown(deciding.decide(found, environment, EndGrant(grant=number), who, dry_run=dry_run), dry_run=dry_run)


@consent_app.command()
def withdraw(
    kommune: KommuneName,
    number: Number,
    by: Annotated[str, typer.Option(help="Den som trekker samtykket sitt, skrevet som i «grant add».")],
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Før at en av dem som har samtykket, trekker det. Tilgangen faller straks, uansett hva de andre mener.

    Eksempel: `dataflyt consent withdraw haugesund 12 --by kari.nordmann --as 101 --purpose 1`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.consent import WithdrawConsent

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt consent withdraw")
        giver = deciding.look_up_adult(found, environment, by, who, graded=graded)
        decision = made(WithdrawConsent, grant=number, by=giver)
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)


def _given(kommune: "Kommune", environment: "Environment", said: str, who: "Visitor", *, graded: bool) -> "Given":
    """Return a consent as an option has it: who, how and when, with semicolons between."""
    from dataflyt.decisions import deciding
    from dataflyt.decisions.consent import Given

    by, _, rest = said.partition(";")
    how, _, day = rest.rpartition(";")
    try:
        at = datetime.strptime(day.strip(), "%Y-%m-%d").replace(tzinfo=OSLO)
    except ValueError:
        at = None
    if not by.strip() or not how.strip() or at is None:
        raise ConfigError("Skriv et samtykke slik: --consent «ola.nordmann; skjema; 2026-11-20».")
    giver = deciding.look_up_adult(kommune, environment, by, who, graded=graded)
    return made(Given, by=giver, how=how.strip(), at=at)
