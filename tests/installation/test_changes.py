"""The changes of the directory, as their reader meets them: week after week, and when something has gone wrong."""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from dataflyt.exports import feide_changes
from dataflyt.exports.feide_ldif import EXPORT
from dataflyt.operations.retention import retain
from tests.decisions.test_undo import PEOPLE as DECIDERS
from tests.decisions.test_undo import undo
from tests.exports.openldap import SUFFIX, OpenLdap, load, whole
from tests.exports.test_feide_changes import Directory, records
from tests.installation.fixtures import TODAY, Installation
from tests.installation.test_pifu import _id
from tests.installation.test_weeks import _run
from tests.warehouse.test_state import _block, _override, pupils, tonight


class Published(NamedTuple):
    """What the manifest says of the directory, and where the publication is."""

    said: dict[str, Any]
    folder: Path


def published(here: Installation) -> Published:
    exports = here.storage / "exports" / "haugesund"
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    (said,) = [file for file in manifest["files"] if file["file"] == EXPORT.file]
    return Published(said, exports / manifest["publication"])


def read(folder: Path, said: dict[str, Any]) -> bytes:
    content = (folder / said["file"]).read_bytes()
    assert hashlib.sha256(content).hexdigest() == said["sha256"]
    return content


class Reader:
    """Keeps a directory up to date by the manifest, as docs/operator/directory.md tells: it remembers one sha256."""

    def __init__(self) -> None:
        self.at = ""
        self.directory = Directory()

    def follow(self, here: Installation) -> str:
        """Bring the directory up to date; return by what: nothing, the changes or the full file."""
        said, folder = published(here)
        full = read(folder, said)
        leads = [*said.get("earlier", ()), said["changes"]] if said["changes"] else []
        onwards = [lead["from"] for lead in leads]
        leads = leads[onwards.index(self.at) :] if self.at in onwards else []
        way = "full"
        if said["sha256"] == self.at:
            way = "nothing"
        elif leads and all((folder / lead["file"]).exists() for lead in leads):
            way = "changes"
            for lead in leads:
                self.apply(read(folder, lead))
        else:
            self.replace(full)
        self.at = said["sha256"]
        assert self.held() == self.of(full)
        return way

    def apply(self, content: bytes) -> None:
        for record in records(content):
            self.directory.apply(*record)

    def replace(self, content: bytes) -> None:
        self.directory = Directory(content)

    def held(self) -> object:
        return self.directory.said()

    def of(self, content: bytes) -> object:
        return Directory(content).said()


