"""What the exports may show, asked for a few people: the rules of ``warehouse/sql/exports`` over these alone.

The rules make tables of the whole kommune, which takes seconds for a city. An explanation lays the same rules over the
people it is about, and over the groups that they are in with all who are in these: a group is shown for its pupils.
"""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text

from dataflyt.run.looking import Looking
from dataflyt.warehouse import rules, shown
from dataflyt.warehouse.vetoed_views import Views

PREFIX: Final = "why_"
_OF_PEOPLE = ("person", "protection", "enrolment", "employment", "account", "contact", "person_link")
_OF_GROUPS = ("membership", "school_group")


def shown_of(here: Looking, people: Sequence[UUID], group: str = "") -> None:
    """Make the views ``why_shown_<what>`` for people, the groups that they are in, and the group ``group``.

    The views last as long as the transaction. A group's name that tells of a hidden person outside the group is not
    seen here.
    """
    asked = sorted({str(one) for one in people})
    bound = {"people": asked, "word": group}
    groups = here.connection.execute(text(_GROUPS), bound).scalars().all()
    members = here.connection.execute(text(_MEMBERS), {"groups": list(groups)}).scalars().all()
    # Named in the views themselves: PostgreSQL looks through no others for them, as it would by a join.
    everybody = "{" + ",".join(sorted({*asked, *(str(one) for one in members)})) + "}"
    here.connection.execute(text("select set_config('dataflyt.why_groups', :groups, true)"), {"groups": _array(groups)})
    wanted = dict.fromkeys(
        need.removeprefix("{p}")
        for rule in rules.folder("exports").values()
        for need in rule.needs
        if need.startswith("{p}") and need.removeprefix("{p}") not in rules.folder("exports")
    )
    conditions = {table: f"person_id = any('{everybody}'::uuid[])" for table in _OF_PEOPLE}
    conditions |= dict.fromkeys(
        _OF_GROUPS, "group_id = any(cast(current_setting('dataflyt.why_groups') as text[]))"
    )
    conditions["guardian_access"] = f"child_id = any('{_uuids(asked)}'::uuid[])"
    statements = [
        f"create or replace temporary view {PREFIX}{table} as select * from {here.now.prefix}{table} "
        f"where {conditions.get(table, 'true')}"
        for table in wanted
    ]
    rules.script(here.connection, statements)
    shown.views(Views(here.connection, here.now.owner, here.now.run, PREFIX))


def _uuids(people: Sequence[str]) -> str:
    return "{" + ",".join(people) + "}"


def _array(groups: Sequence[str]) -> str:
    """Return group ids as an array in SQL's own writing: they are a school system's free text."""
    quoted = (one.replace("\\", "\\\\").replace('"', '\\"') for one in groups)
    return "{" + ",".join(f'"{one}"' for one in quoted) + "}"


_GROUPS = """
select distinct group_id from now_membership where person_id = any(cast(:people as uuid[]))
union select group_id from now_school_group where group_id = :word
"""
_MEMBERS = "select distinct person_id from now_membership where group_id = any(:groups)"
