"""A real Airflow API server with FAB's users, whose pages read a test's warehouse."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import make_url

from dataflyt.on_airflow import rights
from supervisor import logins
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


@dataclass
class Server:
    """A running API server, and each user's token."""

    url: str
    tokens: dict[str, str]
    log: Path

    def browser(self, user: str | None) -> httpx.Client:
        """Return a browser in which a user has logged in, or nobody has."""
        cookies = {"_token": self.tokens[user]} if user else {}
        return httpx.Client(
            base_url=self.url, cookies=cookies, headers={"accept": "text/html"}, timeout=60, trust_env=False
        )


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
    made = subprocess.run(
        [sys.executable, "-m", "tests.on_airflow.rights_world", *given, logs],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr[-3000:]
    processes = Processes(folder / "home")
    try:
        processes.start("api-server", [sys.executable, "-m", "airflow", "api-server"], environment)
        url = f"http://127.0.0.1:{port}"
        processes.wait_for("Airflow", lambda: _answers(url), timeout=400)
        tokens = {
            name: httpx.post(
                f"{url}/auth/token", json={"username": USERS[name].user, "password": password}, trust_env=False
            ).json()["access_token"]
            for name, password in passwords.items()
        }
        # One connection is in Airflow's database, as in production; the others are variables, as make up has them.
        admin = {"authorization": f"Bearer {tokens['admin']}"}
        httpx.post(f"{url}/api/v2/connections", json=of_database, headers=admin, trust_env=False).raise_for_status()
        yield Server(url, tokens, home.folder / "logs" / "api-server.log")
    finally:
        processes.stop()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/v2/version", timeout=5, trust_env=False).is_success
    except httpx.HTTPError:
        return False
