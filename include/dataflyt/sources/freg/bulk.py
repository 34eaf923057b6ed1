"""Answers of FREG's ``personer/bulkoppslag`` to rows."""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.errors import NobodyNamed, Unreadable
from dataflyt.formats.json_values import Json, load_json, number, part, parts, text
from dataflyt.sources.freg.documents import error_message, number_in_use, numbers_in, person_rows, says_anything
from dataflyt.sources.freg.rows import Ubesvart
from dataflyt.sources.freg.unknown_fields import FIELDS, look_for_unknown, unknown_fields


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield the rows of an answer, in its order. Raises Unreadable."""
    unknown: set[str] = set()
    for asked, document, message in entries(stream):
        if document:
            look_for_unknown(document, FIELDS, unknown)
            yield from person_rows(document, asked)
        else:
            yield Ubesvart(asked or "", message)
    yield from unknown_fields(unknown)


def entries(stream: BinaryIO) -> Iterator[tuple[str | None, Json, str | None]]:
    """Yield for each entry of a bulk answer the number asked about, the person's document, and the error message.

    The document is empty if FREG gave none, and if it has only numbers. Raises Unreadable.
    """
    answer = load_json(stream)
    if not isinstance(answer, dict) or not isinstance(answer.get("oppslag"), list | dict):
        raise Unreadable(f"Siden er ikke et svar på bulkoppslag, for {_why_not(answer)}.")
    named = 0
    for entry in parts(answer, "oppslag"):
        asked = number(entry, "foedselsEllerDNummer")
        person = part(entry, "folkeregisterperson")
        if not says_anything(person):
            asked, person = asked or number_in_use(person), {}
        if person and (asked or numbers_in(person)):
            named += 1
            yield asked, person, None
        elif asked:
            named += 1
            message = part(entry, "feilmelding")
            yield asked, {}, text(message or entry, "feilmelding")
    if answer["oppslag"] and not named:
        raise NobodyNamed("Siden er ikke et svar på bulkoppslag, for ingen oppføring nevner en person.")


def _why_not(answer: object) -> str:
    if not isinstance(answer, dict):
        return "den er ikke et objekt"
    if "personer" in answer:
        return "den ser ut som et svar fra KRR"
    if "identifikasjonsnummer" in answer:
        return "den ser ut som én person (formatet person)"
    return error_message(answer) or "den har ingen liste «oppslag»"
