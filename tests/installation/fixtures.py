"""A whole installation on real components: PostgreSQL, the registers over HTTP, files in folders. No Airflow."""

import contextlib
import fcntl
import os
import pickle
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import make_url, text

from dataflyt.config.connections import Connection
from dataflyt.config.kommune import Kommune
from dataflyt.config.loading import find
from dataflyt.exports import publishing
from dataflyt.run.approve import answer, question
from dataflyt.run.environment import Environment
from dataflyt.run.execute import FUNCTIONS, Answer, execute
from dataflyt.run.job import Job, mark_passed, open_job
from dataflyt.run.release import release
from dataflyt.storage import database
from dataflyt.warehouse import runs
from dataflyt.warehouse.audit import Visitor
from dataflyt.warehouse.runs import User
from dataflyt.warehouse.schema import migrate
from simulator.faults import Switches
from simulator.files import write_files
from simulator.model import Person, World
from simulator.server import create_app
from simulator.weeks import advance
from simulator.world import build
from supervisor.postgres import HIDE_SIZES

TODAY = date(2026, 11, 23)
KOMMUNER = Path(__file__).parents[2] / "include" / "kommuner"
CLIENT = "test-client"
LOOKING = Visitor("101", "Anita Ingebretsen", "test", "test")
"""A person of Haugesund's file with every right."""
PUPILS = int(os.environ.get("DATAFLYT_PUPILS", "160"))
"""The pupils of the simulated kommune: all its special people, and a few ordinary families."""
SEED = int(os.environ.get("DATAFLYT_SEED", "1"))
"""The seed of the simulated people, and of what happens to them. Some tests need the people of seed 1."""


@dataclass
class Registers:
    """The simulator in a thread: ``world`` may be changed between runs, and registers and files change with it.

    ``faults`` are the registers' faults.
    """

    world: World
    url: str
    drop: Path
    private_key: str
    faults: Switches

    def write(self) -> None:
        """Write the HR and SAS files anew."""
        for path in write_files(self.world, self.world.day, self.drop):
            os.utime(path, (time.time() - 3600,) * 2)  # a new file would be watched for growth

    def advance(self, day: date) -> dict[str, int]:
        """Let time pass until ``day`` and write the files anew; return how often each thing has happened."""
        assert self.world.country is not None
        happened = advance(self.world.country, day)[self.world.kommune.number]
        self.write()
        return happened

    def number(self, number: str) -> str:
        """Return the current number of the person who has or has had this number; return any other text unchanged."""
        person = self.world.country.find(number) if self.world.country else None
        return person.number if person else number

    def person(self, case: str) -> Person:
        """Return the first person of a case."""
        return next(person for person in self.world.persons.values() if case in person.cases)


@pytest.fixture(scope="session")
def signing_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _world() -> bytes:
    """Build the world once a worker; each test gets one of its own to change.

    It is smaller than the demo's, which would make a run cost half as much again.
    """
    return pickle.dumps(build("1106", SEED, TODAY, pupils=PUPILS))


class Served:
    """An HTTP server in a thread, for all tests of a worker in turn: it answers as ``app`` does."""

    def __init__(self) -> None:
        self.app: Any = None
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        config = uvicorn.Config(self, lifespan="off", log_level="warning", access_log=False, date_header=False)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([listening],), daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.app(scope, receive, send)

    def stop(self) -> None:
        """Stop the server."""
        self.server.should_exit = True
        self.thread.join(10)


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.stop()


@pytest.fixture
def registers(tmp_path: Path, signing_key: rsa.RSAPrivateKey, served: Served) -> Iterator[Registers]:
    world: World = pickle.loads(_world())
    faults = Switches()
    served.app = create_app(world, served.url, signing_key.public_key(), None, CLIENT, faults=faults)
    pem = signing_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    registers = Registers(world, served.url, tmp_path / "drop", pem, faults)
    registers.write()
    yield registers
    served.app = None


