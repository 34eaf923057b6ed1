"""The right cause and the right corrector for faults along the whole flow, and never «all is well» where it is not.

A quick round is in the suite. ``DATAFLYT_DIAGNOSIS=10`` makes ten rounds with all kinds, each in other people;
``benchmarks/diagnosis.py`` prints them as a table.
"""

import json
import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from dataflyt.why.answering import why
from tests.installation.fixtures import LOOKING, Installation
from tests.why import faults
from tests.why.faults import Ask, Field

ROUNDS = int(os.environ.get("DATAFLYT_DIAGNOSIS", "0"))


class Judged(NamedTuple):
    """What was broken, the causes and the corrector that are right, and those that were named."""

    kind: str
    right: tuple[str, ...]
    by: str
    named: tuple[str, ...]
    named_by: str
    status: str

    @property
    def is_right(self) -> bool:
        return self.right == self.named and self.by == self.named_by


def judge(here: Installation, kind: str, ask: Ask) -> Judged:
    asked = ask()
    found = why(
        here.kommune, here.environment, asked.question, LOOKING, who=asked.who, child=asked.child, word=asked.word,
        graded=True,
    ).verdict  # fmt: skip
    by = found.corrector.id if found.corrector else ""
    return Judged(kind, asked.causes, asked.corrector, found.causes, by, found.status)


def diagnosed(here: Installation, seed: int, *, first: bool) -> list[Judged]:
    """Break things before, between and after two runs, and ask about each. ``first``: the first run is still to come."""
    here.kommune = here.kommune.model_copy(update={"consent": True})
    field = Field(here, Random(seed))
    asks = []
    if first:
        asks += list(faults.broken(field, faults.BEFORE))
        here.registers.write()
        here.run()
    asks += list(faults.broken(field, faults.BETWEEN))
    here.registers.write()
    here.run()
    asks += list(faults.broken(field, faults.DECIDED))
    return [judge(here, kind, ask) for kind, ask in asks]


def wrong(judged: list[Judged]) -> str:
    return "\n".join(
        f"{one.kind}: {'+'.join(one.named) or 'fine'} ({one.named_by}), not {'+'.join(one.right) or 'fine'} ({one.by})"
        for one in judged
        if not one.is_right
    )


@pytest.mark.after_first_run
def test_each_fault_is_named_with_the_one_who_corrects_it(installation: Installation) -> None:
    judged = diagnosed(installation, 1, first=False)
    assert len(judged) >= 30
    if said := wrong(judged):
        pytest.fail(said, pytrace=False)


@pytest.mark.skipif(not ROUNDS, reason="DATAFLYT_DIAGNOSIS is not set")
@pytest.mark.parametrize("seed", range(1, ROUNDS + 1))
def test_rounds(installation: Installation, seed: int) -> None:
    judged = diagnosed(installation, seed, first=True)
    with Path(os.environ["DATAFLYT_DIAGNOSIS_TO"]).open("a", encoding="utf-8") as out:
        for one in judged:
            out.write(json.dumps(one._asdict(), ensure_ascii=False) + "\n")
    assert Counter(one.is_right for one in judged)[True] >= 0.99 * len(judged), wrong(judged)
