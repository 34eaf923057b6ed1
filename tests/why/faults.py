"""Faults along the flow, each in people of its own, with the answer that they must get: a hidden answer key.

A fault says only what is done to the registers, the files or the decisions, what is asked then, and which cause and
corrector are right. It knows nothing of how the answer is found. ``BEFORE`` is done before a first run, ``BETWEEN``
before a second, ``DECIDED`` after it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from dataflyt.decisions import deciding
from dataflyt.decisions.block import Block
from dataflyt.decisions.consent import Given, WithdrawConsent
from dataflyt.decisions.decision import Decision
from dataflyt.decisions.grant import EndGrant, Grant
from dataflyt.decisions.hold_back import HoldBack
from dataflyt.decisions.override import RaiseProtection
from dataflyt.warehouse.audit import Visitor
from simulator.model import Contact, Employee, Group, Person, Pupil, Responsibility
from tests.decisions.test_undo import families
from tests.installation.fixtures import LOOKING, Installation

OTHER = Visitor("111", "Bjarne Høvik", "test", "test")


class Asked(NamedTuple):
    """A question, and the right answer: the causes that may be named (all of them, in doubt), and the corrector.

    No cause at all: nothing is wrong.
    """

    question: str
    who: str
    child: str | None
    word: str
    causes: tuple[str, ...]
    corrector: str = ""


Ask = Callable[[], Asked]


@dataclass
class Field:
    """The people of an installation, each handed out once, in a random order."""

    here: Installation
    random: Random
    used: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        found = [child for child in families(self.here) if child.born.year > self.here.registers.world.day.year - 14]
        persons = self.here.registers.world.persons
        # Faults ask for some of the simulator's own cases by name, and others are broken already.
        of_cases = {id(one.person) for one in self.here.registers.world.pupils if one.cases}
        found = [
            child
            for child in found
            if not child.canary
            and id(child) not in of_cases
            and sum(one.current for one in child.responsibility) == 2
            and not any(persons[one.ansvarlig or ""].died for one in child.responsibility if one.current)
            # A guardian whom the school system lacks is a fault already.
            and {one.ansvarlig for one in child.responsibility if one.current} <= self.in_sas(child).keys()
        ]
        self.random.shuffle(found)
        self._families = iter(found)
        teachers = [
            one
            for one in self.here.registers.world.employees
            if one.sas
            and not one.cases
            and not one.seed
            and not one.person.cases
            and self.taught(one)
            and one.positions[0].name != "Rektor"
            and "guardian" not in one.person.roles
        ]
        self.random.shuffle(teachers)
        self._teachers = iter(teachers)

    def in_sas(self, child: Person) -> dict[str | None, str]:
        """Return the ids of the guardians that the school system has on a child, by their numbers."""
        world = self.here.registers.world
        pupil = next(one for one in world.pupils if one.person is child)
        return {world.sas_guardians[one].number: one for one in pupil.sas.guardians}

    def family(self) -> tuple[Person, Person, Person]:
        """Return a child with its two guardians."""
        child = next(self._families)
        one, two = (self.here.registers.world.persons[r.ansvarlig or ""] for r in child.responsibility if r.current)
        return child, one, two

    def pupil(self) -> Pupil:
        """Return a pupil of a class with a timetable."""
        for child in self._families:
            pupil = next(one for one in self.here.registers.world.pupils if one.person is child)
            if any(group.lessons for group in self.subjects(pupil)):
                return pupil
        raise StopIteration

    def teacher(self) -> Employee:
        """Return a teacher of a subject group."""
        return next(self._teachers)

    def taught(self, one: Employee) -> list[Group]:
        """Return the subject groups that an employee teaches."""
        return [
            group
            for group in self.here.registers.world.groups
            if group.kind[1] == "undervisningsgruppe"
            and any(member.person_id == (one.sas and one.sas.person_id) for member in group.members)
        ]

    def subjects(self, pupil: Pupil) -> list[Group]:
        """Return a pupil's subject groups that are in order."""
        return [
            group
            for group in self.here.registers.world.groups
            if group.kind[1] == "undervisningsgruppe"
            and group.lessons
            and group.grep_short
            and any(member.person_id == pupil.sas.person_id for member in group.members)
        ]

    def group(self, pupil: Pupil) -> Group:
        """Return a subject group of a pupil that nobody else has been given."""
        found = next(group for group in self.subjects(pupil) if group.group_id not in self.used)
        self.used.add(found.group_id)
        return found

    def case(self, name: str) -> Pupil:
        """Return the pupil of one of the simulator's own cases."""
        return next(pupil for pupil in self.here.registers.world.pupils if name in pupil.cases)

    def adult(self, name: str) -> Person:
        """Return the first person of one of the simulator's own cases."""
        return self.here.registers.person(name)

    def employee(self, name: str) -> Employee:
        """Return the employee of one of the simulator's own cases."""
        return next(one for one in self.here.registers.world.employees if name in one.cases)

    def stranger(self, child: Person) -> Person:
        """Return a guardian of another family."""
        return next(two for kid, _, two in iter(self.family, None) if kid is not child)

    def id(self, number: str) -> UUID:
        """Return the warehouse's id of a person."""
        found: UUID = self.here.query(
            "select person_id from golden.person_link where to_run is null and scheme = 'number' and value = :n",
            n=number,
        )[0][0]
        return found

    def decide(self, decision: Decision) -> int:
        """Decide, with a second person where it takes two; return the number."""
        made = deciding.decide(self.here.kommune, self.here.environment, decision, LOOKING)
        if made.proposal:
            made = deciding.answer(self.here.kommune, self.here.environment, made.proposal, "confirmed", OTHER)
        return int(made.number or 0)


