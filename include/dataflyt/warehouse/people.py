"""Finding a person in one kommune: by number, FEIDE name, the warehouse's id, or name and birth date. Never a guess."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text

from dataflyt.errors import DataflytError
from dataflyt.identity import numbers
from dataflyt.storage.database import copied
from dataflyt.warehouse.vetoed_views import Views


class NotFound(DataflytError):
    """No person, or more than one, is what was asked for. A hidden person is not found without the right to see it."""


@dataclass(frozen=True)
class Found:
    """A person that was found: the warehouse's id, and the name and birth date to recognise the person by.

    ``hidden`` is None where nobody asked: of people found by somebody who may see all.
    """

    person_id: UUID
    name: str
    birth_date: date | None
    hidden: bool | None


WRITE_WHO = "Skriv fødselsnummer, FEIDE-navn (ola.nordmann@…), eller navn og fødselsdato («Ola Nordmann 2015-03-01»)."
NOBODY = f"Fant ingen i kommunen som passer. {WRITE_WHO}"
"""The sentence for somebody who does not exist, or whom the visitor may not know of."""
SEVERAL = "{count} personer i kommunen passer, og Dataflyt gjetter ikke: skriv fødselsnummer eller FEIDE-navn."

_NAME_AND_DATE = re.compile(r"(?P<name>.*\D)[\s,]+(?P<date>\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4})")

_WORD = re.compile(r"\b[^\W\d_]{2,}\b")


def find(views: Views, who: str, *, graded: bool, realm: str) -> Found:
    """Return the one person that ``who`` names in the views of a golden record.

    ``who`` is an identity number (also a former one), a FEIDE name with or without its realm, the warehouse's own id,
    or full name and birth date. A name of another realm than ``realm`` finds nobody. A former FEIDE name is found with
    ``graded`` only. Without ``graded`` a protected person (fortrolig or stricter, or held back) is not found, and the
    sentence is that of somebody who does not exist.

    Raises NotFound when there is nobody or more than one.
    """
    asked = " ".join(who.split())
    if not asked:
        raise NotFound(f"Hvem? {WRITE_WHO}")
    condition, values = _meant(asked, realm, former_names=graded)
    columns = "number text, uid text, person uuid, name text, born date"
    copied(views.connection, "asked_for", columns, [values])
    found = [
        Found(*row)
        for row in views.connection.execute(
            text(
                _FIND.format(
                    p=views.prefix,
                    condition=condition.format(p=views.prefix, owner=views.owner, run=views.run),
                )
            )
        )
    ]
    if not graded:
        found = _seen(views, found)
    if not found:
        raise NotFound(NOBODY)
    if len(found) > 1:
        raise NotFound(SEVERAL.format(count=len(found)))
    return found[0]


def known(views: Views, who: str, *, graded: bool, realm: str) -> Found | None:
    """Return the one person that ``who`` names, also one whom the kommune has as an identifier alone.

    ``who`` is read as ``find`` reads it, and may be the school system's or HR's own id too. Somebody whom FREG names as
    responsible, or the school system as a contact person, need not be in the golden record, and a guardian whose
    access has ended is not: ``find`` finds none of these. Such a person's name is the last one that the golden record
    or the school system has. Returns None for nobody, and for somebody hidden without ``graded``; the same queries are
    made for both.

    Raises NotFound when there is more than one, and for a name without a birth date.
    """
    asked = " ".join(who.split())
    try:
        condition, (number, uid, person, name, born) = _meant(asked, realm, former_names=graded)
    except NotFound:
        if " " in asked and (_WORD.search(asked) or not re.search(r"\d", asked)):
            raise  # a name alone, or with a date that cannot be read: no id is written so
        condition, (number, uid, person, name, born) = "false", (None, None, None, None, None)
    columns = "number text, uid text, person uuid, name text, born date, local_id text"
    copied(views.connection, "asked_for", columns, [(number, uid, person, name, born, asked)])
    placed = {"p": views.prefix, "owner": views.owner, "run": views.run}
    statement = f"{_FIND} union {_IDENTIFIED}".format(**placed, condition=condition.format(**placed))
    found = {row.person_id: Found(*row) for row in views.connection.execute(text(statement))}
    named_before = views.connection.execute(text(_NAMED_BEFORE.format(**placed))) if born else ()
    before = {row.person_id: Found(*row) for row in named_before}
    concealed = hidden(views, {**before, **found} or {UUID(int=0)}, unknown=True)
    for named in (found, before):
        seen = [replace(one, hidden=one.person_id in concealed) for one in named.values()]
        seen = [one for one in seen if graded or not one.hidden]
        if seen:
            break
    if len(seen) > 1:
        raise NotFound(SEVERAL.format(count=len(seen)))
    return seen[0] if seen else None


def names(views: Views, people: Sequence[UUID], *, graded: bool) -> dict[UUID, str]:
    """Return the names of people; protected people are left out without ``graded``."""
    copied(views.connection, "asked_for", "person uuid", [(person,) for person in people])
    rows = views.connection.execute(text(_FIND.format(p=views.prefix, condition=_BY_ID)))
    found = [Found(*row) for row in rows]
    return {one.person_id: one.name for one in (found if graded else _seen(views, found))}


def hidden(views: Views, people: Iterable[UUID], *, unknown: bool = False) -> set[UUID]:
    """Return those of ``people`` who are protected or held back, under any id that they have or have had.

    A person whom only the undoing of a run holds back is not among them. A child whose adults are suspended is, also
    when the protection has ended: nothing but protection suspends.

    Somebody whom the warehouse has as guardian of protected children alone is among them: that this person is here
    tells of the children. With ``unknown`` so is a person that the warehouse does not know.

    The people are named in the queries: PostgreSQL looks through no others for them, as it would by a join.
    """
    asked = {*people}
    found = _protected(views, asked, unknown=unknown)
    beside = asked - found
    beside -= {one for (one,) in _of(views, beside, _PLACED)}
    guardians = {adult for adult, _ in _of(views, beside, _CHILDREN)}
    return found | (guardians - known_guardians(views, guardians, graded=False))


def guardianships(views: Views, people: Iterable[UUID], *, graded: bool) -> list[tuple[UUID, UUID]]:
    """Return who of ``people`` is guardian of whom here, as adult and child, as far as the visitor may know.

    Whatever the state of the access. A guardian who is an employee too is not hidden, whatever the children are: only
    with ``graded`` may the visitor know of a child who is protected.
    """
    pairs = [(adult, child) for adult, child in _of(views, {*people}, _CHILDREN)]
    unseen = set() if graded else _protected(views, {child for _, child in pairs}, unknown=True)
    return [(adult, child) for adult, child in pairs if child not in unseen]


def known_guardians(views: Views, people: Iterable[UUID], *, graded: bool) -> set[UUID]:
    """Return those of ``people`` whom the visitor may know to be guardians of somebody here.

    Whatever the warehouse has of a guardian alone (contact details, KRR's answer) is told of these people only.
    """
    return {adult for adult, _ in guardianships(views, people, graded=graded)}


def may_be_asked(views: Views, people: Iterable[UUID], source: str, *, graded: bool, employees: bool) -> set[UUID]:
    """Return those of ``people`` whom the visitor may know that a register (``freg``, ``krr``) is asked about.

    KRR is asked about guardians alone. FREG is asked about everybody here, but about employees only where the kommune
    does so (``employees``), or as guardians or pupils. Of other sources, everybody is returned.
    """
    asked = {*people}
    if graded or source not in ("freg", "krr") or (source == "freg" and employees):
        return asked
    found = known_guardians(views, asked, graded=False)
    if source == "freg":
        placed = {one for (one,) in _of(views, asked, _PLACED)}
        found |= (asked - placed) | {one for (one,) in _of(views, placed, _PUPILS)}
    return found


def _protected(views: Views, people: set[UUID], *, unknown: bool) -> set[UUID]:
    """Return those of ``people`` who are protected, held back or have suspended adults, under any of their ids."""
    kin: dict[UUID, set[UUID]] = {one: {one} for one in people}
    for one, other in _of(views, people, _KIN):
        kin[one].add(other)
    everybody = set().union(*kin.values())
    rows = _of(views, everybody, _GUARDED)
    guarded = {one for one, is_so, _ in rows if is_so}
    found = {one for one, ids in kin.items() if ids & guarded}
    return found | (people - {one for one, _, is_known in rows if is_known}) if unknown else found


def _of(views: Views, people: set[UUID], statement: str) -> Sequence[Any]:
    """Return the rows of a statement about ``people``; none for nobody."""
    if not people:
        return ()
    named = {"people": [str(one) for one in people]}
    return views.connection.execute(text(statement.format(p=views.prefix)), named).all()


def _seen(views: Views, found: Sequence[Found]) -> list[Found]:
    """Return those of the people who are not hidden."""
    concealed = hidden(views, [one.person_id for one in found], unknown=True)
    return [replace(one, hidden=False) for one in found if one.person_id not in concealed]


def _meant(
    asked: str, realm: str, *, former_names: bool
) -> tuple[str, tuple[str | None, str | None, UUID | None, str | None, date | None]]:
    """Return the condition for what ``asked`` is, and the values to ask with. Raises NotFound for anything else."""
    read = numbers.read(asked)
    if read and read.kind == "number":
        return _BY_NUMBER, (read.value, None, None, None, None)
    try:
        return _BY_ID, (None, None, UUID(asked), None, None)
    except ValueError:
        pass
    if named := _NAME_AND_DATE.fullmatch(asked):
        born = _day(named["date"])
        if born is not None:
            return _BY_NAME, (None, None, None, named["name"].strip(" ,").casefold(), born)
    if " " not in asked and re.search(r"[a-zæøå]", asked.casefold()) and (uid := uid_of(asked, realm)):
        return _BY_FORMER_NAME if former_names else _BY_USER_NAME, (None, uid, None, None, None)
    raise NotFound(f"Fant ikke ut hvem det er. {WRITE_WHO}")


def uid_of(asked: str, realm: str) -> str | None:
    """Return the user name that a FEIDE name of ``realm``, with or without it, stands for; None for another realm's."""
    uid, at, of = asked.casefold().partition("@")
    return uid if not at or of == realm.casefold() else None


def _day(written: str) -> date | None:
    try:
        if "." in written:
            day, month, year = (int(part) for part in written.split("."))
            return date(year, month, day)
        return date.fromisoformat(written)
    except ValueError:
        return None


# What is asked for is a value of its own in each condition. By a join PostgreSQL would read everybody, since it knows
# nothing of how few are asked for.
_BY_ID = "p.person_id = any(array(select person from asked_for))"
_BY_NUMBER = (
    "p.person_id in (select l.person_id from {p}person_link l where l.scheme = 'number' "
    "and l.value = (select number from asked_for))"
)
_BY_NAME = (
    "p.birth_date = (select born from asked_for) and (select name from asked_for) in "
    "(lower(concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn)), lower(concat_ws(' ', p.fornavn, p.etternavn)))"
)
_BY_USER_NAME = "p.person_id in (select c.person_id from {p}account c where c.uid = (select uid from asked_for))"
_BY_FORMER_NAME = (
    "p.person_id in (select f.person_id from golden.account f where f.owner = '{owner}' "
    "and f.uid = (select uid from asked_for) and f.from_run <= {run})"
)
_FIND = """
select distinct p.person_id, concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn), p.birth_date, null
from {p}person p
where {condition}
"""

_PLACED = " union ".join(
    f"select person_id from {{p}}{what} where person_id = any(cast(:people as uuid[]))"
    for what in ("enrolment", "employment", "membership")
)
_PUPILS = (
    "select person_id from {p}enrolment where person_id = any(cast(:people as uuid[])) union "
    "select person_id from {p}membership where person_id = any(cast(:people as uuid[])) and role = 'student'"
)
_CHILDREN = "select cast(adult as uuid), child_id from {p}guardian_access where adult = any(cast(:people as text[]))"
_IDENTIFIED = """
select l.person_id, '', cast(null as date), null from asked_for a
join {p}person_link l on l.scheme = 'number' and l.value = a.number
union
select l.person_id, '', null, null from asked_for a
join {p}person_link l on l.scheme in ('sas', 'hr') and l.value = a.local_id
"""
_NAMED_BEFORE = """
select f.person_id, '', f.birth_date, null from golden.person f
where f.owner = '{owner}' and f.from_run <= {run} and f.birth_date = (select born from asked_for)
    and (select name from asked_for) in (
        lower(concat_ws(' ', f.fornavn, f.mellomnavn, f.etternavn)), lower(concat_ws(' ', f.fornavn, f.etternavn))
    )
    and exists (select from {p}person_link l where l.person_id = f.person_id)
    and not exists (select from {p}person p where p.person_id = f.person_id)
union
select l.person_id, '', cast(null as date), null from history.sas_person s
join {p}person_link l on l.scheme = 'sas' and l.value = s.subject
where s.owner = '{owner}' and s.from_run <= {run} and coalesce(s.to_run > {run}, true)
    and s.birth_date = (select cast(born as text) from asked_for)
    and lower(concat_ws(' ', s.given_name, s.family_name)) = (select name from asked_for)
    and not exists (select from {p}person p where p.person_id = l.person_id)
"""
_KIN = "select person_id, other_id from {p}kin where person_id = any(cast(:people as uuid[]))"
_IS_PROTECTED = "level >= 2 or (held_back and not comes_back)"
_IS_SUSPENDED = "kind = 'access_suspended'"
PROTECTED = (
    f"select person_id from {{p}}protection where {_IS_PROTECTED} "
    f"union select person_id from {{p}}veto where {_IS_SUSPENDED}"
)
"""SQL for everybody whom ``hidden`` hides by protection, under their present ids; ``{p}`` is the views' prefix."""
_GUARDED = f"""
select person_id, {_IS_PROTECTED}, true
from {{p}}protection where person_id = any(cast(:people as uuid[]))
union all
select person_id, true, false from {{p}}veto where {_IS_SUSPENDED} and person_id = any(cast(:people as uuid[]))
"""
"""Who is protected or has suspended adults, and who is known. One query, because two take twice the time to plan."""
