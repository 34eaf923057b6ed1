"""KRR answers to rows.

In: one JSON answer of ``/rest/v2/personer`` or v1 (``{"personer": […]}``), a page of the change feed (``{"list":
[…]}``), whose persons are the same, or answers of KS Fiks as the client lands them (``fiks``). Out: a ``contact`` row
for each, every time and value as it stands. The digital mailbox and the certificate are not read. An entry without
``personidentifikator`` gives no row: its number counts as unanswered. An answer of another shape raises ``Unreadable``.

Source: Digdir, "Kontakt- og reservasjonsregisteret: oppslagstjenesten REST" and its attribute page (some clients write
``sprak`` for ``spraak``: both are read); KS, OpenAPI "register-krr-api-v1".
"""

import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from dataflyt.errors import NobodyNamed, Unreadable
from dataflyt.formats.reading import Json, flag, load_json, number, part, parts, text
from dataflyt.sources import Reader, Table


class Contact(NamedTuple):
    """One person's entry in KRR, fields as KRR spells them, those of ``kontaktinformasjon`` flattened."""

    personidentifikator: str
    status: str | None
    reservasjon: str | None
    reservasjonstidspunkt: str | None
    reservasjon_oppdatert: str | None
    varslingsstatus: str | None
    epostadresse: str | None
    epostadresse_oppdatert: str | None
    epostadresse_sist_verifisert: str | None
    epostadresse_duplisert: str | None
    mobiltelefonnummer: str | None
    mobiltelefonnummer_oppdatert: str | None
    mobiltelefonnummer_sist_verifisert: str | None
    mobiltelefonnummer_duplisert: str | None
    spraak: str | None
    spraak_oppdatert: str | None


TABLES = {
    "contact": Table(
        "contact",
        Contact,
        ("personidentifikator",),
        "personidentifikator",
        hashed=("epostadresse", "mobiltelefonnummer"),
    ),
}


def personer(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read an answer with persons."""
    answer = load_json(stream)
    found = next((name for name in ("personer", "list") if _is_list(answer, name)), None)
    if found is None or not isinstance(answer, dict):
        raise Unreadable(f"Siden er ikke et svar fra KRR, for {_why_not(answer)}.")
    named = 0
    for item in parts(answer, found):
        who = number(item, "personidentifikator")
        if who:
            named += 1
            yield _contact(who, item)
    if answer[found] and not named:
        raise NobodyNamed("Siden er ikke et svar fra KRR, for ingen oppføring nevner en person.")


def fiks(stream: BinaryIO) -> Iterator[NamedTuple]:
    """Read a page of answers of KS Fiks, one a number; "Ingen treff" is somebody who is not registered.

    An answer about another number than the one asked for gives no row. That ``status`` is in KRR's words is an
    assumption.
    """
    answer = load_json(stream)
    if not isinstance(answer, dict) or not _is_list(answer, "personer"):
        raise Unreadable(f"Siden er ikke svar fra KRR gjennom Fiks, for {_why_not(answer)}.")
    named = 0
    for entry in parts(answer, "personer"):
        if who := number(entry, "fnr"):
            named += 1
            found = part(entry, "svar")
            if not found:
                yield Contact(who, "IKKE_REGISTRERT", *[None] * (len(Contact._fields) - 2))
            elif number(found, "fnr") == who:
                yield _fiks_contact(who, found)
    if answer["personer"] and not named:
        raise NobodyNamed("Siden er ikke svar fra KRR gjennom Fiks, for ingen oppføring nevner en person.")


FORMATS: dict[str, Reader] = {"personer": personer, "fiks": fiks}


def named(content: bytes, format: str) -> set[str]:
    """Give the numbers about which an answer says something. Raises Unreadable."""
    return {row.personidentifikator for row in FORMATS[format](io.BytesIO(content)) if isinstance(row, Contact)}


def _is_list(answer: object, name: str) -> bool:
    return isinstance(answer, dict) and isinstance(answer.get(name), list | dict)


def _why_not(answer: object) -> str:
    if not isinstance(answer, dict):
        return "den er ikke et objekt"
    if "oppslag" in answer or "identifikasjonsnummer" in answer:
        return "den ser ut som et svar fra Folkeregisteret"
    return "den er en feilmelding" if "errors" in answer else "den har ingen liste «personer»"


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


def _fiks_contact(who: str, item: Json) -> Contact:
    email, mobile = part(item, "epost"), part(item, "tlf")
    return Contact(
        who,
        text(item, "status"),
        {True: "JA", False: "NEI", None: None}[flag(item, "reservert")],
        None,
        None,
        {True: "KAN_VARSLES", False: "KAN_IKKE_VARSLES", None: None}[flag(item, "kanVarsles")],
        text(email, "adresse"),
        text(email, "sistOppdatert"),
        text(email, "sistVerifisert"),
        None,
        text(mobile, "nummer"),
        text(mobile, "sistOppdatert"),
        text(mobile, "sistVerifisert"),
        None,
        None,
        None,
    )
