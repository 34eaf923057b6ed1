"""Deliver the published files to the recipients' places: folders on a disk, over SFTP, in S3, Azure and so on.

In: the publication in force, and ``delivery`` in the kommune file. Out: at each place the export's file under its own
name, its changes where it has any, and ``<export>.manifest.json``, which is written last and gives the sha256 of
each. A recipient reads the manifest, and waits when a file is not yet, or no longer, the one that it names.

Every place is brought in line with the publication in force: its file is replaced when it has changed, and taken away
when the kommune file no longer has the delivery. So a person whose protection has risen leaves the recipients' places
with the next delivery, which follows each publication. A file is replaced whole or not at all (``place``).

What gives waits for a run, as in the exports: a new recipient, and ``contact`` for one who had none. ``let`` notes in
the transaction that publishes a run whom the run lets have what. Between runs a delivery may take away and renew.

The place of ``feide_ldif`` may be an LDAP directory, which is loaded (``directory``). It is asked each time what it
has, since others may write there. It is never emptied, for its people would lose their passwords: a directory that is
no longer in the kommune file is left as it is.

The warehouse notes what lies where. The note is emptied before the first file is put there and filled when the manifest
is, so a delivery that broke off is done again, and what it left is taken away. A recipient may take its files away, and
they are not delivered again until they change.

No transaction that has read or written stays open while files are copied. One process works at a place at a time: it
holds a lock in a transaction that does nothing else, reads which publication is in force when its turn has come, and
begins anew when another one is in force when the files are there. So an older publication never comes after a newer.

A recipient without ``contact`` gets the file that was written without contact details, and its changes. A recipient
that falls silent delays the others by ``PATIENCE``, and so do all places of its server together. No sentence holds an
address: it may have a password in it. Nothing is logged of a delivery between runs: that there was something to deliver
can tell that somebody has been hidden.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from itertools import takewhile
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from dataflyt.config.connections import Connection as PlaceConnection
from dataflyt.config.connections import NotDefined
from dataflyt.config.exports import ALWAYS_WITH_CONTACT
from dataflyt.config.kommune import Delivery, Kommune
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable, known_refusal, may_pass
from dataflyt.exports import directory, place
from dataflyt.exports.directory import Directory
from dataflyt.exports.place import File, Moved, Place, Silent, Withdrawn
from dataflyt.exports.publishing import Published, earlier, leads_to, published
from dataflyt.exports.registry import EXPORTS
from dataflyt.storage.landing import forget_listing

if TYPE_CHECKING:
    from dataflyt.exports.model import Export

PATIENCE = 180.0
"""Seconds that a place may be silent. The longest silence of one that works is the copy of a file on its own side."""
_TRIES = 3
"""How often a delivery begins anew because the files were withdrawn meanwhile."""
log = logging.getLogger(__name__)

Fate: TypeAlias = Literal["delivered", "same", "waits", "taken_away", "left", "failed"]
Begin: TypeAlias = Callable[[], AbstractContextManager[Connection]]
"""Begins a transaction of the kommune's, without its lock."""


class Told(NamedTuple):
    """What came of a delivery. ``trouble`` is the error of one that failed."""

    export: str
    to: str
    fate: Fate
    trouble: DataflytError | None = None


class _Lies(NamedTuple):
    """What the warehouse knows of a recipient's place: what lies there, and whether a run has let it have contact."""

    export: str
    connection: str
    recipient: str
    place: str | None
    digest: str | None
    contact: bool


class _Changed(Exception):
    """Another publication is in force than the one that has been delivered."""


def let(connection: Connection, kommune: Kommune) -> None:
    """Let every recipient in the kommune file have what it says there. In the transaction that publishes a run."""
    for export, one in _wanted(kommune):
        connection.execute(text(_LET), _key(kommune, export, one) | {"contact": one.contact})


