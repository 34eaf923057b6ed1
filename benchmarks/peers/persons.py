"""The rows that every tool loads: made-up persons with eleven columns. Standard library only, for every environment."""

from collections.abc import Iterator
from random import Random
from typing import Any

COLUMNS = (
    *("page", "foedselsEllerDNummer", "oppslag", "identifikatortype", "status", "foedselsdato", "foedselsaar"),
    *("kjoenn", "doedsdato", "doed", "falskIdentitet"),
)
"""The columns of staging's table freg_person, by FREG's names."""


def persons(count: int, run: int) -> Iterator[tuple[Any, ...]]:
    """Yield persons in a fixed order; in each run from the second on, another one in a hundred has another status."""
    order = list(range(count))
    Random(1).shuffle(order)
    for number in order:
        year = 1940 + number % 80
        changed = run > 1 and number % 100 == run % 100
        yield (
            "1-pupils-00001",
            f"{number:011d}",
            f"{number:011d}",
            "foedselsnummer",
            f"utflyttet{run}" if changed else "bosatt",
            f"{year}-0{1 + number % 9}-1{number % 10}",
            str(year),
            "mann" if number % 2 else "kvinne",
            None if number % 50 else "2020-01-01",
            not number % 50,
            False,
        )
