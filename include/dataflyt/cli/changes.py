"""``dataflyt feide changes``, ``pifu changes``, ``oneroster changes``: what leads from one published file to another.

For a receiver that has missed a publication: the published changes lead on from the file before alone. Exit code 2: no
changes lead from the one file to the other, or a file cannot be read or written.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from dataflyt.cli.norwegian import App
from dataflyt.cli.terminal import echo
from dataflyt.errors import ConfigError, Unreadable, why_refused
from dataflyt.exports.model import Changes, Written
from dataflyt.exports.registry import EXPORTS
from dataflyt.storage.files import measured

pifu_app = App(help="Endringer mellom to publiserte PIFU-filer.")
oneroster_app = App(help="Endringer mellom to publiserte OneRoster-filer.")

Out = Annotated[Path, typer.Argument(metavar="UT", help="Filen som lages. Den kan ikke finnes fra før.")]


@pifu_app.command("changes")
def pifu_changes(
    before: Annotated[Path, typer.Argument(metavar="FØR.xml", help="Den publiserte filen mottakeren har nå.")],
    now: Annotated[Path, typer.Argument(metavar="NÅ.xml", help="Den publiserte filen mottakeren skal ha.")],
    out: Out,
) -> None:
    """Skriv endringene som fører en mottaker fra én publisert PIFU-fil til en annen.

    For den som ikke har hentet hver publisering: pifu-changes.xml fører bare fra den forrige. Filene må være av samme
    versjon av PIFU, begge med eller begge uten kontaktopplysninger. Returkoden er 2 når ingen endringer fører fra den
    ene til den andre, eller en fil ikke kan leses.
    """
    write(before, now, out, "pifu", "pifu_1_2", "pifu_1_1")


@oneroster_app.command("changes")
def oneroster_changes(
    before: Annotated[Path, typer.Argument(metavar="FØR.zip", help="Den publiserte filen mottakeren har nå.")],
    now: Annotated[Path, typer.Argument(metavar="NÅ.zip", help="Den publiserte filen mottakeren skal ha.")],
    out: Out,
    as_of: Annotated[
        str,
        typer.Option(
            metavar="TID",
            help="as_of i manifestet til den nye filen, som 2026-11-23T03:00:00+00:00. Endringene får det tidspunktet.",
        ),
    ],
) -> None:
    """Skriv endringene som fører en mottaker fra én publisert OneRoster-fil til en annen.

    For den som ikke har hentet hver publisering: oneroster-changes.zip fører bare fra den forrige. Begge filene må være
    med, eller begge uten kontaktopplysninger. Returkoden er 2 når ingen endringer fører fra den ene til den andre,
    eller en fil ikke kan leses.
    """
    try:
        moment = datetime.fromisoformat(as_of)
        if moment.tzinfo is None:
            raise ValueError
        moment.timestamp()
    except (ValueError, OverflowError):
        raise ConfigError(
            "--as-of er ikke et tidspunkt med tidssone: skriv as_of slik det står i manifestet, som "
            "2026-11-23T03:00:00+00:00."
        ) from None
    write(before, now, out, "oneroster", as_of=moment)


def write(before: Path, now: Path, out: Path, *exports: str, as_of: datetime | None = None) -> None:
    """Write the changes between two files of an export to a new file that only its owner can read.

    ``exports`` are the versions that the files may be of; they share what writes, and have a check each. Exits with
    code 2 and a sentence, and leaves no file, when there are no changes, or when they pass none of the checks.
    """
    kinds = [kind for name in exports if (kind := EXPORTS[name].changes)]
    try:
        was, becomes = Written(before, measured(before)[0]), Written(now, measured(now)[0], as_of)
        descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        echo(f"Filen kan ikke åpnes ({why_refused(error)}).", err=True)
        raise typer.Exit(2) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            kinds[0].write(was, becomes, file)
        if not any(_passes(kind, out) for kind in kinds):
            raise Unreadable("Endringene består ikke kontrollen: gi mottakeren hele filen, og meld fra.")
    except (Unreadable, OSError) as error:
        out.unlink(missing_ok=True)
        said = error.sentence if isinstance(error, Unreadable) else f"Filen kan ikke skrives ({why_refused(error)})."
        echo(said, err=True)
        raise typer.Exit(2) from None
    except BaseException:
        out.unlink(missing_ok=True)
        raise


def _passes(kind: Changes, path: Path) -> bool:
    try:
        return not any(finding.blocks for finding in kind.check(path))
    except Unreadable:
        return False
