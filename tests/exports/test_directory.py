"""A real OpenLDAP as a recipient's place: it ends at exactly the published file, whatever has happened to it."""

import hashlib
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import ldap3
import orjson
import pytest
import trustme

from dataflyt.config.connections import Connection
from dataflyt.errors import ConfigError, DataflytError, SourceUnavailable
from dataflyt.exports import directory, feide_ldif, place
from dataflyt.exports.directory import Directory
from dataflyt.exports.model import AccountHolder, School
from dataflyt.exports.place import File, Withdrawn
from dataflyt.formats import ldif
from tests.exports.openldap import (
    ADMIN,
    FEIDE,
    PASSWORD,
    SUFFIX,
    OpenLdap,
    await_port,
    comparable,
    free_port,
    load,
    whole,
)
from tests.exports.test_feide_changes import changes as between
from tests.exports.test_feide_ldif import HAUGESUND, PUPIL, STRANGE, TEACHER, written
from tests.project.test_compose import SERVICES

PEOPLE = f"ou=people,{SUFFIX}"
BODIL = replace(TEACHER, uid="bodil")
OLA = AccountHolder("ola", "Ola", "Nes", "Ola Nes", "Ola Nes", number="13897200184", affiliations=("student",))
KARI = replace(OLA, uid="kari", number="21830212345", display_name="Kari Nes", legal_name="Kari Nes")


class Publication(NamedTuple):
    """The files of a publication and its manifest, as a delivery has them."""

    files: list[File]
    manifest: bytes


