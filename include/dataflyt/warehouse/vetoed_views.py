"""Views of the golden record of a run, always under the vetoes and blocks.

Plan, exports and explanations read golden tables only through these views. Vetoes and blocks are about people, not
about ids: each holds for every person who is or has been one with the person of its row. The rules that apply them are
in ``sql/vetoed/``.
"""

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy import Connection

from dataflyt.warehouse import rules
from dataflyt.warehouse.tables import GOLDEN

READ_OFTEN = frozenset({"veto", "block", "quiet", "guardian_access", "protection"})
"""Views that others read in many places. PostgreSQL would plan and compute each anew in every place."""
TABLES = tuple(dict.fromkeys((*GOLDEN, *rules.folder("vetoed"))))
"""The names of the views, without their prefix."""


@dataclass(frozen=True)
class Views:
    """The temporary views ``<prefix><table>`` of the golden record at a run, which last as long as the transaction."""

    connection: Connection
    owner: str
    run: int
    prefix: str


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
    whole: bool = False,
) -> Views:
    """Make temporary views ``<prefix><table>`` of the golden record at ``run`` (0: nothing yet).

    Vetoes in force are applied to it. With ``vetoes_before`` only the vetoes that were learned before that run began
    are applied. With ``lifting`` all vetoes are applied except those that releasing that run would lift.

    ``day`` is for a reading as of now. Access that ends by that day is gone: foreldreansvar at 18, a grant past its
    end. An override that raises protection then holds, in whatever run it takes effect.

    With ``hold_unasked`` a pupil that FREG cannot be asked about is held back unless people have decided otherwise,
    even if the kommune's file said otherwise in that run.

    ``whole`` is for readers of all people: the views in ``READ_OFTEN`` are tables then, and hold the rows of the moment
    they were made, as ``<prefix>kin`` does always.
    """
    # What people lift holds until the run that gives it back.
    in_force = f"v.lifted_at is null or v.lifted_by is not null and v.lifted_run > {run:d}"
    if vetoes_before is not None:
        # A veto that the release of this run has lifted was in force before the run.
        in_force += f" or v.lifted_run >= {vetoes_before:d}"
    conditions = [f"v.owner = '{owner}'", f"({in_force})"]
    if vetoes_before is not None:
        # A veto that was learned outside the line while this run was under way was in force before it as well.
        conditions.append(f"(v.run < {vetoes_before:d} or v.outside_run)")
    if lifting is not None:
        conditions.append(
            f"v.veto not in (select l.veto from control.lift l where l.owner = '{owner}' and l.run = {lifting:d})"
        )
    changes = f"c.run < {vetoes_before:d}" if vetoes_before is not None else _KNOWN_CHANGES.format(owner=owner, run=run)
    placed = {
        "changes": changes,
        "p": prefix,
        "owner": owner,
        "run": str(run),
        "in_force": " and ".join(conditions),
        "day": f"date '{day.isoformat()}'" if day else "date '-infinity'",
        "as_of_now": "true" if day else "false",
        "hold": "true" if hold_unasked else "false",
    }
    laid_over = rules.folder("vetoed")
    bare = []
    for name, table in GOLDEN.items():
        columns = ", ".join(f'"{column}"' for column in table.columns)
        bare.append(
            f"create or replace temporary view {prefix}{name}{'_bare' if name in laid_over else ''} as "
            f"select {columns} from golden.{name} where owner = '{owner}' and from_run <= {run:d} "
            f"and (to_run is null or to_run > {run:d})"
        )
    wanted = [
        replace(rule, makes="table") if whole and rule.name in READ_OFTEN else rule for rule in laid_over.values()
    ]
    make = [statement for rule in wanted for statement in rules.script_of(rule, **placed)]
    rules.drop(connection, [rule.name_in(prefix) for rule in wanted])
    rules.script(connection, [*bare, *make])
    return Views(connection, owner, run, prefix)


# Of released runs, also of those that were undone since, and of the run that is read: the published run may be older
# than the released one.
_KNOWN_CHANGES = """(c.run = {run:d} or c.run <= (
    select max(r.run) from control.run r where r.owner = '{owner}' and r.state in ('released', 'undone')
))"""
