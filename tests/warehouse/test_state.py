"""The publication follows its state, between runs too: the day, people's decisions, the kommune file."""

import json
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url, text
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.errors import CheckFailed, ConfigError, SourceUnavailable
from dataflyt.exports import publishing
from dataflyt.operations import nightly
from dataflyt.run.check import check
from dataflyt.run.close_run import close_run
from dataflyt.run.job import open_job
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.run.republish import republish
from dataflyt.run.withdraw import withdraw
from dataflyt.sources.freg import client as freg_client
from dataflyt.warehouse import rules
from simulator.model import Person
from tests.installation.fixtures import Installation, approve_and_release
from tests.installation.test_events import landed_of
from tests.installation.test_killed import _kill_self, _killed
from tests.installation.test_pifu import _manifest, _plain_pupils, _published
from tests.warehouse.test_rules import _block, _grant, _link, _newcomer, _write

EXTRACTS = ("extract_sas", "extract_hr", "extract_freg", "extract_krr")


def pupils(installation: Installation, count: int) -> list[Person]:
    """Return ordinary pupils with two guardians."""
    found = [pupil.person for pupil in _plain_pupils(installation)[:count]]
    return [person for person in found if person]


def tonight(installation: Installation) -> nightly.Outcome:
    return nightly.run([installation.kommune], installation.environment)


@pytest.mark.long
def test_a_birthday_between_two_runs_takes_both_guardians_out_the_same_night(installation: Installation) -> None:
    child, other = pupils(installation, 2)
    child.born = date(2008, 12, 1)
    guardians = {record.ansvarlig for record in child.responsibility}
    installation.run()
    installation.clock = datetime(2026, 11, 30, 22, 59, tzinfo=UTC)
    assert tonight(installation).trouble == []
    assert _published(installation).guardians[child.number] == guardians
    beside = _published(installation).guardians[other.number]

    installation.clock = datetime(2026, 11, 30, 23, 10, tzinfo=UTC)  # ten past midnight in Norway
    assert tonight(installation).counts == {"kommuner": 1}
    file = _published(installation)
    assert child.number in file.pupils
    assert child.number not in file.guardians
    assert not guardians & set(file.people)
    assert file.guardians[other.number] == beside
    # A later run, failed or not, does not bring them back.
    assert installation.run(answer="rejected")
    assert child.number not in _published(installation).guardians


