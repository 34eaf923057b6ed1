"""``make demo WEEKS=1`` as a newcomer runs it. Two kommuner's runs ask: one is rejected, one never answered."""

import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from simulator.manifest import STRICTNESS, people
from simulator.weeks import advance
from simulator.world import build_country
from tests.traces import search, texts_below

pytestmark = pytest.mark.long

START = date(2026, 1, 12)
LATER = START + timedelta(days=7)
KOMMUNER = Path(__file__).parents[2] / "include" / "kommuner"


class Weeks(NamedTuple):
    """A finished calendar: its folder and its output."""

    local: Path
    printed: str
    environment: dict[str, str]


@pytest.fixture(scope="module")
def weeks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weeks]:
    """A week of two kommuner that are due on its last day and ask about every change of a group."""
    folder = tmp_path_factory.mktemp("weeks")
    kommuner = folder / "kommuner"
    kommuner.mkdir()
    for name in ("haugesund", "orsta"):
        text = (KOMMUNER / f"{name}.yaml").read_text(encoding="utf-8")
        text = re.sub(r"every: (week|month)\b", "every: week", text)
        text = re.sub(r"^  day: \w+", "  day: monday", text, flags=re.MULTILINE)
        text = re.sub(r"membership_changes: {percent: \d+, count: \d+}", "membership_changes: {count: 0}", text)
        (kommuner / f"{name}.yaml").write_text(text, encoding="utf-8")
    local = folder / "local"
    (local / "weeks").mkdir(parents=True)
    (local / "weeks" / "secrets.json").write_text("from an earlier time")
    environment = {**os.environ, "DATAFLYT_LOCAL": str(local), "DATAFLYT_KOMMUNER": str(kommuner)}
    run = subprocess.run(
        [sys.executable, "-m", "supervisor", "demo", "--weeks", "1", "--start", START.isoformat()],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, ""), run.stdout[-2000:] + run.stderr[-2000:]
    yield Weeks(local / "weeks", run.stdout.replace("\N{NO-BREAK SPACE}", " "), environment)
    shutil.rmtree(local)


def test_every_kommune_has_its_first_run_and_then_those_that_are_due(weeks: Weeks) -> None:
    headings = re.findall(r"^(\w+) \(\d+\), kjøring (\d), (.+?)  \(", weeks.printed, re.MULTILINE)
    assert headings == [
        ("Ørsta", "1", "mandag 12. januar 2026 kl. 02.00"),
        ("Haugesund", "1", "mandag 12. januar 2026 kl. 03.00"),
        ("Ørsta", "2", "mandag 19. januar 2026 kl. 02.00"),
        ("Haugesund", "2", "mandag 19. januar 2026 kl. 03.00"),
    ]
    assert weeks.printed.count("Dette er kommunens første kjøring") == 2
    assert "uten Airflow" in weeks.printed
    assert re.search(r"^ +150  Elever som begynner$", weeks.printed, re.MULTILINE)


def test_a_refused_and_an_unanswered_run_leave_everything_as_it_was(weeks: Weeks) -> None:
    assert "Oddny Synnøve Skuleeigar svarte nei." in weeks.printed
    assert "Anita Ingebretsen svarte ikke. Kjøringen venter i 5 døgn." in weeks.printed
    assert "Haugesund (1106), kjøring 2: 5 døgn er gått, lørdag 24. januar 2026." in weeks.printed
    assert weeks.printed.count("Før og etter: frigitt kjøring 1") == 2
    for row in (r"Haugesund \(1106\) +2 +1 +0 +1 +0", r"Ørsta \(1520\) +2 +1 +1 +0 +0"):
        assert re.search(row, weeks.printed)
    for kommune in ("haugesund", "orsta"):
        exports = weeks.local / "storage" / "exports" / kommune
        manifest = orjson.loads((exports / "manifest.json").read_bytes())
        assert manifest["run"] == 1
        assert str(exports / manifest["publication"]) in weeks.printed
        last = weeks.local / "storage" / "reports" / kommune / "run-000002.json"
        report = orjson.loads(last.read_bytes())
        assert report["outcome"] == {"haugesund": "unanswered", "orsta": "rejected"}[kommune]
        assert report["changed"]["membership_changes"] > 0


def test_what_it_left_can_be_looked_at_with_the_printed_command(weeks: Weeks) -> None:
    assert f"DATAFLYT_LOCAL={weeks.local} make plan KOMMUNE=orsta" in weeks.printed
    looked = subprocess.run(  # make's check when nothing has to be installed
        [sys.executable, "-m", "supervisor", "run", "--", "dataflyt", "plan", "orsta"],
        env={**weeks.environment, "DATAFLYT_LOCAL": str(weeks.local)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert looked.returncode == 0, looked.stderr
    assert "Ørsta (1520), kjøring 2" in looked.stdout
    assert "Endringer i hvem som er i gruppene" in looked.stdout


def test_the_weeks_leave_no_trace_of_those_who_must_not_be_found(weeks: Weeks) -> None:
    texts = texts_below(weeks.local)
    assert any(path.name == "weeks.log" for path in texts)
    texts[Path("printed")] = weeks.printed.lower()
    country = build_country(["1106", "1520"], 1, START)
    began = copy.deepcopy([person for world in country.worlds.values() for person in people(world)])
    advance(country, LATER)
    ended = [person for world in country.worlds.values() for person in people(world)]
    assert search(texts, strictest(began, ended)) > 50


def strictest(began: list[dict[str, Any]], ended: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Return everybody who should be published: the first day's people, under the last day's protections too."""
    later = {person["number"]: person for person in ended}
    earlier = {person["number"]: person for person in began}
    for number in later.keys() | earlier.keys():
        first, last = earlier.get(number) or later[number], later.get(number) or earlier[number]
        level = max((one["protection"]["effective"] or "ugradert" for one in (first, last)), key=STRICTNESS.__getitem__)
        yield first | {"protection": {"effective": level}, "canaries": first["canaries"] | last["canaries"]}
