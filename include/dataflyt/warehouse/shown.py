"""Who and what may be shown: one rule for all exports, laid over the golden record under the vetoes.

``views`` makes ``<prefix>shown_<what>`` over the views of ``serving``. They are all that an export reads: whoever is
hidden (strengtFortrolig, or held back) is in none of them, and columns that may not be shown of somebody are empty.

The rules stand in ``sql/shown_<what>.sql``: person, account, unit, enrolment, employment, grp, membership, relation,
contact. ``<prefix>shown_group_renamed`` says which groups are named after somebody hidden; it is for those who may see
protection, and no export reads it.
"""

from typing import Final

from sqlalchemy import Connection, text

from dataflyt.warehouse.golden import statement

# In the order in which one reads another. What is read often, or is costly, is computed once.
_RELATIONS: Final = (
    ("candidate", "table"),
    ("shown_unit", "view"),
    ("shown_relation", "view"),
    ("shown_person", "view"),
    ("shown_contact", "view"),
    ("shown_account", "view"),
    ("shown_enrolment", "view"),
    ("shown_employment", "view"),
    ("group_of_pupils", "table"),
    ("group_tells", "table"),
    ("shown_grp", "table"),
    ("shown_membership", "view"),
    ("shown_group_renamed", "view"),
)


def views(connection: Connection, owner: str, prefix: str) -> None:
    """Make temporary views ``<prefix>shown_<what>``; ``serving.views`` has made ``<prefix><table>`` before.

    Some are tables, and hold what was true when they were made. They last as long as the transaction.
    """
    for name, kind in reversed(_RELATIONS):
        connection.execute(text(f"drop {kind} if exists pg_temp.{prefix}{name} cascade"))
    for name, kind in _RELATIONS:
        rule = statement(name if name.startswith("shown_") else f"shown_{name}").format(p=prefix, owner=owner)
        commit = "on commit drop " if kind == "table" else ""
        connection.exec_driver_sql(f"create temporary {kind} {prefix}{name} {commit}as {rule}")
        if kind == "table":
            connection.execute(text(f"analyze pg_temp.{prefix}{name}"))
