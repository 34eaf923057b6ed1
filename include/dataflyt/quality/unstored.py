"""A ValidationDefinition and a Checkpoint that are made, run and dropped in one process.

Great Expectations keeps its objects in a store, and asks before each run whether the object in hand is the one in the
store: it writes and reads each suite some ten times in a run. The objects here are in no store, so there is nothing to
compare with. Their results are not stored either: whoever runs them reads what is returned.

Importing this module imports the library, which takes six seconds: import it inside functions.
"""

from typing import Any

import great_expectations as gx
from great_expectations.core.freshness_diagnostics import (
    CheckpointFreshnessDiagnostics,
    ValidationDefinitionFreshnessDiagnostics,
)


class _NoStore:
    """The store of results that keeps nothing."""

    cloud_mode = False

    def store_validation_results(self, **_: Any) -> None:
        """Keep nothing."""


class UnstoredDefinition(gx.ValidationDefinition):  # type: ignore[misc]
    """A suite and the data that it is about."""

    def is_fresh(self) -> ValidationDefinitionFreshnessDiagnostics:
        """Return that there is nothing to complain of."""
        return ValidationDefinitionFreshnessDiagnostics(errors=[])

    @property
    def _validation_results_store(self) -> Any:
        return _NoStore()


class UnstoredCheckpoint(gx.Checkpoint):  # type: ignore[misc]
    """Definitions that are run together."""

    def is_fresh(self) -> CheckpointFreshnessDiagnostics:
        """Return that there is nothing to complain of."""
        return CheckpointFreshnessDiagnostics(errors=[])
