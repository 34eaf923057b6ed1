"""The words of explanations: the same in each language, a sentence for everything, and no law outside its file."""

import re
from datetime import UTC, datetime
from string import Formatter
from typing import Any

import pytest

from dataflyt.config.kommune import Schedule
from dataflyt.sources.freg import checks as freg
from dataflyt.sources.hr import checks as hr
from dataflyt.sources.krr import checks as krr
from dataflyt.sources.sas import checks as sas
from dataflyt.why import when
from dataflyt.why.causes import CAUSES
from dataflyt.why.correcting import CORRECTORS, OF_RULES, corrector
from dataflyt.why.questions import QUESTIONS
from dataflyt.why.texts import LANGUAGES, catalogue, laws, reason, reasons


def leaves(part: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], str]:
    if isinstance(part, dict):
        return {key: text for name, one in part.items() for key, text in leaves(one, (*path, name)).items()}
    return {path: part}


def test_each_language_says_everything_with_the_same_values() -> None:
    first = leaves(catalogue("nb"))
    for language in LANGUAGES:
        other = leaves(catalogue(language))
        assert other.keys() == first.keys()
        for key, text in other.items():
            assert fields(text) == fields(first[key]), key


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_cause_question_and_check_has_a_sentence_and_each_cause_a_corrector(language: Any) -> None:
    words = catalogue(language)
    assert words["causes"].keys() == CAUSES.keys()
    assert words["questions"].keys() == QUESTIONS.keys()
    for cause in CAUSES.values():
        assert corrector(cause.corrector, language).title
        assert cause.when in words["when"]
    for question in QUESTIONS.values():
        for check in question.chain():
            assert check.name in words["checks"]
    assert {*OF_RULES.values()} <= CORRECTORS.keys()


def test_each_reason_for_setting_a_row_aside_is_said_in_each_language() -> None:
    rules = [rule for source in (freg, hr, krr, sas) for of_table in source.RULES.values() for rule in of_table]
    set_aside = {rule.reason for rule in rules if rule.scope == "row"}
    assert set_aside == reasons().keys()
    for sentence in set_aside:
        assert reason("nb", sentence) == sentence
        for language in ("nn", "en"):
            assert reason(language, sentence).endswith(".")  # type: ignore[arg-type]
    assert reason("en", "Gruppen har ikke id.") == "The group has no id."
    assert reason("en", "En grunn fra en eldre utgave.") == "En grunn fra en eldre utgave."


def test_a_law_is_named_in_its_file_alone() -> None:
    for language in LANGUAGES:
        for key, text in leaves(catalogue(language)).items():
            assert not re.search(r"§|section \d|barnelova", text), key
        assert all(law[language] for law in laws().values())


def test_the_caller_hears_nothing_of_what_nobody_may_be_told() -> None:
    """Everything that may be read aloud, by its words: no text has a value but the next run and the law."""
    for language in LANGUAGES:
        for key, text in leaves(catalogue(language)["caller"]).items():
            assert fields(text) <= {"next", "law"}, key
            assert not re.search(r"beskytt|gradert|sperre|skjult|hemmelig|protect|graded|block|hidden", text, re.I), key


@pytest.mark.parametrize(
    ("schedule", "now", "words"),
    [
        (
            {"every": "week", "day": "sunday", "at": "03:00"},
            datetime(2026, 11, 23, 3, tzinfo=UTC),
            "søndag 29. november",
        ),
        (
            {"every": "week", "day": "sunday", "at": "03:00"},
            datetime(2026, 11, 29, 1, tzinfo=UTC),
            "søndag 29. november",
        ),
        (
            {"every": "week", "day": "sunday", "at": "03:00"},
            datetime(2026, 11, 29, 3, tzinfo=UTC),
            "søndag 6. desember",
        ),
        (
            {"every": "month", "day": 1, "at": "23:30"},
            datetime(2026, 12, 31, 23, tzinfo=UTC),
            "fredag 1. januar kl. 23.30",
        ),
        (
            {"every": "month", "day": 1, "at": "03:00", "daily_in_august": True},
            datetime(2027, 8, 9, 3, tzinfo=UTC),
            "tirsdag 10. august",
        ),
    ],
)
def test_the_next_run_is_said_as_people_say_it(schedule: Any, now: datetime, words: str) -> None:
    assert words in when.in_words(when.next_run(Schedule(**schedule), now), "nb")
