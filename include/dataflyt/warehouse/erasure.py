"""Erasing people from the warehouse: whom, and from which tables.

A person may be erased who has left everything: in no open row of the golden record, of the school system, of HR or of
FREG's residents, by the newest run and by the run that is published. Somebody about whom a decision is in force stays,
and so does somebody whose protection protects another who is here. A pupil's siblings at home stay, protected or not.

Erasing goes before "any past run can be asked": the rows go from every run. Vetoes stay, since they hold no name: they
are about a person id, which is a keyed hash. So do the times in published files, for a notice about a breach.
``control.erased_id`` keeps the hashes by which the person is known again.
A user name stays as a keyed hash, so that nobody else gets it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.storage.database import OWN_KEY, copied
from dataflyt.warehouse import rules, vetoed_views

IDENTIFIERS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "freg_person": (("number", "foedselsellerdnummer"), ("number", "oppslag")),
    "freg_ubesvart": (("number", "oppslag"),),
    "freg_identifikasjonsnummer": (("number", "foedselsellerdnummer"), ("number", "identifikasjonsnummer")),
    "freg_navn": (("number", "foedselsellerdnummer"),),
    "freg_bostedsadresse": (("number", "foedselsellerdnummer"),),
    "freg_annenAdresse": (("number", "foedselsellerdnummer"),),
    "freg_adressebeskyttelse": (("number", "foedselsellerdnummer"),),
    "freg_foreldreansvar": (
        ("number", "foedselsellerdnummer"),
        ("number", "ansvarlig"),
        ("number", "ansvarssubjekt"),
    ),
    "freg_familierelasjon": (("number", "foedselsellerdnummer"), ("number", "relatertperson")),
    "freg_resident": (("number", "foedselsellerdnummer"), ("number", "oppslag")),
    "krr_contact": (("number", "personidentifikator"),),
    "hr_employee": (("hr", "employee_id"), ("number", "number")),
    "hr_employment": (("hr", "employee_id"),),
    "hr_protection": (("hr", "employee_id"),),
    "sas_person": (("sas", "person_id"), ("number", "number")),
    "sas_membership": (("sas", "person_id"),),
    "sas_guardian": (("sas", "child_id"), ("sas", "guardian_id")),
}
"""The columns of history that hold an identifier of a person, each with the identifier's scheme.

A row of ``history`` is erased when any of these is the person's at the time of the row. ``sas_person.old_person_id`` is
not among them: it stands in the row of the person who has the id now.
"""

GOLDEN_PEOPLE: Final[Mapping[str, tuple[str, ...]]] = {
    "person": ("person_id",),
    "membership": ("person_id",),
    "enrolment": ("person_id",),
    "employment": ("person_id",),
    "guardian_access": ("child_id", "adult"),
    "access_by_grant": ("child_id", "adult"),
    "protection": ("person_id",),
    "contact": ("person_id",),
    "account": ("person_id",),
    "work_item": ("subject", "other"),
    "person_link": ("person_id",),
    "overridden": ("person_id",),
}
"""The columns of the golden record that hold a person's id."""

