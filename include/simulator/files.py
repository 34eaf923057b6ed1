"""The files the HR system and the SAS drop, written as a stream.

- ``hr/Stamdata3_<kommune>_<date>.xml``: Unit4 Business World's "Stamdata3". No XSD is public: the structure is that of
  the samples in StorFollo-IKT/stamdata3-py. Assumed: ``K`` for women; where NumberOfResources and ExportedDate stand.
- ``sas/pifu_<kommune>_<date>.xml``: PIFU-IMS 1.3 (2020), a full extract.
- ``sas/timeplan_<kommune>_<date>.csv``: group,weekday,start,end,room; weekday 1 is Monday.
"""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import IO

from lxml import etree
from lxml.builder import ElementMaker

from simulator.kommuner import Kommune
from simulator.model import Employee, Group, Member, Position, SasPerson, World

PIFU = "http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-v1"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"
SLOTS = ("08:30", "09:30", "10:30", "11:30", "12:30", "13:30")
_E = ElementMaker()
_P = ElementMaker(namespace=PIFU, nsmap={None: PIFU})


def write_files(world: World, day: date, drop: Path) -> list[Path]:
    """Write all files under ``drop``; each appears when it is complete. Returns their paths."""
    stamp = f"{world.kommune.number}_{day:%Y%m%d}"
    wanted: list[tuple[Path, Callable[[World, date, IO[bytes]], None]]] = [
        (drop / "hr" / f"Stamdata3_{stamp}.xml", write_stamdata3),
        (drop / "sas" / f"pifu_{stamp}.xml", write_pifu),
        (drop / "sas" / f"timeplan_{stamp}.csv", write_timetable),
    ]
    for path, write in wanted:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.part")
        with unfinished.open("wb") as out:
            write(world, day, out)
        unfinished.replace(path)
    return [path for path, _ in wanted]


# -- HR --------------------------------------------------------------------------------------------------------------


def units(kommune: Kommune) -> list[tuple[str, str, str]]:
    """List the HR system's organisation units: id, parent's id ("" for the root), name."""
    top = kommune.schools[0].unit[:2]
    rows = [(f"{top}0000", "", kommune.name), (f"{top}1000", f"{top}0000", "Oppvekst")]
    rows += [(school.unit, f"{top}1000", school.name) for school in kommune.schools]
    if kommune.rich:
        rows += [("011111", "011110", "Skåredalen SFO"), ("011200", "010000", "IKT")]
    return rows


def write_stamdata3(world: World, day: date, out: IO[bytes]) -> None:
    """Employees, their positions and the organisation."""
    organisation = units(world.kommune)
    names = {unit: name for unit, _, name in organisation}
    with etree.xmlfile(out, encoding="utf-8") as xml:
        xml.write_declaration()
        with xml.element("ExportInfo", nsmap={"xsi": XSI, "xsd": XSD}):
            xml.write("\n")
            with xml.element("Resources"):
                for employee in world.employees:
                    _write(xml, _resource(employee, world, names))
            _write(xml, _leaf("NumberOfResources", len(world.employees)))
            _write(xml, _leaf("ExportedDate", f"{day}T02:00:00"))
            with xml.element("Organisations"):
                for unit, parent, name in organisation:
                    managers = [
                        e.employee_id
                        for e in world.employees
                        if e.positions[0].name == "Rektor" and e.positions[0].unit == unit
                    ]
                    _write(xml, _organisation(unit, parent, name, managers, world.year))


def _write(xml: "etree._IncrementalFileWriter", element: "etree._Element") -> None:
    xml.write(element)
    xml.write("\n")


def _leaf(tag: str, value: object = None) -> "etree._Element":
    element = etree.Element(tag)
    element.text = None if value is None else str(value)
    return element


def _leaves(pairs: dict[str, object]) -> Iterator["etree._Element"]:
    return (_leaf(tag, value) for tag, value in pairs.items())


