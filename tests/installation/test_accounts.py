"""Day one: the kommune's present directory, on a whole installation."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataflyt.accounts import day_one
from dataflyt.accounts.day_one import Proposal
from dataflyt.cli.main import app
from dataflyt.config import loading
from dataflyt.config.kommune import CaseWorker
from dataflyt.errors import NotAllowed, NotApproved, Unreadable
from dataflyt.run.close_run import close_run
from dataflyt.run.job import Job
from dataflyt.storage import database
from dataflyt.warehouse import runs
from dataflyt.why.answering import why
from simulator.manifest import people
from simulator.model import Person
from tests.installation.fixtures import LOOKING, PUPILS, TO_PLAN, Installation, approve_and_release, respond
from tests.warehouse.test_separation import psql

REALM = "haugesund.kommune.no"
runner = CliRunner()
LOOKING_AS = ("--as", LOOKING.id, "--purpose", "5")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def directory_file(folder: Path, *entries: tuple[str, str | None], header: str = "feide;fnr") -> Path:
    """Write a CSV directory of names and numbers, and of the header's other columns."""
    path = folder / "katalog.csv"
    path.write_text("\n".join([header, *(";".join(cell or "" for cell in entry) for entry in entries)]))
    return path


def propose(installation: Installation, path: Path) -> Proposal:
    db = database.engine(installation.warehouse_url)
    return day_one.propose(db, installation.kommune, path, lambda read: None)


def bring(installation: Installation, path: Path) -> dict[str, int]:
    """Import a directory and approve it; return its counts without the zeros."""
    proposal = propose(installation, path)
    day_one.accept(database.engine(installation.warehouse_url), installation.kommune, proposal.digest)
    return {kind: count for kind, count in proposal.counts.items() if count}


def names(installation: Installation) -> dict[str, str]:
    """Return the current account names by number, or by local number."""
    found = installation.query(
        "select coalesce(p.number, p.local_number), a.uid from golden.account a join golden.person p using (person_id) "
        "where a.to_run is null and p.to_run is null and a.state = 'active'"
    )
    return dict(found)


def unnamed(installation: Installation) -> set[str]:
    """Return the numbers of the people who are on the work list because they lack a name."""
    found = installation.query(
        "select coalesce(p.number, p.local_number) from golden.work_item w "
        "join golden.person p on p.person_id::text = w.subject and p.to_run is null "
        "where w.kind = 'account_not_named' and w.to_run is null"
    )
    return {number for (number,) in found}


def pupils(installation: Installation) -> list[Person]:
    """Return ordinary pupils."""
    return [pupil.person for pupil in installation.registers.world.pupils if pupil.person and not pupil.person.cases]


@pytest.mark.long
def test_everybody_keeps_the_name_they_have_and_nobody_else_gets_it(installation: Installation, folder: Path) -> None:
    installation.run(answer="rejected")
    # The names Dataflyt gives without a directory.
    first, second, third, *_ = (person for person in pupils(installation))
    would = propose(installation, directory_file(folder, ("x@haugesund.kommune.no", None)))
    assert would.run == 0
    made = _names_without_a_directory(installation)
    counts = bring(
        installation,
        directory_file(
            folder,
            (f"Gammelt.Navn@{REALM}", first.number),
            (f"{made[second.number].upper()}@{REALM}", "01810110003"),  # somebody else's name, in capitals
            (f"{made[third.number]}@Haugesund.Kommune.NO", None),
            ("gjest@bergen.kommune.no", third.number),
        ),
    )
    # Before the first run nobody is known.
    assert counts == {"unknown": 2, "no_number": 1, "no_name": 1}
    installation.run()
    now = names(installation)
    assert now[first.number] == "gammelt.navn"
    assert now[second.number] not in {made[second.number], made[first.number]}
    assert not {made[second.number], made[third.number]} & set(now.values())
    assert now[second.number].startswith(re.sub(r"[0-9]", "", made[second.number]))
    assert len(set(now.values())) == len(now) == len(made)
    assert unnamed(installation) == set()
    assert "uid: gammelt.navn\n" in installation.ldif()
    assert f"eduPersonPrincipalName: gammelt.navn@{REALM}\n" in installation.ldif()
    # Again: the same names, nothing changed.
    report = installation.run()
    assert not any(report["changed"].values())
    assert names(installation) == now


