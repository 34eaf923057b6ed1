"""The common part of the commands that decide: fields into a decision, and the effect in words."""

from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError

from dataflyt.cli.terminal import echo
from dataflyt.errors import ConfigError

if TYPE_CHECKING:
    from dataflyt.decisions.deciding import Decided
    from dataflyt.decisions.decision import Decision

Made = TypeVar("Made", bound="Decision")


def made(kind: type[Made], **fields: object) -> Made:
    """Return the decision with these fields. Raises ConfigError that names the option that cannot be used."""
    try:
        return kind(**fields)
    except ValidationError as error:
        wrong = ", ".join(f"--{str(one['loc'][0]).replace('_', '-')}" for one in error.errors() if one["loc"])
        raise ConfigError(
            f"Det som er skrevet, kan ikke brukes: se på {wrong or 'valgene'} (--help forklarer)."
        ) from None


def shown(decided: "Decided", *, dry_run: bool) -> None:
    """Print what came of a decision."""
    if dry_run:
        echo("Prøve: ingenting er endret. Dette ville skje:")
    elif decided.number is None and decided.proposal is not None:
        echo(
            f"Forslag {decided.proposal} venter på at en annen bekrefter det: "
            f"dataflyt decide confirm … {decided.proposal}"
        )
    else:
        echo(f"Bestemt, nummer {decided.number}.")
    for sentence in decided.effect.sentences():
        echo(f"  {sentence}")
