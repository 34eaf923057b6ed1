"""Requests from a municipality's network: behind a proxy, with a certificate authority of its own."""

import os
import ssl
from datetime import UTC, datetime

import pytest
import trustme

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, SourceRefused, SourceUnavailable
from dataflyt.registers.transport import CA_VARIABLES, open_transport, proxy_for
from dataflyt.storage.landing import Landing
from tests.registers.connect_proxy import Proxy, running
from tests.sources.extracting import ask_freg
from tests.sources.test_clients import QUICK, Server, numbers, pem

__all__ = ["pem"]
SECRET = "k%C3%A5lrot"


@pytest.fixture(scope="module")
def ca():
    return trustme.CA()


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch):
    for name in [*os.environ]:
        if name.lower().endswith("_proxy") or name in CA_VARIABLES:
            monkeypatch.delenv(name)


@pytest.fixture
def ca_file(ca, tmp_path):
    file = tmp_path / "authority" / "kommune.pem"
    file.parent.mkdir()
    ca.cert_pem.write_to_path(file)
    return file


@pytest.fixture
def proxy():
    proxy = Proxy()
    with running(proxy):
        yield proxy


def shown_by(ca, host, **more):
    certificate = ca.issue_cert(host, **more)
    return certificate.private_key_pem.bytes() + b"".join(one.bytes() for one in certificate.cert_chain_pems)


@pytest.fixture
def ask(ca, pem, tmp_path):
    """Ask FREG at ``host``, with a Maskinporten, both showing ``certificate``. Return the requests they got."""

    def ask(host="freg.test", certificate=None):
        file = tmp_path / "shown.pem"
        file.write_bytes(certificate or shown_by(ca, host))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        server = Server()
        server.socket = context.wrap_socket(server.socket, server_side=True)
        at = f"https://{host}:{server.server_port}"
        extra = {"token_endpoint": f"{at}/token", "issuer": "x/", "kid": "k", "scope": "s"}
        connection = Connection(f"freg_{server.server_port}", f"{at}/freg", "client", pem, extra)
        with running(server):
            ask_freg(connection, numbers(2), ("navn",), Landing(tmp_path / "freg"), "p", settings=QUICK)
        return server.asked

    return ask


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_registers_are_asked_by_the_proxy_that_is_set(ask, proxy, ca_file, monkeypatch, name):
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    monkeypatch.setenv(name, proxy.address if name == "ALL_PROXY" else f"http://{proxy.address}")
    assert ask() == [numbers(2)]
    assert {asked.partition(":")[0] for asked in proxy.asked} == {"freg.test"}


def test_the_variable_that_names_a_proxy_is_the_one_that_is_told_of(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "ftp://proxy.test:1")
    with pytest.raises(ConfigError, match=r"^ALL_PROXY kan ikke brukes"):
        open_transport("https://freg.test")


@pytest.mark.parametrize("name", CA_VARIABLES)
def test_an_authority_of_the_kommunes_own_is_trusted_by_each_usual_variable(ask, ca_file, monkeypatch, name):
    with pytest.raises(SourceRefused):
        ask("localhost")
    monkeypatch.setenv(name, str(ca_file.parent if name == "SSL_CERT_DIR" else ca_file))
    assert ask("localhost") == [numbers(2)]


@pytest.mark.parametrize(
    ("certificate", "said"),
    [
        (lambda ca: shown_by(trustme.CA(), "freg.test"), "ikke stoler på: .* sett SSL_CERT_FILE til"),
        (lambda ca: (own := trustme.CA()).private_key_pem.bytes() + own.cert_pem.bytes(), "er selvsignert"),
        (lambda ca: shown_by(ca, "freg.test", not_after=datetime(2020, 1, 1, tzinfo=UTC)), "utløpt: be dem .* klokken"),
        (lambda ca: shown_by(ca, "other.test"), "et annet vertsnavn .*: rett adressen"),
    ],
    ids=["unknown", "self-signed", "expired", "another-host"],
)
def test_a_certificate_that_nobody_trusts_is_a_refusal_that_says_what_to_set(
    ca, ask, proxy, ca_file, monkeypatch, certificate, said
):
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
    with pytest.raises(SourceRefused, match=f"^Sertifikatet til Maskinporten .*{said}"):
        ask(certificate=certificate(ca))
    assert len(proxy.asked) == 1, "it is not tried again"


