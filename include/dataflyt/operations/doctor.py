"""Find what is wrong around a kommune, or soon will be, before a run fails at night because of it.

In: a kommune file, and functions that look up connections and paths. Out: findings, a Norwegian sentence each. It says
what is wrong and who must do what, what expires within 30 days, or what cannot be known. No person is asked about, no
token is fetched, and no key or password is shown.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeAlias

from dataflyt.config.connections import Connect, Connection, NotDefined
from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable
from dataflyt.exports import directory, place
from dataflyt.operations import fast_lane
from dataflyt.operations.digest import said
from dataflyt.reference import not_registered, refresh
from dataflyt.registers import maskinporten
from dataflyt.registers.http import open_client, send
from dataflyt.registers.settings import Settings
from dataflyt.sources.freg import client as freg
from dataflyt.sources.krr import client as krr
from dataflyt.storage import database, private
from dataflyt.storage.files import OBJECT_STORES
from dataflyt.warehouse import events, schema

WARN_DAYS = 30
SILENT = timedelta(minutes=75)
"""FREG's events are read every hour."""
_NOTHING_NEW = timedelta(days=1)
"""How long the list may say that it has newer events, and not give them."""
_HURRIED = Settings(connect_timeout=5.0, read_timeout=10.0, answer_timeout=20.0)

NOBODY = (
    "Ingen får melding når hendelsene ikke leses, og ingen får morgenens oversikt: skriv e-postadressene som tell, "
    "eller en tilkobling til Teams eller lignende som apprise, i «extra» i tilkoblingen freg_events."
)

Level: TypeAlias = Literal["wrong", "soon", "unknown", "fine"]


@dataclass(frozen=True)
class Finding:
    """``wrong`` must be put right now, ``soon`` within 30 days; ``unknown`` could not be found out."""

    level: Level
    sentence: str


