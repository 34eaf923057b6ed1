"""The page of a person: for those who may see people, kept in the audit, and nobody's for a hidden person."""

import re
from collections.abc import Callable

import pytest

from dataflyt.run.approve import question
from tests.dataflyt_web.conftest import Browser, plain
from tests.installation.fixtures import TO_PLAN, Installation

Open = Callable[[str | None], Browser]
PAGE = "/kommune/haugesund/person"
PUPIL = (
    "select p.person_id::text, concat_ws(' ', p.fornavn, p.mellomnavn, p.etternavn), p.birth_date, a.uid, p.number "
    "from golden.person p join golden.account a using (owner, person_id) "
    "join golden.enrolment e using (owner, person_id) join golden.protection x using (owner, person_id) "
    "where x.level {level} and not x.held_back and exists (select from golden.guardian_access g "
    "where g.child_id = p.person_id and g.state = 'active') order by p.person_id limit 1"
)
SOMEBODY = "select person_id from golden.protection where level >= 2 order by level desc limit 1"


def audit(installation: Installation) -> list[tuple[str, ...]]:
    """Return what the audit has of looks at this page."""
    return [
        tuple(row)
        for row in installation.query(
            "select user_id, action, purpose, place from control.audit where place = 'side person' order by audit"
        )
    ]


@pytest.mark.after_first_run
@pytest.mark.usefixtures("people")
def test_a_person_is_shown_to_those_who_may_see_and_a_hidden_one_is_as_one_who_does_not_exist(
    pages: Open, installation: Installation
) -> None:
    operator, anita, engineer, birgitte = (pages(name) for name in ("operator", "anita", "engineer", "birgitte"))
    ((person, name, born, uid, number),) = installation.query(PUPIL.format(level="< 2"))
    ((hidden,),) = installation.query(SOMEBODY)
    fields = {"who": f"{name} {born}", "purpose": "Spørsmål fra en foresatt"}

    # Nobody without the right, and nothing by an address.
    assert "Du har ikke rett" in engineer.get(PAGE).text
    assert engineer.post(PAGE, data=fields).status_code == 403
    assert birgitte.get(PAGE).status_code == 404
    assert name not in operator.get(PAGE, params={"who": fields["who"], "purpose": "x"}).text
    assert operator.post_form(PAGE, PAGE, who=uid, purpose=" ").status_code == 400
    assert operator.post_form(PAGE, PAGE, who=uid, purpose="x", graded="true").status_code == 403
    assert audit(installation) == [("55", "denied show person", "x", "side person")]

    # By name and birth date, by FEIDE name, by number, by id: the same person.
    seen = operator.post_form(PAGE, PAGE, **fields)
    assert seen.status_code == 200
    assert seen.headers["cache-control"] == "no-store"
    for word in (name, "Foreldreansvar i Folkeregisteret", "FEIDE-konto", uid, "Folkeregisteret", "Kjøring 1"):
        assert word in seen.text
    assert number not in seen.text
    assert "Beskyttelse</h2>" not in seen.text
    assert "decisions/new/block" not in seen.text  # the operator may look, and decides nothing
    assert "decisions/new/block" in anita.post_form(PAGE, PAGE, **fields).text
    found = re.search(
        r'name="who" value="([^"]+)"><button class="as-link">([^<]+)</button>.*?name="question" value="access">\s*'
        r'<input type="hidden" name="who" value="([^"]+)">\s*<input type="hidden" name="child" value="([^"]+)">',
        seen.text,
        re.DOTALL,
    )
    assert found, "a guardian leads to the guardian's page, and to the question why"
    assert (found[3], found[4]) == (found[1], person)
    assert f"<h1>{found[2]}</h1>" in operator.post_form(PAGE, PAGE, who=found[1], purpose="x").text
    for who in (uid, number, person):
        assert name in operator.post_form(PAGE, PAGE, who=who, purpose="x").text
    assert number in operator.post_form(PAGE, PAGE, who=uid, purpose="x", numbers="true").text
    kept = audit(installation)
    assert ("55", "show person", "Spørsmål fra en foresatt", "side person") in kept
    assert ("55", "named beside", "Spørsmål fra en foresatt", "side person") in kept
    assert ("55", "list decisions", "Spørsmål fra en foresatt", "side person") in kept

    # A hidden person is nobody, byte for byte. The audit keeps that somebody was looked for, and shows nobody.
    unknown = "11111111-1111-4111-8111-111111111111"
    before = audit(installation)
    pair = [operator.post_form(PAGE, PAGE, who=who, purpose="x") for who in (str(hidden), unknown)]
    assert pair[0].status_code == pair[1].status_code == 404
    assert plain(pair[0].text).replace(str(hidden), unknown) == plain(pair[1].text)
    assert sorted(audit(installation)) == sorted([*before, *[("55", "denied show person", "x", "side person")] * 2])
    shown = anita.post_form(PAGE, PAGE, who=str(hidden), purpose="x", graded="true")
    assert shown.status_code == 200
    assert "Beskyttelse</h2>" in shown.text

    # What a waiting run changes, when it is asked for.
    assert "Ingen kjøring venter" in seen.text
    child = installation.registers.world.persons[number]
    child.given = "Nyfornavn"
    job = installation.open()
    installation.steps(job, *TO_PLAN)
    question(job)
    waits = operator.post_form(PAGE, PAGE, **fields).text
    assert "Kjøring 2 er ikke frigitt ennå" in waits
    assert "Nyfornavn" not in waits
    covered = anita.post_form(PAGE, PAGE, **fields, plan="true", graded="true").text
    assert "Navn som endres" in covered
    assert "Nyfornavn" in covered
