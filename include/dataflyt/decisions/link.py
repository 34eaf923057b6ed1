"""Two persons that are one, and a false joining that is parted again: by two people, through the next run's plan.

Protections follow both ways and never fall by it: they hold for everybody who is or has been one (``golden/kin.sql``).
What gives (grants) follows a joining only when a run whose plan named it has been approved (``golden/heir.sql``).
"""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from sqlalchemy import text

from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.decisions.override import CaseNumber, Words


class Link(Decision):
    """``person`` and ``became`` are one person; ``became`` stays."""

    kind: ClassVar[str] = "link"
    two_people: ClassVar[bool] = True

    person: UUID
    became: UUID
    reason: Words
    case_number: CaseNumber

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the two."""
        return (self.person, self.became)

    def demand(self, moment: Moment) -> None:
        """Demand two known persons who can be one: never a child and its own guardian."""
        if self.person == self.became:
            raise NotAllowed("Det er samme person fra før.")
        bound = {"people": [str(self.person), str(self.became)]}
        if moment.connection.scalar(text(_KNOWN), bound) != 2:
            raise NotAllowed("Fant ingen i kommunen som passer.")
        if moment.connection.scalar(text(_FAMILY), bound):
            raise NotAllowed("Den ene er registrert som den andres foresatte: et barn og en foresatt kan ikke være én.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the link."""
        said = (self.person, self.became, True, moment.released, self.reason, self.case_number)
        return _written(moment, said, decided_by, approved_by)

    def later(self, moment: Moment) -> list[str]:
        """Tell when it holds."""
        return [
            "De to blir én ved neste kjøring, som spør en godkjenner. Beskyttelse og sperringer gjelder for begge. "
            "Tilganger følger med først når kjøringen er godkjent."
        ]


class Unlink(Decision):
    """A false joining: what stood for ``apart`` before it was joined with ``person``, stands for it again."""

    kind: ClassVar[str] = "unlink"
    two_people: ClassVar[bool] = True

    person: UUID
    apart: UUID
    reason: Words
    case_number: CaseNumber

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the person as it is now, and the one that it is parted from."""
        return (self.person, self.apart)

    def demand(self, moment: Moment) -> None:
        """Demand that the two have been joined."""
        if self._joined_in(moment) is None:
            raise NotAllowed("De to har ikke vært slått sammen: det er ingenting å dele.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write that the two are parted."""
        before = (self._joined_in(moment) or 1) - 1
        said = (self.apart, self.person, False, before, self.reason, self.case_number)
        return _written(moment, said, decided_by, approved_by)

    def later(self, moment: Moment) -> list[str]:
        """Tell when it holds."""
        return [
            "Personen deles ved neste kjøring, som spør en godkjenner. Beskyttelse og sperringer blir stående for "
            "begge til noen har bestemt."
        ]

    def _joined_in(self, moment: Moment) -> int | None:
        """Return the newest run in which an identifier of the one came to stand for the other."""
        run = moment.connection.scalar(
            text(_JOINED), {"owner": moment.owner, "person": self.person, "apart": self.apart}
        )
        return None if run is None else int(run)


def former(moment: Moment, person: UUID, number: str) -> UUID:
    """Return the person that a number stood for before it came to stand for ``person``. Raises NotAllowed."""
    found = moment.connection.scalar(
        text(_FORMER), {"owner": moment.owner, "person": person, "value": number, "released": moment.released}
    )
    if found is None:
        raise NotAllowed("Nummeret har ikke stått for en annen person før: det er ingenting å dele.")
    return UUID(str(found))


def _written(moment: Moment, said: tuple[object, ...], decided_by: str, approved_by: str | None) -> int:
    columns = (
        "person_id uuid, became uuid, joined boolean, as_of_run bigint, reason text, case_number text, "
        "decided_by text, approved_by text, from_run bigint"
    )
    return moment.insert("link", columns, [(*said, decided_by, approved_by, moment.next_run)])[0]


_KNOWN = "select count(distinct person_id) from now_person_link where person_id::text = any(:people)"
_FAMILY = "select exists (select from now_guardian_access where child_id::text = any(:people) and adult = any(:people))"
_JOINED = """
select max(o.to_run)
from golden.person_link o
join now_person_link n on n.scheme = o.scheme and n.value = o.value and n.person_id = :person
where o.owner = :owner and o.person_id = :apart and o.to_run is not null
"""
_FORMER = """
select o.person_id
from golden.person_link o
join now_person_link n on n.scheme = o.scheme and n.value = o.value and n.person_id = :person
where o.owner = :owner and o.scheme = 'number' and o.value = :value and o.person_id <> :person
    and o.to_run <= :released
order by o.to_run desc
limit 1
"""
