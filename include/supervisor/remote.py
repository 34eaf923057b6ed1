"""The demo on several machines, as docker-compose.yaml starts it under the profile ``demo``.

    python -m supervisor.remote setup       files into the object store, passwords for the kommuner's logins in the
                                            warehouse, their connections and people's logins into Airflow's database
    python -m supervisor.remote registers   the simulated registers, for everybody who reaches this machine

For simulated people only. DATAFLYT_LOCAL keeps the client's key and the first day of the simulation. ``setup`` can be
run again: it delivers today's files, and gives every role of the warehouse a new password. The passwords of Airflow's
users are in airflow-passwords.json beside the key. In production an operator does the same by hand, with real
addresses: see docs/engineer/deploy.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from upath import UPath

from dataflyt.config.connections import from_environment
from dataflyt.config.loading import folder_of_kommuner, load_all
from dataflyt.storage import private
from dataflyt.warehouse.logins import new_password
from simulator.kommuner import KOMMUNER
from supervisor import logins
from supervisor.home import CLIENT_ID, Home, local
from supervisor.postgres import OWNER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dataflyt.config.kommune import Kommune


def simulated() -> list[Kommune]:
    """Return the kommuner that the simulator has people for."""
    kommuner, _ = load_all(folder_of_kommuner())
    return [kommune for kommune in kommuner if set(kommune.kommunenummer) & set(KOMMUNER)]


def simulator(home: Home, kommuner: Iterable[Kommune], command: str) -> list[str]:
    """Return the simulator's command line for the people of these kommuner, as of today."""
    return [
        *(sys.executable, "-m", "simulator", command, "--seed", "1"),
        *(word for kommune in kommuner for word in ("--kommune", kommune.kommunenummer[0])),
        *("--start", home.start.isoformat(), "--date", home.today.isoformat()),
    ]


def registers(home: Home, kommuner: Iterable[Kommune]) -> list[str]:
    """Return the command that serves the registers to the client whose key lies in ``home``."""
    return [
        *simulator(home, kommuner, "serve"),
        *("--key", str(home.public_key), "--client-id", CLIENT_ID, "--ready", str(home.ready)),
    ]


def upload(home: Home, kommuner: Iterable[Kommune], storage: str) -> int:
    """Put the simulated HR and SAS files of today into the object store, below ``drop/``; return how many."""
    with tempfile.TemporaryDirectory() as drop:
        files = [*simulator(home, kommuner, "files"), "--drop", drop]
        subprocess.run(files, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        paths = [path for path in sorted(Path(drop).rglob("*")) if path.is_file()]
        for path in paths:
            target = UPath(storage) / "drop" / path.relative_to(drop).as_posix()
            target.parent.mkdir(parents=True, exist_ok=True)  # makes the bucket too
            target.write_bytes(path.read_bytes())
    return len(paths)


def connections(
    home: Home, kommuner: Iterable[Kommune], warehouse: str, storage: str, registers: str
) -> dict[str, dict[str, Any]]:
    """Return every connection of the kommuner by its name.

    ``warehouse`` is the owner's URL. Every other role gets a new password.
    """
    home.drop = UPath(storage) / "drop"  # type: ignore[assignment]

    def url(role: str) -> str:
        return warehouse if role == OWNER else new_password(warehouse, role)

    variables = home.connections(kommuner, url, registers)
    return {
        variable.removeprefix("AIRFLOW_CONN_").lower(): json.loads(connection)
        for variable, connection in variables.items()
        if variable != "AIRFLOW_CONN_WAREHOUSE"  # the owner's connection is not for Airflow's tasks
    }


def bring_into_airflow(found: Mapping[str, dict[str, Any]], environment: Mapping[str, str]) -> None:
    """Write the connections to the database of the Airflow that ``environment`` configures, over earlier ones."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:  # only its owner can read it
        json.dump(found, file)
        file.flush()
        subprocess.run(  # noqa: S603
            [sys.executable, "-m", "airflow", "connections", "import", "--overwrite", file.name],
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
        )


def make_logins(home: Home, kommuner: Iterable[Kommune], environment: Mapping[str, str]) -> int:
    """Make an administrator and the approvers in the Airflow that ``environment`` configures; return how many."""
    users = [*logins.approvers(kommuner), logins.administrator()]
    for login in users:
        home.password(login.user)
    made = logins.command(home.passwords, [kommune.id for kommune in kommuner], users)
    subprocess.run(made, check=True, env=environment, stdout=subprocess.DEVNULL)  # noqa: S603
    return len(users)


def setup() -> None:
    """Set up everything the demo needs before its first run."""
    home, kommuner, storage = Home(local()), simulated(), os.environ["DATAFLYT_STORAGE"]
    files = upload(home, kommuner, storage)
    found = connections(home, kommuner, from_environment("warehouse").url, storage, os.environ["SIMULATOR_URL"])
    bring_into_airflow(found, os.environ)
    users = make_logins(home, kommuner, os.environ)
    sys.stdout.write(
        f"{len(kommuner)} kommuner: {files} files in the object store, {len(found)} connections, {users} users "
        f"whose passwords are in {home.passwords}.\n"
    )


def serve() -> None:
    """Become the simulator, at SIMULATOR_URL."""
    url = os.environ["SIMULATOR_URL"]
    where = ["--host", "0.0.0.0", "--port", url.rsplit(":", 1)[1], "--url", url]  # noqa: S104
    command = [*registers(Home(local()), simulated()), *where]
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    does = {"setup": setup, "registers": serve}.get(" ".join(sys.argv[1:]))
    if does is None:
        sys.exit(__doc__)
    private.close()
    does()
