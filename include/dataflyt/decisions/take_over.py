"""The decision to take over what another kommune has decided: its grants, and its people's FEIDE names."""

from collections.abc import Iterable
from typing import ClassVar
from uuid import UUID

from dataflyt.decisions.decision import Decision, Moment, NotAllowed

READ_ANEW = "Å overta en kommune bekreftes med samme kommando som foreslo det, og --confirm: da leses alt på nytt."


class TakeOver(Decision):
    """Taking over from ``origin``, all of it or only ``schools``; ``digest`` says which grants and names."""

    kind: ClassVar[str] = "take_over"
    two_people: ClassVar[bool] = True

    origin: str
    schools: tuple[str, ...] = ()
    digest: str

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return nobody in particular: the audit of the other kommune names each person."""
        return ()

    def demand(self, moment: Moment) -> None:
        """Refuse: only ``kommuner.take_over`` reads the other kommune."""
        raise NotAllowed(READ_ANEW)

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Refuse, as ``demand`` does."""
        raise NotAllowed(READ_ANEW)
