"""What a person gets to know, what is left out, and what a person must answer. And who was in which file."""

import contextlib
import stat
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from dataflyt.config.kommune import CaseWorker
from dataflyt.errors import ConfigError, NotAllowed
from dataflyt.records import documents, subject_access
from dataflyt.records.disclosed import disclosed
from dataflyt.records.privacy_record import privacy_record
from dataflyt.records.subject_access import BY_A_PERSON, OTHER
from dataflyt.storage import database
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.people import NotFound
from tests.installation.fixtures import Installation
from tests.records.test_retention import person_id
from tests.warehouse.test_rules import _leave, _person, _plain_pupils

GRADED = Visitor("101", "Anita", "Krav om innsyn", "test")
PLAIN = Visitor("102", "Bjørn", "Avvik 2026/77, om Kanarinavn", "test")
PEOPLE = (
    CaseWorker(id="101", name="Anita", may=("persons", "graded")),
    CaseWorker(id="102", name="Bjørn", may=("persons",)),
    CaseWorker(id="103", name="Cato", may=("decide",)),
)


@pytest.fixture
def here(installation: Installation) -> Installation:
    update = {"people": PEOPLE, "purposes": ("Krav om innsyn",)}
    installation.kommune = installation.kommune.model_copy(update=update)
    return installation


def _ask(here: Installation, number: str, visitor: Visitor = PLAIN, **more: object) -> subject_access.Answer:
    return subject_access.subject_access(here.kommune, here.environment, number, visitor, **more)  # type: ignore[arg-type]


def _said(answer: subject_access.Answer) -> str:
    return orjson.dumps(answer.data).decode() + documents.html(answer.document)


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_parent_gets_what_is_held_without_the_other_parent_and_the_child_only_while_there_is_access(
    here: Installation,
) -> None:
    pupil = _plain_pupils(here)[0]
    child, world = _person(pupil), here.registers.world
    mother, father = (world.persons[record.ansvarlig or ""] for record in child.responsibility)
    assert mother.contact
    assert father.contact
    mothers = _said(_ask(here, mother.number))
    for own in (mother.number, mother.family, mother.contact.epost, child.given, "Kontakt- og reservasjonsregisteret"):
        assert own is None or own in mothers
    for others in (father.number, child.number, father.contact.epost, father.contact.mobil, father.given):
        assert others is None or others not in mothers
    assert "PIFU" in mothers
    assert OTHER in mothers

    # The child's document, asked for by the mother: no address, nothing about the father.
    childs = _said(_ask(here, child.number, requester=mother.number))
    assert child.number in childs
    assert father.number not in childs
    assert father.given not in childs
    assert child.home
    assert child.home.adressenavn not in childs
    assert child.home.adressenavn in _said(_ask(here, child.number)), "asked for by the pupil"
    assert "Voksne med tilgang" not in childs

    # A stranger, a guardian without access, and a number that nobody has get the same sentence, and are audited.
    stranger = _person(_plain_pupils(here)[1]).number
    for number, requester in ((child.number, stranger), (child.number, "13897200184"), ("13897200184", None)):
        with pytest.raises(NotAllowed) as refused:
            _ask(here, number, requester=requester)
        assert str(refused.value) == BY_A_PERSON or refused.value.sentence == BY_A_PERSON
    looked = dict(here.query("select action, count(*) from control.audit group by action"))
    assert (looked["subject access"] >= 3, looked["denied subject access"]) == (True, 3)
    again = _ask(here, child.number)
    assert {look["action"] for look in again.data["looks"]} == {
        "skrev innsynsdokument",
        "avvist: skrev innsynsdokument",
    }
    assert len(again.data["looks"]) >= 4
    assert "Kanarinavn" not in _said(again), "free text may be about somebody else"

    # The child leaves: the mother's document names it no longer.
    _leave(here, pupil)
    here.registers.write()
    here.run()
    assert child.given not in _said(_ask(here, mother.number))


@pytest.mark.long
@pytest.mark.after_first_run
def test_one_sentence_for_everything_that_a_person_must_answer(here: Installation) -> None:
    plain = [_person(pupil) for pupil in _plain_pupils(here)[:5]]
    protected, blocked, shared, near, other = plain
    protected.protection = "fortrolig"
    guardian = here.registers.world.persons[near.responsibility[0].ansvarlig or ""]
    guardian.protection = "strengtFortrolig"
    here.run()
    with database.transaction(database.engine(here.warehouse_url), "haugesund") as connection:
        connection.execute(
            text(
                "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at) "
                "values ('haugesund', :child, 'x', 'other', '1', '101', now())"
            ),
            {"child": person_id(here, blocked)},
        )
        connection.execute(
            text(
                "insert into golden.person_link (owner, from_run, to_run, scheme, value, person_id, current) "
                "select owner, 0, 1, scheme, value, gen_random_uuid(), true from golden.person_link "
                "where person_id = :id and scheme = 'sas' and to_run is null"
            ),
            {"id": person_id(here, shared)},
        )
    for person in (protected, guardian, near, blocked, shared):
        with pytest.raises(NotAllowed) as refused:
            _ask(here, person.number)
        assert refused.value.sentence == BY_A_PERSON
        draft = _ask(here, person.number, GRADED, graded=True)
        assert draft.document.warning.startswith("Utkast.")
        assert draft.document.warning in documents.html(draft.document)
    assert _ask(here, other.number).document.warning == ""
    with pytest.raises(NotAllowed, match="graded"):
        _ask(here, protected.number, PLAIN, graded=True)
    with pytest.raises(NotAllowed, match="persons"):
        _ask(here, other.number, Visitor("103", "Cato", "x", "test"))
    with pytest.raises(NotAllowed, match="elleve"):
        _ask(here, "Ola Nordmann")
    with pytest.raises(NotFound):
        disclosed(here.kommune, here.environment, protected.number, PLAIN)


