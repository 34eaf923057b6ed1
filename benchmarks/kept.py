"""The figures of each benchmark, kept from commit to commit in ``results/<benchmark>.json``, so that a loss is seen.

``compared`` gives the lines of the table: each figure, its figure at the commit before, its aim. Only runs on the same
kind of machine are compared. The figures of a commit are kept in place of those that it had; a tree with changes that
are not committed is compared, and not kept. Commit the files with the change that they belong to.
"""

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from measuring import REPOSITORY, Figure

RESULTS = Path(__file__).parent / "results"
MOST = 30
"""How many runs of a benchmark are kept; the oldest goes."""
NOISE = 0.1
"""A figure is worse when it is more than this part away from the one before."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Run:
    """A benchmark's figures at a commit."""

    commit: str
    date: str
    machine: str
    load: float
    figures: tuple[Figure, ...]


def run_now(figures: Sequence[Figure]) -> Run:
    """Return what has been measured as a run of this commit; ``+`` behind the commit tells of changes."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results")
    return Run(
        _git("rev-parse", "--short=9", "HEAD") + ("+" if changed else ""),
        f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        f"{_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        round(os.getloadavg()[0], 1),
        tuple(figures),
    )


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()


def _processor() -> str:
    cpus = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.*)", cpus.read_text()) if cpus.exists() else None
    return found[1] if found else platform.machine()


def kept(benchmark: str) -> list[Run]:
    """Return the runs of a benchmark that are kept, oldest first."""
    file = RESULTS / f"{benchmark}.json"
    if not file.exists():
        return []
    said = json.loads(file.read_text(encoding="utf-8"))
    return [Run(**{**one, "figures": tuple(Figure(**figure) for figure in one["figures"])}) for one in said]


def keep(benchmark: str, run: Run) -> None:
    """Keep a run, in place of one of the same commit on the same machine; not one of a tree with changes."""
    if run.commit.endswith("+"):
        return
    others = [one for one in kept(benchmark) if (one.commit, one.machine) != (run.commit, run.machine)]
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps([asdict(one) for one in [*others, run][-MOST:]], ensure_ascii=False, indent=1)
    (RESULTS / f"{benchmark}.json").write_text(text + "\n", encoding="utf-8")


def before(benchmark: str, run: Run) -> Run | None:
    """Return the newest kept run of another commit on the same machine."""
    return next(
        (one for one in reversed(kept(benchmark)) if one.commit != run.commit and one.machine == run.machine), None
    )


def compared(run: Run, earlier: Run | None) -> list[str]:
    """Return the lines of the table: each figure, the one before it, its aim; OVER and WORSE where they hold."""
    was = {figure.what: figure for figure in earlier.figures} if earlier else {}
    told = f"{earlier.commit} of {earlier.date}, load {earlier.load}" if earlier else "nothing is kept"
    lines = [f"  {f'now: load {run.load}; before: {told}':66} {'now':>18} {'before':>18}  aim"]
    for figure in run.figures:
        one = was.get(figure.what)
        marks = [{True: "ok", False: "OVER", None: ""}[figure.within], "WORSE" if one and worse(figure, one) else ""]
        line = (
            f"  {figure.what:66} {figure.found:>18} {one.found if one else '':>18}  {figure.aim:22} {' '.join(marks)}"
        )
        lines.append(line.rstrip())
    return lines


def worse(now: Figure, earlier: Figure) -> bool:
    """Return whether a figure with an aim has lost: any number in it is worse by more than noise.

    More is worse, except where the aim is «at least» so much and where the figure is a speed.

    >>> worse(Figure("parsed", "1.52 s", "at most 3 s"), Figure("parsed", "1.21 s", "at most 3 s"))
    True
    >>> worse(Figure("read", "17 MB/s", "17 MB/s"), Figure("read", "15 MB/s", "17 MB/s"))
    False
    """
    if not now.aim or _NUMBER.sub("", now.found) != _NUMBER.sub("", earlier.found):
        return False
    more_is_worse = "at least" not in now.aim and "/s" not in now.found
    for new, old in zip(_numbers(now), _numbers(earlier), strict=True):
        if new > old * (1 + NOISE) if more_is_worse else new < old * (1 - NOISE):
            return True
    return False


def _numbers(figure: Figure) -> list[float]:
    return [float(number) for number in _NUMBER.findall(figure.found)]
