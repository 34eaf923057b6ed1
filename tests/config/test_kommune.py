"""Kommune files: the words an operator may write, and a sentence for every mistake."""

# ruff: noqa: E501  the tables of sentences read best one a line

import os
import shutil
import time
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataflyt.cli.kommune import kommune_app
from dataflyt.config import loading
from dataflyt.config.exports import EXPORTS
from dataflyt.errors import ConfigError

SHIPPED = Path(loading.__file__).parents[2] / "kommuner"
GOOD = """\
id: haugesund
name: Haugesund
kommunenummer: ["1106"]
orgnr: "944073787"
legal_basis: {freg: med_hjemmel, text: "Skoleeier"}
sources:
  freg: {connection: freg_haugesund}
  krr: {connection: krr_haugesund}
  hr: {connection: hr_haugesund}
  sas:
    connection: sas_haugesund
    timetable: "timeplan_*.csv"
feide: {realm: haugesund.kommune.no}
approvers:
  - {id: anita, name: "Anita Ingebretsen"}
"""


@pytest.fixture
def folder(tmp_path):
    shutil.copy(Path(loading.__file__).with_name("_defaults.yaml"), tmp_path)
    return tmp_path


def sentence(folder, text, name="haugesund.yaml"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        loading.load(path)
    said = caught.value.sentence
    assert said.startswith(f"{name}, linje ") or said.startswith("_defaults.yaml, linje "), said
    assert "\n" not in said
    assert said[-1] in ".?", said
    return said


def test_the_shipped_file_is_a_kommune():
    haugesund = loading.load(SHIPPED / "haugesund.yaml")
    assert haugesund.display_name == "Haugesund (1106)"
    assert haugesund.cron == haugesund.schedule.cron == "0 3 * * 0"
    assert haugesund.schedule.in_words == "hver søndag kl. 03.00"
    assert haugesund.warehouse == "warehouse_haugesund"
    assert haugesund.sources.hr.units["011110"] == "311060015"


def test_contact_details_never_go_to_a_private_recipient(folder):
    here = GOOD + "exports: [feide_ldif, pifu, sds]\nexport_extras: {sds: [contact]}\ndelivery:\n"
    (folder / "haugesund.yaml").write_text(here + "  pifu: [{to: LMS, connection: lms, contact: true}]\n")
    with pytest.raises(ConfigError, match="gir kontaktopplysninger til en privat mottaker"):
        loading.load(folder / "haugesund.yaml")
    # Off by default, also for what is public: such a recipient gets a file without them.
    (folder / "haugesund.yaml").write_text(
        here + "  pifu: [{to: LMS, connection: lms}, {to: Oppvekst, connection: own, recipient: public}]\n"
        "  sds: [{to: Microsoft, connection: ms, recipient: public, contact: true}]\n"
        "  feide_ldif: [{to: Katalogen, connection: ldap}]\n"
    )
    kommune = loading.load(folder / "haugesund.yaml")
    assert [one.contact for one in kommune.delivery["pifu"]] == [False, False]
    assert {export for export in kommune.exports if kommune.without_contact(export)} == {"pifu"}
    assert kommune.receivers("pifu") == ("LMS", "Oppvekst")


def test_an_export_holds_more_only_where_the_file_says_so(folder):
    (folder / "haugesund.yaml").write_text(GOOD)
    assert loading.load(folder / "haugesund.yaml").export_extras == {}
    (folder / "haugesund.yaml").write_text(GOOD + "export_extras: {oneroster: [guardians, contact]}\n")
    assert loading.load(folder / "haugesund.yaml").export_extras == {"oneroster": ("guardians", "contact")}


def test_the_defaults_fill_in_what_the_file_leaves_out(folder):
    (folder / "haugesund.yaml").write_text(
        GOOD + "schedule: {every: month, day: 1}\nguard: {limits: {pupil_leaves: {count: null}}}\n"
    )
    one = loading.load(folder / "haugesund.yaml")
    assert one.cron == "0 3 1 * *"
    assert one.schedule.in_words == "den 1. i hver måned kl. 03.00"
    assert one.sources.sas.files == "pifu_*.xml"
    assert one.guard.limits["pupil_leaves"].percent == 5
    assert one.guard.limits["pupil_leaves"].count is None
    assert one.guard.limits["guardian_gains_access"].count == 20


def test_a_delivered_file_may_be_a_little_older_than_a_run_unless_the_file_says_otherwise(folder):
    path = folder / "haugesund.yaml"
    for schedule, days in (("{every: week, day: sunday}", 8), ("{every: month, day: 1}", 33)):
        for said, expected in (("", days), ("\n    max_age_days: 0", 0), ("\n    max_age_days: 60", 60)):
            text = GOOD.replace("connection: sas_haugesund", f"connection: sas_haugesund{said}")
            path.write_text(f"{text}schedule: {schedule}\n")
            one = loading.load(path)
            day = date(2027, 8, 20)
            assert (one.max_age_days(one.sources.sas, day), one.max_age_days(one.sources.hr, day)) == (expected, days)


def test_a_monthly_kommune_may_run_daily_when_the_schools_begin(folder):
    (folder / "haugesund.yaml").write_text(
        GOOD + 'schedule: {every: month, day: 1, at: "03:30", daily_in_august: true}\n'
        "school_years: [{first_day: 2027-08-16, groups_ready: 2027-09-06}]\n"
    )
    one = loading.load(folder / "haugesund.yaml")
    assert one.crons == ("30 3 1 * *", "30 3 * 8 *", "30 3 1-15 9 *")
    assert one.schedule.in_words == "den 1. i hver måned kl. 03.30, og hver dag fra 1. august til 15. september"
    year = [date(2027, 1, 1) + timedelta(days=day) for day in range(365)]
    daily = [day for day in year if date(2027, 8, 1) <= day <= date(2027, 9, 15)]
    assert [day for day in year if one.schedule.due(day)] == [day for day in year if day.day == 1 or day in daily]
    # A system delivers nothing in the holidays. When the pupils are there, its files must follow.
    ages = {(7, 31): 33, (8, 15): 33, (8, 16): 8, (9, 15): 8, (9, 16): 33}
    assert {day: one.max_age_days(one.sources.sas, date(2027, *day)) for day in ages} == ages


def test_the_schools_make_their_groups_until_the_day_in_the_calendar(folder):
    (folder / "haugesund.yaml").write_text(GOOD + "school_years: [{first_day: 2027-08-16, groups_ready: 2027-09-06}]\n")
    one = loading.load(folder / "haugesund.yaml")
    said = {(7, 31): False, (8, 1): True, (9, 5): True, (9, 6): False, (12, 31): False}
    assert {day: one.groups_not_ready(date(2027, *day)) for day in said} == said
    without_a_line = {(7, 31): False, (8, 1): True, (9, 14): True, (9, 15): False, (1, 1): False}
    assert {day: one.groups_not_ready(date(2028, *day)) for day in without_a_line} == without_a_line


def test_the_limits_of_august_hold_for_the_first_run_that_has_seen_it(folder):
    (folder / "haugesund.yaml").write_text(GOOD)
    guard = loading.load(folder / "haugesund.yaml").guard
    august = {**guard.limits, **guard.august}
    runs = {((7, 25), (7, 31)): False, ((7, 25), (8, 1)): True, ((8, 29), (9, 5)): True, ((9, 5), (9, 12)): False}
    runs |= {((8, 5), (9, 5)): True, ((7, 5), (9, 5)): True, ((9, 1), (10, 1)): False}
    for (before, day), expected in runs.items():
        limits = guard.limits_at(date(2027, *day), date(2027, *before))
        assert limits == (august if expected else guard.limits), (before, day)
    assert guard.limits_at(date(2028, 1, 9), date(2027, 8, 29)) == guard.limits, "nobody has run for months: ask"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("[{first_day: 2027-08-16}]", "«school_years.1.groups_ready» mangler: skriv dagen da klasser"),
        ("[{first_day: 2027-07-31, groups_ready: 2027-09-06}]", "skal ha en første skoledag fra 1. august"),
        ("[{first_day: 2027-08-16, groups_ready: 2027-08-15}]", "skal ha en første skoledag fra 1. august"),
        (
            "[{first_day: 2027-08-16, groups_ready: 2027-08-16}, {first_day: 2027-08-17, groups_ready: 2027-08-17}]",
            "har det samme to ganger",
        ),
        ("[{first_day: august, groups_ready: 2027-08-16}]", "skriv elevenes første skoledag"),
    ],
)
def test_a_calendar_that_cannot_be_right_is_told_in_a_sentence(folder, wrong, said):
    assert said in sentence(folder, GOOD + f"school_years: {wrong}\n")


