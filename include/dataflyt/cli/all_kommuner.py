"""``dataflyt events``, ``publish`` and ``reference``: the work of the DAGs common to all kommuner, done once."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from dataflyt.cli.installation import installation, kommune_of
from dataflyt.cli.terminal import echo
from dataflyt.errors import DataflytError


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


def _raise(sentences: list[str]) -> None:
    """Raise one error with a line for each trouble; return when there is none."""
    if sentences:
        raise DataflytError("\n".join(sentences))
