"""Open a file to check it or to read it back. An unreadable file is refused with the same sentence everywhere."""

from collections.abc import Callable, Iterator
from typing import BinaryIO, TypeVar

from dataflyt.errors import Unreadable, why_refused
from dataflyt.exports.model import Openable

One = TypeVar("One")


def walked(path: Openable, walk: Callable[[BinaryIO], Iterator[One]]) -> Iterator[One]:
    """Yield what ``walk`` yields from the file; raise Unreadable when it cannot be opened or read."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unreadable(f"Filen kan ikke åpnes ({why_refused(error)}).") from None
    with file:
        try:
            yield from walk(file)
        except OSError as error:
            raise Unreadable(f"Filen kan ikke leses ({why_refused(error)}).") from None
