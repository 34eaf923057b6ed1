"""Landing: pages are there whole or not at all, in every kind of storage."""

import stat
import uuid
from pathlib import Path

import pytest
from upath import UPath

from dataflyt.storage.landing import Landing


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
