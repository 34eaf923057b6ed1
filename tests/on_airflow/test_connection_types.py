"""Dataflyt's connection types in Airflow: the forms, the hooks, and the button Test in a real server and browser."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from dataflyt.config.connections import Connection, fields_of_warehouse, from_environment
from dataflyt.on_airflow import connection_types
from dataflyt.on_airflow.connection_types import HOOKS, SENSITIVE, TITLES, get_provider_info
from simulator.server import FREG_PATH
from supervisor.home import REPOSITORY
from tests.dataflyt_web.airflow_server import Server, serving
from tests.installation.fixtures import Installation
from tests.sources.test_routes import FREG_SCOPE, Simulator, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HAUGESUND = {"kommune": "haugesund", "consumer_org": "944073787"}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with served() as simulator:
        yield simulator


def body(kind: str, connection: Connection, name: str = "freg_haugesund") -> dict[str, Any]:
    """Return what Airflow's form sends."""
    said = {"host": connection.url, "login": connection.login, "password": connection.password}
    return {"connection_id": name, "conn_type": kind, **said, "extra": json.dumps(connection.extra)}


def freg(simulator: Simulator, **extra: str) -> Connection:
    return simulator.connection("freg", FREG_SCOPE, FREG_PATH.removesuffix("/v1/personer"), **HAUGESUND | extra)


# --- what Airflow reads ------------------------------------------------------------------------------------------


def test_the_installed_package_tells_airflow_of_its_types() -> None:
    """Fails where dataflyt was installed before it had the entry point: make setup."""
    (found,) = [one for one in entry_points(group="apache_airflow_provider") if one.value.startswith("dataflyt")]
    assert found.load() is get_provider_info


def test_airflow_takes_the_types_as_they_are_and_finds_each_hook() -> None:
    from airflow._shared.providers_discovery.providers_discovery import (
        _create_customized_form_field_behaviours_schema_validator,
        _create_provider_info_schema_validator,
    )

    from dataflyt.on_airflow import hooks
    from dataflyt.operations import connection_check

    info = get_provider_info()
    _create_provider_info_schema_validator().validate(info)
    forms = _create_customized_form_field_behaviours_schema_validator()
    for one in info["connection-types"]:
        behaviour = one["ui-field-behaviour"]
        forms.validate({key.replace("-", "_"): value for key, value in behaviour.items()})
        hook = getattr(hooks, one["hook-class-name"].rpartition(".")[2])
        assert (hook.conn_type, hook.hook_name) == (one["connection-type"], one["hook-name"])
        assert one["connection-type"] in connection_check._CHECKS
    assert {one["connection-type"] for one in info["connection-types"]} == TITLES.keys() == HOOKS.keys()


def test_each_secret_field_is_one_that_airflow_is_told_to_hide() -> None:
    hidden = {
        name
        for *_, fields in connection_types._FORMS.values()
        for name, field in fields.items()
        if field["schema"].get("format") == "password"
    }
    assert hidden <= {*SENSITIVE}
    for file in (
        "docker-compose.yaml",
        "deploy/helm-values.yaml",
        "include/supervisor/home.py",
        "docs/engineer/deploy.md",
    ):
        assert ",".join(SENSITIVE) in (REPOSITORY / file).read_text("utf-8"), file


