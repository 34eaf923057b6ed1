"""The rule of what may be shown: one for all exports, laid over the golden record under the vetoes.

The rules stand in ``sql/exports/``. Exports read the views ``<prefix>shown_<what>`` alone. A person who is hidden
(strengtFortrolig, or held back) is in none of them, and a column that may not be shown of a person is empty.

``<prefix>shown_group_renamed`` holds the groups that are named after a hidden person. It is for readers who may see
protection, and no export reads it.
"""

from dataflyt.warehouse import rules
from dataflyt.warehouse.vetoed_views import Views


def views(of: Views) -> None:
    """Make the temporary views ``<prefix>shown_<what>`` over the vetoed views ``of``.

    What is read often, or is costly, is a table, and holds what was true when it was made. They last as long as the
    transaction.
    """
    wanted = list(rules.folder("exports").values())
    drop = [f"drop {rule.kind} if exists pg_temp.{rule.name_in(of.prefix)} cascade" for rule in reversed(wanted)]
    make = [statement for rule in wanted for statement in rules.script_of(rule, p=of.prefix, owner=of.owner)]
    rules.script(of.connection, [*drop, *make])
