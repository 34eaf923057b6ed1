"""The lists of access of a whole installation: the same access as PIFU's, and nothing of what is hidden."""

import csv
import io
import json
from typing import Any, NamedTuple

import pytest

from dataflyt.exports import guardians_check
from simulator.manifest import STRICTNESS, people
from tests.exports.test_guardians import valid
from tests.installation.fixtures import Installation
from tests.installation.test_pifu import HIDDEN, _id, _manifest, _published
from tests.warehouse.test_state import _block, pupils, tonight


class Lists(NamedTuple):
    """The published lists, and the rows by the numbers of child and guardian."""

    content: bytes
    as_csv: bytes
    rows: dict[tuple[str, str], dict[str, Any]]


def published(here: Installation) -> Lists:
    folder = here.storage / "exports" / "haugesund" / _manifest(here)["publication"]
    assert list(guardians_check.check(folder / "guardians.json")) == []
    assert list(guardians_check.check_csv(folder / "guardians.csv")) == []
    content, as_csv = ((folder / name).read_bytes() for name in ("guardians.json", "guardians.csv"))
    rows = valid(content)["access"]
    of_csv = list(csv.reader(io.StringIO(as_csv.decode("utf-8-sig"), newline=""), delimiter=";"))[1:]
    assert [(row["child"]["id"], row["guardian"]["id"], row["basis"]) for row in rows] == [
        (row[0], row[3], row[7]) for row in of_csv
    ]
    by_numbers = {(row["child"]["number"], row["guardian"]["number"]): row for row in rows}
    assert len(by_numbers) == len(rows)
    return Lists(content, as_csv, by_numbers)


def pairs_of_pifu(here: Installation) -> set[tuple[str, str]]:
    return {(child, adult) for child, adults in _published(here).guardians.items() for adult in adults}


@pytest.mark.after_first_run
def test_the_list_is_the_access_there_is_and_tells_nothing_of_what_is_hidden_or_lost(
    installation: Installation,
) -> None:
    here, world = installation, installation.registers.world
    here.kommune = here.kommune.model_copy(update={"exports": ("feide_ldif", "pifu", "guardians", "guardians_csv")})
    here.run()
    first = published(here)
    assert first.rows.keys() == pairs_of_pifu(here)
    assert len(first.rows) > 100
    assert {row["basis"] for row in first.rows.values()} == {"foreldreansvar"}

    everybody = {person["number"]: person for person in people(world) if person["number"]}
    told = (first.content + first.as_csv).decode().lower()
    for person in everybody.values():
        level = person["protection"]["effective"]
        if level == HIDDEN:
            assert person["number"] not in told
        if level in (HIDDEN, "fortrolig"):
            words = [word for where, word in person["canaries"].items() if level == HIDDEN or "navn" not in where]
            assert not [word for word in words if word.lower() in told]

    # Whoever is fortrolig, or has a child who is, has the envelope of those who have no contact.
    protected = {
        number
        for number, person in everybody.items()
        if STRICTNESS[person["protection"]["effective"] or "ugradert"] >= 2
    }
    near = {adult for child, adult in first.rows if child in protected or adult in protected}
    reasons = {adult: row["envelope"]["reason"] for (_, adult), row in first.rows.items()}
    assert near
    assert {reasons[adult] for adult in near} == {"no_contact"}
    assert {reasons[adult] for adult in reasons.keys() - near} >= {None, "no_contact", "reserved", "expired"}

    # Contact only where the kommune's file says so, from the next run on, and then as in PIFU.
    assert b"@" not in first.content + first.as_csv
    here.kommune = here.kommune.model_copy(update={"export_extras": {"guardians": ("contact",)}})
    tonight(here)
    assert published(here).content == first.content
    here.run()
    second, pifu = published(here), _published(here)
    assert second.as_csv == first.as_csv
    mails = {adult: row["guardian"].get("email") for (_, adult), row in second.rows.items()}
    assert mails == {
        adult: None if adult in pifu.employees | pifu.pupils else pifu.people[adult].email for adult in mails
    }
    assert any(mails.values())
    assert not any(mails[adult] for adult in near)

    # A blocked guardian is a row that is not there; nothing else is changed.
    child, other = pupils(here, 2)
    blocked = next(record.ansvarlig or "" for record in child.responsibility)
    _block(here, child.number, blocked)
    tonight(here)
    third = published(here)
    lines = [line.rstrip(b",\n") for line in second.content.splitlines()]
    gone = set(lines) - {line.rstrip(b",\n") for line in third.content.splitlines()}
    assert [(json.loads(line)["child"]["number"], json.loads(line)["guardian"]["number"]) for line in gone] == [
        (child.number, blocked)
    ]
    assert len(third.content.splitlines()) == len(lines) - 1

    # Of a grant only that there is a decision is told.
    friend = next(
        adult for _, adult in third.rows if adult not in {record.ansvarlig for record in other.responsibility}
    )
    here.query(
        "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
        "decided_by, approved_by, from_run) "
        "values ('haugesund', :child, :adult, 'person', 'barnevern_decision', 'alt', '2026/1', "
        "'anita', 'anita', 'birgitte', 1) returning 1",
        child=_id(here, other.number),
        adult=str(_id(here, friend)),
    )
    here.run()
    last = published(here)
    assert last.rows[other.number, friend]["basis"] == "decision"
    assert b"barnevern" not in last.content + last.as_csv
    assert last.rows.keys() == pairs_of_pifu(here)