Fault = Callable[[Field], Ask]


def _access(adult: Person, child: Person, *causes: str, by: str = "") -> Ask:
    return lambda: Asked("access", adult.number, child.number, "", causes, by)


def _about(question: str, person: Person, *causes: str, by: str = "", word: str = "") -> Ask:
    return lambda: Asked(question, person.number, None, word, causes, by)


def _resources(pupil: Pupil, group: Group | None, *causes: str, by: str = "") -> Ask:
    return lambda: Asked("resources", _known(pupil), None, group.group_id if group else "", causes, by)


def _known(pupil: Pupil) -> str:
    return pupil.person.number if pupil.person else pupil.sas.person_id


def _leave(here: Installation, sas_id: str, *, only: str = "") -> None:
    for group in here.registers.world.groups:
        if not only or group.kind[1] == only:
            group.members[:] = [member for member in group.members if member.person_id != sas_id]


# --- Before a first run: rows that nobody has seen a better version of -----------------------------------------------


def ansvar_unknown_word(f: Field) -> Ask:
    child, _, two = f.family()
    next(r for r in child.responsibility if r.ansvarlig == two.number).ansvar = "delt"
    return _access(two, child, "row_set_aside", by="engineer")


def ansvarlig_of_ten_digits(f: Field) -> Ask:
    child, _, two = f.family()
    next(r for r in child.responsibility if r.ansvarlig == two.number).ansvarlig = two.number[:10]
    return _access(two, child, "row_set_aside", by="register")


def adult_not_in_freg(f: Field) -> Ask:
    child, _, two = f.family()
    f.here.registers.world.by_any_number.pop(two.number)
    return _access(two, child, "adult_not_answered", by="register")


def pupil_not_in_freg(f: Field) -> Ask:
    child, *_ = f.family()
    f.here.registers.world.by_any_number.pop(child.number)
    return _about("missing", child, "pupil_not_in_register", by="school_office")


def sas_name_missing(f: Field) -> Ask:
    pupil = f.pupil()
    pupil.sas.given = pupil.sas.family = ""
    assert pupil.person
    return _about("missing", pupil.person, "row_set_aside", by="school_office")


def sas_name_garbled(f: Field) -> Ask:
    pupil = f.pupil()
    pupil.sas.family = "PrÃ¸ve"
    assert pupil.person
    return _about("resources", pupil.person, "row_set_aside", by="school_office")


def hr_position_over_full(f: Field) -> Ask:
    one = f.teacher()
    one.positions[0].percentage = 300
    return _about("teacher", one.person, "row_set_aside", by="hr")


