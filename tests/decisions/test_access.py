"""Grants, consents, suspensions, holding back, «kan publiseres»: who may, what holds at once, what waits for a run."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from dataflyt.config.kommune import CaseWorker
from dataflyt.decisions import deciding
from dataflyt.decisions.access_lists import listed
from dataflyt.decisions.block import Block, LiftBlock
from dataflyt.decisions.consent import Given, WithdrawConsent
from dataflyt.decisions.decision import Decision, NotAllowed
from dataflyt.decisions.grant import EndGrant, Grant
from dataflyt.decisions.hold_back import EndHoldBack, HoldBack
from dataflyt.decisions.publishable import EndPublishable, Publishable
from dataflyt.decisions.suspension import KeepSuspension, LiftSuspension
from dataflyt.operations import work_list
from dataflyt.run.open_plan import open_plan
from dataflyt.warehouse.audit import Visitor
from dataflyt.why.answering import why
from simulator.model import Person, Responsibility
from tests.decisions.test_manual_person import manual
from tests.installation.fixtures import Installation
from tests.installation.test_pifu import _published
from tests.installation.test_run import _access, _newcomer
from tests.warehouse.test_consent import _another, _young
from tests.warehouse.test_rules import _leave, _link
from tests.warehouse.test_unasked import _newcomers, _person_of

ANITA, BJORN, CATO, DINA = (
    Visitor(number, name, "saksbehandling", "test")
    for number, name in (("101", "Anita"), ("102", "Bjørn"), ("103", "Cato"), ("104", "Dina"))
)
PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded", "decide")),
    CaseWorker(id="102", name="Bjørn", may=("persons", "decide")),
    CaseWorker(id="103", name="Cato", may=("persons",)),
    CaseWorker(id="104", name="Dina", may=("persons", "graded", "decide")),
)
NOBODY = "Fant ingen i kommunen"
WHEN = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def here(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"people": PEOPLE, "consent": True})
    return installation


def _decide(here: Installation, decision: Decision, by: Visitor = ANITA) -> deciding.Decided:
    return deciding.decide(here.kommune, here.environment, decision, by)


def _both(here: Installation, decision: Decision, one: Visitor = ANITA, other: Visitor = DINA) -> int:
    """Let one propose and another confirm; return the decision's number."""
    proposal = _decide(here, decision, one).proposal
    assert proposal
    number = deciding.answer(here.kommune, here.environment, proposal, "confirmed", other).number
    assert number
    return number


def _consent(here: Installation, child: Person, adult: str, givers: list[str], **more: Any) -> Grant:
    consents = tuple(Given(by=str(_link(here, one)), how="skjema", at=WHEN) for one in givers)
    return _grant(here, child, adult, basis="consent", consents=consents, **more)


def _grant(here: Installation, child: Person, adult: str, **more: Any) -> Grant:
    fields = {"basis": "court_judgment", "scope": "alt", "case_number": "2026/1", "seen_by": "Anita"} | more
    return Grant(child=_link(here, child.number), adult=str(_link(here, adult)), **fields)


def _givers(child: Person) -> list[str]:
    return [record.ansvarlig or "" for record in child.responsibility]


