"""The formats of FREG's answers, by name, and the numbers that an answer says something about."""

import io

from dataflyt.formats.json_values import number
from dataflyt.sources import Reader
from dataflyt.sources.freg import EMPLOYEES, RESIDENTS, bulk, oppvekst, person, residents
from dataflyt.sources.freg.documents import numbers_in
from dataflyt.sources.freg.rows import SUBJECT, Identifikasjonsnummer, Person, Ubesvart
from dataflyt.storage.pages import Page

FORMATS: dict[str, Reader] = {
    "bulk": bulk.read,
    "person": person.read,
    "oppvekst": oppvekst.read,
    "residents": residents.read,
}


def format_of(page: Page, format: str) -> str:
    """Return the format of a landed page; ``format`` is the format of the route to pupils."""
    return {RESIDENTS: "residents", EMPLOYEES: "bulk"}.get(page.phase, format)


def named(content: bytes, format: str) -> set[str]:
    """Return the numbers that an answer says something about, by the reader of the rows. Raises Unreadable."""
    if format != "oppvekst":
        found: set[str] = set()
        for asked, document, _ in bulk.entries(io.BytesIO(content)):
            found |= {asked} if asked else set()
            found |= {number(item, SUBJECT) or "" for item in numbers_in(document)}
        return found
    rows = oppvekst.read(io.BytesIO(content))
    return {
        row.identifikasjonsnummer if isinstance(row, Identifikasjonsnummer) else row.oppslag
        for row in rows
        if isinstance(row, Person | Ubesvart | Identifikasjonsnummer)
    }
