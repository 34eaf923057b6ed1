"""The changes of a PIFU file: a receiver who applies them has exactly what the new file has."""

import io
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import chain, pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from dataflyt.errors import Unreadable
from dataflyt.exports import pifu_changes, pifu_changes_check
from dataflyt.exports.model import Group, Membership, Person, School, Written
from dataflyt.sources.sas.values import SUBROLES
from tests.exports.test_pifu import (
    CLASS,
    FATHER,
    HAUGESUND,
    MATHS,
    MOMENT,
    MOTHER,
    PUPIL,
    SKAAREDALEN,
    TEACHER,
    TESTSKOLE,
    VERSIONS,
    InMemory,
    Kommune,
    written,
    xsd,
)

OLD, NEW = "a" * 64, "b" * 64


def changes(before: bytes, now: bytes) -> bytes:
    out = io.BytesIO()
    pifu_changes.write(Written(InMemory(before), OLD), Written(InMemory(now), NEW), out)
    return out.getvalue()


def findings(content: bytes, version: str = "1.3") -> list[str]:
    return [str(finding) for finding in pifu_changes_check.check(InMemory(content), version)]


# --- a naive receiver -------------------------------------------------------------------------------------------------


def named(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def said(element: etree._Element) -> str:
    """Return an element as canonical text, without the words that only changes have."""
    copy = etree.fromstring(etree.tostring(element, with_tail=False))
    for one in copy.iter():
        one.attrib.pop("recstatus", None)
        one.attrib.pop("sourcedidtype", None)
    return etree.tostring(copy, method="c14n").decode()


def ids(element: etree._Element) -> dict[str, str]:
    return {one.get("sourcedidtype") or "": one.findtext("{*}id") or "" for one in element.findall("{*}sourcedid")}


class Receiver:
    """A receiver as slow and plain as can be: it keeps elements, and roles by group, person and kind of role."""

    def __init__(self, full: bytes) -> None:
        self.people: dict[str, str] = {}
        self.groups: dict[str, str] = {}
        self.roles: dict[tuple[str, str, str, str], list[str]] = {}
        self.moment = ""
        for element in etree.fromstring(full):
            kind = named(element)
            if kind == "properties":
                assert element.findtext("{*}type") == "full"
                self.moment = said(element)
            elif kind == "membership":
                for member in element.findall("{*}member"):
                    for role in member.findall("{*}role"):
                        self.roles.setdefault(self._key(element, member, role), []).append(said(role))
            else:
                (self.people if kind == "person" else self.groups)[ids(element)[""]] = said(element)

    @staticmethod
    def _key(membership: etree._Element, member: etree._Element, role: etree._Element) -> tuple[str, str, str, str]:
        return (
            ids(membership)[""],
            ids(member)[""],
            role.get("roletype") or "",
            role.findtext("{*}subrole") or "",
        )

    def apply(self, delta: bytes) -> "Receiver":
        for element in etree.fromstring(delta):
            if named(element) == "properties":
                assert element.findtext("{*}type") == "delta"
                self.moment = said(element).replace("<type>delta</type>", "<type>full</type>")
            elif named(element) == "membership":
                self._membership(element)
            else:
                self._element(element)
        for key in self.roles:
            assert key[0] in self.groups
            assert key[1] in self.people
        return self

    def _element(self, element: etree._Element) -> None:
        held = self.people if named(element) == "person" else self.groups
        status, names = element.get("recstatus"), ids(element)
        if "Old" in names:
            old, new = names["Old"], names["New"]
            assert status == "2"
            assert new not in held
            held[new] = held.pop(old)
            self.roles = {
                (group, new if person == old else person, *kind): found
                for (group, person, *kind), found in self.roles.items()
            }
            element.remove(element[0])
            names = {"": new}
        one = names[""]
        assert (one in held) == (status != "1")
        if status == "3":
            del held[one]
            self.roles = {key: found for key, found in self.roles.items() if one not in key[:2]}
        else:
            held[one] = said(element)
        for kind in ("personNIN", "username"):
            found = [user for text in self.people.values() for user in re.findall(f'"{kind}">([^<]*)<', text)]
            assert len(found) == len(set(found)), "a receiver may demand these unique"

    def _membership(self, element: etree._Element) -> None:
        for member in element.findall("{*}member"):
            for role in member.findall("{*}role"):
                key = self._key(element, member, role)
                if role.get("recstatus") == "3":
                    del self.roles[key]
                elif role.get("recstatus") == "2":
                    (self.roles[key],) = [[said(role)]] if len(self.roles[key]) == 1 else []
                else:
                    assert role.get("recstatus") == "1"
                    self.roles.setdefault(key, []).append(said(role))

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other)

    def __hash__(self) -> int:
        raise NotImplementedError