def _lost(here: Installation, run: int) -> set[tuple[str, str]]:
    with open_plan(here.kommune, here.environment, run, ANITA) as opened:
        rows = list(opened.rows(graded=True))
    return {(row.subject, row.other) for row in rows if row.kind == "guardian_loses_access"}


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_grant_takes_two_begins_with_the_next_run_and_ends_at_once(here: Installation) -> None:
    child, other, third = (_young(here, turn) for turn in range(3))
    friend, aunt, uncle = (_newcomer(here, one.number) for one in (child, other, third))
    before = here.ldif()
    grant = _grant(here, child, friend)
    tried = deciding.decide(here.kommune, here.environment, grant, BJORN, dry_run=True)
    assert tried.effect.sentences() == ["Tilgangen begynner ved neste kjøring som frigis."]
    number = _both(here, grant, ANITA, BJORN)
    with pytest.raises(NotAllowed, match="fra før"):
        _decide(here, grant)
    # One grant is taken back before it has begun, and a block stands against another.
    _decide(here, EndGrant(grant=_both(here, _grant(here, other, aunt))))
    block = Block(child=_link(here, third.number), adult=str(_link(here, uncle)), basis="other", case_number="1")
    waiting = _decide(here, _grant(here, third, uncle)).proposal
    blocked = _decide(here, block).number
    assert waiting
    assert blocked
    with pytest.raises(NotAllowed, match="sperret"):  # the world has changed since it was proposed
        deciding.answer(here.kommune, here.environment, waiting, "confirmed", DINA)
    assert friend not in _access(here, child.number), "what gives waits for a run"
    assert here.ldif() == before
    _both(here, LiftBlock(block=blocked))
    # A decision about a child who leaves stands, and can be ended.
    leaver = next(pupil for pupil in here.registers.world.pupils if pupil.person is _young(here, 3))
    left = block.model_copy(update={"child": _link(here, _young(here, 3).number)})
    stands = _decide(here, left).number
    assert stands
    _leave(here, leaver)
    here.registers.write()

    report = here.run()
    assert report["changed"]["guardian_gains_access"] == 1
    assert friend in _published(here).guardians[child.number]
    assert aunt not in _access(here, other.number)
    assert uncle not in _access(here, third.number)
    assert [(line.number, line.person) for line in _listed(here, "blocks", graded=True)] == [
        (stands, "(ikke lenger i kommunen)")
    ]
    _both(here, LiftBlock(block=stands))

    with pytest.raises(NotAllowed, match="retten"):
        _decide(here, EndGrant(grant=number), CATO)
    ended = _decide(here, EndGrant(grant=number), BJORN)
    assert ended.effect.sentences() == ["1 foresatt mister tilgang straks.", "Ny utgave publiseres."]
    assert friend not in _published(here).guardians[child.number]
    with pytest.raises(NotAllowed, match="finnes ikke, eller er trukket"):
        _decide(here, EndGrant(grant=number))
    # A block that is lifted gives access back with the next run, not before.
    guardian = _givers(child)[0]
    once = _decide(here, block.model_copy(update={"child": grant.child, "adult": str(_link(here, guardian))})).number
    assert once
    _both(here, LiftBlock(block=once))
    assert guardian not in _published(here).guardians[child.number]
    here.run()
    assert guardian in _published(here).guardians[child.number]


@pytest.mark.after_first_run
def test_what_a_grant_must_have(here: Installation) -> None:
    child, grown = _young(here, 0), _young(here, 1)
    friend, givers = _newcomer(here, child.number), _givers(child)
    at = _link(here, child.number)
    consent = _consent(here, child, friend, givers)
    late = (Given(by=str(_link(here, givers[0])), how="skjema", at=datetime(2099, 1, 1, tzinfo=UTC)),)
    stranger = _consent(here, child, friend, [*givers, friend])
    refused: dict[str, Grant] = {
        "samme person": consent.model_copy(update={"adult": str(at)}),
        "mangler samtykke": _consent(here, child, friend, givers[:1]),
        "to samtykker": _consent(here, child, friend, [givers[0], *givers]),
        "har foreldreansvar i dag": stranger,
        "i fremtiden": consent.model_copy(update={"consents": late}),
        "er passert": consent.model_copy(update={"until": datetime(2026, 11, 22, tzinfo=UTC).date()}),
        "bare til grunnlaget": consent.model_copy(update={"basis": "verge"}),
        "ikke elev": consent.model_copy(update={"child": _link(here, givers[0])}),
        "ikke kjent i kommunen": consent.model_copy(update={"adult": "00000000-0000-4000-8000-000000000000"}),
    }
    for sentence, grant in refused.items():
        with pytest.raises(NotAllowed, match=sentence):
            _decide(here, grant)
    off = here.kommune.model_copy(update={"consent": False})
    with pytest.raises(NotAllowed, match="consent: true"):
        deciding.decide(off, here.environment, consent, ANITA)
    # An organisation, and somebody without a number, as FREG would name them.
    organisation = consent.model_copy(update={"adult": "org:944073787", "basis": "barnevern_decision", "consents": ()})
    nameless = deciding.look_up_adult(
        here.kommune, here.environment, "uten nummer: Maria, Lopez, 1985-03-01", ANITA, graded=False
    )
    for grant in (organisation, organisation.model_copy(update={"adult": nameless})):
        assert _both(here, grant)
    kinds = here.query("select adult_kind from control.access_grant order by adult_kind")
    assert kinds == [("organisation",), ("without_number",)]

    # From 18 every grant needs the pupil's own consent, given at 18.
    here.query(
        "update golden.person set birth_date = '2007-05-20' where person_id = :grown returning 1",
        grown=_link(here, grown.number),
    )
    own = _grant(here, grown, friend)
    with pytest.raises(NotAllowed, match="18 år"):
        _decide(here, own)
    _both(here, _consent(here, grown, friend, [grown.number]).model_copy(update={"basis": "court_judgment"}))


