"""The cost of the quality rules, beside that of another commit: ``check`` and ``publish``, on the same rows.

    python benchmarks/quality.py 47bff57 --pupils 40000 --times 3

BEFORE is a git commit. One run of a kommune is taken up to ``withdraw`` with this version. Then both versions check the
same staged rows by turns, each in a process of its own as under Airflow, and the least CPU time of each is compared:
the step's and PostgreSQL's together. The import of Great Expectations is not part of it. The run then goes on, and
``publish`` is measured in the same way. Exits with 1 when the ratio of ``check`` is over its aim. Linux only.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "include"))  # the warehouse is made by this version, whatever is installed

import steps  # noqa: E402
from measuring import Figure, postgres, simulator  # noqa: E402

AIM = 1.3


def least(name: str, trees: dict[str, Path], folder: Path, pupils: int, times: int) -> dict[str, dict[str, float]]:
    """Do a step by turns with each version; return each version's least cost."""
    found: dict[str, dict[str, float]] = {}
    for _ in range(times):
        for version, tree in trees.items():
            os.environ["PYTHONPATH"] = str(tree / "include")
            cost = steps.exec_step(name, folder, pupils, 1)
            cost["cpu"] += cost["server"]
            best = found.setdefault(version, {})
            for what in ("seconds", "cpu", "peak"):
                best[what] = min(best.get(what, cost[what]), cost[what])
            told = f"{cost['seconds']:8.1f} s{cost['cpu']:8.1f} s CPU{cost['peak']:8.0f} MiB"
            print(f"  {name:10}{version:10}{told}", flush=True)
    return found


def measure(before: str, pupils: int, times: int) -> list[Figure]:
    """Measure both versions; return the figures."""
    folder = Path(tempfile.mkdtemp(prefix="dataflyt-bench-"))
    other = folder / "before"
    try:
        subprocess.run(["git", "worktree", "add", "--detach", str(other), before], cwd=REPOSITORY, check=True)
        trees = {"before": other, "now": REPOSITORY}
        os.environ["PYTHONPATH"] = str(REPOSITORY / "include")
        serve = ("--kommune", steps.NUMBER, "--pupils", str(pupils), "--date", f"{steps.FIRST:%Y-%m-%d}")
        with postgres(folder, [steps.OWNER]) as urls, simulator(folder, *serve) as registers:
            steps._connect(folder, urls[f"kommune_{steps.OWNER}"], registers)
            for path in (folder / "drop" / steps.NUMBER).glob("*/*"):
                os.utime(path, (steps.FIRST.timestamp(),) * 2)  # old files are not watched for growth
            for name in steps.STEPS[: steps.STEPS.index("check")]:
                steps.exec_step(name, folder, pupils, 1)
            check = least("check", trees, folder, pupils, times)
            os.environ["PYTHONPATH"] = str(REPOSITORY / "include")
            for name in ("merge", "question", "release"):
                steps.exec_step(name, folder, pupils, 1)
            publish = least("publish", trees, folder, pupils, times)
    finally:
        subprocess.run(["git", "worktree", "remove", "--force", str(other)], cwd=REPOSITORY, check=False)
        shutil.rmtree(folder, ignore_errors=True)
    ratio = check["now"]["cpu"] / check["before"]["cpu"]
    more = publish["now"]["cpu"] - publish["before"]["cpu"]
    most = publish["now"]["peak"]
    return [
        Figure(f"check at {pupils} pupils, beside {before}", f"{ratio:.2f} ×", f"aim: at most {AIM} ×", ratio <= AIM),
        Figure(f"publish at {pupils} pupils, with the files read back", f"{more:.1f} s CPU more, {most:.0f} MiB"),
    ]


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a git commit")
    parser.add_argument("--pupils", type=int, default=40_000)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    figures = measure(options.before, options.pupils, options.times)
    print(*figures, sep="\n")
    return int(any(figure.within is False for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
