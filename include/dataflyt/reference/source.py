"""What the registers of schools, subjects and kommuner have in common: how one is described, asked and read."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeAlias

import orjson

from dataflyt.registers.answers import parsed
from dataflyt.registers.register import Register

MOST_ROWS = 200_000
"""An answer with more rows is refused. NSR has some 19 000 units, the others have fewer entries."""

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True)
class Source:
    """A register that is open to all.

    ``who``: its name in sentences. ``address``: its public address. ``table`` and ``columns``: where its rows go in the
    schema ``reference``, the key first. ``read(register, day)``: asks and yields the rows, and None for an entry in a
    form that we do not know. ``compared``: in Norwegian, which of a kommune's data are compared with the register.
    """

    who: str
    address: str
    table: str
    columns: tuple[str, ...]
    read: Callable[[Register, date], Iterator[Row | None]]
    compared: str


def ask(register: Register, path: str, shape: Callable[[Any], bool]) -> Any:
    """Return a JSON answer for which ``shape`` is true. Raises the errors of ``registers.http``."""
    return orjson.loads(register.get(path, shape=parsed(shape)).content.removeprefix(b"\xef\xbb\xbf"))


def digits(value: object, length: int) -> object:
    """Return a JSON number as text with its leading zeros, and any other value as it is."""
    return str(value).zfill(length) if isinstance(value, int) and not isinstance(value, bool) else value


def matches(pattern: str, value: object) -> bool:
    """Tell whether a value is a text that the whole pattern matches."""
    return isinstance(value, str) and re.fullmatch(pattern, value) is not None


def clean_text(value: object) -> str | None:
    """Return a text without NUL and double blanks, at most 200 letters, as the warehouse holds it; None for no text."""
    return " ".join(value.replace("\0", " ").split())[:200] if isinstance(value, str) else None