@pytest.mark.after_first_run
def test_a_blocked_adult_is_taken_out_though_freg_is_down_and_the_run_fails(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    (child,) = pupils(installation, 1)
    blocked, stays = (record.ansvarlig or "" for record in child.responsibility)
    assert _published(installation).guardians[child.number] == {blocked, stays}
    _block(installation, child.number, blocked)
    monkeypatch.setattr(freg_client, "extract", _down)
    report = installation.run()
    assert (report["outcome"], report["failed"]) == ("failed", ["extract_freg"])
    assert _published(installation).guardians[child.number] == {stays}
    assert not kept_with(installation, blocked), "kept files from before the block are thrown away"


@pytest.mark.after_first_run
def test_a_grant_that_is_withdrawn_or_has_ended_is_not_published(installation: Installation) -> None:
    child, other = pupils(installation, 2)
    friend, aunt = _newcomer(installation, child.number), _newcomer(installation, other.number)
    _grant(installation, child.number, friend)
    _grant(installation, other.number, aunt)
    installation.query(
        "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
        "decided_by, approved_by, from_run, until) select owner, child_id, adult, adult_kind, basis, scope, "
        "case_number, seen_by, decided_by, approved_by, from_run, '2026-11-30' from control.access_grant "
        "where child_id = :child returning 1",
        child=_link(installation, other.number),
    )
    _write(
        installation,
        "update control.access_grant set withdrawn_at = now(), withdrawn_by = 'anita' "
        "where child_id = :child and until is null",
        child=_link(installation, other.number),
    )
    installation.run()
    assert friend in _published(installation).guardians[child.number]
    assert aunt in _published(installation).guardians[other.number]
    _write(
        installation,
        "update control.access_grant set withdrawn_at = now(), withdrawn_by = 'anita' where child_id = :child",
        child=_link(installation, child.number),
    )
    tonight(installation)
    assert friend not in _published(installation).guardians[child.number]
    assert len(publications(installation)) == 1

    installation.clock = datetime(2026, 11, 30, 20, tzinfo=UTC)
    tonight(installation)
    assert aunt in _published(installation).guardians[other.number], "the last day counts"
    installation.clock = datetime(2026, 11, 30, 23, 10, tzinfo=UTC)
    tonight(installation)
    assert aunt not in _published(installation).guardians[other.number]


@pytest.mark.after_first_run
def test_a_pupil_whom_an_override_protects_is_taken_out_of_every_kept_file(installation: Installation) -> None:
    (child,) = pupils(installation, 1)
    _override(installation, child.number)
    tonight(installation)
    assert child.number not in _published(installation).pupils
    assert not kept_with(installation, child.number)


@pytest.mark.long
@pytest.mark.after_first_run
def test_what_the_kommune_file_gives_waits_for_a_run_and_what_it_takes_does_not(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = installation

    def files(exports: tuple[str, ...], **extras: tuple[str, ...]) -> set[str]:
        here.kommune = here.kommune.model_copy(update={"exports": exports, "export_extras": extras})
        tonight(here)
        return {Path(name).name for name in written(here)}

    assert files(("feide_ldif", "sds", "oneroster")) == {"feide.ldif", "manifest.json"}
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "publish", _down)
        assert tonight(here).trouble == [], "it is written once, not every hour until the run"
    here.run()
    given = {"feide.ldif", "sds.zip", "oneroster.zip", "manifest.json"}
    assert files(("feide_ldif", "sds", "oneroster")) >= given
    shy = _zipped(here, "sds.zip")
    assert not any("@gmail" in text or "@example" in text for text in shy.values())

    assert files(("feide_ldif", "sds", "oneroster"), sds=("contact", "guardians")) >= given
    assert _zipped(here, "sds.zip") == shy
    here.run()
    assert _zipped(here, "sds.zip")["relationships.csv"].count("\n") > 1
    assert files(("feide_ldif", "sds"), sds=("contact", "birth_dates")) == given - {"oneroster.zip"}
    assert _zipped(here, "sds.zip").keys() == shy.keys(), "guardians go at once, birth dates do not come"
    assert files(("pifu",)) == {"manifest.json"}, "what has not been published before waits, and the rest is gone"
    here.run()
    assert files(("pifu",)) == {"pifu.xml", "manifest.json"}


def _zipped(here: Installation, name: str) -> dict[str, str]:
    exports = here.storage / "exports" / "haugesund"
    folder = exports / json.loads((exports / "manifest.json").read_bytes())["publication"]
    with zipfile.ZipFile(folder / name) as archive:
        return {entry: archive.read(entry).decode("utf-8-sig") for entry in archive.namelist()}


@pytest.mark.after_first_run
def test_what_has_not_changed_is_not_written_again(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    (child,) = pupils(installation, 1)
    stands, known = written(installation), states(installation)
    assert set(stands) == {"feide.ldif", "pifu.xml", "manifest.json"}
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "publish", _down)
        assert tonight(installation).trouble == []

    # Another state gives the same bytes: it is noted, and nothing is copied.
    installation.clock = datetime(2026, 11, 24, 3, tzinfo=UTC)
    tonight(installation)
    _block(installation, child.number, _newcomer(installation, child.number))
    tonight(installation)
    assert written(installation) == stands
    assert states(installation)[0] != known[0]
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "publish", _down)
        assert tonight(installation).trouble == []

    # The kommune file is changed.
    feide = installation.kommune.feide.model_copy(update={"mail": "ny@haugesund.kommune.no"})
    installation.kommune = installation.kommune.model_copy(update={"feide": feide})
    tonight(installation)
    assert "ny@haugesund.kommune.no" in installation.ldif()
    assert _manifest(installation)["run"] == 1


