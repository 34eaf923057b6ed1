"""A run's reading of the files of HR and SAS."""

import os
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable, Unreadable
from dataflyt.operations import work_list
from dataflyt.sources.sas import client as sas_client
from simulator.formats import write_calendar, write_oneroster, write_visma
from tests.installation.fixtures import LOOKING, Installation


def _newest(installation: Installation, source: str, suffix: str) -> Path:
    return max((installation.registers.drop / "1106" / source).glob(f"*{suffix}"))


def _rewrite(path: Path, text: str, *, days_old: float = 0.1) -> None:
    path.write_text(text, encoding="utf-8")
    os.utime(path, (time.time() - days_old * 86_400,) * 2)


def _said(installation: Installation, source: str, **changed: object) -> Kommune:
    """Return the kommune with changed fields of a source."""
    sources = installation.kommune.sources
    other = getattr(sources, source).model_copy(update=changed)
    return installation.kommune.model_copy(update={"sources": sources.model_copy(update={source: other})})


@pytest.mark.long
def test_a_run_says_which_files_are_the_same_as_last_time_and_stops_at_one_that_is_too_old(
    installation: Installation,
) -> None:
    same = {"Skolesystemet: filen er den samme som sist.", "Timeplanen: filen er den samme som sist."}
    assert not same & set(installation.run()["sentences"])
    hr = _newest(installation, "hr", ".xml")
    _rewrite(hr, hr.read_text(encoding="utf-8") + "\n")
    report = installation.run()
    assert {sentence for sentence in report["sentences"] if "den samme" in sentence} == same
    assert [file["same"] for file in report["files"]] == [False, True, True]
    assert _listed(installation, "file_same") == [("sas", _newest(installation, "sas", ".xml").name)]
    installation.kommune = _said(installation, "sas", max_age_days=2)
    job = installation.open()
    for days in (3, 2):
        pifu = _newest(installation, "sas", ".xml")
        os.utime(pifu, (job.run.as_of.timestamp() - days * 86_400 - 60,) * 2)
        if days == 3:
            with pytest.raises(SourceUnavailable, match="er 3 dager gammel, og kommunen godtar 2"):
                installation.steps(job, "extract_sas")
    assert installation.steps(job, "extract_sas")["sas_person"] > 400


_NUMBER = re.compile(r'"personNIN">(\d{11})<')


def _enrolled(installation: Installation) -> list[str]:
    """Return the numbers of pupils whose accounts are published."""
    numbers = "select distinct l.value from golden.enrolment e join golden.person_link l using (person_id) where "
    numbers += "l.scheme = 'number' and e.to_run is null and l.to_run is null order by 1"
    published = installation.ldif()
    return [number for (number,) in installation.query(numbers) if number in published]


def _listed(installation: Installation, kind: str) -> list[tuple[str, str]]:
    listed = work_list.items(installation.kommune, installation.environment, LOOKING)
    return [(item.subject, item.other) for item in listed if item.kind == kind]


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_file_that_is_the_same_stands_on_the_work_list_until_a_new_one_has_come(installation: Installation) -> None:
    assert _listed(installation, "file_same") == []
    same = [(source, _newest(installation, source, ".xml").name) for source in ("hr", "sas")]
    for _ in range(2):
        assert installation.run()["outcome"] == "released"
        assert _listed(installation, "file_same") == same
    copy = _newest(installation, "sas", ".xml")
    _rewrite(copy.with_name("pifu_2.xml"), copy.read_text(encoding="utf-8"), days_old=0.01)
    installation.run()
    assert _listed(installation, "file_same") == [same[0], ("sas", "pifu_2.xml")]
    for source in ("hr", "sas"):
        file = _newest(installation, source, ".xml")
        _rewrite(file, file.read_text(encoding="utf-8") + "\n", days_old=0.01)
    installation.run()
    assert _listed(installation, "file_same") == []


