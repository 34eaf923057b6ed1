"""Digdir's answers to rows: of ``/rest/v2/personer`` or v1, or of the change feed.

In: one JSON answer (``{"personer": […]}``), or a page of the change feed (``{"list": […]}``), whose persons are the
same. Out: a ``contact`` row for each person, every time and value unchanged. An entry without ``personidentifikator``
gives no row: its number counts as unanswered. An answer of another shape raises ``Unreadable``.

Source: as ``rows``. Some clients write ``sprak`` for ``spraak``; both are read.
"""

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.errors import NobodyNamed, Unreadable
from dataflyt.formats.json_values import Json, load_json, number, part, parts, text
from dataflyt.sources.krr.answers import is_list, why_not
from dataflyt.sources.krr.rows import Contact


def read(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Yield a row for each person of an answer. Raises Unreadable."""
    answer = load_json(stream)
    found = next((name for name in ("personer", "list") if is_list(answer, name)), None)
    if found is None or not isinstance(answer, dict):
        raise Unreadable(f"Siden er ikke et svar fra KRR, for {why_not(answer)}.")
    named = 0
    for item in parts(answer, found):
        who = number(item, "personidentifikator")
        if who:
            named += 1
            yield _contact(who, item)
    if answer[found] and not named:
        raise NobodyNamed("Siden er ikke et svar fra KRR, for ingen oppføring nevner en person.")


def _contact(who: str, item: Json) -> Contact:
    info = part(item, "kontaktinformasjon")
    return Contact(
        who,
        text(item, "status"),
        text(item, "reservasjon"),
        text(item, "reservasjonstidspunkt"),
        text(item, "reservasjon_oppdatert"),
        text(item, "varslingsstatus"),
        text(info, "epostadresse"),
        text(info, "epostadresse_oppdatert"),
        text(info, "epostadresse_sist_verifisert"),
        text(info, "epostadresse_duplisert"),
        text(info, "mobiltelefonnummer"),
        text(info, "mobiltelefonnummer_oppdatert"),
        text(info, "mobiltelefonnummer_sist_verifisert"),
        text(info, "mobiltelefonnummer_duplisert"),
        text(item, "spraak") or text(item, "sprak"),
        text(item, "spraak_oppdatert") or text(item, "sprak_oppdatert"),
    )
