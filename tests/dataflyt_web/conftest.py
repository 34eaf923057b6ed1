"""The pages' app alone, on a real warehouse. Only Airflow's auth manager and its list of DAGs are stood in for."""

import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from jwt import InvalidTokenError
from sqlalchemy import make_url

from dataflyt.config.connections import Connection
from tests.installation.fixtures import KOMMUNER
from tests.installation.fixtures import Installation as Warehouse

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # never a developer's home folder
from airflow.api_fastapi import app as airflow_app

from dataflyt_web.app import create_app
from dataflyt_web.installation import Dag, Installation

NEXT = datetime(2026, 11, 29, 2, tzinfo=UTC)
USERS = {
    "anita": ("101", {"kommune_haugesund"}),
    "bjarne": ("111", {"kommune_haugesund"}),
    "operator": ("55", {"kommune_haugesund"}),
    "birgitte": ("102", {"kommune_bergen"}),
    "engineer": ("7", {"kommune_haugesund", "kommune_bergen", "kommune_orsta"}),
    "nobody": ("8", set()),
}
"""The users by name: the number, and the DAGs that the user may read. Two are approvers of two kommuner."""


@dataclass
class User:
    """A user as an auth manager knows it."""

    name: str

    def get_id(self) -> str:
        return USERS[self.name][0]

    def get_name(self) -> str:
        return self.name


class AuthManager:
    """As much of an auth manager as the pages ask: a token is a user's name."""

    async def get_user_from_token(self, token: str) -> User:
        if token not in USERS:
            raise InvalidTokenError
        return User(token)

    def is_authorized_dag(self, *, method: str, user: User, details: object) -> bool:
        return method == "GET" and details.id in USERS[user.name][1]  # type: ignore[attr-defined]


class Browser(TestClient):
    """A browser in which a user has logged in to Airflow, or nobody has."""

    def token(self, page: str) -> str:
        """Open a page, and return the token of the forms on it."""
        token = re.search(r'name="token" value="([^"]+)"', self.get(page).text)
        assert token, f"{page} has no form"
        return token[1]

    def post_form(self, page: str, to: str, **fields: object) -> Any:
        """Open a page, and send a form that is on it."""
        return self.post(to, data={"token": self.token(page), **fields})


@pytest.fixture
def pages(installation: Warehouse, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str | None], Browser]]:
    """``pages("anita")`` opens a browser in which Anita has logged in, on the test's installation."""
    monkeypatch.setattr(airflow_app._AuthManagerState, "instance", AuthManager())

    def connect(name: str) -> Connection:
        found = installation.environment.connect(name)
        if name in ("warehouse_web", "warehouse_bergen", "warehouse_orsta"):
            role = {"warehouse_web": "dataflyt_web"}.get(name, f"kommune_{name.removeprefix('warehouse_')}")
            url = make_url(found.url).set(username=role)
            return replace(found, url=url.render_as_string(hide_password=False))
        return found

    environment = replace(installation.environment, connect=connect)
    dags = {"kommune_haugesund": Dag(False, NEXT), "kommune_bergen": Dag(True, NEXT)}
    ended = {("kommune_haugesund", "ended in Airflow")}
    app = create_app(Installation(lambda: environment, lambda: dags, lambda runs: ended & set(runs)))
    opened = []

    def open_(user: str | None) -> Browser:
        browser = Browser(app, base_url="http://airflow.test", follow_redirects=False, raise_server_exceptions=True)
        browser.headers["accept"] = "text/html"
        if user:
            browser.cookies["_token"] = user
        opened.append(browser)
        return browser

    yield open_
    for browser in opened:
        browser.close()


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the operator the right ``persons`` in Haugesund, and nothing more."""
    folder = tmp_path / "kommuner"
    shutil.copytree(KOMMUNER, folder)
    file = folder / "haugesund.yaml"
    lines = file.read_text("utf-8").splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if "Anita Ingebretsen" in line and "may:" in line)
    lines.insert(at, '  - {id: "55", name: "Olav Operatør", may: [persons]}\n')
    file.write_text("".join(lines), "utf-8")
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(folder))


def plain(page: str) -> str:
    """Return a page without what differs each time: the token of its forms."""
    return re.sub(r'name="token" value="[^"]+"', "", page)
