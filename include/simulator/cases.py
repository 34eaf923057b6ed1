"""The people with a history: the family that every world has, and one case for each rule that protects people."""

from datetime import date, timedelta
from random import Random
from typing import Any

from simulator import names
from simulator.builder import Builder
from simulator.kommuner import School
from simulator.model import Address, Person, Pupil, Responsibility

CASES = {
    "seed_baug": "the pupil of 6A at Skåredalen skole, no timetable for his groups",
    "seed_mother": "his mother, Anita Skoleleder",
    "seed_father": "his father, Bård Øyvind Leite: foreldreansvar, lives apart, old e-mail in the SAS, newer in KRR",
    "stepfather": "married to the mother, same dwelling, no foreldreansvar, not in the SAS",
    "seed_elev1": "Elev 1 of 9A at Testskole 1",
    "seed_report": "a name of the seed's report of classes",
    "felles": "foreldreansvar felles, a record for each parent",
    "two_records": "shared foreldreansvar written as one record mor and one far",
    "mor": "foreldreansvar mor; the father is known and has none",
    "far": "foreldreansvar far; the mother is known and has none",
    "medmor": "foreldreansvar medmor",
    "andre": "foreldreansvar andre: a grandmother who is no parent",
    "ukjent": "foreldreansvar ukjent, nobody named (born abroad)",
    "ukjent_named": "foreldreansvar ukjent, the mother named",
    "organisation": "foreldreansvar andre: an organisation",
    "guardian_without_number": "foreldreansvar of somebody without a number",
    "no_responsible_field": "a foreldreansvar record, all responsible fields empty; both parents in familierelasjon",
    "duplicate_record": "the same foreldreansvar record twice",
    "former_guardian": "a foreldreansvar record that is no longer current (only with part=historikk)",
    "parents_apart": "parents at two addresses, both with foreldreansvar",
    "siblings_two_schools": "siblings at two schools",
    "shared_home": "delt bosted at the other parent's",
    "d_number": "a pupil with a D-number and no bostedsadresse",
    "d_number_guardian": "a guardian with a D-number",
    "rule_2032": "a number by the rule of 2032; its ninth digit disagrees with kjoenn",
    "sami_letters": "Sami letters in the name",
    "changed_number": "the SAS has the D-number, FREG's number in use is another",
    "changed_name": "an earlier name (only with part=historikk)",
    "same_name": "same name and birth date as somebody else",
    "dead_pupil": "dead, still in the SAS",
    "dead_guardian": "dead, still named in foreldreansvar",
    "dead_parent": "dead, not in foreldreansvar",
    "strengt_fortrolig": "a pupil, strengtFortrolig",
    "strengt_fortrolig_has_sibling": "a pupil, strengtFortrolig, with a sibling who is not graded",
    "sibling_of_strengt_fortrolig": "not graded, the sibling is strengtFortrolig",
    "fortrolig": "a pupil, fortrolig, with the mother; the father lives elsewhere with foreldreansvar",
    "fortrolig_has_sibling": "a pupil, fortrolig, with a sibling at the same dwelling who is not graded",
    "sibling_of_fortrolig": "not graded, same dwelling as a sibling who is fortrolig",
    "guardian_strengt_fortrolig": "not graded; the mother, with foreldreansvar, is strengtFortrolig, lives there",
    "strengt_fortrolig_guardian": "that mother",
    "graded_stay": "not graded; the oppholdsadresse is fortrolig",
    "client_address": "not graded; the bostedsadresse is a klientadresse",
    "unknown_grading": "a graderingsnivaa that is in no list",
    "krr_reserved": "reserved in KRR",
    "krr_expired": "contact in KRR older than 18 months, still delivered",
    "krr_filtered": "contact in KRR expired and left out of the answer",
    "krr_mixed": "e-mail fresh, mobile expired",
    "krr_only_email": "only e-mail in KRR",
    "krr_only_mobile": "only mobile in KRR",
    "krr_deleted": "deleted in KRR",
    "krr_missing": "not in KRR",
    "pupil_without_class": "enrolled, no class yet",
    "pupil_two_schools": "enrolled at two schools",
    "pupil_without_number": "only a local number in the SAS",
    "unknown_to_freg": "a number FREG does not know",
    "other_kommune": "lives in another kommune",
    "matrikkel_address": "lives where there is no street",
    "unknown_home": "ukjentBosted: only the kommune is known",
    "by_hand_without_right": "biological father without foreldreansvar, entered by hand in the SAS as guardian",
    "child_of_by_hand": "the child of that father",
    "right_missing_in_sas": "has foreldreansvar, is missing in the SAS",
    "guardian_is_employee": "a guardian who works at a school",
    "two_positions": "an employee with positions at two schools, both called main",
    "no_main_position": "an employee with two positions, none called main",
    "hourly": "an employee paid by the hour, 0 %",
    "leaver": "an employee whose position has ended; still in the SAS",
    "future_starter": "an employee whose position begins after the school year",
    "no_school_unit": "an employee at no school",
    "sub_unit": "an employee at a unit below a school's",
    "d_number_employee": "an employee with a D-number",
    "resident_not_in_sas": "of school age, lives here, in no class list",
    "other_name_in_sas": "another family name in the SAS than in FREG",
    "two_users": "an employee twice in HR and in the SAS, with one number and two user names",
}
"""The meanings of ``cases`` in the manifest."""