def texts(content: bytes) -> set[str]:
    root = etree.fromstring(content)
    return {text for element in root.iter(etree.Element) for text in [element.text] if text and text.strip()}


# --- random kommuner --------------------------------------------------------------------------------------------------

IDS = tuple(f"{number:08d}-0000-0000-0000-000000000000" for number in range(1, 8))
NUMBERS = ("13897200184", "24878127125", "28878731621", "13851367807")
UIDS = ("ola", "kari & <co>", "åse", "bodil")
WORDS = ("Ola", "Kåre  Å", "=1+1", "\u202eolA", "x</person>\n<person>", " ", "Đuŋŋe", "a" * 90)
GROUPS = ("SKA/7A & <b>\n", "SKA/8B", "x" * 70, "æ", "\U00010400")
DAYS = (None, date(2026, 8, 1), date(2027, 7, 31))


@st.composite
def kommuner(draw: st.DrawFn, roles: tuple[str, ...] = ("01", "01", "02", "04", "06")) -> Kommune:
    orgs = sorted(draw(st.lists(st.sampled_from((SKAAREDALEN, TESTSKOLE)), unique=True, min_size=1)))
    numbers = iter(draw(st.permutations([*NUMBERS, None, None, None])))
    uids = iter(draw(st.permutations([*UIDS, None, None, None])))
    person_ids = sorted(draw(st.lists(st.sampled_from(IDS), unique=True, max_size=6)))
    people = [
        Person(
            person_id,
            draw(st.sampled_from(WORDS)),
            draw(st.sampled_from(WORDS)),
            draw(st.sampled_from(WORDS)),
            is_pupil=True,
            number=next(numbers),
            uid=next(uids),
            birth_date=draw(st.sampled_from(DAYS)),
            guardians=tuple(draw(st.lists(st.sampled_from(person_ids), unique=True, max_size=2))),
            mobile=draw(st.sampled_from((None, "41001701"))),
        )
        for person_id in person_ids
    ]
    group_ids = draw(st.lists(st.sampled_from(GROUPS), unique=True, max_size=4))
    groups = sorted(
        (
            Group(
                group_id,
                draw(st.sampled_from(orgs)),
                draw(st.sampled_from(("basisgruppe", "trinn", "fag"))),
                draw(st.sampled_from(WORDS)),
                None,
                draw(st.sampled_from((None, 7))),
                *draw(st.tuples(st.sampled_from(DAYS), st.sampled_from(DAYS))),
            )
            for group_id in group_ids
        ),
        key=lambda group: (group.orgnr, group.group_id.encode()),
    )
    targets = [*((True, org) for org in orgs), *((False, group.group_id) for group in groups)]
    parts = []
    for of_school, target in sorted(targets, key=lambda one: (not one[0], one[1].encode())):
        for person_id in person_ids:
            parts += [
                Membership(
                    *(of_school, target, person_id, role, draw(st.sampled_from((None, True))), None, None),
                    subrole=draw(st.sampled_from((None, *SUBROLES.get(role, ())))),
                )
                for role in sorted(draw(st.permutations(roles))[: draw(st.integers(0, 2))])
            ]
    schools = tuple(School(org, draw(st.sampled_from(WORDS))) for org in orgs)
    moment = MOMENT + timedelta(days=draw(st.integers(0, 9)))
    receivers = tuple(draw(st.lists(st.sampled_from(("BAS", "R&D")), unique=True)))
    return Kommune(tuple(people), schools, tuple(groups), tuple(parts), moment, receivers)


