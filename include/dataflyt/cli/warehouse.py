"""``dataflyt warehouse login``: a role's way into the warehouse, with a new password."""

import json
from typing import Annotated

import typer

from dataflyt.cli import outside_run
from dataflyt.cli.terminal import echo
from dataflyt.errors import DataflytError


def login_command(
    kommune: Annotated[
        str, typer.Argument(help="Kommunens id eller nummer: haugesund eller 1106. Ellers: events, reference.")
    ],
) -> None:
    """Gi rollen til en kommune et nytt passord, og skriv ut tilkoblingen. Passordet den hadde før, gjelder ikke lenger.

    Legg det som skrives ut, der hemmeligheter ligger, for eksempel i Airflow:
    ``airflow connections add warehouse_haugesund --conn-json "$(dataflyt warehouse login haugesund)"``
    """
    from dataflyt.config.loading import find, folder_of_kommuner
    from dataflyt.storage.database import EVENTS, REFERENCE
    from dataflyt.warehouse.logins import new_password

    try:
        outside = outside_run.use()
        role = {"events": EVENTS, "reference": REFERENCE}.get(kommune)
        role = role or f"kommune_{find(folder_of_kommuner(), kommune).id}"
        host = new_password(outside.connect("warehouse").url, role)
    except DataflytError as error:
        echo(error.sentence, err=True)
        raise typer.Exit(2) from None
    echo(json.dumps({"conn_type": "generic", "host": host}))
