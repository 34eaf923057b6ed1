"""The rosters and class lists of a whole installation: the right people, and no trace of a hidden one."""

import csv
import io
import zipfile
from collections import defaultdict
from pathlib import Path

import pytest

from dataflyt.exports.registry import EXPORTS
from dataflyt.exports.rosters import local_id
from dataflyt.records.fields import EXPORTED
from dataflyt.sources.sas import oneroster as sas_oneroster
from dataflyt.sources.sas import pifu as sas_pifu
from dataflyt.sources.sas import rows as sas
from simulator.manifest import people
from tests.installation.fixtures import Installation, published_anew

ROSTERS = ("class_list", "oneroster", "sds")
HIDDEN = "strengtFortrolig"


def published(here: Installation, **extras: tuple[str, ...]) -> Path:
    """Publish the first run anew with every roster and return the publication's folder."""
    return published_anew(here, exports=("pifu", *ROSTERS), export_extras=extras)


def content(folder: Path, name: str) -> dict[str, str]:
    with zipfile.ZipFile(folder / EXPORTS[name].file) as archive:
        return {
            entry: archive.read(entry).decode("utf-8-sig") for entry in archive.namelist() if entry.endswith(".csv")
        }


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _filled(text: str) -> set[str]:
    return {head for row in _rows(text) for head, value in row.items() if value}


