"""The folder ``.local``: its contents, its secrets, and the environment of the started processes.

postgres/  airflow/  logs/          the components' files
drop/<kommunenummer>/hr and /sas    where the simulated HR and SAS put their files
storage/                            DATAFLYT_STORAGE: landing/, exports/, reports/
secrets.json, simulator-key.pem     made once, readable by the owner only
calendar                            the simulated day, where time is simulated
backups/                            backups by make backup, readable by the owner only
weeks/                              such a folder for make demo WEEKS=4, made anew each time
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
from base64 import urlsafe_b64encode
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.kommuner import KOMMUNER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

REPOSITORY = Path(__file__).resolve().parents[2]
FREG_PATH = "/folkeregisteret/offentlig-med-hjemmel/api"
CLIENT_ID = "dataflyt-demo"
ADMIN = "admin"


def local() -> Path:
    """Return the folder ``.local`` of the repository, or the one that DATAFLYT_LOCAL names."""
    return Path(os.environ.get("DATAFLYT_LOCAL") or REPOSITORY / ".local").resolve()


class Home:
    """The contents of ``folder``, which is made when missing. Only the holder of its lock (``Processes``) makes one.

    ``start``: the day on which a simulated calendar begins here; None: the clock's time.
    """

    def __init__(self, folder: Path, start: date | None = None) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.postgres = folder / "postgres"
        self.airflow = folder / "airflow"
        self.drop = folder / "drop"
        self.storage = folder / "storage"
        self.ready = folder / "simulator.json"
        self.public_key = folder / "simulator-key.public.pem"
        self.passwords = folder / "airflow-passwords.json"
        self.calendar = folder / "calendar"
        for made in (self.airflow, self.drop, self.storage):
            made.mkdir(parents=True, exist_ok=True)
            made.chmod(0o700)
        self.folder.chmod(0o700 if os.geteuid() else 0o711)  # started by root, PostgreSQL runs as another user
        self.secrets = self.load_secrets(start or date.today())
        if start:
            self.calendar.write_text(start.isoformat(), encoding="utf-8")
        self.private_key = self.load_key()

    @property
    def start(self) -> date:
        """The day on which the simulation begins: that of the first start. The same day gives the same people."""
        return date.fromisoformat(self.secrets["date"])

    @property
    def today(self) -> date:
        """The current day: today, or the simulated calendar's day where there is one. Never before the start."""
        day = self.calendar.read_text(encoding="utf-8").strip() if self.calendar.exists() else ""
        return max(date.fromisoformat(day) if day else date.today(), self.start)

    def load_secrets(self, start: date) -> dict[str, str]:
        """Read Airflow's secrets and the simulation's first day, or make them at the first start."""
        path = self.folder / "secrets.json"
        if not path.exists():
            drawn = {
                "jwt": secrets.token_hex(32),
                "api": secrets.token_hex(32),
                "fernet": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "date": start.isoformat(),
            }
            write_private(path, json.dumps(drawn))
        loaded: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return loaded

    def load_key(self) -> str:
        """Read the Maskinporten client's private key, or make it; the simulator gets the public half."""
        path = self.folder / "simulator-key.pem"
        if not path.exists() or not self.public_key.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            self.public_key.write_bytes(public)
            private = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            write_private(path, private.decode())
        return path.read_text(encoding="utf-8")

    def password(self, user: str) -> str:
        """Return the password of an Airflow user, made at the first request."""
        known: dict[str, str] = json.loads(self.passwords.read_text("utf-8")) if self.passwords.exists() else {}
        if user not in known:
            known[user] = secrets.token_urlsafe(16)
            write_private(self.passwords, json.dumps(known))
        return known[user]

    def base_environment(self, kommuner: Path) -> dict[str, str]:
        """Return the variables of every process: PATH, no proxy for this machine, the kommuner, the storage."""
        inherited = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AIRFLOW", "_AIRFLOW")) and key != "PYTHONDONTWRITEBYTECODE"
        }
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            "PYTHONUNBUFFERED": "1",
            "DATAFLYT_KOMMUNER": str(kommuner),
            "DATAFLYT_STORAGE": str(self.storage),
        }

    def connections(self, kommuner: Iterable[Any], warehouse: Callable[[str], str], simulator: str) -> dict[str, str]:
        """Return the environment variables with the connections of all kommuner, in Airflow's JSON form.

        ``warehouse`` returns the warehouse's URL for a database role; ``simulator`` is the simulated registers' URL.
        """
        freg = self.register(simulator, simulator + FREG_PATH, "folkeregister:deling/offentligmedhjemmel")
        wanted: dict[str, dict[str, Any]] = {
            **{
                name: {"conn_type": "dataflyt_warehouse", "host": warehouse(name.replace("warehouse", "dataflyt"))}
                for name in ("warehouse", "warehouse_events", "warehouse_reference", "warehouse_web")
            },
            "nsr": {"conn_type": "generic", "host": simulator},
            "grep": {"conn_type": "generic", "host": f"{simulator}/kl06/v201906"},
            "klass": {"conn_type": "generic", "host": f"{simulator}/api/klass/v1"},
            "freg_events": {"conn_type": "freg_events"} | freg,
        }
        for kommune in kommuner:
            files = self.drop / kommune.kommunenummer[0]
            wanted[kommune.warehouse] = {
                "conn_type": "dataflyt_warehouse",
                "host": warehouse(f"kommune_{kommune.id}"),
            }
            # The kommuner that the simulator knows have delegated their rights to the client's owner.
            known = {one.orgnr for one in KOMMUNER.values()}
            on_behalf_of = {"consumer_org": kommune.orgnr} if kommune.orgnr in known else {}
            krr_scope = "krr:global/kontaktinfo.read" if on_behalf_of else "krr:global/kontaktinformasjon.read"
            for source, connection in {
                "freg": freg | {"extra": freg["extra"] | on_behalf_of},
                "krr": self.register(simulator, simulator, krr_scope, **on_behalf_of),
                "hr": {"host": (files / "hr").as_uri()},
                "sas": {"host": (files / "sas").as_uri()},
            }.items():
                kind = source if source in ("freg", "krr") else f"{source}_files"
                wanted[getattr(kommune.sources, source).connection] = {"conn_type": kind} | connection
        return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in wanted.items()}

    def register(self, simulator: str, host: str, scope: str, **more: str) -> dict[str, Any]:
        """Return a connection to a register at ``host``, with a grant from the simulated Maskinporten."""
        extra = {
            "token_endpoint": f"{simulator}/token",
            "issuer": f"{simulator}/",
            "kid": "dataflyt-demo",
            "key_registered": date.fromtimestamp(self.public_key.stat().st_mtime).isoformat(),
            "scope": scope,
            **more,
        }
        return {"host": host, "login": CLIENT_ID, "password": self.private_key, "extra": extra}

    def airflow_environment(self, port: int) -> dict[str, str]:
        """Return the variables of a small Airflow on SQLite: one API process, and changed files are noticed quickly."""
        url = f"http://127.0.0.1:{port}"
        settings = {
            "CORE__DAGS_FOLDER": REPOSITORY / "dags",
            "CORE__PLUGINS_FOLDER": REPOSITORY / "plugins",
            "CORE__LOAD_EXAMPLES": False,
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": parallelism(),
            "CORE__FERNET_KEY": self.secrets["fernet"],
            "CORE__AUTH_MANAGER": "dataflyt.on_airflow.auth_manager.AuthManager",
            "CORE__SENSITIVE_VAR_CONN_NAMES": "integrasjon_passord,links",
            "CORE__TEST_CONNECTION": "Enabled",
            "CORE__DEFAULT_TIMEZONE": "Europe/Oslo",
            "CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "API__HOST": "127.0.0.1",
            "API__PORT": port,
            "API__BASE_URL": url,
            "API__WORKERS": 1,
            "API__SECRET_KEY": self.secrets["api"],
            "API_AUTH__JWT_SECRET": self.secrets["jwt"],
            "DATABASE__CHECK_MIGRATIONS": False,  # start_airflow migrates; each process would read 100 migrations
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.airflow / 'airflow.db'}",
            "LOGGING__BASE_LOG_FOLDER": self.folder / "logs" / "airflow",
            "LOGGING__FILE_TASK_HANDLER_NEW_FOLDER_PERMISSIONS": "0o700",
            "LOGGING__FILE_TASK_HANDLER_NEW_FILE_PERMISSIONS": "0o600",
            "LOGGING__WORKER_LOG_SERVER_PORT": free_port(),  # start_airflow starts no log server
            "DAG_PROCESSOR__PARSING_PROCESSES": 1,
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 30,
            "DAG_PROCESSOR__REFRESH_INTERVAL": 30,
            "USAGE_DATA_COLLECTION__ENABLED": False,
            "OPENLINEAGE__TRANSPORT": os.environ.get("OPENLINEAGE_TRANSPORT", ""),
        }
        return {
            "AIRFLOW_HOME": str(self.airflow),
            "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
            **{f"AIRFLOW__{key}": str(value) for key, value in settings.items()},
        }


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def empty(folder: Path) -> None:
    """Delete the files that an earlier start has made in ``folder``, and nothing else. The lock stays."""
    for name in ("postgres", "airflow", "drop", "storage"):  # never a backup
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("secrets.json", "calendar", "simulator.json", "simulator-key.pem", "simulator-key.public.pem"):
        (folder / name).unlink(missing_ok=True)


def parallelism() -> int:
    """Return how many of Airflow's tasks this machine can run at once: two per core, one per GiB, at least two."""
    gibibytes: int = psutil.virtual_memory().total // 2**30
    return max(2, min(2 * (os.cpu_count() or 1), gibibytes, 32))


def port_is_free(port: int) -> bool:
    """Return whether a TCP port of this machine is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """Find a free TCP port on this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
