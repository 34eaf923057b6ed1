"""Reading the golden record: as it stood in a run, always under what protects.

Nothing reads golden tables but through these views: plan, exports and explanations alike. What protects (vetoes,
blocks) is about people, not about ids: it holds for everybody who is or has been one with the person of its row.
"""

from datetime import date

from sqlalchemy import Connection, text

from dataflyt.warehouse.tables import GOLDEN


def views(
    connection: Connection,
    owner: str,
    run: int,
    prefix: str,
    *,
    vetoes_before: int | None = None,
    lifting: int | None = None,
    day: date | None = None,
    hold_unasked: bool = False,
) -> None:
    """Make temporary views ``<prefix><table>`` of the golden record at ``run`` (0: nothing yet).

    Vetoes in force are laid over it: all of them, or with ``vetoes_before`` only those learned before that run (what
    was true before it began), and with ``lifting`` less those that releasing that run would lift. ``day`` is for a
    reading as of now: what the day takes away is taken (foreldreansvar at 18, a grant past its end), and an override
    that raises protection holds whatever run it takes effect in. With ``hold_unasked`` pupils about whom FREG cannot be
    asked are held back unless people have decided, whatever the kommune's file said in that run. They last as long as
    the transaction; ``<prefix>kin`` holds what was true when it was made.
    """
    conditions = [f"v.owner = '{owner}'", "v.lifted_at is null"]
    if vetoes_before is not None:
        # A veto that this run has itself lifted by being released was in force before it.
        conditions[1] = f"(v.lifted_at is null or v.lifted_run >= {vetoes_before:d})"
        # What was learned beside the line while this run was under way is true before it as well.
        conditions.append(f"(v.run < {vetoes_before:d} or v.beside)")
    if lifting is not None:
        conditions.append(
            f"v.veto not in (select l.veto from control.lift l where l.owner = '{owner}' and l.run = {lifting:d})"
        )
    changes = f"c.run < {vetoes_before:d}" if vetoes_before is not None else _KNOWN_CHANGES.format(owner=owner, run=run)
    placed = {
        "changes": changes,
        "p": prefix,
        "owner": owner,
        "run": run,
        "in_force": " and ".join(conditions),
        "day": f"date '{day.isoformat()}'" if day else "date '-infinity'",
        "as_of_now": "true" if day else "false",
        "hold": "true" if hold_unasked else "false",
    }
    # A table, for every view below reads it, several times each: PostgreSQL would plan it anew in each place.
    connection.execute(text(f"drop table if exists pg_temp.{prefix}kin cascade"))
    connection.execute(text(f"create temporary table {prefix}kin on commit drop as {_KIN.format(**placed)}"))
    connection.execute(text(f"analyze {prefix}kin"))
    for name, select in _OF_PEOPLE.items():
        _view(connection, f"{prefix}{name}", select.format(**placed))
    for name, table in GOLDEN.items():
        columns = ", ".join(f'"{column}"' for column in table.columns)
        bare = (
            f"select {columns} from golden.{name} where owner = '{owner}' and from_run <= {run:d} "
            f"and (to_run is null or to_run > {run:d})"
        )
        _view(connection, f"{prefix}{name}_bare" if name in _LAID_OVER else f"{prefix}{name}", bare)
    for name, select in _LAID_OVER.items():
        _view(connection, f"{prefix}{name}", select.format(**placed))


def _view(connection: Connection, name: str, select: str) -> None:
    connection.execute(text(f"create or replace temporary view {name} as {select}"))


# Of released runs, and of the one that is read: what is published may be older than what is released.
_KNOWN_CHANGES = """(c.run = {run:d} or c.run <= (
    select max(r.run) from control.run r where r.owner = '{owner}' and r.state = 'released'
))"""

# As in sql/kin.sql.
_KIN = """
with recursive edge as (
    select c.person_id, c.became as other_id from control.identity_change c
    where c.owner = '{owner}' and {changes}
    union
    select c.became, c.person_id from control.identity_change c
    where c.owner = '{owner}' and {changes}
),
closure as (
    select person_id, other_id from edge
    union
    select c.person_id, e.other_id from closure c join edge e on e.person_id = c.other_id
)
select person_id, other_id from closure
"""