def _names_without_a_directory(installation: Installation) -> dict[str, str]:
    job = installation.open()
    installation.steps(job, *TO_PLAN)
    made = names(installation)
    respond(job, "rejected")
    close_run(job, [])
    assert len(made) > PUPILS
    return made


def test_an_undone_run_takes_back_the_names_it_made_and_never_the_import(
    installation: Installation, folder: Path
) -> None:
    pupil = pupils(installation)[0]
    bring(installation, directory_file(folder, (f"kari@{REALM}", pupil.number)))
    assert installation.run(answer="rejected")["outcome"] == "rejected"
    assert installation.query("select uid from control.account_name") == []
    assert installation.query("select uid from control.directory_entry") == [("kari",)]
    installation.run()
    assert names(installation)[pupil.number] == "kari"


def test_a_person_in_the_directory_by_an_earlier_number_is_the_same_person(
    installation: Installation, folder: Path
) -> None:
    world = installation.registers.world
    changed = next(pupil.person for pupil in world.pupils if "changed_number" in pupil.cases and pupil.person)
    assert changed.old_number
    assert changed.old_number != changed.number
    bring(installation, directory_file(folder, (f"fra.d-nummer@{REALM}", changed.old_number)))
    installation.run()
    assert names(installation)[changed.number] == "fra.d-nummer"
    # After the run the number in use and the old one are one person, who then has two names in this file.
    again = propose(
        installation,
        directory_file(folder, (f"fra.d-nummer@{REALM}", changed.old_number), (f"ny@{REALM}", changed.number)),
    )
    assert again.counts["several_names"] == 2
    same = propose(
        installation,
        directory_file(
            folder, (f"fra.d-nummer@{REALM}", changed.old_number), (f"Fra.D-Nummer@{REALM}", changed.number)
        ),
    )
    assert same.counts["matched"] == 2


def test_whose_name_is_in_doubt_gets_none_and_stands_on_the_work_list(installation: Installation, folder: Path) -> None:
    one, two, other, sharing, fine = pupils(installation)[:5]
    counts = bring(
        installation,
        directory_file(
            folder,
            (f"en@{REALM}", one.number),
            (f"to@{REALM}", one.number),
            (f"felles@{REALM}", two.number),
            (f"Felles@{REALM}", other.number),
            (f"gjest@{REALM}", sharing.number),
            (f"gjest@{REALM}", None),
            (f"fin@{REALM}", fine.number),
            (f"FIN@{REALM}", fine.number),
        ),
    )
    assert counts == {"several_names": 2, "name_twice": 4, "unknown": 2}
    installation.run()
    found = names(installation)
    assert unnamed(installation) == {one.number, two.number, other.number, sharing.number}
    assert not unnamed(installation) & found.keys()
    assert found[fine.number] == "fin"
    assert not {"en", "to", "felles", "gjest"} & set(found.values())
    # When the directory is corrected, they get their names in the next run.
    bring(
        installation,
        directory_file(
            folder, (f"en@{REALM}", one.number), (f"felles@{REALM}", two.number), (f"gjest@{REALM}", sharing.number)
        ),
    )
    installation.run()
    found = names(installation)
    assert (found[one.number], found[two.number], found[sharing.number]) == ("en", "felles", "gjest")
    # A person who is gone from the directory gets a name from us; the old name goes to nobody else.
    assert unnamed(installation) == set()
    assert found[other.number] not in {"en", "to", "felles", "gjest", "fin"}


