"""FREG's event list: which kommune holds which numbers, how far the list has been read, and the people to ask about.

Two roles share these tables. ``kommune_<id>`` writes a keyed hash of each number that the kommune holds, and deletes
the rows that it has dealt with; it sees only its own rows. ``dataflyt_events`` reads the list: it sees hashes and
owners, and nothing else of the warehouse. The installation has one key (``events.key``), drawn when the schema was
made.
"""

import hashlib
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

from sqlalchemy import Connection, text

from dataflyt.storage.database import copied
from dataflyt.warehouse import rules

_NOW = "coalesce(w.ask_after <= now(), true)"
_HASH = "substr(control.keyed_hash(k.secret, {number}), 1, 32)::uuid"


class Pointer(NamedTuple):
    """The place to read on from in the list, the ETag of its last page there, and the time of the list's last answer.

    ``event_at`` is the time when the list last gave an event. ``ahead`` is True if the list then said that there are
    more events without giving them.
    """

    next_seq: int
    etag: str | None
    read_at: datetime
    event_at: datetime | None
    ahead: bool


class Waiting(NamedTuple):
    """A person to ask about: ``number`` is None if no number in the golden record has the hash.

    ``part`` is the person's first part in the kommune: a person who only works here is an employee, and a child who has
    left school a sibling. ``known`` is True if FREG has answered about the person before, ``told`` if it has been
    reported that FREG no longer does.
    """

    hash: uuid.UUID
    seq: int
    number: str | None
    part: Literal["pupil", "employee", "sibling", "other"]
    known: bool
    told: bool


# --- as the kommune ----------------------------------------------------------------------------------------------


def route_numbers(connection: Connection, owner: str, numbers: str) -> None:
    """Route to the kommune the events about the numbers that the query ``numbers`` gives."""
    connection.execute(
        text(
            f"insert into events.route (hash, owner) select distinct {_HASH.format(number='n.value')}, :owner "
            f"from ({numbers}) as n(value) cross join events.key k on conflict do nothing"
        ),
        {"owner": owner},
    )


def route_new_numbers(connection: Connection, owner: str, numbers: str) -> None:
    """Route numbers that are not in the golden record yet: the query gives each beside a number that is in it."""
    connection.execute(
        text(
            f"insert into events.route (hash, owner, known_as) select distinct on (1) {_HASH.format(number='n.new')}, "
            f":owner, {_HASH.format(number='n.known')} from ({numbers}) as n(new, known) cross join events.key k "
            "on conflict do nothing"
        ),
        {"owner": owner},
    )


def route_no_other_numbers(connection: Connection, owner: str, *, employees: bool = False) -> None:
    """Route to the kommune the events about the people that it holds, and about nobody else.

    It holds pupils, their guardians and siblings, and ``employees`` if it asks FREG about them.
    """
    connection.execute(text("drop table if exists pg_temp.held"))
    connection.execute(
        text(
            f"create temporary table held on commit drop as select distinct {_HASH.format(number='n.value')} as hash "
            f"from ({_HELD}) n cross join events.key k"
        ),
        {"owner": owner, "employees": employees, "released": _NEWEST},
    )
    connection.execute(text("analyze held"))
    connection.execute(
        text(
            "delete from events.route r where owner = :owner "
            "and not exists (select from held h where h.hash = coalesce(r.known_as, r.hash))"
        ),
        {"owner": owner},
    )
    connection.execute(
        text(
            "insert into events.route (hash, owner) select hash, :owner from held h where not exists "
            "(select from events.route r where r.owner = :owner and r.hash = h.hash) on conflict do nothing"
        ),
        {"owner": owner},
    )


_NEWEST = 2**63 - 1
"""As the released run in ``asked/siblings.sql``: the rows that are open now."""
# By all present and former numbers of the people.
_HELD = f"""
select l.value
from golden.person_link l
where l.owner = :owner and l.to_run is null and l.scheme = 'number' and l.person_id in (
    select person_id from golden.enrolment where owner = :owner and to_run is null
    union
    select adult::uuid from golden.guardian_access where owner = :owner and to_run is null and adult_kind = 'person'
    union
    select person_id from golden.employment where owner = :owner and to_run is null and :employees
    union
    select s.person_id from ({rules.sql("asked/siblings")}) as s
    where s.other_id in (select person_id from golden.enrolment where owner = :owner and to_run is null)
)
"""


