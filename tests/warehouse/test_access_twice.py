"""Who has access now, written a second time, naively: grants, consents, blocks and vetoes over random families.

A run is computed with what people decided before it. Some decisions come after it, and the record is read some days
later. Everything that takes away holds at once; nothing that gives back holds before a later run.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, Literal, TypeAlias

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from dataflyt.run.job import open_job
from dataflyt.sources.freg import rows as freg
from dataflyt.sources.sas import rows as sas
from dataflyt.warehouse import golden, merge, vetoed_views
from tests.installation.fixtures import Installation
from tests.warehouse.test_identity_worlds import SCHOOL, _stage

TODAY = date(2026, 11, 25)
When: TypeAlias = Literal["before", "after"]
Lifted: TypeAlias = Literal["no", "waits", "given"]
"""Whether what takes away is lifted: no; yes, from the next run; yes, from this run."""
ADULTS = [f"{20000000000 + turn}" for turn in range(6)]
ORGANISATION = "org:944073787"


@dataclass
class Taken:
    """A block or a veto of a child: its kind, its adult if it has one, when it came, and whether it is lifted."""

    kind: Literal["block", "access_ended", "access_suspended", "death", "protection", "override"]
    adult: str
    when: When
    lifted: Lifted
    cause: str


@dataclass
class Granted:
    """A grant: whether it begins in this run or the next, and each consent with its day and its withdrawal."""

    adult: str
    basis: Literal["consent", "court_judgment"]
    next_run: bool
    until: date | None
    withdrawn: When | None
    consents: dict[str, tuple[date, When | None]]


@dataclass
class Child:
    number: str
    born: date
    responsible: set[str]
    graded: bool
    taken: list[Taken] = field(default_factory=list)
    granted: list[Granted] = field(default_factory=list)


def _world(rng: Random) -> tuple[list[Child], set[str]]:
    dead = {adult for adult in ADULTS if rng.random() < 0.1}
    children = []
    for turn in range(8):
        years, days = rng.choice([8, 14, 15, 17, 18, 19]), rng.choice([-40, -1, 0, 1, 40])
        born = date(TODAY.year - years, TODAY.month, TODAY.day) + timedelta(days=days)
        responsible = set(rng.sample(ADULTS[:4], rng.choice([0, 1, 2, 2])))
        child = Child(f"{30000000000 + turn}", born, responsible, rng.random() < 0.1)
        for _ in range(rng.choice([0, 0, 1, 2])):
            child.taken.append(_some_taken(rng))
        for _ in range(rng.choice([0, 1, 2])):
            child.granted.append(_some_grant(rng, child))
        children.append(child)
    return children, dead


def _some_taken(rng: Random) -> Taken:
    kind = rng.choice(["block", "access_ended", "access_suspended", "death", "protection", "override"])
    cause = rng.choice(["consent", "answered"]) if kind == "access_ended" else "x"
    when, lifted = rng.choice(["before", "after"]), rng.choice(["no", "waits", "given"])
    return Taken(kind, rng.choice([*ADULTS, ORGANISATION]), when, lifted, cause)  # type: ignore[arg-type]


def _some_grant(rng: Random, child: Child) -> Granted:
    basis = rng.choice(["consent", "consent", "court_judgment"])
    until = rng.choice([None, None, TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=10)])
    consents = {}
    for who in [*child.responsible, child.number, *rng.sample(ADULTS, 1)]:
        if rng.random() < (0.9 if who in child.responsible else 0.5 if who == child.number else 0.1):
            day = TODAY - timedelta(days=rng.choice([0, 1, 30, 500]))
            consents[who] = (day, rng.choice([None] * 12 + ["before", "after"]))
    withdrawn = rng.choice([None] * 6 + ["before", "after"])
    adult = rng.choice([*ADULTS, ORGANISATION])
    return Granted(adult, basis, rng.random() < 0.1, until, withdrawn, consents)  # type: ignore[arg-type]


# -- the naive writing ------------------------------------------------------------------------------------------------


def _access(children: list[Child], dead: set[str], day: date) -> set[tuple[str, str]]:
    """Return who has access on a day after the run: what the run gave, without what has been taken since."""
    return {
        (child.number, adult)
        for child in children
        for adult in [*ADULTS, ORGANISATION]
        if _gets(child, adult, dead, day) and not _is_taken(child, adult)
    }


def _gets(child: Child, adult: str, dead: set[str], day: date) -> bool:
    if adult in dead:
        return False
    if adult in child.responsible and not _is(child, 18, day):
        return True
    return any(one.adult == adult and _holds(child, one, dead, day) for one in child.granted)


def _is_taken(child: Child, adult: str) -> bool:
    return any(
        one.lifted != "given" and (one.kind == "death" or one.adult == adult)
        for one in child.taken
        if one.kind in ("block", "access_ended", "access_suspended", "death")
    )


def _holds(child: Child, grant: Granted, dead: set[str], day: date) -> bool:
    if grant.next_run or grant.withdrawn or (grant.until and grant.until < day):
        return False
    if any(withdrawn for _, withdrawn in grant.consents.values()):
        return False
    if grant.basis == "consent":
        if child.graded or any(one.kind in ("protection", "override") and one.lifted != "given" for one in child.taken):
            return False
        if any(
            one.kind == "access_ended" and one.cause == "consent" and one.when == "before" and one.adult == grant.adult
            for one in child.taken
        ):
            return False
    return _agreed(child, grant, dead, TODAY) and _agreed(child, grant, dead, day)


def _agreed(child: Child, grant: Granted, dead: set[str], day: date) -> bool:
    """Return whether those who must consent have consented, by the rule as it is on a day."""
    if _is(child, 18, day):
        given_on, _ = grant.consents.get(child.number, (date.min, None))
        return _is(child, 18, given_on)
    if grant.basis != "consent":
        return True
    living = child.responsible - dead
    if _is(child, 15, day) and child.number not in grant.consents:
        return False
    return bool(living) and set(grant.consents) - {child.number} == living


def _is(child: Child, years: int, day: date) -> bool:
    return day != date.min and (day.year - years, day.month, day.day) >= (
        child.born.year,
        child.born.month,
        child.born.day,
    )


# -- the same world in the warehouse ----------------------------------------------------------------------------------


def _freg(children: list[Child], dead: set[str]) -> Iterator[Any]:
    for number in [*ADULTS, *(child.number for child in children)]:
        child = next((one for one in children if one.number == number), None)
        person = dict.fromkeys(freg.Person._fields) | {"foedselsEllerDNummer": number, "oppslag": number}
        born = (child.born if child else date(1990, 1, 1)).isoformat()
        yield freg.Person(**person | {"doed": number in dead, "falskIdentitet": False, "foedselsdato": born})
        yield freg.Identifikasjonsnummer(number, number, "foedselsnummer", "iBruk")
        word = "fortrolig" if child and child.graded else "ugradert"
        yield freg.Adressebeskyttelse(number, word, False, True, None)
        home = dict.fromkeys(freg.Bostedsadresse._fields) | {"foedselsEllerDNummer": number, "bolig": number}
        yield freg.Bostedsadresse(**home)
        for adult in sorted(child.responsible) if child else ():
            yield freg.Foreldreansvar(number, "felles", adult, *[None] * 6, True, None)


def _sas(children: list[Child]) -> Iterator[Any]:
    yield sas.School("school", None, "skole", SCHOOL, "Skolen", None)
    for child in children:
        person = dict.fromkeys(sas.Person._fields) | {"person_id": f"p{child.number}", "number": child.number}
        yield sas.Person(**person)
        yield sas.Membership("school", f"p{child.number}", "01", None, True, True, None, None)


def _take(connection: Connection, run: int, child: str, one: Taken, adult: str) -> None:
    lifted = {"no": None, "waits": run + 1, "given": run}[one.lifted]
    values = {"child": child, "adult": adult, "run": run, "lifted": lifted, "cause": one.cause, "kind": one.kind}
    if one.kind == "block":
        statement = (
            "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at, "
            "lifted_at, lifted_by, lifted_by_second, lifted_run) values ('haugesund', :child, :adult, 'other', '1', "
            "'a', now(), {lifted})"
        )
    elif one.kind == "override":
        statement = (
            "insert into control.override (owner, person_id, field, value, reason, case_number, decided_by, "
            "approved_by, from_run) select 'haugesund', :child, 'adressebeskyttelse', 'fortrolig', 'x', '1', 'a', "
            "'b', 1 where cast(:lifted as bigint) is distinct from :run"
        )
    else:
        statement = (
            "insert into control.veto (owner, kind, person_id, adult, level, cause, run, learned_at, outside_run, "
            "lifted_at, lifted_by, lifted_by_second, lifted_run) values ('haugesund', :kind, :child, "
            "case when :kind like 'access%' then :adult end, 3, :cause, :run, now(), true, {lifted})"
        )
    by_people = (
        "case when cast(:lifted as bigint) is not null then now() end, "
        "case when cast(:lifted as bigint) is not null then 'a' end, "
        "case when cast(:lifted as bigint) is not null then 'b' end, cast(:lifted as bigint)"
    )
    connection.execute(text(statement.format(lifted=by_people)), values)


def _give(connection: Connection, run: int, ids: dict[str, str], child: Child, one: Granted, adult: str) -> int:
    number = connection.scalar(
        text(
            "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, seen_by, "
            "decided_by, approved_by, from_run, until) values ('haugesund', :child, :adult, :kind, :basis, 'alt', '1', "
            "'a', 'a', 'b', :run, :until) returning access_grant"
        ),
        {
            "child": ids[child.number],
            "adult": adult,
            "kind": "organisation" if ":" in adult else "person",
            "basis": one.basis,
            "run": run + one.next_run,
            "until": one.until,
        },
    )
    for who, (day, _) in one.consents.items():
        connection.execute(
            text(
                "insert into control.consent (owner, access_grant, given_by, how, given_at) "
                "values ('haugesund', :grant, :who, 'skjema', :at)"
            ),
            {"grant": number, "who": ids[who], "at": datetime(day.year, day.month, day.day, 11, tzinfo=UTC)},
        )
    return int(number or 0)


def _withdraw(connection: Connection, ids: dict[str, str], grant: int, one: Granted, when: When) -> None:
    if one.withdrawn == when:
        connection.execute(
            text(
                "update control.access_grant set withdrawn_at = now(), withdrawn_by = 'a' where access_grant = :grant"
            ),
            {"grant": grant},
        )
    for who, (_, withdrawn) in one.consents.items():
        if withdrawn == when:
            connection.execute(
                text(
                    "update control.consent set withdrawn_at = now(), withdrawn_by = 'a' "
                    "where access_grant = :grant and given_by = :who"
                ),
                {"grant": grant, "who": ids[who]},
            )


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), later=st.sampled_from([0, 1, 5, 40]))
def test_who_has_access_now_is_what_a_naive_reading_gives(installation: Installation, seed: int, later: int) -> None:
    children, dead = _world(Random(seed))
    day = TODAY + timedelta(days=later)
    as_of = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
    job = open_job(installation.kommune, f"access-{seed}-{later}", as_of, installation.environment)
    for source, rows in {
        **{"sas": _sas(children), "freg": _freg(children, dead)},
        **{"hr": iter(()), "krr": iter(())},
    }.items():
        _stage(job, source, rows)
    run = job.run.number
    with job.transaction() as connection:
        views = golden.views_of_staging(connection, job.owner, ["sas", "freg"])
        golden.compute(views, job.golden_inputs, for_vetoes=True)
        links = connection.execute(text("select value, person_id::text from new_person_link where scheme = 'number'"))
        ids = {number: person for number, person in links} | {ORGANISATION: ORGANISATION}
        written: dict[int, Granted] = {}
        for child in children:
            for one in child.granted:
                number = _give(connection, run, ids, child, one, ids[one.adult])
                written[number] = one
                _withdraw(connection, ids, number, one, "before")
            for taken in child.taken:
                if taken.when == "before":
                    _take(connection, run, ids[child.number], taken, ids[taken.adult])
        merge.merge_golden(golden.compute(views, job.golden_inputs))
        connection.execute(text("update control.run set state = 'released' where run = :run"), {"run": run})
        for number, one in written.items():
            _withdraw(connection, ids, number, one, "after")
        for child in children:
            for taken in child.taken:
                if taken.when == "after":
                    _take(connection, run, ids[child.number], taken, ids[taken.adult])
        vetoed_views.views(connection, job.owner, run, "now_", day=day)
        back = {person: number for number, person in ids.items()}
        found = {
            (back[child], back[adult])
            for child, adult in connection.execute(
                text("select child_id::text, adult from now_guardian_access where state = 'active'")
            )
        }
        connection.rollback()
    assert found == _access(children, dead, day)
