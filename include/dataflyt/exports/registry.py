"""The exports by the name that a kommune file gives them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from dataflyt.exports import feide_ldif, pifu
from dataflyt.formats import feide


class Export(NamedTuple):
    """How an export is written and checked, and the name of its file."""

    write: Callable[..., Any]
    check: Callable[..., Iterator[feide.Finding]]
    file: str


EXPORTS = {
    "feide_ldif": Export(feide_ldif.write, feide.check, "feide.ldif"),
    "pifu": Export(pifu.write, pifu.check, "pifu.xml"),
}