def test_importing_again_replaces_the_picture_and_never_a_name_that_was_given(
    installation: Installation, folder: Path
) -> None:
    one, two, three = pupils(installation)[:3]
    bring(installation, directory_file(folder, (f"en@{REALM}", one.number), (f"borte@{REALM}", "01810110003")))
    installation.run()
    before = names(installation)
    assert before[one.number] == "en"
    counts = bring(
        installation,
        directory_file(
            folder,
            (f"omdoept@{REALM}", one.number),
            (f"en@{REALM}", "01810110089"),
            (f"{before[two.number]}@{REALM}", two.number),
            (f"{before[three.number]}@{REALM}", None),
        ),
    )
    assert {kind: counts[kind] for kind in ("other_name", "name_taken", "matched", "no_number")} == {
        "other_name": 1, "name_taken": 1, "matched": 1, "no_number": 1,
    }  # fmt: skip
    report = installation.run()
    assert not any(report["changed"].values())
    assert names(installation) == before
    assert {uid for (uid,) in installation.query("select uid from control.directory_name")} == {
        "en", "borte", "omdoept", before[two.number], before[three.number],
    }  # fmt: skip


def test_an_import_undoes_a_run_that_waits_for_its_answer(installation: Installation, folder: Path) -> None:
    job = installation.open()
    installation.steps(job, *TO_PLAN)
    pupil = pupils(installation)[0]
    proposal = propose(installation, directory_file(folder, (f"kari@{REALM}", pupil.number)))
    assert proposal.run == job.run.number
    assert proposal.counts["matched"] == 1
    db = database.engine(installation.warehouse_url)
    assert day_one.accept(db, installation.kommune, proposal.digest) == job.run.number
    with pytest.raises(NotApproved):
        approve_and_release(job)
    assert close_run(job, [])["outcome"] == "superseded"
    installation.run()
    assert names(installation)[pupil.number] == "kari"


def test_an_approval_is_of_the_difference_that_was_shown(installation: Installation, folder: Path) -> None:
    db = database.engine(installation.warehouse_url)
    first = propose(installation, directory_file(folder, (f"en@{REALM}", "01810110003")))
    second = propose(installation, directory_file(folder, (f"to@{REALM}", "01810110003")))
    with pytest.raises(NotApproved, match="ikke lenger den som ble godkjent"):
        day_one.accept(db, installation.kommune, first.digest)
    day_one.reject(db, installation.kommune)
    with pytest.raises(NotApproved, match="ikke lenger til godkjenning"):
        day_one.accept(db, installation.kommune, second.digest)
    assert installation.query("select uid from control.directory_entry") == []


def test_where_a_bas_names_accounts_dataflyt_makes_no_name(installation: Installation, folder: Path) -> None:
    installation.kommune = installation.kommune.model_copy(update={"accounts": "bas"})
    listed, said, dear, claimed, twin, stolen, nameless, abroad = pupils(installation)[:8]
    sas = {pupil.person.number: pupil.sas for pupil in installation.registers.world.pupils if pupil.person}
    for person in pupils(installation):
        sas[person.number].username = f"bas{sas[person.number].person_id}"
    sas[listed.number].username = "ikke.denne"
    sas[said.number].username = f"Sagt.Her@{REALM}"
    sas[dear.number].username = "kjaer"
    sas[claimed.number].username = sas[twin.number].username = "felles"
    sas[stolen.number].username = "OPPTATT"
    sas[nameless.number].username = None
    sas[abroad.number].username = "kari@bergen.kommune.no"
    installation.registers.write()
    bring(
        installation,
        directory_file(folder, (f"i.katalogen@{REALM}", listed.number), (f"opptatt@{REALM}", "01810110003")),
    )
    installation.run()
    found = names(installation)
    assert found[listed.number] == "i.katalogen"
    assert found[said.number] == "sagt.her"
    assert found[dear.number] == "kjaer"
    without = {person.number for person in (claimed, twin, stolen, nameless, abroad)}
    assert not without & found.keys()
    assert without <= unnamed(installation)
    asked = why(installation.kommune, installation.environment, "missing", LOOKING, who=nameless.number).verdict
    assert asked.causes == ("account_not_named",)
    assert asked.corrector
    assert asked.corrector.id == "system_owner"
    given = {person.number: sas[person.number].username for person in pupils(installation)[8:]}
    assert {number: found[number] for number in given} == {
        number: username and username.lower() for number, username in given.items()
    }
    # A person without an account is not in the export; everybody else is.
    assert not any(f"norEduPersonNIN: {number}\n" in installation.ldif() for number in without)
    # A given name stays, even when the school system has another.
    sas[said.number].username = "nytt.navn"
    sas[nameless.number].username = "kom.til"
    installation.registers.write()
    installation.run()
    found = names(installation)
    assert (found[said.number], found[nameless.number]) == ("sagt.her", "kom.til")


