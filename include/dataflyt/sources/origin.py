"""The origin of a landed page, added to the error of a page that cannot be read.

A reader tells what is wrong in a page and where. This module adds the file or the register that the page came from, and
the party that corrects it.
"""

from dataflyt.errors import Unreadable
from dataflyt.sources.sas import CALENDARS
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import Page

_SYSTEMS = {"sas": "skolesystemet", "hr": "HR-systemet"}
_REGISTERS = {"freg": "Folkeregisteret", "krr": "KRR"}


def with_origin(error: Unreadable, source: str, name: str, landing: Landing) -> Unreadable:
    """Return the error with a sentence that names the file or the register's page, and the party that corrects it.

    A file has the name that its system gave it, which is not secret. A calendar is named by its number: its link is a
    key.
    """
    if register := _REGISTERS.get(source):
        what = f"Svaret fra {register} (side {name})"
        cure = f"Meld fra til en dataingeniør; en ny kjøring spør {register} på nytt."
    else:
        system, page, delivered = _SYSTEMS[source], Page.parse(name), landing.delivered(name)
        is_calendar = page is not None and page.phase == CALENDARS
        what = f"Kalender {page.number}" if page and is_calendar else f"Filen {delivered.name if delivered else name}"
        what += f" fra {system}"
        cure = f"Be leverandøren av {system} rette eksporten."
    return Unreadable(f"{what} kan ikke leses: {error.clause} {cure}", **{**error.facts, "page": name})
