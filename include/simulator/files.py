"""Write the files of a kommune's HR system and SAS, as a stream, into the folder named by the kommunenummer.

- ``hr/Stamdata3_<kommune>_<date>.xml``: Unit4 Business World's "Stamdata3". No XSD is public: the structure is that of
  the samples in StorFollo-IKT/stamdata3-py. Assumed: ``K`` for women; the places of NumberOfResources and ExportedDate.
- ``sas/pifu_<kommune>_<date>.xml``: PIFU-IMS 1.3 (2020), a full extract.
- ``sas/timeplan_<kommune>_<date>.csv``: group,weekday,start,end,room; weekday 1 is Monday.
"""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape

from simulator.kommuner import Kommune
from simulator.model import Employee, Group, Member, Position, SasPerson, World

PIFU = "http://pifu.no/xsd/pifu-ims_sas/pifu-ims_sas-v1"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XSD = "http://www.w3.org/2001/XMLSchema"
DECLARATION = b"<?xml version='1.0' encoding='utf-8'?>\n"
KEPT = 3
SLOTS = ("08:30", "09:30", "10:30", "11:30", "12:30", "13:30")


class Xml(str):
    """Text that is XML already."""

    __slots__ = ()


class _Tags:
    """``_X.name("A & B", id="7")`` is ``<name id="7">A &amp; B</name>``: five times as fast as a tree of nodes."""

    def __getattr__(self, tag: str) -> Callable[..., Xml]:
        made = self.__dict__[tag] = partial(_element, tag)
        return made


def _element(tag: str, *content: str, **attributes: str) -> Xml:
    inside = "".join([part if type(part) is Xml else escape(part) for part in content])
    named = "".join([f' {name}="{value}"' for name, value in attributes.items()]) if attributes else ""
    return Xml(f"<{tag}{named}>{inside}</{tag}>" if inside else f"<{tag}{named}/>")


_X = _Tags()


def write_files(world: World, day: date, drop: Path) -> list[Path]:
    """Write all files under ``drop/<kommunenummer>``; each appears when it is complete. Returns their paths.

    The newest earlier deliveries are kept, so that there are ``KEPT`` in all.
    """
    drop /= world.kommune.number
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
        earlier = sorted(path.parent.glob(f"{path.name.rpartition('_')[0]}_*{path.suffix}"))
        for old in earlier[:-KEPT]:
            old.unlink()
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
    heads: dict[str, list[str]] = {}
    for employee in world.employees:
        if employee.positions[0].name == "Rektor" and employee.positions[0].date_to >= day:
            heads.setdefault(employee.positions[0].unit, []).append(employee.employee_id)
    out.write(DECLARATION + f'<ExportInfo xmlns:xsi="{XSI}" xmlns:xsd="{XSD}">\n<Resources>'.encode())
    for employee in world.employees:
        _write(out, _resource(employee, world, names))
    _write(out, "</Resources>" + _leaf("NumberOfResources", len(world.employees)))
    _write(out, _leaf("ExportedDate", f"{day}T02:00:00") + "<Organisations>")
    for unit, parent, name in organisation:
        _write(out, _organisation(unit, parent, name, heads.get(unit, []), world.year))
    _write(out, "</Organisations></ExportInfo>")


def _write(out: IO[bytes], line: str) -> None:
    out.write(f"{line}\n".encode())


def _leaf(tag: str, value: object = None) -> Xml:
    return _element(tag, "" if value is None else str(value))


def _leaves(pairs: dict[str, object]) -> Iterator[Xml]:
    return (_leaf(tag, value) for tag, value in pairs.items())