KEPT: Final[Mapping[str, str]] = {
    "golden.unit": "skoler, ikke personer",
    "golden.school_year": "skoleår, ikke personer",
    "history.freg_ukjentFelt": "navn på felt, ikke personer",
    "history.hr_org_unit": "enheter; lederens id tas bort",
    "history.sas_school": "skoler, ikke personer",
    "control.owner": "kommunens nøkkel",
    "control.run": "kjøringene og antallene deres",
    "control.staged": "antall rader",
    "control.veto": "det som beskytter, uten navn: gjelder igjen når personen kommer tilbake",
    "control.lift": "nummer på vetoer",
    "control.identity_change": "id-er uten navn: beskyttelsen følger personen",
    "control.access_grant": "vedtak, fem år etter at de er avsluttet",
    "control.consent": "vedtak, fem år etter at de er avsluttet",
    "control.access_block": "vedtak, fem år etter at de er avsluttet",
    "control.override": "vedtak, fem år etter at de er avsluttet",
    "control.publishable": "vedtak, fem år etter at de er avsluttet",
    "control.manual_person": "vedtak med navn, fem år etter at de er avsluttet",
    "control.row_decision": "vedtak, fem år etter at de er avsluttet",
    "control.work_taken": "nøkkelhash av en sak på arbeidslisten og hvem som har tatt den, fem år etter slutt",
    "control.veto_decision": "vedtak, fem år etter at de er avsluttet",
    "control.link": "vedtak om hvem som er samme person, uten navn: beskyttelsen følger personen",
    "control.undo": "vedtak om å angre en kjøring, ikke personer",
    "control.undone_hold": "id-er uten navn: holder tilbake til en kjøring er frigitt",
    "control.taken_decision": "hvilken kommune et vedtak kom fra, ikke personer",
    "control.check_result": "antall, ikke personer",
    "control.proposal": "forslag til vedtak, fem år etter svaret",
    "control.approval": "svar på planer, fem år",
    "control.audit": "innsynsloggen, fem år",
    "control.erasure": "vedtak om sletting, fem år, uten navn",
    "control.erased_id": "nøkkelhash som kjenner igjen den som kommer tilbake, fem år",
    "control.publication": "navn på utgaver, ikke personer",
    "control.delivery": "hva hver mottaker sist fikk, ikke personer",
    "control.disclosure": "hvilke filer en id uten navn var i, fem år: til et varsel om avvik",
    "events.key": "installasjonens nøkkel",
    "events.pointer": "hvor langt hendelseslisten er lest",
}
"""Every table of the warehouse that an erasure leaves as it is, and why, as the privacy record shows it."""

ERASED: Final = (
    *(f"history.{table}" for table in (*IDENTIFIERS, "sas_group", "sas_timetable")),
    *(f"golden.{table}" for table in (*GOLDEN_PEOPLE, "school_group", "lesson")),
    *(f"control.{table}" for table in ("quarantine", "account_name", "contact_value", "former_name")),
    "control.taken_link",
    *(f"control.{table}" for table in ("directory_entry", "directory_name")),
    *("events.route", "events.waiting"),
)
"""Every table that an erasure deletes rows of. A test holds the two lists against the database."""


@dataclass(frozen=True)
class Stays:
    """Why somebody is not erased: ``here``, ``decided`` or ``protects``. The words are in ``WHY``."""

    person_id: UUID
    why: str


WHY: Final = {
    "here": "er i skolesystemet, HR, Folkeregisterets svar om dem som bor her, eller har et barn her nå",
    "decided": "har et vedtak som gjelder (sperring, tilgang, overstyring eller forslag): avslutt det først",
    "protects": "har en sammenheng med noen som er her nå, som gjør at opplysningene må stå",
}


def find_stays(connection: Connection, owner: str, *, read: int, today: date) -> None:
    """Fill the temporary table ``stays (person_id, why)``: everybody who must not be erased.

    ``read`` is the oldest run that is still read: of the released run and the published run. What a waiting run would
    bring or end counts as being here.
    """
    # The views of the newest released run: their kin are those that have been one with a person.
    vetoed_views.views(connection, owner, read, "erasing_")
    rules.script(connection, ["drop table if exists pg_temp.stays", "drop table if exists pg_temp.is_here"])
    bound = {"owner": owner, "read": read, "released": read, "today": today}
    connection.execute(text(f"create temporary table is_here on commit drop as {_HERE}"), bound)
    connection.execute(text("analyze is_here"))
    connection.execute(text(f"create temporary table stays on commit drop as {_STAYS}"), bound)
    connection.execute(text("analyze stays"))


