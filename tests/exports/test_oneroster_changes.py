"""The changes of a OneRoster file: a receiver who applies them has exactly what the new file has."""

import csv
import io
import os
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataflyt.errors import Unreadable
from dataflyt.exports import oneroster_changes, oneroster_changes_check
from dataflyt.exports.model import Membership, Owner, Person, Written
from tests.exports.test_oneroster import ALL, FULL, SHY, Roster, tables, written
from tests.exports.test_pifu import CLASS, MATHS, MOTHER, PUPIL, SKAAREDALEN, TEACHER, InMemory
from tests.exports.test_pifu_changes import kommuner

OLD, NEW = "a" * 64, "b" * 64
MOMENT = datetime(2026, 11, 23, 3, 0, 7, 250000, UTC)


def changes(before: bytes, now: bytes, moment: datetime = MOMENT) -> bytes:
    out = io.BytesIO()
    oneroster_changes.write(Written(InMemory(before), OLD), Written(InMemory(now), NEW, moment), out)
    return out.getvalue()


def findings(content: bytes) -> list[str]:
    return [str(finding) for finding in oneroster_changes_check.check(InMemory(content))]


def edited(content: bytes, edits: dict[str, Callable[[str], str]]) -> bytes:
    """Return a zip file of which some files say something else."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w") as new:
        new.comment = old.comment
        for name in old.namelist():
            new.writestr(name, edits.get(name, str)(old.read(name).decode()))
    return out.getvalue()


# --- a naive receiver, which reads with pandas ------------------------------------------------------------------------


class Receiver:
    """A receiver of OneRoster's CSV who knows tables, ids, status and nothing else."""

    def __init__(self, full: bytes) -> None:
        self.rows: dict[tuple[str, str], dict[str, str]] = {}
        self.take(full, "bulk")

    def apply(self, delta: bytes) -> "Receiver":
        self.take(delta, "delta")
        return self

    def take(self, content: bytes, kind: str) -> None:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            frames = {
                name.removesuffix(".csv"): pd.read_csv(archive.open(name), dtype=str, keep_default_na=False)
                for name in archive.namelist()
            }
        manifest = dict(frames.pop("manifest").itertuples(index=False))
        said = {name.removeprefix("file."): value for name, value in manifest.items() if name.startswith("file.")}
        assert {name for name, value in said.items() if value == kind} == set(frames)
        assert {value for name, value in said.items() if name not in frames} == {"absent"}
        for table, frame in frames.items():
            assert len(frame), "the binding permits no file without rows"
            for row in frame.to_dict("records"):
                self.row(table, {str(name): value for name, value in row.items()}, kind)

    def row(self, table: str, row: dict[str, str], kind: str) -> None:
        key = (table, row["sourcedId"])
        status, moment = row.pop("status"), row.pop("dateLastModified")
        assert bool(status) == bool(moment) == (kind == "delta")
        if status == "tobedeleted":
            del self.rows[key]
        else:
            assert status in ("", "active")
            assert kind == "delta" or key not in self.rows
            self.rows[key] = row


def roster(week, extras: frozenset[str] = ALL, hidden: str = "") -> bytes:
    """Write a kommune's roster, without the person of this id."""
    pupils = {part.person_id for part in week.parts if part.of_school}
    people = tuple(
        one._replace(guardians=tuple(sorted(set(one.guardians) - pupils - {one.person_id, hidden})))
        if one.person_id in pupils
        else one._replace(guardians=(), is_pupil=False)
        for one in week.people_
        if one.person_id != hidden
    )
    parts = tuple(part for part in week.parts if part.person_id in pupils - {hidden})
    return written(Roster(people, week.schools_, week.groups_, parts, week.moment, extras_=extras))


@settings(deadline=None, max_examples=20)
@given(kommuner(("01", "02", "04")), kommuner(("01", "02", "04")), st.data())
def test_changes_that_gave_something_of_one_who_is_hidden_are_known_as_such(before, now, data) -> None:
    in_schools = sorted({part.person_id for part in now.parts if part.of_school})
    assume(in_schools)
    hidden = data.draw(st.sampled_from(in_schools))
    files = [roster(before), roster(now), roster(now, hidden=hidden)]
    first, then = (changes(*two) for two in pairwise(files))
    later = {element for element, _ in oneroster_changes.named(InMemory(then))}
    clash = any(gives and element in later for element, gives in oneroster_changes.named(InMemory(first)))
    users = tables(first).get("users", [])
    assert clash or hidden not in {row["sourcedId"] for row in users if row["status"] == "active"}
    assert hidden in {row["sourcedId"] for row in tables(then)["users"]}


