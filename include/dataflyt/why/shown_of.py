"""What the exports may show, asked for a few people: the rules of ``warehouse/sql/exports`` over these alone.

The rules make tables of the whole kommune, which takes seconds for a city. An explanation lays the same rules over the
people it is about, and over the groups that they are in with all who are in these: a group is shown for its pupils.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import text

from dataflyt.run.looking import Looking
from dataflyt.warehouse import rules, vetoed_views

PREFIX: Final = "why_"
_OF_PEOPLE = ("person", "protection", "enrolment", "employment", "account", "contact", "person_link")
_OF_GROUPS = ("membership", "school_group")


def shown_of(here: Looking, people: Sequence[UUID], group: str, read: str) -> None:
    """Make ``why_<table>`` and ``why_shown_<what>`` for people, the groups that they are in, and the group ``group``.

    ``read`` is the text of the queries that will be made: only the relations that they name are made.

    ``why_<table>`` has the rows of ``now_<table>`` about the people and all who are in the groups, about the groups,
    and about access to and of the people. They last as long as the transaction. A group's name that tells of a hidden
    person outside the group is not seen here.
    """
    asked = sorted({str(one) for one in people})
    bound = {"people": asked, "word": group}
    groups = here.connection.execute(text(_GROUPS), bound).scalars().all()
    members = here.connection.execute(text(_MEMBERS), bound | {"groups": list(groups)}).scalars().all()
    # Named in the views themselves: PostgreSQL looks through no others for them, as it would by a join.
    everybody = "{" + ",".join(sorted({*asked, *(str(one) for one in members)})) + "}"
    here.connection.execute(text("select set_config('dataflyt.why_groups', :groups, true)"), {"groups": _array(groups)})
    named = set(re.findall(r"\bwhy_([a-z_]+)", read))
    laid_over = [
        rule for rule in rules.folder("exports").values() if rule.name in named or "{p}" + rule.name in _needs(named)
    ]
    needed = named | {need.removeprefix("{p}") for need in _needs(named)}
    wanted = [table for table in vetoed_views.TABLES if table in needed]
    mine = f"'{_uuids(asked)}'"
    conditions = {table: f"person_id = any('{everybody}'::uuid[])" for table in _OF_PEOPLE}
    conditions |= dict.fromkeys(_OF_GROUPS, "group_id = any(cast(current_setting('dataflyt.why_groups') as text[]))")
    conditions["guardian_access"] = f"child_id = any({mine}::uuid[]) or adult = any({mine}::text[])"
    # Tables where the view under them is deep: PostgreSQL plans a view anew in each place that reads it.
    statements = [
        f"create temporary {'table' if table in conditions else 'view'} {PREFIX}{table} "
        f"{'on commit drop ' if table in conditions else ''}as select * from {here.now.prefix}{table} "
        f"where {conditions.get(table, 'true')}"
        for table in wanted
    ]
    # Counted: otherwise PostgreSQL takes them for ten times as many, and reads everybody's history beside them.
    filled = [f"{PREFIX}{table}" for table in wanted if table in conditions]
    counted = [f"analyze {', '.join(filled)}"] if filled else []
    made = [one for rule in laid_over for one in rules.script_of(rule, p=PREFIX, owner=here.now.owner)]
    rules.script(here.connection, [*statements, *counted, *made])


def _needs(named: Iterable[str]) -> set[str]:
    """Return every relation that rules of these names need, directly or indirectly, as the rules name it."""
    needs: set[str] = set()
    for rule in reversed([*rules.folder("exports").values()]):
        if rule.name in named or f"{{p}}{rule.name}" in needs:
            needs.update(need for need in rule.needs if need.startswith("{p}"))
    return needs


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
# With the children of an adult: what is shown of a guardian rests on them.
_MEMBERS = """
select distinct person_id from now_membership where group_id = any(:groups)
union select child_id from now_guardian_access where adult = any(:people)
"""
