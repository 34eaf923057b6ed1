"""The calendars of a whole installation: the lessons of the timetable, and none of a group with a protected member."""

import csv
import io
import zipfile
from collections import defaultdict
from datetime import date

import icalendar
import pytest

from dataflyt.config.kommune import Decided
from tests.installation.fixtures import Installation, published_anew

Calendars = dict[str, set[tuple[str, str, str]]]
"""By group: weekday as icalendar has it, start, and room."""


def calendars(here: Installation, decided: Decided | None = None) -> tuple[Calendars, dict[str, str]]:
    """Publish the first run anew with calendars; return them, and the file's name, by group."""
    newest = published_anew(here, exports=("calendar",), calendars_of_all_decided=decided)
    found: Calendars = defaultdict(set)
    with zipfile.ZipFile(newest / "kalendere.zip") as archive:
        text = archive.read("kalendere.csv").decode("utf-8-sig")
        named = {row["Gruppens id"]: row["Fil"] for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=";")}
        for group, name in named.items():
            for event in icalendar.Calendar.from_ical(archive.read(name)).walk("VEVENT"):
                (day,) = event["RRULE"]["BYDAY"]
                found[group].add((str(day), f"{event['DTSTART'].dt:%H:%M}", str(event.get("LOCATION", ""))))
    return dict(found), named


def timetable(here: Installation) -> Calendars:
    """Return the lessons of the shown groups as the school system's file has them."""
    days = ("", "MO", "TU", "WE", "TH", "FR", "SA", "SU")
    found: Calendars = defaultdict(set)
    for group, weekday, start, room in here.query(
        "select t.group_id, t.weekday, t.start, coalesce(t.room, '') from history.sas_timetable t "
        "where t.to_run is null and t.weekday is not null and t.group_id in ("
        "select m.group_id from golden.membership m join golden.protection p using (person_id) "
        "where m.to_run is null and p.to_run is null and m.role = 'student' and p.level < 3 and not p.held_back)"
    ):
        found[group].add((days[weekday], start, room))
    return dict(found)


def protected(here: Installation) -> set[str]:
    """Return the groups with a protected member, by the golden record alone."""
    return {
        group
        for (group,) in here.query(
            "select distinct m.group_id from golden.membership m join golden.protection p using (person_id) "
            "where m.to_run is null and p.to_run is null and (p.level >= 2 or p.held_back)"
        )
    }


@pytest.mark.after_first_run
def test_the_groups_have_their_lessons_and_those_of_a_protected_member_have_no_calendar(
    installation: Installation,
) -> None:
    lessons, hidden = timetable(installation), protected(installation)
    assert lessons.keys() & hidden
    found, named = calendars(installation)
    assert found
    assert not found.keys() & hidden
    assert all(found[group] == lessons[group] for group in found)
    assert len({*named.values()}) == len(named)
    # The others that are left out are few, and the same ones each time: their absence hides the protected groups'.
    left_out = lessons.keys() - hidden - found.keys()
    assert len(left_out) < len(lessons) / 4
    assert calendars(installation) == (found, named)

    # The kommune has decided otherwise: every group, at the same addresses.
    every, all_named = calendars(installation, Decided(by="Kari Nordmann, oppvekstsjef", on=date(2026, 8, 1)))
    assert every == lessons
    assert named.items() <= all_named.items()


@pytest.mark.after_first_run
def test_a_calendar_is_gone_at_once_when_a_member_becomes_protected(installation: Installation) -> None:
    before, _ = calendars(installation)
    group = min(before)
    ((pupil,),) = installation.query(
        "select min(person_id::text) from golden.membership where to_run is null and group_id = :group "
        "and role = 'student'",
        group=group,
    )
    installation.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at, outside_run, unknown) "
        "values ('haugesund', 'protection', cast(:pupil as uuid), 2, 'own', 1, now(), true, false) returning veto",
        pupil=pupil,
    )
    after, _ = calendars(installation)
    assert group not in after
    mine = {
        one
        for (one,) in installation.query(
            "select group_id from golden.membership where to_run is null and person_id = cast(:pupil as uuid)",
            pupil=pupil,
        )
    }
    assert after.keys() == before.keys() - mine
