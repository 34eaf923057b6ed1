"""Klass 131, SSB: the kommuner that exist on a day.

The fields ``code`` and ``name`` are those that public clients use.
"""

from collections.abc import Iterator
from datetime import date

from dataflyt.reference.source import Row, Source, ask, clean_text, digits, matches
from dataflyt.registers.register import Register


def _kommuner(klass: Register, day: date) -> Iterator[Row | None]:
    answer = ask(
        klass,
        f"/classifications/131/codesAt?date={day}&language=nb",
        lambda body: isinstance(body, dict) and isinstance(body.get("codes"), list),
    )
    for entry in answer["codes"]:
        given = entry if isinstance(entry, dict) else {}
        number = digits(given.get("code"), 4)
        if number != "9999":  # «Uoppgitt»
            yield (number, clean_text(given.get("name"))) if matches("[0-9]{4}", number) else None


SOURCE = Source(
    "SSBs kommuneliste (Klass 131)",
    "https://data.ssb.no/api/klass/v1",
    "kommune",
    ("kommunenummer", "name"),
    _kommuner,
    "kommunenummeret",
)
