"""Receivers of LDIF, PIFU and OneRoster follow by the changes alone, week after week, and have exactly the full files.

``DATAFLYT_WEEKS`` is how many weeks the long test takes; 52 otherwise.
"""

import hashlib
import io
import os
import zipfile
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
from lxml import etree

from dataflyt.config.kommune import Delivery
from dataflyt.exports.registry import EXPORTS
from simulator.manifest import people
from tests.exports.test_feide_changes import Directory, records
from tests.exports.test_oneroster_changes import Receiver as OfOneRoster
from tests.exports.test_pifu import xsd
from tests.exports.test_pifu_changes import Receiver as OfPifu
from tests.installation.fixtures import TODAY, Installation
from tests.installation.test_delivery import Places
from tests.installation.test_weeks import _run
from tests.warehouse.test_state import _override, pupils, tonight

FILES = ("feide_ldif", "pifu", "pifu_1_1", "oneroster")


class OfFeide(Directory):
    """A directory with the same face as the other receivers."""

    def take(self, content: bytes) -> None:
        for record in records(content):
            self.apply(*record)


class Way(NamedTuple):
    """How a receiver came to the newest file, and what was read for it."""

    kind: str
    contents: list[bytes]


class Follower:
    """A receiver of one export, with or without contact details, who remembers one sha256."""

    def __init__(self, export: str, *, contact: bool) -> None:
        self.export, self.contact = export, contact
        self.at = ""
        self.held: Any = None

    def follow(self, here: Installation) -> Way:
        exports = here.storage / "exports" / "haugesund"
        manifest = orjson.loads((exports / "manifest.json").read_bytes())
        (said,) = [file for file in manifest["files"] if file["file"] == EXPORTS[self.export].file]
        return self.follow_in(exports / manifest["publication"], said if self.contact else said["without_contact"])

    def follow_in(self, folder: Path, said: dict[str, Any]) -> Way:
        full = _read(folder, said)
        leads = [*said.get("earlier", ()), said["changes"]] if said["changes"] else []
        assert all(one["to"] == other["from"] for one, other in pairwise(leads))
        froms = [lead["from"] for lead in leads]
        way = Way("full", [full])
        if said["sha256"] == self.at:
            way = Way("nothing", [])
        elif self.at in froms:
            contents = [_read(folder, lead) for lead in leads[froms.index(self.at) :]]
            way = Way("changes", contents)
            for content in contents:
                if isinstance(self.held, OfFeide):
                    self.held.take(content)
                else:
                    self.held.apply(content)
        else:
            self.held = self.of(full)
        self.at = said["sha256"]
        assert self.state(self.held) == self.state(self.of(full)), self.export
        return way

    def of(self, full: bytes) -> Any:
        return {"feide_ldif": OfFeide, "oneroster": OfOneRoster}.get(self.export, OfPifu)(full)

    @staticmethod
    def state(held: Any) -> Any:
        return held.said() if isinstance(held, OfFeide) else vars(held)


def _read(folder: Path, said: dict[str, Any]) -> bytes:
    content = (folder / said["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == said["sha256"]
    return content


def text_of(content: bytes) -> str:
    """Return everything that stands in a file, also in one that is packed."""
    if content[:2] != b"PK":
        return content.decode()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return "\n".join(archive.read(name).decode() for name in archive.namelist())


def _followers(here: Installation, folder: Path) -> list[Follower]:
    """Have the exports written with and without contact details, and return a follower of each file."""
    folder.mkdir()
    places = Places(here, folder)
    extras = {"oneroster": ("numbers", "birth_dates", "contact", "guardians")}
    here.kommune = here.kommune.model_copy(update={"exports": FILES, "export_extras": extras})
    private = (Delivery(to="Læringsplattformen", connection="deliver_a"),)
    places.to(pifu=private, oneroster=private, feide_ldif=private)
    bare = [Follower(export, contact=False) for export in ("pifu", "oneroster")]
    return [*(Follower(export, contact=True) for export in FILES), *bare]


def _live(here: Installation, folder: Path, weeks: int) -> Counter[tuple[str, str]]:
    """Let weeks pass, some with somebody hidden between two runs; return how each export's receivers came along."""
    followers, ways = _followers(here, folder), Counter[tuple[str, str]]()
    _run(here, TODAY, "approved")
    for follower in followers:
        assert follower.follow(here).kind == "full"
    for week in range(1, weeks + 1):
        day = TODAY + timedelta(weeks=week)
        here.registers.advance(day)
        _run(here, day, "approved")
        for follower in followers:
            _checked(here, follower, ways)
        if week % 3 == 0:
            hidden = pupils(here, 1)
            for one in hidden:
                _override(here, one.number)
            tonight(here)
            for follower in followers:
                way = _checked(here, follower, ways)
                assert not [one for one in hidden if one.number in "\n".join(map(text_of, way.contents))]
    return ways


def _checked(here: Installation, follower: Follower, ways: Counter[tuple[str, str]]) -> Way:
    way = follower.follow(here)
    ways[follower.export, way.kind] += 1
    said = "\n".join(map(text_of, way.contents))
    withheld = [
        person["number"]
        for person in people(here.registers.world)
        if person["protection"]["effective"] == "strengtFortrolig" and person["number"]
    ]
    assert not [number for number in withheld if number in said]
    if follower.export.startswith("pifu") and way.kind == "changes":
        schema = xsd("1.1" if follower.export == "pifu_1_1" else "1.3")
        for content in way.contents:
            assert schema.validate(etree.fromstring(content)), schema.error_log.last_error
    if not follower.contact:
        assert "@example" not in said.replace("haugesund.kommune.no", "")
    return way


def _seldom_full(ways: Counter[tuple[str, str]]) -> None:
    """Each receiver takes the full file at most once, and a directory never.

    It is the only way where two people exchange numbers in a week, and where a run publishes twice and somebody changes
    in both: what was said first is then not kept.
    """
    assert ways["feide_ldif", "full"] == 0, ways
    for export in FILES:
        receivers = 2 if export in ("pifu", "oneroster") else 1  # the second has no contact details
        assert ways[export, "full"] <= receivers, ways


@pytest.mark.long
def test_every_receiver_follows_by_the_changes_for_some_weeks(installation: Installation, tmp_path: Path) -> None:
    ways = _live(installation, tmp_path / "places", 4)
    _seldom_full(ways)
    assert all(ways[export, "changes"] >= 4 for export in FILES)


@pytest.mark.long
def test_every_receiver_follows_by_the_changes_for_a_year(installation: Installation, tmp_path: Path) -> None:
    weeks = int(os.environ.get("DATAFLYT_WEEKS", "52"))
    ways = _live(installation, tmp_path / "places", weeks)
    _seldom_full(ways)
    for export in FILES:
        assert ways[export, "changes"] > ways[export, "nothing"], ways
        assert sum(ways[export, kind] for kind in ("changes", "nothing", "full")) >= weeks, ways
