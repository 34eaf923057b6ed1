"""The work list: what people have to correct, as of the released run and the day. For pages and for the command line.

In: the released run's findings (``golden.work_item``), rows in quarantine, files that both the run and the run before
it read, decisions that are to be reviewed or about to end, groups named after a hidden person, and joined or parted
people of whom one is protected. Out: items, each with its school, its corrector, its age, and the one who has taken it.
``work_kinds`` has the kinds.

Without ``graded`` no item is about a person who is fortrolig or stricter, or held back, and no kind tells of
protection. Two kinds of items stand for everybody, so that no gap tells of anybody: pupils about whom FREG cannot be
asked, and rows in quarantine. They have no name where the person is hidden. What the exports tell alike, the list tells
alike too: a guardian whose contact details are withheld is not reached, and a pupil whose guardians are all in no
export has none (``TOLD_AS``).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.formats.dates import OSLO
from dataflyt.operations.work_kinds import KINDS, RESPONSIBLE, TOLD_AS, Kind
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.run.report import UNASKED
from dataflyt.storage import database
from dataflyt.storage.database import OWN_KEY, copied
from dataflyt.warehouse import audit, events, people, rules, runs, shown, vetoed_views
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.outcomes import HINTS, LINKED
from dataflyt.warehouse.refusals import refusals
from dataflyt.warehouse.vetoed_views import Views
from dataflyt.why.correcting import CORRECTORS

SHOWN: Final = 10
"""How much of an item's hash is its id: enough to tell the items of a large kommune apart."""

SHORTEST: Final = 4
"""The least of an id that a person may type."""

ROW: Final = 12
"""How much of the hash of a row in quarantine is its name, as ``dataflyt quality rows`` shows it."""

_SOURCES = {"hr": "Lønns- og personalsystemet", "sas": "Skolesystemet"}


class Item(NamedTuple):
    """A thing to correct. ``subject`` is a person, group, school, source or row; ``other`` is a second one.

    ``unit_id`` and ``school`` are the school's, ``owner`` the corrector's id. ``since`` is the day on which it was
    first found, None where that is not known; ``new``: the run before the released one did not have it. ``whom`` and
    ``beside`` name subject and other in words, "" where there is no name or it may not be shown. ``number`` is the
    person's, if it was asked for. ``taken_by`` is a person's id in the kommune's file.
    """

    id: str
    kind: str
    subject: str
    other: str
    unit_id: str | None
    school: str
    owner: str
    since: date | None
    new: bool
    taken_by: str | None
    whom: str
    beside: str
    number: str | None

    @property
    def about(self) -> Kind:
        """The item's kind."""
        return KINDS[self.kind]


@dataclass(frozen=True)
class Wanted:
    """The items to return: of a ``school``, an ``owner``, a ``kind``, only the ``new`` ones.

    A school is written by its name or its organisation number.

    Raises ConfigError for an owner or a kind that does not exist.
    """

    school: str | None = None
    owner: str | None = None
    kind: str | None = None
    new: bool = False

    def __post_init__(self) -> None:
        """Refuse words that no item can have: an empty list would look as if all were well."""
        if self.owner is not None and self.owner not in CORRECTORS:
            raise ConfigError(f"Ingen heter {self.owner}: skriv én av {', '.join(CORRECTORS)}.")
        if self.kind is not None and self.kind not in KINDS:
            raise ConfigError(f"Det er ikke noe slag som heter {self.kind}: skriv ett av {', '.join(KINDS)}.")

    def includes(self, item: Item) -> bool:
        """Tell whether an item is wanted."""
        return (
            self.school in (None, item.unit_id)
            and self.owner in (None, item.owner)
            and self.kind in (None, item.kind)
            and (item.new or not self.new)
        )


EVERYTHING: Final = Wanted()
"""The whole list."""


def begun(kommune: Kommune, environment: Environment) -> bool:
    """Tell whether a run has been released: before that nobody knows what is to be corrected."""
    with _open(kommune, environment) as here:
        return bool(runs.released_before(here.connection, kommune.id))


