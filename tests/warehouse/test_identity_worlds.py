"""Random worlds in which people are joined, split or renumbered, while registers protect and people decide.

For all events in all orders, protection never falls and access never appears without an answer to a plan with a row
about it, and decisions hold for every number and local id that the person has or has had. The latter rule is written a
second time here, naively: identifiers that have ever stood together are one.
"""

import io
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import make_url, text

from dataflyt.run.job import Job, open_job
from dataflyt.run.merge import merge
from dataflyt.run.withdraw import withdraw
from dataflyt.sources.freg import rows as freg
from dataflyt.sources.sas import rows as sas
from dataflyt.warehouse import plan, runs, staging, vetoed_views
from tests.installation.fixtures import Installation, _libpq, approve_and_release, checked

WEEKS = 6
SCHOOL = "311060015"
LEVELS = {"ugradert": 0, "fortrolig": 2, "strengtFortrolig": 3}
Identifier = tuple[str, str]


@dataclass
class Document:
    """A person in FREG: the current number, the former ones, and the facts."""

    numbers: list[str]
    adults: set[str] = field(default_factory=set)
    grading: str = "ugradert"
    home: str | None = None


class Small:
    """A school of a few children, whose registers the test writes itself."""

    def __init__(self, rng: Random) -> None:
        self.rng, self.made = rng, 0
        self.documents: list[Document] = []
        self.pupils: dict[str, str | None] = {}
        adults = [self._somebody() for _ in range(6)]
        for turn in range(5):
            child = self._somebody()
            child.adults = {adult.numbers[0] for adult in rng.sample(adults, 2)}
            child.home = f"home{turn}"
            child.grading = rng.choice(["ugradert", "fortrolig", "strengtFortrolig"])
            self.pupils[f"p{turn}"] = child.numbers[0] if turn else None

    def _somebody(self) -> Document:
        self.documents.append(Document([self._number()]))
        return self.documents[-1]

    def _number(self) -> str:
        self.made += 1
        return f"{20000000000 + self.made}"

    def week(self) -> None:
        """Let something happen to one person or to several."""
        for _ in range(self.rng.randint(1, 3)):
            self.rng.choice(
                [
                    *(self._happens_join, self._happens_join, self._happens_split, self._happens_split),
                    *(self._happens_renumber, self._happens_number_in_file, self._happens_grading),
                    self._happens_guardian,
                ]
            )()

    def _happens_join(self) -> None:
        kept, gone = self.rng.sample(self.documents, 2)
        kept.numbers += gone.numbers
        self.documents.remove(gone)
        self._renamed(gone.numbers[0], kept.numbers[0])
        if self.rng.random() < 0.5:
            kept.adults |= gone.adults
        kept.adults.discard(kept.numbers[0])
        for sas_id, number in self.pupils.items():
            if number == gone.numbers[0]:
                self.pupils[sas_id] = kept.numbers[0]

    def _happens_split(self) -> None:
        several = [one for one in self.documents if len(one.numbers) > 1]
        if several:
            one = self.rng.choice(several)
            number = one.numbers.pop(self.rng.randrange(len(one.numbers)))
            self.documents.append(Document([number], set(one.adults), home=one.home))
            for child in self.documents:
                if self.rng.random() < 0.5 and set(one.numbers) & child.adults:
                    child.adults.add(number)
            for document in self.documents:  # a responsible person is named by a number in use
                in_use = {known.numbers[0] for known in self.documents}
                document.adults = {self._in_use(adult) for adult in document.adults} & in_use - {document.numbers[0]}
            for sas_id in self.pupils:
                if self.pupils[sas_id] == number and self.rng.random() < 0.5:
                    self.pupils[sas_id] = one.numbers[0]

    def _in_use(self, number: str) -> str:
        return next((one.numbers[0] for one in self.documents if number in one.numbers), number)

    def _happens_renumber(self) -> None:
        one = self.rng.choice(self.documents)
        before = one.numbers[0]
        one.numbers.insert(0, self._number())
        self._renamed(before, one.numbers[0])

    def _renamed(self, before: str, after: str) -> None:
        for document in self.documents:
            if before in document.adults:
                document.adults = document.adults - {before} | {after}

    def _happens_number_in_file(self) -> None:
        sas_id = self.rng.choice(sorted(self.pupils))
        self.pupils[sas_id] = self.rng.choice([None, *(one.numbers[0] for one in self.documents if one.adults)])

    def _happens_grading(self) -> None:
        self.rng.choice(self.documents).grading = self.rng.choice(["ugradert", "ugradert", *LEVELS])

    def _happens_guardian(self) -> None:
        child = self.rng.choice([one for one in self.documents if one.adults] or self.documents)
        if child.adults and self.rng.random() < 0.5:
            child.adults.remove(self.rng.choice(sorted(child.adults)))
        else:
            child.adults.add(self.rng.choice([one.numbers[0] for one in self.documents if one is not child]))

    def freg(self) -> Iterator[Any]:
        asked = {number for number in self.pupils.values() if number}
        asked |= {adult for one in self.documents if asked & set(one.numbers) for adult in one.adults}
        for one in self.documents:
            if not asked & set(one.numbers):
                continue
            me = one.numbers[0]
            person = dict.fromkeys(freg.Person._fields) | {"foedselsEllerDNummer": me, "oppslag": me, "doed": False}
            person |= {"foedselsdato": "2016-01-01", "falskIdentitet": False, "status": "bosatt"}
            yield freg.Person(**person)
            for number in one.numbers:
                yield freg.Identifikasjonsnummer(me, number, "foedselsnummer", "iBruk" if number == me else "opphoert")
            yield freg.Navn(me, "Navn", None, f"Nummer{me[-3:]}", None, True, None)
            yield freg.Adressebeskyttelse(
                foedselsEllerDNummer=me,
                graderingsnivaa=one.grading,
                ukjent=False,
                erGjeldende=True,
                gyldighetstidspunkt=None,
            )
            home = dict.fromkeys(freg.Bostedsadresse._fields) | {"foedselsEllerDNummer": me, "bolig": one.home or me}
            yield freg.Bostedsadresse(**home)
            for adult in sorted(one.adults):
                yield freg.Foreldreansvar(me, "felles", adult, None, None, None, None, None, me, True, None)

    def sas(self) -> Iterator[Any]:
        yield sas.School("owner", None, "skoleeier", "944073787", "Haugesund", None)
        yield sas.School("school", "owner", "skole", SCHOOL, "Skåredalen skole", None)
        for sas_id, number in self.pupils.items():
            person = dict.fromkeys(sas.Person._fields) | {"person_id": sas_id, "number": number}
            yield sas.Person(**person | {"given_name": "Navn", "family_name": sas_id, "birth_date": "2016-01-01"})
            yield sas.Membership("school", sas_id, "01", None, True, True, None, None)