class Doctor:
    """Examines kommuner, and the clock of this machine once for each Maskinporten.

    Of two recipients with the same place the one examined later is told, also when they are two kommuner's.

    ``local`` is the folder of a trial on this machine: its files are examined with those of the storage.
    """

    def __init__(self, connect: Connect, path: Callable[[str], Any], today: date, local: Path) -> None:
        self.connect = connect
        self.path = path
        self.today = today
        self.local = local
        self._clocks: dict[str, list[Finding]] = {}
        self._places: dict[tuple[str, str], tuple[str, str]] = {}

    def examine(self, kommune: Kommune) -> list[Finding]:
        """Return findings about a kommune's warehouse, registers, folders and mail, or one that says all is well."""
        sources = kommune.sources
        found = [*self._warehouse(kommune)]
        for name, open_register in (
            (sources.freg.connection, lambda connection: freg.open_register(connection, sources.freg.route)),
            (sources.krr.connection, lambda connection: krr.open_register(connection, sources.krr.route)),
        ):
            found += self._register(kommune, name, open_register)
        for name in dict.fromkeys((sources.hr.connection, sources.sas.connection)):
            found += self._folder(name)
        for name in dict.fromkeys(one.connection for places in kommune.delivery.values() for one in places):
            found += self._folder(name, to_write=True)
        found += self._shared_places(kommune)
        mail = kommune.mail
        for other in (mail.connection if mail and mail.to else None, sources.sas.calendars):
            if other:
                with _kept(found):
                    self.connect(other)
        found += self._apprise(mail.apprise if mail else None)
        found = list(dict.fromkeys(found))
        if not any(finding.level in ("wrong", "soon") for finding in found):
            found.append(Finding("fine", "Varehuset svarer, og tilkoblingene har det de skal ha."))
        return found

    def events(self) -> list[Finding]:
        """Return findings on the reading of FREG's events every hour, for the whole installation."""
        found: list[Finding] = []
        with _kept(found):
            found += self._apprise(self.connect(fast_lane.LIST).extra.get("apprise"))
        with _kept(found):
            with database.reading_events(database.engine(self.connect(fast_lane.WAREHOUSE).url)) as connection:
                known = events.pointer(connection, fast_lane.FEED)
            since = f"siden {said(known.read_at)}" if known else "ennå"
            if known is None or datetime.now(UTC) - known.read_at > SILENT:
                raise ConfigError(
                    f"Hendelsene i Folkeregisteret er ikke lest {since}: se til at DAG-en freg_events går, og les hva "
                    "den sier."
                )
            if known.ahead and known.event_at and datetime.now(UTC) - known.event_at > _NOTHING_NEW:
                raise ConfigError(
                    f"Folkeregisteret har ikke gitt hendelser siden {said(known.event_at)}, og sier "
                    "at det finnes nyere: ta det opp med Skatteetaten."
                )
            found.append(Finding("fine", f"Hendelsene i Folkeregisteret er lest {said(known.read_at)}."))
        return found

    def notices(self) -> list[Finding]:
        """Return a finding when the notices to the engineers reach nobody."""
        with suppress(DataflytError):  # said of the events
            extra = self.connect(fast_lane.LIST).extra
            if not extra.get("tell") and not extra.get("apprise"):
                return [Finding("soon", NOBODY)]
        return []

    def reference(self) -> list[Finding]:
        """Return findings on the reading of schools and codes from the registers, for the whole installation."""
        found: list[Finding] = []
        with _kept(found):
            with database.writing_reference(database.engine(self.connect(refresh.WAREHOUSE).url)) as connection:
                database.must_serve(connection)
            found.append(Finding("fine", "Varehuset tar imot skoler og koder."))
        return found

    def files(self, kommuner: Iterable[Kommune]) -> list[Finding]:
        """Return findings on files that others on this machine can read, and exports that the readers' group cannot."""
        try:
            return self._files(kommuner)
        except PermissionError as error:
            return [
                Finding(
                    "unknown",
                    f"Hvem som kan lese filene i {error.filename}, er ikke kjent her: kjør kommandoen som den brukeren "
                    "som Dataflyt kjører som.",
                )
            ]

    def _files(self, kommuner: Iterable[Kommune]) -> list[Finding]:
        found: list[Finding] = []
        with _kept(found):
            reader = private.group()
            storage = os.environ.get("DATAFLYT_STORAGE")
            here = storage and "://" not in storage.removeprefix("file://")
            root = private.on_disk(self.path(storage)) if storage and here else None
            exports = root and root / "exports"
            for folder in (self.local, *(sorted(root.iterdir()) if root and root.is_dir() else ())):
                if folder.exists() and private.can_be_reached(folder):
                    found += _open(folder, reader if folder == exports else None)
            for manifest in (exports / kommune.id / "manifest.json" for kommune in kommuner) if exports else ():
                if reader is not None and manifest.exists() and not private.readable(manifest, reader):
                    raise ConfigError(
                        f"Gruppen i {private.GROUP} får ikke lese eksportene: la brukeren som Dataflyt kjører som, "
                        f"være medlem av den, og kjør «chgrp -R {reader} {exports} && chmod -R g+rX {exports}»."
                    )
        return found

    def _warehouse(self, kommune: Kommune) -> list[Finding]:
        found: list[Finding] = []
        with _kept(found):
            db = database.engine(self.connect(kommune.warehouse).url)
            with database.transaction(db, kommune.id, lock=False) as connection:
                if not schema.is_migrated(connection):
                    raise ConfigError(
                        "Varehuset er ikke oppdatert til denne versjonen: kjør «dataflyt warehouse migrate»."
                    )
                database.must_serve(connection)
                if database.behind_pooler(connection):
                    found.append(
                        Finding(
                            "unknown",
                            "Mellom Dataflyt og varehuset står en mellomtjener (pgbouncer eller lignende), og dens "
                            "egne tidsgrenser vises ikke her: query_timeout og idle_transaction_timeout må være null "
                            "eller minst en time.",
                        )
                    )
                if database.shows_sizes(connection):
                    found.append(
                        Finding(
                            "wrong",
                            "Hver kommunes rolle kan se hvor mange rader de andres tabeller har, og slik hvor mange "
                            "som har adressebeskyttelse: den som drifter databasen, må kjøre deploy/hide_sizes.sql som "
                            "superbruker. Kan det ikke gjøres, må hver kommune ha en database for seg.",
                        )
                    )
                if database.quotes_rows(connection):
                    found.append(
                        Finding(
                            "wrong",
                            "Loggen til databasetjeneren kan gjengi rader, og slik personer, når noe feiler: den som "
                            "drifter databasen, må sette log_min_error_statement = panic og log_error_verbosity = "
                            "terse.",
                        )
                    )
                now = datetime.combine(self.today, datetime.max.time(), UTC)
                if wrong := not_registered.wrong_number(connection, kommune, now):
                    found.append(Finding("wrong", wrong))
        return found

    def _register(self, kommune: Kommune, name: str, open_register: Callable[[Connection], Any]) -> list[Finding]:
        found: list[Finding] = []
        with _kept(found):
            connection = self.connect(name)
            client = maskinporten.client_of(connection)
            with open_register(connection):
                pass
            maskinporten.grant(connection, client, int(time.time()))  # raises when the key is no key
            consumer = client.claims.get("consumer_org")
            if consumer not in (None, kommune.orgnr):
                raise ConfigError(
                    f"Tilkoblingen {name} henter på vegne av en annen enn kommunen: skriv {kommune.orgnr} som "
                    "consumer_org, eller rett orgnr i kommunefilen."
                )
            found += self._key(connection)
            found += self._clock(connection, client.issuer)
        return found

    def _key(self, connection: Connection) -> list[Finding]:
        last = maskinporten.key_ends(connection)
        if last is None:
            return [
                Finding(
                    "unknown",
                    f"Når nøkkelen i tilkoblingen {connection.name} utløper, er ikke kjent: skriv datoen den ble "
                    "registrert hos Digdir, som key_registered (2026-01-31) i tilkoblingen.",
                )
            ]
        days, said = (last - self.today).days, last.strftime("%d.%m.%Y")
        what, do = "Nøkkelen", "den som forvalter klienten, må registrere en ny hos Digdir"
        if connection.extra.get("x5c"):
            what, do = "Sertifikatet", "den som forvalter klienten, må skaffe et nytt"
        if days < 0:
            return [Finding("wrong", f"{what} i tilkoblingen {connection.name} utløp {said}: {do}.")]
        if days <= WARN_DAYS:
            return [Finding("soon", f"{what} i tilkoblingen {connection.name} utløper {said}, om {days} døgn: {do}.")]
        return []

    def _clock(self, connection: Connection, issuer: str) -> list[Finding]:
        if issuer not in self._clocks:
            found: list[Finding] = []
            self._clocks[issuer] = found
            with _kept(found):
                at = f"{issuer.rstrip('/')}/.well-known/oauth-authorization-server"
                with open_client(connection, _HURRIED, at) as client:
                    answer = send(client, maskinporten.WHO, "GET", at, None, {}, _HURRIED)
                ahead = maskinporten.clock_ahead(answer)
                if "date" not in answer.headers:
                    found.append(
                        Finding("unknown", "Maskinporten sa ikke hva klokken er, så den er ikke sammenlignet.")
                    )
                elif abs(ahead) > maskinporten.CLOCK_MAY_DIFFER:
                    said = maskinporten.said_of_clock(ahead)
                    raise ConfigError(f"{said[0].upper()}{said[1:]}: den som drifter maskinen, må stille den.")
        return self._clocks[issuer]

    def _folder(self, name: str, *, to_write: bool = False) -> list[Finding]:
        found: list[Finding] = []
        with _kept(found):
            must_reach_folder(self.connect(name), self.path, to_write=to_write)
        return found

    def _apprise(self, name: str | None) -> list[Finding]:
        """Return a finding when no connection has the name. One of Apprise's has no host, so that is no fault."""
        found: list[Finding] = []
        if name:
            with _kept(found):
                try:
                    self.connect(str(name))
                except NotDefined:
                    raise
                except ConfigError:
                    pass
        return found

    def _shared_places(self, kommune: Kommune) -> list[Finding]:
        """Return findings on places that lie in Dataflyt's storage, or that are another recipient's too."""
        found: list[Finding] = []
        for export, recipients in kommune.delivery.items():
            for one in recipients:
                try:
                    url = self.connect(one.connection).url
                    address, ours = place.address_of(url), is_in_our_storage(url)
                except (DataflytError, ValueError):  # said of the folder
                    continue
                if ours:
                    found.append(
                        Finding(
                            "wrong",
                            f"Mappen i tilkoblingen {one.connection} er i Dataflyts eget lager: bruk en annen mappe.",
                        )
                    )
                mine = (kommune.id, one.to)
                owner, other = self._places.setdefault((export, address), mine)
                if (owner, other) != mine:
                    whose = other if owner == kommune.id else f"kommunen {owner}"
                    found.append(
                        Finding(
                            "wrong",
                            f"Mappen i tilkoblingen {one.connection} er også mappen til {whose}: bruk én mappe til "
                            "hver mottaker og kommune.",
                        )
                    )
        return found


