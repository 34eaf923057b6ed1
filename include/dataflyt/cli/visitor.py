"""Who gives a command about people, and why: the options ``--as`` and ``--purpose``, shared by all such commands."""

import sys
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from dataflyt.cli.norwegian import ask
from dataflyt.cli.terminal import echo
from dataflyt.errors import ConfigError

if TYPE_CHECKING:
    from dataflyt.config.kommune import Kommune
    from dataflyt.warehouse.audit import Visitor

As: TypeAlias = Annotated[
    str | None, typer.Option("--as", envvar="DATAFLYT_USER", help="Hvem du er: id-en under people i kommunefilen.")
]
Purpose: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Hvorfor du slår opp eller bestemmer: et nummer fra kommunens liste, eller fri tekst. Føres."),
]
Graded: TypeAlias = Annotated[
    bool, typer.Option("--graded", help="Ta med beskyttede: for dem som har retten «graded» i kommunefilen.")
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Vis hva som ville skje. Ingenting endres.")]


def visitor(kommune: "Kommune", user: str | None, purpose: str | None, place: str) -> "Visitor":
    """Return the visitor; ask in the terminal for what the options leave out. Raises ConfigError where nobody answers.

    The rights are checked where the work is done: the same for pages and commands.
    """
    from dataflyt.warehouse.audit import Visitor

    if not kommune.people:
        raise ConfigError(
            f"{kommune.display_name} har ingen som får slå opp personer: skriv dem under people i kommunefilen, som "
            '{id: "101", name: "Anita Ingebretsen", may: [persons, decide]}.'
        )
    known = {one.id: one.name for one in kommune.people}
    if user is None and sys.stdin.isatty():
        user = ask("Hvem er du? Skriv " + " eller ".join(f"{one} ({name})" for one, name in known.items()))
    if not user:
        raise ConfigError("Skriv hvem du er, med --as: id-en under people i kommunefilen.")
    if purpose is None and sys.stdin.isatty():
        for number, one in enumerate(kommune.purposes, 1):
            echo(f"  {number}  {one}")
        purpose = ask("Hvorfor? Skriv et nummer, eller formålet med egne ord")
    if purpose is None or not purpose.strip():
        raise ConfigError("Skriv hvorfor, med --purpose: formålet føres i loggen over innsyn.")
    return Visitor(user, known.get(user, user), kommune.purpose(purpose), place)
