"""The choice of the newest delivered file, in every kind of storage and with every kind of name."""

import hashlib
import os
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from dataflyt.errors import ConfigError, SourceUnavailable
from dataflyt.storage import newest_file
from dataflyt.storage.landing import Landing
from dataflyt.storage.newest_file import land_newest
from tests.sources.extracting import land_hr, land_sas


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
    put(drop, "Stamdata3_2026-11-15.xml", b"old", age=2000)
    put(drop, "Stamdata3_2026-11-22.xml", b"\xef\xbb\xbf<new/>\r\n", age=1000)
    put(drop, "Stamdata3_2026-12-06.xml.part", b"half")
    put(drop, "Stamdata3_2026-12-06.xml.tmp", b"half")
    put(drop, "other_2027-01-01.xml", b"other")
    (drop / "Stamdata3_2099-01-01.xml").mkdir()
    land_hr(drop, "Stamdata3_*.xml", landing)
    assert landing.names() == ["hr-00001.xml", "hr-00001.xml.file.json"]
    assert landed(landing, "hr-00001.xml") == b"\xef\xbb\xbf<new/>\r\n"


def test_last_weeks_file_is_not_read_because_this_weeks_is_empty(tmp_path):
    drop, landing = tmp_path / "drop", Landing(tmp_path / "landing")
    put(drop, "pifu_2026-11-22.xml", b"<old/>", age=2000)
    put(drop, "pifu_2026-11-29.xml", b"", age=1000)
    with pytest.raises(SourceUnavailable, match=r"pifu_2026-11-29\.xml, er tom"):
        land_hr(drop, "pifu_*.xml", landing)
    put(drop, "pifu_2026-11-29.xml", b"<new/>", age=900)
    land_hr(drop, "pifu_*.xml", landing)
    assert landed(landing, "hr-00001.xml") == b"<new/>"


WAYS_TO_DATE = [
    ("pifu_28102026.xml", "pifu_02112026.xml"),
    ("pifu_281026.xml", "pifu_021126.xml"),
    ("pifu_31-12-2026.xml", "pifu_07-01-2027.xml"),
    ("pifu_31.12.2026.xml", "pifu_07.01.2027.xml"),
    ("pifu_28-10-2026-0315.xml", "pifu_02-11-2026-0115.xml"),
    ("pifu_28-10-2026-03-15.xml", "pifu_02-11-2026-01-15.xml"),
    ("pifu_12-28-2026.xml", "pifu_01-04-2027.xml"),
    ("pifu_uke9.xml", "pifu_uke10.xml"),
    ("pifu_uke52_2026.xml", "pifu_uke1_2027.xml"),
    ("pifu_november.xml", "pifu_desember.xml"),
    ("pifu_28okt2026.xml", "pifu_2nov2026.xml"),
    ("pifu_sondag.xml", "pifu_mandag.xml"),
    ("pifu_alle (1).xml", "pifu_alle.xml"),
    ("pifu_9.xml", "pifu_10.xml"),
    ("pifu_10.xml", "pifu_1.xml"),
    ("pifu_1106_9.xml", "pifu_1106_10.xml"),
    ("pifu_1106_2026-10-28.xml", "pifu_1106_2026-11-02.xml"),
    ("pifu_20261028_0300.xml", "pifu_20261102_0300.xml"),
    ("pifu_2026-11-02.xml", "pifu_2026-11-02 (1).xml"),
    ("pifu_2026-11-02T0300.xml", "pifu_2026-11-02T1500.xml"),
    ("pifu_2026-11-02T1500.xml", "pifu_2026-11-02.xml"),
    ("pifu_2026-2027.xml", "pifu_2025-2026.xml"),
    ("pifu_20261231_20260801.xml", "pifu_20250801_20260101.xml"),
    ("pifu_974760673.xml", "pifu_311060015.xml"),
]
"""File names of an older and a newer delivery."""


