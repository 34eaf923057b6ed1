"""Quality, privacy, the work list and the explanations, by those who may and those who may not."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.dataflyt_web.conftest import Browser, plain
from tests.dataflyt_web.test_person import PUPIL, SOMEBODY
from tests.installation.fixtures import Installation

Open = Callable[[str | None], Browser]
KOMMUNE = "/kommune/haugesund"
UNKNOWN = "11111111-1111-4111-8111-111111111111"


@pytest.mark.long
@pytest.mark.after_first_run
@pytest.mark.usefixtures("people")
def test_each_page_shows_counts_to_all_people_to_some_and_nothing_of_the_hidden(
    pages: Open, installation: Installation
) -> None:
    names = ("operator", "anita", "bjarne", "engineer", "birgitte")
    operator, anita, bjarne, engineer, birgitte = (pages(name) for name in names)
    ((person, name, born, uid, number),) = installation.query(PUPIL.format(level="< 2"))
    ((hidden,),) = installation.query(SOMEBODY)
    hidden = str(hidden)
    # A position that the file gives more than it can be: one that people may let pass.
    teacher = next(one for one in installation.registers.world.employees if not one.cases and one.person.number)
    teacher.positions[0].percentage = 250
    installation.registers.write()
    installation.steps(
        installation.open(), "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check"
    )
    everybody = {row[0] for row in installation.query("select fornavn || ' ' || etternavn from golden.person")}
    for page in ("quality", "privacy", "worklist", "why"):
        assert birgitte.get(f"{KOMMUNE}/{page}").status_code == 404
        seen = engineer.get(f"{KOMMUNE}/{page}")
        assert seen.status_code == 200
        assert 'name="purpose"' not in seen.text
        assert not any(one in seen.text for one in everybody)
        assert 'name="purpose"' in operator.get(f"{KOMMUNE}/{page}").text

    # Quality: rules by counts, rows without names, names when asked for, a release by two.
    page = f"{KOMMUNE}/quality"
    assert "regler." in engineer.get(page).text
    assert engineer.get(f"{page}?every=true").text.count("<tr>") > engineer.get(page).text.count("<tr>")
    rows = operator.post_form(page, page, purpose="Retting")
    assert rows.status_code == 200
    assert "release_row" not in rows.text
    listed = anita.post_form(page, page, purpose="Retting").text
    found = re.search(
        r'new/release_row">.*?name="row" value="([0-9a-f]+)".*?name="rule" value="([\w.]+)"', listed, re.DOTALL
    )
    assert found
    row = {"row": found[1], "rule": found[2], "about": found[1]}
    release = f"{KOMMUNE}/decisions/new/release_row"
    assert found[1] in anita.post_form(page, release, **row, purpose="Retting").text
    fields = {**row, "reason": "Det stemmer", "purpose": "Retting"}
    assert "venter" in anita.post_form(page, release, **fields, act="decide").text
    ((proposal,),) = installation.query("select proposal from control.proposal")
    answer = {"proposal": proposal, "purpose": "Retting", "act": "confirmed"}
    assert bjarne.post_form(f"{KOMMUNE}/decisions", f"{KOMMUNE}/decisions/answer", **answer).status_code == 200
    assert "Sluppet ut" in anita.get(page).text
    kept = installation.query("select count(*) from control.audit where action = 'list quarantine' and user_id = '55'")
    assert kept[0][0] > 0

    # Privacy: files of a person, the person's document, and the audit, for each right its own.
    page = f"{KOMMUNE}/privacy"
    files = operator.post_form(page, f"{page}/disclosed", who=uid, purpose="Avvik")
    assert "FEIDE" in files.text
    pair = [operator.post_form(page, f"{page}/disclosed", who=who, purpose="x") for who in (hidden, UNKNOWN)]
    assert pair[0].status_code == pair[1].status_code == 400
    assert plain(pair[0].text).replace(hidden, UNKNOWN) == plain(pair[1].text)
    subject = operator.post_form(page, f"{page}/subject-access", number=number, purpose="Krav om innsyn")
    assert name.split()[0] in subject.text
    wanted = {"number": number, "purpose": "Krav om innsyn", "file": "html"}
    got = operator.post_form(page, f"{page}/subject-access", **wanted)
    assert re.fullmatch(r'attachment; filename="innsyn-[\w-]+\.html"', got.headers["content-disposition"])
    assert got.headers["cache-control"] == "no-store"
    ((hidden_number,),) = installation.query(
        "select number from golden.person where person_id = :one and number is not null limit 1", one=hidden
    )
    free = "13897200184"  # nobody has this number
    pair = [
        operator.post_form(page, f"{page}/subject-access", number=one, purpose="x") for one in (hidden_number, free)
    ]
    assert pair[0].status_code == pair[1].status_code == 403
    assert plain(pair[0].text).replace(hidden_number, free) == plain(pair[1].text)
    assert operator.post_form(page, f"{page}/audit", purpose="Kontroll").status_code == 403
    log = anita.post_form(page, f"{page}/audit", purpose="Kontroll", user="55")
    assert "skrev innsynsdokument" in log.text
    assert "side privacy disclosed" in log.text
    assert "side privacy disclosed" not in operator.get(f"{page}/audit").text

    # The work list: counts for all, names for some, taken by one and let go by another.
    page = f"{KOMMUNE}/worklist"
    assert "Rettes av" in engineer.get(page).text
    items = operator.post_form(page, page, purpose="Retting").text
    assert any(one in items for one in everybody)
    (item, *_) = re.findall(r'name="item" value="([0-9a-f]+)"', items)
    taken = operator.post_form(page, page, purpose="Retting", item=item, act="take").text
    assert "Saken er din" in taken
    assert "Olav Operatør" in anita.post_form(page, page, purpose="Retting").text
    assert anita.post_form(page, page, purpose="Retting", item=item, act="take").status_code == 403
    assert "Ingen har saken nå" in anita.post_form(page, page, purpose="Retting", item=item, act="release").text
    taken_away = operator.post_form(page, page, purpose="Retting", act="csv")
    assert item in taken_away.text
    assert "attachment" in taken_away.headers["content-disposition"]
    assert operator.post_form(page, page, purpose="Retting", act="xlsx").content[:2] == b"PK"
    assert operator.post_form(page, page, purpose="x", graded="true").status_code == 403
    assert engineer.post(page, data={"purpose": "x"}).status_code == 403

    # Why: the chain, and the caller's text; of a hidden child what is said of one who does not exist.
    page = f"{KOMMUNE}/why"
    ((adult,),) = installation.query(
        "select adult from golden.guardian_access g join golden.protection p on p.person_id::text = g.adult "
        "where child_id = :one and state = 'active' and g.to_run is null and p.to_run is null and p.level < 2 "
        "and not p.held_back order by adult limit 1",
        one=person,
    )
    asked = {"question": "access", "who": adult, "child": f"{name} {born}", "purpose": "Telefon"}
    seen = operator.post_form(page, page, **asked).text
    assert 'class="chain"' in seen
    assert "<textarea" in seen
    assert "Til den som ringer" in seen
    pair = [operator.post_form(page, page, **{**asked, "child": who}) for who in (hidden, UNKNOWN)]
    assert plain(pair[0].text).replace(hidden, UNKNOWN) == plain(pair[1].text)
    assert operator.post_form(page, page, **{**asked, "question": ""}).status_code == 200
    assert operator.post_form(page, page, **{**asked, "child": ""}).status_code == 400
    assert operator.post_form(page, page, **{**asked, "question": "nothing"}).status_code == 400
    nameless = operator.post_form(page, page, **{**asked, "child": name})
    assert nameless.status_code == 400
    assert "navn og fødselsdato" in nameless.text
    assert f'value="{name}"' in nameless.text, "what has been typed is not lost"
    assert operator.post_form(page, page, **asked, graded="true").status_code == 403
    assert engineer.post(page, data=asked).status_code == 403
    assert "Kvifor ser (ikkje) den føresette" in operator.post_form(f"{page}?dataflyt_language=nn", page, **asked).text
    assert "Every link" in operator.post_form(f"{page}?dataflyt_language=en", page, **asked).text
    assert ("55", "why") in {tuple(one) for one in installation.query("select user_id, action from control.audit")}


@pytest.mark.after_first_run
@pytest.mark.usefixtures("people")
def test_an_answer_that_is_right_as_it_is_is_not_red(pages: Open, installation: Installation) -> None:
    operator, page = pages("operator"), f"{KOMMUNE}/why"
    ((_, name, born, _, _),) = installation.query(PUPIL.format(level="< 2"))

    def asked(question: str, who: str, purpose: str = "1") -> Any:
        return operator.post_form(page, page, question=question, who=who, purpose=purpose)

    right = asked("teacher", f"{name} {born}").text
    assert "Ingen: det er riktig slik" in right
    assert '<section class="notice "' in right
    assert '<section class="notice bad"' in asked("missing", UNKNOWN).text
    several = operator.post_form(page, page, question="group", word="6A", purpose="1")
    assert (several.status_code, "grupper heter 6A" in several.text) == (400, True)
    # A number is a purpose of the kommune's list, or none.
    assert asked("missing", UNKNOWN, "9").status_code == 400
    assert installation.query("select distinct purpose from control.audit where action = 'why'") == [
        (installation.kommune.purposes[0],)
    ]
