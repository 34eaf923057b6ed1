"""The quality rules over a kommune's runs: what each found, what is new, how old a fault is, and who corrects it.

Counts only, from ``control.check_result``. A fault about protection has no count there, and none here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.formats import sheets
from dataflyt.formats.dates import OSLO
from dataflyt.run.environment import Environment
from dataflyt.storage import database

EFFECTS = {
    "row": "raden i karantene",
    "table": "kjøringen stopper",
    "note": "telles",
    "file": "filen publiseres ikke",
}
"""The effect of a breach of each scope, in an operator's words."""


@dataclass(frozen=True)
class Seen:
    """A rule over the runs: ``found`` has a number for each run, oldest first.

    A number is the faulty rows, 0 when the rule held. It is None where the run did not try the rule, and -1 where the
    rule was broken and has no number. ``since`` is the day of the first run of an unbroken line of breaches up to now.
    """

    suite: str
    rule: str
    scope: str
    reason: str
    responsible: str
    found: tuple[int | None, ...]
    percent: float | None
    took: float | None
    since: date | None

    @property
    def broken(self) -> bool:
        """Whether the newest run breaks the rule."""
        return bool(self.found and self.found[-1])

    @property
    def new(self) -> bool:
        """Whether the newest run breaks the rule, and the run before did not."""
        return self.broken and (len(self.found) < 2 or not self.found[-2])


@dataclass(frozen=True)
class Quality:
    """The rules of a kommune over its newest runs: numbers and days of the runs, oldest first."""

    runs: tuple[int, ...]
    days: tuple[date, ...]
    rules: tuple[Seen, ...]


def over_time(kommune: Kommune, environment: Environment, runs: int) -> Quality:
    """Return every rule over the newest runs that were checked.

    The age of a fault is looked for in all runs that are kept, not only in those shown.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        checked = connection.execute(text(_RUNS), {"owner": kommune.id, "runs": runs}).all()
        rows = connection.execute(text(_OUTCOMES), {"owner": kommune.id}).all()
    numbers = tuple(run.run for run in reversed(checked))
    days = tuple(run.as_of.astimezone(OSLO).date() for run in reversed(checked))
    of_rule: dict[tuple[str, str], list[Any]] = {}
    for row in rows:
        of_rule.setdefault((row.suite, row.rule), []).append(row)
    return Quality(numbers, days, tuple(_seen(found, numbers) for _, found in sorted(of_rule.items())))


def _seen(outcomes: Sequence[Any], numbers: Sequence[int]) -> Seen:
    """Put a rule's outcomes together: newest first, of all runs that are kept."""
    newest = outcomes[0]
    by_run = {row.run: row for row in outcomes}
    found = tuple(number_of(by_run[run]) if run in by_run else None for run in numbers)
    since = None
    for row in outcomes:
        if not number_of(row):
            break
        since = row.as_of.astimezone(OSLO).date()
    last = by_run.get(numbers[-1]) if numbers else None
    return Seen(
        *(newest.suite, newest.rule, newest.scope, newest.reason, newest.responsible),
        found,
        last.percent if last else None,
        last.took if last else None,
        since if last else None,
    )


def number_of(row: Any) -> int:
    """Return the number of an outcome, as ``Seen`` has it: what everybody who may look is told."""
    if row.passed or row.passed is None:
        return 0
    return row.unexpected or -1


_RUNS = """
select r.run, r.as_of from control.run r
where r.owner = :owner and r.run in (select c.run from control.check_result c where c.owner = :owner)
order by r.run desc limit :runs
"""
_OUTCOMES = """
select c.run, r.as_of, c.suite, c.rule, c.scope, c.reason, c.responsible, c.passed, c.unexpected, c.percent, c.took
from control.check_result c join control.run r on r.owner = :owner and r.run = c.run
where c.owner = :owner order by c.run desc
"""


def write_table(quality: Quality, file: Path) -> None:
    """Write every rule over time as CSV or XLSX, by the file's ending. Raises the errors of ``sheets.write``."""
    import pandas as pd

    today = quality.days[-1] if quality.days else None
    frame = pd.DataFrame(
        [
            {
                "Tabell eller fil": one.suite,
                "Regel": one.rule.removeprefix(f"{one.suite}."),
                "Grunn": one.reason,
                "Fører til": EFFECTS[one.scope],
                "Rettes av": one.responsible,
                "Ny": "ja" if one.new else "",
                "Siden": one.since,
                "Dager": (today - one.since).days if today and one.since else None,
                "Prosent": None if one.percent is None else round(one.percent, 2),
                "Sekunder": None if one.took is None else round(one.took, 3),
                **{
                    f"Kjøring {run} ({day:%d.%m.%Y})": said(number)
                    for run, day, number in zip(quality.runs, quality.days, one.found, strict=True)
                },
            }
            for one in quality.rules
        ]
    ).astype({"Dager": "Int64"} if quality.rules else {})
    sheets.write(frame, file, "Kvalitet")


def said(number: int | None) -> int | str:
    """Return a number as a table shows it: nothing where the run did not try the rule, a word where it has no number.

    >>> said(3), said(0), said(-1), said(None)
    (3, 0, 'brutt', '')
    """
    return "" if number is None else "brutt" if number < 0 else number