@settings(deadline=None, max_examples=20)
@given(
    st.lists(kommuner(("01", "02", "04")), min_size=2, max_size=5),
    st.lists(st.sampled_from((ALL, frozenset[str]())), min_size=5, max_size=5),
)
def test_a_chain_of_changes_ends_each_week_at_exactly_the_full_file(weeks, extras) -> None:
    files = [roster(week, extra) for week, extra in zip(weeks, extras, strict=False)]
    receiver = Receiver(files[0])
    for old, new in pairwise(files):
        delta = changes(old, new)
        assert findings(delta) == []
        assert receiver.apply(delta).rows == Receiver(new).rows

        # It says nothing that the new file does not say, but for the ids of what goes.
        held = {value for rows in tables(new).values() for row in rows for value in row.values()}
        for name, rows in tables(delta).items():
            for row in rows if name != "manifest" else ():
                said = set(row.values()) - {"active", "tobedeleted", "2026-11-23T03:00:07.250Z", "false"}
                if row["status"] == "active":
                    assert said <= held
                elif name in ("users", "demographics"):
                    assert said <= {row["sourcedId"], ""}


def test_one_who_is_hidden_goes_first_by_id_alone() -> None:
    now = replace(
        FULL,
        people_=(TEACHER, MOTHER._replace(mobile=None)),
        parts=tuple(part for part in FULL.parts if part.person_id != PUPIL.person_id),
        extras_=frozenset(("numbers", "contact")),
    )
    content = written(replace(FULL, extras_=frozenset(("numbers", "contact"))))
    delta = changes(content, written(now))
    held = tables(delta)
    row = held["users"][0]
    assert {name: value for name, value in row.items() if value} == {
        "sourcedId": PUPIL.person_id,
        "status": "tobedeleted",
        "dateLastModified": "2026-11-23T03:00:07.250Z",
        "enabledUser": "false",
        **dict.fromkeys(("username", "givenName", "familyName"), PUPIL.person_id),
    }
    said = b"".join(repr(rows).encode() for rows in held.values())
    assert PUPIL.number
    for word in (PUPIL.number, "andmae", "Mæhl", "Øystein", "2013-05-13"):
        assert word.encode() not in said


def test_only_what_is_new_or_changed_is_there_and_the_manifest_says_so() -> None:
    now = replace(FULL, groups_=(CLASS._replace(name="7 A"), *FULL.groups_[1:]))
    delta = changes(written(), written(now))
    held = tables(delta)
    assert list(held) == ["classes", "manifest"]
    (row,) = held["classes"]
    assert (row["sourcedId"], row["status"], row["title"]) == (CLASS.group_id, "active", "7 A")
    said = {row["propertyName"]: row["value"] for row in held["manifest"]}
    assert said["file.classes"] == "delta"
    assert {value for name, value in said.items() if name.startswith("file.") and name != "file.classes"} == {"absent"}
    assert (said["oneroster.version"], said["source.systemCode"]) == ("1.2", "944073787")
    with zipfile.ZipFile(io.BytesIO(delta)) as archive:
        assert archive.comment.decode() == f"from: {OLD}\nto: {NEW}\n"


def test_the_same_people_give_a_manifest_alone() -> None:
    delta = changes(written(), written())
    assert list(tables(delta)) == ["manifest"]
    assert findings(delta) == []


def test_the_moment_is_the_runs_and_the_same_run_gives_the_same_bytes() -> None:
    now = written(replace(FULL, people_=(), parts=()))
    assert changes(written(), now) == changes(written(), now)
    (moment,) = {
        row["dateLastModified"] for row in tables(changes(written(), now, MOMENT + timedelta(days=7)))["users"]
    }
    assert moment == "2026-11-30T03:00:07.250Z"


@pytest.mark.skipif("DATAFLYT_REFERENCE" not in os.environ, reason="DATAFLYT_REFERENCE is not set")
def test_heads_and_required_columns_are_those_of_the_binding_also_in_rows_that_go() -> None:
    path = Path(os.environ["DATAFLYT_REFERENCE"]) / "oneroster" / "oneroster_1_2_1_headers.csv"
    with path.open(encoding="utf-8", newline="") as file:
        known = {row["file"].removesuffix(".csv"): row for row in csv.DictReader(file)}
    empty = replace(FULL, people_=(), parts=(), groups_=(), schools_=())
    held = tables(changes(written(), written(empty)))
    assert {row["status"] for row in held["enrollments"]} == {"tobedeleted"}
    assert set(held) == {
        *("orgs", "academicSessions", "courses", "classes", "users", "roles", "userProfiles", "enrollments"),
        *("demographics", "manifest"),
    }
    for name, rows in held.items():
        assert list(rows[0]) == known[name]["header_row"].split(",")
        for row in rows:
            assert all(row[column] for column in known[name]["required"].split(","))