def test_what_tells_the_newest_file_is_the_name_or_the_time_and_nothing_else(folder):
    path = folder / "haugesund.yaml"
    path.write_text(GOOD)
    assert {source.newest for source in (loading.load(path).sources.sas, loading.load(path).sources.hr)} == {None}
    for source in ("hr", "sas"):
        for word in ("name", "time"):
            text = GOOD.replace(f"connection: {source}_haugesund", f"connection: {source}_haugesund, newest: {word}")
            path.write_text(text if source == "hr" else text.replace(f", newest: {word}", f"\n    newest: {word}"))
            assert getattr(loading.load(path).sources, source).newest == word
    said = sentence(folder, GOOD.replace("connection: hr_haugesund", "connection: hr_haugesund, newest: dato"))
    assert "sources.hr.newest" in said
    assert "skriv name når datoen i filnavnet" in said


def test_the_version_follows_the_content_and_not_the_layout(folder):
    path = folder / "haugesund.yaml"
    path.write_text(GOOD)
    first = loading.load(path).version
    path.write_text("# en kommentar\n" + "\n".join(reversed(GOOD.split("\n", 4)[:4])) + "\n" + GOOD.split("\n", 4)[4])
    assert loading.load(path).version == first
    path.write_text(GOOD.replace("Skoleeier", "Skoleeigar"))
    assert loading.load(path).version != first


