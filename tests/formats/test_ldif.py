"""LDIF: what is written reads back, and distinguished names are escaped and compared as LDAP compares them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflyt.formats import ldif


def test_letters_outside_ascii_may_stand_in_plain_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.ldif"
    path.write_text("\ufeffdn: ou=Grøn skole,dc=no\nou;lang-nb: Grøn skole\n", encoding="utf-8")
    with path.open("rb") as file:
        (entry,) = ldif.read(file)
    assert entry == ldif.Entry(1, "ou=Grøn skole,dc=no", {"ou": [ldif.Value(2, "Grøn skole")]})


@given(st.dictionaries(st.sampled_from(["cn", "ou", "description"]), st.lists(st.text(), min_size=1), min_size=1))
def test_what_is_written_reads_back(tmp_path_factory: pytest.TempPathFactory, values: dict[str, list[str]]) -> None:
    path = tmp_path_factory.getbasetemp() / "round.ldif"
    lines = [ldif.attribute(name, value) for name, texts in values.items() for value in texts]
    path.write_text("dn: dc=no\n" + "".join(lines), encoding="ascii", newline="")
    assert max(len(line) for line in path.read_text().splitlines()) <= 76
    with path.open("rb") as file:
        (entry,) = ldif.read(file)
    assert {name: [value.text for value in found] for name, found in entry.attributes.items()} == values


@pytest.mark.parametrize(
    ("value", "escaped"),
    [
        ("Skåredalen skole", "Skåredalen skole"),
        ('Bø, "gamle" + <ny>; \\', 'Bø\\, \\"gamle\\" \\+ \\<ny\\>\\; \\\\'),
        ("#1", "\\#1"),
        (" to ", "\\ to\\ "),
        (" ", "\\ "),
        ("a\x00b", "a\\00b"),
    ],
)
def test_names_are_escaped_in_distinguished_names(value: str, escaped: str) -> None:
    assert ldif.escape(value) == escaped


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_names_stay_different_in_distinguished_names(one: str, other: str) -> None:
    def key(value: str) -> str:
        return " ".join(value.split()).casefold()

    same = ldif.normal_dn(f"ou={ldif.escape(one)},dc=no") == ldif.normal_dn(f"OU = {ldif.escape(other)} , DC=NO")
    assert same == (key(one) == key(other))
