"""Delivery to recipients' places, as the recipients meet it: run after run, and when something has gone wrong."""

import hashlib
import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from dataflyt.config import known_hosts
from dataflyt.config.connections import Connection, NotDefined, path_of
from dataflyt.config.kommune import Delivery
from dataflyt.exports import place
from dataflyt.operations import nightly
from dataflyt.operations.retention import retain
from dataflyt.run.deliver import deliver_published
from dataflyt.run.republish import republish
from dataflyt.storage import database
from dataflyt.storage.landing import forget_listing
from tests.exports.test_delivery import object_store, sftp_server
from tests.exports.test_pifu_changes import Receiver as OfPifu
from tests.installation.fixtures import Installation
from tests.installation.test_changes import published as manifest_of
from tests.installation.test_pifu import _id
from tests.warehouse.test_state import _override, pupils, tonight

PRIVATE = Delivery(to="Læringsplattformen", connection="deliver_a")
PUBLIC = Delivery(to="Oppvekst", connection="deliver_b", recipient="public", contact=True)


class Places:
    """Two recipients' folders, and the connections to them; ``addresses`` may be changed."""

    def __init__(self, here: Installation, folder: Path) -> None:
        self.here = here
        self.addresses = {name: str(folder / name) for name in ("deliver_a", "deliver_b")}
        for address in self.addresses.values():
            Path(address).mkdir()
        known = here.environment.connect

        def connect(name: str) -> Connection:
            if name.startswith("deliver"):
                if name not in self.addresses:
                    raise NotDefined(f"Tilkoblingen {name} finnes ikke.")
                return Connection(name, self.addresses[name])
            return known(name)

        here.environment = replace(here.environment, connect=connect)

    def to(self, **recipients: tuple[Delivery, ...]) -> None:
        """Write ``delivery`` in the kommune file."""
        self.here.kommune = self.here.kommune.model_copy(update={"delivery": recipients})

    def lying(self, name: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path(self.addresses[name]).iterdir()}

    def whole(self, name: str) -> Mapping[str, bytes]:
        """Return what lies at a place, after checking that every manifest names files that are there."""
        lying = self.lying(name)
        assert not [file for file in lying if file.startswith(".")]
        named = set()
        for file, content in lying.items():
            if file.endswith(".manifest.json"):
                named.add(file)
                for one in orjson.loads(content)["files"]:
                    for said in (one, one.get("changes") or one, *one.get("earlier", ())):
                        assert hashlib.sha256(lying[said["file"]]).hexdigest() == said["sha256"]
                        named.add(said["file"])
        assert named == set(lying)
        return lying

    def full(self, name: str) -> set[str]:
        """Return the names of what lies at a place, but for the changes, after the same check."""
        return {file for file in self.whole(name) if "-changes" not in file}


@pytest.mark.long
@pytest.mark.after_first_run
def test_each_recipient_gets_what_is_published_and_contact_only_if_the_kommune_file_gives_it(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PRIVATE, PUBLIC), feide_ldif=(PRIVATE,))
    report = here.run()
    said = {(one["export"], one["to"]): one["fate"] for one in report["delivered"]}
    assert set(said.values()) <= {"delivered", "same"}
    assert len(said) == 3
    assert [sentence for sentence in report["sentences"] if "Levert" in sentence]
    folder = manifest_of(here).folder
    shy, full = places.whole("deliver_a"), places.whole("deliver_b")
    names = {path.name for path in folder.iterdir() if "-changes" in path.name and "uten-kontakt" not in path.name}
    assert set(shy) - names == {"pifu.xml", "pifu.manifest.json", "feide.ldif", "feide_ldif.manifest.json"}
    assert set(full) - names == {"pifu.xml", "pifu.manifest.json"}
    assert full["pifu.xml"] == (folder / "pifu.xml").read_bytes()
    assert shy["feide.ldif"] == (folder / "feide.ldif").read_bytes()
    mails = {name: re.findall(rb"<email>[^<]*</email>", files["pifu.xml"]) for name, files in (("a", shy), ("b", full))}
    assert set(mails["a"]) < set(mails["b"]), "guardians have addresses in the one, and not in the other"

    # Nothing has changed: nothing is written, also when the recipient has taken its files away.
    (Path(places.addresses["deliver_a"]) / "pifu.xml").unlink()
    assert {one.fate for one in republish(here.kommune, here.environment)} == {"same"}
    assert "pifu.xml" not in places.lying("deliver_a")

    # A recipient moves: the new place gets everything.
    new = tmp_path / "new"
    new.mkdir()
    places.addresses["deliver_a"] = str(new)
    tonight(here)
    assert dict(places.whole("deliver_a"))["pifu.xml"] == shy["pifu.xml"]

    # One loses the right to contact details, the other is no recipient any more: the same night.
    places.to(pifu=(PUBLIC.model_copy(update={"contact": False}),), feide_ldif=(PRIVATE,))
    assert tonight(here).trouble == []
    now = places.whole("deliver_b")["pifu.xml"]
    assert b"<target>Oppvekst@haugesund.kommune.no</target>" in now
    assert re.sub(b"<target>.*?</target>", b"", now) == re.sub(b"<target>.*?</target>", b"", shy["pifu.xml"])
    assert {file for file in places.whole("deliver_a") if "pifu" in file} == set()
    places.to()
    assert tonight(here).trouble == []
    assert [*places.lying("deliver_a"), *places.lying("deliver_b")] == []
    assert here.query("select count(*) from control.delivery") == [(0,)]


