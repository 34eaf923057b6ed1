"""Reading the golden record: as it stood in a run, always under the vetoes.

Nothing reads golden tables but through these views: plan, exports and explanations alike.
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
) -> None:
    """Make temporary views ``<prefix><table>`` of the golden record at ``run`` (0: nothing yet).

    Vetoes in force are laid over it: all of them, or with ``vetoes_before`` only those learned before that run (what
    was true before it began), and with ``lifting`` less those that releasing that run would lift. With ``day`` what the
    day takes away is taken: foreldreansvar at 18, a grant past its end.
    """
    conditions = [f"owner = '{owner}'", "lifted_at is null"]
    if vetoes_before is not None:
        # A veto that this run has itself lifted by being released was in force before it.
        conditions[1] = f"(lifted_at is null or lifted_run >= {vetoes_before:d})"
        # What was learned beside the line while this run was under way is true before it as well.
        conditions.append(f"(run < {vetoes_before:d} or beside)")
    if lifting is not None:
        conditions.append(f"veto not in (select veto from control.lift where owner = '{owner}' and run = {lifting:d})")
    _view(connection, f"{prefix}veto", f"select * from control.veto where {' and '.join(conditions)}")
    for name, table in GOLDEN.items():
        columns = ", ".join(f'"{column}"' for column in table.columns)
        bare = (
            f"select {columns} from golden.{name} where owner = '{owner}' and from_run <= {run:d} "
            f"and (to_run is null or to_run > {run:d})"
        )
        if name in _UNDER_VETO:
            _view(connection, f"{prefix}{name}_bare", bare)
            bare = _UNDER_VETO[name].format(p=prefix)
        _view(connection, f"{prefix}{name}", bare)


def _view(connection: Connection, name: str, select: str) -> None:
    connection.execute(text(f"create or replace temporary view {name} as {select}"))


_UNDER_VETO = {
    "protection": """
        select distinct on (person_id) person_id, level,
            bool_or(held_back) over (partition by person_id) as held_back, cause, cause_person_id
        from (
            select person_id, level, held_back, cause, cause_person_id from {p}protection_bare
            union all
            select person_id, level, false, cause, cause_person_id from {p}veto where kind = 'protection'
        ) as every
        order by person_id, level desc, cause, cause_person_id
    """,
    "person": """
        select person_id, number, local_number, fornavn, mellomnavn, etternavn, birth_date, kjoenn,
            work_email, status,
            dead or exists (select from {p}veto v where v.kind = 'death' and v.person_id = g.person_id) as dead,
            source, answered
        from {p}person_bare g
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
                    select from control.access_block b
                    where b.owner = substr(current_user, 9) collate "default" and b.child_id = g.child_id
                        and b.adult = g.adult and b.lifted_at is null
                ) then 'blocked'
                when left(g.basis, 6) = 'grant:' and not exists (
                    select from control.access_grant r
                    where r.owner = substr(current_user, 9) collate "default" and r.child_id = g.child_id
                        and r.adult = g.adult and r.withdrawn_at is null
                ) then 'ended'
                else 'active'
            end as state
        from {p}guardian_access_bare g
    """,
}