_OPEN = "(x.to_run is null or x.to_run > :read)"
_LINKED = (
    "select l.person_id from golden.person_link l join {table} x on l.scheme = '{scheme}' and l.value = x.{column} "
    "and l.owner = :owner and (l.to_run is null or l.to_run > :read) where x.owner = :owner and " + _OPEN
)
_HERE = " union ".join(
    (
        f"select x.person_id from golden.person x where x.owner = :owner and {_OPEN}",
        *(
            _LINKED.format(table=f"history.{table}", scheme=scheme, column=column)
            for table in ("sas_person", "sas_guardian", "hr_employee", "freg_resident")
            for scheme, column in IDENTIFIERS[table]
        ),
    )
)
_CHILDREN_HERE = " union ".join(
    (
        f"select x.person_id from golden.enrolment x where x.owner = :owner and {_OPEN}",
        *(
            _LINKED.format(table="history.freg_resident", scheme=scheme, column=column)
            for scheme, column in IDENTIFIERS["freg_resident"]
        ),
    )
)
_DECIDED = """
select child_id as person_id from control.access_block where owner = :owner and lifted_at is null
union select control.as_uuid(adult) from control.access_block where owner = :owner and lifted_at is null
union select child_id from control.access_grant
    where owner = :owner and withdrawn_at is null and coalesce(until, 'infinity') >= :today
union select control.as_uuid(adult) from control.access_grant
    where owner = :owner and withdrawn_at is null and coalesce(until, 'infinity') >= :today
union select person_id from control.override where owner = :owner and ended_at is null
union select person_id from control.publishable where owner = :owner and ended_at is null
union select stands_for from control.manual_person where owner = :owner and ended_at is null
union select v.person_id from control.veto_decision d join control.veto v on v.owner = d.owner and v.veto = d.veto
    where d.owner = :owner and d.said in ('held_back', 'kept') and v.lifted_at is null
union select control.as_uuid(m.found[1])
    from control.proposal p cross join regexp_matches(p.said, '[0-9a-f]{8}-[0-9a-f-]{27}', 'g') as m (found)
    where p.owner = :owner and p.answer is null and p.kind <> 'erase'
"""
_STAYS = f"""
select person_id, min(why collate "C") as why from (
    select person_id, '1 here' as why from is_here
    union all select person_id, '2 decided' from ({_DECIDED}) as d where person_id is not null
    -- Two who have been one, or whose ids have changed hands, may be the same person.
    union all select k.other_id, '3 protects' from erasing_kin k join is_here h on h.person_id = k.person_id
    union all select x.cause_person_id, '3 protects' from golden.protection x
        join is_here h on h.person_id = x.person_id where x.owner = :owner and {_OPEN}
    union all select v.cause_person_id, '3 protects' from control.veto v
        join is_here h on h.person_id = v.person_id where v.owner = :owner and v.lifted_at is null
    -- Of a pupil, or of a child who lives here. FREG is asked about nobody for the sake of an employee or a guardian,
    -- and what it once told of two siblings would hold for ever.
    union all select s.person_id, '3 protects' from ({rules.sql("asked/siblings")}) as s
        where s.other_id in ({_CHILDREN_HERE})
) as reasons
where person_id is not null
group by person_id
"""


def why_stays(connection: Connection, person_id: UUID) -> str | None:
    """Return why somebody must stay (a key of ``WHY``); None when they may be erased. Needs ``find_stays``."""
    found = connection.scalar(text("select why from stays where person_id = :person"), {"person": person_id})
    return str(found)[2:] if found else None


def departed(
    connection: Connection, owner: str, *, read: int, today: date, days: int, before: Mapping[UUID, datetime]
) -> list[UUID]:
    """Return the people who left everything at least ``days`` days ago, counted in Norway's days.

    ``before`` are people who have been erased, and when: whom a restored backup has brought back leaves again at once.
    """
    find_stays(connection, owner, read=read, today=today)
    copied(connection, "erased_before", "person_id uuid, at timestamptz", list(before.items()))
    found = connection.execute(text(_DEPARTED), {"owner": owner, "today": today, "days": days})
    return list(found.scalars())


