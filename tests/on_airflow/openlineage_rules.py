"""What OpenLineage 2-0-2 demands of an event and of the facets that Dataflyt sends, as we read its specification.

The specification is at openlineage.io, which a test cannot reach.
"""

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

TEXT = {"type": "string"}
TIME = {"type": "string", "format": "date-time"}


def thing(*required: str, **properties: Any) -> dict[str, Any]:
    """Return the rule of an object: what it may have, and what it must."""
    return {"type": "object", "properties": properties, "required": list(required)}


def listed(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": rule}


def facet(*required: str, **properties: Any) -> dict[str, Any]:
    """Return the rule of a facet: every one names its producer and its own rule."""
    producer = {"_producer": {**TEXT, "pattern": "^https?://"}, "_schemaURL": {**TEXT, "pattern": "^https://"}}
    return thing("_producer", "_schemaURL", *required, **producer, **properties)


def facets(**known: Any) -> dict[str, Any]:
    """Return the rule of some facets, of which none is another than the known."""
    return {"type": "object", "properties": known, "additionalProperties": False}


JOB = thing("namespace", "name", namespace=TEXT, name=TEXT)
RUN = thing("runId", runId={"type": "string", "format": "uuid"})
SCHEMA = facet("fields", fields=listed(thing("name", name=TEXT, type=TEXT, description=TEXT)))
FIELD = thing("namespace", "name", "field", namespace=TEXT, name=TEXT, field=TEXT)
COLUMNS = {"type": "object", "additionalProperties": thing("inputFields", inputFields=listed(FIELD))}
ASSERTION = thing(
    *("assertion", "success"),
    **dict.fromkeys(("assertion", "column", "severity", "name", "description", "actual", "expected"), TEXT),
    success={"type": "boolean"},
)
DATASETS = {
    "schema": SCHEMA,
    "columnLineage": facet("fields", fields=COLUMNS),
    "version": facet("datasetVersion", datasetVersion=TEXT),
}
INPUT = thing(
    *("namespace", "name"),
    namespace=TEXT,
    name=TEXT,
    facets=facets(**DATASETS),
    inputFacets=facets(dataQualityAssertions=facet("assertions", assertions=listed(ASSERTION))),
)
OUTPUT = thing("namespace", "name", namespace=TEXT, name=TEXT, facets=facets(**DATASETS), outputFacets=facets())
EVENT = thing(
    *("run", "job", "eventTime", "producer", "schemaURL"),
    eventType={"enum": ["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]},
    eventTime=TIME,
    producer={**TEXT, "pattern": "^https?://"},
    schemaURL={"const": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
    run={
        "allOf": [
            RUN,
            thing(
                facets=facets(
                    nominalTime=facet("nominalStartTime", nominalStartTime=TIME, nominalEndTime=TIME),
                    parent=facet("run", "job", run=RUN, job=JOB, root=thing("run", "job", run=RUN, job=JOB)),
                    processing_engine=facet("version", version=TEXT, name=TEXT, openlineageAdapterVersion=TEXT),
                )
            ),
        ]
    },
    job={
        "allOf": [
            JOB,
            thing(
                facets=facets(
                    jobType=facet("processingType", "integration", processingType=TEXT, integration=TEXT, jobType=TEXT),
                    ownership=facet(owners=listed(thing("name", name=TEXT, type=TEXT))),
                    tags=facet(tags=listed(thing("key", "value", key=TEXT, value=TEXT, source=TEXT))),
                )
            ),
        ]
    },
    inputs=listed(INPUT),
    outputs=listed(OUTPUT),
)
_RULES = {
    name: Draft202012Validator(rule, format_checker=FormatChecker())
    for name, rule in (("event", EVENT), ("input", INPUT), ("output", OUTPUT))
}


def wrong_in(said: Any, what: str = "event") -> list[str]:
    """Return what is wrong in an event, or in an ``input`` or ``output`` of one."""
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in _RULES[what].iter_errors(said)]