@pytest.mark.parametrize(
    ("wrong", "right", "expected"),
    [
        ('["1106"]', "[0301]", 'haugesund.yaml, linje 3: «kommunenummer.1» skal være tekst: skriv "0301" i anførselstegn.'),
        ('["1106"]', "[301]", '«kommunenummer.1» skal være tekst: skriv "0301" i anførselstegn.'),
        ('["1106"]', '["11o6"]', 'linje 3: «kommunenummer.1» kan ikke være «11o6»: skriv fire sifre i anførselstegn'),
        ('["1106"]', '"1106"', 'linje 3: «kommunenummer» skal være en liste: skriv en liste, for eksempel ["1106"].'),
        ('["1106"]', "[]", "linje 3: «kommunenummer» er en tom liste: "),
        ('["1106"]', '["1106", "1106"]', "linje 3: «kommunenummer» har det samme to ganger: "),
        ('"944073787"', "944073787", 'linje 4: «orgnr» skal være tekst: skriv "944073787" i anførselstegn.'),
        ('"944073787"', '"944073788"', "linje 4: «orgnr» har et kontrollsiffer som ikke stemmer: skriv organisasjonsnummeret"),
        ('"944073787"', '"94407378"', "linje 4: «orgnr» skal ha ni sifre: "),
        ("orgnr:", "orgnummer:", "linje 4: «orgnummer» er ikke et kjent felt: mente du «orgnr»?"),
        ("connection: sas_", "conection: sas_", "linje 11: «sources.sas.conection» er ikke et kjent felt: mente du «connection»?"),
        ("name: Haugesund", "xyz: Haugesund", "linje 2: «xyz» er ikke et kjent felt: ta det bort eller skriv et av accounts, approvers,"),
        ("name: Haugesund\n", "", "linje 1: «name» mangler: skriv kommunens navn."),
        ("    connection: sas_haugesund\n", "", "linje 10: «sources.sas.connection» mangler: skriv en tilkobling"),
        ("  hr: {connection: hr_haugesund}\n", "", "linje 6: «sources.hr.connection» mangler: "),
        ("sas_haugesund", "SAS Haugesund", "linje 11: «sources.sas.connection» kan ikke være «SAS Haugesund»: skriv en "),
        ("med_hjemmel", "ja", "linje 5: «legal_basis.freg» kan ikke være «ja»: skriv med_hjemmel eller none."),
        ("haugesund.kommune.no", "Haugesund", "linje 13: «feide.realm» kan ikke være «Haugesund»: skriv domenet med små"),
        ('"timeplan_*.csv"', '"../timeplan_*.csv"', "linje 12: «sources.sas.timetable» skal være et filnavn uten mappe: "),
        ('  - {id: anita, name: "Anita Ingebretsen"}\n', "", "linje 14: «approvers» er tom: skriv minst én som kan godkjenne"),
        ("id: anita", "id: an ita", "linje 15: «approvers.1.id» kan ikke være «an ita»: skriv brukerens nummer i Airflow"),
        ("id: haugesund", "id: bergen", "linje 1: «id» er bergen, men filen heter haugesund.yaml: skriv id: haugesund, eller"),
        ("id: haugesund", "id: no", 'linje 1: «id» skal være tekst: skriv "no" i anførselstegn.'),
        ("id: haugesund", "id: Haugesund", "linje 1: «id» kan ikke være «Haugesund»: skriv samme navn som filen"),
        ("name: Haugesund", "name:", "linje 2: «name» er tom: skriv kommunens navn."),
        ("name: Haugesund", 'name: "  "', "linje 2: «name» kan ikke være «»: skriv kommunens navn."),
        ("sources:\n", "sources: []\nold:\n", "linje 7: «old» er ikke et kjent felt"),
        ("feide: {realm: haugesund.kommune.no}", "feide: x", "linje 13: «feide» skal ha felter under seg: skriv feide: {realm:"),
    ],
)  # fmt: skip
def test_a_wrong_value_gives_one_sentence_with_line_and_remedy(folder, wrong, right, expected):
    assert wrong in GOOD
    assert expected in sentence(folder, GOOD.replace(wrong, right))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("exports: [feide]\n", f"linje 16: «exports.1» kan ikke være «feide»: skriv én eller flere av [{', '.join(EXPORTS)}]."),
        ("schedule: {at: 13:00}\n", 'linje 16: «schedule.at» skal være tekst: skriv "13:00" i anførselstegn.'),
        ('schedule: {at: "3:00"}\n', "linje 16: «schedule.at» kan ikke være «3:00»: skriv klokkeslettet i anførselstegn"),
        ("schedule: {day: søndag}\n", "linje 16: «schedule» skal ha en ukedag som day når every er week: skriv day: sunday."),
        ("schedule:\n  every: month\n  day: 31\n", "linje 16: «schedule» skal ha en dato fra 1 til 28 som day når every er"),
        ("schedule: {every: day}\n", "linje 16: «schedule.every» kan ikke være «day»: skriv week eller month."),
        ("schedule: {day: [monday]}\n", "linje 16: «schedule.day» skal være én verdi: skriv en ukedag"),
        ("shedule: {day: monday}\n", "linje 16: «shedule» er ikke et kjent felt: mente du «schedule»?"),
        ("guard: {limits: {pupil_leave: {count: 1}}}\n", "«guard.limits.pupil_leave» er ikke en kjent endringstype: mente du «pupil_leaves»?"),
        ("guard: {limits: {pupil_leaves: {count: mange}}}\n", "«guard.limits.pupil_leaves.count» kan ikke være «mange»: skriv et helt tall"),
        ("guard: {max_drop_percent: 130}\n", "«guard.max_drop_percent» kan ikke være «130»: skriv et tall fra 0 til 100"),
        ("guard: {max_drop_percent: yes}\n", "«guard.max_drop_percent» kan ikke være «yes»: skriv et tall fra 0 til 100"),
        ("name: Igjen\n", "linje 16: «name» står også på linje 2: ta bort den ene."),
        ("password: hemmelig\n", "linje 16: «password» hører ikke hjemme i en kommunefil: legg hemmeligheter i tilkoblingen."),
        ("warehouse: postgresql://a:b@c/d\n", "linje 16: verdien ser ut som en hemmelighet: ta den bort herfra"),
        ("extra: 15831499815\n", "linje 16: «extra» er ikke et kjent felt: "),
        ("warehouse: &a x\nextra: *a\n", "linje 16: verdien gjentas med & og *: skriv den ut der den trengs."),
        ("<<: {name: x}\n", "linje 16: feltet har ikke et vanlig navn"),
        ("? [a, b]\n: c\n", "linje 16: feltet har ikke et vanlig navn"),
        ("exports: !!python/object/apply:os.system [ls]\n", "linje 16: filen har en YAML-merkelapp (!): skriv verdien uten"),
        ("exports: [feide_ldif\n", "filen har en klamme som ikke er lukket"),
        ('name2: "Hauge\n', "filen har et anførselstegn som ikke er lukket"),
        ("feide2: a: b\n", "linje 16: filen har et kolon for mye"),
        ("exports\n", "linje 16: filen mangler et kolon"),
        ("---\nid: x\n", "linje 16: filen har flere dokumenter: ta bort linjen med ---."),
        ("exports:\n\t- feide_ldif\n", "linje 17: linjen begynner med tabulator: bruk mellomrom til innrykk."),
        ("warehouse: @x\n", "linje 16: filen har et tegn YAML ikke kan begynne med: sett verdien i anførselstegn."),
        ("warehouse: a\x07b\n", "linje 16: filen har et usynlig styretegn"),
    ],
)  # fmt: skip
def test_a_wrong_addition_gives_one_sentence_with_line_and_remedy(folder, more, expected):
    assert expected in sentence(folder, GOOD + more)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("trial: ja\n", "linje 16: «trial» kan ikke være «ja»: skriv true mens kommunen prøver Dataflyt"),
        ("accounts: oss\n", "linje 16: «accounts» kan ikke være «oss»: skriv dataflyt eller bas: hvem som gir brukernavn."),
        ("mail: {to: []}\n", "linje 16: «mail.to» er en tom liste: skriv en liste med e-postadresser"),
        ("mail: {}\n", "linje 16: «mail» har ingen mottaker: skriv to: [drift@haugesund.kommune.no], eller apprise: en tilkobling"),
        ("mail: {apprise: Teams}\n", "linje 16: «mail.apprise» kan ikke være «Teams»: skriv navnet på tilkoblingen til Teams"),
        ("mail: {to: [drift]}\n", "linje 16: «mail.to.1» kan ikke være «drift»: skriv en e-postadresse"),
        ("work_list: {mail: {}}\n", "linje 16: «work_list.mail» er en tom liste: skriv hvem som retter, og adressene: school"),
        ("work_list: {mail: {skolen: [a@b.no]}}\n", "linje 16: «work_list.mail.skolen» er ikke et kjent navn: ta det bort eller skriv et av guardian_freg"),
        ("work_list: {mail: {school_ofice: [a@b.no]}}\n", "«work_list.mail.school_ofice» er ikke et kjent navn: mente du «school_office»?"),
        ("work_list: {mail: {hr: [hr]}}\n", "linje 16: «work_list.mail.hr.1» kan ikke være «hr»: skriv en e-postadresse"),
        ("work_list: {mail: {hr: [a@b.no]}, day: saturday}\n", "linje 16: «work_list.day» kan ikke være «saturday»: skriv en ukedag"),
        ("export_extras: {pifu: [contact]}\n", "linje 16: «export_extras» har contact for pifu: skriv det for guardians, guardians_csv, oneroster eller sds, eller ta det bort."),
        ("export_extras: {sds: [numbers]}\n", "«export_extras» har numbers for sds: skriv noe av [birth_dates, contact, guardians]."),
        ("export_extras: {sds: [guardians]}\n", "«export_extras» har guardians uten contact for sds: skriv sds: [guardians, contact], for School Data Sync tar"),
        ("export_extras: {oneroster: [addresses]}\n", "linje 16: «export_extras.oneroster.1» kan ikke være «addresses»"),
        ("delivery: {pifu: [{to: LMS, connection: lms}]}\n", "«filen» leverer pifu uten å ha det som eksport: skriv pifu under exports, eller ta det bort"),
        ("delivery: {feide_ldif: [{to: LMS, connection: lms, contact: true}]}\n", "«delivery.feide_ldif.1» gir kontaktopplysninger til en privat mottaker: skriv recipient: public når mottakeren er kommunen selv"),
        ("delivery: {feide_ldif: [{to: A, connection: lms}, {to: B, connection: lms}]}\n", "«delivery.feide_ldif» har det samme to ganger"),
        ("delivery: {feide_ldif: [{to: A, connection: LMS}]}\n", "«delivery.feide_ldif.1.connection» kan ikke være «LMS»: skriv en tilkobling"),
        ("guard: {answer_days: 0}\n", "linje 16: «guard.answer_days» kan ikke være «0»: skriv hvor mange døgn"),
        ("guard: {august: {elever: {}}}\n", "linje 16: «guard.august.elever» er ikke en kjent endringstype"),
        (
            'schedule: {every: week, day: sunday, at: "03:00", done_by: "6"}\n',
            "linje 16: «schedule.done_by» kan ikke være «6»: skriv klokkeslettet kjøringen skal være ferdig",
        ),
    ],
)  # fmt: skip
def test_a_wrong_word_about_trial_accounts_mail_and_august_is_pointed_at(folder, more, expected):
    assert expected in sentence(folder, GOOD + more)


