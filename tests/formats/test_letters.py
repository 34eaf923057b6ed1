"""Names of many languages pass, and names whose letters were read in another encoding do not."""

import io
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflyt.accounts import directory
from dataflyt.accounts.directory import Entry
from dataflyt.formats.letters import GARBLED, SUSPECT
from dataflyt.formats.text import from_windows_1252
from dataflyt.sources.hr import stamdata3, visma
from dataflyt.sources.sas import pifu, timetable

words = re.compile(r"\S+").findall

REAL = words("""
Åse Øystein Ærlig Bærum Kåre Bjørn Åmot Sæther Håkon Æ Ø Å Sørensen-Ødegård Yrjö Ääkkönen
Þórður Guðrún Ægir Ævar Þóra Eiður Ásgeir Árpád
Áilu Čáppa Ŋoavvi Đižžo Máret Gáddjá Šuoššjávri Ŧ Ánne Juhán Žuoŋŋo Davvi-Sápmi Åarjel-Saemien Skuvlle
Łukasz Małgorzata Święcicka Żółć Źdźbło Brzęczyszczykiewicz Kościuszko Wałęsa Dvořák Řehoř Ľubomír Šťastný Željko Ćosić
Ömer Şükrü Çağrı İbrahim Gül Yıldız Ğ Işık Özgür Âdem Kâzım
João São Conceição Gonçalo Simão Irmã Sebastião Guimarães Magalhães Antão Ção Maçãs Brandão Ã Ñandú Núñez Ibáñez
Nguyễn Trần Thị Ngọc Ánh Đặng Đỗ Hữu Phạm Lê Vũ Âu Ấn Ổn Ý Quý Thuỷ Hoà
François Noël Zoë Aÿ Haÿ ÿ Œuvrard Lebœuf Sœur Groß Weiß ß Müller Jäger Ð ð Þ þ
Kristīne Jānis Žagarė Õnnepalu Győző Űr Ștefan Țepeș Brâncuși Mihăiță Māori Gal·la Mª
O’Brien D’Angelo D’Souza D’Cruz N’Diaye N’Sele M’Bengue L’Hoste Ng’ang’a Ng’weno K’naan Ch’ng Ts’ai Be’er Is’haq Mas’ud
’t ’s-Gravesande ’Abd ‘Umar Sa‘id Ja‘far O‘tkir G‘ulom Bog‘bon Hawai‘i O'Neill D´Angelo N`Dour Dall’Ò André’s
""")
NOT_PEOPLE = [
    *(
        "«Skolen på Å»",
        "Å–Moskenes",
        "7A «Blå»",
        "“BLÅ”",
        "LEGO® League",
        "¿Qué? Spansk",
        "Kunst&Håndverk; 7A",
        "R&D",
        "Hvem?",
    ),
    *(
        "Hva? Hvem?",
        "Temperatur 10 °C",
        "Matte ½",
        "Skåne…",
        "§ 7",
        "100 %",
        "Kari †",
        "Mat & helse",
        "Norsk · blå",
        "a/b\\c",
    ),
]
GARBLED_NAMES = words("""
Prøve Åse Ærlig Bærum Øystein Kåre Bjørn Håkon Sæther Kjærstad Næss Lærer Kær Grønås Måløy Bodø Trå Ære Sæbø Jæger
PÅL ØYSTEIN SKJÆVELAND BJØRN BÅRD ÆGIR SÆTHER VÆRNES KJÆRSTAD BÆRUM NÆSS ÅSE KLÆBU ØVRE RØROS
""")
READ_AS = [
    *(("utf-8", other) for other in ("iso-8859-1", "windows-1252", "iso-8859-15", "mac-roman", "cp850", "cp865")),
    *(("cp865", other) for other in ("iso-8859-1", "windows-1252")),
    *(("cp850", other) for other in ("iso-8859-1", "windows-1252")),
    *(("mac-roman", other) for other in ("iso-8859-1", "windows-1252")),
    *((other, "utf-8") for other in ("iso-8859-1", "windows-1252", "cp865", "mac-roman")),
]


def read_as(name: str, written: str, read: str) -> str:
    data = name.encode(written)
    return from_windows_1252(data) if read == "windows-1252" else data.decode(read, "replace")


def is_garbled(name: str) -> bool:
    return re.search(GARBLED, name) is not None


@given(
    st.lists(st.sampled_from(REAL), min_size=1, max_size=4),
    st.sampled_from([" ", "-", ", "]),
    st.sampled_from([str, str.upper, str.lower]),
)
def test_no_real_name_is_set_aside(names: list[str], between: str, cased: Callable[[str], str]) -> None:
    assert not is_garbled(cased(between.join(names)))


@pytest.mark.parametrize("name", NOT_PEOPLE)
def test_what_schools_and_groups_are_called_is_not_set_aside(name: str) -> None:
    assert not is_garbled(name)


