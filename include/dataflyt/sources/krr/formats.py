"""The formats of KRR's answers, by name: ``personer`` is Digdir's, ``fiks`` is KS Fiks'."""

import io

from dataflyt.sources import Reader
from dataflyt.sources.krr import fiks, personer
from dataflyt.sources.krr.rows import Contact

FORMATS: dict[str, Reader] = {"personer": personer.read, "fiks": fiks.read}


def named(content: bytes, format: str) -> set[str]:
    """Return the numbers that an answer says something about. Raises Unreadable."""
    return {row.personidentifikator for row in FORMATS[format](io.BytesIO(content)) if isinstance(row, Contact)}
