"""Make a kommune full of people, or a country of several kommuner, from a seed and a date."""

from collections.abc import Iterable
from datetime import date

from simulator.builder import Builder
from simulator.cases import (
    SEATS_TO_CORRECT,
    add_children_to_correct,
    add_special_families,
    add_special_people_after,
)
from simulator.kommuner import KOMMUNER
from simulator.model import Country, World


def build(kommunenummer: str, seed: int, day: date, pupils: int | None = None) -> World:
    """Make the kommune, with its usual number of pupils or with ``pupils``.

    Raises KeyError if it is not in ``kommuner.KOMMUNER``.
    """
    kommune = KOMMUNER[kommunenummer]
    builder = Builder(kommune._replace(pupils=pupils or kommune.pupils), seed, day)
    kept = []
    if builder.kommune.rich:
        add_special_families(builder)
        kept = [builder.seats.pop() for _ in range(SEATS_TO_CORRECT)]
    builder.fill()
    if builder.kommune.rich:
        add_children_to_correct(builder, kept)
    builder.staff()
    if builder.kommune.rich:
        add_special_people_after(builder)
    builder.make_groups()
    return builder.finish()


def build_country(kommunenumre: Iterable[str], seed: int, day: date) -> Country:
    """Make several kommuner with one FREG for all their people. Raises KeyError as ``build``."""
    return Country.of(*(build(number, seed, day) for number in dict.fromkeys(kommunenumre)))
