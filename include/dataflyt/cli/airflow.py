"""``dataflyt airflow``: make Dataflyt's pools and roles in Airflow."""

import typer

from dataflyt.cli.norwegian import App
from dataflyt.cli.terminal import echo
from dataflyt.errors import DataflytError

airflow_app = App(help="Det Dataflyt trenger i Airflow.")


@airflow_app.callback()
def _more_to_come() -> None:
    """Det Dataflyt trenger i Airflow."""


@airflow_app.command()
def prepare() -> None:
    """Lag det Dataflyt trenger i Airflow: pooler, roller for hver kommune, og se etter at tilkoblingstypene finnes.

    Kjøres med Airflows egne innstillinger etter «airflow db migrate», og på nytt når en kommunefil er ny. Det som
    finnes, står: størrelsen på en pool og hvem som har rollene, endres aldri.
    """
    from dataflyt.cli import outside_run
    from dataflyt.on_airflow import prepare

    try:
        outside_run.by_airflow()
        made = prepare.prepare()
        lacking = prepare.lacks()
    except DataflytError as error:
        echo(error.sentence, err=True)
        raise typer.Exit(2) from None
    echo(f"Pooler: {made.pools}.")
    echo(f"Roller: {made.roles}.")
    for sentence in lacking:
        echo(sentence, err=True)
    if lacking:
        raise typer.Exit(1)
    echo("Airflow har det Dataflyt trenger.")
