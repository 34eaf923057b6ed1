"""JSON from strangers: a whole page parsed within bounds, and its values taken out by name and type.

In comes a stream of bytes that a register made; out go plain Python values. A page that cannot be read raises
``Unreadable`` with one sentence that tells the fault and its place (line, byte), and never repeats the data. A value of
another type than asked for counts as absent.
"""

import codecs
from collections.abc import Mapping
from typing import Any, BinaryIO, TypeAlias, TypeGuard

import orjson

from dataflyt.errors import Unreadable
from dataflyt.formats.text import refuse_other_formats

MAX_JSON = 64 * 1024 * 1024
"""Bytes. A bulk answer of 1000 persons is 5-10 MB; anything larger is not a page."""

Json: TypeAlias = dict[str, Any]
"""A JSON object."""


def load_json(stream: BinaryIO) -> object:
    """Parse a whole JSON page; Unreadable when it is broken, is something else, or holds more brackets than data."""
    data = stream.read(MAX_JSON + 1)
    if len(data) > MAX_JSON:
        raise Unreadable(f"Siden er større enn {MAX_JSON // 1024**2} MB, og det er ikke noe svar fra registeret.")
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        raise Unreadable("Siden er i UTF-16, og skulle vært JSON i UTF-8.")
    refuse_other_formats(data[:512], "JSON")
    # Python's objects are many times larger than the brackets that make them. This estimates their size. The densest
    # answer that a register gives or describes comes to 7 bytes in memory for each of its own bytes.
    if 220 * data.count(b"{") + 80 * data.count(b"[") + 60 * data.count(b",") > 9 * len(data) + 1_000_000:
        raise Unreadable("Siden har langt flere klammer enn data, og ble ikke lest.")
    try:
        return orjson.loads(data.removeprefix(codecs.BOM_UTF8))
    except orjson.JSONDecodeError as error:
        line, place = error.lineno, error.pos
    try:
        length = len(data.decode().rstrip())
    except UnicodeDecodeError as error:
        place = error.start
        sentence = f"Siden er ikke i UTF-8 (byte {place})."
    else:
        sentence = (
            f"Siden er ikke hel JSON, for den slutter for tidlig, etter {len(data)} byte."
            if place >= length - 1
            else f"Siden er ikke gyldig JSON (linje {line}, tegn {place})."
        )
    raise Unreadable(sentence)


def is_object(value: object) -> TypeGuard[Json]:
    """Tell whether the value is a JSON object with something in it."""
    return isinstance(value, dict) and bool(value)


def part(value: Mapping[str, Any], name: str) -> Json:
    """Return the object under ``name``, or the first object of an array there; an empty object if there is none."""
    found = value.get(name)
    if isinstance(found, list):
        return next((item for item in found if is_object(item)), {})
    return found if is_object(found) else {}


def parts(value: Mapping[str, Any], name: str) -> list[Json]:
    """Return the non-empty objects under ``name``. The value there may be an array, a single object or absent."""
    found = value.get(name)
    if isinstance(found, list):
        return [item for item in found if item and isinstance(item, dict)]
    return [found] if is_object(found) else []


def text(value: Mapping[str, Any], name: str) -> str | None:
    """Return the text (or whole number, as text) under ``name``; None for anything else, a number with decimals too."""
    found = value.get(name)
    if found is None:
        return None
    if isinstance(found, str):  # does what tidy does; calling tidy for every field is too slow
        return (found.replace("\0", "") if "\0" in found else found).strip() or None
    return str(found) if isinstance(found, int) and not isinstance(found, bool) else None


def number(value: Mapping[str, Any], name: str) -> str | None:
    """Return the identity number under ``name``; one written as a JSON number gets its leading zeros back."""
    found = text(value, name)
    return found.zfill(11) if found is not None and not isinstance(value[name], str) else found


def flag(value: Mapping[str, Any], name: str) -> bool | None:
    """Return the boolean under ``name`` (``"true"`` as text too); None for anything else."""
    found = value.get(name)
    if found is None or found is True or found is False:
        return found
    if isinstance(found, str):
        return {"true": True, "false": False}.get(found.strip().lower())
    return None
