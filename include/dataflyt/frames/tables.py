"""The tables that can be read as frames, and the rows and columns of each for those who may not see protection.

With ``graded`` a golden table is whole: every column but the hashes of contact details, and protected people too.
Without it, only the tables in ``OPEN`` are read, and these rows and columns are left out of them:

- people whom ``people.hidden`` hides, now or in the run that is read, and people whom the newest run does not have;
- the dead, since FREG may be asked about an employee for a protected child alone;
- one in ``COVERED`` of all others, by the keyed hash that plans cover people with. Without it, a count that includes
  people at fortrolig addresses, less a table's rows, would be the number of these people;
- adults who are here only beside children who are left out, and groups without a pupil who is shown;
- columns that tell that FREG was asked, or that somebody is an alias, and names of groups that can hold a person's.

Names, numbers and user names are those of now, whatever run is read: former ones are for ``graded`` alone.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from sqlalchemy import text

from dataflyt.run.looking import Looking
from dataflyt.run.open_plan import is_covered
from dataflyt.storage.database import OWN_KEY
from dataflyt.warehouse import people
from dataflyt.warehouse.tables import GOLDEN
from dataflyt.warehouse.vetoed_views import Views

PLAN: Final = "plan"
CHECKS: Final = "checks"
RUNS: Final = "runs"
COUNTS: Final = (CHECKS, RUNS)
"""Tables of counts, which tell of nobody, and which everybody may read."""
TABLES: Final = (*sorted(GOLDEN), PLAN, *COUNTS)

_HASHES = {"email_hash", "mobile_hash"}
_SHOWN = "join frame_shown s on s.person_id = t.person_id"


class Open(NamedTuple):
    """What those without ``graded`` read of a golden table: these columns, of the rows that ``source`` selects.

    A column is read from ``t``, the table, unless ``made`` says how.
    """

    columns: str
    source: str
    made: Mapping[str, str] = MappingProxyType({})


# An id may hold a name, unless it is a UUID or has no two letters in a row (as in sql/exports/group_tells.sql). It may
# be an identity number if it is as long as one.
_GROUP = {
    "group_id": "case when t.group_id !~ '[^0-9[:punct:] ][^0-9[:punct:] ]' and t.group_id !~ '[0-9]{6}[ -]?[0-9]{5}' "
    "or pg_input_is_valid(t.group_id, 'uuid') "
    f"then t.group_id else 'g-' || left(control.keyed_hash({OWN_KEY}, 'frame group ' || t.group_id), 16) end"
}
_GROUP_TYPES = "'basisgruppe', 'undervisningsgruppe', 'kontaktlærergruppe', 'trinn'"
OPEN: Final = {
    "unit": Open("unit_id kind name sas_id parent_id", "{p}unit t"),
    "school_year": Open("label from_date to_date", "{p}school_year t"),
    "school_group": Open(
        "group_id unit_id group_type feide_type name grep_code year_level from_date to_date timetabled",
        "{p}school_group t join frame_group g on g.group_id = t.group_id",
        # The school system's word for another kind of group can tell of its members.
        {**_GROUP, "group_type": f"case when t.group_type in ({_GROUP_TYPES}) then t.group_type else 'annen' end"},
    ),
    "person": Open(
        "person_id number local_number fornavn mellomnavn etternavn birth_date work_email display_name",
        f"now_person t {_SHOWN}",
    ),
    "account": Open(
        "person_id uid role state",
        f"{{p}}account t join now_account n on n.person_id = t.person_id {_SHOWN}",
        {"uid": "n.uid"},
    ),
    "enrolment": Open(
        "person_id unit_id school_year year_level from_date to_date main",
        f"{{p}}enrolment t {_SHOWN}",
    ),
    "employment": Open(
        "employee_id employment_id person_id unit_id position_name percentage main from_date to_date staff_role "
        "subrole teacher_subrole",
        f"{{p}}employment t {_SHOWN}",
    ),
    "membership": Open(
        "group_id person_id role contact_teacher staff_role subrole",
        f"{{p}}membership t join frame_group g on g.group_id = t.group_id {_SHOWN}",
        _GROUP,
    ),
    # The hash after "uten:" is of the name and birth date of an adult without a number.
    "guardian_access": Open(
        "child_id adult adult_kind basis ansvar state of_age_on",
        "{p}guardian_access t join frame_shown s on s.person_id = t.child_id "
        "left join frame_shown a on a.person_id::text = t.adult "
        "where (t.adult_kind <> 'person' or a.person_id is not null) and not exists "
        "(select from {p}quiet q where q.child = t.child_id::text and q.adult = t.adult)",
        {"adult": "case when t.adult_kind = 'without_number' then 'uten' else t.adult end"},
    ),
}
"""What those without ``graded`` read, of the people in ``frame_shown`` and the groups in ``frame_group``."""

PEOPLE: Final = {
    "person_id": "person_id::text",
    "child_id": "child_id::text",
    "cause_person_id": "cause_person_id::text",
    "adult": "adult",
    "subject": "subject",
    "other": "other",
}
"""The columns that hold people's ids, and how each is read as text."""


