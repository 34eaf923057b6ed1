"""The page of a kommune: a run's rows on their way, the line of runs, and the files in and out."""

import re
from collections.abc import Callable

import pytest

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

    for file in (installation.registers.drop / "1106" / "hr").iterdir():
        file.unlink()
    report = installation.run()
    assert report["outcome"] == "failed"
    stopped = browser.get(PAGE).text
    assert "Stoppet" in stopped
    assert re.search(r'class="box stopped"><rect[^>]*/>\s*<text class="title"[^>]*>HR<', stopped)
    assert "Logg: Hent fra HR" in stopped
    assert "run-1" in browser.get(f"{PAGE}?run=1").text
    assert "Stoppet" in browser.get("/").text

    to_kommune = browser.get("/dag/kommune_haugesund")
    assert (to_kommune.status_code, to_kommune.headers["location"]) == (302, "../kommune/haugesund")
    assert browser.get("/dag/kommune_haugesund/run/run-1").headers["location"] == "../../../kommune/haugesund/plan/1"
    assert browser.get("/dag/kommune_haugesund/run/none").headers["location"] == "../../../kommune/haugesund"
    assert browser.get("/dag/nightly").status_code == browser.get("/dag/kommune_bergen/run/run-1").status_code == 404
