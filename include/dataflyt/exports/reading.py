"""What may be shown of the released golden record, as the exports read it.

The warehouse decides who and what may be shown (``warehouse.shown``). This module reads its views
``now_shown_<what>`` and nothing else: one statement for each kind of row, streamed.
"""

from collections.abc import Iterator
from datetime import date, datetime
from itertools import count, starmap
from typing import Any

from psycopg.rows import namedtuple_row, tuple_row
from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.exports.model import Access, AccountHolder, ClassMember, Group, Lesson, Membership, Owner, Person, School
from dataflyt.formats import feide
from dataflyt.identity.names import clean

_SCHOOLS = 'select unit_id, name from now_shown_unit order by unit_id collate "C"'

ACCOUNT_HOLDERS = """
select
    a.uid, p.number, p.local_number, p.fornavn, p.mellomnavn, p.etternavn, p.birth_date, p.work_email as mail,
    p.display_name, e.schools as pupil_at, e.levels, e.main as pupil_main,
    w.schools as employed_at, w.main as employed_main, w.teaches, w.affiliate,
    g.groups, f.former
from now_shown_account a
join now_shown_person p on p.person_id = a.person_id
left join (
    select person_id, array_agg(unit_id order by unit_id) as schools,
        array_agg(distinct year_level order by year_level) filter (where year_level between 1 and 10) as levels,
        max(unit_id) filter (where main) as main
    from now_shown_enrolment
    group by person_id
) e on e.person_id = a.person_id
left join (
    select person_id, array_agg(distinct unit_id order by unit_id) as schools,
        max(unit_id) filter (where main) as main, bool_or(teaches) as teaches, bool_and(affiliate) as affiliate
    from now_shown_employment
    group by person_id
) w on w.person_id = a.person_id
left join (
    select m.person_id, json_agg(
        json_build_array(g.feide_type, g.grep_code, g.unit_id, g.group_id, g.from_date, g.to_date, m.role, g.name)
        order by g.unit_id collate "C", g.group_id collate "C", m.role
    ) as groups
    from now_shown_membership m
    join now_shown_school_group g on g.group_id = m.group_id
    where g.feide_type is not null
    group by m.person_id
) g on g.person_id = a.person_id
left join (
    select person_id, array_agg(name order by name collate "C") as former from now_shown_former_name group by person_id
) f on f.person_id = a.person_id
order by a.uid collate "C"
"""

# One statement reads pupils, employees and guardians: every guardian that a pupil names is then among the people.
PEOPLE = """
select
    p.person_id::text as person_id, p.number, p.local_number, p.fornavn, p.mellomnavn, p.etternavn, p.birth_date,
    p.pupil, p.employee, a.uid, r.guardians, p.work_email as mail, k.email as private_mail, k.mobile
from now_shown_person p
left join now_shown_account a on a.person_id = p.person_id
left join (
    select child_id, array_agg(adult_id::text order by adult_id) as guardians
    from now_shown_relation
    group by child_id
) r on r.child_id = p.person_id
left join now_shown_contact k on k.person_id = p.person_id
order by p.person_id
"""

GROUPS = """
select group_id, unit_id, group_type, name, grep_code, year_level, from_date, to_date
from now_shown_school_group
order by unit_id collate "C", group_id collate "C"
"""

# Two statements: an export that reads the schools' members alone does not wait for those of the groups to be sorted.
SCHOOL_MEMBERSHIPS = """
with employed as (
    select unit_id, person_id, bool_or(teaches_here) as teaches, bool_or(main) as main, min(from_date) as from_date,
        case when bool_and(to_date is not null) then max(to_date) end as to_date,
        case when bool_and(teacher_subrole is not null) and min(teacher_subrole) = max(teacher_subrole)
            then min(teacher_subrole) end as teacher_subrole,
        case when min(staff) = max(staff) then min(staff) end as staff
    from now_shown_employment
    cross join lateral (
        select case when coalesce(staff_role, subrole) is not null
            then coalesce(staff_role, '04') || ' ' || coalesce(subrole, '') end as staff
    ) as s
    group by unit_id, person_id
),
part as (
    select unit_id as target, person_id, '01' as role, main, from_date, to_date, null as subrole
    from now_shown_enrolment
    union all
    select unit_id, person_id, '02', main, from_date, to_date, teacher_subrole
    from employed
    where teaches
    union all
    select unit_id, person_id, coalesce(left(staff, 2), '04'), main, from_date, to_date, nullif(substr(staff, 4), '')
    from employed
    where not teaches or staff is not null
)
select true as of_school, target, person_id::text, role, main, from_date, to_date, subrole
from part
order by target collate "C", person_id, role
"""
GROUP_MEMBERSHIPS = """
with part as (
    select group_id as target, person_id,
        case when role = 'student' then '01' when contact_teacher then '06' when role = 'faculty' then '02'
            else coalesce(staff_role, '04') end as role,
        subrole
    from now_shown_membership
)
select false as of_school, target, person_id::text, role, null as main, null as from_date, null as to_date, subrole
from part
order by target collate "C", person_id, role
"""

