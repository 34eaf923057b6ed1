"""For any content, a reader gives rows or one clear sentence."""

import gzip
import io
import subprocess
import sys
import textwrap
import zipfile
from contextlib import suppress

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflyt.errors import Unreadable
from dataflyt.formats import xml_records
from dataflyt.sources.freg import bulk, oppvekst, person, residents
from dataflyt.sources.freg import rows as freg
from dataflyt.sources.hr import stamdata3, visma
from dataflyt.sources.krr import fiks, personer
from dataflyt.sources.sas import ical, oneroster, pifu, timetable

STAMDATA3 = """<?xml version="1.0" encoding="UTF-8"?>
<ExportInfo><Resources><Resource><Addresses><Address><Mobile>+4790000000</Mobile>
<EMailList><string>a@example.no</string></EMailList></Address></Addresses>
<Employments><Employment ResourceId="0071"><MainPosition>true</MainPosition><Percentage>80,5</Percentage>
<Relations><Relation Type="MNAL"><Value>0112</Value><DateTo>2099-12-31</DateTo></Relation></Relations>
<DateFrom>2020-08-01</DateFrom></Employment></Employments>
<ResourceId>0071</ResourceId><FirstName>Áilu Čáppa</FirstName><Surname>Ŋoavvi Bjørnå</Surname>
</Resource></Resources><Organisations><Organisation><Id>0112</Id></Organisation></Organisations></ExportInfo>"""
PIFU = """<?xml version="1.0" encoding="UTF-8"?>
<enterprise xmlns="http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-v1"><properties><type>full</type></properties>
<person><sourcedid><id>p1</id></sourcedid><name><fn>Máret Đižžo</fn></name><extension>
<pifu_hasContactPerson type="guardian"><sourcedid><id>p2</id></sourcedid></pifu_hasContactPerson></extension></person>
<group><sourcedid><id>g1</id></sourcedid><grouptype><scheme>pifu-ims-go-grp</scheme><typevalue level="1"/></grouptype>
<relationship relation="1"><sourcedid><id>s1</id></sourcedid></relationship></group>
<membership><sourcedid><id>g1</id></sourcedid><member><sourcedid><id>p1</id></sourcedid><role roletype="01"/></member>
</membership></enterprise>"""
VISMA = """<?xml version="1.0" encoding="UTF-8"?>
<personsXML><person personIdHRM="0071"><givenName>Áilu Čáppa</givenName><familyName>Ŋoavvi Bjørnå</familyName>
<contactInfo><email>a@example.no</email></contactInfo><employments><employment><category id="F"/>
<employeeId>7</employeeId><positions>
<position isPrimaryPosition="true"><chart><unit id="0112" name="x"><manager id="1"/></unit></chart>
<positionPercentage>80,5</positionPercentage></position></positions><startDate>2020-08-01</startDate></employment>
</employments></person></personsXML>"""
ICAL = """BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:7A\\, nær\r\nDTSTART;TZID="Europe/Oslo":20260824T083000
DURATION:PT45M
RRULE:FREQ=WEEKLY;BYDAY=MO,WE\r\nLOCATION:Rom\r\n 1\r\nEND:VEVENT\r\nEND:VCALENDAR"""
ROSTER = {
    "manifest": "propertyName,value\noneroster.version,1.1\nfile.orgs,bulk\nfile.users,bulk\nfile.classes,bulk\n"
    "file.enrollments,bulk\nfile.courses,bulk\nfile.academicSessions,bulk\nfile.demographics,bulk\n",
    "orgs": "sourcedId,name,type,identifier\ns1,Skåredalen,school,311060015\n",
    "users": 'sourcedId,role,orgSourcedIds,userIds,identifier,agentSourcedIds\np1,student,s1,"{Feide:a@b.no}",1,f1\n',
    "classes": "sourcedId,title,classType,schoolSourcedId,courseSourcedId,termSourcedIds\ng1,7A,homeroom,s1,c1,t1\n",
    "enrollments": "sourcedId,userSourcedId,classSourcedId,role,endDate\ne1,p1,g1,student,2027-01-01\n",
    "courses": "sourcedId,title,courseCode,grades,subjectCodes\nc1,7. årstrinn,MAT0006,7,\n",
    "academicSessions": "sourcedId,startDate,endDate,schoolYear\nt1,2026-08-01,2027-07-31,2027\n",
    "demographics": "userSourcedId,birthdate,sex\np1,2014-03-15,male\n",
}