def held(kommune: Kommune) -> dict[str, str]:
    return {value: one.person_id for one in kommune.people_ for value in (one.number, one.uid) if value}


def exchanged(before: Kommune, now: Kommune) -> bool:
    """Tell whether numbers or user names go to somebody who may still have another's, so that no order may be right."""
    was, becomes = held(before), held(now)
    moved = {(was[value], becomes[value]) for value in was.keys() & becomes.keys() if was[value] != becomes[value]}
    stay = {one.person_id for one in before.people_} & {one.person_id for one in now.people_}
    renamed = {pair for pair in moved if not stay.intersection(pair)}
    loses = {was[value] for value in was if becomes.get(value) != was[value]} & stay
    around = {pair for pair in moved if pair[0] in stay and pair[1] in loses}
    from_renamed = {pair for pair in moved - renamed if pair[0] in {old for old, _ in renamed}}
    crossing = not len(renamed) == len({old for old, _ in renamed}) == len({new for _, new in renamed})
    return bool(around or from_renamed) or crossing


@settings(deadline=None, max_examples=45)
@given(st.lists(kommuner(), min_size=2, max_size=5), st.sampled_from(VERSIONS))
def test_a_chain_of_changes_ends_each_week_at_exactly_the_full_file(weeks: list[Kommune], version: str) -> None:
    receiver = Receiver(written(weeks[0], version))
    for before, now in pairwise(weeks):
        old, new = written(before, version), written(now, version)
        try:
            delta = changes(old, new)
        except Unreadable:
            assert exchanged(before, now)
            receiver = Receiver(new)
            continue
        assert findings(delta, version) == []
        schema = xsd(version)
        assert schema.validate(etree.fromstring(delta)), schema.error_log.last_error
        assert receiver.apply(delta) == Receiver(new)

        # It says nothing that the new file does not say, but for the ids of what goes, and the words of changes.
        root = etree.fromstring(delta)
        gone = {ids(one)[""] for one in root if one.get("recstatus") == "3"}
        gone |= {ids(one)["Old"] for one in root if "Old" in ids(one)}
        kinds = {"basisgruppe", "trinn", "fag", "skole", "1", "2", "4", "7", "delta", "0"}
        kinds |= {"pifu-ims-go-grp", "pifu-ims-go-org", *chain.from_iterable(SUBROLES.values())}
        short = {one[:60] for one in gone} | {f"skole:{org}" for org in (SKAAREDALEN, TESTSKOLE)}
        assert texts(delta) <= texts(new) | gone | kinds | short


@settings(deadline=None, max_examples=60)
@given(kommuner(), kommuner(), st.data())
def test_changes_that_gave_something_of_one_who_is_hidden_are_known_as_such(
    before: Kommune, now: Kommune, data: st.DataObject
) -> None:
    assume(now.people_)
    hidden = data.draw(st.sampled_from(now.people_))
    without = replace(
        now,
        people_=tuple(
            one._replace(guardians=tuple(guardian for guardian in one.guardians if guardian != hidden.person_id))
            for one in now.people_
            if one != hidden
        ),
        parts=tuple(part for part in now.parts if part.person_id != hidden.person_id),
    )
    files = [written(one) for one in (before, now, without)]
    try:
        first, then = (changes(*two) for two in pairwise(files))
    except Unreadable:
        assume(False)
    later = {element for element, _ in pifu_changes.named(InMemory(then))}
    clash = any(gives and element in later for element, gives in pifu_changes.named(InMemory(first)))
    given = {one for one in (hidden.number, hidden.uid) if one} & texts(first)
    assert clash or not given - texts(files[-1])
    assert b"person " + hidden.person_id.encode() in later