# --- trial ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def trial(installation: Installation) -> Installation:
    installation.kommune = installation.kommune.model_copy(update={"trial": True})
    return installation


def planned(installation: Installation) -> Job:
    """Run a kommune on trial to its plan."""
    job = installation.open()
    installation.steps(job, *TO_PLAN)
    assert close_run(job, [])["outcome"] == "planned"
    return job


def compared(installation: Installation) -> dict[str, int]:
    db = database.engine(installation.warehouse_url)
    with database.transaction(db, "haugesund", lock=False) as connection:
        run = runs.get(connection, "haugesund", runs.newest(connection, "haugesund"))
        return day_one.compare(connection, run)


@pytest.mark.long
def test_on_trial_what_would_be_published_is_held_against_the_directory(trial: Installation, folder: Path) -> None:
    planned(trial)
    assert compared(trial) == {}  # without a directory there is nothing to compare with
    everybody = {
        person["number"]: person
        for person in people(trial.registers.world)
        if person["number"] in names(trial) and person["protection"]["effective"] in (None, "ugradert")
    }
    same, renamed, moved, promoted = [person for person in pupils(trial) if person.number in everybody][:4]
    school = "311060015"
    entries = [
        (f"samme@{REALM}", same.number, "student", None),
        (f"annet@{REALM}", renamed.number, "student", None),
        (f"flyttet@{REALM}", moved.number, None, "999999999"),
        (f"ansatt@{REALM}", promoted.number, "employee", None),
        (f"ukjent@{REALM}", "01810110003", "student", school),
        (f"uten@{REALM}", None, "student", school),
    ]
    bring(trial, directory_file(folder, *entries, header="feide;fnr;rolle;orgnr"))
    job = planned(trial)
    counts = compared(trial)
    report = json.loads((trial.storage / f"reports/haugesund/run-{job.run.number:06d}.json").read_bytes())
    assert report["directory"] == counts
    assert "Samme navn som i katalogen: 4;" in report["sentences"][-1]
    assert counts == {
        "same": 4,
        "new": counts["new"],
        "missing": 2,
        "other_name": 0,
        "other_school": 1,
        "other_role": 1,
    }
    # Two were named before the directory came. They keep the names from a released run, and are counted.
    trial.kommune = trial.kommune.model_copy(update={"trial": False})
    trial.run()
    bring(
        trial,
        directory_file(
            folder, *entries[:1], (f"nytt@{REALM}", renamed.number, "student", None), header="feide;fnr;rolle;orgnr"
        ),
    )
    trial.run()
    counts = compared(trial)
    assert (counts["same"], counts["other_name"], counts["missing"]) == (1, 1, 0)
    # The people are those of the publication: a fortrolig person is counted like everybody.
    accounts_published = len(re.findall(r"^eduPersonPrincipalName: ", trial.ldif(), re.MULTILINE))
    assert counts["same"] + counts["other_name"] + counts["new"] == accounts_published


PROTECTIONS = [None, "fortrolig", "strengtFortrolig"]