@pytest.mark.after_first_run
def test_a_run_reads_the_file_that_was_delivered_last_and_not_one_that_is_too_old(installation: Installation) -> None:
    pifu = _newest(installation, "sas", ".xml")
    text = pifu.read_text(encoding="utf-8")
    _rewrite(pifu.with_name("pifu_28102026.xml"), text, days_old=7)
    _rewrite(pifu.with_name("pifu_02112026.xml"), text + "\n", days_old=0.01)
    pifu.unlink()
    report = installation.run()
    assert "pifu_02112026.xml" in {file["name"] for file in report["files"]}
    hr = _newest(installation, "hr", ".xml")
    job = installation.open()
    for path, days in ((hr, 9), (pifu.with_name("pifu_02112026.xml"), 8)):
        os.utime(path, (job.run.as_of.timestamp() - days * 86_400 - 60,) * 2)
    with pytest.raises(SourceUnavailable, match="er 9 dager gammel, og kommunen godtar 8"):
        installation.steps(job, "extract_hr")
    pifu.with_name("pifu_28102026.xml").unlink()
    assert installation.steps(job, "extract_sas")["sas_person"] > 400
    monthly = installation.kommune.schedule.model_copy(update={"every": "month", "day": 1})
    installation.kommune = installation.kommune.model_copy(update={"schedule": monthly})
    assert installation.steps(installation.open(), "extract_hr")["hr_employee"] > 20


@pytest.mark.after_first_run
def test_names_decide_which_file_is_read_where_the_kommune_says_so(installation: Installation) -> None:
    pifu, hr = (_newest(installation, source, ".xml") for source in ("sas", "hr"))
    for path in (pifu, hr):
        older = path.with_name(path.name.replace("20261123", "20261116"))
        _rewrite(older, path.read_text(encoding="utf-8") + "\n", days_old=0.01)
    job = installation.open()
    for step in ("extract_sas", "extract_hr"):
        with pytest.raises(ConfigError, match="Navn og leveringstid er ikke enige") as caught:
            installation.steps(job, step)
        assert all(word in caught.value.sentence for word in ("20261116.xml", "20261123.xml", "newest: name"))
    for source, step in (("sas", "extract_sas"), ("hr", "extract_hr")):
        installation.kommune = _said(installation, source, newest="name")
        assert installation.steps(installation.open(), step)


@pytest.mark.after_first_run
def test_who_has_left_by_the_school_system_s_own_words_is_no_pupil_any_more(installation: Installation) -> None:
    pifu = _newest(installation, "sas", ".xml")
    text = pifu.read_text(encoding="utf-8")
    entries = {
        found[1]: entry for entry in re.findall("(?s)<person>.*?</person>", text) if (found := _NUMBER.search(entry))
    }
    left, private, stays = [number for number in _enrolled(installation) if number in entries][:3]
    for number, said, instead in ((left, ">aktiv<", ">inaktiv<"), (private, ">heltid<", ">privatist<")):
        assert entries[number].count(said) == 1
        text = text.replace(entries[number], entries[number].replace(said, instead))
    _rewrite(pifu, text)
    assert installation.run()["outcome"] == "released"
    now = _enrolled(installation)
    assert (left in now, private in now, stays in now) == (False, False, True)


@pytest.mark.after_first_run
def test_a_mistyped_year_in_hr_is_set_aside_with_a_reason_and_nobody_loses_by_it(installation: Installation) -> None:
    employed = "select person_id, unit_id from golden.employment where to_run is null order by 1, 2"
    before = installation.query(employed)
    hr = _newest(installation, "hr", ".xml")
    text = hr.read_text(encoding="utf-8")
    _rewrite(hr, re.sub(r"(</Relations>\s*<DateFrom>)20", r"\g<1>02", text, count=1))
    report = installation.run()
    (set_aside,) = (one for one in report["quarantine"] if one["table_name"] == "hr_employment")
    assert (set_aside["rule"], set_aside["responsible"], set_aside["rows"]) == ("hr_employment.date", "HR", 1)
    assert set_aside["reason"] == "Fra- eller til-datoen kan ikke leses, eller årstallet kan ikke stemme."
    assert installation.query(employed) == before


@pytest.mark.after_first_run
def test_a_user_who_is_switched_off_in_the_school_system_stays_and_is_on_the_work_list(
    installation: Installation,
) -> None:
    world, sas = installation.registers.world, installation.registers.drop / "1106" / "sas"
    path = sas / "roster_20261124.zip"
    with path.open("wb") as out:
        write_oneroster(world, world.day, out)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    users = files["users.csv"].splitlines()
    number = _enrolled(installation)[0]
    (pupil,) = (line for line in users if f",{number}," in line)
    off = pupil.replace(",true,", ",false,", 1)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**files, "users.csv": files["users.csv"].replace(pupil, off)}.items():
            archive.writestr(name, text)
    os.utime(path, (time.time() - 3600,) * 2)
    installation.kommune = _said(installation, "sas", format="oneroster", files="*.zip", timetable=None)
    before = installation.query("select count(*) from golden.enrolment where to_run is null")
    report = installation.run()
    assert report["outcome"] == "released"
    assert any(noted["rule"] == "sas_person.disabled" for noted in report["noted"])
    assert installation.query("select count(*) from golden.enrolment where to_run is null") == before
    assert len(_listed(installation, "user_disabled")) == 1
    assert work_list.KINDS["user_disabled"].title.startswith("Elever og ansatte som er slått av i skolesystemet")


