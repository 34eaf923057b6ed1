"""The named expectations: what each says, and what Great Expectations is given to keep and to show."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from dataflyt.quality import expectations, rules
from dataflyt.sources.freg import checks as freg
from dataflyt.sources.freg.rows import Navn
from dataflyt.sources.hr import checks as hr
from dataflyt.sources.krr import checks as krr
from dataflyt.sources.sas import checks as sas

CANARY = "KANARIFUGL"
RULES = freg.RULES | krr.RULES | hr.RULES | sas.RULES
FIRST = rules.Context({}, 30)


@pytest.fixture(scope="module")
def names(stage: Callable[..., str]) -> str:
    return stage(freg=[Navn(f"{CANARY}{i}", CANARY, None, None, None, True, None) for i in range(30)])


def validated(url: str, schema: str, *expected: object, result_format: str) -> list[dict[str, Any]]:
    """Return the library's answers about the table of names, as it keeps them."""
    with expectations.quiet():
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        source = context.data_sources.add_sql("names", connection_string=url)
        asset = source.add_table_asset("freg_navn", table_name="freg_navn", schema_name=schema)
        with closing(source.get_execution_engine()):
            batch = asset.add_batch_definition_whole_table("everything").get_batch()
            suite = gx.ExpectationSuite(name="names", expectations=list(expected))
            results = batch.validate(suite, result_format=result_format).to_json_dict()["results"]
        source.get_engine().dispose()
        return results


@pytest.mark.parametrize("result_format", ["BOOLEAN_ONLY", "BASIC", "SUMMARY", "COMPLETE"])
def test_a_named_expectation_gives_the_library_no_value_and_no_row_to_keep(
    pg_url: str, names: str, result_format: str
) -> None:
    from dataflyt.quality import named

    said = validated(
        pg_url,
        names,
        named.ExpectIdentityNumber(column="foedselsEllerDNummer"),
        named.ExpectKnownWord(column="fornavn", words=["Ola"]),
        named.ExpectSeldom(faults=["fornavn is not null"], percent=1),
        result_format=result_format,
    )
    assert [one["success"] for one in said] == [False] * 3
    assert CANARY not in str(said)
    if result_format == "BOOLEAN_ONLY":
        return
    assert [one["result"] for one in said] == [
        {"element_count": None, "unexpected_count": 30},
        {"element_count": None, "unexpected_count": 30},
        {"element_count": 30, "unexpected_count": 30},
    ]


@pytest.mark.parametrize(("result_format", "tells"), [("BOOLEAN_ONLY", False), ("BASIC", True), ("SUMMARY", True)])
def test_the_library_s_own_classes_for_columns_quote_values_as_soon_as_they_count(
    pg_url: str, names: str, result_format: str, tells: bool
) -> None:
    import great_expectations.expectations as library

    own = library.ExpectColumnValuesToBeInSet(column="fornavn", value_set=["Ola"])
    assert (CANARY in str(validated(pg_url, names, own, result_format=result_format))) is tells


def test_every_rule_is_an_expectation_that_describes_itself() -> None:
    kinds = set()
    for table, declared in RULES.items():
        for rule in declared:
            if rule.expectation.name == rules.KEPT:
                continue
            made = expectations.made(rule, table)
            kinds.add(type(made).__name__)
            if made.__module__.startswith("dataflyt"):
                assert made.description
                assert made.description.endswith(".")
                assert type(made).__doc__
                assert made.configuration.to_domain_obj() == made
    assert {"ExpectIdentityNumber", "ExpectDatesInOrder", "ExpectReferenceTo", "ExpectReadableDates"} <= kinds


NEVER = ("number", "id", "person", "reference", "ansvar", "protection", "grading", "documents", "ambiguous", "self")


def test_only_rules_that_the_row_alone_breaks_and_that_give_nobody_access_can_be_released() -> None:
    releasable = [(table, rule) for table, declared in RULES.items() for rule in declared if rule.releasable]
    assert {f"{table}.{rule.name}" for table, rule in releasable} == {
        *("freg_navn.letters", "hr_employee.letters", "hr_employment.percentage", "sas_person.letters"),
    }
    assert {rule.scope for _, rule in releasable} == {"row"}
    assert not [rule for _, rule in releasable if any(word in rule.name for word in NEVER)]
