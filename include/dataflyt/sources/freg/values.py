"""Values as FREG writes them: words of enumerations, validity, and the test for an empty value."""

from dataflyt.formats.json_values import Json, flag, text
from dataflyt.formats.text import tidy

GRADES = ("ugradert", "klientadresse", "fortrolig", "strengtFortrolig")
"""The known words of ``graderingsnivaa``, from the least strict to the strictest."""

_WORDS = {
    word.lower(): word
    for word in (
        *GRADES,
        *("felles", "mor", "far", "medmor", "andre", "ukjent"),
        *("bosatt", "utflyttet", "forsvunnet", "doed", "opphoert", "foedselsregistrert", "iBruk", "kvinne", "mann"),
    )
}


def word(said: str | None) -> str | None:
    """Return a word of an enumeration in the register's own case; any other word unchanged.

    Capitals (``UGRADERT``) occur in the answers that other clients of FREG show.
    """
    return _WORDS.get(said.lower(), said) if said else said


def is_nothing(value: object) -> bool:
    """Tell whether a value is empty: null, a blank text, an empty object or list, or a list of empty values."""
    return all(map(is_blank, value)) if isinstance(value, list) else is_blank(value)


def is_blank(value: object) -> bool:
    """Tell whether a single value is null, a blank text or empty."""
    return tidy(value) is None if isinstance(value, str) else value is None or value in ({}, [])


def validity(item: Json) -> tuple[bool | None, str | None]:
    """Return ``erGjeldende`` and ``gyldighetstidspunkt`` of an entry."""
    return flag(item, "erGjeldende"), text(item, "gyldighetstidspunkt")
