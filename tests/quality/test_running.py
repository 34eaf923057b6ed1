"""Checks in general: counts and row ids leave them, and values do not."""

import logging
import os
import time
import traceback
from collections.abc import Callable

import psycopg
import pytest

from dataflyt.errors import CheckFailed
from dataflyt.quality import rules as declaring
from dataflyt.quality import running
from dataflyt.quality.expectations import build
from dataflyt.quality.rules import (
    Context,
    filled,
    kept,
    matches,
    never,
    never_any,
    no_rows,
    note,
    one_of,
    row,
    seldom,
    table,
)
from dataflyt.sources.freg.rows import Adressebeskyttelse, Navn
from dataflyt.sources.sas.rows import Group, Membership

CANARY = "KANARIFUGL"
FIRST = Context({}, 30)


def name(number: str, fornavn: str | None = None) -> Navn:
    return Navn(number, fornavn, None, None, None, True, None)


@pytest.fixture(scope="module")
def names(stage: Callable[..., str]) -> str:
    """300 names whose number is the canary, and one sound name."""
    return stage(freg=[*(name(CANARY, "Ola") for _ in range(300)), name("01819912345", "Kari")])


def rules(*declared: declaring.Rule, table: str = "freg_navn") -> declaring.Rules:
    return {table: declared}


def test_every_bad_row_is_told_once_with_its_reason_and_who_must_correct_it(pg_url: str, names: str) -> None:
    number = row("number", matches("foedselsEllerDNummer", declaring.NUMBER), "Folkeregisteret", "Ikke elleve siffer.")
    result = running.run(pg_url, names, build(rules(number), FIRST))
    assert [bad.row_id for bad in result.quarantined] == list(range(1, 301))
    assert set(result.quarantined[0]) == {
        *("freg_navn", 1, "freg_navn.number"),
        *("Ikke elleve siffer.", "Folkeregisteret"),
    }
    assert result.checked == {"freg_navn": 301}
    assert not result.broken
    assert not result.noted


def test_a_check_in_sql_tells_all_rows_too(pg_url: str, names: str) -> None:
    result = running.run(pg_url, names, build(rules(row("ola", never("fornavn = 'Ola'"), "skolen", "Ola.")), FIRST))
    assert [bad.row_id for bad in result.quarantined] == list(range(1, 301))


def test_a_row_that_breaks_two_rules_stands_under_both(pg_url: str, names: str) -> None:
    declared = rules(
        row("kari", never("fornavn = 'Kari'"), "skolen", "Kari."),
        row("name", one_of("fornavn", "Ola"), "skolen", "Ikke Ola."),
    )
    result = running.run(pg_url, names, build(declared, FIRST))
    assert [(bad.row_id, bad.rule) for bad in result.quarantined] == [(301, "freg_navn.kari"), (301, "freg_navn.name")]


def test_a_rule_for_the_table_stops_the_run_and_quarantines_nothing(pg_url: str, names: str) -> None:
    declared = rules(
        table("ola", seldom("fornavn = 'Ola'", percent=90), "skolen", "For mange Ola."),
        table("kari", seldom("fornavn = 'Kari'", percent=0), "skolen", "Ti er alltid lov."),
        note("noted", never("fornavn = 'Ola'"), "skolen", "Ola."),
    )
    result = running.run(pg_url, names, build(declared, FIRST))
    assert [(one.rule, one.unexpected_count) for one in result.broken] == [("freg_navn.ola", 300)]
    assert [(one.rule, one.unexpected_count) for one in result.noted] == [("freg_navn.noted", 300)]
    assert not result.quarantined


@pytest.mark.parametrize(("before", "stops"), [(None, False), (301, False), (430, False), (431, True)])
def test_a_table_that_has_lost_more_than_the_kommune_allows_stops_the_run(
    pg_url: str, names: str, before: int | None, stops: bool
) -> None:
    context = Context({} if before is None else {"freg_navn": before}, 30)
    result = running.run(pg_url, names, build(rules(table("drop", kept(), "HR", "Færre enn sist.")), context))
    assert bool(result.broken) is stops


