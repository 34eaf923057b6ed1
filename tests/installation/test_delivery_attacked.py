"""Delivery when a recipient, an operator or a server does what nobody wishes for."""

import resource
import shutil
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataflyt.config.connections import path_of
from dataflyt.errors import SourceUnavailable
from dataflyt.exports import place
from dataflyt.exports.registry import EXPORTS
from dataflyt.operations import nightly
from dataflyt.run.deliver import deliver_published
from dataflyt.run.republish import republish, write_anew
from tests.decisions.test_undo import PEOPLE, undo
from tests.installation.fixtures import Installation
from tests.installation.test_changes import published as manifest_of
from tests.installation.test_delivery import PRIVATE, PUBLIC, Places
from tests.warehouse.test_state import _override, pupils, tonight

PIFU = {"pifu.xml", "pifu.manifest.json"}


def but_changes(names: Iterable[str]) -> set[str]:
    """Return the files of a place without those of changes, which follow the file."""
    return {name for name in names if not name.startswith("pifu-changes")}


@contextmanager
def silent_server() -> Iterator[str]:
    """Yield the address of a folder on a server that takes every connection and never answers."""
    listening = socket.create_server(("127.0.0.1", 0))
    taken: list[socket.socket] = []

    def serve() -> None:
        try:
            while True:
                taken.append(listening.accept()[0])
        except OSError:
            pass

    threading.Thread(target=serve, daemon=True).start()
    yield f"webhdfs://127.0.0.1:{listening.getsockname()[1]}/in"
    listening.close()
    for one in taken:
        one.close()


def mails(content: bytes) -> int:
    return content.count(b"<email>")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/srv/in", "file:///srv/in/", True),
        ("/srv/in", "/srv/./x/../in", True),
        ("sftp://a:old@example.com/in", "sftp://a:new@EXAMPLE.com/in/", True),
        ("sftp://a:secret@example.com/in", "sftp://b:secret@example.com/in", False),  # each may have a root of its own
        ("s3://bucket/in", "s3://bucket/inn", False),
    ],
)
def test_a_place_is_known_by_its_address_without_the_password(one: str, other: str, same: bool) -> None:
    assert (place.address_of(one) == place.address_of(other)) == same
    assert "secret" not in place.address_of(one)


def test_no_two_exports_have_a_file_of_the_same_name() -> None:
    names = [name for one in EXPORTS.values() for name in (one.file, *([one.changes.file] if one.changes else []))]
    assert len(names) == len(set(names))


def test_what_moves_slowly_is_waited_for_and_what_stands_still_is_given_up_and_does_nothing_later() -> None:
    def slow(moved: place.Moved) -> str:
        for _ in range(6):
            time.sleep(0.1)
            moved()
        return "done"

    assert place.patiently(slow, 0.4) == "done"
    later: list[str] = []
    ended = threading.Event()

    def still(moved: place.Moved) -> None:
        try:
            time.sleep(1.0)
            moved()
            later.append("written")
        finally:
            ended.set()

    with pytest.raises(place.Silent):
        place.patiently(still, 0.2)
    assert ended.wait(5)
    assert later == []
    with pytest.raises(SourceUnavailable, match="said so"):
        place.patiently(lambda _: (_ for _ in ()).throw(SourceUnavailable("said so")), 1.0)


def test_an_sftp_server_that_takes_the_call_and_says_nothing_is_given_up() -> None:
    pytest.importorskip("paramiko")
    with silent_server() as address:
        began = time.monotonic()
        with pytest.raises(place.Silent):
            place.at(path_of, address.replace("webhdfs://", "sftp://a:b@"), lambda *_: None, 1.0)
        assert time.monotonic() - began < 4


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.filterwarnings("ignore:UPath 'webhdfs'")
def test_a_server_that_never_answers_delays_nobody_for_long_and_no_statement_stays_open(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PRIVATE, PUBLIC), feide_ldif=(PRIVATE,))
    here.run()
    here.query("update control.delivery set digest = null returning 1")
    shutil.rmtree(places.addresses["deliver_b"])
    Path(places.addresses["deliver_b"]).mkdir()
    here.environment = replace(here.environment, path=path_of)
    with silent_server() as address:
        places.addresses["deliver_a"] = address
        told: list[Any] = []
        working = threading.Thread(
            target=lambda: told.extend(deliver_published(here.kommune, here.environment, patience=4.0))
        )
        working.start()
        open_ones = []
        while working.is_alive():
            time.sleep(0.2)
            open_ones += here.query(
                "select backend_xid, backend_xmin from pg_stat_activity where datname = current_database() "
                "and pid <> pg_backend_pid() and state = 'idle in transaction'"
            )
        working.join()
        assert open_ones, "the turn at the place is kept"
        assert {tuple(one) for one in open_ones} == {(None, None)}, "and holds nothing else back"
        fates = {(one.export, one.to): one for one in told}
        assert fates["pifu", "Oppvekst"].fate == "delivered"
        assert but_changes(places.whole("deliver_b")) == PIFU
        silent = [fates["pifu", "Læringsplattformen"], fates["feide_ldif", "Læringsplattformen"]]
        assert {one.fate for one in silent} == {"failed"}
        assert all(isinstance(one.trouble, SourceUnavailable) for one in silent)
        assert all("127.0.0.1" not in str(one.trouble) for one in silent)

        # The server is tried once, for all exports and all kommuner.
        began = time.monotonic()
        silent_ones: set[str] = set()
        deliver_published(here.kommune, here.environment, patience=2.0, silent=silent_ones)
        deliver_published(here.kommune, here.environment, patience=2.0, silent=silent_ones)
        assert len(silent_ones) == 1
        assert time.monotonic() - began < 2 * 4.0