@pytest.mark.parametrize(("older", "newer"), WAYS_TO_DATE)
def test_the_file_that_was_delivered_last_is_taken_however_its_name_is_dated(tmp_path, older, newer):
    for by in (None, "time"):
        put(tmp_path / "drop", older, b"last week", age=7 * 86_400)
        put(tmp_path / "drop", newer, b"this week", age=3600)
        landing = land(tmp_path, f"by-{by}", by=by)
        assert landed(landing, "pifu-00001.xml") == b"this week"


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("pifu_2026-11-15.xml", "pifu_2026-11-22.xml"),
        ("pifu_20261115.xml", "pifu_20261122.xml"),
        ("pifu_2026_11_15.xml", "pifu_2026.11.22.xml"),
        ("pifu_1106_2026-11-15_1.xml", "pifu_1106_2026-11-22_1.xml"),
        ("pifu_1_20261115.xml", "pifu_1_20261122.xml"),
        ("pifu_2026-11-22T030000Z.xml", "pifu_2026-11-22T150000Z.xml"),
        ("pifu_20261122030000.xml", "pifu_20261122150000.xml"),
        ("pifu_2026-12-31.xml", "pifu_20270107.xml"),
    ],
)
def test_a_name_that_says_another_file_than_the_time_stops_the_run_until_the_kommune_chooses(tmp_path, older, newer):
    put(tmp_path / "drop", newer, b"newer by name", age=2 * 86_400)
    put(tmp_path / "drop", older, b"copied here anew", age=3600)
    with pytest.raises(ConfigError, match="Navn og leveringstid er ikke enige") as caught:
        land(tmp_path, "1")
    for word in (older, newer, "newest: name eller newest: time i kommunefilen"):
        assert word in caught.value.sentence
    assert landed(land(tmp_path, "2", by="name"), "pifu-00001.xml") == b"newer by name"
    assert landed(land(tmp_path, "3", by="time"), "pifu-00001.xml") == b"copied here anew"


def test_files_copied_with_one_time_are_told_apart_by_an_unambiguous_date_alone(tmp_path):
    at = time.time() - 3600

    def copied(*names):
        for name in names:
            os.utime(put(tmp_path / names[-1] / "drop", name, name.encode()), (at, at))
        return tmp_path / names[-1]

    dated = copied("pifu_2026-11-22.xml", "pifu_2026-11-15.xml")
    for by in (None, "name", "time"):
        assert landed(land(dated, f"by-{by}", by=by), "pifu-00001.xml") == b"pifu_2026-11-22.xml"
    for names in (
        ("pifu_28102026.xml", "pifu_02112026.xml"),
        ("pifu_2026-11-22.xml", "pifu_2026-11-22 (1).xml"),
        ("pifu_2026-11-22.xml", "pifu_alle.xml"),
    ):
        with pytest.raises(
            ConfigError, match="er levert på samme tid, og navnene sier ikke hvilken som er nyest"
        ) as said:
            land(copied(*names), "1")
        assert all(name in said.value.sentence for name in names)


def test_where_the_storage_tells_no_times_an_unambiguous_date_decides_or_nobody_can_tell(monkeypatch):
    asked = MemoryFileSystem.info
    monkeypatch.setattr(
        MemoryFileSystem,
        "info",
        lambda self, path, **kwargs: {k: v for k, v in asked(self, path, **kwargs).items() if k != "created"},
    )
    storage = UPath(f"memory://{uuid.uuid4().hex}")
    deliver(storage / "drop", "pifu_2026-11-22.xml", b"newest")
    assert landed(land(storage, "1", as_of=datetime.now(UTC), max_age_days=8), "pifu-00001.xml") == b"newest"
    deliver(storage / "drop", "pifu_2026-11-15.xml", b"older")
    for by in (None, "name", "time"):
        assert landed(land(storage, f"by-{by}", by=by), "pifu-00001.xml") == b"newest"
    deliver(storage / "drop", "pifu_02112026.xml", b"who knows")
    with pytest.raises(ConfigError, match="navnene sier ikke hvilken som er nyest"):
        land(storage, "2")


def test_where_names_decide_a_file_without_a_date_stops_the_run_unless_it_is_alone(tmp_path):
    put(tmp_path / "drop", "pifu_02112026.xml", b"alone")
    assert landed(land(tmp_path, "1", by="name"), "pifu-00001.xml") == b"alone"
    put(tmp_path / "drop", "pifu_2026-10-28.xml")
    with pytest.raises(ConfigError, match=r"Filen pifu_02112026\.xml i .* har ikke en dato i navnet"):
        land(tmp_path, "2", by="name")


def test_where_names_decide_the_age_is_that_of_the_name(tmp_path):
    now = datetime(2026, 11, 29, 3, tzinfo=UTC)
    put(tmp_path / "drop", "pifu_2026-11-19.xml", age=60)
    with pytest.raises(SourceUnavailable, match="er 10 dager gammel, og kommunen godtar 8"):
        land(tmp_path, "1", by="name", as_of=now, max_age_days=8)