@pytest.mark.after_first_run
def test_the_rosters_have_the_people_and_classes_of_the_pifu_file_and_nobody_who_is_hidden(
    installation: Installation,
) -> None:
    every = ("birth_dates", "contact", "guardians")
    folder = published(installation, oneroster=("numbers", *every), sds=every)
    pifu, roster = defaultdict(set), defaultdict(set)
    with (folder / "pifu.xml").open("rb") as stream:
        for row in sas_pifu.read(stream):
            pifu[type(row)].add(row)
    with (folder / "oneroster.zip").open("rb") as stream:
        for row in sas_oneroster.read(stream):
            roster[type(row)].add(row)

    # The same people, guardians and numbers. PIFU writes the owner's and schools' ids with a word before them.
    assert {(row.person_id, row.number, row.birth_date) for row in roster[sas.Person]} == {
        (row.person_id, row.number, row.birth_date) for row in pifu[sas.Person]
    }
    assert {row[:2] for row in roster[sas.Guardian]} == {row[:2] for row in pifu[sas.Guardian]} != set()
    groups = {local_id(row.group_id): row.group_type for row in pifu[sas.Group]}
    classes = {one for one, kind in groups.items() if kind in ("basisgruppe", "undervisningsgruppe")}
    assert {row.group_id for row in roster[sas.Group]} == classes
    for row in roster[sas.Group]:
        (same,) = [one for one in pifu[sas.Group] if local_id(one.group_id) == row.group_id]
        assert (row.group_type, row.grep_code) == (same.group_type, same.grep_code)
        assert same.year_level in (row.year_level, None)  # PIFU has no place for it beside a subject
        assert (row.begin_date, row.end_date) == (same.begin_date, same.end_date)
    in_classes = {
        (row.group_id if row.group_id.startswith("skole:") else local_id(row.group_id), row.person_id, row.role == "01")
        for row in pifu[sas.Membership]
    }
    assert {(row.group_id, row.person_id, row.role == "01") for row in roster[sas.Membership]} == {
        (group.removeprefix("skole:"), person, pupil)
        for group, person, pupil in in_classes
        if group in classes or group.startswith("skole:")
    }

    # School Data Sync has those of them with a user name, and guardians with an address.
    roster_csv, sds_csv = content(folder, "oneroster"), content(folder, "sds")
    sds = {name.removesuffix(".csv"): _rows(text) for name, text in sds_csv.items()}
    named = {row.person_id for row in pifu[sas.Person] if row.username}
    assert {row["userSourcedId"] for row in sds["roles"]} == named
    addresses = {row.person_id: (row.email or "").lower() for row in pifu[sas.Person]}
    assert {(row["userSourcedId"], row["relationshipUserSourcedId"]) for row in sds["relationships"]} == {
        row[:2] for row in pifu[sas.Guardian] if row.child_id in named and addresses[row.guardian_id]
    }
    assert {row["sourcedId"]: row["email"] for row in sds["users"]}.items() <= addresses.items()
    assert {(row["classSourcedId"], row["userSourcedId"], row["role"] == "student") for row in sds["enrollments"]} == {
        (local_id(row.group_id), row.person_id, row.role == "01")
        for row in pifu[sas.Membership]
        if local_id(row.group_id) in classes and row.person_id in named
    }

    # The class list has every pupil of every class once.
    names = {row.person_id: (row.given_name, row.family_name) for row in pifu[sas.Person]}
    held = content(folder, "class_list")
    lines = list(csv.DictReader(io.StringIO(held.pop("alle-skoler.csv"), newline=""), delimiter=";"))
    in_list = sorted((line["Fornavn"], line["Etternavn"]) for line in lines)
    assert in_list == sorted(
        names[person] for group, person, pupil in in_classes if groups.get(group) == "basisgruppe" and pupil
    )
    assert {line["Skoleår"] for line in lines} == {"2026/2027"}
    assert {line["Trinn"] for line in lines} >= {"1", "10"}
    assert len(lines) == sum(text.count("\r\n") - 1 for text in held.values())

    # Every field of a person is in the record of processing.
    filled = {
        "class_list": set(lines[0]),
        "oneroster": {head for table in ("users", "demographics") for head in _filled(roster_csv[f"{table}.csv"])},
        "sds": {head for table in ("users", "demographics") for head in _filled(sds_csv[f"{table}.csv"])},
    }
    for name, heads in filled.items():
        assert heads - {"userSourcedId"} <= EXPORTED[name].keys()

    whole = "".join(text for name in ROSTERS for text in content(folder, name).values()).lower()
    hidden = 0
    for person in people(installation.registers.world):
        level = person["protection"]["effective"]
        if level in (HIDDEN, "fortrolig"):
            words = [word for where, word in person["canaries"].items() if level == HIDDEN or "navn" not in where]
            hidden += len(words)
            assert not [word for word in words if word.lower() in whole]
            assert level != HIDDEN or not person["number"] or person["number"] not in whole
    assert hidden > 20

    # Those who were in the file are noted, with guardians only where they were in it.
    noted = "select file, person_id::text from control.disclosure where file <> 'pifu' and to_at is null"
    in_files = {"oneroster": set(names), "sds": {row["sourcedId"] for row in sds["users"]}}
    kept = installation.query(noted)
    assert {file: {one for name, one in kept if name == file} for file in in_files} == in_files
    shy = content(published(installation), "oneroster")
    kept = installation.query(noted)
    at_school = {row.person_id for row in pifu[sas.Membership]}
    assert {one for name, one in kept if name == "oneroster"} == at_school
    assert {one for name, one in kept if name == "sds"} == named
    listed = {person for group, person, pupil in in_classes if groups.get(group) == "basisgruppe" and pupil}
    assert {one for name, one in kept if name == "class_list"} == listed
    assert "guardian" not in shy["roles.csv"]
    assert "demographics.csv" not in shy

    # Somebody whose protection rises is gone from every file, with the guardians who have no other child here.
    child = min(listed & named)
    assert child in "".join(shy.values())
    installation.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
        "values ('haugesund', 'protection', cast(:person as uuid), 3, 'own', 1, now()) returning 1",
        person=child,
    )
    every_file = published(installation, oneroster=("numbers", *every), sds=every)
    after = {name: content(every_file, name) for name in ROSTERS}
    numbers = {row.person_id: row.number for row in pifu[sas.Person]}
    guardians = {row.guardian_id for row in pifu[sas.Guardian] if row.child_id == child}
    others = {row.guardian_id for row in pifu[sas.Guardian] if row.child_id != child}
    left = "".join(text for files in after.values() for text in files.values())
    for gone in {child} | (guardians - others - at_school):
        assert gone not in left
        assert not numbers[gone] or numbers[gone] not in left
    assert len(_rows(after["class_list"]["alle-skoler.csv"].replace(";", ","))) < len(lines)
