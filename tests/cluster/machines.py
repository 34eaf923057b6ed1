"""A worker as a machine of its own, which can be killed: its own code, home, temporary folder and name."""

from __future__ import annotations

import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from supervisor.home import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.processes import Processes

NAME = "DATAFLYT_WORKER"
SYSTEM = ("/usr", "/lib", "/etc", "/proc", "/dev", "/sys", "/run/utmp", "/var/lib/dpkg")


class Worker:
    """A Celery worker. It reaches broker, API, warehouse and object store over the network only."""

    def __init__(self, name: str, folder: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.folder = folder
        dags = Path(environment["AIRFLOW__CORE__DAGS_FOLDER"])
        for part in (dags, REPOSITORY / "plugins", REPOSITORY / "include"):
            shutil.copytree(part, folder / part.name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.rmtree(folder / "include" / "kommuner")
        shutil.copytree(environment["DATAFLYT_KOMMUNER"], folder / "include" / "kommuner")
        (folder / "names").mkdir()
        # The machine's name in Airflow. Otherwise both workers would have the same.
        (folder / "names" / "machine_name.py").write_text(f'def get() -> str:\n    return "{name}"\n', encoding="utf-8")
        for made in ("airflow", "tmp", "logs"):
            (folder / made).mkdir()
        self.environment = {
            **environment,
            NAME: str(folder),
            "DATAFLYT_PRELOAD": "1",  # as in docker-compose.yaml
            "HOME": str(folder),
            "TMPDIR": str(folder / "tmp"),
            "AIRFLOW_HOME": str(folder / "airflow"),
            "PYTHONPATH": f"{folder / 'include'}:{folder / 'names'}",
            "DATAFLYT_KOMMUNER": str(folder / "include" / "kommuner"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(folder / "plugins"),
            "AIRFLOW__CORE__HOSTNAME_CALLABLE": "machine_name.get",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        }
        self.seen: set[str] = set()
        """All files that its processes had open."""

    def start(self, processes: Processes) -> None:
        """Start the worker, for the first time or anew."""
        command = [sys.executable, "-m", "airflow", "celery", "worker", "--celery-hostname", self.name]
        command += ["--concurrency", "1", "--skip-serve-logs"]
        processes.start(self.name, ["env", f"--chdir={self.folder}", *command], self.environment)

    def family(self) -> list[psutil.Process]:
        """Return all its processes."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(NAME) == str(self.folder):
                    found.append(process)
        return found

    def look(self) -> None:
        """Note which files its processes have open."""
        for process in self.family():
            with suppress(psutil.Error, OSError):
                self.seen.update(file.path for file in process.open_files())
                self.seen.add(process.cwd())

    def elsewhere(self) -> list[str]:
        """Return the open files that belong neither to the worker nor to the system nor to installed packages."""
        home = (str(self.folder), sys.prefix, sys.base_prefix, *SYSTEM)
        log = str(self.folder.parent / "logs" / f"{self.name}.log")  # its standard output
        return sorted(path for path in self.seen if not path.startswith(home) and path != log)

    def kill(self, processes: Processes) -> int:
        """Kill all its processes at once with SIGKILL, as a loss of power would; return their number."""
        family = self.family()
        for process in family:
            with suppress(psutil.Error):
                process.suspend()  # a process could otherwise start another meanwhile
        family = [*family, *(process for process in self.family() if process not in family)]
        for process in family:
            with suppress(psutil.Error):
                process.kill()
        processes.running.pop(self.name).wait()
        psutil.wait_procs(family, timeout=10)
        return len(family)
