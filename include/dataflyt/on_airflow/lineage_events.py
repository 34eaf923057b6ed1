"""The lineage events: the datasets of a run's steps, and what an event may have when it leaves.

Three steps of a kommune's run are told of, and nothing else of Dataflyt:

- ``check`` reads the sources' tables, with the outcome of each quality rule as ``dataflyt quality`` shows it to all;
- ``merge`` makes the golden tables of the sources' tables, column by column (``column_lineage``);
- ``publish`` makes the exports of the golden tables; a file's version is its sha256.

Whoever sees a lineage backend sees every kommune there. So an event tells nothing of the steps that publish anew when
somebody must be hidden, nor of the DAGs that do, nor of a whole run: the times at which it and its steps begin and end
tell how long those took. Rows of golden tables are not counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    data_quality_assertions_dataset,
    dataset_version_dataset,
    schema_dataset,
)
from openlineage.client.transport.transform import EventTransformer
from sqlalchemy import text

from dataflyt.on_airflow.rights import COMMON, dag_of
from dataflyt.operations import quality
from dataflyt.warehouse import column_lineage
from dataflyt.warehouse.tables import GOLDEN, source_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dataflyt.config.kommune import Kommune
    from dataflyt.run.job import Job

STEPS: Final = frozenset({"check", "merge", "publish"})
"""The steps that are told of."""

RUN_FACETS: Final = frozenset({"nominalTime", "parent", "processing_engine"})
"""What an event may have of a task's run. Airflow's own facets hold notes, configuration, who started a run, and the
text of errors."""

JOB_FACETS: Final = frozenset({"jobType", "ownership", "tags"})
"""What an event may have of a task."""

NAMESPACE: Final = "dataflyt://"
"""The namespace of a kommune's datasets is this and the kommune's id, as in the name of its assets."""


class Told(EventTransformer):  # type: ignore[misc]
    """Drop the events that must not be told of, and trim the others. Another DAG's events pass as they are."""

    def transform(self, event: Any) -> Any:
        """Return the event as it may leave; None when it may not."""
        if not isinstance(event, RunEvent):
            return event
        dag, _, task = event.job.name.partition(".")
        if dag not in COMMON and not dag.startswith(dag_of("")):
            return event
        if dag in COMMON or task not in STEPS:
            return None
        event.run.facets = _among(RUN_FACETS, event.run.facets)
        event.job.facets = _among(JOB_FACETS, event.job.facets)
        # Airflow adds the files that a task has opened.
        event.inputs = [one for one in event.inputs or [] if one.namespace.startswith(NAMESPACE)]
        event.outputs = [one for one in event.outputs or [] if one.namespace.startswith(NAMESPACE)]
        return event


def _among(names: Iterable[str], facets: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: facet for name, facet in (facets or {}).items() if name in names}


def of_step(step: str, kommune: Kommune, find: Callable[[], Job], *, done: bool) -> OperatorLineage:
    """Return the datasets of a step that has ended; a check's also when it has stopped the run.

    Raises what the database raises.
    """
    here = f"{NAMESPACE}{kommune.id}"
    if step == "check":
        return OperatorLineage(inputs=_checked(here, find()))
    if step == "merge" and done:
        return OperatorLineage(inputs=_sources(here), outputs=_golden(here))
    if step == "publish" and done:
        golden = [
            InputDataset(here, f"golden.{name}", facets={"schema": _schema(rule.columns)})
            for name, rule in GOLDEN.items()
        ]
        return OperatorLineage(inputs=golden, outputs=_exports(here, kommune, find()))
    return OperatorLineage()


def _checked(here: str, job: Job) -> list[InputDataset]:
    """Return the sources' tables with the outcomes of the rules that the run tried on them."""
    with job.transaction(lock=False) as connection:
        rows = connection.execute(text(_OUTCOMES), {"owner": job.owner, "run": job.run.number}).all()
    found: dict[str, list[data_quality_assertions_dataset.Assertion]] = {}
    for row in rows:
        number = quality.number_of(row)
        assertion = data_quality_assertions_dataset.Assertion(
            assertion=row.rule.removeprefix(f"{row.suite}."),
            success=row.passed,
            severity="error" if row.scope == "table" else "warn",
            name=row.rule,
            description=row.reason,
            actual=None if number < 0 or row.unexpected is None else str(number),
        )
        found.setdefault(row.suite, []).append(assertion)
    inputs = _sources(here)
    for one in inputs:
        if assertions := found.get(one.name):
            facet = data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions)
            one.inputFacets = {"dataQualityAssertions": facet}
    return inputs


_OUTCOMES = """
select suite, rule, scope, reason, passed, unexpected from control.check_result
where owner = :owner and run = :run and scope <> 'file' and passed is not null
order by suite, rule
"""


def _sources(here: str) -> list[InputDataset]:
    return [
        InputDataset(here, name, facets={"schema": _schema(table.columns)}) for name, table in source_tables().items()
    ]


def _golden(here: str) -> list[OutputDataset]:
    """Return the golden tables with the origins of their columns. A column without an origin is no field."""
    made = []
    for name, origins in column_lineage.of_golden().items():
        fields = {
            column: column_lineage_dataset.Fields(
                [column_lineage_dataset.InputField(here, origin.relation, origin.name) for origin in sorted(of_column)]
            )
            for column, of_column in origins.items()
            if of_column
        }
        facets = {
            "schema": _schema(GOLDEN[name].columns),
            "columnLineage": column_lineage_dataset.ColumnLineageDatasetFacet(fields),
        }
        made.append(OutputDataset(here, f"golden.{name}", facets=facets))
    return made


def _exports(here: str, kommune: Kommune, job: Job) -> list[OutputDataset]:
    """Return the exports that stand published."""
    from dataflyt.exports.publishing import published_files

    with job.transaction(lock=False) as connection:
        files = published_files(connection, kommune)
    return [
        OutputDataset(
            here, export, facets={"version": dataset_version_dataset.DatasetVersionDatasetFacet(file["sha256"])}
        )
        for export, file in files.items()
    ]


def _schema(columns: Mapping[str, str]) -> schema_dataset.SchemaDatasetFacet:
    return schema_dataset.SchemaDatasetFacet(
        [schema_dataset.SchemaDatasetFacetFields(name.lower(), kind) for name, kind in columns.items()]
    )