# --- what a receiver is told ------------------------------------------------------------------------------------------


def test_one_who_is_hidden_goes_first_by_id_alone_and_leaves_no_trace() -> None:
    now = replace(
        HAUGESUND,
        people_=(TEACHER, MOTHER, FATHER._replace(mobile="41 00 17 02")),
        parts=tuple(part for part in HAUGESUND.parts if part.person_id != PUPIL.person_id),
    )
    delta = changes(written(), written(now)).decode()
    lines = delta.splitlines()
    assert lines[1:3] == [f"<!-- from: {OLD} -->", f"<!-- to: {NEW} -->"]
    one = PUPIL.person_id
    source = "<sourcedid><source>dataflyt@944073787</source><id>"
    assert lines[5] == (
        f'<person recstatus="3">{source}{one}</id></sourcedid>'
        f"<name><fn>{one}</fn><n><family>{one}</family><given>{one}</given></n></name></person>"
    )
    assert lines[6].startswith(f'<person recstatus="2">{source}{FATHER.person_id}</id>')
    assert lines[7:] == ["</enterprise>"]
    assert PUPIL.number
    assert PUPIL.number not in delta
    assert "andmae" not in delta
    assert "SKA/7A" not in delta, "the class tells where a hidden pupil is"


def test_a_new_number_is_an_update_of_the_same_person_and_the_old_one_is_nowhere() -> None:
    new = replace(HAUGESUND, people_=(PUPIL._replace(number="13897200184"), *HAUGESUND.people_[1:]))
    delta = changes(written(), written(new)).decode()
    assert delta.count("<person") == 1
    assert '<person recstatus="2"><sourcedid><source>' in delta
    assert '"personNIN">13897200184<' in delta
    assert str(PUPIL.number) not in delta


def test_a_person_with_a_new_id_is_told_as_one_person_by_old_and_new_id() -> None:
    other = "99999999-0000-0000-0000-000000000009"
    people = (*HAUGESUND.people_[1:], PUPIL._replace(person_id=other))
    parts = sorted(
        (
            part._replace(person_id=other if part.person_id == PUPIL.person_id else part.person_id)
            for part in HAUGESUND.parts
        ),
        key=lambda part: (not part.of_school, part.target, part.person_id, part.role),
    )
    delta = changes(written(), written(replace(HAUGESUND, people_=people, parts=tuple(parts)))).decode()
    source = "<source>dataflyt@944073787</source>"
    assert (
        f'<person recstatus="2"><sourcedid sourcedidtype="Old">{source}<id>{PUPIL.person_id}</id></sourcedid>'
        f'<sourcedid sourcedidtype="New">{source}<id>{other}</id></sourcedid>'
    ) in delta
    assert "<membership>" not in delta
    assert "andmae" in delta


def test_a_guardian_who_loses_access_to_one_child_is_gone_from_the_childs_element() -> None:
    only_mother = PUPIL._replace(guardians=(MOTHER.person_id,))
    sibling = PUPIL._replace(
        person_id="22222222-0000-0000-0000-000000000001", number="13897200184", uid="b", guardians=(FATHER.person_id,)
    )
    before = replace(HAUGESUND, people_=(*HAUGESUND.people_, sibling))
    delta = changes(written(before), written(replace(before, people_=(only_mother, *before.people_[1:])))).decode()
    (person,) = re.findall("<person .*", delta)
    assert MOTHER.person_id in person
    assert FATHER.person_id not in delta