def deliver(
    begin: Begin,
    kommune: Kommune,
    environment: Any,
    *,
    patience: float = PATIENCE,
    silent: set[str] | None = None,
    thorough: bool = False,
) -> list[Told]:
    """Bring every recipient's place in line with the publication in force; return what came of each delivery.

    Waits while another process works at a place. ``patience`` is in seconds. The places of the servers in ``silent``
    are not tried; a server that falls silent is added to it. With ``thorough``, each directory is compared with the
    file, whatever it says that it has.
    """
    silent = set() if silent is None else silent
    with begin() as connection:
        lies = [_Lies._make(one) for one in connection.execute(text(_LIES), {"owner": kommune.id})]
    wanted, told = list(_wanted(kommune)), []
    addresses = _addresses(environment, wanted)
    # What is taken away goes first: the place may be the new one of another line of the kommune file.
    for known in lies:
        if (known.export, known.connection) not in {(export, one.connection) for export, one in wanted}:
            gone = Delivery(to=known.recipient, connection=known.connection)
            kept = {_digest(addresses[one.connection]) for export, one in wanted if export == known.export} - {None}
            work = _Work(begin, kommune, environment, known.export, gone, patience, silent)
            never = known.place is None and known.digest is None
            fate = work.forget if never or known.place in kept else partial(work.take_away, kept)
            told.append(_tried(known.export, known.recipient, known.connection, fate))
    first: dict[tuple[str, str], Delivery] = {}
    for export, one in wanted:
        other = first.setdefault((export, addresses[one.connection] or one.connection), one)
        sharing = [
            also
            for name, also in wanted
            if name == export and addresses[also.connection] and addresses[also.connection] == addresses[one.connection]
        ]
        contact = all(also.contact for also in (one, *sharing))
        work = _Work(begin, kommune, environment, export, one, patience, silent, contact=contact, thorough=thorough)
        told.append(_tried(export, one.to, one.connection, work if other is one else work.refuse))
    return told


def shared_places(kommuner: Iterable[Kommune], environment: Any) -> dict[str, list[str]]:
    """Return a sentence for each place that another kommune's file has too, by kommune.

    A delivery alone sees another kommune's files only while they lie there, and a recipient may fetch them at once.
    """
    first: dict[tuple[str, str], str] = {}
    told: dict[str, list[str]] = {}
    for kommune in kommuner:
        wanted = list(_wanted(kommune))
        addresses = _addresses(environment, wanted)
        for export, one in wanted:
            owner = first.setdefault(
                (export, addresses[one.connection] or f"{kommune.id} {one.connection}"), kommune.id
            )
            if owner != kommune.id:
                said = (
                    f"{EXPORTS[export].title} til {one.to}: mappen er også {owner} sin. Bruk én mappe til hver kommune."
                )
                told.setdefault(kommune.id, []).append(said)
    return told


def _wanted(kommune: Kommune) -> Iterator[tuple[str, Delivery]]:
    for export, recipients in kommune.delivery.items():
        for one in recipients:
            yield export, one


def _addresses(environment: Any, wanted: list[tuple[str, Delivery]]) -> dict[str, str]:
    """Return the address of each connection as ``place.address_of`` has it; an empty one if it cannot be looked up."""
    found = {}
    for name in {one.connection for _, one in wanted}:
        try:
            found[name] = place.address_of(environment.connect(name).url)
        except Exception:  # told when the delivery is tried
            found[name] = ""
    return found


def _digest(address: str) -> str | None:
    return hashlib.sha256(address.encode()).hexdigest() if address else None


def _key(kommune: Kommune, export: str, delivery: Delivery) -> dict[str, str]:
    return {"owner": kommune.id, "export": export, "connection": delivery.connection, "recipient": delivery.to}


