"""The page of a kommune: a run's rows on their way, the line of runs, and the files in and out."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape

import pytest

from dataflyt.operations.overview import LineRun
from dataflyt_web.pages.kommune import _series
from dataflyt_web.texts import Texts
from tests.dataflyt_web.conftest import Browser
from tests.installation.fixtures import Installation

Open = Callable[[str | None], Browser]
PAGE = "/kommune/haugesund"


def numbers(page: str) -> list[list[int]]:
    """Return the numbers of the table of sources."""
    table = page.split("<tbody>")[1].split("</tbody>")[0]
    return [
        [int(re.sub(r"\D", "", cell) or 0) for cell in re.findall(r'<td class="right">([^<]*)', row)]
        for row in table.split("<tr>")[1:]
    ]


@pytest.mark.after_first_run
def test_a_loss_is_seen_where_it_happens(pages: Open, installation: Installation) -> None:
    browser = pages("operator")
    first = browser.get(PAGE).text
    rows = numbers(first)
    assert len(rows) == 4
    for received, _, aside, duplicates, passed_on in rows:
        assert received == aside + duplicates + passed_on > 0
    assert "feide.ldif" in first
    sha256 = installation.query("select manifest from control.publication")[0][0]
    assert re.findall(r"[0-9a-f]{64}", sha256)[0] in first
    assert "kommune_haugesund/runs/run-1" in first
    assert browser.get(f"{PAGE}?run=99").status_code == 404
    received = first.split('id="in-title"')[1].split("</section>")[0]
    assert received.count("Første") == 3  # nothing has changed since a run before
    assert "Endret" not in received

    for file in (installation.registers.drop / "1106" / "hr").iterdir():
        file.unlink()
    report = installation.run()
    assert report["outcome"] == "failed"
    stopped = browser.get(PAGE).text
    assert "Stoppet" in stopped
    assert re.search(r'class="box stopped"><rect[^>]*/>\s*<text class="title"[^>]*>HR<', stopped)
    assert "Logg: Hent fra HR" in stopped
    ((why,),) = installation.query(
        "select figures::jsonb -> 'why' ->> 'extract_hr' from control.run order by run desc limit 1"
    )
    assert f'<p lang="nb">{escape(why)}</p>' in stopped
    assert "run-1" in browser.get(f"{PAGE}?run=1").text
    assert "Stoppet" in browser.get("/").text

    to_kommune = browser.get("/dag/kommune_haugesund")
    assert (to_kommune.status_code, to_kommune.headers["location"]) == (302, "../kommune/haugesund")
    assert browser.get("/dag/kommune_haugesund/run/run-1").headers["location"] == "../../../kommune/haugesund/plan/1"
    assert browser.get("/dag/kommune_haugesund/run/none").headers["location"] == "../../../kommune/haugesund"
    assert browser.get("/dag/nightly").status_code == browser.get("/dag/kommune_bergen/run/run-1").status_code == 404


def test_a_chart_has_the_day_in_norway() -> None:
    run = LineRun(7, "run-7", datetime(2026, 11, 30, 23, 30, tzinfo=UTC), "released", {})
    assert {bar.below for bars in _series([run], Texts("nb")).values() for bar in bars} == {"01.12."}
