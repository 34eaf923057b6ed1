"""A recipient's place that is an LDAP directory: brought to exactly what the published FEIDE file holds.

In: the published ``feide.ldif`` and its changes, as ``delivery`` puts them in a folder elsewhere, and a connection with
``ldaps://host/dc=haugesund,dc=kommune,dc=no``, the name and the password of a user who may read and write below it.
Out: the directory has the owner, the schools and the people of the file, and nobody else directly below ``ou=people``.
Passwords and other values that the file never has are not touched, and neither are other entries.

The directory itself says which file it stands at: a value of ``description`` of ``ou=people``, which is emptied before
the first change and written after the last. A backup of the directory therefore brings its own mark with it. It goes on
by the changes when they lead from there. Otherwise, and when the directory refuses one, it is read, compared with the
file, and given what differs; so it is every night, since people may have changed it by hand. Both ways take the people
who are no longer in the file away first, and a refusal never stops the deletes that are left.

A directory without a mark that has people who are not in the file is somebody else's until the connection says
``take_over``: its people would be deleted, with their passwords. The password is only sent over TLS with a certificate
that is valid for the host, or to this machine. No sentence holds a name or a value of the directory's.

Memory holds the user names of the directory and the file. What is read is kept in files without a name, which are gone
with the process.
"""

import hashlib
import ipaddress
import logging
import os
import re
import ssl
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple, TypeAlias, cast
from urllib.parse import unquote, urlsplit

import orjson

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable
from dataflyt.exports import feide_changes
from dataflyt.exports.feide_ldif import ATTRIBUTES, CLASSES
from dataflyt.exports.model import Openable, Written
from dataflyt.exports.place import File, Moved, Withdrawn
from dataflyt.exports.publishing import leads_to
from dataflyt.formats import ldif
from dataflyt.registers.transport import trusted

if TYPE_CHECKING:
    import ldap3

CONNECTS: Final = 15
"""Seconds that the server has to take a connection."""
ANSWERS: Final = 60
"""Seconds that the server has to answer one question."""
_PAGE = 500
_MOST_REFUSED = 100
"""How many changes the directory may refuse before no more of them are tried."""
_MARK = "Dataflyt feide.ldif sha256="
_NAMES = {name.lower(): name for name in ATTRIBUTES}
_DN_VALUES = frozenset(("eduPersonOrgDN", "eduPersonOrgUnitDN", "eduPersonPrimaryOrgUnitDN"))
_RDN = re.compile(r"((?:[^,\\]|\\.)+),", re.DOTALL)
_NO_SUCH_OBJECT, _NOT_EMPTY = 32, 66

_SAYS: Final = {
    4: "katalogen viser bare en del av oppføringene. Ta bort grensene (sizelimit) for brukeren i tilkoblingen",
    10: "katalogen viser til en annen tjener. Bruk adressen til den som tar imot endringer",
    11: "katalogen viser bare en del av oppføringene. Ta bort grensene (sizelimit) for brukeren i tilkoblingen",
    13: "katalogen krever en sikrere innlogging. Bruk en adresse med ldaps://",
    16: "katalogen har et annet skjema enn feide.ldif. Last inn skjemaene eduPerson og norEdu",
    17: "katalogen kjenner ikke et attributt i feide.ldif. Last inn skjemaene eduPerson og norEdu",
    19: "en verdi bryter en regel katalogen har, for eksempel at to har samme verdi",
    21: "en verdi i feide.ldif har ikke den formen skjemaet i katalogen krever",
    _NO_SUCH_OBJECT: "treet i adressen finnes ikke i katalogen. Lag databasen, og rett adressen",
    34: "adressen i tilkoblingen slutter ikke med et gyldig navn som dc=haugesund,dc=kommune,dc=no",
    48: "katalogen tar ikke imot innlogging med passord. Rett brukeren i tilkoblingen",
    49: "katalogen godtar ikke brukeren eller passordet. Rett login og passord i tilkoblingen",
    50: "brukeren i tilkoblingen har ikke lov til å lese og endre alt under treet. Gi den lov i katalogen",
    53: "katalogen tar ikke imot endringer. Se til at den ikke er satt til bare å kunne leses",
    65: "en oppføring bryter skjemaet i katalogen. Last inn skjemaene eduPerson og norEdu",
    69: "en oppføring i katalogen er av et annet slag enn i feide.ldif. Slett den, så lager Dataflyt den på nytt",
    _NOT_EMPTY: "en skole som skal bort, har oppføringer under seg som Dataflyt ikke har laget. Flytt dem",
}
"""What an operator is told of a result of RFC 4511; without the text of the server, which may quote a value."""
_MAY_PASS: Final = frozenset((3, 51, 52))
log = logging.getLogger(__name__)

