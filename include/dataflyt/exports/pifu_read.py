"""A PIFU-IMS file of any version read back: its people and their groups, as a receiver joins them.

It shares no code with the writer. The file is streamed: a member is removed from the tree once it has been read.
"""

from collections.abc import Iterator
from typing import BinaryIO

from lxml import etree

from dataflyt.exports.checking import walked
from dataflyt.exports.model import Openable, ReadRow

_ID = "{*}sourcedid/{*}id"
_OF_ORGANISATION = ("skole:", "skoleeier:")


def read(path: Openable) -> Iterator[ReadRow]:
    """Yield each person by sourcedid, and each person's groups; schools are no groups. Raises Unreadable."""
    return walked(path, _rows)


def _rows(file: BinaryIO) -> Iterator[ReadRow]:
    target = ""
    for _, element in etree.iterparse(
        file,
        events=("end",),
        tag=("{*}person", "{*}group", "{*}member", "{*}membership"),
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    ):
        parent, name = element.getparent(), str(element.tag).rpartition("}")[2]
        if name == "person":
            yield ReadRow(element.findtext(_ID) or "", "", False, "")
        elif name == "member" and parent is not None:
            target = target or parent.findtext(_ID) or ""
            if not target.startswith(_OF_ORGANISATION):
                pupil = any(role.get("roletype") == "01" for role in element.iterchildren("{*}role"))
                yield ReadRow(element.findtext(_ID) or "", target, pupil, "")
        elif name == "membership":
            target = ""
        if parent is not None:
            for before in list(element.itersiblings(preceding=True)):
                if before.tag == element.tag:
                    parent.remove(before)
