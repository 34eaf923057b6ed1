"""A directory file gives entries; any other file gives one sentence."""

import io
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dataflyt.accounts import directory
from dataflyt.accounts.directory import Entry, School
from dataflyt.errors import Unreadable
from dataflyt.formats.ldif import attribute
from dataflyt.identity import numbers
from dataflyt.identity.names import feide_name

LDIF = """\
version: 1

dn: dc=haugesund,dc=kommune,dc=no
objectClass: norEduOrg
norEduOrgNIN: NO944073787

dn: uid=kari,ou=people,dc=haugesund,dc=kommune,dc=no
objectClass: norEduPerson
uid: kari
eduPersonPrincipalName: KariN@Haugesund.kommune.no
norEduPersonNIN: 278509 98855
eduPersonAffiliation: student
eduPersonAffiliation: member
eduPersonOrgUnitDN: OU=Skåredalen  skole, dc=haugesund,dc=kommune,
 dc=no
jpegPhoto:: /9j/4AAQ

dn:: b3U9U2vDpXJlZGFsZW4gc2tvbGUsZGM9aGF1Z2VzdW5kLGRjPWtvbW11bmUsZGM9bm8=
objectClass: norEduOrgUnit
norEduOrgUnitUniqueIdentifier: NO311060015

dn: uid=guest,ou=people,dc=haugesund,dc=kommune,dc=no
objectClass: person
uid:: Z3Vlc3Q=
eduPersonAffiliation: faculty
eduPersonAffiliation: student
"""


def read(data: bytes | str, name: str = "katalog") -> list[Entry | School]:
    return list(directory.rows(io.BytesIO(data.encode() if isinstance(data, str) else data), name))


def test_an_ldif_directory_gives_names_numbers_affiliations_and_schools() -> None:
    person, school, guest = read(LDIF)
    assert isinstance(school, School)
    assert school.orgnr == "311060015"
    # The school stands after the pupil, and its name is written in another way.
    assert person == Entry(7, "KariN@Haugesund.kommune.no", "27850998855", "pupil", (school.key,))
    assert guest == Entry(22, "guest", None, "employee pupil", ())


def test_the_reference_directory_without_people_is_refused(reference: Path) -> None:
    for file in sorted((reference / "feide").glob("0*.ldif")):
        with pytest.raises(Unreadable, match="uten personer"), file.open("rb") as opened:
            list(directory.rows(opened, file.name))


@pytest.fixture
def reference() -> Path:
    import os

    folder = os.environ.get("DATAFLYT_REFERENCE")
    if not folder:
        pytest.skip("DATAFLYT_REFERENCE is not set: others' data is not part of this project")
    return Path(folder)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_a_csv_directory_is_read_in_both_encodings_and_with_both_separators(encoding: str, separator: str) -> None:
    lines = [
        ["Etternavn", "Fødselsnummer", "Brukernavn", "Rolle", "Orgnr"],
        ["Bærøe", "27850998855", "bjørn", "elev", "NO 311060015"],
        ["", "", "", "", ""],
        [f'"Å{separator} ""B"""', "01010", "kari", "member|Lærer", "123456789 311060023"],
    ]
    text = "\r\n".join(separator.join(line) for line in lines)
    assert read(text.encode(encoding)) == [
        School("311060015", "311060015"),
        Entry(2, "bjørn", "27850998855", "pupil", ("311060015",)),
        School("311060023", "311060023"),
        Entry(4, "kari", None, "employee", ("311060023",)),
    ]


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;", "\ufeffsep=;", "sep=;;;"])
def test_excels_line_about_the_separator_is_no_heading(first: str) -> None:
    text = f"{first}\r\nuid;fnr;rolle\r\nkari;27850998855;elev,x\r\n"
    assert read(text) == [Entry(3, "kari", "27850998855", "pupil", ())]


def test_powershells_line_about_a_type_is_no_heading() -> None:
    rows = read('#TYPE Selected.Microsoft.ActiveDirectory.Management.ADUser\r\n"uid";"fnr"\r\n"kari";"27850998855"\r\n')
    assert rows == [Entry(3, "kari", "27850998855", None, ())]


def test_base64_that_is_no_utf_8_is_windows_1252() -> None:
    (bjorn,) = read("dn: uid=x\nobjectClass: person\nuid:: YmrDuHJu\n")
    (again,) = read("dn: uid=x\nobjectClass: person\nuid:: Ymr4cm4=\n")
    assert isinstance(bjorn, Entry)
    assert bjorn.principal == "bjørn"
    assert bjorn == again


