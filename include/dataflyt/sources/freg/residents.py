"""Answers of FREG's ``personer/bulkoppslag`` about children who live here: identity, and whether protected."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.formats.json_values import Json, number, text
from dataflyt.sources.freg.bulk import entries
from dataflyt.sources.freg.documents import current_entry, current_number, numbers_in
from dataflyt.sources.freg.gradings import UNREADABLE, gradings, strictest
from dataflyt.sources.freg.rows import SUBJECT, Resident, Ubesvart
from dataflyt.sources.freg.values import word


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield a ``resident`` or ``ubesvart`` for each entry of an answer. Raises Unreadable."""
    for asked, document, message in entries(stream):
        if document:
            yield _resident(document, asked)
        else:
            yield Ubesvart(asked or "", message)


def _resident(document: Json, asked: str | None) -> Resident:
    me = number(current_number(numbers_in(document), asked), SUBJECT) or asked or ""
    name, birth = current_entry(document, "navn"), current_entry(document, "foedsel")
    return Resident(
        me,
        asked or me,
        text(name, "fornavn"),
        text(name, "mellomnavn"),
        text(name, "etternavn"),
        text(birth, "foedselsaar") or (text(birth, "foedselsdato") or "")[:4] or None,
        word(text(current_entry(document, "status"), "status")),
        strictest(said or UNREADABLE for said, _ in gradings(document.get("adressebeskyttelse"))),
    )