def roster(**changed: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in (ROSTER | changed).items():
            archive.writestr(f"{name}.csv", text.encode(errors="replace"))
    return out.getvalue()


TIMETABLE = "group;weekday;start;end;room\ng1;mandag;8.30;09:15;R1\n"
BULK = """{"oppslag": [{"foedselsEllerDNummer": "15831499815", "folkeregisterperson": {
"identifikasjonsnummer": [{"foedselsEllerDNummer": "15831499815", "status": "iBruk", "erGjeldende": true}],
"navn": [{"fornavn": "Máret", "etternavn": "Đižžo"}], "bostedsadresse": [{"vegadresse": {"kommunenummer": "1106"}}],
"foreldreansvar": [{"ansvar": "felles", "ansvarlig": "02838639618"}], "doedsfall": null}},
{"foedselsEllerDNummer": "00000000000", "feilmelding": {"feilmelding": "x"}}]}"""
PERSON = """{"identifikasjonsnummer": [{"foedselsEllerDNummer": "15831499815"}], "navn": {"fornavn": "Máret"}}"""
PERSONER = (
    """{"personer": [{"personidentifikator": "02838639618", "kontaktinformasjon": {"epostadresse": "a@b.no"}}]}"""
)

XML = {"stamdata3": (stamdata3.read, STAMDATA3), "visma": (visma.read, VISMA), "pifu": (pifu.read, PIFU)}
OPPVEKST = """[{"identifikasjonsnummer": {"foedselsEllerDNummer": "15831499815"}, "navn": {"fornavn": "Máret"},
"bostedsadresse": {"vegadresse": {"kommunenummer": "1106"}, "adressegradering": "ugradert"}, "familierelasjoner": [],
"foreldreansvarlige": [{"ansvar": "felles", "identifikasjonsnummer": {"foedselsEllerDNummer": "02838639618"},
"navn": {"etternavn": "Đižžo"}}]}]"""
BY_FIKS = """{"personer": [{"fnr": "02838639618", "svar": {"fnr": "02838639618", "reservert": false,
"epost": {"adresse": "a@b.no"}, "tlf": {"nummer": "+4799999999"}}}, {"fnr": "21908439829"}]}"""

JSON = {
    "bulk": (bulk.read, BULK),
    "residents": (residents.read, BULK),
    "person": (person.read, PERSON),
    "oppvekst": (oppvekst.read, OPPVEKST),
    "personer": (personer.read, PERSONER),
    "fiks": (fiks.read, BY_FIKS),
}
CSV = {"timetable": (timetable.read, TIMETABLE)}
ALL = {
    **XML,
    **JSON,
    **CSV,
    "ical": (ical.read, ICAL),
    "oneroster": (oneroster.read, roster()),
}
every_format = pytest.mark.parametrize("format", ALL)
every_xml = pytest.mark.parametrize("format", XML)
every_json = pytest.mark.parametrize("format", JSON)


def read(format: str, data: bytes | str | None = None):
    reader, _ = ALL[format]
    data = example(format) if data is None else data
    return list(reader(io.BytesIO(data.encode() if isinstance(data, str) else data)))


def example(format: str) -> bytes:
    _, content = ALL[format]
    return content.encode() if isinstance(content, str) else content


def sentence(format: str, data: bytes | str) -> str:
    with pytest.raises(Unreadable) as caught:
        read(format, data)
    text = caught.value.sentence
    assert text.endswith(".")
    assert "\n" not in text
    assert len(text) < 200
    assert caught.value.__context__ is None, "the parser's own error quotes the file"
    return text


def root_of(format: str) -> str:
    return {"stamdata3": "ExportInfo", "visma": "personsXML", "pifu": "enterprise"}[format]


# --- any bytes -------------------------------------------------------------------------------------------------------


@every_format
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_bytes_give_rows_or_one_sentence(format, data):
    content = data.draw(st.binary(max_size=200) | st.text(max_size=200).map(lambda t: t.encode(errors="replace")))
    with suppress(Unreadable):
        read(format, content)


@every_format
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_an_altered_file_gives_rows_or_one_sentence(format, data):
    content = bytearray(example(format))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content)))
        length = data.draw(st.integers(0, 30))
        content[place : place + length] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b"<", b">", b"&x;", b"]]>", b"{}", b"[]", b"null", b"1e999", b'"'])
        )
    with suppress(Unreadable):
        read(format, bytes(content))


