"""Landing: pages are there whole or not at all, wherever the storage is."""

import os
import stat
import threading
import time
import uuid
from pathlib import Path

import pytest
from upath import UPath

from dataflyt.errors import SourceUnavailable
from dataflyt.landing import Landing, land_newest
from dataflyt.sources.hr import client as hr
from dataflyt.sources.sas import client as sas


@pytest.fixture(params=["path", "upath", "file", "memory"])
def landing(request, tmp_path):
    root = {
        "path": lambda: tmp_path,
        "upath": lambda: UPath(tmp_path),
        "file": lambda: UPath(tmp_path.as_uri()),
        "memory": lambda: UPath(f"memory://{uuid.uuid4().hex}"),
    }[request.param]()
    return Landing(root / "landing" / "haugesund" / "000001" / "freg")


def test_a_page_is_read_as_it_was_written(landing):
    assert landing.names() == []
    assert not landing.has("pupils-00001.json")
    landing.write("pupils-00002.json", b"two")
    landing.write_stream("pupils-00001.json", iter([b"o", b"", b"ne"]))
    assert landing.names() == ["pupils-00001.json", "pupils-00002.json"]
    assert landing.has("pupils-00001.json")
    with landing.open("pupils-00001.json") as stream:
        assert stream.read() == b"one"


def test_a_page_written_again_replaces_the_first(landing):
    landing.write("a.json", b"a longer first")
    landing.write("a.json", b"second")
    with landing.open("a.json") as stream:
        assert stream.read() == b"second"
    assert landing.names() == ["a.json"]


def test_a_broken_stream_leaves_nothing(landing):
    def breaks():
        yield b"half"
        assert landing.names() == []
        raise ConnectionError

    with pytest.raises(ConnectionError):
        landing.write_stream("a.json", breaks())
    assert landing.names() == []
    assert not landing.has("a.json")
    assert list(landing.folder.iterdir()) == []


def test_a_page_that_is_not_there_cannot_be_opened(landing):
    with pytest.raises(FileNotFoundError):
        landing.open("a.json")


@pytest.mark.parametrize("name", ["../a", "/a", ".a", "a/b", "", "a.part"])
def test_a_name_cannot_leave_the_folder(landing, name):
    with pytest.raises(ValueError, match="not a name"):
        landing.write(name, b"")


def test_what_a_killed_writer_left_is_not_listed(tmp_path):
    (tmp_path / ".a.json.0123.part").write_bytes(b"half")
    assert Landing(tmp_path).names() == []


def test_the_folder_is_for_its_owner_only(tmp_path):
    for root in (tmp_path / "a", UPath((tmp_path / "b").as_uri())):
        Landing(root / "freg").write("a.json", b"")
        assert (
            stat.S_IMODE(Path(str((root / "freg").path if hasattr(root, "path") else root / "freg")).stat().st_mode)
            == 0o700
        )


# --- files that systems deliver -----------------------------------------------------------------------------------


def put(folder, name, content=b"<x/>", age=3600.0):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    os.utime(path, (time.time() - age,) * 2)
    return path


def landed(landing, name):
    with landing.open(name) as stream:
        return stream.read()


def test_the_newest_file_is_landed_as_it_is(tmp_path):
    drop, landing = tmp_path / "drop", Landing(tmp_path / "landing")
    put(drop, "Stamdata3_2026-11-15.xml", b"old", age=10)
    put(drop, "Stamdata3_2026-11-22.xml", b"\xef\xbb\xbf<new/>\r\n", age=1000)
    put(drop, "Stamdata3_2026-11-29.xml", b"", age=1000)
    put(drop, "Stamdata3_2026-12-06.xml.part", b"half")
    put(drop, "Stamdata3_2026-12-06.xml.tmp", b"half")
    put(drop, "other_2027-01-01.xml", b"other")
    (drop / "Stamdata3_2099-01-01.xml").mkdir()
    hr.extract(drop, "Stamdata3_*.xml", landing)
    assert landing.names() == ["hr-00001.xml"]
    assert landed(landing, "hr-00001.xml") == b"\xef\xbb\xbf<new/>\r\n"