def counts(kommune: Kommune, environment: Environment, wanted: Wanted = EVERYTHING) -> dict[str, int]:
    """Count a kommune's work list as of now by kind, without hidden people: a count names nobody."""
    with _open(kommune, environment) as here:
        return dict(Counter(item.kind for item in here.items(wanted)))


def counts_by_owner(kommune: Kommune, environment: Environment) -> dict[str, dict[str, tuple[int, int]]]:
    """Count a kommune's work list by owner and kind, without hidden people: how many items, and how many are new."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    with _open(kommune, environment) as here:
        for item in here.items():
            of_owner = found.setdefault(item.owner, {})
            every, new = of_owner.get(item.kind, (0, 0))
            of_owner[item.kind] = (every + 1, new + item.new)
    return found


def items(
    kommune: Kommune,
    environment: Environment,
    visitor: Visitor,
    wanted: Wanted = EVERYTHING,
    *,
    graded: bool = False,
    numbers: bool = False,
) -> list[Item]:
    """Return a kommune's work list as of now, its kinds in the order of ``KINDS``; empty before the first release.

    ``numbers``: identity numbers too. The look is kept in the audit, with those whom it showed. Raises NotAllowed
    without the right ``persons``, or ``graded``.
    """
    with refusals(kommune, environment.connect, visitor, "work list"):
        kommune.case_worker(visitor.id, "graded" if graded else "persons")
    with _open(kommune, environment) as here:
        listed = here.items(wanted, graded=graded, numbers=numbers)
        detail = "med fødselsnummer" if numbers else ""
        audit.record(here.connection, kommune.id, visitor, "work list", here.people(listed), detail)
    return listed


def take(kommune: Kommune, environment: Environment, item: str, visitor: Visitor, *, graded: bool = False) -> Item:
    """Take an item, so that others see who works on it; return it. ``item`` is its id, or the beginning of it.

    Raises NotAllowed without the right ``persons`` (or ``graded``), for an item that the visitor is not shown, and for
    one that somebody else has taken.
    """
    return _change(kommune, environment, item, visitor, graded=graded, take=True)


def release(kommune: Kommune, environment: Environment, item: str, visitor: Visitor, *, graded: bool = False) -> Item:
    """Let go of an item that has been taken, by oneself or by a colleague; return it. Raises the errors of ``take``."""
    return _change(kommune, environment, item, visitor, graded=graded, take=False)


def _change(
    kommune: Kommune, environment: Environment, written: str, visitor: Visitor, *, graded: bool, take: bool
) -> Item:
    done = "take work item" if take else "release work item"
    with refusals(kommune, environment.connect, visitor, done):
        kommune.case_worker(visitor.id, "graded" if graded else "persons")
    with _open(kommune, environment, lock=True) as here:
        item = _find(written, here.items(graded=graded))
        if take and item.taken_by == visitor.id:
            return item
        if take and item.taken_by:
            names = {one.id: one.name for one in kommune.people}
            raise NotAllowed(
                f"{item.id} er tatt av {names.get(item.taken_by, item.taken_by)}: bli enige, og skriv «dataflyt "
                "worklist release» først."
            )
        if not take and not item.taken_by:
            raise NotAllowed(f"{item.id} er det ingen som har tatt.")
        bound = {"owner": kommune.id, "item": here.hashes[item.id], "by": visitor.id}
        here.connection.execute(text(_TAKE if take else _RELEASE), bound)
        audit.record(here.connection, kommune.id, visitor, done, here.people([item]), item.kind)
    return item._replace(taken_by=visitor.id if take else None)


_TAKE = "insert into control.work_taken (owner, item, taken_by) values (:owner, :item, :by)"
_RELEASE = (
    "update control.work_taken set ended_at = clock_timestamp(), ended_by = :by "
    "where owner = :owner and item = :item and ended_at is null"
)


def _find(written: str, listed: Sequence[Item]) -> Item:
    """Return the item that an id, or its beginning, names. Raises NotAllowed, the same for what is not shown."""
    word = written.strip().lower()
    found = [item for item in listed if item.id.startswith(word)] if len(word) >= SHORTEST else []
    if len(found) > 1:
        raise NotAllowed(f"{len(found)} saker begynner på {word}: skriv mer av id-en.")
    if not found:
        raise NotAllowed(f"Ingen sak på arbeidslisten heter {word}: «dataflyt worklist» viser id-ene.")
    return found[0]


@contextmanager
def _open(kommune: Kommune, environment: Environment, *, lock: bool = False) -> Iterator["_Reader"]:
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=lock) as connection:
        yield _Reader(connection, kommune, environment)


class _Reader:
    """Reads a kommune's list in one transaction. ``hashes``: each item's whole hash, by its id, when it is read."""

    def __init__(self, connection: Connection, kommune: Kommune, environment: Environment) -> None:
        self.connection, self.kommune, self.environment = connection, kommune, environment
        self.hashes: dict[str, str] = {}
        self._shown: dict[str, list[str]] = {}

    def items(self, wanted: Wanted = EVERYTHING, *, graded: bool = False, numbers: bool = False) -> list[Item]:
        """Return the wanted items in the order of the list. Raises ConfigError for a school that is not here."""
        owner = self.kommune.id
        released = runs.released_before(self.connection, owner)
        if not released:
            return []
        run = runs.get(self.connection, owner, released)
        day = self.environment.day(run.as_of)
        earlier = runs.released_before(self.connection, owner, released)
        before = runs.get(self.connection, owner, earlier).as_of if earlier else None
        hold_unasked = self.kommune.pupils_without_number == "ask"
        views = vetoed_views.views(
            self.connection, owner, released, "now_", day=day, hold_unasked=hold_unasked, whole=True
        )
        if wanted.school is not None:
            school = text("select min(unit_id) from now_unit where unit_id = :school or lower(name) = lower(:school)")
            found = self.connection.scalar(school, {"school": wanted.school})
            if found is None:
                raise ConfigError(
                    f"{self.kommune.display_name} har ingen skole som heter eller har organisasjonsnummer "
                    f"{wanted.school}: skriv navnet slik det står på arbeidslisten."
                )
            wanted = replace(wanted, school=found)
        shown.views(views, "group_of_pupils", "shown_account", "shown_employment", "shown_enrolment", "shown_envelope")
        self._tell_groups()
        self._list(views, released, day, graded=graded)
        bound = {
            "owner": owner,
            "graded": graded,
            "numbers": numbers,
            "graded_kinds": [name for name, kind in KINDS.items() if kind.graded],
            "while_made": [name for name, kind in KINDS.items() if kind.while_made],
            "not_ready": self.kommune.groups_not_ready(day),
            "unasked": sorted(UNASKED),
        }
        rows = self.connection.execute(text(_ITEMS), bound).all()
        self.hashes = {row.item[:SHOWN]: row.item for row in rows}
        self._shown = {row.item[:SHOWN]: _people(row) for row in rows}
        order = {kind: place for place, kind in enumerate(KINDS)}
        listed = [item for row in rows if wanted.includes(item := _item(row, before))]
        return sorted(listed, key=lambda item: (order[item.kind], item.school, item.subject, item.other))

    def people(self, listed: Sequence[Item]) -> set[UUID]:
        """Return the people whom the items name, by the reading before."""
        return {UUID(one) for one in {one for item in listed for one in self._shown[item.id]}}

    def _tell_groups(self) -> None:
        """Make ``guarded_group_tells``: the groups whose name or id tells of somebody who is fortrolig or stricter.

        The rule is that of the exports, which hide only the stricter: such a group is in an export by its name. The
        exports' groups are made from it (``_OF_GROUPS``).
        """
        owner, exports = self.kommune.id, rules.folder("exports")
        tells = exports["group_tells"]
        views = [
            f"create or replace temporary view guarded_{name} as select * from now_{name}"
            for name in ("group_of_pupils", "membership", "person", "person_link", "school_group")
        ]
        rules.drop(self.connection, [tells.name_in("guarded_")])
        rules.drop(self.connection, [exports[name].name_in("now_") for name in ("group_tells", *_OF_GROUPS)])
        rules.script(
            self.connection,
            [
                "create or replace temporary view guarded_protection as "
                "select person_id, case when level >= 2 then 3 else level end as level, held_back from now_protection",
                *views,
                *rules.script_of(tells, p="guarded_", owner=owner),
                # The exports' own are those of fewer people. Reading all names once more would take a second.
                "create temporary table now_group_tells on commit drop as select t.* from guarded_group_tells t "
                "join now_protection x on x.person_id = t.person_id where x.level >= 3 or x.held_back",
                *(
                    one
                    for name in _OF_GROUPS
                    for one in rules.script_of(exports[name], p="now_", owner=self.kommune.id)
                ),
            ],
        )

    def _list(self, views: Views, released: int, day: date, *, graded: bool) -> None:
        """Make the temporary tables ``listed`` (every item), ``about`` (its people) and ``hidden`` (ids)."""
        connection, owner = self.connection, self.kommune.id
        copied(connection, "same_file", "source text, file text, since timestamptz", self._same_files(released))
        on = f"date '{day.isoformat()}'"
        found = (
            rules.sql("work_list/of_run"),
            rules.sql("work_list/review_due").format(day=on),
            rules.sql("work_list/ends_soon").format(day=on, p="now_"),
            rules.sql("work_list/veto_to_decide").format(day=on),
            rules.sql("work_list/identity_to_decide").format(p="now_"),
            rules.sql("work_list/held_back").format(p="now_"),
            *self._of_feide(),
            "select kind, subject, other, unit_id, cast(null as timestamptz) from now_shown_group_renamed",
            events.UNANSWERED,
            "select 'file_same', source, file, null, since from same_file",
        )
        union = " union all ".join(
            f"select *, null as responsible, null as reason from ({statement}) as one" for statement in found
        )
        union += f" union all {rules.sql('work_list/set_aside')}"
        bound = {
            "owner": owner,
            "released": released,
            "graded": graded,
            "as_told": list(TOLD_AS),
            "told_as": list(TOLD_AS.values()),
            "hints": sorted(HINTS),
            "orgnr": self.kommune.orgnr,
            **{f"of_{about}": [name for name, kind in KINDS.items() if kind.about == about] for about in _ABOUTS},
        }
        for name, statement in (
            ("told", rules.sql("work_list/told").format(day=on, p="now_")),
            ("listed", _LISTED.format(found=union)),
            ("about", _ABOUT),
            ("guarded", _GUARDED),
            ("hidden", _HIDDEN),
            ("school_of", _SCHOOL_OF),
        ):
            connection.execute(text(f"drop table if exists pg_temp.{name}"))
            connection.execute(text(f"create temporary table {name} on commit drop as {statement}"), bound)
            connection.execute(text(f"analyze {name}"))
        self._tell_guardians(views)

    def _of_feide(self) -> list[str]:
        """Return the statements of what Feide's validator finds in the directory, where the kommune publishes one."""
        if "feide_ldif" not in self.kommune.exports:
            return []
        return [rules.sql("work_list/feide").format(p="now_"), *([] if self.kommune.feide.mail else [_NO_MAIL])]

    def _tell_guardians(self, views: Views) -> None:
        """Make ``may_be_asked``: those whom a visitor without ``graded`` may know that a register is asked about.

        A row in quarantine names nobody else, and there is no item about anybody else that only a register can find.
        """
        asked: dict[str, set[UUID]] = {}
        for source, person in self.connection.execute(text(_ASKED)):
            asked.setdefault(source, set()).add(person)
        employees = self.kommune.sources.freg.employees
        told = [
            (source, str(one))
            for source, whom in asked.items()
            for one in people.may_be_asked(views, whom, source, graded=False, employees=employees)
        ]
        copied(self.connection, "may_be_asked", "source text, id text", told)

    def _same_files(self, released: int) -> list[tuple[str, str, datetime]]:
        """Return the files that a run and the run before it read, and the first run that saw each to be the same.

        Timetables are left out: one lasts a term.
        """
        since: dict[tuple[str, str], datetime] = {}
        number = released
        while number:
            run = runs.get(self.connection, self.kommune.id, number)
            noted = report.notes(self.connection, run)
            same = {
                (source, file["name"])
                for source in _SOURCES
                for page, file in noted.get(f"files_{source}", {}).items()
                if file["same"] and not page.startswith("timetable")
            }
            still = same if number == released else same & since.keys()
            if not still:
                break
            since |= dict.fromkeys(still, run.as_of)
            number = runs.released_before(self.connection, self.kommune.id, number)
        return [(source, file, at) for (source, file), at in since.items()]