NAMES = """oppslag personer list folkeregisterperson foedselsEllerDNummer personidentifikator navn status doedsfall
identifikasjonsnummer bostedsadresse vegadresse matrikkeladresse matrikkelnummer kommunenummer adressebeskyttelse
graderingsnivaa foreldreansvar ansvarligUtenIdentifikator familierelasjon feilmelding kontaktinformasjon epostadresse
erGjeldende adressenummer husnummer falskIdentitet"""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=6),
    max_leaves=20,
)


@every_json
@settings(max_examples=200, deadline=None)
@given(value=json_values)
def test_values_of_any_type_anywhere_give_rows_or_one_sentence(format, value):
    number = "15831499815"
    wrapped = {
        "bulk": {"oppslag": [{"foedselsEllerDNummer": number, "folkeregisterperson": value}, value]},
        "person": {
            **(value if isinstance(value, dict) else {}),
            "identifikasjonsnummer": {"foedselsEllerDNummer": number},
        },
        "personer": {"personer": [{"personidentifikator": number, "kontaktinformasjon": value}, value]},
        "oppvekst": [{"identifikasjonsnummer": {"foedselsEllerDNummer": number}, "foreldreansvarlige": value}, value],
        "fiks": {"personer": [{"fnr": number, "svar": value}, value]},
    }["bulk" if format == "residents" else format]
    for content in (wrapped, value):
        try:
            rows = read(format, orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS))
        except (Unreadable, orjson.JSONEncodeError):
            continue
        for row in rows:
            assert all(field is None or isinstance(field, str | bool) for field in row)
            assert "\0" not in "".join(field for field in row if isinstance(field, str))


words = st.sampled_from(
    [
        "ugradert",
        "klientadresse",
        "fortrolig",
        "strengtFortrolig",
        " fortrolig\t",
        "heltNy",
        "ukjent",
        "",
        "\0 ",
        "2020",
    ]
)
grading_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.just(0.5) | words,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.fixed_dictionaries(
            {},
            optional={
                "graderingsnivaa": words | inner,
                "erGjeldende": st.sampled_from([True, False, None, "false", "True", "nei", 0]),
                "gyldighetstidspunkt": st.sampled_from(["2020", "2021", None, "", 7]),
                "nyttFelt": inner,
            },
        )
    ),
    max_leaves=12,
)


def summed_up(value):
    """A second reading of ``adressebeskyttelse``, step by step: level, whether anything is unknown, since when."""
    level, since, unknown = 0, None, False
    for one in value if type(value) is list else [value]:
        if one is None or one == {} or one == [] or (type(one) is str and one.replace("\0", "").strip() == ""):
            continue
        word, when = one, None
        if type(one) is dict:
            if one.get("erGjeldende") is False or str(one.get("erGjeldende")).lower() == "false":
                continue
            word, when = one.get("graderingsnivaa"), one.get("gyldighetstidspunkt")
            when = {"": None, 7: "7"}.get(when, when)
        word = word.replace("\0", "").strip() if type(word) is str else None
        if word not in ("ugradert", "klientadresse", "fortrolig", "strengtFortrolig"):
            unknown = True
            continue
        strictness = {"ugradert": 0, "klientadresse": 1, "fortrolig": 2, "strengtFortrolig": 3}[word]
        if strictness > level:
            level, since = strictness, when
        elif strictness == level and when and (since is None or when > since):
            since = when
    return ["ugradert", "klientadresse", "fortrolig", "strengtFortrolig"][level], unknown, True, since


