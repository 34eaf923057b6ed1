"""``dataflyt kommune roles``: Airflow's roles, brought in line with the kommune files."""

import typer

from dataflyt.errors import DataflytError
from dataflyt.kommune import folder_of_kommuner, load_all
from dataflyt.terminal import echo

LONGEST = 41
"""Characters of a kommune's id. A broken file's name may have more, and FAB's names of roles end at 64."""


def roles_command() -> None:
    """Gi hver kommune sine to roller i Airflow, og dataingeniøren sin: hvem som får se, starte og svare.

    Kjøres med Airflows egne innstillinger, når en kommunefil er ny. Hvem som har rollene, endres ikke.
    """
    try:
        good, broken = load_all(folder_of_kommuner())
    except DataflytError as error:
        echo(error.sentence, err=True)
        raise typer.Exit(2) from None
    from airflow.utils.session import create_session

    from dataflyt.airflow_roles import bring_in_line
    from dataflyt.rights import roles

    ids = [*(kommune.id for kommune in good), *(one.id for one in broken)]
    wanted = roles(sorted(one for one in ids if len(one) <= LONGEST))
    with create_session() as session:
        new = bring_in_line(session, wanted)
    echo(f"{len(wanted)} roller i Airflow, nye: {', '.join(new) or 'ingen'}")