@pytest.mark.long
@pytest.mark.after_first_run
def test_the_stepfather_of_the_seed_gets_access_by_everybodys_consent_and_loses_it_when_one_withdraws(
    here: Installation,
) -> None:
    world = here.registers.world
    baug = next(pupil for pupil in world.pupils if "seed_baug" in pupil.cases or "seed_baug" in pupil.person.cases)  # type: ignore[union-attr]
    mother, father, stepfather = (here.registers.person(who) for who in ("seed_mother", "seed_father", "stepfather"))
    assert baug.person
    # The school has registered him by hand: he is known, and first on the work list.
    world.maker.sas_guardian(baug, stepfather)  # type: ignore[attr-defined]
    here.registers.write()
    here.run()
    assert stepfather.number not in _access(here, baug.person.number)
    listed_items = work_list.items(here.kommune, here.environment, ANITA)
    assert ("sas_guardian_without_basis", str(_link(here, stepfather.number))) in {
        (item.kind, item.other) for item in listed_items
    }
    number = _both(here, _consent(here, baug.person, stepfather.number, [mother.number, father.number]), ANITA, BJORN)
    here.run()
    assert stepfather.number in _published(here).guardians[baug.person.number]

    taken = WithdrawConsent(grant=number, by=str(_link(here, father.number)))
    with pytest.raises(NotAllowed, match="har ikke gitt"):
        _decide(here, taken.model_copy(update={"by": str(_link(here, stepfather.number))}))
    effect = _decide(here, taken, BJORN).effect
    assert (effect.losing, effect.republished) == (1, True)
    assert stepfather.number not in _published(here).guardians[baug.person.number]
    with pytest.raises(NotAllowed, match="har ikke gitt"):
        _decide(here, taken)


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_consent_falls_for_each_of_the_four_reasons(here: Installation) -> None:
    changes, leaves, hidden, grown, withdraws = children = [_young(here, turn) for turn in range(5)]
    grown.born = date(2008, 11, 25)  # 18 on the day of the second run
    friends = {one.number: _newcomer(here, one.number) for one in children}
    numbers = {one.number: _both(here, _consent(here, one, friends[one.number], _givers(one))) for one in children}
    here.query(
        "insert into control.consent (owner, access_grant, given_by, how, given_at) "
        "values ('haugesund', :grant, :pupil, 'skjema', '2026-11-20') returning 1",
        grant=numbers[grown.number],
        pupil=str(_link(here, grown.number)),
    )
    here.run()
    assert all(friends[one.number] in _access(here, one.number) for one in children)
    pairs = {one.number: (str(_link(here, one.number)), str(_link(here, friends[one.number]))) for one in children}

    _decide(here, WithdrawConsent(grant=numbers[withdraws.number], by=str(_link(here, _givers(withdraws)[0]))))
    assert friends[withdraws.number] not in _access(here, withdraws.number)
    changes.responsibility.append(Responsibility("felles", _another(here, changes)))
    leaves.responsibility.pop()
    hidden.protection = hidden.home_grading = "fortrolig"
    job = here.open()
    here.run(job=job)
    for one in children:
        assert friends[one.number] not in _access(here, one.number)
    lost = _lost(here, job.run.number)
    assert {pairs[one.number] for one in (changes, leaves, hidden, grown)} <= lost


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_protected_childs_adults_are_decided_one_by_one_and_only_by_those_who_may_see_it(here: Installation) -> None:
    child = _young(here, 0)
    kept, lifted = _givers(child)
    child.protection = "strengtFortrolig"
    here.run()
    assert _access(here, child.number) == set()
    ids = {"child": _link(here, child.number), "reason": "Vurdert", "case_number": "2026/1"}
    keep = KeepSuspension(adult=str(_link(here, kept)), **ids)
    lift = LiftSuspension(adult=str(_link(here, lifted)), **ids)
    for decision in (keep, lift, EndHoldBack(person=ids["child"], reason="x", case_number="1")):
        with pytest.raises(NotAllowed, match=NOBODY):
            _decide(here, decision, BJORN)
    with pytest.raises(NotAllowed, match="aldri med samtykke"):
        _decide(here, _consent(here, child, _newcomer(here, child.number), _givers(child)))
    _decide(here, keep)
    proposal = _decide(here, lift).proposal
    assert proposal
    # Without the right the proposal is not there: the same sentence as for one that nobody has made.
    assert deciding.waiting(here.kommune, here.environment, BJORN, graded=False) == []
    (seen,) = deciding.waiting(here.kommune, here.environment, DINA, graded=True)
    assert (seen.proposal, seen.title, len(seen.about)) == (proposal, "Stansen heves", 2)
    for number in (proposal, 1):
        with pytest.raises(NotAllowed, match=f"ikke noe forslag {number} som venter"):
            deciding.answer(here.kommune, here.environment, number, "confirmed", BJORN)
    deciding.answer(here.kommune, here.environment, proposal, "confirmed", DINA)
    assert _access(here, child.number) == set(), "access comes back with a run"
    kinds = [line.words[0] for line in _listed(here, "suspensions", graded=True)]
    assert "står, bestemt" in kinds
    assert str(ids["child"]) not in str(_listed(here, "suspensions", graded=False))
    here.run()
    assert _access(here, child.number) == {lifted}
    with pytest.raises(NotAllowed, match="ikke stanset"):
        _decide(here, lift)