Values: TypeAlias = dict[str, list[bytes]]


class Address(NamedTuple):
    """The address of a directory: where the server is, and the name of the tree."""

    host: str
    port: int
    tls: bool
    suffix: str


def is_one(url: str) -> bool:
    """Tell whether an address is that of a directory.

    >>> is_one("ldaps://katalog.haugesund.kommune.no/dc=haugesund,dc=kommune,dc=no"), is_one("sftp://host/in")
    (True, False)
    """
    return url.partition("://")[0].lower() in ("ldap", "ldaps")


def address(connection: Connection) -> Address:
    """Return the parts of a directory's address. Raises ConfigError for one that is not whole, or not safe."""
    try:
        said = urlsplit(connection.url)
        host, port = said.hostname or "", said.port
    except ValueError:
        host, port = "", None
    suffix = unquote(said.path.strip("/")) if host else ""
    if not host or "=" not in suffix or "?" in connection.url or "@" in said.netloc:
        raise ConfigError(
            f"adressen i tilkoblingen {connection.name} er ikke hel: skriv den som "
            "ldaps://katalog.haugesund.kommune.no/dc=haugesund,dc=kommune,dc=no, og brukeren i login."
        )
    tls = said.scheme.lower() == "ldaps"
    if not tls and not _is_here(host):
        raise ConfigError(
            f"adressen i tilkoblingen {connection.name} sender passord og fødselsnumre ukryptert: skriv ldaps://."
        )
    return Address(host, port or (636 if tls else 389), tls, suffix)


def log_in(connection: Connection) -> None:
    """Log in to a directory, look for its tree, and log out. Raises ConfigError or SourceUnavailable."""
    with _logged_in(connection) as server:
        server.read(address(connection).suffix, "base", ["objectClass"])


class Directory:
    """A directory for Feide, as a place that files are put at."""

    def __init__(self, connection: Connection, *, thorough: bool = False) -> None:
        """``thorough``: compare the directory with the file whatever its mark says."""
        self._connection = connection
        self._thorough = thorough

    def put(self, files: Sequence[File], manifest: bytes, moved: Moved) -> str | None:
        """Bring the directory to what the first file holds; the others are its changes, as the manifest names them.

        Returns a sentence when people had changed the directory. Raises ConfigError when it refuses something or is not
        for this kommune, SourceUnavailable when it does not answer, and Withdrawn when a file is gone.
        """
        full, *others = files
        by_name = {file.name: file for file in others}
        leads = [(lead["from"], by_name[lead["file"]]) for lead in leads_to(orjson.loads(manifest)["files"][0])]
        suffix = address(self._connection).suffix
        with _logged_in(self._connection) as server:
            stands = _mark(server, f"ou=people,{suffix}")
            if stands == full.sha256 and not self._thorough:
                return None
            with _copied(full, moved) as wanted:
                with feide_changes.opened_directory(wanted) as said:
                    head = said.head
                if ldif.normal_dn(head[0].dn) != ldif.normal_dn(suffix):
                    raise ConfigError(
                        f"adressen i tilkoblingen har et annet tre enn feide.ldif. Den skal slutte på /{head[0].dn}."
                    )
                loader = _Loader(server, head, moved)
                onwards = [before for before, _ in leads]
                if stands in onwards and not self._thorough and loader.go(leads[onwards.index(stands) :], full.sha256):
                    return None
                takes_over = self._connection.extra.get("take_over") is True
                changed = loader.compare(wanted, full.sha256, new=stands is None and not takes_over)
        if changed and stands == full.sha256:
            return "Katalogen var endret av andre enn Dataflyt, og er brakt i samsvar med feide.ldif igjen."
        return None


