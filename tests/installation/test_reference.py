"""Schools, subject codes and kommuner: an answer replaces the stored copy or is refused, and a run's report tells."""

import dataclasses
import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

import simulator.reference as registers_of_codes
from dataflyt.cli.main import app
from dataflyt.config.connections import Connection, NotDefined
from dataflyt.errors import ConfigError, DataflytError, DataInDoubt, SourceRefused, SourceUnavailable, Unreadable
from dataflyt.operations.doctor import Doctor, Finding
from dataflyt.reference import refresh
from dataflyt.registers.settings import Settings
from dataflyt.run.close_run import close_run
from dataflyt.run.job import Job
from simulator.kommuner import KOMMUNER
from tests.installation.fixtures import Installation, _libpq, approve_and_release, checked

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MONTHS_AGO = NOON - timedelta(days=60)
BASES = {"nsr": "", "grep": "/kl06/v201906", "klass": "/api/klass/v1"}
ORGNR = {school.key: school.orgnr for school in KOMMUNER["1106"].schools}
HELD = {
    "nsr": "select orgnr, name, kommunenummer, active from reference.school where known_to is null order by 1",
    "grep": "select code, active from reference.subject where known_to is null order by 1",
    "klass": "select kommunenummer, name from reference.kommune where known_to is null order by 1",
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "SETTINGS", Settings(attempts=2, first_wait=0.01, longest_answer=2_000_000))


@pytest.fixture
def read(installation: Installation) -> Callable[..., dict[str, int]]:
    """Read a register as the DAG does, or several."""
    warehouse = make_url(installation.warehouse_url).set(username="dataflyt_reference")

    def connect(name: str) -> Connection:
        if name == refresh.WAREHOUSE:
            return Connection(name, warehouse.render_as_string(hide_password=False))
        return Connection(name, installation.registers.url + BASES[name])

    def read(*names: str, at: datetime = NOON, accept_smaller: bool = False) -> dict[str, int]:
        counts: dict[str, int] = {}
        for name in names or BASES:
            counts = refresh.refresh(name, connect, at, accept_smaller=accept_smaller)
        return counts

    return read


def report_of(installation: Installation, job: Job) -> dict[str, dict[str, Any]]:
    """Merge and release a run; return its report's notes by rule."""
    checked(job)
    installation.steps(job, "merge")
    approve_and_release(job)
    assert close_run(job, [])["outcome"] == "released"
    report = json.loads((installation.storage / f"reports/haugesund/run-{job.run.number:06d}.json").read_bytes())
    return {note["rule"]: note for note in report["noted"]}