_DEPARTED = """
with seen as (
    select person_id, from_run as run from golden.person_link where owner = :owner
    union all
    select person_id, to_run from golden.person where owner = :owner and to_run is not null
    union all
    select l.person_id, x.to_run from golden.person_link l
    join history.sas_person x on l.scheme = 'sas' and l.value = x.person_id and x.to_run is not null
        and x.to_run > l.from_run and x.from_run < coalesce(l.to_run, 9223372036854775807)
    where l.owner = :owner and x.owner = :owner
    union all
    select l.person_id, x.to_run from golden.person_link l
    join history.hr_employee x on l.scheme = 'hr' and l.value = x.employee_id and x.to_run is not null
        and x.to_run > l.from_run and x.from_run < coalesce(l.to_run, 9223372036854775807)
    where l.owner = :owner and x.owner = :owner
    union all
    select l.person_id, x.to_run from golden.person_link l
    join history.freg_resident x on l.scheme = 'number' and l.value = x.subject and x.to_run is not null
    where l.owner = :owner and x.owner = :owner
),
left_everything as (
    select s.person_id, max(r.as_of) as at
    from seen s join control.run r on r.owner = :owner and r.run = s.run
    where s.person_id not in (select person_id from stays)
    group by s.person_id
)
select e.person_id
from left_everything e
left join erased_before b on b.person_id = e.person_id
where (e.at at time zone 'Europe/Oslo')::date + :days <= :today or e.at <= b.at
order by e.person_id
"""


def erase(connection: Connection, owner: str, people: Iterable[UUID]) -> int:
    """Delete everything about people from every table of ``ERASED``; return how many of them were not protected.

    The protected are not counted: their number would be the difference from those who are known to have left. The
    caller has made sure that all may be erased (``find_stays``), and holds the kommune's lock. Repeating it does
    nothing. Files are erased by the caller.
    """
    people = list(people)
    copied(connection, "leaving", "person_id uuid", [(person,) for person in people])
    rules.script(connection, ["analyze leaving", "drop table if exists pg_temp.leaving_id"])
    bound = {"owner": owner}
    plain = int(connection.scalar(text(_PLAIN), bound) or 0)
    connection.execute(text(f"create temporary table leaving_id on commit drop as {_IDS}"), bound)
    connection.execute(text("analyze leaving_id"))
    for statement in (_KEEP_IDS, *_NAMES, _ROUTES, _WAITING, _QUARANTINE):
        connection.execute(text(statement), bound)
    for table, columns in IDENTIFIERS.items():
        for scheme, column in columns:
            connection.execute(text(_HISTORY.format(table=table, column=column)), bound | {"scheme": scheme})
    connection.execute(text(_MANAGERS), bound)
    for table, names in GOLDEN_PEOPLE.items():
        for name in names:
            connection.execute(
                text(f"delete from golden.{table} x where owner = :owner and x.{name}::text in ({_LEAVING})"), bound
            )
    connection.execute(text(f"delete from golden.work_item where owner = :owner and {_ITEM}"), bound)
    for table in ("former_name", "taken_link"):
        connection.execute(
            text(f"delete from control.{table} where owner = :owner and person_id in (select person_id from leaving)"),
            bound,
        )
    connection.execute(text(_TAKEN), bound)
    for statement in _EMPTY_GROUPS:
        connection.execute(text(statement), bound)
    return plain


