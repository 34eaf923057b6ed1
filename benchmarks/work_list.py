"""The work list of a kommune of Oslo's size, read once with names, and answers of ``why`` there.

    python benchmarks/work_list.py 70000

The simulator makes pupils with guardians, employees, groups and memberships, and a first run is released. One in a
hundred pupils gets another name in the school system, and another hundredth is protected. To make 70 000 takes ten
minutes. The aims are seconds of CPU, of this process and PostgreSQL together: the clock says little on a machine that
does other work. ``why`` is asked as the command line and the page ask, without the start of Python.
"""

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Figure, Worked, postgres
from sqlalchemy import text

from dataflyt.operations import work_list
from dataflyt.run.job import Job
from dataflyt.run.landed import stage
from dataflyt.run.merge import merge
from dataflyt.run.release import release
from dataflyt.warehouse.audit import Visitor
from dataflyt.why.answering import why
from simulator.files import write_pifu, write_stamdata3
from simulator.large import Large
from simulator.model import Group, Member, SasPerson
from warehouse import DAY, Guardians, a_week_passes, approve, job, passed

LOOKING = Visitor("101", "Anita", "benchmark", "benchmark")
MOST, LONGEST = 10.0, 0.2
"""The aims of the list and of an answer, in seconds."""
TIMES = 7
"""How often each question is asked. The median is told."""

_PEOPLE = """
select a.adult, c.number as child, e.number as teacher
from (
    select p.number as adult, g.child_id from golden.guardian_access g
    join golden.person p on p.person_id::text = g.adult and p.number is not null
    join golden.protection x on x.person_id = g.child_id and x.level = 0
    where g.state = 'active' limit 1 offset 1000
) as a
join golden.person c on c.person_id = a.child_id
cross join (
    select p.number from golden.membership m join golden.person p using (person_id)
    where m.role <> 'student' and p.number is not null limit 1 offset 100
) as e
"""


class InGroups(Guardians):
    """Pupils, guardians and employees, and the groups."""

    def __init__(self, pupils: int, landing: Path) -> None:
        super().__init__(pupils, landing)
        self.groups: list[Group] = Large("1106", 1, DAY, pupils).groups

    def sas_persons(self) -> Iterator[SasPerson]:
        """Everybody in the SAS file."""
        yield from super().sas_persons()
        yield from (employee.sas for employee in self.employees if employee.sas)

    def memberships(self) -> Iterator[tuple[str, list[Member]]]:
        """Schools and groups, and their members."""
        yield from Large.memberships(self)


def measure(pupils: int = 70_000) -> list[Figure]:
    """Make the people, release a first run, read the list with and without protected people, and ask ``why``."""
    with tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as made, postgres(Path(made), ["oslo"]) as urls:
        folder = Path(made)
        landing = folder / "landing" / "oslo" / "000001"
        people = InGroups(pupils, landing)
        (landing / "sas").mkdir(parents=True)
        with (landing / "sas" / "pifu-00001.xml").open("wb") as out:
            write_pifu(people, DAY, out)
        (landing / "hr").mkdir()
        with (landing / "hr" / "hr-00001.xml").open("wb") as out:
            write_stamdata3(people, DAY, out)
        first = job("oslo", urls["kommune_oslo"], folder, 1)
        for source in ("sas", "hr", "freg", "krr"):
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
        lists = []
        for graded in (False, True):
            with Worked(folder) as work:
                found = work_list.items(first.kommune, first.environment, LOOKING, graded=graded)
            lists.append((len(found), work))
        with first.transaction(lock=False) as connection:
            (members,) = connection.execute(text("select count(*) from golden.membership where owner = 'oslo'")).one()
            adult, child, teacher = connection.execute(text(_PEOPLE)).one()
        answers = [
            _asked(first, folder, question, who, of)
            for question, who, of in (
                ("access", adult, child),
                ("envelope", adult, None),
                ("resources", child, None),
                ("teacher", teacher, None),
            )
        ]
    of = f"{pupils} pupils and {members} memberships"
    return [
        *(
            Figure(
                f"work list of {of}{', protected too' if graded else ''}: {items} items, names and audit",
                f"{work.cpu:.1f} s CPU ({work.seconds:.1f} s)",
                f"{MOST:g} s",
                work.cpu <= MOST,
            )
            for graded, (items, work) in enumerate(lists)
        ),
        *answers,
    ]


def _asked(first: Job, folder: Path, question: str, who: str, child: str | None) -> Figure:
    """Ask one question some times."""
    took = []
    for _ in range(TIMES):
        with Worked(folder) as work:
            answer = why(first.kommune, first.environment, question, LOOKING, who=who, child=child)
        took.append((work.cpu, work.seconds))
    cpu, seconds = (statistics.median(one) for one in zip(*took, strict=True))
    return Figure(
        f"why {question}: {len(answer.steps)} checks, {', '.join(answer.verdict.causes) or answer.verdict.status}",
        f"{cpu * 1000:.0f} ms CPU ({seconds * 1000:.0f} ms)",
        f"{LONGEST * 1000:.0f} ms",
        cpu <= LONGEST,
    )


if __name__ == "__main__":
    import sys

    print(*measure(*(int(size) for size in sys.argv[1:])), sep="\n")
