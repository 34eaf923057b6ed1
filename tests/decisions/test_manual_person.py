"""People registered by hand: in the exports as what they are until their last day, and protecting nobody away."""

import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import psycopg
import pytest

from dataflyt.decisions import deciding, manual_file, people_lists
from dataflyt.decisions.block import Block
from dataflyt.decisions.decision import NotAllowed
from dataflyt.decisions.manual_person import EndManualPerson, ManualPeople
from dataflyt.decisions.override import RaiseProtection
from dataflyt.operations import nightly, work_list
from tests.decisions.guardians import employed_parents, protect_children
from tests.decisions.test_block import ANITA, BJORN, PEOPLE, decided  # noqa: F401
from tests.decisions.test_override import confirmed, entry, holders
from tests.installation.fixtures import Installation
from tests.installation.test_pifu import _path as pifu_of

SCHOOL = "311060015"
UNTIL = date(2026, 12, 18)


def manual(kind: str, role: str = "employee", **fields: object) -> ManualPeople:
    person = {"fornavn": "Qvirin", "etternavn": "Vaktmann", "role": role, "unit_id": SCHOOL}
    person |= {name: fields.pop(name) for name in ("fornavn", "etternavn", "number", "group_id") if name in fields}
    rest = {"sponsor": "Rektor", "reason": "Sykdom", "until": UNTIL} | fields
    return ManualPeople(kind_of_person=kind, people=({**person},), **rest)  # type: ignore[arg-type]


def uid_of(here: Installation, number: int) -> str:
    ((uid,),) = here.query(
        "select a.uid from golden.account a "
        "join golden.person_link l on l.person_id = a.person_id and l.owner = a.owner "
        "where l.scheme = 'manual' and l.value = :number and l.to_run is null and a.to_run is null",
        number=str(number),
    )
    return str(uid)


@pytest.mark.long
@pytest.mark.after_first_run
def test_people_registered_by_hand_are_shown_as_what_they_are_until_their_last_day(
    decided: Installation,  # noqa: F811
) -> None:
    kommune, environment = decided.kommune, decided.environment
    everybody = tuple(one.model_copy(update={"may": ("persons", "graded", "decide")}) for one in PEOPLE[:2])
    decided.kommune = kommune = kommune.model_copy(update={"people": (*everybody, PEOPLE[2])})
    ((group,),) = decided.query(
        "select min(group_id) from golden.school_group where unit_id = :s and group_type = 'basisgruppe' "
        "and to_run is null",
        s=SCHOOL,
    )
    ((protected, uid),) = holders(decided, "pupil", 1)
    raised = RaiseProtection(
        person=protected, value="strengtFortrolig", reason="x", case_number="1", review_on=date(2027, 1, 1)
    )
    alias = manual("alias", "pupil", stands_for=protected, until=None, review_on=UNTIL, case_number="2", group_id=group)
    with pytest.raises(NotAllowed, match="bare for en som har strengt fortrolig"):
        deciding.decide(kommune, environment, alias, ANITA)
    deciding.decide(kommune, environment, raised, ANITA)
    ((given, family),) = decided.query(
        "select fornavn, etternavn from golden.person where person_id = :p and to_run is null", p=protected
    )
    for own in ({"fornavn": given}, {"etternavn": family.upper()}):
        with pytest.raises(NotAllowed, match="personens egne navn"):
            deciding.decide(
                kommune,
                environment,
                manual("alias", "pupil", stands_for=protected, until=None, review_on=UNTIL, case_number="2", **own),
                ANITA,
            )
    substitute = manual("substitute", fornavn="Sub", group_id=group, number="05851450027")
    made = [confirmed(decided, substitute)]
    with pytest.raises(NotAllowed, match="registrert for hånd fra før"):
        deciding.decide(kommune, environment, substitute, BJORN)
    made.append(confirmed(decided, manual("student_teacher", fornavn="Stu")))
    made.append(confirmed(decided, manual("tester", "pupil", fornavn="Tes", group_id=group)))
    made.append(confirmed(decided, alias))

    decided.run()
    ldif = decided.ldif()
    assert not entry(ldif, uid)
    pifu = pifu_of(decided)
    subroles = re.findall(
        '<id>([^<]*)</id></sourcedid><idtype>1</idtype><role roletype="02"><subrole>([^<]*)<', pifu.read_text()
    )
    by_hand = [word for _, word in subroles if word != "faglærer"]  # the school system's word for others
    assert by_hand == ["vikar"], "the student teacher has no group to teach yet"
    affiliations = [set(entry(ldif, uid_of(decided, n))["eduPersonAffiliation"]) for n in made]
    assert affiliations == [
        {"faculty", "employee", "member"},
        {"affiliate"},
        {"student", "member"},
        {"student", "member"},
    ]
    assert entry(ldif, uid_of(decided, made[0]))["norEduPersonNIN"] == ["05851450027"]
    assert "norEduPersonNIN" not in entry(ldif, uid_of(decided, made[3]))
    assert [row.kind for row in people_lists.manual_people(kommune, environment, ANITA)] == [
        "substitute",
        "student_teacher",
        "tester",
    ]
    assert people_lists.manual_people(kommune, environment, ANITA, graded=True)[3].stands_for == f"{given} {family}"

    # Ended by one, at once; and by itself after the last day, without a run. An alias does not end by itself.
    assert deciding.decide(kommune, environment, EndManualPerson(manual_person=made[2]), BJORN).effect.hidden == 1
    assert not entry(decided.ldif(), uid_of(decided, made[2]))
    with pytest.raises(NotAllowed, match="finnes ikke, eller er avsluttet"):
        deciding.decide(kommune, environment, EndManualPerson(manual_person=made[2]), BJORN)
    decided.clock = datetime(2026, 12, 18, 22, 30, tzinfo=UTC)
    assert nightly.run([kommune], environment).trouble == []
    assert entry(decided.ldif(), uid_of(decided, made[0]))
    decided.clock = datetime(2026, 12, 18, 23, 10, tzinfo=UTC)  # ten past midnight in Norway
    assert nightly.run([kommune], environment).trouble == []
    ldif = decided.ldif()
    assert [bool(entry(ldif, uid_of(decided, n))) for n in made] == [False, False, False, True]
    assert confirmed(decided, manual("substitute", number="05851450027", until=date(2027, 1, 15)))
    due = {item.kind for item in work_list.items(kommune, environment, ANITA, graded=True)}
    assert "alias_review_due" in due
    assert "alias_review_due" not in {item.kind for item in work_list.items(kommune, environment, ANITA)}


