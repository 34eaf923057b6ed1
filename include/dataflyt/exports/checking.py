"""Open a file for a check. Every check refuses an unreadable file with the same sentence."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from dataflyt.errors import Unreadable, why_refused
from dataflyt.exports.model import Finding, Openable


def findings_in(path: Openable, walk: Callable[[BinaryIO], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what ``walk`` finds in the file; raise Unreadable when it cannot be opened or read."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Unreadable(f"Filen kan ikke åpnes ({why_refused(error)}).") from None
    with file:
        try:
            yield from walk(file)
        except OSError as error:
            raise Unreadable(f"Filen kan ikke leses ({why_refused(error)}).") from None
