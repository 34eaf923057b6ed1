"""The warehouse's tables as data, from which staging tables and the merge's statements are generated."""

import types
import typing
from dataclasses import dataclass
from functools import cache

from dataflyt.sources import Table
from dataflyt.sources.freg import rows as freg
from dataflyt.sources.hr import rows as hr
from dataflyt.sources.krr import rows as krr
from dataflyt.sources.sas import rows as sas
from dataflyt.warehouse import rules

SOURCES: dict[str, dict[str, Table]] = {
    "freg": freg.TABLES,
    "krr": krr.TABLES,
    "hr": hr.TABLES,
    "sas": sas.TABLES,
}

_SQL_TYPES = {str: "text", bool: "boolean", int: "integer", float: "double precision"}


@dataclass(frozen=True)
class SourceTable:
    """A source's table as the warehouse knows it: its ``name`` (``freg_navn``) and its fields' SQL types."""

    source: str
    table: Table
    name: str
    columns: dict[str, str]

    @property
    def answered(self) -> bool:
        """True if a register is asked person by person; False if a file holds everything."""
        return self.source in {"freg", "krr"} and not self.table.whole


@cache
def source_tables() -> dict[str, SourceTable]:
    """All sources' tables by their warehouse name, in the order the sources list them."""
    found = {}
    for source, tables in SOURCES.items():
        for table in tables.values():
            columns = {name: _sql_type(hint) for name, hint in typing.get_type_hints(table.row).items()}
            found[f"{source}_{table.name}"] = SourceTable(source, table, f"{source}_{table.name}", columns)
    return found


def _sql_type(hint: object) -> str:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    return next(_SQL_TYPES[option] for option in options if option is not types.NoneType)


GOLDEN = {name: rule for name, rule in rules.folder("golden").items() if rule.makes == "golden"}
"""The rules of the golden record's tables. The headers of their SQL files have the columns and the key of the merge."""
