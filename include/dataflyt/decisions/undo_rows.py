"""The rows of an undoing for a person who may see them: with ``graded`` by the warehouse's own ids."""

from dataflyt.config.kommune import Kommune
from dataflyt.decisions import deciding
from dataflyt.decisions.undo import Undo, reverse_plan
from dataflyt.run.environment import Environment
from dataflyt.warehouse import audit, plan
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.plan import PlanRow
from dataflyt.warehouse.refusals import refusals


def undo_rows(
    kommune: Kommune, environment: Environment, decision: Undo, visitor: Visitor, *, graded: bool
) -> list[PlanRow]:
    """Return what undoing a run would change, row by row; without ``graded`` nothing that tells of protection.

    The look is kept in the audit, and nothing of the undoing is. Raises NotAllowed without the right ``persons``, or
    ``graded``, and for a run that cannot be undone.
    """
    with refusals(kommune, environment.connect, visitor, "undo rows"), deciding.moment(kommune, environment) as at:
        kommune.case_worker(visitor.id, "graded" if graded else "persons")
        decision.demand(at)
        with reverse_plan(at) as planned:
            rows, people = list(plan.rows(planned, graded=graded)), plan.people(planned) if graded else []
        audit.record(at.connection, at.owner, visitor, "undo rows", people, f"kjøring {decision.run}")
        return rows