@settings(max_examples=1000, deadline=None)
@given(value=grading_values | json_values)
def test_whatever_stands_as_a_protection_is_summed_up_as_a_naive_second_reading_does(value):
    number = {"foedselsEllerDNummer": "15831499815"}
    told = {"navn": {"fornavn": "Máret"}, "adressebeskyttelse": value}
    document = {"identifikasjonsnummer": [number], **told}
    content = {
        "bulk": {"oppslag": [{**number, "folkeregisterperson": document}]},
        "person": document,
        "oppvekst": [{"identifikasjonsnummer": number, **told}],
    }
    for format, answer in content.items():
        try:
            rows = read(format, orjson.dumps(answer))
        except orjson.JSONEncodeError:
            return
        (row,) = [row for row in rows if isinstance(row, freg.Adressebeskyttelse)]
        assert tuple(row) == ("15831499815", *summed_up(value))


def test_values_in_values_in_values_are_read():
    deep = "[" * 800 + "]" * 800
    for content in (f'"adressebeskyttelse": {deep}', f'"postadresse": {{"adressegradering": {deep}, "x": 1}}'):
        rows = read("person", PERSON.replace('"navn"', f'{content}, "navn"'))
        words = {row.adressegradering for row in rows if isinstance(row, freg.AnnenAdresse)}
        unknown = {row.ukjent for row in rows if isinstance(row, freg.Adressebeskyttelse)}
        assert (words, unknown) in ((set(), {True}), ({"ukjent"}, {False}))


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(sorted(ROSTER)),
    cells=st.lists(st.lists(st.text('s1pe,"\n;{}:åÅ7-', max_size=8), max_size=9), max_size=4),
)
def test_a_roster_with_anything_in_its_files_gives_rows_or_one_sentence(name, cells):
    with suppress(Unreadable):
        read("oneroster", roster(**{name: ROSTER[name] + "\n".join(",".join(row) for row in cells)}))
    with suppress(Unreadable):
        read("oneroster", roster(**{name: "\n".join(",".join(row) for row in cells)}))


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(
        st.tuples(
            st.sampled_from(["SUMMARY", "LOCATION", "DTSTART", "DTEND", "DURATION", "RRULE", "BEGIN", "END"]),
            st.sampled_from(["VEVENT", "20260824T083000Z", "00010101T000000Z", "P9999W", "PT99H", "BYDAY=MO,X", "="])
            | st.text(max_size=12),
        ),
        max_size=9,
    )
)
def test_a_calendar_with_anything_in_it_gives_rows_or_one_sentence(lines):
    inner = "\r\n".join(f"{name}:{value}" for name, value in lines)
    with suppress(Unreadable):
        read("ical", f"BEGIN:VCALENDAR\nBEGIN:VEVENT\n{inner}\nEND:VEVENT\nEND:VCALENDAR\n")


