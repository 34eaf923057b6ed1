"""Undoing a released run, newest first, by two people: it takes back what the run gave, and gives nothing."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar
from uuid import UUID

from pydantic import Field

from dataflyt.config.kommune import Kommune
from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.run import report
from dataflyt.warehouse import plan, runs, undoing
from dataflyt.warehouse.plan import Plan


class Undo(Decision):
    """The undoing of the newest released run. The run before it is then the current one (``warehouse.undoing``)."""

    kind: ClassVar[str] = "undo"
    two_people: ClassVar[bool] = True
    counted: ClassVar[bool] = False

    run: int = Field(ge=1)

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return nobody: a run is about everybody."""
        return ()

    def details(self, names: Mapping[UUID, str]) -> str:
        """Return the run."""
        return f"kjøring {self.run}"

    def demand(self, moment: Moment) -> None:
        """Demand that the run is the newest released one, and that there is a released run before it."""
        connection, owner, named = moment.connection, moment.owner, moment.kommune.display_name
        if not runs.exists(connection, owner, self.run):
            raise NotAllowed(f"{named} har ingen kjøring {self.run}.")
        state = runs.get(connection, owner, self.run).state
        if state != "released":
            raise NotAllowed(f"Kjøring {self.run} kan ikke angres: den er {report.STATES[state]}.")
        if self.run != moment.released:
            raise NotAllowed(f"Den nyeste frigitte kjøringen angres først, og det er kjøring {moment.released}.")
        if not runs.released_before(connection, owner, self.run):
            raise NotAllowed(
                f"Kjøring {self.run} er den første som er frigitt, og kan ikke angres: da var det ingenting igjen å "
                "publisere. Rett opp kilden, og start en ny kjøring."
            )

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Undo the run."""
        undoing.undo(
            moment.now,
            moment.day,
            decided_by=decided_by,
            approved_by=str(approved_by),
            hold_unasked=_hold_unasked(moment.kommune),
            employees=moment.kommune.sources.freg.employees,
        )
        return self.run

    def later(self, moment: Moment) -> list[str]:
        """Tell what the undoing changes, by counts without protection, and what it never gives back."""
        earlier = runs.released_before(moment.connection, moment.owner, self.run)
        with reverse_plan(moment) as planned:
            changed = report.changes(plan.counts(planned), 0)
        newer = runs.newest(moment.connection, moment.owner)
        waits = newer > self.run and runs.get(moment.connection, moment.owner, newer).state in runs.UNSETTLED
        return [
            f"Kjøring {self.run} angres, og kjøring {earlier} gjelder igjen. Ny utgave publiseres.",
            *([f"Kjøring {newer}, som ikke er frigitt, angres også."] if waits else []),
            *(f"{what}: {count}." for what, count in changed),
            "Ingen får tilbake tilgang, og ingen beskyttelse senkes. De som kjøringen tok ut, og e-post og telefon som "
            "den endret, kommer tilbake ved neste kjøring som frigis.",
        ]


@contextmanager
def reverse_plan(moment: Moment) -> Iterator[Plan]:
    """Open the plan of undoing the newest released run. Nothing of the undoing is kept."""
    tried = moment.connection.begin_nested()
    try:
        yield undoing.reverse_plan(
            moment.now,
            moment.day,
            hold_unasked=_hold_unasked(moment.kommune),
            employees=moment.kommune.sources.freg.employees,
        )
    finally:
        tried.rollback()


def _hold_unasked(kommune: Kommune) -> bool:
    return kommune.pupils_without_number == "ask"
