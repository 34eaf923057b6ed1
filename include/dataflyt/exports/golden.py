"""The released golden record, under the vetoes, as the exports read it.

Left out: whoever is strengtFortrolig or held back, the dead, people without a name, and accounts that are not active.
Of those who are fortrolig no e-mail and no phone leaves. Everything is streamed, one statement a kind of row.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from dataflyt.exports import pifu
from dataflyt.exports.feide_ldif import Owner, Person, School
from dataflyt.feide import Group
from dataflyt.identity.names import clean
from dataflyt.kommune import Kommune

# Who may be shown at all, as what, and how protected: the one place where exports leave people out.
_SHOWN = """
shown as (
    select p.*, coalesce(x.level, 0) as level
    from now_person p
    left join now_protection x on x.person_id = p.person_id
    where not p.dead
        and coalesce(x.level, 0) < 3
        and not coalesce(x.held_back, false)
        and coalesce(p.fornavn, p.etternavn) is not null
)
"""

_PEOPLE = f"""
with {_SHOWN}
select
    a.uid, a.role, p.number, p.local_number, p.fornavn, p.mellomnavn, p.etternavn, p.birth_date,
    case when p.level < 2 then p.work_email end as mail,
    e.schools as pupil_at, e.levels, e.main as pupil_main,
    w.schools as employed_at, w.main as employed_main, t.person_id is not null as teaches,
    g.groups
from now_account a
join shown p on p.person_id = a.person_id
left join (
    select e.person_id, array_agg(e.unit_id order by e.unit_id) as schools,
        array_agg(distinct e.year_level order by e.year_level) filter (where e.year_level between 1 and 10) as levels,
        max(e.unit_id) filter (where e.main) as main
    from now_enrolment e join now_unit u on u.unit_id = e.unit_id and u.kind = 'school'
    group by e.person_id
) e on e.person_id = a.person_id
left join (
    select w.person_id, array_agg(distinct w.unit_id order by w.unit_id) as schools,
        max(w.unit_id) filter (where w.main) as main
    from now_employment w join now_unit u on u.unit_id = w.unit_id and u.kind = 'school'
    group by w.person_id
) w on w.person_id = a.person_id
left join (select distinct person_id from now_membership where role = 'faculty') t on t.person_id = a.person_id
left join (
    select m.person_id, json_agg(
        json_build_array(g.feide_type, g.grep_code, g.unit_id, g.group_id, g.from_date, g.to_date, m.role, g.name)
        order by g.unit_id collate "C", g.group_id collate "C", m.role
    ) as groups
    from now_membership m
    join now_grp g on g.group_id = m.group_id
    join now_unit u on u.unit_id = g.unit_id and u.kind = 'school'
    where g.feide_type is not null
    group by m.person_id
) g on g.person_id = a.person_id
where a.state = 'active' and (e.schools is not null or w.schools is not null)
order by a.uid collate "C"
"""

_SCHOOL = """
school as (
    select unit_id from now_unit where kind = 'school'
),
pupil as (
    select distinct e.person_id from now_enrolment e join school using (unit_id) join shown using (person_id)
),
employee as (
    select distinct w.person_id from now_employment w join school using (unit_id) join shown using (person_id)
)
"""

# One statement for pupils, employees and guardians, so that nobody is named who is not there. A relation needs an
# active access under the vetoes, a pupil and an adult who both may be shown, and an adult with a number. A guardian's
# own contact: fresh, per channel; not of who is fortrolig, nor of who is guardian of a pupil that is (a number can be
# looked up, and lead to the pupil's address), nor of who stands here as employee or pupil too.
_PEOPLE_AND_GUARDIANS = f"""
with {_SHOWN}, {_SCHOOL},
relation as (
    select c.person_id as child_id, g.person_id as adult_id, greatest(c.level, g.level) as level
    from now_guardian_access a
    join pupil on pupil.person_id = a.child_id
    join shown c on c.person_id = a.child_id
    join shown g on g.person_id::text = a.adult
    where a.state = 'active' and a.adult_kind = 'person' and g.number is not null and g.person_id <> c.person_id
),
guardian as (
    select r.adult_id as person_id, max(r.level) as level from relation r group by r.adult_id
)
select
    p.person_id::text as person_id, p.number, p.local_number, p.fornavn, p.mellomnavn, p.etternavn, p.birth_date,
    u.person_id is not null as is_pupil, w.person_id is not null as is_employee, a.uid, r.guardians,
    case when p.level < 2 then p.work_email end as mail,
    e.value as private_mail, m.value as mobile
