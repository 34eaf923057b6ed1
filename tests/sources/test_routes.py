"""FREG and KRR by every route, against the simulator over HTTP: each route gives the same answer."""

import contextlib
import json
import socket
import threading
import time
from collections import Counter
from datetime import date

import httpx
import orjson
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, SourceRefused, SourceUnavailable
from dataflyt.registers.settings import Settings
from dataflyt.run.freg_parts import FREG_PARTS, RESIDENT_PARTS
from dataflyt.sources.freg import client as freg
from dataflyt.sources.freg import formats as freg_formats
from dataflyt.sources.freg import rows as freg_rows
from dataflyt.sources.krr import formats as krr_formats
from dataflyt.storage.landing import Landing
from simulator import fiks
from simulator.server import FREG_PATH, create_app
from simulator.world import build
from tests.sources.extracting import ask_freg, ask_krr, ask_residents

QUICK = Settings(attempts=2, first_wait=0.01, longest_wait=0.05, max_per_second=2000)
PARTS = (*FREG_PARTS, "foreldreansvar", "familierelasjon")
ROLLE = fiks.rolle_of("1106")
FREG_SCOPE, KRR_SCOPE = "folkeregister:deling/offentligmedhjemmel", "krr:global/kontaktinformasjon.read"


class Simulator:
    """The simulator in a thread: its address, and each request with its asker."""

    def __init__(self):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        plain = serialization.NoEncryption()
        self.pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
        self.world = build("1106", 1, date(2026, 11, 23))
        self.asked = []
        self.authorizations = set()
        self.listening = socket.socket()
        self.listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.app = create_app(self.world, self.url, key.public_key(), None, "client")

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.asked.append(scope["path"])
            self.authorizations.update(value for name, value in scope["headers"] if name == b"authorization")
        await self.app(scope, receive, send)

    def connection(self, name, scope="ks:fiks", path="", **extra):
        extra = {"token_endpoint": f"{self.url}/token", "issuer": f"{self.url}/", "kid": "k", "scope": scope, **extra}
        if scope == "ks:fiks":
            integration = {"integrasjon_id": "IntegrasjonId", "integrasjon_passord": "IntegrasjonPassord"}
            extra = {ours: fiks.INTEGRATION[theirs] for ours, theirs in integration.items()} | extra
        return Connection(f"{name}-{self.url}", f"{self.url}{path}", "client", self.pem, extra)

    def freg(self):
        return self.connection("freg", FREG_SCOPE, FREG_PATH.removesuffix("/v1/personer"))


@contextlib.contextmanager
def served():
    simulator = Simulator()
    server = uvicorn.Server(uvicorn.Config(simulator, log_level="warning", access_log=False, date_header=False))
    thread = threading.Thread(target=server.run, args=([simulator.listening],), daemon=True)
    thread.start()
    for _ in range(200):
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"{simulator.url}/health", timeout=5)
            break
        time.sleep(0.02)
    yield simulator
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def simulator():
    with served() as simulator:
        yield simulator


@pytest.fixture
def asked(simulator):
    simulator.asked.clear()
    simulator.authorizations.clear()
    return simulator.asked


def read(landing, reader):
    found = []
    for name in landing.names():
        if not name.endswith(".request.json"):
            with landing.open(name) as stream:
                found += reader(stream)
    return found


def of(kind, rows):
    return [row for row in rows if isinstance(row, kind)]


def what_matters(rows):
    """Return the rows that decide access and protection. They must be the same from flat and nested answers."""
    residences = of(freg_rows.Bostedsadresse, rows)
    return {
        "people": {(p.foedselsEllerDNummer, p.status, p.foedselsdato, p.kjoenn) for p in of(freg_rows.Person, rows)},
        "names": {row[:4] for row in of(freg_rows.Navn, rows)},
        "guardians": {
            (row.foedselsEllerDNummer, row.ansvarlig, row.ansvar)
            for row in of(freg_rows.Foreldreansvar, rows)
            if row.ansvarlig
        },
        "protection": {row[:2] for row in of(freg_rows.Adressebeskyttelse, rows)},
        "graded": {(r.foedselsEllerDNummer, r.adressegradering, r.bolig, r.kommunenummer) for r in residences},
        "other": {row[:5] for row in of(freg_rows.AnnenAdresse, rows)},
        "family": {row[:4] for row in of(freg_rows.Familierelasjon, rows) if row.relatertPerson},
    }