def hr_dates_reversed(f: Field) -> Ask:
    one = f.teacher()
    one.positions[0].date_to = one.positions[0].date_from - timedelta(days=1)
    return _about("teacher", one.person, "row_set_aside", by="hr")


def group_name_garbled(f: Field) -> Ask:
    group = f.group(f.pupil())
    group.short = "PrÃ¸ve"
    return lambda: Asked("group", "", None, group.group_id, ("row_set_aside",), "school_office")


def pupil_asks_about_garbled_group(f: Field) -> Ask:
    pupil = f.pupil()
    group = f.group(pupil)
    group.short = "PrÃ¸ve"
    return _resources(pupil, group, "row_set_aside", by="school_office")


def lessons_without_a_weekday(f: Field) -> Ask:
    pupil = f.pupil()
    group = f.group(pupil)
    group.lessons[:] = [(9, slot, room) for _, slot, room in group.lessons]
    return _resources(pupil, group, "row_set_aside", by="school_office")


def hr_number_miswritten(f: Field) -> Ask:
    one = f.teacher()
    one.person = replace(one.person, number="12345")
    number = one.sas.number if one.sas else ""
    return lambda: Asked("teacher", number or "", None, "", ("row_set_aside",), "hr")


def employee_not_in_hr(f: Field) -> Ask:
    one = f.teacher()
    f.here.registers.world.employees.remove(one)
    sas = one.sas
    assert sas
    f.here.registers.world.sas_guardians[sas.person_id] = sas  # still in the school system
    return _about("teacher", one.person, "employee_not_in_hr", by="hr")


def guardian_not_entered(f: Field) -> Ask:
    child, _, two = f.family()
    pupil = next(one for one in f.here.registers.world.pupils if one.person is child)
    pupil.sas.guardians.remove(f.in_sas(child)[two.number])
    return _access(two, child, "guardian_not_in_school_file", by="school_office")


BEFORE: tuple[Fault, ...] = (
    ansvar_unknown_word,
    ansvarlig_of_ten_digits,
    adult_not_in_freg,
    pupil_not_in_freg,
    sas_name_missing,
    sas_name_garbled,
    hr_position_over_full,
    hr_dates_reversed,
    group_name_garbled,
    pupil_asks_about_garbled_group,
    lessons_without_a_weekday,
    hr_number_miswritten,
    employee_not_in_hr,
    guardian_not_entered,
)

# --- The simulator's own people, and what changes between two runs ---------------------------------------------------


def mother_alone(f: Field) -> Ask:
    child, one, two = f.family()
    child.responsibility[:] = [Responsibility("mor", one.number)]
    return _access(two, child, "foreldreansvar_ended", by="guardian_freg")


def never_had_it(f: Field) -> Ask:
    pupil = f.case("mor")
    assert pupil.person
    father = f.here.registers.world.persons[next(n for role, n in pupil.person.parents if role == "far")]
    child = pupil.person
    return _access(father, child, "no_foreldreansvar", by="guardian_freg")


def entered_by_hand(f: Field) -> Ask:
    pupil = f.case("child_of_by_hand")
    assert pupil.person
    father = f.adult("by_hand_without_right")
    return _access(father, pupil.person, "parent_without_foreldreansvar", by="guardian_freg")


def no_relative(f: Field) -> Ask:
    child, *_ = f.family()
    return _access(f.family()[2], child, "no_foreldreansvar", by="guardian_freg")


def not_named(f: Field) -> Ask:
    pupil = f.case("no_responsible_field")
    assert pupil.person
    mother = f.here.registers.world.persons[pupil.person.parents[0][1]]
    return _access(mother, pupil.person, "foreldreansvar_not_named", by="guardian_freg")


def unknown_child(f: Field) -> Ask:
    _, one, _ = f.family()
    return lambda: Asked("access", one.number, "Ingen Nordmann 2015-01-01", "", ("child_unknown",), "school_office")


def adult_dies(f: Field) -> Ask:
    child, _, two = f.family()
    two.died, two.status = f.here.registers.world.day, "doed"
    return _access(two, child, "person_dead", by="nobody")


