"""The formats of an HR file, by the names that a kommune file gives them."""

from collections.abc import Container, Iterator, Mapping
from typing import Any, BinaryIO, Protocol

from dataflyt.config import formats
from dataflyt.sources import readers


class HrReader(Protocol):
    """A reader that is also given the kommune file's ``employment_types`` and ``protected`` (``values``)."""

    def __call__(
        self,
        stream: BinaryIO,
        employment_types: Mapping[str, str] = ...,
        protected: Mapping[str, Container[str]] = ...,
    ) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a file. Raises Unreadable."""


FORMATS: dict[str, HrReader] = readers(__package__, formats.HR)
