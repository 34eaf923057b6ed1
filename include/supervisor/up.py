"""``make up``: let the kommuner's DAGs follow their schedules, and print addresses and logins."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from rich.table import Table

from dataflyt.on_airflow import rights
from supervisor.home import ADMIN
from supervisor.logins import ENGINEER, OPERATOR, approvers
from supervisor.processes import SupervisorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from dataflyt.config.kommune import Kommune
    from dataflyt.config.loading import BrokenFile
    from supervisor.airflow_api import AirflowApi
    from supervisor.home import Home
    from supervisor.processes import Processes

COMMON = {
    "freg_events": ("hendelser", "hver time"),
    "nightly": ("dagens publisering", "hver natt kl. 00.10"),
    "morning": ("morgenens oversikt", "hver morgen kl. 07.00"),
    "reference_data": ("skoler og koder", "fredag kl. 20.40"),
}
"""The DAGs common to all kommuner: what each does, and when."""


def let_run(
    airflow: AirflowApi, kommuner: Sequence[Kommune], home: Home, processes: Processes, since: datetime
) -> None:
    """Wait until every DAG is read, the kommuner's and the common ones, and unpause the new ones.

    A DAG that somebody has paused since stays paused. Of the runs that were due while nothing ran, only the last of
    each kommune is started: its DAG says ``catchup=False``. Raises SupervisorError when a DAG cannot be read.
    """
    dags = {dag: dag for dag in COMMON} | {kommune.id: f"kommune_{kommune.id}" for kommune in kommuner}
    missing = set(dags.values())

    def read() -> bool:
        for dag in sorted(missing):
            details = airflow.dag(dag)
            parsed = details and details.get("last_parsed_time")
            if parsed and datetime.fromisoformat(parsed) >= since:
                missing.discard(dag)
        if errors := airflow.import_errors():
            raise SupervisorError("Airflow kan ikke lese DAG-filen:\n" + errors[0].rstrip().splitlines()[-1])
        return not missing

    processes.wait_for("Airflows DAG-leser", read)
    note = home.airflow / "followed.json"
    known: list[str] = json.loads(note.read_text(encoding="utf-8")) if note.exists() else []
    for name, dag in dags.items():
        if name not in known:
            airflow.pause(dag, False)
            known.append(name)
    note.write_text(json.dumps(known), encoding="utf-8")


def tell(
    console: Console, url: str, kommuner: Sequence[Kommune], broken: Sequence[BrokenFile], home: Home, parallelism: int
) -> None:
    """Print where Airflow is, how to log in, what there is to see, and how to stop it."""
    console.print(f"\n[bold green]Oversikten er oppe:[/] [bold]{url}/dataflyt/[/]  (Airflow selv: {url})\n")
    logins = Table("bruker", "passord", "kan", box=None, pad_edge=False)
    logins.add_row(ADMIN, home.password(ADMIN), "alt, men ikke svare for en godkjenner")
    logins.add_row(ENGINEER, home.password(ENGINEER), "se alle kjøringer, stanse og starte dem på nytt")
    logins.add_row(OPERATOR, home.password(OPERATOR), "se alle kommunene, og starte kjøringer")
    for login in approvers(kommuner):
        what = ", ".join(one.name for one in kommuner if rights.approver(one.id) in login.roles)
        logins.add_row(login.user, home.password(login.user), f"se kjøringene, og svare for {what}")
    console.print(logins)
    console.print()
    dags = Table("kommune", "kjøres", "på siden", box=None, pad_edge=False)
    for kommune in kommuner:
        dags.add_row(kommune.display_name, kommune.schedule.in_words, f"{url}/dataflyt/kommune/{kommune.id}")
    for dag, (does, when) in COMMON.items():
        dags.add_row(f"{does}, for alle", when, f"{url}/dags/{dag}")
    console.print(dags)
    for one in broken:
        console.print(one.sentence, style="red", markup=False, soft_wrap=True)
    console.print(
        "\nHver kommune følger sin plan når DAG-en ikke er satt på pause, og kan startes med «Trigger» i Airflow,\n"
        f"av {OPERATOR} her. Første kjøring spør alltid: logg inn som godkjenneren, og svar under «Required Actions».\n"
        "Sto noe for tur mens alt var stoppet, kjøres bare det siste, én gang for hver kommune.\n"
        f"Registrene er simulert; der er det {home.today}, og dagene går som her.\n"
        f"Filene kommer i {home.storage / 'exports'}, loggene i {home.folder / 'logs'}.\n"
        f"Inntil {parallelism} oppgaver kjører samtidig.\n"
        "Kommandoer skrives i et annet vindu: «make plan», «make doctor», eller «.venv/bin/dataflyt --help».\n"
        "\n[bold]Ctrl-C stopper alt[/], også databasen. Neste «make up» finner alt som det var.",
        soft_wrap=True,
    )
