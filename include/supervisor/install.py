"""Make ``.venv`` and install Dataflyt in it, with one line of progress: ``python3 install.py .venv``.

It needs Python's standard library only, since nothing is installed yet. The output of venv and pip goes to
``.venv/install.log``; the log's last lines are printed when one of them fails. Exit code: 0; 1 when something failed;
130 after Ctrl-C.
"""

import subprocess
import sys
import time
from pathlib import Path
from typing import TextIO

REPOSITORY = Path(__file__).resolve().parents[2]
OLDEST = (3, 11)
SHOWN = 12
"""Lines of the log that are shown after a failure."""


def main(folder: Path) -> int:
    """Install into ``folder``, and print how long it took."""
    if sys.version_info < OLDEST:
        print("Dataflyt trenger Python 3.11 eller nyere: make PYTHON=python3.12 …")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "install.log"
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
    progress = Progress()
    with log.open("w", encoding="utf-8") as said:
        if not python.exists() and not finish([sys.executable, "-m", "venv", str(folder)], said, progress):
            return failed("Python kunne ikke lage .venv", log)
        # Each package must have the hash that the lock gives; this repository has none. The lock is complete: with
        # --no-deps pip does not stop at an extra (celery[redis]), which the lock has no line for.
        for what in (("--require-hashes", "--no-deps", "-r", "requirements.txt"), ("--no-deps", "-e", ".")):
            if not finish([*pip, *what], said, progress):
                return failed("pip kunne ikke installere", log)
    progress.end()
    return 0


class Progress:
    """The line of progress: written over itself each second on a terminal, else written once."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.live = sys.stdout.isatty()
        print("Installerer i .venv, dette tar et par minutter …", end="" if self.live else "\n", flush=True)

    def tick(self) -> None:
        """Write how long it has taken so far."""
        if self.live:
            print(f"\rInstallerer i .venv, dette tar et par minutter … {self.spent()}", end="", flush=True)

    def end(self) -> None:
        """Write how long it took."""
        over, rest = ("\r", "\033[K") if self.live else ("", "")
        print(f"{over}Installert i .venv på {self.spent()}.{rest}")

    def spent(self) -> str:
        """Return the time since the beginning, as 1:05 min."""
        minutes, seconds = divmod(int(time.monotonic() - self.began), 60)
        return f"{minutes}:{seconds:02d} min"


def finish(command: list[str], log: TextIO, progress: Progress) -> bool:
    """Run a command, and write the time while it runs; return whether it succeeded."""
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=log, stderr=log, stdin=subprocess.DEVNULL) as process:  # noqa: S603
        while True:
            try:
                return process.wait(timeout=1) == 0
            except subprocess.TimeoutExpired:
                progress.tick()


def failed(what: str, log: Path) -> int:
    """Print the end of the log and the path of the rest; return the exit code."""
    lines = log.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-SHOWN:]
    start = "\n" if sys.stdout.isatty() else ""
    print(
        f"{start}{what}. Det siste som ble sagt:\n",
        *(f"  {line}" for line in lines),
        f"\nAlt ligger i {log}.",
        sep="\n",
    )
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except KeyboardInterrupt:
        print("\nAvbrutt. Neste make fortsetter.")
        sys.exit(130)
