"""Nasjonalt skoleregister (NSR) v4, Udir: all schools and other units.

No official description of v4 was seen. The fields are those that public clients use.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from dataflyt.errors import SourceUnavailable
from dataflyt.formats.json_values import flag
from dataflyt.reference.source import MOST_ROWS, Row, Source, ask, clean_text, digits, matches
from dataflyt.registers.register import Register

_PER_PAGE = 1000
_FEW_MISSING_PERCENT = 1


def _schools(nsr: Register, _: date) -> Iterator[Row | None]:
    """Yield all units. Read them once more when there are fewer than NSR says there are.

    When a few are missing both times, NSR's total is taken to be ahead of its list. Raises SourceUnavailable for more.
    """
    before = None
    for _again in range(2):
        rows, missing = _all_schools(nsr)
        if not missing or (missing == before and missing < len(rows) * _FEW_MISSING_PERCENT / 100):
            yield from rows
            return
        before = missing
    raise SourceUnavailable(f"{nsr.who} ga ikke alle enhetene: Dataflyt prøver igjen.", missing=before)


def _all_schools(nsr: Register) -> tuple[list[Row | None], int]:
    """Return the units of all pages, and how many units of NSR's total were on no page.

    A list that changes while it is read moves units from one page to another.
    """
    number, pages, total = 1, 1, 0
    rows: list[Row | None] = []
    while number <= min(pages, MOST_ROWS // _PER_PAGE):
        page = ask(
            nsr,
            f"/v4/enheter?sidenummer={number}&antallperside={_PER_PAGE}",
            lambda body, number=number: (  # type: ignore[misc]
                isinstance(body, dict)
                and body.get("Sidenummer") == number
                and isinstance(body.get("EnhetListe"), list)
                and isinstance(body.get("AntallSider"), int)
                and isinstance(body.get("TotaltAntallEnheter"), int)
            ),
        )
        pages, total = page["AntallSider"], max(total, page["TotaltAntallEnheter"])
        rows += map(_school, page["EnhetListe"])
        if len(rows) > MOST_ROWS:
            break
        number += 1
    return rows, max(total - len({row[0] for row in rows if row}) - rows.count(None), 0)


def _school(entry: Any) -> Row | None:
    given = entry if isinstance(entry, dict) else {}
    orgnr, active = digits(given.get("Organisasjonsnummer"), 9), flag(given, "ErAktiv")
    if not matches(r"[0-9]{9}", orgnr) or active is None:
        return None
    return orgnr, clean_text(given.get("Navn")), clean_text(digits(given.get("Kommunenummer"), 4)), active


SOURCE = Source(
    "Nasjonalt skoleregister (NSR)",
    "https://data-nsr.udir.no",
    "school",
    ("orgnr", "name", "kommunenummer", "active"),
    _schools,
    "skolenes organisasjonsnumre",
)
