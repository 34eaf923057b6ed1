"""A run's plan, opened for reading.

Everybody may read counts without protection. Rows name people by the warehouse's own ids: they need the right
``persons``, and all that tells of protection needs ``graded``. Each such look is kept in the audit, in the transaction
that reads. Show nothing before that transaction has ended.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection

from dataflyt.config.connections import Connect
from dataflyt.config.kommune import Kommune, Right
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.warehouse import audit, plan, runs
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.refusals import refusals
from dataflyt.warehouse.runs import Run


@dataclass(frozen=True)
class OpenPlan:
    """A run's plan while it is open for reading, by ``visitor`` if anybody is to see more than counts."""

    kommune: Kommune
    connect: Connect
    visitor: Visitor | None
    run: Run
    planned: plan.Plan

    @property
    def connection(self) -> Connection:
        """The transaction that it is read in."""
        return self.planned.connection

    @property
    def stands(self) -> bool:
        """Whether the plan's rows are there. Of a run that was undone only the counts are kept."""
        return self.run.state in ("merged", "released")

    def counts(self) -> dict[str, int]:
        """Return the rows per kind, without protection, as they were counted when the run was merged."""
        changed: dict[str, int] = report.notes(self.connection, self.run).get("changed", {})
        return changed

    def doubts(self) -> list[str]:
        """Return sentences on each doubt about the extract and later events. Raises NotAllowed without ``graded``."""
        audit.record(self.connection, self.run.owner, self._seen_by("graded"), "plan", detail=self._detail)
        noted = report.notes(self.connection, self.run)
        doubts = {doubt for lane in ("doubts", "doubts_beside") for doubt in noted.get(lane, [])}
        return [sentence for doubt, sentence in report.DOUBTS.items() if doubt in doubts]

    def changes(self, *, graded: bool = False) -> list[tuple[str, str]]:
        """Return the counts in words for an operator; with ``graded`` the counts of all rows that stand.

        Raises NotAllowed for ``graded`` without that right.
        """
        if graded:
            audit.record(self.connection, self.run.owner, self._seen_by("graded"), "plan", detail=self._detail)
        if graded and self.stands:
            return report.changes(plan.all_counts(self.planned), 0)
        inferred = report.notes(self.connection, self.run).get("inferred_losses", 0)
        return report.changes(self.counts(), inferred)

    def rows(self, *, graded: bool = False) -> Iterator[plan.PlanRow]:
        """Return the rows; no rows when the run was undone.

        Without ``graded``, return no rows either when the counts have changed since they were told: the missing rows
        would show who has become protected. Raises NotAllowed without the right ``persons``, or ``graded``.
        """
        visitor = self._seen_by("graded" if graded else "persons")
        told = self.stands and (graded or plan.counts(self.planned) == self.counts())
        if not told:
            return iter(())
        seen = plan.people(self.planned, graded=graded)
        audit.record(self.connection, self.run.owner, visitor, "plan rows", seen, self._detail)
        return plan.rows(self.planned, graded=graded)

    @property
    def _detail(self) -> str:
        return f"kjøring {self.run.number}"

    def _seen_by(self, right: Right) -> Visitor:
        if self.visitor is None:
            raise NotAllowed("Planens rader vises bare til den som sier hvem hun er, og hvorfor.")
        with refusals(self.kommune, self.connect, self.visitor, "plan"):
            self.kommune.case_worker(self.visitor.id, right)
        return self.visitor


@contextmanager
def open_plan(
    kommune: Kommune, environment: Environment, number: int | None, visitor: Visitor | None = None
) -> Iterator[OpenPlan]:
    """Open the plan of a kommune's run, the newest when ``number`` is None. Raises ConfigError when there is none."""
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        wanted = number or runs.newest(connection, kommune.id)
        if not runs.exists(connection, kommune.id, wanted):
            raise ConfigError(f"{kommune.display_name} har ingen kjøring {number or ''}".rstrip() + ".")
        run = runs.get(connection, kommune.id, wanted)
        released = runs.released_before(connection, kommune.id, wanted)
        yield OpenPlan(kommune, environment.connect, visitor, run, plan.build(connection, kommune.id, wanted, released))
