"""From a seed and a date to a kommune full of people, or to a country of several kommuner."""

from collections.abc import Iterable
from datetime import date

from simulator.builder import Builder
from simulator.cases import add_special_families, add_special_people_after
from simulator.kommuner import KOMMUNER
from simulator.model import Country, World


def build(kommunenummer: str, seed: int, day: date) -> World:
    """Make the kommune. KeyError when it is not in ``kommuner.KOMMUNER``."""
    builder = Builder(KOMMUNER[kommunenummer], seed, day)
    if builder.kommune.rich:
        add_special_families(builder)
    builder.fill()
    builder.staff()
    if builder.kommune.rich:
        add_special_people_after(builder)
    builder.make_groups()
    return builder.finish()


def build_country(kommunenumre: Iterable[str], seed: int, day: date) -> Country:
    """Make several kommuner, whose people one FREG knows. KeyError as in ``build``."""
    return Country.of(*(build(number, seed, day) for number in dict.fromkeys(kommunenumre)))