@pytest.mark.long
@pytest.mark.after_first_run
def test_who_is_protected_leaves_every_place_the_same_night_and_the_directory_gets_the_delete(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PRIVATE, PUBLIC), feide_ldif=(PRIVATE,))
    here.run()
    (hidden,) = pupils(here, 1)
    number = hidden.number.encode()
    assert all(number in places.whole(name)["pifu.xml"] for name in ("deliver_a", "deliver_b"))
    before = hashlib.sha256(places.whole("deliver_a")["feide.ldif"]).hexdigest()
    had = {name: OfPifu(places.whole(name)["pifu.xml"]) for name in ("deliver_a", "deliver_b")}
    sums = {name: hashlib.sha256(places.whole(name)["pifu.xml"]).hexdigest() for name in had}
    person = _override(here, hidden.number)
    tonight(here)
    lying = {name: places.whole(name) for name in ("deliver_a", "deliver_b")}
    assert not [file for files in lying.values() for file, content in files.items() if number in content]
    (said,) = orjson.loads(lying["deliver_a"]["feide_ldif.manifest.json"])["files"]
    assert said["changes"]["from"] == before
    assert b"changetype: delete" in lying["deliver_a"]["feide-changes.ldif"]
    # Each recipient has the changes of its own file: with contact details, or without.
    for name, files in lying.items():
        (said,) = orjson.loads(files["pifu.manifest.json"])["files"]
        assert said["changes"]["from"] == sums[name]
        assert had[name].apply(files["pifu-changes.xml"]) == OfPifu(files["pifu.xml"])
    assert sums["deliver_a"] != sums["deliver_b"]

    # A run that releases nothing delivers what takes somebody out, and its report does not tell that there was any.
    (other,) = pupils(here, 2)[1:]
    other.protection = other.home_grading = "strengtFortrolig"
    report = here.run(job=replace(here.open(), plan_only=True))
    assert report["outcome"] == "planned"
    assert other.number.encode() not in places.whole("deliver_a")["pifu.xml"]
    assert report["delivered"] == []
    assert not [sentence for sentence in report["sentences"] if "evert" in sentence]

    # The one whom the changes name is erased: the changes go from the place too.
    for one in (person, _id(here, other.number)):
        here.query(
            "insert into control.erased_id (owner, id, person_id) values ('haugesund', :id, :id) "
            "on conflict do nothing returning 1",
            id=one,
        )
    retain(here.kommune, here.environment)
    tonight(here)
    (said,) = orjson.loads(places.whole("deliver_a")["feide_ldif.manifest.json"])["files"]
    assert said["changes"] is None
    assert "feide-changes.ldif" not in places.whole("deliver_a")


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_recipient_that_does_not_answer_delays_nobody_is_told_in_the_report_and_is_tried_again(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    shutil.rmtree(places.addresses["deliver_a"])
    places.to(pifu=(PRIVATE, PUBLIC))
    report = here.run()
    assert (report["outcome"], report["failed"]) == ("released", ["deliver"])
    assert places.full("deliver_b") == {"pifu.xml", "pifu.manifest.json"}
    (sentence,) = [sentence for sentence in report["sentences"] if sentence.startswith("Ikke levert: ")]
    assert sentence.startswith("Ikke levert: PIFU-IMS 1.3 til Læringsplattformen: mappen finnes ikke.")
    assert str(tmp_path) not in sentence, "an address may have a password"

    # Withdrawing waits for no recipient. Who follows the day is told once a day, not every hour.
    assert nightly.bring_in_line([here.kommune], here.environment) == []
    (trouble,) = tonight(here).trouble
    assert "ikke levert: PIFU-IMS 1.3 til Læringsplattformen" in trouble.sentence
    Path(places.addresses["deliver_a"]).mkdir()
    assert nightly.bring_in_line([here.kommune], here.environment) == []
    assert places.full("deliver_a") == {"pifu.xml", "pifu.manifest.json"}

    # A connection that is gone before the files are: somebody is told, and nothing is forgotten.
    kept = places.addresses.pop("deliver_a")
    places.to(pifu=(PUBLIC,))
    (trouble,) = tonight(here).trouble
    assert "filene skal tas bort hos mottakeren, men tilkoblingen deliver_a finnes ikke" in trouble.sentence
    places.addresses["deliver_a"] = kept
    assert tonight(here).trouble == []
    assert places.lying("deliver_a") == {}


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.parametrize("kind", ["sftp", "s3"])
def test_a_recipient_over_sftp_or_in_s3_has_whole_files_that_follow_the_publication(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    here, places = installation, Places(installation, tmp_path)
    here.environment = replace(here.environment, path=path_of)
    monkeypatch.setenv(known_hosts.FILE, str(tmp_path / "known_hosts"))
    with sftp_server(tmp_path, known=True) if kind == "sftp" else object_store(monkeypatch) as server:
        place = "sftp://dataflyt:test@127.0.0.1:{port}/deliver_b" if kind == "sftp" else "{0}/deliver_b"
        address = place.format(**server) if kind == "sftp" else place.format(server)
        places.addresses["deliver_b"] = address

        def lying() -> dict[str, bytes]:
            folder = path_of(address)
            forget_listing(folder)
            return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

        def changes() -> set[str]:
            return {name for name in lying() if "-changes" in name}

        places.to(pifu=(PUBLIC,), feide_ldif=(PUBLIC,))
        assert here.run()["failed"] == []
        files = {"pifu.xml", "pifu.manifest.json", "feide.ldif", "feide_ldif.manifest.json"}
        assert lying().keys() - changes() == files
        (hidden,) = pupils(here, 1)
        number = hidden.number.encode()
        assert number in lying()["pifu.xml"]
        _override(here, hidden.number)
        assert tonight(here).trouble == []
        assert lying().keys() - changes() == files
        assert changes() >= {"feide-changes.ldif", "pifu-changes.xml"}
        assert number not in b"".join(lying().values())
        places.to()
        assert tonight(here).trouble == []
        assert lying() == {}

        # A wrong address is one sentence, without the password in it.
        places.addresses["deliver_b"] = address.replace("deliver_b", "nowhere").replace("//recipients", "//no-bucket")
        places.to(pifu=(PUBLIC,))
        assert here.run()["failed"] == ["deliver"]
        (trouble,) = tonight(here).trouble
        assert "PIFU-IMS 1.3 til Oppvekst: " in trouble.sentence
        assert "test@" not in trouble.sentence


@pytest.mark.after_first_run
def test_a_restored_warehouse_delivers_nothing_before_it_has_published(
    installation: Installation, tmp_path: Path
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PUBLIC,))
    path = here.storage / "exports" / "haugesund" / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"run": 1', b'"run": 2'))  # of a run that the warehouse has lost
    assert [one.fate for one in deliver_published(here.kommune, here.environment)] == ["waits"]
    assert places.lying("deliver_b") == {}
    here.run()
    assert places.full("deliver_b") == {"pifu.xml", "pifu.manifest.json"}


@pytest.mark.long
@pytest.mark.after_first_run
def test_killed_or_raced_a_place_has_whole_files_and_the_newest_publication_in_the_end(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, places = installation, Places(installation, tmp_path)
    places.to(pifu=(PUBLIC,))
    real, calls = place.put_whole, []

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(place, "put_whole", killed)
        with pytest.raises(KeyboardInterrupt):
            here.run()
    assert {name for name in places.lying("deliver_b") if "-changes" not in name} == {"pifu.xml"}
    deliver_published(here.kommune, here.environment)
    assert places.full("deliver_b") == {"pifu.xml", "pifu.manifest.json"}

    # While an older publication is being delivered, somebody is hidden and it is published anew.
    (hidden,) = pupils(here, 1)
    here.query("update control.delivery set digest = null returning 1")
    began, go_on = threading.Event(), threading.Event()

    def slow(path: Any, *how: Any) -> None:
        calls.append(path)
        if len(calls) == 1:
            began.set()
            assert go_on.wait(60)
        real(path, *how)

    monkeypatch.setattr(place, "put_whole", slow)
    first = threading.Thread(target=deliver_published, args=(here.kommune, here.environment))
    first.start()
    assert began.wait(60)
    _override(here, hidden.number)
    second = threading.Thread(target=republish, args=(here.kommune, here.environment))
    second.start()
    engine = database.engine(here.environment.connect(here.kommune.warehouse).url)
    for _ in range(600):
        with database.transaction(engine, "haugesund", lock=False) as connection:
            waits = connection.exec_driver_sql("select count(*) from pg_locks where not granted").scalar()
        if waits:
            break
        threading.Event().wait(0.1)
    assert waits, "the second waits for its turn"
    go_on.set()
    first.join(60)
    second.join(60)
    assert hidden.number.encode() not in b"".join(places.whole("deliver_b").values())