def test_a_number_is_taken_from_one_before_another_gets_it() -> None:
    # The one who gives it away comes after the one who gets it, by id.
    giver = TEACHER._replace(number="13897200184", local_number=None)
    pupil = PUPIL._replace(number=None)
    before = replace(HAUGESUND, people_=(pupil, giver, MOTHER, FATHER))
    now = replace(HAUGESUND, people_=(pupil._replace(number=giver.number), giver._replace(number=None), MOTHER, FATHER))
    delta = changes(written(before), written(now))
    assert Receiver(written(before)).apply(delta) == Receiver(written(now))
    swapped = replace(
        before, people_=(giver._replace(person_id=pupil.person_id), PUPIL._replace(person_id=giver.person_id))
    )
    straight = replace(before, people_=(PUPIL, giver))
    with pytest.raises(Unreadable, match="byttet nummer"):
        changes(written(replace(straight, parts=())), written(replace(swapped, parts=())))


def test_roles_are_added_changed_and_taken() -> None:
    parts = {
        "01": Membership(False, CLASS.group_id, PUPIL.person_id, "01"),
        "02": Membership(False, CLASS.group_id, TEACHER.person_id, "02"),
        "06": Membership(False, CLASS.group_id, TEACHER.person_id, "06"),
    }
    before = replace(HAUGESUND, parts=(parts["01"], parts["02"], parts["06"]))
    ended = parts["01"]._replace(to_date=date(2026, 12, 24))
    new = Membership(False, MATHS.group_id, TEACHER.person_id, "02")
    delta = changes(written(before), written(replace(before, parts=(ended, parts["02"], new)))).decode()
    roles = re.findall('<role recstatus="(.)" roletype="(..)"><status>(.)', delta)
    assert roles == [("2", "01", "1"), ("3", "06", "0"), ("1", "02", "1")]


def test_the_same_people_at_another_time_give_a_file_without_people() -> None:
    later = written(replace(HAUGESUND, moment=MOMENT + timedelta(days=7)))
    delta = changes(written(), later)
    assert b"<type>delta</type><datetime>2026-11-30T03:00:07Z</datetime>" in delta
    assert not re.search(b"<(person|group|membership)", delta)
    assert findings(delta) == []
    assert Receiver(written()).apply(delta) == Receiver(later)


def test_the_changes_are_the_same_bytes_each_time() -> None:
    now = replace(HAUGESUND, people_=(), parts=(), groups_=(CLASS._replace(name="7 A"),))
    assert changes(written(), written(now)) == changes(written(), written(now))