@pytest.mark.parametrize(
    ("register", "more", "expected"),
    [
        ("freg", "route: fikz", "linje 7: «sources.freg.route» kan ikke være «fikz»: skriv skatteetaten, fiks eller"),
        ("freg", "rolle: 1106", 'linje 7: «sources.freg.rolle» skal være tekst: skriv "1106"'),
        ("freg", 'rolle: "1106"', "linje 7: «sources.freg.rolle» kan ikke være «1106»: skriv rolleId fra KS Fiks"),
        ("freg", "residents: {from_age: 16, to_age: 6}", "«sources.freg.residents» har en from_age som er høyere"),
        ("freg", "residents: {from_age: 6}", "«sources.freg.residents.to_age» mangler: skriv alderen de eldste fyller"),
        (
            "freg",
            "employees: 1",
            "linje 7: «sources.freg.employees» kan ikke være «1»: skriv true når kommunen har rett",
        ),
        ("krr", "version: 3", "linje 8: «sources.krr.version» kan ikke være «3»: skriv 1 eller 2"),
        (
            "krr",
            "route: fiks_oppvekst",
            "linje 8: «sources.krr.route» kan ikke være «fiks_oppvekst»: skriv digdir eller",
        ),
    ],
)
def test_a_wrong_word_about_a_registers_route_is_pointed_at(folder, register, more, expected):
    connection = f"connection: {register}_haugesund"
    assert expected in sentence(folder, GOOD.replace(connection, f"{connection}, {more}"))