@pytest.mark.parametrize(("beside", "stops"), [(0, set()), (91, set()), (92, {"drop"}), (301, {"drop", "empty"})])
def test_rows_beside_make_up_for_none_that_is_missing(pg_url: str, names: str, beside: int, stops: set[str]) -> None:
    context = Context({"freg_navn": 300}, 30, beside={"freg_navn": beside})
    declared = rules(table("drop", kept(), "HR", "Færre enn sist."), table("empty", filled(), "HR", "Ingen."))
    result = running.run(pg_url, names, build(declared, context))
    assert {one.rule.removeprefix("freg_navn.") for one in result.broken} == stops


def test_no_value_is_returned_printed_or_logged(
    pg_url: str, names: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    declared = rules(
        row("number", matches("foedselsEllerDNummer", declaring.NUMBER), "Folkeregisteret", "Ikke elleve siffer."),
        row("set", one_of("foedselsEllerDNummer", "1"), "Folkeregisteret", "Ukjent."),
        row("sql", never("fornavn = 'Ola'"), "Folkeregisteret", "Ola."),
        table("table", one_of("fornavn", CANARY), "Folkeregisteret", "Ukjent."),
    )
    with caplog.at_level(logging.DEBUG):
        result = running.run(pg_url, names, build(declared, FIRST))
    said = capfd.readouterr()
    assert len(result.quarantined) == 300 + 301 + 300
    assert CANARY not in repr(result) + caplog.text
    assert said.out + said.err == ""


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("cast(foedselsEllerDNummer as integer) > 0", id="the server quotes the value"),
        pytest.param(f"no_such_column = '{CANARY}'", id="the client quotes the statement"),
    ],
)
def test_a_check_that_cannot_be_carried_out_stops_the_run_and_names_the_rule_only(
    pg_url: str, names: str, fault: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(CheckFailed) as failure:
        running.run(pg_url, names, build(rules(row("number", never(fault), "HR", "Feil.")), FIRST))
    said = capfd.readouterr()
    assert failure.value.sentence == "Regelen freg_navn.number kunne ikke prøves, så kjøringen er stoppet."
    assert failure.value.__context__ is None
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(failure.value.__traceback__)]
    assert frames[1:] == ["run"]
    assert CANARY not in f"{failure.value} {failure.value.facts} {caplog.text} {said.out} {said.err}"


def test_a_missing_table_stops_the_run(pg_url: str, names: str) -> None:
    declared = rules(row("number", never("true"), "HR", "Feil."), table="sas_group")
    with pytest.raises(CheckFailed, match=r"^Kontrollen av sas_group kunne ikke prøves"):
        running.run(pg_url, names, build(declared, FIRST))


@pytest.mark.parametrize("answer", ["2 as found, array[1] as row_ids", "1 as found", "array[1] as row_ids"])
def test_ids_that_do_not_add_up_stop_the_run(pg_url: str, names: str, answer: str) -> None:
    check = no_rows(f"select {answer} from {{batch}} as t")
    with pytest.raises(CheckFailed, match=r"freg_navn\.number"):
        running.run(pg_url, names, build(rules(row("number", check, "Folkeregisteret", "Feil.")), FIRST))


def test_patterns_and_words_are_taken_as_they_are_written(pg_url: str, names: str) -> None:
    declared = rules(
        row("pattern", matches("fornavn", r"^[^'{}]{3,4}$"), "skolen", "Tre eller fire tegn."),
        row("word", one_of("fornavn", "Ola", "Kari", "D'Arc", "{x}"), "skolen", "Ukjent."),
    )
    assert not running.run(pg_url, names, build(declared, FIRST)).quarantined


def test_how_many_are_protected_is_not_told(pg_url: str, stage: Callable[..., str]) -> None:
    schema = stage(freg=[Adressebeskyttelse(f"0181991234{i}", "ugradert", True, True, None) for i in range(7)])
    declared = rules(
        note("grading", never_any("ukjent"), "dataingeniør", "Ukjent gradering."),
        table="freg_adressebeskyttelse",
    )
    result = running.run(pg_url, schema, build(declared, FIRST))
    assert [one.unexpected_count for one in result.noted] == [1]
    assert not result.quarantined


def test_empty_tables_pass_what_only_rows_can_break(pg_url: str, stage: Callable[..., str]) -> None:
    from dataflyt.sources.krr import checks

    result = running.run(pg_url, stage(krr=[]), checks.suites(FIRST))
    assert {outcome.passed for outcome in result.outcomes} == {True}
    assert {outcome.rule for outcome in result.outcomes} == {
        f"krr_contact.{rule.name}" for rule in checks.RULES["krr_contact"] if rule.expectation.name != declaring.KEPT
    }
    result.outcomes.clear()
    assert result == running.Result(checked={"krr_contact": 0})