@pytest.mark.after_first_run
def test_a_file_that_calls_itself_full_and_lacks_a_school_s_pupils_stops_the_run(installation: Installation) -> None:
    published = installation.ldif()
    pifu = _newest(installation, "sas", ".xml")
    text = pifu.read_text(encoding="utf-8")
    school = installation.registers.world.kommune.schools[-1].school_id.rpartition("/")[2]
    gone = rf"<membership><sourcedid><source>[^<]*</source><id>(skole/)?{school}(/[^<]*)?</id>.*?</membership>"
    assert len(re.findall(gone, text)) > 1
    _rewrite(pifu, re.sub(gone, "", text))
    report = installation.run()
    assert report["outcome"] == "failed"
    assert any("En skole har mistet over halvparten av elevene siden sist" in said for said in report["sentences"])
    assert installation.ldif() == published


@pytest.mark.after_first_run
def test_a_garbled_name_is_not_published_and_a_garbled_file_stops_the_run(installation: Installation) -> None:
    published = installation.ldif()
    pifu = _newest(installation, "sas", ".xml")
    text = pifu.read_text(encoding="utf-8")
    before, group, after = text.rpartition("<short>")
    _rewrite(pifu, f"{before}{group}PrÃ¸ve {after}")
    report = installation.run()
    assert report["outcome"] == "released"
    assert "PrÃ¸ve" not in installation.ldif()
    assert any(one["rule"].endswith(".letters") for one in report["quarantine"])
    _rewrite(pifu, text.encode("utf-8").decode("iso-8859-1"))
    report = installation.run()
    assert report["outcome"] == "failed"
    assert any("filen er lest med feil tegnsett" in said for said in report["sentences"])
    assert installation.ldif() == published


@pytest.mark.after_first_run
def test_who_works_at_a_school_is_told_by_its_organisation_number_too_and_what_counts_by_the_kommune(
    installation: Installation,
) -> None:
    at_schools = "select person_id, unit_id, percentage > 0 from golden.employment where to_run is null order by 1, 2"
    before = installation.query(at_schools)
    hr = _newest(installation, "hr", ".xml")
    text = hr.read_text(encoding="utf-8")
    (unit, orgnr), *others = installation.kommune.sources.hr.units.items()
    text = text.replace(f">{unit}<", f">{orgnr}<")  # one in HR, the others as workplaces
    for unit, orgnr in others:
        text = text.replace(f"<Value>{unit.lstrip('0')}</Value>", f"<Value>{orgnr}</Value>")
    _rewrite(hr, text)
    installation.kommune = _said(installation, "hr", units={}, employment_types={"T": "inaktiv", "A": "fast"})
    installation.run()
    assert installation.query(at_schools) == [row for row in before if row[2]] != before
    kinds = "select distinct employment_type from history.hr_employment where to_run is null order by 1"
    assert installation.query(kinds) == [("fast",), ("inaktiv",)]


@pytest.mark.after_first_run
def test_a_kommune_that_changes_systems_keeps_its_pupils_groups_and_employees(installation: Installation) -> None:
    told = {
        "enrolment": "person_id, unit_id, year_level, main, from_date",
        "school_group": "group_id, unit_id, group_type, feide_type, name, year_level, from_date, to_date, timetabled, "
        "case when feide_type = 'u' then grep_code end",
        "membership": "group_id, person_id, role",
        "employment": "person_id, unit_id, percentage, main, from_date, to_date",
        "person": "person_id, number, local_number, birth_date, kjoenn",
        "guardian_access": "child_id, adult, state",
        "account": "person_id, uid, state",
    }
    query = "select {} from golden.{} where to_run is null order by 1, 2, 3"
    before = {table: installation.query(query.format(columns, table)) for table, columns in told.items()}
    world, drop = installation.registers.world, installation.registers.drop / "1106"
    for path, write in (
        (drop / "sas" / "roster_20261124.zip", write_oneroster),
        (drop / "sas" / "timeplan_20261124.ics", write_calendar),
        (drop / "hr" / "visma_20261124.xml", write_visma),
    ):
        with path.open("wb") as out:
            write(world, world.day, out)
        os.utime(path, (time.time() - 3600,) * 2)
    installation.kommune = _said(installation, "sas", format="oneroster", files="*.zip", timetable="*.ics")
    installation.kommune = _said(installation, "hr", format="visma", files="visma_*.xml", units={})
    assert installation.run()["outcome"] == "released"
    for table, columns in told.items():
        assert installation.query(query.format(columns, table)) == before[table], table