def add_special_families(b: Builder) -> None:
    """Take seats for the people of ``CASES`` who are children or guardians."""
    for add in (_seed, _responsibility, _numbers, _dead, _protected, _contacts, _enrolments):
        add(b)


def _tag(who: Pupil | Person, *cases: str) -> None:
    who.cases.extend(cases)


def _known(pupil: Pupil) -> Person:
    assert pupil.person is not None  # noqa: S101
    return pupil.person


def _parents(
    b: Builder,
    rng: Random,
    children: list[Pupil],
    first: str | None = "felles",
    second: str | None = "felles",
    *,
    apart: bool = False,
    canary: bool = False,
    sas: bool = True,
    mother: dict[str, object] | None = None,
    father: dict[str, object] | None = None,
    second_role: str = "far",
) -> tuple[Person, Person]:
    """Mother and father (or medmor) of the children; the children's home is the mother's."""
    home = _known(children[0]).home
    oldest = min(_known(child).born for child in children)
    elsewhere = b.dwelling(rng, canary=canary) if apart else home
    fields: dict[str, Any] = {"sex": "kvinne", "home": home, "canary": canary, **(mother or {})}
    one = b.adult(rng, "guardian" if first else "parent", oldest, **fields)
    other_sex = "mann" if second_role == "far" else "kvinne"
    fields = {"sex": other_sex, "home": elsewhere, "canary": canary, **(father or {})}
    two = b.adult(rng, "guardian" if second else "parent", oldest, **fields)
    if not apart:
        b.marry(one, two)
    for pupil in children:
        b.relate(_known(pupil), one, "mor", first)
        b.relate(_known(pupil), two, second_role, second)
        if sas:
            for adult, ansvar in ((one, first), (two, second)):
                if ansvar:
                    b.sas_guardian(pupil, adult)
    return one, two


def _one_child(b: Builder, level: int | None = None, key: str | None = None, **fields: object) -> tuple[Random, Pupil]:
    rng = b.next_family()
    home = fields.pop("home", None) or b.dwelling(rng, canary=bool(fields.get("canary")))
    return rng, b.child(rng, b.seat(key, level), home=home, **fields)  # type: ignore[arg-type]


