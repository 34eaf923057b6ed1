"""The sources, a folder each: ``client.py`` asks and lands, ``rows.py`` reads, ``checks.py`` has its suites."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, TypeAlias

Row: TypeAlias = NamedTuple
"""A row of one of a source's tables: a NamedTuple whose fields are ``str | None``, ``bool | None``,
``int | None`` or ``float | None``. Dates and times stay text (ISO 8601), as the source wrote them when unreadable."""

Reader: TypeAlias = Callable[[BinaryIO], Iterator[tuple]]  # type: ignore[type-arg]
"""A format's reader: a stream of raw bytes in, rows of the source's tables out, in the order they stand."""


@dataclass(frozen=True)
class Table:
    """A table that a source yields.

    ``name`` is its name within the source (``navn``; in the warehouse ``freg_navn``), ``row`` its NamedTuple.
    ``key`` are the fields that tell one row from another, ``subject`` the field whose value was asked about:
    a row is only taken as gone when its subject was answered for and has no row of that table in quarantine.
    ``hashed`` fields are kept in history as keyed hashes only. ``whole``: every extract has all its rows, also where a
    register is asked person by person; what an extract has not is gone. ``begins``: with a row of it begins a document
    about its subject, to which the rows that follow belong.
    """

    name: str
    row: type
    key: tuple[str, ...]
    subject: str
    hashed: tuple[str, ...] = ()
    whole: bool = False
    begins: bool = False