def child_dies(f: Field) -> Ask:
    child, _, two = f.family()
    child.died, child.status = f.here.registers.world.day, "doed"
    return _access(two, child, "child_dead", by="nobody")


def child_grows_up(f: Field) -> Ask:
    child, _, two = f.family()
    child.born = date(2008, 1, 1)
    return _access(two, child, "pupil_of_age", by="nobody")


def child_strictly_protected(f: Field) -> Ask:
    child, _, two = f.family()
    child.protection, child.home = "strengtFortrolig", None
    return _access(two, child, "access_suspended", by="system_owner")


def pupil_leaves_file(f: Field) -> Ask:
    child, _, two = f.family()
    pupil = next(one for one in f.here.registers.world.pupils if one.person is child)
    f.here.registers.world.pupils.remove(pupil)
    _leave(f.here, pupil.sas.person_id)
    return _access(two, child, "pupil_left_file", by="school_office")


def no_timetable(f: Field) -> Ask:
    pupil = f.pupil()
    group = f.group(pupil)
    group.lessons.clear()
    return _resources(pupil, group, "group_without_timetable", by="school_leader")


def no_grep_code(f: Field) -> Ask:
    pupil = f.pupil()
    group = f.group(pupil)
    group.grep_short = group.grep_uri = None
    return _resources(pupil, group, "group_without_grep", by="school_leader")


def no_timetable_at_all(f: Field) -> Ask:
    pupil = f.case("seed_baug")
    return _resources(pupil, None, "group_without_timetable", by="school_leader")


def in_no_subject_group(f: Field) -> Ask:
    pupil = f.pupil()
    _leave(f.here, pupil.sas.person_id, only="undervisningsgruppe")
    return _resources(pupil, None, "not_in_subject_group", by="school_office")


def not_in_one_group(f: Field) -> Ask:
    pupil = f.pupil()
    group = f.group(pupil)
    group.members[:] = [member for member in group.members if member.person_id != pupil.sas.person_id]
    return _resources(pupil, group, "not_in_this_group", by="school_office")


def in_no_class(f: Field) -> Ask:
    pupil = f.pupil()
    _leave(f.here, pupil.sas.person_id, only="basisgruppe")
    return _resources(pupil, None, "pupil_without_class", by="school_office")


def strictly_protected_pupil(f: Field) -> Ask:
    pupil = f.case("strengt_fortrolig")
    return _resources(pupil, None, "person_hidden", by="nobody")


def sibling_is_protected(f: Field) -> Ask:
    pupil = f.case("sibling_of_strengt_fortrolig")
    assert pupil.person
    return _about("missing", pupil.person, "person_hidden", by="nobody")


def waits_for_a_number(f: Field) -> Ask:
    pupil = f.case("pupil_without_number")
    return lambda: Asked("missing", pupil.sas.person_id, None, "", ("pupil_with_provisional_number",), "school_office")


def not_in_the_register(f: Field) -> Ask:
    pupil = f.case("unknown_to_freg")
    assert pupil.person
    return _about("missing", pupil.person, "pupil_not_in_register", by="school_office")


def leaves_hr(f: Field) -> Ask:
    one = f.teacher()
    f.here.registers.world.employees.remove(one)
    _leave(f.here, one.sas.person_id if one.sas else "")
    return _about("teacher", one.person, "employee_left_hr", by="hr")


def position_ends(f: Field) -> Ask:
    one = f.teacher()
    one.positions[0].date_to = f.here.registers.world.day - timedelta(days=3)
    return _about("teacher", one.person, "position_ended", by="hr")


def position_begins_later(f: Field) -> Ask:
    one = f.teacher()
    one.positions[0].date_from = date(f.here.registers.world.year + 1, 6, 1)
    return _about("teacher", one.person, "position_not_begun", by="nobody")


def position_elsewhere(f: Field) -> Ask:
    one = f.teacher()
    one.positions[0].unit = "011200"
    return _about("teacher", one.person, "position_not_at_school", by="hr")


def no_work_email(f: Field) -> Ask:
    one = f.teacher()
    one.email = None
    return _about("teacher", one.person, "without_work_email", by="hr")


