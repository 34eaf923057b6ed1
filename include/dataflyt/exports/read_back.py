"""A published file, read back and validated before the manifest names it: what its receivers would meet.

In: a written file as rows (``Export.read``), and what the golden record shows. The rows are read into pandas frames, a
chunk at a time, and reduced to hashes and counts: memory grows with the people and groups by a few bytes each, and no
frame holds a name or a number. Out: an outcome of each rule.

The format's own check (``Export.check``) has been passed before: nothing that it sees is looked for here.
"""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Connection, text

from dataflyt.exports.model import Export, Openable, ReadRow
from dataflyt.quality import frames
from dataflyt.quality.rules import Expectation, Outcome, Rule, Rules

if TYPE_CHECKING:
    import pandas as pd

_CHUNK = 50_000
_US = "dataingeniør"


class Record(NamedTuple):
    """What the file must hold by the golden record: its people, and its groups in which pupils and teachers meet."""

    people: int
    meeting: int


class Frames(NamedTuple):
    """A file as frames: its people; its groups, with pupils, teachers and meanings; the groups where both are."""

    people: "pd.DataFrame"
    groups: "pd.DataFrame"
    meeting: "pd.DataFrame"


def validate(export: Export, path: Openable, connection: Connection) -> list[Outcome]:
    """Read a file back and validate it. Raises CheckFailed when a rule could not be tried."""
    if export.read is None:
        return []
    statement = _RECORDS[export.names]
    record = Record(*connection.execute(text(statement)).one())
    return frames.validate(export.file, framed(export.read(path))._asdict(), rules(record))


def rules(record: Record) -> Rules:
    """Return the rules of a file's frames, beside the golden record."""
    return {
        "people": [
            _rule(
                "unique_name",
                "ExpectColumnValuesToBeUnique",
                "To oppføringer i filen har samme brukernavn eller id.",
                column="person",
            ),
            _rule(
                "people_as_record",
                "ExpectTableRowCountToEqual",
                "Filen har ikke de samme personene som varehuset viser.",
                value=record.people,
            ),
        ],
        "groups": [
            _rule(
                "one_group",
                "ExpectColumnValuesToBeBetween",
                "En gruppe-id står for ulike grupper hos ulike medlemmer.",
                column="meanings",
                max_value=1,
            ),
        ],
        "meeting": [
            _rule(
                "meet_as_record",
                "ExpectTableRowCountToEqual",
                "Elevene og læreren i en gruppe møtes ikke: de har ikke samme gruppe-id i filen.",
                value=record.meeting,
            ),
        ],
    }


def _rule(name: str, kind: str, reason: str, **arguments: object) -> Rule:
    return Rule("file", name, Expectation(kind, arguments), _US, reason)


def framed(rows: Iterator[ReadRow]) -> Frames:
    """Read rows into frames, a chunk at a time."""
    import pandas as pd

    people, groups = [], []
    rest = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in _GROUPS.items()})
    while chunk := list(islice(rows, _CHUNK)):
        frame = pd.DataFrame(chunk, columns=list(ReadRow._fields))
        of_people = frame[frame["group"] == ""]
        people.append(_hashed(of_people["person"]))
        members = frame[frame["group"] != ""]
        meaning = _hashed(members["meaning"])
        groups = [
            pd.DataFrame(
                {
                    "group": _hashed(members["group"]),
                    "pupils": members["pupil"].astype("int64"),
                    "teachers": (~members["pupil"].astype("bool")).astype("int64"),
                    "first": meaning,
                    "last": meaning,
                }
            ),
            rest,
        ]
        rest = _together(pd.concat([part for part in groups if len(part)] or [rest]))
    found = pd.concat(people) if people else pd.Series(dtype="uint64")
    of_groups = rest.assign(meanings=1 + (rest["first"] != rest["last"]).astype("int64"))
    met = of_groups[(of_groups["pupils"] > 0) & (of_groups["teachers"] > 0)]
    return Frames(found.to_frame("person"), of_groups[["pupils", "teachers", "meanings"]], met[["meanings"]])


_GROUPS = {"group": "uint64", "pupils": "int64", "teachers": "int64", "first": "uint64", "last": "uint64"}


def _together(groups: "pd.DataFrame") -> "pd.DataFrame":
    """Return one row a group. Its first and last meaning differ where its members do not mean the same."""
    sums = {"pupils": "sum", "teachers": "sum", "first": "min", "last": "max"}
    return groups.groupby("group", as_index=False).agg(sums)


def _hashed(values: "pd.Series[str]") -> "pd.Series[int]":
    import pandas as pd

    return pd.util.hash_pandas_object(values.astype("object"), index=False, categorize=False)


# What each kind of export shows. Of people: those with a user name, all, or all but those who are guardians alone. Of
# groups: those that Feide has, all, or the classes and subject groups.
_ACCOUNTS = """
select (select count(*) from now_shown_account), count(*) from (
    select m.group_id
    from now_shown_membership m
    join now_shown_account a on a.person_id = m.person_id
    join now_shown_school_group g on g.group_id = m.group_id and g.feide_type is not null
    group by m.group_id having bool_or(m.role = 'student') and bool_or(m.role <> 'student')
) as meeting
"""
_PERSONS = """
select (select count(*) from now_shown_person), count(*) from (
    select m.group_id
    from now_shown_membership m
    join now_shown_school_group g on g.group_id = m.group_id
        and g.group_type in ('basisgruppe', 'undervisningsgruppe', 'kontaktlærergruppe', 'trinn', 'fag')
    group by m.group_id having bool_or(m.role = 'student') and bool_or(m.role <> 'student')
) as meeting
"""
_ROSTERS = """
select (select count(*) from now_shown_person p where p.pupil or p.employee), count(*) from (
    select m.group_id
    from now_shown_membership m
    join now_shown_school_group g on g.group_id = m.group_id
        and g.group_type in ('basisgruppe', 'undervisningsgruppe')
    group by m.group_id having bool_or(m.role = 'student') and bool_or(m.role <> 'student')
) as meeting
"""
_NAMED_ROSTERS = """
select (select count(*) from now_shown_account), count(*) from (
    select m.group_id
    from now_shown_membership m
    join now_shown_account a on a.person_id = m.person_id
    join now_shown_school_group g on g.group_id = m.group_id
        and g.group_type in ('basisgruppe', 'undervisningsgruppe')
    group by m.group_id having bool_or(m.role = 'student') and bool_or(m.role <> 'student')
) as meeting
"""
_RECORDS = {"accounts": _ACCOUNTS, "persons": _PERSONS, "rosters": _ROSTERS, "named_rosters": _NAMED_ROSTERS}
