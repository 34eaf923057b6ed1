"""The button Test of a connection: what it says of a good one and of wrong ones, and what it never sends or tells."""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from dataflyt.config.connections import Connection, of_fields, path_of
from dataflyt.operations.connection_check import NAME, check
from dataflyt.registers import maskinporten
from simulator import fiks
from simulator.files import write_files
from simulator.server import FREG_PATH
from tests.installation.fixtures import KOMMUNER, Installation
from tests.sources.test_routes import FREG_SCOPE, Simulator, served

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
OWN = {"kommune": "haugesund", "consumer_org": "944073787"}


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with served() as simulator:
        yield simulator


@pytest.fixture(autouse=True)
def kommuner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "kommuner"
    folder.mkdir()
    shutil.copy(KOMMUNER / "haugesund.yaml", folder)
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(folder))
    return folder


def freg(simulator: Simulator, **extra: str) -> Connection:
    at = FREG_PATH.removesuffix("/v1/personer")
    return replace(simulator.connection("freg", FREG_SCOPE, at, **OWN | extra), name=NAME)


def tried(kind: str, connection: Connection, longest: float = 45.0) -> tuple[bool, str]:
    well, said = check(kind, connection, path_of, NOW, longest=longest)
    for secret in (connection.password, connection.extra.get("integrasjon_passord"), "PRIVATE KEY"):
        assert not secret or secret not in said
    assert said.endswith("."), said
    return well, said


def test_a_register_that_answers_says_whose_rights_it_is_asked_with(simulator: Simulator) -> None:
    well, said = tried("freg", freg(simulator))
    assert well, said
    assert said.startswith("Folkeregisteret svarer med rettighetene til 944073787 (hentet av ")
    krr = simulator.connection("krr", "krr:global/kontaktinfo.read", **OWN)
    well, said = tried("krr", replace(krr, name=NAME))
    assert well, said
    assert said.startswith("Kontakt- og reservasjonsregisteret svarer med rettighetene til 944073787")


def test_without_a_kommune_only_the_token_is_fetched_and_that_is_said(simulator: Simulator) -> None:
    simulator.asked.clear()
    for kind in ("freg", "freg_events"):
        well, said = tried(kind, freg(simulator, kommune=""))
        assert well, said
        assert "Maskinporten gir et token med rettighetene til 944073787" in said
    assert set(simulator.asked) == {"/token"}


def test_a_wrong_key_is_told_also_right_after_the_right_one(simulator: Simulator) -> None:
    assert tried("freg", freg(simulator))[0]
    with served() as another:
        wrong = replace(freg(simulator), password=another.pem)
    well, said = tried("freg", wrong)
    assert (well, "MP-124" in said) == (False, True), said
    assert "tilkoblingen" not in said or NAME in said
    well, said = tried("freg", replace(freg(simulator), password="ikke en nøkkel"))
    assert (well, "legg inn en privat RSA-nøkkel (PEM)" in said) == (False, True), said
    assert not [one for one in maskinporten._kept if one[0] == NAME]


def test_a_key_that_was_pasted_into_one_line_is_read(simulator: Simulator) -> None:
    for joined in (" ", "", "\\n"):
        well, said = tried("freg", replace(freg(simulator), password=joined.join(simulator.pem.splitlines())))
        assert well, said


def test_a_host_that_is_dead_or_silent_is_given_up(simulator: Simulator) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{listening.getsockname()[1]}"
        well, said = tried("freg", replace(freg(simulator), url=dead))
        assert (well, "svarte ikke" in said) == (False, True), said
        listening.listen()
        began = time.monotonic()
        well, said = tried("freg", replace(freg(simulator), url=dead), longest=1.0)
        assert not well
        assert said.startswith("Ingen svarte innen 1 sekunder")
        assert time.monotonic() - began < 4


def test_a_grant_is_not_sent_to_another_host_than_its_issuers(simulator: Simulator) -> None:
    """It could be used there to get a token: whoever presses the button may not be one who can read the key."""
    with served() as thief:
        well, said = tried("freg", freg(simulator, token_endpoint=f"{thief.url}/token"))
        assert (well, "verten i issuer" in said) == (False, True), said
        assert thief.asked == ["/health"]


