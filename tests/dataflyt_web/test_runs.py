"""Kjøringer: the runs of the kommuner that a user may see, who answered, and what each step cost."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from dataflyt.config.loading import load
from dataflyt.operations import overview
from dataflyt.run.execute import FUNCTIONS, execute
from dataflyt_web.texts import Texts
from tests.dataflyt_web.conftest import Browser
from tests.installation.fixtures import KOMMUNER, Installation

Open = Callable[[str | None], Browser]
ALL = "/runs?since=2026-11-01"
OLD = "/runs?since=2026-12-24"


def cells(page: str) -> list[list[str]]:
    """Return the text of each row's cells."""
    rows = re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)
    found = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in row] for row in found]


@pytest.mark.after_first_run
def test_each_run_tells_its_outcome_who_answered_and_what_each_step_cost(
    pages: Open, installation: Installation
) -> None:
    (row,) = cells(pages("anita").get(ALL).text)
    assert row[0] == "Haugesund (1106) 1"
    assert row[1] == "23.11.2026 04.00"
    assert row[2:4] == ["Frigitt", "Anita Ingebretsen"]
    assert re.fullmatch(r"\d+(,\d)? s", row[7])
    assert re.search(r"\d s Hent fra skolesystemet: \d+(,\d)? s", row[8])
    assert "Flett: " in row[8]
    for hiding in ("Trekk tilbake", "Gjør opp"):  # they take longer when they hide somebody
        assert hiding not in row[8]
    english = pages("anita").get(f"{ALL}&dataflyt_language=en").text
    assert "Released" in english
    assert "Answered" in english


@pytest.mark.after_first_run
def test_nobody_sees_a_run_or_an_answer_of_a_kommune_that_is_not_theirs(pages: Open) -> None:
    for path in (ALL, f"{ALL}&kommune=haugesund", f"{ALL}&outcome=released&kommune=haugesund"):
        for user in ("birgitte", "nobody"):
            page = pages(user).get(path).text
            assert cells(page) == [], (user, path)
            for secret in ("augesund", "Ingebretsen"):
                assert secret not in page.replace("kommune=haugesund", ""), (user, path)
    assert pages(None).get(ALL).status_code == 302
    assert len(cells(pages("engineer").get(ALL).text)) == 1


@pytest.mark.after_first_run
def test_runs_are_chosen_by_day_outcome_and_kommune_and_wrong_words_choose_nothing(pages: Open) -> None:
    engineer = pages("engineer")
    assert cells(engineer.get(OLD).text) == []
    assert cells(engineer.get(f"{ALL}&outcome=failed").text) == []
    assert cells(engineer.get(f"{ALL}&kommune=bergen").text) == []
    for wrong in ("outcome=%3Cscript%3E", "kommune=..", "outcome=none"):
        page = engineer.get(f"{ALL}&{wrong}")
        assert page.status_code == 200
        assert "<script>" not in page.text
    assert engineer.get("/runs?since=yesterday&outcome=&kommune=").status_code == 200
    assert 'href="./runs"' in engineer.get("/").text


@pytest.mark.after_first_run
def test_a_run_that_stops_or_waits_tells_what_it_cost_until_then(pages: Open, installation: Installation) -> None:
    job = installation.open()

    def stop(name, work):  # type: ignore[no-untyped-def]
        from dataflyt.errors import CheckFailed

        work()
        return CheckFailed("Stopp.") if name == "check" else None

    ended = execute(job, attempt=stop)
    assert list(ended.failed) == ["check"]
    row, _ = cells(pages("anita").get(ALL).text)
    assert row[2:4] == ["Stoppet Kontroller Hvorfor Stopp.", "–"]
    assert "Kontroller: " in row[8]
    assert "Flett" not in row[8]


@pytest.mark.after_first_run
def test_a_cost_that_cannot_be_kept_stops_no_step(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from dataflyt.run import cost
    from dataflyt.run.execute import do

    def away(*_: object) -> None:
        raise OSError("secret")

    monkeypatch.setitem(FUNCTIONS, "check", lambda job: {"rows": 3})
    job = installation.open()
    monkeypatch.setattr(cost.report, "notes", away)
    caplog.set_level("INFO")
    assert do("check", job) == {"rows": 3}
    assert "OSError" in caplog.text
    assert "secret" not in caplog.text


def test_what_a_run_cost_is_the_sum_of_its_steps() -> None:
    figures = {"cost": {"extract_sas": {"seconds": 61.2, "cpu": 3.0}, "merge": {"seconds": 2.5, "cpu": 1.5}}}
    run = overview.LineRun(1, "a", datetime(2026, 11, 30, tzinfo=UTC), "released", figures, "Anita")
    haugesund = load(KOMMUNER / "haugesund.yaml")
    row = overview._row(haugesund, run)
    assert (row.seconds, row.cpu) == (63.7, 4.5)
    assert len(row.cells()) == len(overview.HEADS)
    assert row.cells()[overview.HEADS.index("Flett (s)")] == 2.5
    bare = overview._row(
        type("K", (), {"id": "h", "display_name": "H"})(), run.__class__(1, "a", run.as_of, "failed", {})
    )
    assert (bare.seconds, bare.cpu) == (None, None)


def test_times_are_written_as_people_say_them() -> None:
    said = [Texts("nb").spent(one) for one in (0.04, 9.94, 9.96, 59.6, 61, 3725)]
    assert said == ["0,0 s", "9,9 s", "10 s", "1 min 0 s", "1 min 1 s", "62 min 5 s"]
    assert Texts("en").spent(0.26) == "0.3 s"
