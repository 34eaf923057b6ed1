"""The school administration system: land the newest files it has delivered, and the calendars it has links to.

Comes in: a folder, and the patterns of the school system's file and of the timetable (None: there is none). Goes out:
``pifu-00001.xml`` or ``oneroster-00001.zip``, and ``timetable-00001.csv`` or ``timetable-00001.ics``, the files as they
were, and what they are copies of; ``calendar-00001.ics`` and on, a page a link.
When it fails: SourceUnavailable names the folder and the pattern, or the connection's place, and is worth another try;
ConfigError names two files of which nobody can tell which is the newest.
"""

import re
from dataclasses import replace
from datetime import datetime
from pathlib import PurePath

from dataflyt.config.connections import Connection
from dataflyt.config.kommune import Newest
from dataflyt.errors import ConfigError
from dataflyt.registers.http import Register, Settings
from dataflyt.storage.landing import AnyPath, Landing
from dataflyt.storage.newest_file import land_newest

PAGES = {"pifu": "pifu-00001.xml", "oneroster": "oneroster-00001.zip"}
"""Landed name by format."""
_TIMETABLES = {".ics": "ical", ".csv": "timetable"}


def format_of(page: str, format: str) -> str:
    """Return the format of a landed page, where ``format`` is that of the school system's file."""
    return _TIMETABLES.get(PurePath(page).suffix, format)


def extract(
    folder: AnyPath,
    format: str,
    files_pattern: str,
    timetable_pattern: str | None,
    landing: Landing,
    *,
    newest: Newest | None = None,
    earlier: Landing | None = None,
    as_of: datetime | None = None,
    max_age_days: int | None = None,
) -> None:
    """Land the newest complete file of each kind, by ``newest`` where names or times are to decide.

    One that is landed already stands, one that ``earlier`` has is taken from there. A timetable may be as old as it is:
    it lasts a term.
    """
    land_newest(
        folder,
        files_pattern,
        landing,
        PAGES[format],
        by=newest,
        earlier=earlier,
        as_of=as_of,
        max_age_days=max_age_days,
    )
    if timetable_pattern:
        page = f"timetable-00001.{'ics' if timetable_pattern.lower().endswith('.ics') else 'csv'}"
        land_newest(folder, timetable_pattern, landing, page, by=newest, earlier=earlier)


def fetch_calendars(connection: Connection, landing: Landing, settings: Settings | None = None) -> None:
    """Land the calendar behind each link; one that is landed already stands. A link is never told: it is a key."""
    settings = settings or Settings()
    for number, link in enumerate(_links(connection), 1):
        page = f"calendar-{number:05d}.ics"
        if not landing.has(page):
            one = replace(connection, url=re.sub(r"^webcals?:", "https:", link))
            with Register(f"Kalender {number} i tilkoblingen {connection.name}", one, None, settings) as register:
                answer = register.get("", headers={"Accept": "text/calendar"}, shape=_is_calendar)
            landing.write(page, answer.content)


def _links(connection: Connection) -> list[str]:
    more = connection.extra.get("links") or []
    links = [connection.url, *more] if isinstance(more, list) else []
    links = [link for link in links if isinstance(link, str) and link]
    if not links:
        raise ConfigError(
            f"Tilkoblingen {connection.name} har ingen lenker til kalendere: skriv en liste under links i extra."
        )
    return links


def _is_calendar(content: bytes) -> bool:
    whole = content.removeprefix(b"\xef\xbb\xbf").strip().upper()
    return whole.startswith(b"BEGIN:VCALENDAR") and whole.endswith(b"END:VCALENDAR")
