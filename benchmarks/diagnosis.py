"""How often ``why`` names the right cause and the right corrector, as a confusion table, and how long it takes.

    python benchmarks/diagnosis.py --rounds 3 --pupils 500

Each round breaks one thing after another (``tests/why/faults.py``, in all four sources, the decisions and the exports),
each in people of its own, makes two runs, and asks ``why``. The answer key is kept from the code that answers. Then it
measures an answer, and the answers about a protected and an unknown child by turns. Exits with 1 when less than 99 %
are right, when something that is broken is called fine, and when an answer takes
more than 200 ms of CPU, the client's and the server's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from measuring import REPOSITORY, Figure

RIGHT, LONGEST = 0.99, 0.2


def asked(rounds: int, pupils: int) -> list[dict[str, Any]]:
    """Make the rounds in a process of their own; return a line for each answer and each measured time."""
    with tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as folder:
        to = Path(folder) / "judged.jsonl"
        settings = {"DATAFLYT_DIAGNOSIS": rounds, "DATAFLYT_DIAGNOSIS_TO": to, "DATAFLYT_PUPILS": pupils}
        path = f"{REPOSITORY / 'include'}:{REPOSITORY}"
        environment = {**os.environ, "PYTHONPATH": path, **{name: str(value) for name, value in settings.items()}}
        command = [sys.executable, "-m", "pytest", "-q", "tests/why/test_diagnosis.py", "-k", "rounds or time"]
        subprocess.run(command, cwd=REPOSITORY, env=environment, check=False)
        return [json.loads(line) for line in to.read_text(encoding="utf-8").splitlines()]


def table(judged: list[dict[str, Any]]) -> list[str]:
    """Return the confusion table: a line for each thing broken, with what was named and how often."""
    lines = [f"  {'broken':32}{'right cause':34}{'corrector':15}{'times':>6}{'right':>7}  named instead"]
    for kind in dict.fromkeys(one["kind"] for one in judged):
        mine = [one for one in judged if one["kind"] == kind]
        other = Counter(_said(one) for one in mine if not _right(one))
        first = mine[0]
        wrong = ", ".join(f"{cause} ({count})" for cause, count in other.most_common())
        right = sum(map(_right, mine))
        cause = "+".join(first["right"]) or "(nothing)"
        lines.append(f"  {kind:32}{cause:34}{first['by'] or '-':15}{len(mine):>6}{right:>7}  {wrong}".rstrip())
    return lines


def _right(one: dict[str, Any]) -> bool:
    return (one["right"], one["by"]) == (one["named"], one["named_by"])


def _said(one: dict[str, Any]) -> str:
    return f"{'+'.join(one['named']) or 'fine'}, {one['named_by'] or '-'}"


def main() -> int:
    """Print the table and the figures; return 1 where an aim is not kept."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pupils", type=int, default=500)
    given = parser.parse_args()
    lines = asked(given.rounds, given.pupils)
    judged = [one for one in lines if "kind" in one]
    times = {one["time"]: one for one in lines if "time" in one}
    print("\n".join(table(judged)))
    share = sum(map(_right, judged)) / len(judged)
    fine = sum(1 for one in judged if one["right"] and one["status"] == "fine")
    kinds = len({one["kind"] for one in judged})
    figures = [
        Figure(
            f"right cause and corrector, {len(judged)} answers, {kinds} kinds", f"{share:.1%}", "99 %", share >= RIGHT
        ),
        Figure("broken, and called fine", str(fine), "0", fine == 0),
    ]
    if times:
        cpu = times.pop("cpu")["each"]
        figures += [
            # The clock says nothing on a machine that does other work.
            Figure("an answer, CPU of client and server together", f"{cpu * 1000:.0f} ms", "200 ms", cpu <= LONGEST),
            *(
                Figure(
                    f"about a child who is {kind}: least, median, most",
                    f"{one['least'] * 1000:.0f} / {one['median'] * 1000:.0f} / {one['most'] * 1000:.0f} ms",
                )
                for kind, one in times.items()
            ),
        ]
    print("\n".join(map(str, figures)))
    return 0 if all(figure.within is not False for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
