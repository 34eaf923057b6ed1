"""Notices use people's own words and hours, and tell no more than people may know."""

from datetime import UTC, datetime
from pathlib import Path
from string import Template

import pytest

from dataflyt.config.kommune import Mail
from dataflyt.config.loading import load
from dataflyt.on_airflow import notices

ROOT = Path(__file__).parents[2]
PAGE = Template((ROOT / "dags" / "kommune.md").read_text("utf-8"))


@pytest.fixture
def kommune():
    return load(ROOT / "include" / "kommuner" / "haugesund.yaml").model_copy(update={"mail": None})


@pytest.mark.parametrize(
    ("due", "said"),
    [
        (datetime(2026, 7, 5, 4, tzinfo=UTC), "søndag 5.7. kl. 06.00"),
        (datetime(2026, 12, 31, 23, 30, tzinfo=UTC), "fredag 1.1. kl. 00.30"),
    ],
)
def test_an_hour_is_said_as_the_clock_shows_it_in_norway(kommune, due, said):
    assert said in notices.late(kommune, due, {}, "https://airflow.example.no").body


def test_a_run_between_two_steps_and_one_of_several_steps_are_told_apart(kommune):
    between = notices.late(kommune, datetime(2026, 7, 5, 4, tzinfo=UTC), {"check": "success"}, "…")
    assert "Den er mellom to steg." in between.body
    several = {"extract_sas": "running", "extract_hr": "queued"}
    both = notices.late(kommune, datetime(2026, 7, 5, 4, tzinfo=UTC), several, "…")
    assert "Den er kommet til «Hent fra skolesystemet», «Hent fra HR»." in both.body


def test_a_subject_is_one_line(kommune):
    broken = kommune.model_copy(update={"name": "Haugesund\r\nBcc: noen@example.no"})
    late = notices.late(broken, datetime(2026, 7, 5, 4, tzinfo=UTC), {}, "…")
    assert late.subject == "Haugesund Bcc: noen@example.no (1106): kjøringen er ikke ferdig i tide"


def test_the_page_says_the_kommunes_own_days_hours_and_limits(kommune):
    guard = kommune.guard.model_copy(
        update={"answer_days": 3, "max_drop_percent": 12.5, "max_children_losing_access_percent": 4.0}
    )
    at = kommune.schedule.model_copy(update={"done_by": "06:30"})
    mail = Mail(to=("drift@example.no",))
    own = {"guard": guard, "schedule": at, "mail": mail, "trial": True, "exports": ("feide_ldif", "pifu")}
    page = PAGE.substitute(notices.page(kommune.model_copy(update=own)))
    assert "FEIDE (LDIF), PIFU-IMS 1.3. Kjøres hver søndag kl. 03.00 og skal være ferdig kl. 06.30." in page
    assert "Svarfristen er 3 døgn." in page
    assert "krympet mer enn 12,5 %" in page
    assert "mer enn 4 % av barna" in page
    assert "**Kommunen er på prøve**" in page
    assert "får e-post når noen må svare" in page
    by_both = mail.model_copy(update={"apprise": "teams"})
    page = PAGE.substitute(notices.page(kommune.model_copy(update=own | {"mail": by_both})))
    assert "får e-post, og tilkoblingen `teams` får beskjed når noen må svare" in page
    assert "drift@example.no" not in page


def test_the_page_of_a_kommune_that_says_nothing_of_it_promises_nothing(kommune):
    at = kommune.schedule.model_copy(update={"done_by": None})
    page = PAGE.substitute(notices.page(kommune.model_copy(update={"schedule": at, "trial": False})))
    assert "på prøve" not in page
    assert "skal være ferdig" not in page
    assert "Ingen får e-post" in page