class OfAnother(Roster):
    def owner(self) -> Owner:
        return replace(super().owner(), orgnr="974588145")


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"PK",
        written(OfAnother()),
        changes(written(), written(SHY)),
        edited(written(), {"manifest.csv": lambda text: text.replace("bulk", "delta")}),
        edited(written(), {"users.csv": lambda text: text.replace("sourcedId,status", "status,sourcedId", 1)}),
    ],
)
def test_where_no_changes_lead_to_the_new_file_the_full_file_is_the_only_way(before: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        changes(before, written())
    assert "Mæhlá" not in str(caught.value)


def test_where_nearly_everything_is_new_the_full_file_is_the_better_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oneroster_changes, "MOST", 3)
    with pytest.raises(Unreadable, match="hele filen"):
        changes(written(), written(replace(FULL, people_=(), parts=())))


GONE = replace(
    FULL,
    people_=(TEACHER._replace(mail=None), MOTHER),
    parts=tuple(part for part in FULL.parts if part.person_id != PUPIL.person_id),
    extras_=frozenset(("numbers", "contact")),
)


@pytest.mark.parametrize(
    ("name", "edit", "found"),
    [
        ("users", lambda text: text, []),
        ("users", lambda text: text.replace("tobedeleted", "gone"), ["Rad uten gyldig status og dateLastModified"]),
        ("users", lambda text: text.replace(".250Z", "", 1), ["Rad uten gyldig status og dateLastModified"] * 2),
        (
            "users",
            lambda text: text.replace(f"false,{PUPIL.person_id},,{PUPIL.person_id}", "false,x,,Ánders"),
            ["Sletting som sier mer enn id-en"] * 2,
        ),
        (
            "userProfiles",
            lambda text: text.replace(",Feide,Feide,", ",Feide,Feide,x", 1),
            ["Sletting som sier mer enn id-en"],
        ),
        ("users", lambda text: text.replace("sourcedId", "id", 1), ["Kolonner som ikke er standardens"]),
        ("users", lambda text: text.split("\r\n", 1)[0] + "\r\n", ["Fil som ikke er slik manifest.csv sier"]),
        ("manifest", lambda text: text.replace("delta", "bulk", 1), ["Fil som ikke er slik manifest.csv sier"]),
        ("roles", lambda text: text.replace(",tobedeleted,", ",active,", 1), ["Henvisning til noe som ikke finnes"]),
    ],
)
def test_the_check_finds_what_a_file_of_changes_may_not_have(
    name: str, edit: Callable[[str], str], found: list[str]
) -> None:
    content = changes(written(replace(FULL, extras_=GONE.extras_)), written(GONE))
    said = findings(edited(content, {f"{name}.csv": edit}))
    assert [one.partition(":")[0] for one in said] == found
    assert "Ánders" not in str(said)


def test_a_row_that_goes_after_one_that_comes_and_a_file_without_a_lead_are_found() -> None:
    content = changes(written(replace(FULL, extras_=GONE.extras_)), written(GONE))

    def swapped(text: str) -> str:
        heads, gone, came, end = text.split("\r\n")
        return "\r\n".join([heads, came, gone, end])

    assert [row["status"] for row in tables(content)["users"]] == ["tobedeleted", "active"]
    assert [one.partition(":")[0] for one in findings(edited(content, {"users.csv": swapped}))] == [
        "Endring i feil rekkefølge"
    ]
    with pytest.raises(Unreadable):
        findings(written())


@dataclass(frozen=True)
class Large(Roster):
    """A kommune of a given number of pupils, made as a stream; of ``new`` of them the name is new."""

    count: int = 0
    new: int = 0

    def people(self) -> Iterator[Person]:
        for number in range(self.count):
            name = "Ny" if number < self.new else "Ola"
            yield PUPIL._replace(person_id=f"{number:08d}", uid=f"u{number}", guardians=(), given_names=name)

    def memberships(self) -> Iterator[Membership]:
        for of_school, target in ((True, SKAAREDALEN), (False, CLASS.group_id), (False, MATHS.group_id)):
            for number in range(self.count):
                yield Membership(of_school, target, f"{number:08d}", "01", True if of_school else None)


def test_memory_follows_the_changes_and_not_the_people(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        files = []
        for new in (0, 20):
            path = tmp_path / str(new)
            path.write_bytes(written(Large(count=count, new=new)))
            files.append(Written(path, OLD, MOMENT))
        tracemalloc.start()
        try:
            with (tmp_path / "changes").open("wb") as out:
                oneroster_changes.write(*files, out)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)
    assert peak(3000) < peak(1000) + 100_000