def test_a_file_from_a_clock_that_is_ahead_does_not_hide_those_that_come_after(tmp_path):
    put(tmp_path / "drop", "pifu_uke50.xml", age=-30 * 86_400)
    put(tmp_path / "drop", "pifu_uke48.xml")
    now = datetime.now(UTC)
    with pytest.raises(ConfigError, match=r"Filen pifu_uke50\.xml i .* har et tidspunkt fram i tid"):
        land(tmp_path, "1", as_of=now)
    assert land(tmp_path, "2", as_of=now + timedelta(days=30)).has("pifu-00001.xml")


def test_the_newest_timetable_is_taken_as_the_school_system_s_file_is(tmp_path):
    drop = tmp_path / "drop"
    put(drop, "pifu_2026-11-22.xml")
    for suffix in ("csv", "ics"):
        put(drop, f"timeplan_28102026.{suffix}", b"old", age=7 * 86_400)
        put(drop, f"timeplan_02112026.{suffix}", b"new")
        landing = Landing(tmp_path / suffix)
        land_sas(drop, "pifu", "pifu_*.xml", f"timeplan_*.{suffix}", landing)
        assert landed(landing, f"timetable-00001.{suffix}") == b"new"
    put(drop, "plan_2026-08-17.csv", b"autumn", age=60)
    put(drop, "plan_2027-01-04.csv", b"spring", age=600)
    with pytest.raises(ConfigError, match=r"plan_2027-01-04\.csv"):
        land_sas(drop, "pifu", "pifu_*.xml", "plan_*.csv", Landing(tmp_path / "asks"))
    land_sas(drop, "pifu", "pifu_*.xml", "plan_*.csv", landing := Landing(tmp_path / "said"), newest="name")
    assert landed(landing, "timetable-00001.csv") == b"spring"


def test_a_landed_file_stands_when_a_newer_one_comes(tmp_path):
    drop, landing = tmp_path / "drop", Landing(tmp_path / "landing")
    put(drop, "pifu_1.xml", b"first")
    put(drop, "timeplan_1.csv", b"group;1")
    land_sas(drop, "pifu", "pifu_*.xml", "timeplan_*.csv", landing)
    put(drop, "pifu_2.xml", b"second")
    land_sas(drop, "pifu", "pifu_*.xml", "timeplan_*.csv", landing)
    assert landed(landing, "pifu-00001.xml") == b"first"
    assert landed(landing, "timetable-00001.csv") == b"group;1"


def test_without_a_timetable_in_the_kommune_file_none_is_looked_for(tmp_path):
    put(tmp_path / "drop", "pifu_1.xml")
    land_sas(tmp_path / "drop", "pifu", "pifu_*.xml", None, landing := Landing(tmp_path / "landing"))
    assert landing.names() == ["pifu-00001.xml", "pifu-00001.xml.file.json"]


def test_no_file_gives_a_sentence_with_folder_and_pattern(tmp_path):
    with pytest.raises(SourceUnavailable, match=r"Mappen .*drop finnes ikke"):
        land_hr(tmp_path / "drop", "Stamdata3_*.xml", Landing(tmp_path / "landing"))
    put(tmp_path / "drop", "stamdata3_1.xml")
    with pytest.raises(SourceUnavailable, match=r"Ingen ferdig fil i .*drop passer til «Stamdata3_\*\.xml»"):
        land_hr(tmp_path / "drop", "Stamdata3_*.xml", Landing(tmp_path / "landing"))


def test_a_password_in_the_address_is_not_repeated(tmp_path):
    with pytest.raises(SourceUnavailable) as caught:
        land_hr(UPath("memory://user:secret@host/drop"), "*.xml", Landing(tmp_path))
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


@pytest.fixture(params=["path", "file", "memory", "airflow"])
def storage(request, tmp_path):
    """Return folders on every kind of storage, with the landing on the same storage."""

    def airflow(address):
        from airflow.sdk import ObjectStoragePath

        return ObjectStoragePath(address)

    return {
        "path": lambda: tmp_path,
        "file": lambda: UPath(tmp_path.as_uri()),
        "memory": lambda: UPath(f"memory://{uuid.uuid4().hex}"),
        "airflow": lambda: airflow(tmp_path.as_uri()),
    }[request.param]()


def deliver(folder, name, content):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def land(storage, run, **more):
    landing = Landing(storage / "landing" / run)
    land_newest(storage / "drop", "pifu_*.xml", landing, "pifu-00001.xml", look_again=0, **more)
    return landing