def must_reach_folder(connection: Connection, path: Callable[[str], Any], *, to_write: bool = False) -> None:
    """Raise an error unless the folder of a connection is there, can be read or written, and is not open to others.

    A recipient may be a directory (``ldaps://``): it must let Dataflyt log in.
    """
    name = connection.name
    if to_write and directory.is_one(connection.url):
        try:
            directory.log_in(connection)
        except DataflytError as error:
            raise type(error)(f"Tilkoblingen {name}: {error.sentence}") from None
        return
    there = False
    try:
        folder = path(connection.url)
        # An object store has no folder before there is something in it.
        there = bool(folder.is_dir()) or (to_write and getattr(folder, "protocol", "") in OBJECT_STORES)
    except DataflytError:
        raise
    except Exception as error:  # any file system's; its text may hold a password
        raise SourceUnavailable(
            f"Mappen i tilkoblingen {name} kan ikke leses ({type(error).__name__}): rett adressen, eller gi "
            "Dataflyt lov til å lese den."
        ) from None
    if not there:
        raise ConfigError(f"Mappen i tilkoblingen {name} finnes ikke: rett adressen, eller koble til filområdet.")
    here = private.on_disk(path(connection.url))
    if here and to_write and not os.access(here, os.W_OK | os.X_OK):
        raise ConfigError(
            f"Dataflyt får ikke skrive i mappen i tilkoblingen {name}: gi brukeren som Dataflyt kjører som, "
            "lov til det."
        )
    if here and private.everybody_can_read(here):
        raise ConfigError(
            f"Alle på maskinen kan lese mappen i tilkoblingen {name}, og filene der har fødselsnumre: kjør "
            f"«chmod o= {here}»."
        )


def is_in_our_storage(url: str) -> bool:
    """Tell whether an address is Dataflyt's own storage, or a folder in it."""
    storage = os.environ.get("DATAFLYT_STORAGE")
    return bool(storage and place.is_inside(place.address_of(url), place.address_of(storage)))


def _open(folder: Path, reader: int | None) -> list[Finding]:
    """Return how many files of a folder others can read, and the command that closes it."""
    paths = list(private.lies_open(folder, reader))
    if not paths:
        return []
    return [
        Finding(
            "wrong",
            f"Andre på maskinen kan lese {len(paths)} filer og mapper i {folder}, den første er {paths[0]}: kjør "
            f"«chmod -R {'go=' if reader is None else 'g-w,o='} {folder}».",
        )
    ]


@contextmanager
def _kept(found: list[Finding]) -> Iterator[None]:
    """Turn an expected error into a finding."""
    try:
        yield
    except DataflytError as error:
        found.append(Finding("wrong", error.sentence))