@pytest.mark.after_first_run
@pytest.mark.new_connections  # a fork uses the connections of its parent
@pytest.mark.parametrize("moment", ["before anything is written", "between what is known of it and the manifest"])
def test_killed_anywhere_the_next_who_looks_brings_it_in_line(
    installation: Installation, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (child,) = pupils(installation, 1)
    blocked, stays = (record.ansvarlig or "" for record in child.responsibility)
    _block(installation, child.number, blocked)
    with monkeypatch.context() as patched:
        patched.setattr(publishing, "state" if moment.startswith("before") else "write_atomically", _kill_self)
        _killed(lambda: republish(installation.kommune, installation.environment))
    republish(installation.kommune, installation.environment)
    assert _published(installation).guardians[child.number] == {stays}
    # Killed again, and then the state is the old one again: so is the publication.
    _unblock(installation)
    republish(installation.kommune, installation.environment)
    write = publishing.write_atomically
    with monkeypatch.context() as patched:
        _block(installation, child.number, blocked)
        patched.setattr(publishing, "write_atomically", lambda *said: (write(*said), _kill_self()))
        _killed(lambda: republish(installation.kommune, installation.environment))
    assert _published(installation).guardians[child.number] == {stays}
    _unblock(installation)
    republish(installation.kommune, installation.environment)
    assert _published(installation).guardians[child.number] == {blocked, stays}


def _unblock(installation: Installation) -> None:
    """Lift the block as if a released run had given the access back: people's lifting waits for a run."""
    database = make_url(installation.warehouse_url).database
    url = make_url(installation.admin_url).set(drivername="postgresql", database=database)
    with psycopg.connect(url.render_as_string(hide_password=False)) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(
            "update control.access_block set lifted_at = now(), lifted_by = 'a', lifted_by_second = 'b' "
            "where lifted_at is null"
        )


@pytest.mark.after_first_run
def test_a_kommune_on_trial_again_still_takes_out_whom_people_hide(installation: Installation) -> None:
    (child,) = pupils(installation, 1)
    blocked, stays = (record.ansvarlig or "" for record in child.responsibility)
    _block(installation, child.number, blocked)
    installation.kommune = installation.kommune.model_copy(update={"trial": True})
    job = installation.open()
    installation.steps(job, *EXTRACTS, "withdraw", "check", "merge")
    assert close_run(job, [])["outcome"] == "planned"
    assert _manifest(installation)["run"] == 1
    assert _published(installation).guardians[child.number] == {stays}


def test_nothing_is_published_of_a_kommune_that_has_published_nothing(installation: Installation) -> None:
    assert installation.run(answer="rejected")["outcome"] == "rejected"
    assert tonight(installation).counts == {"kommuner": 0}
    assert not (installation.storage / "exports").exists()


@pytest.mark.after_first_run
def test_the_trouble_of_one_kommune_stops_no_other_and_a_missing_file_is_told(installation: Installation) -> None:
    (child,) = pupils(installation, 1)
    blocked, stays = (record.ansvarlig or "" for record in child.responsibility)
    _block(installation, child.number, blocked)
    for gone in ("bergen", "oslo"):
        folder = installation.storage / "exports" / gone
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
    bergen = installation.kommune.model_copy(update={"id": "bergen"})  # its connection logs in as another kommune
    outcome = nightly.run([bergen, installation.kommune], installation.environment)
    assert [(type(one), one.sentence.partition(":")[0]) for one in outcome.trouble] == [
        (ConfigError, "bergen"),
        (ConfigError, "oslo"),
    ]
    assert outcome.counts == {"kommuner": 1}
    assert _published(installation).guardians[child.number] == {stays}


@pytest.mark.after_first_run
def test_it_is_done_by_hand_too_for_one_kommune_or_all(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = installation.environment.connect("warehouse_haugesund")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE_HAUGESUND", json.dumps({"conn_type": "generic", "host": one.url}))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(installation.storage))
    (child,) = pupils(installation, 1)
    guardians = {record.ansvarlig or "" for record in child.responsibility}
    for arguments in (["publish", "1106"], ["publish"]):
        _block(installation, child.number, guardians.pop())
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        assert _published(installation).guardians.get(child.number, set()) == guardians
    assert done.output == "Kommuner der det som er publisert, følger dagen: 1.\n"
    assert CliRunner().invoke(app, ["publish", "9999"]).exit_code == 2


@pytest.mark.after_first_run
def test_files_that_fall_unasked_are_not_published_and_with_an_answer_they_are(installation: Installation) -> None:
    before = installation.ldif()
    guard = {"limits": {}, "august": {}, "max_drop_percent": 0.5}
    installation.kommune = installation.kommune.model_copy(
        update={"guard": installation.kommune.guard.model_copy(update=guard)}
    )
    for pupil in installation.registers.world.pupils:
        if pupil.person and not pupil.person.cases:
            pupil.person.given, pupil.person.family = "A", "B"
    job = installation.open()
    installation.steps(job, *EXTRACTS, "withdraw", "check")
    merged = merge(job)
    assert not merged["asks"]
    approve_and_release(job)
    with pytest.raises(CheckFailed, match=r"feide\.ldif.* ble ikke publisert.*full innlasting") as stopped:
        publish(job)
    assert not any(letter.isdigit() for letter in stopped.value.sentence)
    assert close_run(job, ["publish"])["outcome"] == "not_published"
    assert installation.ldif() == before

    installation.runs += 1
    reload = open_job(installation.kommune, "reload", job.run.as_of, installation.environment, full_reload=True)
    report = installation.run(job=reload)
    assert report["outcome"] == "released"
    assert installation.ldif() != before
    assert any("mye mindre" in sentence for sentence in report["sentences"])


@pytest.mark.after_first_run
def test_nothing_changed_is_not_said_when_the_files_have_lost_most_of_their_people(installation: Installation) -> None:
    everybody = [pupil.person for pupil in installation.registers.world.pupils if pupil.person]
    for person in everybody[: len(everybody) * 2 // 3]:
        person.protection, person.home = "strengtFortrolig", None
    report = installation.run()
    assert report["outcome"] == "released"
    assert "Ingenting er endret." not in report["sentences"]
    (sentence,) = [sentence for sentence in report["sentences"] if "mye mindre" in sentence]
    assert not any(letter.isdigit() for letter in sentence)
    assert len(_published(installation).pupils) < len(everybody) / 2
    assert not any("mye mindre" in sentence for sentence in installation.run()["sentences"])


@pytest.mark.after_first_run
@pytest.mark.parametrize("protected", [False, True])
def test_no_raw_answer_outlives_its_run_and_the_run_can_be_taken_up_again(
    installation: Installation, protected: bool
) -> None:
    (child,) = pupils(installation, 1)
    if protected:
        child.protection, child.home = "strengtFortrolig", None
    job = installation.open()
    installation.steps(job, *EXTRACTS, "withdraw")
    assert landed_of(installation) > {"freg", "krr"}
    assert close_run(job, ["check"])["outcome"] == "failed"
    assert landed_of(installation) == {"hr", "sas"}
    assert job.landing("sas").names()

    # The staged rows are still there, and a cleared step goes on from them.
    withdraw(job)
    check(job)
    # A crashed server has emptied it, and there is nothing to build it from.
    with job.transaction() as connection:
        connection.execute(text("truncate staging_haugesund.freg_navn"))
    for step in (check, merge):
        with pytest.raises(CheckFailed, match="på nytt fra «Hent fra Folkeregisteret»"):
            step(job)
    withdraw(job)
    assert installation.run(job=job)["outcome"] == "released"
    assert (child.number in installation.ldif()) is not protected


@pytest.mark.after_first_run
def test_an_override_made_stricter_throws_away_the_files_from_before(installation: Installation) -> None:
    (child,) = pupils(installation, 1)
    _override(installation, child.number, value="fortrolig")
    tonight(installation)
    assert child.number in _published(installation).pupils
    _override(installation, child.number)
    tonight(installation)
    assert not kept_with(installation, child.number)


@pytest.mark.after_first_run
def test_an_override_reaches_whoever_lives_there_and_every_adult_elsewhere_though_no_run_has_learned_it(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = installation.registers.world
    child, other = pupils(installation, 2)
    away, near = (world.persons[record.ansvarlig or ""] for record in child.responsibility)
    assert away.home
    away.home = replace(away.home, husnummer="999")
    installation.run()
    assert _published(installation).guardians[child.number] == {away.number, near.number}
    _override(installation, child.number, value="fortrolig")
    _override(installation, other.responsibility[0].ansvarlig or "")
    tonight(installation)
    assert _published(installation).guardians[child.number] == {near.number}
    assert other.number not in _published(installation).pupils, "a guardian who lives there is protected"
    vetoes = installation.query("select count(*) from control.veto")
    monkeypatch.setattr(freg_client, "extract", _down)
    assert installation.run()["outcome"] == "failed"
    tonight(installation)
    assert installation.query("select count(*) from control.veto") == vetoes
    assert _published(installation).guardians[child.number] == {near.number}


@pytest.mark.after_first_run
@pytest.mark.parametrize("then", ["the next is not published", "the next is only planned"])
def test_what_is_published_keeps_its_contact_values_when_it_is_written_anew(
    installation: Installation, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = installation.registers.world
    adults = (
        world.persons[record.ansvarlig or ""] for child in pupils(installation, 9) for record in child.responsibility
    )
    contact = next(one.contact for one in adults if one.contact and kept_with(installation, one.contact.epost or "?"))
    known, contact.epost = contact.epost or "", "ny@example.com"
    if "planned" in then:
        installation.kommune = installation.kommune.model_copy(update={"trial": True})
    job = installation.open()
    installation.steps(job, *EXTRACTS, "withdraw", "check")
    merge(job)
    if "planned" not in then:
        approve_and_release(job)
    close_run(job, [] if "planned" in then else ["publish"])
    installation.clock = datetime(2026, 11, 26, 3, tzinfo=UTC)
    (child,) = pupils(installation, 1)
    _block(installation, child.number, _newcomer(installation, child.number))
    tonight(installation)
    assert _manifest(installation)["run"] == 1
    current = installation.storage / "exports/haugesund" / _manifest(installation)["publication"] / "pifu.xml"
    assert known in current.read_text(encoding="utf-8")


@pytest.mark.after_first_run
def test_raw_answers_are_thrown_away_though_the_report_cannot_be_written(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = installation.open()
    installation.steps(job, *EXTRACTS, "withdraw")
    monkeypatch.setattr("dataflyt.run.close_run._write_report", _down)
    with pytest.raises(SourceUnavailable):
        close_run(job, ["check"])
    assert landed_of(installation) == {"hr", "sas"}


@pytest.mark.after_first_run
def test_a_review_date_that_has_come_is_on_the_work_list(installation: Installation) -> None:
    child, other = pupils(installation, 2)
    for one, due in ((child, "2026-12-01"), (other, "2026-12-02")):
        _override(installation, one.number, review_on=due)
        installation.query(
            "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at, "
            "review_on) values ('haugesund', :child, 'org:944073787', 'vedtak', '2026/4', 'anita', now(), :due) "
            "returning 1",
            child=_link(installation, one.number),
            due=due,
        )
    rule = rules.sql("work_list/review_due")
    assert installation.query(rule.format(day="date '2026-11-30'")) == []
    person = str(_link(installation, child.number))
    due = installation.query(rule.format(day="date '2026-12-01'"))
    assert sorted((one.kind, one.subject, one.other, one.unit_id) for one in due) == [
        ("block_review_due", person, "org:944073787", None),
        ("override_review_due", person, "adressebeskyttelse", None),
    ]
    assert len(installation.query(rule.format(day="date '2026-12-02'"))) == 4


def _override(
    installation: Installation, number: str, review_on: str | None = None, value: str = "strengtFortrolig"
) -> Any:
    person = _link(installation, number)
    installation.query(
        "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, approved_by, "
        "from_run, review_on) values ('haugesund', :person, 'adressebeskyttelse', :value, 'vedtak', "
        "'2026/3', 'anita', 'birgitte', 2, :review_on) returning 1",
        person=person,
        value=value,
        review_on=review_on,
    )
    return person


def _down(*_: object, **__: object) -> None:
    raise SourceUnavailable("Svarer ikke.")


def publications(installation: Installation) -> list[Path]:
    return [path for path in (installation.storage / "exports/haugesund").iterdir() if path.is_dir()]


def kept_with(installation: Installation, word: str) -> list[Path]:
    files = (path for path in (installation.storage / "exports").rglob("*") if path.is_file())
    return [path for path in files if word in path.read_text(encoding="utf-8")]


def written(installation: Installation) -> dict[str, int]:
    """Return the time when each published file was written."""
    folder = installation.storage / "exports/haugesund"
    current = folder / _manifest(installation)["publication"]
    return {path.name: path.stat().st_mtime_ns for path in (folder / "manifest.json", *current.iterdir())}


def states(installation: Installation) -> list[str]:
    sql = "select state from control.publication where withdrawn_at is null order by published_at desc"
    return [state for (state,) in installation.query(sql)]
