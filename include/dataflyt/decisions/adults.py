"""The adult of a grant, a block or a consent: a person, an organisation, or somebody without a number.

The warehouse writes all three as one text (``sql/golden/responsible.sql``): a person's id, ``org:`` and the number, or
``uten:`` and the keyed hash of the name and the birth date that FREG has.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal, TypeAlias
from uuid import UUID

from pydantic import BeforeValidator
from sqlalchemy import text

from dataflyt.decisions.decision import Moment
from dataflyt.identity import numbers
from dataflyt.storage.database import OWN_KEY, copied

AdultKind: TypeAlias = Literal["person", "organisation", "without_number"]


def _written(value: object) -> str:
    said = str(value)
    if said.startswith("org:") and numbers.orgnr(said.removeprefix("org:")):
        return said
    if re.fullmatch("uten:[0-9a-f]{64}", said):
        return said
    return str(UUID(said))


Adult: TypeAlias = Annotated[str, BeforeValidator(_written)]
"""An adult as the warehouse writes it."""


def kind_of(adult: str) -> AdultKind:
    """Return the kind of an adult.

    >>> kind_of("org:944073787")
    'organisation'
    """
    return {"org": "organisation", "uten": "without_number"}.get(adult.partition(":")[0], "person")  # type: ignore[return-value]


def persons(adults: Iterable[str]) -> set[UUID]:
    """Return the adults who are persons of the warehouse."""
    return {UUID(adult) for adult in adults if kind_of(adult) == "person"}


def without_number(moment: Moment, given: str, middle: str | None, family: str, born: date | None) -> str:
    """Return an adult whom FREG names without a number, as the warehouse writes that adult."""
    names = [(given, middle, family, born and born.isoformat())]
    copied(moment.connection, "named", "given text, middle text, family text, born text", names)
    hashed = moment.connection.scalar(
        text(f"select control.keyed_hash({OWN_KEY}, concat_ws('|', given, middle, family, born)) from named"),
        {"owner": moment.owner},
    )
    return f"uten:{hashed}"


def to_come(moment: Moment, number: str) -> str:
    """Return the id that a person of this number will get, when no source has named the number before."""
    copied(moment.connection, "named", "number text", [(number,)])
    found = moment.connection.scalar(
        text(f"select substr(control.keyed_hash({OWN_KEY}, 'number:' || number), 1, 32)::uuid::text from named"),
        {"owner": moment.owner},
    )
    return str(found)
