"""``dataflyt doctor``: find what is wrong around the kommuner, or soon will be."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from dataflyt.cli import outside_run
from dataflyt.cli.terminal import echo
from dataflyt.errors import ConfigError

if TYPE_CHECKING:
    from dataflyt.config.kommune import Kommune

_WORDS = {"wrong": "FEIL", "soon": "VARSEL", "unknown": "UKJENT", "fine": "OK"}


def doctor_command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="KOMMUNE", help="Id eller kommunenummer; ingen: alle filene.")
    ] = None,
) -> None:
    """Undersøk kommunene: varehus, tilkoblinger, nøkler og mapper, og klokken på maskinen. En linje for hvert funn.

    Uten KOMMUNE også det som er felles: hendelsene, det som trengs i Airflow og det som står stille der, og filer som
    andre på maskinen kan lese. Om registrene svarer nå, sier «dataflyt kommune check --online».
    FEIL må rettes, VARSEL innen 30 dager, UKJENT lot seg ikke finne ut. Returkoden er 1 når noe er FEIL eller VARSEL.
    Ingen personer slås opp, og ingen nøkler vises.
    """
    from dataflyt.operations.doctor import Doctor

    outside = outside_run.use()
    doctor = Doctor(outside.connect, outside.path, datetime.now(UTC).date(), outside_run.folder())
    lines: list[tuple[str, str, str]] = []
    kommuner, broken = _kommuner(names)
    lines += [("wrong", "kommunefil", sentence) for sentence in broken]
    for kommune in kommuner:
        lines += [(finding.level, kommune.id, finding.sentence) for finding in doctor.examine(kommune)]
    if not names:
        lines += [(finding.level, "freg_events", finding.sentence) for finding in doctor.events()]
        lines += [(finding.level, "reference_data", finding.sentence) for finding in doctor.reference()]
        lines += [(finding.level, "filer", finding.sentence) for finding in doctor.files(kommuner)]
        if outside.airflow:
            from dataflyt.on_airflow import prepare
            from dataflyt.on_airflow.standstill import standstill

            lines += [(finding.level, "freg_events", finding.sentence) for finding in doctor.notices()]
            lines += [("wrong", "Airflow", sentence) for sentence in prepare.lacks()]
            with suppress(ConfigError):  # said of what is missing
                lines += [("wrong", "Airflow", sentence) for sentence in standstill(datetime.now(UTC))]
            if said := prepare.shows_secrets():
                lines.append(("wrong", "Airflow", said))
            if any(kommune.mail for kommune in kommuner) and (said := prepare.links_lead_nowhere()):
                lines.append(("soon", "Airflow", said))
    for level, whose, sentence in lines:
        echo(f"{_WORDS[level]} {whose}: {sentence}")
    if any(level in ("wrong", "soon") for level, _, _ in lines):
        raise typer.Exit(1)


def _kommuner(names: list[str] | None) -> "tuple[list[Kommune], list[str]]":
    from dataflyt.config.loading import find, folder_of_kommuner, load_all

    try:
        folder = folder_of_kommuner()
        if not names:
            good, broken = load_all(folder)
            return good, [one.sentence for one in broken] or (
                [] if good else [f"Mappen {folder} har ingen kommunefiler."]
            )
    except ConfigError as error:
        return [], [error.sentence]
    found, sentences = [], []
    for name in names:
        try:
            found.append(find(folder, name))
        except ConfigError as error:
            sentences.append(error.sentence)
    return found, sentences
