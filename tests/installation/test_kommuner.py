"""A kommune changes name, number and realm; a kommune becomes part of another; a kommune is split."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.config.kommune import CaseWorker, Kommune
from dataflyt.config.loading import find
from dataflyt.decisions import deciding, kommuner
from dataflyt.decisions.block import Block
from dataflyt.decisions.decision import NotAllowed
from dataflyt.decisions.manual_person import EndManualPerson, ManualPeople, Registered
from dataflyt.run.environment import Environment
from dataflyt.run.execute import Answer, execute
from dataflyt.run.job import open_job
from dataflyt.run.republish import republish
from dataflyt.storage import database
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.runs import User
from tests.installation.fixtures import KOMMUNER, Installation

FORMER = "eduPersonEntitlement: urn:mace:feide.no:operational:merge:formerEduPersonPrincipalName:"
OLD, NEW = "haugesund.kommune.no", "nyhaugesund.kommune.no"


def _people(ldif: str) -> dict[str, str]:
    """Return each person's entry by user name, with folded lines made whole."""
    entries = ldif.replace("\n ", "").split("\n\n")
    return {found[1]: entry for entry in entries if (found := re.search(r"^uid: (\S+)$", entry, re.MULTILINE))}


@pytest.mark.after_first_run
def test_a_new_name_and_number_change_nothing_else(installation: Installation) -> None:
    before, published = installation.dump(), _people(installation.ldif())
    renamed = {"name": "Nye Haugesund", "kommunenummer": ("4699",), "orgnr": "964338531"}
    installation.kommune = installation.kommune.model_copy(update=renamed)
    report = installation.run(answer="rejected")
    assert report["outcome"] == "released", "nobody was asked"
    assert not any(report["changed"].values())
    assert _people(installation.ldif()) == published
    assert "o: Nye Haugesund kommune" in installation.ldif()
    assert "norEduOrgNIN: NO964338531" in installation.ldif()
    after = installation.dump()
    assert {table for table in before if before[table] != after[table]} <= {"golden.work_item"}


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_new_realm_takes_an_approver_and_keeps_the_old_names_of_all_but_the_protected(
    installation: Installation,
) -> None:
    before = _people(installation.ldif())
    feide = installation.kommune.feide.model_copy(update={"realm": NEW})
    installation.kommune = installation.kommune.model_copy(update={"feide": feide})
    republish(installation.kommune, installation.environment)
    assert _people(installation.ldif()) == before, "an edit of the file alone renames nobody"
    assert installation.run(answer="rejected")["outcome"] == "rejected"
    assert f"@{NEW}" not in installation.ldif()

    assert installation.run(answer="approved")["outcome"] == "released"
    after = _people(installation.ldif())
    assert after.keys() == before.keys(), "the user names are the same"
    fortrolig = {
        uid
        for (uid,) in installation.query(
            "select a.uid from golden.account a join golden.protection p on p.person_id = a.person_id "
            "where p.level >= 2 and p.to_run is null and a.to_run is null"
        )
    } & after.keys()
    assert fortrolig
    for uid, entry in after.items():
        assert f"eduPersonPrincipalName: {uid}@{NEW}" in entry
        assert re.findall(f"{FORMER}(\\S+)", entry) == ([] if uid in fortrolig else [f"{uid}@{OLD}"])

    # Nobody is asked again, and who starts later has never had the old name.
    assert installation.run(answer="rejected")["outcome"] == "released"


PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded", "decide")),
    CaseWorker(id="102", name="Bjørn", may=("persons", "graded", "decide")),
    CaseWorker(id="103", name="Cato", may=("persons", "decide")),
)
ANITA = Visitor("101", "Anita", "sammenslåing", "test")
BJORN = Visitor("102", "Bjørn", "sammenslåing", "test")
CATO = Visitor("103", "Cato", "sammenslåing", "test")
SCHOOL = "311060015"