def in_the_way(here: Installation, places: Places, name: str = "deliver_b") -> Path:
    """Let a folder stand where the manifest is to be: the recipient has made it. Do a run; return the folder."""
    manifest = Path(places.addresses[name]) / "pifu.manifest.json"
    manifest.unlink(missing_ok=True)
    manifest.mkdir()
    (child, *_) = pupils(here, 1)
    child.given += " Ny"
    report = here.run()
    assert (report["outcome"], report["failed"]) == ("released", ["deliver"])
    assert (manifest.parent / "pifu.xml").exists()
    return manifest


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_delivery_that_broke_off_is_done_again_also_when_the_run_is_undone(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    here.kommune = here.kommune.model_copy(update={"people": PEOPLE})
    places.to(pifu=(PUBLIC,))
    here.run()
    before = places.whole("deliver_b")
    manifest = in_the_way(here, places)
    manifest.rmdir()
    manifest.write_bytes(before["pifu.manifest.json"])
    assert here.query("select digest from control.delivery") == [(None,)], "what lies there is not known"
    undo(here, here.runs)
    assert places.whole("deliver_b")["pifu.xml"] == (manifest_of(here).folder / "pifu.xml").read_bytes()


@pytest.mark.long
@pytest.mark.after_first_run
def test_what_a_first_delivery_left_behind_when_it_broke_off_is_taken_away(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PUBLIC,))
    manifest = in_the_way(here, places)
    manifest.rmdir()
    (manifest.parent / ".pifu.xml.0123456789ab.part").write_bytes(b"half of a file, from a process that was killed")
    places.to()
    assert tonight(here).trouble == []
    assert places.lying("deliver_b") == {}


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_connection_with_a_new_name_leaves_the_files_where_they_are(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PUBLIC,))
    here.run()
    # Both connections are there, and then only the new one.
    for old, new in (("deliver_b", "deliver_c"), ("deliver_c", "deliver_d")):
        places.addresses[new] = f"{places.addresses[old]}/"
        if new == "deliver_d":
            del places.addresses[old]
        places.to(pifu=(PUBLIC.model_copy(update={"connection": new}),))
        assert tonight(here).trouble == []
        assert but_changes(places.lying(new)) == PIFU
        here.run()
        assert but_changes(places.whole(new)) == PIFU
    assert here.query("select connection from control.delivery") == [("deliver_d",)]
    # Nor does a connection that leads to another recipient's place when its line is taken out.
    (tmp_path / "old").mkdir()
    places.addresses["deliver_a"] = str(tmp_path / "old")
    one = PUBLIC.model_copy(update={"connection": "deliver_d"})
    places.to(pifu=(one, PRIVATE))
    here.run()
    places.addresses["deliver_a"] = places.addresses["deliver_d"]
    places.to(pifu=(one,))
    assert tonight(here).trouble == []
    assert but_changes(places.whole("deliver_d")) == PIFU


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_place_is_one_recipients_of_one_kommune_and_never_in_the_storage(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    # Two recipients: the first gets the file, without what the other may not have.
    places.addresses["deliver_a"] = f"file://{places.addresses['deliver_b']}/."
    places.to(pifu=(PUBLIC, PRIVATE))
    report = here.run()
    assert report["failed"] == ["deliver"]
    assert "til Læringsplattformen: en annen mottaker har samme mappe" in " ".join(report["sentences"])
    folder = manifest_of(here).folder
    assert places.whole("deliver_b")["pifu.xml"] == (folder / "pifu-uten-kontakt.xml").read_bytes()

    # Another kommune's place: its files stay, and are not taken away either.
    another = tmp_path / "another"
    another.mkdir()
    theirs = {"pifu.manifest.json": b'{"owner": "bergen", "files": []}', "pifu.xml": b"<theirs/>"}
    for name, content in theirs.items():
        (another / name).write_bytes(content)
    places.addresses["deliver_b"] = str(another)
    places.to(pifu=(PUBLIC,))
    (trouble,) = tonight(here).trouble
    assert "mappen har filene til en annen kommune" in trouble.sentence
    places.to()
    assert tonight(here).trouble == []
    assert places.lying("deliver_b") == theirs

    # A folder in the storage: nothing is written there, whatever path leads to it.
    published = manifest_of(here).folder
    before = (published / "pifu.xml").read_bytes()
    places.addresses["deliver_b"] = f"{here.storage}/reports/../exports/haugesund/{published.name}"
    places.to(pifu=(PUBLIC.model_copy(update={"contact": False}),))
    assert "mappen er i Dataflyts eget lager" in " ".join(here.run()["sentences"])
    assert (published / "pifu.xml").read_bytes() == before
    assert not (manifest_of(here).folder / "pifu.manifest.json").exists()


@pytest.mark.after_first_run
def test_two_kommuner_with_one_folder_are_told_of_every_night_also_when_the_files_are_fetched_at_once(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PUBLIC,), feide_ldif=(PRIVATE,))
    places.addresses["deliver_c"] = f"{places.addresses['deliver_b']}/"
    theirs = {"pifu": (PUBLIC.model_copy(update={"connection": "deliver_c"}),), "guardians": (PRIVATE,)}
    bergen = here.kommune.model_copy(update={"id": "bergen", "delivery": theirs})
    (trouble,) = nightly.run([here.kommune, bergen], here.environment).trouble
    assert trouble.sentence == (
        "bergen: PIFU-IMS 1.3 til Oppvekst: mappen er også haugesund sin. Bruk én mappe til hver kommune."
    )