class _Refused(Exception):
    """The directory did not do what it was asked."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(name)
        self.code = code
        self.name = name

    def told(self) -> DataflytError:
        """Return the error for an operator."""
        if self.code in _MAY_PASS:
            return SourceUnavailable("katalogen er opptatt. Dataflyt prøver igjen.", code=self.code)
        said = _SAYS.get(self.code, f"katalogen sier nei ({self.name})")
        return ConfigError(f"{said}.", code=self.code, result=self.name)


class _Loader:
    """The work in one directory: its changes that lead on, and the comparison with the file."""

    def __init__(self, server: "_Server", head: Sequence[Any], moved: Moved) -> None:
        """``head`` are the file's entries before the people: the owner, the schools and ``ou=people``."""
        self._server = server
        self._head = head
        self._moved = moved
        self._suffix, self._people = head[0].dn, head[-1].dn
        self._dns = {ldif.normal_dn(entry.dn): entry.dn for entry in head}

    def go(self, leads: Iterable[tuple[str, File]], sha256: str) -> bool:
        """Apply changes that lead to the file; tell whether the directory took all of them."""
        self._set_mark("")
        for _, file in leads:
            with _copied(file, self._moved) as changes, changes.open("rb") as lines:
                if self._apply(lines):
                    return False
        self._set_mark(sha256)
        return True

    def compare(self, wanted: Openable, sha256: str, *, new: bool) -> bool:
        """Read the directory and give it what differs from the file; tell whether something did.

        ``new``: raise ConfigError rather than delete anybody.
        """
        with tempfile.TemporaryFile() as read, tempfile.TemporaryFile() as differs:
            self._make_room()
            self._read(wanted, read, new=new)
            feide_changes.write(Written(_Unnamed(read), ""), Written(wanted, ""), differs)
            if _mark(self._server, self._people) != "":
                self._set_mark("")
            refused = self._apply(_Unnamed(differs).open("rb"))
            changed = any(True for _ in ldif.changes(_Unnamed(differs).open("rb")))
        if refused:
            raise refused.told()
        self._set_mark(sha256)
        return changed

    def _make_room(self) -> None:
        """Add the owner and ``ou=people`` where they are not: a new directory is empty, or has the owner alone."""
        for entry in (self._head[0], self._head[-1]):
            if not self._server.read(entry.dn, "base", ["objectClass"]):
                values = dict(_added(entry.lines()))
                if entry is self._head[-1]:
                    values["description"] = [_MARK.encode()]
                try:
                    self._server.add(entry.dn, values)
                except _Refused as refused:
                    raise refused.told() from None

    def _read(self, wanted: Openable, out: BinaryIO, *, new: bool) -> None:
        """Write what the directory holds as ``feide_ldif`` would have written it: the same names, in the same order."""
        names: dict[str, str] = {}
        with feide_changes.opened_directory(wanted) as said:
            for uid, _ in said.people:
                names[ldif.normal_dn(f"uid={ldif.escape(uid)}")] = uid
        for dn, values in self._organisations():
            out.write(self._entry(dn, values))
        places: dict[str, tuple[int, int]] = {}
        with tempfile.TemporaryFile() as unordered:
            for dn, values in self._server.search(self._people, ATTRIBUTES, self._moved):
                rdn = _RDN.match(dn)
                key = ldif.normal_dn(rdn[1]) if rdn else ""
                if not key.startswith("uid=") or "\x01" in key:
                    continue
                if new and key not in names:
                    raise ConfigError(
                        "katalogen har personer fra før som ikke er i feide.ldif, og de ville blitt slettet. Flytt dem "
                        "ut av ou=people, eller skriv take_over: true under extra i tilkoblingen."
                    )
                uid = names.get(key) or key.removeprefix("uid=")
                block = self._entry(f"uid={ldif.escape(uid)},{self._people}", values)
                places[uid] = (unordered.tell(), len(block))
                unordered.write(block)
            for uid in sorted(places):
                start, length = places[uid]
                unordered.seek(start)
                out.write(unordered.read(length))
        out.flush()

    def _organisations(self) -> Iterator[tuple[str, Values]]:
        """Yield the owner, the schools and ``ou=people`` of the directory; other entries there are not Dataflyt's."""
        (found,) = self._server.read(self._suffix, "base", ATTRIBUTES)
        yield self._suffix, found[1]
        people: Values = {}
        for dn, values in self._server.search(self._suffix, ATTRIBUTES, self._moved):
            known = self._dns.get(ldif.normal_dn(dn))
            if known == self._people:
                people = values
            elif known or b"noreduorgunit" in {value.lower() for value in values.get("objectClass", ())}:
                yield known or dn, values
        yield self._people, people

    def _entry(self, dn: str, values: Values) -> bytes:
        lines = [ldif.attribute("dn", dn)]
        for name in ATTRIBUTES:
            for value in values.get(name, ()):
                text = value.decode("utf-8", "replace")
                if name in _DN_VALUES:
                    text = self._dns.get(ldif.normal_dn(text), text)
                if name == "objectClass":
                    if text.lower() not in CLASSES:
                        continue
                    text = CLASSES[text.lower()]
                lines.append(ldif.attribute(name, text))
        return "".join([*lines, "\n"]).encode("ascii")

    def _apply(self, lines: BinaryIO) -> _Refused | None:
        """Apply changes in their order, and return the first refusal. Deletes are all tried, whatever is refused.

        What a refused change leaves undone, a later comparison finds.
        """
        first, refusals = None, 0
        for change in ldif.changes(lines):
            self._moved()
            if refusals >= _MOST_REFUSED and change.kind != "delete":
                break
            try:
                self._do(change)
            except _Refused as refused:
                if refused.code in _MAY_PASS:
                    raise refused.told() from None
                first = first or refused
                refusals += 1
        return first

    def _do(self, change: ldif.Change) -> None:
        if change.kind == "delete":
            self._delete(change.dn)
        elif change.kind == "add":
            self._server.add(change.dn, dict(_added((name, value.text) for name, value in change.lines)))
        elif change.kind == "modrdn":
            (new,) = (value.text for name, value in change.lines if name == "newrdn")
            self._server.rename(change.dn, new)
        else:
            values = _replaced(change)
            if "objectclass" in values:  # classes that others have given it stay
                for _, held in self._server.read(change.dn, "base", ["objectClass"]):
                    known = {value.lower() for value in values["objectclass"]} | {name.encode() for name in CLASSES}
                    values["objectclass"] += [one for one in held["objectClass"] if one.lower() not in known]
            self._server.replace(change.dn, values)

    def _delete(self, dn: str) -> None:
        """Delete an entry. Whatever is below a person goes too: nothing may keep one who is to leave."""
        try:
            self._server.delete(dn)
        except _Refused as refused:
            if refused.code == _NO_SUCH_OBJECT:
                return
            if refused.code != _NOT_EMPTY or not dn.endswith(f",{self._people}"):
                raise
            for below, _ in self._server.read(dn, "level", ["objectClass"]):
                self._delete(below)
            self._server.delete(dn)

    def _set_mark(self, sha256: str) -> None:
        described = _descriptions(self._server, self._people)
        others = [value.encode() for value in described if not value.startswith(_MARK)]
        try:
            self._server.replace(self._people, {"description": [*others, f"{_MARK}{sha256}".encode()]})
        except _Refused as refused:
            raise refused.told() from None