def _item(row: Any, before: datetime | None) -> Item:
    kind = KINDS[row.kind]
    return Item(
        id=row.item[:SHOWN],
        kind=row.kind,
        subject=row.subject,
        other=row.other,
        unit_id=row.unit_id,
        school=row.school or "",
        owner=RESPONSIBLE.get(row.responsible, kind.owner),
        since=row.since and row.since.astimezone(OSLO).date(),
        new=row.since is not None and (before is None or row.since > before),
        taken_by=row.taken_by,
        whom=_whom(kind, row),
        beside=_beside(row),
        number=row.number,
    )


def _people(row: Any) -> list[str]:
    """Return the ids of those whom a row of the list may name."""
    subject = [row.subject] if row.subject_shown and KINDS[row.kind].about == "person" else []
    other = [row.other] if row.other_is_person and row.other_shown else []
    return [*subject, *other, *(row.row_people or ())]


def _whom(kind: Kind, row: Any) -> str:
    if kind.about == "source":
        return _SOURCES.get(row.subject, str(row.subject))
    if kind.about == "school":
        return str(row.school or row.subject)
    if kind.about == "group":
        return f"{row.group_name} ({row.subject})" if row.group_name not in (None, row.subject) else str(row.subject)
    if kind.about == "row":
        return f"rad {row.subject[:ROW]}" + (f": {row.name}" if row.name else "")
    return str(row.name or "")