@pytest.mark.long
@pytest.mark.after_first_run
def test_every_time_in_a_file_is_known_also_when_the_file_is_withdrawn(here: Installation) -> None:
    pupil, other, third = _plain_pupils(here)[:3]
    person, hidden, stays = _person(pupil), _person(other), _person(third)
    now = disclosed(here.kommune, here.environment, person.number, PLAIN)
    assert sorted(row.export for row in now) == ["FEIDE (LDIF)", "PIFU-IMS 1.3"]
    assert {(row.until, row.on_disk) for row in now} == {(None, True)}
    ((first,),) = here.query("select published_at from control.publication")
    assert {row.since for row in now} == {first}

    _leave(here, pupil)
    here.registers.write()
    here.run()
    ((second,),) = here.query("select published_at from control.publication order by published_at desc limit 1")
    left = disclosed(here.kommune, here.environment, person.number, PLAIN)
    assert {(row.since, row.until, row.on_disk) for row in left} == {(first, second, True)}
    here.kommune = here.kommune.model_copy(update={"recipients": {"pifu": ("Læringsplattformen",)}})

    # Somebody is hidden: the older publication is withdrawn and deleted, and the times stand.
    hidden.protection = "strengtFortrolig"
    here.run()
    left = disclosed(here.kommune, here.environment, person.number, PLAIN)
    assert {(row.since, row.until, row.on_disk) for row in left} == {(first, second, False)}
    assert ("Læringsplattformen",) in [row.recipients for row in left]
    taken = disclosed(here.kommune, here.environment, hidden.number, GRADED, graded=True)
    assert all(row.until and row.until > second for row in taken)
    still = disclosed(here.kommune, here.environment, stays.number, PLAIN)
    assert {(row.since, row.until) for row in still} == {(first, None)}
    assert here.query("select count(*) from control.audit where action = 'disclosed'") == [(5,)]


@pytest.mark.after_first_run
def test_the_commands_write_private_files_and_the_record_is_norwegian(
    here: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataflyt.cli import installation as cli_installation
    from dataflyt.cli import privacy
    from dataflyt.cli.main import app
    from dataflyt.run.environment import Installation as Outside

    number = _person(_plain_pupils(here)[0]).number
    monkeypatch.setenv("DATAFLYT_STORAGE", str(here.storage))
    monkeypatch.setattr(
        cli_installation.outside_run, "use", lambda: Outside(here.environment.connect, here.environment.path)
    )
    monkeypatch.setattr(privacy, "kommune_of", lambda name: here.kommune)
    who = ["--as", "102", "--purpose", "1"]
    run = CliRunner()
    for command in ("retention", "erase", "subject-access", "disclosed", "privacy-record"):
        helped = run.invoke(app, [command, "--help"])
        assert (helped.exit_code, "Eksempel" in helped.output) == (0, True)
    out = tmp_path / "innsyn"
    asked = run.invoke(app, ["subject-access", "haugesund", number, "--to", str(out), *who])
    assert asked.exit_code == 0, asked.output
    assert number not in asked.output
    files = sorted(out.iterdir())
    assert [file.suffix for file in files] == [".html", ".json"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert not any(number in file.name for file in files)
    refused = run.invoke(app, ["subject-access", "haugesund", "13897200184", "--to", str(out), *who])
    assert (refused.exit_code, BY_A_PERSON in refused.output) == (2, True)
    told = run.invoke(app, ["disclosed", "haugesund", number, *who])
    assert "fra 23.11.2026" in told.output or "fra " in told.output
    assert "FEIDE (LDIF)" in told.output
    refused = run.invoke(app, ["erase", "haugesund", number, "--case", "1", "--reason", "x", *who])
    assert refused.exit_code == 2
    deleted = run.invoke(app, ["retention", "haugesund"])
    assert (deleted.exit_code, "slettet" in deleted.output) == (0, True)
    written = run.invoke(app, ["privacy-record", "haugesund", "--to", str(out)])
    assert written.exit_code == 0, written.output

    record = privacy_record(here.kommune, datetime(2026, 11, 29, tzinfo=UTC))
    page = documents.html(record)
    for word in ("944073787", "foreldreansvar", "krr_contact", "norEduPersonNIN", "90 døgn", "Anita Ingebretsen"):
        assert word in page
    assert "freg_resident" not in page, "this kommune's file does not ask for residents"


def test_a_document_escapes_every_value_and_overwrites_no_file(tmp_path: Path) -> None:
    section = documents.Section("<b>", ("<script>",), ("<i>",), [("<img src=x>",)])
    page = documents.html(documents.Document("<title>", ("&",), (section,), "<u>"))
    assert not any(tag in page for tag in ("<b>", "<script>", "<i>", "<img", "<title><", "<u>"))
    with contextlib.suppress(ConfigError):  # a machine without Pango
        assert documents.pdf(documents.Document("Ærlig, Šašá Đoŋgá", ("x",), (section,))).startswith(b"%PDF-")
    path = documents.write_private(tmp_path / "a.html", b"x")
    with pytest.raises(Exception, match="finnes fra før"):
        documents.write_private(path, b"y")
    link = tmp_path / "link.html"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Exception, match="finnes fra før"):
        documents.write_private(link, b"y")