@pytest.mark.after_first_run
def test_a_registration_by_number_neither_shows_nor_tells_of_a_protected_person(
    decided: Installation,  # noqa: F811
) -> None:
    kommune, environment = decided.kommune, decided.environment
    number, person = decided.query(
        "select p.number, p.person_id from golden.person p "
        "join golden.guardian_access a on a.adult = p.person_id::text and a.to_run is null "
        "join golden.protection x on x.person_id = p.person_id and x.to_run is null "
        "where p.to_run is null and p.number is not null and x.level = 0 order by 1"
    )[0]
    hidden = RaiseProtection(
        person=UUID(str(person)), value="strengtFortrolig", reason="x", case_number="1", review_on=date(2027, 1, 1)
    )
    deciding.decide(kommune, environment, hidden, ANITA)
    proposed = deciding.decide(kommune, environment, manual("substitute", number=number), BJORN)
    stranger = deciding.decide(kommune, environment, manual("substitute", number="05851450027"), BJORN)
    assert proposed.effect == stranger.effect
    deciding.answer(kommune, environment, proposed.proposal or 0, "confirmed", ANITA)
    decided.run()
    assert "Qvirin" not in decided.ldif()


@pytest.mark.after_first_run
def test_an_adult_who_is_blocked_from_a_child_cannot_be_registered_into_a_school(
    decided: Installation,  # noqa: F811
) -> None:
    child, adult, number = decided.query(
        "select a.child_id, a.adult, p.number from golden.guardian_access a "
        "join golden.person p on p.person_id::text = a.adult and p.to_run is null "
        "join golden.protection x on x.person_id = a.child_id join golden.protection y on y.person_id = p.person_id "
        "where a.to_run is null and a.state = 'active' and a.adult_kind = 'person' and x.level = 0 "
        "and y.level = 0 and not x.held_back order by 1, 2"
    )[0]
    block = Block(child=child, adult=adult, basis="contact_ban", case_number="1")
    deciding.decide(decided.kommune, decided.environment, block, ANITA)
    with pytest.raises(NotAllowed, match="før systemansvarlig har sett på det"):
        deciding.decide(decided.kommune, decided.environment, manual("substitute", number=number), BJORN)