@pytest.mark.long
@pytest.mark.after_first_run
def test_nobody_without_graded_is_told_that_a_suspension_is_lifted_after_the_protection(here: Installation) -> None:
    child = _young(here, 0)
    adults = _givers(child)
    for protection in ("strengtFortrolig", None):
        child.protection = protection
        here.run()
    assert _access(here, child.number) == set()
    said = {"child": _link(here, child.number), "reason": "Vurdert", "case_number": "2026/1"}
    for adult in adults:
        lift = LiftSuspension(adult=str(_link(here, adult)), **said)
        with pytest.raises(NotAllowed, match=NOBODY):
            _decide(here, lift, BJORN)
        deciding.answer(here.kommune, here.environment, _decide(here, lift).proposal or 0, "confirmed", DINA)
    # Nobody without the right was told of the loss, nor is of the gain.
    assert here.run()["changed"].get("guardian_gains_access", 0) == 0
    assert _access(here, child.number) == {*adults}
    with open_plan(here.kommune, here.environment, None, ANITA) as opened:
        assert [row.kind for row in opened.rows()] == []
        gained = [row.subject for row in opened.rows(graded=True) if row.kind == "guardian_gains_access"]
    assert gained == [str(lift.child)] * len(adults)
    # The child is found again, and what was is not told.
    for visitor, graded in ((BJORN, False), (DINA, True)):
        changed = why(
            here.kommune, here.environment, "changed", visitor, who=adults[0], child=child.number, graded=graded
        )
        assert child.family in str(changed.about)
        assert ("ble stanset straks" in str(changed)) is graded


