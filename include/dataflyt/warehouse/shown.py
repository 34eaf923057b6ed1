"""The rules for the rows that may be shown, the same for all exports: views over the golden record under the vetoes.

The rules are in ``sql/exports/``. Exports read only the views ``<prefix>shown_<what>``. A hidden person
(strengtFortrolig, or held back) is in none of these views, and a person's column is empty if it may not be shown.

``<prefix>shown_group_renamed`` holds the groups that are named after a hidden person. It is for readers who may see
protection, and no export reads it.
"""

from dataflyt.warehouse import rules
from dataflyt.warehouse.vetoed_views import Views


def views(of: Views, *names: str) -> None:
    """Make the temporary views ``<prefix>shown_<what>`` over the vetoed views ``of``: all, or those named.

    A relation that is read often or is costly is a table, and holds the rows of the moment it was made. All last as
    long as the transaction.
    """
    wanted = list(rules.folder("exports").values())
    if names:
        asked = [rule for rule in wanted if rule.name in names]
        needed = rules.needed("exports", asked)
        wanted = [rule for rule in wanted if rule in asked or rule in needed]
    make = [statement for rule in wanted for statement in rules.script_of(rule, p=of.prefix, owner=of.owner)]
    rules.drop(of.connection, [rule.name_in(of.prefix) for rule in wanted])
    rules.script(of.connection, make)
