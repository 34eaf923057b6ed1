"""The sources, a folder each, laid out alike.

client.py     ``extract`` asks a register or looks for a file, and lands what it gets
rows.py       the tables: a row type each, and ``TABLES``
<format>.py   ``read``: the bytes of a landed page in, rows out; pure
formats.py    ``FORMATS``: the readers by the formats' names
checks.py     ``RULES``: the quality rules of the tables, as data
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, BinaryIO, NamedTuple, TypeAlias

Row: TypeAlias = NamedTuple
"""A row of one of a source's tables: a NamedTuple whose fields are ``str | None``, ``bool | None``,
``int | None`` or ``float | None``. Dates and times stay text (ISO 8601); unreadable ones stay as the source wrote
them."""

Reader: TypeAlias = Callable[[BinaryIO], Iterator[tuple]]  # type: ignore[type-arg]
"""A format's reader: a stream of raw bytes in, rows of the source's tables out, in the order of the file."""


@dataclass(frozen=True)
class Table:
    """A table that a source yields.

    ``name`` is its name within the source (``navn``; in the warehouse ``freg_navn``), ``row`` its NamedTuple.
    ``key`` are the fields that tell one row from another. ``subject`` is the field whose value was asked about. A row
    counts as gone only if its subject was answered for and has no row of that table in quarantine. ``hashed`` fields
    are kept in history as keyed hashes only. ``whole``: every extract has all rows of the table, even if a register is
    asked person by person; a missing row is gone. ``begins``: a row of the table begins a document about its subject,
    and the rows that follow belong to that document.
    """

    name: str
    row: type
    key: tuple[str, ...]
    subject: str
    hashed: tuple[str, ...] = ()
    whole: bool = False
    begins: bool = False


def readers(package: str, formats: Iterable[str]) -> dict[str, Any]:
    """Return the reader of each format: the function ``read`` of the module in ``package`` with the format's name."""
    return {name: import_module(f"{package}.{name}").read for name in formats}
