"""The school administration system: land the newest files it has delivered.

Comes in: a folder, and the patterns of the school system's file and of the timetable (None: there is none). Goes out:
``pifu-00001.xml`` or ``oneroster-00001.zip``, and ``timetable-00001.csv`` or ``timetable-00001.ics``, the files as they
were, and what they are copies of.
When it fails: SourceUnavailable names the folder and the pattern, and is worth another try.
"""

from datetime import datetime

from dataflyt.landing import AnyPath, Landing, land_newest

PAGES = {"pifu": "pifu-00001.xml", "oneroster": "oneroster-00001.zip"}
"""Landed name by format."""
TIMETABLES = {"timetable-00001.ics": "ical", "timetable-00001.csv": "timetable"}
"""Format of a timetable by landed name: a calendar when the kommune's pattern ends in .ics, else CSV."""


def extract(
    folder: AnyPath,
    format: str,
    files_pattern: str,
    timetable_pattern: str | None,
    landing: Landing,
    *,
    earlier: Landing | None = None,
    as_of: datetime | None = None,
    max_age_days: int | None = None,
) -> None:
    """Land the newest complete file of each kind; one that is landed already stands.

    One that ``earlier`` has is taken from there. A timetable may be as old as it is: it lasts a term.
    """
    land_newest(folder, files_pattern, landing, PAGES[format], earlier=earlier, as_of=as_of, max_age_days=max_age_days)
    if timetable_pattern:
        page = f"timetable-00001.{'ics' if timetable_pattern.lower().endswith('.ics') else 'csv'}"
        land_newest(folder, timetable_pattern, landing, page, earlier=earlier)
