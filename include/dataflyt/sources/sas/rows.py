"""Files of the school administration system to rows: a module per format, all with the tables of ``tables.py``."""

from dataflyt.sources import Reader
from dataflyt.sources.sas.calendars import ical
from dataflyt.sources.sas.oneroster import oneroster
from dataflyt.sources.sas.pifu import pifu
from dataflyt.sources.sas.tables import TABLES, Group, Guardian, Membership, Person, School, Timetable
from dataflyt.sources.sas.timetables import timetable

__all__ = [
    "FORMATS",
    "TABLES",
    "Group",
    "Guardian",
    "Membership",
    "Person",
    "School",
    "Timetable",
    "ical",
    "oneroster",
    "pifu",
    "timetable",
]

FORMATS: dict[str, Reader] = {"pifu": pifu, "oneroster": oneroster, "timetable": timetable, "ical": ical}