from shown p
left join pupil u on u.person_id = p.person_id
left join employee w on w.person_id = p.person_id
left join guardian g on g.person_id = p.person_id
left join now_account a on a.person_id = p.person_id and a.state = 'active'
left join (
    select child_id, array_agg(adult_id::text order by adult_id) as guardians from relation group by child_id
) r on r.child_id = p.person_id
left join now_contact k
    on k.person_id = p.person_id and g.level < 2 and u.person_id is null and w.person_id is null
left join control.contact_value e on e.owner = :owner and k.email_fresh and e.hash = k.email_hash
left join control.contact_value m on m.owner = :owner and k.mobile_fresh and m.hash = k.mobile_hash
where u.person_id is not null or w.person_id is not null or g.person_id is not null
order by p.person_id
"""

# A group stands there when a pupil who is shown is in it: the name of a group for one can tell of that one.
_GROUP = """
shown_group as (
    select g.* from now_grp g join school using (unit_id)
    where g.group_type = any(:kinds) and exists (
        select from now_membership m join pupil using (person_id) where m.group_id = g.group_id and m.role = 'student'
    )
)
"""

_GROUPS = f"""
with {_SHOWN}, {_SCHOOL}, {_GROUP}
select
    group_id, unit_id, group_type, name, case when feide_type = 'u' then grep_code end, year_level, from_date, to_date
from shown_group
order by unit_id collate "C", group_id collate "C"
"""

# Members are pupils as pupils and employees as employees: whoever else the school system has in a group (a guardian in
# the parents' committee, a substitute whom HR does not know) is not shown in it.
_MEMBERSHIPS = f"""
with {_SHOWN}, {_SCHOOL}, {_GROUP},
teacher as (
    select distinct m.person_id, g.unit_id
    from now_membership m join now_grp g using (group_id) where m.role = 'faculty'
),
part as (
    select true as of_school, e.unit_id as target, e.person_id, '01' as role, e.main, e.from_date, e.to_date
    from now_enrolment e join school using (unit_id) join pupil using (person_id)
    union all
    select true, w.unit_id, w.person_id, case when bool_or(t.person_id is not null) then '02' else '04' end,
        bool_or(w.main), min(w.from_date), case when bool_and(w.to_date is not null) then max(w.to_date) end
    from now_employment w join school using (unit_id) join employee using (person_id)
    left join teacher t on t.person_id = w.person_id and t.unit_id = w.unit_id
    group by w.unit_id, w.person_id
    union all
    select false, m.group_id, m.person_id,
        case when m.role = 'student' then '01' when m.contact_teacher then '06' when m.role = 'faculty' then '02'
            else '04' end,
        null, null, null
    from now_membership m join shown_group using (group_id)
    where m.person_id in (select person_id from pupil) and m.role = 'student'
        or m.person_id in (select person_id from employee) and m.role <> 'student'
)
select of_school, target, person_id::text, role, main, from_date, to_date
from part
order by of_school desc, target collate "C", person_id, role
"""


class Golden:
    """What an export may know of a kommune. The views ``now_<table>`` must stand on the connection."""

    def __init__(self, connection: Connection, kommune: Kommune, as_of: datetime) -> None:
        self._connection = connection
        self._kommune = kommune
        self._as_of = as_of

    def as_of(self) -> datetime:
        """Return the moment that the released run speaks of."""
        return self._as_of

    def owner(self) -> Owner:
        """Return the school owner."""
        kommune = self._kommune
        return Owner(
            realm=kommune.feide.realm, orgnr=kommune.orgnr, name=f"{kommune.name} kommune", mail=kommune.feide.mail
        )

    def schools(self) -> Iterator[School]:
        """Yield the schools by organisation number."""
        found = self._connection.execute(
            text("select unit_id, name from now_unit where kind = 'school' order by unit_id collate \"C\"")
        )
        for unit_id, name in found:
            yield School(orgnr=unit_id, name=clean(name or unit_id), mail=self._kommune.feide.mail)

    def people(self) -> Iterator[Person]:
        """Yield everybody who is to be in the directory, by user name."""
        for row in self._streamed(_PEOPLE):
            yield _person(row)

    def people_and_guardians(self) -> Iterator[pifu.Person]:
        """Yield pupils, employees at schools, and those with access to one of the pupils, by the warehouse's id."""
        for row in self._streamed(_PEOPLE_AND_GUARDIANS, owner=self._kommune.id):
            yield _person_or_guardian(row)

    def groups(self) -> Iterator[pifu.Group]:
        """Yield the groups with pupils, by school and id."""
        for row in self._streamed(_GROUPS, kinds=list(pifu.KINDS)):
            yield pifu.Group._make(row)

    def memberships(self) -> Iterator[pifu.Membership]:
        """Yield who is at which school and in which group, schools first."""
        for row in self._streamed(_MEMBERSHIPS, kinds=list(pifu.KINDS)):
            yield pifu.Membership._make(row)

    def _streamed(self, statement: str, **bound: object) -> Iterator[Row[Any]]:
        yield from self._connection.execute(text(statement), bound, execution_options={"yield_per": 1000})