def test_files_are_read_from_any_storage(storage):
    deliver(storage / "drop", "pifu_1.xml", b"<pifu/>")
    landing = land(storage, "1")
    assert landed(landing, "pifu-00001.xml") == b"<pifu/>"
    facts = landing.delivered("pifu-00001.xml")
    assert (facts.name, facts.stamp.size, facts.sha256) == ("pifu_1.xml", 7, hashlib.sha256(b"<pifu/>").hexdigest())
    assert facts.stamp.modified == pytest.approx(time.time(), abs=60)


def test_a_file_that_is_read_already_is_not_copied_again(storage, monkeypatch):
    deliver(storage / "drop", "pifu_1.xml", b"<pifu/>")
    first = land(storage, "1")
    with monkeypatch.context() as patched:
        patched.setattr("dataflyt.storage.newest_file._copied", lambda *_: pytest.fail("the file was read once more"))
        second = land(storage, "2", earlier=first)
    assert landed(second, "pifu-00001.xml") == b"<pifu/>"
    assert second.delivered("pifu-00001.xml") == first.delivered("pifu-00001.xml")
    deliver(storage / "drop", "pifu_2.xml", b"<pifu/>")
    third = land(storage, "3", earlier=second)
    assert third.delivered("pifu-00001.xml").sha256 == first.delivered("pifu-00001.xml").sha256
    assert third.delivered("pifu-00001.xml").name == "pifu_2.xml"
    deliver(storage / "drop", "pifu_2.xml", b"<PIFU/>")
    assert landed(land(storage, "4", earlier=third), "pifu-00001.xml") == b"<PIFU/>"


def test_what_an_earlier_run_has_thrown_away_is_copied_again(storage):
    deliver(storage / "drop", "pifu_1.xml", b"<pifu/>")
    first = land(storage, "1")
    first._path("pifu-00001.xml").unlink()
    assert landed(land(storage, "2", earlier=first), "pifu-00001.xml") == b"<pifu/>"


def test_a_file_that_is_replaced_while_it_is_read_is_not_taken(storage):
    deliver(storage / "drop", "pifu_1.xml", b"old " * 1_000_000)

    def replaced(source, *rest):
        chunks = original(source, *rest)
        yield next(chunks)
        time.sleep(0.02)
        deliver(storage / "drop", "pifu_1.xml", b"new " * 1_000_000)
        yield from chunks

    original = newest_file._copied
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(newest_file, "_copied", replaced)
        with pytest.raises(SourceUnavailable, match="ble byttet ut mens den ble lest"):
            land(storage, "1")
    assert not Landing(storage / "landing" / "1").has("pifu-00001.xml")
    assert landed(land(storage, "1"), "pifu-00001.xml") == b"new " * 1_000_000


def test_a_file_older_than_the_kommune_allows_stops_the_run(tmp_path):
    put(tmp_path / "drop", "pifu_1.xml", age=10.5 * 86_400)
    now = datetime.now(UTC)
    with pytest.raises(SourceUnavailable, match=r"Filen pifu_1\.xml i .* er 10 dager gammel, og kommunen godtar 9"):
        land(tmp_path, "1", as_of=now, max_age_days=9)
    for days in (10, None):
        assert land(tmp_path, f"of {days}", as_of=now, max_age_days=days).has("pifu-00001.xml")


def test_what_a_storage_remembers_of_a_file_is_not_believed(monkeypatch):
    """A storage that gives time as SFTP does, and caches its listing as S3 does."""
    known = {}
    asked = MemoryFileSystem.info

    def info(self, path, **kwargs):
        if path not in known:
            said = asked(self, path, **kwargs)
            known[path] = {**said, "mtime": said.get("created")}
        return known[path]

    monkeypatch.setattr(MemoryFileSystem, "info", info)
    monkeypatch.setattr(MemoryFileSystem, "invalidate_cache", lambda *_: known.clear())
    storage = UPath(f"memory://{uuid.uuid4().hex}")
    deliver(storage / "drop", "pifu_1.xml", b"old")
    first = land(storage, "1")
    assert first.delivered("pifu-00001.xml").stamp.modified == pytest.approx(time.time(), abs=60)
    deliver(storage / "drop", "pifu_1.xml", b"newer")
    assert landed(land(storage, "2", earlier=first), "pifu-00001.xml") == b"newer"
