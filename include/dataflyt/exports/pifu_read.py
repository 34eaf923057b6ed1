"""A PIFU-IMS file read back: its people and their groups, as a receiver joins them. Shares no code with the writer.

The file is streamed: a member is removed from the tree once it has been read.
"""

from collections.abc import Iterator
from typing import BinaryIO

from lxml import etree

from dataflyt.exports.checking import walked
from dataflyt.exports.model import Openable, ReadRow
from dataflyt.exports.pifu_check import NAMESPACE

_PERSON, _GROUP, _MEMBER, _MEMBERSHIP = (
    f"{{{NAMESPACE}}}{name}" for name in ("person", "group", "member", "membership")
)
_ID = "/".join(f"{{{NAMESPACE}}}{name}" for name in ("sourcedid", "id"))
_ROLE = f"{{{NAMESPACE}}}role"
_OF_ORGANISATION = ("skole:", "skoleeier:")


def read(path: Openable) -> Iterator[ReadRow]:
    """Yield each person by sourcedid, and each person's groups; schools are no groups. Raises Unreadable."""
    return walked(path, _rows)


def _rows(file: BinaryIO) -> Iterator[ReadRow]:
    target = ""
    for _, element in etree.iterparse(
        file,
        events=("end",),
        tag=(_PERSON, _GROUP, _MEMBER, _MEMBERSHIP),
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    ):
        parent = element.getparent()
        if element.tag == _PERSON:
            yield ReadRow(element.findtext(_ID) or "", "", False, "")
        elif element.tag == _MEMBER and parent is not None:
            target = target or parent.findtext(_ID) or ""
            if not target.startswith(_OF_ORGANISATION):
                pupil = any(role.get("roletype") == "01" for role in element.iterchildren(_ROLE))
                yield ReadRow(element.findtext(_ID) or "", target, pupil, "")
        elif element.tag == _MEMBERSHIP:
            target = ""
        if parent is not None:
            for before in list(element.itersiblings(preceding=True)):
                if before.tag == element.tag:
                    parent.remove(before)