def columns(table: str, *, graded: bool) -> dict[str, str]:
    """Return the columns of a golden table that are read, each with its SQL type."""
    every = GOLDEN[table].columns
    if graded:
        return {name: kind for name, kind in every.items() if name not in _HASHES}
    return {name: every[name] for name in OPEN[table].columns.split()}


def statement(here: Looking, table: str, *, graded: bool) -> str:
    """Return the query of a golden table; without ``graded`` make ``frame_shown`` and ``frame_group`` first."""
    named = columns(table, graded=graded)
    if graded:
        return f"select {', '.join(named)} from {here.then.prefix}{table}"
    _make_shown(here)
    made = OPEN[table].made
    read = ", ".join(f"{made.get(name, f't.{name}')} as {name}" for name in named)
    return f"select {read} from {OPEN[table].source.format(p=here.then.prefix)}"


def _make_shown(here: Looking) -> None:
    """Make the tables of the people and groups that those without ``graded`` may read of."""
    connection, bound = here.connection, {"owner": here.kommune.id}
    connection.execute(text("create temporary table frame_shown (person_id uuid) on commit drop"))
    connection.execute(text("create temporary table frame_group (group_id text) on commit drop"))
    every = {views.prefix: views for views in (here.now, here.then)}.values()
    shown = " intersect ".join(f"({_shown_in(views)})" for views in every)
    connection.execute(text(f"insert into frame_shown {shown}"), bound)
    connection.execute(text("analyze frame_shown"))
    groups = f"select distinct t.group_id from {here.then.prefix}membership t {_SHOWN} where t.role = 'student'"
    connection.execute(text(f"insert into frame_group {groups}"))
    connection.execute(text("analyze frame_group"))


def _shown_in(views: Views) -> str:
    protected, covered = people.PROTECTED.format(p=views.prefix), is_covered("p.person_id")
    return _PEOPLE.format(p=views.prefix, protected=protected, covered=covered)


# The rules are those of people.hidden, for everybody at once. Whoever is here only as guardian of children who are left
# out is left out: both of protected children and of covered ones, so that neither tells.
_PEOPLE = """
with protected as ({protected}),
hidden as (
    select person_id from protected
    union
    select k.person_id from {p}kin k join protected x on x.person_id = k.other_id
),
open as materialized (
    select p.person_id
    from {p}person p
    join {p}protection x on x.person_id = p.person_id
    where not p.dead and not exists (select from hidden h where h.person_id = p.person_id)
        and not {covered}
),
here as (
    select person_id from {p}enrolment
    union
    select person_id from {p}employment
    union
    select person_id from {p}membership
    union
    select a.person_id from {p}guardian_access g
    join open c on c.person_id = g.child_id
    join open a on a.person_id::text = g.adult
)
select o.person_id from open o join here h on h.person_id = o.person_id
"""
