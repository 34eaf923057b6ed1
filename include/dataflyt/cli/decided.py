"""The common part of the commands that decide: fields into a decision, and the effect in words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from dataflyt.cli.installation import installation, kommune_of
from dataflyt.cli.terminal import echo
from dataflyt.cli.visitor import visitor
from dataflyt.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dataflyt.decisions.access_lists import What
    from dataflyt.decisions.deciding import Decided

Made = TypeVar("Made", bound="BaseModel")

_OPTIONS = {"kind_of_person": "kind", "case_number": "case", "review_on": "review", "stands_for": "alias_of"}
"""Fields of decisions whose option has another name."""


def made(kind: type[Made], **fields: object) -> Made:
    """Return the decision with these fields. Raises ConfigError that names the option that cannot be used."""
    from pydantic import ValidationError

    try:
        return kind(**fields)
    except ValidationError as error:
        named = dict.fromkeys(
            _OPTIONS.get(str(one["loc"][0]), str(one["loc"][0])) for one in error.errors() if one["loc"]
        )
        wrong = ", ".join(f"--{one.replace('_', '-')}" for one in named)
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
            f"dataflyt decide confirm «kommune» {decided.proposal} --as «den andre» --purpose «hvorfor»"
        )
    else:
        echo(f"Bestemt, nummer {decided.number}.")
    for sentence in decided.effect.sentences():
        echo(f"  {sentence}")


def print_list(
    kommune: str,
    what: "What",
    user: str | None,
    purpose: str | None,
    graded: bool,
    place: str,
    bases: Mapping[str, str],
    none: str,
) -> None:
    """Print the decisions of one sort that are in force, a line each: number, people, and the rest of it.

    ``bases`` are Norwegian words for values, ``none`` the sentence for an empty list.
    """
    from dataflyt.decisions.access_lists import listed

    with installation() as outside:
        found = kommune_of(kommune)
        who = visitor(found, user, purpose, place)
        lines = listed(found, outside.environment(), what, who, graded=graded)
        names = {one.id: one.name for one in found.people}
        for line in lines:
            words = [bases.get(word, names.get(word, word)) for word in line.words]
            echo(f"{line.number}  " + "; ".join(part for part in (line.person, line.adult, *words) if part))
        if not lines:
            echo(none)
