"""A kommune of any size, as the registers would answer and the systems would deliver: the pages a run lands.

Deterministic, and written as a stream from text templates, so that 40 000 pupils take seconds and little memory. The
shapes are the simulator's. Of every ten pupils two are siblings and one has one parent: 1.7 guardians a pupil. A
school has 400 pupils in 16 classes, 50 employees and 67 groups, and a pupil ten memberships.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from simulator.names import ADJECTIVES, NOUNS
from simulator.numbers import Issuer, organisation

PER_PAGE = 1000
PER_SCHOOL = 400
CLASSES = 16
SUBJECTS = 51
YEAR = 2026
SUBJECT_CODES = ("NOR0218", "MAT0019", "ENG0034", "NAT0010", "SAF0017", "KRO0021", "KHV0020", "MUS0014")
_SOURCE = "sas@haugesund.kommune.no"
_SINCE = (
    '"ajourholdstidspunkt":"2021-08-03T09:00:00+02:00","erGjeldende":true,"kilde":"Synutopia","aarsak":"Konstruert",'
    '"gyldighetstidspunkt":"2021-08-01T00:00:00+02:00"'
)


class Human(NamedTuple):
    """Somebody with a number."""

    number: str
    born: date
    sex: str
    given: str
    family: str


@dataclass(frozen=True)
class People:
    """Pupils, guardians and employees by their place in the kommune; everything else follows from the place."""

    pupils: Sequence[Human]
    guardians: Sequence[Human]
    employees: Sequence[Human]

    @property
    def schools(self) -> int:
        """How many schools there are."""
        return -(-len(self.pupils) // PER_SCHOOL)


def people(pupils: int) -> People:
    """Make the people of a kommune with so many pupils (a multiple of ten)."""
    issuer = Issuer()

    def human(at: int, first_year: int, years: int, salt: int) -> Human:
        sex = ("kvinne", "mann")[at % 2]
        born = date(first_year + at % years, 1, 1) + timedelta(days=(at // years * 37 + salt) % 365)
        number = issuer.issue(born, sex, (500 if born.year >= 2000 else 0) + at * 7 % 400)
        return Human(number, born, sex, ADJECTIVES[at * 13 % len(ADJECTIVES)], NOUNS[at * 29 % len(NOUNS)])

    children = []
    for at in range(pupils):
        level = level_of_class(at % PER_SCHOOL * CLASSES // PER_SCHOOL)
        children.append(human(at, YEAR - 5 - level, 1, 11))
    adults = [human(at, 1968, 30, 53) for at in range(pupils // 10 * 17)]
    # Every twentieth employee is the parent of a pupil too.
    staff = [adults[at] if at % 20 == 7 else human(at, 1962, 38, 101) for at in range(pupils // 8)]
    return People(children, adults, staff)


def level_of_class(at: int) -> int:
    """Return the year level (1 to 10) of a school's class."""
    return 1 + at * 10 // CLASSES


def guardians_of(pupil: int) -> Sequence[int]:
    """Return the places of a pupil's guardians."""
    block, at = divmod(pupil, 10)
    first = block * 17
    if at < 2:
        return first, first + 1
    if at == 2:
        return (first + 2,)
    return first + 2 * at - 3, first + 2 * at - 2


