"""``dataflyt kommune check --online``: each source answers or says why not, and the rights are the kommune's own."""

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.operations.source_check import NOBODY
from simulator import fiks
from simulator.files import write_files
from simulator.maskinporten import OWN_ORGNR, Maskinporten
from simulator.server import FREG_PATH
from tests.sources.test_routes import Simulator, served

HAUGESUND = Path(__file__).parents[2] / "include" / "kommuner" / "haugesund.yaml"
ROLLE = fiks.rolle_of("1106")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with served() as simulator:
        yield simulator


@pytest.fixture
def check(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``check(freg={…}, krr={…}, file=…)``: changes to a connection's extra, and to the kommune file."""
    kommuner, drop = tmp_path / "kommuner", tmp_path / "drop"
    kommuner.mkdir()
    files = write_files(simulator.world, simulator.world.day, drop)
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(kommuner))

    def put(source: str, host: str, scope: str = "", **extra: str) -> None:
        connection = simulator.connection(source, scope) if scope else None
        value = {
            "host": host,
            "login": connection and connection.login,
            "password": connection and connection.password,
            "extra": {**(connection.extra if connection else {}), **extra},
        }
        monkeypatch.setenv(f"AIRFLOW_CONN_{source.upper()}_HAUGESUND", orjson.dumps(value).decode())

    def check(
        freg: dict[str, str] | None = None,
        krr: dict[str, str] | None = None,
        file: tuple[str, str] = ("", ""),
        hours: float = 5.5,
    ) -> tuple[int, dict[str, str], str]:
        for path in files:
            os.utime(path, (time.time() - hours * 3600,) * 2)
        (kommuner / "haugesund.yaml").write_text(HAUGESUND.read_text().replace(*file))
        own = {"consumer_org": "944073787"}
        base = simulator.url + FREG_PATH.removesuffix("/v1/personer")
        put("freg", **{"host": base, "scope": "folkeregister:deling/offentligmedhjemmel"} | own | (freg or {}))
        put("krr", **{"host": simulator.url, "scope": "krr:global/kontaktinfo.read"} | own | (krr or {}))
        put("hr", str(drop / "1106" / "hr"))
        put("sas", (drop / "1106" / "sas").as_uri())
        result = CliRunner().invoke(app, ["kommune", "check", "--online", "1106"])
        first, *rest = result.output.splitlines()
        assert first == "haugesund.yaml: OK"
        lines = [line for line in rest if line.startswith(("OK ", "FEIL "))]  # the file's hints stand before them
        said = {source: line for source, line in zip(("freg", "krr", "hr", "sas"), lines, strict=True)}
        assert "PRIVATE KEY" not in result.output
        return result.exit_code, said, result.output

    return check


def test_all_is_well_and_each_source_says_whose_rights_it_is_asked_with(check: Any, simulator: Simulator) -> None:
    code, said, output = check()
    assert code == 0, output
    assert said["freg"] == (
        "OK haugesund, freg: Folkeregisteret svarer med rettighetene til 944073787 (hentet av "
        f"{OWN_ORGNR}, scope folkeregister:deling/offentligmedhjemmel)."
    )
    assert said["krr"].endswith("scope krr:global/kontaktinfo.read).")
    assert said["hr"].startswith("OK haugesund, hr: Nyeste fil er Stamdata3_1106_20261123.xml: ")
    assert said["sas"].endswith(" byte, 5 timer gammel.")
    assert simulator.world.find(NOBODY) is None


def test_by_fiks_the_rolle_and_the_integration_are_tried(
    check: Any, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    integration = {"integrasjon_id": "IntegrasjonId", "integrasjon_passord": "IntegrasjonPassord"}
    way = {"host": simulator.url, "scope": "ks:fiks", "rolle_id": ROLLE}
    way |= {ours: fiks.INTEGRATION[theirs] for ours, theirs in integration.items()}
    for route in ("fiks", "fiks_oppvekst"):
        lines = ("connection: freg_haugesund", f"connection: freg_haugesund\n    route: {route}")
        code, said, output = check(freg=way, file=lines)
        assert (code, said["freg"].endswith("scope ks:fiks).")) == (0, True), output
        code, said, _ = check(freg=way | {"rolle_id": ROLLE.replace("1106", "9999")}, file=lines)
        assert code == 1
        assert said["freg"].startswith("FEIL haugesund, freg: Folkeregisteret gir ikke kommunen tilgang (HTTP 403)")
    lines = (lines[0], f"{lines[1]}\n    employees: true")
    code, said, output = check(freg=way, file=lines)
    assert (code, said["freg"].endswith("scope ks:fiks).")) == (0, True), output
    # A right to pupils with their guardians, and not to people one by one.
    monkeypatch.setattr(fiks, "ROLE", fiks.ROLE - {"deltBosted"})
    code, said, _ = check(freg=way, file=lines)
    assert (code, "HTTP 403" in said["freg"]) == (1, True)
    lines = ("connection: krr_haugesund", "connection: krr_haugesund\n    route: fiks")
    code, said, output = check(krr=way, file=lines)
    assert (code, said["krr"].endswith("scope ks:fiks).")) == (0, True), output


@pytest.mark.parametrize(
    ("freg", "words"),
    [
        ({"consumer_org": ""}, f"har rettighetene til {OWN_ORGNR} og ikke til kommunen (944073787)"),
        ({"consumer_org": "974761076"}, "MP-251"),
        ({"scope": "krr:global/kontaktinfo.read"}, "HTTP 403"),
        ({"host": "http://127.0.0.1:9"}, "svarte ikke"),
        ({"host": "http://freg.example.no"}, "https://"),
    ],
)
def test_what_is_not_the_kommunes_or_does_not_answer_fails_and_the_others_are_asked(
    check: Any, freg: dict[str, str], words: str
) -> None:
    code, said, output = check(freg=freg)
    assert code == 1
    assert said["freg"].startswith("FEIL haugesund, freg: ")
    assert words in said["freg"], output
    assert [line.split()[0] for line in said.values()] == ["FEIL", "OK", "OK", "OK"]


def test_a_token_that_says_nothing_is_told_and_an_old_file_fails(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dataflyt.registers.maskinporten._kept", {})
    monkeypatch.setattr(Maskinporten, "_access_token", lambda *_: secrets.token_urlsafe(32))
    code, said, _ = check(file=('files: "pifu_*.xml"', 'files: "pifu_*.xml"\n    max_age_days: 10'), hours=20 * 24 + 1)
    assert code == 1
    assert said["freg"].endswith("Tokenet sier ikke hvem det gjelder, så det er ikke kontrollert.")
    assert "er 20 døgn gammel, og kommunen godtar 8 døgn" in said["hr"]
    assert said["sas"].startswith("FEIL haugesund, sas: Nyeste fil, pifu_")
