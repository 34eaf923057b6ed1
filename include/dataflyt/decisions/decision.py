"""A decision as every kind of decision has it: its fields, its demands, and the rows it writes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import NotAllowed as NotAllowed
from dataflyt.run.environment import Environment
from dataflyt.storage.database import copied
from dataflyt.warehouse import actions
from dataflyt.warehouse.people import NOBODY
from dataflyt.warehouse.vetoed_views import Views


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

    def insert(self, table: str, columns: str, rows: Iterable[Sequence[object]]) -> list[int]:
        """Write rows to a table of decisions (``control.<table>``); return their numbers, in the order of the rows.

        ``columns`` have their SQL types: ``person_id uuid, reason text``. The rows are copied, so that no log of the
        server's has what somebody has typed.
        """
        copied(self.connection, "decided", f"turn int, {columns}", [(turn, *row) for turn, row in enumerate(rows)])
        names = ", ".join(column.split()[0] for column in columns.split(", "))
        written = self.connection.execute(
            text(
                f"insert into control.{table} (owner, {names}) select :owner, {names} from decided order by turn "
                f"returning {table}"
            ),
            {"owner": self.owner},
        )
        return [int(number) for number in written.scalars()]


class Decision(BaseModel, ABC):
    """One decision, before it is made: the fields of its kind.

    A kind sets ``kind`` (its name in ``kinds``; ``warehouse.actions`` has its Norwegian name) and ``two_people``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: ClassVar[str]
    two_people: ClassVar[bool]
    """Whether a second person must confirm the decision before it holds. What protects never waits for one."""
    gives: ClassVar[bool] = False
    """Whether a decision by one person gives something. It takes two when that person has no employee's id in HR's
    extract: nobody can then tell whether the decision is about the one who makes it (``deciding``)."""
    graded: ClassVar[bool] = False
    """Whether the decision itself tells of protection, so that only those with the right ``graded`` may make it."""
    counted: ClassVar[bool] = True
    """Whether the people that it hides or takes access from at once may be counted. A kind that concerns everybody
    counts them itself: beside its own counts, these would tell how many are protected."""

    @property
    def title(self) -> str:
        """The kind in Norwegian, for lists and questions."""
        return actions.DECISIONS[self.kind]

    @abstractmethod
    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the people that the decision is about, for the audit. None of them may make or confirm it."""

    def missing(self) -> str:
        """Return the sentence for a decision about somebody, or something, that the visitor may not know of.

        It must be the sentence for what does not exist: a refusal must not tell that somebody is protected.
        """
        return NOBODY

    def must_see(self, moment: Moment) -> Iterable[UUID]:
        """Return people of the decision: if one is protected, only somebody with the right ``graded`` may decide.

        To others the decision's subject does not exist (``missing``). Everybody it is about, unless the kind says less.
        """
        return self.about(moment)

    def details(self, names: Mapping[UUID, str]) -> str:
        """Return in Norwegian what the second person must know besides the title and the people."""
        return ""

    @abstractmethod
    def demand(self, moment: Moment) -> None:
        """Raise NotAllowed when a rule of the domain forbids the decision now. Called again when it is confirmed."""

    def demand_unseen(self, moment: Moment) -> None:
        """Raise NotAllowed as ``demand`` does, by what only those with the right ``graded`` may know of.

        Called for them alone: the refusal would tell others that somebody is protected.
        """

    def takes_graded(self) -> bool:
        """Whether the second person needs the right ``graded``, since ``demand_unseen`` may forbid such a decision.

        It must not depend on whether anybody is protected.
        """
        return False

    @abstractmethod
    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the decision's rows; return its number. ``approved_by`` is the second person, if there are two."""

    def later(self, moment: Moment) -> list[str]:
        """Return Norwegian sentences on what the decision gives at the next run; none when it gives nothing."""
        return []

    def afterwards(self, kommune: Kommune, environment: Environment) -> None:
        """Do what the decision demands of files, when its rows are committed. Repeating it does nothing."""

    def said(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return self.model_dump(mode="json")
