"""The school administration system: land the newest files that it has delivered, and the calendars behind its links.

Comes in: a folder, and the patterns of the school system's file and of the timetable (None: there is none). Goes out:
``pifu-00001.xml`` or ``oneroster-00001.zip``, and ``timetable-00001.csv`` or ``timetable-00001.ics``. These are the
files unchanged, with the facts of the originals. ``calendar-00001.ics`` and on are one page for each link. When it
fails: SourceUnavailable names the folder and the pattern, or the connection's place, and is worth another try;
ConfigError names two files if it is in doubt which of them is the newest.
"""

import re
from dataclasses import replace
from datetime import datetime

from dataflyt.config import formats
from dataflyt.config.connections import Connection, Outside
from dataflyt.config.kommune import SasSource
from dataflyt.errors import ConfigError
from dataflyt.registers.register import Register
from dataflyt.registers.settings import Settings
from dataflyt.sources.sas import CALENDARS, TIMETABLE
from dataflyt.storage.landing import Landing
from dataflyt.storage.newest_file import land_newest
from dataflyt.storage.pages import Page


def extract(
    config: SasSource,
    outside: Outside,
    landing: Landing,
    *,
    earlier: Landing | None = None,
    as_of: datetime | None = None,
    max_age_days: int | None = None,
    settings: Settings | None = None,
) -> None:
    """Land the newest complete file of each kind, and the calendar behind each link.

    A page that is landed already is kept. A file that ``earlier`` has is taken from there. The school system's file may
    be ``max_age_days`` old at ``as_of``. A timetable may be of any age: it lasts a term.
    """
    folder = outside.path(outside.connect(config.connection).url)
    land_newest(
        folder,
        config.files,
        landing,
        str(Page(config.format, 1, formats.SAS[config.format])),
        by=config.newest,
        earlier=earlier,
        as_of=as_of,
        max_age_days=max_age_days,
    )
    if config.timetable:
        page = Page(TIMETABLE, 1, "ics" if config.timetable.lower().endswith(".ics") else "csv")
        land_newest(folder, config.timetable, landing, str(page), by=config.newest, earlier=earlier)
    if config.calendars:
        fetch_calendars(outside.connect(config.calendars), landing, settings)


def fetch_calendars(connection: Connection, landing: Landing, settings: Settings | None = None) -> None:
    """Land the calendar behind each link, unless it is landed already. A link is never told: it is a key."""
    settings = settings or Settings()
    for number, link in enumerate(links_of(connection), 1):
        page = str(Page(CALENDARS, number, "ics"))
        if not landing.has(page):
            one = replace(connection, url=link)
            with Register(f"Kalender {number} i tilkoblingen {connection.name}", one, None, settings) as register:
                answer = register.get("", headers={"Accept": "text/calendar"}, shape=_is_calendar)
            landing.write(page, answer.content)


def links_of(connection: Connection) -> list[str]:
    """Return the connection's address and its ``links``, webcal as https. Raises ConfigError for none."""
    more = connection.extra.get("links") or []
    links = [connection.url, *more] if isinstance(more, list) else []
    links = [re.sub(r"^webcals?:", "https:", link) for link in links if isinstance(link, str) and link]
    if not links:
        raise ConfigError(
            f"Tilkoblingen {connection.name} har ingen lenker til kalendere: skriv en liste under links i extra."
        )
    return links


def _is_calendar(content: bytes) -> bool:
    whole = content.removeprefix(b"\xef\xbb\xbf").strip().upper()
    return whole.startswith(b"BEGIN:VCALENDAR") and whole.endswith(b"END:VCALENDAR")