def _tried(export: str, to: str, connection: str, work: Callable[[], Fate]) -> Told:
    """Do the work. An error becomes one of ours, with a sentence that names export and recipient."""
    what = f"{EXPORTS[export].title} til {to}"
    try:
        return Told(export, to, work())
    except DataflytError as error:
        kind = SourceUnavailable if isinstance(error, Silent) else type(error)
        return Told(export, to, "failed", kind(f"{what}: {error.sentence}", **error.facts))
    except SQLAlchemyError:  # the warehouse's, not the place's
        raise
    except Exception as error:  # its text may hold the address, with its password
        kind_of = type(error).__name__
        if may_pass(error):
            said = f"{what}: stedet svarer ikke ({kind_of}). Dataflyt prøver igjen."
            return Told(export, to, "failed", SourceUnavailable(said))
        why = known_refusal(error) or f"stedet tar ikke imot filen ({kind_of})"
        said = f"{what}: {why}. Se på tilkoblingen {connection}, og på mottakerens mappe."
        return Told(export, to, "failed", ConfigError(said))


class _Files(NamedTuple):
    """What is to lie at a place: the publication that it is of, the files, and the manifest's bytes."""

    stands: Published
    files: list[File]
    manifest: bytes


class _Work:
    """One export at one recipient's place. Calling it delivers."""

    def __init__(
        self,
        begin: Begin,
        kommune: Kommune,
        environment: Any,
        export: str,
        delivery: Delivery,
        patience: float,
        silent: set[str],
        *,
        contact: bool = False,
        thorough: bool = False,
    ) -> None:
        """``contact``: whether the kommune file lets this recipient, and every other at its place, have contact."""
        self._begin = begin
        self._kommune = kommune
        self._environment = environment
        self._export: Export = EXPORTS[export]
        self._delivery = delivery
        self._patience = patience
        self._silent = silent
        self._contact = contact
        self._thorough = thorough

    def __call__(self) -> Fate:
        with self._turn():
            for _ in range(_TRIES):
                try:
                    return self._deliver()
                except (_Changed, Withdrawn):
                    continue
        raise SourceUnavailable("filene ble trukket tilbake mens de ble levert. Dataflyt prøver igjen.")

    def take_away(self, kept: Collection[str | None]) -> Fate:
        """Remove the files from the place, the manifest first. Those at a place in ``kept`` are another recipient's."""
        with self._turn():
            try:
                connection = self._environment.connect(self._delivery.connection)
            except NotDefined:
                raise ConfigError(
                    f"filene skal tas bort hos mottakeren, men tilkoblingen {self._delivery.connection} finnes ikke: "
                    "lag den igjen, så tar Dataflyt dem bort, og ta den bort etterpå."
                ) from None
            if _digest(place.address_of(connection.url)) in kept:
                return self.forget()
            return self._empty(connection)

    def _empty(self, connection: PlaceConnection) -> Fate:
        """Take the files away from the place, and forget it. A directory is left as it is."""
        if directory.is_one(connection.url):
            log.warning(
                "%s: katalogen følger ikke lenger det som publiseres. Ta bort dem som blir beskyttet, selv.",
                self._delivery.to,
            )
            self.forget()
            return "left"
        self._at(connection, lambda place, moved: place.take_away(moved))
        return self.forget()

    def forget(self) -> Fate:
        """Forget the place. What lies there is another recipient's, or has been taken away."""
        with self._begin() as connection:
            connection.execute(text(_FORGET), self._key)
        return "taken_away"

    def refuse(self) -> Fate:
        """Raise ConfigError: another recipient before this one has the same place."""
        raise ConfigError("en annen mottaker har samme mappe. Gi hver mottaker sin egen: bare den første får filene.")

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the turn to work at this place, and keep it: by a lock in a transaction that does nothing else.

        Raises SourceUnavailable when the turn has not come in time.
        """
        bound = {"owner": self._kommune.id, "at": self._delivery.connection}
        with self._begin() as lock:
            lock.exec_driver_sql(f"set local lock_timeout = {int(self._patience * 1000)}")
            try:
                lock.execute(text(_LOCK), bound)
            except DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != "55P03":
                    raise
                # The other process looks which publication is in force when it is done: nothing is forgotten.
                raise SourceUnavailable("en annen levering dit er i gang. Dataflyt prøver igjen.") from None
            # A finished query keeps its snapshot until the next statement, and an old one stops PostgreSQL's vacuum.
            lock.exec_driver_sql("set local lock_timeout = 0")
            yield

    def _deliver(self) -> Fate:
        with self._begin() as connection:
            known = next(map(_Lies._make, connection.execute(text(_LIES_AT), self._key)), None)
            stands = published(connection, self._kommune.id)
            if known is None or (stands is not None and not self._is_put_forward(stands)):
                return "waits"
            entry = stands and stands.files.get(self._export.file)
            wanted = self._files(stands, entry, contact=known.contact and self._contact) if stands and entry else None
            if wanted:
                at = self._environment.connect(self._delivery.connection)
                lies = _digest(place.address_of(at.url)), hashlib.sha256(wanted.manifest).hexdigest()
                same = (known.place, known.digest) == lies
                if same and not directory.is_one(at.url):
                    return "same"
                if known.place not in (None, lies[0]):
                    log.warning(
                        "%s: mappen er en annen enn før. Dataflyt tar ikke bort filene i den forrige: gjør det selv.",
                        self._delivery.to,
                    )
                bound = self._key | {"place": lies[0], "contact": self._contact}
                connection.execute(text(_BEGIN), bound)
        if not wanted:  # the export has been taken out
            return self._take_out(known)
        if said := self._at(at, lambda place, moved: place.put(wanted.files, wanted.manifest, moved)):
            log.warning("%s", said)
        with self._begin() as connection:
            now = published(connection, self._kommune.id)
            if now is None or now.manifest != wanted.stands.manifest:
                raise _Changed
            connection.execute(text(_NOTE), self._key | {"digest": lies[1]})
        return "same" if same else "delivered"

    def _take_out(self, known: _Lies) -> Fate:
        """Take away an export that is not published any more. The recipient is known still."""
        if known.place is None:
            return "waits"
        return self._empty(self._environment.connect(self._delivery.connection))

    def _at(self, connection: PlaceConnection, work: Callable[[Any, Moved], Any]) -> Any:
        """Do work at the place, patiently. Raises ConfigError for a place in Dataflyt's own storage."""
        address = place.address_of(connection.url)
        if place.is_inside(address, place.address_of(self._environment.storage)):
            raise ConfigError("mappen er i Dataflyts eget lager. Bruk en annen mappe.")
        host = place.host_of(address)
        if host in self._silent:
            raise SourceUnavailable("stedet svarer ikke, for mottakerens tjener er taus. Dataflyt prøver igjen.")
        export = self._export

        def worked(folder: Any, moved: Moved) -> Any:
            return work(Place(folder, self._kommune.id, export.name, self._names(folder)), moved)

        try:
            if directory.is_one(connection.url):
                if export.name != "feide_ldif":
                    raise ConfigError("bare feide_ldif kan lastes i en katalog. Bruk en mappe for denne eksporten.")
                loaded = Directory(connection, thorough=self._thorough)
                return place.patiently(lambda moved: work(loaded, moved), self._patience)
            return place.at(self._environment.path, connection.url, worked, self._patience)
        except Silent:
            self._silent.add(host)
            raise

    def _is_put_forward(self, stands: Published) -> bool:
        """Tell whether the storage's manifest is the publication's.

        It is not yet when a process is about to write it, and will deliver then. It is another one's when the warehouse
        has been restored from a backup: it may not know everybody who is to be hidden.
        """
        manifest = self._environment.folder("exports") / self._kommune.id / "manifest.json"
        forget_listing(manifest)
        return manifest.exists() and bool(manifest.read_bytes() == stands.manifest.encode())

    def _files(self, stands: Published, entry: dict[str, Any], *, contact: bool) -> _Files:
        """Return the files, and the manifest."""
        root = self._environment.folder("exports") / self._kommune.id / stands.publication
        bare = None if contact else entry.get("without_contact")
        if not contact and bare is None and self._holds_contact(stands):
            # The kommune file has been changed since it was written.
            raise SourceUnavailable("filen uten kontaktopplysninger er ikke skrevet ennå. Dataflyt prøver igjen.")
        whole = bare or entry
        files = [File(entry["file"], root / whole["file"], whole["sha256"])]
        said: dict[str, Any] = {"file": entry["file"], "sha256": whole["sha256"]}
        if self._export.changes:
            changes, *before = self._leads(root, whole) or [None]
            said["changes"] = changes and self._lead(files, root, changes, self._export.changes.file)
            if before:
                said["earlier"] = [
                    self._lead(files, root, lead, earlier(self._export.changes.file, lead["from"]))
                    for lead in reversed(before)
                ]
        kommune = self._kommune
        head = {"owner": kommune.id, "name": kommune.display_name, "export": self._export.name, "run": stands.run}
        manifest = head | {"as_of": stands.as_of, "files": [said]}
        return _Files(stands, files, orjson.dumps(manifest, option=orjson.OPT_INDENT_2))

    def _holds_contact(self, stands: Published) -> bool:
        """Tell whether the published file has contact details, whatever the kommune file says today.

        The words under which a file was written stand in the names of its sizes (``publishing.sized``).
        """
        words = {word for figure in stands.sizes.get(self._export.file, {}) for word in figure.split("+")[1:]}
        return self._export.name in ALWAYS_WITH_CONTACT or "contact" in words

    @staticmethod
    def _leads(root: Any, whole: dict[str, Any]) -> list[Any]:
        """Return the changes to deliver, the newest first, up to those that name somebody who has been erased."""
        return list(takewhile(lambda lead: (root / lead["file"]).exists(), reversed(leads_to(whole))))

    @staticmethod
    def _lead(files: list[File], root: Any, lead: Any, name: str) -> dict[str, Any]:
        files.append(File(name, root / lead["file"], lead["sha256"]))
        return {**lead, "file": name}

    def _names(self, folder: Any) -> list[str]:
        """Return the names of all files that the export may have at a place, but the manifest's."""
        export = self._export
        if not export.changes:
            return [export.file]
        path = PurePath(export.changes.file)
        before = re.compile(rf"{re.escape(path.stem)}-[0-9a-f]{{12}}{re.escape(path.suffix)}")
        # A folder in an object store is there when it has a file, and is no folder before that.
        with suppress(FileNotFoundError, NotADirectoryError):
            lying = [one.name for one in folder.iterdir() if before.fullmatch(one.name)]
            return [export.file, export.changes.file, *lying]
        return [export.file, export.changes.file]

    @property
    def _key(self) -> dict[str, str]:
        return _key(self._kommune, self._export.name, self._delivery)


_LOCK = "select pg_advisory_xact_lock(hashtextextended('dataflyt delivery:' || :owner || ' ' || :at, 0))"
_COLUMNS = "export, connection, recipient, place, digest, contact"
_LIES = f"select {_COLUMNS} from control.delivery where owner = :owner order by 1, 2"
_LIES_AT = f"""
select {_COLUMNS} from control.delivery where owner = :owner and export = :export and connection = :connection
"""
_LET = """
insert into control.delivery (owner, export, connection, recipient, contact)
values (:owner, :export, :connection, :recipient, :contact)
on conflict (owner, export, connection) do update set recipient = excluded.recipient, contact = excluded.contact
"""
_OF_IT = "where owner = :owner and export = :export and connection = :connection"
_BEGIN = f"""
update control.delivery set digest = null, place = :place, recipient = :recipient, contact = contact and :contact
{_OF_IT}
"""
_NOTE = f"update control.delivery set digest = :digest, delivered_at = clock_timestamp() {_OF_IT}"
_FORGET = f"delete from control.delivery {_OF_IT}"
