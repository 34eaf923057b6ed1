"""Protection and consent written a second time, naively, and compared over random families."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dataflyt.run.job import Job, open_job
from dataflyt.sources.freg import rows as freg
from dataflyt.sources.sas import rows as sas
from dataflyt.warehouse import golden
from tests.installation.fixtures import Installation
from tests.warehouse.test_identity_worlds import SCHOOL, _stage

WORDS = {"ugradert": 0, "klientadresse": 1, "fortrolig": 2, "strengtFortrolig": 3}
TODAY = date(2026, 11, 1)
SOME = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))


@dataclass
class One:
    """A person in FREG; ``words`` are the gradings of the person and of the addresses, known or unknown."""

    number: str
    born: date
    words: list[str]
    address_words: list[str]
    homes: list[str]
    responsible: set[str] = field(default_factory=set)
    granted: set[str] = field(default_factory=set)
    pupil: bool = False

    @property
    def adults(self) -> set[str]:
        return self.responsible | self.granted


def _families(rng: Random) -> dict[str, One]:
    people: dict[str, One] = {}
    for turn in range(14):
        number = f"{30000000000 + turn}"
        known, odd = list(WORDS), ["nyttOrd", "ukjent"]
        words = [rng.choice([*known, *odd]) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
        addresses = [rng.choice(["ugradert"] * 6 + known + odd[:1]) for _ in range(rng.choice([0, 1, 1, 2]))]
        homes = rng.sample(["a", "b", "c"], rng.choice([0, 1, 1, 2]))
        years = rng.choice([8, 14, 15, 16, 17, 18, 19])
        born = date(TODAY.year - years, rng.choice([TODAY.month, 1, 12]), rng.choice([1, 2]))
        people[number] = One(number, born, words, addresses, homes)
    numbers = list(people)
    for number in numbers[6:]:
        child = people[number]
        child.pupil = rng.random() < 0.7
        child.responsible = set(rng.sample(numbers[:6], rng.choice([0, 1, 2])))
    return people


def _freg(people: dict[str, One]) -> Any:
    for one in people.values():
        person = dict.fromkeys(freg.Person._fields) | {"foedselsEllerDNummer": one.number, "oppslag": one.number}
        person |= {"doed": False, "falskIdentitet": False, "foedselsdato": one.born.isoformat()}
        yield freg.Person(**person)
        yield freg.Identifikasjonsnummer(one.number, one.number, "foedselsnummer", "iBruk")
        known = max((word for word in one.words if word in WORDS), key=WORDS.__getitem__, default="ugradert")
        yield freg.Adressebeskyttelse(one.number, known, not set(one.words) <= WORDS.keys(), True, None)
        for word in one.address_words:
            yield freg.AnnenAdresse(one.number, "postadresse", word, None, None, True, None)
        for home in one.homes:
            address = dict.fromkeys(freg.Bostedsadresse._fields) | {"foedselsEllerDNummer": one.number, "bolig": home}
            yield freg.Bostedsadresse(**address)
        for adult in sorted(one.responsible):
            yield freg.Foreldreansvar(one.number, "felles", adult, *[None] * 6, True, None)


def _sas(people: dict[str, One]) -> Any:
    yield sas.School("school", None, "skole", SCHOOL, "Skolen", None)
    for one in people.values():
        if one.pupil:
            person = dict.fromkeys(sas.Person._fields) | {"person_id": f"p{one.number}", "number": one.number}
            yield sas.Person(**person)
            yield sas.Membership("school", f"p{one.number}", "01", None, True, True, None, None)


def _job(here: Installation, key: str, people: dict[str, One]) -> Job:
    as_of = datetime(TODAY.year, TODAY.month, TODAY.day, 12, tzinfo=UTC)
    job = open_job(here.kommune, key, as_of, here.environment)
    for source, rows in {"sas": _sas(people), "freg": _freg(people), "hr": iter(()), "krr": iter(())}.items():
        _stage(job, source, rows)
    return job


def _own(one: One, *, unknown: bool) -> int:
    words = [word for word in one.words + one.address_words if word in WORDS]
    level = max((WORDS[word] for word in words), default=0)
    return 3 if unknown and set(one.words + one.address_words) - WORDS.keys() else level


def _protection(people: dict[str, One], one: One, *, unknown: bool) -> int:
    """Return the strictest level: the person's, or that of a guardian or sibling in the same or an unknown home."""
    near = {*one.adults} | {other.number for other in people.values() if other.adults & one.adults}
    levels = [_own(one, unknown=unknown)]
    for number in near - {one.number}:
        other = people[number]
        if _own(other, unknown=unknown) >= 2 and (
            not one.homes or not other.homes or set(one.homes) & set(other.homes)
        ):
            levels.append(_own(other, unknown=unknown))
    return max(levels)