def test_pupils_and_guardians_are_the_same_by_every_route(simulator, tmp_path):
    world = simulator.world
    pupils = sorted(p.person.number for p in world.pupils if p.person and p.person.in_freg and not p.person.old_number)
    found, phases = {}, {}
    for route, connection, read_as in (
        ("skatteetaten", simulator.freg(), "bulk"),
        ("fiks", simulator.connection("fiks", rolle_id=ROLLE), "bulk"),
        ("fiks_oppvekst", simulator.connection("fiks"), "oppvekst"),
    ):
        reader = freg_formats.FORMATS[read_as]
        rolle = ROLLE if route == "fiks_oppvekst" else None  # the role may stand in either place
        landings = [Landing(tmp_path / route / phase) for phase in ("pupils", "guardians")]
        ask_freg(connection, pupils, PARTS, landings[0], "1", route=route, rolle=rolle, settings=QUICK)
        told = read(landings[0], reader)
        answered = {row.oppslag for row in of(freg_rows.Person, told)}
        wanted = sorted({r.ansvarlig for r in of(freg_rows.Foreldreansvar, told) if r.ansvarlig} - answered)
        ask_freg(connection, wanted, FREG_PARTS, landings[1], "2", route=route, rolle=rolle, settings=QUICK)
        unknown = {"skatteetaten": "navn.nyttNavnefelt", "fiks": "navn.nyttNavnefelt", "fiks_oppvekst": "nyttFelt"}
        assert of(freg_rows.UkjentFelt, told) == [freg_rows.UkjentFelt(unknown[route])]
        found[route] = what_matters([*told, *read(landings[1], reader)])
        phases[route] = len(wanted)
    # Oppvekst gives a guardian's own familierelasjon, which is not asked for, and leaves out a guardian's second home.
    adults = {p.number for p in world.persons.values()} - {*pupils}
    for answers in found.values():
        for name in ("guardians", "family", "other"):
            answers[name] = {row for row in answers[name] if row[0] not in adults}
    for name in found["skatteetaten"]:
        assert found["fiks"][name] == found["skatteetaten"][name], name
        assert found["fiks_oppvekst"][name] == found["skatteetaten"][name], name
    assert len(found["skatteetaten"]["guardians"]) > 500
    assert {"fortrolig", "strengtFortrolig"} <= {grade for _, grade in found["fiks_oppvekst"]["protection"]}
    assert 0 < phases["fiks_oppvekst"] < phases["fiks"] / 4  # the guardians that are missing


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"integrasjon_passord": ""}, "mangler integrasjon_passord"),
        ({"rolle_id": "1106"}, "trenger en rolle"),
        ({"integrasjon_passord": "hemmelig-og-feil"}, r"HTTP 403.*må skaffe rettigheten"),
        ({"rolle_id": ROLLE.replace("1106", "9999")}, "HTTP 403"),
    ],
)
def test_what_fiks_lacks_is_said_and_no_password_is_shown(simulator, tmp_path, changed, words):
    connection = simulator.connection("fiks", **({"rolle_id": ROLLE} | changed))
    with pytest.raises((ConfigError, SourceRefused), match=words) as caught:
        ask_freg(connection, ["01818302084"], PARTS, Landing(tmp_path), "1", route="fiks", settings=QUICK)
    assert "hemmelig" not in f"{caught.value!r}{caught.value.facts}{connection!r}"


# -- Who lives here


