"""Dates as registers and systems write them: ISO dates from dates and times, placeholders removed.

Text that is not a date is left unchanged, and the quality rules find it.
"""

import contextlib
import re
from datetime import date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

OSLO = ZoneInfo("Europe/Oslo")

EARLIEST, LATEST = "1900-01-01", "2100-12-31"
"""A date outside these is a mistyped year, or a system's word for "always"."""
_ALWAYS = "0001-"
_OPEN = ("2099-", "2100-", "9999-")
_ZONED = re.compile(r"(.{10})[T ](\d\d:?\d\d(?::?\d\d)?)(?:[.,]\d+)? ?(Z|[+-]\d\d(?::?\d\d)?)", re.IGNORECASE)


@lru_cache(maxsize=4096)
def day(value: str | None) -> str | None:
    """Return the date of an ISO date or time (``2020-01-31T00:00:00.0000000`` too); other text unchanged.

    A time with a zone gives the date in Norway at that time: ``2026-08-16T22:00:00Z`` is 17 August.
    """
    if value is None or len(value) < 10 or (len(value) > 10 and value[10] not in "Tt Z+"):
        return value
    try:
        if value[4] != "-":
            return value
        zoned = _ZONED.fullmatch(value)
        if zoned:
            with contextlib.suppress(OverflowError, ValueError):  # years 1 and 9999 can overflow; 24:00 is refused
                moment = datetime.fromisoformat(f"{zoned[1]}T{zoned[2]}{zoned[3].upper()}")
                return moment.astimezone(OSLO).date().isoformat()
        return date.fromisoformat(value[:10]).isoformat()
    except ValueError:
        return value


@lru_cache(maxsize=4096)
def start_day(value: str | None) -> str | None:
    """Return a start date or a birth date; None for the placeholder "since always" (year 1)."""
    found = day(value)
    return None if found is not None and found.startswith(_ALWAYS) else found


@lru_cache(maxsize=4096)
def end_day(value: str | None) -> str | None:
    """Return an end date; None for the placeholder "until further notice" (years 2099, 2100, 9999, and year 1)."""
    found = day(value)
    return None if found is not None and found.startswith((_ALWAYS, *_OPEN)) and len(found) == 10 else found


def school_year(of: date) -> int:
    """Return the year in which a day's school year begins: a school year is from 1 August to 31 July (opplæringslova).

    >>> school_year(date(2027, 7, 31)), school_year(date(2027, 8, 1))
    (2026, 2027)
    """
    return of.year if of.month >= 8 else of.year - 1


def known_day(value: date | None) -> date | None:
    """Return a day; None for one outside EARLIEST and LATEST.

    >>> known_day(date(2026, 8, 1)), known_day(date(9999, 12, 31))
    (datetime.date(2026, 8, 1), None)
    """
    return value if value and EARLIEST <= value.isoformat() <= LATEST else None


def is_date(value: str | None) -> bool:
    """Tell whether a value is an ISO date from EARLIEST to LATEST; quality rules find the others."""
    try:
        return value is not None and value == date.fromisoformat(value).isoformat() and EARLIEST <= value <= LATEST
    except ValueError:
        return False
