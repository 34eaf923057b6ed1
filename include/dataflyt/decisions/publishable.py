"""«Kan publiseres»: pupils about whom FREG cannot be asked, published all the same from the next run."""

from collections.abc import Iterable
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.decisions.suspension import Reason
from dataflyt.storage.database import copied


class Publishable(Decision):
    """One or several pupils without an askable number may be published. They share the text of the decision.

    Nobody can see whether such a pupil has adressebeskyttelse. A number that arrives makes the decision needless: FREG
    is then asked, and its word counts.
    """

    kind: ClassVar[str] = "publishable"
    two_people: ClassVar[bool] = False
    gives: ClassVar[bool] = True

    people: tuple[UUID, ...] = Field(min_length=1, max_length=500)
    decision: Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
    reason: Reason

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the pupils."""
        return self.people

    def demand(self, moment: Moment) -> None:
        """Demand pupils who are held back because FREG cannot be asked, and whom nobody has decided about."""
        if len(set(self.people)) < len(self.people):
            raise NotAllowed("Samme elev står to ganger.")
        copied(moment.connection, "decided", "person_id uuid", [(person,) for person in self.people])
        if moment.connection.scalar(text(_NOT_UNASKED)):
            raise NotAllowed(
                "En av elevene er ikke blant dem Folkeregisteret ikke kan spørres om, eller er beskyttet på annen måte."
            )
        if moment.connection.scalar(text(_DECIDED), {"owner": moment.owner}):
            raise NotAllowed("En av elevene kan publiseres fra før.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write a row for each pupil; return the number of the first."""
        rows = [
            (person, self.decision, self.reason, decided_by, approved_by, moment.next_run) for person in self.people
        ]
        columns = "person_id uuid, decision text, reason text, decided_by text, approved_by text, from_run bigint"
        return moment.insert("publishable", columns, rows)[0]

    def later(self, moment: Moment) -> list[str]:
        """Tell when the pupils are published."""
        count = len(self.people)
        return [f"{count} {'elev' if count == 1 else 'elever'} publiseres ved neste kjøring som frigis."]


class EndPublishable(Decision):
    """The end of «kan publiseres» for a pupil, at once, by one person: the pupil is held back again."""

    kind: ClassVar[str] = "end_publishable"
    two_people: ClassVar[bool] = False

    person: UUID

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the pupil."""
        return (self.person,)

    def demand(self, moment: Moment) -> None:
        """Demand that people have decided that the pupil may be published."""
        copied(moment.connection, "decided", "person_id uuid", [(self.person,)])
        if not moment.connection.scalar(text(_DECIDED), {"owner": moment.owner}):
            raise NotAllowed("Ingen har bestemt at eleven kan publiseres.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """End the decision, under any id of the pupil."""
        number = moment.connection.scalar(
            text(
                "update control.publishable set ended_at = clock_timestamp(), ended_by = :by "
                "where owner = :owner and ended_at is null and (person_id = :person "
                "or person_id in (select other_id from now_kin where person_id = :person)) returning publishable"
            ),
            {"owner": moment.owner, "person": self.person, "by": decided_by},
        )
        return int(number or 0)


_NOT_UNASKED = """
select exists (
    select from decided d
    left join now_protection x on x.person_id = d.person_id
    where x.unasked is not true or x.level >= 2
)
"""
_DECIDED = """
select exists (
    select from decided d
    left join now_kin k on k.person_id = d.person_id
    join control.publishable p on p.person_id in (d.person_id, k.other_id)
    where p.owner = :owner and p.ended_at is null
)
"""