def test_children_who_live_here_are_found_once_however_often_the_extract_breaks_off(simulator, tmp_path, asked):
    orders, found = Landing(tmp_path / "orders"), []
    for connection, route in ((simulator.freg(), "skatteetaten"), (simulator.connection("fiks"), "fiks_oppvekst")):
        landing = Landing(tmp_path / route)
        found.append(ask_residents(connection, "1106", (2010, 2020), landing, route=route, rolle=ROLLE, settings=QUICK))
    assert found[0] == found[1]
    people = {person.number: person for person in map(simulator.world.find, found[0])}
    assert len(people) == len(found[0]) > 300
    assert {(person.status, person.home.kommunenummer) for person in people.values()} == {("bosatt", "1106")}
    assert {2010 <= person.born.year <= 2020 for person in people.values()} == {True}

    # The extract broke off after its second batch: landed batches are not asked for again.
    few = Settings(attempts=1, first_wait=0.01, longest_wait=0.02, max_per_second=2000)
    write = orders.write

    def breaks_off(name, content):
        write(name, content)
        if name.endswith("-00001.json"):
            raise KeyboardInterrupt

    orders.write = breaks_off
    with pytest.raises(KeyboardInterrupt):
        ask_residents(simulator.freg(), "1106", (2010, 2020), orders, settings=few)
    orders.write = write
    asked.clear()
    assert ask_residents(simulator.freg(), "1106", (2010, 2020), orders, settings=few) == found[0]
    assert not [path for path in asked if path.endswith(("tilpasset", "/batch/0", "/batch/1"))]

    # An order that FREG has deleted is made once more, and only once.
    for name in orders.names():
        if name.endswith("-00002.json"):
            (tmp_path / "orders" / name).unlink()
    assert ask_residents(simulator.freg(), "1106", (2010, 2020), orders, settings=few) == found[0]
    assert [name for name in orders.names() if name.endswith("job.json")] == ["1106-1-job.json", "1106-2-job.json"]
    for page in (tmp_path / "orders").glob("1106-2-000*.json"):
        page.unlink()
    with pytest.raises(SourceRefused, match="to ganger"):
        ask_residents(simulator.freg(), "1106", (2010, 2020), orders, settings=few)


def test_an_extract_that_never_gets_ready_is_waited_for_with_a_limit(simulator, tmp_path, monkeypatch):
    monkeypatch.setattr(freg, "_READY_TRIES", 1)
    with pytest.raises(SourceUnavailable, match="ikke gjort uttrekket"):
        ask_residents(simulator.freg(), "1106", (2010, 2020), Landing(tmp_path), settings=QUICK)


def test_of_children_who_live_here_name_year_status_and_protection_are_all_that_is_asked(simulator, tmp_path):
    landing = Landing(tmp_path)
    graded = next(p for p in simulator.world.persons.values() if p.protection == "fortrolig")
    odd = next(p.person for p in simulator.world.pupils if "unknown_grading" in p.cases)
    plain = next(p.person for p in simulator.world.pupils if p.person and not p.person.cases)
    numbers = [graded.number, odd.number, plain.number, "00000000000"]
    ask_freg(simulator.freg(), numbers, RESIDENT_PARTS, landing, "3-residents", settings=QUICK)
    with landing.open("3-residents-00001.json") as stream:
        given = {
            key for entry in orjson.loads(stream.read())["oppslag"] for key in entry.get("folkeregisterperson", {})
        }
    assert given <= set(RESIDENT_PARTS)
    rows = read(landing, freg_formats.FORMATS["residents"])
    residents = {row.foedselsEllerDNummer: row for row in of(freg_rows.Resident, rows)}
    assert residents[plain.number][2:] == (
        *(plain.given, plain.middle, plain.family, str(plain.born.year), "bosatt", None),
    )
    assert residents[graded.number].graderingsnivaa == "fortrolig"
    assert residents[odd.number].graderingsnivaa not in (None, "ugradert", "klientadresse")
    assert of(freg_rows.Ubesvart, rows)[0].oppslag == "00000000000"


# -- KRR


def contacts(landing, read_as):
    return {row.personidentifikator: row for row in read(landing, krr_formats.FORMATS[read_as])}


