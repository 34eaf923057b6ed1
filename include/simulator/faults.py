"""Faults: occasional errors of registers, firewalls and networks, switched on for a number of requests.

``FAULTS`` is the table. A fault is switched on at the start (``serve --fault half@krr:2``: for the next two requests
to KRR) or while the simulator runs: POST ``/simulator/faults`` ``{"name": "half", "path": "krr", "count": 2}``; GET
tells which faults are on and which requests have come; DELETE switches all faults off. ``path`` is one of ``PATHS``;
``count`` 0 means every request. Several faults for a path come in the order that they were switched on.
"""

import asyncio
import hashlib
import time
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import orjson

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

PATHS = {
    "freg": ("/folkeregisteret/",),
    "krr": ("/rest/",),
    "fiks": ("/folkeregister/", "/register/"),
    "token": ("/token", "/.well-known/"),
    "nsr": ("/v4/",),
    "grep": ("/kl06/",),
    "klass": ("/api/klass/",),
}
STALL = 30.0
CLOCK = 15.0
HUGE = 2 * 1024**3
HTML = b"<html><body>The requested URL was rejected. Please consult with your administrator.</body></html>"
_LISTS = ("oppslag", "personer", "EnhetListe", "codes")


@dataclass
class Exchange:
    """A request, the application that would answer it, and the receiver of the answer."""

    path: str
    app: App
    scope: Message
    body: bytes
    receive: Receive
    send: Send
    switches: "Switches"

    async def replay(self) -> Message:
        """Return the request's body to the application."""
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def answered(self) -> tuple[int, dict[bytes, bytes], bytes]:
        """Let the application answer, and keep the answer."""
        status, headers, body = 500, {}, b""

        async def keep(message: Message) -> None:
            nonlocal status, headers, body
            if message["type"] == "http.response.start":
                status, headers = message["status"], dict(message["headers"])
            else:
                body += message.get("body", b"")

        await self.app(self.scope, self.replay, keep)
        return status, headers, body

    async def start(self, status: int, headers: dict[bytes, bytes], length: int | None) -> None:
        """Send the head of an answer."""
        headers = {name: value for name, value in headers.items() if name != b"content-length"}
        headers |= {} if length is None else {b"content-length": str(length).encode()}
        await self.send({"type": "http.response.start", "status": status, "headers": [*headers.items()]})

    async def answer(self, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        """Send a whole answer."""
        await self.start(status, headers, len(body))
        await self.send({"type": "http.response.body", "body": body})

    async def pour(self, pieces: Iterator[bytes]) -> None:
        """Send pieces until there are no more, or the client has hung up."""
        gone = asyncio.ensure_future(self.receive())
        for piece in pieces:
            if gone.done():
                return
            await self.send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)
        gone.cancel()
        await self.send({"type": "http.response.body", "body": b""})


Behaviour = Callable[[Exchange], Awaitable[None]]


def _instead(status: int, body: bytes = b"", content_type: str = "text/html") -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        await exchange.answer(status, {b"content-type": content_type.encode()}, body)

    return behave


def _changed(change: Callable[[Any], Any]) -> Behaviour:
    """Change the JSON of a good answer."""

    async def behave(exchange: Exchange) -> None:
        status, headers, body = await exchange.answered()
        if status == 200:
            body = orjson.dumps(change(orjson.loads(body)))
        await exchange.answer(status, headers, body)

    return behave


def _listed(change: Callable[[list[Any]], list[Any]]) -> Behaviour:
    """Change the list of persons in an answer."""

    def within(answer: Any) -> Any:
        if isinstance(answer, list):
            return change(answer)
        for name in _LISTS:
            if isinstance(answer, dict) and name in answer:
                return answer | {name: change(answer[name])}
        return answer

    return _changed(within)


async def _too_many(exchange: Exchange) -> None:
    # FREG's unit is milliseconds (Skatteetaten, "SLA og bruksvilkår"), the others' is seconds (RFC 9110).
    wait = b"300" if exchange.path == "freg" else b"1"
    await exchange.answer(429, {b"retry-after": wait}, b"")


async def _stall(exchange: Exchange) -> None:
    try:
        await asyncio.wait_for(exchange.receive(), STALL)  # or until the client hangs up
    except TimeoutError:
        await exchange.app(exchange.scope, exchange.replay, exchange.send)


async def _reset(exchange: Exchange) -> None:
    status, headers, body = await exchange.answered()
    await exchange.start(status, headers, len(body))
    await exchange.send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
    # Returning now makes the server break the connection.