@SOME
@given(seed=st.integers(0, 2**32))
def test_protection_is_what_a_naive_reading_of_the_rule_gives(installation: Installation, seed: int) -> None:
    rng = Random(seed)
    people = _families(rng)
    job = _job(installation, f"protection-{seed}", people)
    today = job.golden_inputs.today
    with job.transaction() as connection:
        connection.execute(
            text("update control.access_grant set withdrawn_at = now(), withdrawn_by = 'x' where withdrawn_at is null")
        )
        views = golden.views_of_staging(connection, job.owner, ["sas", "freg"])
        golden.compute(views, job.golden_inputs, for_vetoes=True)
        links = connection.execute(text("select value, person_id from new_person_link where scheme = 'number'"))
        ids = {number: str(person) for number, person in links}
        for child in (one for one in people.values() if rng.random() < 0.3):
            friend = rng.choice(sorted(set(people) - {child.number}))
            until = rng.choice([None, today, today + timedelta(days=1), today - timedelta(days=1)])
            withdrawn = rng.random() < 0.2
            if not withdrawn and (until is None or until >= today):  # an adult whose grant has ended is not near
                child.granted = {friend}
            connection.execute(
                text(
                    "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, "
                    "seen_by, decided_by, approved_by, from_run, until, withdrawn_at, withdrawn_by) "
                    "values ('haugesund', :child, :adult, 'person', 'court_judgment', 'alt', '1', 'anita', 'anita', "
                    "'birgitte', 1, :until, case when :withdrawn then now() end, case when :withdrawn then 'x' end)"
                ),
                {"child": ids[child.number], "adult": ids[friend], "until": until, "withdrawn": withdrawn},
            )
        golden.compute(views, job.golden_inputs, for_vetoes=True)
        found = connection.execute(
            text(
                "select l.value, p.level, p.known_level from new_protection p "
                "join new_person_link l on l.person_id = p.person_id and l.scheme = 'number'"
            )
        )
        levels = {number: (level, known) for number, level, known in found}
    assert levels == {
        number: (_protection(people, one, unknown=True), _protection(people, one, unknown=False))
        for number, one in people.items()
    }


@SOME
@given(seed=st.integers(0, 2**32))
def test_a_consent_holds_when_a_naive_reading_of_the_rule_says_so(installation: Installation, seed: int) -> None:
    rng = Random(seed)
    people = _families(rng)
    for one in people.values():  # few of them protected
        if rng.random() < 0.8:
            one.words, one.address_words = [], []
    job = _job(installation, f"consent-{seed}", people)
    agreed = []
    with job.transaction() as connection:
        connection.execute(
            text("update control.access_grant set withdrawn_at = now(), withdrawn_by = 'x' where withdrawn_at is null")
        )
        views = golden.views_of_staging(connection, job.owner, ["sas", "freg"])
        golden.compute(views, job.golden_inputs, for_vetoes=True)
        links = connection.execute(text("select value, person_id from new_person_link where scheme = 'number'"))
        ids = {number: str(person) for number, person in links}
        for child in (one for one in people.values() if one.pupil):
            friend = rng.choice(sorted(set(people) - {child.number}))
            child.granted = {friend}
            grant = connection.scalar(
                text(
                    "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, "
                    "seen_by, decided_by, approved_by, from_run) "
                    "values ('haugesund', :child, :adult, 'person', 'consent', 'alt', "
                    "'1', 'anita', 'anita', 'birgitte', 1) returning access_grant"
                ),
                {"child": ids[child.number], "adult": ids[friend]},
            )
            given_by = {number for number in {*child.responsible, child.number} if rng.random() < 0.8}
            taken_back = {number for number in given_by if rng.random() < 0.1}
            for number in given_by:
                connection.execute(
                    text(
                        "insert into control.consent (owner, access_grant, given_by, how, given_at, withdrawn_at, "
                        "withdrawn_by) values ('haugesund', :grant, :who, 'skjema', '2026-11-01', "
                        "case when :back then now() end, case when :back then 'x' end)"
                    ),
                    {"grant": grant, "who": ids[number], "back": number in taken_back},
                )
            agreed.append((child, friend, given_by if not taken_back else set()))
        golden.compute(views, job.golden_inputs, for_vetoes=True)
        found = connection.execute(text("select child_id::text, adult from new_access_by_grant"))
        back = {person: number for number, person in ids.items()}
        held = {(back[child], back[adult]) for child, adult in found}
    assert held == {(child.number, friend) for child, friend, by in agreed if _consented(people, child, by)}


def _consented(people: dict[str, One], child: One, given_by: set[str]) -> bool:
    age = TODAY.year - child.born.year - ((TODAY.month, TODAY.day) < (child.born.month, child.born.day))
    if _protection(people, child, unknown=True) >= 2:
        return False
    if age >= 18:
        return child.number in given_by
    if age >= 15 and child.number not in given_by:
        return False
    return bool(child.responsible) and child.responsible <= given_by