def test_employees_are_asked_about_only_where_the_file_says_so_and_never_with_their_children(folder):
    for more, asked, route in [
        ("", False, "skatteetaten"),
        (", employees: true", True, "skatteetaten"),
        (", employees: true, route: fiks_oppvekst", True, "fiks"),
    ]:
        text = GOOD.replace("connection: freg_haugesund", f"connection: freg_haugesund{more}")
        (folder / "haugesund.yaml").write_text(text)
        freg = loading.load(folder / "haugesund.yaml").sources.freg
        assert (freg.employees, freg.route_alone) == (asked, route)


def test_without_legal_basis_no_route_that_always_gives_foreldreansvar_is_taken(folder):
    text = GOOD.replace("{freg: med_hjemmel", "{freg: none").replace("freg_hauge", "fiks_hauge")
    (folder / "haugesund.yaml").write_text(text.replace("connection: fiks", "route: fiks, connection: fiks"))
    assert loading.load(folder / "haugesund.yaml").sources.freg.format == "bulk"
    said = sentence(folder, text.replace("connection: fiks", "route: fiks_oppvekst, connection: fiks"))
    assert "henter foreldreansvar med fiks_oppvekst uten hjemmel: skriv freg: med_hjemmel" in said


def test_a_run_is_given_the_time_from_when_it_is_due_to_when_it_is_to_be_done(folder):
    said = {("03:00", "06:30"): 3.5, ("23:00", "06:00"): 7, ("03:00", "03:00"): 24}
    for (at, done_by), hours in said.items():
        schedule = f'schedule: {{every: week, day: sunday, at: "{at}", done_by: "{done_by}"}}\n'
        (folder / "haugesund.yaml").write_text(GOOD + schedule)
        assert loading.load(folder / "haugesund.yaml").schedule.time_allowed == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("units", "expected"),
    [
        ("{011110: '311060015'}", 'linje 10: «011110» skal være tekst: skriv "011110" i anførselstegn.'),
        (
            "{'011110': 311060015}",
            'linje 10: «sources.hr.units.011110» skal være tekst: skriv "311060015" i anførselstegn.',
        ),
        ("{'011110': '311060016'}", "linje 10: «sources.hr.units.011110» har et kontrollsiffer som ikke stemmer: "),
    ],
)
def test_a_wrong_unit_is_pointed_at(folder, units, expected):
    assert expected in sentence(folder, GOOD.replace("hr_haugesund}", f"hr_haugesund,\n    units: {units}}}"))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "linje 1: filen er tom"),
        (b"# bare en kommentar\n", "linje 1: filen er tom"),
        (b"- en\n- liste\n", "linje 1: filen har ikke felter"),
        ("name: Ørsta\n".encode("latin-1"), "linje 1: filen er ikke i UTF-8"),
        ("id: x\nname: Ørsta\n".encode("utf-16"), "linje 1: filen er ikke i UTF-8"),
        (b"[" * 50_000, "linje 1: "),
        (b"a: &a [*a]\n", "linje 1: "),
        (b"\x00\x01\x02", "linje 1: "),
    ],
)
def test_what_is_no_yaml_map_gives_one_sentence(folder, raw, expected):
    assert expected in sentence(folder, raw)