def test_the_registers_are_read_whole_and_only_what_differs_is_written(
    installation: Installation, read: Callable[..., dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    nsr = read("nsr")
    assert nsr["rows"] == nsr["opened"] > registers_of_codes.UNITS
    assert read("grep")["rows"] > registers_of_codes.CODES
    assert read("klass")["rows"] == 357
    schools = {orgnr: rest for orgnr, *rest in installation.query(HELD["nsr"])}
    assert schools[ORGNR["SKA"]] == ["Skåredalen skole", "1106", True]
    assert ORGNR["TE1"] not in schools
    assert {active for _, _, active in schools.values()} == {True, False}
    assert {name for name, _, _ in schools.values() if name != name.strip()} == set()
    assert ("FAG0010", False) in installation.query(HELD["grep"])
    kommuner = dict(tuple(row) for row in installation.query(HELD["klass"]))
    assert (kommuner["0301"], kommuner["1106"], "9999" in kommuner) == ("Oslo - Oslove", "Haugesund", False)
    for name in BASES:
        again = read(name, at=NOON + timedelta(days=7))
        assert (again["opened"], again["closed"]) == (0, 0)
    monkeypatch.setattr(registers_of_codes, "NOT_IN_NSR", "SKA")
    monkeypatch.setattr(registers_of_codes, "NOT_IN_GREP", "MAT")
    # A clock that has been put back: the reading still comes after the one before it.
    assert read("nsr", at=NOON) == {"rows": nsr["rows"], "opened": 1, "closed": 1}
    counts = read("grep", at=NOON + timedelta(days=14))
    assert (counts["opened"], counts["closed"]) == (1, 1)
    assert ("MAT0015", True) not in installation.query(HELD["grep"])
    known = "select known_from < known_to from reference.school where orgnr = :orgnr"
    assert [tuple(row) for row in installation.query(known, orgnr=ORGNR["SKA"])] == [(True,)]


def _in_numbers(unit: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: int(unit[name]) for name in ("Organisasjonsnummer", "Kommunenummer")}
    return unit | numbers | {"ErAktiv": str(unit["ErAktiv"]).lower()}


def test_an_answer_that_is_not_the_whole_truth_replaces_nothing(
    installation: Installation, read: Callable[..., dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read()
    held = {name: installation.query(HELD[name]) for name in BASES}
    faults = installation.registers.faults
    cases: list[tuple[str, str, type[DataflytError]]] = [
        ("nsr", "empty", SourceUnavailable),  # its own total is larger
        ("nsr", "half", SourceUnavailable),
        ("nsr", "huge", Unreadable),
        ("grep", "empty", DataInDoubt),
        ("grep", "half", DataInDoubt),
        ("grep", "html_200", SourceUnavailable),
        ("grep", "html_403", SourceRefused),
        ("klass", "empty", DataInDoubt),
        ("klass", "half", DataInDoubt),
        ("klass", "truncated", SourceUnavailable),
        ("klass", "503", SourceUnavailable),
    ]
    for name, fault, raised in cases:
        faults.turn_on(fault, name, 0)
        with pytest.raises(raised) as stopped:
            read(name, at=NOON + timedelta(days=7))
        assert type(stopped.value) is raised, (name, fault)
        assert refresh.SOURCES[name].who in stopped.value.sentence
        faults.clear()
    # A field under another name, as v3 and v4 of NSR differ.
    made = registers_of_codes._unit
    with monkeypatch.context() as patch:
        patch.setattr(registers_of_codes, "_unit", lambda *args, **kwargs: {**made(*args, **kwargs), "ErAktiv": None})
        with pytest.raises(Unreadable, match="annen form enn Dataflyt kjenner"):
            read("nsr", accept_smaller=True)
    assert {name: installation.query(HELD[name]) for name in BASES} == held
    assert [tuple(row) for row in installation.query("select count(*) from reference.reading")] == [(3,)]
    # The register gives the page before once more. Asked again, it gives the right one.
    faults.turn_on("duplicate_page", "nsr", 1)
    assert read("nsr", at=NOON + timedelta(days=7))["closed"] == 0
    # A unit goes while the list is read: the first of the next page has moved to one that was read before.
    units, calls = registers_of_codes.units, itertools.count()
    with monkeypatch.context() as patch:
        patch.setattr(registers_of_codes, "units", lambda country: units(country)[min(next(calls), 1) :])
        assert read("nsr", at=NOON + timedelta(days=7)) == {"rows": len(held["nsr"]) - 1, "opened": 0, "closed": 1}
    # The total stays ahead of the list; and organisation numbers are JSON numbers.
    with monkeypatch.context() as patch:
        patch.setattr(registers_of_codes, "units", lambda country: [units(country)[0], *units(country)])
        patch.setattr(registers_of_codes, "_unit", lambda *args, **kwargs: _in_numbers(made(*args, **kwargs)))
        assert read("nsr", at=NOON + timedelta(days=8)) == {"rows": len(held["nsr"]), "opened": 1, "closed": 0}
    assert installation.query(HELD["nsr"]) == held["nsr"]
    # A much smaller answer is accepted with ``accept_smaller``; an empty one never is.
    faults.turn_on("half", "klass", 1)
    assert read("klass", accept_smaller=True)["closed"] == 178
    faults.turn_on("empty", "klass", 1)
    with pytest.raises(DataInDoubt, match="0 rader"):
        read("klass", accept_smaller=True)


def test_what_a_kommune_has_and_the_registers_have_not_is_told_and_stops_nothing(
    installation: Installation, read: Callable[..., dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    units, renamed = registers_of_codes.units, registers_of_codes._unit("319999996", "TESTSKOLE 1 ", "1106")
    monkeypatch.setattr(registers_of_codes, "units", lambda country: [*units(country), renamed])
    read()
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge")
    items = "select kind, subject, other, unit_id from golden.work_item where kind like '%_not_in_%' order by 1, 2"
    found = installation.query(items)
    # Registers that change later do not change the run's findings as of its own time.
    monkeypatch.setattr(registers_of_codes, "NOT_IN_NSR", "SKA")
    read("nsr", at=job.run.as_of + timedelta(hours=1))
    told = report_of(installation, job)
    assert installation.query(items) == found
    schools = [tuple(row) for row in found if row.kind == "school_not_in_nsr"]
    assert schools == [("school_not_in_nsr", ORGNR["TE1"], "", ORGNR["TE1"])]
    assert {(row.kind, row.other) for row in found[:-1]} == {("group_not_in_grep", "RLE0030")}
    assert len(found) > 20
    assert told["sas_school.nsr"]["reason"] == (
        f"Ikke blant de aktive i Nasjonalt skoleregister (NSR): Testskole 1 ({ORGNR['TE1']}; NSR har en med samme "
        "navn: 319999996). Rett organisasjonsnummeret i skolesystemet, eller meld skolen til NSR."
    )
    assert told["sas_school.nsr"]["responsible"] == "systemansvarlig"
    assert told["sas_group.grep"]["reason"] == (
        "Fagkoder som ikke er i bruk i Grep: RLE0030. Rett fagkoden på gruppene i skolesystemet."
    )
    assert told["sas_group.grep"]["unexpected_count"] == len(found) - 1
    assert not {rule for rule in told if rule.startswith(("kommune.", "reference."))}


def test_where_the_registers_are_not_read_or_read_too_long_ago_that_is_told_instead(
    installation: Installation, read: Callable[..., dict[str, int]]
) -> None:
    read("nsr", at=MONTHS_AGO)
    read("klass")
    installation.kommune = installation.kommune.model_copy(update={"name": "Bergen"})
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw")
    told = report_of(installation, job)
    assert told["reference.nsr"]["reason"] == (
        "Nasjonalt skoleregister (NSR) ble sist lest 21.09.2026, så skolenes organisasjonsnumre er ikke kontrollert: "
        "se DAG-en reference_data."
    )
    assert told["reference.grep"]["reason"].startswith("Grep er ikke lest ennå, så gruppenes fagkoder er ikke")
    wrong = "Kommunenummer 1106 er Haugesund hos SSB: rett kommunenummer eller name i kommunefilen."
    assert told["kommune.klass"]["reason"] == wrong
    doctor = Doctor(installation.environment.connect, Path, NOON.date(), Path("none"))
    assert Finding("wrong", wrong) in doctor.examine(installation.kommune)
    assert installation.query("select * from golden.work_item where kind like '%_not_in_%'") == []


def test_kommuner_read_the_tables_and_only_their_own_role_writes_them_and_sees_nothing_else(
    installation: Installation, read: Callable[..., dict[str, int]]
) -> None:
    read("klass")
    url = make_url(installation.warehouse_url)
    with psycopg.connect(_libpq(url)) as kommune:
        assert kommune.execute("select count(*) from reference.kommune").fetchone() == (357,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            kommune.execute("update reference.kommune set name = 'Oslo'")
    for table in ("golden.person", "control.run", "events.route", "staging_haugesund.freg_person"):
        with (
            psycopg.connect(_libpq(url.set(username="dataflyt_reference"))) as writer,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            writer.execute(f"select * from {table}")


def test_the_command_line_reads_them_all_and_says_which_could_not_be_read(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = make_url(installation.warehouse_url).set(username="dataflyt_reference")
    hosts = {name: installation.registers.url + base for name, base in BASES.items()}
    hosts[refresh.WAREHOUSE] = warehouse.render_as_string(hide_password=False)
    for name, host in hosts.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "generic", "host": host}))
    installation.registers.faults.turn_on("html_403", "grep", 1)
    done = CliRunner().invoke(app, ["reference"])
    assert done.exit_code == 2
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == [
        "Nasjonalt skoleregister (NSR)",
        "SSBs kommuneliste (Klass 131)",
    ]
    assert done.stderr.startswith("En brannmur avviste forespørselen til Grep")
    again = CliRunner().invoke(app, ["reference"])
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout.splitlines()[2] == "SSBs kommuneliste (Klass 131): 357 (0 nye, 0 borte eller endret)."


def test_the_public_addresses_are_used_where_no_connection_says_another(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = installation.registers.url + BASES["grep"]
    grep = dataclasses.replace(refresh.SOURCES["grep"], address=address)
    monkeypatch.setitem(refresh.SOURCES, "grep", grep)
    warehouse = make_url(installation.warehouse_url).set(username="dataflyt_reference")

    def connect(name: str) -> Connection:
        if name == refresh.WAREHOUSE:
            return Connection(name, warehouse.render_as_string(hide_password=False))
        raise NotDefined("Tilkoblingen finnes ikke.")

    assert refresh.refresh("grep", connect, NOON)["rows"] > registers_of_codes.CODES

    def wrong(name: str) -> Connection:
        if name == refresh.WAREHOUSE:
            return Connection(name, installation.warehouse_url)
        raise ConfigError("Tilkoblingen grep er skrevet feil.")

    with pytest.raises(ConfigError, match="skrevet feil"):
        refresh.refresh("grep", wrong, NOON)
    with pytest.raises(ConfigError, match="logger ikke inn som dataflyt_reference"):
        refresh.refresh("grep", lambda name: wrong(name) if name == refresh.WAREHOUSE else connect(name), NOON)
