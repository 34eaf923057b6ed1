"""The right cause and the right corrector for faults along the whole flow, and never «all is well» where it is not.

A quick round is in the suite. ``DATAFLYT_DIAGNOSIS=10`` makes ten rounds with all kinds, each in other people;
``benchmarks/diagnosis.py`` prints them as a table.
"""

import contextlib
import json
import os
import statistics
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from dataflyt.config.kommune import Kommune, Limit
from dataflyt.decisions import deciding
from dataflyt.decisions.undo import Undo
from dataflyt.why.answering import why
from simulator.model import Person, Responsibility
from tests.installation.fixtures import LOOKING, TO_PLAN, Installation, approve_and_release
from tests.why import faults
from tests.why.faults import Ask, Field

UNKNOWN = "Ingen Nordmann 2015-01-01"
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
    """Break things before, between and after two runs, and ask about each. ``first``: no run has been made yet."""
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


@pytest.mark.long
@pytest.mark.after_first_run
def test_each_fault_is_named_with_the_one_who_corrects_it(installation: Installation) -> None:
    judged = diagnosed(installation, 1, first=False)
    assert len(judged) >= 30
    if said := wrong(judged):
        pytest.fail(said, pytrace=False)


@pytest.mark.long
@pytest.mark.after_first_run
def test_what_holds_up_the_whole_kommune_is_named_before_what_waits_for_it(installation: Installation) -> None:
    """A run that waits, is rejected, stops or is not published, a kommune on trial, and a file not ordered."""
    here, limits = installation, installation.kommune.guard.limits | {"guardian_gains_access": Limit(count=0)}
    here.kommune = here.kommune.model_copy(update={"guard": here.kommune.guard.model_copy(update={"limits": limits})})
    field = Field(here, Random(3))
    child, one, two = field.family()
    friend = field.family()[2]
    child.responsibility.append(Responsibility("felles", friend.number))

    def verdict(adult: Person, kommune: Kommune = here.kommune) -> tuple[str, str, str]:
        found = why(kommune, here.environment, "access", LOOKING, who=adult.number, child=child.number).verdict
        return found.status, "+".join(found.causes), found.corrector.id if found.corrector else ""

    job = here.open()
    here.steps(job, *TO_PLAN)
    assert verdict(friend) == ("failed", "waiting_for_approval", "approver")
    assert verdict(two) == ("fine", "", "")
    here.run("rejected", job)
    assert verdict(friend) == ("unknown", "no_foreldreansvar+run_rejected", "guardian_freg")
    assert verdict(two) == ("fine", "", "")
    here.run("unanswered")
    assert verdict(friend) == ("unknown", "no_foreldreansvar+run_unanswered", "guardian_freg")
    files = here.registers.drop / "1106" / "sas"
    files.rename(files.with_name("away"))
    here.run()
    files.with_name("away").rename(files)
    assert verdict(friend) == ("unknown", "no_foreldreansvar+run_stopped", "guardian_freg")
    assert verdict(one) == ("fine", "", "")

    job = here.open()
    here.steps(job, *TO_PLAN)
    approve_and_release(job)
    assert verdict(friend) == ("failed", "not_published", "engineer")
    here.steps(job, "publish")
    assert verdict(friend) == ("fine", "", "")
    # Two people undo the run that gave it. A file that was delivered before the run before is told of.
    proposed = deciding.decide(here.kommune, here.environment, Undo(run=here.runs), LOOKING).proposal
    assert proposed
    deciding.answer(here.kommune, here.environment, proposed, "confirmed", faults.OTHER)
    assert verdict(friend) == ("unknown", "no_foreldreansvar+run_undone", "guardian_freg")
    for path in (here.registers.drop / "1106" / "sas").iterdir():
        os.utime(path, (datetime(2026, 11, 20, tzinfo=UTC).timestamp(),) * 2)
    here.run()
    assert verdict(friend) == ("fine", "", "")
    books = why(here.kommune, here.environment, "resources", LOOKING, who="konbau").verdict
    assert books.causes == ("group_without_timetable",)
    assert "må en ny fil leveres" in books.settles
    assert verdict(friend, here.kommune.model_copy(update={"trial": True})) == ("failed", "on_trial", "system_owner")
    ldif_alone = here.kommune.model_copy(update={"exports": ("feide_ldif",)})
    assert verdict(friend, ldif_alone) == ("failed", "file_not_ordered", "system_owner")
    without = here.kommune.legal_basis.model_copy(update={"freg": "none"})
    nobody = field.family()[2]
    assert verdict(nobody, here.kommune.model_copy(update={"legal_basis": without})) == (
        "failed",
        "no_legal_basis",
        "system_owner",
    )


def used() -> float:
    """Return the seconds of CPU that this process and PostgreSQL's processes have used (Linux)."""
    server = (Path(os.environ["DATAFLYT_TEST_SERVER"]) / "pgdata" / "postmaster.pid").read_text().split()[0]
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            said = stat.read_text().rpartition(")")[2].split()
            total += int(said[11]) + int(said[12]) if said[1] == server else 0
    return total / os.sysconf("SC_CLK_TCK") + time.process_time()


@pytest.mark.skipif(not ROUNDS, reason="DATAFLYT_DIAGNOSIS is not set")
@pytest.mark.after_first_run
def test_time(installation: Installation) -> None:
    """Measure an answer, and the answers about a protected and an unknown child by turns."""
    here = installation
    hidden = next(one.person for one in here.registers.world.pupils if "strengt_fortrolig" in one.cases)
    seen = next(one.person for one in here.registers.world.pupils if "seed_baug" in one.cases)
    assert hidden
    assert seen
    father = here.registers.person("seed_father").number
    took: dict[str, list[float]] = {}
    before = used()
    for turn in range(60):
        for kind, child in (("known", seen.number), ("protected", hidden.number), ("unknown", UNKNOWN)):
            began = time.perf_counter()
            why(here.kommune, here.environment, "access", LOOKING, who=father, child=child, graded=turn % 2 == 0)
            took.setdefault(kind, []).append(time.perf_counter() - began)
    cpu = (used() - before) / sum(map(len, took.values()))
    with Path(os.environ["DATAFLYT_DIAGNOSIS_TO"]).open("a", encoding="utf-8") as out:
        out.write(json.dumps({"time": "cpu", "each": cpu}) + "\n")
        for kind, times in took.items():
            least, median, most = min(times), statistics.median(times), max(times)
            out.write(json.dumps({"time": kind, "least": least, "median": median, "most": most}) + "\n")


@pytest.mark.skipif(not ROUNDS, reason="DATAFLYT_DIAGNOSIS is not set")
@pytest.mark.parametrize("seed", range(1, ROUNDS + 1))
def test_rounds(installation: Installation, seed: int) -> None:
    judged = diagnosed(installation, seed, first=True)
    with Path(os.environ["DATAFLYT_DIAGNOSIS_TO"]).open("a", encoding="utf-8") as out:
        for one in judged:
            out.write(json.dumps(one._asdict(), ensure_ascii=False) + "\n")
    assert Counter(one.is_right for one in judged)[True] >= 0.99 * len(judged), wrong(judged)