_OF_PEOPLE = {
    "veto": """
        select v.veto, v.kind, coalesce(c.other_id, v.person_id) as person_id,
            coalesce(a.other_id::text, v.adult) as adult, v.level, v.cause, v.cause_person_id, v.unknown, v.run
        from control.veto v
        left join {p}kin c on c.person_id = v.person_id
        left join {p}kin a on a.person_id::text = v.adult
        where {in_force}
    """,
    # Access by consent that has fallen by protection: only those who may see that are told.
    "quiet": """
        select distinct person_id::text as child, adult
        from {p}veto where kind = 'access_ended' and cause = 'consent_protected'
    """,
    "block": """
        select distinct coalesce(c.other_id, b.child_id) as child_id, coalesce(a.other_id::text, b.adult) as adult
        from control.access_block b
        left join {p}kin c on c.person_id = b.child_id
        left join {p}kin a on a.person_id::text = b.adult
        where b.owner = '{owner}' and b.lifted_at is null
    """,
}

# In this order: what is laid over access reads protection.
_LAID_OVER = {
    "protection": """
        select distinct on (person_id) person_id, level,
            bool_or(held_back) over (partition by person_id) as held_back, cause, cause_person_id,
            max(known_level) over (partition by person_id) as known_level,
            bool_or(unasked) over (partition by person_id) as unasked
        from (
            select b.person_id, b.level,
                -- What people have decided they may take back, at once.
                b.held_back or coalesce(b.unasked, false) and ({hold} or exists (
                    select from control.publishable d
                    where d.owner = '{owner}' and d.ended_at is not null
                        and (d.person_id = b.person_id or d.person_id in (
                            select k.other_id from {p}kin k where k.person_id = b.person_id
                        ))
                )) and not exists (
                    select from control.publishable d
                    where d.owner = '{owner}' and d.ended_at is null
                        and (d.person_id = b.person_id or d.person_id in (
                            select k.other_id from {p}kin k where k.person_id = b.person_id
                        ))
                ) as held_back,
                b.cause, b.cause_person_id, coalesce(b.known_level, b.level) as known_level,
                coalesce(b.unasked, false) as unasked
            from {p}protection_bare b
            union all
            select person_id, level, false, cause, cause_person_id, case when unknown then 0 else level end, false
            from {p}veto where kind = 'protection'
            union all
            select coalesce(k.other_id, o.person_id), case o.value when 'fortrolig' then 2 else 3 end, false,
                'override', null, case o.value when 'fortrolig' then 2 else 3 end, false
            from control.override o
            left join {p}kin k on k.person_id = o.person_id
            where o.owner = '{owner}' and o.field = 'adressebeskyttelse' and o.ended_at is null and {as_of_now}
        ) as every
        order by person_id, level desc, cause in ('hr', 'override'), cause, cause_person_id
    """,
    "person": """
        select person_id, number, local_number, fornavn, mellomnavn, etternavn, birth_date, kjoenn,
            work_email, status,
            dead or exists (select from {p}veto v where v.kind = 'death' and v.person_id = g.person_id) as dead,
            source, answered
        from {p}person_bare g
    """,
    # Consent has fallen when anybody has withdrawn it, or when the child is protected.
    "access_by_grant": """
        select g.access_grant, g.child_id, g.adult, g.adult_kind, g.basis, g.ends_on
        from {p}access_by_grant_bare g
        join control.access_grant r on r.owner = '{owner}' and r.access_grant = g.access_grant
        where r.withdrawn_at is null and coalesce(g.ends_on, 'infinity') > {day}
            and coalesce(r.until, 'infinity') >= {day}
            and (g.basis <> 'consent' or not exists (
                select from control.consent s
                where s.owner = '{owner}' and s.access_grant = g.access_grant and s.withdrawn_at is not null
            ) and not exists (
                select from {p}protection x where x.person_id = g.child_id and x.level >= 2
            ))
    """,
    "guardian_access": """
        select child_id, adult, adult_kind, basis, ansvar,
            case
                when g.state <> 'active' then g.state
                when exists (
                    select from {p}veto v
                    where v.kind = 'access_ended' and v.person_id = g.child_id and v.adult = g.adult
                ) then 'ended'
                when exists (
                    select from {p}veto v
                    where v.kind = 'death' and v.person_id = g.child_id
                ) or exists (
                    select from {p}veto v
                    where v.kind = 'death' and v.person_id::text = g.adult
                ) then 'dead'
                when exists (
                    select from {p}veto v
                    where v.kind = 'access_suspended' and v.person_id = g.child_id and v.adult = g.adult
                ) then 'suspended'
                when exists (
                    select from {p}block b where b.child_id = g.child_id and b.adult = g.adult
                ) then 'blocked'
                when g.basis = 'foreldreansvar' and coalesce(g.of_age_on, 'infinity') > {day} then 'active'
                when exists (
                    select from {p}access_by_grant h where h.child_id = g.child_id and h.adult = g.adult
                ) then 'active'
                when g.basis = 'foreldreansvar' then 'of_age'
                else 'ended'
            end as state,
            of_age_on
        from {p}guardian_access_bare g
    """,
}
