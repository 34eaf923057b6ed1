"""Small files are seen whole, and folders are deleted, on a disk under any name and in an object store."""

import os
import uuid
from pathlib import Path

import pytest
from upath import UPath

from dataflyt.storage.files import purge_landing, write_atomically


@pytest.mark.parametrize("kind", [Path, UPath, lambda path: UPath(f"file://{path}")])
def test_a_reader_who_has_the_old_manifest_open_keeps_it_whole(tmp_path, kind):
    path = tmp_path / "exports" / "haugesund" / "manifest.json"
    write_atomically(kind(path), b"old")
    with path.open("rb") as reader:
        write_atomically(kind(path), b"new and longer")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new and longer"
    assert os.listdir(path.parent) == ["manifest.json"]


def test_an_object_store_gets_the_file_in_one_piece():
    path = UPath("memory://exports/manifest.json")
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_folder_that_goes_with_its_last_file_is_thrown_away(monkeypatch):
    def gone(path, recursive=True):
        raise NotADirectoryError(path.path)

    folder = UPath(f"memory://{uuid.uuid4().hex}/landing")
    monkeypatch.setattr(type(folder), "rmdir", gone)  # an object store has no empty folders
    for run in ("000001", "000002"):
        (folder / run / "freg").mkdir(parents=True)
        (folder / run / "freg" / "page.json").write_bytes(b"{}")
    purge_landing(folder, keep=2)
    assert [path.parent.parent.name for path in folder.rglob("*.json")] == ["000002"]