class Published:
    """Publishes one file after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._before: bytes | None = None

    def of(self, *people: AccountHolder, schools: Any = HAUGESUND.schools_, keep: bool = True) -> Publication:
        """Publish these people; with ``keep``, with the changes from the publication before."""
        now = written(replace(HAUGESUND, schools_=schools, people_=sorted(people, key=lambda one: one.uid.strip())))
        self._number += 1
        full = self._file(f"{self._number}.ldif", now, "feide.ldif")
        said: dict[str, Any] = {"file": "feide.ldif", "sha256": full.sha256, "changes": None}
        files = [full]
        if self._before is not None and keep:
            lead = self._file(f"{self._number}-changes.ldif", between(self._before, now), "feide-changes.ldif")
            files.append(lead)
            was = hashlib.sha256(self._before).hexdigest()
            said["changes"] = {"file": lead.name, "sha256": lead.sha256, "from": was, "to": full.sha256}
        self._before = now
        return Publication(files, orjson.dumps({"owner": "haugesund", "files": [said]}))

    def _file(self, name: str, content: bytes, called: str) -> File:
        path = self._folder / name
        path.write_bytes(content)
        return File(called, path, hashlib.sha256(content).hexdigest())


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


def bring(openldap: OpenLdap, to: Publication, *, thorough: bool = False, **said: Any) -> str | None:
    return Directory(openldap.connection(**said), thorough=thorough).put(to.files, to.manifest, lambda: None)


def content(of: Publication) -> bytes:
    return bytes(of.files[0].source.read_bytes())


def stamps(openldap: OpenLdap) -> dict[str, bytes]:
    """Return when each entry was last written."""
    with openldap.connected() as connection:
        connection.search(SUFFIX, "(objectClass=*)", attributes=["entryCSN"])
        return {one["dn"]: one["raw_attributes"]["entryCSN"][0] for one in connection.response}


def test_an_empty_directory_gets_the_whole_file_and_the_second_time_nothing(
    openldap: OpenLdap, published: Published
) -> None:
    first = published.of(PUPIL, BODIL, STRANGE, OLA)
    assert bring(openldap, first) is None
    assert openldap.held() == whole(content(first))
    before = stamps(openldap)
    assert bring(openldap, first) is None
    assert stamps(openldap) == before
    assert bring(openldap, first, thorough=True) is None
    changed = {dn for dn, stamp in stamps(openldap).items() if before[dn] != stamp}
    assert changed <= {PEOPLE}, "the mark alone is written again"


def test_a_directory_at_the_file_before_goes_on_by_the_changes_and_keeps_the_passwords(
    openldap: OpenLdap, published: Published
) -> None:
    bring(openldap, published.of(PUPIL, BODIL, OLA))
    with openldap.connected() as connection:
        connection.modify(f"uid=bodil,{PEOPLE}", {"userPassword": [(ldap3.MODIFY_REPLACE, ["hemmelig"])]})
        # Nobody reads the directory on the way: what is wrong with others is not seen.
        connection.modify(f"uid=ola,{PEOPLE}", {"displayName": [(ldap3.MODIFY_REPLACE, ["For hånd"])]})
    then = published.of(replace(BODIL, mail="ny@haugesund.kommune.no"), OLA, KARI)
    assert bring(openldap, then) is None
    held, wanted = openldap.held(), whole(content(then))
    assert held.pop(ldif.normal_dn(f"uid=ola,{PEOPLE}"))["displayname"] == ["For hånd"]
    wanted.pop(ldif.normal_dn(f"uid=ola,{PEOPLE}"))
    assert held == wanted
    said = bring(openldap, then, thorough=True)
    assert said is not None
    assert "endret av andre" in said
    assert openldap.held() == whole(content(then))
    openldap.connected(f"uid=bodil,{PEOPLE}", "hemmelig").unbind()


@pytest.mark.parametrize("keep", [True, False])
def test_a_directory_that_stands_elsewhere_is_compared_with_the_file(
    openldap: OpenLdap, published: Published, keep: bool
) -> None:
    one, other = "974588145", "994392328"
    schools = [School(one, "Bø skole"), School(other, "Nes skole")]
    bring(openldap, published.of(replace(PUPIL, schools=(one,)), BODIL, OLA, schools=schools))
    published.of(KARI, schools=schools)  # it never came here
    # Two schools swap names, and two people a number.
    schools = [School(one, "Nes skole"), School(other, "BØ  skole, «ny» + <x>\\")]
    people = (replace(BODIL, schools=(other,)), replace(OLA, number=KARI.number), replace(KARI, number=OLA.number))
    last = published.of(*people, schools=schools, keep=keep)
    assert bring(openldap, last) is None
    assert openldap.held() == whole(content(last))


def test_changes_that_do_not_fit_what_people_have_done_give_way_to_a_comparison(
    openldap: OpenLdap, published: Published
) -> None:
    bring(openldap, published.of(PUPIL, BODIL, OLA))
    with openldap.connected() as connection:
        assert connection.delete(f"uid=ola,{PEOPLE}")
        connection.add(
            f"uid=kari,{PEOPLE}", ["inetOrgPerson", "norEduPerson"], {"cn": "K", "sn": "K", "norEduPersonNIN": "1"}
        )
    last = published.of(replace(OLA, mail="ola@haugesund.kommune.no"), KARI)
    assert bring(openldap, last) is None
    assert openldap.held() == whole(content(last))


def test_whoever_is_hidden_goes_first_and_whatever_the_directory_refuses(
    openldap: OpenLdap, published: Published
) -> None:
    bring(openldap, published.of(PUPIL, BODIL, OLA))
    with openldap.connected() as connection:
        # A device below the person keeps an entry from being deleted, and a service has a number that must be unique.
        assert connection.add(f"cn=telefon,uid=ola,{PEOPLE}", ["device"], {"cn": "telefon"})
        assert connection.add(
            f"cn=tjeneste,{SUFFIX}", ["person", "norEduPerson"], {"sn": "x", "norEduPersonNIN": KARI.number}
        )
    then = published.of(BODIL, KARI)
    with pytest.raises(ConfigError) as refused:
        bring(openldap, then)
    assert "regel katalogen har" in str(refused.value)
    assert str(KARI.number) not in repr((refused.value.sentence, refused.value.facts))
    people = {dn for dn in openldap.held() if "people" in dn}
    assert people == {ldif.normal_dn(dn) for dn in (PEOPLE, f"uid=bodil,{PEOPLE}")}, "Ola and Anders are gone"

    # It has not said that it stands at the file: the next try ends there.
    with openldap.connected() as connection:
        connection.delete(f"cn=tjeneste,{SUFFIX}")
    assert bring(openldap, then) is None
    assert openldap.held() == whole(content(then))


@pytest.mark.parametrize("at", [3, 6, 12, 20])
def test_what_was_killed_in_the_midst_is_done_again(openldap: OpenLdap, published: Published, at: int) -> None:
    class Killed(BaseException):
        pass

    calls = 0

    def moved() -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Killed

    for to in (published.of(PUPIL, BODIL, OLA), published.of(KARI, BODIL, STRANGE, replace(OLA, mail="a@b.no"))):
        calls = 0
        with suppress(Killed):  # or it was done before
            Directory(openldap.connection()).put(to.files, to.manifest, moved)
        assert bring(openldap, to) is None
        assert openldap.held() == whole(content(to))


def test_a_change_that_was_broken_off_and_taken_back_is_not_left_half_done(
    openldap: OpenLdap, published: Published
) -> None:
    first, then = published.of(BODIL, OLA), published.of(KARI, replace(OLA, mail="a@b.no"))
    bring(openldap, first)
    calls = iter(range(100))

    def moved() -> None:
        if next(calls) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Directory(openldap.connection()).put(then.files, then.manifest, moved)
    assert openldap.held() not in (whole(content(first)), whole(content(then)))
    assert bring(openldap, first) is None
    assert openldap.held() == whole(content(first))


def test_a_delete_that_is_refused_keeps_nobody_else_in_the_directory(openldap: OpenLdap, published: Published) -> None:
    bring(openldap, published.of(BODIL, OLA, KARI))
    with openldap.connected() as connection:
        assert connection.add(f"cn=skriver,{SUFFIX}", ["person"], {"sn": "x", "userPassword": "y"})
    openldap.stop()
    writer = f"dn.exact=cn=skriver,{SUFFIX}"
    _configure(
        openldap,
        "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n"
        f"olcAccess: to dn.exact=uid=bodil,{PEOPLE} by {writer} read by * auth\n"
        f"olcAccess: to * by {writer} manage by * auth\n-\n",
    )
    openldap.start()
    with pytest.raises(ConfigError, match="har ikke lov"):
        bring(openldap, published.of(KARI), login=f"cn=skriver,{SUFFIX}", password="y")
    left = {dn for dn in openldap.held() if dn.startswith("uid=")}
    assert left == {ldif.normal_dn(f"uid={uid},{PEOPLE}") for uid in ("bodil", "kari")}


def test_what_is_not_dataflyts_stays(openldap: OpenLdap, published: Published) -> None:
    first = published.of(BODIL, OLA)
    bring(openldap, first)
    with openldap.connected() as connection:
        connection.add(f"ou=tjenester,{SUFFIX}", ["organizationalUnit"], {"description": "for hånd"})
        connection.add(f"cn=feide,ou=tjenester,{SUFFIX}", ["device"])
        connection.modify(PEOPLE, {"description": [(ldap3.MODIFY_ADD, ["Elever og ansatte"])]})
        connection.modify(
            f"uid=ola,{PEOPLE}",
            {
                "objectClass": [(ldap3.MODIFY_ADD, ["labeledURIObject"])],
                "labeledURI": [(ldap3.MODIFY_ADD, ["http://x"])],
            },
        )
        lost = {name: [(ldap3.MODIFY_DELETE, [])] for name in ("norEduPersonNIN", "norEduPersonLegalName")}
        lost["objectClass"] = [(ldap3.MODIFY_DELETE, ["norEduPerson"])]
        assert connection.modify(f"uid=ola,{PEOPLE}", lost)
    others = openldap.held()
    last = published.of(replace(OLA, mail="ola@haugesund.kommune.no"), KARI)
    assert bring(openldap, last, thorough=True) is None
    held, wanted = openldap.held(), whole(content(last))
    for dn in (f"ou=tjenester,{SUFFIX}", f"cn=feide,ou=tjenester,{SUFFIX}"):
        assert held.pop(ldif.normal_dn(dn)) == others[ldif.normal_dn(dn)]
    assert held[ldif.normal_dn(PEOPLE)].pop("description") == ["Elever og ansatte"]
    ola = held[ldif.normal_dn(f"uid=ola,{PEOPLE}")]
    assert ola.pop("labeleduri") == ["http://x"]
    ola["objectclass"].remove("labeledURIObject")
    assert held == wanted


def test_a_directory_of_somebody_elses_people_is_not_touched_until_the_operator_says_so(
    openldap: OpenLdap, published: Published, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.ldif"
    theirs.write_bytes(written(replace(HAUGESUND, people_=[BODIL, OLA])))
    load(openldap, theirs)
    held = openldap.held()
    first = published.of(BODIL, KARI)
    with pytest.raises(ConfigError, match="take_over: true"):
        bring(openldap, first)
    assert openldap.held() == held
    assert bring(openldap, first, extra={"take_over": True}) is None
    assert openldap.held() == whole(content(first))
    assert bring(openldap, published.of(BODIL), extra={}) is None, "it is Dataflyt's from now on"


def test_a_directory_of_the_same_people_is_taken_as_it_is(
    openldap: OpenLdap, published: Published, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs.ldif"
    mine = written(replace(HAUGESUND, people_=[BODIL, OLA])).replace(b"dn: uid=ola", b"dn: UID=OLA")
    theirs.write_bytes(mine)
    load(openldap, theirs)
    first = published.of(BODIL, OLA, KARI)
    assert bring(openldap, first) is None
    assert openldap.held() == whole(content(first))


def test_a_user_who_is_shown_a_part_deletes_nobody(openldap: OpenLdap, published: Published) -> None:
    people = [replace(OLA, uid=f"p{number}", number=None) for number in range(8)]
    first = published.of(*people)
    bring(openldap, first)
    with openldap.connected() as connection:
        connection.add(f"cn=liten,{SUFFIX}", ["person"], {"sn": "x", "userPassword": "y"})
    openldap.stop()
    _configure(
        openldap,
        "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n"
        f"olcAccess: to * by dn.exact=cn=liten,{SUFFIX} manage by * auth\n-\n"
        "replace: olcSizeLimit\nolcSizeLimit: size.soft=5 size.hard=5 size.prtotal=5\n-\n",
    )
    openldap.start()
    held = openldap.held()
    last = published.of(*people[:2])
    small = {"login": f"cn=liten,{SUFFIX}", "password": "y"}
    with pytest.raises(ConfigError, match="bare en del"):
        bring(openldap, last, thorough=True, **small)
    assert openldap.held() == held


def _configure(openldap: OpenLdap, change: str) -> None:
    subprocess.run(
        ["/usr/sbin/slapmodify", "-n", "0", "-F", str(openldap.configuration)],
        input=change.encode(),
        check=True,
        capture_output=True,
    )


def test_what_is_wrong_is_told_in_a_sentence_that_an_operator_can_act_on(
    openldap: OpenLdap, published: Published
) -> None:
    first = published.of(BODIL, OLA)
    for said, kind, sentence in (
        ({"password": "feil"}, ConfigError, "godtar ikke brukeren eller passordet"),
        ({"login": f"cn=ingen,{SUFFIX}"}, ConfigError, "godtar ikke brukeren eller passordet"),
        ({"password": None}, ConfigError, "mangler password"),
        ({"url": f"ldap://katalog.example.no/{SUFFIX}"}, ConfigError, "skriv ldaps://"),
        ({"url": openldap.url}, ConfigError, "er ikke hel"),
        ({"url": f"{openldap.url}/{SUFFIX}?uid"}, ConfigError, "er ikke hel"),
        ({"url": f"{openldap.url}/dc=sveio,dc=kommune,dc=no"}, ConfigError, f"skal slutte på /{SUFFIX}"),
        ({"url": f"ldap://127.0.0.1:{free_port()}/{SUFFIX}"}, SourceUnavailable, "svarer ikke"),
        ({"url": f"ldaps://127.0.0.1:1/{SUFFIX}", "extra": {"ca": "/nowhere"}}, ConfigError, "har ikke sertifikater"),
    ):
        with pytest.raises(DataflytError, match=sentence) as caught:
            bring(openldap, first, **said)
        assert type(caught.value) is kind
        assert PASSWORD not in str(caught.value)
    with openldap.connected() as connection:
        assert not connection.search(SUFFIX, "(objectClass=*)"), "nothing is there"

    openldap.stop()
    with pytest.raises(SourceUnavailable, match="svarer ikke"):
        bring(openldap, first)
    openldap.start()
    assert bring(openldap, first) is None

    # A reader may read, and nothing more.
    with openldap.connected() as connection:
        connection.modify(f"uid=bodil,{PEOPLE}", {"userPassword": [(ldap3.MODIFY_REPLACE, ["y"])]})
    then = published.of(OLA)
    with pytest.raises(ConfigError, match="lov"):
        bring(openldap, then, login=f"uid=bodil,{PEOPLE}", password="y")

    # Files that are not what was published.
    bring(openldap, then)
    last = published.of(KARI)
    last.files[1].source.write_bytes(b"dn: x\n")
    with pytest.raises(ConfigError, match="slik den ble publisert"):
        bring(openldap, last)
    last.files[0].source.unlink()
    with pytest.raises(Withdrawn):
        bring(openldap, last)


def test_a_server_that_says_nothing_is_given_up(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "ANSWERS", 1)
    first = published.of(BODIL)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        made = Connection("katalog", f"ldap://127.0.0.1:{port}/{SUFFIX}", ADMIN, PASSWORD)
        with pytest.raises(SourceUnavailable, match="svarer ikke"):
            Directory(made).put(first.files, first.manifest, lambda: None)
        monkeypatch.setattr(directory, "ANSWERS", 60)
        with pytest.raises(place.Silent):
            place.patiently(lambda moved: Directory(made).put(first.files, first.manifest, moved), 0.5)
    for thread in threading.enumerate():
        if thread.name == "delivery":
            thread.join(5)


# --- the directory of docker compose ----------------------------------------------------------------------------------


class Compose(NamedTuple):
    """The directory of docker-compose.yaml's profile feide, started by its own script on this machine."""

    url: str
    authority: Path
    folder: Path

    def connection(self, **said: Any) -> Connection:
        made = Connection("katalog", f"{self.url}/{SUFFIX}", f"cn=dataflyt,{SUFFIX}", PASSWORD, {"ca": self.authority})
        return replace(made, **said)

    def logged_in(self, name: str, password: str) -> ldap3.Connection:
        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(self.authority))
        server = ldap3.Server(self.url, tls=tls, get_info=ldap3.NONE)
        return ldap3.Connection(server, name, password, auto_bind=True)


