"""Checks about groups: the subject groups that somebody (``:who``) is in, or the one that is asked for (``:word``)."""

from collections.abc import Sequence
from typing import Any

from dataflyt.warehouse.group_names import open_code, open_name
from dataflyt.why.asking import Asked
from dataflyt.why.check import Found, Rows, check, failed, passed, unknown
from dataflyt.why.flow import quarantine_of, set_aside
from dataflyt.why.when import day_in_words

_KINDS = {
    "basisgruppe": "class",
    "undervisningsgruppe": "subject",
    "kontaktlærergruppe": "contact",
    "trinn": "year",
}
# With a group in :word only that one; the group of a person is the person's own part in it.
_MINE = """
select distinct g.group_id, g.name, g.group_type, g.grep_code, g.year_level, g.timetabled, g.to_date,
    exists (select from now_work_item w where w.kind = 'group_not_in_grep' and w.subject = g.group_id) as not_in_grep,
    exists (select from why_shown_school_group s where s.group_id = g.group_id) as shown,
    (select h.from_run from history.sas_group h where h.owner = :owner and h.key = g.group_id and h.to_run is null)
        as from_run
from why_membership m
join why_school_group g using (group_id)
where m.person_id = :who and g.group_type = 'undervisningsgruppe' and (:word = '' or g.group_id = :word)
order by g.group_id
"""


WAITING = """
select concat(
    case when g.timetabled and not n.timetabled then 'timetabled ' end,
    case when g.feide_type is not null and n.feide_type is null then 'has_grep grep_known' end
) as mends
from golden.school_group g
join why_school_group n on n.group_id = g.group_id and n.group_type = 'undervisningsgruppe'
    and (g.timetabled and not n.timetabled or g.feide_type is not null and n.feide_type is null)
where g.owner = :owner and g.from_run = :newest
    and g.group_id in (select group_id from why_membership where person_id = :who)
    and (:word = '' or g.group_id = :word)
"""
"""What an unreleased run would give the subject groups of somebody."""


def in_words(asked: Asked, groups: Sequence[Any]) -> str:
    """Return groups in words. Without ``graded`` a name that may hold a person's is not among them."""
    said = []
    for one in groups:
        if asked.graded:
            said.append(f"{one.name} ({one.group_id})")
        elif plain := open_name(one.name):
            said.append(plain)
        else:
            kind = asked.word_for("words", _KINDS.get(one.group_type, "group"))
            level = asked.word_for("words", "level", level=one.year_level) if one.year_level is not None else ""
            said.append(f"{open_code(one.grep_code) or kind} {level}".strip())
    return ", ".join(dict.fromkeys(said))


_SET_ASIDE = """
select q.table_name, q.rule, q.reason, q.responsible, q.run, q.subject
from control.quarantine q
where q.owner = :owner and q.run = (select max(c.run) from control.check_result c where c.owner = :owner)
    and q.table_name in ('sas_group', 'sas_timetable')
order by q.table_name, q.rule
"""


@check(
    groups=_MINE,
    of_other_kind="select from why_membership where person_id = :who and group_id = :word",
    quarantine=quarantine_of(":who"),
    of_group=_SET_ASIDE,
)
def in_subject_group(asked: Asked, rows: Rows) -> Found | None:
    """Check that somebody is in a subject group, or in the one that is asked about."""
    if not asked.who.known:
        return None
    if rows["groups"]:
        groups = rows["groups"]
        return passed("sas", groups[0].from_run, count=len(groups), groups=in_words(asked, groups))
    if rows["of_other_kind"]:
        return failed("not_a_subject_group", "sas")
    if found := set_aside(asked, [one for one in rows["of_group"] if one.subject == asked.word], ("sas_group",)):
        return found
    if found := set_aside(asked, rows["quarantine"], ("sas_membership",)):
        return found
    if asked.kommune.groups_not_ready(asked.day):
        return failed("groups_being_made", "sas")
    return failed("not_in_this_group" if asked.word else "not_in_subject_group", "sas")


def _judged(asked: Asked, groups: Sequence[Any], bad: Sequence[Any], cause: str) -> Found | None:
    """Return the finding where some of the groups are ``bad``: certain only if all are."""
    if not groups:
        return None
    run = max((one.from_run or 0 for one in bad or groups), default=0) or None
    if not bad:
        return passed("sas", run)
    if asked.kommune.groups_not_ready(asked.day):
        return failed("groups_being_made", "sas", run)
    if len(bad) == len(groups):
        return failed(cause, "sas", run, groups=in_words(asked, bad))
    some = f"some_{cause.replace('group_', 'groups_', 1)}"
    return unknown(some, "sas", run, groups=in_words(asked, bad), bad=len(bad), count=len(groups))


