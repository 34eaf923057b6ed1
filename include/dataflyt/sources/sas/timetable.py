"""A timetable in CSV to rows: which group has a lesson on which weekday.

In: CSV in a form of our own: columns ``group``, ``weekday``, ``start``, ``end``, ``room``; comma, semicolon or tab;
UTF-8 or windows-1252. Out: ``timetable`` rows in the order of the file. A broken file raises ``Unreadable``. Quality
rules find a group that is not in the school system's other file.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.errors import Unreadable
from dataflyt.formats.csv_rows import csv_rows
from dataflyt.formats.text import tidy
from dataflyt.sources.sas.rows import Timetable

_WEEKDAYS = ("mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag")
_NYNORSK = {"måndag": 1, "tysdag": 2, "laurdag": 6, "sundag": 7}
_TIME = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)(?:[:.][0-5]\d)?")
_COLUMNS = ("group", "weekday", "start", "end", "room")


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield the rows of a timetable. Columns may be in any order, with others between; blank lines are skipped."""
    rows = csv_rows(stream, "en timeplan")
    _, header = next(rows, (1, []))
    names = [name.strip().lower() for name in header]
    missing = [column for column in _COLUMNS if column not in names]
    if missing:
        raise Unreadable(f"Timeplanen mangler kolonnen {missing[0]}, og første linje skal nevne {', '.join(_COLUMNS)}.")
    places = [names.index(column) for column in _COLUMNS]
    for line, row in rows:
        cells = [tidy(row[place]) if place < len(row) else None for place in places]
        group_id, weekday, begins, ends, room = cells
        if group_id is None:
            if any(cells):
                raise Unreadable(f"Timen i linje {line} i timeplanen har ingen gruppe (group).")
            continue
        yield Timetable(group_id, _weekday(weekday), _clock(begins), _clock(ends), room)


def _weekday(value: str | None) -> int | None:
    word = (value or "").lower()
    if word in set("1234567"):
        return int(word)
    return _WEEKDAYS.index(word) + 1 if word in _WEEKDAYS else _NYNORSK.get(word)


def _clock(value: str | None) -> str | None:
    """Return a time of day as ``HH:MM``; other text unchanged."""
    found = _TIME.fullmatch(value or "")
    return f"{int(found[1]):02}:{found[2]}" if found else value
