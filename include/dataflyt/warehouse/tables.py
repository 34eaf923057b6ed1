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
        """True where a register is asked person by person; False where a file holds everything."""
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


@dataclass(frozen=True)
class GoldenTable:
    """A table of the golden record: computed by ``sql/<name>.sql`` for a run, merged by ``key``."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, str]


def _golden(name: str, key: str, columns: str) -> GoldenTable:
    pairs = (pair.split(None, 1) for pair in columns.split(","))
    return GoldenTable(name, tuple(key.split()), {name.strip(): sql_type.strip() for name, sql_type in pairs})


GOLDEN = {
    table.name: table
    for table in (
        _golden("unit", "unit_id", "unit_id text, kind text, name text, sas_id text, parent_id text"),
        _golden("school_year", "label", "label text, from_date date, to_date date"),
        _golden("person_link", "scheme value", "scheme text, value text, person_id uuid, current boolean"),
        _golden(
            "grp",
            "group_id",
            "group_id text, unit_id text, group_type text, feide_type text, name text, grep_code text, year_level int, "
            "from_date date, to_date date, timetabled boolean",
        ),
        _golden(
            "membership",
            "group_id person_id role",
            "group_id text, person_id uuid, role text, contact_teacher boolean",
        ),
        _golden(
            "enrolment",
            "person_id unit_id school_year",
            "person_id uuid, unit_id text, school_year text, year_level int, from_date date, to_date date, "
            "main boolean",
        ),
        _golden(
            "employment",
            "employee_id employment_id",
            "employee_id text, employment_id text, person_id uuid, unit_id text, position_name text, "
            "percentage double precision, main boolean, from_date date, to_date date",
        ),
        _golden(
            "guardian_access",
            "child_id adult",
            "child_id uuid, adult text, adult_kind text, basis text, ansvar text, state text, of_age_on date",
        ),
        _golden(
            "access_by_grant",
            "access_grant child_id adult",
            "access_grant bigint, child_id uuid, adult text, adult_kind text, basis text, ends_on date",
        ),
        _golden(
            "person",
            "person_id",
            "person_id uuid, number text, local_number text, fornavn text, mellomnavn text, etternavn text, "
            "birth_date date, kjoenn text, work_email text, status text, dead boolean, source text, answered boolean",
        ),
        _golden(
            "protection",
            "person_id",
            "person_id uuid, level int, held_back boolean, cause text, cause_person_id uuid, known_level int, "
            "unasked boolean",
        ),
        _golden(
            "contact",
            "person_id",
            "person_id uuid, email_hash text, email_at timestamptz, email_fresh boolean, mobile_hash text, "
            "mobile_at timestamptz, mobile_fresh boolean, reserved boolean, status text, spraak text",
        ),
        _golden("account", "person_id", "person_id uuid, uid text, role text, state text"),
        _golden(
            "work_item",
            "kind subject other",
            "kind text, subject text, other text, unit_id text",
        ),
    )
}
