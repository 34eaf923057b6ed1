"""A quarantined row: taken in although it fails, or rejected (``held_rows`` lists them).

A row is named by the keyed hash of its content, which the list shows the beginning of. A decision is about that content
and one rule: a row that has changed is judged anew. A release takes two people, since it gives; it holds from the next
run on, through its plan and guard. Only some rules can be passed by (``quality.rules.Rule.releasable``); the database
refuses the others too. A rejection takes one person, and ends a release.
"""

from collections.abc import Iterable
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from dataflyt.decisions.decision import Decision, Moment, NotAllowed
from dataflyt.quality.rules import Rule
from dataflyt.sources.freg import checks as freg
from dataflyt.sources.hr import checks as hr
from dataflyt.sources.krr import checks as krr
from dataflyt.sources.sas import checks as sas
from dataflyt.warehouse.outcomes import LINKED, NEWEST

SHOWN = 12
"""How much of a row's hash a list shows."""


def rules() -> dict[str, Rule]:
    """Return every rule of the staged tables by its full name (``hr_employment.percentage``)."""
    return {
        f"{table}.{rule.name}": rule
        for checks in (freg, krr, hr, sas)
        for table, declared in checks.RULES.items()
        for rule in declared
    }


class _RowDecision(Decision):
    """A decision about a quarantined row and a rule that it breaks."""

    word: ClassVar[Literal["released", "rejected"]]

    row: str = Field(pattern=rf"^[0-9a-f]{{{SHOWN},64}}$")
    rule: str = Field(pattern=r"^[a-zA-Z_]+\.[a-zA-Z_]+$")
    reason: str = Field(min_length=1, max_length=1000, pattern=r"\S")

    def about(self, moment: Moment) -> Iterable[UUID]:
        """Return the people that the row is about, as far as the released golden record knows them."""
        found = moment.connection.execute(text(_PEOPLE.format(q=NEWEST)), self._bound(moment))
        return list(found.scalars())

    def must_see(self, moment: Moment) -> Iterable[UUID]:
        """Return nobody. The list shows every row to everybody: a refusal would tell which are about the protected."""
        return ()

    def demand(self, moment: Moment) -> None:
        """Demand that the row is in quarantine for this rule, and has not been decided on so before."""
        self._hash(moment)
        decided = moment.connection.scalar(
            text(
                "select decision from control.row_decision where owner = :owner and rule = :rule "
                "and starts_with(row_hash, :row) and ended_at is null"
            ),
            self._bound(moment),
        )
        if decided == self.word:
            raise NotAllowed("Det er bestemt fra før om denne raden, slik den står nå.")

    def write(self, moment: Moment, decided_by: str, approved_by: str | None) -> int:
        """Write the decision, and end an earlier one about the same content and rule."""
        found = self._hash(moment)
        bound = {"owner": moment.owner, "rule": self.rule, "hash": found, "by": decided_by}
        moment.connection.execute(
            text(
                "update control.row_decision set ended_at = clock_timestamp(), ended_by = :by "
                "where owner = :owner and row_hash = :hash and rule = :rule and ended_at is null"
            ),
            bound,
        )
        columns = (
            "row_hash text, rule text, decision text, reason text, decided_by text, approved_by text, from_run bigint"
        )
        row = (found, self.rule, self.word, self.reason, decided_by, approved_by, moment.next_run)
        return moment.insert("row_decision", columns, [row])[0]

    def _hash(self, moment: Moment) -> str:
        """Return the whole hash of the row. Raises NotAllowed unless the newest checked run holds the row back."""
        found = moment.connection.execute(text(_HASHES.format(q=NEWEST)), self._bound(moment)).scalars().all()
        if len(found) != 1:
            raise NotAllowed(
                f"Ingen rad i karantene heter {self.row} og bryter {self.rule}: se «dataflyt quality rows»."
                if not found
                else f"Flere rader begynner på {self.row}: skriv mer av navnet."
            )
        return str(found[0])

    def _bound(self, moment: Moment) -> dict[str, Any]:
        return {"owner": moment.owner, "rule": self.rule, "row": self.row}


class ReleaseRow(_RowDecision):
    """A row that is taken in from the next run on although it breaks the rule, by two people."""

    kind: ClassVar[str] = "release_row"
    two_people: ClassVar[bool] = True
    word = "released"

    def demand(self, moment: Moment) -> None:
        """Demand a rule that people may pass by, too."""
        rule = rules().get(self.rule)
        if rule is None:
            raise NotAllowed(f"Det er ingen regel som heter {self.rule}: se «dataflyt quality rows».")
        if not rule.releasable:
            raise NotAllowed(
                f"Regelen {self.rule} kan ingen slippe en rad forbi. Feilen må rettes der den er: {rule.responsible}."
            )
        super().demand(moment)

    def later(self, moment: Moment) -> list[str]:
        """Tell when the row is taken in."""
        return [
            "Raden tas inn ved neste kjøring, så lenge innholdet er det samme og den ikke bryter andre regler. "
            "Endringene den gir, står i planen."
        ]


class RejectRow(_RowDecision):
    """A row that stays in quarantine, as somebody has seen; ends a release from the next run on."""

    kind: ClassVar[str] = "reject_row"
    two_people: ClassVar[bool] = False
    word = "rejected"

    def _hash(self, moment: Moment) -> str:
        """Return the whole hash of the row: of one in quarantine, or of one that has been released."""
        released = moment.connection.execute(
            text(
                "select row_hash from control.row_decision where owner = :owner and rule = :rule "
                "and starts_with(row_hash, :row) and decision = 'released' and ended_at is null"
            ),
            self._bound(moment),
        ).scalars()
        found = list(released)
        return str(found[0]) if len(found) == 1 else super()._hash(moment)

    def later(self, moment: Moment) -> list[str]:
        """Tell what becomes of the row."""
        return ["Raden blir i karantene til den endres, og det som gjaldt før, står."]


_NAMED = "h.rule = :rule and starts_with(h.row_hash, :row)"
_HASHES = f"select distinct h.row_hash from ({{q}}) h where {_NAMED}"
_PEOPLE = f"select distinct l.person_id from ({{q}}) h join now_person_link l on {LINKED} where {_NAMED}"
