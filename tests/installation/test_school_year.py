"""A kommune lives through August: groups are new and not all made yet, and only what is wrong is asked about."""

import re
from datetime import UTC, date, datetime, time

import orjson
import pytest

from dataflyt.config.kommune import SchoolYear
from dataflyt.operations import work_list
from dataflyt.run.execute import Answer, execute
from dataflyt.run.job import open_job
from dataflyt.warehouse.runs import User
from tests.installation.fixtures import LOOKING, Installation

JULY, AUGUST, LATER = date(2027, 7, 25), date(2027, 8, 1), date(2027, 8, 8)
WHILE_MADE = {"pupil_without_class", "group_without_grep", "group_without_timetable"}


@pytest.mark.long
def test_august_passes_without_a_false_alarm_and_a_broken_file_does_not(installation: Installation) -> None:
    registers = installation.registers
    registers.advance(JULY)
    _same_ids_every_year(installation)
    assert _run(installation, JULY) == (True, "released")
    assert _kinds(installation) >= {"group_without_grep", "group_without_timetable"}
    july = _group_ids(installation)

    # On 1 August everybody is moved up. The schools have made the classes, and no subject groups or timetables.
    registers.advance(AUGUST)
    groups = list(registers.world.groups)
    registers.world.groups[:] = [group for group in groups if group.kind[1] != "undervisningsgruppe"]
    _same_ids_every_year(installation)
    assert _run(installation, AUGUST) == (False, "released")
    assert not _kinds(installation) & WHILE_MADE
    report = orjson.loads((installation.storage / "reports/haugesund/run-000002.json").read_bytes())
    assert not [sentence for sentence in report["sentences"] if "mye mindre" in sentence]
    assert not [note for note in report["noted"] if note["rule"] == "sas_group.grep_code"]
    assert report["changed"]["pupil_starts"] > 10
    august = _group_ids(installation)
    assert {local for _, local, *_ in july} & {local for _, local, *_ in august}, "the school system reuses its ids"
    assert not july & august, "no published id stands for a class of last year and one of this year"

    # The same day is later in a kommune whose calendar says that the groups are ready. Nothing is missing any more.
    ready = SchoolYear(first_day=AUGUST, groups_ready=AUGUST)
    installation.kommune = installation.kommune.model_copy(update={"school_years": (ready,)})
    assert "pupil_without_class" in _kinds(installation)
    installation.kommune = installation.kommune.model_copy(update={"school_years": ()})

    # Half of the pupils are missing in the next file: the run stops, and everything stands.
    published = installation.ldif()
    registers.advance(LATER)
    world = registers.world
    gone = {pupil.sas.person_id for pupil in world.pupils[::2]}
    for group in world.groups:
        group.members[:] = [member for member in group.members if member.person_id not in gone]
    world.pupils[:] = [pupil for pupil in world.pupils if pupil.sas.person_id not in gone]
    registers.write()
    assert _run(installation, LATER) in [(False, "failed"), (True, "rejected")]
    assert installation.ldif() == published


def _run(installation: Installation, day: date) -> tuple[bool, str]:
    """Do a run; answer yes to the first run and no to any other. Return whether it asked, and its outcome."""
    installation.registers.write()
    as_of = datetime.combine(day, time(3), UTC)
    installation.clock = as_of
    job = open_job(installation.kommune, str(day), as_of, installation.environment)
    approver, asked = job.kommune.approvers[0], []

    def answer(question: object) -> Answer:
        asked.append(question)
        return Answer("approved" if job.run.number == 1 else "rejected", User(approver.id, approver.name), "airflow")

    ended = execute(job, answer)
    return bool(asked), str(ended.closed["outcome"])


def _same_ids_every_year(installation: Installation) -> None:
    """Take the year out of the groups' ids in the school system."""
    for group in installation.registers.world.groups:
        group.group_id = re.sub(r"/20[0-9]{2}$", "", group.group_id)


def _kinds(installation: Installation) -> set[str]:
    return {item.kind for item in work_list.items(installation.kommune, installation.environment, LOOKING)}


def _group_ids(installation: Installation) -> set[tuple[str, ...]]:
    """Return the published group ids: school, local id, first and last day."""
    found = re.findall(
        r"go:groupid:[bu]:(NO\d{9}):(\S+?):([\d-]{10}):([\d-]{10})", installation.ldif().replace("\n ", "")
    )
    return {tuple(one) for one in found}
