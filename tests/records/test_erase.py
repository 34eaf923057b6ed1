"""Two people erase somebody who has left; nobody erases somebody who is here, and the database refuses the rest."""

from datetime import UTC, datetime

import psycopg
import pytest

from dataflyt.config.exports import EXPORTS
from dataflyt.config.kommune import CaseWorker
from dataflyt.decisions import deciding
from dataflyt.decisions.decision import NotAllowed
from dataflyt.decisions.erase import Erase
from dataflyt.records.disclosed import disclosed
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.people import NotFound
from tests.installation.fixtures import Installation
from tests.records.canaries import found
from tests.records.test_retention import gone, person_id
from tests.warehouse.test_rules import _person, _plain_pupils

ANITA = Visitor("101", "Anita", "Krav om sletting", "test")
BJORN = Visitor("102", "Bjørn", "Krav om sletting", "test")
PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded", "decide")),
    CaseWorker(id="102", name="Bjørn", may=("persons", "decide")),
)


@pytest.mark.long
@pytest.mark.after_first_run
def test_two_people_erase_who_has_left_from_tables_landing_and_the_old_publication(installation: Installation) -> None:
    here = installation
    here.kommune = here.kommune.model_copy(update={"people": PEOPLE})
    kommune, environment = here.kommune, here.environment
    pupil, stays = _plain_pupils(here)[:2]
    person = person_id(here, _person(pupil))
    erase = Erase(person=person, reason="Ba om det: Kanarigrunn", case_number="2026/1")
    with pytest.raises(NotAllowed, match="skolesystemet"):
        deciding.decide(kommune, environment, erase, ANITA)
    words = [_person(pupil).number, pupil.sas.person_id]
    gone(here, pupil)
    here.registers.write()
    job = here.open()
    with pytest.raises(NotAllowed, match="ikke gjort opp"):
        deciding.decide(kommune, environment, erase, ANITA)
    here.run(job=job)
    here.clock = datetime(2026, 11, 25, tzinfo=UTC)
    assert any(name.startswith("exports/") for name in found(here, words))

    dry = deciding.decide(kommune, environment, erase, ANITA, dry_run=True)
    assert dry.number is None
    assert found(here, words)
    proposed = deciding.decide(kommune, environment, erase, ANITA)
    assert proposed.proposal is not None
    with pytest.raises(NotAllowed, match="eget forslag"):
        deciding.answer(kommune, environment, proposed.proposal, "confirmed", ANITA)
    # The guardians' rows named the child; those are gone too. The reason stands in the decision alone.
    deciding.answer(kommune, environment, proposed.proposal, "confirmed", BJORN)
    assert found(here, words) == {}
    assert set(found(here, ["Kanarigrunn"])) == {"control.erasure", "control.proposal"}
    assert found(here, [_person(stays).number])
    assert here.ldif()
    assert list((here.storage / "landing" / "haugesund").iterdir()) == []
    assert here.query("select decided_by, approved_by from control.erasure") == [("101", "102")]
    with pytest.raises(NotAllowed, match="alt er slettet"):
        deciding.decide(kommune, environment, erase, ANITA)
    # A breach that is found later: the files are still known by the number, to those who may see protected people.
    files = disclosed(kommune, environment, _person(pupil).number, ANITA, graded=True)
    assert {one.export for one in files} == {EXPORTS["feide_ldif"], EXPORTS["pifu"]}
    assert all(one.until and one.publications and not one.on_disk for one in files)
    with pytest.raises(NotFound):
        disclosed(kommune, environment, _person(pupil).number, BJORN)
    here.clock = datetime(2026, 11, 28, tzinfo=UTC)
    assert not any(here.run()["changed"].values())

    for statement in (
        "insert into control.erasure (owner, person_id, reason, case_number, decided_by, approved_by) "
        "values ('haugesund', gen_random_uuid(), 'x', '1', '101', '101')",
        "insert into control.erasure (owner, person_id, reason, case_number, decided_by, approved_by) "
        "values ('haugesund', gen_random_uuid(), 'x', '1', '101', null)",
        "update control.erasure set approved_by = '103'",
        "delete from control.erasure",
        "delete from control.erased_id",
        "delete from control.proposal",
        "update control.disclosure set from_at = now()",
    ):
        with (
            psycopg.connect(here.warehouse_url.replace("+psycopg", "")) as connection,
            pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)),
        ):
            connection.execute(statement)