def teaches_nothing(f: Field) -> Ask:
    one = f.teacher()
    _leave(f.here, one.sas.person_id if one.sas else "")
    return _about("teacher", one.person, "teacher_without_group", by="school_leader")


def not_in_school_system(f: Field) -> Ask:
    one = f.teacher()
    _leave(f.here, one.sas.person_id if one.sas else "")
    one.sas = None
    return _about("teacher", one.person, "employee_not_in_school_file", by="school_office")


def two_numbers(f: Field) -> Ask:
    one = f.teacher()
    assert one.sas
    maker: Any = f.here.registers.world.maker
    one.sas.number = maker.spare_number(one.person.born, one.person.sex, 700 + len(f.used))
    one.sas.person_id, old = f"ny-{one.sas.person_id}", one.sas.person_id
    for group in f.here.registers.world.groups:
        for member in group.members:
            member.person_id = one.sas.person_id if member.person_id == old else member.person_id
    return _about("teacher", one.person, "numbers_differ", by="school_office")


def unknown_group(f: Field) -> Ask:
    return lambda: Asked("group", "", None, "SKA/finnes-ikke/2026", ("group_unknown",), "school_office")


def _krr(change: Callable[[Person, Contact], None], cause: str, by: str = "guardian_krr") -> Fault:
    def fault(f: Field) -> Ask:
        _, _, two = f.family()
        contact = two.contact or Contact()
        two.contact = contact
        day = f.here.registers.world.day - timedelta(days=20)
        contact.status, contact.reserved, contact.can_be_notified = "AKTIV", None, True
        contact.epost, contact.epost_oppdatert, contact.epost_verifisert = f"{two.number[-5:]}@example.com", day, day
        change(two, contact)
        return _about("envelope", two, cause, by=by)

    fault.__name__ = cause
    return fault


def _missing(person: Person, contact: Contact) -> None:
    person.contact = None


def _deleted(person: Person, contact: Contact) -> None:
    contact.status, contact.epost, contact.mobil = "SLETTET", None, None
    contact.can_be_notified = False


def _empty(person: Person, contact: Contact) -> None:
    contact.epost = contact.mobil = None
    contact.epost_oppdatert = contact.epost_verifisert = contact.mobil_oppdatert = contact.mobil_verifisert = None


def _expired(person: Person, contact: Contact) -> None:
    old = date(2023, 1, 1)
    contact.epost_oppdatert = contact.epost_verifisert = contact.mobil_oppdatert = contact.mobil_verifisert = old


def _reserved(person: Person, contact: Contact) -> None:
    contact.reserved, contact.can_be_notified = date(2026, 11, 1), False


def private_candidate(f: Field) -> Ask:
    pupil = f.pupil()
    pupil.sas.pupil_status = "privatist"
    assert pupil.person
    return _about("missing", pupil.person, "private_candidate", by="nobody")


def grant_expired(f: Field) -> Ask:
    child, *_ = f.family()
    friend = f.family()[2]
    # Decided on the day of the first run, for that day alone.
    clock = f.here.environment
    f.here.environment = replace(clock, now=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC))
    f.decide(_grant(f, child, friend, until=date(2026, 11, 23)))
    f.here.environment = clock
    return _access(friend, child, "grant_expired", by="system_owner")


def consent_fallen(f: Field) -> Ask:
    child, one, two = f.family()
    friend, new = f.family()[2], f.family()[2]
    f.decide(_consent(f, child, friend, one, two))
    child.responsibility[:] = [Responsibility("felles", one.number), Responsibility("felles", new.number)]
    return _access(friend, child, "consent_fallen", by="system_owner")


def envelope_of_a_blocked_guardian(f: Field) -> Ask:
    child, two = next((kid, adult) for kid, _, adult in iter(f.family, None) if len(adult.children) == 1)
    f.decide(Block(child=f.id(child.number), adult=str(f.id(two.number)), basis="contact_ban", case_number="2026/1"))
    return _about("envelope", two, "not_a_guardian", by="system_owner")


def guardian_works_at_school(f: Field) -> Ask:
    person = f.adult("guardian_is_employee")
    return _about("envelope", person, "contact_of_employee", by="nobody")


