"""The last ten publications lie in the storage, less those that may hold somebody who has been hidden since.

And less the files of guardians that may tell of an access that has ended since.
"""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import text

from dataflyt.config.kommune import Decided
from dataflyt.exports.publishing import KEPT
from dataflyt.operations import nightly
from dataflyt.records import disclosed
from dataflyt.storage import database
from simulator.model import Person, Responsibility
from tests.installation.fixtures import Installation, published_anew
from tests.installation.test_pifu import _guardians, _plain_pupils
from tests.warehouse.test_rules import _leave

pytestmark = pytest.mark.after_first_run


def publish(here: Installation, serial: int) -> str:
    """Publish the same run with another e-mail address of the school owner."""
    feide = here.kommune.feide.model_copy(update={"mail": f"feide{serial}@haugesund.kommune.no"})
    return published_anew(here, feide=feide).name


def kept(here: Installation) -> set[str]:
    return {path.name for path in (here.storage / "exports" / here.kommune.id).iterdir() if path.is_dir()}


def write(here: Installation, sql: str) -> None:
    with database.transaction(database.engine(here.warehouse_url), here.kommune.id) as connection:
        connection.execute(text(sql))


def test_the_last_ten_are_kept_until_somebody_is_hidden(installation: Installation) -> None:
    published = [publish(installation, serial) for serial in range(KEPT + 2)]
    assert kept(installation) == set(published[2:])
    write(
        installation,
        "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at) "
        "select owner, child_id, adult, 'other', '2026/1', '101', now() from golden.guardian_access limit 1",
    )
    last = publish(installation, KEPT + 2)
    assert kept(installation) == {last}


@pytest.mark.parametrize(
    "let",
    [
        {"pupils_without_number": "publish"},
        {"calendars_of_all_decided": Decided(by="Kari Nordmann, oppvekstsjef", on=date(2026, 8, 1))},
    ],
)
def test_none_is_kept_from_when_the_kommune_file_let_more_be_published(
    installation: Installation, let: dict[str, Any]
) -> None:
    mail = installation.kommune.feide.model_copy(update={"mail": "feide@haugesund.no"})
    more = published_anew(installation, feide=mail, **let)
    assert more.name in kept(installation)
    last = publish(installation, 1)
    assert kept(installation) == {last}


def test_none_is_kept_longer_than_the_history(installation: Installation) -> None:
    first, second = publish(installation, 1), publish(installation, 2)
    days = installation.kommune.retention.history_days
    write(
        installation,
        f"update control.publication set published_at = now() - make_interval(days => {days + 1}) "
        f"where publication = '{first}'",
    )
    assert kept(installation) >= {first, second}
    third = publish(installation, 3)
    assert first not in kept(installation)
    assert kept(installation) >= {second, third}


# --- access that has ended ---

EXPORTS = ("feide_ldif", "pifu", "guardians", "oneroster", "class_list")
OF_GUARDIANS = {"pifu.xml", "guardians.json"}


def pairs(path: Path) -> dict[str, set[str]]:
    """Return the adults that a PIFU file names for each of its people, as plain XML, by the file's own ids."""
    if not path.exists():
        return {}
    found: dict[str, set[str]] = {}
    for person in etree.parse(path).iterfind(".//{*}person"):
        (one, *_), partners = person.findall("./{*}sourcedid/{*}id"), person.findall(".//{*}partnerid/{*}id")
        found[one.text] = {partner.text for partner in partners}
    return found


def no_ended_access_is_readable(here: Installation) -> int:
    """Demand that no older file gives a pupil of today's file an adult whom today's does not; return how many do not.

    A naive reading of the rule: it knows nothing of why an access ended.
    """
    root = here.storage / "exports" / here.kommune.id
    in_force = json.loads((root / "manifest.json").read_bytes())["publication"]
    today, older = pairs(root / in_force / "pifu.xml"), 0
    for folder in sorted(kept(here) - {in_force}):
        for child, adults in pairs(root / folder / "pifu.xml").items():
            assert child not in today or adults <= today[child], folder
        older += (root / folder / "pifu.xml").exists()
    return older


def files(here: Installation) -> list[set[str]]:
    """Return the names of the files of each kept publication, the oldest first."""
    root = here.storage / "exports" / here.kommune.id
    rows = here.query("select publication from control.publication where withdrawn_at is null order by published_at")
    return [{path.name for path in (root / name).iterdir()} for (name,) in rows]