@pytest.mark.after_first_run
def test_who_is_held_back_is_out_of_everything_until_two_end_it_and_a_run_has_asked(here: Installation) -> None:
    child, adult = _young(here, 0), _young(here, 1)
    guardian = _givers(adult)[0]
    held = HoldBack(person=_link(here, child.number), reason="Saken er ikke avklart")
    effect = deciding.decide(here.kommune, here.environment, held, BJORN, dry_run=True).effect
    assert (effect.losing, effect.republished) == (2, True)
    assert child.number in here.ldif()
    _decide(here, held, BJORN)
    _decide(here, HoldBack(person=_link(here, guardian), reason="Saken er ikke avklart"), BJORN)
    assert child.number not in here.ldif()
    assert guardian not in _published(here).content.decode()
    assert _access(here, child.number) == set()
    # Those who held the person back no longer find the person, unless they may see protected people.
    end = EndHoldBack(person=held.person, reason="Avklart", case_number="2026/9")
    with pytest.raises(NotAllowed, match=NOBODY):
        _decide(here, end, BJORN)
    assert len(_listed(here, "held_back", graded=True)) == 2
    assert _listed(here, "held_back", graded=False) == []
    _both(here, end)
    assert child.number not in here.ldif()
    job = here.open()
    here.run(job=job)
    assert here.query("select asks from control.run where run = :run", run=job.run.number) == [("always",)]
    assert child.number in here.ldif()
    assert _access(here, child.number) == set(_givers(child))
    assert guardian not in _published(here).content.decode(), "a run does not end it"


@pytest.mark.long
@pytest.mark.after_first_run
def test_pupils_without_a_number_are_published_by_a_decision_they_share_and_held_back_when_it_ends(
    here: Installation,
) -> None:
    one, other = _newcomers(here, 2)
    one.sas.number = other.sas.number = None
    here.registers.write()
    here.run()
    people = tuple(_person_of(here, pupil) for pupil in (one, other))
    decision = Publishable(people=people, decision="2026/7", reason="venter på nummer")
    with pytest.raises(NotAllowed, match=NOBODY):
        _decide(here, decision, BJORN)
    child = _young(here, 3)
    with pytest.raises(NotAllowed, match="ikke kan spørres om"):
        _decide(here, Publishable(people=(_link(here, child.number),), decision="1", reason="x"))
    # Nobody knows who Anita is in HR: she may be one of their guardians, so another must confirm.
    assert _decide(here, decision).number is None
    assert "employee_id" in " ".join(_decide(here, decision).effect.later)
    assert not here.query("select 1 from control.publishable")
    _both(here, decision)
    assert here.query("select distinct decided_by, approved_by from control.publishable") == [("101", "104")]
    with pytest.raises(NotAllowed, match="fra før"):
        _decide(here, decision)
    assert "Nykommer0" not in here.ldif()
    report = here.run()
    assert report["changed"]["pupil_published"] == 2, "what a decision gives is in the plan"
    assert "Nykommer0" in here.ldif()
    assert "Nykommer1" in here.ldif()
    assert len({line.words[0] for line in _listed(here, "publishable", graded=True)}) == 1
    effect = _decide(here, EndPublishable(person=people[0]), BJORN).effect
    assert (effect.hidden, effect.republished) == (1, True)
    assert "Nykommer0" not in here.ldif()
    assert "Nykommer1" in here.ldif()
    # One is enough when HR's file has the one who decides; a number that it does not have is no number.
    ((known,),) = here.query("select min(value) from golden.person_link where scheme = 'hr' and to_run is null")
    for employee, alone in (("0", False), (known, True)):
        herself = PEOPLE[0].model_copy(update={"employee_id": employee})
        kommune = here.kommune.model_copy(update={"people": (herself, *PEOPLE[1:])})
        once = Publishable(people=people[:1], decision="2026/8", reason="venter fortsatt")
        assert bool(deciding.decide(kommune, here.environment, once, ANITA).number) is alone
    assert "Nykommer0" not in here.ldif(), "what is decided anew waits for a run, too"


