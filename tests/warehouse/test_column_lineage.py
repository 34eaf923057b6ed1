"""The origins of the golden columns are real columns, and those that the rules name."""

from itertools import chain

import pytest
from openlineage_sql import parse

from dataflyt.warehouse import column_lineage, rules
from dataflyt.warehouse.column_lineage import Column
from dataflyt.warehouse.tables import GOLDEN, source_tables
from tests.installation.fixtures import Installation

WITHOUT = {
    "school_year.label": "the day",
    "school_year.from_date": "the day",
    "school_year.to_date": "the day",
    "enrolment.school_year": "the day",
    "work_item.kind": "words",
    "enrolment.manual": "lost",
    "membership.manual": "lost",
    "employment.manual": "lost",
    "protection.cause_person_id": "lost",
}
"""The columns that have no column as their origin, and what they are made of. The parser loses a few that get a new
name in one part of a union."""


def test_every_golden_column_has_an_origin_but_those_made_of_a_word_or_the_day() -> None:
    found = column_lineage.of_golden()
    assert {name: set(columns) for name, columns in found.items()} == {
        name: set(rule.columns) for name, rule in GOLDEN.items()
    }
    without = {
        f"{name}.{column}" for name, columns in found.items() for column, origins in columns.items() if not origins
    }
    assert without == WITHOUT.keys()


def test_a_name_comes_from_each_source_that_may_have_it_and_from_what_people_decide() -> None:
    person = column_lineage.of_golden()["person"]
    assert person["fornavn"] >= {
        Column("freg_navn", "fornavn"),
        Column("hr_employee", "given_name"),
        Column("sas_person", "given_name"),
        Column("control.override", "value"),
    }
    assert person["work_email"] == {Column("hr_employee", "email")}
    assert column_lineage.of_golden()["contact"]["spraak"] == {Column("krr_contact", "spraak")}
    assert Column("freg_foreldreansvar", "ansvar") in column_lineage.of_golden()["guardian_access"]["ansvar"]


def test_no_origin_is_a_relation_that_the_headers_do_not_lead_to() -> None:
    golden = rules.folder("golden")
    makers = {str(rule.relation): rule for rule in golden.values()}

    def read_by(name: str) -> set[str]:
        needs = golden[name].needs
        return set(needs).union(*(read_by(makers[need].name) for need in needs if need in makers))

    for name, columns in column_lineage.of_golden().items():
        assert {origin.relation for origin in chain(*columns.values())} <= read_by(name) - makers.keys()


def test_each_origin_is_a_column_of_the_warehouse(installation: Installation) -> None:
    there = {
        (f"{schema}.{table}", column)
        for schema, table, column in installation.query(
            "select table_schema, table_name, column_name from information_schema.columns"
        )
    }
    schemas = {table.lower(): f"history.{table.lower()}" for table in source_tables()}
    for columns in column_lineage.of_golden().values():
        for origin in chain(*columns.values()):
            assert (schemas.get(origin.relation.lower(), origin.relation), origin.name) in there


@pytest.mark.parametrize("name", rules.folder("golden"))
def test_the_parser_names_the_relations_that_the_header_names(name: str) -> None:
    rule = rules.folder("golden")[name]
    parsed = parse([f"create table made as {column_lineage.readable(rule.sql)}"], dialect="postgres")
    read = {str(table) for table in parsed.in_tables}
    assert {table for table in read if not table.startswith("json_")} == set(rule.needs)
