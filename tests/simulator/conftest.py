import os
import time
import warnings
from datetime import date
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.maskinporten import FREG, GRANT_TYPE, KRR_CONTACT
from simulator.server import create_app
from simulator.world import build

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it asks for httpx2
    from fastapi.testclient import TestClient

DAY = date(2026, 11, 23)
URL = "http://simulator.test"


@pytest.fixture(scope="session")
def reference() -> Path:
    folder = os.environ.get("DATAFLYT_REFERENCE")
    if not folder:
        pytest.skip("DATAFLYT_REFERENCE is not set: a folder with the registers' own schemas")
    return Path(folder)


@pytest.fixture(scope="session")
def world():
    return build("1106", 1, DAY)


@pytest.fixture(scope="session")
def key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Registers:
    """The simulator's application, with a client that can make grants and a clock that a test can set."""

    def __init__(self, world, key, drop=None, registered=None):
        self.key = key
        self.offset = 0.0
        self.http = TestClient(
            create_app(world, URL, key.public_key(), "kid-1", "client-1", self.now, drop, registered)
        )

    def now(self):
        return time.time() + self.offset

    def grant(self, *, key=None, alg="RS256", headers=None, **changed):
        now = int(self.now())
        claims = {
            "aud": f"{URL}/",
            "iss": "client-1",
            "scope": FREG,
            "iat": now,
            "exp": now + 120,
            "jti": os.urandom(8).hex(),
        }
        claims = {name: value for name, value in (claims | changed).items() if value is not None}
        return jwt.encode(claims, key or self.key, alg, headers={"kid": "kid-1"} if headers is None else headers)

    def token(self, assertion, grant_type=GRANT_TYPE):
        return self.http.post("/token", data={"grant_type": grant_type, "assertion": assertion})

    def bearer(self, scope=FREG, **changed):
        return {"Authorization": f"Bearer {self.token(self.grant(scope=scope, **changed)).json()['access_token']}"}

    def freg(self, numbers, *parts, **query):
        return self.http.post(
            "/folkeregisteret/offentlig-med-hjemmel/api/v1/personer/bulkoppslag",
            params={"part": parts, **query},
            json={"foedselsEllerDNummer": numbers},
            headers=self.bearer(),
        )

    def krr(self, numbers, scope=KRR_CONTACT[0]):
        return self.http.post("/rest/v2/personer", json={"personidentifikatorer": numbers}, headers=self.bearer(scope))


@pytest.fixture
def registers(world, key):
    return Registers(world, key)