@contextmanager
def running(folder: Path, port: int, **said: str) -> Iterator[None]:
    """Start the directory as the container does."""
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "FEIDE_REALM": "haugesund.kommune.no",
        "FEIDE_PASSWORD": PASSWORD,
        "FEIDE_READER_PASSWORD": "for-feide-only",
        "FEIDE_DATA": str(folder / "data"),
        "FEIDE_TLS": str(folder / "tls"),
        "FEIDE_HOST": "127.0.0.1",
        "FEIDE_PORT": str(port),
    }
    started = subprocess.Popen([FEIDE / "start.sh"], env=environment | said, stderr=subprocess.PIPE)
    try:
        await_port(port)
        assert started.poll() is None, started.stderr and started.stderr.read().decode()
        yield
    finally:
        started.terminate()
        started.communicate(timeout=20)


@pytest.fixture
def compose(openldap: OpenLdap, tmp_path: Path) -> Iterator[Compose]:
    """The directory of docker compose; skipped where OpenLDAP is not there, as ``openldap`` says."""
    openldap.stop()
    authority, port = trustme.CA(), free_port()
    tls = tmp_path / "tls"
    tls.mkdir()
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tls / "tls.crt")
    issued.private_key_pem.write_to_path(tls / "tls.key")
    authority.cert_pem.write_to_path(tls / "ca.pem")
    with running(tmp_path, port):
        yield Compose(f"ldaps://127.0.0.1:{port}", tls / "ca.pem", tmp_path)