@pytest.mark.long
@pytest.mark.after_first_run
def test_what_gives_waits_for_a_run_and_what_takes_away_does_not(installation: Installation, tmp_path: Path) -> None:
    here, places = installation, Places(installation, tmp_path)
    shy = PUBLIC.model_copy(update={"contact": False})
    places.to(pifu=(shy,))
    assert tonight(here).trouble == []
    assert places.lying("deliver_b") == {}, "a new recipient"
    here.run()
    without = mails(places.whole("deliver_b")["pifu.xml"])
    places.to(pifu=(PUBLIC,))
    # A decision is delivered meanwhile, still without contact details.
    (hidden,) = pupils(here, 1)
    _override(here, hidden.number)
    assert tonight(here).trouble == []
    lying = places.whole("deliver_b")["pifu.xml"]
    assert mails(lying) <= without
    assert hidden.number.encode() not in lying
    here.run()
    assert mails(places.whole("deliver_b")["pifu.xml"]) > without
    # Off and on again between two runs: it stays off.
    places.to(pifu=(shy,))
    assert tonight(here).trouble == []
    assert mails(places.whole("deliver_b")["pifu.xml"]) <= without
    places.to(pifu=(PUBLIC,))
    assert tonight(here).trouble == []
    assert mails(places.whole("deliver_b")["pifu.xml"]) <= without
    here.run()
    assert mails(places.whole("deliver_b")["pifu.xml"]) > without


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_file_with_contact_details_goes_to_nobody_without_them_though_the_kommune_file_has_lost_the_word(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    given = {"export_extras": {"guardians": ("contact",)}, "exports": (*here.kommune.exports, "guardians")}
    here.kommune = here.kommune.model_copy(update=given)
    places.to(guardians=(PUBLIC,))
    here.run()
    file = places.whole("deliver_b")["guardians.json"]
    assert b"@" in file
    # The word is taken out, the recipient loses contact, and the delivery comes before the file is written anew.
    here.kommune = here.kommune.model_copy(update={"export_extras": {}})
    places.to(guardians=(PUBLIC.model_copy(update={"contact": False}),))
    (told,) = deliver_published(here.kommune, here.environment)
    assert told.fate == "failed"
    assert "filen uten kontaktopplysninger er ikke skrevet ennå" in str(told.trouble)
    assert [one.fate for one in republish(here.kommune, here.environment)] == ["delivered"]
    assert b"@" not in places.whole("deliver_b")["guardians.json"]


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_link_that_a_recipient_lays_leads_no_file_elsewhere(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, places = installation, Places(installation, tmp_path)
    secret = tmp_path / "secret"
    secret.write_bytes(b"another kommune's")
    secret.chmod(0o600)
    folder = Path(places.addresses["deliver_b"])
    for name in (".pifu.xml.part", ".pifu.manifest.json.tmp", "pifu.xml", "pifu.manifest.json"):
        (folder / name).symlink_to(secret)
    places.to(pifu=(PUBLIC,))
    monkeypatch.setenv("DATAFLYT_EXPORTS_GROUP", str(secret.stat().st_gid + 1))
    here.run()
    assert secret.read_bytes() == b"another kommune's"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert not (folder / "pifu.xml").is_symlink()
    assert (folder / "pifu.xml").stat().st_mode & 0o777 == 0o640


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_recipient_that_has_no_room_or_may_only_be_read_is_told_and_has_whole_files(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PUBLIC,))
    here.run()
    before, number = places.whole("deliver_b"), here.runs
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    (hidden,) = pupils(here, 1)
    _override(here, hidden.number)
    write_anew(here.kommune, here.environment)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before["pifu.xml"]) // 2, limit[1]))
    try:
        (told,) = deliver_published(here.kommune, here.environment)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert (told.fate, number) == ("failed", here.runs)
    assert "filen blir større enn maskinen tillater" in str(told.trouble)
    assert places.whole("deliver_b") == before, "nothing is half there, and no part is left"
    assert [one.fate for one in republish(here.kommune, here.environment)] == ["delivered"]
    assert hidden.number.encode() not in places.whole("deliver_b")["pifu.xml"]
