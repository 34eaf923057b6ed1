"""The fast lane: people in FREG's event list leave the publication at once, and nothing else changes."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace

import httpx
import psycopg
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from dataflyt.cli.main import app
from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, DataInDoubt, NotApproved, SourceRefused, SourceUnavailable
from dataflyt.operations import fast_lane, work_list
from dataflyt.run.close_run import close_run
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.sources.freg.events import EventList, EventPage
from dataflyt.warehouse import events
from simulator import fiks
from simulator.feed import FIRST, Feed
from simulator.model import Person
from tests.installation.fixtures import LOOKING, Installation, _libpq, approve_and_release
from tests.installation.test_run import _access
from tests.warehouse.test_rules import _link
from tests.warehouse.test_separation import psql

pytestmark = pytest.mark.after_first_run


class Lane:
    """The fast lane of an installation with two kommuner, Haugesund and (the same people) Bergen."""

    def __init__(self, installation: Installation) -> None:
        self.here = installation
        url = make_url(installation.warehouse_url)
        self.reader = url.set(username="dataflyt_events").render_as_string(hide_password=False)
        self.refused: set[str] = set()
        self.by_fiks = False
        self.connect = installation.environment.connect
        environment = replace(installation.environment, connect=self._connect)
        sources = installation.kommune.sources
        own = sources.model_copy(update={"freg": sources.freg.model_copy(update={"connection": "freg_bergen"})})
        bergen = installation.kommune.model_copy(
            update={"id": "bergen", "name": "Bergen", "warehouse": "warehouse_bergen", "sources": own}
        )
        installation.environment = environment
        self.other = Installation(
            bergen,
            installation.admin_url,
            url.set(username="kommune_bergen").render_as_string(hide_password=False),
            installation.storage,
            installation.registers,
            environment,
        )
        self.kommuner = [installation.kommune, bergen]

    def _connect(self, name: str) -> Connection:
        found = self.connect(name)
        if name == "warehouse_bergen":
            return replace(found, url=self.other.warehouse_url)
        if name == "warehouse_events":
            return replace(found, url=self.reader)
        if name == "freg_events" and self.by_fiks:
            given = {
                "scope": "ks:fiks",
                "route": "fiks",
                "rolle_id": fiks.rolle_of("1106"),
                "integrasjon_id": fiks.INTEGRATION["IntegrasjonId"],
                "integrasjon_passord": fiks.INTEGRATION["IntegrasjonPassord"],
            }
            return replace(found, url=self.here.registers.url, extra=found.extra | given)
        return replace(found, url=f"{found.url}/nowhere") if name in self.refused else found

    def run(self) -> fast_lane.Outcome:
        return fast_lane.run(self.kommuner, self.here.environment)

    def protect(self, person: Person, level: str | None = "strengtFortrolig") -> None:
        """Protect somebody at the simulator, by its switch."""
        said = {"number": person.number, "graderingsnivaa": level}
        httpx.post(f"{self.here.registers.url}/simulator/protection", json=said).raise_for_status()
        if level == "strengtFortrolig":
            person.home = None

    def tell(self, person: Person, kind: str) -> None:
        """Put a test's change to a person in the event list."""
        country = self.here.registers.world.country
        assert country is not None
        country.events.append((country.day, person.number, kind))

    def owners(self, table: str) -> list[str]:
        """Return the owner of each row in a table of the events."""
        return psql(self.reader, f"select owner from events.{table} order by 1").stdout.split()

    def set_pointer(self, seq: int) -> None:
        done = psql(self.reader, f"update events.pointer set next_seq = {seq}, etag = null")
        assert done.returncode == 0, done.stderr

    def next_day(self) -> None:
        """Move the people who were left out a day back, so that they are asked about again."""
        done = psql(self.reader, "update events.waiting set ask_after = now() where ask_after is not null")
        assert done.returncode == 0, done.stderr

    def children(self, count: int) -> list[Person]:
        """Return ordinary pupils: published, with two guardians and no siblings."""
        world, shown = self.here.registers.world, published(self.here)
        plain = [
            pupil.person
            for pupil in world.pupils
            if pupil.person and pupil.person.number in shown and not pupil.person.cases
        ]
        guardians = {one.number: [world.persons.get(r.ansvarlig or "") for r in one.responsibility] for one in plain}
        found = [
            one
            for one in plain
            if len(guardians[one.number]) == 2
            and all(adult and len(adult.children) == 1 for adult in guardians[one.number])
        ]
        assert len(found) >= count
        return found[:count]

    def adult(self, child: Person) -> Person:
        """The first of a child's guardians."""
        return self.here.registers.world.persons[child.responsibility[0].ansvarlig or ""]


