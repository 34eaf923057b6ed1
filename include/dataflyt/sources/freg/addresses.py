"""Addresses to rows: a person's home, and the gradings of the person's other addresses."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from dataflyt.formats.json_values import Json, part, text
from dataflyt.sources.freg.gradings import grade
from dataflyt.sources.freg.rows import AnnenAdresse, Bostedsadresse
from dataflyt.sources.freg.values import validity

OTHER_ADDRESSES = ("oppholdsadresse", "deltBosted", "postadresse", "postadresseIUtlandet")


def residence(me: str, item: Json) -> Bostedsadresse:
    """Return the row of a ``bostedsadresse`` of the person with the number ``me``."""
    kind = next((name for name in ("vegadresse", "matrikkeladresse", "ukjentBosted") if item.get(name)), None)
    place = part(item, kind) if kind else {}
    house = part(place, "adressenummer")
    post = part(place, "poststed")
    return Bostedsadresse(
        me,
        grade(item.get("adressegradering")),
        kind,
        _municipality(item),
        text(place, "adressenavn"),
        text(house, "husnummer"),
        text(house, "husbokstav"),
        text(place, "bruksenhetsnummer"),
        text(post, "postnummer"),
        text(post, "poststedsnavn"),
        text(place, "coAdressenavn"),
        _dwelling(item),
        text(item, "flyttedato"),
        *validity(item),
    )


def other_address(me: str, element: str, item: Json) -> AnnenAdresse:
    """Return the row of an address of another kind; ``element`` is one of OTHER_ADDRESSES."""
    return AnnenAdresse(
        me,
        element,
        grade(item.get("adressegradering")),
        _municipality(item),
        None if element.startswith("post") else _dwelling(item),
        *validity(item),
    )


def _municipality(address: Json) -> str | None:
    """Return the kommunenummer from any of its three places."""
    return (
        text(part(address, "vegadresse"), "kommunenummer")
        or text(part(part(address, "matrikkeladresse"), "matrikkelnummer"), "kommunenummer")
        or text(part(address, "ukjentBosted"), "bostedskommune")
    )


def _dwelling(address: Json) -> str | None:
    """Return a key that two people share only if they live together; None if the address is too vague for one.

    A road address needs kommune, road and house number; a matrikkel address needs kommune, gaardsnummer and
    bruksnummer. The letter and the bruksenhetsnummer are part of the key if the address has them.
    """
    road = part(address, "vegadresse")
    if road:
        house = part(road, "adressenummer")
        wanted = (text(road, "kommunenummer"), text(road, "adressenavn"), _plain_number(house, "husnummer"))
        more = (text(house, "husbokstav"), text(road, "bruksenhetsnummer"))
    else:
        cadastre = part(address, "matrikkeladresse")
        parcel = part(cadastre, "matrikkelnummer")
        wanted = (
            text(parcel, "kommunenummer"),
            _plain_number(parcel, "gaardsnummer"),
            _plain_number(parcel, "bruksnummer"),
        )
        more = (_joined(parcel, cadastre), text(cadastre, "bruksenhetsnummer"))
    if not all(wanted):
        return None
    return "|".join(
        " ".join(unicodedata.normalize("NFC", value or "").casefold().replace("|", " ").split())
        for value in (*wanted, *more)
    )


def _joined(parcel: Json, cadastre: Json) -> str:
    """Return feste- and undernummer, which tell the parts of a property apart: ``0`` is none."""
    return f"{_plain_number(parcel, 'festenummer') or ''}/{_plain_number(cadastre, 'undernummer') or ''}".strip("/")


def _plain_number(value: Mapping[str, Any], name: str) -> str | None:
    return (text(value, name) or "").lstrip("0") or None