def _seed(b: Builder) -> None:
    rng = b.next_family()
    baug = b.child(
        rng,
        b.seat("SKA", 6, "A"),
        born=date(b.year - 11, 5, 20),
        sex="mann",
        given="Konkurransedyktig",
        family="Baug",
        home=b.dwelling(rng),
    )
    mother, father = _parents(
        b, rng, [baug], apart=True, sas=False,
        mother={"given": "Anita", "family": "Skoleleder", "contact": "fresh"},
        father={"given": "Bård Øyvind", "family": "Leite", "contact": "fresh"},
    )  # fmt: skip
    b.sas_guardian(baug, mother)
    b.sas_guardian(baug, father, email="tullekoppen@example.com")
    stepfather = b.adult(
        rng, "household", _known(baug).born, sex="mann", given="Snill", family="Stefar", home=mother.home
    )
    b.marry(mother, stepfather)
    _tag(baug, "seed_baug", "felles", "parents_apart")
    _tag(mother, "seed_mother")
    _tag(father, "seed_father")
    _tag(stepfather, "stepfather")

    rng = b.next_family()
    elev = b.child(
        rng,
        b.seat("TE1", 9, "A"),
        born=date(b.year - 14, 5, 27),
        sex="kvinne",
        given="Elev",
        family="1",
        series=988,
        home=b.dwelling(rng),
    )
    _parents(b, rng, [elev])
    _tag(elev, "seed_elev1", "felles")

    report = (
        ("Veik", "Allianse", 1), ("Nøytral", "Ballsko", 10), ("Urolig", "Kaie", 3), ("Rask", "Herre", 3),
        ("Original", "Elev", 7), ("Direkte", "Servitrise", 9), ("Rørete", "Avslutningsfest", 6),
    )  # fmt: skip
    for given, family, level in report:
        rng, pupil = _one_child(b, level, given=given, family=family)
        _parents(b, rng, [pupil])
        _tag(pupil, "seed_report", "felles")


def _responsibility(b: Builder) -> None:
    for case, first, second, role in (
        ("two_records", "mor", "far", "far"),
        ("mor", "mor", None, "far"),
        ("far", None, "far", "far"),
        ("medmor", "mor", "medmor", "medmor"),
        ("ukjent_named", "ukjent", None, "far"),
    ):
        rng, pupil = _one_child(b)
        mother, father = _parents(
            b, rng, [pupil], first, second, apart=second is None or first is None, second_role=role
        )
        if case == "far":
            _known(pupil).home = father.home
            b.sas_address(pupil.sas, _known(pupil))
        _tag(pupil, case)

    rng, pupil = _one_child(b)
    mother, father = _parents(b, rng, [pupil], None, None, sas=False)
    grandmother = b.adult(rng, "guardian", mother.born, sex="kvinne", home=b.dwelling(rng))
    b.relate(_known(pupil), grandmother, "", "andre")
    b.sas_guardian(pupil, grandmother)
    _tag(pupil, "andre")

    rng, pupil = _one_child(b, born_in="SYR")
    _parents(b, rng, [pupil], None, None, sas=False)
    _known(pupil).responsibility = [Responsibility("ukjent")]
    _tag(pupil, "ukjent")

    rng, pupil = _one_child(b)
    _known(pupil).responsibility = [Responsibility("andre", organisasjon="311069993")]
    _tag(pupil, "organisation")

    rng, pupil = _one_child(b)
    abroad = date(b.year - 41, 3, 14)
    mother = b.adult(rng, "guardian", _known(pupil).born, sex="kvinne", home=_known(pupil).home)
    b.relate(_known(pupil), mother, "mor", "felles")
    b.sas_guardian(pupil, mother)
    _known(pupil).responsibility.append(Responsibility("felles", uten_identifikator=("Utenlandsk", "Forelder", abroad)))
    _known(pupil).unnumbered_parents.append(("far", "Utenlandsk", "Forelder", abroad))
    _tag(pupil, "guardian_without_number")

    rng, pupil = _one_child(b)
    _parents(b, rng, [pupil], None, None, sas=False)
    _known(pupil).responsibility = [Responsibility("mor")]
    _tag(pupil, "no_responsible_field")

    rng, pupil = _one_child(b)
    mother, father = _parents(b, rng, [pupil])
    _known(pupil).responsibility.append(Responsibility("felles", father.number))
    _tag(pupil, "duplicate_record", "felles")

    rng, pupil = _one_child(b)
    mother, father = _parents(b, rng, [pupil], "mor", None, apart=True)
    _known(pupil).responsibility.append(Responsibility("felles", father.number, current=False))
    _tag(pupil, "former_guardian", "mor")

    rng, pupil = _one_child(b)
    mother, father = _parents(b, rng, [pupil], "mor", None, apart=True)
    b.sas_guardian(pupil, father)
    _tag(pupil, "child_of_by_hand", "mor")
    _tag(father, "by_hand_without_right")

    rng, pupil = _one_child(b)
    mother, father = _parents(b, rng, [pupil], apart=True, sas=False)
    b.sas_guardian(pupil, mother)
    _tag(pupil, "felles", "parents_apart")
    _tag(father, "right_missing_in_sas")

    rng = b.next_family()
    home = b.dwelling(rng)
    siblings = [
        b.child(rng, b.seat("SKA", 4), home=home, family="Elvesus"),
        b.child(rng, b.seat("TE1", 9), home=home, family="Elvesus"),
    ]
    _parents(b, rng, siblings)
    for pupil in siblings:
        _tag(pupil, "siblings_two_schools", "felles")

    rng, pupil = _one_child(b)
    mother, father = _parents(b, rng, [pupil], apart=True)
    _known(pupil).second_home = father.home
    _tag(pupil, "shared_home", "felles", "parents_apart")


