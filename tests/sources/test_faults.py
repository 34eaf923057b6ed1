"""Each of the simulator's faults over real HTTP: the extract's behaviour, and its sentence when it gives up.

After every fault, no landed page is lost, no answered question is asked again after a restart, and everybody who was
asked about is in an answer in the end or counted as left out.
"""

import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from datetime import date

import httpx
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, DataflytError, SourceRefused, SourceUnavailable, Unreadable
from dataflyt.registers import limits, paging
from dataflyt.registers.settings import Settings
from dataflyt.sources.freg import bulk
from dataflyt.storage import newest_file
from dataflyt.storage.landing import Landing
from dataflyt.storage.newest_file import land_newest
from simulator.faults import FAULTS, Switches
from simulator.server import create_app
from simulator.world import build
from tests.sources.extracting import ask_freg, ask_krr

PAGE = 40
QUICK = Settings(
    connect_timeout=2,
    read_timeout=0.5,
    answer_timeout=10,
    attempts=3,
    first_wait=0.01,
    longest_wait=0.4,
    longest_answer=8 * 1024 * 1024,
    max_per_second=10_000,
)
UNAVAILABLE = r"^Folkeregisteret .*: Dataflyt prøver igjen\.$"


class Register:
    """The simulator in a thread, with its faults. Moving ``now`` makes our clock wrong."""

    def __init__(self):
        self.world = build("1106", 1, date(2026, 11, 23))
        self.faults = Switches()
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        app = create_app(self.world, self.url, key.public_key(), None, "client", faults=self.faults)
        config = uvicorn.Config(app, log_level="critical", access_log=False, date_header=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([listening],), daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def numbers(self, count):
        return [person.number for person in self.world.persons.values()][:count]

    def connection(self, source, **extra):
        scope = {"freg": "folkeregister:deling/offentligmedhjemmel", "krr": "krr:global/kontaktinformasjon.read"}[
            source
        ]
        path = {"freg": "/folkeregisteret/offentlig-med-hjemmel/api", "krr": ""}[source]
        register = {"token_endpoint": f"{self.url}/token", "issuer": f"{self.url}/", "kid": "k", "scope": scope}
        # The connection has a name of its own, since tokens are cached by name.
        return Connection(f"{source}_{time.monotonic_ns()}", self.url + path, "client", self.pem, register | extra)


@pytest.fixture(scope="module")
def running():
    register = Register()
    yield register
    register.server.should_exit = True
    register.thread.join(10)


@pytest.fixture
def register(running, monkeypatch):
    monkeypatch.setattr(paging, "PER_PAGE", PAGE)
    running.faults.clear()
    yield running
    running.faults.clear()


@pytest.fixture
def landing(tmp_path):
    return Landing(tmp_path / "freg")


def landed(landing):
    """Landed answers by name."""
    found = {}
    for name in landing.names():
        if not name.endswith(".request.json"):
            with landing.open(name) as page:
                found[name] = page.read()
    return found


def answered_for(landing):
    return {entry["foedselsEllerDNummer"] for page in landed(landing).values() for entry in json.loads(page)["oppslag"]}


def ask(register, landing, count=3 * PAGE, connection=None, settings=QUICK):
    connection = connection or register.connection("freg")
    return ask_freg(connection, register.numbers(count), ["navn"], landing, "1-pupils", settings=settings)


def questions(register, path="freg"):
    """Return the question and the fault of each request to a path."""
    return [(asked["question"], asked["fault"]) for asked in register.faults.requests if asked["path"] == path]


# Faults that pass: the number of requests for three pages, and how many of them met the fault.
PASSES = {
    "429": 4,
    "500": 4,
    "502": 4,
    "503": 4,
    "stall": 4,
    "reset": 4,
    "truncated": 4,
    "html_200": 4,
    "empty": 4,  # everybody on that page is asked about once more
    "few": 4,
    "half": 4,
    "duplicate_page": 4,
    "out_of_order": 3,
    "expired_token": 4,
    "content_type": 3,
    "unknown_values": 3,
}


@pytest.mark.parametrize("fault", PASSES)
def test_what_passes_loses_nobody_and_nothing_is_asked_twice(register, landing, fault):
    ask(register, landing, PAGE)
    before = landed(landing)
    register.faults.turn_on(fault, "freg", 1)
    assert ask(register, landing) == 0
    assert len(questions(register)) == PASSES[fault]
    assert [met for _, met in questions(register)].count(fault) == 1
    assert answered_for(landing) == {*register.numbers(3 * PAGE)}
    assert before.items() <= landed(landing).items()
    ask(register, landing)
    assert len(questions(register)) == PASSES[fault]


# Faults that do not pass: how often the page is asked for before we give up, and the sentence.
LASTS = {
    "429": (3, SourceUnavailable, UNAVAILABLE),
    "500": (3, SourceUnavailable, UNAVAILABLE),
    "502": (3, SourceUnavailable, UNAVAILABLE),
    "503": (3, SourceUnavailable, UNAVAILABLE),
    "stall": (3, SourceUnavailable, r"^Folkeregisteret svarte ikke i tide: Dataflyt prøver igjen\.$"),
    "reset": (3, SourceUnavailable, r"forbindelsen ble brutt: Dataflyt prøver igjen\.$"),
    "truncated": (3, SourceUnavailable, r"ikke er hele og gyldige data: Dataflyt prøver igjen\.$"),
    "html_200": (3, SourceUnavailable, r"ikke er hele og gyldige data: Dataflyt prøver igjen\.$"),
    "html_403": (1, SourceRefused, r"^En brannmur avviste .* be registeret slippe inn kommunens IP-adresse\.$"),
    "gzip_bomb": (1, Unreadable, r"større enn Dataflyt tar imot: meld fra til den som forvalter Dataflyt\.$"),
    "huge": (1, Unreadable, r"større enn Dataflyt tar imot: meld fra til den som forvalter Dataflyt\.$"),
}


@pytest.mark.parametrize("fault", LASTS)
def test_what_lasts_stops_with_a_sentence_and_goes_on_after_the_last_landed_page(register, landing, fault, caplog):
    caplog.set_level(logging.DEBUG)
    tries, kind, sentence = LASTS[fault]
    connection = register.connection("freg")
    ask(register, landing, PAGE, connection)
    before = landed(landing)
    register.faults.turn_on(fault, "freg", 0)
    tracemalloc.start()
    with pytest.raises(DataflytError) as caught:
        ask(register, landing, connection=connection)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert type(caught.value) is kind
    assert re.search(sentence, caught.value.sentence)
    assert len(questions(register)) == 1 + tries
    assert landed(landing) == before
    assert most < 64 * 1024 * 1024
    said = caught.value.sentence + str(caught.value.facts) + caplog.text
    assert not [number for number in register.numbers(3 * PAGE) if number in said]
    register.faults.on.clear()
    assert ask(register, landing, connection=connection) == 0
    assert answered_for(landing) == {*register.numbers(3 * PAGE)}
    good = Counter(question for question, met in questions(register) if met is None)
    assert set(good.values()) == {1}
    assert len(good) == 3


@pytest.mark.parametrize("fault", ["empty", "half"])
def test_who_is_missing_again_and_again_is_not_taken_for_gone(register, landing, fault):
    register.faults.turn_on(fault, "freg", 0)
    with pytest.raises(SourceUnavailable, match=r"^Folkeregisteret svarte bare for noen av dem vi spurte om") as caught:
        ask(register, landing)
    assert caught.value.facts["missing"] > caught.value.facts["allowed"] == 3 * PAGE // 10
    first = landed(landing)
    assert [name for name in first if "again" not in name] == [f"1-pupils-{page:05d}.json" for page in (1, 2, 3)]
    register.faults.on.clear()
    assert ask(register, landing) == 0
    assert answered_for(landing) == {*register.numbers(3 * PAGE)}
    assert first.items() <= landed(landing).items()
    met = Counter(question for question, fault in questions(register) if fault is None)
    assert set(met.values()) == {1}


def test_nobody_in_kontaktregisteret_is_forgotten_either(register, landing):
    register.faults.turn_on("half", "krr", 1)
    adults = register.numbers(2 * PAGE)
    assert ask_krr(register.connection("krr"), adults, landing, settings=QUICK) == 0
    answered = [
        person["personidentifikator"] for page in landed(landing).values() for person in json.loads(page)["personer"]
    ]
    assert sorted(answered) == sorted(adults)
    assert len(questions(register, "krr")) == 3


def test_values_nobody_knows_are_read_as_they_stand(register, landing, tmp_path):
    register.faults.turn_on("unknown_values", "freg", 0)
    ask_freg(
        register.connection("freg"),
        register.numbers(PAGE),
        ["status", "kjoenn", "navn"],
        landing,
        "1-pupils",
        settings=QUICK,
    )
    with landing.open("1-pupils-00001.json") as page:
        rows = [row for row in bulk.read(page) if type(row).__name__ == "Person"]
    assert {(row.status, row.kjoenn) for row in rows} == {("nyKode", "nyKode")}
    assert len(rows) == PAGE


def test_a_token_that_ends_in_mid_run_is_renewed_without_asking_again_for_pages(register, landing):
    register.faults.turn_on("expired_token", "freg", 1)
    connection = register.connection("freg")
    ask(register, landing, connection=connection)
    assert [met for _, met in questions(register, "token")] == [None, None]
    assert [met for _, met in questions(register)] == ["expired_token", None, None, None]


@pytest.mark.parametrize("fault", ["clock", "clock_behind"])
def test_a_clock_15_seconds_off_is_corrected_and_told_to_the_engineer(register, landing, fault, caplog):
    caplog.set_level(logging.WARNING)
    register.faults.turn_on(fault)
    assert ask(register, landing, PAGE) == 0
    assert len(questions(register, "token")) == 2
    assert re.search(r"clock is -?1[456] s ahead of Maskinporten's", caplog.text)


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        ("key_expired", ConfigError, "nøkkelen er utløpt: den som forvalter klienten, må lage en ny"),
        ("no_access", SourceRefused, "kommunen må be Skatteetaten om tilgang til scopet"),
        ("no_delegation", SourceRefused, "må delegere tilgangen i Altinn"),
        ("html_403", SourceRefused, "en brannmur stanset den: den som drifter maskinen, må åpne for Maskinporten"),
        ("503", SourceUnavailable, r"Maskinporten er opptatt eller nede \(HTTP 503\): Dataflyt prøver igjen"),
        ("429", SourceUnavailable, r"Maskinporten er opptatt eller nede \(HTTP 429\): Dataflyt prøver igjen"),
    ],
)
def test_maskinporten_says_no_and_the_register_is_not_asked(register, landing, fault, kind, sentence):
    register.faults.turn_on(fault, "token", 0)
    with pytest.raises(DataflytError, match=sentence) as caught:
        ask(register, landing)
    assert type(caught.value) is kind
    assert questions(register) == []
    assert len(questions(register, "token")) == (3 if kind is SourceUnavailable else 1)