def test_a_connection_of_any_type_is_found_as_before_without_the_forms_empty_fields(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataflyt.on_airflow import environment

    for kind in ("generic", "freg"):
        said = {"conn_type": kind, "host": "https://freg.example.no/api", "login": "klient", "password": "pem"}
        extra = {"scope": "a:b", "x5c": [], "kid": None, "max_per_second": 2, "contact": ""}
        monkeypatch.setenv("AIRFLOW_CONN_FREG_X", json.dumps({**said, "extra": extra}))
        wanted = Connection(
            "freg_x", "https://freg.example.no/api", "klient", "pem", {"scope": "a:b", "max_per_second": 2}
        )
        assert environment.connection("freg_x") == from_environment("freg_x") == wanted


def test_the_warehouses_password_has_a_field_of_its_own_and_extra_cannot_send_it_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataflyt.on_airflow import environment

    url = "postgresql+psycopg://kommune_haugesund:a%2Fb%40c@varehus.example.no:5432/warehouse?sslmode=verify-full"
    fields = fields_of_warehouse(url)
    assert (fields["host"], fields["password"], fields["extra"]) == (
        "varehus.example.no",
        "a/b@c",
        {"sslmode": "verify-full"},
    )
    stolen = {**fields, "extra": {**fields["extra"], "host": "tyv.example.no", "hostaddr": "10.0.0.1"}}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_HAUGESUND", json.dumps(stolen))
    for found in (from_environment("warehouse_haugesund"), environment.connection("warehouse_haugesund")):
        assert make_url(found.url) == make_url(url)
    for whole in ("postgresql+psycopg://dataflyt@/w?host=/tmp/socket", "postgresql+psycopg://a:b@h/w?options=-c"):
        assert fields_of_warehouse(whole) == {"conn_type": "dataflyt_warehouse", "host": whole}
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_HAUGESUND", json.dumps(fields_of_warehouse(whole)))
        assert environment.connection("warehouse_haugesund").url == whole


# --- in a real Airflow -------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.after_first_run
def test_the_form_shows_our_fields_and_the_button_says_what_is_wrong(
    installation: Installation, simulator: Simulator, tmp_path: Path
) -> None:
    with serving(tmp_path / "airflow", installation) as server:
        the_form_has_the_fields_that_the_operator_knows(server)
        good = freg(simulator)
        secrets = [good.password or "", "integrasjonens-hemmelighet"]
        the_button_asks_the_register(server, simulator, good)
        a_stored_key_is_hidden_and_goes_nowhere_else(server, simulator, good)
        old_connections_of_the_type_generic_are_used(server)
        only_those_who_may_make_connections_press_it(server, good)
        if CHROMIUM and find_spec("playwright"):
            in_a_browser(server, good)
        log = server.log.read_text("utf-8")
    for secret in secrets:
        for line in secret.splitlines():
            assert line not in log or line.startswith("-----")


def asked(server: Server, user: str, method: str, path: str, **said: Any) -> Any:
    with server.browser(None) as browser:
        browser.headers["authorization"] = f"Bearer {server.tokens[user]}"
        browser.headers["accept"] = "application/json"
        return browser.request(method, path, **said)


def press(server: Server, said: dict[str, Any]) -> tuple[bool, str]:
    answer = asked(server, "admin", "POST", "/api/v2/connections/test", json=said)
    assert answer.status_code == 200, answer.text
    return answer.json()["status"], answer.json()["message"]


def the_form_has_the_fields_that_the_operator_knows(server: Server) -> None:
    metas = {one["connection_type"]: one for one in asked(server, "admin", "GET", "/ui/connections/hook_meta").json()}
    for kind, title in TITLES.items():
        assert metas[kind]["hook_name"] == title
    form = metas["freg"]
    assert form["standard_fields"]["login"]["title"] == "Klient-id hos Maskinporten"
    assert form["standard_fields"]["password"]["title"] == "Privat nøkkel (PEM)"
    assert form["standard_fields"]["host"]["placeholder"].startswith("https://folkeregisteret.api.skatteetaten.no/")
    assert form["standard_fields"]["port"]["hidden"]
    fields = form["extra_fields"]
    assert {"scope", "kid", "issuer", "rolle_id", "kommune", "consumer_org", "key_registered"} <= fields.keys()
    assert fields["integrasjon_passord"]["schema"]["format"] == "password"
    assert "generic" in metas


def the_button_asks_the_register(server: Server, simulator: Simulator, good: Connection) -> None:
    well, said = press(server, body("freg", good))
    assert well, said
    assert said.startswith("Folkeregisteret svarer med rettighetene til 944073787")
    with served() as another:
        well, said = press(server, body("freg", replace(good, password=another.pem)))
    assert (well, "MP-124" in said) == (False, True), said
    well, said = press(server, body("freg", replace(good, url="http://127.0.0.1:9/api")))
    assert (well, "Folkeregisteret svarte ikke" in said) == (False, True), said
    well, said = press(server, body("freg", replace(good, url="")))
    assert (well, said) == (False, "Adressen mangler: fyll den ut.")


def a_stored_key_is_hidden_and_goes_nowhere_else(server: Server, simulator: Simulator, good: Connection) -> None:
    kept = replace(good, extra=good.extra | {"integrasjon_passord": "integrasjonens-hemmelighet"})
    assert asked(server, "admin", "POST", "/api/v2/connections", json=body("freg", kept)).status_code == 201
    shown = asked(server, "admin", "GET", "/api/v2/connections/freg_haugesund").json()
    assert shown["password"] == "***"
    extra = json.loads(shown["extra"])
    assert extra["integrasjon_passord"] == "***"
    assert (extra["scope"], extra["kid"], extra["kommune"]) == (FREG_SCOPE, "k", "haugesund")
    # The form sends what it was shown: Airflow puts the stored secrets in their places.
    form = {**body("freg", good), "password": "***", "extra": shown["extra"]}
    well, said = press(server, form)
    assert well, said
    with served() as thief:
        for forged in ({"token_endpoint": f"{thief.url}/token"}, {"issuer": f"{thief.url}/"}):
            well, said = press(server, form | {"extra": json.dumps(extra | forged)})
            assert (well, "verten i issuer" in said) == (False, True), said
        refused = asked(server, "admin", "POST", "/api/v2/connections/test", json=form | {"host": thief.url})
        assert refused.status_code == 400
        assert thief.asked == ["/health"]


def old_connections_of_the_type_generic_are_used(server: Server) -> None:
    """The server's own connections are of the type generic; one is in Airflow's database."""
    with server.browser("anita") as browser:
        assert "Haugesund" in browser.get("/dataflyt/").text
    shown = asked(server, "admin", "GET", "/api/v2/connections/warehouse_web").json()
    assert shown["conn_type"] == "generic"


def only_those_who_may_make_connections_press_it(server: Server, good: Connection) -> None:
    for user in ("engineer", "anita", "operator", "nobody"):
        answer = asked(server, user, "POST", "/api/v2/connections/test", json=body("freg", good))
        assert answer.status_code == 403, user


def in_a_browser(server: Server, good: Connection) -> None:
    """Fill the form in as a person does, and press Test."""
    playwright = import_module("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": 1400, "height": 1500}, locale="en-US", permissions=["clipboard-read", "clipboard-write"]
        )
        context.add_cookies([{"name": "_token", "value": server.tokens["admin"], "url": server.url}])
        page = context.new_page()
        page.goto(f"{server.url}/connections")
        page.get_by_role("button", name="Add Connection").click()
        page.locator("[name=connection_id]").fill("freg_ny")
        page.get_by_role("combobox").last.click()
        page.keyboard.type("Folkeregisteret (FREG)")
        page.keyboard.press("Enter")
        page.locator("[name=host]").fill(good.url)
        page.locator("[name=login]").fill(good.login or "")
        # The form has one line for the key, and makes it one.
        page.evaluate("text => navigator.clipboard.writeText(text)", good.password)
        page.locator("[name=password]").click()
        page.keyboard.press("Control+V")
        page.get_by_role("button", name="Extra Fields", exact=True).click()
        for name in ("scope", "issuer", "kid", "kommune", "consumer_org"):
            page.locator(f"[name=element_{name}]").fill(str(good.extra[name]))
        page.get_by_role("button", name="Save").click()
        page.get_by_text("freg_ny", exact=True).first.wait_for()
        row = page.locator("tr", has_text="freg_ny")
        row.get_by_role("button", name="Test Connection").click()
        page.get_by_text("Folkeregisteret svarer med rettighetene til 944073787").first.wait_for()
        browser.close()