_BESIDE = {
    "org:": "organisasjon {}",
    "uten:": "en voksen uten fødselsnummer",
    "sas:": "en voksen som skolen har lagt inn uten fødselsnummer",
}


def _beside(row: Any) -> str:
    """Return the item's second thing in words: an adult, or a word of the source that is not an id."""
    if row.reason:
        return str(row.reason)
    if row.other_is_person:
        unnamed = "en voksen som skolen har lagt inn" if row.kind == "sas_guardian_without_basis" else ""
        return str(row.other_name or unnamed)
    for prefix, words in _BESIDE.items():
        if row.other.startswith(prefix):
            return words.format(row.other.removeprefix(prefix))
    return "" if row.other == row.unit_id else str(row.other)


# --- the statements, in the order of reading --------------------------------------------------------------------------

_ABOUTS = ("person", "group")
_OF_GROUPS = ("shown_school_group", "shown_group_renamed", "shown_membership")
_UUID = "~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'"

# Feide demands an address of the owner and of each school; all have the kommune file's.
_NO_MAIL = "select 'no_mail_in_feide', cast(:orgnr as text), '', cast(null as text), cast(null as timestamptz)"

_LISTED = f"""
select *, control.keyed_hash({OWN_KEY}, concat_ws('|', 'work item', kind, subject, other)) as item
from (
    select kind, subject, other, min(unit_id) as unit_id, min(since) as since, min(responsible) as responsible,
        min(reason) as reason
    from ({{found}}) as found
    group by kind, subject, other
) as one
"""