def organisation_responsible(f: Field) -> Ask:
    child, _, two = f.family()
    child.responsibility[:] = [Responsibility("andre", organisasjon=f.here.registers.world.kommune.orgnr)]
    return _access(two, child, "foreldreansvar_ended", by="guardian_freg")


def responsible_without_number(f: Field) -> Ask:
    child, one, two = f.family()
    abroad = Responsibility("felles", uten_identifikator=(two.given, two.family, two.born))
    child.responsibility[:] = [Responsibility("felles", one.number), abroad]
    return _access(two, child, "foreldreansvar_ended", by="guardian_freg")


def record_no_longer_current(f: Field) -> Ask:
    child, _, two = f.family()
    next(record for record in child.responsibility if record.ansvarlig == two.number).current = False
    return _access(two, child, "foreldreansvar_ended", by="guardian_freg")


def parent_strictly_protected(f: Field) -> Ask:
    child, one, two = f.family()
    two.protection, two.home = "strengtFortrolig", None
    return _access(one, child, "access_suspended", by="system_owner")


def group_leaves_file(f: Field) -> Ask:
    group = f.group(f.pupil())
    f.here.registers.world.groups.remove(group)
    return lambda: Asked("group", "", None, group.group_id, ("group_unknown",), "school_office")


def group_of_teachers_alone(f: Field) -> Ask:
    group = f.group(f.pupil())
    group.members[:] = [member for member in group.members if member.role != "01"]
    return lambda: Asked("group", "", None, group.group_id, ("group_without_pupils",), "school_office")


def teacher_leaves_one_group(f: Field) -> Ask:
    one = f.teacher()
    group = f.taught(one)[0]
    group.members[:] = [member for member in group.members if member.person_id != (one.sas and one.sas.person_id)]
    return _about("teacher", one.person, "not_in_this_group", by="school_office", word=group.group_id)


def _mobile_alone(person: Person, contact: Contact) -> None:
    contact.mobil, contact.mobil_oppdatert, contact.mobil_verifisert = "+4799999999", contact.epost_oppdatert, None
    contact.epost = contact.epost_oppdatert = contact.epost_verifisert = None


def envelope_by_mobile_in_order(f: Field) -> Ask:
    asks = _krr(_mobile_alone, "")(f)
    return lambda: asks()._replace(causes=(), corrector="")


def _fine(question: str) -> Fault:
    def fault(f: Field) -> Ask:
        if question == "access":
            child, _, two = f.family()
            return _access(two, child)
        if question == "teacher":
            one = f.teacher()
            group = next(one for one in f.taught(one) if one.lessons and one.grep_short)
            f.used.add(group.group_id)
            return _about("teacher", one.person, word=group.group_id)
        pupil = f.pupil()
        return _resources(pupil, f.group(pupil))

    fault.__name__ = f"{question}_in_order"
    return fault


def asked_the_other_way(f: Field) -> Ask:
    child, one, _ = f.family()
    return lambda: Asked("access", child.number, one.number, "", ("not_a_pupil",), "nobody")


def pupil_asked_about_as_a_teacher(f: Field) -> Ask:
    return _about("teacher", f.family()[0], "not_an_employee", by="nobody")


def guardian_asked_about_as_missing(f: Field) -> Ask:
    return _about("missing", f.family()[1], "guardian_alone", by="nobody")


BETWEEN: tuple[Fault, ...] = (
    asked_the_other_way,
    pupil_asked_about_as_a_teacher,
    guardian_asked_about_as_missing,
    mother_alone,
    never_had_it,
    entered_by_hand,
    no_relative,
    not_named,
    unknown_child,
    adult_dies,
    child_dies,
    child_grows_up,
    child_strictly_protected,
    pupil_leaves_file,
    no_timetable,
    no_grep_code,
    no_timetable_at_all,
    in_no_subject_group,
    not_in_one_group,
    in_no_class,
    strictly_protected_pupil,
    sibling_is_protected,
    waits_for_a_number,
    not_in_the_register,
    leaves_hr,
    position_ends,
    position_begins_later,
    position_elsewhere,
    no_work_email,
    teaches_nothing,
    not_in_school_system,
    two_numbers,
    unknown_group,
    _krr(_missing, "krr_missing"),
    _krr(_deleted, "krr_deleted"),
    _krr(_empty, "krr_empty"),
    _krr(_expired, "krr_expired"),
    _krr(_reserved, "krr_reserved"),
    guardian_works_at_school,
    private_candidate,
    grant_expired,
    consent_fallen,
    envelope_of_a_blocked_guardian,
    organisation_responsible,
    responsible_without_number,
    record_no_longer_current,
    parent_strictly_protected,
    group_leaves_file,
    group_of_teachers_alone,
    teacher_leaves_one_group,
    envelope_by_mobile_in_order,
    _fine("access"),
    _fine("resources"),
    _fine("teacher"),
)