def test_no_reader_opens_a_file_or_asks_the_network():
    program = textwrap.dedent(
        """
        import io, sys
        from tests.sources.test_hostile_rows import ALL, example
        from dataflyt.errors import Unreadable

        for format, (reader, _) in ALL.items():
            list(reader(io.BytesIO(example(format))))
        reached = []
        forbidden = ("open", "socket.connect", "socket.getaddrinfo", "os.listdir", "subprocess.Popen", "os.rename")
        sys.addaudithook(lambda event, _: reached.append(event) if event in forbidden else None)
        outside = [b'<!DOCTYPE x SYSTEM "%s"><x/>' % place for place in (b"/etc/passwd", b"http://127.0.0.1:9/x")]
        for format, (reader, _) in ALL.items():
            content = example(format)
            for data in (content, content[:-9], content.replace(b"08", b"\\xff"), *outside):
                try:
                    list(reader(io.BytesIO(data)))
                except Unreadable:
                    pass
        print(sorted(set(reached)))
        """
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@every_format
def test_a_file_cut_off_anywhere_is_never_read_as_whole(format):
    content = example(format)
    whole = read(format)
    for end in range(0, len(content), 7):
        try:
            rows = read(format, content[:end])
        except Unreadable:
            continue
        assert format in CSV, "only a CSV can end anywhere"
        assert len(rows) <= len(whole)


# --- XML -------------------------------------------------------------------------------------------------------------


@every_xml
@pytest.mark.parametrize(
    "declarations",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;">',
        '<!ENTITY c SYSTEM "file:///etc/passwd">',
        '<!ENTITY c PUBLIC "x" "http://127.0.0.1:9/x">',
        '<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;',
        '<!ATTLIST Resource x CDATA "long long long">',
    ],
    ids=["bomb", "file", "network", "parameter", "default attribute"],
)
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16"])
def test_entities_are_refused_and_never_expanded(format, declarations, encoding):
    root = root_of(format)
    for before in ("", "<!-- <a> [ -->", "<?x <!DOCTYPE y> ?>\n"):
        document = (
            f'<?xml version="1.0" encoding="{encoding}"?>{before}<!DOCTYPE {root} [{declarations}]><{root}>&c;</{root}>'
        )
        assert "DOCTYPE" in sentence(format, document.encode(encoding))


@every_xml
def test_a_document_type_that_names_a_file_beside_it_is_let_through_but_never_fetched(format, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "IMS-EP01.dtd").write_text("this would be an error, were it read")
    root = root_of(format)
    for names in ('SYSTEM "IMS-EP01.dtd"', "PUBLIC '-//IMS//DTD Enterprise//EN' 'IMS-EP01.dtd'"):
        assert read(format, f"<!DOCTYPE {root} {names}><{root}/>") == []
        assert read(format, ALL[format][1].replace("?>", f"?><!DOCTYPE {root} {names}>", 1)) == read(format)


@every_xml
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16"])
@pytest.mark.parametrize(
    "names",
    [
        'SYSTEM "http://127.0.0.1:9/x.dtd"',
        "SYSTEM 'file:///etc/passwd' ",
        'SYSTEM "/etc/passwd"',
        'SYSTEM "..\\x.dtd"',
        'PUBLIC "-//X//EN" "http://127.0.0.1:9/x.dtd"',
    ],
)
def test_a_document_type_that_points_elsewhere_is_refused(format, names, encoding):
    root = root_of(format)
    document = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE {root} {names}><{root}/>'
    assert "en annen fil" in sentence(format, document.encode(encoding))


@every_xml
@pytest.mark.parametrize("doctype", ["", '<!DOCTYPE {root} SYSTEM "x.dtd">'])
def test_a_name_with_an_unknown_entity_is_refused_and_not_cut_off(format, doctype):
    text = ALL[format][1].replace("Áilu", "Bj&oslash;rn").replace("Máret", "Bj&oslash;rn")
    assert "&oslash;" in text
    assert "entitet" in sentence(format, text.replace("?>", f"?>{doctype.format(root=root_of(format))}", 1))


def test_an_id_of_a_membership_with_an_unknown_entity_is_refused_and_not_cut_off():
    members = '<member><sourcedid><id>P1</id></sourcedid><role roletype="01"><status>1</status></role></member>'
    for group in ("G&minus;1", "G&minus;"):
        membership = f"<membership><sourcedid><id>{group}</id></sourcedid>{members}</membership>"
        document = f'<!DOCTYPE enterprise SYSTEM "x.dtd"><enterprise>{membership}</enterprise>'
        assert "entitet" in sentence("pifu", document.encode())