def test_the_directory_of_docker_compose_is_loaded_and_logged_in_to_as_feide_does(
    compose: Compose, published: Published
) -> None:
    directory.log_in(compose.connection())
    first = published.of(PUPIL, BODIL, OLA)
    assert Directory(compose.connection()).put(first.files, first.manifest, lambda: None) is None
    pupil = f"uid={ldif.escape(PUPIL.uid)},{PEOPLE}"
    with compose.logged_in(f"cn=dataflyt,{SUFFIX}", PASSWORD) as connection:
        for dn in (pupil, f"uid=bodil,{PEOPLE}"):
            assert connection.modify(dn, {"userPassword": [(ldap3.MODIFY_REPLACE, ["hemmelig"])]}, controls=None)

    # Feide finds the person with a login of its own, logs in as the person, and reads.
    with compose.logged_in(f"cn=feide,{SUFFIX}", "for-feide-only") as connection:
        groups = {}
        for uid in (PUPIL.uid, "bodil"):
            connection.search(PEOPLE, f"(uid={uid})", attributes=["*"])
            (found,) = connection.response
            assert "userPassword" not in found["attributes"]
            with compose.logged_in(found["dn"], "hemmelig") as person:
                person.search(found["dn"], "(objectClass=*)", ldap3.BASE, attributes=["*"])
                (own,) = person.response
                said = own["raw_attributes"]
                assert said["eduPersonPrincipalName"] == [f"{uid}@haugesund.kommune.no".encode()]
                values = [value.decode() for value in said["eduPersonEntitlement"]]
                groups[uid] = {value for value in values if ":groupid:" in value}
            assert not connection.modify(found["dn"], {"mail": [(ldap3.MODIFY_REPLACE, ["x@y.no"])]})
    assert groups[PUPIL.uid] & groups["bodil"], "a pupil and a teacher of the same class meet"

    # It starts again with its data, and with the passwords that are then in .env.
    port = free_port()
    shutil.copytree(compose.folder / "data", compose.folder / "again" / "data", ignore=shutil.ignore_patterns("ldapi"))
    shutil.copytree(compose.folder / "tls", compose.folder / "again" / "tls")
    with running(compose.folder / "again", port, FEIDE_READER_PASSWORD="another"):
        again = compose._replace(url=f"ldaps://127.0.0.1:{port}")
        again.logged_in(f"cn=feide,{SUFFIX}", "another").unbind()
        again.logged_in(pupil, "hemmelig").unbind()
        health = SERVICES["feide"]["healthcheck"]["test"][1].replace(
            "%2Fvar%2Flib%2Ffeide%2F", "%2F".join(["", *(compose.folder / "again" / "data").parts[1:], ""])
        )
        done = subprocess.run(["/bin/sh", "-c", health], capture_output=True, text=True, check=False)
        assert f"namingContexts: {SUFFIX}" in done.stdout

    held = {}
    with compose.logged_in(f"cn=dataflyt,{SUFFIX}", PASSWORD) as connection:
        connection.search(SUFFIX, "(&(objectClass=*)(!(cn=feide)))", attributes=["*"])
        for one in connection.response:
            values = {name: [value.decode() for value in of] for name, of in one["raw_attributes"].items()}
            values.pop("userPassword", None)
            if one["dn"] == PEOPLE:
                values.pop("description")
            held[ldif.normal_dn(one["dn"])] = comparable(values)
    assert held == whole(content(first))