# The people of each item; "at" is the place where one stands.
_ABOUT = f"""
select kind, subject, other, cast(subject as uuid) as person_id, 'subject' as at
from listed where kind = any(:of_person) and subject {_UUID}
union
select kind, subject, other, cast(other as uuid), 'other' from listed where other {_UUID}
union
select i.kind, i.subject, i.other, l.person_id, 'row'
from listed i
join control.quarantine h on h.owner = :owner and h.row_hash = i.subject and h.rule = i.other
join now_person_link l on {LINKED}
where i.kind = 'set_aside'
"""

# As in ``people.hidden``: a child whose adults are suspended too.
_GUARDED = (
    "select person_id from now_protection where level >= 2 or held_back "
    "union select person_id from now_veto where kind = 'access_suspended'"
)
# The register of a row in quarantine, or of a kind that only a register can find.
_OF_REGISTER = {
    "guardian_not_reached": "krr",
    "event_unanswered": "freg",
    "name_differs": "freg",
    "number_differs": "freg",
}
_REGISTER = "case {} " + " ".join(f"when '{kind}' then '{source}'" for kind, source in _OF_REGISTER.items()) + " end"
_ASKED = f"""
select split_part(other, '_', 1) as source, person_id from about where at = 'row'
union
select {_REGISTER.format("kind")}, person_id from about where at = 'subject' and {_REGISTER.format("kind")} is not null
"""

