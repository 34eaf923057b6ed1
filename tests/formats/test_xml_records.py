"""The records of an XML file, against a plain reading of the whole tree."""

import io
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dataflyt.formats import xml_records
from dataflyt.sources.sas import pifu

CONTAINERS = {"root": frozenset[str](), "box": frozenset({"head"})}

leaves = st.sampled_from(["<head>h</head>", "<a>1</a>", "<a x='1'><head/><box><a/></box></a>", " ", "text", "<!--c-->"])
boxes = st.recursive(
    st.lists(leaves, max_size=8).map("".join),
    lambda inner: st.lists(leaves | inner.map("<box>{}</box>".format), max_size=6).map("".join),
    max_leaves=12,
)


def plainly(parent):
    """Yield each record with its parent's name, and how many headings of its parent stand before it."""
    before = 0
    for child in parent:
        if child.tag in CONTAINERS[parent.tag]:
            before += 1
        elif child.tag in CONTAINERS:
            yield from plainly(child)
        else:
            yield parent.tag, etree.tostring(child, with_tail=False), before


def headings_before(parent, record):
    return len(list(record.itersiblings("head", preceding=True))) if parent.tag == "box" else 0


@settings(max_examples=300, deadline=None)
@given(inner=boxes, chunk=st.sampled_from([1, 7, 30, 64, 1000]))
def test_each_record_comes_once_in_order_with_its_headings_at_any_size_of_chunk(inner, chunk):
    content = f"<root>{inner}<box>{inner}</box></root>".encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(xml_records, "CHUNK", chunk)
        found = [
            (parent.tag, etree.tostring(record, with_tail=False), headings_before(parent, record))
            for parent, record in xml_records.records(io.BytesIO(content), "root", CONTAINERS, "en prøve")
        ]
    assert found == list(plainly(etree.fromstring(content, etree.XMLParser(remove_comments=True))))


def test_what_is_read_is_gone_and_a_heading_stays_until_its_container_ends(monkeypatch):
    monkeypatch.setattr(xml_records, "CHUNK", 64)
    box = "<box><head/>" + "<a>some text</a>" * 40 + "<head/>" + "<a>some text</a>" * 40 + "</box>"
    most = headings = 0
    for parent, _ in xml_records.records(
        io.BytesIO(f"<root>{box * 5}</root>".encode()), "root", CONTAINERS, "en prøve"
    ):
        names = [child.tag for child in parent]
        most, headings = max(most, names.count("a")), max(headings, names.count("head"))
        assert len(parent.getparent()) <= 2
    assert most < 20  # of 400: the beginning of a file is 256 bytes at least
    assert headings == 2


FACTS = [
    "sourcedidtype=' Old '",
    'sourcedidtype="DUPLICATE"',
    "recstatus  =  '3'",
    "<x>Inaktiv</x>",
    "<x>PRIVATIST</x>",
]
NO_FACTS = ["<x>old</x>", "recstatus='1'", "<x>aktiv</x>", "<x>duplicate", "'cold'", "privatis t"]


@pytest.mark.parametrize(("pieces", "reaches"), [(FACTS, True), (NO_FACTS, False)])
def test_a_fact_about_more_than_a_record_is_found_wherever_a_chunk_ends(monkeypatch, pieces, reaches):
    for piece in pieces:
        for encode in (str.encode, partial(str.encode, encoding="utf-16")):
            for size in (1, 3, 8, 64, 100):
                monkeypatch.setattr(pifu, "CHUNK", size)
                content = encode("<y/>" * 9 + piece + "<y/>" * 30)
                assert pifu._reaches_far(io.BytesIO(content)) is reaches, (piece, size)
