"""A FEIDE directory read back: its people and their groups, as a receiver joins them. No code of the writer's."""

from collections.abc import Iterator
from typing import BinaryIO

from dataflyt.exports.checking import walked
from dataflyt.exports.feide_ldif_check import parsed
from dataflyt.exports.model import Openable, ReadRow
from dataflyt.formats import ldif


def read(path: Openable) -> Iterator[ReadRow]:
    """Yield each person by user name, and each of the person's groups by its canonical id. Raises Unreadable."""
    return walked(path, _rows)


def _rows(file: BinaryIO) -> Iterator[ReadRow]:
    for entry in ldif.read(file):
        classes = {value.text.lower() for value in entry.attributes.get("objectclass", ())}
        if not classes & {"noreduperson", "eduperson"}:
            continue
        uid = next((value.text for value in entry.attributes.get("uid", ())), "").strip().lower()
        yield ReadRow(uid, "", False, "")
        for value in entry.attributes.get("edupersonentitlement", ()):
            said = parsed(value.text)
            if said.group is not None and said.groupid is not None:
                group = said.group
                meaning = f"{group.type}|{group.grep}|{group.name}"
                yield ReadRow(uid, said.groupid, group.role == "student", meaning)
