"""Names and user names written a second time, naively, and compared over random years of changes and decisions."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from dataflyt.decisions.decision import Moment
from dataflyt.decisions.override import EndOverride, Override
from dataflyt.storage import database
from dataflyt.warehouse import golden, merge, runs
from tests.installation.fixtures import Installation

OWNER = "haugesund"
SCHOOL = "311060015"
WEEKS = 9
GIVEN = ("Kari", "Karin", "Ola", "Ola Per", "Åse", "Nils")
FAMILY = ("Nordmann", "Vik", "Norli")
SOME = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class One:
    """A pupil: the register's word, people's decisions (value, the run they count from), and the user names so far."""

    number: str
    given: str
    family: str
    kjoenn: str
    at_school: bool = True
    decided: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    uids: list[tuple[str, int, str, str]] = field(default_factory=list)

    def word(self, name: str, run: int) -> str:
        value, from_run, _ = self.decided.get(name, ("", run + 1, 0))
        register = {"fornavn": self.given, "etternavn": self.family, "kjoenn": self.kjoenn}
        return value if from_run <= run else register[name]

    def is_renewed(self, run: int, *, renew: bool) -> bool:
        _, named_in, first, kjoenn = self.uids[-1]
        value, from_run, _ = self.decided.get("user_name", ("", run + 1, 0))
        if from_run <= run:
            renew = value == "renew"
        changed = (first, kjoenn) != (self.first(run), self.word("kjoenn", run))
        return renew and (changed or (from_run <= run and from_run > named_in))

    def first(self, run: int) -> str:
        return self.word("fornavn", run).split()[0].lower()


class World:
    """A school of namesakes. ``taken`` are all user names ever given and not undone, ``made`` how often each base."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.people = [
            One(f"{20000000001 + n}", rng.choice(GIVEN), rng.choice(FAMILY), rng.choice(["kvinne", "mann"]))
            for n in range(7)
        ]
        self.taken: dict[str, str] = {}
        self.made: Counter[str] = Counter()
        self.renew = False

    def week(self, at: Moment) -> None:
        for _ in range(self.rng.randint(1, 4)):
            one = self.rng.choice(self.people)
            what = self.rng.choice(["given", "family", "kjoenn", "school", "override", "override", "end", "policy"])
            if what == "given":
                one.given = self.rng.choice(GIVEN)
            elif what == "family":
                one.family = self.rng.choice(FAMILY)
            elif what == "kjoenn":
                one.kjoenn = self.rng.choice(["kvinne", "mann"])
            elif what == "school":
                one.at_school = not one.at_school
            elif what == "policy":
                self.renew = not self.renew
            elif what == "override":
                self._override(one, at)
            elif one.decided:
                name = self.rng.choice(sorted(one.decided))
                EndOverride(override=one.decided.pop(name)[2]).write(at, "anita", "bjorn")

    def _override(self, one: One, at: Moment) -> None:
        name = self.rng.choice(["fornavn", "kjoenn", "user_name", "user_name"])
        values = {"fornavn": GIVEN, "kjoenn": ("kvinne", "mann"), "user_name": ("keep", "renew")}
        if name in one.decided:
            return
        value = self.rng.choice(values[name])
        decision = Override(person=person(at.connection, one), field=name, value=value, reason="x", case_number="1")  # type: ignore[arg-type]
        one.decided[name] = (value, at.next_run, decision.write(at, "anita", "bjorn"))

    def name_all(self, run: int) -> None:
        """Give user names as the rule says it, one person at a time."""
        here = [one for one in self.people if one.at_school]
        waiting = [one for one in here if not one.uids]
        waiting += [one for one in here if one.uids and one.is_renewed(run, renew=self.renew)]
        places = Counter(self.made)
        for one in waiting:
            base = letters(one.word("fornavn", run)) + letters(one.word("etternavn", run))
            while True:
                places[base] += 1
                uid = base if places[base] == 1 else f"{base}{places[base]}"
                if uid not in self.taken:
                    break
            self.made[base] += 1
            self.taken[uid] = one.number
            one.uids.append((uid, run, one.first(run), one.word("kjoenn", run)))


