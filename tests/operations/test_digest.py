"""The engineer's morning: which kommuner must be looked at, and nothing about those that are as they should."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.config.kommune import Kommune, Schedule
from dataflyt.config.loading import BrokenFile, load
from dataflyt.on_airflow import notices
from dataflyt.operations.digest import KINDS, digest, in_lines, last_due
from dataflyt.operations.overview import OUTCOMES, Line, LineRun
from dataflyt.run.close_run import close_run
from dataflyt.run.job import open_job
from dataflyt.run.report import OUTCOMES as REPORTED
from tests.installation.fixtures import Installation

OSLO = ZoneInfo("Europe/Oslo")
SUNDAY = datetime(2026, 11, 29, 3, tzinfo=OSLO)
MORNING = datetime(2026, 11, 30, 7, tzinfo=OSLO)


KOMMUNER = Path(__file__).parents[2] / "include/kommuner"


@pytest.fixture
def kommune() -> Kommune:
    """Return Haugesund, which runs every Sunday at 3."""
    every = Schedule(every="week", day="sunday", at="03:00", done_by="06:00")
    return load(KOMMUNER / "haugesund.yaml").model_copy(update={"schedule": every})


def line(outcome: str = "released", as_of: datetime = SUNDAY, **figures: Any) -> dict[str, Line]:
    return {"haugesund": Line((LineRun(4, "run-4", as_of, outcome, figures),), None)}


def said(kommune: Kommune, lines: dict[str, Line], now: datetime = MORNING) -> list[tuple[str, str]]:
    return [(one.kind, one.sentence) for one in digest([kommune], [], lines, now).concerns]


def test_a_kommune_that_ran_as_it_should_is_not_in_it(kommune: Kommune) -> None:
    fresh = {"hr": "2026-11-28T22:00:00+01:00", "sas": "2026-11-27T22:00:00+01:00"}
    assert said(kommune, line(delivered=fresh)) == []
    assert said(kommune, line("planned")) == []
    assert said(kommune, line("running", MORNING - timedelta(hours=1))) == []


@pytest.mark.parametrize(
    ("lines", "kind", "sentence"),
    [
        (line("failed", failed=["check"]), "stopped", "Kjøringen 29.11.2026 kl. 03.00 stoppet i «Kontroller»."),
        (line(failed=["deliver"]), "stopped", "Kjøringen 29.11.2026 kl. 03.00 gikk ikke som den skulle i «Lever»."),
        (line("rejected"), "refused", "Kjøringen 29.11.2026 kl. 03.00 ble avvist."),
        (line("unanswered"), "refused", "Kjøringen 29.11.2026 kl. 03.00 ble ikke besvart i tide."),
        (line("waiting"), "waiting", "Kjøringen 29.11.2026 kl. 03.00 venter på svar, nå i 1 døgn."),
        (line("running"), "unfinished", "Kjøringen begynte 29.11.2026 kl. 03.00 og er ikke ferdig."),
        (
            line(as_of=SUNDAY - timedelta(days=7)),
            "overdue",
            "Skulle ha kjørt 29.11.2026 kl. 03.00. Forrige kjøring var 22.11.2026 kl. 03.00.",
        ),
        (
            line(delivered={"sas": "2026-11-08T21:00:00+01:00"}),
            "old_file",
            "Filen fra skolesystemet var fra 8.11.2026 kl. 21.00.",
        ),
    ],
)
def test_what_must_be_looked_at_is_told_once_with_its_cause(
    kommune: Kommune, lines: dict[str, Line], kind: str, sentence: str
) -> None:
    assert said(kommune, lines) == [(kind, sentence)]


def test_the_gravest_cause_comes_first_and_a_broken_file_before_all(kommune: Kommune) -> None:
    other = kommune.model_copy(update={"id": "bergen", "name": "Bergen"})
    third = kommune.model_copy(update={"id": "asker", "name": "Asker"})
    never = kommune.model_copy(update={"id": "osen", "name": "Osen"})
    lines = {
        "haugesund": line("waiting")["haugesund"],
        "bergen": line("failed")["haugesund"],
        "asker": line("released")["haugesund"],
        "osen": Line((), None),
    }
    broken = [BrokenFile(Path("voss.yaml"), "voss", "voss.yaml linje 3: skriv kommunens navn.")]
    found = digest([kommune, other, third, never], broken, lines, MORNING)
    assert [(one.kommune, one.kind) for one in found.concerns] == [
        ("voss", "file"),
        ("bergen", "stopped"),
        ("haugesund", "waiting"),
    ]
    assert (found.to_look_at, found.kommuner, found.never_run) == (3, 5, 1)

    mail = notices.morning(found, "https://airflow.example.no/dataflyt/")
    assert mail.subject == "Dataflyt: 3 av 5 kommuner må ses på"
    assert [mail.body.index(KINDS[kind]) for kind in ("file", "stopped", "waiting")] == sorted(
        mail.body.index(KINDS[kind]) for kind in ("file", "stopped", "waiting")
    )
    assert "Har ikke kjørt ennå: 1." in mail.body
    assert "https://airflow.example.no/dataflyt/" in mail.body
    assert "Asker" not in mail.body


def test_kommuner_that_stopped_for_the_same_cause_are_one_line(kommune: Kommune) -> None:
    down = "Folkeregisteret er opptatt eller nede (HTTP 50{}): Dataflyt prøver igjen."
    kommuner = [kommune.model_copy(update={"id": f"k{number}", "name": f"K{number}"}) for number in range(302)]
    lines = {
        one.id: line("failed", failed=["close_run", "extract_freg"], why={"extract_freg": down.format(number % 4)})[
            "haugesund"
        ]
        for number, one in enumerate(kommuner)
    }
    lines["k300"] = line("failed", failed=["check"], why={"check": "Tabellen er tom."})["haugesund"]
    lines["k301"] = line("failed", failed=["check"])["haugesund"]
    found = digest(kommuner, [], lines, MORNING)
    assert found.to_look_at == 302
    ((title, told),) = in_lines(found)
    assert (title, len(told)) == ("Stoppet", 3)
    assert told[0].startswith("300 kommuner (K0 (1106), K1 (1106), K10 (1106), K100 (1106), K101 (1106) og 295 til): ")
    assert told[0].endswith(down.format(0))
    assert told[1] == "K300 (1106): Kjøringen 29.11.2026 kl. 03.00 stoppet i «Kontroller». Tabellen er tom."
    assert told[2] == "K301 (1106): Kjøringen 29.11.2026 kl. 03.00 stoppet i «Kontroller»."
    mail = notices.morning(found, "https://airflow.example.no/dataflyt/")
    assert mail.body.count("Folkeregisteret er opptatt") == 1


def test_a_morning_with_hundreds_of_lines_stays_short(kommune: Kommune) -> None:
    kommuner = [kommune.model_copy(update={"id": f"k{number}", "name": f"K{number}"}) for number in range(30)]
    waiting = {one.id: line("waiting")["haugesund"] for one in kommuner}
    mail = notices.morning(digest(kommuner, [], waiting, MORNING), "https://airflow.example.no/dataflyt/")
    assert mail.body.count("venter på svar") == 10
    assert "- og 20 til; se oversikten" in mail.body


def test_a_morning_without_concerns_is_told_too(kommune: Kommune) -> None:
    mail = notices.morning(digest([kommune], [], line(), MORNING), "https://airflow.example.no/dataflyt/")
    assert mail.subject == "Dataflyt: alt er som det skal i 1 kommune"
    assert not any(title in mail.body for title in KINDS.values())


def test_every_outcome_has_words() -> None:
    assert OUTCOMES.keys() == REPORTED.keys() | {"waiting", "running"}


@dataclass(frozen=True)
class Due:
    """What ``last_due`` reads of a kommune."""

    schedule: Schedule


SCHEDULES = st.builds(
    lambda every, weekday, day, hour, minute, daily: Schedule(
        every=every,  # type: ignore[arg-type]
        day=weekday if every == "week" else day,
        at=f"{hour:02}:{minute:02}",
        daily_in_august=daily,
    ),
    st.sampled_from(["week", "month"]),
    st.sampled_from(["monday", "wednesday", "sunday"]),
    st.integers(1, 28),
    st.integers(0, 23),
    st.integers(0, 59),
    st.booleans(),
)


@given(SCHEDULES, st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)))
def test_the_last_time_a_run_was_due_is_the_newest_of_all_due_times(schedule: Schedule, now: datetime) -> None:
    hour, minute = (int(part) for part in schedule.at.split(":"))
    first = date(2025, 11, 1)
    times = [
        datetime(day.year, day.month, day.day, hour, minute, tzinfo=OSLO)
        for day in (first + timedelta(days=at) for at in range(800))
        if schedule.due(day)
    ]
    assert last_due(Due(schedule), now) == max(one for one in times if one <= now)  # type: ignore[arg-type]


@pytest.mark.after_first_run
def test_the_sentence_of_a_step_that_stopped_is_kept_for_the_morning(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(installation.warehouse_url).set(username="dataflyt_web").render_as_string(hide_password=False)
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(KOMMUNER))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_WEB", json.dumps({"conn_type": "generic", "host": url}))
    at = datetime(2026, 11, 24, 3, tzinfo=UTC)
    job = open_job(installation.kommune, "stops", at, installation.environment)
    close_run(job, {"extract_krr": None, "extract_freg": "Folkeregisteret svarte ikke: Dataflyt prøver igjen."})
    done = CliRunner().invoke(app, ["digest"])
    stopped = (
        "stoppet i «Hent fra KRR», «Hent fra Folkeregisteret». Folkeregisteret svarte ikke: start en ny kjøring når "
        "det er over."
    )
    assert stopped in done.output
    done = CliRunner().invoke(app, ["runs"])
    assert re.search(r"kjøring 2: stoppet i .*\n    Folkeregisteret svarte ikke: start en ny kjøring", done.output)


@pytest.mark.after_first_run
def test_the_commands_show_the_runs_of_all_kommuner_and_what_must_be_looked_at(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(installation.warehouse_url).set(username="dataflyt_web").render_as_string(hide_password=False)
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(KOMMUNER))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_WEB", json.dumps({"conn_type": "generic", "host": url}))

    def run(*words: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, list(words))
        assert "Traceback" not in done.output
        return done.exit_code, done.output

    code, text = run("runs")
    assert code == 0
    assert "Haugesund (1106), kjøring 1: frigitt" in text
    assert text.endswith("1 kjøringer.\n")
    assert run("runs", "--outcome", "failed") == (0, "0 kjøringer.\n")
    assert run("runs", "--since", "2027-01-01") == (0, "0 kjøringer.\n")
    assert run("runs", "--outcome", "lost")[0] == 2
    tables = {}
    for kind, read in (("csv", pd.read_csv), ("xlsx", pd.read_excel), ("parquet", pd.read_parquet)):
        file = tmp_path / f"runs.{kind}"
        sought = ("--since", "22.11.2026", "--outcome", "released", "--out", str(file))
        assert run("runs", *sought) == (0, f"1 kjøringer er skrevet til {file}.\n")
        more = {"sep": ";", "decimal": ","} if kind == "csv" else {}
        (tables[kind],) = read(file, **more).to_dict("records")
    for kind, row in tables.items():
        assert list(row)[:4] == ["Kommune", "Kjøring", "Begynte", "Utfall"], kind
        assert (row["Kjøring"], row["Utfall"]) == (1, "frigitt"), kind
        # The cost: seconds and CPU of the run, and the seconds of its steps.
        assert 0 < row["Sekunder CPU"] <= 2 * row["Sekunder"], kind
        assert 0 < row["Flett (s)"] < row["Sekunder"], kind
    assert all(tables["csv"][name] == tables["parquet"][name] for name in ("Sekunder", "Sekunder CPU", "Mottatt"))

    # Two kommuner of the folder have never run; the one that has read files that are older than a week.
    code, text = run("digest")
    assert "Har ikke kjørt ennå: 2.\n" in text
    assert text.endswith(f"{code} av 3 kommuner må ses på.\n")

    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_WEB", json.dumps({"conn_type": "generic", "host": "nonsense"}))
    for command in ("runs", "digest"):
        code, text = run(command)
        assert code == 2
        assert text.count("\n") == 1
