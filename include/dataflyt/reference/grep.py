"""Grep, Udir: the subject codes of the national curriculum, and which of them are in use.

Public clients show that Grep gives all codes in one list.
"""

from collections.abc import Iterator
from datetime import date

from dataflyt.reference.source import Row, Source, ask, matches
from dataflyt.registers.register import Register


def _subjects(grep: Register, _: date) -> Iterator[Row | None]:
    for entry in ask(grep, "/fagkoder", lambda body: isinstance(body, list)):
        given = entry if isinstance(entry, dict) else {}
        code, status = given.get("kode"), given.get("status")
        yield (code, not str(status).endswith("status_utgaatt")) if matches(r"\S{1,40}", code) else None


SOURCE = Source(
    "Grep",
    "https://data.udir.no/kl06/v201906",
    "subject",
    ("code", "active"),
    _subjects,
    "gruppenes fagkoder",
)
