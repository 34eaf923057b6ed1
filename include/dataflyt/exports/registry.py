"""The exports by name: ``dataflyt.exports.<name>.EXPORT`` for each name in ``config.exports``."""

from importlib import import_module
from typing import Final

from dataflyt.config.exports import EXPORTS as NAMES
from dataflyt.exports.model import Export

EXPORTS: Final[dict[str, Export]] = {name: import_module(f"dataflyt.exports.{name}").EXPORT for name in NAMES}