# Those who may not be named, as in ``people.hidden``: the protected and the held back, under any id that they have or
# had, and the adults who are here for protected children alone. And the groups whose pupils are all in no export, or
# whose id tells of somebody protected.
_HIDDEN = """
with asked as (select distinct person_id from about)
select cast(a.person_id as text) as id from asked a join guarded g on g.person_id = a.person_id
union
select cast(a.person_id as text) from asked a join now_kin k on k.person_id = a.person_id
join guarded g on g.person_id = k.other_id
union
select a.adult
from now_guardian_access a
join asked on cast(asked.person_id as text) = a.adult
left join guarded g on g.person_id = a.child_id
where not exists (select from now_enrolment e where e.person_id = asked.person_id)
    and not exists (select from now_employment e where e.person_id = asked.person_id)
    and not exists (select from now_membership m where m.person_id = asked.person_id)
group by a.adult
having bool_and(g.person_id is not null)
union
select m.group_id
from now_membership m
join now_protection x on x.person_id = m.person_id
where m.role = 'student' and m.group_id in (select subject from listed where kind = any(:of_group))
group by m.group_id
having bool_and(x.level >= 3 or x.held_back)
union
select group_id from guarded_group_tells where by_id
"""

# The school of a person: the main one, or that of a child who is not protected.
_SCHOOL_OF = """
select distinct on (person_id) person_id, unit_id
from (
    select person_id, unit_id, main, 1 as place from now_enrolment
    union all
    select person_id, unit_id, main, 2 from now_employment
    union all
    select a.person_id, e.unit_id, e.main, 3
    from (select distinct person_id from about) as a
    join now_guardian_access g on g.adult = cast(a.person_id as text)
    join now_enrolment e on e.person_id = g.child_id
    where not exists (select from guarded x where x.person_id = g.child_id)
) as place
where person_id in (select person_id from about where at = 'subject')
order by person_id, place, main desc, unit_id
"""