@pytest.mark.after_first_run
def test_no_reader_applies_changes_to_another_state_and_every_reader_ends_with_the_full_file(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, reader, slow = installation, Reader(), Reader()
    assert published(here).said["changes"] is None, "nothing leads to the first"
    assert {reader.follow(here), slow.follow(here)} == {"full"}

    # Somebody is protected: it is published anew, and the change is a delete that says nothing more.
    hidden, other = pupils(here, 2)
    _override(here, hidden.number)
    tonight(here)
    said, folder = published(here)
    before, content = reader.directory.said(), read(folder, said["changes"])
    assert reader.follow(here) == "changes"
    gone = before.keys() - reader.directory.said().keys()
    assert hidden.number in {number for dn in gone for number in before[dn]["noredupersonnin"]}
    assert {record[1][0][1] for record in records(content)} <= {"delete", "modify"}
    assert hidden.number.encode() not in content
    assert reader.follow(here) == "nothing"

    # Written again, nothing is new. Another file alone is new: the changes of this one lead on.
    here.clock = datetime(2026, 11, 24, 3, tzinfo=UTC)
    tonight(here)
    assert published(here) == (said, folder)
    _block(here, other.number, next(record.ansvarlig or "" for record in other.responsibility))
    tonight(here)
    assert published(here).said == said
    assert published(here).folder != folder
    assert (reader.follow(here), slow.follow(here)) == ("nothing", "changes")

    # A reader that misses a delete goes through both in turn, as when a run learns of a protection.
    (third,) = pupils(here, 3)[2:]
    _override(here, third.number)
    tonight(here)
    assert reader.follow(here) == "changes"
    _new_mail(here, "en@haugesund.kommune.no")
    assert (reader.follow(here), slow.follow(here)) == ("changes", "changes")

    # Other changes are not kept when new ones come: they may be of somebody who has been hidden since.
    _new_mail(here, "to@haugesund.kommune.no")
    _new_mail(here, "tolv@haugesund.kommune.no")
    assert "earlier" not in published(here).said
    assert (reader.follow(here), slow.follow(here)) == ("full", "full")

    # The file before is not what was published: no changes lead from it. The reason is not told.
    path = published(here).folder / EXPORT.file
    path.write_bytes(path.read_bytes() + b"\n")
    _new_mail(here, "tre@haugesund.kommune.no")
    said, folder = published(here)
    assert said["changes"] is None
    assert "earlier" not in said
    assert [path.name for path in folder.glob("feide*")] == ["feide.ldif"]
    assert (reader.follow(here), slow.follow(here)) == ("full", "full")

    # Changes that cannot be made stop nothing.
    with monkeypatch.context() as patched:
        patched.setattr(feide_changes, "_modify", lambda *_: 1 / 0)
        _new_mail(here, "fem@haugesund.kommune.no")
    assert published(here).said["changes"] is None
    assert reader.follow(here) == "full"

    # The changes stay until somebody whom they name is erased.
    person = _override(here, other.number)
    tonight(here)
    retain(here.kommune, here.environment)
    assert (published(here).folder / "feide-changes.ldif").exists()
    erased = "insert into control.erased_id (owner, id, person_id) values ('haugesund', :id, :id) returning 1"
    here.query(erased, id=_id(here, hidden.number))
    retain(here.kommune, here.environment)
    assert (published(here).folder / "feide-changes.ldif").exists(), "other changes named that one"
    here.query(erased, id=person)
    retain(here.kommune, here.environment)
    assert not (published(here).folder / "feide-changes.ldif").exists()
    assert reader.follow(here) == "full"
    tonight(here)
    assert reader.follow(here) == "nothing"
    _new_mail(here, "fire@haugesund.kommune.no")
    retain(here.kommune, here.environment)
    assert reader.follow(here) == "changes"

    # The file becomes what it was, and then something else: the changes go round in no circle.
    slow.follow(here)
    for mail in ("fem", "seks", "fem", "syv"):
        _new_mail(here, f"{mail}@haugesund.kommune.no")
        assert reader.follow(here) == "changes"
        said = published(here).said
        assert said["changes"]["from"] != said["sha256"]
        assert "earlier" not in said


@pytest.mark.after_first_run
def test_changes_that_tell_who_was_hidden_are_gone_after_some_days_and_from_older_publications_at_once(
    installation: Installation,
) -> None:
    here, reader = installation, Reader()
    reader.follow(here)
    (hidden,) = pupils(here, 1)
    _override(here, hidden.number)
    tonight(here)
    said, folder = published(here)
    content = read(folder, said["changes"])
    assert said["changes"]["since"] == "2026-11-23"
    assert {lines[0][1] for _, lines in records(content)} <= {"delete", "modify"}

    def lying() -> list[Path]:
        return sorted((here.storage / "exports").rglob("feide-changes*"))

    for day in (24, 25, 26):
        here.clock = datetime(2026, 11, day, 3, tzinfo=UTC)
        tonight(here)
        assert published(here).said == said, "the full file is the same"
        assert read(folder, said["changes"]) == content
    here.clock = datetime(2026, 11, 27, 3, tzinfo=UTC)
    tonight(here)
    assert published(here).said == said | {"changes": None}
    assert lying() == []
    assert reader.follow(here) == "full", "a reader who has not come for days"
    tonight(here)
    assert reader.follow(here) == "nothing"

    # New changes are published as ever, with those before them for three days, and lie in no older publication.
    slow = Reader()
    slow.follow(here)
    (second,) = pupils(here, 2)[1:]
    for day in (27, 29):
        here.clock = datetime(2026, 11, day, 3, tzinfo=UTC)
        if day == 27:
            _override(here, second.number)
            tonight(here)
        else:
            _new_mail(here, "en@haugesund.kommune.no")
        assert reader.follow(here) == "changes"
        assert {path.parent for path in lying()} == {published(here).folder}
    said, folder = published(here)
    (before,) = said["earlier"]
    assert lying() == sorted([folder / before["file"], folder / "feide-changes.ldif"])
    assert before["file"] == f"feide-changes-{before['from'][:12]}.ldif"
    here.clock = datetime(2026, 12, 1, 3, tzinfo=UTC)
    tonight(here)
    assert published(here).said == {name: value for name, value in said.items() if name != "earlier"}
    assert lying() == [published(here).folder / "feide-changes.ldif"]
    assert slow.follow(here) == "full"


class InOpenLdap(Reader):
    """A reader with a real directory, which is emptied before a full file is loaded."""

    def __init__(self, openldap: OpenLdap, folder: Path) -> None:
        super().__init__()
        self.openldap = openldap
        self.path = folder / "load.ldif"

    def apply(self, content: bytes) -> None:
        self.path.write_bytes(content)
        load(self.openldap, self.path)

    def replace(self, content: bytes) -> None:
        assert not self.at, "the directory is emptied by nobody here"
        self.apply(content)

    def held(self) -> object:
        return self.openldap.held()

    def of(self, content: bytes) -> object:
        return whole(content)


@pytest.mark.long
def test_a_real_directory_follows_for_weeks_and_pupil_and_teacher_log_in_and_meet(
    installation: Installation, openldap: OpenLdap, tmp_path: Path
) -> None:
    here, reader = installation, InOpenLdap(openldap, tmp_path)
    here.kommune = here.kommune.model_copy(update={"people": DECIDERS})
    _run(here, TODAY, "approved")
    assert reader.follow(here) == "full"
    stay = set(_people(openldap))
    for dn in stay:
        _set_password(openldap, dn, f"first {dn}")
    kinds = set()
    for week in range(1, 5):
        day = TODAY + timedelta(weeks=week)
        here.registers.advance(day)
        _run(here, day, "rejected" if week == 2 else "approved")
        assert reader.follow(here) == "changes", f"week {week}"
        kinds |= {lines[0][1] for _, lines in records(reader.path.read_bytes())}
        stay &= set(_people(openldap))
    assert kinds == {"add", "modify", "delete"}
    newest = max(run for (run,) in here.query("select run from control.run where state = 'released'"))
    undo(here, newest)
    tonight(here)
    assert reader.follow(here) == "changes", "back to what the run before says"

    # As Feide logs somebody in: look the name up, log in as that person, read what services get.
    groups: dict[str, dict[str, str]] = {}
    for dn, values in _people(openldap).items():
        for value in values:
            found = re.fullmatch(r"(urn:mace:feide.no:go:group:b:.*):(student|faculty):[^:]*", value)
            if found and dn in stay:
                groups.setdefault(found[1], {}).setdefault(found[2], dn)
    pupil, teacher = next((both["student"], both["faculty"]) for both in groups.values() if len(both) == 2)
    ids = []
    for dn, affiliation in ((pupil, "student"), (teacher, "faculty")):
        person = _logged_in(openldap, dn)
        assert affiliation in person["eduPersonAffiliation"]
        assert person["eduPersonPrincipalName"] == [f"{person['uid'][0]}@haugesund.kommune.no"]
        assert person["norEduPersonNIN"]
        assert person["displayName"]
        ids.append({value for value in person["eduPersonEntitlement"] if ":go:groupid:b:" in value})
    assert ids[0] & ids[1], "the pupil's class is the teacher's"


def _people(openldap: OpenLdap) -> dict[str, list[str]]:
    """Return everybody's entitlements by name."""
    connection = openldap.connected()
    assert connection.search(f"ou=people,{SUFFIX}", "(uid=*)", attributes=["eduPersonEntitlement"])
    found = {answer["dn"]: list(answer["attributes"]["eduPersonEntitlement"]) for answer in connection.response}
    connection.unbind()
    return found


def _set_password(openldap: OpenLdap, dn: str, password: str) -> None:
    connection = openldap.connected()
    assert connection.extend.standard.modify_password(dn, new_password=password)
    connection.unbind()


def _logged_in(openldap: OpenLdap, dn: str) -> dict[str, list[str]]:
    admin = openldap.connected()
    assert admin.search(dn, "(objectClass=norEduPerson)", "BASE", attributes=["eduPersonPrincipalName"])
    (name,) = admin.response[0]["attributes"]["eduPersonPrincipalName"]
    assert admin.search(SUFFIX, f"(eduPersonPrincipalName={name})")
    (found,) = admin.response
    admin.unbind()
    person = openldap.connected(found["dn"], f"first {dn}")
    assert person.search(found["dn"], "(objectClass=*)", "BASE", attributes=["*"])
    attributes = person.response[0]["raw_attributes"]
    person.unbind()
    return {name: [value.decode() for value in values] for name, values in attributes.items() if name != "userPassword"}


def _new_mail(here: Installation, mail: str) -> None:
    feide = here.kommune.feide.model_copy(update={"mail": mail})
    here.kommune = here.kommune.model_copy(update={"feide": feide})
    tonight(here)
