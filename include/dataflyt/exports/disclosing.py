"""The times at which each person entered and left each published file: evidence for a notice (GDPR art. 33 and 34).

Each publication compares the people in its files with those in the files before it, in the transaction that notes the
publication. The rows say that somebody was in a file, not what stood there: the file's fields are known
(``records.fields``). They outlive an erasure: without them nobody could tell an erased person of a breach. They hold
the person's id, a keyed hash, and no name.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune

_EVERYBODY = "select person_id from now_shown_person"
_ROSTERS = "select person_id from now_shown_person where pupil or employee"
_GUARDIANS = "select unnest(array[child_id, adult_id]) as person_id from now_shown_relation"
PEOPLE: Final = {
    "calendar": "select person_id from now_shown_person where false",
    "feide_ldif": "select person_id from now_shown_account",
    "class_list": (
        "select m.person_id from now_shown_membership m join now_shown_school_group g on g.group_id = m.group_id "
        "where g.group_type = 'basisgruppe' and m.role = 'student'"
    ),
    "oneroster": _ROSTERS,
    "pifu": "select person_id from now_shown_person",
    "guardians": _GUARDIANS,
    "guardians_csv": _GUARDIANS,
    "sds": "select person_id from now_shown_account",
}
"""The people in each export, as its rows are read (``exports.reading``). An export not here has everybody shown."""
WITH_GUARDIANS: Final = {
    "oneroster": _EVERYBODY,
    "sds": (
        "select person_id from now_shown_account union "
        "select r.adult_id from now_shown_relation r join now_shown_account a on a.person_id = r.child_id "
        "join now_shown_person p on p.person_id = r.adult_id "
        "left join now_shown_contact k on k.person_id = r.adult_id where coalesce(k.email, p.work_email) is not null"
    ),
}
"""The people in an export to which the kommune's file gives guardians."""


def people_in(export: str, extras: Collection[str]) -> str:
    """Return the statement of the people in an export's file, under what the kommune's file lets it hold."""
    return (WITH_GUARDIANS if "guardians" in extras else PEOPLE).get(export, _EVERYBODY)


def note(connection: Connection, kommune: Kommune, publication: str, before: str) -> None:
    """Close the rows of people who are no longer in an export's file, and open rows for those who are new in it.

    ``before`` is the publication that stood until now. Needs the views ``now_shown_<what>`` of this publication, and
    the kommune's lock.
    """
    exports = list(kommune.exports)
    bound = {"owner": kommune.id, "publication": publication, "before": before, "exports": exports}
    connection.execute(text(_CLOSE_OTHERS), bound)
    for export in exports:
        people = people_in(export, kommune.export_extras.get(export, ()))
        connection.execute(text(_CLOSE.format(people=people)), bound | {"file": export})
        connection.execute(text(_OPEN.format(people=people)), bound | {"file": export})


_AT = "(select n.published_at from control.publication n where n.owner = :owner and n.publication = :publication)"
_CLOSE_OTHERS = f"""
update control.disclosure set to_at = {_AT}, last_publication = :before
where owner = :owner and to_at is null and file <> all(:exports)
"""
_CLOSE = f"""
update control.disclosure d set to_at = {_AT}, last_publication = :before
where d.owner = :owner and d.file = :file and d.to_at is null
    and not exists (select from ({{people}}) p where p.person_id = d.person_id)
"""
_OPEN = f"""
insert into control.disclosure (owner, file, person_id, from_at, first_publication)
select distinct :owner, :file, p.person_id, {_AT}, :publication
from ({{people}}) p
where not exists (
    select from control.disclosure d
    where d.owner = :owner and d.file = :file and d.person_id = p.person_id and d.to_at is null
)
"""
