"""Deliver the published files to the recipients' places: folders on a disk, over SFTP, in S3, Azure and so on.

In: the publication in force, and ``delivery`` in the kommune file. Out: at each place the export's file under its own
name, for the directory its changes too, and ``<export>.manifest.json``, which is written last and gives the sha256 of
each. A recipient reads the manifest, and waits when a file is not yet, or no longer, the one that it names.

Every place is brought in line with the publication in force: its file is replaced when it has changed, and taken away
when the kommune file no longer has the delivery. So a person whose protection has risen leaves the recipients' places
with the next delivery, which follows each publication. A file is replaced whole or not at all (``copy_whole``). What
lies where is noted in the warehouse: a recipient may take its files away, and they are not delivered again until they
change. One process delivers a kommune's files at a time, and reads which publication is in force when its turn has
come, so an older publication never comes after a newer one.

A recipient without ``contact`` gets the file that was written without contact details. Trouble with one recipient
delays no other. No sentence holds an address: it may have a password in it. Nothing is logged of a delivery between
runs: that there was something to deliver can tell that somebody has been hidden.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import orjson
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from dataflyt.config.connections import NotDefined
from dataflyt.config.kommune import Delivery, Kommune
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable, known_refusal, may_pass
from dataflyt.exports.publishing import Published, given_already, published
from dataflyt.exports.registry import EXPORTS
from dataflyt.storage import private
from dataflyt.storage.files import OBJECT_STORES, copy_whole, measured, write_atomically
from dataflyt.storage.landing import forget_listing

if TYPE_CHECKING:
    from dataflyt.exports.model import Export

_TRIES = 3
"""How often a delivery begins anew because the files were withdrawn meanwhile."""
log = logging.getLogger(__name__)

Fate: TypeAlias = Literal["delivered", "same", "waits", "taken_away", "failed"]


class Told(NamedTuple):
    """What came of a delivery. ``trouble`` is the error of one that failed."""

    export: str
    to: str
    fate: Fate
    trouble: DataflytError | None = None


class _Lies(NamedTuple):
    """What the warehouse knows to lie at a place."""

    export: str
    connection: str
    recipient: str
    place: str
    digest: str


class _Changed(Exception):
    """The publication was withdrawn while it was read."""


def deliver(connection: Connection, kommune: Kommune, environment: Any) -> list[Told]:
    """Bring every recipient's place in line with the publication in force; return what came of each delivery.

    Waits while another process delivers for the kommune. Needs a transaction without the kommune's lock.
    """
    waited = "select pg_advisory_xact_lock(hashtextextended('dataflyt delivery:' || :owner, 0))"
    connection.execute(text(waited), {"owner": kommune.id})
    found = connection.execute(text(_LIES), {"owner": kommune.id})
    lies = {(one.export, one.connection): _Lies._make(one) for one in found}
    told = []
    for export, one in _wanted(kommune):
        known = lies.pop((export, one.connection), None)
        told.append(
            _tried(export, one.to, one.connection, _Place(connection, kommune, environment, export, one, known))
        )
    for known in lies.values():
        gone = Delivery(to=known.recipient, connection=known.connection)
        place = _Place(connection, kommune, environment, known.export, gone, known)
        told.append(_tried(known.export, known.recipient, known.connection, place.take_away))
    return told


def _wanted(kommune: Kommune) -> Iterator[tuple[str, Delivery]]:
    for export, recipients in kommune.delivery.items():
        for one in recipients:
            yield export, one


def _tried(export: str, to: str, connection: str, work: Callable[[], Fate]) -> Told:
    """Do the work. An error becomes one of ours, with a sentence that names export and recipient."""
    what = f"{EXPORTS[export].title} til {to}"
    try:
        return Told(export, to, work())
    except DataflytError as error:
        return Told(export, to, "failed", type(error)(f"{what}: {error.sentence}", **error.facts))
    except SQLAlchemyError:  # the warehouse's, not the place's
        raise
    except Exception as error:  # its text may hold the address, with its password
        kind = type(error).__name__
        if may_pass(error):
            said = f"{what}: stedet svarer ikke ({kind}). Dataflyt prøver igjen."
            return Told(export, to, "failed", SourceUnavailable(said))
        why = known_refusal(error) or f"stedet tar ikke imot filen ({kind})"
        said = f"{what}: {why}. Se på tilkoblingen {connection}, og på mottakerens mappe."
        return Told(export, to, "failed", ConfigError(said))


class _File(NamedTuple):
    """A file to be delivered: its name there, where it is, and its sha256."""

    name: str
    source: Any
    sha256: str


class _Place:
    """One export at one recipient's place. Calling it delivers."""

    def __init__(
        self,
        connection: Connection,
        kommune: Kommune,
        environment: Any,
        export: str,
        delivery: Delivery,
        known: _Lies | None,
    ) -> None:
        self._connection = connection
        self._kommune = kommune
        self._environment = environment
        self._export: Export = EXPORTS[export]
        self._delivery = delivery
        self._known = known

    def __call__(self) -> Fate:
        for _ in range(_TRIES):
            try:
                return self._deliver()
            except _Changed:
                continue
        raise SourceUnavailable("filene ble trukket tilbake mens de ble levert. Dataflyt prøver igjen.")

    def _deliver(self) -> Fate:
        stands = published(self._connection, self._kommune.id)
        entry = stands and stands.files.get(self._export.file)
        if stands is not None and not self._is_put_forward(stands):
            return "waits"
        if stands is None or not entry:  # a new export waits for a run; one that has been taken out is taken away
            return self.take_away() if self._known else "waits"
        files, said = self._files(stands, entry)
        content = orjson.dumps(said, option=orjson.OPT_INDENT_2)
        address = self._environment.connect(self._delivery.connection).url
        place, digest = (hashlib.sha256(part).hexdigest() for part in (address.encode(), content))
        if self._known and (self._known.place, self._known.digest) == (place, digest):
            return "same"
        folder = self._folder(address)
        for file in files:
            self._copy(file, folder / file.name)
        for name in self._names():
            if name not in {file.name for file in files}:
                (folder / name).unlink(missing_ok=True)
        manifest = folder / self._manifest_name
        write_atomically(manifest, content)
        try:
            private.share(*(folder / file.name for file in files), manifest)
        except ConfigError as error:  # the place is the recipient's, and so may its rights be
            log.warning("%s", error.sentence)
        self._connection.execute(text(_NOTE), self._key | {"place": place, "digest": digest})
        return "delivered"

    def _is_put_forward(self, stands: Published) -> bool:
        """Tell whether the storage's manifest is the publication's.

        It is not yet when a process is about to write it, and will deliver then. It is another one's when the warehouse
        has been restored from a backup: it may not know everybody who is to be hidden.
        """
        manifest = self._environment.folder("exports") / self._kommune.id / "manifest.json"
        forget_listing(manifest)
        return manifest.exists() and bool(manifest.read_bytes() == stands.manifest.encode())

    def take_away(self) -> Fate:
        """Remove the files from the place, the manifest first."""
        try:
            address = self._environment.connect(self._delivery.connection).url
        except NotDefined:
            raise ConfigError(
                f"filene skal tas bort hos mottakeren, men tilkoblingen {self._delivery.connection} finnes ikke: lag "
                "den igjen, så tar Dataflyt dem bort, og ta den bort etterpå."
            ) from None
        folder = self._folder(address)
        for name in (self._manifest_name, *self._names()):
            (folder / name).unlink(missing_ok=True)
        self._connection.execute(text(_FORGET), self._key)
        return "taken_away"

    def _files(self, stands: Published, entry: dict[str, Any]) -> tuple[list[_File], dict[str, Any]]:
        """Return the files, and what the manifest says."""
        root = self._environment.folder("exports") / self._kommune.id / stands.publication
        bare = None if self._delivery.contact else entry.get("without_contact")
        holds = not self._delivery.contact and given_already(self._kommune, stands).without_contact(self._export.name)
        if holds and bare is None:
            # The kommune file has been changed since: the file that lies there may have contact details.
            raise SourceUnavailable("filen uten kontaktopplysninger er ikke skrevet ennå. Dataflyt prøver igjen.")
        whole = bare or entry
        files = [_File(entry["file"], root / whole["file"], whole["sha256"])]
        said: dict[str, Any] = {"file": entry["file"], "sha256": whole["sha256"]}
        if self._export.changes:
            changes = entry.get("changes")
            if changes and not (root / changes["file"]).exists():  # somebody whom they name has been erased
                changes = None
            if changes:
                files.append(_File(changes["file"], root / changes["file"], changes["sha256"]))
            said["changes"] = changes
        kommune = self._kommune
        head = {"owner": kommune.id, "name": kommune.display_name, "export": self._export.name, "run": stands.run}
        return files, {**head, "as_of": stands.as_of, "files": [said]}

    def _copy(self, file: _File, target: Any) -> None:
        try:
            if measured(file.source)[0] != file.sha256:
                raise ConfigError("filen er ikke lenger slik den ble publisert: start en kjøring.")
            copy_whole(file.source, target)
        except FileNotFoundError:
            if file.source.exists():  # it is the place that is not there
                raise
            raise _Changed from None

    def _folder(self, address: str) -> Any:
        """Return the place. Raises SourceUnavailable for a folder that is not there: a disk may not be connected."""
        folder = self._environment.path(address)
        forget_listing(folder)
        if getattr(folder, "protocol", "") not in OBJECT_STORES and not folder.is_dir():
            raise SourceUnavailable("mappen finnes ikke. Sjekk at den er koblet til. Dataflyt prøver igjen.")
        return folder

    def _names(self) -> tuple[str, ...]:
        """Return the names of all files that the export may have at a place, but the manifest's."""
        export = self._export
        return (export.file, export.changes.file) if export.changes else (export.file,)

    @property
    def _manifest_name(self) -> str:
        return f"{self._export.name}.manifest.json"

    @property
    def _key(self) -> dict[str, str]:
        delivery = self._delivery
        return {
            "owner": self._kommune.id,
            "export": self._export.name,
            "connection": delivery.connection,
            "recipient": delivery.to,
        }


_LIES = "select export, connection, recipient, place, digest from control.delivery where owner = :owner order by 1, 2"
_NOTE = """
insert into control.delivery (owner, export, connection, recipient, place, digest)
values (:owner, :export, :connection, :recipient, :place, :digest)
on conflict (owner, export, connection) do update
set recipient = excluded.recipient, place = excluded.place, digest = excluded.digest, delivered_at = clock_timestamp()
"""
_FORGET = "delete from control.delivery where owner = :owner and export = :export and connection = :connection"
