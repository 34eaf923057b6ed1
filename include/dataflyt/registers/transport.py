"""The way out to a register: trusted certificates, proxies, and one time limit for a whole exchange.

The trusted certificate authorities are those of the machine's own store and of these environment variables:
``SSL_CERT_FILE`` and ``SSL_CERT_DIR``, which replace the store, as in OpenSSL, and ``REQUESTS_CA_BUNDLE`` and
``CURL_CA_BUNDLE``, which add to it. The proxies are those of ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and
``NO_PROXY``, in capitals or not. httpx reads fewer of these variables, and fewer forms of ``NO_PROXY``.

A fault that a person must put right is SourceRefused or ConfigError, and tells which setting to change. The value of a
proxy variable is never told, because it may contain a password.
"""

import contextlib
import functools
import os
import re
import ssl
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import httpcore
import httpx

from dataflyt.errors import ConfigError, DataflytError, SourceRefused, SourceUnavailable

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PEM = {".pem", ".crt", ".cer"}


def open_transport(url: str) -> httpx.HTTPTransport:
    """Return the transport to an address; raises ConfigError when a variable about it cannot be used."""
    context, proxy = trusted(), proxy_for(url)
    try:
        encrypted = context if proxy and proxy.startswith("https:") else None
        by = httpx.Proxy(proxy, ssl_context=encrypted) if proxy else None
        if by and not by.url.host:
            raise ValueError
        transport = httpx.HTTPTransport(verify=context, proxy=by)
    except (ValueError, ImportError, httpx.InvalidURL):
        raise ConfigError(
            f"{_variable(url)} kan ikke brukes: skriv http://vert:port, eller http://bruker:passord@vert:port der andre"
            " tegn enn bokstaver og tall i passordet er prosentkodet."
        ) from None
    transport._pool._network_backend = _Backend()  # httpx has no argument for it
    return transport


# --- whom to trust -----------------------------------------------------------------------------------------------


def trusted() -> ssl.SSLContext:
    """Return a context that trusts the authorities of the machine and of the variables. Raises ConfigError."""
    return _trusted(tuple((name, os.environ[name]) for name in CA_VARIABLES if os.environ.get(name)))


@functools.cache
def _trusted(named: tuple[tuple[str, str], ...]) -> ssl.SSLContext:
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name, value in named:
        for place in value.split(os.pathsep) if name == "SSL_CERT_DIR" else [value]:
            try:
                _trust(context, Path(place))
            except OSError:  # ssl.SSLError is one
                raise ConfigError(
                    f"{name} peker på {place}, der det ikke er sertifikater i PEM: rett {name}, eller ta den bort."
                ) from None
    return context


def _trust(context: ssl.SSLContext, place: Path) -> None:
    if not place.is_dir():
        context.load_verify_locations(cafile=place)
        return
    context.load_verify_locations(capath=place)
    for file in place.iterdir():  # OpenSSL finds only the certificates that c_rehash has named
        if file.suffix in _PEM and file.is_file():
            with contextlib.suppress(ssl.SSLError):
                context.load_verify_locations(cafile=file)


# --- by which proxy ----------------------------------------------------------------------------------------------


def proxy_for(url: str) -> str | None:
    """Return the proxy that the environment names for an address; None if the address is reached without a proxy."""
    proxies, parts = getproxies_environment(), urlsplit(url)
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    host = (parts.hostname or "").rstrip(".")
    entries = re.split(r"[\s,;|]+", proxies.get("no", "").lower())
    if not proxy or any(_is_direct(entry, host, port) for entry in entries if entry):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_direct(entry: str, host: str, port: int) -> bool:
    """Tell whether an entry of NO_PROXY covers a host.

    A name covers itself and all names below it, with or without ``.`` or ``*.`` before it.

    >>> [_is_direct(entry, "freg.skatt.no", 443) for entry in ("*", "skatt.no", "*.skatt.no", "https://freg.skatt.no:443/api")]
    [True, True, True, True]
    >>> [_is_direct(entry, "10.1.2.3", 443) for entry in ("10.0.0.0/8", "10.*", "10.1.2.3:8443", "fd00::/8")]
    [True, True, False, False]
    """
    if entry == "*":
        return True
    entry = entry.partition("://")[2] or entry
    with contextlib.suppress(ValueError):
        network = ip_network(entry.strip("[]"), strict=False)
        with contextlib.suppress(ValueError):
            return ip_address(host) in network
        return False
    entry = entry.partition("/")[0]
    name, has_port, wanted = entry.rpartition(":")
    if has_port and wanted.isdigit():
        return int(wanted) == port and _is_direct(name, host, port)
    name = entry.lstrip("*").strip(".")
    return bool(name) and (fnmatchcase(host, name) or host.endswith(f".{name}"))


