"""The gradings of documents and addresses, read so that no grading can be taken for its absence."""

from collections.abc import Iterable, Iterator

from dataflyt.formats.json_values import flag, text
from dataflyt.formats.text import tidy
from dataflyt.sources.freg.rows import Adressebeskyttelse
from dataflyt.sources.freg.values import GRADES, is_blank, is_nothing, word

UNREADABLE = "ukjent"
"""Stands for a grading whose word cannot be read."""


def protection(me: str, value: object) -> Adressebeskyttelse:
    """Return the one row that sums up any value of ``adressebeskyttelse``.

    An unreadable entry counts as an unknown grading, never as no grading.
    """
    found = list(gradings(value))
    known = ((GRADES.index(said), since or "") for said, since in found if said in GRADES)
    level, since = max(known, default=(0, ""))
    unknown = any(said not in GRADES for said, _ in found)
    return Adressebeskyttelse(me, GRADES[level], unknown, True, since or None)


def gradings(value: object) -> Iterator[tuple[str | None, str | None]]:
    """Yield word and time of each grading that applies. The word is None if the entry has none."""
    for item in value if isinstance(value, list) else (value,):
        if is_blank(item):
            continue
        if not isinstance(item, dict):
            yield grade(item), None
        elif flag(item, "erGjeldende") is not False:
            yield grade(item.get("graderingsnivaa")), text(item, "gyldighetstidspunkt")


def grade(value: object) -> str | None:
    """Return a grading of any type as text, so that an unknown grading is seen as unknown."""
    if is_nothing(value):
        return None
    return word(tidy(value)) if isinstance(value, str) else UNREADABLE


def strictest(words: Iterable[str]) -> str | None:
    """Return the strictest grading. An unknown word is stricter than all known words."""
    return max(words, key=lambda said: GRADES.index(said) if said in GRADES else len(GRADES), default=None)
