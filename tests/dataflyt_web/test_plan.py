"""The page of a plan: counts for all, names for those who may see them, and every look kept."""

from collections.abc import Callable

import pytest

from dataflyt_web import forms
from dataflyt_web.login import Somebody
from tests.dataflyt_web.conftest import Browser
from tests.installation.fixtures import Installation

Open = Callable[[str | None], Browser]
PLAN = "/kommune/haugesund/plan"


def looks(installation: Installation) -> list[tuple[str, ...]]:
    """Return the looks at a plan's rows that the audit has, a line for each person seen."""
    return [
        tuple(row)
        for row in installation.query(
            "select user_id, user_name, action, detail, purpose, place from control.audit where action like 'plan%'"
        )
    ]


@pytest.mark.after_first_run
def test_everybody_sees_the_counts_and_an_approver_the_names_and_each_look_is_kept(
    pages: Open, installation: Installation
) -> None:
    operator, anita = pages("operator"), pages("anita")
    seen = operator.get(PLAN)
    assert seen.status_code == 200
    assert "Elever som begynner" in seen.text
    assert "kommunens første kjøring" in seen.text
    assert 'name="purpose"' not in seen.text
    assert operator.get(f"{PLAN}/1?about=pupils").text.count('<th scope="row">') == 1
    assert operator.get(f"{PLAN}/99").status_code == 404
    assert operator.get(f"{PLAN}/x").status_code == 404
    assert looks(installation) == []

    pupils = {
        name
        for (name,) in installation.query(
            "select concat_ws(' ', fornavn, mellomnavn, etternavn) from golden.person p join golden.enrolment e "
            "using (owner, person_id)"
        )
    }
    fields = {"kind": "pupil_starts", "purpose": "Før svar på spørsmålet"}
    token = anita.token(PLAN)
    for browser, given, headers, status in (
        (operator, token, {}, 403),  # another user's form
        (operator, forms.token(Somebody("55", "operator", None)), {}, 403),  # without the right
        (anita, "", {}, 403),
        (anita, token + "x", {}, 403),
        (anita, token, {"origin": "https://evil.example"}, 403),
        (anita, token, {"origin": "null"}, 403),
        (anita, token, {"sec-fetch-site": "cross-site"}, 403),
    ):
        answer = browser.post(f"{PLAN}/1", data={**fields, "token": given}, headers=headers)
        assert answer.status_code == status
        assert "pupil_starts" not in answer.text
    assert anita.post(f"{PLAN}/1", data={**fields, "purpose": " ", "token": token}).status_code == 400
    assert looks(installation) == []

    named = anita.post(f"{PLAN}/1", data={**fields, "token": token})
    assert named.status_code == 200
    shown = {name for name in pupils if name in named.text}
    assert 20 < len(shown) < len(pupils)
    kept = looks(installation)
    assert set(kept) == {
        ("101", "Anita Ingebretsen", "plan rows", "kjøring 1, pupil_starts", "Før svar på spørsmålet", "side plan 1")
    }
    assert len(kept) >= len(shown)

    protected = {
        name
        for (name,) in installation.query(
            "select concat_ws(' ', fornavn, mellomnavn, etternavn) from golden.person p "
            "join golden.enrolment e using (owner, person_id) join golden.protection x using (owner, person_id) "
            "where x.level >= 2"
        )
    }
    assert len(protected) > 3
    assert {name for name in protected if name in named.text} == set()
    graded = anita.post(f"{PLAN}/1", data={**fields, "graded": "true", "token": token}).text
    assert {name for name in protected if name in graded} == protected
    assert "Adressebeskyttelse som heves" in graded
    assert "Adressebeskyttelse som heves" not in named.text
    assert pages("operator").post(f"{PLAN}/1", data={**fields, "graded": "true", "token": token}).status_code == 403


@pytest.mark.after_first_run
def test_nobody_is_named_as_one_whose_contact_details_change_but_to_those_who_may_see_protection(pages: Open) -> None:
    anita, fields = pages("anita"), {"kind": "contact_changes", "purpose": "Før svar på spørsmålet"}
    without = anita.post_form(PLAN, f"{PLAN}/1", **fields).text
    assert "vises bare til dem som har retten «graded»" in without
    assert "Ikke navngitt" not in without
    assert "vises bare til dem" not in anita.post_form(PLAN, f"{PLAN}/1", **fields, graded="true").text