class Pages:
    """A landing whose only page is in memory."""

    @contextmanager
    def open(self, name: str) -> Iterator[io.BytesIO]:
        yield io.BytesIO(name.encode())


class Read(dict):  # type: ignore[type-arg]
    """The current state of each identifier: its person, level, and the identifiers with access to it."""

    def __init__(self, here: Installation) -> None:
        super().__init__()
        self.level: dict[Identifier, int] = {}
        self.access: set[tuple[Identifier, Identifier]] = set()
        with here.open_reading() as connection:
            by_id: dict[str, set[Identifier]] = defaultdict(set)
            for scheme, value, person in connection.execute(
                text("select scheme, value, person_id from now_person_link")
            ):
                self[scheme, value] = str(person)
                by_id[str(person)].add((scheme, value))
            levels = connection.execute(text("select person_id, level from now_protection"))
            level = {str(person): found for person, found in levels}
            self.level = {one: level.get(person, 0) for one, person in self.items()}
            self.pairs = {
                (str(child), adult)
                for child, adult in connection.execute(
                    text("select child_id, adult from now_guardian_access where state = 'active'")
                )
            }
            self.access = {(c, a) for child, adult in self.pairs for c in by_id[child] for a in by_id[adult]}


class Together:
    """Sets of identifiers that have ever stood together: the second writing of the rule for shared protection."""

    def __init__(self) -> None:
        self.sets: list[set[Identifier]] = []

    def add(self, some: set[Identifier]) -> None:
        touched = [one for one in self.sets if one & some]
        self.sets = [one for one in self.sets if one not in touched] + [some.union(*touched)]

    def of(self, one: Identifier) -> set[Identifier]:
        return next((some for some in self.sets if one in some), {one})


def _stage(job: Job, source: str, rows: Iterator[Any]) -> None:
    with job.transaction() as connection:
        runs.resume(connection, job.owner, job.run.number)
        staging.prepare(connection, job.owner, source)
        page = ("1-pupils-00001.json", lambda _: rows)
        staging.load(connection, job.owner, job.run.number, source, [page], Pages())  # type: ignore[arg-type]


@pytest.mark.long
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32))
def test_protection_never_falls_and_access_never_appears_without_a_row_and_an_answer(
    installation: Installation, seed: int
) -> None:
    with psycopg.connect(
        _libpq(make_url(installation.admin_url).set(database=make_url(installation.warehouse_url).database))
    ) as connection:
        for schema in ("control", "history", "golden"):
            for (table,) in connection.execute("select tablename from pg_tables where schemaname = %s", (schema,)):
                connection.execute(f"truncate {schema}.{table} cascade")  # type: ignore[arg-type]
    here, rng = Watched(installation), Random(seed)
    world = Small(rng)
    for week in range(WEEKS):
        if week:
            world.week()
        here.week(week, world)
        here.decide(rng)


