"""Finding a person in one kommune: by number, FEIDE name, the warehouse's id, or name and birth date. Never a guess."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
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
    """A person that was found: the warehouse's id, and the name and birth date to recognise the person by."""

    person_id: UUID
    name: str
    birth_date: date | None
    hidden: bool


WRITE_WHO = "Skriv fødselsnummer, FEIDE-navn (ola.nordmann@…), eller navn og fødselsdato («Ola Nordmann 2015-03-01»)."
NOBODY = f"Fant ingen i kommunen som passer. {WRITE_WHO}"
"""The sentence for somebody who does not exist, or whom the visitor may not know of."""

_NAME_AND_DATE = re.compile(r"(?P<name>.*\D)[\s,]+(?P<date>\d{4}-\d{2}-\d{2}|\d{1,2}\.\d{1,2}\.\d{4})")


def find(views: Views, who: str, *, graded: bool, realm: str | None = None) -> Found:
    """Return the one person that ``who`` names in the views of a golden record.

    ``who`` is an identity number (also a former one), a FEIDE name with or without its realm, the warehouse's own id,
    or full name and birth date. With ``realm``, a name of another realm finds nobody. A former FEIDE name is found with
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
    found = [one for one in _judged(views, found) if graded or not one.hidden]
    if not found:
        raise NotFound(NOBODY)
    if len(found) > 1:
        raise NotFound(
            f"{len(found)} personer i kommunen passer, og Dataflyt gjetter ikke: skriv fødselsnummer eller FEIDE-navn."
        )
    return found[0]


def names(views: Views, people: Sequence[UUID], *, graded: bool) -> dict[UUID, str]:
    """Return the names of people; protected people are left out without ``graded``."""
    copied(views.connection, "asked_for", "person uuid", [(person,) for person in people])
    rows = views.connection.execute(text(_FIND.format(p=views.prefix, condition="p.person_id = a.person")))
    return {
        one.person_id: one.name for one in _judged(views, [Found(*row) for row in rows]) if graded or not one.hidden
    }


def whether_hidden(views: Views, people: Sequence[UUID]) -> dict[UUID, bool]:
    """Tell of each person whether only those who may see protection are shown the person. Who is not known is hidden.

    The people are named in the query: PostgreSQL looks through no others for them, as it would by a join.
    """
    rows = views.connection.execute(
        text(
            f"select person_id, level >= 2 or held_back from {views.prefix}protection "
            "where person_id = any(cast(:people as uuid[]))"
        ),
        {"people": [str(one) for one in people]},
    )
    known = {person: hidden for person, hidden in rows}
    told_by = _only_beside_hidden(views, [one for one in people if not known.get(one, True)])
    return {one: known.get(one, True) or one in told_by for one in people}


def _only_beside_hidden(views: Views, people: Sequence[UUID]) -> set[UUID]:
    """Return those whom the warehouse has as guardians of hidden children alone: that they are here tells of these."""
    if not people:
        return set()
    found = views.connection.execute(
        text(_ONLY_BESIDE_HIDDEN.format(p=views.prefix)), {"people": [str(one) for one in people]}
    )
    return set(found.scalars())


def _judged(views: Views, found: Sequence[Found]) -> list[Found]:
    """Return the people, with the word on whether each is hidden."""
    hidden = whether_hidden(views, [one.person_id for one in found])
    return [replace(one, hidden=hidden[one.person_id]) for one in found]


def hidden(views: Views, people: Iterable[UUID]) -> set[UUID]:
    """Return those of ``people`` who are protected, under any id that they have or have had.

    Somebody whom the warehouse has only as guardian of a protected child is among them, as in ``whether_hidden``. A
    person that the warehouse has never known is not.
    """
    asked = {*people}
    copied(views.connection, "asked_for", "person uuid", [(person,) for person in asked])
    found = set(views.connection.execute(text(_HIDDEN.format(p=views.prefix))).scalars())
    return found | _only_beside_hidden(views, [one for one in asked if one not in found])


def _meant(
    asked: str, realm: str | None, *, former_names: bool
) -> tuple[str, tuple[str | None, str | None, UUID | None, str | None, date | None]]:
    """Return the condition for what ``asked`` is, and the values to ask with. Raises NotFound for anything else."""
    read = numbers.read(asked)
    if read and read.kind == "number":
        return _BY_NUMBER, (read.value, None, None, None, None)
    try:
        return "p.person_id = a.person", (None, None, UUID(asked), None, None)
    except ValueError:
        pass
    if named := _NAME_AND_DATE.fullmatch(asked):
        born = _day(named["date"])
        if born is not None:
            return _BY_NAME, (None, None, None, named["name"].strip(" ,").casefold(), born)
    if " " not in asked and re.search(r"[a-zæøå]", asked.casefold()):
        uid, at, of = asked.casefold().partition("@")
        if not at or realm is None or of == realm.casefold():
            return _BY_FORMER_NAME if former_names else "c.uid = a.uid", (None, uid, None, None, None)
    raise NotFound(f"Fant ikke ut hvem det er. {WRITE_WHO}")


def _day(written: str) -> date | None:
    try:
        if "." in written:
            day, month, year = (int(part) for part in written.split("."))
            return date(year, month, day)
        return date.fromisoformat(written)
    except ValueError:
        return None


_BY_NUMBER = (
    "p.person_id in (select l.person_id from {p}person_link l join asked_for n on n.number = l.value "
    "where l.scheme = 'number')"
)
_BY_NAME = (
    "p.birth_date = a.born and lower(concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn)) = a.name "
    "or p.birth_date = a.born and lower(concat_ws(' ', p.fornavn, p.etternavn)) = a.name"
)
_BY_FORMER_NAME = (
    "(c.uid = a.uid or exists (select from golden.account f where f.owner = '{owner}' and f.uid = a.uid "
    "and f.person_id = p.person_id and f.from_run <= {run}))"
)
_FIND = """
select distinct p.person_id, concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn), p.birth_date, true
from asked_for a
join {p}person p on true
left join {p}account c on c.person_id = p.person_id
where {condition}
"""

_HIDDEN = """
select distinct a.person
from asked_for a
left join {p}kin k on k.person_id = a.person
join {p}protection x on x.person_id in (a.person, k.other_id)
where x.level >= 2 or x.held_back
"""

_ONLY_BESIDE_HIDDEN = """
select a.person
from unnest(cast(:people as uuid[])) as a (person)
where not exists (select from {p}enrolment e where e.person_id = a.person)
    and not exists (select from {p}employment e where e.person_id = a.person)
    and not exists (select from {p}membership m where m.person_id = a.person)
    and exists (select from {p}guardian_access g where g.adult = a.person::text)
    and not exists (
        select from {p}guardian_access g
        join {p}protection x on x.person_id = g.child_id
        where g.adult = a.person::text and not (x.level >= 2 or x.held_back)
    )
"""
