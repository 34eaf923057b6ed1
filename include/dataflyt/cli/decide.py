"""``dataflyt decide``: proposals that wait for a second person, and decisions about people who are protected."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dataflyt.cli.decided import made, print_list, shown
from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, DryRun, Graded, Purpose, visitor

if TYPE_CHECKING:
    from dataflyt.decisions.decision import Decision

decide_app = App(help="Forslag som venter på en person til, og bestemmelser om dem som er beskyttet.")
suspension_app = App(help="Stansede tilganger til et beskyttet barn: bestem om dem voksen for voksen.")
publishable_app = App(help="Elever Folkeregisteret ikke kan spørres om: bestem at de kan publiseres.")
hold_back_app = App(help="Ta en person ut av alt straks, til to personer avslutter det.")
decide_app.add_typer(suspension_app, name="suspension")
decide_app.add_typer(publishable_app, name="publishable")
decide_app.add_typer(hold_back_app, name="hold-back")

Proposal = Annotated[
    int, typer.Argument(metavar="FORSLAG", help="Forslagets nummer, som «dataflyt decide list» viser.")
]
Child = Annotated[str, typer.Option(help="Barnet: fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")]
Adult = Annotated[str, typer.Option(help="Den voksne, skrevet på samme måte.")]
Person = Annotated[str, typer.Option(help="Personen: fødselsnummer, FEIDE-navn, eller navn og fødselsdato.")]
Reason = Annotated[str, typer.Option(help="Hvorfor. Teksten ligger bare i varehuset.")]
Case = Annotated[str, typer.Option(help="Saksnummeret i arkivet.")]
MaybeCase = Annotated[str | None, typer.Option(help="Saksnummeret i arkivet, når det finnes.")]
Review = Annotated[
    datetime | None, typer.Option(metavar="<dato>", formats=["%Y-%m-%d"], help="Dagen det skal vurderes på nytt.")
]


@decide_app.command("list")
def list_proposals(kommune: KommuneName, user: As = None, purpose: Purpose = None, graded: Graded = False) -> None:
    """Vis forslagene som venter på en person til: nummer, hva, hvem det gjelder og hvem som foreslo. Innsynet føres.

    Eksempel: `dataflyt decide list haugesund --as 102 --purpose 3`
    """
    from dataflyt.decisions import deciding

    with installation() as outside:
        found = kommune_of(kommune)
        who = visitor(found, user, purpose, "dataflyt decide list")
        lines = deciding.waiting(found, outside.environment(), who, graded=graded)
        for line in lines:
            what = "; ".join(part for part in (", ".join(line.about), line.details) if part)
            echo(f"{line.proposal}  {line.title}: {what}; foreslått av {line.proposed_by} {line.proposed_at:%d.%m.%Y}")
        if not lines:
            echo("Ingen forslag venter.")


@decide_app.command()
def confirm(
    kommune: KommuneName, proposal: Proposal, user: As = None, purpose: Purpose = None, dry_run: DryRun = False
) -> None:
    """Bekreft et forslag fra en annen. Da er det bestemt.

    Eksempel: `dataflyt decide confirm haugesund 482913 --as 102 --purpose 3`
    """
    _answer(kommune, proposal, "confirmed", user, purpose, "dataflyt decide confirm", dry_run=dry_run)


@decide_app.command()
def refuse(kommune: KommuneName, proposal: Proposal, user: As = None, purpose: Purpose = None) -> None:
    """Avslå et forslag. Ingenting endres.

    Eksempel: `dataflyt decide refuse haugesund 482913 --as 102 --purpose 3`
    """
    _answer(kommune, proposal, "refused", user, purpose, "dataflyt decide refuse")


@decide_app.command("take-back")
def take_back(kommune: KommuneName, proposal: Proposal, user: As = None, purpose: Purpose = None) -> None:
    """Trekk et forslag du selv har gitt.

    Eksempel: `dataflyt decide take-back haugesund 482913 --as 101 --purpose 3`
    """
    _answer(kommune, proposal, "taken_back", user, purpose, "dataflyt decide take-back")


def _answer(
    kommune: str,
    proposal: int,
    said: Literal["confirmed", "refused", "taken_back"],
    user: str | None,
    purpose: str | None,
    place: str,
    *,
    dry_run: bool = False,
) -> None:
    from dataflyt.decisions import deciding

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, place)
        decided = deciding.answer(found, environment, proposal, said, who, dry_run=dry_run)
        if said == "confirmed":
            shown(decided, dry_run=dry_run)
        else:
            echo(f"Forslag {proposal} er {'avslått' if said == 'refused' else 'trukket'}.")


@suspension_app.command("list")
def list_suspensions(kommune: KommuneName, user: As = None, purpose: Purpose = None, graded: Graded = False) -> None:
    """Vis tilgangene som er stanset fordi barnet er beskyttet, og om noen har bestemt. Ta med --graded.

    Eksempel: `dataflyt decide suspension list haugesund --graded --as 102 --purpose 3`
    """
    print_list(kommune, "suspensions", user, purpose, graded, "dataflyt decide suspension list", {}, "Ingen stanser.")


@suspension_app.command()
def keep(
    kommune: KommuneName,
    child: Child,
    adult: Adult,
    reason: Reason,
    case: MaybeCase = None,
    review: Review = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Bestem at en stans står.

    Eksempel: `dataflyt decide suspension keep haugesund --child ola.nordmann --adult kari.nordmann
    --reason "Trusselvurdering" --graded --as 102 --purpose 3`
    """
    from dataflyt.decisions.suspension import KeepSuspension

    fields = {"reason": reason, "case_number": case, "review_on": review and review.date()}
    words = ("dataflyt decide suspension keep", user, purpose)
    _decide(kommune, KeepSuspension, words, fields, child=child, adult=adult, graded=graded, dry_run=dry_run)