class Merger:
    """Haugesund, which has had a run, and Bergen, which takes over its schools and files. Bergen has had no run."""

    def __init__(self, installation: Installation) -> None:
        self.here = installation
        installation.kommune = self.old = installation.kommune.model_copy(update={"people": PEOPLE})
        bergen = find(KOMMUNER, "bergen")
        # The schools and their systems go on as they are, under the new owner.
        self.new = self.old.model_copy(
            update={field: getattr(bergen, field) for field in ("id", "name", "kommunenummer", "orgnr", "warehouse")}
            | {"feide": bergen.feide, "people": PEOPLE, "exports": ("feide_ldif",)}
        )
        connect = installation.environment.connect
        self.url = installation.warehouse_url.replace("kommune_haugesund", "kommune_bergen")

        def of_both(name: str) -> Any:
            found = connect(name)
            return replace(found, url=self.url) if name == "warehouse_bergen" else found

        self.environment = replace(installation.environment, connect=of_both)

    def take_over(self, visitor: Visitor = ANITA, **options: Any) -> kommuner.TakenOver:
        return kommuner.take_over(self.old, self.new, self.environment, visitor, **options)

    def run(self, kommune: Kommune, said: str = "approved") -> tuple[bool, str]:
        """Do a run of a kommune; return whether it asked, and its outcome."""
        self.here.runs += 1
        as_of = datetime(2026, 11, 22 + self.here.runs, 3, tzinfo=UTC)
        job = open_job(kommune, f"run-{self.here.runs}", as_of, self.environment)
        asked = []

        def answer(question: object) -> Answer:
            asked.append(question)
            return Answer(said, User(kommune.approvers[0].id, kommune.approvers[0].name), "airflow")  # type: ignore[arg-type]

        ended = execute(job, answer)
        assert not ended.error, ended.error
        return bool(asked), str(ended.closed["outcome"])

    def query(self, sql: str, owner: str = "bergen", **bound: object) -> list[Any]:
        """Ask the warehouse as one of the kommuner."""
        url = self.url if owner == "bergen" else self.here.warehouse_url
        with database.transaction(database.engine(url), owner, lock=False) as connection:
            return list(connection.execute(text(sql), bound))

    def ldif(self) -> dict[str, str]:
        """Return Bergen's published people."""
        folder = self.here.storage / "exports" / "bergen"
        (file,) = folder.glob("*/feide.ldif")
        return _people(file.read_text("utf-8"))


@pytest.fixture
def merger(installation: Installation) -> Merger:
    return Merger(installation)


PAIRS = """
select c.number as child, a.number as guardian, g.child_id, g.adult
from golden.guardian_access g
join golden.person c on c.person_id = g.child_id and c.to_run is null
join golden.person a on a.person_id::text = g.adult and a.to_run is null
join golden.protection x on x.person_id = g.child_id and x.to_run is null
where g.to_run is null and g.state = 'active' and g.adult_kind = 'person' and x.level = 0
order by 1, 2
"""
LEVELS = """
select p.number, x.level from golden.protection x join golden.person p on p.person_id = x.person_id and p.to_run is null
where x.to_run is null and p.number is not null and x.level >= 2
"""
STATE = """
select g.state, g.basis from golden.guardian_access g
join golden.person c on c.person_id = g.child_id and c.to_run is null
join golden.person a on a.person_id::text = g.adult and a.to_run is null
where g.to_run is null and c.number = :child and a.number = :adult
"""


def _block(merger: Merger, pair: Any) -> None:
    block = Block(child=pair.child_id, adult=UUID(pair.adult), basis="court_judgment", case_number="2026/1")
    deciding.decide(merger.old, merger.environment, block, ANITA)


def _write(merger: Merger, sql: str, **bound: object) -> None:
    """Change Haugesund's warehouse as its own role."""
    with database.transaction(database.engine(merger.here.warehouse_url), "haugesund") as connection:
        connection.execute(text(sql), bound)


def _grant(merger: Merger, child: UUID, adult: str, number: int = 1) -> None:
    _write(
        merger,
        "insert into control.access_grant (owner, access_grant, child_id, adult, adult_kind, basis, scope, "
        "case_number, seen_by, decided_by, approved_by, from_run) values ('haugesund', :number, :child, :adult, "
        "'person', 'court_judgment', 'all', '2026/2', '101', '101', '102', 1)",
        number=number,
        child=child,
        adult=adult,
    )


