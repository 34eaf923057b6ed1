"""Asking registers over HTTP: one place for time limits, retries, size limits, and what may be said of a failure.

A register is asked about people by their numbers, so nothing of a request or an answer is ever logged or put into an
exception: no body, no query, no URL. What is told is the register, the connection's name, the status, and an error
code such as FREG-001.

Tried again, with growing waits: lost connections, time limits, 408, 425, 429, 5xx, and a 200 that is not the JSON
it should be. A 401 is tried once more with a fresh token. All else is a refusal that a person must look at.

Polite: a register's host is asked by so many at a time, and so often a second, as the settings or the connection's
``max_concurrent`` and ``max_per_second`` allow, counted together for all that this process asks.
"""

import contextlib
import logging
import re
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any, Self, TypeAlias
from urllib.parse import urlsplit

import httpx
import msgspec
import orjson
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, NobodyNamed, SourceRefused, SourceUnavailable, Unreadable
from dataflyt.registers.transport import failed, open_transport, refused_by_proxy, within
from dataflyt.storage.landing import Landing

log = logging.getLogger(__name__)

PER_PAGE = 1000
"""Most numbers in one question: the limit of FREG's bulkoppslag and of KRR's personer."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with how many pages are landed, and how many there are."""

Token: TypeAlias = Callable[[str | None], str]
"""Gives an access token; given one that was rejected, gives another."""

Named: TypeAlias = Callable[[bytes], set[str]]
"""Gives the numbers about which an answer says something, as whoever reads its rows finds them; raises Unreadable."""

Shape: TypeAlias = Callable[[bytes], bool]
"""Tells whether the content of an answer is what it should be."""

_BOM = b"\xef\xbb\xbf"
_AGAIN = {408, 425, 429}
_PACKED = {"": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}
"""One layer, which packs a thousand to one at most."""
_PIECE = 1024 * 1024
AGAIN = "-again"
"""What a phase is called in which numbers are asked about once more."""
_FEW = 10
"""So many unanswered are never too many."""
_ERROR_BODY = 64 * 1024

# httpx logs every URL at INFO, whatever level the root logger is set to afterwards.
for _chatty in ("httpx", "httpcore"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)
    logging.getLogger(_chatty).addFilter(lambda record: record.levelno >= logging.WARNING)


@dataclass(frozen=True)
class Settings:
    """How patient we are, in seconds, and how much we take.

    ``read_timeout`` is the longest silence, ``answer_timeout`` the longest a whole exchange may take. The wait before
    try n is ``first_wait`` * 2**(n-2) and some chance, or what the register asked for when that is more, at most
    ``longest_wait``. ``longest_answer`` is in bytes, after decompression. ``max_concurrent`` and ``max_per_second`` are
    for one process and register: FREG takes 20 a second from an address in its test environment, 1000 in production.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    answer_timeout: float = 300.0
    attempts: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    longest_answer: int = 64 * 1024 * 1024
    max_concurrent: int = 4
    max_per_second: float = 15.0


@dataclass(frozen=True)
class Answer:
    """What a server answered, ``headers`` by names in small letters. It may be about people and is never shown."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)

    @property
    def html(self) -> bool:
        """Whether it is a page for people, as firewalls and proxies send."""
        return self.content.lstrip()[:1] == b"<"

    @property
    def code(self) -> str:
        """The register's own error code with a comma before it, or nothing. Its message may name a person."""
        try:
            body = json_of(self.content)
        except orjson.JSONDecodeError:
            return ""
        values = [body.get(key) for key in ("kode", "feilkode", "code")] if isinstance(body, dict) else []
        found = [value for value in values if isinstance(value, str) and re.fullmatch(r"[A-Z]{2,10}-[0-9]{1,6}", value)]
        return f", {found[0]}" if found else ""


def json_of(content: bytes) -> Any:
    """Parse an answer's JSON, which may begin with a byte order mark; raises orjson.JSONDecodeError."""
    return orjson.loads(content.removeprefix(_BOM))


def open_client(connection: Connection, settings: Settings, url: str) -> httpx.Client:
    """Open a client for the host of ``url`` with our time limits and name.

    The connection's ``contact`` tells the register whom to call. Raises ConfigError for a proxy or a file of
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


class Limiter:
    """Lets so many of this process's threads ask a register at a time, and so often a second."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asking = 0
        self._next = 0.0

    @contextlib.contextmanager
    def turn(self, max_concurrent: int, max_per_second: float) -> Iterator[None]:
        """Wait for a turn, and hold it. The limits are those of whoever asks now."""
        with self._changed:
            self._changed.wait_for(lambda: self._asking < max_concurrent)
            self._asking += 1
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + 1 / max_per_second
        try:
            time.sleep(at - now)
            yield
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify()