async def _truncated(exchange: Exchange) -> None:
    status, headers, body = await exchange.answered()
    await exchange.answer(status, headers, body[: len(body) // 2])


async def _content_type(exchange: Exchange) -> None:
    status, headers, body = await exchange.answered()
    await exchange.answer(status, headers | {b"content-type": b"text/html; charset=iso-8859-1"}, body)


async def _duplicate_page(exchange: Exchange) -> None:
    before = exchange.switches.last.get(exchange.path)
    if before is None:
        await exchange.app(exchange.scope, exchange.replay, exchange.send)
    else:
        await exchange.answer(200, {b"content-type": b"application/json"}, before)


async def _gzip_bomb(exchange: Exchange) -> None:
    def pieces() -> Iterator[bytes]:
        packer = zlib.compressobj(9, wbits=31)
        block = b" " * 1024**2
        yield packer.compress(b'{"oppslag": [')
        for _ in range(10 * 1024):
            yield packer.compress(block)
        yield packer.flush()

    await exchange.start(200, {b"content-type": b"application/json", b"content-encoding": b"gzip"}, None)
    await exchange.pour(pieces())


async def _huge(exchange: Exchange) -> None:
    block = b" " * 1024**2
    await exchange.start(200, {b"content-type": b"application/json"}, HUGE)
    await exchange.pour(block for _ in range(HUGE // len(block)))


async def _expired_token(exchange: Exchange) -> None:
    exchange.switches.forget_tokens()
    await exchange.app(exchange.scope, exchange.replay, exchange.send)


def _clock(seconds: float) -> Behaviour:
    async def behave(exchange: Exchange) -> None:
        exchange.switches.offset = seconds
        try:
            await exchange.app(exchange.scope, exchange.replay, exchange.send)
        finally:
            exchange.switches.offset = 0.0

    return behave


_CODES = {
    "status",
    "kjoenn",
    "ansvar",
    "graderingsnivaa",
    "adressegradering",
    "reservasjon",
    "varslingsstatus",
    "spraak",
}


def _is_code(name: str, value: object) -> bool:
    # The values that everybody has are kept; otherwise everybody would get an unknown grading.
    return name in _CODES and isinstance(value, str) and value != "ugradert"


def _unknown_values(value: Any) -> Any:
    """Put an unknown value in every code, and an unknown field beside it."""
    if isinstance(value, list):
        return [_unknown_values(one) for one in value]
    if not isinstance(value, dict):
        return value
    changed = {name: "nyKode" if _is_code(name, one) else _unknown_values(one) for name, one in value.items()}
    return changed | ({"nyttFelt": {"nyKode": True}} if _CODES & value.keys() else {})


def _refused(code: str) -> Behaviour:
    said = {"error": "invalid_grant", "error_description": f"Refused by a fault of the simulator ({code})"}
    return _instead(400, orjson.dumps(said), "application/json")


@dataclass(frozen=True)
class Fault:
    """A row of the table: ``path`` and ``count`` hold for a switch that has none."""

    name: str
    help: str
    behave: Behaviour
    path: str = "freg"
    count: int = 1


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("429", "too many requests, with Retry-After (FREG's is in milliseconds)", _too_many),
        Fault("500", "server error", _instead(500, b"oops", "text/plain")),
        Fault("502", "bad gateway, as an HTML page", _instead(502, HTML)),
        Fault("503", "not available", _instead(503)),
        Fault("stall", f"silence for {STALL:.0f} s, then the answer", _stall),
        Fault("reset", "the connection breaks in mid-body", _reset),
        Fault("truncated", "half of the JSON, as if it were whole", _truncated),
        Fault("html_200", "a firewall's page, with 200", _instead(200, HTML)),
        Fault("html_403", "a firewall's page, with 403", _instead(403, HTML)),
        Fault("empty", "an answer with nobody in it", _listed(lambda people: [])),
        Fault("few", "three persons are missing from the answer", _listed(lambda people: people[3:])),
        Fault("half", "every second person is missing from the answer", _listed(lambda people: people[::2])),
        Fault("duplicate_page", "the answer of the request before, once more", _duplicate_page),
        Fault("out_of_order", "the persons in another order than asked", _listed(lambda people: people[::-1])),
        Fault("expired_token", "all tokens end now, before their time", _expired_token),
        Fault("clock", f"Maskinporten's clock is {CLOCK:.0f} s ahead of ours", _clock(CLOCK), "token", 0),
        Fault("clock_behind", f"Maskinporten's clock is {CLOCK:.0f} s behind ours", _clock(-CLOCK), "token", 0),
        Fault("content_type", "JSON that is called HTML in another encoding", _content_type),
        Fault("gzip_bomb", "10 GB of spaces, packed to 10 MB", _gzip_bomb),
        Fault("huge", "an answer of 2 GB", _huge),
        Fault("unknown_values", "an unknown value in every code, and unknown fields", _changed(_unknown_values)),
        Fault("key_expired", "Maskinporten: the key is older than a year (MP-121)", _refused("MP-121"), "token"),
        Fault("no_access", "Maskinporten: the kommune may not have the scope (MP-250)", _refused("MP-250"), "token"),
        Fault("no_delegation", "Maskinporten: nothing is delegated in Altinn (MP-251)", _refused("MP-251"), "token"),
    )
}  # fmt: skip


class UnknownFault(ValueError):
    """A switch that names no fault, path or number; its text tells what to write."""


@dataclass
class Switch:
    """A fault that is on for a path; ``left`` requests (0: all)."""

    fault: Fault
    path: str
    left: int


@dataclass
class Switches:
    """The faults that are on, and the requests that have come.

    ``offset`` is the error of Maskinporten's clock during a request, in seconds. ``requests`` has the newest requests:
    path, a digest of the question, and the fault that it met.
    """

    on: list[Switch] = field(default_factory=list)
    requests: deque[dict[str, str | None]] = field(default_factory=lambda: deque(maxlen=10_000))
    last: dict[str, bytes] = field(default_factory=dict)
    offset: float = 0.0
    forget_tokens: Callable[[], None] = lambda: None

    def turn_on(self, name: str, path: str | None = None, count: int | None = None) -> None:
        """Switch a fault on. Raises UnknownFault."""
        fault = FAULTS.get(name)
        if fault is None:
            raise UnknownFault(f"There is no fault {name}: write one of {', '.join(FAULTS)}.")
        if path is not None and path not in PATHS:
            raise UnknownFault(f"There is no path {path}: write one of {', '.join(PATHS)}.")
        if count is not None and (not isinstance(count, int) or count < 0):
            raise UnknownFault("The count is the number of requests, 0 for all.")
        self.on.append(Switch(fault, path or fault.path, fault.count if count is None else count))

    def turn_on_text(self, text: str) -> None:
        """Switch on the fault that ``NAME[@PATH][:COUNT]`` names. Raises UnknownFault."""
        where, _, count = text.partition(":")
        name, _, path = where.partition("@")
        if count and not count.isdecimal():
            raise UnknownFault("The count is the number of requests, 0 for all.")
        self.turn_on(name, path or None, int(count) if count else None)

    def clear(self) -> None:
        """Switch all faults off, and forget the requests."""
        self.on.clear()
        self.requests.clear()
        self.last.clear()

    def told(self) -> dict[str, Any]:
        """Return the faults that are on, and the requests that have come."""
        on = [{"name": switch.fault.name, "path": switch.path, "count": switch.left} for switch in self.on]
        return {"faults": {fault.name: fault.help for fault in FAULTS.values()}, "on": on, "requests": [*self.requests]}

    def take(self, path: str) -> Fault | None:
        """Return the fault that the next request to a path meets, and count it."""
        switch = next((switch for switch in self.on if switch.path == path), None)
        if switch is None:
            return None
        if switch.left:
            switch.left -= 1
            if not switch.left:
                self.on.remove(switch)
        return switch.fault


class Faulty:
    """The application with its faults: the layer between it and the network."""

    def __init__(self, app: App, switches: Switches, clock: Callable[[], float] = time.time) -> None:
        self.app, self.switches, self.clock = app, switches, clock

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, with the fault that is on for its path."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self.clock() + self.switches.offset, usegmt=True).encode()
                message["headers"] = [*message["headers"], (b"date", date)]
            await send(message)

        path = next((name for name, begins in PATHS.items() if scope["path"].startswith(begins)), None)
        if path is None:
            await self.app(scope, receive, dated)
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        asked = scope["path"].encode() + scope["query_string"] + body
        fault = self.switches.take(path)
        self.switches.requests.append(
            {"path": path, "question": hashlib.sha256(asked).hexdigest()[:16], "fault": fault.name if fault else None}
        )
        exchange = Exchange(path, self.app, scope, body, receive, dated, self.switches)
        if fault:
            await fault.behave(exchange)
            return
        status, headers, answer = await exchange.answered()
        if status == 200:
            self.switches.last[path] = answer
        await exchange.answer(status, headers, answer)