@pytest.mark.parametrize(("written", "read"), READ_AS)
def test_a_norwegian_name_read_in_another_encoding_is_set_aside(written: str, read: str) -> None:
    assert [name for name in GARBLED_NAMES if not is_garbled(read_as(name, written, read))] == []


@given(st.text(st.sampled_from("abdefjklrstæøåÆØÅ"), min_size=2).filter(lambda name: not name.isascii()))
def test_any_letters_read_as_utf_8_or_from_it_are_set_aside(name: str) -> None:
    assert is_garbled(read_as(name, "utf-8", "windows-1252"))
    assert is_garbled(read_as(name, "utf-8", "iso-8859-1"))
    assert is_garbled(read_as(name, "iso-8859-1", "utf-8"))


@pytest.mark.parametrize(
    "name",
    [
        "Pr\ufffdve",
        "Pr?ve",
        "Pr\x9bve",
        "Pr&oslash;ve",
        "Pr&#248;ve",
        "PrÃƒÂ¸ve",
        "Nguyá»…n",
        "prã¸ve",
        "kã¥re",
        "Sara ÄŒÃ¡ppa",
        "Å\u00a0imiÄ‡",
        "KoÅ›cielny",
        "A\u0308\x80",
    ],
)
def test_other_ways_to_lose_a_letter_are_seen_too(name: str) -> None:
    assert is_garbled(name)


def test_postgresql_reads_the_pattern_as_python_does(pg_url: str) -> None:
    garbled = [read_as(name, *ways) for ways in READ_AS for name in GARBLED_NAMES]
    names = [*REAL, *(name.upper() for name in REAL), *NOT_PEOPLE, *garbled]
    with psycopg.connect(pg_url.replace("+psycopg", "")) as connection:
        found = connection.execute("select n from unnest(%s::text[]) as n where n ~ %s", [names, GARBLED]).fetchall()
        suspect = connection.execute("select n from unnest(%s::text[]) as n where n ~ %s", [names, SUSPECT]).fetchall()
    assert {name for (name,) in found} == {name for name in names if is_garbled(name)}
    assert {name for (name,) in found} <= {name for (name,) in suspect} < set(names)


@given(st.from_regex(GARBLED))
def test_the_quick_search_passes_over_nothing_garbled(name: str) -> None:
    assert re.search(SUSPECT, name)


# --- what is read ----------------------------------------------------------------------------------------------------

PIFU = "<enterprise><person><sourcedid><id>1</id></sourcedid><name><fn>{}</fn></name></person></enterprise>"
STAMDATA3 = "<ExportInfo><Resource><ResourceId>1</ResourceId><Surname>{}</Surname></Resource></ExportInfo>"
VISMA = '<personsXML><person personIdHRM="1"><familyName>{}</familyName></person></personsXML>'


def names_in(rows: Iterator[NamedTuple]) -> list[str]:
    return [value for row in rows for field, value in row._asdict().items() if field.endswith("name") and value]


@pytest.mark.parametrize("declared", ["ISO-8859-1", "iso8859-1", "latin1", "windows-1252"])
@pytest.mark.parametrize(
    ("reader", "text"),
    [(pifu.read, PIFU), (stamdata3.read, STAMDATA3), (visma.read, VISMA)],
    ids=["pifu", "stamdata3", "visma"],
)
@pytest.mark.parametrize(
    ("written", "read"), [(b"\x8aimi\xe6 \x9eO\x92B", "Šimiæ žO’B"), (b"\x8fse \x81\xf8", "\x8fse \x81ø")]
)
def test_xml_that_says_iso_8859_1_is_read_as_windows_1252(
    declared: str, reader: Callable[[io.BytesIO], Iterator[NamedTuple]], text: str, written: bytes, read: str
) -> None:
    data = f'<?xml version="1.0" encoding="{declared}"?>\n{text}'.encode().replace(b"{}", written)
    # PIFU's full name is read as its parts too.
    assert names_in(reader(io.BytesIO(data)))[-1] == read
    late = data.replace(b"<name>", b" " * 70_000 + b"<name>")
    assert names_in(reader(io.BytesIO(late)))[-1] == read


def test_csv_that_is_not_utf_8_is_read_as_windows_1252() -> None:
    data = b"group;weekday;start;end;room\ng1;1;08:30;09:15;\x8aimi\xe6 \x92 \x81\n"
    assert [lesson.room for lesson in timetable.read(io.BytesIO(data))] == ["Šimiæ ’ \x81"]  # type: ignore[attr-defined]


def test_a_directory_that_is_not_utf_8_is_read_as_windows_1252() -> None:
    (entry,) = directory.rows(io.BytesIO(b"uid;fnr\n\x9aim\xe6@haugesund.kommune.no;1\n"), "katalog")
    assert isinstance(entry, Entry)
    assert entry.principal == "šimæ@haugesund.kommune.no"
