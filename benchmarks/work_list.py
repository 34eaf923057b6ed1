"""The work list of a kommune of Oslo's size: every item with its name, school, age and corrector, read once.

    python benchmarks/work_list.py 70000

The simulator makes pupils with guardians, groups and memberships, as ``warehouse`` does, and a first run is released.
One in a hundred pupils gets another name in the school system, and another hundredth is protected.
"""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from measuring import Figure, postgres
from sqlalchemy import text

from dataflyt.operations import work_list
from dataflyt.run.landed import stage
from dataflyt.run.merge import merge
from dataflyt.run.release import release
from dataflyt.warehouse import staging
from dataflyt.warehouse.audit import Visitor
from simulator.files import write_pifu
from simulator.large import Large
from simulator.model import Group, Member
from warehouse import DAY, Guardians, a_week_passes, approve, job, passed

LOOKING = Visitor("101", "Anita", "benchmark", "benchmark")
MOST = 10.0
"""The aim, in seconds."""


class InGroups(Guardians):
    """Pupils and guardians, and the pupils' groups."""

    def __init__(self, pupils: int, landing: Path) -> None:
        super().__init__(pupils, landing)
        self.groups: list[Group] = Large("1106", 1, DAY, pupils).groups

    def memberships(self) -> Iterator[tuple[str, list[Member]]]:
        """Schools and groups, and their pupils."""
        for group, members in Large.memberships(self):
            yield group, [member for member in members if member.role == "01"]


def measure(pupils: int = 70_000) -> list[Figure]:
    """Make the people, release a first run, and read the list with and without protected people."""
    with tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as made, postgres(Path(made), ["oslo"]) as urls:
        folder = Path(made)
        landing = folder / "landing" / "oslo" / "000001"
        people = InGroups(pupils, landing)
        (landing / "sas").mkdir(parents=True)
        with (landing / "sas" / "pifu-00001.xml").open("wb") as out:
            write_pifu(people, DAY, out)
        first = job("oslo", urls["kommune_oslo"], folder, 1)
        with first.transaction() as connection:
            staging.prepare(connection, "oslo", "hr")
            staging.load(connection, "oslo", 1, "hr", [], first.landing("hr"))
        for source in ("sas", "freg", "krr"):
            stage(first, source)
        with first.transaction() as connection:
            connection.execute(text("update staging_oslo.sas_person set family_name = 'Annet' where row_id % 100 = 0"))
            graded = "update staging_oslo.{} set graderingsnivaa = 'fortrolig' where row_id % 100 = 0"
            connection.execute(text(graded.format("freg_adressebeskyttelse")))
        passed(first)
        merge(first)
        approve(first)
        release(first)
        a_week_passes(urls["dataflyt"])
        took, found = [], []
        for graded in (False, True):
            began = time.perf_counter()
            found.append(work_list.items(first.kommune, first.environment, LOOKING, graded=graded))
            took.append(time.perf_counter() - began)
        with first.transaction(lock=False) as connection:
            (members,) = connection.execute(text("select count(*) from golden.membership where owner = 'oslo'")).one()
    return [
        Figure(
            f"work list of {pupils} pupils and {members} memberships: {len(found[0])} items, names and audit",
            f"{took[0]:.1f} s",
            f"aim: at most {MOST:g} s",
            took[0] <= MOST,
        ),
        Figure(f"  with protected people: {len(found[1])} items", f"{took[1]:.1f} s"),
    ]


if __name__ == "__main__":
    import sys

    print(*measure(*(int(size) for size in sys.argv[1:])), sep="\n")
