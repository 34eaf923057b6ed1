"""The pages of decisions: one decides what protects, two decide what gives, and nobody confirms their own."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from dataflyt.decisions import kinds
from dataflyt.warehouse import actions
from dataflyt_web.decision_forms import BEGIN, KINDS, fields_of
from dataflyt_web.texts import Texts, catalogue
from tests.dataflyt_web.conftest import Browser, plain
from tests.installation.fixtures import Installation

Open = Callable[[str | None], Browser]
PAGE = "/kommune/haugesund/decisions"
PAIR = (
    "select a.uid, concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn), g.adult, "
    "concat_ws(' ', q.fornavn, q.mellomnavn, q.etternavn), p.birth_date "
    "from golden.guardian_access g join golden.person p on p.owner = g.owner and p.person_id = g.child_id "
    "join golden.person q on q.owner = g.owner and q.person_id::text = g.adult "
    "join golden.account a on a.owner = p.owner and a.person_id = p.person_id "
    "where g.state = 'active' and g.basis = 'foreldreansvar' and not exists (select from golden.protection x "
    "where x.owner = g.owner and x.person_id in (p.person_id, q.person_id) and (x.level >= 2 or x.held_back)) "
    "order by p.person_id, g.adult limit 1"
)


def test_every_field_of_every_form_has_its_words() -> None:
    bokmaal = Texts("nb")
    assert kinds.KINDS.keys() - KINDS.keys() == {"undo", "erase", "take_over"}, "these have only commands"
    for kind in KINDS.values():
        assert bokmaal(f"decision.{kind.kind}") == actions.DECISIONS[kind.kind]
        assert kind in {one for some in BEGIN.values() for one in some} or f"decision.short_{kind.kind}" in catalogue()
        for field in fields_of(kind):
            assert f"field.{field.name}" in catalogue(), field
            assert all(f"choice.{one}" in catalogue() for one in field.choices), field
    assert {field.name: field.input for field in fields_of(KINDS["grant"])} == {
        **{"child": "who", "adult": "adult", "basis": "choice", "scope": "line", "case_number": "line"},
        **{"seen_by": "line", "until": "day", "consents": "consents"},
    }


def control(installation: Installation, table: str) -> int:
    """Count the rows of a table of decisions."""
    return int(installation.query(f"select count(*) from control.{table}")[0][0])


def sent(browser: Browser, kind: str, **fields: object) -> Any:
    """Send the form of a kind of decision."""
    return browser.post_form(f"{PAGE}/new/{kind}", f"{PAGE}/new/{kind}", **fields)


def tag(page: str, kind: str) -> str:
    """Return when a kind of decision holds, as the list of forms says."""
    return page.split(f'/new/{kind}"')[1].split('<span class="tag">')[1].split("<")[0]


@pytest.mark.after_first_run
@pytest.mark.usefixtures("people")
def test_what_protects_is_decided_by_one_and_what_gives_is_proposed_by_one_and_confirmed_by_another(
    pages: Open, installation: Installation
) -> None:
    operator, anita, bjarne, engineer = (pages(name) for name in ("operator", "anita", "bjarne", "engineer"))
    ((uid, child, adult, adult_name, born),) = installation.query(PAIR)
    block = {"child": f"{child} {born}", "adult": adult, "basis": "court_judgment", "case_number": "2026/14"}
    block |= {"purpose": "Vedtak fra retten"}

    # What gives waits for a run, also where one decides it.
    assert tag(anita.get(PAGE).text, "publishable") == "fra neste kjøring"
    assert tag(anita.get(PAGE).text, "block") == "gjelder straks"
    assert "Har du ikke employee_id i kommunefilen, må en annen bekrefte" in anita.get(f"{PAGE}/new/publishable").text

    # Who may not: neither see nor decide.
    assert "Du har ikke rett" in engineer.get(PAGE).text
    assert engineer.post(PAGE, data={"what": "blocks"}).status_code == 403
    assert pages("birgitte").get(f"{PAGE}/new/block").status_code == 404
    assert anita.get(f"{PAGE}/new/undo").status_code == anita.get(f"{PAGE}/new/nothing").status_code == 404
    form = anita.get(f"{PAGE}/new/block").text
    token = anita.token(f"{PAGE}/new/block")
    assert 'type="date"' in form
    assert "Dom eller kjennelse" in form
    assert 'name="token"' not in operator.get(f"{PAGE}/new/block").text
    for browser, given in ((anita, ""), (operator, token)):
        answer = browser.post(f"{PAGE}/new/block", data={**block, "act": "decide", "token": given})
        assert answer.status_code == 403
    may_look = operator.post(f"{PAGE}/new/block", data={**block, "act": "decide", "token": operator.token(PAGE)})
    assert may_look.status_code == 403
    kept = "select user_id, person_id::text = :adult from control.audit where action = 'denied block' order by 2"
    assert installation.query(kept, adult=adult) == [("55", False), ("55", True)], "who was tried is kept"
    assert control(installation, "access_block") == 0

    # A mistake loses nothing that was typed, and names the field.
    wrong = sent(anita, "block", **{**block, "basis": "", "act": "decide"})
    assert wrong.status_code == 400
    assert f'value="{child} {born}"' in wrong.text
    assert re.search(r'<select id="f-basis"[^>]*aria-invalid="true"', wrong.text)
    assert sent(anita, "block", **{**block, "purpose": "", "act": "decide"}).status_code == 400
    assert "ikke brukes" in sent(anita, "block", **{**block, "review_on": "i morgen", "act": "decide"}).text

    # A hidden child is one who does not exist.
    ((hidden,),) = installation.query("select person_id::text from golden.protection where level >= 2 limit 1")
    unknown = "11111111-1111-4111-8111-111111111111"
    pair = [sent(anita, "block", **{**block, "child": who, "act": "decide"}) for who in (hidden, unknown)]
    assert pair[0].status_code == pair[1].status_code == 400
    assert plain(pair[0].text).replace(hidden, unknown) == plain(pair[1].text)

    # Tried: nothing is kept but the audit. Decided: at once, by one.
    tried = sent(anita, "block", **block, act="try")
    assert "ingenting er endret" in tried.text
    assert "1 foresatt mister tilgang straks." in tried.text
    assert control(installation, "access_block") == 0
    made = sent(anita, "block", **block, act="decide")
    assert "Bestemt, nummer" in made.text
    assert control(installation, "access_block") == 1
    assert made.headers["cache-control"] == "no-store"
    assert "fra før" in sent(anita, "block", **block, act="decide").text

    # Listed for those who may look, with a form to lift it for those who may decide.
    seen = operator.post_form(PAGE, PAGE, what="blocks", purpose="x")
    for word in (child, adult_name, "2026/14", "dom eller kjennelse"):
        assert word in seen.text
    assert "lift_block" not in seen.text
    ((number,),) = installation.query("select access_block from control.access_block")
    listed = anita.post_form(PAGE, PAGE, what="blocks", purpose="x").text
    assert f'name="block" value="{number}"' in listed
    lifting = {"block": number, "about": f"{child} – {adult_name}", "purpose": "Ny dom"}
    assert child in sent(anita, "lift_block", **lifting).text
    assert child in anita.post_form(PAGE, "/kommune/haugesund/person", who=uid, purpose="x").text

    # Proposed by one: nothing changes. Not confirmed by the same, nor by one who may only look.
    proposed = sent(anita, "lift_block", **lifting, act="decide")
    assert "venter på at en annen bekrefter" in proposed.text
    ((proposal,),) = installation.query("select proposal from control.proposal")
    answered = {"proposal": proposal, "purpose": "Andre person"}
    page = anita.post_form(PAGE, f"{PAGE}/answer", **answered).text
    assert 'value="taken_back"' in page
    assert 'value="confirmed"' not in page
    own = anita.post_form(PAGE, f"{PAGE}/answer", **answered, act="confirmed")
    assert own.status_code == 403
    assert "Ingen bekrefter sitt eget forslag" in own.text
    assert operator.post_form(PAGE, f"{PAGE}/answer", **answered, act="confirmed").status_code == 403
    assert installation.query("select lifted_at from control.access_block") == [(None,)]

    # Seen, tried and confirmed by another.
    waiting = bjarne.post_form(PAGE, PAGE, what="proposals", purpose="x").text
    assert child in waiting
    assert "Anita Ingebretsen" in waiting
    assert "ingenting er endret" in bjarne.post_form(PAGE, f"{PAGE}/answer", **answered, act="try").text
    assert installation.query("select lifted_at from control.access_block") == [(None,)]
    confirmed = bjarne.post_form(PAGE, f"{PAGE}/answer", **answered, act="confirmed")
    assert "Bestemt, nummer" in confirmed.text
    ((one, other),) = installation.query("select lifted_by, lifted_by_second from control.access_block")
    assert (one, other) == ("101", "111")
    assert "Ingen." in bjarne.post_form(PAGE, PAGE, what="proposals", purpose="x").text
    assert "ikke for deg" in bjarne.post_form(PAGE, f"{PAGE}/answer", **answered).text

    # An override is proposed and refused; every list can be shown; a manual person and a row of each input are read.
    change = {"person": uid, "field": "fornavn", "value": "Ola-Kim", "reason": "Ønske", "case_number": "2026/2"}
    assert "venter" in sent(bjarne, "override", **change, purpose="x", act="decide").text
    ((proposal,),) = installation.query("select proposal from control.proposal where answer is null")
    refused = anita.post_form(PAGE, f"{PAGE}/answer", proposal=proposal, purpose="x", act="refused")
    assert "avslått" in refused.text
    ((school,),) = installation.query("select unit_id from golden.unit where kind = 'school' order by 1 limit 1")
    substitute = {"kind_of_person": "substitute", "fornavn": "Kari", "etternavn": "Vik", "role": "employee"}
    substitute |= {"unit_id": school, "sponsor": "Rektor", "reason": "Vikar", "until": "2026-12-18"}
    assert "får konto" in sent(anita, "manual_person", **substitute, purpose="x", act="try").text
    wrong = sent(anita, "manual_person", **{**substitute, "unit_id": "1"}, purpose="x", act="try").text
    assert re.search(r'id="f-unit_id"[^>]*aria-invalid="true"', wrong)
    for what in ("grants", "suspensions", "held_back", "publishable", "overrides", "manual_people", "links"):
        assert anita.post_form(PAGE, PAGE, what=what, purpose="x", graded="true").status_code == 200
        assert operator.post_form(PAGE, PAGE, what=what, purpose="x", graded="true").status_code == 403
    kept = {tuple(row) for row in installation.query("select user_id, action, place from control.audit")}
    assert {
        ("101", "try block", "side decisions block"),
        ("101", "block", "side decisions block"),
        ("55", "list blocks", "side decisions"),
        ("101", "propose lift_block", "side decisions lift_block"),
        ("111", "lift_block", "side decisions confirmed"),
        ("101", "refused override", "side decisions refused"),
    } <= kept