def test_serial_numbers_count_as_numbers_and_equal_names_by_age(tmp_path):
    drop = tmp_path / "drop"
    put(drop, "pifu_9.xml", b"nine")
    put(drop, "pifu_10.xml", b"ten")
    land_newest(drop, "pifu_*.xml", first := Landing(tmp_path / "a"), "pifu-00001.xml")
    assert landed(first, "pifu-00001.xml") == b"ten"
    put(drop, "hr_a.xml", b"newer", age=100)
    put(drop, "hr_b.xml", b"older", age=1000)
    land_newest(drop, "hr_*.xml", second := Landing(tmp_path / "b"), "hr-00001.xml")
    assert landed(second, "hr-00001.xml") == b"newer"


def test_a_landed_file_stands_when_a_newer_one_comes(tmp_path):
    drop, landing = tmp_path / "drop", Landing(tmp_path / "landing")
    put(drop, "pifu_1.xml", b"first")
    put(drop, "timeplan_1.csv", b"group;1")
    sas.extract(drop, "pifu_*.xml", "timeplan_*.csv", landing)
    put(drop, "pifu_2.xml", b"second")
    sas.extract(drop, "pifu_*.xml", "timeplan_*.csv", landing)
    assert landed(landing, "pifu-00001.xml") == b"first"
    assert landed(landing, "timetable-00001.csv") == b"group;1"


def test_without_a_timetable_in_the_kommune_file_none_is_looked_for(tmp_path):
    put(tmp_path / "drop", "pifu_1.xml")
    sas.extract(tmp_path / "drop", "pifu_*.xml", None, landing := Landing(tmp_path / "landing"))
    assert landing.names() == ["pifu-00001.xml"]


def test_no_file_gives_a_sentence_with_folder_and_pattern(tmp_path):
    with pytest.raises(SourceUnavailable, match=r"Mappen .*drop finnes ikke"):
        hr.extract(tmp_path / "drop", "Stamdata3_*.xml", Landing(tmp_path / "landing"))
    put(tmp_path / "drop", "stamdata3_1.xml")
    with pytest.raises(SourceUnavailable, match=r"Ingen ferdig fil i .*drop passer til «Stamdata3_\*\.xml»"):
        hr.extract(tmp_path / "drop", "Stamdata3_*.xml", Landing(tmp_path / "landing"))


def test_a_password_in_the_address_is_not_repeated(tmp_path):
    with pytest.raises(SourceUnavailable) as caught:
        hr.extract(UPath("memory://user:secret@host/drop"), "*.xml", Landing(tmp_path))
    assert "secret" not in caught.value.sentence


def test_a_file_that_is_still_growing_is_not_taken(tmp_path):
    drop, landing = tmp_path / "drop", Landing(tmp_path / "landing")
    put(drop, "pifu_1.xml", b"last week")
    path = put(drop, "pifu_2.xml", b"<half", age=0)
    stop = threading.Event()

    def grow():
        while not stop.wait(0.05):
            with path.open("ab") as stream:
                stream.write(b"x")

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        with pytest.raises(SourceUnavailable, match=r"Filen pifu_2\.xml i .* er ikke ferdig skrevet"):
            land_newest(drop, "pifu_*.xml", landing, "pifu-00001.xml", look_again=0.2)
    finally:
        stop.set()
        writer.join()
    assert landing.names() == []
    land_newest(drop, "pifu_*.xml", landing, "pifu-00001.xml", look_again=0.2)
    assert landed(landing, "pifu-00001.xml") == path.read_bytes()


def test_files_are_read_from_any_storage(tmp_path):
    drop = UPath(f"memory://{uuid.uuid4().hex}") / "drop"
    drop.mkdir(parents=True)
    (drop / "pifu_1.xml").write_bytes(b"<pifu/>")
    land_newest(drop, "pifu_*.xml", landing := Landing(tmp_path), "pifu-00001.xml", look_again=0)
    assert landed(landing, "pifu-00001.xml") == b"<pifu/>"
