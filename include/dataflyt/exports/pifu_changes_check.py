"""The check of the changes of a PIFU file: XML of type ``delta`` in, findings out.

An element must be as it is in a full file, but for ``recstatus`` and a person's two ids. The check has no receiver's
data: it finds what no receiver could take in this order, and what must never be in the file, such as anything but the
id of a person who is deleted. No finding repeats what stands in the file.

Source: as ``pifu_check``.
"""

import re
from collections.abc import Generator, Iterator
from typing import BinaryIO, Final

from lxml import etree

from dataflyt.errors import Unreadable
from dataflyt.exports.checking import walked
from dataflyt.exports.model import Finding, Openable
from dataflyt.exports.pifu_check import (
    DUPLICATE_ID,
    NOT_VALID,
    OUT_OF_ORDER,
    UNRESOLVED,
    WRONG_NUMBER,
    Names,
    elements,
    faults,
    finding,
)
from dataflyt.identity import numbers

SAYS_TOO_MUCH: Final = "Sletting som sier mer enn id-en"

_LEADS = re.compile(
    rb'<\?xml version="1.0" encoding="UTF-8"\?>\n<!-- from: [0-9a-f]{64} -->\n<!-- to: [0-9a-f]{64} -->\n'
)
_LEAD_BYTES = 197
_ADD, _UPDATE, _DELETE = "1", "2", "3"


def check(path: Openable, version: str = "1.3") -> Iterator[Finding]:
    """Yield what is wrong with a file of changes of a version; raise Unreadable when it is not one."""
    return walked(path, _Check(version).run)


