"""One exchange with a server over HTTP: time limits, size limits, retries, and errors without personal data.

A register is asked about people by their numbers. Nothing of a request or an answer is therefore logged or put into an
exception: no body, no query, no URL. An error names only the register, the connection, the status, and an error code
such as FREG-001.
"""

import contextlib
import logging
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, SourceUnavailable, Unreadable
from dataflyt.registers.answers import PACKED, Answer, unpacked
from dataflyt.registers.settings import Settings
from dataflyt.registers.transport import failed, open_transport, refused_by_proxy, within

_COME_BACK = {408, 425, 429}
_ERROR_BODY = 64 * 1024

# httpx logs every URL at INFO, whatever level the root logger is set to afterwards.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)
    logging.getLogger(_chatty).addFilter(lambda record: record.levelno >= logging.WARNING)


def open_client(connection: Connection, settings: Settings, url: str) -> httpx.Client:
    """Open a client for the host of ``url`` with our time limits and name.

    The register may call the connection's ``contact``, which is sent to it. Raises ConfigError for a proxy or a file of
    certificates that cannot be used.
    """
    contact = re.sub(r"[^ -'*-~]", "", str(connection.extra.get("contact", "")))
    name = f"dataflyt/{version('dataflyt')}" + (f" ({contact})" if contact else "")
    return httpx.Client(
        timeout=httpx.Timeout(settings.read_timeout, connect=settings.connect_timeout),
        headers={"User-Agent": name, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"},
        transport=open_transport(url),
        trust_env=False,
    )


def send(
    client: httpx.Client,
    who: str,
    method: str,
    url: str,
    content: bytes | None,
    headers: Mapping[str, str],
    settings: Settings,
) -> Answer:
    """Send one question and return the whole answer, whatever its status.

    The exchange takes ``answer_timeout`` at most, from connecting to the last byte. Raises SourceUnavailable when no
    answer comes, SourceRefused when a certificate or a proxy stops the question, Unreadable when the answer is too
    long.
    """
    try:
        with within(settings.answer_timeout), client.stream(method, url, content=content, headers=headers) as response:
            if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
                raise refused_by_proxy(response.status_code, who, url)
            layers = response.headers.get("Content-Encoding", "").lower().split(",")
            packing = ",".join(layer for one in layers if (layer := one.strip()) not in ("", "identity"))
            if packing not in PACKED:
                raise Unreadable(
                    f"{who} pakket svaret på en måte vi ikke ba om: meld fra til den som forvalter Dataflyt."
                )
            body = bytearray()
            for piece in unpacked(response.iter_raw(), PACKED[packing]):
                body += piece
                if response.status_code != httpx.codes.OK and len(body) > _ERROR_BODY:
                    break
                if max(len(body), response.num_bytes_downloaded) > settings.longest_answer:
                    raise Unreadable(
                        f"{who} sendte et svar som er større enn Dataflyt tar imot: "
                        "meld fra til den som forvalter Dataflyt.",
                        limit=settings.longest_answer,
                    )
            return Answer(response.status_code, dict(response.headers), bytes(body))
    except (httpx.RequestError, httpx.InvalidURL) as error:
        why = failed(error, who, url)
    raise why  # raised outside the except block, because httpx's exceptions carry the question


def unavailable(who: str, answer: Answer, unit: float, settings: Settings) -> SourceUnavailable | None:
    """Return the error for an answer that asks us to come back, or None. ``unit`` is Retry-After's unit in seconds."""
    if answer.status not in _COME_BACK and answer.status < 500:
        return None
    facts: dict[str, object] = {"status": answer.status}
    told = answer.headers.get("retry-after", "")
    wait = int(told) * unit if re.fullmatch(r"[0-9]{1,12}", told) else 0.0
    with contextlib.suppress(ValueError, TypeError):  # HTTP allows a time there too
        wait = max(wait, parsedate_to_datetime(told).timestamp() - time.time())
    if wait:
        facts["retry_after"] = min(wait, settings.longest_wait)
    return SourceUnavailable(f"{who} er opptatt eller nede (HTTP {answer.status}): Dataflyt prøver igjen.", **facts)


def retrying(settings: Settings) -> Retrying:
    """Return a retrier: it calls a function again on SourceUnavailable, with growing waits; it raises the last one."""
    growing = wait_exponential_jitter(
        multiplier=settings.first_wait, max=settings.longest_wait, jitter=settings.first_wait
    )

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = error.facts.get("retry_after", 0.0) if isinstance(error, SourceUnavailable) else 0.0
        return max(growing(state), float(str(told)))

    return Retrying(
        stop=stop_after_attempt(settings.attempts),
        wait=wait,
        retry=retry_if_exception_type(SourceUnavailable),
        reraise=True,
    )


def require_https(connection: Connection, url: str) -> None:
    """Refuse an address that would send people's numbers or our key in clear over a network. Raises ConfigError.

    Plain http is allowed to this machine and to names without a dot (containers on the same network).
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    near = "." not in host and ":" not in host
    with contextlib.suppress(ValueError):
        near = near or ip_address(host).is_loopback
    if host and (parts.scheme == "https" or (parts.scheme == "http" and near)):
        return
    raise ConfigError(
        f"Tilkoblingen {connection.name} har en adresse som ikke kan brukes: skriv en som begynner med https://."
    )