class _Server:
    """What is asked of the server. A refusal raises _Refused, a lost connection SourceUnavailable."""

    def __init__(self, connection: "ldap3.Connection") -> None:
        self._connection = connection

    def read(self, dn: str, scope: str, names: Sequence[str]) -> list[tuple[str, Values]]:
        """Return an entry, or those below it; none when it is not there."""
        try:
            return list(self._found(dn, scope, names, lambda: None))
        except _Refused as refused:
            if refused.code == _NO_SUCH_OBJECT:
                return []
            raise refused.told() from None

    def search(self, below: str, names: Sequence[str], moved: Moved) -> Iterator[tuple[str, Values]]:
        """Yield the entries directly below one. Raises ConfigError when the server does not give all of them."""
        try:
            yield from self._found(below, "level", names, moved)
        except _Refused as refused:
            raise refused.told() from None

    def _found(self, dn: str, scope: str, names: Sequence[str], moved: Moved) -> Iterator[tuple[str, Values]]:
        from ldap3 import BASE, LEVEL

        wanted: dict[str, Any] = {
            "search_base": dn,
            "search_filter": "(objectClass=*)",
            "search_scope": BASE if scope == "base" else LEVEL,
            "attributes": list(names),
            "paged_size": _PAGE,
        }
        cookie = True
        while cookie:
            paged = wanted if cookie is True else wanted | {"paged_cookie": cookie}
            response, result = self._asked(partial(self._connection.search, **paged))
            for one in response or ():
                if one["type"] == "searchResEntry":
                    values = {
                        _NAMES.get(name.lower(), name): list(found) for name, found in one["raw_attributes"].items()
                    }
                    yield one["raw_dn"].decode("utf-8", "replace"), values
            moved()
            control = result.get("controls", {}).get("1.2.840.113556.1.4.319", {})
            cookie = control.get("value", {}).get("cookie")

    def add(self, dn: str, values: Values) -> None:
        """Add an entry."""
        self._asked(lambda: self._connection.add(dn, attributes=values))

    def replace(self, dn: str, values: Values) -> None:
        """Give an entry these values of these attributes; none take the attribute away."""
        from ldap3 import MODIFY_REPLACE

        self._asked(lambda: self._connection.modify(dn, {name: [(MODIFY_REPLACE, of)] for name, of in values.items()}))

    def rename(self, dn: str, rdn: str) -> None:
        """Give an entry another name, and let the former be a value of it still."""
        self._asked(lambda: self._connection.modify_dn(dn, rdn, delete_old_dn=False))

    def delete(self, dn: str) -> None:
        """Delete an entry."""
        self._asked(lambda: self._connection.delete(dn))

    def _asked(self, ask: Callable[[], object]) -> tuple[Any, dict[str, Any]]:
        with _said():
            ask()
        result = self._connection.result
        if result["result"] != 0:
            raise _Refused(result["result"], result["description"])
        return self._connection.response, result


