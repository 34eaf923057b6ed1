"""Maskinporten gives a token, or a sentence on who must do what. Against a real server."""

import json
import logging
import threading
import time
from collections import deque
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, DataflytError, SourceRefused, SourceUnavailable
from dataflyt.registers import maskinporten

ISSUER = "https://test.maskinporten.no/"


@pytest.fixture(scope="module")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


class Server(ThreadingHTTPServer):
    """Answers with each (status, body) in ``script``, then with tokens that live ``expires_in`` seconds."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.script = deque()
        self.forms = []
        self.expires_in = 599
        self.ahead = 0


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.forms.append(parse_qs(body))
        token = {"access_token": f"token-{len(self.server.forms)}", "expires_in": self.server.expires_in}
        status, answer = self.server.script.popleft() if self.server.script else (200, token)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + self.server.ahead)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def connection(server, key):
    extra = {
        "token_endpoint": f"{server.url}/token",
        "issuer": ISSUER,
        "kid": "key-1",
        "scope": "folkeregister:deling/x",
    }
    return Connection("freg_haugesund", f"{server.url}/api", "client-1", pem(key), extra)


def test_the_grant_is_as_maskinporten_wants_it(server, connection, key):
    assert maskinporten.token(connection) == "token-1"
    form = server.forms[0]
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    grant = form["assertion"][0]
    assert jwt.get_unverified_header(grant)["kid"] == "key-1"
    claims = jwt.decode(grant, key.public_key(), algorithms=["RS256"], audience=ISSUER)
    assert set(claims) == {"aud", "iss", "scope", "iat", "exp", "jti"}
    assert (claims["iss"], claims["scope"]) == ("client-1", "folkeregister:deling/x")
    assert claims["exp"] - claims["iat"] <= 120
    assert abs(claims["iat"] - time.time()) < 5


def test_a_delegated_grant_with_a_certificate_is_as_the_connection_says(server, connection):
    extra = connection.extra | {"x5c": ["MIIB", "MIIC"], "alg": "RS512", "consumer_org": "944073787", "scope": "krr:x"}
    del extra["kid"]
    maskinporten.token(replace(connection, extra=extra | {"resource": ["https://krr.example.no"]}))
    grant = server.forms[0]["assertion"][0]
    header, claims = jwt.get_unverified_header(grant), jwt.decode(grant, options={"verify_signature": False})
    assert (header["alg"], header["x5c"]) == ("RS512", ["MIIB", "MIIC"])
    assert "kid" not in header
    assert (claims["consumer_org"], claims["resource"]) == ("944073787", ["https://krr.example.no"])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"kid": None}, "skal ha enten kid eller x5c"),
        ({"x5c": ["MIIB"]}, "skal ha enten kid eller x5c"),
        ({"kid": None, "x5c": "MIIB"}, "skriv sertifikatkjeden som en liste"),
        ({"alg": "HS256"}, "skriv RS256, RS384, RS512"),
        ({"consumer_org": "0192:944073787"}, "skriv ni sifre"),
        ({"resource": ["https://freg.example.no"]}, "Folkeregisteret tar bare token uten: ta den bort"),
        ({"scope": "krr:x", "resource": "https://krr.example.no"}, "skriv den som en liste"),
    ],
)
def test_a_connection_that_says_what_cannot_be_asked_is_not_used(server, connection, changed, expected):
    with pytest.raises(ConfigError, match=r"^Tilkoblingen freg_haugesund ") as caught:
        maskinporten.token(replace(connection, extra=connection.extra | changed))
    assert expected in caught.value.sentence
    assert server.forms == []


def test_a_token_is_kept_until_30_seconds_before_its_end(server, connection, monkeypatch):
    assert maskinporten.token(connection) == maskinporten.token(connection) == "token-1"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 560)
    assert maskinporten.token(connection) == "token-1"
    monkeypatch.setattr(time, "monotonic", lambda: now + 575)
    assert maskinporten.token(connection) == "token-2"


def test_a_rejected_token_is_not_given_again(server, connection):
    first = maskinporten.token(connection)
    second = maskinporten.token(connection, first)
    assert second != first
    assert maskinporten.token(connection, first) == second


def test_another_scope_gets_a_token_of_its_own(server, connection):
    other = Connection("x", connection.url, connection.login, connection.password, connection.extra | {"scope": "e:f"})
    assert maskinporten.token(connection) != maskinporten.token(other)


def test_many_threads_ask_once(server, connection):
    found = []
    threads = [threading.Thread(target=lambda: found.append(maskinporten.token(connection))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["token-1"] * 8
    assert len(server.forms) == 1


@pytest.mark.parametrize("code", ["JWT is expired (MP-130)", "Issue time is after now"])
@pytest.mark.parametrize(("ahead", "said"), [(-60, "for fort"), (60, "for sakte")])
def test_a_clock_that_is_wrong_is_corrected_once_and_then_told(server, connection, code, ahead, said):
    server.ahead = ahead
    refused = (400, {"error": "invalid_grant", "error_description": f"Invalid assertion. {code}"})
    server.script.extend([refused, refused, refused])
    with pytest.raises(
        SourceRefused, match=rf"klokken på denne maskinen går (59|60|61) sekunder {said}: den som drifter"
    ):
        maskinporten.token(connection)
    issued = [jwt.decode(form["assertion"][0], options={"verify_signature": False})["iat"] for form in server.forms]
    assert len(issued) == 2
    assert abs(issued[1] - issued[0] - ahead) <= 2
    assert maskinporten.token(connection) == "token-4"


def test_a_used_grant_is_replaced_once_by_a_fresh_one(server, connection):
    server.script.append((400, {"error": "invalid_grant", "error_description": "Grant is used before (MP-012)"}))
    assert maskinporten.token(connection) == "token-2"
    assert server.forms[0]["assertion"] != server.forms[1]["assertion"]


@pytest.mark.parametrize(
    ("code", "kind", "expected"),
    [
        ("MP-100", ConfigError, "må rette klient-id"),
        ("MP-110", ConfigError, "må rette issuer"),
        ("MP-120", ConfigError, "må registrere den hos Digdir"),
        ("MP-121", ConfigError, "nøkkelen er utløpt: den som forvalter klienten, må lage en ny"),
        ("MP-123", ConfigError, "må skrive hele kjeden som en liste"),
        ("MP-124", ConfigError, "må legge inn den private nøkkelen som hører til"),
        ("MP-130", SourceRefused, "må stille klokken"),
        ("MP-200", ConfigError, "må rette scope, eller be Skatteetaten om tilgang"),
        ("MP-250", SourceRefused, "kommunen må be Skatteetaten om tilgang til scopet"),
        ("MP-251", SourceRefused, "Altinn-ansvarlige må delegere"),
        ("MP-999", SourceRefused, "må ta det opp med Digdir"),
    ],
)
def test_each_refusal_says_who_must_do_what(server, connection, code, kind, expected, caplog):
    caplog.set_level(logging.DEBUG)
    body = {"error": "invalid_grant", "error_description": f"No for secret-detail ({code})"}
    server.script.extend([(400, body), (400, body)])
    with pytest.raises(DataflytError) as caught:
        maskinporten.token(connection)
    assert type(caught.value) is kind
    assert expected in caught.value.sentence
    assert f"(HTTP 400, {code})" in caught.value.sentence
    assert "secret-detail" not in caught.value.sentence + caplog.text


@pytest.mark.parametrize(
    "answer", [(500, b"oops"), (503, b"<html>"), (429, b""), (200, b"<html>"), (200, b'{"expires_in": 1'), (200, {})]
)
def test_an_outage_is_worth_another_try(server, connection, answer):
    server.script.append(answer)
    with pytest.raises(SourceUnavailable):
        maskinporten.token(connection)
    assert maskinporten.token(connection) == "token-2"


def test_a_firewall_is_named(server, connection):
    server.script.append((403, b"<html>Support ID: 4711</html>"))
    with pytest.raises(SourceRefused, match="en brannmur stanset den") as caught:
        maskinporten.token(connection)
    assert "4711" not in caught.value.sentence


def test_a_connection_that_lacks_something_says_what(connection):
    bare = Connection("freg_haugesund", connection.url, None, connection.password, {"issuer": ISSUER})
    with pytest.raises(ConfigError, match="freg_haugesund mangler login, scope:"):
        maskinporten.token(bare)


def test_a_key_that_is_none_is_not_repeated(server, connection):
    for bad in ("not-a-key", pem(ec.generate_private_key(ec.SECP256R1()))):
        broken = Connection("freg_haugesund", connection.url, "client-1", bad, connection.extra)
        with pytest.raises(ConfigError, match="kan ikke brukes") as caught:
            maskinporten.token(broken)
        assert caught.value.__context__ is None
        assert bad not in repr(caught.value)


def test_the_key_is_never_sent_in_clear_over_a_network(connection):
    far = connection.extra | {"token_endpoint": "http://maskinporten.example.no/token"}
    with pytest.raises(ConfigError, match="https://"):
        maskinporten.token(Connection("freg_haugesund", connection.url, "c", connection.password, far))


def test_nothing_secret_is_logged(server, connection, caplog):
    caplog.set_level(logging.DEBUG)
    token = maskinporten.token(connection)
    for secret in (token, server.forms[0]["assertion"][0], connection.password.splitlines()[1]):
        assert secret not in caplog.text
