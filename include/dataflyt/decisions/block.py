"""An adult who must not have access to a child: set by one person at once, lifted by two."""

from collections.abc import Iterable
from datetime import date
from typing import ClassVar, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from dataflyt.decisions.adults import Adult, persons
from dataflyt.decisions.decision import Decision, Moment, NotAllowed

BASES = {
    "barnevern_decision": "vedtak fra barnevernet",
    "court_judgment": "dom eller kjennelse",
    "contact_ban": "besøksforbud eller kontaktforbud",
    "other": "annet grunnlag",
}


class Block(Decision):
    """A block (``access_block``): beats foreldreansvar and grants, and never ends by itself.

    The adult need not be known yet (``adults.to_come``). ``review_on`` puts it on the work list. Hidden addresses and
    contact bans by barnevern or court are not in FREG
    (DESIGN, "Who gets access to a child").
    """

    kind: ClassVar[str] = "block"
    two_people: ClassVar[bool] = False

    child: UUID
    adult: Adult
    basis: Literal["barnevern_decision", "court_judgment", "contact_ban", "other"]
    case_number: str = Field(min_length=1, max_length=100, pattern=r"\S")
    review_on: date | None = None

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the child and the adult."""
        return {self.child} | persons([self.adult])

    def demand(self, moment: Moment) -> None:
        """Demand two different people, and that no block of the two is in force."""
        if str(self.child) == self.adult:
            raise NotAllowed("Barnet og den voksne er samme person.")
        found = moment.connection.scalar(
            text("select exists (select from now_block where child_id = :child and adult = :adult)"),
            {"child": self.child, "adult": self.adult},
        )
        if found:
            raise NotAllowed("Den voksne er sperret fra barnet fra før.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the block."""
        row = (self.child, self.adult, self.basis, self.case_number, decided_by, self.review_on)
        columns = "child_id uuid, adult text, basis text, case_number text, decided_by text, review_on date"
        return moment.insert("access_block", columns, [row])[0]


class LiftBlock(Decision):
    """The end of a block, by two people. Access comes back at the next run, through its plan and guard."""

    kind: ClassVar[str] = "lift_block"
    two_people: ClassVar[bool] = True

    block: int

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the child and the adult of the block."""
        row = moment.connection.execute(
            text("select child_id, adult from control.access_block where owner = :owner and access_block = :block"),
            {"owner": moment.owner, "block": self.block},
        ).one_or_none()
        return {row.child_id} | persons([row.adult]) if row else ()

    def missing(self) -> str:
        """Return the sentence for a block that does not exist."""
        return f"Sperring {self.block} finnes ikke, eller er hevet."

    def demand(self, moment: Moment) -> None:
        """Demand that the block is in force."""
        found = moment.connection.scalar(
            text(
                "select exists (select from control.access_block "
                "where owner = :owner and access_block = :block and lifted_at is null)"
            ),
            {"owner": moment.owner, "block": self.block},
        )
        if not found:
            raise NotAllowed(self.missing())

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """End the block."""
        moment.connection.execute(
            text(
                "update control.access_block set lifted_at = clock_timestamp(), lifted_by = :one, "
                "lifted_by_second = :other, lifted_run = :run where owner = :owner and access_block = :block"
            ),
            {
                "owner": moment.owner,
                "block": self.block,
                "one": decided_by,
                "other": approved_by,
                "run": moment.next_run,
            },
        )
        return self.block

    def later(self, moment: Moment) -> list[str]:
        """Tell when access comes back."""
        return ["Tilgang som sperringen stoppet, kommer tilbake ved neste kjøring som frigis."]