@pytest.fixture
def here(installation: Installation) -> Installation:
    """An installation with four publications of its first run, whose files of guardians are all there."""
    installation.kommune = installation.kommune.model_copy(update={"exports": EXPORTS})
    for serial in range(3):
        publish(installation, serial)
    assert no_ended_access_is_readable(installation) == 3  # the first is of another kommune file
    assert sum(one >= OF_GUARDIANS for one in files(installation)) == 3
    return installation


def child_with_two(here: Installation) -> Person:
    person = _plain_pupils(here)[0].person
    assert person
    return person


def those_from_before_tell_of_no_guardian(here: Installation, before: int = 4) -> None:
    """Demand that the first publications have lost the files of guardians, and have the others.

    Those after them may be several: a run publishes what it takes away first, and then what it gives.
    """
    *older, newest = files(here)
    assert newest >= OF_GUARDIANS
    assert [one & OF_GUARDIANS for one in older[:before]] == [set()] * before
    # These files tell of no guardian, and the pupils and their schools are as they were.
    assert all(one >= {"feide.ldif", "klasselister.zip", "oneroster.zip"} for one in older[1:])
    no_ended_access_is_readable(here)


def test_access_that_a_run_ends_is_in_no_older_file(here: Installation) -> None:
    child = child_with_two(here)
    lost = child.responsibility.pop().ansvarlig
    here.registers.write()
    here.run()
    those_from_before_tell_of_no_guardian(here)
    (person,) = here.query(
        "select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :number",
        number=lost,
    )
    with database.transaction(database.engine(here.warehouse_url), here.kommune.id, lock=False) as connection:
        told = {one.export: one for one in disclosed.of_person(connection, here.kommune, person[0])}
    assert not told["PIFU-IMS 1.3"].on_disk
    assert told["PIFU-IMS 1.3"].until is not None
    # The next run ends nothing, and the files of guardians are kept again.
    here.run()
    publish_again = published_anew(here, run=3, feide=here.kommune.feide.model_copy(update={"mail": "ny@haugesund.no"}))
    assert publish_again.name in kept(here)
    assert no_ended_access_is_readable(here) >= 1


def test_access_that_ends_at_18_is_in_no_older_file_the_same_night(here: Installation) -> None:
    child = child_with_two(here)
    child.born = date(2008, 12, 1)
    here.registers.write()
    here.clock = datetime(2026, 11, 23, 4, tzinfo=UTC)
    here.run()
    for serial in (7, 8):
        published_anew(here, run=2, feide=here.kommune.feide.model_copy(update={"mail": f"feide{serial}@h.no"}))
    before = files(here)
    assert all(one >= OF_GUARDIANS for one in before[1:])
    here.clock = datetime(2026, 11, 30, 23, 10, tzinfo=UTC)  # ten past midnight in Norway
    assert nightly.run([here.kommune], here.environment).trouble == []
    those_from_before_tell_of_no_guardian(here, len(before))


def test_a_guardian_who_dies_is_in_no_older_file(here: Installation) -> None:
    guardian = here.registers.world.persons[_guardians(_plain_pupils(here)[0])[0]]
    guardian.status, guardian.died = "doed", date(2026, 11, 20)
    here.registers.write()
    here.run()
    those_from_before_tell_of_no_guardian(here)


def test_a_pupil_who_leaves_and_a_guardian_who_is_new_take_no_older_file(here: Installation) -> None:
    leaves, gains = _plain_pupils(here)[:2]
    _leave(here, leaves)
    assert gains.person
    gains.person.responsibility.append(Responsibility("felles", ansvarlig=_guardians(leaves)[0]))
    here.registers.write()
    here.run()
    assert no_ended_access_is_readable(here) == 5  # the run's first publication too
    assert all(one >= OF_GUARDIANS for one in files(here)[1:])


def test_what_was_killed_before_the_files_were_deleted_is_done_at_the_next_start(here: Installation) -> None:
    write(here, "update control.publication set gone = '{pifu,guardians}' where withdrawn_at is null")
    nightly.run([here.kommune], here.environment)
    those_from_before_tell_of_no_guardian(here)


def test_publications_from_before_this_was_known_lose_the_files(here: Installation) -> None:
    write(here, "update control.publication set ended = null")
    publish(here, 4)
    those_from_before_tell_of_no_guardian(here)
