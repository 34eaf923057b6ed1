"""Maskinporten's token endpoint: a signed JWT grant in, an access token out.

Sources: RFC 7523; Digdir, Maskinporten documentation: "JWT grant", "/token endpoint" and "Feilsøking" (the MP codes).
Two codes are assumptions: MP-011 for a ``consumer_org`` that is the client's own, and MP-122 for a certificate that is
out of date. The access token is a JWT with ``consumer`` (and ``supplier`` when delegated), as Maskinporten's are. It is
signed with a secret instead of a key.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509 import load_der_x509_certificate

from simulator.numbers import organisation

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FREG = "folkeregister:deling/offentligmedhjemmel"
KRR_CONTACT = ("krr:global/kontaktinformasjon.read", "krr:global/kontaktinfo.read")
KRR_MAILBOX = ("krr:global/digitalpost.read", "krr:global/postkasse.read")
FIKS = "ks:fiks"
SCOPES = {FREG, "folkeregister:deling/offentligutenhjemmel", *KRR_CONTACT, *KRR_MAILBOX, FIKS}
"""The scopes the simulator's client is registered with."""
ALGORITHMS = ["RS256", "RS384", "RS512"]
OWN_ORGNR = organisation("31000001")
"""The client's owner, a made-up supplier of the kommuner."""
LIFETIME = 599
LEEWAY = 10
LONGEST_GRANT = 120
KEY_LIFETIME = 365 * 24 * 3600


class Refused(Exception):
    """A grant that gives no token; ``status`` and ``body`` are the answer."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        uri = "https://docs.digdir.no/docs/Maskinporten/maskinporten_feilsoking"
        self.body = {"error": error, "error_description": description, "error_uri": uri}


@dataclass(frozen=True)
class Token:
    """The rights of a bearer token."""

    scopes: frozenset[str]
    expires: float
    resources: tuple[str, ...] = ()


def load_key(path: Path) -> tuple[RSAPublicKey, str | None]:
    """Read the client's public key and ``kid`` from a JWK, a JWK set with one key or PEM (no kid); or ValueError."""
    raw = path.read_bytes()
    if not raw.lstrip().startswith(b"{"):
        key, kid = load_pem_public_key(raw), None
    else:
        jwk = orjson.loads(raw)
        jwk = jwk["keys"][0] if "keys" in jwk else jwk
        key, kid = jwt.PyJWK.from_dict({"alg": "RS256", **jwk}).key, jwk.get("kid")
    if not isinstance(key, RSAPublicKey):
        raise ValueError(f"{path} is not the public half of an RSA key")
    return key, kid


