"""``dataflyt why``: why something is as it is, who corrects it, where, and when that shows."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.norwegian import App
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, Graded, Purpose, visitor

if TYPE_CHECKING:
    from dataflyt.why.check import Answer, Step

why_app = App(help="Spør hvorfor: hva som er galt, hvem som retter det, hvor, og når det vises. Hvert spørsmål føres.")

_WHO = "Fødselsnummer, FEIDE-navn, eller navn og fødselsdato («Ola Nordmann 2015-03-01»)."
Adult: TypeAlias = Annotated[str, typer.Argument(metavar="VOKSEN", help=f"Den voksne. {_WHO}")]
Child: TypeAlias = Annotated[str, typer.Argument(metavar="BARN", help=f"Barnet. {_WHO}")]
Who: TypeAlias = Annotated[str, typer.Argument(metavar="HVEM", help=_WHO)]
Group: TypeAlias = Annotated[
    str, typer.Option("--group", metavar="<id>", help="Bare denne gruppen: id-en i skolesystemet.")
]
InJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Skriv svaret som JSON.")]
Caller: TypeAlias = Annotated[bool, typer.Option("--caller", help="Skriv bare det som kan leses opp på telefonen.")]
In: TypeAlias = Annotated[str, typer.Option("--language", metavar="<språk>", help="nb, nn eller en.")]


@why_app.command()
def access(
    kommune: KommuneName,
    adult: Adult,
    child: Child,
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor den foresatte ser, eller ikke ser, dette barnet.

    Eksempel: `dataflyt why access haugesund "Bård Øyvind Leite 1981-03-16" konbau --as 101 --purpose 1`
    """
    _ask("access", kommune, adult, child, "", in_json, caller, language, user, purpose, graded)


@why_app.command()
def changed(
    kommune: KommuneName,
    adult: Adult,
    child: Child,
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor og når tilgangen til barnet ble endret.

    Eksempel: `dataflyt why changed haugesund "Bård Øyvind Leite 1981-03-16" konbau --as 101 --purpose 1`
    """
    _ask("changed", kommune, adult, child, "", in_json, caller, language, user, purpose, graded)


@why_app.command()
def stepfather(
    kommune: KommuneName,
    adult: Adult,
    child: Child,
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hva som må til før en stefar, eller en annen uten foreldreansvar, får tilgang.

    Eksempel: `dataflyt why stepfather haugesund "Snill Stefar 1986-02-26" konbau --as 101 --purpose 1`
    """
    _ask("stepfather", kommune, adult, child, "", in_json, caller, language, user, purpose, graded)


@why_app.command()
def resources(
    kommune: KommuneName,
    who: Who,
    group: Group = "",
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor eleven har, eller ikke har, fått digitale læremidler.

    Eksempel: `dataflyt why resources haugesund konbau --as 101 --purpose 1`
    """
    _ask("resources", kommune, who, None, group, in_json, caller, language, user, purpose, graded)


@why_app.command()
def teacher(
    kommune: KommuneName,
    who: Who,
    group: Group = "",
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor læreren har, eller ikke har, konto, grupper og digitale læremidler.

    Eksempel: `dataflyt why teacher haugesund lillek --as 101 --purpose 1`
    """
    _ask("teacher", kommune, who, None, group, in_json, caller, language, user, purpose, graded)


@why_app.command()
def envelope(
    kommune: KommuneName,
    who: Who,
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor konvolutten til den foresatte er rød.

    Eksempel: `dataflyt why envelope haugesund "Bård Øyvind Leite 1981-03-16" --as 101 --purpose 1`
    """
    _ask("envelope", kommune, who, None, "", in_json, caller, language, user, purpose, graded)


@why_app.command()
def field(
    kommune: KommuneName,
    who: Who,
    name: Annotated[str, typer.Argument(metavar="FELT", help="Feltet, som navn, e-post, adresse eller klasse.")],
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor feltet ikke kan endres her.

    Eksempel: `dataflyt why field haugesund konbau etternavn --as 101 --purpose 1`
    """
    _ask("field", kommune, who, None, name, in_json, caller, language, user, purpose, graded)


@why_app.command()
def missing(
    kommune: KommuneName,
    who: Who,
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor eleven eller den ansatte ikke er i filen, eller er uten konto.

    Eksempel: `dataflyt why missing haugesund "Ola Nordmann 2015-03-01" --as 101 --purpose 1`
    """
    _ask("missing", kommune, who, None, "", in_json, caller, language, user, purpose, graded)


@why_app.command()
def group(
    kommune: KommuneName,
    name: Annotated[str, typer.Argument(metavar="GRUPPE", help="Id-en til gruppen i skolesystemet.")],
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor gruppen ikke er i filen, eller er uten digitale læremidler.

    Eksempel: `dataflyt why group haugesund SKA/NOR-6A/2026 --as 101 --purpose 1`
    """
    _ask("group", kommune, "", None, name, in_json, caller, language, user, purpose, graded)


@why_app.command()
def row(
    kommune: KommuneName,
    who: Who,
    in_json: InJson = False,
    caller: Caller = False,
    language: In = "nb",
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Si hvorfor rader om personen er lagt til side.

    Eksempel: `dataflyt why row haugesund "Ola Nordmann 2015-03-01" --as 101 --purpose 1`
    """
    _ask("row", kommune, who, None, "", in_json, caller, language, user, purpose, graded)


def _ask(
    question: str,
    kommune: str,
    who: str,
    child: str | None,
    word: str,
    in_json: bool,
    caller: bool,
    language: str,
    user: str | None,
    purpose: str | None,
    graded: bool,
) -> None:
    """Ask, and print the answer: all of it, as JSON, or what the caller may hear."""
    from dataflyt.why.answering import why

    with installation() as outside:
        found = kommune_of(kommune)
        looking = visitor(found, user, purpose, f"dataflyt why {question}")
        answer = why(
            found, outside.environment(), question, looking,
            who=who, child=child, word=word, graded=graded, language=language,  # type: ignore[arg-type]
        )  # fmt: skip
    if in_json:
        echo(json.dumps(answer.in_json(), ensure_ascii=False, indent=2))
    elif caller:
        echo(answer.caller)
    else:
        _print(answer, language)


_MARKS = {"passed": "✓", "failed": "✗", "unknown": "?"}


def _print(answer: "Answer", language: str) -> None:
    from dataflyt.why import texts

    def label(name: str, **values: object) -> str:
        return texts.said(language, "labels", name, **values)  # type: ignore[arg-type]

    about = f" {label('and')} ".join(answer.about)
    echo(answer.title + (f" ({about})" if about else ""))
    echo("")
    for step in answer.steps:
        echo(f"  {_MARKS[step.status]} {step.sentence}{_evidence(step, label)}")
    verdict = answer.verdict
    echo("")
    echo(verdict.sentence)
    if verdict.corrector is not None:
        where = f" {label('where', where=verdict.corrector.where)}" if verdict.corrector.where else ""
        echo(f"{label('corrects', who=verdict.corrector.title)}{where}")
        if verdict.corrector.link:
            echo(label("link", link=verdict.corrector.link))
        echo(verdict.when)
    if verdict.settles:
        echo(label("settles", how=verdict.settles))
    echo("")
    echo(label("caller"))
    echo(answer.caller)


def _evidence(step: "Step", label: Callable[..., str]) -> str:
    """Return where a step is from, in brackets: the source, the run and its day."""
    run = label("run", run=step.run) + (f", {step.day:%d.%m.%Y}" if step.day else "") if step.run else ""
    parts = [part for part in (step.source, run) if part]
    return f"  [{'; '.join(parts)}]" if parts else ""
