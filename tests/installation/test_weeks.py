"""Haugesund lives through seven weeks. After each, access and protection are as the simulator's manifest says.

Two weeks are not released: one is rejected and one never answered. Everything then stays as it was, under the vetoes.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import pytest

from dataflyt.run.close_run import close_run
from dataflyt.run.job import open_job
from dataflyt.run.open_plan import open_plan
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from dataflyt.warehouse import runs, vetoed_views
from simulator.manifest import people
from tests.installation.fixtures import TO_PLAN, TODAY, Installation, respond
from tests.installation.test_run import LEVELS

Access = set[tuple[str, str]]


class Now(NamedTuple):
    """The truth: (child, adult) with access, and the level of each protected pupil, by the newest number."""

    access: Access
    protection: dict[str, int]


@pytest.mark.long
def test_week_after_week_access_and_protection_are_what_the_registers_say(installation: Installation) -> None:
    registers = installation.registers
    assert _run(installation, TODAY, "approved") == (True, "approved")
    assert _warehouse(installation) == _truth(installation)
    happened: set[str] = set()
    asked: dict[int, bool] = {}
    for week in range(1, 8):
        day = TODAY + timedelta(weeks=week)
        before, rows = _warehouse(installation), installation.dump()
        happened |= set(registers.advance(day))
        answer = {1: "rejected", 2: "unanswered"}.get(week, "approved")
        asked[week], outcome = _run(installation, day, answer)
        now, truth = _warehouse(installation), _truth(installation)
        if outcome == "approved":
            assert now.access - truth.access == set(), f"week {week}: access without right"
            assert truth.access - now.access == set(), f"week {week}: access that is missing"
            assert now.protection == truth.protection, f"week {week}"
        else:
            assert installation.dump() == rows, f"week {week}"
            pupils = _pupils(installation)
            # Losses take effect at once for those FREG was asked about. It was not asked about pupils who left the
            # school.
            renewed = {(registers.number(child), registers.number(adult)) for child, adult in before.access}
            kept = {pair for pair in renewed if pair in truth.access or pair[0] not in pupils}
            assert now.access == kept, f"week {week}"
            for child, level in truth.protection.items():
                if child in before.protection or child in now.protection:
                    assert now.protection[child] == max(level, before.protection.get(child, 0))
    assert asked[1]
    assert asked[2]  # the new man is still to be asked about
    assert not all(asked.values()), "an ordinary week passes unasked"
    assert {"father_replaced", "protection_raised", "protection_lowered", "d_number_replaced"} <= happened
    assert {"parent_loses", "parent_gains", "gender_changed", "guardian_dies", "moves_out", "moves_here"} <= happened


def _run(installation: Installation, day: date, answer: str) -> tuple[bool, str]:
    """Do a run as the DAG does; return whether it asked, and its outcome."""
    as_of = datetime.combine(day, time(3), UTC)
    installation.clock = max(installation.clock, as_of)
    job = open_job(installation.kommune, f"week-{day}", as_of, installation.environment)
    for step in TO_PLAN.values():
        step(job)
    said = respond(job, answer)
    if said in (None, "approved"):
        release(job)
        publish(job)
    close_run(job, [])
    return said is not None, said or "approved"


def _warehouse(installation: Installation) -> Now:
    """Return the released record, under the vetoes."""
    number = installation.registers.number
    with open_plan(installation.kommune, installation.environment, None) as opened:
        connection = opened.connection
        vetoed_views.views(connection, "haugesund", runs.released_before(connection, "haugesund"), "now_")
        access = connection.exec_driver_sql(
            "select c.number, coalesce(p.number, a.adult) from now_guardian_access a "
            "join now_person c on c.person_id = a.child_id left join now_person p on p.person_id::text = a.adult "
            "where a.state = 'active' and not starts_with(a.adult, 'uten:')"
        )
        found = {(number(child), number(adult)) for child, adult in access}
        protected = connection.exec_driver_sql(
            "select p.number, x.level from now_protection x join now_person p using (person_id) "
            "where x.level > 0 and x.person_id in (select person_id from now_enrolment)"
        )
        return Now(found, {number(child): level for child, level in protected})


def _truth(installation: Installation) -> Now:
    access: Access = set()
    protection = {}
    for person in people(installation.registers.world):
        if "school" not in person or not person["number"] or not person["in_freg"]:
            continue
        if level := LEVELS[person["protection"]["effective"]]:
            protection[person["number"]] = level
        for party in person["access"]:
            if party["access"] and (party["number"] or party["organisation"]):
                access.add((person["number"], party["number"] or f"org:{party['organisation']}"))
    return Now(access, protection)


def _pupils(installation: Installation) -> set[str]:
    return {pupil.person.number for pupil in installation.registers.world.pupils if pupil.person}