def _descriptions(server: _Server, people: str) -> list[str]:
    found = server.read(people, "base", ["description"])
    return [value.decode("utf-8", "replace") for _, values in found for value in values.get("description", ())]


def _mark(server: _Server, people: str) -> str | None:
    """Return the sha256 of the file that the directory stands at; an empty one in the midst of a change.

    None: Dataflyt has put nothing there.
    """
    ours = [value for value in _descriptions(server, people) if value.startswith(_MARK)]
    return ours[0].removeprefix(_MARK) if len(ours) == 1 else "" if ours else None


@contextmanager
def _logged_in(connection: Connection) -> Iterator[_Server]:
    import ldap3

    connection.require("login", "password")
    at = address(connection)
    with _said():
        server = ldap3.Server(
            *(at.host, at.port),
            use_ssl=at.tls,
            tls=_tls(connection, at.host) if at.tls else None,
            get_info=ldap3.NONE,
            connect_timeout=CONNECTS,
        )
        ldap = ldap3.Connection(
            server,
            connection.login,
            connection.password,
            check_names=False,  # names go to the server as they stand in the file
            return_empty_attributes=False,
            auto_referrals=False,
            receive_timeout=ANSWERS,
        )
        ldap.open()
    try:
        with _said():
            ldap.bind()
        if ldap.result["result"] != 0:
            raise _Refused(ldap.result["result"], ldap.result["description"]).told()
        yield _Server(ldap)
    finally:
        with suppress(Exception):
            ldap.unbind()


