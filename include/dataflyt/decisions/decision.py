"""A decision as every kind of decision has it: its fields, its demands, and the rows it writes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from dataflyt.config.kommune import Kommune
from dataflyt.errors import DataflytError
from dataflyt.run.environment import Environment
from dataflyt.warehouse.vetoed_views import Views


class NotAllowed(DataflytError):
    """A decision that may not be made: a field is missing, the wrong person, or a rule of the domain."""


@dataclass(frozen=True)
class Moment:
    """The time at which a decision is made: the golden record under the vetoes (``now_…``), and the day in Norway.

    ``released`` is the newest released run, ``next_run`` the earliest run that a decision that gives can hold from.
    """

    connection: Connection
    kommune: Kommune
    now: Views
    day: date
    released: int
    next_run: int

    @property
    def owner(self) -> str:
        """The kommune's id."""
        return self.kommune.id


class Decision(BaseModel):
    """One decision, before it is made: the fields of its kind.

    A kind sets ``kind`` (its name in ``kinds``), ``title`` (in Norwegian, for lists and questions) and ``two_people``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    title: ClassVar[str]
    two_people: ClassVar[bool]
    """Whether a second person must confirm the decision before it holds. What protects never waits for one."""

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the people that the decision is about, for the audit. None of them may make or confirm it."""
        raise NotImplementedError

    def demand(self, moment: Moment) -> None:
        """Raise NotAllowed when a rule of the domain forbids the decision now. Called again when it is confirmed."""
        raise NotImplementedError

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the decision's rows; return its number. ``approved_by`` is the second person, if there are two."""
        raise NotImplementedError

    def later(self, moment: Moment) -> list[str]:
        """Return Norwegian sentences on what the decision gives at the next run; none when it gives nothing."""
        return []

    def afterwards(self, kommune: Kommune, environment: Environment) -> None:
        """Do what the decision demands of files, when its rows are committed. Repeating it does nothing."""

    def said(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return self.model_dump(mode="json")
