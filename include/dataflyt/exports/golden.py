"""The released golden record, under the vetoes, as the exports read it.

Left out: whoever is strengtFortrolig or held back, the dead, and accounts that are not active. Of those who are
fortrolig no e-mail and no phone leaves. People are streamed from the database in the order of their user names.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import Connection, Row, text

from dataflyt.exports.feide_ldif import Owner, Person, School
from dataflyt.feide import Group
from dataflyt.identity.names import clean
from dataflyt.kommune import Kommune

_PEOPLE = """
select
    a.uid, a.role, p.number, p.local_number, p.fornavn, p.mellomnavn, p.etternavn, p.birth_date,
    case when coalesce(x.level, 0) < 2 then p.work_email end as mail,
    e.schools as pupil_at, e.levels, e.main as pupil_main,
    w.schools as employed_at, w.main as employed_main, t.person_id is not null as teaches,
    g.groups
from now_account a
join now_person p on p.person_id = a.person_id
left join now_protection x on x.person_id = a.person_id
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
where a.state = 'active'
    and not p.dead
    and coalesce(x.level, 0) < 3
    and not coalesce(x.held_back, false)
    and coalesce(p.fornavn, p.etternavn) is not null
    and (e.schools is not null or w.schools is not null)
order by a.uid collate "C"
"""


class Golden:
    """What an export may know of a kommune. The views ``now_<table>`` must stand on the connection."""

    def __init__(self, connection: Connection, kommune: Kommune) -> None:
        self._connection = connection
        self._kommune = kommune

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
        found = self._connection.execute(text(_PEOPLE), execution_options={"yield_per": 1000})
        for row in found:
            yield _person(row)


def _person(row: Row[Any]) -> Person:
    given = clean(" ".join(part for part in (row.fornavn, row.mellomnavn) if part))
    family = clean(row.etternavn or "")
    full = " ".join(part for part in (given, family) if part)
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
