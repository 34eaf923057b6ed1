"""FREG's event list (hendelsesliste), read so that raised protection and ended access need not wait for a run.

Comes in: the ``sekvensnummer`` to read from, and the ETag of the page there. Goes out, page by page: the numbers and
``sekvensnummer`` of the events that can take something away, and the place to read on from. Source: Skatteetaten,
Folkeregisteret API documentation (hendelsesliste): ``seq`` is inclusive, a page has 1000 events, 304 when nothing is
new, 406 for a ``seq`` older than 36 months. Two things are assumed: the page at the list's end is ``[]``, and numbers
may be missing in the sequence (so the next ``seq`` is the last one seen plus one). When it fails: as ``http.Register``;
Unreadable for a list that does not go forward.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TypeGuard, cast

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, Unreadable
from dataflyt.formats.json_values import number as identity_number
from dataflyt.registers.answers import json_of, list_under, parsed, whole_json
from dataflyt.registers.settings import Settings
from dataflyt.sources.freg.client import base, open_register

LATER = frozenset(
    {
        # Name, family, citizenship, papers: these changes wait for the kommune's next run.
        *("endringINavn", "endringIKjoenn", "endringIFoedsel", "endringIFoedselINorge", "endringISivilstand"),
        *("endringIFamilierelasjon", "endringIStatsborgerskap", "endringIOpphold", "endringIOppholdPaaSvalbard"),
        *("endringIIdentitetsgrunnlag", "endringILegitimasjonsdokument", "endringIUtenlandskPersonidentifikasjon"),
        *("endringIUtlendingsmyndighetenesIdentifikasjonsnummer", "endringIAnnenIdentifikasjon"),
        *("endringIFalskIdentitet", "endringIVergemaal", "endringIRettsligHandleevne"),
        *("endringIFratattRettsligHandleevne", "endringIBrukAvSamiskSpraak", "endringISametingetsValgmanntall"),
        "endringIKontaktopplysningerForDoedsbo",
        # The person's addresses. A grading of the person comes as endringIAdressebeskyttelse, with the addresses.
        *("endringIBostedsadresse", "endringIBostedsadresseUtenFlytting"),
        *("endringIBostedsadresseVedKommuneregulering", "endringIDeltBosted", "endringIOppholdsadresse"),
        *("endringIKontaktinformasjon", "endringIInnflytting", "endringIUtflytting"),
        *("personErOpprettet", "personErUtflyttet", "personErBosatt", "personErInaktiv", "personErReaktivert"),
    }
)
"""Kinds of event (``hendelsetype``) that take nothing away. Every other kind does or may, an unknown kind too:
adressebeskyttelse, foreldreansvar, deaths, numbers, and ``personErOppdatert``, which does not tell what has changed."""


_is_page = list_under(None)
_STEPS_BACK = (0, 1000, 10_000, 100_000, 1_000_000)
"""The distances before the newest number at which a readable event is looked for, step by step."""


class TooOld(Exception):
    """The place to read from is older than the oldest event that the list keeps (36 months)."""


@dataclass(frozen=True)
class EventPage:
    """A page: the number of ``events``, the ``urgent`` ones' numbers and sekvensnummer, and the place to read on from.

    ``ahead``: the page is the list's end, but the list says that there are more events.
    """

    events: int
    urgent: list[tuple[str, int]] = field(repr=False)
    next_seq: int
    etag: str | None
    ahead: bool = False


class EventList:
    """The list at a connection: Skatteetaten's own, or (``route: fiks`` in its extra) through KS Fiks. For a ``with``.

    Raises ConfigError for another route.
    """

    def __init__(self, connection: Connection, settings: Settings | None = None) -> None:
        route = str(connection.extra.get("route") or "skatteetaten")
        if route not in ("skatteetaten", "fiks"):
            raise ConfigError(f"Tilkoblingen {connection.name} har en ukjent route: skriv skatteetaten eller fiks.")
        route = cast("Any", route)
        self._base = f"{base(connection, route, None)}/v1/hendelser"
        self._register = open_register(connection, route, settings)

    def __enter__(self) -> Self:
        self._register.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._register.__exit__(*error)

    def last(self) -> int:
        """Return the newest ``sekvensnummer`` of the list: a bare number."""
        answer = self._register.get(f"{self._base}/siste/sekvensnummer", shape=parsed(_is_number))
        return int(json_of(answer.content))

    def end(self) -> int:
        """Return the ``seq`` after the last readable event: the place to start reading without older events.

        The newest number may be ahead of that event. A start after the newest number would miss the events between.
        """
        newest = self.last()
        at = newest + 1
        for back in _STEPS_BACK:
            seq = max(newest - back, 0)
            try:
                *read_before, page = self.pages(seq, None)
            except TooOld:
                break
            at = page.next_seq
            if read_before or not seq:
                break
        return at

    def pages(self, seq: int, etag: str | None) -> Iterator[EventPage]:
        """Read on from ``seq`` until the list's end, whose page has no events. Raises TooOld.

        A page without events is the end, even if it holds something else. If ``last`` says that there are more events,
        the page is asked for once more, since they may have come meanwhile. If the page is still empty, the list counts
        numbers before it gives their events; the events then come at the same place the next time.
        """
        nothing_before = False
        while True:
            page = self._page(seq, etag)
            if page is None:
                yield EventPage(0, [], seq, etag)
                return
            if page.events:
                yield page
            elif self.last() < seq:
                yield page
                return
            elif nothing_before:
                yield EventPage(0, [], seq, None, ahead=True)
                return
            nothing_before = not page.events
            seq, etag = page.next_seq, None

    def _page(self, seq: int, etag: str | None) -> EventPage | None:
        """Ask for a page; None if the page still has this ``etag``."""
        answer = self._register.get(
            f"{self._base}/feed?seq={seq}",
            headers={"If-None-Match": etag} if etag else {},
            accept_status=(204, 304, 404, 406),
            shape=lambda content: not content or whole_json(content),
        )
        if answer.status == 406:
            raise TooOld
        if answer.status == 304:
            return None
        is_page = answer.status == 200 and _is_page(answer.content)
        return read(answer.content if is_page else b"[]", seq, answer.headers.get("etag") if is_page else None)


def read(content: bytes, seq: int, etag: str | None) -> EventPage:
    """Return the contents of one page of the list; an event without a kind counts as urgent. Raises Unreadable."""
    urgent = []
    newest = seq - 1
    items = json_of(content)
    for item in items:
        number = item.get("sekvensnummer") if isinstance(item, dict) else None
        event = item.get("hendelse") if isinstance(item, dict) else None
        if not _is_number(number) or not isinstance(event, dict):
            raise Unreadable("En hendelse fra Folkeregisteret mangler sekvensnummer: meld fra til en dataingeniør.")
        newest = max(newest, number)
        who = identity_number(event, "folkeregisteridentifikator")
        if who and event.get("hendelsetype") not in LATER:
            urgent.append((who, number))
    if items and newest < seq:
        raise Unreadable("Folkeregisterets hendelser går ikke framover: meld fra til en dataingeniør.", seq=seq)
    # The page at the end is asked for again, and its ETag tells whether it is still the end.
    return EventPage(len(items), urgent, newest + 1, etag if not items else None)


def _is_number(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)
