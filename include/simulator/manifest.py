"""The truth about the simulated people, for tests: what an export must hold, and what it must not.

There is one object for each person with a number and each pupil without one. ``canaries`` is field → word: ``navn.*``
are in both FREG and the SAS, the other words in the source that their field begins with. ``protection.effective`` and
``access`` follow the rules of a cautious school owner: the strictest grading of the person, of the person's addresses,
and of the guardians and siblings who live with the person; access only by foreldreansvar. Access is suspended for all
adults if the child is strengtFortrolig, and for adults not at the child's address if the child is fortrolig.
``klientadresse`` keeps its own word when it is the strictest.

A suspension stays until people decide, even if the protection has been lowered again. ``remember`` keeps each access
that protection has suspended; ``weeks.advance`` calls it at the end of each week.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from simulator.model import Address, Person, Pupil, Responsibility, World

STRICTNESS = {"ugradert": 0, "klientadresse": 1, "fortrolig": 2, "strengtFortrolig": 3}


def people(world: World) -> Iterator[dict[str, Any]]:
    """Everybody: pupils, guardians and other adults, employees."""
    pupils = {pupil.person.number: pupil for pupil in world.pupils if pupil.person}
    employees = {employee.person.number: employee for employee in world.employees}
    groups: dict[str, list[str]] = defaultdict(list)
    for group in world.groups:
        for sas_id in dict.fromkeys(member.person_id for member in group.members):
            groups[sas_id].append(group.group_id)
    for person in world.persons.values():
        entry = _person(world, person)
        if pupil := pupils.get(person.number):
            entry |= _pupil(world, pupil, groups)
        if employee := employees.get(person.number):
            entry["employee_id"] = employee.employee_id
            entry["cases"] = [*entry["cases"], *employee.cases]
            entry["sas_person_id"] = employee.sas.person_id if employee.sas else None
        yield entry
    for pupil in world.pupils:
        if pupil.person is None:
            sas = pupil.sas
            yield {
                "number": None, "roles": ["pupil"], "given": sas.given, "family": sas.family, "canaries": {},
                "protection": {"own": None, "effective": None, "because": []}, "in_freg": False, "dead": False,
            } | _pupil(world, pupil, groups)  # fmt: skip


def canaries(world: World) -> dict[str, str]:
    """Every canary word → the field that has it."""
    return {word: where for person in people(world) for where, word in person["canaries"].items()}


def effective(world: World, person: Person) -> tuple[str | None, list[str]]:
    """Return the effective protection and its origin (own, address, guardian, sibling)."""
    causes = [(level, cause) for level, cause in _own(person)]
    for record in person.responsibility:
        guardian = world.person(record.ansvarlig) if record.current else None
        if guardian and _live_together(person, guardian):
            causes += [(level, "guardian") for level, _ in _own(guardian)]
    for sibling in _siblings(world, person):
        if _live_together(person, sibling):
            causes += [(level, "sibling") for level, _ in _own(sibling)]
    if not causes:
        return None, []
    strictest = max((level for level, _ in causes), key=STRICTNESS.__getitem__)
    return strictest, sorted({cause for level, cause in causes if level == strictest})


def _own(person: Person) -> Iterator[tuple[str, str]]:
    if person.protection:
        yield (person.protection if person.protection in STRICTNESS else "strengtFortrolig"), "own"
    if person.protection != "strengtFortrolig":  # whose addresses FREG does not tell
        for address, grading in ((person.home, person.home_grading), (person.stay, person.stay_grading)):
            if address and grading != "ugradert":
                yield grading, "address"


def _live_together(one: Person, other: Person) -> bool:
    if "strengtFortrolig" in (one.protection, other.protection):
        return True  # an address that is withheld may be the same
    return any(a is b for a in _dwellings(one) for b in _dwellings(other))


def _dwellings(person: Person) -> list[Address]:
    return [address for address in (person.home, person.second_home) if address and address.kind != "ukjentBosted"]


def _siblings(world: World, person: Person) -> Iterator[Person]:
    seen = {person.number}
    for _, number in person.parents:
        parent = world.person(number)
        for sibling, role, _ in parent.children if parent else ():
            if role and sibling not in seen:
                seen.add(sibling)
                if found := world.person(sibling):
                    yield found


def remember(world: World) -> None:
    """Keep for each pupil the adults whose access the pupil's protection suspends now."""
    near = _near_protected(world)
    for pupil in world.pupils:
        child = pupil.person
        if child and child.in_freg and child.number in near:
            level, _ = effective(world, child)
            if STRICTNESS[level or "ugradert"] >= STRICTNESS["fortrolig"]:
                for record in child.responsibility:
                    if record.current and (why := _suspends(level, child, world.person(record.ansvarlig))):
                        world.suspended.setdefault((child.number, _adult(record)), why)