_ACCESSES = """
select
    c.person_id::text as child_id, c.number as child_number, c.local_number as child_local_number,
    p.person_id::text as guardian_id, p.number as guardian_number, p.fornavn, p.mellomnavn, p.etternavn,
    r.basis, e.message, e.notice, e.reason, k.email, k.mobile
from now_shown_relation r
join now_shown_person c on c.person_id = r.child_id
join now_shown_person p on p.person_id = r.adult_id
join now_shown_envelope e on e.person_id = r.adult_id
left join now_shown_contact k on k.person_id = r.adult_id
order by r.child_id, r.adult_id
"""

_CLASS_MEMBERS = """
select
    g.unit_id, u.name as school, g.group_id, g.name, coalesce(e.year_level, g.year_level) as year_level,
    g.from_date, g.to_date, p.person_id::text as person_id, p.fornavn, p.mellomnavn, p.etternavn
from now_shown_membership m
join now_shown_school_group g on g.group_id = m.group_id
join now_shown_unit u on u.unit_id = g.unit_id
join now_shown_person p on p.person_id = m.person_id
left join (
    select person_id, unit_id, max(year_level) as year_level from now_shown_enrolment group by person_id, unit_id
) e on e.person_id = m.person_id and e.unit_id = g.unit_id
where g.group_type = 'basisgruppe' and m.role = 'student'
order by g.unit_id collate "C", coalesce(e.year_level, g.year_level), g.name collate "C", g.group_id collate "C",
    p.etternavn collate "C", p.fornavn collate "C", p.mellomnavn collate "C", p.person_id
"""

_LESSONS = """
select
    g.unit_id as orgnr, u.name as school, l.group_id, g.name as "group",
    greatest(g.from_date, date '1996-04-01') as from_date, least(g.to_date, date '2100-12-31') as to_date,
    l.token, l.weekday, l.starts, l.ends, l.room
from now_shown_lesson l
join now_shown_school_group g on g.group_id = l.group_id
join now_shown_unit u on u.unit_id = g.unit_id
where g.from_date is not null and g.to_date is not null
order by g.unit_id collate "C", l.group_id collate "C", l.weekday, l.starts collate "C", l.ends collate "C",
    l.room collate "C"
"""
_LESSONS_OF_ALL = _LESSONS.replace("now_shown_lesson ", "now_shown_lesson_of_all ")


_MEMBERSHIPS_AT_ONCE = 5000


class ShownViews:
    """A ``Shown`` that reads the warehouse. The views ``now_shown_<what>`` must be there on the connection.

    ``realm`` is the released run's; without it, the kommune file's.
    """

    def __init__(self, connection: Connection, kommune: Kommune, as_of: datetime, realm: str | None = None) -> None:
        self._connection = connection
        self._kommune = kommune
        self._as_of = as_of
        self._realm = realm or kommune.feide.realm
        self._cursors = count()
        # Every row will be read: PostgreSQL would otherwise plan a cursor for its first tenth.
        connection.execute(text("set local cursor_tuple_fraction = 1"))

    def as_of(self) -> datetime:
        """Return the moment that the released run describes."""
        return self._as_of

    def owner(self) -> Owner:
        """Return the school owner."""
        kommune = self._kommune
        return Owner(realm=self._realm, orgnr=kommune.orgnr, name=f"{kommune.name} kommune", mail=kommune.feide.mail)

    def schools(self) -> Iterator[School]:
        """Yield the schools by organisation number."""
        for unit_id, name in self._connection.execute(text(_SCHOOLS)):
            yield School(orgnr=unit_id, name=clean(name or unit_id), mail=self._kommune.feide.mail)

    def extras(self, export: str) -> frozenset[str]:
        """Return what the kommune's file lets this export hold."""
        return frozenset(self._kommune.export_extras.get(export, ()))

    def receivers(self, export: str) -> tuple[str, ...]:
        """Return the names of those who get this export's file with contact details, or whatever it holds."""
        return self._kommune.receivers(export, contact=True)

    def account_holders(self) -> Iterator[AccountHolder]:
        """Yield the pupils and employees with a user name, by user name."""
        for row in self._streamed(ACCOUNT_HOLDERS):
            yield _account_holder(row, self._realm)

    def people(self) -> Iterator[Person]:
        """Yield pupils, employees at schools, and people with access to a pupil, by the warehouse's id."""
        for row in self._streamed(PEOPLE):
            yield _person(row)

    def groups(self) -> Iterator[Group]:
        """Yield the groups by school and id."""
        for row in self._streamed(GROUPS):
            yield Group._make(row)

    def memberships(self) -> Iterator[Membership]:
        """Yield the memberships of schools, then those of groups."""
        yield from self.school_memberships()
        yield from self.group_memberships()

    def school_memberships(self) -> Iterator[Membership]:
        """Yield the memberships of schools."""
        return self._memberships(SCHOOL_MEMBERSHIPS)

    def group_memberships(self) -> Iterator[Membership]:
        """Yield the memberships of groups."""
        return self._memberships(GROUP_MEMBERSHIPS)

    def _memberships(self, statement: str) -> Iterator[Membership]:
        return starmap(Membership, self._streamed(statement, _MEMBERSHIPS_AT_ONCE, tuple_row))

    def accesses(self, export: str) -> Iterator[Access]:
        """Yield who has access to whom, by child and guardian; with contact only if the kommune's file gives it."""
        contact = "contact" in self.extras(export)
        for row in self._streamed(_ACCESSES):
            given, family, _ = _names(row)
            yield Access(
                child_id=row.child_id,
                child_number=row.child_number,
                child_local_number=row.child_local_number,
                guardian_id=row.guardian_id,
                guardian_number=row.guardian_number,
                given_names=given,
                family_name=family,
                basis=row.basis,
                message=row.message,
                notice=row.notice,
                reason=row.reason,
                mail=row.email if contact else None,
                mobile=row.mobile if contact else None,
            )

    def class_members(self) -> Iterator[ClassMember]:
        """Yield the pupils of the classes by school, year level, class and name."""
        for row in self._streamed(_CLASS_MEMBERS):
            given, family, _ = _names(row)
            yield ClassMember(
                orgnr=row.unit_id,
                school=clean(row.school or row.unit_id),
                group_id=row.group_id,
                group=clean(row.name or row.group_id),
                year_level=row.year_level,
                from_date=row.from_date,
                to_date=row.to_date,
                person_id=row.person_id,
                given_names=given,
                family_name=family,
            )

    def lessons(self) -> Iterator[Lesson]:
        """Yield the lessons by school, group, weekday and time, of groups whose calendar may be shown."""
        all_groups = self._kommune.calendars_of_all_decided is not None
        for row in self._streamed(_LESSONS_OF_ALL if all_groups else _LESSONS):
            yield Lesson._make(row)._replace(
                school=clean(row.school or row.orgnr), group=clean(row.group or "") or row.group_id
            )

    def _streamed(self, statement: str, at_once: int = 1000, row_factory: Any = namedtuple_row) -> Iterator[Any]:
        # There are a million memberships: the driver's own rows take half the time of SQLAlchemy's. An export may stop
        # reading midway. The views cannot be dropped while a cursor on them is open.
        driver: Any = self._connection.connection.driver_connection
        with driver.cursor(f"shown_{next(self._cursors)}", row_factory=row_factory) as cursor:
            cursor.execute(statement)
            while rows := cursor.fetchmany(at_once):
                yield from rows


