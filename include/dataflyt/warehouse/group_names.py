"""Names of groups that anybody may see: a group's name is free text in the school system, and may hold a person's."""

import re

from dataflyt.formats.feide import CODE

_PLAIN_CLASS = re.compile(r"[0-9]{1,2} ?[A-Za-zÆØÅæøå]?")
_GREP = re.compile(CODE)


def open_name(name: str | None) -> str | None:
    """Return a name that cannot hold a person's (7B); None for any other."""
    return name if name and _PLAIN_CLASS.fullmatch(name) else None


def open_code(code: str | None) -> str | None:
    """Return a subject code in Grep's form (MAT0006); None for any other text."""
    return code if code and _GREP.fullmatch(code) else None