def _names(row: Row[Any]) -> tuple[str, str, str]:
    """Return given names, family name and both together."""
    given = clean(" ".join(part for part in (row.fornavn, row.mellomnavn) if part))
    family = clean(row.etternavn or "")
    return given, family, " ".join(part for part in (given, family) if part)


def _person_or_guardian(row: Row[Any]) -> pifu.Person:
    given, family, full = _names(row)
    only_guardian = not (row.is_pupil or row.is_employee)
    return pifu.Person(
        person_id=row.person_id,
        given_names=given,
        family_name=family,
        legal_name=full,
        is_pupil=row.is_pupil,
        is_employee=row.is_employee,
        number=row.number,
        local_number=None if only_guardian else row.local_number,
        uid=None if only_guardian else row.uid,
        birth_date=None if only_guardian else row.birth_date,
        guardians=tuple(row.guardians or ()),
        mail=row.mail if row.is_employee else None,
        private_mail=row.private_mail,
        mobile=row.mobile,
    )


def _person(row: Row[Any]) -> Person:
    given, family, full = _names(row)
    pupil, employed = row.pupil_at or [], row.employed_at or []
    affiliations: list[str] = []
    if pupil:
        affiliations.append("student")
    if employed:
        affiliations += ["faculty" if row.teaches else "staff", "employee"]
    return Person(
        uid=row.uid,
        given_names=given or family,
        family_name=family or given,
        legal_name=full,
        display_name=full,
        number=row.number,
        local_number=row.local_number,
        employee_number=None,
        birth_date=row.birth_date,
        affiliations=(*affiliations, "member"),
        schools=tuple(dict.fromkeys([*pupil, *employed])),
        primary_school=row.employed_main or row.pupil_main,
        year_levels=tuple(row.levels or ()),
        groups=tuple(_group(*group) for group in row.groups or ()),
        mail=row.mail,
        mobile=None,
    )


def _group(kind: Any, grep: str | None, unit: str, local_id: str, begin: str, end: str, role: str, name: str) -> Group:
    return Group(
        type=kind,
        grep=grep if kind == "u" else None,
        orgnr=unit,
        local_id=local_id,
        from_date=date.fromisoformat(begin),
        to_date=date.fromisoformat(end),
        # A BAS writes everybody but pupils as faculty (FINTLabs' vigobas-pifu-ist does).
        role="student" if role == "student" else "faculty",
        name=name,
    )