class Watched:
    """A kommune whose every step is verified."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.together = Together()
        self.blocks: list[tuple[Identifier, Identifier]] = []
        self.overrides: list[Identifier] = []

    @contextmanager
    def open_reading(self) -> Iterator[Any]:
        job = self.job
        with job.transaction(lock=False) as connection:
            released = runs.released_before(connection, job.owner)
            vetoed_views.views(connection, job.owner, released, "now_", day=job.golden_inputs.today)
            yield connection

    def week(self, week: int, world: Small) -> None:
        kommune, environment = self.installation.kommune, self.installation.environment
        self.job = job = open_job(kommune, f"week-{week}", datetime(2026, 1, 1 + week, tzinfo=UTC), environment)
        for source, rows in {"sas": world.sas(), "freg": world.freg(), "hr": iter(()), "krr": iter(())}.items():
            _stage(job, source, rows)
        before = Read(self)  # type: ignore[arg-type]
        withdraw(job)
        withdrawn = Read(self)  # type: ignore[arg-type]
        self.only_taken(before, withdrawn)
        checked(job)
        merged = merge(job)
        rng = world.rng
        if merged["asks"] and week and rng.random() < 0.3:
            with job.transaction() as connection:
                runs.undo(connection, job.owner, job.run.number, "rejected")
            after = Read(self)  # type: ignore[arg-type]
            assert after == withdrawn
            assert (after.level, after.access) == (withdrawn.level, withdrawn.access)
            return
        with job.transaction() as connection:
            planned = plan.build(connection, job.owner, job.run.number, runs.released_before(connection, job.owner))
            named = {row[:3] for row in plan.rows(planned, graded=True)}
            seen = {row[:3] for row in plan.rows(planned)}
        approve_and_release(job)
        for one in world.documents:
            self.together.add({("number", number) for number in one.numbers})
        for sas_id, number in world.pupils.items():
            self.together.add({("sas", sas_id), *([("number", number)] if number else [])})
        after = Read(self)  # type: ignore[arg-type]
        self.named(withdrawn, after, named, bool(merged["asks"]))
        assert not {kind for kind, *_ in seen} & plan.GRADED_KINDS
        self.holds(after)

    def only_taken(self, before: Read, after: Read) -> None:
        for one, level in before.level.items():
            assert after.level[one] >= level
        assert after.access <= before.access

    def named(self, before: Read, after: Read, named: set[tuple[str, str, str]], asked: bool) -> None:
        """Assert that each lowered protection and new access has a row, and an answer where identities changed."""
        for one, level in before.level.items():
            if after.level[one] < level:
                assert asked
                assert ("protection_lowered", before[one], "") in named or (
                    "protection_lowered",
                    after[one],
                    "",
                ) in named
        for child, adult in after.access - before.access:
            pair = (after[child], after[adult])
            if any(one in before and before[one] != after[one] for one in (child, adult)):
                assert asked
            if child in before and adult in before:
                assert ("guardian_gains_access", *pair) in named or pair in before.pairs

    def holds(self, after: Read) -> None:
        """Assert that decisions hold for every identifier that has ever stood together with the person's."""
        for child, adult in self.blocks:
            for c in self.together.of(child):
                for a in self.together.of(adult):
                    assert (c, a) not in after.access
        for one in self.overrides:
            for other in self.together.of(one):
                assert after.level.get(other, 3) == 3

    def decide(self, rng: Random) -> None:
        """Let people block, protect or grant, among the people shown now."""
        now = Read(self)  # type: ignore[arg-type]
        what = rng.choice(["block", "block", "override", "grant", "nothing"])
        if what == "nothing" or not now.access:
            return
        child, adult = rng.choice(sorted(now.access))
        values: dict[str, object] = {"child": now[child], "adult": now[adult]}
        columns, written = {
            "block": ("access_block (child_id, adult, basis, decided_at", ":child, :adult, 'x', now()"),
            "override": (
                "override (person_id, field, value, reason, from_run, approved_by",
                ":child, 'adressebeskyttelse', 'strengtFortrolig', 'x', 1, 'birgitte'",
            ),
            "grant": (
                "access_grant (child_id, adult, adult_kind, basis, scope, seen_by, from_run, approved_by",
                ":child, :adult, 'person', 'court_judgment', 'alt', 'anita', 1, 'birgitte'",
            ),
        }[what]
        if what == "block":
            self.blocks.append((child, adult))
        elif what == "override":
            self.overrides.append(child)
        else:
            values["adult"] = now[rng.choice([one for one in sorted(now) if now[one] != now[child]])]
        with self.job.transaction() as connection:
            connection.execute(
                text(
                    f"insert into control.{columns}, owner, case_number, decided_by) "
                    f"values ({written}, 'haugesund', '1', 'anita')"
                ),
                values,
            )


def test_the_naive_sets_join_what_has_stood_together() -> None:
    together = Together()
    for some in ({("number", "1")}, {("number", "2"), ("sas", "a")}, {("number", "1"), ("number", "2")}):
        together.add(set(some))
    assert together.of(("sas", "a")) == {("number", "1"), ("number", "2"), ("sas", "a")}
    assert together.of(("sas", "b")) == {("sas", "b")}