_HIDES = "exists (select from hidden h where h.id = {})"
_ITEMS = f"""
select
    i.item, i.kind, i.subject, i.other, i.since, i.responsible, i.reason,
    coalesce(i.unit_id, s.unit_id) as unit_id, u.name as school, t.taken_by,
    case when :graded or i.subject not in (select group_id from guarded_group_tells) then g.name end as group_name,
    case when i.kind = 'set_aside' then r.names
        when :graded or not {_HIDES.format("i.subject")}
        then coalesce(nullif(concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn), ''), c.name) end as name,
    case when :graded or not {_HIDES.format("i.other")}
        then nullif(concat_ws(' ', o.fornavn, o.mellomnavn, o.etternavn), '') end as other_name,
    :graded or not {_HIDES.format("i.subject")} as subject_shown,
    :graded or not {_HIDES.format("i.other")} as other_shown,
    r.people as row_people,
    exists (select from about a where a.at = 'other' and cast(a.person_id as text) = i.other) as other_is_person,
    case when :numbers and (:graded or not {_HIDES.format("i.subject")}) then coalesce(p.number, c.number) end as number
from listed i
left join (select distinct on (person_id) cast(person_id as text) as id, unit_id from school_of) as s
    on s.id = i.subject
left join now_unit u on u.unit_id = coalesce(i.unit_id, s.unit_id)
left join now_person p on cast(p.person_id as text) = i.subject
left join now_person o on cast(o.person_id as text) = i.other
left join now_shown_school_group g on g.group_id = i.subject
left join (
    -- A child who goes to no school is not in the golden record.
    select i.subject as id, max(f.foedselsellerdnummer) as number,
        max(nullif(concat_ws(' ', f.fornavn, f.mellomnavn, f.etternavn), '')) as name
    from listed i
    join now_person_link l on cast(l.person_id as text) = i.subject and l.scheme = 'number'
    join history.freg_resident f on f.owner = :owner and f.to_run is null and f.foedselsellerdnummer = l.value
    where i.kind = 'resident_not_enrolled'
    group by i.subject
    union all
    -- Nor is an employee without a position and without a group. One select for each scheme, so that PostgreSQL joins.
    select id, max(number), max(name) from (
        select i.subject as id, s.number, concat_ws(' ', s.given_name, s.family_name) as name
        from listed i
        join now_person_link l on cast(l.person_id as text) = i.subject and l.scheme = 'sas'
        join history.sas_person s on s.owner = :owner and s.to_run is null and s.person_id = l.value
        where i.kind = 'employee_without_school'
        union all
        select i.subject, s.number, concat_ws(' ', s.given_name, s.family_name)
        from listed i
        join now_person_link l on cast(l.person_id as text) = i.subject and l.scheme = 'number'
        join history.sas_person s on s.owner = :owner and s.to_run is null and s.number = l.value
        where i.kind = 'employee_without_school'
    ) as of_school
    group by id
) as c on c.id = i.subject and i.kind in ('resident_not_enrolled', 'employee_without_school')
left join (
    select a.subject, a.other, string_agg(distinct concat_ws(' ', p.fornavn, p.etternavn), ', ') as names,
        array_agg(distinct cast(a.person_id as text)) as people
    from about a
    join now_person p on p.person_id = a.person_id
    where a.at = 'row' and (:graded or not exists (select from hidden h where h.id = cast(a.person_id as text))
        and (split_part(a.other, '_', 1), cast(a.person_id as text)) in (select source, id from may_be_asked))
    group by a.subject, a.other
) as r on i.kind = 'set_aside' and r.subject = i.subject and r.other = i.other
left join control.work_taken t on t.owner = :owner and t.ended_at is null and t.item = i.item
where not (:not_ready and i.kind = any(:while_made)) and (
    :graded
    or not i.kind = any(:graded_kinds)
    and not (i.kind in ('override_review_due', 'override_review_soon') and i.other = 'adressebeskyttelse')
    and (
        i.kind = any(:unasked) or i.kind = 'set_aside'
        or not {_HIDES.format("i.subject")} and not {_HIDES.format("i.other")}
    )
    and not (
        -- An employee whom a register is asked about as a guardian of protected children alone.
        {_REGISTER.format("i.kind")} is not null
        and ({_REGISTER.format("i.kind")}, i.subject) not in (select source, id from may_be_asked)
    )
    and not (
        i.kind = 'sas_guardian_without_basis'
        and exists (select from now_quiet q where q.child = i.subject and q.adult = i.other)
    )
)
-- Nobody is told to enter an adult whose access a block or a suspension has taken since the run.
and not (
    i.kind = 'sas_guardian_missing'
    and (i.subject, i.other) not in (
        select cast(child_id as text), adult from now_guardian_access where state = 'active'
    )
)
"""