@pytest.fixture(scope="session")
def template(pg_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated warehouse to copy from. Roles belong to the server, so workers make them one at a time."""
    admin = make_url(pg_url)
    name = f"template_{admin.database}"
    with (
        (tmp_path_factory.getbasetemp().parent / "roles.lock").open("w") as lock,
        psycopg.connect(_libpq(admin), autocommit=True) as connection,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            connection.execute("create role dataflyt login createrole")
        connection.execute(f"create database {name} owner dataflyt")
        with psycopg.connect(_libpq(admin.set(database=name)), autocommit=True) as made:
            made.execute(HIDE_SIZES.read_bytes())
        url = admin.set(database=name, username="dataflyt").render_as_string(hide_password=False)
        migrate(url, ["haugesund", "bergen"])
    return name


def _libpq(url: Any) -> str:
    return str(url.set(drivername="postgresql").render_as_string(hide_password=False))


TO_PLAN = {name: function for name, function in FUNCTIONS.items() if name not in ("release", "publish", "deliver")}
"""The steps up to the plan, in their order."""


@dataclass(repr=False)
class Installation:
    """A kommune's warehouse, storage and registers, and its runs."""

    kommune: Kommune
    admin_url: str
    warehouse_url: str
    storage: Path
    registers: Registers
    environment: Environment
    runs: int = 0
    clock: datetime = datetime(2026, 11, 23, 3, tzinfo=UTC)
    failed: list[str] = field(default_factory=list)
    not_compared: set[str] = field(default_factory=set)
    """Names of guardians whom a comparison of work lists leaves out."""

    def __repr__(self) -> str:
        return "Installation()"

    def open(self, key: str | None = None) -> Job:
        """Open the run ``key``, by default a new run, a day after the run before."""
        if key is None:
            self.runs += 1
            key = f"run-{self.runs}"
        return open_job(self.kommune, key, datetime(2026, 11, 22 + self.runs, 3, tzinfo=UTC), self.environment)

    def steps(self, job: Job, *names: str) -> dict[str, Any]:
        """Run steps by name; return the last one's counts."""
        counts: dict[str, Any] = {}
        for name in names:
            counts = dict(FUNCTIONS[name](job))
        return counts

    def run(self, answer: str = "approved", job: Job | None = None) -> dict[str, Any]:
        """Do a whole run as the DAG does; return its report."""
        job = job or self.open()
        ended = execute(job, lambda asked: _answer_of(job, answer))
        if ended.error and (not ended.failed or {"release", "publish"} & set(ended.failed)):
            raise ended.error
        report: dict[str, Any] = orjson.loads(
            (self.storage / f"reports/haugesund/run-{job.run.number:06d}.json").read_bytes()
        )
        return report

    def ldif(self) -> str:
        """Return the published directory, as a reader of the manifest finds it."""
        exports = self.storage / "exports" / self.kommune.id
        manifest = orjson.loads((exports / "manifest.json").read_bytes())
        return (exports / manifest["publication"] / "feide.ldif").read_text(encoding="utf-8")

    def query(self, sql: str, **bound: object) -> list[Any]:
        """Ask the warehouse as the kommune's role."""
        job_db = database.engine(self.warehouse_url)
        with database.transaction(job_db, self.kommune.id, lock=False) as connection:
            return list(connection.execute(text(sql), bound))

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of the versioned tables, sorted. Two warehouses with equal rows are the same."""
        tables = self.query(
            "select schemaname || '.' || tablename from pg_tables "
            "where schemaname in ('history', 'golden') or tablename in ('account_name', 'contact_value') order by 1"
        )
        return {
            table: sorted(tuple(map(str, row)) for row in self.query(f"select * from {table}")) for (table,) in tables
        }


def published_anew(here: Installation, run: int = 1, **changed: Any) -> Path:
    """Publish a run anew, by default the first, with the kommune file changed so; return the publication's folder."""
    kommune = here.kommune.model_copy(update=changed)
    engine = database.engine(here.environment.connect(kommune.warehouse).url)
    with database.transaction(engine, kommune.id) as connection:
        publishing.publish(connection, kommune, runs.get(connection, kommune.id, run), here.environment, must_pass=True)
    root = here.storage / "exports" / kommune.id
    with database.transaction(engine, kommune.id) as connection:
        publishing.put_forward(connection, kommune.id, root, just_written=True)
    return root / str(orjson.loads((root / "manifest.json").read_bytes())["publication"])


def _answer_of(job: Job, said: str) -> Answer:
    approver = job.kommune.approvers[0]
    user = None if said == "unanswered" else User(approver.id, approver.name)
    return Answer(said, user, "airflow")  # type: ignore[arg-type]


def respond(job: Job, said: str = "approved") -> str | None:
    """Answer a run's question as its first approver; return the answer, None when there is no question."""
    asked = question(job)
    if asked is None:
        return None
    answer(job, asked.digest, *_answer_of(job, said))
    return said


def checked(job: Job) -> None:
    """Count a run as checked when a test has staged its rows itself."""
    with job.transaction() as connection:
        mark_passed(connection, job, "check")


def approve_and_release(job: Job) -> None:
    """Approve a run where it asks, and release it."""
    respond(job)
    release(job)


@pytest.fixture
def kept_connections() -> Iterator[Callable[[], None]]:
    """Keep connections open between transactions, as a pooler in front of the server does; give what closes them.

    A run makes some fifty transactions, and a new connection costs as much as several queries. Tests marked
    ``new_connections`` connect for each, as a task does.
    """

    def close() -> None:
        database.keep_connections(0)
        database.keep_connections(100)

    close()
    yield close
    database.keep_connections(0)


@pytest.fixture(scope="session")
def first_run(template: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The warehouse and storage after a first run. The first test that needs them fills them."""
    return f"first_run_of_{template}", tmp_path_factory.mktemp("first-run") / "storage"


def _without_residents(kommune: Kommune) -> Kommune:
    """Return a kommune that does not look for children who live there: an extract of FREG takes four seconds."""
    freg = kommune.sources.freg.model_copy(update={"residents": None})
    return kommune.model_copy(update={"sources": kommune.sources.model_copy(update={"freg": freg})})


@pytest.fixture
def installation(
    pg_url: str,
    template: str,
    first_run: tuple[str, Path],
    tmp_path: Path,
    registers: Registers,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Installation]:
    """A new installation. For a test marked ``after_first_run`` its first run is released."""
    # Runs are a day apart and the clock stands still: a moving clock would make every run write the publication anew.
    monkeypatch.setattr("dataflyt.run.job.CLOCKS_DIFFER", timedelta(days=60))
    admin = make_url(pg_url)
    name = f"w_{admin.database}_{abs(hash(request.node.nodeid)) % 10**8}"
    storage = tmp_path / "storage"
    has_run = request.node.get_closest_marker("after_first_run") is not None
    new_connections = request.node.get_closest_marker("new_connections") is not None
    close = (lambda: None) if new_connections else request.getfixturevalue("kept_connections")
    kept = has_run and first_run[1].exists()
    with psycopg.connect(_libpq(admin), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name} template {first_run[0] if kept else template} owner dataflyt")
    url = admin.set(database=name, username="kommune_haugesund").render_as_string(hide_password=False)
    register = {"token_endpoint": f"{registers.url}/token", "issuer": f"{registers.url}/", "kid": "test"}

    def connect(connection_name: str) -> Connection:
        source = connection_name.split("_")[0]
        key = registers.private_key
        return {
            "warehouse": Connection(connection_name, url),
            "freg": Connection(
                connection_name,
                f"{registers.url}/folkeregisteret/offentlig-med-hjemmel/api",
                CLIENT,
                key,
                register | {"scope": "folkeregister:deling/offentligmedhjemmel"},
            ),
            "krr": Connection(
                connection_name,
                registers.url,
                CLIENT,
                key,
                register | {"scope": "krr:global/kontaktinformasjon.read"},
            ),
            "calendars": Connection(connection_name, f"{registers.url}/calendar/1106.ics"),
            "hr": Connection(connection_name, str(registers.drop / "1106" / "hr")),
            "sas": Connection(connection_name, str(registers.drop / "1106" / "sas")),
        }[source]

    made = Installation(
        _without_residents(find(KOMMUNER, "haugesund")),
        pg_url,
        url,
        storage,
        registers,
        Environment(connect, Path, str(storage), now=lambda: made.clock),
    )
    if kept:
        shutil.copytree(first_run[1], storage)
        made.runs = 1
    elif has_run:
        made.run()
        close()  # a database that is used cannot be copied
        with psycopg.connect(_libpq(admin), autocommit=True) as connection:
            connection.execute(f"create database {first_run[0]} template {name} owner dataflyt")
        shutil.copytree(storage, first_run[1])
    yield made
    with psycopg.connect(_libpq(admin), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")
