"""What a run keeps of its quality rules: every outcome, in counts, and nothing that tells of protection."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import Engine, event

from dataflyt.run.check import check
from dataflyt.sources.freg import checks as freg
from dataflyt.sources.hr import checks as hr
from dataflyt.sources.krr import checks as krr
from dataflyt.sources.sas import checks as sas
from dataflyt.warehouse.outcomes import HINTS
from tests.installation.fixtures import Installation

RULES = freg.RULES | krr.RULES | hr.RULES | sas.RULES


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect every statement that anybody sends to a database meanwhile."""
    sent: list[str] = []

    def hear(*said: object) -> None:
        sent.append(str(said[2]))

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", hear)


@pytest.mark.after_first_run
def test_every_rule_s_outcome_is_kept_and_protection_never_as_a_number(installation: Installation) -> None:
    here = installation
    kept = here.query("select suite, rule, scope, passed, checked, unexpected, percent, took from control.check_result")
    of_tables = [row for row in kept if row.scope != "file"]
    declared = {f"{table}.{rule.name}" for table, of_table in RULES.items() for rule in of_table}
    without_a_run_before = {name for name in declared if name.endswith(".drop")}
    assert {row.rule for row in of_tables} == declared - without_a_run_before
    for row in kept:
        if row.suite in HINTS or row.scope == "file":
            assert (row.checked, row.unexpected, row.percent, row.took) == (None,) * 4
        elif not row.rule.endswith((".empty", ".drop")):
            assert row.checked is not None
            assert row.took is not None
            assert row.passed is (row.unexpected == 0) or row.scope == "table"
    assert {row.rule: row.passed for row in kept if row.rule.endswith(".grading")} == {
        f"{table}.grading": None for table in ("freg_adressebeskyttelse", "freg_bostedsadresse", "freg_annenAdresse")
    }
    url = here.warehouse_url.replace("+psycopg", "")
    for suite, scope in (("freg_bostedsadresse", "note"), ("feide.ldif", "file")):
        with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(
                "insert into control.check_result (owner, run, suite, rule, scope, reason, responsible, unexpected) "
                "values ('haugesund', 1, %s, 'x', %s, 'x', 'x', 3)",
                (suite, scope),
            )


@pytest.mark.after_first_run
def test_a_check_asks_once_for_each_rule_and_keeps_the_same_when_it_is_repeated(installation: Installation) -> None:
    here = installation
    job = here.open()
    here.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw")
    with statements() as sent:
        check(job)
    asked = [statement for statement in sent if statement.lstrip().startswith("/* ")]
    assert len(asked) == len(set(asked))
    assert len(sent) - len(asked) < 160, "statements around the rules"
    outcomes = "select suite, rule, passed, checked, unexpected from control.check_result where run = 2 order by 1, 2"
    first = here.query(outcomes)
    check(job)
    assert here.query(outcomes) == first