def test_the_rights_must_be_those_of_the_kommune_that_is_named(simulator: Simulator) -> None:
    well, said = tried("freg", freg(simulator, consumer_org=""))
    assert (well, "og ikke til kommunen (944073787)" in said) == (False, True), said
    well, said = tried("freg", freg(simulator, kommune="finnesikke"))
    assert (well, "finnesikke" in said) == (False, True), said


def test_by_fiks_the_rolle_is_tried(simulator: Simulator, kommuner: Path) -> None:
    file = kommuner / "haugesund.yaml"
    file.write_text(
        file.read_text("utf-8").replace("connection: freg_haugesund", "connection: freg_haugesund\n    route: fiks")
    )
    way = simulator.connection("freg", rolle_id=fiks.rolle_of("1106"), **OWN)
    assert tried("freg", way)[0]
    well, said = tried("freg", replace(way, extra=way.extra | {"rolle_id": "x"}))
    assert (well, "trenger en rolle" in said) == (False, True), said


def test_a_folder_tells_of_its_newest_file_when_the_kommune_is_named(simulator: Simulator, tmp_path: Path) -> None:
    for path in write_files(simulator.world, simulator.world.day, tmp_path / "drop"):
        os.utime(path, (NOW.timestamp() - 5 * 3600,) * 2)
    hr = tmp_path / "drop" / "1106" / "hr"
    for folder in (hr, hr.parent):
        folder.chmod(0o750)
    well, said = tried("hr_files", Connection(NAME, hr.as_uri(), extra={"kommune": "haugesund"}))
    assert well, said
    assert said.startswith("Nyeste fil er Stamdata3_1106_20261123.xml")
    assert tried("hr_files", Connection(NAME, str(hr)))[1].startswith("Mappen kan leses.")
    assert tried("sas_files", Connection(NAME, str(hr), extra={"kommune": "haugesund"}))[0] is False
    well, said = tried("export_folder", Connection(NAME, str(hr)))
    assert (well, said) == (True, "Mottakeren svarer. Ingenting er skrevet der.")
    assert tried("hr_files", Connection(NAME, str(hr / "ingen")))[0] is False


def test_a_folder_of_dataflyts_own_is_not_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATAFLYT_STORAGE", str(tmp_path))
    (tmp_path / "exports").mkdir(mode=0o750)
    for kind in ("sas_files", "export_folder"):
        well, said = tried(kind, Connection(NAME, f"{tmp_path}/kommuner/../exports", extra={"kommune": "haugesund"}))
        assert (well, "eget lager" in said) == (False, True), said


def test_links_to_calendars_are_read_and_not_followed(simulator: Simulator) -> None:
    simulator.asked.clear()
    links = [simulator.url, "webcal://timeplan.example.no/hemmelig.ics"]
    well, said = tried("sas_calendars", Connection(NAME, links[0], extra={"links": links[1:]}))
    assert (well, "2 lenker" in said, simulator.asked) == (True, True, [])
    well, said = tried("sas_calendars", Connection(NAME, "ftp://timeplan.example.no/hemmelig.ics"))
    assert (well, "hemmelig" in said) == (False, False)


@pytest.mark.after_first_run
def test_the_warehouse_tells_the_role_and_what_is_wrong(installation: Installation) -> None:
    well, said = tried("dataflyt_warehouse", Connection(NAME, installation.warehouse_url))
    assert well, said
    assert "svarer rollen kommune_haugesund" in said
    admin = make_url(installation.warehouse_url).set(username="postgres").render_as_string(hide_password=False)
    well, said = tried("dataflyt_warehouse", Connection(NAME, admin))
    assert (well, "ikke er en av Dataflyts" in said) == (False, True), said
    for wrong in ("https://freg.example.no", "/a/folder"):
        assert tried("dataflyt_warehouse", Connection(NAME, wrong))[0] is False
    fields: dict[str, Any] = {"host": "127.0.0.1", "port": 9, "schema": "w", "login": "kommune_x", "password": "hem/m@"}
    well, said = tried("dataflyt_warehouse", of_fields(NAME, "dataflyt_warehouse", fields))
    assert (well, "Varehuset svarer ikke" in said) == (False, True), said