def _resource(employee: Employee, world: World, names: dict[str, str]) -> "etree._Element":
    person, began = employee.person, min(position.date_from for position in employee.positions)
    ended = max(position.date_to for position in employee.positions)
    changed = f"{world.year}-06-05T14:30:36"
    street = person.home and f"{person.home.adressenavn} {person.home.husnummer}{person.home.husbokstav or ''}"
    given = f"{person.given} {person.middle}" if person.middle else person.given
    address = _E.Address(
        *_leaves({"AddressId": 200_000 + int(employee.employee_id), "Type": 1, "Contact": None, "Position": None}),
        *_leaves(
            {
                "Street": street,
                "Place": person.home and person.home.poststedsnavn,
                "Province": None,
                "CountryCode": "NO",
            }
        ),
        *_leaves(
            {"ZipCode": person.home and person.home.postnummer, "Telephone": None, "Telefax": None, "Telex": None}
        ),
        *_leaves({"Mobile": employee.mobile and employee.mobile[3:], "Pager": None, "Home": None, "Assistant": None}),
        _E.EMailList(_leaf("string", employee.email)),
        _E.EMailCopyList(_leaf("string")),
        _leaf("LastUpdate", changed),
    )
    positions = (
        _employment(employee, number, position, names, changed) for number, position in enumerate(employee.positions, 1)
    )
    return _E.Resource(
        _E.Addresses(address),
        _E.Employments(*positions),
        _E.Relations(_relation("C1", "Ansvar", "COST_CENTER", "1170", "Oppvekst", began, changed)),
        *_leaves(
            {"Rates": None, "CompanyCode": "HK", "ResourceId": employee.employee_id, "DateFrom": began, "DateTo": ended}
        ),
        *_leaves({"FirstName": given, "Surname": person.family, "Name": f"{person.family}, {given}"}),
        *_leaves({"ShortName": employee.username.upper(), "ResourceType": 1, "Birthdate": person.born}),
        *_leaves({"SocialSecurityNumber": person.number, "Sex": "M" if person.sex == "mann" else "K"}),
        *_leaves({"Municipal": world.kommune.number, "LastUpdate": changed, "Status": "N"}),
        *_leaves({"Dim1": None, "Dim2": None, "Dim3": None, "Dim4": None}),
        _E.User(
            *_leaves(
                {
                    "UbwUserId": employee.username.upper(),
                    "DomainInfo": f"kommune\\{employee.username}",
                    "ResourceId": employee.employee_id,
                }
            )
        ),
        *_leaves({"OvertimeYtd": 0, "TotalLastUpdate": changed}),
    )


def _relation(
    kind: str,
    name: str,
    element: str,
    value: str,
    text: str,
    began: date,
    changed: str,
    until: date = date(2099, 12, 31),
) -> "etree._Element":
    fields = {
        "Value": value,
        "Value1": 0,
        "Description": text,
        "DateFrom": began,
        "DateTo": until,
        "LastUpdate": changed,
    }
    return _E.Relation(*_leaves(fields), Type=kind, Name=name, ElementType=element)


def _employment(
    employee: Employee, number: int, position: Position, names: dict[str, str], changed: str
) -> "etree._Element":
    described = "Timelønnet" if position.kind == "T" else "Fast"
    unit, dates = names[position.unit], (position.date_from, changed, position.date_to)
    return _E.Employment(
        *_leaves({"EmploymentType": position.kind, "EmploymentTypeDescription": described}),
        *_leaves({"MainPosition": str(position.main).lower(), "Percentage": f"{position.percentage:g}"}),
        *_leaves({"PostId": 4000 + number, "PostIdDescription": position.name, "PostCode": position.code}),
        *_leaves({"PostCodeDescription": position.name, "SalaryPerYears": None, "Rates": None}),
        *_leaves({"SeniorityDate": position.date_from, "WageRule": "4.1"}),
        _E.Relations(
            _relation("O8", "Funksjon", "FUNCTION", "202", "Grunnskole", *dates),
            _relation("MNAH", "Arbeidssted", "WORKPLACE", position.unit.lstrip("0"), unit, *dates),
            _relation("MNAL", "Organisasjonsenhet", "ORGANIZATIONAL_UNIT", position.unit, unit, *dates),
        ),
        *_leaves({"DateFrom": position.date_from, "DateTo": position.date_to, "LastUpdate": changed}),
        *_leaves(
            {"SequenceRef": 300_000 + int(employee.employee_id), "SequenceNo": number, "TotalLastUpdate": changed}
        ),
        ResourceId=employee.employee_id,
    )


def _organisation(unit: str, parent: str, name: str, managers: list[str], year: int) -> "etree._Element":
    return _E.Organisation(
        *_leaves({"CompanyCode": "HK", "Name": name, "Id": unit, "ParentId": parent or None}),
        _E.Managers(*(_leaf("string", manager) for manager in managers or [None])),
        *_leaves({"DateFrom": "0001-01-01T00:00:00", "DateTo": "9999-12-31T23:59:59.9999999"}),
        *_leaves({"LastUpdate": f"{year}-06-05T09:42:31", "Status": "N"}),
    )