@every_xml
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "tom"),
        (b" \n\t", "tom"),
        (b"<!DOCTYPE html><html><p>Service Unavailable</html>", "HTML"),
        (b"\n<HTML>", "HTML"),
        (b'<?xml version="1.0"?><html/>', "html"),
        (b'{"oppslag": []}', "JSON"),
        (gzip.compress(b"<ExportInfo/>", mtime=0), "gzip"),
        (b"PK\x03\x04xxxx", "zip"),
        (b"<Annet/>", "<Annet>"),
        (b"hello", "ikke velformet"),
        (b'<?xml version="1.0" encoding="UTF-7"?><ExportInfo/>', "tegnsett"),
        (b'<?xml version="1.0" encoding="klingon"?><ExportInfo/>', "tegnsett"),
        (b'<?xml version="1.0" encoding="utf-16"?><ExportInfo/>', "UTF-16"),
        ('<?xml version="1.0" encoding="UTF-8"?><ExportInfo/>'.encode("utf-16"), "UTF-16"),
        ("<ExportInfo/>".encode("cp037"), "."),
        (b"<!-- no end", "."),
        (b'<?xml version="1.0"?>', "."),
    ],
)
def test_what_is_no_such_file_is_said(format, content, words):
    assert words in sentence(format, content)


@every_xml
def test_a_truncated_file_is_said_to_end_too_early_and_where(format):
    content = ALL[format][1].encode()[:-20]
    assert f"slutter for tidlig, etter {len(content)} byte" in sentence(format, content)


@every_xml
def test_letters_in_another_encoding_than_declared_are_refused(format):
    text = ALL[format][1].replace("Áilu Čáppa", "Bjørn").replace("Ŋoavvi Bjørnå", "Bø").replace("Máret Đižžo", "Bjørn")
    assert "tegnsett" in sentence(format, text.encode("iso-8859-1"))
    assert "er i UTF-8" in sentence(format, text.replace("UTF-8", "ISO-8859-1").encode())


@every_xml
@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-8-SIG", "UTF-16", "UTF-16-LE", "UTF-16-BE"])
def test_every_unicode_encoding_gives_the_same_rows(format, encoding):
    declared = "UTF-8" if encoding == "UTF-8-SIG" else "UTF-16" if "16" in encoding else encoding
    assert read(format, ALL[format][1].replace("UTF-8", declared).encode(encoding)) == read(format)


@every_xml
@pytest.mark.parametrize("encoding", ["ISO-8859-1", "windows-1252", "ISO-8859-15", "iso-8859-10", "ISO-8859-4"])
def test_one_byte_encodings_are_read_as_declared(format, encoding):
    text = ALL[format][1].replace("Áilu Čáppa", "Bjørn Åge").replace("Ŋoavvi Bjørnå", "Sæther")
    text = text.replace("Máret Đižžo", "Bjørn Åge").replace("UTF-8", encoding)
    names = str(read(format, text.encode(encoding)))
    assert "Bjørn Åge" in names


@every_xml
def test_elements_are_found_in_any_namespace_prefix_and_case(format):
    root = root_of(format)
    text = ALL[format][1].replace("pifu-ims_sas-v1", "pifu-ims_sas-1.1")
    assert read(format, text) == read(format)
    assert read(format, text.replace(' xmlns="http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-1.1"', "")) == read(format)
    prefixed = text.replace("xmlns=", "xmlns:p=").replace("</", "<//").replace("<", "<p:").replace("<p://", "</p:")
    prefixed = prefixed.replace("<p:?xml", "<?xml")
    if "xmlns:p" not in prefixed:
        prefixed = prefixed.replace(f"<p:{root}", f'<p:{root} xmlns:p="urn:x"', 1)
    assert read(format, prefixed) == read(format)


@every_xml
@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000])
def test_where_a_file_is_cut_while_it_is_read_changes_nothing(format, size, monkeypatch):
    whole = read(format)
    monkeypatch.setattr(xml_records, "CHUNK", size)
    assert read(format) == whole
    assert read(format, ALL[format][1].replace("UTF-8", "UTF-16").encode("UTF-16")) == whole


@every_xml
def test_nested_too_deep_is_refused(format):
    assert "for mange nivåer" in sentence(format, f"<{root_of(format)}>" + "<a>" * 1000)