class _Check:
    """One walk through a file, and its memory of the ids it has passed."""

    def __init__(self, version: str) -> None:
        self._names = Names(version)
        self._rank = -1
        self._deletes_are_over = False
        self._seen: set[int] = set()
        self._numbers: set[int] = set()
        self._deleted: set[str] = set()
        self._members: set[str] = set()  # of the membership being read

    def run(self, file: BinaryIO) -> Iterator[Finding]:
        if not _LEADS.fullmatch(file.read(_LEAD_BYTES)):
            raise Unreadable("Filen sier ikke hvilken fil den endrer, og hvilken den fører til.")
        file.seek(0)
        names = self._names
        for element, is_member in elements(file, names):
            if is_member:
                yield from self._member(element)
                continue
            if element.tag not in names.top:
                yield finding(NOT_VALID, element, "rett under roten")
                continue
            rank = names.top.index(str(element.tag))
            if rank < self._rank or rank == self._rank == 0 or rank > 0 > self._rank:
                yield finding(OUT_OF_ORDER, element, "det står der det ikke skal")
            if rank > self._rank:
                self._deletes_are_over = False
            self._rank = max(rank, self._rank)
            yield from (self._properties, self._person, self._group, self._membership)[rank](element)
        if self._rank < 0:
            yield Finding(NOT_VALID, "linje 1", "properties mangler", 1, blocks=True)

    def _properties(self, properties: etree._Element) -> Iterator[Finding]:
        kind = properties.find(self._names.tag("type"))
        if kind is None or kind.text != "delta":
            yield finding(NOT_VALID, properties, "type er ikke delta")
        else:
            kind.text = "full"
        yield from faults(properties)

    def _person(self, person: etree._Element) -> Iterator[Finding]:
        status = yield from self._status(person)
        yield from self._two_ids(person, status)
        person_id = self._names.id_of(person)
        if status == _DELETE:
            self._deleted.add(person_id)
            said = [child.text for child in person.iter() if child.tag != self._names.tag("source")]
            if [child.tag for child in person] != [self._names.sourcedid, self._names.tag("name")] or (
                {text for text in said if text} != {person_id}
            ):
                yield finding(SAYS_TOO_MUCH, person, "en person som slettes, har bare id-en, også som navn")
        yield from faults(person)
        for user_id in person.iterchildren(self._names.userid):
            if user_id.get("useridtype") == "personNIN":
                value = user_id.text or ""
                if len(value) != 11 or not numbers.parse(value).valid:
                    yield finding(WRONG_NUMBER, person, "personNIN")
                elif int(value) in self._numbers:
                    yield finding(DUPLICATE_ID, person, "en person med samme personNIN står ovenfor")
                else:
                    self._numbers.add(int(value))
        for contact in person.iter(self._names.contact):
            if self._names.id_of(contact) in self._deleted:
                yield finding(UNRESOLVED, person, "en foresatt som slettes")

    def _group(self, group: etree._Element) -> Iterator[Finding]:
        status = yield from self._status(group)
        if status == _DELETE:
            self._deleted.add(self._names.id_of(group))
            whole = ["sourcedid", "grouptype", "description", "relationship"]
            found = list(dict.fromkeys(str(child.tag).rpartition("}")[2] for child in group))
            if found != whole:
                yield finding(SAYS_TOO_MUCH, group, "en gruppe som slettes, har bare id, slag og overordnet")
        yield from faults(group)

    def _status(self, element: etree._Element) -> Generator[Finding, None, str]:
        """Take ``recstatus`` off a person or a group, and return it."""
        status = str(element.attrib.pop("recstatus", ""))
        if status not in (_ADD, _UPDATE, _DELETE):
            yield finding(NOT_VALID, element, "recstatus er ikke 1, 2 eller 3")
        if status == _DELETE and self._deletes_are_over:
            yield finding(OUT_OF_ORDER, element, "slettinger kommer først")
        self._deletes_are_over = self._deletes_are_over or status != _DELETE
        for sourcedid in element.iterchildren(self._names.sourcedid):
            known = hash((sourcedid.findtext(self._names.id), self._rank))
            if known in self._seen:
                yield finding(DUPLICATE_ID, element, "det samme elementet står ovenfor")
            self._seen.add(known)
        return status

    def _two_ids(self, person: etree._Element, status: str) -> Iterator[Finding]:
        """Take the old id off a person who has got a new one."""
        ids = list(person.iterchildren(self._names.sourcedid))
        kinds = [one.attrib.pop("sourcedidtype", "") for one in ids]
        if kinds == ["Old", "New"] and status == _UPDATE:
            person.remove(ids[0])
        elif kinds != [""]:
            yield finding(NOT_VALID, person, "sourcedid: én uten slag, eller Old og New i en oppdatering")

    def _member(self, member: etree._Element) -> Iterator[Finding]:
        given = False
        for role in member.iterchildren(self._names.role):
            status = role.attrib.pop("recstatus", "")
            if status not in (_ADD, _UPDATE, _DELETE):
                yield finding(NOT_VALID, role, "recstatus er ikke 1, 2 eller 3")
            if status == _DELETE:
                if given:
                    yield finding(OUT_OF_ORDER, role, "slettinger kommer først")
                if (
                    role.findtext(self._names.tag("status")) != "0"
                    or role.find(self._names.tag("extension")) is not None
                ):
                    yield finding(SAYS_TOO_MUCH, role, "en rolle som slettes, har bare status 0")
            given = given or status != _DELETE
        yield from faults(member)
        person_id = self._names.id_of(member)
        if person_id in self._deleted:
            yield finding(UNRESOLVED, member, "et medlem som slettes")
        if person_id in self._members:
            yield finding(DUPLICATE_ID, member, "den samme personen er medlem to ganger")
        self._members.add(person_id)

    def _membership(self, membership: etree._Element) -> Iterator[Finding]:
        """Check a membership. Its members have been checked before it, and all but the last are removed."""
        names = self._names
        if [child.tag for child in membership] != [names.sourcedid, names.member] or membership.items():
            yield finding(NOT_VALID, membership, "membership: én sourcedid, så medlemmer")
        else:
            yield from faults(membership[0])
        group_id = names.id_of(membership)
        if group_id in self._deleted:
            yield finding(UNRESOLVED, membership, "et medlemskap i en gruppe som slettes")
        known = hash((group_id, self._rank))
        if known in self._seen:
            yield finding(DUPLICATE_ID, membership, "medlemmene i gruppen står ovenfor også")
        self._seen.add(known)
        self._members.clear()
