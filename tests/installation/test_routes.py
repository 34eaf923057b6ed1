"""Whole runs by KS Fiks, and with children who live in the kommune without being its pupils."""

from dataclasses import replace

import pytest

from dataflyt.config.connections import Connection
from dataflyt.config.kommune import FregSource, KrrSource, Residents
from simulator import fiks
from tests.installation.fixtures import CLIENT, Installation
from tests.warehouse.test_rules import _leave, _link, _person, _plain_pupils

ROLLE = fiks.rolle_of("1106")


@pytest.fixture
def by_fiks(installation: Installation) -> Installation:
    """The installation, whose registers move to KS Fiks when its kommune file says so (``_go_by_fiks``)."""
    direct = installation.environment.connect
    registers = installation.registers
    extra = {"token_endpoint": f"{registers.url}/token", "issuer": f"{registers.url}/", "kid": "test"}
    extra |= {"scope": "ks:fiks", "max_per_second": "1000"}
    extra |= {"integrasjon_id": fiks.INTEGRATION["IntegrasjonId"]}
    extra |= {"integrasjon_passord": fiks.INTEGRATION["IntegrasjonPassord"]}

    def connect(name: str) -> Connection:
        if name == "fiks_haugesund":
            return Connection(name, registers.url, CLIENT, registers.private_key, extra)
        return direct(name)

    installation.environment = replace(installation.environment, connect=connect)
    return installation


def _use(installation: Installation, *, freg: FregSource, krr: KrrSource | None = None) -> None:
    sources = installation.kommune.sources.model_copy(update={"freg": freg} | ({"krr": krr} if krr else {}))
    installation.kommune = installation.kommune.model_copy(update={"sources": sources})


@pytest.mark.after_first_run
def test_a_run_by_fiks_finds_that_nothing_has_changed_but_what_fiks_has_no_place_for(by_fiks: Installation) -> None:
    before, published = by_fiks.dump(), by_fiks.ldif()
    _use(
        by_fiks,
        freg=FregSource(route="fiks_oppvekst", rolle=ROLLE, connection="fiks_haugesund"),
        krr=KrrSource(route="fiks", rolle=ROLLE, connection="fiks_haugesund"),
    )
    report = by_fiks.run()
    assert report["outcome"] == "released"
    lost = by_fiks.query(
        "select adult_kind, count(*) from golden.guardian_access where to_run = 2 and not exists (select from "
        "golden.guardian_access n where n.child_id = guardian_access.child_id and n.adult = guardian_access.adult "
        "and n.to_run is null) group by 1 order by 1"
    )
    # Oppvekst cannot join guardians who are organisations or have no number.
    assert [kind for kind, _ in lost] == ["organisation", "without_number"]
    changed = {kind: count for kind, count in report["changed"].items() if count}
    assert changed == {"guardian_loses_access": sum(count for _, count in lost)}
    assert by_fiks.ldif() == published
    for table in ("golden.protection", "golden.account", "golden.enrolment", "golden.person_link"):
        assert by_fiks.dump()[table] == before[table], table


def test_a_child_who_lives_here_and_is_no_pupil_is_named_and_gets_nothing(
    by_fiks: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dataflyt.sources.freg.client._READY_WAIT", 0.01)
    world = by_fiks.registers.world
    plain = [
        pupil for pupil in _plain_pupils(by_fiks) if _person(pupil).home and 2010 <= _person(pupil).born.year <= 2020
    ]
    missing, graded, moves, nameless = plain[:4]
    by_fiks.registers.person("resident_not_in_sas").home = None  # the world's own such child has moved away
    _person(nameless).given = "Mor*PIKE"  # what FREG calls a newborn until it has a name
    for pupil in plain[:3]:
        _leave(by_fiks, pupil)
    _person(graded).protection = _person(graded).home_grading = "fortrolig"
    by_fiks.registers.write()
    _use(
        by_fiks,
        freg=FregSource(
            route="fiks", rolle=ROLLE, connection="fiks_haugesund", residents=Residents(from_age=6, to_age=16)
        ),
    )
    report = by_fiks.run()
    listed = "select subject from golden.work_item where kind = 'resident_not_enrolled' and to_run is null"
    ids = {pupil.sas.person_id: str(_link(by_fiks, _person(pupil).number)) for pupil in (missing, graded, moves)}
    assert {subject for (subject,) in by_fiks.query(listed)} == {ids[missing.sas.person_id], ids[moves.sas.person_id]}
    held = by_fiks.query("select foedselsaar, graderingsnivaa from history.freg_resident where to_run is null")
    assert sorted(grading or "" for _, grading in held) == ["", "", "fortrolig"]
    assert {year for year, _ in held} == {str(_person(pupil).born.year) for pupil in (missing, graded, moves)}
    # No account, no access, nobody to ask KRR about, and nothing of them published.
    for pupil in (missing, graded, moves):
        number, person_id = _person(pupil).number, ids[pupil.sas.person_id]
        assert number not in by_fiks.ldif()
        for table, column in (("person", "person_id"), ("account", "person_id"), ("guardian_access", "child_id")):
            assert by_fiks.query(f"select 1 from golden.{table} where {column}::text = :id", id=person_id) == []
    tables = {row["table"]: row for row in report["tables"]}
    assert tables["freg_resident"]["received"] == 3

    # Odd values from FREG are counted, and a temporary name is not used.
    noted = {row["rule"]: row["unexpected_count"] for row in report["noted"]}
    assert noted["freg_navn.temporary"] == 1
    assert noted["freg_foreldreansvar.nobody"] > 1
    assert tables["freg_foreldreansvar"]["duplicates"] > 0
    assert report["unknown_fields"] == ["navn.nyttNavnefelt"]
    named = "select fornavn from golden.person where number = :number and to_run is null"
    assert by_fiks.query(named, number=_person(nameless).number) == [(nameless.sas.given,)]
    assert "*PIKE" not in by_fiks.ldif()

    # One has moved away and one is back at school: neither is on the list or held as a resident.
    home = _person(moves).home
    assert home
    _person(moves).home = replace(home, kommunenummer="1149")
    world.pupils.append(missing)
    by_fiks.registers.write()
    by_fiks.run()
    assert by_fiks.query(listed) == []
    assert by_fiks.query("select count(*) from history.freg_resident where to_run is null") == [(1,)]