@suspension_app.command()
def lift(
    kommune: KommuneName,
    child: Child,
    adult: Adult,
    reason: Reason,
    case: Case,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Foreslå å heve en stans. En annen med retten «graded» må bekrefte; tilgangen kommer ved neste kjøring.

    Eksempel: `dataflyt decide suspension lift haugesund --child ola.nordmann --adult kari.nordmann
    --reason "Bor sammen med barnet" --case 2026/1234 --graded --as 102 --purpose 3`
    """
    from dataflyt.decisions.suspension import LiftSuspension

    fields = {"reason": reason, "case_number": case}
    words = ("dataflyt decide suspension lift", user, purpose)
    _decide(kommune, LiftSuspension, words, fields, child=child, adult=adult, graded=graded, dry_run=dry_run)


@publishable_app.command("list")
def list_publishable(kommune: KommuneName, user: As = None, purpose: Purpose = None, graded: Graded = False) -> None:
    """Vis elevene noen har bestemt kan publiseres, og vedtaket.

    Eksempel: `dataflyt decide publishable list haugesund --graded --as 102 --purpose 3`
    """
    print_list(kommune, "publishable", user, purpose, graded, "dataflyt decide publishable list", {}, "Ingen elever.")


@publishable_app.command("add")
def add_publishable(
    kommune: KommuneName,
    pupil: Annotated[
        list[str], typer.Option(help="En elev: FEIDE-navn, navn og fødselsdato, eller id-en fra arbeidslisten.")
    ],
    decision: Annotated[str, typer.Option(help="Vedtaket elevene deler, for eksempel saksnummeret.")],
    reason: Reason,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Bestem at én eller flere elever uten nummer kan publiseres fra neste kjøring. Ta med --graded.

    Ingen kan se om en slik elev har adressebeskyttelse. Kommer nummeret, spørres Folkeregisteret, og svaret gjelder.

    Eksempel: `dataflyt decide publishable add haugesund --pupil "Ola Nordmann 2015-03-01" --decision 2026/1234
    --reason "Venter på fødselsnummer" --graded --as 102 --purpose 3`
    """
    from dataflyt.decisions import deciding
    from dataflyt.decisions.publishable import Publishable

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = visitor(found, user, purpose, "dataflyt decide publishable add")
        pupils = deciding.look_up(found, environment, pupil, who, graded=graded)
        made_of = made(Publishable, people=tuple(pupils), decision=decision, reason=reason)
        shown(deciding.decide(found, environment, made_of, who, dry_run=dry_run), dry_run=dry_run)


@publishable_app.command("end")
def end_publishable(
    kommune: KommuneName,
    pupil: Annotated[str, typer.Option(help="Eleven: FEIDE-navn, navn og fødselsdato, eller id-en.")],
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Bestem at en elev ikke lenger kan publiseres. Eleven tas ut straks, og ny utgave publiseres straks.

    Eksempel: `dataflyt decide publishable end haugesund --pupil ola.nordmann --as 102 --purpose 3`
    """
    from dataflyt.decisions.publishable import EndPublishable

    words = ("dataflyt decide publishable end", user, purpose)
    _decide(kommune, EndPublishable, words, {}, person=pupil, graded=graded, dry_run=dry_run)


@hold_back_app.command("list")
def list_held_back(kommune: KommuneName, user: As = None, purpose: Purpose = None, graded: Graded = False) -> None:
    """Vis personene noen holder tilbake. Ta med --graded.

    Eksempel: `dataflyt decide hold-back list haugesund --graded --as 102 --purpose 3`
    """
    print_list(
        kommune, "held_back", user, purpose, graded, "dataflyt decide hold-back list", {}, "Ingen holdes tilbake."
    )


@hold_back_app.command("add")
def add_hold_back(
    kommune: KommuneName,
    person: Person,
    reason: Reason,
    case: MaybeCase = None,
    review: Review = None,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Ta en person ut av alle eksporter straks, og stans alles tilgang til personen, til to personer avslutter det.

    Eksempel: `dataflyt decide hold-back add haugesund --person ola.nordmann --reason "Saken er ikke avklart"
    --review 2026-12-15 --as 101 --purpose 1`
    """
    from dataflyt.decisions.hold_back import HoldBack

    fields = {"reason": reason, "case_number": case, "review_on": review and review.date()}
    words = ("dataflyt decide hold-back add", user, purpose)
    _decide(kommune, HoldBack, words, fields, person=person, graded=graded, dry_run=dry_run)


@hold_back_app.command("end")
def end_hold_back(
    kommune: KommuneName,
    person: Person,
    reason: Reason,
    case: Case,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
    dry_run: DryRun = False,
) -> None:
    """Foreslå at en person ikke lenger holdes tilbake. En annen med retten «graded» må bekrefte.

    Eksempel: `dataflyt decide hold-back end haugesund --person ola.nordmann --reason "Saken er avklart"
    --case 2026/1234 --graded --as 102 --purpose 1`
    """
    from dataflyt.decisions.hold_back import EndHoldBack

    fields = {"reason": reason, "case_number": case}
    words = ("dataflyt decide hold-back end", user, purpose)
    _decide(kommune, EndHoldBack, words, fields, person=person, graded=graded, dry_run=dry_run)


def _decide(
    kommune: str,
    kind: "type[Decision]",
    words: tuple[str, str | None, str | None],
    fields: Mapping[str, object],
    *,
    graded: bool,
    dry_run: bool,
    **people: str,
) -> None:
    """Find the people of a decision, named as its fields, and make it. ``words`` are place, visitor and purpose."""
    from dataflyt.decisions import deciding

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        place, user, purpose = words
        who = visitor(found, user, purpose, place)
        asked = {name: said for name, said in people.items() if name != "adult"}
        ids = deciding.look_up(found, environment, list(asked.values()), who, graded=graded)
        named: dict[str, object] = dict(zip(asked, ids, strict=True))
        if "adult" in people:
            named["adult"] = deciding.look_up_adult(found, environment, people["adult"], who, graded=graded)
        decision = made(kind, **named, **fields)
        shown(deciding.decide(found, environment, decision, who, dry_run=dry_run), dry_run=dry_run)
