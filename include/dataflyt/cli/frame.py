"""``dataflyt frame``: a table of the warehouse as a file, for a data engineer."""

from pathlib import Path
from typing import Annotated

import typer

from dataflyt.cli.installation import KommuneName, installation, kommune_of
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import As, Graded, Purpose, visitor


def frame_command(
    kommune: KommuneName,
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABELL",
            help="Gullposten: person, account, enrolment, employment, membership, school_group, guardian_access, unit "
            "eller school_year. Bare med --graded: protection, person_link, contact, overridden, access_by_grant, "
            "lesson eller work_item. Ellers: plan, checks (utfallet av kontrollene) eller runs (kjøringenes tall).",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FIL",
            help="En ny fil: .csv, .xlsx eller .parquet. Bare du kan lese den; slett den når du er ferdig.",
        ),
    ],
    run: Annotated[
        int | None,
        typer.Option(
            "--run", help="Slik det var i denne kjøringen. Uten den: den nyeste, og alle kjøringer for checks og runs."
        ),
    ] = None,
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Skriv hele fødselsnummeret, ikke bare fødselsdatoen. Det føres.")
    ] = False,
    user: As = None,
    purpose: Purpose = None,
    graded: Graded = False,
) -> None:
    """Skriv en tabell fra varehuset til en fil. Hvem som hentet den ut, og hvorfor, føres for hver person i tabellen.

    Tabellene med personer er for dem som har retten «persons»; checks og runs har bare antall, og trenger ikke --as.
    Uten --graded er beskyttede ikke med, og heller ikke omtrent hver sekstende av alle andre: da forteller det
    ingenting at noen mangler, og ingen kan telle de beskyttede.

    Eksempel: `dataflyt frame haugesund enrolment --out elever.csv --as 101 --purpose "Kontroll av skolestart"`
    """
    from dataflyt.frames import tables, writing

    with installation() as outside:
        found, environment = kommune_of(kommune), outside.environment()
        who = None
        if table in tables.TABLES and table not in tables.COUNTS:
            who = visitor(found, user, purpose, "dataflyt frame")
        rows = writing.write(found, environment, table, who, out, run=run, graded=graded, numbers=numbers)
        echo(f"{rows} rader av {table} er skrevet til {out}.")
