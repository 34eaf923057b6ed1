"""A real OpenLDAP with the schemas of deploy/feide, which keeps numbers unique, as directories for Feide do."""

import io
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dataflyt.config.connections import Connection
from dataflyt.formats import ldif

if TYPE_CHECKING:
    import ldap3

SUFFIX = "dc=haugesund,dc=kommune,dc=no"
ADMIN = f"cn=admin,{SUFFIX}"
PASSWORD = "for-this-test-only"
SLAPD = shutil.which("slapd") or shutil.which("slapd", path="/usr/sbin:/usr/libexec:/usr/lib/openldap") or ""
_SCHEMAS = Path("/etc/ldap/schema")
FEIDE = Path(__file__).resolve().parents[2] / "deploy" / "feide"
_UNIQUE = ("norEduPersonNIN", "norEduPersonLIN", "eduPersonPrincipalName", "norEduOrgUnitUniqueIdentifier")


class OpenLdap:
    """A directory that runs: its address and its configuration. It can be stopped and started."""

    def __init__(self, url: str, configuration: Path) -> None:
        self.url = url
        self.configuration = configuration
        self._slapd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        command = [SLAPD, "-d", "0", "-h", self.url, "-F", str(self.configuration)]
        self._slapd = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        await_port(int(self.url.rpartition(":")[2]))

    def stop(self) -> None:
        """Stop the server, if it runs."""
        if self._slapd:
            self._slapd.terminate()
            self._slapd.wait(20)
            self._slapd = None

    def connection(self, **said: Any) -> Connection:
        """Return the connection that an operator makes to this directory; ``said`` is what is otherwise in it."""
        made = Connection("katalog", f"{self.url}/{SUFFIX}", ADMIN, PASSWORD)
        return replace(made, **said)

    def connected(self, name: str = ADMIN, password: str = PASSWORD) -> "ldap3.Connection":
        """Log in, by default as the one who may do everything."""
        import ldap3

        server = ldap3.Server(self.url, get_info=ldap3.NONE)
        return ldap3.Connection(server, name, password, auto_bind=True)

    def held(self) -> dict[str, dict[str, list[str]]]:
        """Return every entry in a comparable form, without the passwords and the mark that Dataflyt leaves."""
        connection = self.connected()
        assert connection.search(SUFFIX, "(objectClass=*)", attributes=["*"])
        found = {
            ldif.normal_dn(answer["dn"]): comparable(
                {
                    name: kept
                    for name, values in answer["raw_attributes"].items()
                    if name != "userPassword"
                    if (kept := [value.decode() for value in values if not value.startswith(b"Dataflyt feide.ldif")])
                }
            )
            for answer in connection.response
        }
        connection.unbind()
        return found


@pytest.fixture
def openldap() -> Iterator[OpenLdap]:
    """An empty OpenLDAP; skipped where OpenLDAP or its schemas are not there."""
    if not SLAPD or not shutil.which("ldapadd"):
        pytest.skip("slapd or ldapadd is not installed (Debian: slapd, ldap-utils)")
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
        + f"include: file://{FEIDE / 'schema.ldif'}\n\n"
        + "dn: olcDatabase=mdb,cn=config\nobjectClass: olcMdbConfig\nolcDatabase: mdb\n"
        f"olcSuffix: {SUFFIX}\nolcRootDN: {ADMIN}\nolcRootPW: {PASSWORD}\nolcDbDirectory: {data}\n"
        "olcDbMaxSize: 4294967296\nolcDbNoSync: TRUE\n"
        + "".join(f"olcDbIndex: {name} eq\n" for name in ("objectClass", *_UNIQUE))
        + "\ndn: olcOverlay=unique,olcDatabase={1}mdb,cn=config\n"
        "objectClass: olcOverlayConfig\nobjectClass: olcUniqueConfig\nolcOverlay: unique\n" + unique
    )
    started = None
    try:
        run(SLAPD, "-Ta", "-n0", "-F", str(configuration), "-l", str(folder / "config.ldif"))
        started = OpenLdap(f"ldap://127.0.0.1:{free_port()}", configuration)
        started.start()
        yield started
    finally:
        if started:
            started.stop()
        shutil.rmtree(folder)


def free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def await_port(port: int) -> None:
    """Wait until somebody listens to a port."""
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)


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