def test_krr_says_the_same_by_both_versions_and_one_by_one(simulator, tmp_path, asked):
    adults = sorted(p.number for p in simulator.world.persons.values() if p.contact)[:40]
    cases = {case: p.number for p in simulator.world.persons.values() for case in p.cases if case.startswith("krr_")}
    numbers = sorted({*adults, *cases.values()})
    found = {}
    for name, route, version in (("v2", "digdir", 2), ("v1", "digdir", 1), ("fiks", "fiks", 2)):
        connection = simulator.connection("krr", *([] if route == "fiks" else [KRR_SCOPE]))
        ask_krr(
            connection,
            numbers,
            Landing(tmp_path / name),
            route=route,
            version=version,
            rolle=ROLLE,
            settings=QUICK,
        )
        found[name] = contacts(Landing(tmp_path / name), "fiks" if route == "fiks" else "personer")
    assert [path for path in dict.fromkeys(asked) if path != "/token"] == [
        *("/rest/v2/personer", "/rest/v1/personer", f"/register/api/v1/ks/{ROLLE}/krr/person"),
    ]
    assert found["v1"] == found["v2"]
    assert found["fiks"].keys() == found["v2"].keys() == {*numbers}
    for number, contact in found["fiks"].items():
        other = found["v2"][number]
        assert (contact.status, contact.epostadresse, contact.mobiltelefonnummer) == (
            *(other.status, other.epostadresse, other.mobiltelefonnummer),
        )
        if other.status != "IKKE_REGISTRERT":
            assert (contact.reservasjon, contact.varslingsstatus) == (other.reservasjon, other.varslingsstatus)
        assert (contact.epostadresse_oppdatert or "")[:10] == (other.epostadresse_oppdatert or "")[:10]
    # "Ingen treff" is a person who is not registered, and one page holds them all.
    assert found["fiks"][cases["krr_missing"]].status == "IKKE_REGISTRERT"
    assert Landing(tmp_path / "fiks").names() == ["krr-00001.json", "krr-00001.request.json"]


def test_one_by_one_nobody_in_a_landed_page_is_asked_for_again(simulator, tmp_path, asked, monkeypatch):
    monkeypatch.setattr("dataflyt.registers.paging.PER_PAGE", 10)
    numbers = sorted(p.number for p in simulator.world.persons.values() if p.contact)[:25]
    landing = Landing(tmp_path)

    def fails(done, _):
        if done == 2:
            raise KeyboardInterrupt

    asking = {"route": "fiks", "rolle": ROLLE, "settings": QUICK}
    with pytest.raises(KeyboardInterrupt):
        ask_krr(simulator.connection("krr"), numbers, landing, progress=fails, **asking)
    assert Counter(asked)[f"/register/api/v1/ks/{ROLLE}/krr/person"] == 20
    ask_krr(simulator.connection("krr"), numbers, landing, **asking)
    assert Counter(asked)[f"/register/api/v1/ks/{ROLLE}/krr/person"] == 25
    assert contacts(landing, "fiks").keys() == {*numbers}


def test_a_guardian_of_children_in_three_kommuner_is_asked_for_once_by_each(simulator, tmp_path, asked):
    guardian = next(p for p in simulator.world.persons.values() if p.contact and p.contact.epost)
    for kommune in ("bergen", "haugesund", "orsta"):
        extra = {"consumer_org": simulator.world.kommune.orgnr} if kommune == "haugesund" else {}
        connection = simulator.connection(f"krr_{kommune}", "krr:global/kontaktinfo.read", **extra)
        ask_krr(connection, [guardian.number] * 3, Landing(tmp_path / kommune), settings=QUICK)
    # Each kommune asks by its own right and keeps its own answer: nothing is carried over to the next.
    assert Counter(asked)["/rest/v2/personer"] == 3
    assert len(simulator.authorizations) == 3
    for kommune in ("bergen", "haugesund", "orsta"):
        with Landing(tmp_path / kommune).open("krr-00001.request.json") as stream:
            assert json.loads(stream.read()) == {"personidentifikatorer": [guardian.number]}
        assert contacts(Landing(tmp_path / kommune), "personer")[guardian.number].epostadresse == guardian.contact.epost