@every_xml
def test_comments_and_instructions_inside_names_do_not_cut_them(format):
    text = ALL[format][1].replace("Áilu", "Á<!-- x -->i<?y z?>lu").replace("Máret", "Má<!-- x --><?y?>ret")
    assert read(format, text) == read(format)


def test_no_sentence_names_what_stood_in_the_file():
    secret = "HemmeligNavn"
    for content in (
        f"<ExportInfo><Resources><Resource><{secret}></Resource>",
        f"<ExportInfo>&{secret};</ExportInfo>",
        f"<ExportInfo x={secret}>",
        f"<ExportInfo>{secret}",
        f"<{secret}-{secret * 9}/>",
    ):
        assert secret not in sentence("stamdata3", content)
    for content in (f'{{"oppslag": [{secret}]}}', f'{{"oppslag": "{secret}"}}', f'{{"{secret}": 1}}', f'"{secret}"'):
        assert secret not in sentence("bulk", content)


# --- JSON ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", sorted(JSON.keys() - {"oppvekst"}))  # its answers are lists, which may be empty
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "tom"),
        (b"<html><body>Support ID: 1</body></html>", "HTML"),
        (b"<?xml version='1.0'?><a/>", "XML"),
        (gzip.compress(b"{}", mtime=0), "gzip"),
        ("{}".encode("utf-16"), "UTF-16"),
        (b'{"oppslag": NaN}', "ikke gyldig JSON"),
        (b'{"oppslag": [{"foedselsEllerDNummer": "\\ud800"}], "personer": 1}', "ikke gyldig JSON"),
        (b'{"navn": "\xe5", "personer": []}', "ikke i UTF-8 (byte 10)"),
        (b'{"oppslag": [{"foedselsEllerDNummer": "1', "slutter for tidlig"),
        (b"[" * 5000 + b"]" * 5000, "ikke"),
        (b"[" + b"[]," * 1_000_000 + b"0]", "klammer"),
        (b"null", "ikke et objekt"),
        (b"[]", "ikke et objekt"),
        (b'{"kode": "FREG-001", "melding": "x", "errors": []}', "feilmelding"),
    ],
    ids=range(14),
)
def test_what_is_no_answer_of_the_register_is_said(format, content, words):
    assert words in sentence(format, content)


@pytest.mark.parametrize(
    ("format", "other", "words"),
    [
        ("bulk", "personer", "KRR"),
        ("bulk", "person", "formatet person"),
        ("person", "bulk", "formatet bulk"),
        ("person", "personer", "KRR"),
        ("personer", "bulk", "Folkeregisteret"),
        ("personer", "person", "Folkeregisteret"),
    ],
)
def test_an_answer_of_another_register_is_recognised(format, other, words):
    assert words in sentence(format, ALL[other][1])


def test_u_0000_which_postgresql_cannot_store_is_taken_away():
    rows = read("person", PERSON.replace("Máret", "M\\u0000áret"))
    assert [row.fornavn for row in rows if isinstance(row, freg.Navn)] == ["Máret"]


# --- large -----------------------------------------------------------------------------------------------------------


