"""Oversikt: every kommune that a user may see and no other, what came of its runs, and the worst first."""

from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ProgrammingError

from dataflyt.run.job import open_job
from tests.dataflyt_web.conftest import Browser
from tests.installation.fixtures import Installation

Open = Callable[[str | None], Browser]


@pytest.mark.after_first_run
def test_everybody_sees_their_own_kommuner_and_what_came_of_the_last_run(
    pages: Open, installation: Installation
) -> None:
    anita = pages("anita").get("/").text
    assert "Haugesund" in anita
    assert "Frigitt" in anita
    assert "Bergen" not in anita
    assert "kommune/bergen" not in anita
    assert "29.11.2026 03.00" in anita  # the next run, in Norwegian time
    assert "ca. " in anita  # envelopes, rounded
    nobody = pages("nobody").get("/").text
    assert "Du har ikke tilgang til noen kommune" in nobody
    assert "augesund" not in nobody
    engineer = pages("engineer")
    for sort in ("status", "name", "last", "next", "freg", "hr", "sas", "quarantine", "envelopes", "no such column"):
        for down in ("0", "1"):
            answer = engineer.get(f"/?sort={sort}&down={down}")
            assert answer.status_code == 200
            assert answer.text.count('<th scope="row">') == 3
    assert "På pause" in engineer.get("/").text

    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check")
    assert "Under arbeid" in pages("anita").get("/").text
    left = installation.open("ended in Airflow")
    assert "Ikke gjort opp" in pages("anita").get("/").text
    assert "Ikke gjort opp" in pages("anita").get("/kommune/haugesund").text
    asks = open_job(installation.kommune, "asks", left.run.as_of, installation.environment, full_reload=True)
    installation.run("rejected", asks)
    rejected = pages("anita").get("/").text
    assert 'class="state bad"' in rejected
    assert "Avvist" in rejected


def test_the_role_of_the_pages_reads_how_runs_went_and_nothing_else(installation: Installation) -> None:
    web = create_engine(make_url(installation.warehouse_url).set(username="dataflyt_web"))
    with web.connect() as connection:
        assert connection.execute(text("select owner, run, state, outcome, figures from control.run")).all() == []
        assert connection.execute(text("select owner, run, answer, user_name from control.approval")).all() == []
        for refused in (
            "select report from control.run",
            "select digest from control.approval",
            "select approvers from control.approval",
            "select secret from control.owner",
            "select * from control.audit",
            "select * from golden.person",
            "update control.run set outcome = 'released'",
            "set role kommune_haugesund",
        ):
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.execute(text(refused))
            connection.rollback()
    web.dispose()