@pytest.mark.after_first_run
def test_two_people_are_two_who_may_and_a_proposal_is_answered_once(here: Installation) -> None:
    child = _young(here, 0)
    grant = _grant(here, child, _newcomer(here, child.number), until=datetime(2027, 6, 1, tzinfo=UTC).date())
    said = grant.model_dump(mode="json")
    assert Grant.model_validate(said, strict=False) == grant
    proposal = _decide(here, grant, BJORN).proposal
    assert proposal

    def answer(said: Any, by: Visitor, kommune: Any = here.kommune, **more: bool) -> deciding.Decided:
        return deciding.answer(kommune, here.environment, proposal, said, by, **more)

    for said_, by, sentence in (
        ("confirmed", BJORN, "eget forslag"),
        ("confirmed", CATO, "retten"),
        ("taken_back", DINA, "Bare den som har foreslått"),
    ):
        with pytest.raises(NotAllowed, match=sentence):
            answer(said_, by)
    answer("refused", DINA, dry_run=True)
    answer("confirmed", DINA, dry_run=True)
    assert not here.query("select 1 from control.access_grant")
    # Who proposed has lost the right since.
    left = here.kommune.model_copy(update={"people": tuple(one for one in PEOPLE if one.id != BJORN.id)})
    with pytest.raises(NotAllowed, match="kan ikke lenger bestemme"):
        answer("confirmed", DINA, left)
    # The child has become protected since: the one who proposed may not know.
    veto = "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
    here.query(f"{veto} values ('haugesund', 'protection', :child, 3, 'own', 1, now()) returning 1", child=grant.child)
    with pytest.raises(NotAllowed, match="kan ikke lenger bestemme"):
        answer("confirmed", DINA)
    with pytest.raises(NotAllowed, match="som venter på svar"):
        answer("taken_back", BJORN)
    answer("refused", DINA)
    with pytest.raises(NotAllowed, match="som venter på svar"):
        answer("refused", DINA)


@pytest.mark.after_first_run
def test_nobody_decides_about_a_child_of_their_own(here: Installation) -> None:
    ((employee, child, mother),) = here.query(
        "select l.value, a.child_id, a.adult from golden.person_link l "
        "join golden.guardian_access a on a.adult = l.person_id::text and a.to_run is null and a.state = 'active' "
        "where l.scheme = 'hr' and l.to_run is null order by 1 limit 1"
    )
    (father,) = here.query(
        "select adult from golden.guardian_access where child_id = :child and adult <> :mother and to_run is null "
        "and adult_kind = 'person' limit 1",
        child=child,
        mother=mother,
    )[0]
    herself = PEOPLE[0].model_copy(update={"employee_id": employee})
    here.kommune = here.kommune.model_copy(update={"people": (herself, *PEOPLE[1:])})
    block = Block(child=child, adult=father, basis="other", case_number="1")
    with pytest.raises(NotAllowed, match="seg selv"):
        _decide(here, block)
    assert _decide(here, block, DINA).number

    # But by a number nobody learns that a hidden child of their own is here.
    here.query(
        "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
        "values ('haugesund', 'protection', :child, 3, 'own', 1, now()) returning 1",
        child=child,
    )
    here.kommune = here.kommune.model_copy(
        update={"people": (herself.model_copy(update={"may": ("persons", "decide")}), *PEOPLE[1:])}
    )
    ((number,),) = here.query(
        "select number from golden.person where person_id = :child and to_run is null", child=child
    )
    tried = [
        deciding.decide(
            here.kommune, here.environment, manual("substitute", fornavn="Sub", number=one), ANITA, dry_run=True
        )
        for one in (number, "05851450027")
    ]
    assert tried[0] == tried[1]