# Nor is anybody counted who has had a protected child, guardian or cause of protection: a family leaves together.
_PLAIN = """
with hidden as (
    select person_id from golden.protection where owner = :owner and (level >= 2 or held_back or unasked)
    union select person_id from control.veto
        where owner = :owner and kind in ('protection', 'access_suspended')
),
pair as (
    select child_id, control.as_uuid(adult) as adult_id from golden.guardian_access where owner = :owner
)
select count(*) from leaving e
where exists (select from golden.protection x where x.owner = :owner and x.person_id = e.person_id)
    and e.person_id not in (select person_id from hidden)
    and e.person_id not in (
        select adult_id from pair where child_id in (select person_id from hidden) and adult_id is not null
    )
    and e.person_id not in (select child_id from pair where adult_id in (select person_id from hidden))
"""
_LEAVING = "select person_id::text from leaving"
_IDS = """
select distinct l.person_id, l.scheme, l.value, l.from_run, coalesce(l.to_run, 9223372036854775807) as to_run
from golden.person_link l join leaving e on e.person_id = l.person_id
where l.owner = :owner
"""
_HISTORY = (
    "delete from history.{table} x using leaving_id i where x.owner = :owner and i.scheme = :scheme "
    "and i.value = x.{column} and i.from_run <= x.from_run and i.to_run > x.from_run"
)
# A person without a number is known again by the local id.
_KEEP_IDS = f"""
insert into control.erased_id (owner, id, person_id)
select distinct :owner, substr(control.keyed_hash({OWN_KEY}, i.scheme || ':' || i.value), 1, 32)::uuid, i.person_id
from leaving_id i
where i.scheme = 'number'
    or not exists (select from leaving_id n where n.person_id = i.person_id and n.scheme = 'number')
on conflict do nothing
"""
_MANAGERS = """
update history.hr_org_unit x
set manager_ids = (
    select string_agg(m, ' ' order by place)
    from unnest(string_to_array(x.manager_ids, ' ')) with ordinality as u (m, place)
    where not exists (select from leaving_id i where i.scheme = 'hr' and i.value = u.m)
)
where owner = :owner and string_to_array(manager_ids, ' ') && array(select value from leaving_id where scheme = 'hr')
"""
_TAKEN = """
delete from control.taken_link t using leaving_id i
where t.owner = :owner and t.scheme = i.scheme and t.value = i.value
"""
_QUARANTINE = """
delete from control.quarantine q using leaving_id i
where q.owner = :owner and (i.value = q.subject or i.value = any(string_to_array(q.key, e'\\x1f')))
    and i.scheme = case when i.value ~ '^[0-9]{11}$' then 'number' else split_part(q.table_name, '_', 1) end
"""
_HASHES = (
    "select substr(control.keyed_hash(k.secret, i.value), 1, 32)::uuid from leaving_id i cross join events.key k "
    "where i.scheme = 'number'"
)
_ROUTES = f"delete from events.route where owner = :owner and hash in ({_HASHES})"
_WAITING = f"delete from events.waiting where owner = :owner and hash in ({_HASHES})"
_UIDS = f"""
select uid from control.account_name where owner = :owner and erased_hash is null
    and person_id in (select person_id from leaving)
union
select uid from control.directory_entry where owner = :owner and number_id in (
    select substr(control.keyed_hash({OWN_KEY}, 'number:' || value), 1, 32)::uuid
    from leaving_id where scheme = 'number'
)
"""
_NAMES = (
    "drop table if exists pg_temp.leaving_uid",
    f"create temporary table leaving_uid on commit drop as {_UIDS}",
    # Names that were only in the imported directory are kept as hashes too.
    f"insert into control.account_name (owner, uid, base, person_id, run, erased_hash) "
    f"select :owner, control.keyed_hash({OWN_KEY}, 'uid:' || uid), control.keyed_hash({OWN_KEY}, 'base:' || "
    "coalesce((select base from control.account_name n where n.owner = :owner and n.uid = u.uid), "
    f"rtrim(uid, '0123456789'))), null, 0, control.keyed_hash({OWN_KEY}, 'uid:' || uid) "
    "from leaving_uid u on conflict do nothing",
    "delete from control.account_name where owner = :owner and uid in (select uid from leaving_uid)",
    "delete from control.directory_entry where owner = :owner and uid in (select uid from leaving_uid)",
    "delete from control.directory_name where owner = :owner and uid in (select uid from leaving_uid)",
)
_ITEM = (
    "(subject in (select value from leaving_id where scheme = 'number') "
    "or other in (select value from leaving_id where scheme = 'number') "
    "or subject in (select scheme || ':' || value from leaving_id) "
    "or other in (select scheme || ':' || value from leaving_id))"
)
# A group goes with its last member: its name may be that of the only pupil. One that a waiting run ends stays.
_RELEASED = "(select coalesce(max(r.run), 0) from control.run r where r.owner = :owner and r.state = 'released')"
_GONE_GROUP = f"""
select g.group_id from golden.school_group g
where g.owner = :owner
group by g.group_id
having bool_and(coalesce(g.to_run <= {_RELEASED}, false))
    and not exists (select from golden.membership m where m.owner = :owner and m.group_id = g.group_id)
"""
_EMPTY_GROUPS = (
    "drop table if exists pg_temp.gone_group",
    f"create temporary table gone_group on commit drop as {_GONE_GROUP}",
    f"delete from history.sas_group where owner = :owner and to_run <= {_RELEASED} "
    "and group_id in (select group_id from gone_group)",
    f"delete from history.sas_timetable where owner = :owner and to_run <= {_RELEASED} "
    "and group_id in (select group_id from gone_group)",
    "delete from golden.lesson where owner = :owner and group_id in (select group_id from gone_group)",
    "delete from golden.school_group where owner = :owner and group_id in (select group_id from gone_group)",
)


