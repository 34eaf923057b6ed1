"""Python programs that begin with the same imports: a process imports once, and every program is a fork of it.

A program gets its own arguments, environment, standard streams and exit, as ``python -c`` gives it. Only the imports
are not its own, so that at least one test of each kind must start a program in the ordinary way.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

SERVER = """
import gc, importlib, json, os, sys
for name in sys.argv[1].split(","):
    importlib.import_module(name)
gc.freeze()
for line in sys.stdin:
    asked = json.loads(line)
    if pid := os.fork():
        print(json.dumps({"pid": pid}), flush=True)
        print(json.dumps({"code": os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}), flush=True)
        continue
    for number, path in enumerate(asked["streams"]):
        os.dup2(os.open(path, os.O_RDWR), number)
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["-c", *asked["arguments"]]
    exec(asked["program"], {"__name__": "__main__"})
    sys.exit()
"""


class Forking:
    """A process that has imported ``modules`` and runs programs, one at a time."""

    def __init__(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER, ",".join(modules)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Forking":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.server.communicate()
        self.server.wait()

    def run(self, program: str, *arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, and return its exit code and output."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder) / "out", Path(folder) / "err"
            out.touch()
            err.touch()
            self.ask(program, *arguments, environment=environment, streams=["/dev/null", str(out), str(err)])
            code = self.answer()["code"]
            return subprocess.CompletedProcess(
                list(arguments), code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8")
            )

    def ask(self, program: str, *arguments: str, environment: Mapping[str, str], streams: Sequence[str]) -> int:
        """Start a program with its standard streams, and return its process id; ``answer`` waits for its end."""
        asked = {
            "program": program,
            "arguments": arguments,
            "environment": dict(environment),
            "streams": list(streams),
        }
        assert self.server.stdin is not None
        self.server.stdin.write(json.dumps(asked) + "\n")
        self.server.stdin.flush()
        pid: int = self.answer()["pid"]
        return pid

    def answer(self) -> dict[str, Any]:
        """Return the server's next line."""
        assert self.server.stdout is not None
        line: dict[str, Any] = json.loads(self.server.stdout.readline())
        return line