def test_nothing_is_said_to_a_server_that_is_another(compose: Compose, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    elsewhere = compose.url.replace("127.0.0.1", "localhost")
    for said in ({"extra": {"ca": other}}, {"url": f"{elsewhere}/{SUFFIX}"}, {"extra": {}}):
        with pytest.raises(ConfigError, match="sertifikatet"):
            directory.log_in(compose.connection(**said))


@pytest.mark.parametrize(
    ("missing", "sentence"), [("FEIDE_PASSWORD", "FEIDE_PASSWORD is empty"), ("tls.crt", "make a certificate")]
)
def test_the_container_says_what_is_not_set_up(tmp_path: Path, missing: str, sentence: str) -> None:
    environment = {"PATH": "/usr/sbin:/usr/bin:/bin", "FEIDE_TLS": str(tmp_path), "FEIDE_DATA": str(tmp_path)}
    for name in ("FEIDE_REALM", "FEIDE_PASSWORD", "FEIDE_READER_PASSWORD"):
        environment[name] = "" if name == missing else "haugesund.kommune.no"
    done = subprocess.run([FEIDE / "start.sh"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert sentence in done.stderr


@pytest.mark.skipif(not os.environ.get("DATAFLYT_REFERENCE"), reason="DATAFLYT_REFERENCE names no folder")
def test_the_schema_says_what_the_published_one_says() -> None:
    published = (Path(os.environ["DATAFLYT_REFERENCE"]) / "feide" / "schema.ldif").read_text()
    theirs, ours = definitions(published), definitions((FEIDE / "schema.ldif").read_text())
    assert len(ours) > 30
    assert {name: said for name, said in ours.items() if theirs.get(name, said) != said} == {}
    used = {*feide_ldif.ATTRIBUTES, *feide_ldif.CLASSES.values()}
    assert {name for name in theirs if name in used} <= ours.keys()
    assert {name for name in ours if name.startswith("norEdu")} <= theirs.keys()


def definitions(text: str) -> dict[str, tuple[Any, ...]]:
    """Return what a schema says of each attribute and class: number, rules, syntax, and the attributes of a class."""
    text = re.sub(r"\n ", "", text)
    macros = dict(re.findall(r"^olcObjectIdentifier: (\S+) (\S+)$", text, re.MULTILINE))
    found = {}
    for said in re.findall(r"^olc(?:AttributeTypes|ObjectClasses): (.*)$", text, re.MULTILINE):
        number, name = re.search(r"\( (\S+) NAME '([^']+)'", said).groups()  # type: ignore[union-attr]
        base, _, last = number.partition(":")
        rules = re.findall(r"(EQUALITY|SUBSTR|SYNTAX) (\S+)", said)
        syntaxes = tuple(sorted((what, macros.get(rule, rule).partition("{")[0]) for what, rule in rules))
        may = re.search(r"MAY \(?([^)]*)", said)
        attributes = frozenset(re.findall(r"\w+", may[1])) if may else frozenset()
        if "AUXILIARY" in said:
            attributes &= {*feide_ldif.ATTRIBUTES}
        found[name] = (f"{macros[base]}.{last}" if last else number, syntaxes, attributes, "SINGLE-VALUE" in said)
    return found