def forget_old(connection: Connection, owner: str, *, days: int, today: date) -> dict[str, int]:
    """Delete what has had its time: quarantine after ``days`` days, the audit and ended decisions after five years.

    Returns rows per kind. The quarantine of the newest run, of the released run and of a waiting run stays.
    """
    bound = {"owner": owner, "days": days, "today": today}
    counts = {"quarantine": connection.execute(text(_OLD_QUARANTINE), bound).rowcount}
    for table, ended in _ENDED.items():
        # The database lets no other rows be deleted (only_old_rows). The condition is here too: a delete must not fail.
        counts[table] = connection.execute(
            text(f"delete from control.{table} d where owner = :owner and {ended}".replace("<5", _FIVE_YEARS)), bound
        ).rowcount
    counts["disclosure"] = connection.execute(
        text("delete from control.disclosure where owner = :owner and to_at < now() - interval '5 years'"), bound
    ).rowcount
    return counts


_FIVE_YEARS = "< now() - interval '5 years'"
_ENDED = {
    "audit": "at <5",
    # A consent that nobody has withdrawn ended with its grant. A grant stays while one of its consents must.
    "consent": "(withdrawn_at <5 or given_at <5 and withdrawn_at is null and exists ("
    "select from control.access_grant g where g.owner = :owner and g.access_grant = d.access_grant "
    "and coalesce(g.withdrawn_at, g.until::timestamptz) <5))",
    "access_grant": "coalesce(withdrawn_at, until::timestamptz) <5 and not exists (select from control.consent c "
    "where c.owner = :owner and c.access_grant = d.access_grant)",
    "access_block": "lifted_at <5",
    "override": "ended_at <5",
    "publishable": "ended_at <5",
    "manual_person": "coalesce(ended_at, until::timestamptz) <5",
    "row_decision": "ended_at <5",
    "work_taken": "ended_at <5",
    "veto_decision": "decided_at <5 and exists (select from control.veto v "
    "where v.owner = :owner and v.veto = d.veto and v.lifted_at <5)",
    "proposal": "answered_at <5",
    "approval": "answered_at <5",
    "erasure": "decided_at <5",
    "erased_id": "erased_at <5",
}
"""The rows of each table that have had their time."""
_OLD_QUARANTINE = """
delete from control.quarantine q using control.run r
where q.owner = :owner and r.owner = :owner and r.run = q.run
    and (r.as_of at time zone 'Europe/Oslo')::date + :days <= :today
    and r.state not in ('open', 'merged')
    and r.run <> (select max(n.run) from control.run n where n.owner = :owner)
    and r.run <> coalesce((select max(n.run) from control.run n where n.owner = :owner and n.state = 'released'), 0)
"""


def empty_staging(connection: Connection, owner: str) -> int:
    """Empty the staging tables when no run is open or merged; return how many had rows. The ledger of counts stays."""
    if connection.scalar(
        text("select exists (select from control.run where owner = :owner and state in ('open', 'merged'))"),
        {"owner": owner},
    ):
        return 0
    tables = connection.execute(
        text("select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'staging_' || :owner"),
        {"owner": owner},
    ).scalars()
    full = [table for table in tables if connection.scalar(text(f"select exists (select from {table})"))]
    if full:
        rules.script(connection, [f"truncate {', '.join(full)}"])
    return len(full)


def withdraw_older_publications(connection: Connection, owner: str) -> None:
    """Withdraw every publication but the one in force: their files may hold a person who has been erased."""
    connection.execute(
        text(
            "update control.publication set withdrawn_at = now() where owner = :owner and withdrawn_at is null "
            "and publication <> (select publication from control.publication where owner = :owner "
            "and withdrawn_at is null order by published_at desc limit 1)"
        ),
        {"owner": owner},
    )