def test_a_pipe_or_a_folder_among_the_files_is_named_and_not_waited_for(folder):
    (folder / "haugesund.yaml").write_text(GOOD, encoding="utf-8")
    os.mkfifo(folder / "ror.yaml")
    (folder / "mappe.yaml").mkdir()
    good, broken = loading.load_all(folder)
    assert [one.id for one in good] == ["haugesund"]
    assert [one.sentence for one in broken] == [
        f"{name} er ikke en vanlig fil: flytt den ut av mappen med kommunefilene."
        for name in ("mappe.yaml", "ror.yaml")
    ]


def test_a_very_long_file_name_or_kommune_name_cannot_stop_the_dags_of_others(folder):
    (folder / f"{'x' * 249}.yaml").write_text("", encoding="utf-8")
    _, (broken,) = loading.load_all(folder)
    assert len(f"kommune_{broken.id}") <= 250  # the longest DAG id of Airflow
    assert "«name»" in sentence(folder, GOOD.replace("name: Haugesund", f"name: {'x' * 101}"))  # a tag: 100


def test_a_wrong_percent_is_answered_with_what_a_percent_is(folder):
    said = sentence(folder, GOOD + "guard: {limits: {pupil_leaves: {percent: 500}}}\n")
    assert "kan ikke være «500»: skriv et tall fra 0 til 100" in said


