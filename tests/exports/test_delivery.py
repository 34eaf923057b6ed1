"""Files at the recipients' places: whole or not there, as the publication in force says, and no contact by mistake."""

import hashlib
import io
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from dataflyt.config import known_hosts
from dataflyt.config.connections import path_of
from dataflyt.config.exports import ALWAYS_WITH_CONTACT, EXTRAS
from dataflyt.config.loading import load
from dataflyt.errors import ConfigError
from dataflyt.exports import oneroster, pifu, sds
from dataflyt.exports.model import Access, AccountHolder, Lesson
from dataflyt.exports.place import File, Place
from dataflyt.exports.registry import EXPORTS
from dataflyt.exports.without_contact import WithoutContact, named
from dataflyt.storage.files import copy_whole, write_atomically
from tests.exports.test_oneroster import ALL, FULL, MOTHER, PUPIL, Roster
from tests.exports.test_oneroster import tables as rows


class Broken:
    """A source whose second half cannot be read."""

    def open(self, mode: str) -> Any:
        class Half(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell():
                    raise OSError(5, "gone")
                return super().read(4)

        return Half(b"half of a file")


@contextmanager
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the address of a bucket of an S3 server over HTTP (the extra ``s3server``, and s3fs)."""
    s3fs, moto = pytest.importorskip("s3fs"), pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("NO_PROXY", host)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3fs.S3FileSystem.clear_instance_cache()
    httpx.post(f"http://{host}:{port}/moto-api/reset", trust_env=False)  # moto keeps what another server of it had
    s3fs.S3FileSystem().mkdir("recipients")
    yield "s3://recipients"
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


@contextmanager
def sftp_server(folder: Path, *, to_be_read: bool = True, known: bool = False) -> Iterator[dict[str, Any]]:
    """Yield how to reach an SFTP server of one folder (where paramiko is installed).

    With ``known`` the folder has the server's key in known_hosts.
    """
    paramiko = pytest.importorskip("paramiko")

    class Anybody(paramiko.ServerInterface):  # type: ignore[misc]
        def check_auth_password(self, username: str, password: str) -> int:
            return int(paramiko.AUTH_SUCCESSFUL)

        def check_channel_request(self, kind: str, chanid: int) -> int:
            return int(paramiko.OPEN_SUCCEEDED)

    class Handle(paramiko.SFTPHandle):  # type: ignore[misc]
        def stat(self) -> Any:
            return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))

    def answered(work: Any) -> Any:
        try:
            found = work()
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return paramiko.SFTP_OK if found is None else found

    class Files(paramiko.SFTPServerInterface):  # type: ignore[misc]
        def at(self, path: str) -> Path:
            return folder / self.canonicalize(path).lstrip("/")

        def list_folder(self, path: str) -> Any:
            if not to_be_read:
                return paramiko.SFTP_PERMISSION_DENIED

            def listed() -> list[Any]:
                return [paramiko.SFTPAttributes.from_stat(one.stat(), one.name) for one in self.at(path).iterdir()]

            return answered(listed)

        def stat(self, path: str) -> Any:
            return answered(lambda: paramiko.SFTPAttributes.from_stat(self.at(path).stat()))

        lstat = stat

        def open(self, path: str, flags: int, attr: Any) -> Any:
            if not to_be_read and not flags & os.O_WRONLY:
                return paramiko.SFTP_PERMISSION_DENIED

            def opened() -> Any:
                file = os.fdopen(os.open(self.at(path), flags, 0o600), "r+b" if flags & os.O_WRONLY == 0 else "wb")
                handle = Handle(flags)
                handle.readfile = handle.writefile = file
                return handle

            return answered(opened)

        def remove(self, path: str) -> Any:
            return answered(self.at(path).unlink)

        def rename(self, old: str, new: str) -> int:
            if self.at(new).exists():  # as version 3 of the protocol has it
                return int(paramiko.SFTP_FAILURE)
            return int(answered(lambda: os.rename(self.at(old), self.at(new))))

        def posix_rename(self, old: str, new: str) -> Any:
            return answered(lambda: os.replace(self.at(old), self.at(new)))

    listening = socket.create_server(("127.0.0.1", 0))
    key, transports = paramiko.RSAKey.generate(2048), []

    def serve() -> None:
        with suppress(OSError):
            while True:
                transport = paramiko.Transport(listening.accept()[0])
                transport.add_server_key(key)
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, Files)
                transport.start_server(server=Anybody())
                transports.append(transport)

    threading.Thread(target=serve, daemon=True).start()
    port = listening.getsockname()[1]
    if known:
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
    yield {"port": port, "username": "dataflyt", "password": "test"}
    listening.close()
    for transport in transports:
        transport.close()


@pytest.fixture(params=["disk", "fsspec's disk", "memory", "s3", "sftp"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "memory":
        yield UPath("memory://place")
        MemoryFileSystem.store.clear()
    elif request.param == "s3":
        with object_store(monkeypatch) as address:
            yield UPath(f"{address}/place")
    elif request.param == "sftp":
        (tmp_path / "place").mkdir()
        with sftp_server(tmp_path) as options:
            yield UPath("sftp://127.0.0.1/place", **options)
    else:
        (tmp_path / "place").mkdir()
        yield UPath(f"file://{tmp_path}/place") if request.param == "fsspec's disk" else tmp_path / "place"


def lying(place: Any) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in place.iterdir()} if place.exists() else {}


def test_a_file_is_replaced_whole_or_not_at_all(place: Any, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"new" * 100_000)
    copy_whole(tmp_path / "new", place / "pifu.xml")
    assert lying(place) == {"pifu.xml": b"new" * 100_000}
    with pytest.raises(OSError, match="gone"):
        copy_whole(Broken(), place / "pifu.xml")
    assert lying(place) == {"pifu.xml": b"new" * 100_000}
    with pytest.raises(FileNotFoundError):
        copy_whole(tmp_path / "no", place / "other.xml")
    write_atomically(place / "manifest.json", b"{}")
    assert sorted(lying(place)) == ["manifest.json", "pifu.xml"]
    for name in ("pifu.xml", "never.xml"):
        (place / name).unlink(missing_ok=True)
    assert sorted(lying(place)) == ["manifest.json"]


def test_a_place_where_nothing_may_be_read_or_listed_gets_its_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "pifu.xml").write_bytes(b"<enterprise/>")
    file = File("pifu.xml", tmp_path / "pifu.xml", hashlib.sha256(b"<enterprise/>").hexdigest())
    with sftp_server(tmp_path, to_be_read=False) as options:
        folder = UPath("sftp://127.0.0.1/in", **options)
        place = Place(folder, "haugesund", "pifu", ["pifu.xml"])
        for _ in range(2):
            place.put([file], b"{}", lambda: None)
            assert lying(tmp_path / "in") == {"pifu.xml": b"<enterprise/>", "pifu.manifest.json": b"{}"}
        place.take_away(lambda: None)
        assert lying(tmp_path / "in") == {}


def test_an_sftp_server_must_show_the_key_that_it_is_known_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.setenv(known_hosts.FILE, str(tmp_path / "known_hosts"))
    with sftp_server(tmp_path) as options, sftp_server(tmp_path, known=True) as another:
        unknown, known = (f"sftp://dataflyt:secret@127.0.0.1:{one['port']}/in" for one in (options, another))
        with pytest.raises(ConfigError, match="er ikke kjent, eller viser en annen nøkkel enn før") as told:
            path_of(unknown).is_dir()
        assert "secret" not in str(told.value)
        assert path_of(known).is_dir()
        # Somebody answers in place of the known server.
        file = tmp_path / "known_hosts"
        file.write_text(file.read_text().replace(str(another["port"]), str(options["port"])))
        with pytest.raises(ConfigError):
            path_of(unknown).is_dir()


def test_a_recipient_without_contact_gets_everything_but_contact_details() -> None:
    def made(module: Any, shown: Any) -> bytes:
        out = io.BytesIO()
        module.write(shown, out)
        return out.getvalue()

    bare = WithoutContact(FULL)  # type: ignore[arg-type]
    assert b"suharto@example.com" in made(pifu, FULL)
    assert b"41001701" in made(pifu, FULL)
    without = made(pifu, bare)
    assert b"suharto@example.com" not in without
    assert b"41001701" not in without
    assert without.count(b"<person") == made(pifu, FULL).count(b"<person")
    for module in (oneroster, sds):
        with_, without = rows(made(module, FULL)), rows(made(module, bare))
        assert any(row["email"] for row in with_["users"])
        assert not any(row["email"] or row["sms"] for row in without["users"])
        assert {row["sourcedId"] for row in without["users"]} <= {row["sourcedId"] for row in with_["users"]}
    assert named("sds.zip") == "sds-uten-kontakt.zip"


KOMMUNER = Path(__file__).parents[2] / "include" / "kommuner"


class Everything(Roster):
    """A roster for every export."""

    def account_holders(self) -> list[AccountHolder]:
        return []

    def lessons(self) -> list[Lesson]:
        return []

    def accesses(self, export: str) -> list[Access]:
        mail = MOTHER.private_mail if "contact" in self.extras(export) else None
        whose = (MOTHER.person_id, MOTHER.number or "", MOTHER.given_names, MOTHER.family_name)
        return [Access(PUPIL.person_id, PUPIL.number, None, *whose, "foreldreansvar", True, True, "", mail, None)]


def holds(name: str, shown: Any, what: str) -> bool:
    """Tell whether the export's file, or one in it, holds this text."""
    out = io.BytesIO()
    EXPORTS[name].write(shown, out)
    if not zipfile.is_zipfile(out):
        return what.encode() in out.getvalue()
    with zipfile.ZipFile(out) as held:
        return any(what.encode() in held.read(one) for one in held.namelist())


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_that_holds_a_guardians_address_is_one_that_is_written_without_it_too(name: str) -> None:
    address = "suharto@example.com"
    assert holds(name, Everything(), address) == (name in ALWAYS_WITH_CONTACT)
    extra = "contact" in EXTRAS.get(name, ())
    assert holds(name, Everything(extras_=ALL), address) == (name in ALWAYS_WITH_CONTACT or extra)
    assert not holds(name, WithoutContact(Everything(extras_=ALL)), address)


@pytest.mark.parametrize("extras", [(), ("guardians", "contact")])
@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_that_holds_a_guardian_is_one_that_is_known_to(name: str, extras: tuple[str, ...]) -> None:
    kommune = load(KOMMUNER / "haugesund.yaml").model_copy(update={"export_extras": {name: extras}})
    shown = Everything(extras_=frozenset(extras))
    known = kommune.tells_of_guardians(name)
    assert holds(name, shown, MOTHER.family_name) == known
    assert known or not holds(name, WithoutContact(shown), MOTHER.family_name)
