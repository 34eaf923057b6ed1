"""The sizes by which a publication is compared with the one before it, and the people whom it is noted to show."""

from datetime import date
from pathlib import Path

import pytest

from dataflyt.config.loading import find
from dataflyt.exports import disclosing, publishing
from dataflyt.exports.model import Counts
from dataflyt.exports.registry import EXPORTS

KOMMUNE = find(Path(__file__).parents[2] / "include" / "kommuner", "haugesund")
JUNE, JULY, AUGUST, WINTER = date(2026, 6, 19), date(2026, 7, 1), date(2026, 8, 20), date(2026, 11, 20)


def size(export: str, people: int, groups: int, length: int, *extras: str) -> dict[str, dict[str, int]]:
    one = EXPORTS[export]
    counts = Counts(1, 1, people, people, 0, groups, groups, 0)
    return {one.file: publishing.sized(one, counts, length, extras)}


@pytest.mark.parametrize("export", sorted(EXPORTS))
def test_while_groups_end_and_schools_make_new_ones_nothing_stops_a_file_without_groups(export: str) -> None:
    before = size(export, 1000, 50, 90_000)
    now = size(export, 0 if export == "class_list" else 1000, 0, 900)
    for day in (JUNE, JULY, AUGUST):
        assert publishing.fallen(before, now, KOMMUNE, day) == []
    for day in (date(2026, 5, 31), WINTER):
        assert publishing.fallen(before, now, KOMMUNE, day) == [EXPORTS[export].file]


def test_half_of_the_people_stop_a_file_in_june_too() -> None:
    assert publishing.fallen(size("sds", 1000, 50, 9), size("sds", 500, 50, 9), KOMMUNE, JUNE) == ["sds.zip"]


def test_a_file_is_smaller_without_what_the_kommune_has_taken_out_and_that_stops_nothing() -> None:
    before = size("sds", 1000, 50, 90_000, "guardians", "contact")
    assert publishing.fallen(before, size("sds", 1000, 50, 30_000), KOMMUNE, WINTER) == []
    assert publishing.fallen(before, size("sds", 500, 50, 30_000), KOMMUNE, WINTER) == ["sds.zip"]
    assert publishing.fallen(before, size("sds", 1000, 50, 30_000, "contact", "guardians"), KOMMUNE, WINTER)


def test_other_extras_withdraw_the_older_publications() -> None:
    class Warehouse:
        def execute(self, *_: object) -> "Warehouse":
            return self

        def one(self) -> tuple[str, int]:
            return ("no veto", 0)

    def protects(**extras: tuple[str, ...]) -> str:
        kommune = KOMMUNE.model_copy(update={"export_extras": extras})
        return publishing._protects(Warehouse(), kommune, WINTER)  # type: ignore[arg-type]

    assert protects(sds=("guardians", "contact")) == protects(sds=("contact", "guardians")) != protects(sds=())
    assert protects(sds=()) == protects()


def test_guardians_are_noted_in_an_export_only_where_it_gets_them() -> None:
    for export in ("oneroster", "sds"):
        assert disclosing.people_in(export, ("contact", "birth_dates")) == disclosing.PEOPLE[export]
        assert disclosing.people_in(export, ("contact", "guardians")) == disclosing.WITH_GUARDIANS[export]
    assert "work_email" in disclosing.WITH_GUARDIANS["sds"], "an employee without an account can be a guardian"
