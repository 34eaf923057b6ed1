"""The changes of a FEIDE directory: applied to the file before, they give exactly the file now."""

import base64
import io
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dataflyt.errors import Unreadable
from dataflyt.exports import feide_changes, feide_changes_check
from dataflyt.exports.model import AccountHolder, Owner, School, Written
from tests.exports.openldap import SUFFIX, OpenLdap, load, whole
from tests.exports.test_feide_ldif import CLASS, HAUGESUND, MATHS, PUPIL, STRANGE, TEACHER, Kommune, written

PEOPLE = f"ou=people,{SUFFIX}"
OLD, NEW = "a" * 64, "b" * 64


class File:
    """A file in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def open(self, mode: str, /) -> BinaryIO:
        return io.BytesIO(self.content)


def changes(before: bytes, now: bytes) -> bytes:
    out = io.BytesIO()
    feide_changes.write(Written(File(before), OLD), Written(File(now), NEW), out)
    return out.getvalue()


def findings(content: bytes) -> list[str]:
    return [str(finding) for finding in feide_changes_check.check(File(content))]


# --- a naive directory ------------------------------------------------------------------------------------------------


class Refused(Exception):
    """What a directory would not do."""


Values = dict[str, list[str]]
UNIQUE = ("uid", "noredupersonnin", "noredupersonlin", "edupersonprincipalname", "noreduorgunituniqueidentifier")


def records(content: bytes) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Read LDIF as RFC 2849 has it: the dn and the lines of each record."""
    for block in content.decode("ascii").split("\n\n"):
        lines = []
        for line in block.replace("\n ", "").split("\n"):
            if line and not line.startswith("#"):
                name, _, value = line.partition(":")
                plain = value.removeprefix(" ")
                lines.append((name.lower(), base64.b64decode(value[1:]).decode() if value[:1] == ":" else plain))
        if lines:
            assert lines[0][0] == "dn"
            yield lines[0][1], lines[1:]


def key(dn: str) -> str:
    return " ".join(dn.split()).casefold()


def split(dn: str) -> tuple[str, str]:
    """Return the first part of a name and the rest."""
    found = re.fullmatch(r"((?:[^,\\]|\\.)+),(.*)", dn, re.DOTALL)
    assert found
    return found[1], found[2]


def rdn_values(dn: str) -> list[tuple[str, str]]:
    pairs = [part.partition("=") for part in re.findall(r"(?:[^+\\]|\\.)+", split(dn)[0])]
    return [(name.lower(), re.sub(r"\\(.)", r"\1", value)) for name, _, value in pairs]


class Directory:
    """A naive directory that knows RFC 4511 and keeps some values unique, as OpenLDAP's overlay does."""

    def __init__(self, content: bytes = b"") -> None:
        self.held: dict[str, Values] = {}
        for dn, lines in records(content):
            self.add(dn, lines)

    def add(self, dn: str, lines: list[tuple[str, str]]) -> None:
        parent = key(split(dn)[1])
        if key(dn) in self.held or (self.held and parent not in self.held):
            raise Refused("exists, or has no parent")
        entry: Values = {}
        for name, value in lines:
            entry.setdefault(name, []).append(value)
        self.held[key(dn)] = entry

    def apply(self, dn: str, lines: list[tuple[str, str]]) -> None:
        (name, kind), *lines = lines
        assert name == "changetype"
        if kind != "add" and key(dn) not in self.held:
            raise Refused("does not exist")
        if kind == "add":
            self.add(dn, lines)
        elif kind == "delete":
            if any(other.endswith("," + key(dn)) for other in self.held):
                raise Refused("has children")
            del self.held[key(dn)]
        elif kind == "modrdn":
            self.rename(dn, dict(lines))
        else:
            self.modify(dn, lines)
        for unique in UNIQUE:
            values = [value.casefold() for entry in self.held.values() for value in entry.get(unique, ())]
            assert len(values) == len(set(values)), unique

    def rename(self, dn: str, said: dict[str, str]) -> None:
        assert said["deleteoldrdn"] == "0"
        new = f"{said['newrdn']},{split(dn)[1]}"
        if key(new) in self.held:
            raise Refused("exists")
        entry = self.held.pop(key(dn))
        for name, value in rdn_values(new):
            if key(value) not in map(key, entry.get(name, [])):
                entry.setdefault(name, []).append(value)
        self.held[key(new)] = entry

    def modify(self, dn: str, lines: list[tuple[str, str]]) -> None:
        entry = self.held[key(dn)]
        while lines:
            (operation, name), *lines = lines
            assert operation == "replace"
            end = lines.index(("-", "")) if ("-", "") in lines else len(lines)
            values = [value for _, value in lines[:end]]
            assert {given for given, _ in lines[:end]} <= {name.lower()}
            lines = lines[end + 1 :]
            if values:
                entry[name.lower()] = values
            else:
                entry.pop(name.lower(), None)
        for name, value in rdn_values(dn):
            assert key(value) in map(key, entry.get(name, [])), "a value of the name is kept"

    def said(self) -> dict[str, dict[str, set[str]]]:
        for entry in self.held.values():
            assert all(len(values) == len(set(values)) for values in entry.values())
        return {dn: {name: set(values) for name, values in entry.items()} for dn, entry in self.held.items()}


