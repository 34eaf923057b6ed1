"""Holding a person back: out of everything at once by one person, until two people end it."""

from collections.abc import Iterable
from datetime import date
from typing import ClassVar
from uuid import UUID

from sqlalchemy import text

from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.decisions.suspension import CaseNumber, Reason, lift, told

CAUSE = "held_back"
"""The cause of the vetoes that a person is held back by. No run lifts them."""


class HoldBack(Decision):
    """A person is treated as strengtFortrolig at once: in no export, and every adult's access is suspended.

    It is for cases that are not settled yet, and may come before a case number. ``review_on`` puts it on the work list.
    It is about this person alone. An override of ``adressebeskyttelse`` protects the household too.
    """

    kind: ClassVar[str] = "hold_back"
    two_people: ClassVar[bool] = False

    person: UUID
    reason: Reason
    case_number: CaseNumber | None = None
    review_on: date | None = None

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the person."""
        return (self.person,)

    def demand(self, moment: Moment) -> None:
        """Demand that the person is not held back already."""
        if held(moment, self.person):
            raise NotAllowed("Personen holdes tilbake fra før.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the veto, and the suspension of every adult's access when the person is a child."""
        veto = moment.connection.scalar(
            text(
                "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at, outside_run) "
                "values (:owner, 'protection', :person, 3, :cause, :run, clock_timestamp(), true) returning veto"
            ),
            _bound(moment, self.person),
        )
        moment.connection.execute(
            text(
                "insert into control.veto (owner, kind, person_id, adult, cause, run, learned_at, outside_run) "
                "select :owner, 'access_suspended', child_id, adult, :cause, :run, clock_timestamp(), true "
                "from now_guardian_access where child_id = :person and state = 'active' order by adult"
            ),
            _bound(moment, self.person),
        )
        said = ("held_back", self.reason, self.case_number, decided_by, None, self.review_on)
        return told(moment, [int(veto or 0)], *said)

    def later(self, moment: Moment) -> list[str]:
        """Tell that it does not end by itself."""
        return ["Det gjelder til to personer avslutter det."]


class EndHoldBack(Decision):
    """The end of holding a person back, by two people. The person comes back at the next run, which always asks.

    Suspensions that came with it end too, unless the child is protected for another reason.
    """

    kind: ClassVar[str] = "end_hold_back"
    two_people: ClassVar[bool] = True
    graded: ClassVar[bool] = True

    person: UUID
    reason: Reason
    case_number: CaseNumber

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the person."""
        return (self.person,)

    def demand(self, moment: Moment) -> None:
        """Demand that people hold the person back."""
        if not held(moment, self.person):
            raise NotAllowed("Personen holdes ikke tilbake av noen.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Lift the vetoes."""
        vetoes = held(moment, self.person)
        lift(moment, vetoes, decided_by, approved_by)
        if not moment.connection.scalar(text(_PROTECTED), {"person": self.person, "cause": CAUSE}):
            found = moment.connection.execute(text(_SUSPENDED), _bound(moment, self.person)).scalars()
            lift(moment, list(found), decided_by, approved_by)
        return told(moment, vetoes, "given_free", self.reason, self.case_number, decided_by, approved_by, None)

    def later(self, moment: Moment) -> list[str]:
        """Tell when the person comes back."""
        return ["Personen kommer tilbake ved neste kjøring som frigis. Kjøringen spør alltid om det."]


def held(moment: Moment, person: UUID) -> list[int]:
    """Return the vetoes by which people hold a person back, under any id of the person."""
    sql = (
        "select distinct w.veto from now_veto w join control.veto v on v.owner = :owner and v.veto = w.veto "
        "where w.kind = 'protection' and w.cause = :cause and w.person_id = :person and v.lifted_at is null "
        "order by w.veto"
    )
    return list(moment.connection.execute(text(sql), _bound(moment, person)).scalars())


def _bound(moment: Moment, person: UUID) -> dict[str, object]:
    newest = moment.next_run - 1
    return {"owner": moment.owner, "person": person, "cause": CAUSE, "run": newest}


_PROTECTED = """
select exists (select from now_protection_bare where person_id = :person and level >= 2)
    or exists (select from now_veto where person_id = :person and kind = 'protection' and cause <> :cause)
    or exists (
        select from control.override o left join now_kin k on k.person_id = o.person_id
        where o.field = 'adressebeskyttelse' and o.ended_at is null and :person in (o.person_id, k.other_id)
    )
"""
_SUSPENDED = """
select distinct w.veto from now_veto w join control.veto v on v.owner = :owner and v.veto = w.veto
where w.kind = 'access_suspended' and w.cause = :cause and w.person_id = :person and v.lifted_at is null
"""