def _near_protected(world: World) -> set[str]:
    """Return the numbers of the protected people, of their children, and of their brothers and sisters."""
    near: set[str] = set()
    for person in world.persons.values():
        if any(_own(person)):
            parents = [parent for _, number in person.parents if (parent := world.person(number))]
            near.add(person.number)
            near.update(child for one in [person, *parents] for child, *_ in one.children)
    return near


def _adult(record: Responsibility) -> str:
    stranger = " ".join(record.uten_identifikator[:2]) if record.uten_identifikator else ""
    return record.ansvarlig or (f"org:{record.organisasjon}" if record.organisasjon else f"uten:{stranger}")


def _suspends(level: str | None, child: Person, adult: Person | None) -> str | None:
    if level == "strengtFortrolig":
        return "the child is strengtFortrolig"
    if level == "fortrolig" and not (adult and adult.home and adult.home is child.home):
        return "the child is fortrolig and this adult is not registered at its address"
    return None


def _person(world: World, person: Person) -> dict[str, Any]:
    level, because = effective(world, person)
    tokens = dict(person.canary.tokens) if person.canary else {}
    if person.canary:
        for address in (person.home, person.stay):
            tokens |= {
                f"{where}{'' if address is person.home else '.opphold'}": word
                for where, word in (address.tokens if address else {}).items()
            }
    return {
        "number": person.number,
        "old_number": person.former_numbers[-1][0] if person.former_numbers else person.old_number,
        "roles": person.roles,
        "given": person.given,
        "middle": person.middle,
        "family": person.family,
        "sex": person.sex,
        "born": person.born.isoformat(),
        "in_freg": person.in_freg,
        "dead": person.died is not None,
        "cases": person.cases,
        "canaries": tokens,
        "protection": {"own": person.protection, "effective": level, "because": because},
        "krr": None if person.contact is None else person.contact.status,
        "sas_person_id": world.sas_ids.get(person.number),
        "children": [
            {"child": number, "ansvar": ansvar, "legal_parent": bool(role)} for number, role, ansvar in person.children
        ],
        "happened": [f"{day} {kind}" for day, kind in person.happened],
    }


def _pupil(world: World, pupil: Pupil, groups: dict[str, list[str]]) -> dict[str, Any]:
    person = pupil.person
    return {
        "cases": [*(person.cases if person else []), *pupil.cases],
        "sas_person_id": pupil.sas.person_id,
        "sas_number": pupil.sas.number,
        "username": pupil.sas.username,
        "level": pupil.level,
        "class": f"{pupil.level}{pupil.letter}" if pupil.letter else None,
        "school": pupil.school.orgnr,
        "second_school": pupil.second_school.orgnr if pupil.second_school else None,
        "groups": groups.get(pupil.sas.person_id, []),
        "access": list(_access(world, person)) if person else [],
        "sas_guardians": [world.sas_guardians[guardian].number for guardian in pupil.sas.guardians],
    }


def _access(world: World, child: Person) -> Iterator[dict[str, Any]]:
    """Each responsible party that FREG names now, once: whether the party gets access, and if not, why."""
    level, _ = effective(world, child)
    seen: set[object] = set()
    for record in child.responsibility if child.in_freg else ():
        party: dict[str, Any] = {"number": record.ansvarlig, "organisation": record.organisasjon}
        party["name"] = " ".join(record.uten_identifikator[:2]) if record.uten_identifikator else None
        key = tuple(party.values())
        if not record.current or key in seen:
            continue
        seen.add(key)
        adult = world.person(record.ansvarlig)
        reason: str | None
        if not any(key):
            reason = "nobody is named"
        elif child.died or (adult and adult.died):
            reason = "dead"
        elif why := _suspends(level, child, adult) or world.suspended.get((child.number, _adult(record))):
            reason = why
        else:
            reason = None
        yield {"ansvar": record.ansvar, **party, "access": reason is None, "because": reason}
