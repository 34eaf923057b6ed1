"""The formats of the school system's files, by name: those that a kommune file may name, and those of timetables."""

from dataflyt.config import formats
from dataflyt.sources import Reader, readers

FORMATS: dict[str, Reader] = readers(__package__, (*formats.SAS, *formats.TIMETABLES.values()))
"""``ical`` also takes ``today``: a calendar is read as of a day."""