@pytest.mark.long
def test_nobody_can_tell_from_a_comparison_or_an_import_who_is_protected(trial: Installation, folder: Path) -> None:
    """Change one person's protection in the same world: any difference is then due to it."""
    pupil, other, third = _without_siblings(trial)[:3]
    employee = next(one.person for one in trial.registers.world.employees if not one.cases and not one.person.cases)
    entries = [
        (f"a@{REALM}", pupil.number, "student"),
        (f"b@{REALM}", other.number, "employee"),
        (f"c@{REALM}", employee.number, "employee"),
    ]
    header = "feide;fnr;rolle"
    bring(trial, directory_file(folder, *entries, header=header))
    path = directory_file(folder, *entries, (f"d@{REALM}", third.number, ""), ("ingen", None, ""), header=header)

    def seen() -> object:
        return compared(trial), sorted(_rows(trial)), _proposed(trial, path)

    planned(trial)
    first = seen()
    for protection in PROTECTIONS:
        pupil.protection = protection
        planned(trial)
        assert seen() == first
    for level in (2, 3):
        trial.query(
            "insert into control.veto (owner, kind, person_id, level, cause, run, learned_at) "
            "values ('haugesund', 'protection', :person, :level, 'own', 1, now()) returning 1",
            person=_person_id(trial, employee.number),
            level=level,
        )
        assert seen() == first
    assert compared(trial)["same"] == 3


def test_rows_of_those_whom_dataflyt_knows_are_for_those_who_may_see_protection(
    trial: Installation, folder: Path
) -> None:
    """A line that is known here, of somebody whom no look-up finds, would tell that the person is protected."""
    planned(trial)
    trial.kommune = trial.kommune.model_copy(
        update={"people": (CaseWorker(id=LOOKING.id, name=LOOKING.name, may=("persons", "decide")),)}
    )
    bring(trial, directory_file(folder, (f"en@{REALM}", _without_siblings(trial)[0].number)))
    for rows in (_rows, _proposed_rows):
        with pytest.raises(NotAllowed, match="«graded»"):
            rows(trial)


@pytest.mark.long
def test_who_is_hidden_before_or_after_a_run_is_the_same_in_the_directory_and_else_nowhere(
    trial: Installation, folder: Path
) -> None:
    one, other, absent = _without_siblings(trial)[:3]
    bring(trial, directory_file(folder, (f"en@{REALM}", one.number), (f"to@{REALM}", other.number)))
    trial.kommune = trial.kommune.model_copy(update={"trial": False})
    trial.run()
    bring(trial, directory_file(folder, (f"annet@{REALM}", one.number), (f"to@{REALM}", other.number)))
    trial.run()
    open_to_all = compared(trial)
    assert (open_to_all["same"], open_to_all["other_name"], open_to_all["missing"]) == (1, 1, 0)
    ids = {number: str(_person_id(trial, number)) for number in (one.number, absent.number)}
    assert {("other_name", ids[one.number]), ("new", ids[absent.number])} <= set(_rows(trial))
    one.protection = absent.protection = "strengtFortrolig"
    trial.run()
    # Their protection is lowered again; they were still hidden before this run.
    for protection in ("strengtFortrolig", None):
        one.protection = absent.protection = protection
        job = trial.open()
        trial.steps(job, *TO_PLAN)
        hidden = compared(trial)
        assert hidden == {**open_to_all, "same": 2, "other_name": 0, "new": open_to_all["new"] - 1}
        assert not set(ids.values()) & {person for _, person in _rows(trial)}
        # An import does not tell either, for any fault in the entry.
        proposal = propose(trial, directory_file(folder, (f"en@{REALM}", one.number), (f"annet@{REALM}", one.number)))
        assert proposal.counts["matched"] == 2
        assert proposal.counts["several_names"] == 0
        assert not set(ids.values()) & {row[1] for row in _proposed_rows(trial)}
        close_run(job, [])


@pytest.mark.long
def test_who_left_and_is_hidden_is_missing_as_everybody_who_left(trial: Installation, folder: Path) -> None:
    planned(trial)
    guardian = next(
        person for person in trial.registers.world.persons.values() if person.roles == ["guardian"] and not person.cases
    )
    bring(trial, directory_file(folder, (f"sluttet@{REALM}", guardian.number)))
    for protection in PROTECTIONS:
        guardian.protection = protection
        planned(trial)
        counts = compared(trial)
        assert (counts["same"], counts["missing"]) == (0, 1)