# --- random directories -----------------------------------------------------------------------------------------------

ORGS = ("974588145", "994392328", "976820037")
NAMES = ("Bø skole", "BØ  SKOLE", "Nes skole", "People", '#Øy, "ny" + <gamle>\\', "Nes skole; avd. 2")
UIDS = ("ola", "kari.nes", "åse", 'c,"d"+e\\ f', "bodil", "zz=1")
WORDS = ("Ola", "Kåre  Å", "=1+1", "\u202eolA", 'x"\n\tdn: y', " ", "Đuŋŋe", "a" * 90)
NUMBERS = ("13897200184", "15892012345", "21830212345")


@st.composite
def directories(draw: st.DrawFn) -> Kommune:
    orgs = draw(st.lists(st.sampled_from(ORGS), unique=True, max_size=3))
    schools = [School(orgnr, draw(st.sampled_from(NAMES)), draw(st.sampled_from((None, "a@b.no")))) for orgnr in orgs]
    uids = sorted(draw(st.lists(st.sampled_from(UIDS), unique=True, max_size=5)))
    numbers = iter(draw(st.permutations([*NUMBERS, None, None])))
    locals_ = iter(draw(st.permutations([*NUMBERS, None, None])))
    mails = iter(draw(st.permutations(["a@b.no", "b@b.no", "å@b.no", None, None])))
    people = []
    for uid in uids:
        at = tuple(draw(st.lists(st.sampled_from(orgs), unique=True, max_size=2))) if orgs else ()
        role = draw(st.sampled_from(("student", "faculty", "staff", "affiliate")))
        groups = draw(st.lists(st.sampled_from((CLASS, MATHS, replace(CLASS, role="faculty"))), max_size=2))
        person = AccountHolder(
            uid=uid,
            given_names=draw(st.sampled_from(WORDS)),
            family_name=draw(st.sampled_from(WORDS)),
            legal_name=draw(st.sampled_from(WORDS)),
            display_name=draw(st.sampled_from(WORDS)),
            number=next(numbers),
            local_number=next(locals_),
            birth_date=draw(st.sampled_from((None, date(2015, 9, 15)))),
            affiliations=(role,),
            schools=at,
            year_levels=tuple(draw(st.lists(st.sampled_from((1, 7)), max_size=1))),
            groups=tuple(groups),
            mail=next(mails),
            former_names=tuple(draw(st.lists(st.just("gammel@sveio.kommune.no"), max_size=1))),
        )
        people.append(person)
    return Kommune(Owner("haugesund.kommune.no", "944073787", draw(st.sampled_from(WORDS)), "p@b.no"), schools, people)