def _taken(merger: Merger) -> dict[str, list[Any]]:
    """Return everything that Bergen has taken over."""
    tables = ("veto", "access_block", "override", "access_grant", "taken_link", "taken_decision", "former_name")
    return {table: sorted(map(str, merger.query(f"select * from control.{table}"))) for table in tables}


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_kommune_becomes_part_of_another_and_nothing_falls_between(merger: Merger) -> None:
    pairs = merger.query(PAIRS, "haugesund")
    blocked, hidden = pairs[0], pairs[-1]
    granted = next(pair for pair in pairs if pair.child != blocked.child and pair.adult != blocked.adult)
    stepfather = next(
        pair
        for pair in pairs
        if pair.child not in (granted.child, blocked.child)
        and not merger.query(STATE, "haugesund", child=granted.child, adult=pair.guardian)
    )
    _block(merger, blocked)
    _grant(merger, granted.child_id, stepfather.adult)
    _write(
        merger,
        "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, "
        "from_run) "
        "values ('haugesund', :who, 'adressebeskyttelse', 'strengtFortrolig', 'x', '2026/3', '101', '102', 2)",
        who=hidden.child_id,
    )
    republish(merger.old, merger.environment)
    before, published = merger.here.dump(), _people(merger.here.ldif())
    protected = set(merger.query(LEVELS, "haugesund"))
    assert protected

    # A dry run changes nothing, and who may not see protection may not take over.
    assert merger.take_over(dry_run=True).counts["blocks"] == 1
    assert not any(_taken(merger).values())
    with pytest.raises(NotAllowed, match="graded"):
        merger.take_over(CATO)

    # One person is enough for what protects, before Bergen has had any run. The rest takes two.
    proposal = merger.take_over().proposal
    assert proposal is not None
    first = _taken(merger)
    assert [len(first[table]) for table in ("access_block", "override", "access_grant", "former_name")] == [1, 1, 0, 0]
    assert len(first["veto"]) >= len(protected)
    with pytest.raises(NotAllowed, match="ikke frigitt noen kjøring"):
        deciding.answer(merger.new, merger.environment, proposal, "confirmed", BJORN)
    with pytest.raises(NotAllowed, match="eget forslag"):
        merger.take_over(confirm=proposal)
    _grant(merger, blocked.child_id, stepfather.adult, 2)
    with pytest.raises(NotAllowed, match="foreslå på nytt"):
        merger.take_over(BJORN, confirm=proposal)
    assert _taken(merger) == first, "what protects is there once, and nothing else is"
    _write(merger, "update control.access_grant set withdrawn_at = now(), withdrawn_by = '101' where access_grant = 2")
    assert merger.take_over(BJORN, confirm=proposal).proposal is None
    assert merger.query("select decided_by, approved_by, from_run from control.access_grant") == [("101", "102", 1)]

    # The first run of the new owner: everybody keeps the user name, and is told by the old full name.
    assert merger.run(merger.new) == (True, "released")
    after = merger.ldif()
    assert after.keys() == published.keys()
    numbers = {uid: re.findall(r"norEduPersonNIN: (\S+)", entry) for uid, entry in after.items()}
    assert numbers == {uid: re.findall(r"norEduPersonNIN: (\S+)", entry) for uid, entry in published.items()}
    for uid, entry in after.items():
        fortrolig = any((number, 2) in protected for number in numbers[uid])
        assert f"eduPersonPrincipalName: {uid}@bergen.kommune.no" in entry
        assert re.findall(f"{FORMER}(\\S+)", entry) == ([] if fortrolig else [f"{uid}@{OLD}"])
    assert set(merger.query(LEVELS)) >= protected | {(hidden.child, 3)}
    assert not any(hidden.child in entry for entry in after.values())
    assert merger.query(STATE, child=blocked.child, adult=blocked.guardian) == [("blocked", "foreldreansvar")]
    assert merger.query(STATE, child=granted.child, adult=stepfather.guardian) == [("active", "grant:court_judgment")]

    # Taken over again: nothing is written twice. A grant that is withdrawn there ends here too.
    again = _taken(merger)
    merger.take_over()
    assert _taken(merger) == again
    _write(merger, "update control.access_grant set withdrawn_at = now(), withdrawn_by = '101' where access_grant = 1")
    merger.take_over()
    assert merger.query("select withdrawn_by from control.access_grant") == [("haugesund",)]

    # Haugesund's history, and who has looked, are still there and have not changed.
    assert merger.here.dump() == before
    looked = merger.query("select distinct action, detail from control.audit where action = 'hand over'", "haugesund")
    assert looked == [("hand over", "til bergen")]