def _numbers(b: Builder) -> None:
    rng, pupil = _one_child(b, dnummer=True, born_in="UKR")
    child = _known(pupil)
    mother = b.adult(rng, "guardian", child.born, sex="kvinne", dnummer=True, home=None)
    child.stay, child.home, mother.stay = child.home, None, child.home
    b.relate(child, mother, "mor", "mor")
    b.sas_guardian(pupil, mother)
    _tag(pupil, "d_number", "mor")
    _tag(mother, "d_number_guardian")

    rng, pupil = _one_child(b, rule=2032)
    _parents(b, rng, [pupil])
    _tag(pupil, "rule_2032", "felles")

    for given, family in (
        ("Áilu", "Čáhci"),
        ("Ŋieidda", "Šiega-Đivga"),
        (names.SAMI_ADJECTIVES[0], names.SAMI_NOUNS[7]),
    ):
        rng, pupil = _one_child(b, given=given, family=family)
        _parents(b, rng, [pupil], mother={"given": names.SAMI_ADJECTIVES[1], "family": family})
        _tag(pupil, "sami_letters", "felles")

    rng, pupil = _one_child(b)
    child = _known(pupil)
    child.old_number = b.spare_number(child.born, child.sex, rng.randrange(10**6), dnummer=True)
    pupil.sas.number = child.old_number
    _parents(b, rng, [pupil])
    _tag(pupil, "changed_number", "felles")

    rng, pupil = _one_child(b)
    child = _known(pupil)
    child.former_name = ("Tidligere", child.family)
    child.former_home = b.dwelling(rng)
    _parents(b, rng, [pupil])
    _tag(pupil, "changed_name", "felles")

    for _ in range(2):
        rng, pupil = _one_child(b, 5, given="Lik", family="Tvilling", sex="mann", born=date(b.year - 10, 9, 9))
        _parents(b, rng, [pupil])
        _tag(pupil, "same_name", "felles")

    rng, pupil = _one_child(b, in_freg=False)
    _tag(pupil, "unknown_to_freg")

    rng = b.next_family()
    school, level, letter = b.seat()
    stranger = Person("", "Nyankommen", None, "Reisende", b.birthday(rng, level), "mann", None)
    pupil = b.enrol(rng, stranger, school, level, letter)
    pupil.person, pupil.sas.number = None, None
    pupil.sas.local_number = f"{b.kommune.domain}:localnin:{stranger.born:%d%m%y}000001"
    _tag(pupil, "pupil_without_number")