def published(installation: Installation) -> set[str]:
    """The numbers in what is published."""
    return set(re.findall(r"norEduPersonNIN: ([0-9]{11})", installation.ldif()))


def landed_of(installation: Installation) -> set[str]:
    """The sources that have raw answers in landing."""
    return {path.parent.name for path in (installation.storage / "landing").rglob("*") if path.is_file()}


@pytest.fixture
def lane(installation: Installation) -> Lane:
    lane = Lane(installation)
    lane.run()  # finds its place in the list
    return lane


@pytest.mark.long
def test_what_is_taken_leaves_every_export_whatever_waits_and_nothing_else_changes(lane: Lane) -> None:
    here, other = lane.here, lane.other
    other.run()
    manifest = (here.storage / "exports/bergen/manifest.json").read_bytes()
    # Haugesund has a run that waits for its answer; it has asked before any of this happened.
    waiting = here.open()
    here.steps(waiting, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check")
    merge(waiting)
    secret, lost, plain = lane.children(3)
    before, everything = published(here), here.dump()

    # Bergen holds none of them any more.
    with psycopg.connect(_libpq(make_url(other.warehouse_url))) as connection:
        connection.execute("delete from events.route")
    lane.protect(secret)
    dead = lane.adult(plain)
    dead.died, dead.status = here.registers.world.day, "doed"
    lane.tell(dead, "personErDoed")
    gone = lost.responsibility.pop().ansvarlig
    lane.tell(lost, "endringIForeldreansvar")
    plain.family = "Nyttnavn"
    lane.tell(plain, "endringINavn")

    outcome = lane.run()
    assert outcome.trouble == []
    assert outcome.counts == {"pages": 2, "events": 4, "kommuner": 1, "waiting": 0}
    assert outcome.read
    assert published(here) == before - {secret.number}
    assert "Nyttnavn" not in here.ldif(), "what gives or only changes waits for the next run"
    assert gone not in _access(here, lost.number)
    assert dead.number not in _access(here, plain.number)
    assert _access(here, lost.number)
    assert _access(here, plain.number)
    assert (here.storage / "exports/bergen/manifest.json").read_bytes() == manifest
    assert here.dump() == everything, "history and golden record are the runs' alone"
    for kept in (here.storage / "exports/haugesund").rglob("feide.ldif"):
        assert secret.number not in kept.read_text("utf-8")
    landed = [path for path in (here.storage / "landing").rglob("*") if path.is_file()]
    assert not [path for path in landed if "events" in path.parts]
    assert [path for path in landed if "freg" in path.parts]

    # The waiting run still has its approved plan, and is released under the vetoes written meanwhile.
    approve_and_release(waiting)
    publish(waiting)
    assert secret.number not in published(here)
    close_run(waiting, [])
    assert landed_of(here) == {"hr", "sas"}
    assert lane.run().counts == {"pages": 1, "events": 0, "kommuner": 0, "waiting": 0}


@pytest.mark.long
def test_a_waiting_run_cannot_lower_what_has_been_raised_again_since(lane: Lane) -> None:
    here, (child,) = lane.here, lane.children(1)
    home = child.home
    lane.protect(child)
    lane.run()
    # The protection is lowered, and a run that has seen this waits for its answer. Then it is raised again.
    lane.protect(child, None)
    child.home = home
    waiting = here.open()
    here.steps(waiting, "extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check")
    merged = merge(waiting)
    assert merged["asks"]
    lane.protect(child)
    lane.run()
    with pytest.raises(NotApproved):
        approve_and_release(waiting)
    # The run, with its older answers, is merged again and approved.
    merged = merge(waiting)
    approve_and_release(waiting)
    publish(waiting)
    assert child.number not in published(here)


def test_who_comes_with_a_run_under_way_is_asked_about_again_when_it_is_merged(lane: Lane) -> None:
    """FREG answered before the protection was raised, and no released run knows the pupil yet."""
    here, (newcomer,) = lane.here, lane.children(1)
    psql(here.warehouse_url, "delete from events.route")
    job = here.open()
    here.steps(job, "extract_sas", "extract_hr", "extract_freg", "extract_krr")
    lane.protect(newcomer)
    assert lane.run().counts["waiting"] == 1
    assert newcomer.number not in published(here)
    here.run(job=job)
    assert lane.run().counts["waiting"] == 0
    assert newcomer.number not in published(here)


@pytest.mark.long
def test_killed_or_unanswered_anywhere_it_is_repeated_and_nothing_is_lost(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, (child, later, last) = lane.here, lane.children(3)
    lane.protect(child)
    for place, name in (
        (events, "move_pointer"),
        (fast_lane, "_learn"),
        (fast_lane, "write_anew"),
        (events, "dealt_with"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(place, name, _dies)
            with pytest.raises(KeyboardInterrupt):
                lane.run()
    assert lane.owners("waiting") == ["haugesund"]
    assert child.number not in published(here)
    lane.set_pointer(FIRST)  # the same events once more
    assert lane.run().trouble == []
    assert lane.owners("waiting") == []
    vetoes = here.query("select count(*), count(distinct person_id) from control.veto where kind = 'protection'")
    assert vetoes[0][0] == vetoes[0][1]
    assert landed_of(here) == {"hr", "sas"}

    # FREG leaves a person out of its answers: told once, on the work list, and asked about again every day.
    lane.protect(later)
    with monkeypatch.context() as patched:
        patched.setattr(fast_lane, "withdraw", lambda *_: None)
        lane.run()
    here.registers.faults.turn_on("few", "freg", 0)
    (told,) = lane.run().trouble
    assert (type(told), told.facts) == (SourceRefused, {"unanswered": 1})
    assert "de står på arbeidslisten, og Dataflyt spør igjen hver dag" in told.sentence
    every = work_list.items(here.kommune, here.environment, LOOKING)
    listed = [item for item in every if item.kind == "event_unanswered"]
    assert [item.subject for item in listed] == [str(_link(here, later.number))]
    here.registers.faults.requests.clear()
    outcome = lane.run()
    assert (outcome.trouble, outcome.counts["waiting"]) == ([], 0)
    asked = [request for request in here.registers.faults.requests if request["path"] == "freg"]
    assert len(asked) <= 2, "the list and its last number: nobody is asked about"
    assert later.number in published(here)
    # FREG refuses to answer the next day too.
    here.registers.faults.clear()
    country = here.registers.world.country
    assert country is not None
    find = country.find
    lane.next_day()
    with monkeypatch.context() as patched:
        patched.setattr(country, "find", lambda number: None if number == later.number else find(number))
        assert lane.run().trouble == []
    assert lane.owners("waiting") == ["haugesund"]
    lane.next_day()
    # The list breaks off: the events read so far are kept.
    lane.tell(child, "personErOppdatert")
    with monkeypatch.context() as patched:
        patched.setattr(EventList, "pages", _breaks_off)
        patched.setattr(fast_lane, "withdraw", lambda *_: None)
        broken_off = lane.run()
    assert ([type(trouble) for trouble in broken_off.trouble], broken_off.read) == ([SourceUnavailable], False)
    assert lane.owners("waiting") == ["haugesund"] * 2
    # The list does not answer: the error says since when, and waiting people are asked about all the same.
    lane.refused = {"freg_events"}
    (told,) = lane.run().trouble
    assert "De ble sist lest" in told.sentence
    assert later.number not in published(here)
    assert lane.owners("waiting") == []

    # Its newest number is ahead of the events that it gives.
    lane.refused.clear()
    newest = Feed.last
    monkeypatch.setattr(Feed, "last", lambda feed: newest(feed) + 5000)
    assert lane.run().trouble == []
    lane.protect(last)
    assert lane.run().trouble == []
    assert last.number not in published(here)


@pytest.mark.long
def test_the_trouble_of_one_kommune_stops_no_other_and_a_kommune_sees_its_own_alone(lane: Lane) -> None:
    here, other = lane.here, lane.other
    child, second, *children = lane.children(32)
    other.run()
    lane.run()
    lane.refused = {"freg_haugesund"}
    lane.protect(child)
    outcome = lane.run()
    assert [trouble.sentence.split(":")[0] for trouble in outcome.trouble] == ["haugesund"]
    assert outcome.counts["kommuner"] == outcome.counts["waiting"] == 1
    assert child.number not in published(other)
    assert child.number in published(here)
    lane.refused.clear()
    assert lane.run().trouble == []
    assert child.number not in published(here)

    # A kommune whose file is broken waits. Too many losses take nothing; a protection is written.
    access = {one.number: _access(here, one.number) for one in children}
    for one in children:
        one.responsibility.clear()
        lane.tell(one, "endringIForeldreansvar")
    lane.protect(second)
    lane.kommuner = [here.kommune]
    told = lane.run().trouble
    assert {(type(trouble), trouble.sentence.split(":")[0]) for trouble in told} == {
        (ConfigError, "bergen"),
        (DataInDoubt, "haugesund"),
    }
    assert {one.number: _access(here, one.number) for one in children} == access
    assert second.number not in published(here)
    assert set(lane.owners("waiting")) == {"haugesund", "bergen"}

    assert set(lane.owners("route")) == {"haugesund", "bergen"}
    shown = psql(lane.reader, "select * from events.route union all select hash, owner, null from events.waiting")
    assert shown.stdout
    assert not re.search(r"\b[0-9]{11}\b", shown.stdout)
    bergen = other.warehouse_url
    for table in ("route", "waiting"):
        assert set(psql(bergen, f"select owner from events.{table}").stdout.split()) == {"bergen"}
    for url, statement in [
        (lane.reader, "select * from control.veto"),
        (lane.reader, "select * from golden.person"),
        (lane.reader, "select * from history.freg_person"),
        (lane.reader, "select * from staging_haugesund.freg_person"),
        (lane.reader, "insert into events.route values (gen_random_uuid(), 'x')"),
        (lane.reader, "delete from events.waiting"),
        (bergen, "select * from events.pointer"),
        (bergen, "insert into events.route values (gen_random_uuid(), 'haugesund')"),
        (bergen, "insert into events.waiting values ('bergen', gen_random_uuid(), 1, now())"),
    ]:
        refused = psql(url, statement).stderr
        assert "permission denied" in refused or "row-level security" in refused, statement


def test_a_new_number_is_followed_at_once_and_a_place_that_is_not_kept_asks_about_everybody(
    lane: Lane, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, (child, second, third) = lane.here, lane.children(3)
    world = here.registers.world
    old, new = child.number, world.maker.spare_number(child.born, child.sex, 7)
    lane.tell(child, "endringIIdentifikasjonsnummer")
    child.former_numbers.append((old, "foedselsnummer", world.day))
    child.number = new
    world.by_any_number[new] = child
    lane.run()
    assert old in published(here), "the number itself changes with the next run"
    lane.protect(child)
    lane.run()
    assert old not in published(here)

    lane.by_fiks = True  # the same list by another way
    lane.protect(second)
    assert world.country
    world.country.events.clear()
    lane.set_pointer(5)
    (told,) = lane.run().trouble
    assert "36 måneder" in told.sentence
    assert second.number not in published(here)
    assert lane.run().trouble == []

    # From the command line.
    lane.by_fiks = False
    for name in ("warehouse_haugesund", "warehouse_events", "freg_haugesund", "freg_events"):
        one = here.environment.connect(name)
        said = {"host": one.url, "login": one.login, "password": one.password, "extra": one.extra}
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "generic", **said}))
    monkeypatch.setenv("DATAFLYT_STORAGE", str(here.storage))
    lane.protect(third)
    done = CliRunner().invoke(app, ["events"])
    assert done.exit_code == 0, done.output
    assert done.output == "Hendelser lest: 1. Kommuner det er spurt for: 1, som venter: 0.\n"
    assert third.number not in published(here)
    for silent, said in (("1 minute", "OK freg_events: "), ("76 minutes", "FEIL freg_events: ")):
        psql(lane.reader, f"update events.pointer set read_at = now() - interval '{silent}'")
        assert f"\n{said}Hendelsene i Folkeregisteret er " in CliRunner().invoke(app, ["doctor"]).output
    psql(lane.reader, "update events.pointer set ahead = true, read_at = now(), event_at = now() - interval '25 hours'")
    assert (
        "\nFEIL freg_events: Folkeregisteret har ikke gitt hendelser siden"
        in CliRunner().invoke(app, ["doctor"]).output
    )


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


_pages = EventList.pages


def _breaks_off(event_list: EventList, seq: int, etag: str | None) -> Iterator[EventPage]:
    yield next(_pages(event_list, seq, etag))
    raise SourceUnavailable("Svarer ikke.")