@settings(deadline=None, max_examples=60)
@given(directories(), directories(), st.integers(0, 12))
def test_the_changes_bring_any_directory_to_exactly_the_new_file(before: Kommune, now: Kommune, stop: int) -> None:
    old, new = written(before), written(now)
    content = changes(old, new)
    assert findings(content) == []
    directory = Directory(old)
    for dn, entry in directory.held.items():
        if dn.startswith("uid="):
            entry["userpassword"] = [dn]
    for record in records(content):
        directory.apply(*record)
    expected = Directory(new).said()
    for dn in expected.keys() & Directory(old).held.keys():
        if dn.startswith("uid="):
            expected[dn]["userpassword"] = {dn}  # whoever stays keeps the password
    assert directory.said() == expected

    # It says nothing that the new file does not say, but for the names of the deleted.
    lines = {pair for _, of_one in records(new) for pair in of_one}
    for dn, (kind, *of_one) in records(content):
        assert kind[1] != "delete" or of_one == []
        names = {"replace", "newrdn", "deleteoldrdn", "-"}
        assert {pair for pair in of_one if pair[0] not in names} <= lines
        assert kind[1] == "delete" or kind[1] == "modrdn" or dn in {name for name, _ in records(new)} | unnamed(old)

    # What was stopped half-way is gone through again from the top, past what is done already.
    again = Directory(old)
    for record in list(records(content))[:stop]:
        again.apply(*record)
    for record in records(content):
        try:
            again.apply(*record)
        except Refused:
            continue
    assert again.said() == Directory(new).said()


@settings(deadline=None, max_examples=60)
@given(directories(), directories(), st.data())
def test_changes_that_gave_something_of_one_who_is_hidden_are_known_as_such(
    before: Kommune, now: Kommune, data: st.DataObject
) -> None:
    people = tuple(now.people_)
    assume(people)
    hidden = data.draw(st.sampled_from(people))
    second, third = written(now), written(replace(now, people_=tuple(one for one in people if one != hidden)))
    first, then = changes(written(before), second), changes(second, third)
    later = {element for element, _ in feide_changes.named(File(then))}
    clash = any(gives and element in later for element, gives in feide_changes.named(File(first)))
    gives = {dn for dn, (kind, *_) in records(first) if kind[1] != "delete"}
    taken = {dn for dn, (kind, *_) in records(then) if kind[1] == "delete"}
    assert taken
    assert clash or not gives & taken


def unnamed(content: bytes) -> set[str]:
    """Return the names of schools: one that gets a new name is named by the old one until then."""
    return {dn for dn, _ in records(content) if not dn.startswith("uid=")}


def test_a_pupil_who_leaves_goes_first_and_what_stays_is_not_named() -> None:
    teacher = replace(TEACHER, uid="bodil", mail="ny@haugesund.kommune.no")
    before = replace(HAUGESUND, people_=(PUPIL, replace(TEACHER, uid="bodil"), replace(PUPIL, uid="z")))
    new = AccountHolder("c", "C", "C", "C", "C", number=PUPIL.number)
    content = changes(written(before), written(replace(before, people_=(teacher, new, replace(PUPIL, uid="z")))))
    assert content.decode() == (
        f"# from: {OLD}\n# to: {NEW}\n\n"
        "dn:: dWlkPWFuZGVycy5tYWVobMOhLG91PXBlb3BsZSxkYz1oYXVnZXN1bmQsZGM9a29tbXVuZSx\n kYz1ubw==\n"
        "changetype: delete\n\n"
        f"dn: uid=bodil,{PEOPLE}\nchangetype: modify\nreplace: mail\n-\n\n"
        f"dn: uid=bodil,{PEOPLE}\nchangetype: modify\nreplace: mail\nmail: ny@haugesund.kommune.no\n-\n\n"
        f"dn: uid=c,{PEOPLE}\nchangetype: add\n"
        + written(replace(before, people_=(new,))).decode().partition(f"dn: uid=c,{PEOPLE}\n")[2]
    )


