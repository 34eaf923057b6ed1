"""Validate pandas frames by rules, with Great Expectations' own classes.

In: frames by name, and rules by the same names. Out: an outcome of each rule, under the name of the suite that they are
given, without numbers. The frames hold hashes and counts, no values: whatever the library keeps of them tells nothing.

Great Expectations takes six seconds to import, so it is imported inside functions.
"""

from typing import TYPE_CHECKING
from uuid import uuid4

from dataflyt.errors import CheckFailed
from dataflyt.quality.expectations import made, quiet
from dataflyt.quality.rules import Outcome, Rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


def validate(suite: str, frames: "Mapping[str, pd.DataFrame]", rules: Rules) -> list[Outcome]:
    """Try the rules of each frame; return their outcomes. Raises CheckFailed if a rule could not be tried."""
    failure: CheckFailed | None = None
    outcomes: list[Outcome] = []
    try:
        with quiet():
            outcomes = _validated(suite, frames, rules)
    except CheckFailed as known:
        failure = known
    except Exception as error:  # its text may hold values
        failure = _failed(suite, type(error).__name__)
    if failure:  # raised here, so that neither its context nor its traceback holds results
        raise failure.with_traceback(None)
    return outcomes


def _validated(suite: str, frames: "Mapping[str, pd.DataFrame]", rules: Rules) -> list[Outcome]:
    import great_expectations as gx
    from great_expectations.core.batch_definition import BatchDefinition
    from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
    from great_expectations.datasource.fluent import PandasDatasource
    from great_expectations.datasource.fluent.pandas_datasource import DataFrameAsset

    from dataflyt.quality.unstored import UnstoredDefinition

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            analytics_enabled=False,
            progress_bars={"globally": False},
        ),
    )
    # All frames at once: the context writes its whole configuration again for each asset that is added later.
    source = context.data_sources.add_pandas(
        PandasDatasource(
            name=suite,
            assets=[
                DataFrameAsset(name=name, batch_definitions=[BatchDefinition(name="everything", id=str(uuid4()))])
                for name in rules
            ],
        )
    )
    outcomes = []
    for name, declared in rules.items():
        expected = gx.ExpectationSuite(name=name, expectations=[made(rule, suite) for rule in declared])
        (everything,) = source.get_asset(name).batch_definitions
        definition = UnstoredDefinition(name=name, data=everything, suite=expected)
        results = definition.run(batch_parameters={"dataframe": frames[name]}, result_format="BOOLEAN_ONLY").results
        if len(results) != len(declared):
            raise _failed(suite, "CheckFailed")
        by_rule = {result.expectation_config.meta["rule"]: result for result in results}
        for rule in declared:
            result = by_rule[f"{suite}.{rule.name}"]
            if result.exception_info and result.exception_info.get("raised_exception", True):
                raise _failed(suite, rule.name)
            about = (rule.scope, rule.reason, rule.responsible)
            outcomes.append(
                Outcome(suite, f"{suite}.{rule.name}", *about, bool(result.success), True, None, None, None)
            )
    return outcomes


def _failed(suite: str, what: str) -> CheckFailed:
    return CheckFailed(f"{suite} kunne ikke kontrolleres ({what}), og blir ikke publisert.", file=suite)
