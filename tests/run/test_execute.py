"""The steps of a run: one table has their order, and each step has its function."""

from dataflyt.run.execute import FUNCTIONS
from dataflyt.run.steps import STEPS, TITLES


def test_every_step_has_a_title_a_place_after_what_it_needs_and_something_that_does_it() -> None:
    names = [step.name for step in STEPS]
    assert len(set(names)) == len(names) == len(set(TITLES.values()))
    assert list(FUNCTIONS) == [name for name in names if name not in ("approve", "close_run")]
    for place, step in enumerate(STEPS):
        assert set(step.needs) <= set(names[:place]), step.name
    assert [step.name for step in STEPS if step.always] == ["withdraw", "close_run"]