@pytest.mark.after_first_run
def test_who_is_not_known_yet_can_be_blocked_by_number_and_is_when_they_come(here: Installation) -> None:
    child = _young(here, 0)
    stepfather = here.registers.person("stepfather")
    with pytest.raises(deciding.people.NotFound):
        deciding.look_up_adult(here.kommune, here.environment, stepfather.number, BJORN, graded=False)
    unknown = deciding.look_up_adult(here.kommune, here.environment, stepfather.number, ANITA, graded=True)
    _decide(here, Block(child=_link(here, child.number), adult=unknown, basis="contact_ban", case_number="1"), BJORN)
    child.responsibility.append(Responsibility("felles", stepfather.number))
    here.run()
    assert str(_link(here, stepfather.number)) == unknown
    assert stepfather.number not in _access(here, child.number)


def _listed(here: Installation, what: Any, *, graded: bool) -> list[Any]:
    return listed(here.kommune, here.environment, what, ANITA, graded=graded)


GRANT = (
    "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
    "decided_by, approved_by, from_run) "
)
REFUSED = (
    GRANT + "values ('haugesund', :child, 'x', 'person', 'verge', 'alt', '1', 'a', 'a', 'b', 2)",
    GRANT + "values ('haugesund', :child, 'org:1', 'organisation', 'verge', 'alt', '1', 'a', 'a', 'b', 2)",
    GRANT + "values ('haugesund', :child, :child, 'person', 'verge', 'alt', '1', 'a', 'a', 'b', 2)",
    GRANT + "values ('haugesund', :child, :adult, 'person', 'verge', ' ', '1', 'a', 'a', 'b', 2)",
    GRANT + "values ('haugesund', :child, :adult, 'person', 'verge', 'alt', '1', 'a', 'a', 'a', 2)",
    GRANT + "values ('haugesund', :hidden, :adult, 'person', 'consent', 'alt', '1', 'a', 'a', 'b', 2)",
    "update control.access_grant set withdrawn_at = null, withdrawn_by = null",
    "update control.access_grant set from_run = 1",
    "update control.access_block set lifted_at = null",
    "update control.consent set withdrawn_at = null, withdrawn_by = null",
    "update control.consent set withdrawn_at = now() where withdrawn_at is null",
    "update control.publishable set ended_at = null, ended_by = null",
    "insert into control.consent (owner, access_grant, given_by, how, given_at) "
    "values ('haugesund', 99, :child, 'x', now())",
    "update control.veto set lifted_at = now(), lifted_by = 'a' where kind = 'access_suspended'",
    "update control.veto set lifted_at = now(), lifted_by = 'a', lifted_by_second = 'b', lifted_run = 1 "
    "where kind = 'access_suspended'",
    "update control.access_block set lifted_at = now(), lifted_by = 'a', lifted_by_second = 'b', lifted_run = 1 "
    "where lifted_at is null",
    "insert into control.veto_decision (owner, veto, said, reason, case_number, decided_by) "
    "values ('haugesund', 1, 'lifted', 'x', '1', 'a')",
    "insert into control.veto_decision (owner, veto, said, reason, decided_by, approved_by) "
    "values ('haugesund', 1, 'given_free', 'x', 'a', 'b')",
    "update control.veto_decision set reason = 'x'",
    "delete from control.veto_decision",
)