def _variable(url: str) -> str:
    """Return the name of the variable that decides an address's proxy."""
    proxies, scheme = getproxies_environment(), urlsplit(url).scheme
    return "ALL_PROXY" if proxies.get("all") and not proxies.get(scheme) else f"{scheme.upper()}_PROXY"


# --- one clock ---------------------------------------------------------------------------------------------------

_until: ContextVar[float] = ContextVar("until")


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the time for all connecting, sending and reading inside. Raises httpx.TimeoutException."""
    before = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(before)


def _left(timeout: float | None) -> float | None:
    until = _until.get(None)
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the whole exchange took too long")
    return left if timeout is None else min(left, timeout)


class _Backend(httpcore.SyncBackend):
    """Connections that keep to the time limit: no read begins after it, even when the server keeps sending."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(host, port, _left(timeout), local_address, socket_options))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


# --- what went wrong ---------------------------------------------------------------------------------------------

_TRUST = (
    "legg den som utsteder det (en proxy har ofte sin egen utsteder), i maskinens sertifikatlager, eller sett "
    "SSL_CERT_FILE til en PEM-fil med alle utstederne dere stoler på"
)
_UNTRUSTED = f"Sertifikatet til {{who}} er utstedt av noen denne maskinen ikke stoler på: {_TRUST}."
_OF_ANOTHER = (
    "Sertifikatet til {who} gjelder et annet vertsnavn enn det i adressen: rett adressen i tilkoblingen, eller sett "
    "NO_PROXY om en proxy svarer i stedet."
)
_CERTIFICATES = {
    9: "Sertifikatet til {who} gjelder ikke ennå: still klokken på denne maskinen, eller be {who} rette det.",
    10: "Sertifikatet til {who} er utløpt: be dem som har det, fornye det, og se etter at klokken på denne maskinen "
    "er riktig.",
    18: f"Sertifikatet til {{who}} er selvsignert, og denne maskinen stoler ikke på det: {_TRUST}.",
    62: _OF_ANOTHER,
    64: _OF_ANOTHER,
}
"""By OpenSSL's X509_V_ERR_*. Every other code means an issuer that is not trusted."""


def failed(error: Exception, who: str, url: str) -> DataflytError:
    """Return the error of an exchange without an answer: SourceRefused where a person must act, else SourceUnavailable.

    ``error`` is httpx's. It carries the question, so it must not be chained.
    """
    kind, proxy = type(error).__name__, proxy_for(url)
    by = f", gjennom proxyen i {_variable(url)}" if proxy else ""
    if isinstance(error, httpx.ProxyError) and (status := re.match(r"[345][0-9]{2}", str(error))):
        return refused_by_proxy(int(status[0]), who, url)
    secured = _cause(error)
    if isinstance(secured, ssl.SSLCertVerificationError):
        code = secured.verify_code
        return SourceRefused(_CERTIFICATES.get(code, _UNTRUSTED).format(who=who), error=kind, verify_code=code)
    if secured and not isinstance(secured, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        what = (
            f"{who} og Dataflyt ble ikke enige om kryptering{by}: Dataflyt prøver igjen. Varer det, se etter at "
            "adressen er rett, og at HTTPS_PROXY begynner med http:// når proxyen ikke selv er kryptert."
        )
        return SourceUnavailable(what, error=kind, reason=secured.reason)
    late = isinstance(error, httpx.TimeoutException)
    what = "svarte ikke i tide" if late else "svarte ikke, eller forbindelsen ble brutt"
    return SourceUnavailable(f"{who} {what}{by}: Dataflyt prøver igjen.", error=kind)


def refused_by_proxy(status: int, who: str, url: str) -> DataflytError:
    """Return the error for a proxy that answered instead of the register."""
    name = _variable(url)
    if status == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
        has_login = "@" in (proxy_for(url) or "")
        what = f"godtok ikke innloggingen i {name}" if has_login else "krever innlogging"
        return SourceRefused(
            f"Proxyen {what}, så {who} er ikke spurt: skriv {name} som http://bruker:passord@vert:port, der andre tegn "
            f"enn bokstaver og tall er prosentkodet, eller sett NO_PROXY der {who} nås uten proxy.",
            status=status,
        )
    if status >= 500 or status in (408, 425, 429):
        return SourceUnavailable(
            f"Proxyen i {name} nådde ikke {who} (HTTP {status}): Dataflyt prøver igjen.", status=status
        )
    return SourceRefused(
        f"Proxyen i {name} slipper ikke Dataflyt fram til {who} (HTTP {status}): be den som drifter proxyen, om å åpne "
        "for adressen i tilkoblingen, eller sett NO_PROXY der den nås uten proxy.",
        status=status,
    )


def _cause(error: BaseException | None) -> ssl.SSLError | None:
    """Return the TLS error that caused one of httpx's; None when there is none."""
    while error is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__ or error.__context__
    return error
