"""The child's cases: who has access to the child, each case with the source of its rule.

All families are staged together and computed once, so that a case costs nothing. A name in a case is a person of its
family: ``child``, ``mother``, ``father`` and others. ``sources`` are Datatilsynet, barnelova, FREG's documentation
(``reference/FREG_KRR.md``), the design, or the seed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from dataflyt.run.job import Job, open_job
from dataflyt.sources.freg import rows as freg
from dataflyt.sources.sas import rows as sas
from dataflyt.warehouse import golden, vetoed_views
from tests.installation.fixtures import Installation
from tests.warehouse.test_identity_chains import FATHER, MOTHER, ONE, TWO, School
from tests.warehouse.test_identity_worlds import SCHOOL, _stage

TODAY = date(2026, 11, 25)  # a Wednesday
LEVELS = {"ugradert": 0, "fortrolig": 2, "strengtFortrolig": 3}
ORGANISATION = "org:944073787"
NAMELESS = "uten:Maria||Lopez|1985-03-01"
BARNEVERN = "org:974553031"


@dataclass(frozen=True)
class Case:
    """A child, the records of foreldreansvar, what people have decided, and who then has which access.

    ``records`` are (ansvar, responsible); no responsible is one that FREG leaves out. ``grants`` are (adult, basis,
    those who have consented), where a name with a minus has withdrawn. ``access`` has a state for each adult with a
    row. ``ended`` are records that are no longer current.
    """

    name: str
    source: str
    records: tuple[tuple[str, str | None], ...] = ()
    access: dict[str, str] = field(default_factory=dict)
    born: date = date(2016, 5, 20)
    grants: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    blocks: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    by_hand: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()
    homes: dict[str, str] = field(default_factory=dict)
    second_home: dict[str, str] = field(default_factory=dict)
    gradings: dict[str, str] = field(default_factory=dict)
    siblings: tuple[str, ...] = ()
    teachers: tuple[str, ...] = ()
    ended: tuple[tuple[str, str | None], ...] = ()
    pupil: bool = True
    privatist: bool = False
    level: int = 0
    work: frozenset[str] = frozenset()

    @property
    def people(self) -> list[str]:
        """Everybody of the family who has a number, the child first."""
        named = ["child", *self.siblings, *self.parents, *self.by_hand, *self.dead, *self.teachers, *self.gradings]
        named += [who for _, who in (*self.records, *self.ended) if who] + [adult for adult, *_ in self.grants]
        named += [giver.removeprefix("-") for *_, givers in self.grants for giver in givers] + [*self.blocks]
        return list(dict.fromkeys(who for who in named if ":" not in who))


BOTH = (("felles", "mother"), ("felles", "father"))
BOTH_ACTIVE = {"mother": "active", "father": "active"}
FREG_WHO = "FREG_KRR.md A6: foreldreansvar says who decides, familierelasjon who the parents are"
NO_GUESS = "DESIGN: a responsible party that FREG does not name is not guessed from the family"
CONSENT = "The seed: samtykke fra de foreldrene som har foreldreansvar; barnelova §§ 32-33 (from 15)"
OF_AGE = "DOMAIN_NOTES: from 18 the pupil decides; guardians' access ends"


def _born(years: int, after: int = 0) -> date:
    """Return the birth date of somebody who is this old today, or in ``after`` days."""
    return (TODAY + timedelta(days=after)).replace(year=TODAY.year - years)


CASES = (
    Case("felles, a record for each parent", FREG_WHO, BOTH, BOTH_ACTIVE),
    Case(
        "shared, written as mor and far",
        "FREG_KRR.md: both patterns of shared foreldreansvar are legal",
        (("mor", "mother"), ("far", "father")),
        BOTH_ACTIVE,
    ),
    Case(
        "mor alone: the biological father has none",
        "Datatilsynet 20/02183 (Bergen); barnelova § 35",
        (("mor", "mother"),),
        {"mother": "active"},
        parents=("mother", "father"),
    ),
    Case("far alone", FREG_WHO, (("far", "father"),), {"father": "active"}, parents=("mother", "father")),
    Case(
        "medmor",
        "FREG_KRR.md: foreldreansvar.ansvar = medmor; barnelova § 3",
        (("mor", "mother"), ("medmor", "comother")),
        {"mother": "active", "comother": "active"},
    ),
    Case(
        "andre: a grandmother who is no parent",
        "Skatteetaten: andre is given to others than the parents; Sivilombudet on judgments",
        (("andre", "grandmother"),),
        {"grandmother": "active"},
        parents=("mother",),
    ),
    Case(
        "ukjent, nobody named: a child born abroad",
        "skatteetaten.no, Foreldreansvar for barn født i utlandet",
        (("ukjent", None),),
        parents=("mother",),
        work=frozenset({"responsible_not_named"}),
    ),
    Case("ukjent, the mother named", FREG_WHO, (("ukjent", "mother"),), {"mother": "active"}),
    Case(
        "an organisation",
        "FREG_KRR.md: ansvarligOrganisasjon",
        (("andre", ORGANISATION),),
        {ORGANISATION: "active"},
    ),
    Case(
        "somebody without a number",
        "FREG_KRR.md: ansvarligUtenIdentifikator",
        (("felles", "mother"), ("felles", NAMELESS)),
        {"mother": "active", NAMELESS: "active"},
    ),
    Case(
        "an entry without a responsible party",
        NO_GUESS,
        (("felles", None),),
        parents=("mother", "father"),
        work=frozenset({"responsible_not_named"}),
    ),
    Case(
        "two entries, one of them without a responsible party",
        NO_GUESS,
        (("felles", "mother"), ("felles", None)),
        {"mother": "active"},
        work=frozenset({"responsible_not_named"}),
    ),
    Case(
        "the same entry twice, and one with another word",
        "FREG_KRR.md: 1 400 duplicates were removed in 2022; deduplicate by responsible party",
        (("felles", "mother"), ("felles", "mother"), ("mor", "mother")),
        {"mother": "active"},
    ),
    Case(
        "an entry that is no longer current",
        "FREG_KRR.md: erGjeldende false is history",
        (("mor", "mother"),),
        {"mother": "active"},
        ended=(("felles", "father"),),
    ),
    Case("a word that nobody knows", "DESIGN: an unknown word may mean that it is lost", (("fremtidig", "mother"),)),
    Case("no entry at all", FREG_WHO, parents=("mother", "father")),
    Case(
        "the child named as responsible for itself",
        "FREG_KRR.md: in a parent's own document the record may be about the child",
        (("mor", "child"), ("mor", "mother")),
        {"mother": "active"},
    ),
    Case(
        "parents apart, both with foreldreansvar",
        "Barnelova § 30: foreldreansvar does not follow the address",
        BOTH,
        BOTH_ACTIVE,
        homes={"child": "a", "mother": "a", "father": "b"},
    ),
    Case(
        "delt bosted",
        "FREG_KRR.md: deltBosted is an address, not foreldreansvar",
        BOTH,
        BOTH_ACTIVE,
        homes={"child": "a", "mother": "a", "father": "b"},
        second_home={"child": "b"},
    ),
    Case(
        "delt bosted at a parent who is strengtFortrolig",
        "DESIGN, Protection: guardians who live with the child, also at its second dwelling",
        BOTH,
        {"mother": "active", "father": "active"},
        homes={"child": "a", "mother": "a", "father": "b"},
        second_home={"child": "b"},
        gradings={"father": "strengtFortrolig"},
        level=3,
    ),
    Case(
        "one parent is dead",
        "Barnelova § 38: the other has it alone",
        BOTH,
        {"mother": "active", "father": "dead"},
        dead=("father",),
    ),
    Case(
        "both parents are dead", "Barnelova § 38", BOTH, {"mother": "dead", "father": "dead"}, dead=("mother", "father")
    ),
    Case("the child is dead", "DESIGN: a death is a veto", BOTH, {"mother": "dead", "father": "dead"}, dead=("child",)),
    Case(
        "a foster child: parents with foreldreansvar, foster mother by barnevern",
        "Retningslinjer for fosterhjem ch. 12: a grant, not consent",
        BOTH,
        {**BOTH_ACTIVE, "foster": "active"},
        grants=(("foster", "barnevern_decision", ()),),
    ),
    Case(
        "barnevern itself by a grant to an organisation",
        "DESIGN: a grant to an adult or an organisation",
        BOTH,
        {**BOTH_ACTIVE, BARNEVERN: "active"},
        grants=((BARNEVERN, "barnevern_decision", ()),),
    ),
    Case(
        "an unaccompanied minor with a representative",
        "Utlendingsloven § 98 a flg.; DESIGN: basis representative",
        (("ukjent", None),),
        {"representative": "active"},
        grants=(("representative", "representative", ()),),
        work=frozenset({"responsible_not_named"}),
    ),
    Case(
        "a verge",
        "Vergemålsloven § 16; DESIGN: verge stays verge",
        access={"verge": "active"},
        grants=(("verge", "verge", ()),),
    ),
    Case(
        "a judgment that FREG does not have",
        "Sivilombudet: foreldreansvar by judgment must be possible by hand",
        (("mor", "mother"),),
        {"mother": "active", "father": "active"},
        grants=(("father", "court_judgment", ()),),
    ),
    Case(
        "the day before 18",
        OF_AGE,
        BOTH,
        BOTH_ACTIVE,
        born=_born(18, 1),
    ),
    Case("18 today, in the middle of the week", OF_AGE, BOTH, {"mother": "of_age", "father": "of_age"}, born=_born(18)),
    Case(
        "18 today, with a verge since before",
        "DESIGN: nobody has access to a pupil of 18 without the pupil's own consent",
        BOTH,
        {"mother": "of_age", "father": "of_age"},
        born=_born(18),
        grants=(("verge", "verge", ()),),
    ),
    Case(
        "18, and has consented to the mother",
        "DESIGN: the pupil's own consent is a grant",
        BOTH,
        {"mother": "active", "father": "of_age"},
        born=_born(19),
        grants=(("mother", "consent", ("child",)),),
    ),
    Case("twins, the first", FREG_WHO, BOTH, BOTH_ACTIVE, siblings=("twin",)),
    Case(
        "a mother who is also a teacher at the school",
        "DESIGN: access by foreldreansvar, and nothing else by itself",
        (("mor", "mother"),),
        {"mother": "active"},
        teachers=("mother", "colleague"),
    ),
    Case(
        "a sibling at the same address is strengtFortrolig",
        "DESIGN, Protection: siblings who live with them",
        BOTH,
        BOTH_ACTIVE,
        siblings=("sister",),
        gradings={"sister": "strengtFortrolig"},
        homes={"child": "a", "sister": "a", "mother": "a", "father": "a"},
        level=3,
    ),
    Case(
        "a sibling who lives elsewhere is fortrolig",
        "DESIGN, Protection: same dwelling, or an address that is withheld",
        BOTH,
        BOTH_ACTIVE,
        siblings=("sister",),
        gradings={"sister": "fortrolig"},
        homes={"child": "a", "sister": "b", "mother": "a", "father": "a"},
    ),
    Case(
        "a biological father that the school has entered by hand",
        "The seed: Anita, «Ukjent», entered by hand; DESIGN: first on the work list",
        (("mor", "mother"),),
        {"mother": "active"},
        parents=("father",),
        by_hand=("father", "mother"),
        work=frozenset({"sas_guardian_without_basis"}),
    ),
    Case(
        "a stepfather with everybody's consent",
        CONSENT,
        BOTH,
        {**BOTH_ACTIVE, "stepfather": "active"},
        grants=(("stepfather", "consent", ("mother", "father")),),
    ),
    Case(
        "a stepfather with the consent of one parent",
        CONSENT,
        BOTH,
        BOTH_ACTIVE,
        grants=(("stepfather", "consent", ("mother",)),),
    ),
    Case(
        "a stepfather whose consent one parent withdraws",
        "DESIGN: withdrawn by any one of them",
        BOTH,
        BOTH_ACTIVE,
        grants=(("stepfather", "consent", ("mother", "-father")),),
    ),
    Case(
        "a stepfather with the consent of a father who has lost foreldreansvar",
        "DESIGN: it falls when the foreldreansvar it rests on changes",
        (("mor", "mother"),),
        {"mother": "active"},
        grants=(("stepfather", "consent", ("mother", "father")),),
    ),
    Case(
        "a consent in a family where the father is dead",
        "Barnelova § 38: the other has it alone",
        BOTH,
        {"mother": "active", "father": "dead", "stepfather": "active"},
        dead=("father",),
        grants=(("stepfather", "consent", ("mother",)),),
    ),
    Case(
        "a consent where an organisation has foreldreansvar and has not consented",
        CONSENT,
        (("mor", "mother"), ("andre", ORGANISATION)),
        {"mother": "active", ORGANISATION: "active"},
        grants=(("stepfather", "consent", ("mother",)),),
    ),
    Case(
        "a pupil of 15 who has not consented",
        CONSENT,
        BOTH,
        BOTH_ACTIVE,
        born=_born(15),
        grants=(("stepfather", "consent", ("mother", "father")),),
    ),
    Case(
        "a pupil of 15 who has consented with the parents",
        CONSENT,
        BOTH,
        {**BOTH_ACTIVE, "stepfather": "active"},
        born=_born(15),
        grants=(("stepfather", "consent", ("mother", "father", "child")),),
    ),
    Case(
        "a consent for a child who is fortrolig",
        "DESIGN: never while the child is protected",
        BOTH,
        BOTH_ACTIVE,
        gradings={"child": "fortrolig"},
        homes={"child": "a", "mother": "a", "father": "a"},
        grants=(("stepfather", "consent", ("mother", "father")),),
        level=2,
    ),
    Case(
        "a blocked father",
        "bufdir.no, sperret adresse: hidden addresses are not in FREG; DESIGN: beats foreldreansvar",
        BOTH,
        {"mother": "active", "father": "blocked"},
        blocks=("father",),
    ),
    Case(
        "a block beats a grant",
        "DESIGN: beats foreldreansvar and grants",
        (("mor", "mother"),),
        {"mother": "active", "father": "blocked"},
        blocks=("father",),
        grants=(("father", "court_judgment", ()),),
    ),
    Case(
        "a responsible adult that FREG has never answered for",
        "DESIGN: the number may be a blocked adult's new number",
        BOTH,
        {"mother": "active", "father": "unanswered"},
        unanswered=("father",),
        work=frozenset({"responsible_unanswered"}),
    ),
    Case(
        "a child who is not a pupil",
        "GDPR art. 5(1)(c): guardians are for pupils who are enrolled",
        BOTH,
        pupil=False,
        grants=(("friend", "court_judgment", ()),),
    ),
    Case("a privatist, who only sits for exams", "PIFU: subrole privatist", BOTH, privatist=True),
)


def _number(case: Case, who: str) -> str:
    return f"{10_000_000_000 + 100 * CASES.index(case) + case.people.index(who)}"


def _freg() -> Iterator[Any]:
    for case in CASES:
        for who in case.people:
            if who in case.unanswered:
                continue
            me = _number(case, who)
            born = case.born if who in ("child", *case.siblings) else date(1990, 1, 1)
            person = dict.fromkeys(freg.Person._fields) | {"foedselsEllerDNummer": me, "oppslag": me}
            yield freg.Person(
                **person | {"doed": who in case.dead, "falskIdentitet": False, "foedselsdato": born.isoformat()}
            )
            yield freg.Identifikasjonsnummer(me, me, "foedselsnummer", "iBruk")
            yield freg.Adressebeskyttelse(me, case.gradings.get(who, "ugradert"), False, True, None)
            home = dict.fromkeys(freg.Bostedsadresse._fields) | {"foedselsEllerDNummer": me}
            yield freg.Bostedsadresse(**home | {"bolig": f"{case.name}/{case.homes.get(who, who)}"})
            if who in case.second_home:
                second = f"{case.name}/{case.second_home[who]}"
                yield freg.AnnenAdresse(me, "deltBosted", None, None, second, True, None)
        for child in ("child", *case.siblings):
            for role in case.parents:
                yield freg.Familierelasjon(_number(case, child), _number(case, role), False, "mor", "barn", True, None)
            for records, current in ((case.records, True), (case.ended, False)):
                for ansvar, who_is in records:
                    yield _record(case, child, ansvar, who_is, current)


def _record(case: Case, child: str, ansvar: str, who: str | None, current: bool) -> freg.Foreldreansvar:
    named: dict[str, Any] = dict.fromkeys(freg.Foreldreansvar._fields)
    named |= {"foedselsEllerDNummer": _number(case, child), "ansvar": ansvar, "erGjeldende": current}
    if who and who.startswith("org:"):
        named["ansvarligOrganisasjon"] = who.removeprefix("org:")
    elif who and who.startswith("uten:"):
        given, _, family, born = who.removeprefix("uten:").split("|")
        named["ansvarligUtenIdentifikator_fornavn"], named["ansvarligUtenIdentifikator_etternavn"] = given, family
        named["ansvarligUtenIdentifikator_foedselsdato"] = born
    elif who:
        named["ansvarlig"] = _number(case, who)
    return freg.Foreldreansvar(**named)


def _sas() -> Iterator[Any]:
    yield sas.School("school", None, "skole", SCHOOL, "Skolen", None)
    for case in CASES:
        for who in case.people:
            me = _number(case, who)
            person = dict.fromkeys(sas.Person._fields) | {"person_id": f"p{me}", "number": me}
            pupil = case.pupil and who in ("child", *case.siblings)
            if pupil or who in (*case.by_hand, *case.teachers):
                yield sas.Person(**person)
            if pupil:
                subrole = "privatist" if case.privatist else None
                yield sas.Membership("school", f"p{me}", "01", subrole, True, True, None, None)
            if who in case.teachers:
                yield sas.Membership("school", f"p{me}", "02", None, True, True, None, None)
            if who in case.by_hand:
                yield sas.Guardian(f"p{_number(case, 'child')}", f"p{me}", "guardian")


def _decide(connection: Connection, ids: dict[str, str], case: Case) -> None:
    def written(who: str) -> str:
        return who if ":" in who else ids[_number(case, who)]

    at = {"child": ids[_number(case, "child")]}
    for adult in case.blocks:
        connection.execute(
            text(
                "insert into control.access_block (owner, child_id, adult, basis, case_number, decided_by, decided_at) "
                "values ('haugesund', :child, :adult, 'other', '1', 'anita', now())"
            ),
            at | {"adult": written(adult)},
        )
    for adult, basis, givers in case.grants:
        kind = "organisation" if ":" in adult else "person"
        grant = connection.scalar(
            text(
                "insert into control.access_grant (owner, child_id, adult, adult_kind, basis, scope, case_number, "
                "seen_by, decided_by, approved_by, from_run) values ('haugesund', :child, :adult, :kind, :basis, "
                "'alt', '1', 'anita', 'anita', 'birgitte', 1) returning access_grant"
            ),
            at | {"adult": written(adult), "kind": kind, "basis": basis},
        )
        for giver in givers:
            connection.execute(
                text(
                    "insert into control.consent (owner, access_grant, given_by, how, given_at, withdrawn_at, "
                    "withdrawn_by) values ('haugesund', :grant, :who, 'skjema', '2026-11-20', "
                    "case when :back then now() end, case when :back then 'anita' end)"
                ),
                {"grant": grant, "who": written(giver.removeprefix("-")), "back": giver.startswith("-")},
            )


@dataclass(frozen=True)
class Found:
    """What the golden record has: access by child and adult, level by person, kinds of work by subject."""

    ids: dict[str, str]
    access: dict[tuple[str, str], str]
    level: dict[str, int]
    work: dict[str, set[str]]

    def of(self, case: Case, child: str = "child") -> dict[str, str]:
        """Return the states of the adults of a child, by the names of the case."""
        named = {self.ids[_number(case, who)]: who for who in case.people if _number(case, who) in self.ids}
        me = self.ids[_number(case, child)]
        return {
            named.get(adult, NAMELESS if adult.startswith("uten:") else adult): state
            for (one, adult), state in self.access.items()
            if one == me
        }


def _computed(here: Installation) -> Found:
    job: Job = open_job(here.kommune, "cases", datetime(2026, 11, 25, 12, tzinfo=UTC), here.environment)
    for source, rows in {"sas": _sas(), "freg": _freg(), "hr": iter(()), "krr": iter(())}.items():
        _stage(job, source, rows)
    with job.transaction() as connection:
        views = golden.views_of_staging(connection, job.owner, ["sas", "freg"])
        golden.compute(views, job.golden_inputs, for_vetoes=True)
        links = connection.execute(text("select value, person_id::text from new_person_link where scheme = 'number'"))
        ids = {number: person for number, person in links}
        for case in CASES:
            _decide(connection, ids, case)
        golden.compute(views, job.golden_inputs)
        access = connection.execute(text("select child_id::text, adult, state from new_guardian_access"))
        states = {(child, adult): state for child, adult, state in access}
        levels = connection.execute(text("select person_id::text, level from new_protection"))
        found = {person: level for person, level in levels}
        work: dict[str, set[str]] = {}
        for kind, subject in connection.execute(text("select kind, subject from new_work_item")):
            work.setdefault(subject, set()).add(kind)
        connection.rollback()
    return Found(ids, states, found, work)


ABOUT_ADULTS = {"responsible_not_named", "responsible_unanswered", "sas_guardian_without_basis"}


def test_who_has_access_in_each_of_the_childs_cases(installation: Installation) -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert all(case.source for case in CASES)
    found = _computed(installation)
    told = {case.name: found.of(case) for case in CASES}
    assert told == {case.name: case.access for case in CASES}
    child = {case.name: found.ids[_number(case, "child")] for case in CASES}
    levels = {case.name: found.level[child[case.name]] for case in CASES}
    assert levels == {case.name: case.level for case in CASES}
    work = {case.name: found.work.get(child[case.name], set()) & ABOUT_ADULTS for case in CASES}
    assert work == {case.name: set(case.work) for case in CASES}
    # A sibling in the same family is a child of its own: twins have the same adults, and a consent is for one child.
    for case in CASES:
        for sibling in case.siblings:
            assert found.of(case, sibling) == {who: state for who, state in case.access.items() if who in BOTH_ACTIVE}


def test_every_value_of_ansvar_is_among_the_cases() -> None:
    values = {ansvar for case in CASES for ansvar, _ in case.records}
    assert values >= {"felles", "mor", "far", "medmor", "andre", "ukjent"}  # FREG_KRR.md, foreldreansvar.ansvar


def test_a_father_replaced_by_a_new_man_between_two_monthly_runs(installation: Installation) -> None:
    """The seed: «Far byttes ut med ny mann». He is out at once, the new man is in when somebody has said yes."""
    school = School(installation)
    child = school.somebody(ONE, adults={MOTHER, FATHER})
    school.pupils["p1"] = ONE
    school.run()
    assert school.access(ONE) == {MOTHER, FATHER}
    school.somebody(TWO)
    child.adults = {MOTHER, TWO}
    assert "always" in school.run("rejected"), "one guardian gained and another lost always asks"
    assert school.access(ONE) == {MOTHER}, "what is lost does not wait for an answer"
    school.run()
    assert school.access(ONE) == {MOTHER, TWO}


def test_a_pupil_turns_18_in_the_middle_of_the_week(installation: Installation) -> None:
    school = School(installation)
    school.somebody(ONE, adults={MOTHER, FATHER})
    school.pupils["p1"] = ONE
    school.run()
    birthday = date(2034, 1, 1)  # FREG's documents of this school say 2016-01-01
    for day, expected in ((birthday - timedelta(days=1), {MOTHER, FATHER}), (birthday, set())):
        assert _access_on(school, day) == expected


def _access_on(school: School, day: date) -> set[str]:
    with school.job.transaction(lock=False) as connection:
        vetoed_views.views(connection, school.job.owner, school.job.run.number, "now_", day=day)
        found: Iterable[str] = connection.execute(
            text(
                "select l.value from now_guardian_access a join now_person_link l on l.person_id::text = a.adult "
                "and l.scheme = 'number' where a.state = 'active'"
            )
        ).scalars()
        return set(found)