@dataclass
class Maskinporten:
    """Knows one client and its key. ``clock`` gives seconds since 1970, the real ones.

    ``delegations`` are the organisations that have delegated their access to the client's owner; ``registered`` is the
    time when the key was registered.
    """

    issuer: str
    client_id: str
    key: RSAPublicKey
    kid: str | None
    clock: Callable[[], float]
    delegations: frozenset[str] = frozenset()
    registered: float | None = None
    _secret: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    _used: dict[str, float] = field(default_factory=dict)
    _tokens: dict[str, Token] = field(default_factory=dict)

    def token(self, grant_type: str | None, assertion: str | None) -> dict[str, Any]:
        """Answer the token endpoint. Raises Refused."""
        if grant_type != GRANT_TYPE:
            raise Refused("unsupported_grant_type", f"Unsupported grant type, use {GRANT_TYPE}")
        if not assertion:
            raise Refused("invalid_request", "Invalid assertion. Invalid parameter value (MP-011): no assertion")
        claims = self._verified(assertion)
        scopes = claims["scope"].split()
        resources = tuple(claims.get("resource") or ())
        now = self.clock()
        access_token = self._access_token(claims, now)
        self._tokens = {key: token for key, token in self._tokens.items() if token.expires > now}
        self._tokens[access_token] = Token(frozenset(scopes), now + LIFETIME, resources)
        return {"access_token": access_token, "token_type": "Bearer", "expires_in": LIFETIME, "scope": " ".join(scopes)}

    def _access_token(self, claims: dict[str, Any], now: float) -> str:
        consumer = claims.get("consumer_org") or OWN_ORGNR
        parties = {"consumer": consumer, **({"supplier": OWN_ORGNR} if claims.get("consumer_org") else {})}
        token: dict[str, Any] = {
            "iss": self.issuer,
            "client_id": self.client_id,
            "client_amr": "private_key_jwt",
            "token_type": "Bearer",
            "aud": claims.get("resource") or "unspecified",
            "scope": claims["scope"],
            "iat": int(now),
            "exp": int(now) + LIFETIME,
            "jti": secrets.token_urlsafe(16),
        }
        token |= {role: {"authority": "iso6523-actorid-upis", "ID": f"0192:{orgnr}"} for role, orgnr in parties.items()}
        return jwt.encode(token, self._secret)

    def forget(self) -> None:
        """End all tokens before they expire."""
        self._tokens.clear()

    def find(self, authorization: str | None) -> Token | None:
        """Return the token of an Authorization header, or None when it is missing, unknown or expired."""
        scheme, _, value = (authorization or "").partition(" ")
        token = self._tokens.get(value.strip()) if scheme.lower() == "bearer" else None
        return token if token and token.expires > self.clock() else None

    def _verified(self, assertion: str) -> dict[str, Any]:
        failed = "Invalid assertion. Client authentication failed."
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.InvalidTokenError:
            raise Refused("invalid_request", "Invalid assertion. Invalid parameter value (MP-011)") from None
        if header.get("alg") not in ALGORITHMS:
            raise Refused(
                "invalid_grant", f"{failed} Invalid JWT signature (MP-124): alg must be RS256, RS384 or RS512"
            )
        if ("kid" in header) == ("x5c" in header):
            raise Refused("invalid_grant", f"{failed} Exactly one of kid and x5c must be given. (MP-120)")
        if "x5c" in header:
            self._check_certificates(header["x5c"])
        elif self.kid and header.get("kid") != self.kid:
            raise Refused("invalid_grant", f"{failed} The JWT is signed with an invalid certificate. (MP-120)")
        elif self.registered is not None and self.clock() > self.registered + KEY_LIFETIME:
            raise Refused("invalid_grant", f"{failed} The key is expired. (MP-121)")
        try:
            options = {
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            }
            claims = jwt.decode(assertion, self.key, algorithms=ALGORITHMS, options=options)  # type: ignore[arg-type]
        except jwt.InvalidTokenError:
            raise Refused("invalid_grant", f"{failed} Invalid JWT signature (MP-124)") from None
        if claims.get("aud") != self.issuer:
            raise Refused("invalid_grant", f"{failed} Invalid JWT claim aud (MP-110)")
        if claims.get("iss") != self.client_id:
            raise Refused("invalid_grant", f"{failed} Client not found (MP-100)")
        self._check_times(claims)
        self._check_scopes(claims)
        self._check_delegation(claims.get("consumer_org"))
        resource = claims.get("resource")
        if resource is not None and not isinstance(resource, list):
            raise Refused(
                "invalid_request", "Invalid assertion. Invalid parameter value (MP-011): resource must be an array"
            )
        self._use_up(
            str(claims["jti"]) if claims.get("jti") else hashlib.sha256(assertion.encode()).hexdigest(), claims["exp"]
        )
        return claims

    def _check_certificates(self, x5c: object) -> None:
        failed = "Invalid assertion. Client authentication failed."
        if not isinstance(x5c, list) or not x5c:
            raise Refused("invalid_grant", f"{failed} x5c must be an array of certificates. (MP-123)")
        try:
            chain = [load_der_x509_certificate(base64.b64decode(one, validate=True)) for one in x5c]
        except (ValueError, TypeError):
            raise Refused("invalid_grant", f"{failed} x5c cannot be read. (MP-123)") from None
        now = datetime.fromtimestamp(self.clock(), UTC)
        if not chain[0].not_valid_before_utc <= now <= chain[0].not_valid_after_utc:
            raise Refused("invalid_grant", f"{failed} The certificate is out of date. (MP-122)")
        if chain[0].public_key() != self.key:
            raise Refused("invalid_grant", f"{failed} The certificate is not the client's. (MP-120)")

    def _check_delegation(self, consumer: object) -> None:
        if consumer is None:
            return
        if not isinstance(consumer, str) or consumer == OWN_ORGNR:
            raise Refused(
                "invalid_request",
                "Invalid assertion. Invalid parameter value (MP-011): consumer_org must be another organisation's",
            )
        if consumer not in self.delegations:
            raise Refused("invalid_grant", "Consumer has not delegated access to the scope to the supplier. (MP-251)")

    def _check_times(self, claims: dict[str, Any]) -> None:
        now, issued, expires = self.clock(), claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int | float) or not isinstance(expires, int | float):
            raise Refused(
                "invalid_request", "Invalid assertion. Invalid parameter value (MP-011): iat and exp are required"
            )
        if expires - issued > LONGEST_GRANT:
            raise Refused(
                "invalid_grant",
                f"Invalid assertion. Invalid parameter value (MP-011): exp - iat is more than {LONGEST_GRANT} s",
            )
        if issued > now + LEEWAY:
            raise Refused("invalid_grant", "Invalid assertion. Issue time is after now")
        if expires < now or issued < now - LEEWAY:
            raise Refused("invalid_grant", "Invalid assertion. JWT is expired (MP-130)")

    def _check_scopes(self, claims: dict[str, Any]) -> None:
        scope = claims.get("scope")
        if not isinstance(scope, str) or not scope.split():
            raise Refused("invalid_scope", "Invalid scope (MP-200): scope is required")
        if not SCOPES.issuperset(scope.split()):
            raise Refused("invalid_scope", "Invalid scope - Token request contains invalid scopes for client (MP-200)")

    def _use_up(self, jti: str, expires: float) -> None:
        now = self.clock()
        self._used = {key: until for key, until in self._used.items() if until >= now}
        if jti in self._used:
            raise Refused("invalid_grant", "Invalid assertion. Grant is used before (MP-012)")
        self._used[jti] = expires + LEEWAY