_limiters: defaultdict[str, Limiter] = defaultdict(Limiter)


def send(
    client: httpx.Client,
    who: str,
    method: str,
    url: str,
    content: bytes | None,
    headers: Mapping[str, str],
    settings: Settings,
) -> Answer:
    """Send one question and read the whole answer, whatever its status.

    From connecting to the last byte it takes ``answer_timeout`` at most. Raises SourceUnavailable when there is none,
    SourceRefused when a certificate or a proxy stands in the way, Unreadable when it is longer than we take.
    """
    try:
        with within(settings.answer_timeout), client.stream(method, url, content=content, headers=headers) as response:
            if response.status_code == httpx.codes.PROXY_AUTHENTICATION_REQUIRED:
                raise refused_by_proxy(response.status_code, who, url)
            layers = response.headers.get("Content-Encoding", "").lower().split(",")
            packing = ",".join(layer for one in layers if (layer := one.strip()) not in ("", "identity"))
            if packing not in _PACKED:
                raise Unreadable(
                    f"{who} pakket svaret på en måte vi ikke ba om: meld fra til den som forvalter Dataflyt."
                )
            body = bytearray()
            for piece in _unpacked(response.iter_raw(), _PACKED[packing]):
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
    raise why  # outside the except block: httpx's exceptions carry the question


def _unpacked(pieces: Iterable[bytes], packing: str) -> Iterator[bytes]:
    """Yield what is packed in the pieces of an answer, at most a megabyte at a time; b"" where a piece adds nothing.

    ``gzip`` may be of several members (RFC 1952), with zeros after the last one; ``deflate`` is with zlib's head or
    without. Raises httpx.DecodingError.
    """
    unpacker, rest, first, full = None, b"", True, False
    for piece in pieces:
        if not packing:
            yield piece
            continue
        rest = rest + piece if first or unpacker else (rest + piece).lstrip(b"\0")
        while full or len(rest) > (unpacker is None):  # a member begins with two bytes that say how it is packed
            if unpacker is None:
                unpacker, first = zlib.decompressobj(_bits(rest, packing if first else "gzip")), False
            try:
                out = unpacker.decompress(rest, _PIECE)
            except zlib.error:
                raise httpx.DecodingError("what was sent is not packed as it says") from None
            rest, full = unpacker.unconsumed_tail, len(out) == _PIECE and not unpacker.eof
            if unpacker.eof:
                rest, unpacker = unpacker.unused_data.lstrip(b"\0"), None
            yield out
    if unpacker is not None or rest:
        raise httpx.DecodingError("what was sent ends too early")


def _bits(start: bytes, packing: str) -> int:
    has_zlib_head = start[0] & 15 == zlib.DEFLATED and int.from_bytes(start[:2], "big") % 31 == 0
    return 16 + zlib.MAX_WBITS if packing == "gzip" else zlib.MAX_WBITS if has_zlib_head else -zlib.MAX_WBITS


