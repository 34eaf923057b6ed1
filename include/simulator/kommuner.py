"""The school owners that the simulator knows. Schools, their organisation numbers (made up) and HR units are stable."""

from typing import NamedTuple

from simulator.numbers import organisation


class School(NamedTuple):
    """A school: ``classes`` are (year level, letter), ``unit`` is its id in the HR system."""

    key: str
    name: str
    orgnr: str
    unit: str
    classes: tuple[tuple[int, str], ...]

    @property
    def school_id(self) -> str:
        """The school's id in the SAS."""
        return f"skole/{self.key}"


class Kommune(NamedTuple):
    """A school owner. ``pupils`` is the number in the SAS; a ``rich`` one has all the special people among them.

    ``share`` is the part of the country's identity numbers, dwelling ids and mobile numbers that is handed out here.
    """

    number: str
    name: str
    orgnr: str
    domain: str
    postcode: str
    place: str
    pupils: int
    rich: bool
    share: int
    schools: tuple[School, ...]


def _classes(levels: range, letters: str = "A") -> tuple[tuple[int, str], ...]:
    return tuple((level, letter) for level in levels for letter in letters)


KOMMUNER = {
    kommune.number: kommune
    for kommune in (
        Kommune(
            "1106",
            "Haugesund kommune",
            "944073787",
            "haugesund.kommune.no",
            "5527",
            "HAUGESUND",
            400,
            True,
            2,
            (
                School("SKA", "Skåredalen skole", organisation("31106001"), "011110", _classes(range(1, 11))),
                School("TE1", "Testskole 1", organisation("31106002"), "011120", _classes(range(8, 11), "AB")),
                School("FJO", "Fjordglimt skole", organisation("31106003"), "011130", _classes(range(1, 8))),
            ),
        ),
        Kommune(
            "1520",
            "Ørsta kommune",
            organisation("31152000"),
            "orsta.kommune.no",
            "6150",
            "ØRSTA",
            150,
            False,
            0,
            (
                School("ØRS", "Ørneskaret skule", organisation("31152001"), "015210", _classes(range(1, 11))),
                School("FJE", "Fjellfoten skule", organisation("31152002"), "015220", _classes(range(1, 8))),
            ),
        ),
        Kommune(
            "4601",
            "Bergen kommune",
            organisation("34601000"),
            "bergen.kommune.no",
            "5063",
            "BERGEN",
            2000,
            False,
            1,
            (
                School("RDS", "Regndråpen skole", organisation("34601001"), "046010", _classes(range(1, 8), "ABC")),
                School("PAR", "Paraplyen skole", organisation("34601002"), "046020", _classes(range(8, 11), "ABCDEF")),
                School("SYD", "Sydvesten skole", organisation("34601004"), "046030", _classes(range(1, 8), "ABC")),
                School("FLØ", "Fløyblikk skole", organisation("34601005"), "046040", _classes(range(1, 11), "AB")),
                School("SKO", "Skoddeheimen skole", organisation("34601006"), "046050", _classes(range(1, 11), "AB")),
            ),
        ),
    )
}
