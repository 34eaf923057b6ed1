"""The erasure of a person who has left everything, before the time that the kommune's file says: by two people."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.run.environment import Environment
from dataflyt.run.erase import erase_files, erase_landing, erase_people, oldest_run_read
from dataflyt.storage import database
from dataflyt.warehouse import erasure


class Erase(Decision):
    """The erasure of a person from every run and file (GDPR art. 17).

    Somebody who is here is not erased: the data would come back with the next run. Somebody about whom a decision is in
    force is not erased either: it would lose its subject.
    """

    kind: ClassVar[str] = "erase"
    two_people: ClassVar[bool] = True

    person: UUID
    reason: str = Field(min_length=1, max_length=500, pattern=r"\S")
    case_number: str = Field(min_length=1, max_length=100, pattern=r"\S")

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the person."""
        return (self.person,)

    def demand(self, moment: Moment) -> None:
        """Demand that something is held about the person, that the person may be erased, and that no run is open."""
        connection, owner = moment.connection, moment.owner
        held = connection.scalar(
            text("select exists (select from golden.person_link where owner = :owner and person_id = :person)"),
            {"owner": owner, "person": self.person},
        )
        if not held:
            raise NotAllowed("Kommunen har ingenting om denne personen lenger: alt er slettet.")
        waiting = connection.scalar(
            text("select exists (select from control.run where owner = :owner and state in ('open', 'merged'))"),
            {"owner": owner},
        )
        if waiting:
            raise NotAllowed("En kjøring er ikke gjort opp, og kan ha fått med personen: slett når den er ferdig.")
        erasure.find_stays(connection, owner, read=oldest_run_read(connection, owner), today=moment.day)
        if why := erasure.why_stays(connection, self.person):
            raise NotAllowed(f"Personen slettes ikke: vedkommende {erasure.WHY[why]}.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Erase the person, and keep who decided it."""
        row = (self.person, self.reason, self.case_number, decided_by, approved_by)
        columns = "person_id uuid, reason text, case_number text, decided_by text, approved_by text"
        (number,) = moment.insert("erasure", columns, [row])
        erase_people(moment.connection, moment.owner, [self.person])
        return number

    def later(self, moment: Moment) -> list[str]:
        """Tell what remains."""
        return [
            "Alt om personen slettes fra varehuset og filene. Vedtak, med det som er skrevet i dem, og innsynslogg "
            "står i fem år.",
            "Kommer personen tilbake i et uttrekk, hentes opplysningene på nytt, og beskyttelse gjelder fortsatt.",
        ]

    def afterwards(self, kommune: Kommune, environment: Environment) -> None:
        """Delete the files that may hold the person."""
        db = database.engine(environment.connect(kommune.warehouse).url)
        with database.transaction(db, kommune.id) as connection:
            erase_files(connection, kommune, environment)
            erasure.empty_staging(connection, kommune.id)
            erase_landing(environment, kommune.id)