# --- Decisions -------------------------------------------------------------------------------------------------------


def blocked(f: Field) -> Ask:
    child, _, two = f.family()
    f.decide(Block(child=f.id(child.number), adult=str(f.id(two.number)), basis="contact_ban", case_number="2026/1"))
    return _access(two, child, "access_blocked", by="system_owner")


def held_back(f: Field) -> Ask:
    child, _, two = f.family()
    f.decide(HoldBack(person=f.id(child.number), reason="Saken er ikke avklart"))
    return _access(two, child, "access_suspended", by="system_owner")


def protection_raised_by_people(f: Field) -> Ask:
    child, *_ = f.family()
    f.decide(
        RaiseProtection(
            person=f.id(child.number),
            value="strengtFortrolig",
            reason="Trussel",
            case_number="2026/1",
            review_on=date(2027, 1, 1),
        )
    )
    return _about("missing", child, "person_held_back", by="system_owner")


def _grant(f: Field, child: Person, adult: Person, **more: Any) -> Grant:
    fields = {"basis": "court_judgment", "scope": "alt", "case_number": "2026/1", "seen_by": "Anita"} | more
    return Grant(child=f.id(child.number), adult=str(f.id(adult.number)), **fields)


def _consent(f: Field, child: Person, adult: Person, *givers: Person) -> Grant:
    when = datetime(2026, 11, 20, 12, tzinfo=UTC)
    consents = tuple(Given(by=str(f.id(giver.number)), how="skjema", at=when) for giver in givers)
    return _grant(f, child, adult, basis="consent", consents=consents)


def grant_waits(f: Field) -> Ask:
    child, *_ = f.family()
    friend = f.family()[2]
    f.decide(_grant(f, child, friend))
    return _access(friend, child, "grant_waiting", by="nobody")


def grant_ended(f: Field) -> Ask:
    child, *_ = f.family()
    friend = f.family()[2]
    f.decide(EndGrant(grant=f.decide(_grant(f, child, friend))))
    return _access(friend, child, "grant_ended", by="system_owner")


def consent_withdrawn(f: Field) -> Ask:
    child, one, two = f.family()
    friend = f.family()[2]
    number = f.decide(_consent(f, child, friend, one, two))
    f.decide(WithdrawConsent(grant=number, by=str(f.id(one.number))))
    return _access(friend, child, "consent_withdrawn", by="system_owner")


def employee_held_back(f: Field) -> Ask:
    one = f.teacher()
    f.decide(HoldBack(person=f.id(one.person.number), reason="Saken er ikke avklart"))
    return _about("teacher", one.person, "person_held_back", by="system_owner")


def fortrolig_by_people_is_shown(f: Field) -> Ask:
    child, *_ = f.family()
    raised = RaiseProtection(
        person=f.id(child.number), value="fortrolig", reason="Uro", case_number="2026/1", review_on=date(2027, 1, 1)
    )
    f.decide(raised)
    return _about("missing", child)


DECIDED: tuple[Fault, ...] = (
    blocked,
    held_back,
    protection_raised_by_people,
    grant_waits,
    grant_ended,
    consent_withdrawn,
    employee_held_back,
    fortrolig_by_people_is_shown,
)


def broken(f: Field, faults: Sequence[Fault]) -> Iterator[tuple[str, Ask]]:
    """Break one thing after another, each in people of its own; a fault that finds nobody left is passed over."""
    for fault in faults:
        try:
            yield fault.__name__.strip("_"), fault(f)
        except (StopIteration, RuntimeError):
            continue