def memory_of(code: str) -> tuple[int, float]:
    """Run ``code``, which sets ``data`` and ``reader``, in its own process; return MiB for reading, and MiB of data."""
    program = (
        textwrap.dedent(
            """
            import io
            from dataflyt.errors import Unreadable
            from dataflyt.sources.freg import bulk
            from dataflyt.sources.hr import stamdata3
            from dataflyt.sources.sas import ical, oneroster, pifu, timetable
            """
        )
        + textwrap.dedent(code)
        + textwrap.dedent(
            """
            def status(name):
                with open("/proc/self/status") as lines:
                    return next(int(line.split()[1]) for line in lines if line.startswith(name))
            with open("/proc/self/clear_refs", "w") as reset:
                reset.write("5")  # the peak begins anew: what made the data does not hide what reading takes
            before = status("VmRSS")
            try:
                for row in reader(io.BytesIO(data)):
                    pass
            except Unreadable:
                pass
            print((status("VmHWM") - before) // 1024, len(data) / 2**20)
            """
        )
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    taken, size = done.stdout.split()
    return int(taken), float(size)


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize(
    "code",
    [
        "r = b'<Resource><ResourceId>1</ResourceId><Surname>Nordmann</Surname></Resource>\\n'\n"
        "data = b'<ExportInfo><Resources>' + r * 50_000 + b'</Resources></ExportInfo>'; reader = stamdata3.read",
        "m = b'<member><sourcedid><id>1</id></sourcedid><role roletype=\"01\"/></member>'\n"
        "h = b'<enterprise><membership><sourcedid><id>1</id></sourcedid>'\n"
        "data = h + m * 80_000 + b'</membership></enterprise>'; reader = pifu.read",
        "data = b'<ExportInfo>' + b'<a/>' * 1_000_000 + b'</ExportInfo>'; reader = stamdata3.read",
        "data = b'<enterprise>' + b'<enterprise/>' * 1_000_000 + b'</enterprise>'; reader = pifu.read",
        "data = b'<ExportInfo><!--' + b'x' * 20_000_000; reader = stamdata3.read",
        "data = b'<ExportInfo>' + b' ' * 20_000_000; reader = stamdata3.read",
        "data = b'<ExportInfo ' + b''.join(b'a%d=\"\" ' % i for i in range(300_000)); reader = stamdata3.read",
        "data = b'group,weekday,start,end,room\\n\"' + b'a,b\\n' * 4_000_000; reader = timetable.read",
        "data = b'group,weekday,start,end,room\\na,\"' + b'\",\"\\n' * 4_000_000; reader = timetable.read",
        "data = b'BEGIN:VCALENDAR\\nBEGIN:VEVENT' + b'\\nSUMMARY:x\\n y' * 200_000; reader = ical.read",
    ],
    ids=["resources", "one membership", "unknown", "roots", "comment", "blanks", "attributes", "quote", "row", "ical"],
)
def test_memory_stays_flat_however_large_the_file(code):
    assert memory_of(code)[0] < 15


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
@pytest.mark.parametrize(
    "code",
    [
        "data = b'<ExportInfo><Resources><Resource>' + b'<a/>' * 5_000_000; reader = stamdata3.read",
        "data = b'{\"oppslag\":[' + b'{\"erGjeldende\":true},' * 400_000 + b'{}]}'; reader = bulk.read",
        "data = b'[' + b'\"aa\",' * 2_000_000 + b'0]'; reader = bulk.read",
        "data = b'[' + b'{},' * 5_000_000 + b'0]'; reader = bulk.read",
        "r = b'<person><sourcedid sourcedidtype=\"Old\"><id>%d</id></sourcedid><sourcedid><id>p</id></sourcedid>'\n"
        "data = b'<enterprise>' + b''.join((r + b'</person>') % i for i in range(15_000)) + b'</enterprise>'\n"
        "reader = pifu.read",
        "e = 'BEGIN:VEVENT\\nUID:%d\\nSUMMARY:7A\\nDTSTART:20260824T063000Z\\nEND:VEVENT\\n'\n"
        "events = ''.join(e % i for i in range(5_000)).encode(); import icalendar, recurring_ical_events\n"
        "data = b'BEGIN:VCALENDAR\\n' + events + b'END:VCALENDAR'; reader = ical.read",
    ],
    ids=["one entry", "objects", "texts", "klammer", "old ids", "events"],
)
def test_no_input_takes_more_than_ten_times_its_own_size(code):
    taken, size = memory_of(code)
    assert taken < 10 * size


@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_the_shortest_rows_that_later_rows_refer_to_take_at_most_twenty_times_their_size():
    taken, size = memory_of(
        "from tests.sources.test_hostile_rows import ROSTER, roster\n"
        "data = roster(courses=ROSTER['courses'] + ''.join('c%d,,,,\\n' % i for i in range(150_000)))\n"
        "reader = oneroster.read"
    )
    assert taken < 20 * size
