"""Contradictory documents from FREG, and documents in which nothing applies, take nothing and give nothing."""

import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import orjson
import pytest

from dataflyt.sources.freg import client as freg_client
from dataflyt.storage import database
from dataflyt.warehouse import staging
from simulator.model import Person
from tests.installation.fixtures import PUPILS, Installation
from tests.installation.test_events import Lane
from tests.installation.test_run import _access, _newcomer
from tests.warehouse.test_rules import _person, _plain_pupils, _unused_number

pytestmark = pytest.mark.after_first_run

Json = dict[str, Any]
Alter = Callable[[list[Json]], list[Json]]
"""Alters the entries of a page, and returns those of an additional page."""


class Answers:
    """FREG's answers in the next runs, which a test may alter after they have landed."""

    def __init__(self, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.here = installation
        self.alter: list[Alter] = []
        self.landed: set[str] = set()
        real = freg_client.extract

        def extract(config: Any, outside: Any, landing: Any, *, phase: str, **more: Any) -> int:
            left_out = real(config, outside, landing, phase=phase, **more)
            for at, page in enumerate(landing.names()):
                if re.fullmatch(rf"{phase}(-again)?-[0-9]+\.json", page):
                    with landing.open(page) as stream:
                        entries = orjson.loads(stream.read())["oppslag"]
                    additional = [entry for alter in self.alter for entry in alter(entries)]
                    landing.write(page, orjson.dumps({"oppslag": entries}))
                    if additional:
                        landing.write(f"{phase}-9{at:04}.json", orjson.dumps({"oppslag": additional}))
            self.landed = {name for name in landing.names() if not name.endswith(".request.json")}
            return left_out

        monkeypatch.setattr(freg_client, "extract", extract)

    def twice(self, person: Person, first: set[str], second: set[str], *, apart: bool = False, **more: Any) -> None:
        """Let FREG answer twice about a child, with other guardians, and ``more`` elements in the second document.

        ``apart``: on two pages.
        """

        def alter(entries: list[Json]) -> list[Json]:
            for entry in entries:
                if entry["foedselsEllerDNummer"] == person.number:
                    other = deepcopy(entry)
                    _guardians(entry, first)
                    _guardians(other, second)
                    other["folkeregisterperson"].update(more)
                    if apart:
                        return [other]
                    entries.append(other)
                    break
            return []

        self.alter = [alter]


def _guardians(entry: Json, adults: set[str]) -> None:
    document = entry["folkeregisterperson"]
    document["foreldreansvar"] = [{**document["foreldreansvar"][0], "ansvarlig": adult} for adult in sorted(adults)]


def _rules(report: Json) -> set[str]:
    return {row["rule"] for row in report["quarantine"]}


@pytest.fixture
def answers(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(installation, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("apart", [False, True])
def test_of_a_child_about_whom_freg_answers_twice_nobody_gains_and_only_who_is_in_neither_answer_loses(
    answers: Answers, apart: bool
) -> None:
    here, (pupil, plain) = answers.here, _plain_pupils(answers.here)[:2]
    child = _person(pupil)
    mother, father = sorted(_access(here, child.number))
    newcomer = _newcomer(here, child.number)
    _person(plain).family = "Nyttnavn"

    answers.twice(child, {mother, father, newcomer}, {mother}, apart=apart)
    report = here.run()
    assert report["outcome"] == "released"
    assert "freg_person.documents" in _rules(report)
    assert {kind for kind, count in report["changed"].items() if count} == {"name_changes"}
    assert _access(here, child.number) == {mother, father}
    assert child.number in here.ldif()
    with database.transaction(database.engine(here.warehouse_url), "haugesund", lock=False) as connection:
        assert staging.pages(connection, "haugesund", "freg") == answers.landed

    answers.twice(child, {mother, newcomer}, {mother}, apart=apart)
    here.run()
    assert _access(here, child.number) == {mother}

    # The same document twice counts once.
    answers.twice(child, {mother, newcomer}, {mother, newcomer}, apart=apart)
    report = here.run()
    assert not {rule for rule in _rules(report) if rule.startswith("freg_person")}
    assert _access(here, child.number) == {mother, newcomer}


@pytest.mark.long
def test_a_document_under_an_old_number_that_says_otherwise_gives_nobody_anything(answers: Answers) -> None:
    here, (pupil,) = answers.here, _plain_pupils(answers.here)[:1]
    child, guardians = _person(pupil), _access(answers.here, _person(pupil).number)
    newcomer, old = _newcomer(here, child.number), _unused_number(here, child.number)
    former = {"foedselsEllerDNummer": old, "identifikatortype": "dNummer", "status": "opphoert", "erGjeldende": False}

    def asked_by_the_old_one(entries: list[Json]) -> list[Json]:
        for entry in entries:
            if entry["foedselsEllerDNummer"] == child.number:
                entry["folkeregisterperson"]["identifikasjonsnummer"].append(former)
                other = deepcopy(entry) | {"foedselsEllerDNummer": old}
                _guardians(other, {newcomer})
                return [other]
        return []

    def somebody_elses_by_the_same(entries: list[Json]) -> list[Json]:
        for entry in entries:
            if entry["foedselsEllerDNummer"] == child.number:
                other = deepcopy(entry)
                (mine,) = other["folkeregisterperson"]["identifikasjonsnummer"]
                in_use = {**mine, "foedselsEllerDNummer": old}
                other["folkeregisterperson"]["identifikasjonsnummer"] = [{**mine, "status": "opphoert"}, in_use]
                _guardians(other, {newcomer})
                return [other]
        return []

    for alter, rule in ((asked_by_the_old_one, "documents"), (somebody_elses_by_the_same, "two_persons")):
        answers.alter = [alter]
        report = here.run()
        assert report["outcome"] == "released"
        assert f"freg_person.{rule}" in _rules(report)
        assert not any(report["changed"].values())
        assert _access(here, child.number) == guardians


def test_a_protection_in_one_of_two_documents_is_taken_at_once(answers: Answers) -> None:
    here, (pupil,) = answers.here, _plain_pupils(answers.here)[:1]
    child, guardians = _person(pupil), _access(answers.here, _person(pupil).number)
    answers.twice(child, guardians, guardians, adressebeskyttelse=[{"graderingsnivaa": "strengtFortrolig"}])
    here.run()
    assert child.number not in here.ldif()
    # Two documents that agree on less do not lift it without an answer.
    answers.twice(child, guardians, guardians)
    here.run(answer="rejected")
    assert child.number not in here.ldif()


def test_a_document_in_which_everything_is_historical_changes_nothing(answers: Answers) -> None:
    here, (pupil, other) = answers.here, _plain_pupils(answers.here)[:2]
    child, guardians, before = _person(pupil), _access(answers.here, _person(pupil).number), here.ldif()
    adult = next(iter(_access(here, _person(other).number)))

    def all_over(entries: list[Json]) -> list[Json]:
        for entry in entries:
            if entry["foedselsEllerDNummer"] in (child.number, adult):
                for name, element in entry["folkeregisterperson"].items():
                    for item in element if name != "identifikasjonsnummer" and isinstance(element, list) else ():
                        item["erGjeldende"] = False
        return []

    answers.alter = [all_over]
    report = here.run()
    assert report["outcome"] == "released"
    assert not any(report["changed"].values())
    assert _access(here, child.number) == guardians
    assert here.ldif() == before
    unanswered = here.query("select oppslag from history.freg_ubesvart where to_run is null")
    assert {child.number, adult} <= {number for (number,) in unanswered}
    assert here.query("select 1 from control.veto where run = 2") == []


def test_of_two_documents_between_runs_what_both_take_away_is_taken_and_nothing_given(answers: Answers) -> None:
    here, (pupil,) = answers.here, _plain_pupils(answers.here)[:1]
    child, lane = _person(pupil), Lane(answers.here)
    lane.run()
    mother, father = sorted(_access(here, child.number))
    newcomer = _newcomer(here, child.number)
    for first, second, left in (
        ({mother, newcomer}, {father}, {mother, father}),
        ({mother, newcomer}, {mother}, {mother}),
    ):
        answers.twice(child, first, second)
        lane.tell(child, "endringIForeldreansvar")
        assert lane.run().trouble == []
        assert _access(here, child.number) == left


def test_the_number_of_rows_tells_nothing_about_protection(installation: Installation) -> None:
    job = installation.open()
    installation.steps(job, "extract_sas", "extract_hr", "extract_freg")
    answered = "(select distinct foedselsellerdnummer from {}.freg_person) as person"
    for schema, now in (("staging_haugesund", "true"), ("history", "x.to_run is null")):
        counts = "count(*), count(distinct x.foedselsellerdnummer)"
        people = installation.query(f"select count(*) from {answered.format(schema)}")[0][0]
        (graded,) = installation.query(f"select {counts} from {schema}.freg_adressebeskyttelse x where {now}")
        (homes,) = installation.query(f"select {counts} from {schema}.freg_bostedsadresse x where {now}")
        assert people > 2 * PUPILS
        assert graded == (people, people)
        assert homes[1] == people


def test_an_answer_without_addresses_stops_the_run_although_everybody_has_a_row(answers: Answers) -> None:
    def nowhere(entries: list[Json]) -> list[Json]:
        for entry in entries:
            entry.get("folkeregisterperson", {}).pop("bostedsadresse", None)
        return []

    answers.alter = [nowhere]
    report = answers.here.run()
    assert report["failed"] == ["check"]
    assert any("langt færre bostedsadresser" in sentence for sentence in report["sentences"])


@pytest.mark.long
def test_a_week_in_which_freg_answers_twice_for_everybody_stops_no_later_week(answers: Answers) -> None:
    here, before = answers.here, answers.here.ldif()

    def twice(entries: list[Json]) -> list[Json]:
        others = deepcopy(entries)
        for entry in others:
            entry.get("folkeregisterperson", {})["navn"] = [{"fornavn": "Annet", "etternavn": "Navn"}]
        return others

    answers.alter = [twice]
    assert here.run()["outcome"] == "released"
    answers.alter = []
    assert here.run()["outcome"] == "released"
    assert here.ldif() == before

    # Two answers about some people do not make up for missing answers about others.
    def half_of_them_twice(entries: list[Json]) -> list[Json]:
        del entries[len(entries) // 2 :]
        return deepcopy(entries)

    answers.alter = [half_of_them_twice]
    report = here.run()
    assert report["failed"] == ["check"]
    assert any("langt færre enn sist" in sentence for sentence in report["sentences"])
