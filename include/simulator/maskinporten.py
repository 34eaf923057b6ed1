"""Maskinporten's token endpoint: a signed JWT grant in, an opaque token out.

Sources: RFC 7523; Digdir, Maskinporten documentation: "JWT grant", "/token endpoint" and "Feilsøking" (the MP codes).
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer"
FREG = "folkeregister:deling/offentligmedhjemmel"
KRR_CONTACT = ("krr:global/kontaktinformasjon.read", "krr:global/kontaktinfo.read")
KRR_MAILBOX = ("krr:global/digitalpost.read", "krr:global/postkasse.read")
SCOPES = {FREG, "folkeregister:deling/offentligutenhjemmel", *KRR_CONTACT, *KRR_MAILBOX}
"""The scopes the simulator's client is registered with."""
LIFETIME = 599
LEEWAY = 10
LONGEST_GRANT = 120


class Refused(Exception):
    """A grant that gives no token; ``status`` and ``body`` are the answer."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        uri = "https://docs.digdir.no/docs/Maskinporten/maskinporten_feilsoking"
        self.body = {"error": error, "error_description": description, "error_uri": uri}


@dataclass(frozen=True)
class Token:
    """What a bearer token is good for."""

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
    """Knows one client and its key. ``clock`` gives seconds since 1970, the real ones."""

    issuer: str
    client_id: str
    key: RSAPublicKey
    kid: str | None
    clock: Callable[[], float]
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
        access_token = secrets.token_urlsafe(32)
        resources = tuple(claims.get("resource") or ())
        now = self.clock()
        self._tokens = {key: token for key, token in self._tokens.items() if token.expires > now}
        self._tokens[access_token] = Token(frozenset(scopes), now + LIFETIME, resources)
        return {"access_token": access_token, "token_type": "Bearer", "expires_in": LIFETIME, "scope": " ".join(scopes)}

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
        if header.get("alg") != "RS256":
            raise Refused("invalid_grant", f"{failed} Invalid JWT signature (MP-124): alg must be RS256")
        if ("kid" in header) == ("x5c" in header) or "x5c" in header or (self.kid and header.get("kid") != self.kid):
            raise Refused("invalid_grant", f"{failed} The JWT is signed with an invalid certificate. (MP-120)")
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
            claims = jwt.decode(assertion, self.key, algorithms=["RS256"], options=options)  # type: ignore[arg-type]
        except jwt.InvalidTokenError:
            raise Refused("invalid_grant", f"{failed} Invalid JWT signature (MP-124)") from None
        if claims.get("aud") != self.issuer:
            raise Refused("invalid_grant", f"{failed} Invalid JWT claim aud (MP-110)")
        if claims.get("iss") != self.client_id:
            raise Refused("invalid_grant", f"{failed} Client not found (MP-100)")
        self._check_times(claims)
        self._check_scopes(claims)
        resource = claims.get("resource")
        if resource is not None and not isinstance(resource, list):
            raise Refused(
                "invalid_request", "Invalid assertion. Invalid parameter value (MP-011): resource must be an array"
            )
        self._use_up(
            str(claims["jti"]) if claims.get("jti") else hashlib.sha256(assertion.encode()).hexdigest(), claims["exp"]
        )
        return claims

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