def test_ldifde_writes_every_entry_as_one_to_add() -> None:
    kari = "dn: CN=Kari,DC=no\nchangetype: add\nobjectClass: person\nuid: kari\nnorEduPersonNIN: 27850998855\n"
    ola = "dn: CN=Ola,DC=no\ncontrol: 1.2.3 true\nchangeType: Add\nobjectClass: person\nuid: ola\n"
    assert read(f"{kari}\n{ola}".replace("\n", "\r\n")) == [
        Entry(1, "kari", "27850998855", None, ()),
        Entry(7, "ola", None, None, ()),
    ]


def test_what_ldapsearch_tells_of_the_search_is_passed_over() -> None:
    entry = "# kari\ndn: uid=kari,dc=no\nobjectClass: person\nuid: kari\n\n"
    reference = "# search reference\nref: ldap://a.no/dc=no??sub\nref: ldap://b.no/dc=x\n ??sub\n\n"
    page = "# search result\nsearch: 2\nresult: 0 Success\ncontrol: 1.2.840.113556.1.4.319 false MAUCAQAEAA==\n"
    trailer = f"{page}pagedresults: cookie=\n\n# numResponses: 4\n# numEntries: 1\n"
    head = "# extended LDIF\n#\n# LDAPv3\n#\n\n"
    assert read(head + entry + reference + trailer) == [Entry(7, "kari", None, None, ())]
    assert read(reference + entry + trailer + page) == [Entry(7, "kari", None, None, ())]


def test_a_feide_name_goes_before_a_bare_user_name() -> None:
    header = "uid;norEduPersonNIN;eduPersonPrincipalName\n"
    rows = read(header + "kari;27850998855;karin@haugesund.kommune.no\nola;27850998855;\n;27850998855\n")
    assert [row.principal for row in rows if isinstance(row, Entry)] == ["karin@haugesund.kommune.no", "ola", None]
    assert directory.realm(io.BytesIO((header + "x;1;\ny;1;y@Bergen.Kommune.NO \n").encode()), "x") == (
        "bergen.kommune.no"
    )
    assert directory.realm(io.BytesIO((header + "x;1;\n").encode()), "x") is None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("KariN", "karin"),
        ("Kari.Nord-1@HAUGESUND.kommune.no", "kari.nord-1"),
        ("Åse", "åse"),
        ("A\u030ase", "åse"),
        (" kari ", "kari"),
        ("kari@bergen.kommune.no", None),
        ("kari@", None),
        ("@haugesund.kommune.no", None),
        ("kari nord", None),
        ("-kari", None),
        ("kari\u200b", None),
        ("kari\udce5", None),
        ("k" * 65, None),
        ("", None),
    ],
)
def test_names_are_compared_in_one_form_and_what_is_no_name_here_is_none(written: str, name: str | None) -> None:
    assert feide_name(written, "haugesund.kommune.no") == name