@pytest.mark.parametrize(
    ("login", "kind", "status", "said"),
    [
        (
            "",
            SourceRefused,
            None,
            "^Proxyen krever innlogging.*: skriv HTTPS_PROXY som http://bruker:passord@vert:port",
        ),
        (f"drift:{SECRET}feil@", SourceRefused, None, "^Proxyen godtok ikke innloggingen i HTTPS_PROXY"),
        ("", SourceRefused, 403, r"slipper ikke Dataflyt fram til Maskinporten \(HTTP 403\): be den som drifter"),
        ("", SourceRefused, 302, r"slipper ikke Dataflyt fram til Maskinporten \(HTTP 302\)"),
        ("", SourceUnavailable, 503, r"nådde ikke Maskinporten \(HTTP 503\): Dataflyt prøver igjen"),
    ],
)
def test_what_a_proxy_will_not_do_is_told_as_the_proxys(ask, proxy, monkeypatch, login, kind, status, said):
    proxy.login, proxy.status = "drift:kålrot", status
    monkeypatch.setenv("HTTPS_PROXY", f"http://{login}{proxy.address}")
    with pytest.raises(kind, match=said) as caught:
        ask()
    assert SECRET not in caught.value.sentence + str(caught.value.facts)
    assert len(proxy.asked) == (QUICK.attempts if kind is SourceUnavailable else 1)


def test_a_proxy_gets_the_login_that_is_set(ask, proxy, ca_file, monkeypatch):
    proxy.login = "drift:kålrot"
    monkeypatch.setenv("CURL_CA_BUNDLE", str(ca_file))
    monkeypatch.setenv("https_proxy", f"http://drift:{SECRET}@{proxy.address}")
    assert ask() == [numbers(2)]


def test_a_proxy_that_is_not_there_is_named_and_tried_again(ask, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(SourceUnavailable, match="ble brutt, gjennom proxyen i HTTPS_PROXY: Dataflyt prøver igjen"):
        ask()
    monkeypatch.setenv("NO_PROXY", "other.test, localhost")
    with pytest.raises(SourceRefused, match="ikke stoler på"):
        ask("localhost")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", f"http://drift:{SECRET}#@proxy:8080"),
        ("HTTPS_PROXY", "ftp://proxy:21"),
        ("HTTPS_PROXY", "http://:8080"),
        ("SSL_CERT_FILE", "/nowhere/kommune.pem"),
        ("REQUESTS_CA_BUNDLE", __file__),
        ("SSL_CERT_DIR", "/nowhere"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(ask, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=rf"^{name} .*: (skriv|rett)") as caught:
        ask()
    assert SECRET not in caught.value.sentence


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("freg.skatt.no", "https://freg.skatt.no/x", True),
        ("skatt.no", "https://freg.skatt.no", True),
        (".skatt.no", "https://freg.skatt.no", True),
        (".skatt.no", "https://skatt.no", True),
        ("*.skatt.no", "https://freg.skatt.no", True),
        ("*.SKATT.no.", "https://Freg.Skatt.no", True),
        ("katt.no", "https://skatt.no", False),
        ("https://freg.skatt.no/", "https://freg.skatt.no", True),
        ("freg.skatt.no:443", "https://freg.skatt.no", True),
        ("freg.skatt.no:8443", "https://freg.skatt.no", False),
        ("*.skatt.no:8443", "https://freg.skatt.no:8443", True),
        ("10.1.2.3", "https://10.1.2.3", True),
        ("10.1.2.3:8443", "https://10.1.2.3:8443", True),
        ("10.0.0.0/8", "https://10.1.2.3:8443", True),
        ("10.1.2.99/8", "https://10.1.2.3", True),
        ("192.168.0.0/16", "https://10.1.2.3", False),
        ("10.*", "https://10.1.2.3", True),
        ("::1", "https://[::1]:8443", True),
        ("[fd00::1]:8443", "https://[fd00::1]:8443", True),
        ("fd00::/8", "https://[fd12::1]", True),
        ("10.0.0.0/8", "https://freg.skatt.no", False),
        ("localhost 127.0.0.1\tskatt.no", "https://freg.skatt.no", True),
        (" localhost , skatt.no ,, ", "https://freg.skatt.no", True),
        ("localhost;skatt.no|x", "https://freg.skatt.no", True),
        ("registers", "http://registers:8000", True),
        ("*", "https://freg.skatt.no", True),
        ("", "https://freg.skatt.no", False),
    ],
)
def test_no_proxy_is_understood_however_it_is_written(monkeypatch, no_proxy, url, direct):
    for variable in ("HTTPS_PROXY", "http_proxy"):
        monkeypatch.setenv(variable, "proxy:8080")
    monkeypatch.setenv("no_proxy" if "*" in no_proxy else "NO_PROXY", no_proxy)
    assert proxy_for(url) == (None if direct else "http://proxy:8080")