@pytest.mark.long
@pytest.mark.after_first_run
def test_who_gets_a_new_number_in_between_is_still_the_same_person(merger: Merger) -> None:
    pair = merger.query(PAIRS, "haugesund")[0]
    _block(merger, pair)
    # Haugesund has only known the number that the child had before.
    former = "11927299907"
    _write(
        merger,
        "update golden.person_link set value = :former where scheme = 'number' and value = :number",
        former=former,
        number=pair.child,
    )
    merger.take_over()
    assert merger.query("select count(*) from control.taken_link where value = :former", former=former) == [(1,)]
    child = next(one for one in merger.here.registers.world.persons.values() if one.number == pair.child)
    child.former_numbers.append((former, "foedselsnummer", date(2026, 11, 25)))
    assert merger.run(merger.new) == (True, "released")
    assert merger.query(STATE, child=pair.child, adult=pair.guardian) == [("blocked", "foreldreansvar")]
    # The two numbers are one person's from now on, and nobody is asked about that again.
    assert merger.run(merger.new, "rejected") == (False, "released")


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_school_is_split_off_with_its_own_people_only(merger: Merger) -> None:
    at = dict(
        merger.query(
            "select p.number, string_agg(unit_id, ' ') from golden.enrolment e "
            "join golden.person p on p.person_id = e.person_id and p.to_run is null "
            "where e.to_run is null and p.number is not null group by 1",
            "haugesund",
        )
    )
    pairs = merger.query(PAIRS, "haugesund")
    inside = next(pair for pair in pairs if at[pair.child] == SCHOOL)
    outside = next(pair for pair in pairs if SCHOOL not in at[pair.child])
    _block(merger, inside)
    _block(merger, outside)
    ((secret, _),) = merger.query(HIDDEN, "haugesund", school=SCHOOL)[:1]
    there, elsewhere = _by_hand(merger, SCHOOL, "Hanna"), _by_hand(merger, OTHER_SCHOOL, "Helge")
    alias = _by_hand(merger, SCHOOL, "Alma", stands_for=secret)
    with pytest.raises(NotAllowed, match="ingen skole"):
        merger.take_over(schools=["974588145"])
    proposal = merger.take_over(schools=[SCHOOL]).proposal
    merger.take_over(BJORN, schools=[SCHOOL], confirm=proposal)
    assert merger.query("select count(*) from control.access_block") == [(1,)]
    linked = {number for (number,) in merger.query("select value from control.taken_link where scheme = 'number'")}
    assert inside.child in linked
    assert not {number for number, schools in at.items() if SCHOOL not in schools} & linked
    # Registrations by hand at the school, and aliases, come over under new numbers. They end when the old ones end.
    taken = dict(merger.query("select origin_number, number from control.taken_decision where kind = 'manual_person'"))
    assert taken.keys() == {there, alias}
    assert elsewhere not in taken
    ((stands_for,),) = merger.query(
        "select l.scheme from control.manual_person m join control.taken_link l on l.person_id = m.stands_for "
        "where m.manual_person = :one and l.scheme = 'number'",
        one=taken[alias],
    )
    assert stands_for == "number"
    names = merger.query("select count(*) from control.former_name")[0][0]
    assert (
        names
        == merger.query(
            "select count(*) from golden.account a where a.to_run is null and a.state = 'active' and person_id in ("
            "select person_id from golden.enrolment where to_run is null and unit_id = :school union "
            "select person_id from golden.employment where to_run is null and unit_id = :school)",
            "haugesund",
            school=SCHOOL,
        )[0][0]
    )

    # The school's own files, and the first run of its new owner: nobody else is there, and all that was decided holds.
    world = merger.here.registers.world
    world.pupils[:] = [pupil for pupil in world.pupils if pupil.school.orgnr == SCHOOL and not pupil.second_school]
    world.groups[:] = [group for group in world.groups if group.school.orgnr == SCHOOL]
    ids = {pupil.sas.person_id for pupil in world.pupils}
    for group in world.groups:
        group.members[:] = [member for member in group.members if member.role != "01" or member.person_id in ids]
    merger.here.registers.write()
    published = _people(merger.here.ldif())
    merger.new = merger.new.model_copy(
        update={"sources": merger.new.sources.model_copy(update={"hr": merger.new.sources.hr.model_copy(
            update={"units": {unit: orgnr for unit, orgnr in merger.new.sources.hr.units.items() if orgnr == SCHOOL}}
        )})}
    )  # fmt: skip
    assert merger.run(merger.new) == (True, "released")
    after = merger.ldif()
    by_hand = {uid for uid, entry in after.items() if "Hanna" in entry or "Alma" in entry}
    assert len(by_hand) == 2
    assert not any("Helge" in entry for entry in after.values())
    # Also one who is protected by a sibling at another school: the new owner's FREG does not tell of the sibling.
    assert after.keys() - by_hand <= published.keys(), "everybody keeps the user name, and nobody hidden is shown"
    assert merger.query("select 1 from control.veto where cause = 'held_back' and lifted_at is null")
    assert {uid for uid, entry in after.items() if "eduPersonAffiliation: student" in entry} - by_hand
    assert merger.query(STATE, child=inside.child, adult=inside.guardian) == [("blocked", "foreldreansvar")]
    number = merger.query("select number from golden.person where person_id = :who", "haugesund", who=secret)[0][0]
    assert not any(number in entry for entry in after.values())

    # What ends there, ends here.
    deciding.decide(merger.old, merger.environment, EndManualPerson(manual_person=there), ANITA)
    merger.take_over(schools=[SCHOOL])
    assert merger.query("select manual_person, ended_by from control.manual_person where ended_at is not null") == [
        (taken[there], "haugesund")
    ]


