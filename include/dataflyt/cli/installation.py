"""The beginning of every command: find the installation, and the kommune that the command was given."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from dataflyt.cli import outside_run
from dataflyt.cli.terminal import echo
from dataflyt.errors import DataflytError
from dataflyt.run.environment import Installation

if TYPE_CHECKING:
    from dataflyt.config.kommune import Kommune

KommuneName: TypeAlias = Annotated[str, typer.Argument(help="Kommunens id eller nummer: haugesund eller 1106.")]


@contextmanager
def installation() -> Iterator[Installation]:
    """Find the installation; an expected error becomes one sentence on stderr, and exit code 2."""
    try:
        yield outside_run.use()
    except DataflytError as error:
        echo(error.sentence, err=True)
        raise typer.Exit(2) from None


def kommune_of(name: str) -> "Kommune":
    """Return the kommune with this id or number. Raises ConfigError."""
    from dataflyt.config.loading import find, folder_of_kommuner

    return find(folder_of_kommuner(), name)