# -- SAS -------------------------------------------------------------------------------------------------------------


def write_pifu(world: World, day: date, out: IO[bytes]) -> None:
    """Pupils, teachers and guardians entered by hand; schools and groups; memberships."""
    maker = _Pifu(world)
    with etree.xmlfile(out, encoding="utf-8") as xml:
        xml.write_declaration()
        with xml.element(f"{{{PIFU}}}enterprise", nsmap={None: PIFU}):
            xml.write("\n")
            for element in maker.elements(day):
                _write(xml, element)


class _Pifu:
    def __init__(self, world: World) -> None:
        self.world, self.kommune = world, world.kommune
        self.source = f"sas@{world.kommune.domain}"
        self.begin, self.end = f"{world.year}-08-01", f"{world.year + 1}-07-31"

    def elements(self, day: date) -> Iterator["etree._Element"]:
        yield _P.properties(
            _P.datasource(self.source),
            _P.target(f"dataflyt@{self.kommune.domain}"),
            _P.type("full"),
            _P.datetime(f"{day}T03:00:00"),
            lang="no",
        )
        for person in self.world.sas_persons():
            yield self.person(person)
        yield self.owner()
        for school in self.kommune.schools:
            types = [
                _P.pifu_schoolType(word)
                for word, low, high in (("barneskole", 1, 7), ("ungdomsskole", 8, 10))
                if any(low <= level <= high for level, _ in school.classes)
            ]
            yield self.organisation(school.school_id, "2", "skole", school.name, school.orgnr, types)
        for group in self.world.groups:
            yield self.group(group)
        for target, members in self.memberships():
            yield _P.membership(self.sourcedid(target), *(self.member(member) for member in members))

    def sourcedid(self, local: str) -> "etree._Element":
        return _P.sourcedid(_P.source(self.source), _P.id(local))

    def person(self, person: SasPerson) -> "etree._Element":
        parts = [self.sourcedid(person.person_id)]
        ids = {
            "personNIN": person.number,
            "personLIN": person.local_number,
            "workforceID": person.workforce_id,
            "username": person.username,
        }
        parts += [_P.userid(value, useridtype=kind) for kind, value in ids.items() if value]
        parts.append(
            _P.name(_P.fn(f"{person.given} {person.family}"), _P.n(_P.family(person.family), _P.given(person.given)))
        )
        demographics = _P.demographics(_P.gender("1" if person.sex == "kvinne" else "2"))
        if person.born:
            demographics.append(_P.bday(str(person.born)))
        parts.append(demographics)
        extension = _P.extension()
        if person.email:
            parts.append(_P.email(person.email))
            private = "personEmailPrivate" if not person.username else "personEmailAtOrg"
            extension.append(_P.pifu_email(person.email, type=private))
        if person.mobile:
            parts.append(_P.tel(person.mobile, teltype="3"))
            extension.append(_P.pifu_tel(person.mobile, type="personMobilePrivate"))
        if person.street:
            address = (person.street, person.place or "", person.postcode or "")
            parts.append(self.address(*address))
            extension.append(_P.pifu_adr(self.address(*address), type="personRegisteredAddressPrivate"))
        extension.append(_P.pifu_status("aktiv", type="activeInactive"))
        if person.pupil:
            extension.append(_P.pifu_status("heltid", type="pupilStatus"))
        extension.extend(
            _P.pifu_hasContactPerson(self.sourcedid(guardian), type="guardian") for guardian in person.guardians
        )
        return _P.person(*parts, extension)

    def address(self, street: str, place: str, postcode: str) -> "etree._Element":
        return _P.adr(_P.street(street), _P.locality(place), _P.pcode(postcode))

    def owner(self) -> "etree._Element":
        extra = [self.identifier("municipalityNumber", self.kommune.number, "ssb klass 131", "0")]
        return self.organisation("eier", "1", "skoleeier", self.kommune.name, self.kommune.orgnr, [], extra)

    def organisation(
        self,
        local: str,
        level: str,
        word: str,
        name: str,
        orgnr: str,
        types: list["etree._Element"],
        extra: list["etree._Element"] | None = None,
    ) -> "etree._Element":
        ids = [self.identifier("organizationNumber", orgnr, "Enhetsregisteret", "1"), *(extra or [])]
        return _P.group(
            self.sourcedid(local),
            _P.grouptype(_P.scheme("pifu-ims-go-org"), _P.typevalue(word, level=level)),
            _P.description(_P.short(name)),
            self.parent("eier", self.kommune.name),
            _P.extension(*ids, _P.pifu_name(_P.pifu_value(name), type="name"), *types),
        )

    def parent(self, local: str, label: str) -> "etree._Element":
        return _P.relationship(self.sourcedid(local), _P.label(label), relation="1")

    def identifier(self, kind: str, value: str, scope: str, unique: str) -> "etree._Element":
        return _P.pifu_id(_P.pifu_value(value), _P.pifu_scope(scope), _P.pifu_unique(unique), type=kind)

    def group(self, group: Group) -> "etree._Element":
        element = _P.group(
            self.sourcedid(group.group_id),
            _P.grouptype(_P.scheme("pifu-ims-go-grp"), _P.typevalue(group.kind[1], level=group.kind[0])),
            _P.description(_P.short(group.short), _P.long(group.long)),
        )
        if group.dated:
            period = f"{self.world.year}/{self.world.year + 1}"
            element.append(_P.timeframe(_P.begin(self.begin), _P.end(self.end), _P.adminperiod(period)))
        element.append(self.parent(group.school.school_id, group.school.name))
        scope, ids = "grep - levende læreplaner", []
        if group.grep_uri:
            ids.append(self.identifier("grepCode", group.grep_uri, scope, "0"))
        if group.grep_short:
            ids.append(self.identifier("grepCodeShortForm", group.grep_short, scope, "0"))
        if group.level and not group.grep_uri:
            uri = f"http://psi.udir.no/laereplan/aarstrinn/aarstrinn{group.level}"
            ids.append(self.identifier("grepCodeGradeLevel", uri, scope, "0"))
        if ids:
            element.append(_P.extension(*ids))
        return element

    def memberships(self) -> Iterator[tuple[str, list[Member]]]:
        """Group or school id and who is in it; one with nobody has no membership."""
        for school in self.kommune.schools:
            members = [Member(p.sas.person_id, "01", main=True) for p in self.world.pupils if p.school == school]
            members += [
                Member(p.sas.person_id, "01", main=False) for p in self.world.pupils if p.second_school == school
            ]
            members += [member for employee in self.world.employees for member in self.staff(employee, school.unit)]
            if members:
                yield school.school_id, members
        for group in self.world.groups:
            if group.members:
                yield group.group_id, group.members

    def staff(self, employee: Employee, unit: str) -> Iterator[Member]:
        roles = {"Rektor": ("05", "rektor"), "Assistent": ("08", None), "Renholder": ("04", "renholdsarbeider")}
        for index, position in enumerate(employee.positions):
            if employee.sas and (position.unit == unit or (unit == "011110" and position.unit == "011111")):
                role, subrole = roles.get(position.name, ("02", None))
                yield Member(employee.sas.person_id, role, main=index == 0, subrole=subrole)

    def member(self, member: Member) -> "etree._Element":
        role = _P.role(roletype=member.role)
        if member.subrole:
            role.append(_P.subrole(member.subrole))
        role.append(_P.status("1"))
        role.append(_P.timeframe(_P.begin(self.begin), _P.end(self.end)))
        if member.main is not None:
            role.append(_P.extension(_P.pifu_primaryRelation(str(int(member.main)))))
        return _P.member(self.sourcedid(member.person_id), _P.idtype("1"), role)


def write_timetable(world: World, day: date, out: IO[bytes]) -> None:
    """One line a lesson, and two that cannot be right. ``day`` is not in it: a timetable holds for the school year."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", "weekday", "start", "end", "room"))
    for group in world.groups:
        for weekday, slot, room in sorted(group.lessons):
            hour, minute = SLOTS[slot].split(":")
            writer.writerow((group.group_id, weekday, SLOTS[slot], f"{int(hour) + 1:02d}:{int(minute) - 15:02d}", room))
    if world.kommune.rich:  # what is wrong in real files too, for the checks to find
        school = world.kommune.schools[0]
        writer.writerow((f"{school.key}/nedlagt/{world.year - 1}", 2, "08:30", "09:15", "101"))
        writer.writerow((f"{school.key}/5A/{world.year}", 5, "12:30", "11:15", "101"))
    text.detach()