@pytest.mark.after_first_run
def test_a_block_from_a_protected_child_is_told_only_to_those_who_may_see_it_and_holds_all_the_same(
    decided: Installation,  # noqa: F811
) -> None:
    kommune, environment = decided.kommune, decided.environment
    ((parent, number),) = employed_parents(decided)
    children = decided.query("select child_id from golden.guardian_access where adult = :one", one=str(parent))
    for (child,) in children:
        block = Block(child=child, adult=str(parent), basis="contact_ban", case_number="1")
        deciding.decide(kommune, environment, block, ANITA)
    protect_children(decided, parent)
    blocked, stranger = (manual("substitute", number=one) for one in (number, "05851450027"))
    proposals = []
    for one in (blocked, stranger):
        tried = deciding.decide(kommune, environment, one, BJORN, dry_run=True)
        made = deciding.decide(kommune, environment, one, BJORN)
        proposals.append((made.proposal, (tried.effect, made.effect)))
    assert proposals[0][1] == proposals[1][1]
    with pytest.raises(NotAllowed, match="før systemansvarlig har sett på det"):
        deciding.decide(kommune, environment, blocked, ANITA)
    # The one who confirms must be able to see what stands in the way, whoever it is about.
    dina = PEOPLE[1].model_copy(update={"id": "104", "name": "Dina"})
    kommune = kommune.model_copy(update={"people": (*PEOPLE, dina)})
    said = set()
    for proposal, _ in proposals:
        with pytest.raises(NotAllowed) as refused:
            deciding.answer(kommune, environment, proposal or 0, "confirmed", replace(BJORN, id="104", name="Dina"))
        said.add(refused.value.sentence)
    assert len(said) == 1
    with pytest.raises(NotAllowed, match="før systemansvarlig har sett på det"):
        deciding.answer(kommune, environment, proposals[0][0] or 0, "confirmed", ANITA)
    assert deciding.answer(kommune, environment, proposals[1][0] or 0, "confirmed", ANITA).number


GOOD = "311060015;Vik;Kari;05851450027;;;;;2"
BAD = {
    "311060016;Vik;Kari;05851450027;;;;;2": "kolonne 1 skal ha organisasjonsnummeret",
    "311060015;;Kari;05851450027;;;;;2": "kolonne 2 skal ha etternavn",
    "311060015;Vik;K4ri;05851450027;;;;;2": "kolonne 3 skal ha fornavn",
    "311060015;Vik;KÃ¥re;05851450027;;;;;2": "ødelagte bokstaver",
    "311060015;Vik;Kari;05851450027;;;;;3": "kolonne 9 skal ha 1 for elev eller 2 for ansatt",
    "311060015;Vik;Kari;;;;;;2": "kolonne 4 skal ha fødselsnummeret",
    "311060015;Vik;Kari;05851450027": "skal ha 9 kolonner, og har 4",
}


@pytest.mark.parametrize(("line", "said"), BAD.items())
def test_each_bad_line_of_a_file_has_a_complaint_without_a_name_or_number(line: str, said: str) -> None:
    people, complaints = manual_file.read(io.BytesIO(f"Org.nr;Etternavn\n{GOOD}\n\n{line}\n".encode()))
    assert [one.line for one in people] == [2]
    assert all(one.startswith("Linje 4: ") for one in complaints)
    assert any(said in one for one in complaints)
    assert not any(word in one for one in complaints for word in ("Vik", "Kari", "0585"))


REFUSED = """
kind = 'vikar'
role = 'guardian'
role = 'pupil'
number = '1'
number = '05851450027', kind = 'tester'
approved_by = decided_by
sponsor = ' '
reason = ''
until = null
until = '2027-06-01'
until = '2026-11-01'
kind = 'alias'
stands_for = gen_random_uuid()
kind = 'alias', stands_for = gen_random_uuid(), review_on = '2027-01-01', case_number = '1'
""".strip().splitlines()


@pytest.mark.after_first_run
def test_the_database_refuses_registrations_that_the_functions_refuse(decided: Installation) -> None:  # noqa: F811
    proposed = deciding.decide(decided.kommune, decided.environment, manual("substitute", number="05851450027"), BJORN)
    deciding.answer(decided.kommune, decided.environment, proposed.proposal or 0, "confirmed", ANITA)
    with psycopg.connect(decided.warehouse_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("create temporary table made as select * from control.manual_person")
        connection.execute("update made set manual_person = null, number = null")
        connection.execute("insert into control.manual_person select * from made")
        for change in REFUSED:
            connection.execute("create temporary table wrong as select * from made")
            connection.execute(f"update wrong set {change}")
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute("insert into control.manual_person select * from wrong")
            connection.execute("drop table wrong")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("update control.manual_person set until = null")
        with pytest.raises(psycopg.errors.CheckViolation, match="five years"):
            connection.execute("delete from control.manual_person")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute("update control.manual_person set ended_at = now()")
        end = "update control.manual_person set ended_at = {}, ended_by = {}"
        connection.execute(end.format("now()", "'anita'"))
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(end.format("null", "null"))