@pytest.mark.after_first_run
def test_the_database_refuses_what_the_functions_refuse(here: Installation) -> None:
    child, hidden = _young(here, 0), _young(here, 1)
    at, secret = _link(here, child.number), _link(here, hidden.number)
    adult = str(_link(here, _newcomer(here, child.number)))
    _decide(here, HoldBack(person=secret, reason="x"))
    _decide(here, Block(child=at, adult=adult, basis="other", case_number="1"))
    other = Block(child=at, adult=str(_link(here, _givers(child)[0])), basis="other", case_number="1")
    lifted = _decide(here, other).number
    assert lifted
    _both(here, LiftBlock(block=lifted))
    friend = _newcomer(here, _young(here, 2).number)
    given = _consent(here, _young(here, 2), friend, _givers(_young(here, 2)))
    _decide(here, WithdrawConsent(grant=_both(here, given), by=given.consents[0].by))
    _decide(here, EndGrant(grant=_both(here, _grant(here, _young(here, 2), friend))))
    here.query(
        "insert into control.publishable (owner, person_id, decision, reason, decided_by, from_run, ended_at, "
        "ended_by) values ('haugesund', :child, '1', 'x', 'a', 2, now(), 'a') returning 1",
        child=at,
    )
    values = {"child": str(at), "hidden": str(secret), "adult": adult}
    with psycopg.connect(here.warehouse_url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in REFUSED:
            for name, value in values.items():
                statement = statement.replace(f":{name}", f"'{value}'")
            with pytest.raises(
                (
                    psycopg.errors.InsufficientPrivilege,
                    psycopg.errors.CheckViolation,
                    psycopg.errors.ForeignKeyViolation,
                    psycopg.errors.NotNullViolation,
                )
            ):
                connection.execute(statement)


@pytest.mark.after_first_run
def test_a_proposal_that_two_confirm_at_once_is_made_once(here: Installation) -> None:
    child = _young(here, 0)
    proposal = _decide(here, _grant(here, child, _newcomer(here, child.number)), BJORN).proposal
    assert proposal

    def confirm(by: Visitor) -> str:
        try:
            deciding.answer(here.kommune, here.environment, proposal, "confirmed", by)
        except NotAllowed as refused:
            return refused.sentence
        return "made"

    with ThreadPoolExecutor(2) as pool:
        said = sorted(pool.map(confirm, (ANITA, DINA)))
    assert said[1] == "made"
    assert "ikke noe forslag" in said[0]
    assert here.query("select count(*) from control.access_grant") == [(1,)]


@pytest.mark.after_first_run
def test_the_effect_of_a_block_does_not_tell_of_another_child_who_is_hidden(here: Installation) -> None:
    (one, other) = here.query(
        "select g.adult, min(g.child_id::text), max(g.child_id::text) from golden.guardian_access g "
        "join golden.person p on p.person_id::text = g.adult and p.to_run is null and p.number is not null "
        "where g.state = 'active' and g.to_run is null and g.adult not in ("
        "select person_id::text from golden.employment union select person_id::text from golden.enrolment) "
        "and not exists (select from golden.protection x where x.level >= 2 "
        "and x.person_id::text in (g.child_id::text, g.adult)) group by g.adult "
        "having count(*) = 2 order by 1 limit 2"
    )
    veto = (
        "insert into control.veto (owner, kind, person_id, adult, level, cause, run, learned_at) "
        "values ('haugesund', :kind, :child, :adult, :level, 'own', 1, now()) returning 1"
    )
    here.query(veto, kind="access_ended", child=one[2], adult=one[0], level=None)
    here.query(veto, kind="protection", child=other[2], adult=None, level=2)
    tried = [
        deciding.decide(
            here.kommune,
            here.environment,
            Block(child=UUID(child), adult=adult, basis="other", case_number="1"),
            visitor,
            dry_run=True,
        ).effect
        for visitor in (BJORN, ANITA)
        for adult, child, _ in (one, other)
    ]
    assert tried[0] == tried[1]
    assert [effect.hidden for effect in tried[2:]] == [1, 0], "who may see protected people is told all"