def letters(name: str) -> str:
    return name.lower().replace("å", "aa").replace(" ", "")[:3]


def person(connection: Connection, one: One) -> UUID:
    found = connection.scalar(
        text("select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :number"),
        {"number": one.number},
    )
    return UUID(str(found))


def hold(connection: Connection, world: World) -> None:
    """Let history's open rows say what the registers say now."""
    tables: dict[str, list[dict[str, Any]]] = {
        "sas_school": [{"key": "s", "school_id": "s", "level": "skole", "orgnr": SCHOOL, "name": "Skolen"}],
        "sas_person": [{"key": one.number, "person_id": one.number, "number": one.number} for one in world.people],
        "sas_membership": [
            {"key": one.number, "group_id": "s", "person_id": one.number, "role": "01"}
            for one in world.people
            if one.at_school
        ],
        "freg_person": [
            {"key": one.number, "foedselsellerdnummer": one.number, "oppslag": one.number, "kjoenn": one.kjoenn}
            for one in world.people
        ],
        "freg_navn": [
            {"key": one.number, "foedselsellerdnummer": one.number, "fornavn": one.given, "etternavn": one.family}
            for one in world.people
        ],
    }
    for table, rows in tables.items():
        connection.execute(text(f"delete from history.{table}"))
        columns = [*rows[0]] if rows else []
        values = ", ".join(f":{column}" for column in columns)
        if rows:
            connection.execute(
                text(
                    f"insert into history.{table} (owner, subject, from_run, {', '.join(columns)}) "
                    f"values ('{OWNER}', :key, 1, {values})"
                ),
                rows,
            )


def merged(connection: Connection, world: World, run: int, as_of: datetime) -> None:
    hold(connection, world)
    inputs = golden.GoldenInputs(OWNER, run, as_of, units={}, renew_user_names=world.renew)
    computed = golden.compute(golden.views_of_history(connection, OWNER), inputs)
    merge.merge_golden(computed)


_HELD = """
select l.value, p.fornavn, p.kjoenn, a.uid
from golden.person p
join golden.person_link l on l.person_id = p.person_id and l.to_run is null and l.scheme = 'number'
join golden.account a on a.person_id = p.person_id and a.to_run is null
where p.to_run is null order by 1
"""


@pytest.mark.long
@SOME
@given(seed=st.integers(0, 2**32))
def test_names_and_user_names_are_what_a_naive_reading_of_the_rule_gives(installation: Installation, seed: int) -> None:
    rng = Random(seed)
    world = World(rng)
    db = database.engine(installation.warehouse_url)
    with database.transaction(db, OWNER) as connection:
        runs.draw_key(connection, OWNER)
        ever: dict[str, str] = {}
        for run in range(1, WEEKS):
            as_of = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=run)
            if run > 1:
                moment = Moment(connection, installation.kommune, None, date(2026, 11, 1), run - 1, run)  # type: ignore[arg-type]
                world.week(moment)
            connection.execute(
                text(
                    "insert into control.run (owner, run, key, as_of, state, config_version) "
                    "values (:owner, :run, :key, :as_of, 'open', 'x')"
                ),
                {"owner": OWNER, "run": run, "key": f"r{run}", "as_of": as_of},
            )
            merged(connection, world, run, as_of)
            if rng.random() < 0.3:  # undone and done again: the same names
                merge.undo(connection, OWNER, run)
                merged(connection, world, run, as_of)
            connection.execute(text("update control.run set state = 'released' where run = :run"), {"run": run})
            world.name_all(run)
            held = [tuple(row) for row in connection.execute(text(_HELD))]
            assert held == [
                (one.number, one.word("fornavn", run), one.word("kjoenn", run), one.uids[-1][0])
                for one in world.people
                if one.at_school
            ]
            for number, _, _, uid in held:
                assert ever.setdefault(uid, number) == number
        connection.rollback()