def home_of(guardian: int) -> int:
    """Return the first guardian of the household, who stands for its address."""
    block, at = divmod(guardian, 17)
    return block * 17 + (0 if at < 2 else 2 if at == 2 else 3 + (at - 3) // 2 * 2)


def orgnr(school: int) -> str:
    """Return a school's organisation number: the ``school``-th that has a control digit, one of ten."""
    for last in range(10):
        try:
            return organisation(f"3110{school:03d}{last}")
        except ValueError:
            continue
    raise AssertionError("every seven digits have one")


def unit(school: int) -> str:
    """Return a school's unit in the HR system."""
    return f"02{school + 1:04d}"


def land(pupils: int, landing: Path, drop: Path, *, faulty: bool = False) -> None:
    """Write FREG's and KRR's questions and answers under ``landing``, and the files of HR and SAS under ``drop``.

    ``faulty``: every relation in FREG's answers and every membership of a group in the SAS file has a fault.
    """
    found = people(pupils)
    _pages(
        landing / "freg",
        "1-pupils",
        "foedselsEllerDNummer",
        len(found.pupils),
        found.pupils,
        _FREG,
        _pupil(found, faulty),
    )
    _pages(
        landing / "freg",
        "2-guardians",
        "foedselsEllerDNummer",
        len(found.guardians),
        found.guardians,
        _FREG,
        lambda at: _freg(
            found.guardians[at], home_of(at), "fortrolig" if at % 400 == 5 else None, "", dead=at % 500 == 11
        ),
    )
    _pages(
        landing / "krr", "krr", "personidentifikatorer", len(found.guardians), found.guardians, _KRR, _contact(found)
    )
    for name, pieces in {
        "hr/Stamdata3_1106_20261122.xml": _stamdata3(found),
        "sas/pifu_1106_20261122.xml": _pifu(found, faulty),
        "sas/timeplan_1106_20261122.csv": _timetable(found),
    }.items():
        path = drop / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as out:
            out.writelines(pieces)


# --- FREG and KRR -----------------------------------------------------------------------------------------------------

_FREG, _KRR = '{"oppslag":[%s]}', '{"personer":[%s]}'


def _pages(
    folder: Path,
    phase: str,
    key: str,
    count: int,
    humans: Sequence[Human],
    answer: str,
    entry: Callable[[int], str],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for page, first in enumerate(range(0, count, PER_PAGE), 1):
        places = range(first, min(first + PER_PAGE, count))
        question = json.dumps({key: [humans[at].number for at in places]})
        (folder / f"{phase}-{page:05d}.request.json").write_text(question, encoding="utf-8")
        (folder / f"{phase}-{page:05d}.json").write_text(
            answer % ",".join(entry(at) for at in places), encoding="utf-8"
        )


def _pupil(found: People, faulty: bool) -> Callable[[int], str]:
    def entry(at: int) -> str:
        me, adults = found.pupils[at], guardians_of(at)
        ansvar = "felles" if len(adults) == 2 else "mor"
        records = ",".join(
            f'{{{_SINCE},"ansvar":"{ansvar}","ansvarssubjekt":"{me.number}",'
            f'"ansvarlig":"{found.guardians[adult].number}"}}'
            for adult in adults
        )
        missing = -1 if faulty else None
        relations = ",".join(
            f'{{{_SINCE},"relatertPerson":"{found.guardians[adult].number[:missing]}",'
            f'"relatertPersonsRolle":"{("mor", "far")[place]}","minRolleForPerson":"barn"}}'
            for place, adult in enumerate(adults)
        )
        grading = {17: "strengtFortrolig", 90: "fortrolig"}.get(at % 250)
        more = f',"foreldreansvar":[{records}],"familierelasjon":[{relations}]'
        return _freg(me, home_of(adults[0]), grading, more)

    return entry


def _freg(me: Human, home: int, grading: str | None, more: str, *, dead: bool = False) -> str:
    if grading:
        more += f',"adressebeskyttelse":[{{{_SINCE},"graderingsnivaa":"{grading}"}}]'
    if grading != "strengtFortrolig":
        more += (
            f',"bostedsadresse":[{{{_SINCE},"vegadresse":{{"kommunenummer":"1106","bruksenhetsnummer":"H0101",'
            f'"bruksenhetstype":"bolig","adressenavn":"Synteseveien {home}",'
            f'"adressenummer":{{"husnummer":"{home % 90}"}},'
            '"adressekode":"10057","poststed":{"poststedsnavn":"HAUGESUND","postnummer":"5527"}},'
            f'"adresseIdentifikatorFraMatrikkelen":"{280_000_000 + home}",'
            f'"adressegradering":"{grading or "ugradert"}","flyttedato":"2021-08-01","grunnkrets":101,"stemmekrets":1,'
            '"skolekrets":12,"kirkekrets":1}]'
        )
    status = "bosatt"
    if dead:
        status, more = "doed", f'{more},"doedsfall":{{{_SINCE},"doedsdato":"2026-03-01"}}'
    return (
        f'{{"foedselsEllerDNummer":"{me.number}","folkeregisterperson":{{"identifikasjonsnummer":[{{{_SINCE},'
        f'"status":"iBruk","foedselsEllerDNummer":"{me.number}","identifikatortype":"foedselsnummer"}}],'
        f'"status":[{{{_SINCE},"status":"{status}"}}],"kjoenn":[{{{_SINCE},"kjoenn":"{me.sex}"}}],'
        f'"foedsel":[{{{_SINCE},"foedselsdato":"{me.born}","foedselsaar":"{me.born.year}","foedeland":"NOR"}}],'
        f'"navn":[{{{_SINCE},"fornavn":"{me.given}","etternavn":"{me.family}",'
        f'"forkortetNavn":"{me.given} {me.family}"}}]{more}}}}}'
    )


def _contact(found: People) -> Callable[[int], str]:
    def entry(at: int) -> str:
        number = found.guardians[at].number
        if at % 20 == 3:
            return (
                f'{{"personidentifikator":"{number}","reservasjon":"NEI","status":"IKKE_REGISTRERT",'
                '"varslingsstatus":"KAN_IKKE_VARSLES"}'
            )
        updated, verified = "2024-03-01T10:14:52+01", f"202{4 + at % 3}-04-17T10:14:52+02"
        return (
            f'{{"personidentifikator":"{number}","reservasjon":"{"JA" if at % 50 == 9 else "NEI"}","status":"AKTIV",'
            f'"varslingsstatus":"KAN_VARSLES","kontaktinformasjon":{{"epostadresse":"foresatt{at}@example.com",'
            f'"epostadresse_oppdatert":"{updated}","epostadresse_sist_verifisert":"{verified}",'
            f'"mobiltelefonnummer":"+474{at:07d}","mobiltelefonnummer_oppdatert":"{updated}",'
            f'"mobiltelefonnummer_sist_verifisert":"{verified}"}},"spraak":"nb"}}'
        )

    return entry


# --- HR ---------------------------------------------------------------------------------------------------------------


def _stamdata3(found: People) -> Iterator[str]:
    yield (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<ExportInfo xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n<Resources>'
    )
    changed = "<LastUpdate>2026-06-05T14:30:36</LastUpdate>"
    dates = "<DateFrom>2021-08-01</DateFrom><DateTo>2099-12-31</DateTo>" + changed
    for at, me in enumerate(found.employees):
        employee, where = 100_000 + at, unit(at % found.schools)
        positions = "".join(
            f'<Employment ResourceId="{employee}"><EmploymentType>A</EmploymentType>'
            f"<MainPosition>{str(number == 1).lower()}</MainPosition>"
            f"<Percentage>{100 if number == 1 else 20}</Percentage>"
            f"<PostId>400{number}</PostId><PostIdDescription>Lærer</PostIdDescription><PostCode>796100</PostCode>"
            "<PostCodeDescription>Lærer</PostCodeDescription><SeniorityDate>2021-08-01</SeniorityDate><Relations>"
            '<Relation Type="O8" Name="Funksjon" ElementType="FUNCTION"><Value>202</Value><Value1>0</Value1>'
            f"<Description>Grunnskole</Description>{dates}</Relation>"
            '<Relation Type="MNAL" Name="Organisasjonsenhet" ElementType="ORGANIZATIONAL_UNIT">'
            f"<Value>{where}</Value><Value1>0</Value1><Description>Skole</Description>{dates}</Relation></Relations>"
            f"{dates}<SequenceRef>{employee}</SequenceRef><SequenceNo>{number}</SequenceNo></Employment>"
            for number in ((1, 2) if at % 10 == 4 else (1,))
        )
        yield (
            f"<Resource><Addresses><Address><AddressId>{employee}</AddressId><Type>1</Type>"
            f"<Street>Synteseveien {at}</Street><Place>HAUGESUND</Place><CountryCode>NO</CountryCode>"
            f"<ZipCode>5527</ZipCode><EMailList><string>ansatt{at}@haugesund.kommune.no</string></EMailList>{changed}"
            f"</Address></Addresses><Employments>{positions}</Employments><CompanyCode>HK</CompanyCode>"
            f"<ResourceId>{employee}</ResourceId><DateFrom>2021-08-01</DateFrom><DateTo>2099-12-31</DateTo>"
            f"<FirstName>{escape(me.given)}</FirstName><Surname>{escape(me.family)}</Surname>"
            f"<Name>{escape(me.family)}, {escape(me.given)}</Name><ResourceType>1</ResourceType>"
            f"<Birthdate>{me.born}</Birthdate><SocialSecurityNumber>{me.number}</SocialSecurityNumber>"
            f"<Sex>{'M' if me.sex == 'mann' else 'K'}</Sex>{changed}<Status>N</Status></Resource>\n"
        )
    yield f"</Resources>\n<NumberOfResources>{len(found.employees)}</NumberOfResources>\n<Organisations>"
    units = [("020000", "", "Haugesund"), *((unit(s), "020000", f"Skole {s}") for s in range(found.schools))]
    for own, parent, name in units:
        yield (
            f"<Organisation><CompanyCode>HK</CompanyCode><Name>{name}</Name><Id>{own}</Id>"
            f"<ParentId>{parent}</ParentId><Managers/><DateFrom>0001-01-01T00:00:00</DateFrom>"
            "<DateTo>9999-12-31T23:59:59.9999999</DateTo><Status>N</Status></Organisation>\n"
        )
    yield "</Organisations></ExportInfo>\n"


# --- SAS --------------------------------------------------------------------------------------------------------------


def _sourcedid(local: str) -> str:
    return f"<sourcedid><source>{_SOURCE}</source><id>{local}</id></sourcedid>"


def _pifu(found: People, faulty: bool) -> Iterator[str]:
    yield (
        "<?xml version='1.0' encoding='utf-8'?>\n<enterprise xmlns=\"http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-v1\">\n"
        f'<properties lang="no"><datasource>{_SOURCE}</datasource><type>full</type>'
        "<datetime>2026-11-22T03:00:00</datetime></properties>\n"
    )
    for at, me in enumerate(found.pupils):
        contacts = "".join(
            f'<pifu_hasContactPerson type="guardian">{_sourcedid(f"F{adult}")}</pifu_hasContactPerson>'
            for adult in guardians_of(at)
        )
        yield _sas_person(f"E{at}", me, f"elev{at}@elev.haugesund.kommune.no", contacts)
    for at, me in enumerate(found.guardians):
        yield _sas_person(f"F{at}", me, f"foresatt{at}@example.com", "")
    for at, me in enumerate(found.employees):
        yield _sas_person(f"A{at}", me, f"ansatt{at}@haugesund.kommune.no", "")
    yield _organisation("eier", "1", "skoleeier", "Haugesund kommune", "944073787")
    for school in range(found.schools):
        yield _organisation(f"skole/{school}", "2", "skole", f"Skole {school}", orgnr(school))
        for group in range(CLASSES):
            yield _group(
                school, f"{school}/k{group}/{YEAR}", "1", "basisgruppe", f"{group}A", level_of_class(group), None
            )
        for group in range(SUBJECTS):
            code = SUBJECT_CODES[group % len(SUBJECT_CODES)]
            level = level_of_class(group * CLASSES // SUBJECTS)
            yield _group(school, f"{school}/u{group}/{YEAR}", "2", "undervisningsgruppe", f"Fag {group}", level, code)
    for school in range(found.schools):
        yield from _memberships(found, school, "77" if faulty else "01")
    yield "</enterprise>\n"


def _sas_person(local: str, me: Human, mail: str, more: str) -> str:
    return (
        f'<person>{_sourcedid(local)}<userid useridtype="personNIN">{me.number}</userid>'
        f"<name><fn>{me.given} {me.family}</fn><n><family>{me.family}</family><given>{me.given}</given></n></name>"
        f"<demographics><gender>{1 if me.sex == 'kvinne' else 2}</gender><bday>{me.born}</bday></demographics>"
        f'<email>{mail}</email><tel teltype="3">+4741000000</tel><adr><street>Synteseveien 1</street>'
        "<locality>HAUGESUND</locality><pcode>5527</pcode></adr><extension>"
        f'<pifu_status type="activeInactive">aktiv</pifu_status>{more}</extension></person>\n'
    )


def _organisation(local: str, level: str, word: str, name: str, number: str) -> str:
    return (
        f"<group>{_sourcedid(local)}<grouptype><scheme>pifu-ims-go-org</scheme>"
        f'<typevalue level="{level}">{word}</typevalue></grouptype><description><short>{name}</short></description>'
        f'<relationship relation="1">{_sourcedid("eier")}</relationship><extension>'
        f'<pifu_id type="organizationNumber"><pifu_value>{number}</pifu_value></pifu_id>'
        f'<pifu_name type="name"><pifu_value>{name}</pifu_value></pifu_name></extension></group>\n'
    )


def _group(school: int, local: str, kind: str, word: str, name: str, level: int, code: str | None) -> str:
    grep = f'<pifu_id type="grepCodeShortForm"><pifu_value>{code}</pifu_value></pifu_id>' if code else ""
    return (
        f"<group>{_sourcedid(local)}<grouptype><scheme>pifu-ims-go-grp</scheme>"
        f'<typevalue level="{kind}">{word}</typevalue></grouptype>'
        f"<description><short>{name}</short><long>{name}</long></description>"
        f"<timeframe><begin>{YEAR}-08-01</begin><end>{YEAR + 1}-07-31</end></timeframe>"
        f'<relationship relation="1">{_sourcedid(f"skole/{school}")}</relationship><extension>{grep}'
        '<pifu_id type="grepCodeGradeLevel"><pifu_value>'
        f"http://psi.udir.no/laereplan/aarstrinn/aarstrinn{level}</pifu_value></pifu_id></extension></group>\n"
    )


def _memberships(found: People, school: int, role: str) -> Iterator[str]:
    first = school * PER_SCHOOL
    pupils = range(first, min(first + PER_SCHOOL, len(found.pupils)))
    teachers = range(school, len(found.employees), found.schools)
    classes: dict[int, list[tuple[str, str]]] = {group: [] for group in range(CLASSES)}
    subjects: dict[int, list[tuple[str, str]]] = {group: [] for group in range(SUBJECTS)}
    for at in pupils:
        group = (at - first) * CLASSES // PER_SCHOOL
        classes[group].append((f"E{at}", role))
        for place in range(8):
            subjects[(group * 3 + place) % SUBJECTS].append((f"E{at}", role))
    for place, at in enumerate(teachers):
        if place < CLASSES:
            classes[place].append((f"A{at}", "06"))
        for group in sorted({place % SUBJECTS, (place + 7) % SUBJECTS, (place * 3 + 1) % SUBJECTS}):
            subjects[group].append((f"A{at}", "02"))
    members = [(f"E{at}", "01") for at in pupils] + [(f"A{at}", "02") for at in teachers]
    yield _membership(
        f"skole/{school}", members, "<extension><pifu_primaryRelation>1</pifu_primaryRelation></extension>"
    )
    for group, found_members in classes.items():
        yield _membership(f"{school}/k{group}/{YEAR}", found_members, "")
    for group, found_members in subjects.items():
        yield _membership(f"{school}/u{group}/{YEAR}", found_members, "")


def _membership(group: str, members: Iterable[tuple[str, str]], more: str) -> str:
    inside = "".join(
        f'<member>{_sourcedid(person)}<idtype>1</idtype><role roletype="{role}"><status>1</status>'
        f"<timeframe><begin>{YEAR}-08-01</begin><end>{YEAR + 1}-07-31</end></timeframe>{more}</role></member>"
        for person, role in members
    )
    return f"<membership>{_sourcedid(group)}{inside}</membership>\n"


def _timetable(found: People) -> Iterator[str]:
    yield "group,weekday,start,end,room\n"
    for school in range(found.schools):
        for group in range(SUBJECTS):
            for lesson in range(3):
                hour = 8 + (group + lesson) % 6
                yield f"{school}/u{group}/{YEAR},{1 + (group + lesson) % 5},{hour:02d}:30,{hour + 1:02d}:15,R{group}\n"