def _dead(b: Builder) -> None:
    died = b.start - timedelta(days=40)
    for case, first, second in (
        ("dead_guardian", "felles", "felles"),
        ("dead_parent", "mor", None),
        ("dead_pupil", "felles", "felles"),
    ):
        rng, pupil = _one_child(b)
        _, father = _parents(b, rng, [pupil], first, second)
        gone = _known(pupil) if case == "dead_pupil" else father
        gone.died, gone.status, gone.contact = died, "doed", None
        gone.cases[:] = [tag for tag in gone.cases if not tag.startswith("krr_")]
        _tag(gone, case)
        _tag(pupil, first)


def _protected(b: Builder) -> None:
    rng, pupil = _one_child(b, canary=True, protection="strengtFortrolig", postbox="Postboks 8073")
    _parents(b, rng, [pupil], apart=True, canary=True, mother={"protection": "strengtFortrolig"})
    _tag(pupil, "strengt_fortrolig", "felles")

    for case, sibling_case, level in (
        ("strengt_fortrolig_has_sibling", "sibling_of_strengt_fortrolig", "strengtFortrolig"),
        ("fortrolig_has_sibling", "sibling_of_fortrolig", "fortrolig"),
    ):
        rng = b.next_family()
        home = b.dwelling(rng, canary=True)
        graded = b.child(rng, b.seat("TE1", 8), home=home, canary=True, protection=level, home_grading=level)
        sibling = b.child(rng, b.seat("SKA", 2), home=home, canary=True)
        _parents(b, rng, [graded, sibling], canary=True)
        _tag(graded, case, "felles")
        _tag(sibling, sibling_case, "felles", "siblings_two_schools")

    rng, pupil = _one_child(b, canary=True, protection="fortrolig", home_grading="fortrolig")
    _parents(b, rng, [pupil], apart=True, canary=True, mother={"protection": "fortrolig", "home_grading": "fortrolig"})
    _tag(pupil, "fortrolig", "felles", "parents_apart")

    rng, pupil = _one_child(b, canary=True)
    mother, _ = _parents(
        b, rng, [pupil], "mor", None, apart=True, canary=True, mother={"protection": "strengtFortrolig"}
    )
    _tag(pupil, "guardian_strengt_fortrolig", "mor")
    _tag(mother, "strengt_fortrolig_guardian")

    rng, pupil = _one_child(b, canary=True)
    child = _known(pupil)
    child.stay, child.stay_grading = b.dwelling(rng, canary=True), "fortrolig"
    _parents(b, rng, [pupil], canary=True)
    _tag(pupil, "graded_stay", "felles")

    rng, pupil = _one_child(b, canary=True, home_grading="klientadresse")
    _parents(b, rng, [pupil], canary=True)
    _tag(pupil, "client_address", "felles")

    rng, pupil = _one_child(b, canary=True, protection="skjermetEtterNyLov")
    _parents(b, rng, [pupil], canary=True)
    _tag(pupil, "unknown_grading", "felles")


def _contacts(b: Builder) -> None:
    for state in ("reserved", "expired", "filtered", "mixed", "only_email", "only_mobile", "deleted", "missing"):
        rng, pupil = _one_child(b)
        _parents(b, rng, [pupil], mother={"contact": state})
        _tag(pupil, "felles")


