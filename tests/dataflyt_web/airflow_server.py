"""A real Airflow API server with FAB's users, whose pages read a test's warehouse."""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import make_url

from dataflyt.on_airflow import rights
from supervisor import logins
from supervisor.airflow_api import http
from supervisor.home import REPOSITORY, Home, free_port
from supervisor.logins import Login
from supervisor.processes import Processes
from tests.installation.fixtures import Installation

USERS = {
    "admin": logins.administrator(),
    "anita": Login("anita", "Anita Ingebretsen", (rights.approver("haugesund"),), 101),
    "birgitte": Login("birgitte", "Birgitte Regnkappe", (rights.approver("bergen"),), 102),
    "operator": Login("operator", "Haugesunds Operatør", (rights.operator("haugesund"),)),
    "engineer": Login("engineer", "Data Ingeniør", (rights.ENGINEER,)),
    "nobody": Login("nobody", "Uten Rolle", ()),
}
"""Two approvers of two kommuner, an operator, the engineer, and somebody without a role."""


BEGIN = """
import os, sys
from pathlib import Path
from supervisor import airflow_parts as parts

def make_world():
    from tests.on_airflow import rights_world
    rights_world.main(*sys.argv[2:])

parts.import_airflow()
if os.waitpid(parts.fork(make_world), 0)[1]:
    sys.exit(1)
log = Path(sys.argv[1])
sys.exit(parts.watch({parts.fork(lambda: parts.become("api-server", log)): "api-server"}, {"api-server": log}))
"""
"""The program that makes the database and then serves: both are forks of one process, as in ``make up``."""


@dataclass
class Server:
    """A running API server, and each user's token."""

    url: str
    tokens: dict[str, str]
    log: Path

    def browser(self, user: str | None) -> httpx.Client:
        """Return a browser in which a user has logged in, or nobody has."""
        cookies = {"_token": self.tokens[user]} if user else {}
        return http(self.url, timeout=60, cookies=cookies, headers={"accept": "text/html"})


@contextlib.contextmanager
def serving(folder: Path, installation: Installation, kommuner: Path | None = None) -> Iterator[Server]:
    """Start the server on a database with every DAG of ours, a run and a question of each (``rights_world``)."""
    if kommuner is None:
        kommuner = folder / "kommuner"
        kommuner.mkdir(parents=True)
        for name in ("haugesund", "bergen"):
            shutil.copy(REPOSITORY / "include" / "kommuner" / f"{name}.yaml", kommuner)
    home, port = Home(folder / "home"), free_port()
    environment = home.base_environment(kommuner) | home.airflow_environment(port)
    environment["PYTHONPATH"] = os.pathsep.join([str(REPOSITORY), os.environ.get("PYTHONPATH", "")])
    environment["DATAFLYT_STORAGE"] = str(installation.storage)
    connections = {
        f"warehouse_{name}": {
            "conn_type": "generic",
            "host": make_url(installation.warehouse_url).set(username=role).render_as_string(hide_password=False),
        }
        for role, name in (("kommune_haugesund", "haugesund"), ("kommune_bergen", "bergen"), ("dataflyt_web", "web"))
    }
    of_database = {"connection_id": "warehouse_web", **connections.pop("warehouse_web")}
    environment |= {f"AIRFLOW_CONN_{name.upper()}": json.dumps(one) for name, one in connections.items()}
    passwords = {name: home.password(login.user) for name, login in USERS.items()}
    given = logins.command(home.passwords, [one.stem for one in kommuner.glob("[a-z]*.yaml")], USERS.values())[3:]
    logs = environment["AIRFLOW__LOGGING__BASE_LOG_FOLDER"]
    processes = Processes(folder / "home")
    try:
        log = processes.logs / "api-server.log"
        processes.start("airflow", [sys.executable, "-c", BEGIN, str(log), *given, logs], environment)
        url = f"http://127.0.0.1:{port}"
        with http(url, timeout=60) as asking:
            processes.wait_for("Airflow", lambda: _answers(asking), timeout=400)
            tokens = {
                name: asking.post("/auth/token", json={"username": USERS[name].user, "password": password}).json()[
                    "access_token"
                ]
                for name, password in passwords.items()
            }
            # One connection is in Airflow's database, as in production; the others are variables, as make up has them.
            admin = {"authorization": f"Bearer {tokens['admin']}"}
            asking.post("/api/v2/connections", json=of_database, headers=admin).raise_for_status()
        yield Server(url, tokens, log)
    finally:
        processes.stop()


def _answers(asking: httpx.Client) -> bool:
    try:
        return asking.get("/api/v2/version").is_success
    except httpx.HTTPError:
        return False