def test_a_byte_order_mark_does_no_harm(folder):
    (folder / "haugesund.yaml").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert loading.load(folder / "haugesund.yaml").id == "haugesund"


def test_an_identity_number_or_a_secret_is_never_repeated(folder):
    for value in ("15831499815", "-----BEGIN", "postgresql://u:p@h/d"):
        assert value not in sentence(folder, GOOD.replace("haugesund.kommune.no", f'"{value}"'))
        assert value not in sentence(folder, GOOD + f'"{value}": x\n')


def test_a_mistake_in_the_defaults_is_found_there(folder):
    defaults = folder / "_defaults.yaml"
    defaults.write_text(defaults.read_text().replace("max_drop_percent: 30", "max_drop_percent: mye"))
    assert sentence(folder, GOOD).startswith("_defaults.yaml, linje ")


def test_a_file_that_is_not_there_gives_one_sentence(folder):
    with pytest.raises(ConfigError, match=r"^bergen\.yaml finnes ikke"):
        loading.load(folder / "bergen.yaml")


def other(text, name, number):
    return text.replace("haugesund", name).replace("1106", number).replace('orgnr: "944073787"', 'orgnr: "971032146"')


def test_one_broken_file_does_not_stop_the_others(folder):
    (folder / "haugesund.yaml").write_text(GOOD)
    (folder / "bergen.yaml").write_text("id: bergen\n")
    (folder / "ørsta kommune.yaml").write_text("")
    (folder / "voss.yml").write_text(GOOD)
    (folder / "notater.txt").write_text("x")
    good, broken = loading.load_all(folder)
    assert [one.id for one in good] == ["haugesund"]
    assert [one.id for one in broken] == ["bergen", "voss", "_rsta_kommune"]
    assert broken[1].sentence == "voss.yml leses ikke: gi filen endelsen .yaml."
    with pytest.raises(ConfigError, match=r"^bergen\.yaml, linje 1: "):
        loading.find(folder, "bergen")


def test_two_files_with_the_same_number_break_the_later(folder):
    (folder / "haugesund.yaml").write_text(GOOD)
    (folder / "karmoy.yaml").write_text(other(GOOD, "karmoy", "1106"))
    good, broken = loading.load_all(folder)
    assert [one.id for one in good] == ["haugesund"]
    assert (
        broken[0].sentence
        == "karmoy.yaml, linje 3: «kommunenummer» 1106 står også i haugesund.yaml: rett den som er feil."
    )


