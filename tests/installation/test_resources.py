"""A subject group gives digital learning resources by its code in Feide's file. A kommune may demand a timetable."""

import re
from urllib.parse import unquote

import orjson
import pytest
from lxml import etree

from dataflyt.run.approve import question
from dataflyt.run.open_plan import open_plan
from dataflyt.warehouse import plan
from tests.installation.fixtures import Installation
from tests.warehouse.test_plan import TO_MERGE


def in_feide(here: Installation) -> set[str]:
    """Return the local ids of the subject groups that somebody in Feide's file is in."""
    text = here.ldif().replace("\n ", "")
    return {unquote(local) for local in re.findall(r"go:groupid:u:NO\d{9}:([^:\s]+):", text)}


def in_pifu(here: Installation) -> dict[str, bool]:
    """Return the local ids of PIFU's groups, and whether each has a Grep code."""
    exports = here.storage / "exports" / here.kommune.id
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    found = {}
    for group in etree.parse(exports / manifest["publication"] / "pifu.xml").getroot().iterfind("{*}group"):
        kinds = {one.get("type") for one in group.iterfind(".//{*}pifu_id")}
        found[group.findtext("{*}sourcedid/{*}id", "").lower()] = "grepCodeShortForm" in kinds
    return found


def losing(here: Installation) -> list[str]:
    with open_plan(here.kommune, here.environment, None) as opened:
        rows = list(plan.rows(opened.planned, graded=True))
    return [row.subject.lower() for row in rows if row.kind == "group_loses_resources"]


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_subject_group_without_a_timetable_gives_resources_only_where_the_kommune_says_so(
    installation: Installation,
) -> None:
    here = installation
    known = in_feide(here)
    taught = next(group for group in here.registers.world.groups if group.lessons and group.group_id.lower() in known)
    local = taught.group_id.lower()
    assert in_pifu(here)[local]

    lessons, taught.lessons = taught.lessons, []
    here.registers.write()
    here.run()
    assert losing(here) == [local]
    assert in_feide(here) == known - {local}
    assert in_pifu(here)[local] is False, "it is there, without a code"
    items = here.query(
        "select kind from golden.work_item where subject = :group and to_run is null", group=taught.group_id
    )
    assert [kind for (kind,) in items] == ["group_without_timetable"]

    taught.lessons = lessons
    here.registers.write()
    here.run()
    assert not losing(here)
    assert in_feide(here) == known

    here.kommune = here.kommune.model_copy(
        update={"feide": here.kommune.feide.model_copy(update={"resources_need_timetable": False})}
    )
    taught.lessons = []
    here.registers.write()
    here.run()
    assert not losing(here)
    assert in_feide(here) >= known
    assert in_pifu(here)[local]


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_code_that_is_gone_is_a_change_that_the_approver_sees(installation: Installation) -> None:
    here = installation
    known = in_feide(here)
    coded = [group for group in here.registers.world.groups if group.group_id.lower() in known]
    for group in coded[:11]:
        group.grep_short = group.grep_uri = None
    here.registers.write()
    job = here.open()
    here.steps(job, *TO_MERGE)
    asked = question(job)
    assert asked
    assert "Faggrupper som ikke lenger gir digitale læremidler" in asked.body
    assert sorted(losing(here)) == sorted(group.group_id.lower() for group in coded[:11])