def test_every_rule_s_outcome_is_told_with_how_many_were_checked_and_how_long_it_took(pg_url: str, names: str) -> None:
    declared = rules(
        row("number", matches("foedselsEllerDNummer", declaring.NUMBER), "Folkeregisteret", "Ikke elleve siffer."),
        table("seldom", seldom("fornavn = 'Ola'", percent=100, among="fornavn in ('Ola')"), "skolen", "For mange."),
        table("empty", filled(), "HR", "Ingen."),
        note("hidden", never_any("fornavn = 'Ola'"), "dataingeniør", "Telles ikke."),
    )
    result = running.run(pg_url, names, build(declared, FIRST))
    told = {one.rule.removeprefix("freg_navn."): one for one in result.outcomes}
    assert {name: (one.passed, one.checked, one.unexpected) for name, one in told.items()} == {
        "number": (False, 301, 300),
        "seldom": (True, 300, 300),
        "empty": (True, 301, None),
        "hidden": (False, None, None),
    }
    assert all(one.took is not None and one.took > 0 for name, one in told.items() if name != "empty")


def test_checks_leave_no_connection_behind(pg_url: str, names: str) -> None:
    running.run(pg_url, names, build(rules(row("ola", never("fornavn = 'Ola'"), "skolen", "Ola.")), FIRST))
    with psycopg.connect(pg_url.replace("+psycopg", "")) as connection:
        others = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchone()
    assert others == (0,)
    assert os.environ["GX_ANALYTICS_ENABLED"] == "False"


def test_no_other_session_is_held_while_the_checks_run(pg_url: str, names: str) -> None:
    # Behind a pooler each transaction that is open takes a session, and there may be one.
    others = (
        "(select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
        "and state like 'idle in transaction%') > 0"
    )
    result = running.run(pg_url, names, build(rules(row("other", never(others), "HR", "Feil.")), FIRST))
    assert not result.quarantined


def test_checks_cannot_write(pg_url: str, names: str) -> None:
    with psycopg.connect(pg_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"create sequence {names}.counter")
        suites = build(rules(row("write", never("nextval('counter') = 0"), "HR", "Skriver.")), FIRST)
        with pytest.raises(CheckFailed):
            running.run(pg_url, names, suites)
        assert connection.execute(f"select is_called from {names}.counter").fetchone() == (False,)


def test_the_log_of_great_expectations_is_as_it_was_afterwards(pg_url: str, names: str) -> None:
    logger = logging.getLogger("great_expectations")
    before = logger.level, logger.propagate, logger.handlers
    running.run(pg_url, names, build(rules(), FIRST))
    assert (logger.level, logger.propagate, logger.handlers) == before


def test_a_schema_name_that_needs_quoting_is_refused(pg_url: str) -> None:
    with pytest.raises(ValueError, match="schema"):
        running.run(pg_url, "staging_x -cdefault_transaction_read_only=off", [])


def test_a_hundred_thousand_memberships_are_checked_in_seconds(pg_url: str, stage: Callable[..., str]) -> None:
    from dataflyt.sources.sas import checks

    group = Group("g", "s", "basisgruppe", *[None] * 8)
    schema = stage(sas=[group, Membership("g", "p0", "01", None, True, True, None, None)])
    with psycopg.connect(pg_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"set search_path = {schema}")
        connection.execute(
            "insert into sas_person (row_id, key, person_id) select i, i, 'p' || i from generate_series(0, 14000) i"
        )
        connection.execute(
            "insert into sas_membership (row_id, key, group_id, person_id, role) "
            "select i, i, 'g', 'p' || mod(i, 14100), '01' from generate_series(100, 100099) i"
        )
        connection.execute("analyze")
    started = time.monotonic()
    result = running.run(pg_url, schema, [s for s in checks.suites(FIRST) if s.name == "sas_membership"])
    assert time.monotonic() - started < 10
    assert {bad.rule for bad in result.quarantined} == {"sas_membership.no_person"}
    assert len(result.quarantined) == 700 - 7