class OfAnother(Kommune):
    def owner(self):  # type: ignore[no-untyped-def]
        return replace(super().owner(), orgnr="974588145")


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"<enterprise/>\n",
        written(version="1.2"),
        written(OfAnother()),
        written().replace(b"<person>", b"<person >", 1),
        written().replace(b"</membership>\n", b"", 1),
        written()[:-5],
        written() + b"x\n",
        written(replace(HAUGESUND, people_=HAUGESUND.people_[::-1])),
        written(replace(HAUGESUND, parts=HAUGESUND.parts[::-1])),
    ],
)
def test_where_no_changes_lead_to_the_new_file_the_full_file_is_the_only_way(before: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        changes(before, written())
    assert "Mæhlá" not in str(caught.value)


def edited(old: str, new: str) -> bytes:
    now = replace(
        HAUGESUND,
        people_=(PUPIL, TEACHER._replace(mail=None), FATHER),
        groups_=(CLASS,),
        parts=(*HAUGESUND.parts[:2], HAUGESUND.parts[3], HAUGESUND.parts[4]._replace(role="06")),
    )
    content = changes(written(), written(now)).decode()
    assert old in content
    return content.replace(old, new, 1).encode()


NOT_AS, ORDER = "Element som ikke er som det skal", "Elementer i feil rekkefølge"
TOO_MUCH, TWICE, NOWHERE = "Sletting som sier mer enn id-en", "Samme id to ganger", "Henvisning til noe som ikke finnes"
FN = f"<fn>{MOTHER.person_id}</fn>"
GONE = '<person recstatus="3">'
CHANGED = '<person recstatus="2">'
ID = f"<id>{TEACHER.person_id}</id></sourcedid>"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("<type>delta<", "<type>delta<", []),
        ("<type>delta<", "<type>full<", [NOT_AS]),
        (FN, "<fn>Suharto</fn>", [TOO_MUCH]),
        ("</name>", "</name><demographics><bday>1978-07-24</bday></demographics>", [TOO_MUCH]),
        (GONE, "<person>", [NOT_AS]),
        (GONE, '<person recstatus="4">', [NOT_AS]),
        (CHANGED, GONE, [TOO_MUCH, NOWHERE, NOWHERE]),
        ("<status>0<", "<status>1<", [TOO_MUCH]),
        ('<role recstatus="3" ', "<role ", [NOT_AS]),
        ('<role recstatus="3" ', '<role recstatus="0" ', [NOT_AS]),
        ("<short>SKA/trinn7</short>", "<short>SKA/trinn7</short><long>7. trinn</long>", []),
        ("</relationship></group>", "</relationship><extension></extension></group>", [TOO_MUCH]),
        (f"<id>{CLASS.group_id}</id>", f"<id>{MATHS.group_id}</id>", [NOWHERE]),
        (f"{ID}<idtype>", f"<id>{MOTHER.person_id}</id></sourcedid><idtype>", [NOWHERE]),
        (CHANGED + "<sourcedid>", CHANGED + '<sourcedid sourcedidtype="New">', [NOT_AS]),
        ("</enterprise>", "<comments/></enterprise>", [NOT_AS]),
    ],
)
def test_the_check_finds_what_a_file_of_changes_may_not_have(old: str, new: str, found: list[str]) -> None:
    said = findings(edited(old, new))
    assert [one.partition(":")[0] for one in said] == found
    assert "Suharto" not in str(said)


def test_the_check_finds_a_wrong_order_and_whatever_stands_there_twice() -> None:
    lines = edited("", "").decode().splitlines(keepends=True)
    people = [at for at, line in enumerate(lines) if line.startswith("<person")]
    assert [lines[at][:22] for at in people] == [GONE, CHANGED]
    swapped = [*lines[: people[0]], lines[people[1]], lines[people[0]], *lines[people[1] + 1 :]]
    assert [one.partition(":")[0] for one in findings("".join(swapped).encode())] == [ORDER]
    twice = [*lines[: people[1]], lines[people[1]], *lines[people[1] :]]
    assert {one.partition(":")[0] for one in findings("".join(twice).encode())} == {TWICE}
    for content in (b"", written(), "".join(lines[:1] + lines[3:]).encode(), "".join(lines).encode()[:-9]):
        with pytest.raises(Unreadable):
            findings(content)


@dataclass(frozen=True)
class Large(Kommune):
    """A kommune of a given number of people, made as a stream."""

    count: int = 0
    level: str = ""

    def people(self) -> Iterator[Person]:
        for number in range(self.count):
            yield PUPIL._replace(person_id=f"{number:08d}", uid=f"u{number}", number=None, given_names=self.level)

    def memberships(self) -> Iterator[Membership]:
        for target in range(3):
            for number in range(target, self.count, 3):
                yield Membership(False, f"G{target}", f"{number:08d}", "01")


def test_memory_does_not_grow_with_the_people(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        files = []
        for level in ("a", "b"):
            path = tmp_path / level
            path.write_bytes(written(Large(groups_=(), count=count, level=level)))
            files.append(Written(path, OLD))
        tracemalloc.start()
        try:
            with (tmp_path / "changes").open("wb") as out:
                pifu_changes.write(*files, out)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)
    members_of_one_group = 300 * 600
    assert peak(900) < peak(300) + 2 * members_of_one_group
