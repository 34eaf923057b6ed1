"""A kommune takes over from another: when one becomes part of another, and when one is split.

    read as the one kommune's role -> protect here at once -> propose the rest
    and, when somebody else confirms: read again -> protect -> give the rest, if it is still what was proposed

``warehouse.taken`` says what is taken over. What protects never waits for a second person: protections, lost access,
blocks. What gives does: grants with their consents, people registered by hand, and FEIDE names. It holds from the next
run, through its plan and guard. A decision to publish a pupil without a number is never taken over; it is made anew.

Nothing is changed in the kommune that is taken over: its runs, its history and its audit stay there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import text

from dataflyt.config.kommune import Kommune
from dataflyt.decisions import deciding, effect
from dataflyt.decisions.decision import Moment, NotAllowed
from dataflyt.decisions.take_over import TakeOver
from dataflyt.run.environment import Environment
from dataflyt.run.now import views_now
from dataflyt.run.republish import learn_overrides, republish
from dataflyt.warehouse import audit, runs, taken
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.refusals import refusals


@dataclass(frozen=True)
class TakenOver:
    """What came of it: the ``proposal`` that waits, or None when it is confirmed, and what was handed over.

    ``losing`` are adults who lose access to a child here at once, ``hidden`` people who leave the exports at once.
    """

    proposal: int | None
    losing: int
    hidden: int
    counts: dict[str, int] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Return the outcome in Norwegian."""
        counts = self.counts
        return [
            f"Sperringer som gjelder straks: {counts['blocks']}. Alt annet som beskytter, gjelder også straks.",
            f"Foresatte som mister tilgang straks: {self.losing}. Personer som tas ut av eksportene straks: "
            f"{self.hidden}.",
            f"FEIDE-navn som følger med: {counts['accounts']}. Tilganger etter vedtak og samtykke: {counts['grants']}. "
            f"Registrert for hånd, også alias: {counts['by_hand']}.",
            *(
                [
                    f"{counts['unmatched']} uten fødselsnummer kunne ikke kobles, fordi id-en er en annens her: se på "
                    "dem i den gamle kommunen, og bestem på nytt."
                ]
                if counts["unmatched"]
                else []
            ),
        ]


def take_over(
    source: Kommune,
    target: Kommune,
    environment: Environment,
    visitor: Visitor,
    *,
    schools: Sequence[str] = (),
    confirm: int | None = None,
    dry_run: bool = False,
) -> TakenOver:
    """Take over from ``source`` into ``target``: protect, and propose the rest or ``confirm`` a proposal.

    ``schools`` are organisation numbers: only their people, and people of no school, are taken over. Repeating it
    protects what has been decided there meanwhile, and ends what has ended.

    The visitor must have the rights ``graded`` and ``decide`` in both kommuner. Raises NotAllowed.
    """
    if source.id == target.id:
        raise NotAllowed("En kommune kan ikke overta fra seg selv.")
    with refusals(target, environment.connect, visitor, TakeOver.kind):
        return _take_over(source, target, environment, visitor, schools, confirm, dry_run=dry_run)


def _take_over(
    source: Kommune,
    target: Kommune,
    environment: Environment,
    visitor: Visitor,
    schools: Sequence[str],
    confirm: int | None,
    *,
    dry_run: bool,
) -> TakenOver:
    for kommune in (source, target):
        _may_take_over(kommune, visitor.id)
    with (
        deciding.moment(source, environment, before_first=True) as giving,
        # A new kommune is protected from before its first run.
        deciding.moment(target, environment, before_first=True) as at,
    ):
        if not giving.released:
            raise NotAllowed(f"{source.display_name} har ikke frigitt noen kjøring: der er ingenting å overta.")
        _known_schools(giving, schools)
        effect.remember(at.now)
        taken.hand_over(giving.now, at.connection, schools)
        taken.protect(at.now, source.id)
        learn_overrides(at.connection, target, environment)
        losing, hidden = effect.lost(views_now(at.connection, target, at.released, environment))
        decision = TakeOver(origin=source.id, schools=tuple(sorted(schools)), digest=taken.digest(at.connection))
        proposal = refused = None
        if confirm is not None:
            refused = _refused(at, giving, decision, confirm, visitor)
            if refused is None:
                _give(at, giving, decision, confirm, visitor)
        else:
            audit.record(at.connection, at.owner, visitor, f"propose {decision.kind}", detail=f"fra {source.id}")
            proposal = deciding.propose(at, decision, visitor)
        found = TakenOver(proposal, losing, hidden, taken.counts(at.connection))
        about = taken.people(giving.connection)
        audit.record(giving.connection, source.id, visitor, "hand over", about, f"til {target.id}")
        if dry_run:
            at.connection.rollback()
            giving.connection.rollback()
            return found
    republish(target, environment)
    if refused:  # what protects is kept
        raise NotAllowed(refused)
    return found


def _may_take_over(kommune: Kommune, user_id: str) -> None:
    kommune.case_worker(user_id, "graded")
    kommune.case_worker(user_id, "decide")


def _known_schools(giving: Moment, schools: Sequence[str]) -> None:
    found = giving.connection.execute(text("select unit_id from now_unit where kind = 'school'")).scalars()
    if unknown := sorted(set(schools) - set(found)):
        raise NotAllowed(f"{giving.kommune.display_name} har ingen skole med organisasjonsnummer {', '.join(unknown)}.")


def _refused(at: Moment, giving: Moment, decision: TakeOver, proposal: int, visitor: Visitor) -> str | None:
    """Return why this visitor cannot confirm the proposal, None when it is well. Raises NotAllowed if none waits."""
    proposed_by, proposed = deciding.open_proposal(at, proposal)
    if proposed_by == visitor.id:
        return "Ingen bekrefter sitt eget forslag: det må en annen gjøre."
    try:
        for kommune in (giving.kommune, at.kommune):
            _may_take_over(kommune, proposed_by)
    except NotAllowed:
        return "Den som foreslo det, kan ikke lenger bestemme dette: avslå forslaget, og foreslå det på nytt."
    if not isinstance(proposed, TakeOver) or (proposed.origin, proposed.schools) != (decision.origin, decision.schools):
        return f"Forslag {proposal} gjelder ikke denne overtakingen."
    if proposed.digest != decision.digest:
        there = giving.kommune.display_name
        return f"Noe er bestemt i {there} siden forslag {proposal}: foreslå på nytt, uten --confirm."
    return None


def _give(at: Moment, giving: Moment, decision: TakeOver, proposal: int, visitor: Visitor) -> None:
    deciding.keep_answer(at, proposal, "confirmed", visitor)
    realm = runs.get(giving.connection, giving.owner, giving.released).realm or giving.kommune.feide.realm
    names = at.kommune.accounts == "dataflyt"
    taken.give(at.connection, at.owner, giving.owner, realm.lower(), at.next_run, names=names)
    audit.record(at.connection, at.owner, visitor, decision.kind, detail=f"fra {decision.origin}")
