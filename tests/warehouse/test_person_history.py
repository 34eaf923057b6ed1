"""One person's history is read by an index in every table, open and closed rows alike."""

import pytest

from tests.installation.fixtures import Installation


@pytest.mark.after_first_run
def test_every_table_of_history_is_read_by_the_person(installation: Installation) -> None:
    without = installation.query(
        "select t.tablename from pg_tables t where t.schemaname = 'history' and not exists (select from pg_indexes i "
        "where i.schemaname = t.schemaname and i.tablename = t.tablename and i.indexdef like '%(owner, subject)')"
    )
    assert without == []
    columns = installation.query(
        "select c.table_name, c.column_name from information_schema.columns c where c.table_schema = 'golden' "
        "and c.column_name in ('person_id', 'child_id', 'adult', 'subject')"
    )
    indexed = installation.query("select tablename, indexdef from pg_indexes where schemaname = 'golden'")
    for table, column in columns:
        if (table, column) in {("access_by_grant", "child_id"), ("access_by_grant", "adult")}:
            continue  # few
        starts = [definition for name, definition in indexed if name == table and f"(owner, {column}" in definition]
        assert starts or column == "subject", f"golden.{table} is not read by {column}"