def test_every_fault_of_the_table_is_tested():
    tokens = {"clock", "clock_behind", "key_expired", "no_access", "no_delegation"}
    assert {*PASSES, *LASTS, *tokens} == {*FAULTS}


def test_a_register_is_not_asked_faster_than_its_connection_says(register, landing):
    connection = register.connection("freg", max_per_second="20", max_concurrent=2)
    began = time.monotonic()
    ask(register, landing, 4 * PAGE, connection)
    assert time.monotonic() - began > 3 / 20
    with pytest.raises(ConfigError, match="max_per_second som ikke kan brukes"):
        ask(register, landing, PAGE, register.connection("freg", max_per_second="often"))


def test_no_more_of_a_process_ask_at_a_time_than_allowed():
    limiter, at_once, most = limits.Limiter(), 0, 0
    count = threading.Lock()

    def work():
        nonlocal at_once, most
        with limiter.turn(2, 1e6):
            with count:
                at_once += 1
                most = max(most, at_once)
            time.sleep(0.01)
            with count:
                at_once -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2


def test_faults_are_switched_on_while_the_simulator_runs(register):
    at = f"{register.url}/simulator/faults"
    told = httpx.post(at, json={"name": "503", "path": "krr", "count": 2}).json()
    assert told["on"] == [{"name": "503", "path": "krr", "count": 2}]
    assert told["faults"].keys() == FAULTS.keys()
    statuses = [httpx.post(f"{register.url}/rest/v2/personer").status_code for _ in range(3)]
    assert statuses == [503, 503, 401]
    told = httpx.get(at).json()
    assert told["on"] == []
    assert [asked["fault"] for asked in told["requests"]] == ["503", "503", None]
    for wrong in ({"name": "nonsense"}, {"name": "half", "path": "x"}, {"name": "half", "count": -1}, [], {}):
        assert httpx.post(at, json=wrong).status_code == 400
    httpx.post(at, json={"name": "half"})
    assert httpx.delete(at).json()["on"] == []


