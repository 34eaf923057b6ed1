"""The rows that every tool loads, made-up persons with eleven columns, and what loading them costs.

Standard library only, for every environment.
"""

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

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


class Cost(NamedTuple):
    """Seconds by the clock, and seconds of CPU of this process and of the server (0 where there is no /proc)."""

    clock: float
    cpu: float


class Meter:
    """What a piece of work costs. The CPU is nearly the same on an idle machine and on a busy one; the clock is not."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster
        self._began, self._spent = time.perf_counter(), self._cpu()

    def read(self) -> Cost:
        """Return the cost until now."""
        clock = time.perf_counter() - self._began
        time.sleep(0.2)  # the server counts a process of its own that has ended
        return Cost(clock, self._cpu() - self._spent)

    def _cpu(self) -> float:
        own = os.times()
        total = own.user + own.system + own.children_user + own.children_system
        with suppress(OSError):
            tick = os.sysconf("SC_CLK_TCK")
            for name in os.listdir("/proc"):
                if not name.isdigit():
                    continue
                with suppress(OSError), open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as stat:
                    said = stat.read().rpartition(")")[2].split()
                    if int(name) == self._postmaster:  # its ended children
                        total += (int(said[13]) + int(said[14])) / tick
                    elif int(said[1]) == self._postmaster:
                        total += (int(said[11]) + int(said[12])) / tick
        return total
