"""The formats of the school system's files, by name: the kommune file's formats, and the formats of timetables."""

from dataflyt.config import formats
from dataflyt.sources import Reader, readers
from dataflyt.storage.pages import Page

FORMATS: dict[str, Reader] = readers(__package__, (*formats.SAS, *formats.TIMETABLES.values()))
"""``ical`` also takes ``today``: a calendar is read as of a day."""


def format_of(page: Page, format: str) -> str:
    """Return the format of a landed page; ``format`` is the format of the school system's file."""
    return formats.TIMETABLES.get(page.suffix, format)