def _tls(connection: Connection, host: str) -> "ldap3.Tls":
    """Return the library's settings for TLS. The certificate is judged by Python's ssl, the name of the host too."""
    import ldap3

    own = connection.extra.get("ca")
    try:
        context = ssl.create_default_context(cafile=str(own)) if own else trusted()
    except OSError:  # ssl.SSLError is one
        raise ConfigError(
            f"filen som står som ca i tilkoblingen {connection.name}, har ikke sertifikater i PEM: rett stien."
        ) from None

    class Tls(ldap3.Tls):  # type: ignore[misc]
        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            connection.socket = context.wrap_socket(
                connection.socket, do_handshake_on_connect=do_handshake, server_hostname=host
            )

    return Tls(validate=ssl.CERT_NONE)  # its own judgement comes too late, and knows no addresses


@contextmanager
def _said() -> Iterator[None]:
    """Turn an error of the library's into one of ours. Its text is not told: it may hold a value."""
    from ldap3.core.exceptions import LDAPExceptionError

    try:
        yield
    except LDAPExceptionError as error:
        if "CERTIFICATE_VERIFY_FAILED" in repr(error.args) or "certificate" in str(error):
            raise ConfigError(
                "sertifikatet til katalogen er ikke gyldig for denne adressen. Få et som er det, eller skriv filen med "
                "utstederen som ca under extra i tilkoblingen."
            ) from None
        kind = type(error).__name__
        raise SourceUnavailable(f"katalogen svarer ikke ({kind}). Dataflyt prøver igjen.") from None
    except OSError as error:
        kind = type(error).__name__
        raise SourceUnavailable(f"katalogen svarer ikke ({kind}). Dataflyt prøver igjen.") from None


class _Unnamed:
    """A temporary file without a name, which can be opened to be read again and again."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def open(self, mode: str, /) -> BinaryIO:
        """Open the file to read bytes from its beginning."""
        self._file.flush()
        again = os.fdopen(os.dup(self._file.fileno()), mode)
        again.seek(0)
        return cast("BinaryIO", again)


@contextmanager
def _copied(file: File, moved: Moved) -> Iterator[_Unnamed]:
    """Yield a copy of a published file. Raises Withdrawn when it is gone, ConfigError when it is another."""
    with tempfile.TemporaryFile() as copy:
        digest = hashlib.sha256()
        try:
            with file.source.open("rb") as source:
                while chunk := source.read(1 << 20):
                    digest.update(chunk)
                    copy.write(chunk)
                    moved()
        except FileNotFoundError:
            raise Withdrawn from None
        if digest.hexdigest() != file.sha256:
            raise ConfigError("filen er ikke lenger slik den ble publisert: start en kjøring.")
        yield _Unnamed(copy)


def _added(lines: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[bytes]]]:
    values: Values = {}
    for name, text in lines:
        values.setdefault(name, []).append(text.encode("utf-8", "surrogateescape"))
    yield from values.items()


def _replaced(change: ldif.Change) -> Values:
    """Return the values of each attribute that a modify replaces."""
    values: Values = {}
    now: list[bytes] | None = None
    for name, value in change.lines:
        if now is None:
            if name != "replace":
                raise ConfigError("filen med endringer er ikke slik den ble publisert: start en kjøring.")
            now = values.setdefault(value.text.lower(), [])
        elif name == "-":
            now = None
        else:
            now.append(value.text.encode("utf-8", "surrogateescape"))
    return values


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