def _without_siblings(installation: Installation) -> list[Person]:
    """Return ordinary pupils whose protection would spread to nobody."""
    world = installation.registers.world
    found = []
    for pupil in pupils(installation):
        adults = [world.persons.get(record.ansvarlig or "") for record in pupil.responsibility]
        if adults and all(adult and not adult.cases and len(adult.children) == 1 for adult in adults):
            found.append(pupil)
    return found


def _person_id(installation: Installation, number: str) -> object:
    sql = "select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :number"
    return installation.query(sql, number=number)[0][0]


def _proposed(installation: Installation, path: Path) -> object:
    proposal = propose(installation, path)
    rows = _proposed_rows(installation)
    day_one.reject(database.engine(installation.warehouse_url), installation.kommune)
    return proposal.counts, rows


def _proposed_rows(installation: Installation) -> list[tuple[object, ...]]:
    db = database.engine(installation.warehouse_url)
    return [tuple(row) for row in day_one.proposed_rows(db, installation.kommune, LOOKING)]


def _rows(installation: Installation) -> list[tuple[str, str | None]]:
    db = database.engine(installation.warehouse_url)
    with database.transaction(db, "haugesund", lock=False) as connection:
        day_one.compare(connection, runs.get(connection, "haugesund", runs.newest(connection, "haugesund")))
        return [(row.kind, row.person_id) for row in day_one.compared_rows(connection, installation.kommune, LOOKING)]


# --- two kommuner -----------------------------------------------------------------------------------------------------