def _names(row: Any) -> tuple[str, str, str]:
    """Return given names, family name and both together."""
    given = clean(" ".join(part for part in (row.fornavn, row.mellomnavn) if part))
    family = clean(row.etternavn or "")
    return given, family, " ".join(part for part in (given, family) if part)


def _person(row: Any) -> Person:
    given, family, full = _names(row)
    return Person(
        person_id=row.person_id,
        given_names=given,
        family_name=family,
        legal_name=full,
        is_pupil=row.pupil,
        is_employee=row.employee,
        number=row.number,
        local_number=row.local_number,
        uid=row.uid,
        birth_date=row.birth_date,
        guardians=tuple(row.guardians or ()),
        mail=row.mail,
        private_mail=row.private_mail,
        mobile=row.mobile,
    )


def _account_holder(row: Any, realm: str) -> AccountHolder:
    given, family, full = _names(row)
    pupil, employed = row.pupil_at or [], row.employed_at or []
    affiliations: list[str] = []
    if pupil:
        affiliations.append("student")
    if employed and row.affiliate:  # a student teacher is not employed, and no member of the organisation by that
        affiliations.append("affiliate")
    elif employed:
        affiliations += ["faculty" if row.teaches else "staff", "employee"]
    if affiliations != ["affiliate"]:
        affiliations.append("member")
    return AccountHolder(
        uid=row.uid,
        given_names=given or family,
        family_name=family or given,
        legal_name=full,
        display_name=clean(row.display_name or "") or full,
        number=row.number,
        local_number=row.local_number,
        employee_number=None,
        birth_date=row.birth_date,
        affiliations=tuple(affiliations),
        schools=tuple(dict.fromkeys([*pupil, *employed])),
        primary_school=row.employed_main or row.pupil_main,
        year_levels=tuple(row.levels or ()),
        groups=tuple(_feide_group(*group) for group in row.groups or ()),
        mail=row.mail,
        mobile=None,
        # The realm may have been changed back.
        former_names=tuple(name for name in row.former or () if name != f"{row.uid}@{realm}".lower()),
    )


def _feide_group(
    kind: Any, grep: str | None, unit: str, local_id: str, begin: str, end: str, role: str, name: str
) -> feide.Group:
    return feide.Group(
        type=kind,
        grep=grep,
        orgnr=unit,
        local_id=local_id,
        from_date=date.fromisoformat(begin),
        to_date=date.fromisoformat(end),
        # A person who is not a pupil is faculty, as in FINTLabs' vigobas-pifu-ist, a BAS.
        role="student" if role == "student" else "faculty",
        name=name,
    )