@check(groups=_MINE, of_group=_SET_ASIDE)
def timetabled(asked: Asked, rows: Rows) -> Found | None:
    """Check that the subject groups have a timetable, where the kommune's file says that they need one."""
    if not asked.kommune.feide.resources_need_timetable:
        return None
    groups = rows["groups"]
    bad = [one for one in groups if not one.timetabled]
    lessons = {one.subject for one in rows["of_group"] if one.table_name == "sas_timetable"}
    if bad and all(one.group_id in lessons for one in bad):
        return set_aside(asked, rows["of_group"], ("sas_timetable",))
    return _judged(asked, groups, bad, "group_without_timetable")


@check(groups=_MINE)
def has_grep(asked: Asked, rows: Rows) -> Found | None:
    """Check that the subject groups have a code that Feide takes."""
    groups = rows["groups"]
    return _judged(asked, groups, [one for one in groups if not open_code(one.grep_code)], "group_without_grep")


@check(groups=_MINE)
def grep_known(asked: Asked, rows: Rows) -> Found | None:
    """Check that the codes are in use in Udir's register."""
    groups = rows["groups"]
    return _judged(asked, groups, [one for one in groups if one.not_in_grep], "group_not_in_grep")


# --- One group -------------------------------------------------------------------------------------------------------

_ONE = """
select h.group_id, h.name, h.group_type, h.grep_code, h.year_level, h.from_run, control.as_date(h.end_date) as ends,
    g.group_id is not null as holds, coalesce(g.timetabled, false) as timetabled,
    exists (select from why_shown_school_group s where s.group_id = h.group_id) as shown,
    exists (select from why_group_of_pupils s where s.group_id = h.group_id) as has_pupils,
    exists (select from why_membership m where m.group_id = h.group_id and m.role = 'student') as has_members,
    exists (select from now_work_item w where w.kind = 'group_not_in_grep' and w.subject = h.group_id) as not_in_grep
from history.sas_group h
left join why_school_group g on g.group_id = h.group_id
where h.owner = :owner and h.key = :word and h.from_run <= :released and coalesce(h.to_run > :released, true)
"""


@check(
    group=_ONE,
    quarantine=(
        "select table_name, rule, reason, responsible, run from control.quarantine "
        "where owner = :owner and run = (select max(c.run) from control.check_result c where c.owner = :owner) "
        "and table_name = 'sas_group' and subject = :word"
    ),
)
def group_known(asked: Asked, rows: Rows) -> Found:
    """Check that the group is in the school system's file."""
    if rows["group"]:
        return passed("sas", rows["group"][0].from_run)
    return set_aside(asked, rows["quarantine"]) or failed("group_unknown", "sas")


@check(group=_ONE)
def group_holds(asked: Asked, rows: Rows) -> Found | None:
    """Check that the group is one of a school's, and holds today."""
    for one in rows["group"]:
        if one.holds:
            return passed("sas", one.from_run)
        if one.ends and one.ends < asked.day:
            return failed("group_ended", "sas", one.from_run, day=day_in_words(one.ends))
        return failed("school_not_in_file", "sas", one.from_run)
    return None


@check(group=_ONE)
def group_kind(asked: Asked, rows: Rows) -> Found | None:
    """Check that the group is of a kind that the exports write."""
    for one in rows["group"]:
        if one.group_type not in _KINDS:
            return failed("group_of_other_kind", "sas", one.from_run)
        return passed("sas", one.from_run, kind=asked.word_for("words", _KINDS[one.group_type]))
    return None


@check(group=_ONE)
def group_shown(asked: Asked, rows: Rows) -> Found | None:
    """Check that the exports' rules show the group. Without ``graded`` all reasons against it have one sentence."""
    for one in rows["group"]:
        if one.shown or not one.holds or one.group_type not in _KINDS:
            return passed() if one.shown else None
        if not asked.graded:  # the same for an empty group and for one with protected pupils alone
            return unknown("group_without_pupils", "sas", one.from_run)
        if not one.has_members:
            return failed("group_without_pupils", "sas", one.from_run)
        return failed("group_not_shown" if one.has_pupils else "group_without_pupils", run=asked.released)
    return None


@check(group=_ONE)
def group_code(asked: Asked, rows: Rows) -> Found | None:
    """Check that a subject group has a code, in use in Udir's register."""
    for one in rows["group"]:
        if one.group_type != "undervisningsgruppe" or not one.holds:
            return None
        if not open_code(one.grep_code):
            return failed("group_without_grep", "sas", one.from_run, groups=in_words(asked, [one]))
        if one.not_in_grep:
            return failed("group_not_in_grep", "sas", one.from_run, groups=in_words(asked, [one]))
        return passed("sas", one.from_run)
    return None


@check(group=_ONE)
def group_timetable(asked: Asked, rows: Rows) -> Found | None:
    """Check that a subject group has a timetable, where the kommune's file says that it needs one."""
    for one in rows["group"]:
        needed = asked.kommune.feide.resources_need_timetable
        if one.group_type != "undervisningsgruppe" or not one.holds or one.timetabled or not needed:
            return None
        return failed("group_without_timetable", "sas", one.from_run, groups=in_words(asked, [one]))
    return None