def test_a_name_may_be_the_word_for_an_attribute() -> None:
    now = replace(HAUGESUND, people_=(replace(PUPIL, family_name="userPassword", display_name="-"),))
    assert findings(changes(written(replace(HAUGESUND, people_=(PUPIL,))), written(now))) == []


def test_a_school_with_a_new_name_keeps_its_entry() -> None:
    new = replace(HAUGESUND, schools_=(School(TEACHER.schools[0], "Ny skole"), list(HAUGESUND.schools_)[1]))
    content = changes(written(HAUGESUND_SORTED), written(replace(new, people_=HAUGESUND_SORTED.people_)))
    assert content.count(b"changetype: modrdn\nnewrdn: ou=Ny skole\ndeleteoldrdn: 0\n") == 1
    assert b"delete\n" not in content


HAUGESUND_SORTED = replace(
    HAUGESUND, people_=sorted((STRANGE, PUPIL, replace(TEACHER, uid="bodil")), key=lambda person: person.uid.strip())
)


def test_the_same_file_gives_no_changes_and_says_so_by_having_none() -> None:
    same = written(HAUGESUND_SORTED)
    assert changes(same, same) == f"# from: {OLD}\n# to: {NEW}\n\n".encode()
    assert findings(changes(same, same)) == []


def test_an_empty_kommune_is_filled_and_emptied() -> None:
    empty, full = written(replace(HAUGESUND, schools_=(), people_=())), written(HAUGESUND_SORTED)
    for before, now in ((empty, full), (full, empty)):
        directory = Directory(before)
        for record in records(changes(before, now)):
            directory.apply(*record)
        assert directory.said() == Directory(now).said()


@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"dn: dc=x\nobjectClass: top\n",
        b"\xff\n\n",
        written(replace(HAUGESUND_SORTED, owner_=replace(HAUGESUND.owner_, realm="sveio.kommune.no"))),
        written(replace(HAUGESUND, people_=(replace(PUPIL, uid="b"), replace(PUPIL, uid="a")))),
        written(HAUGESUND_SORTED) + f"dn: ou=mer,{SUFFIX}\nou: mer\n".encode(),
        written(HAUGESUND_SORTED) + b"x" * (17 * 1024**2),
    ],
)
def test_where_no_changes_lead_to_the_new_file_the_full_file_is_the_only_way(before: bytes) -> None:
    with pytest.raises(Unreadable) as caught:
        changes(before, written(HAUGESUND_SORTED))
    assert "haugesund" not in str(caught.value)


HEAD = f"# from: {OLD}\n# to: {NEW}\n\n"
DELETE, ADD = "dn: uid=a,ou=p\nchangetype: delete\n\n", "dn: uid=b,ou=p\nchangetype: add\nobjectClass: top\n\n"
SCHOOL = "dn: ou=b\nchangetype: add\nobjectClass: top\n\n"
MODIFY = "dn: uid=b,ou=p\nchangetype: modify\n"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (DELETE + SCHOOL + ADD, []),
        (ADD + DELETE, ["Endring i feil rekkefølge"]),
        (ADD + SCHOOL, ["Endring i feil rekkefølge"]),
        (DELETE + DELETE, ["Samme oppføring to ganger"]),
        (DELETE + ADD.replace("uid=b", "UID=A"), ["Samme oppføring to ganger"]),
        (ADD + ADD, ["Samme oppføring to ganger"]),
        (ADD.replace("objectClass", "cn"), ["Ufullstendig endring"]),
        (ADD.replace("top", "top\nuserPassword: x"), ["Endring av passord"]),
        (MODIFY + "replace: userPassword\nuserPassword: x\n-\n", ["Endring av passord"]),
        (MODIFY + "replace: mail\nmail: x\n-\n", []),
        (MODIFY + "replace: mail\n-\n", []),
        (MODIFY + "replace: mail\ncn: x\n-\n", ["Ufullstendig endring"]),
        (MODIFY + "replace: mail\nmail: x\n", ["Ufullstendig endring"]),
        (MODIFY + "replace: mail\n-\nreplace: MAIL\n-\n", ["Ufullstendig endring"]),
        (MODIFY + "delete: mail\n-\n", ["Ufullstendig endring"]),
        (MODIFY, ["Ufullstendig endring"]),
        ("dn: ou=b\nchangetype: modrdn\nnewrdn: ou=c\ndeleteoldrdn: 0\n", []),
        ("dn: ou=b\nchangetype: modrdn\nnewrdn: ou=c\n", ["Ufullstendig endring"]),
        ("dn: uid=b\nchangetype: modrdn\nnewrdn: uid=c\ndeleteoldrdn: 0\n", ["Nytt navn på en person"]),
        ("dn: ou=b\nchangetype: moddn\n", ["Ukjent endring"]),
    ],
)
def test_the_check_finds_what_no_directory_could_take_in_that_order(content: str, found: list[str]) -> None:
    said = findings((HEAD + content).encode())
    assert [one.partition(":")[0] for one in said] == found
    assert all("uid" not in one for one in said)