OTHER_SCHOOL = "311060023"
HIDDEN = """
select x.person_id, x.level from golden.protection x join golden.enrolment e on e.person_id = x.person_id
where x.to_run is null and e.to_run is null and x.level = 3 and e.unit_id = :school and e.main order by 1
"""


def _by_hand(merger: Merger, school: str, given: str, stands_for: UUID | None = None) -> int:
    """Register somebody by hand in Haugesund, by two people."""
    person = Registered(fornavn=given, etternavn="Vikarsen", role="pupil" if stands_for else "employee", unit_id=school)
    rest: dict[str, Any] = {"kind_of_person": "substitute", "until": date(2026, 12, 18)}
    if stands_for:
        rest = {"kind_of_person": "alias", "stands_for": stands_for, "case_number": "1", "review_on": date(2027, 6, 1)}
    decision = ManualPeople(people=(person,), sponsor="Rektor", reason="Sykdom", **rest)
    proposal = deciding.decide(merger.old, merger.environment, decision, ANITA).proposal
    return deciding.answer(merger.old, merger.environment, proposal or 0, "confirmed", BJORN).number or 0


REFUSED = (
    "insert into control.former_name values ('bergen', gen_random_uuid(), 'uten domene', 'x')",
    "insert into control.former_name values ('haugesund', gen_random_uuid(), 'a@b.no', 'x')",
    "update control.former_name set name = 'a@b.no'",
    "update control.taken_link set person_id = gen_random_uuid()",
    "delete from control.taken_decision",
    "update control.taken_decision set origin_number = 1",
)


@pytest.mark.after_first_run
def test_the_database_refuses_to_change_what_was_taken_over(merger: Merger) -> None:
    refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)
    with psycopg.connect(merger.url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in REFUSED:
            with pytest.raises(refused):
                connection.execute(statement)


@pytest.mark.after_first_run
def test_the_command_proposes_and_another_confirms(merger: Merger, monkeypatch: pytest.MonkeyPatch) -> None:
    kommuner_by_name = {"haugesund": merger.old, "bergen": merger.new}
    monkeypatch.setattr("dataflyt.cli.kommune.kommune_of", kommuner_by_name.__getitem__)

    class Outside:
        def environment(self) -> Environment:
            return merger.environment

    monkeypatch.setattr("dataflyt.cli.installation.outside_run.use", Outside)
    words = ["kommune", "merge", "haugesund", "--into", "bergen", "--purpose", "Sammenslåing"]
    said = CliRunner().invoke(app, [*words, "--as", "101", "--dry-run"])
    assert said.exit_code == 0, said.output
    assert said.output.startswith("Prøve: ingenting er endret.")
    said = CliRunner().invoke(app, [*words, "--as", "101"])
    proposal = re.search(r"Forslag (\d+) venter på at en annen bekrefter det, med --confirm \1\.", said.output)
    assert proposal
    said = CliRunner().invoke(app, [*words, "--as", "101", "--confirm", proposal[1]])
    assert (said.exit_code, said.stderr) == (2, "Ingen bekrefter sitt eget forslag: det må en annen gjøre.\n")
    said = CliRunner().invoke(app, [*words, "--as", "102", "--confirm", proposal[1]])
    assert said.output.startswith("Overtatt.")
    assert re.search(r"FEIDE-navn som følger med: [1-9]", said.output)