def waiting(connection: Connection, owner: str) -> list[Waiting]:
    """List the people that the kommune is to ask about now, each by the number in use."""
    found = connection.execute(
        text(
            f"""
            with numbers as (
                select l.value, l.person_id, l.current from golden.person_link l
                where l.owner = :owner and l.to_run is null and l.scheme = 'number'
            ),
            known as (
                select w.hash, w.seq, w.unanswered_since, (array_agg(n.person_id))[1] as person_id
                from events.waiting w
                left join (
                    select {_HASH.format(number="n.value")} as hash, n.person_id from numbers n cross join events.key k
                ) n on n.hash = w.hash
                where w.owner = :owner and {_NOW}
                group by w.hash, w.seq, w.unanswered_since
            ),
            in_use as (
                select distinct on (person_id) person_id, value from numbers order by person_id, current desc, value
            )
            select k.hash, k.seq, u.value, case
                when exists (
                    select from golden.enrolment e
                    where e.owner = :owner and e.to_run is null and e.person_id = k.person_id
                ) then 'pupil'
                when exists (
                    select from golden.employment e
                    where e.owner = :owner and e.to_run is null and e.person_id = k.person_id
                ) and not exists (
                    select from golden.guardian_access g
                    where g.owner = :owner and g.to_run is null and g.adult = k.person_id::text
                ) then 'employee'
                when exists (
                    select from history.freg_foreldreansvar f
                    where f.owner = :owner and f.to_run is null and f.subject = u.value
                        and f.ergjeldende is not false and coalesce(f.ansvarssubjekt, u.value) = u.value
                ) and not exists (
                    select from golden.guardian_access g
                    where g.owner = :owner and g.to_run is null and g.adult = k.person_id::text
                ) then 'sibling'
                else 'other'
            end, exists (
                select from history.freg_person f
                where f.owner = :owner and f.to_run is null and f.subject = u.value
            ), k.unanswered_since is not null
            from known k left join in_use u on u.person_id = k.person_id
            order by u.value, k.hash
            """
        ),
        {"owner": owner},
    )
    return [Waiting(*row) for row in found]


def dealt_with(connection: Connection, owner: str, done: Iterable[Waiting]) -> None:
    """Delete the people that have been dealt with, unless the list has named them again since."""
    _of_these(connection, owner, "delete from events.waiting w using these", done)


def unanswered(connection: Connection, owner: str, whom: Iterable[Waiting]) -> None:
    """Ask about these people again in a day, or as soon as the list names them."""
    later = "ask_after = now() + interval '23 hours', unanswered_since = coalesce(w.unanswered_since, now())"
    _of_these(connection, owner, f"update events.waiting w set {later} from these", whom)


def _of_these(connection: Connection, owner: str, statement: str, whom: Iterable[Waiting]) -> None:
    copied(connection, "these", "hash uuid, seq bigint", ((one.hash, one.seq) for one in whom))
    connection.execute(
        text(f"{statement} where w.owner = :owner and w.hash = these.hash and w.seq <= these.seq"), {"owner": owner}
    )


UNANSWERED = f"""
select
    'event_unanswered' as kind, l.person_id::text as subject, '' as other, cast(null as text) as unit_id,
    min(w.unanswered_since) as since
from events.waiting w
join events.key k on true
join golden.person_link l on l.owner = w.owner and l.to_run is null and l.scheme = 'number'
    and w.hash = {_HASH.format(number="l.value")}
where w.unanswered_since is not null
group by l.person_id
"""
"""Items of the work list: people that FREG names in its list but does not answer about. As the kommune."""


# --- as the reader of the list -----------------------------------------------------------------------------------


def pointer(connection: Connection, feed: str) -> Pointer | None:
    """Return the place to read on from, None before the first time."""
    row = connection.execute(
        text("select next_seq, etag, read_at, event_at, ahead from events.pointer where feed = :feed"), {"feed": feed}
    ).one_or_none()
    return Pointer(*row) if row else None


def move_pointer(connection: Connection, feed: str, next_seq: int, etag: str | None, *, ahead: bool = False) -> None:
    """Keep the place to read on from, in the same transaction as the events that were read before it."""
    connection.execute(
        text(
            "insert into events.pointer as p (feed, next_seq, etag, read_at, event_at, ahead) "
            "values (:feed, :seq, :etag, now(), now(), :ahead) on conflict (feed) do update set "
            "next_seq = excluded.next_seq, etag = excluded.etag, read_at = now(), ahead = excluded.ahead, "
            "event_at = case when p.next_seq = excluded.next_seq then p.event_at else now() end"
        ),
        {"feed": feed, "seq": next_seq, "etag": etag, "ahead": ahead},
    )


def key(connection: Connection) -> str:
    """Return the key of the hashes."""
    return str(connection.scalar(text("select secret from events.key")))


def hashed(secret: str, number: str) -> str:
    """Hash a number as ``route_numbers`` does: numbers of people that no kommune holds never reach the warehouse."""
    return hashlib.sha256(f"{secret}:{number}".encode()).hexdigest()[:32]


def let_wait(connection: Connection, heard: Iterable[tuple[str, int]]) -> None:
    """Keep for each owner the hashes that it holds, with their ``sekvensnummer``; drop the other hashes."""
    copied(connection, "heard", "hash uuid, seq bigint", heard)
    connection.execute(text("analyze heard"))
    connection.execute(
        text(f"{_WAIT.format(source='heard h join events.route r on r.hash = h.hash', seq='max(h.seq)')}")
    )


def let_all_wait(connection: Connection, seq: int) -> None:
    """Let every owner ask about all the people it holds: the events before ``seq`` were not read."""
    connection.execute(text(_WAIT.format(source="events.route r", seq="cast(:seq as bigint)")), {"seq": seq})


_WAIT = (
    "insert into events.waiting (owner, hash, seq, heard_at) "
    "select r.owner, coalesce(r.known_as, r.hash), {seq}, now() from {source} group by 1, 2 "
    "on conflict (owner, hash) do update set seq = greatest(waiting.seq, excluded.seq), "
    "ask_after = case when excluded.seq > waiting.seq then null else waiting.ask_after end"
)


def owners(connection: Connection) -> list[str]:
    """List the owners that have people to ask about now, the owner with the fewest people first."""
    found = text(f"select w.owner from events.waiting w where {_NOW} group by w.owner order by count(*), w.owner")
    return list(connection.execute(found).scalars())
