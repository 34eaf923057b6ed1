"""Whose a landed page is: a sentence for the operator about a page that cannot be read.

The readers say what is wrong in a page and where. Here the sentence gets which file or register the page came from, and
who corrects it.
"""

import re

from dataflyt.errors import Unreadable
from dataflyt.storage.landing import Landing

_SYSTEMS = {"sas": "skolesystemet", "hr": "HR-systemet"}
_REGISTERS = {"freg": "Folkeregisteret", "krr": "KRR"}
_CALENDAR = re.compile(r"calendar-(\d+)\.ics")


def named(error: Unreadable, source: str, page: str, landing: Landing) -> Unreadable:
    """Return the error with a sentence that names the file or the register's page, and who corrects it.

    A file is called what its system called it, which is no secret; a calendar is counted, for its link is a key.
    """
    if register := _REGISTERS.get(source):
        what = f"Svaret fra {register} (side {page})"
        cure = f"Meld fra til en dataingeniør; en ny kjøring spør {register} på nytt."
    else:
        system, delivered, calendar = _SYSTEMS[source], landing.delivered(page), _CALENDAR.fullmatch(page)
        what = f"Kalender {int(calendar[1])}" if calendar else f"Filen {delivered.name if delivered else page}"
        what += f" fra {system}"
        cure = f"Be leverandøren av {system} rette eksporten."
    return Unreadable(f"{what} kan ikke leses: {error.clause} {cure}", **{**error.facts, "page": page})