def test_faults_are_switched_on_at_the_start_and_told_by_help(tmp_path):
    def simulator(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "simulator", *arguments], capture_output=True, text=True, check=False, timeout=60
        )

    helped = simulator("--help").stdout
    assert [name for name in FAULTS if name not in helped] == []
    started = Switches()
    started.turn_on_text("half@krr:2")
    started.turn_on_text("clock")
    assert started.told()["on"] == [
        {"name": "half", "path": "krr", "count": 2},
        {"name": "clock", "path": "token", "count": 0},
    ]
    refused = simulator("serve", "--key", os.devnull, "--fault", "nonsense")
    assert refused.returncode == 2
    assert "There is no fault nonsense: write one of 429, 500" in refused.stderr


def test_a_file_that_is_replaced_while_it_is_read_is_not_taken(tmp_path, monkeypatch):
    """A file of another length replaces it. Landing never holds half of each."""
    drop, landing = tmp_path / "drop", Landing(tmp_path / "landing")
    drop.mkdir()
    file = drop / "Stamdata3_1.xml"
    file.write_bytes(b"a" * 3_000_000)
    hour_ago = time.time() - 3600
    os.utime(file, (hour_ago, hour_ago))
    real = newest_file._copied

    def replaces(*which):
        for number, piece in enumerate(real(*which)):
            yield piece
            if number == 0:
                newer = drop / ".new"
                newer.write_bytes(b"b" * 2_000_000)
                newer.replace(file)

    monkeypatch.setattr(newest_file, "_copied", replaces)
    with pytest.raises(SourceUnavailable, match=r"er ikke ferdig skrevet.*: Dataflyt prøver igjen senere\.$"):
        land_newest(drop, "*.xml", landing, "hr.xml")
    assert landing.names() == []
    monkeypatch.setattr(newest_file, "_copied", real)
    land_newest(drop, "*.xml", landing, "hr.xml", look_again=0)
    with landing.open("hr.xml") as copy:
        assert copy.read() == b"b" * 2_000_000