def _enrolments(b: Builder) -> None:
    for _ in range(2):
        rng, pupil = _one_child(b)
        pupil.letter = None
        _parents(b, rng, [pupil])
        _tag(pupil, "pupil_without_class", "felles")

    schools = {school.key: school for school in b.kommune.schools}
    rng, pupil = _one_child(b, 9, "SKA")
    pupil.second_school = schools["TE1"]
    _parents(b, rng, [pupil])
    _tag(pupil, "pupil_two_schools", "felles")

    homes: tuple[tuple[str, dict[str, str]], ...] = (
        ("other_kommune", {"kommunenummer": "1149"}),
        ("matrikkel_address", {"kind": "matrikkeladresse"}),
        ("unknown_home", {"kind": "ukjentBosted"}),
    )
    for case, form in homes:
        home: Address = b.dwelling(b.random(case), **form)  # type: ignore[arg-type]
        rng, pupil = _one_child(b, home=home)
        _parents(b, rng, [pupil])
        _tag(pupil, case, "felles")


SEATS_TO_CORRECT = 1
"""The seats that ``add_children_to_correct`` fills."""


def add_children_to_correct(b: Builder, seats: list[tuple[School, int, str]]) -> None:
    """Add the children of ``CASES`` whom a work list tells of; called after the families, so that none is changed."""
    rng = b.random("to correct")
    pupil = b.child(rng, seats[0], home=b.dwelling(rng))
    _parents(b, rng, [pupil])
    pupil.sas.family = "Skrivefeil"
    _tag(pupil, "other_name_in_sas", "felles")

    child = b.person(rng, "resident", born=date(b.year - 9, 3, 3), home=b.dwelling(rng), cases=("resident_not_in_sas",))
    for role, sex in (("mor", "kvinne"), ("far", "mann")):
        parent = b.adult(rng, "parent", child.born, sex=sex, family=child.family, home=child.home)
        b.relate(child, parent, role, "felles")


def add_special_people_after(b: Builder) -> None:
    """Add the employees of ``CASES``; called when the schools have their staff."""
    rng = b.random("special staff")
    ska, te1, fjo = (school.unit for school in b.kommune.schools)
    began, ended = date(b.year - 6, 8, 1), date(b.year, 6, 30)
    b.employee(rng, [b.position("Lektor", te1, 60), b.position("Lærer", fjo, 40)], cases=("two_positions",))
    b.employee(
        rng,
        [b.position("Assistent", ska, 50, main=False), b.position("Assistent", fjo, 30, main=False)],
        cases=("no_main_position",),
    )
    b.employee(rng, [b.position("Renholder", ska, 0, kind="T")], in_sas=False, cases=("hourly",))
    b.employee(rng, [b.position("Lærer", te1, 0, kind="T")], cases=("hourly",))
    b.employee(rng, [b.position("Lærer", fjo, 100, date_from=began, date_to=ended)], cases=("leaver",))
    b.employee(
        rng, [b.position("Lærer", ska, 100, date_from=date(b.year + 1, 8, 1))], in_sas=False, cases=("future_starter",)
    )
    b.employee(rng, [b.position("IKT-konsulent", "011200", 100)], in_sas=False, cases=("no_school_unit",))
    b.employee(rng, [b.position("Assistent", "011111", 60)], cases=("sub_unit",))
    foreign = b.person(rng, "employee", born=date(b.year - 33, 4, 4), dnummer=True, home=None, stay=b.dwelling(rng))
    foreign.roles.clear()
    b.employee(rng, [b.position("Assistent", te1, 80)], person=foreign, cases=("d_number_employee",))
    mother = next(
        person
        for pupil in b.world.pupils
        if pupil.school.key == "FJO" and pupil.person and not pupil.cases and not pupil.person.cases
        for person in [b.world.persons[pupil.person.parents[0][1]]]
        if person.roles == ["guardian"] and not person.cases
    )
    b.employee(rng, [b.position("Adjunkt", te1, 100)], person=mother, cases=("guardian_is_employee",))
    twice = b.employee(rng, [b.position("Lærer", te1, 60)], cases=("two_users",))
    b.employee(rng, [b.position("Assistent", ska, 40)], person=twice.person, cases=("two_users",))