def unavailable(who: str, answer: Answer, unit: float, settings: Settings) -> SourceUnavailable | None:
    """Give the error for an answer that asks us to come back, or None. ``unit``: of Retry-After, in seconds."""
    if answer.status not in _AGAIN and answer.status < 500:
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
    """Repeat what raises SourceUnavailable, with growing waits, and raise the last one."""
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
    """Refuse an address that would send people's numbers or our key in clear over a network; raises ConfigError.

    Plain http is for this machine and for names without a dot (containers beside us).
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


def parsed(check: Callable[[Any], bool]) -> Shape:
    """Give the shape of an answer that is JSON for which ``check`` is true."""

    def shape(content: bytes) -> bool:
        try:
            return check(json_of(content))
        except orjson.JSONDecodeError:
            return False

    return shape


def list_under(name: str | None) -> Shape:
    """Give the shape of a large answer: whole JSON with a list under ``name``; None: that is itself a list.

    Under a name one object may stand for a list of one, as the readers take it. It is looked through without building
    what is in it, which takes a twentieth of the time.
    """

    def shape(content: bytes) -> bool:
        content = content.removeprefix(_BOM)
        try:
            content.decode()  # which msgspec leaves to whoever reads it
            found = (
                msgspec.json.decode(content, type=msgspec.Raw)
                if name is None
                else msgspec.json.decode(content, type=dict[str, msgspec.Raw]).get(name, b"")
            )
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        return bytes(found).lstrip()[:1] in ((b"[",) if name is None else (b"[", b"{"))

    return shape


whole_json = parsed(lambda _: True)


class Register:
    """A register that is asked about people, with a token from Maskinporten; without one where it is open to all.

    ``who`` is its name in sentences; ``unit`` is what its Retry-After counts in, in seconds; ``headers`` go with every
    question. Use it in a ``with``; threads may share it.
    """

    def __init__(
        self,
        who: str,
        connection: Connection,
        token: Token | None,
        settings: Settings,
        *,
        unit: float = 1.0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        require_https(connection, connection.url)
        self.who = who
        self.connection = connection
        self.token = token
        self.settings = settings
        self.unit = unit
        self.headers = dict(headers or {})
        self._limiter = _limiters[urlsplit(connection.url).netloc]
        self._limits = (
            int(_number(connection, "max_concurrent", settings.max_concurrent, at_least=1)),
            _number(connection, "max_per_second", settings.max_per_second, at_least=0.01),
        )
        self._client = open_client(connection, settings, connection.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, path: str, content: bytes, expect: str) -> bytes:
        """Send a JSON question and give the answer's bytes, a JSON object with a list under ``expect``."""
        return self.post(path, content, shape=list_under(expect)).content

    def get(
        self,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        also: Container[int] = (),
        shape: Shape = whole_json,
    ) -> Answer:
        """Ask without a body; else as ``post``. With an ETag: ``If-None-Match`` in ``headers``, 304 in ``also``."""
        return self._ask("GET", path, None, headers or {}, also, shape)

    def post(
        self,
        path: str,
        content: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        also: Container[int] = (),
        shape: Shape = whole_json,
    ) -> Answer:
        """Send a JSON question and give the answer: a 200 whose content is JSON of that ``shape``.

        Statuses in ``also`` are answers too, given as they came (unless they are pages of a firewall). Raises
        SourceUnavailable when no answer comes in as many tries as the settings allow, SourceRefused when a person must
        do something, Unreadable when it is too long.
        """
        return self._ask("POST", path, content, {"Content-Type": "application/json", **(headers or {})}, also, shape)

    def _ask(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        also: Container[int],
        shape: Shape,
    ) -> Answer:
        return retrying(self.settings)(self._ask_once, method, path, content, headers, also, shape)

    def _ask_once(
        self,
        method: str,
        path: str,
        content: bytes | None,
        headers: Mapping[str, str],
        also: Container[int],
        shape: Shape,
    ) -> Answer:
        token = self.token(None) if self.token else None
        answer = self._send(method, path, content, headers, token)
        if answer.status == httpx.codes.UNAUTHORIZED and self.token:
            answer = self._send(method, path, content, headers, self.token(token))
        if answer.status in also and not answer.html:
            return answer
        if error := unavailable(self.who, answer, self.unit, self.settings):
            raise error
        if answer.status != httpx.codes.OK:
            raise self._refusal(answer)
        if not shape(answer.content):
            raise SourceUnavailable(
                f"{self.who} sendte et svar som ikke er hele og gyldige data: Dataflyt prøver igjen.",
                status=answer.status,
                html=answer.html,
                length=len(answer.content),
            )
        return answer

    def _send(
        self, method: str, path: str, content: bytes | None, headers: Mapping[str, str], token: str | None
    ) -> Answer:
        headers = {**self.headers, **headers} | ({"Authorization": f"Bearer {token}"} if token else {})
        url = self.connection.url.rstrip("/") + path
        with self._limiter.turn(*self._limits):
            return send(self._client, self.who, method, url, content, headers, self.settings)

    def _refusal(self, answer: Answer) -> SourceRefused:
        name, status = self.connection.name, answer.status
        if answer.html and status >= 400:
            what = "En brannmur avviste forespørselen til {who} ({why}): be registeret slippe inn kommunens IP-adresse."
        elif status == httpx.codes.BAD_REQUEST:
            what = "{who} godtok ikke forespørselen ({why}): meld fra til den som forvalter Dataflyt."
        elif status == httpx.codes.UNAUTHORIZED and self.token:
            what = "{who} godtok ikke tokenet fra Maskinporten ({why}): rett scope eller miljø i tilkoblingen {name}."
        elif status == httpx.codes.FORBIDDEN and self.token:
            what = "{who} gir ikke kommunen tilgang ({why}): den som forvalter {name}, må skaffe rettigheten."
        elif status == httpx.codes.NOT_FOUND or 300 <= status < 400:
            what = "{who} finnes ikke på adressen i tilkoblingen {name} ({why}): rett adressen."
        else:
            what = "{who} avviste forespørselen ({why}): meld fra til den som forvalter Dataflyt."
        return SourceRefused(what.format(who=self.who, name=name, why=f"HTTP {status}{answer.code}"), status=status)