def _resource(employee: Employee, world: World, names: dict[str, str]) -> Xml:
    person, began = employee.person, min(position.date_from for position in employee.positions)
    ended = max(position.date_to for position in employee.positions)
    changed = f"{world.year}-06-05T14:30:36"
    street = person.home and f"{person.home.adressenavn} {person.home.husnummer}{person.home.husbokstav or ''}"
    given = f"{person.given} {person.middle}" if person.middle else person.given
    address = _X.Address(
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
        _X.EMailList(_leaf("string", employee.email)),
        _X.EMailCopyList(_leaf("string")),
        _leaf("LastUpdate", changed),
    )
    positions = (
        _employment(employee, number, position, names, changed) for number, position in enumerate(employee.positions, 1)
    )
    return _X.Resource(
        _X.Addresses(address),
        _X.Employments(*positions),
        _X.Relations(_relation("C1", "Ansvar", "COST_CENTER", "1170", "Oppvekst", began, changed)),
        *_leaves(
            {"Rates": None, "CompanyCode": "HK", "ResourceId": employee.employee_id, "DateFrom": began, "DateTo": ended}
        ),
        *_leaves({"FirstName": given, "Surname": person.family, "Name": f"{person.family}, {given}"}),
        *_leaves({"ShortName": employee.username.upper(), "ResourceType": 1, "Birthdate": person.born}),
        *_leaves({"SocialSecurityNumber": person.number, "Sex": "M" if person.sex == "mann" else "K"}),
        *_leaves({"Municipal": world.kommune.number, "LastUpdate": changed, "Status": "N"}),
        *_leaves({"Dim1": None, "Dim2": None, "Dim3": None, "Dim4": None}),
        _X.User(
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
) -> Xml:
    fields = {
        "Value": value,
        "Value1": 0,
        "Description": text,
        "DateFrom": began,
        "DateTo": until,
        "LastUpdate": changed,
    }
    return _X.Relation(*_leaves(fields), Type=kind, Name=name, ElementType=element)


def _employment(employee: Employee, number: int, position: Position, names: dict[str, str], changed: str) -> Xml:
    described = "Timelønnet" if position.kind == "T" else "Fast"
    unit, dates = names[position.unit], (position.date_from, changed, position.date_to)
    return _X.Employment(
        *_leaves({"EmploymentType": position.kind, "EmploymentTypeDescription": described}),
        *_leaves({"MainPosition": str(position.main).lower(), "Percentage": f"{position.percentage:g}"}),
        *_leaves({"PostId": 4000 + number, "PostIdDescription": position.name, "PostCode": position.code}),
        *_leaves({"PostCodeDescription": position.name, "SalaryPerYears": None, "Rates": None}),
        *_leaves({"SeniorityDate": position.date_from, "WageRule": "4.1"}),
        _X.Relations(
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


def _organisation(unit: str, parent: str, name: str, managers: list[str], year: int) -> Xml:
    return _X.Organisation(
        *_leaves({"CompanyCode": "HK", "Name": name, "Id": unit, "ParentId": parent or None}),
        _X.Managers(*(_leaf("string", manager) for manager in managers or [""])),
        *_leaves({"DateFrom": "0001-01-01T00:00:00", "DateTo": "9999-12-31T23:59:59.9999999"}),
        *_leaves({"LastUpdate": f"{year}-06-05T09:42:31", "Status": "N"}),
    )


# -- SAS -------------------------------------------------------------------------------------------------------------


def write_pifu(world: World, day: date, out: IO[bytes]) -> None:
    """Pupils, teachers and guardians entered by hand; schools and groups; memberships."""
    maker = _Pifu(world)
    out.write(DECLARATION + f'<enterprise xmlns="{PIFU}">\n'.encode())
    for element in maker.elements(day):
        _write(out, element)
    _write(out, "</enterprise>")


class _Pifu:
    def __init__(self, world: World) -> None:
        self.world, self.kommune = world, world.kommune
        self.source = f"sas@{world.kommune.domain}"
        self.begin, self.end = f"{world.year}-08-01", f"{world.year + 1}-07-31"

    def elements(self, day: date) -> Iterator[Xml]:
        yield _X.properties(
            _X.datasource(self.source),
            _X.target(f"dataflyt@{self.kommune.domain}"),
            _X.type("full"),
            _X.datetime(f"{day}T03:00:00"),
            lang="no",
        )
        for person in self.world.sas_persons():
            yield self.person(person)
        yield self.owner()
        for school in self.kommune.schools:
            types = [
                _X.pifu_schoolType(word)
                for word, low, high in (("barneskole", 1, 7), ("ungdomsskole", 8, 10))
                if any(low <= level <= high for level, _ in school.classes)
            ]
            yield self.organisation(school.school_id, "2", "skole", school.name, school.orgnr, types)
        for group in self.world.groups:
            yield self.group(group)
        for target, members in self.world.memberships():
            yield _X.membership(self.sourcedid(target), *(self.member(member) for member in members))

    def sourcedid(self, local: str) -> Xml:
        return _X.sourcedid(_X.source(self.source), _X.id(local))

    def person(self, person: SasPerson) -> Xml:
        parts = [self.sourcedid(person.person_id)]
        ids = {
            "personNIN": person.number,
            "personLIN": person.local_number,
            "workforceID": person.workforce_id,
            "username": person.username,
        }
        parts += [_X.userid(value, useridtype=kind) for kind, value in ids.items() if value]
        parts.append(
            _X.name(_X.fn(f"{person.given} {person.family}"), _X.n(_X.family(person.family), _X.given(person.given)))
        )
        birthday = [_X.bday(str(person.born))] if person.born else []
        parts.append(_X.demographics(_X.gender("1" if person.sex == "kvinne" else "2"), *birthday))
        extension: list[Xml] = []
        if person.email:
            parts.append(_X.email(person.email))
            private = "personEmailPrivate" if not person.username else "personEmailAtOrg"
            extension.append(_X.pifu_email(person.email, type=private))
        if person.mobile:
            parts.append(_X.tel(person.mobile, teltype="3"))
            extension.append(_X.pifu_tel(person.mobile, type="personMobilePrivate"))
        if person.street:
            address = (person.street, person.place or "", person.postcode or "")
            parts.append(self.address(*address))
            extension.append(_X.pifu_adr(self.address(*address), type="personRegisteredAddressPrivate"))
        extension.append(_X.pifu_status("aktiv", type="activeInactive"))
        if person.pupil:
            extension.append(_X.pifu_status(person.pupil_status, type="pupilStatus"))
        extension.extend(
            _X.pifu_hasContactPerson(self.sourcedid(guardian), type="guardian") for guardian in person.guardians
        )
        return _X.person(*parts, _X.extension(*extension))

    def address(self, street: str, place: str, postcode: str) -> Xml:
        return _X.adr(_X.street(street), _X.locality(place), _X.pcode(postcode))

    def owner(self) -> Xml:
        extra = [self.identifier("municipalityNumber", self.kommune.number, "ssb klass 131", "0")]
        return self.organisation("eier", "1", "skoleeier", self.kommune.name, self.kommune.orgnr, [], extra)

    def organisation(
        self,
        local: str,
        level: str,
        word: str,
        name: str,
        orgnr: str,
        types: list[Xml],
        extra: list[Xml] | None = None,
    ) -> Xml:
        ids = [self.identifier("organizationNumber", orgnr, "Enhetsregisteret", "1"), *(extra or [])]
        return _X.group(
            self.sourcedid(local),
            _X.grouptype(_X.scheme("pifu-ims-go-org"), _X.typevalue(word, level=level)),
            _X.description(_X.short(name)),
            self.parent("eier", self.kommune.name),
            _X.extension(*ids, _X.pifu_name(_X.pifu_value(name), type="name"), *types),
        )

    def parent(self, local: str, label: str) -> Xml:
        return _X.relationship(self.sourcedid(local), _X.label(label), relation="1")

    def identifier(self, kind: str, value: str, scope: str, unique: str) -> Xml:
        return _X.pifu_id(_X.pifu_value(value), _X.pifu_scope(scope), _X.pifu_unique(unique), type=kind)

    def group(self, group: Group) -> Xml:
        parts = [
            self.sourcedid(group.group_id),
            _X.grouptype(_X.scheme("pifu-ims-go-grp"), _X.typevalue(group.kind[1], level=group.kind[0])),
            _X.description(_X.short(group.short), _X.long(group.long)),
        ]
        if group.dated:
            period = f"{self.world.year}/{self.world.year + 1}"
            parts.append(_X.timeframe(_X.begin(self.begin), _X.end(self.end), _X.adminperiod(period)))
        parts.append(self.parent(group.school.school_id, group.school.name))
        scope, ids = "grep - levende læreplaner", []
        if group.grep_uri:
            ids.append(self.identifier("grepCode", group.grep_uri, scope, "0"))
        if group.grep_short:
            ids.append(self.identifier("grepCodeShortForm", group.grep_short, scope, "0"))
        if group.level and not group.grep_uri:
            uri = f"http://psi.udir.no/laereplan/aarstrinn/aarstrinn{group.level}"
            ids.append(self.identifier("grepCodeGradeLevel", uri, scope, "0"))
        if ids:
            parts.append(_X.extension(*ids))
        return _X.group(*parts)

    def member(self, member: Member) -> Xml:
        more = [_X.subrole(member.subrole)] if member.subrole else []
        more += [_X.status("1"), _X.timeframe(_X.begin(str(member.since or self.begin)), _X.end(self.end))]
        if member.main is not None:
            more.append(_X.extension(_X.pifu_primaryRelation(str(int(member.main)))))
        return _X.member(self.sourcedid(member.person_id), _X.idtype("1"), _X.role(*more, roletype=member.role))


def write_timetable(world: World, day: date, out: IO[bytes]) -> None:
    """One line for each lesson, and two wrong lines. ``day`` is not in it: a timetable holds for the school year."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", "weekday", "start", "end", "room"))
    for group in world.groups:
        for weekday, slot, room in sorted(group.lessons):
            hour, minute = SLOTS[slot].split(":")
            writer.writerow((group.group_id, weekday, SLOTS[slot], f"{int(hour) + 1:02d}:{int(minute) - 15:02d}", room))
    if world.kommune.rich:  # faults that real files have too, for the checks to find
        school = world.kommune.schools[0]
        writer.writerow((f"{school.key}/nedlagt/{world.year - 1}", 2, "08:30", "09:15", "101"))
        writer.writerow((f"{school.key}/5A/{world.year}", 5, "12:30", "11:15", "101"))
    text.detach()