@pytest.mark.parametrize(
    "content", ["", ADD, *(HEAD + rest for rest in ("cn: x\n", "dn: x\ncn: x\n", "dn: x\n", "x\n"))]
)
def test_what_is_no_file_of_changes_is_refused(content: str) -> None:
    with pytest.raises(Unreadable):
        findings(content.encode())


def test_openldap_takes_every_change_in_one_pass(openldap: OpenLdap, tmp_path: Path) -> None:
    bodil, one, other = replace(TEACHER, uid="bodil", schools=(), groups=()), "974588145", "994392328"
    ola = replace(PUPIL, uid="ola", schools=(one,))
    pupil = replace(PUPIL, number=None, schools=(other,), groups=())
    states = [
        ([School(one, "Bø skole"), School(other, "Nes skole")], [pupil, bodil, ola]),
        # the schools swap names, and two people a number; one gets a number that another has left
        (
            [School(one, "Nes skole"), School(other, "BØ  skole")],
            [replace(pupil, number=ola.number), replace(bodil, number="13897200184"), replace(ola, number=None)],
        ),
        # two of one name, and a new one named as the folder of the people
        ([School(one, "Nes skole"), School(other, "NES SKOLE"), School("976820037", "People")], [pupil, ola]),
        # a school is gone, and another has its name and its number's place
        ([School(other, 'Øy, "ny" + <b>\\'), School("976820037", "Nes skole")], [replace(pupil, schools=()), STRANGE]),
        (
            [School(one, 'Øy, "ny" + <b>\\'), School("976820037", "People")],
            [replace(pupil, schools=(), number="15892012345"), bodil],
        ),
        ([], []),
        ([School(one, "Bø skole")], [bodil, ola]),
    ]
    before = None
    for schools, people in states:
        ordered = sorted(people, key=lambda person: person.uid.strip())
        now = written(replace(HAUGESUND, schools_=schools, people_=ordered))
        path = tmp_path / "changes.ldif"
        path.write_bytes(now if before is None else changes(before, now))
        load(openldap, path)
        assert openldap.held() == whole(now)
        before = now
    assert before
    path.write_bytes(changes(before, before))
    load(openldap, path)


def test_memory_does_not_grow_with_the_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feide_changes, "_READ_AT_ONCE", 1 << 14)

    def peak(count: int) -> int:
        files = []
        for level in (6, 7):
            path = tmp_path / f"{level}.ldif"
            with path.open("wb") as out:
                people = (replace(PUPIL, uid=f"p{n:06d}", number=None, year_levels=(level,)) for n in range(count))
                out.write(written(replace(HAUGESUND, people_=people)))
            files.append(Written(path, OLD))
        tracemalloc.start()
        try:
            with (tmp_path / "changes").open("wb") as out:
                feide_changes.write(*files, out)
            assert list(feide_changes_check.check(tmp_path / "changes")) == []
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(50)
    assert peak(900) < peak(300) + 200_000