def land_pages(
    ask: Callable[[bytes], bytes],
    landing: Landing,
    phase: str,
    numbers: Iterable[str],
    key: str,
    progress: Progress | None = None,
    *,
    who: str,
    named: Named,
) -> int:
    """Ask about ``numbers``, a thousand a page, and land each question and each answer.

    Lands ``<phase>-<i:05d>.request.json`` (the question as sent: ``{key: [numbers]}``) for all pages first, then
    ``<phase>-<i:05d>.json`` page by page. Called again, it asks the landed questions that have no answer, and about
    numbers that stand in no landed question; nothing is asked twice.

    But numbers that stand in no answer are asked about once more when all pages are there, as the phase
    ``<phase>-again``: nobody is gone because an answer forgot them. Those that are left out again are unanswered; gives
    how many. Raises SourceUnavailable, and leaves that page to be asked anew, when they are more than a tenth.
    """
    asked, missing = _land_phase(ask, landing, phase, numbers, key, progress, who, named, None)
    if missing:
        log.warning("%s: %d of %d numbers are in no answer, and are asked about once more", phase, len(missing), asked)
        most = max(_FEW, asked // 10)
        _, missing = _land_phase(ask, landing, phase + AGAIN, missing, key, None, who, named, most)
    return len(missing)


def unanswered(landing: Landing, page: str, named: Named) -> list[str]:
    """Give the numbers that a landed page was asked about and says nothing of."""
    with landing.open(f"{page}.request.json") as stream:
        question = stream.read()
    with landing.open(f"{page}.json") as stream:
        return _left_out(question, stream.read(), named)


def _left_out(question: bytes, answer: bytes, named: Named) -> list[str]:
    asked: list[str]
    (asked,) = orjson.loads(question).values()
    try:
        found = named(answer)
    except NobodyNamed:
        return asked
    except Unreadable:  # whoever reads the landed page says what is wrong with it, and with which
        return []
    return [number for number in asked if number not in found]


def _land_phase(
    ask: Callable[[bytes], bytes],
    landing: Landing,
    phase: str,
    numbers: Iterable[str],
    key: str,
    progress: Progress | None,
    who: str,
    named: Named,
    most: int | None,
) -> tuple[int, list[str]]:
    """Land a phase; give how many were asked about, and who is in no answer (at most ``most``)."""
    pages = _landed_questions(landing, phase)
    asked: set[str] = set()
    for page in pages:
        with landing.open(f"{page}.request.json") as stream:
            asked.update(orjson.loads(stream.read())[key])
    for chunk in _chunks(numbers, asked):
        page = f"{phase}-{len(pages) + 1:05d}"
        landing.write(f"{page}.request.json", orjson.dumps({key: chunk}))
        pages.append(page)

    landed = set(landing.names())
    done = sum(f"{page}.json" in landed for page in pages)
    log.info("%s: %d pages to ask, %d of them landed before", phase, len(pages), done)
    if progress:
        progress(done, len(pages))
    missing: list[str] = []
    for page in pages:
        if f"{page}.json" in landed:
            missing += unanswered(landing, page, named)
            continue
        with landing.open(f"{page}.request.json") as stream:
            question = stream.read()
        answer = ask(question)
        missing += _left_out(question, answer, named)
        if most is not None and len(missing) > most:
            raise SourceUnavailable(
                f"{who} svarte bare for noen av dem vi spurte om, også da vi spurte igjen: Dataflyt prøver igjen. "
                "Er det slik neste gang også, må den som forvalter Dataflyt, ta det opp med registeret.",
                missing=len(missing),
                allowed=most,
            )
        landing.write(f"{page}.json", answer)
        done += 1
        if progress:
            progress(done, len(pages))
    return len(asked), missing


def _landed_questions(landing: Landing, phase: str) -> list[str]:
    name = re.compile(re.escape(phase) + r"-[0-9]{5}\.request\.json")
    return [page.removesuffix(".request.json") for page in landing.names() if name.fullmatch(page)]


def _chunks(numbers: Iterable[str], asked: set[str]) -> Iterator[Sequence[str]]:
    chunk: list[str] = []
    for number in numbers:
        if not re.fullmatch(r"[0-9]{11}", number):
            raise ValueError("a register is asked about numbers of eleven digits only")
        if number in asked:
            continue
        asked.add(number)
        chunk.append(number)
        if len(chunk) == PER_PAGE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _number(connection: Connection, name: str, default: float, *, at_least: float) -> float:
    try:
        value = float(connection.extra.get(name, default))
    except (TypeError, ValueError):
        value = 0
    if not at_least <= value < float("inf"):
        raise ConfigError(f"Tilkoblingen {connection.name} har en {name} som ikke kan brukes: skriv et tall over null.")
    return value