def test_a_timetable_comes_by_links_to_calendars_too(installation: Installation) -> None:
    lessons = "select distinct group_id, weekday, start, room from staging_haugesund.sas_timetable order by 1, 2, 3, 4"
    installation.steps(installation.open(), "extract_sas")
    by_file = [row for row in installation.query(lessons) if row.weekday and ":" in row.start]
    installation.kommune = _said(installation, "sas", timetable=None, calendars="calendars_haugesund")
    job = installation.open()
    installation.steps(job, "extract_sas")
    by_link = installation.query(lessons)
    assert len(by_link) > 500
    assert len(set(by_link) & set(by_file)) > 0.99 * len(by_link)
    assert job.landing("sas").names()[0] == "calendar-00001.ics"


def test_a_link_that_gives_no_calendar_stops_the_run_and_is_not_told(installation: Installation) -> None:
    secret = "hemmelig-nokkel"
    installation.kommune = _said(installation, "sas", calendars="calendars_haugesund")
    whole = installation.environment.connect("calendars_haugesund")
    for links, sentence in (
        ([f"{installation.registers.url}/calendar/{secret}.ics"], "Kalender 2 i tilkoblingen calendars_haugesund"),
        ([f"http://example.no/{secret}"], "https://"),
        (secret, "har ingen lenker"),
    ):
        client = replace(whole, extra={"links": links})
        with pytest.raises(DataflytError, match=sentence) as raised:
            sas_client.fetch_calendars(client, installation.open().landing("sas"))
        assert secret not in str(raised.value) + repr(raised.value.facts)


@pytest.mark.parametrize(
    ("source", "pattern", "broken", "says"),
    [
        (
            "sas",
            "pifu_*.xml",
            (r"(<person\b[^>]*>)\s*<sourcedid>.*?</sourcedid>", r"\1"),
            r"Filen {name} fra skolesystemet kan ikke leses: elementet person i linje \d+ har ingen sourcedid\. "
            r"Be leverandøren av skolesystemet rette eksporten\.",
        ),
        (
            "sas",
            "timeplan_*.csv",
            (r"(?s)\A(.*?\n.*?\n)[^,\n]+,", r"\1,"),
            r"Filen {name} fra skolesystemet kan ikke leses: timen i linje 3 i timeplanen har ingen gruppe \(group\)\. "
            r"Be leverandøren av skolesystemet rette eksporten\.",
        ),
        (
            "hr",
            "Stamdata3_*.xml",
            (r"(?s)</ExportInfo>.*", ""),
            r"Filen {name} fra HR-systemet kan ikke leses: filen er ikke hel, for den slutter for tidlig, etter \d+ "
            r"byte\. Be leverandøren av HR-systemet rette eksporten\.",
        ),
    ],
    ids=["pifu", "timetable", "hr"],
)
def test_a_file_that_cannot_be_read_is_named_with_the_place_and_who_corrects_it(
    installation: Installation, source: str, pattern: str, broken: tuple[str, str], says: str
) -> None:
    (path,) = (installation.registers.drop / "1106" / source).glob(pattern)
    text = path.read_text(encoding="utf-8")
    _rewrite(path, re.sub(*broken, text, count=1))
    with pytest.raises(Unreadable) as raised:
        installation.steps(installation.open(), f"extract_{source}")
    assert re.fullmatch(says.format(name=re.escape(path.name)), raised.value.sentence)


def test_a_calendar_that_cannot_be_read_is_counted_and_its_link_is_not_told(installation: Installation) -> None:
    installation.kommune = _said(installation, "sas", timetable=None, calendars="calendars_haugesund")
    job = installation.open()
    job.landing("sas").write("calendar-00001.ics", b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    with pytest.raises(Unreadable) as raised:
        installation.steps(job, "extract_sas")
    assert raised.value.sentence == (
        "Kalender 1 fra skolesystemet kan ikke leses: kalenderen er ødelagt, for en END passer ikke til sin BEGIN "
        "(linje 2). Be leverandøren av skolesystemet rette eksporten."
    )
