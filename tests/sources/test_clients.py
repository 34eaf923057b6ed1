"""The clients of FREG and KRR, against a real server with every fault of a register."""

import gzip
import json
import logging
import socket
import struct
import threading
import time
import zlib
from collections import Counter, deque
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, DataflytError, SourceRefused, SourceUnavailable, Unreadable
from dataflyt.registers.paging import unanswered
from dataflyt.registers.settings import Settings
from dataflyt.sources.krr import formats as krr_formats
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import Page
from tests.sources.extracting import ask_freg, ask_krr

QUICK = Settings(
    connect_timeout=1,
    read_timeout=0.8,
    answer_timeout=1.2,
    attempts=3,
    first_wait=0.01,
    longest_wait=0.5,
    longest_answer=200_000,
)
PARTS = ("navn", "foreldreansvar")


def numbers(count, start=0):
    return [f"{15831400000 + start + index}" for index in range(count)]


class Server(ThreadingHTTPServer):
    """Maskinporten, FREG and KRR in one. Each request meets the next of ``faults``, until there are none left."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.faults = deque()
        self.forgotten = set()
        self.asked = []
        self.answers = []
        self.queries = []
        self.headers = []
        self.tokens = 0
        self.times = []

    def handle_error(self, *_):
        pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        parts = urlsplit(self.path)
        if parts.path == "/token":
            self.server.tokens += 1
            return self.answer(200, json.dumps({"access_token": f"t{self.server.tokens}", "expires_in": 599}).encode())
        self.server.times.append(time.monotonic())
        self.server.queries.append(parse_qs(parts.query))
        self.server.headers.append(dict(self.headers))
        if self.server.faults:
            return self.server.faults.popleft()(self)
        ((key, asked),) = json.loads(raw).items()
        self.server.asked.append(asked)
        name = {
            "/freg/v1/personer/bulkoppslag": ("foedselsEllerDNummer", "oppslag", "foedselsEllerDNummer"),
            "/rest/v2/personer": ("personidentifikatorer", "personer", "personidentifikator"),
        }[parts.path]
        assert key == name[0]
        found = [{name[2]: number} for number in asked if number not in self.server.forgotten]
        body = json.dumps({name[1]: found}, indent=1).encode()
        self.server.answers.append(body)
        return self.answer(200, body)

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def says(status, body=b"", **headers):
    return lambda handler: handler.answer(status, body, **headers)


def resets(handler):
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True
    handler.connection.close()
    handler.wfile = handler.rfile


def stalls(handler):
    time.sleep(1.0)
    handler.close_connection = True


def drips(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    for _ in range(16):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)
    handler.close_connection = True


def never_done(begins, again):
    """Send ``first``, then more at once and every 50 ms, as long as anybody listens and for 2 s at most."""

    def behave(handler):
        handler.close_connection = True
        handler.wfile.write(begins)
        for _ in range(40):
            handler.wfile.write(again)
            time.sleep(0.05)

    return behave


OK = b"HTTP/1.1 200 OK\r\n"
NEVER_DONE = {
    "headers": never_done(OK + b"X: ", b"y"),
    "processing": never_done(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "trailers": never_done(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"y"),
    "empty-members": never_done(OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b"")),
    "empty-blocks": never_done(
        OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10], b"\x00\x00\x00\xff\xff"
    ),
}


def breaks_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"oppslag": [')
    handler.close_connection = True


HTML = b"\n<html><body>The requested URL was rejected. Your support ID is: 471100815</body></html>"
TRUNCATED = b'{"oppslag": [{"foedselsEllerDNummer": "158314'


@pytest.fixture(scope="module")
def pem():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def connection(server, pem):
    extra = {
        "token_endpoint": f"{server.url}/token",
        "issuer": "x/",
        "kid": "k",
        "scope": "s",
        "contact": "drift@haugesund.kommune.no",
    }
    return Connection("freg_haugesund", f"{server.url}/freg", "client", pem, extra)


@pytest.fixture
def landing(tmp_path):
    return Landing(tmp_path / "freg")


@pytest.fixture
def ask(connection, landing):
    def ask(wanted=(), settings=QUICK, **more):
        ask_freg(connection, wanted, PARTS, landing, "1-pupils", settings=settings, **more)

    return ask


def connection_of(connection, server):
    """Return a connection to KRR, whose paths begin at the host."""
    return Connection("krr_haugesund", f"{server.url}/", connection.login, connection.password, connection.extra)


def landed(landing, name):
    with landing.open(name) as stream:
        return stream.read()


def test_pages_of_a_thousand_are_landed_byte_by_byte(server, ask, landing):
    seen = []
    ask([*numbers(2500), *numbers(3)], Settings(), progress=lambda done, total: seen.append((done, total)))
    assert [len(page) for page in server.asked] == [1000, 1000, 500]
    assert landing.names() == [f"1-pupils-{page:05d}.{kind}" for page in (1, 2, 3) for kind in ("json", "request.json")]
    assert [landed(landing, f"1-pupils-{page:05d}.json") for page in (1, 2, 3)] == server.answers
    assert json.loads(landed(landing, "1-pupils-00003.request.json")) == {"foedselsEllerDNummer": numbers(500, 2000)}
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert server.queries[0] == {"part": list(PARTS)}
    assert server.tokens == 1


def test_the_question_says_json_and_who_we_are(server, ask):
    ask(numbers(1))
    headers = server.headers[0]
    assert headers["Accept"] == headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("dataflyt/")
    assert "drift@haugesund.kommune.no" in headers["User-Agent"]
    assert headers["Authorization"] == "Bearer t1"


def test_krr_is_asked_its_own_way(server, connection, landing):
    ask_krr(connection_of(connection, server), numbers(2), landing, settings=QUICK)
    assert landing.names() == ["krr-00001.json", "krr-00001.request.json"]
    assert json.loads(landed(landing, "krr-00001.request.json")) == {"personidentifikatorer": numbers(2)}


def test_nobody_to_ask_about_is_no_question(server, ask, landing):
    ask([])
    assert server.tokens == 0
    assert landing.names() == []


def test_an_extraction_that_died_goes_on_and_asks_nothing_twice(server, ask, landing):
    def fails(done, _):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(numbers(3500), Settings(), progress=fails)
    assert len(server.asked) == 2
    seen = []
    ask([*numbers(3500), *numbers(5, 9000)], Settings(), progress=lambda done, total: seen.append((done, total)))
    asked = Counter(number for page in server.asked for number in page)
    assert set(asked) == {*numbers(3500), *numbers(5, 9000)}
    assert set(asked.values()) == {1}
    assert seen == [(2, 5), (3, 5), (4, 5), (5, 5)]
    ask(numbers(3500))
    assert len(server.asked) == 5


def test_who_is_in_no_answer_is_asked_about_once_more_and_counted(server, connection, landing):
    server.forgotten = {*numbers(3, 998)}
    left_out = ask_krr(connection_of(connection, server), numbers(1500), landing, settings=QUICK)
    assert [len(page) for page in server.asked] == [1000, 500, 3]
    assert left_out == 3
    assert landing.names()[:2] == ["krr-00001.json", "krr-00001.request.json"]
    assert unanswered(landing, Page("krr", 1, again=True), partial(krr_formats.named, format="personer")) == numbers(
        3, 998
    )
    assert ask_krr(connection_of(connection, server), numbers(1500), landing, settings=QUICK) == 3
    assert len(server.asked) == 3


def test_when_many_are_left_out_twice_that_answer_is_not_taken(server, connection, landing):
    server.forgotten = {*numbers(50)}
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="svarte bare for noen av dem vi spurte om"):
            ask_krr(connection_of(connection, server), numbers(100), landing, settings=QUICK)
    assert [len(page) for page in server.asked] == [100, 50, 50]
    assert "krr-again-00001.json" not in landing.names()
    server.forgotten = set()
    assert ask_krr(connection_of(connection, server), numbers(100), landing, settings=QUICK) == 0
    assert [len(page) for page in server.asked] == [100, 50, 50, 50]


def test_the_phases_of_a_source_do_not_meet(server, connection, landing):
    ask_freg(connection, numbers(2), PARTS, landing, "1-pupils", settings=QUICK)
    ask_freg(connection, numbers(1), PARTS, landing, "2-guardians", settings=QUICK)
    assert server.asked == [numbers(2), numbers(1)]


@pytest.mark.parametrize(
    "fault",
    [
        says(429, Retry_After="20"),
        says(429, Retry_After="nonsense"),
        says(500, b"oops"),
        says(503, HTML),
        says(408),
        resets,
        stalls,
        drips,
        breaks_off,
        says(200, TRUNCATED),
        says(200, HTML),
        says(200, b"[]"),
        says(200, b'{"kode": "FREG-001"}'),
        says(200, b'{"oppslag": []}', Content_Encoding="gzip"),
    ],
    ids=[
        "429-ms", "429-nonsense", "500", "503", "408", "reset", "stall", "drip", "broken-off", "truncated", "html",
        "list", "no-list", "not-gzip",
    ],
)  # fmt: skip
def test_a_passing_fault_is_tried_again(server, ask, landing, fault):
    server.faults.append(fault)
    ask(numbers(2))
    assert server.asked == [numbers(2)]
    assert landed(landing, "1-pupils-00001.json") == server.answers[0]


@pytest.mark.parametrize(
    "fault",
    [says(429), says(502, HTML), resets, says(200, TRUNCATED), says(200, HTML)],
    ids=["429", "502", "reset", "truncated", "html"],
)
def test_a_lasting_fault_fails_without_landing_it(server, ask, landing, fault, caplog):
    caplog.set_level(logging.DEBUG)
    server.faults.extend([fault] * 3)
    with pytest.raises(SourceUnavailable, match=r"^Folkeregisteret .*: Dataflyt prøver igjen\.$") as caught:
        ask(numbers(2))
    assert landing.names() == ["1-pupils-00001.request.json"]
    said = repr(caught.value) + str(caught.value.facts) + caplog.text
    for hidden in (*numbers(2), "471100815", "bulkoppslag", "part="):
        assert hidden not in said
    ask(numbers(2))
    assert len(server.times) == 4


def test_retry_after_of_freg_is_in_milliseconds(server, ask):
    server.faults.append(says(429, Retry_After="300"))
    ask(numbers(1))
    waited = server.times[1] - server.times[0]
    assert 0.29 < waited < 5


def test_retry_after_may_be_a_time_of_day(server, ask):
    server.faults.append(says(429, Retry_After="Fri, 31 Dec 2099 23:59:59 GMT"))
    ask(numbers(1), replace(QUICK, longest_wait=0.3))
    assert 0.29 < server.times[1] - server.times[0] < 5


def test_a_byte_order_mark_hurts_no_answer(server, ask, landing, monkeypatch):
    plain = Handler.answer
    mark = b"\xef\xbb\xbf"
    monkeypatch.setattr(Handler, "answer", lambda self, status, body, **more: plain(self, status, mark + body, **more))
    ask(numbers(1))
    assert landed(landing, "1-pupils-00001.json").startswith(mark)


def test_a_very_long_retry_after_is_cut(server, ask):
    server.faults.append(says(429, Retry_After="99999999"))
    ask(numbers(1))
    assert server.times[1] - server.times[0] < 5


def test_a_rejected_token_is_renewed_once(server, ask):
    server.faults.append(says(401))
    ask(numbers(1))
    assert [headers["Authorization"] for headers in server.headers] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ([says(400, b'{"kode": "FREG-001", "melding": "15831400000"}')], "(HTTP 400, FREG-001): meld fra til"),
        ([says(401), says(401)], "(HTTP 401): rett scope eller miljø i tilkoblingen freg_haugesund"),
        (
            [says(403, b'{"kode": "15831400000"}')],
            "(HTTP 403): den som forvalter freg_haugesund, må skaffe rettigheten",
        ),
        ([says(403, HTML)], "En brannmur avviste forespørselen til Folkeregisteret (HTTP 403)"),
        ([says(404)], "(HTTP 404): rett adressen."),
        ([says(302, Location="http://127.0.0.1:1/")], "(HTTP 302): rett adressen."),
        ([says(418)], "(HTTP 418): meld fra til"),
        ([says(407)], "Proxyen krever innlogging, så Folkeregisteret er ikke spurt: skriv HTTP_PROXY som http://"),
    ],
)
def test_a_refusal_is_not_tried_again_and_says_who_must_act(server, ask, landing, faults, expected, caplog):
    caplog.set_level(logging.DEBUG)
    server.faults.extend(faults)
    with pytest.raises(SourceRefused) as caught:
        ask(numbers(2))
    assert expected in caught.value.sentence
    assert len(server.times) == len(faults)
    assert landing.names() == ["1-pupils-00001.request.json"]
    for hidden in ("15831400000", "471100815"):
        assert hidden not in caught.value.sentence + str(caught.value.facts) + caplog.text


def test_a_compressed_answer_is_landed_unpacked(server, ask, landing):
    body = b'{"oppslag": [ {"foedselsEllerDNummer": "%s", "a": "\xc3\xb8"} ]}\n' % numbers(1)[0].encode()
    server.faults.append(says(200, gzip.compress(body), Content_Encoding="gzip"))
    ask(numbers(1))
    assert landed(landing, "1-pupils-00001.json") == body


@pytest.mark.parametrize("fault", NEVER_DONE)
def test_however_an_answer_is_dragged_out_it_takes_no_longer_than_allowed(server, ask, fault):
    server.faults.append(NEVER_DONE[fault])
    began = time.monotonic()
    with pytest.raises(SourceUnavailable, match=r"^Folkeregisteret svarte ikke i tide"):
        ask(numbers(1), replace(QUICK, answer_timeout=0.3, attempts=1))
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("called", ["gzip", "x-gzip", "GZIP, identity"])
def test_an_answer_packed_in_several_members_is_whole(server, ask, landing, called):
    body = json.dumps({"oppslag": [{"foedselsEllerDNummer": numbers(1)[0]}]}, indent=1).encode()
    packed = b"".join(gzip.compress(part) for part in (body[:20], b"", body[20:])) + b"\0" * 8
    server.faults.append(says(200, packed, Content_Encoding=called))
    ask(numbers(1))
    assert landed(landing, "1-pupils-00001.json") == body


def test_an_answer_without_end_is_not_taken(server, ask, landing):
    bomb = zlib.compress(b'{"oppslag": [' + b" " * 3_000_000 + b"]}")
    server.faults.append(says(200, bomb, Content_Encoding="deflate"))
    with pytest.raises(Unreadable, match="større enn Dataflyt tar imot"):
        ask(numbers(1))
    assert landing.names() == ["1-pupils-00001.request.json"]


def test_an_answer_packed_in_layers_is_not_unpacked(server, ask, landing):
    bomb = gzip.compress(gzip.compress(b" " * 10_000_000))
    server.faults.append(says(200, bomb, Content_Encoding="gzip, gzip"))
    with pytest.raises(Unreadable, match="pakket svaret på en måte vi ikke ba om"):
        ask(numbers(1))
    assert server.headers[0]["Accept-Encoding"] == "gzip, deflate"
    assert landing.names() == ["1-pupils-00001.request.json"]


def test_one_object_stands_for_a_list_of_one_and_a_number_for_its_digits(server, ask, landing):
    body = b'{"oppsl\\u0061g": {"foedselsEllerDNummer": %b}}' % numbers(1)[0].encode()
    server.faults.append(says(200, body))
    ask(numbers(1))
    assert (landed(landing, "1-pupils-00001.json"), len(server.times)) == (body, 1)


def test_a_server_that_is_not_there_is_unavailable(connection, landing):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    nowhere = Connection("x", f"http://127.0.0.1:{port}", connection.login, connection.password, connection.extra)
    with pytest.raises(SourceUnavailable):
        ask_freg(nowhere, numbers(1), PARTS, landing, "p", settings=QUICK)


@pytest.mark.parametrize("url", ["http://freg.example.no/api", "freg.example.no", "", "ftp://x", "http://[broken"])
def test_numbers_are_never_sent_in_clear_over_a_network(connection, landing, url):
    with pytest.raises(ConfigError, match="https://"):
        ask_freg(Connection("x", url, "c", "p", connection.extra), numbers(1), PARTS, landing, "p")


def test_without_parts_nothing_is_asked(connection, landing):
    with pytest.raises(ValueError, match="part"):
        ask_freg(connection, numbers(1), (), landing, "p")


def test_what_is_no_number_is_not_sent_and_not_repeated(server, ask):
    with pytest.raises(ValueError, match="eleven digits") as caught:
        ask(["Kari Nordmann"])
    assert "Kari" not in str(caught.value)
    assert server.asked == []


def test_no_url_number_or_token_is_logged(server, ask, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.DEBUG)
    try:
        server.faults.append(says(500))
        ask(numbers(3))
    finally:
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)
    for hidden in (*numbers(3), "bulkoppslag", "Bearer", "part="):
        assert hidden not in caplog.text


def test_errors_do_not_carry_the_question_along(server, ask):
    server.faults.extend([resets] * 3)
    with pytest.raises(DataflytError) as caught:
        ask(numbers(1))
    chain, error = [], caught.value
    while error is not None:
        chain.append(type(error).__module__)
        error = error.__cause__ or error.__context__
    assert not [module for module in chain if module.startswith("http")]
