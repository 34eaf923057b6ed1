"""FREG's event list, read: what may take away is told, what cannot is passed over, and the list must go forward."""

import os
from pathlib import Path

import orjson
import pytest

from dataflyt.errors import Unreadable
from dataflyt.sources.freg.events import read

FIRST = 10


def _page(*kinds: str | None, first: int = FIRST) -> bytes:
    return orjson.dumps(
        [
            {
                "sekvensnummer": first + 3 * place,
                "hendelse": {"folkeregisteridentifikator": f"{place:011d}", "hendelsetype": kind},
            }
            for place, kind in enumerate(kinds)
        ]
    )


def test_what_protects_ends_or_is_unknown_is_urgent_and_what_gives_or_only_changes_is_not() -> None:
    urgent = [
        *("endringIAdressebeskyttelse", "endringIForeldreansvar", "personErDoed", "endringIDoedsfall"),
        *("endringIIdentifikasjonsnummer", "personErOpphoertSomDublett", "personErEndretVedSplitting"),
        *("personErOppdatert", "endringIStatus", "endringINoeNytt", None),
    ]
    later = ["endringINavn", "endringIIdentitetsgrunnlag", "endringIBostedsadresse", "personErOpprettet"]
    page = read(_page(*urgent, *later), FIRST, '"tag"')
    assert [number for number, _ in page.urgent] == [f"{place:011d}" for place in range(len(urgent))]
    assert page.events == len(urgent) + len(later)
    # Numbers are missing in the sequence; the ETag of a page in mid-list is of no use.
    assert (page.next_seq, page.etag) == (FIRST + 3 * (page.events - 1) + 1, None)


def test_the_end_of_the_list_is_remembered_by_its_tag() -> None:
    page = read(b"[]", FIRST, '"tag"')
    assert (page.events, page.urgent, page.next_seq, page.etag) == (0, [], FIRST, '"tag"')


@pytest.mark.parametrize(
    "content",
    [
        _page("personErDoed", first=FIRST - 1),
        b'[{"sekvensnummer": "11", "hendelse": {}}]',
        b'[{"sekvensnummer": true, "hendelse": {}}]',
        b'[{"hendelse": {"hendelsetype": "personErDoed"}}]',
        b'["11"]',
        b'[{"sekvensnummer": 11, "hendelse": null}]',
    ],
)
def test_a_list_that_cannot_be_followed_is_one_sentence(content: bytes) -> None:
    with pytest.raises(Unreadable, match="dataingeniør"):
        read(content, FIRST, None)


@pytest.mark.skipif("DATAFLYT_REFERENCE" not in os.environ, reason="DATAFLYT_REFERENCE is not set")
def test_skatteetatens_own_page_is_read() -> None:
    content = (Path(os.environ["DATAFLYT_REFERENCE"]) / "freg" / "feed.json").read_bytes()
    page = read(content, 1, None)
    assert (page.events, page.urgent, page.next_seq) == (2, [], 3)
