"""The catalogue: every text in three languages, none missing, none that no page uses."""

import re
from string import Formatter
from typing import get_args

from dataflyt.config.kommune import PlanKind
from dataflyt.run import report
from dataflyt.warehouse.plan import UNDOING_KINDS
from dataflyt_web.showing import HERE
from dataflyt_web.texts import LANGUAGES, Texts, catalogue


def test_every_text_is_in_every_language_with_the_same_values() -> None:
    wrong = {
        key: text
        for key, text in catalogue().items()
        if set(text) != set(LANGUAGES)
        or not all(isinstance(one, str) and one.strip() for one in text.values())
        or len({frozenset(name for _, name, _, _ in Formatter().parse(one) if name) for one in text.values()}) != 1
    }
    assert wrong == {}


def test_every_text_that_a_page_asks_for_is_there_and_every_text_is_asked_for() -> None:
    sources = [one.read_text("utf-8") for one in HERE.rglob("*") if one.suffix in (".html", ".py")]
    whole = {key for text in sources for key in re.findall(r"[\"']([a-z]+\.[a-z0-9_]+)[\"']", text)}
    begun = {key for text in sources for key in re.findall(r"[\"']([a-z]+\.[a-z_]*)[\"'] ~", text)}
    called = {key for text in sources for key in re.findall(r"\bt\([\"']([a-z]+\.[a-z0-9_]+)[\"'][,)]", text)}
    titles = {key + "_what" for key in catalogue() if key.startswith("error.")}
    dynamic = {key for key in catalogue() if any(key.startswith(one) for one in begun)}
    assert called - catalogue().keys() == set()
    assert (
        catalogue().keys() - whole - dynamic - titles - {key for key in catalogue() if key.startswith("time.")} == set()
    )


def test_the_words_of_the_data_are_in_the_catalogue_and_in_bokmaal_as_elsewhere() -> None:
    bokmaal = Texts("nb")
    named = {kind: words for kind, words in (report.KINDS | report.GRADED_KINDS).items() if kind not in UNDOING_KINDS}
    assert set(named) == set(get_args(PlanKind))
    assert {kind: bokmaal(f"kind.{kind}") for kind in named} == named
    for outcome in report.OUTCOMES:
        assert bokmaal(f"outcome.{outcome}")
    for word in ("first_run", "full_reload", "realm", "always"):
        assert bokmaal(f"reason.{word}") == report.reason(word)
    assert bokmaal("reason.published") == report.reason("limit:published")
    assert bokmaal("reason.limit", kind=named["pupil_leaves"]) == report.reason("limit:pupil_leaves")