SECRET = "27850998855"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "katalog, linje 1: ingen kolonne har FEIDE-navn"),
        (b"PK\x03\x04" + b"x" * 50, "linje 1: filen er en zip- eller Excel-fil: lagre katalogen som LDIF"),
        (b"\x1f\x8b\x08", "linje 1: filen er komprimert"),
        (b"%PDF-1.7", "linje 1: filen er en PDF-fil"),
        (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "linje 1: filen er XML eller en nettside"),
        (b"\xef\xbb\xbf <html>", "linje 1: filen er XML eller en nettside"),
        ("uid;fnr\nkari;1\n".encode("utf-16"), "linje 1: filen er i UTF-16"),
        (b"uid;fnr\nkari;27850998855\nola\0;1\n", "linje 3: linjen har binære data"),
        (b"brukernavn;navn\nkari;27850998855\n", "linje 1: ingen kolonne har fødselsnummer"),
        (b"fnr;navn\n27850998855;kari\n", "linje 1: ingen kolonne har FEIDE-navn"),
        (b"uid;fnr\n", "linje 1: filen er uten personer"),
        (b"uid;fnr\nkari;27850998855;Nord\n", "linje 2: raden har flere felt enn det er kolonner"),
        (b'uid;fnr\n"kari;27850998855\n', "filen er ikke CSV: et anførselstegn er ikke lukket"),
        (b"uid;fnr\n" + b"k" * 70_000, "linje 2: linjen er for lang"),
        (b'uid;fnr\n"' + b"k\n" * 140_000, "filen er ikke CSV"),
        (b"dn: o=x\nkari 27850998855\n", "linje 2: linjen skulle hatt et attributt"),
        (b"version: 2\n\ndn: o=x\n", "linje 1: filen sier en annen LDIF-versjon"),
        (b"dn: uid=27850998855\nuid: kari\ndn: o=y\n", "linje 3: oppføringen har ingen tom linje foran seg"),
        (b"version: 1\n\nuid: kari\n", "linje 3: oppføringen har ingen dn"),
        (b"dn: o=x\nsn: K\xe5re\n", "linje 2: linjen er ikke i UTF-8"),
        (b"dn: o=x\nchangetype: modify\nadd: sn\n", "linje 2: linjen er en endring"),
        (b"dn: o=x\nuid: kari\n\nsearch: 2\nresult: 4 Size limit exceeded\n", "linje 5: søket som laget filen"),
        (b"sep=;\nbrukernavn;navn\nkari;27850998855\n", "linje 2: ingen kolonne har fødselsnummer"),
        (b"sep=;\nuid;fnr\nkari;27850998855;Nord\n", "linje 3: raden har flere felt enn det er kolonner"),
        (b"version: 1\n", "linje 1: filen har ingen oppføringer"),
        (b"dn: o=x\nsn: a\0b\n", "linje 2: linjen har binære data"),
        (b"dn: o=x\n\n 27850998855\n", "linje 3: linjen begynner med mellomrom"),
        (b"dn: o=x\nsn:: 27850998855!\n", "linje 2: verdien er ikke base64"),
        (b"dn: o=x\nsn:< file:///etc/passwd\n", "linje 2: verdien viser til en annen fil"),
        (b"dn: o=x\nsn: " + b"x" * (17 * 1024**2), "linje 2: oppføringen er større enn 16 MB"),
        (b"dn: o=x\nobjectClass: norEduOrg\n", "linje 1: filen er uten personer"),
    ],
)
def test_a_file_that_is_no_directory_gives_one_sentence_with_its_line(data: bytes, sentence: str) -> None:
    with pytest.raises(Unreadable) as raised:
        read(data)
    said = raised.value.sentence
    assert said.startswith("katalog, linje "), said
    assert sentence in said
    assert said.endswith(".")
    assert "\n" not in said
    assert SECRET not in said
    assert "kari" not in said.lower()
    assert raised.value.__cause__ is None


def reads_or_says_why(data: bytes) -> None:
    said = "katalog, linje "
    try:
        rows = read(data)
    except Unreadable as unreadable:
        rows, said = [], unreadable.sentence
    assert said.startswith("katalog, linje ")
    assert all(isinstance(row, School) or row.number is None or len(row.number) == 11 for row in rows)


@given(st.binary(max_size=2000))
@example(b"\xef\xbb\xbf")
@example(b"#")
@example(b"dn:")
@example(b"version:")
def test_any_bytes_are_read_or_refused_in_our_own_words(data: bytes) -> None:
    reads_or_says_why(data)


_PIECES = [
    b"uid",
    b"fnr",
    b"feide",
    b";",
    b",",
    b'"',
    b"\n",
    b"\r",
    b"\r\n",
    b"27850998855",
    b"\xe5",
    "å".encode(),
    b"@",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=60))
def test_anything_like_csv_is_read_or_refused_in_our_own_words(pieces: list[bytes]) -> None:
    reads_or_says_why(b"uid;fnr\n" + b"".join(pieces))


_LINES = [
    b"dn: o=x",
    b"dn:: b3U9eA==",
    b"objectClass: person",
    b"objectClass: norEduOrgUnit",
    b"uid:: gIGC",
    b"",
    b" more",
]
_LINES += [
    b"norEduPersonNIN: 27850998855",
    b"eduPersonOrgUnitDN: ou=\\00,o=x",
    b"eduPersonOrgUnitDN:: AAEC",
    b"# x",
    b":",
]


@given(st.lists(st.sampled_from(_LINES), max_size=30))
def test_anything_like_ldif_is_read_or_refused_in_our_own_words(lines: list[bytes]) -> None:
    reads_or_says_why(b"dn: o=x\n" + b"\n".join(lines))


_NUMBERS = [number for at in range(4000) if numbers.parse(number := f"0185145{at:04d}").valid]
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@settings(max_examples=50)
@given(st.lists(st.tuples(_TEXT, st.sampled_from(_NUMBERS)), min_size=1, max_size=5))
def test_what_is_written_as_ldif_is_read_again(people: list[tuple[str, str]]) -> None:
    file = "".join(
        attribute("dn", f"uid=x{number}")
        + "objectClass: norEduPerson\n"
        + attribute("uid", name)
        + attribute("norEduPersonNIN", number)
        + "\n"
        for name, number in people
    )
    assert [(row.principal, row.number) for row in read(file) if isinstance(row, Entry)] == people