def test_another_kommune_sees_and_changes_nothing_of_an_imported_directory(
    installation: Installation, folder: Path
) -> None:
    bring(installation, directory_file(folder, (f"en@{REALM}", "01810110003")))
    own = installation.warehouse_url
    other = own.replace("kommune_haugesund", "kommune_bergen")
    for table in ("control.directory_entry", "control.directory_name"):
        assert psql(own, f"select count(*) from {table}").stdout.split() == ["1"]
        assert psql(other, f"select count(*) from {table}").stdout.split() == ["0"]
        for statement in (f"delete from {table}", f"update {table} set uid = 'x'"):
            assert psql(other, statement).returncode == 0
        assert psql(own, f"select uid from {table}").stdout.split() == ["en"]
    for statement in (
        "insert into control.directory_entry (owner, uid, line, imported_at) values ('haugesund', 'x', 9, now())",
        "insert into control.directory_name values ('haugesund', 'x')",
        "select * from staging_haugesund.directory",
    ):
        refused = psql(other, statement)
        assert refused.returncode != 0, statement
    # The other kommune has the same number and name, under a key of its own.
    bergen = installation.kommune.model_copy(update={"id": "bergen"})
    db = database.engine(other)
    proposal = day_one.propose(db, bergen, directory_file(folder, ("en", "01810110003")), lambda read: None)
    day_one.accept(db, bergen, proposal.digest)
    mine, theirs = (psql(url, "select number_id from control.directory_entry").stdout.split() for url in (own, other))
    assert len(mine) == len(theirs) == 1
    assert mine != theirs


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
def command(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> Installation:
    text = json.dumps({"conn_type": "generic", "host": installation.warehouse_url})
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_HAUGESUND", text)
    monkeypatch.setenv("COLUMNS", "120")
    return installation


def test_an_import_shows_the_difference_asks_and_says_nothing_of_anybody(command: Installation, folder: Path) -> None:
    command.run()
    one, two, three = pupils(command)[:3]
    path = directory_file(
        folder,
        (f"Annet.Navn@{REALM}", one.number, "Etternavnsen"),
        (f"hemmelig@{REALM}", None, "Etternavnsen"),
        (f"ukjent@{REALM}", "01810110003", "Etternavnsen"),
        (f"flere1@{REALM}", two.number, ""),
        (f"flere2@{REALM}", two.number, ""),
        ("", three.number, ""),
        header="feide;fnr;etternavn",
    )
    said = ""
    for words, ending in (
        ([], "ingen å spørre"),
        (["--reject"], "Importen ble avvist"),
        (["--approve", "--rows", *LOOKING_AS], "Katalogen er importert"),
        (["--approve", "--kommune", "1106"], "Katalogen er importert"),
    ):
        result = runner.invoke(app, ["account", "import", str(path), *words])
        assert result.exit_code == 0, result.output
        assert ending in result.output
        kept = command.query("select count(*) from control.directory_entry")[0][0]
        assert kept == (5 if "--approve" in words else 0)
        said += result.output
    assert "Har alt et annet navn fra Dataflyt, og beholder det" in said
    ids = dict(command.query("select value, person_id::text from golden.person_link where to_run is null"))
    assert f"other_name\t{ids[one.number]}" in said
    assert f"several_names\t{ids[two.number]}" in said
    assert "no_number\tlinje 3" in said
    assert "unknown\tlinje 4" in said
    assert "no_name\t" in said
    result = runner.invoke(app, ["account", "difference", "haugesund", "--rows", *LOOKING_AS])
    assert result.exit_code == 0, result.output
    assert "mot katalogen som ble importert" in result.output
    assert f"other_name\t{ids[one.number]}" in result.output
    said += result.output
    assert not re.search(r"(?<![0-9a-f-])[0-9]{11}(?![0-9a-f-])", said)
    for word in ("annet.navn", "hemmelig@", "flere1", "etternavnsen", "kanari"):
        assert word not in said.lower()


def test_what_cannot_be_imported_or_compared_is_one_sentence(command: Installation, folder: Path) -> None:
    path = directory_file(folder, ("kari@annen.kommune.no", "01810110003"))
    broken = folder / "ødelagt.ldif"
    broken.write_text("dn: uid=kari\nkari 01810110003\n")
    for words, sentence in (
        (["import", str(path)], "katalog.csv sier ikke hvilken kommune den er for"),
        (["import", str(path), "--kommune", "haugesund", "--approve"], f"katalog.csv har ingen navn i domenet {REALM}"),
        (["import", str(path), "--kommune", "ukjent"], "heter «ukjent»"),
        (["import", str(broken), "--kommune", "haugesund"], "ødelagt.ldif, linje 2: linjen skulle hatt et attributt"),
        (["import", str(folder / "borte.csv")], "borte.csv kan ikke åpnes (den finnes ikke)"),
        (["import", str(folder)], "er ikke en vanlig fil"),
        (["difference", "haugesund"], "har ingen importert katalog"),
    ):
        result = runner.invoke(app, ["account", *words])
        assert result.exit_code == 2, result.output
        assert sentence in result.output
        assert len(result.output.strip().splitlines()) == 1
        assert "01810110003" not in result.output
        assert "kari" not in result.output
    bring(command, directory_file(folder, (f"kari@{REALM}", "01810110003")))
    result = runner.invoke(app, ["account", "difference", "haugesund"])
    assert "det er ingen kjøring ennå" in result.output
    command.run(answer="rejected")
    result = runner.invoke(app, ["account", "difference", "haugesund"])
    assert "kjøring 1 er avvist og angret" in result.output


def test_a_broken_file_changes_nothing_of_what_was_imported(installation: Installation, folder: Path) -> None:
    bring(installation, directory_file(folder, (f"kari@{REALM}", "01810110003")))
    with pytest.raises(Unreadable, match=r"katalog\.csv, linje 3: linjen har binære data"):
        propose(installation, directory_file(folder, (f"ola@{REALM}", "01810110089"), ("x\0", "")))
    assert installation.query("select uid from control.directory_entry") == [("kari",)]


def test_the_kommune_of_a_file_is_the_one_whose_realm_it_has(folder: Path) -> None:
    shipped = Path(loading.__file__).parents[2] / "kommuner"
    path = directory_file(folder, ("uten", "01810110003"), (f"kari@{REALM.upper()}", "01810110089"))
    assert day_one.kommune_of(path, shipped, None).id == "haugesund"
