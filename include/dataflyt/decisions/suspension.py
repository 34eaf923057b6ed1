"""Access that is suspended because a child is protected, decided adult by adult: it stays, or two people lift it."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from dataflyt.decisions.adults import Adult, persons
from dataflyt.decisions.decision import Decision, Moment, NotAllowed

Reason = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"\S")]
CaseNumber = Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]


class _OfSuspension(Decision):
    """A decision about the suspension of an adult's access to a child."""

    graded: ClassVar[bool] = True

    child: UUID
    adult: Adult
    reason: Reason

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the child and the adult."""
        return {self.child} | persons([self.adult])

    def demand(self, moment: Moment) -> None:
        """Demand that the adult's access is suspended."""
        if not suspensions(moment, self.child, self.adult):
            raise NotAllowed("Den voksnes tilgang til barnet er ikke stanset.")


class KeepSuspension(_OfSuspension):
    """The suspension stays. ``review_on`` puts it on the work list."""

    kind: ClassVar[str] = "keep_suspension"
    two_people: ClassVar[bool] = False

    case_number: CaseNumber | None = None
    review_on: date | None = None

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write that the suspension stays."""
        vetoes = suspensions(moment, self.child, self.adult)
        said = ("kept", self.reason, self.case_number, decided_by, None, self.review_on)
        return told(moment, vetoes, *said)


class LiftSuspension(_OfSuspension):
    """The end of a suspension, by two people. Access comes back at the next run, through its plan and guard."""

    kind: ClassVar[str] = "lift_suspension"
    two_people: ClassVar[bool] = True

    case_number: CaseNumber

    def demand(self, moment: Moment) -> None:
        """Demand also that the adult is not blocked from the child."""
        super().demand(moment)
        if moment.connection.scalar(
            text("select exists (select from now_block where child_id = :child and adult = :adult)"),
            {"child": self.child, "adult": self.adult},
        ):
            raise NotAllowed("Den voksne er sperret fra barnet: sperringen må heves først.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Lift the suspension."""
        vetoes = suspensions(moment, self.child, self.adult)
        lift(moment, vetoes, decided_by, approved_by)
        return told(moment, vetoes, "lifted", self.reason, self.case_number, decided_by, approved_by, None)

    def later(self, moment: Moment) -> list[str]:
        """Tell when access comes back."""
        return ["Tilgangen kommer tilbake ved neste kjøring som frigis."]


def suspensions(moment: Moment, child: UUID, adult: str) -> list[int]:
    """Return the vetoes by which an adult's access to a child is suspended, under any of their ids."""
    return list(
        moment.connection.execute(
            text(
                "select distinct w.veto from now_veto w join control.veto v on v.owner = :owner and v.veto = w.veto "
                "where w.kind = 'access_suspended' and w.person_id = :child and w.adult = :adult "
                "and v.lifted_at is null order by w.veto"
            ),
            {"owner": moment.owner, "child": child, "adult": adult},
        ).scalars()
    )


def lift(moment: Moment, vetoes: Iterable[int], decided_by: str, approved_by: str | None) -> None:
    """Lift vetoes in the name of two people. They hold until the next run gives back what they took."""
    moment.connection.execute(
        text(
            "update control.veto set lifted_at = clock_timestamp(), lifted_by = :one, lifted_by_second = :other, "
            "lifted_run = :run where owner = :owner and veto = any(:vetoes) and lifted_at is null"
        ),
        {
            "owner": moment.owner,
            "vetoes": list(vetoes),
            "one": decided_by,
            "other": approved_by,
            "run": moment.next_run,
        },
    )


def told(
    moment: Moment,
    vetoes: Iterable[int],
    said: str,
    reason: str,
    case_number: str | None,
    decided_by: str,
    approved_by: str | None,
    review_on: date | None,
) -> int:
    """Keep what people said about vetoes, and why; return the number of the last row."""
    rows = [(veto, said, reason, case_number, decided_by, approved_by, review_on) for veto in vetoes]
    columns = "veto bigint, said text, reason text, case_number text, decided_by text, approved_by text, review_on date"
    return [0, *moment.insert("veto_decision", columns, rows)][-1]
