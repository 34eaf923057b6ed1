"""The words of explanations, one catalogue a language. ``words/nb.yaml`` is the first; the others have its keys."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml

from dataflyt.errors import ConfigError

Language: TypeAlias = Literal["nb", "nn", "en"]
"""The languages of explanations: bokmål, nynorsk and English."""
LANGUAGES: tuple[Language, ...] = ("nb", "nn", "en")
NB: Language = "nb"

_HERE = Path(__file__).parent


def said(language: Language, part: str, key: str, **values: object) -> str:
    """Return a sentence of the catalogue with the values in it. Raises KeyError where the catalogue lacks it."""
    text = catalogue(language)[part][key]
    if not isinstance(text, str):
        text = text["says"]
    return " ".join(text.split()).format_map(values)


def settles(language: Language, cause: str) -> str:
    """Return what would settle a doubt about a cause; "" where the catalogue names nothing."""
    found = catalogue(language)["causes"][cause]
    return "" if isinstance(found, str) else " ".join(found.get("settles", "").split())


def correctors(language: Language) -> Mapping[str, tuple[str, str]]:
    """Return each corrector's title and place in a language."""
    return {who: (one["title"], one["where"]) for who, one in catalogue(language)["correctors"].items()}


def reason(language: Language, sentence: str) -> str:
    """Return a quality rule's reason in a language: ``sentence`` itself in bokmål, and where it is of an older rule."""
    return sentence if language == NB else reasons().get(sentence, {}).get(language, sentence)


@cache
def reasons() -> Mapping[str, Mapping[str, str]]:
    """Return the other languages' words for the reasons of the rules that set rows aside, by the bokmål sentence."""
    file = _HERE / "words" / "reasons.yaml"
    read: Mapping[str, Mapping[str, str]] = yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506
    return read


@cache
def catalogue(language: Language) -> Mapping[str, Any]:
    """Return a language's catalogue. Raises ConfigError for a language that has none."""
    file = _HERE / "words" / f"{language}.yaml"
    if language not in LANGUAGES:
        raise ConfigError(f"Språket «{language}» finnes ikke: skriv {', '.join(LANGUAGES)}.")
    read: Mapping[str, Any] = yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 (a safe loader)
    return read


@cache
def laws() -> Mapping[str, Mapping[str, str]]:
    """Return the law references, by id: the only place in the code that has a section's number in a text."""
    read: Mapping[str, Mapping[str, str]] = yaml.load(
        (_HERE / "laws.yaml").read_text(encoding="utf-8"),
        _LOADER,  # noqa: S506
    )
    return read


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader in C is ten times as fast, and is not in every build of the library."""
