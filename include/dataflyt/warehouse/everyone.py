"""Finding a person among all whom a kommune holds anything about, also those who have left.

``people.find`` finds those who are here by the released run. Erasure, subject access and a notice about a published
file are just as often about somebody who is not.
"""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.identity import numbers
from dataflyt.storage.database import OWN_KEY, copied
from dataflyt.warehouse.people import _NAME_AND_DATE, WRITE_WHO, NotFound, _day, uid_of


def find(connection: Connection, owner: str, who: str, *, graded: bool, realm: str) -> UUID:
    """Return the one person that ``who`` names, in any run: by number, FEIDE name, id, or name and birth date.

    Without ``graded`` a person who is or has been protected, or is held back, is not found, nor an adult whom the
    warehouse has only beside such children, and the sentence is that of somebody who does not exist. A former FEIDE
    name is found with ``graded`` only. Raises NotFound when there is nobody or more than one.
    """
    asked = " ".join(who.split())
    read = numbers.read(asked)
    number = read.value if read and read.kind == "number" else None
    named = None if number else _NAME_AND_DATE.fullmatch(asked)
    name = named["name"].strip(" ,").casefold() if named else None
    born = _day(named["date"]) if named else None
    uid = uid_of(asked, realm) if not number and not named and " " not in asked else None
    try:
        person = UUID(asked)
    except ValueError:
        person = None
    copied(
        connection,
        "sought",
        "number text, person uuid, name text, born date, uid text",
        [(number, person, name, born, uid)],
    )
    rows = connection.execute(text(_FIND), {"owner": owner, "graded": graded})
    found = [one for one in rows if graded or not one.hidden]
    if not found:
        raise NotFound(f"Fant ingen i kommunen som passer. {WRITE_WHO}")
    if len(found) > 1:
        raise NotFound(f"{len(found)} personer passer, og Dataflyt gjetter ikke: skriv fødselsnummer.")
    return UUID(str(found[0].person_id))


def erased(connection: Connection, owner: str, who: str) -> UUID | None:
    """Return the id of an erased person whose number ``who`` is; None for anybody else, and anything else."""
    read = numbers.read(" ".join(who.split()))
    if read is None or read.kind != "number":
        return None
    copied(connection, "sought", "number text", [(read.value,)])
    found = connection.execute(text(_ERASED), {"owner": owner}).scalars().all()
    return UUID(str(found[0])) if len(found) == 1 else None


def hidden(connection: Connection, owner: str, people: Iterable[UUID]) -> set[UUID]:
    """Return those who are or have been protected, by any run, veto or override, or are held back now."""
    bound = {"owner": owner, "people": [str(one) for one in people]}
    return set(connection.execute(text(_HIDDEN), bound).scalars())


_ERASED = f"""
select distinct e.person_id
from sought a
join control.erased_id e
    on e.owner = :owner and e.id = substr(control.keyed_hash({OWN_KEY}, 'number:' || a.number), 1, 32)::uuid
where not exists (select from golden.person_link l where l.owner = :owner and l.person_id = e.person_id)
"""
_HIDDEN_OF = """(
    exists (select from golden.protection x where x.owner = :owner and x.person_id = {person}
        and x.level >= 2)
    or (select x.held_back from golden.protection x where x.owner = :owner and x.person_id = {person}
        order by x.from_run desc limit 1)
    or exists (select from control.veto v where v.owner = :owner and v.person_id = {person}
        and v.kind in ('protection', 'access_suspended'))
    or exists (select from control.override o where o.owner = :owner and o.person_id = {person}
        and o.field = 'adressebeskyttelse' and o.ended_at is null)
    or exists (
        select from golden.person_link l
        join history.freg_resident r on r.owner = :owner and r.subject = l.value
        where l.owner = :owner and l.scheme = 'number' and l.person_id = {person}
            and coalesce(r.graderingsnivaa, 'ugradert') <> 'ugradert'
    )
    or exists (
        select from golden.person_link l
        join history.freg_adressebeskyttelse r on r.owner = :owner and r.subject = l.value
        where l.owner = :owner and l.scheme = 'number' and l.person_id = {person}
            and (r.graderingsnivaa <> 'ugradert' or r.ukjent)
    )
    or exists (
        select from golden.person_link l
        join history.hr_protection r on r.owner = :owner and r.employee_id = l.value and r.protected
        where l.owner = :owner and l.scheme = 'hr' and l.person_id = {person}
    )
)"""
_HIDDEN = "select a.person from unnest(cast(:people as uuid[])) as a (person) where " + _HIDDEN_OF.format(
    person="a.person"
)
# An adult who is here, or has been, only beside children who are or have been protected: finding one would tell of
# them.
_BESIDE = f"""(
    not exists (select from golden.enrolment e where e.owner = :owner and e.person_id = m.person_id)
    and not exists (select from golden.employment e where e.owner = :owner and e.person_id = m.person_id)
    and not exists (select from golden.membership e where e.owner = :owner and e.person_id = m.person_id)
    and exists (select from golden.guardian_access g where g.owner = :owner and g.adult = m.person_id::text)
    and not exists (
        select from golden.guardian_access g
        where g.owner = :owner and g.adult = m.person_id::text and not {_HIDDEN_OF.format(person="g.child_id")}
    )
)"""
# A number alone is a guardian's, a relative's or a former guardian's too: by the link that holds now, else by the last.
_FIND = f"""
with meant as (
    select l.person_id from sought a join golden.person_link l on l.owner = :owner and l.scheme = 'number'
        and l.value = a.number and l.to_run is null
    union
    select l.person_id from sought a join golden.person_link l on l.owner = :owner and l.person_id = a.person
    union
    select n.person_id from sought a join control.account_name n on n.owner = :owner and n.uid = a.uid
        and n.person_id is not null and (:graded or exists (
            select from golden.account c where c.owner = :owner and c.uid = n.uid and c.to_run is null
        ))
    union
    select p.person_id from sought a join golden.person p on p.owner = :owner and p.birth_date = a.born
        and a.name in (
            lower(concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn)), lower(concat_ws(' ', p.fornavn, p.etternavn))
        )
)
select m.person_id, {_HIDDEN_OF.format(person="m.person_id")} or {_BESIDE} as hidden from meant m
"""
