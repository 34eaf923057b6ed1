"""A real OpenLDAP with the norEdu schema, which keeps numbers and addresses unique, as directories for Feide do."""

import io
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dataflyt.formats import ldif

if TYPE_CHECKING:
    import ldap3

SUFFIX = "dc=haugesund,dc=kommune,dc=no"
ADMIN = f"cn=admin,{SUFFIX}"
PASSWORD = "for-this-test-only"
SLAPD = shutil.which("slapd") or shutil.which("slapd", path="/usr/sbin:/usr/libexec:/usr/lib/openldap") or ""
_SCHEMAS = Path("/etc/ldap/schema")
_UNIQUE = ("norEduPersonNIN", "norEduPersonLIN", "eduPersonPrincipalName", "norEduOrgUnitUniqueIdentifier")


class OpenLdap:
    """A directory that runs: its address and its configuration."""

    def __init__(self, url: str, configuration: Path) -> None:
        self.url = url
        self.configuration = configuration

    def connected(self, name: str = ADMIN, password: str = PASSWORD) -> "ldap3.Connection":
        """Log in, by default as the one who may do everything."""
        import ldap3

        server = ldap3.Server(self.url, get_info=ldap3.NONE)
        return ldap3.Connection(server, name, password, auto_bind=True)

    def held(self) -> dict[str, dict[str, list[str]]]:
        """Return every entry in a comparable form, without the passwords."""
        connection = self.connected()
        assert connection.search(SUFFIX, "(objectClass=*)", attributes=["*"])
        found = {
            ldif.normal_dn(answer["dn"]): comparable(
                {
                    name: [value.decode() for value in values]
                    for name, values in answer["raw_attributes"].items()
                    if name != "userPassword"
                }
            )
            for answer in connection.response
        }
        connection.unbind()
        return found


@pytest.fixture
def openldap() -> Iterator[OpenLdap]:
    """An empty OpenLDAP; skipped where OpenLDAP or its schemas are not there."""
    reference = os.environ.get("DATAFLYT_REFERENCE")
    if not SLAPD or not shutil.which("ldapadd"):
        pytest.skip("slapd or ldapadd is not installed (Debian: slapd, ldap-utils)")
    if not reference or not (Path(reference) / "feide" / "schema.ldif").exists():
        pytest.skip("the norEdu schema is not here: DATAFLYT_REFERENCE names no folder with feide/schema.ldif")
    if not (_SCHEMAS / "inetorgperson.ldif").exists():
        pytest.skip("OpenLDAP's own schemas are not in /etc/ldap/schema")
    modules = next((str(path.parent) for path in Path("/usr/lib").glob("**/ldap/back_mdb.*")), "/usr/lib/ldap")
    folder = Path(tempfile.mkdtemp(prefix="slapd-"))
    configuration, data = folder / "config", folder / "data"
    configuration.mkdir()
    data.mkdir()
    own = "".join(f"include: file://{_SCHEMAS}/{name}.ldif\n\n" for name in ("core", "cosine", "inetorgperson"))
    unique = "".join(f"olcUniqueURI: ldap:///?{name}?sub\n" for name in _UNIQUE)
    (folder / "config.ldif").write_text(
        "dn: cn=config\nobjectClass: olcGlobal\ncn: config\n"
        f"olcPidFile: {folder}/pid\n\n"
        f"dn: cn=module,cn=config\nobjectClass: olcModuleList\ncn: module\nolcModulePath: {modules}\n"
        "olcModuleLoad: back_mdb\nolcModuleLoad: unique\n\n"
        "dn: cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: schema\n\n"
        + own
        + (Path(reference) / "feide" / "schema.ldif").read_text().removeprefix("version: 1").strip()
        + "\n\ndn: olcDatabase=mdb,cn=config\nobjectClass: olcMdbConfig\nolcDatabase: mdb\n"
        f"olcSuffix: {SUFFIX}\nolcRootDN: {ADMIN}\nolcRootPW: {PASSWORD}\nolcDbDirectory: {data}\n"
        "olcDbMaxSize: 104857600\nolcDbNoSync: TRUE\n"
        + "".join(f"olcDbIndex: {name} eq\n" for name in _UNIQUE)
        + "\ndn: olcOverlay=unique,olcDatabase={1}mdb,cn=config\n"
        "objectClass: olcOverlayConfig\nobjectClass: olcUniqueConfig\nolcOverlay: unique\n" + unique
    )
    slapd = None
    try:
        run(SLAPD, "-Ta", "-n0", "-F", str(configuration), "-l", str(folder / "config.ldif"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url = f"ldap://127.0.0.1:{port}"
        slapd = subprocess.Popen(
            [SLAPD, "-d", "0", "-h", url, "-F", str(configuration)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(400):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield OpenLdap(url, configuration)
    finally:
        if slapd:
            slapd.terminate()
            slapd.wait(20)
        shutil.rmtree(folder)


def load(openldap: OpenLdap, path: Path) -> None:
    """Load a file into the directory, as an operator does: a whole directory, or changes to it."""
    run("ldapmodify", "-a", "-x", "-H", openldap.url, "-D", ADMIN, "-w", PASSWORD, "-f", str(path))


def whole(content: bytes) -> dict[str, dict[str, list[str]]]:
    """Return what a directory with exactly a file's content gives back (``OpenLdap.held``)."""
    return {ldif.normal_dn(dn): comparable(attributes) for dn, attributes in entries(content).items()}


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def comparable(attributes: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return entries in a comparable form: LDAP's values are a set, and servers escape names differently."""
    return {
        name.lower(): sorted(ldif.normal_dn(value) if name.lower().endswith("dn") else value for value in values)
        for name, values in attributes.items()
    }


def entries(content: bytes) -> dict[str, dict[str, list[str]]]:
    """Return a file's entries by their names."""
    return {
        entry.dn: {name: [value.text for value in values] for name, values in entry.attributes.items()}
        for entry in ldif.read(io.BytesIO(content))
    }
