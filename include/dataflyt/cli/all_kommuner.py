"""What concerns all kommuner: the work of the common DAGs done once, the morning's digest, and the table of runs."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from dataflyt.cli.installation import installation, kommune_of
from dataflyt.cli.terminal import echo
from dataflyt.errors import ConfigError, DataflytError


def events_command() -> None:
    """Les hendelsene fra Folkeregisteret én gang, som DAG-en freg_events gjør hver time, og ta bort det de krever.

    For alle kommuner. En linje for alt som ikke gikk, og det venter til neste gang; returkoden er da 2.
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.operations import fast_lane

    with installation() as outside:
        outcome = fast_lane.run(load_all(folder_of_kommuner())[0], outside.environment())
        counts = outcome.counts
        echo(
            f"Hendelser lest: {counts['events']}. Kommuner det er spurt for: {counts['kommuner']}, "
            f"som venter: {counts['waiting']}."
        )
        _raise([trouble.sentence for trouble in outcome.trouble])


def publish_command(
    kommune: Annotated[
        str | None, typer.Argument(help="Kommunens id eller nummer: haugesund eller 1106. Alle når det utelates.")
    ] = None,
) -> None:
    """La det som er publisert, følge dagen, som DAG-en nightly gjør hver natt.

    Det en kommune har publisert, skrives på nytt når noe det bygger på, er endret: vetoer, det folk har bestemt,
    kommunefilen, dagen. Så leveres det til mottakerne i kommunefilen. Ingen ny kjøring frigis. En linje for alt som
    ikke gikk; returkoden er da 2.
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.operations import nightly
    from dataflyt.run.republish import republish

    with installation() as outside:
        if kommune is not None:
            found = kommune_of(kommune)
            told = republish(found, outside.environment())
            echo(f"{found.display_name}: det som er publisert, følger dagen.")
            _raise([one.trouble.sentence for one in told if one.trouble])
            return
        outcome = nightly.run(load_all(folder_of_kommuner())[0], outside.environment())
        echo(f"Kommuner der det som er publisert, følger dagen: {outcome.counts['kommuner']}.")
        _raise([trouble.sentence for trouble in outcome.trouble])


def reference_command(
    accept_smaller: Annotated[
        bool, typer.Option("--accept-smaller", help="Godta et svar med langt færre rader enn før.")
    ] = False,
) -> None:
    """Les skoler, fagkoder og kommuner, som DAG-en reference_data gjør hver uke, for alle kommuner.

    En linje for hvert register, og en setning for hvert som ikke gikk; returkoden er da 2.
    """
    from dataflyt.reference import refresh

    with installation() as outside:
        failed = []
        for name, source in refresh.SOURCES.items():
            try:
                counts = refresh.refresh(name, outside.connect, datetime.now(UTC), accept_smaller=accept_smaller)
            except DataflytError as error:
                failed.append(error.sentence)
                continue
            echo(f"{source.who}: {counts['rows']} ({counts['opened']} nye, {counts['closed']} borte eller endret).")
        _raise(failed)


def digest_command() -> None:
    """Vis hvilke kommuner som må ses på, og hvorfor: det samme som DAG-en morning sender dataingeniøren hver morgen.

    Der Airflow er satt opp, også hvilke felles DAG-er som feilet sist, og hvorfor. Returkoden er 1 når noe må ses på.

    Eksempel: `dataflyt digest`
    """
    from dataflyt.operations import digest

    with installation() as outside:
        failed = _common_dags_that_failed() if outside.airflow else []
        if failed:
            echo("De felles DAG-ene:")
        for line in failed:
            echo(f"  {line}")
        found = digest.of_installation(outside.environment())
    for title, lines in digest.in_lines(found):
        echo(f"{title}:")
        for line in lines:
            echo(f"  {line}")
    if found.never_run:
        echo(f"Har ikke kjørt ennå: {found.never_run}.")
    echo(f"{found.to_look_at} av {found.kommuner} kommuner må ses på.")
    if found.concerns or failed:
        raise typer.Exit(1)


def _common_dags_that_failed() -> list[str]:
    from dataflyt.on_airflow.prepare import database
    from dataflyt.on_airflow.standstill import failed

    with suppress(ConfigError), database() as session:  # doctor says that it cannot be used
        return failed(session)
    return []


def runs_command(
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d", "%d.%m.%Y"], metavar="DATO", help="Bare kjøringer fra denne datoen."),
    ] = None,
    outcome: Annotated[
        str | None,
        typer.Option(metavar="UTFALL", help="Bare kjøringer med dette utfallet, som failed, rejected eller waiting."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FIL", help="Skriv tabellen til en fil: .csv, .xlsx eller .parquet.")
    ] = None,
) -> None:
    """Vis de nyeste kjøringene i alle kommuner: når, hva det ble, hvem som svarte, rader og tid.

    For en som stoppet, også hvor og hvorfor. Høyst hundre kjøringer for hver kommune. Tallene er de som alle kan se, og
    ingen i registrene er nevnt. Filen har sekundene til hvert steg, uten tiden kjøringen ventet på svar.

    Eksempel: `dataflyt runs --since 2026-11-01 --outcome failed --out kjøringer.xlsx`
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.formats import sheets
    from dataflyt.operations import overview

    with installation() as outside:
        kommuner = {kommune.id: kommune for kommune in load_all(folder_of_kommuner())[0]}
        lines = overview.long_lines(outside.environment(), kommuner)
        rows = overview.table_of_runs(lines, kommuner, since=since.date() if since else None)
    wanted = [row for row in rows if outcome in (None, row.outcome)]
    if outcome is not None and outcome not in overview.OUTCOMES:
        raise DataflytError(f"Et utfall som heter {outcome}, finnes ikke. Skriv {', '.join(overview.OUTCOMES)}.")
    if out is not None:
        import pandas as pd

        table = pd.DataFrame([row.cells() for row in wanted], columns=list(overview.HEADS))
        sheets.write(table, out, "Kjøringer", fixed=1)
        echo(f"{len(wanted)} kjøringer er skrevet til {out}.")
        return
    for row in wanted:
        name, number, began, ended, stopped, why, by, received, quarantined, changes, seconds, *_ = row.cells()
        stop = f" i {stopped}" if stopped else ""
        told = "" if received is None else f", {received} rader, {quarantined} i karantene, {changes} endringer"
        answered = f" (svart av {by})" if by else ""
        took = "" if seconds is None else f", {seconds:.0f} sekunder"
        echo(f"{began}  {name}, kjøring {number}: {ended}{stop}{answered}{told}{took}")
        if why:
            echo(f"    {why}")
    echo(f"{len(wanted)} kjøringer.")


def _raise(sentences: list[str]) -> None:
    """Raise one error with a line for each trouble; return when there is none."""
    if sentences:
        raise DataflytError("\n".join(sentences))
