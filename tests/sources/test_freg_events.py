"""FREG's event list: events that may take away are read, the others are skipped, and the list must go forward."""

import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dataflyt.config.connections import Connection
from dataflyt.errors import Unreadable
from dataflyt.registers.settings import Settings
from dataflyt.sources.freg.events import EventList, read

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


class _List(BaseHTTPRequestHandler):
    """An event list of one page, which then answers ``server.end``."""

    def do_POST(self) -> None:
        self._answer(200, b'{"access_token": "t", "expires_in": 599}')

    def do_GET(self) -> None:
        if self.path.endswith("/siste/sekvensnummer"):
            self._answer(200, str(self.server.last).encode())  # type: ignore[attr-defined]
        elif int(self.path.rpartition("=")[2]) <= FIRST:
            self._answer(200, b"\xef\xbb\xbf" + _page("personErDoed"))
        else:
            self._answer(*self.server.end)  # type: ignore[attr-defined]

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[ThreadingHTTPServer, Connection]]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
    with ThreadingHTTPServer(("127.0.0.1", 0), _List) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        extra = {"token_endpoint": f"{url}/token", "issuer": "x/", "kid": "k", "scope": "s"}
        yield server, Connection("freg_events", url, "client", pem, extra)
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("end", [(200, b"[]"), (200, b"{}"), (200, b""), (204, b""), (404, b'{"code": "FREG-1"}')])
def test_whatever_stands_at_the_end_of_the_list_it_is_read_to_its_end_and_nothing_is_passed_over(
    served: tuple[ThreadingHTTPServer, Connection], end: tuple[int, bytes]
) -> None:
    server, connection = served
    server.end, server.last = end, FIRST  # type: ignore[attr-defined]
    with EventList(connection, Settings(attempts=1)) as event_list:
        assert [page.events for page in event_list.pages(FIRST, None)] == [1, 0]
        # The list's newest number is ahead of its events. That is the end too, and later events are read from there.
        server.last = FIRST + 5000  # type: ignore[attr-defined]
        *_, last = event_list.pages(FIRST, None)
        assert (last.events, last.next_seq, last.etag, last.ahead) == (0, FIRST + 1, None, True)
        assert event_list.end() == FIRST + 1
        server.last = FIRST  # type: ignore[attr-defined]
        assert event_list.end() == FIRST + 1