def test_two_kommuner_cannot_share_a_warehouse_connection(folder):
    (folder / "haugesund.yaml").write_text(GOOD)
    (folder / "karmoy.yaml").write_text(other(GOOD, "karmoy", "1149") + "warehouse: warehouse_haugesund\n")
    assert "«warehouse» warehouse_haugesund står også i haugesund.yaml" in loading.load_all(folder)[1][0].sentence


def test_a_broken_defaults_file_breaks_every_kommune_with_its_sentence(folder):
    (folder / "haugesund.yaml").write_text(GOOD)
    (folder / "_defaults.yaml").write_text("a: [")
    assert loading.load_all(folder)[1][0].sentence.startswith("_defaults.yaml, linje 1: ")


def test_a_kommune_is_found_by_id_or_number(folder):
    (folder / "haugesund.yaml").write_text(GOOD)
    assert loading.find(folder, "1106") == loading.find(folder, "haugesund") == loading.find(folder, "Haugesund")
    with pytest.raises(ConfigError, match="mente du «haugesund»"):
        loading.find(folder, "haugsund")
    with pytest.raises(ConfigError, match="kan ikke leses: sett DATAFLYT_KOMMUNER"):
        loading.find(folder / "nowhere", "1106")


def test_the_whole_country_is_read_in_seconds(folder):
    for number in range(357):
        (folder / f"kommune{number}.yaml").write_text(
            other(GOOD, f"kommune{number}", f"{number:04d}").replace('orgnr: "971032146"', f'orgnr: "{_orgnr(number)}"')
        )
    start = time.perf_counter()
    good, broken = loading.load_all(folder)
    assert time.perf_counter() - start < 3
    assert len(good) == 357, broken[:1]
    start = time.perf_counter()
    loading.load(folder / "kommune7.yaml")
    assert time.perf_counter() - start < 0.05


def _orgnr(number):
    while True:
        digits = f"8{number:07d}"
        rest = sum(int(d) * w for d, w in zip(digits, (3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
        if rest != 1:
            return digits + str((11 - rest) % 11)
        number += 1_000_000


@pytest.fixture
def run(folder, monkeypatch):
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(folder))
    (folder / "haugesund.yaml").write_text(GOOD)
    return lambda *arguments: CliRunner().invoke(kommune_app, arguments)


def test_check_prints_a_line_a_file_and_fails_when_one_is_broken(run, folder):
    assert (run("check").exit_code, run("check").output) == (0, "haugesund.yaml: OK\n")
    (folder / "bergen.yaml").write_text(GOOD)
    result = run("check")
    assert result.exit_code == 1
    assert result.output.splitlines()[0] == "haugesund.yaml: OK"
    assert result.output.splitlines()[1].startswith(
        "FEIL bergen.yaml, linje 1: «id» er haugesund, men filen heter bergen.yaml"
    )
    assert run("check", "1106").output == "haugesund.yaml: OK\n"
    assert run("check", "bergen").exit_code == 1


def test_check_says_who_may_decide_and_cannot_be_told_from_those_it_is_about(run, folder):
    decides = (
        "people:\n  - {id: '7', name: Kari, may: [decide]}\n  - {id: '8', name: Per, may: [decide], employee_id: '5'}\n"
    )
    (folder / "haugesund.yaml").write_text(f"{GOOD}\n{decides}")
    said = run("check")
    assert said.exit_code == 0, said.output
    assert "  Kari kan bestemme, og har ingen employee_id" in said.output
    assert "Per" not in said.output


def test_check_of_a_named_kommune_says_who_works_at_a_school(run, folder):
    file = folder / "haugesund.yaml"
    file.write_text(GOOD.replace("hr_haugesund}", "hr_haugesund,\n    units: {'011110': '311060015'}}"))
    assert run("check").output == "haugesund.yaml: OK\n"
    assert run("check", "haugesund").output.splitlines() == [
        "haugesund.yaml: OK",
        "  Ansatte ved skole: HR-enhet 011110 (311060015) og enhetene under, og de som har en skoles organisasjonsnummer "
        "som HR-enhet eller arbeidssted.",
    ]


def test_an_empty_folder_is_no_success(run, folder):
    (folder / "haugesund.yaml").unlink()
    assert run("check").exit_code == 1


def test_list_shows_the_schedule_in_words(run):
    output = run("list").output
    assert "hver søndag kl. 03.00" in output
    assert "feide_ldif" in output
