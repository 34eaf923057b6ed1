"""The common parts of the HR readers: the kommune file's words for the codes, and values that both systems write.

``employment_types`` has the meanings of the customer's own codes for kinds of employment; a code that it lacks is
unchanged. No HR system has a field of its own for an employee who must not be found. ``protected`` therefore tells
where the customer keeps that mark: a kind of mark, and its values.
"""

import math
from collections.abc import Container, Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType

NO_TYPES: Mapping[str, str] = MappingProxyType({})
"""A kommune file without ``employment_types``."""
NO_MARKS: Mapping[str, Container[str]] = MappingProxyType({})
"""A kommune file without ``protected``."""

SEX = {
    "m": "mann",
    "mann": "mann",
    "male": "mann",
    "k": "kvinne",
    "f": "kvinne",
    "kvinne": "kvinne",
    "female": "kvinne",
}
"""By the system's word in lower case. ``M`` occurs in files; the other words are assumed."""
YES_NO = {"true": True, "1": True, "false": False, "0": False}


def is_marked(marks: Iterable[tuple[str, str]], protected: Mapping[str, Container[str]]) -> bool:
    """Tell whether ``protected`` names any of an employee's marks (kind and value); a kind may be in any case."""
    by_kind = {kind.lower(): values for kind, values in protected.items()}
    return any(value in by_kind.get(kind.lower(), ()) for kind, value in marks)


def unique(ids: list[str]) -> list[str]:
    """Return the ids; an id that repeats an earlier one gets a number: ``a``, ``a#2``."""
    taken: set[str] = set()
    for place, wanted in enumerate(ids):
        unique, count = wanted, 1
        while unique in taken:
            count += 1
            unique = f"{wanted}#{count}"
        taken.add(unique)
        ids[place] = unique
    return ids


@lru_cache(maxsize=4096)
def decimal(value: str | None) -> float | None:
    """Return a number written with a comma or a point; None for anything else."""
    try:
        found = float((value or "").replace(",", "."))
    except ValueError:
        return None
    return found if math.isfinite(found) else None
