"""``dataflyt warehouse``: the warehouse's tables and roles."""

import json
from typing import Annotated

import typer

from dataflyt.cli.installation import installation, kommune_of
from dataflyt.cli.norwegian import App
from dataflyt.cli.terminal import echo

warehouse_app = App(help="Varehusets tabeller og roller.")


@warehouse_app.command()
def login(
    kommune: Annotated[
        str, typer.Argument(help="Kommunens id eller nummer: haugesund eller 1106. Ellers: events, reference, web.")
    ],
) -> None:
    """Gi rollen til en kommune et nytt passord, og skriv ut tilkoblingen. Passordet den hadde før, gjelder ikke lenger.

    Legg det som skrives ut, der hemmeligheter ligger, for eksempel i Airflow:
    ``airflow connections add warehouse_haugesund --conn-json "$(dataflyt warehouse login haugesund)"``
    """
    from dataflyt.config.connections import fields_of_warehouse
    from dataflyt.storage.database import EVENTS, REFERENCE, WEB
    from dataflyt.warehouse.logins import new_password

    with installation() as outside:
        others = {"events": EVENTS, "reference": REFERENCE, "web": WEB}
        role = others.get(kommune) or f"kommune_{kommune_of(kommune).id}"
        url = new_password(outside.connect("warehouse").url, role)
    echo(json.dumps(fields_of_warehouse(url)))


@warehouse_app.command()
def migrate() -> None:
    """Oppgrader varehusets tabeller til denne versjonen, og lag en rolle for hver kommunefil.

    Bruker tilkoblingen `warehouse`.
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.warehouse import schema

    with installation() as outside:
        kommuner, broken = load_all(folder_of_kommuner())
        for file in broken:
            echo(file.sentence, err=True)
        made = schema.migrate(outside.connect("warehouse").url, [kommune.id for kommune in kommuner])
        echo(f"Varehuset er oppgradert. Nye kommuner: {', '.join(made) or 'ingen'}.")


@warehouse_app.command()
def restored() -> None:
    """Etter pg_restore av en sikkerhetskopi: få lageret til å stemme med den, for hver kommune.

    Kaster råsvar fra kjøringer som varehuset ikke kjenner. Det varehuset ikke vet er publisert, står til neste kjøring
    er frigitt.
    """
    from dataflyt.config.loading import folder_of_kommuner, load_all
    from dataflyt.operations.after_restore import reconcile_after_restore

    with installation() as outside:
        for kommune in load_all(folder_of_kommuner())[0]:
            known = reconcile_after_restore(kommune, outside.environment())
            stands = "kjent" if known["published_is_known"] else "ukjent for varehuset"
            echo(f"{kommune.display_name}: frigitt kjøring {known['released']}; det som er publisert, er {stands}.")
