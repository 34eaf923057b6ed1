"""The files of HR and the school system read to rows, beside lxml's bare ``iterparse`` of the same bytes.

Megabytes a second of CPU, and CPU beside the bare one's, the best of several tries of each by turns; and the extra
memory for a file ten times as large.
"""

import argparse
import io
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from lxml import etree
from measuring import Figure, peak

from dataflyt.sources.hr import stamdata3
from dataflyt.sources.sas import pifu

DAY = date(2026, 11, 23)
READERS = {"Stamdata3": stamdata3.read, "PIFU": pifu.read}
LEAST = 15.0
MOST = {"Stamdata3": 1.3, "PIFU": 1.2}
"""The CPU of reading a file to rows, as times that of the bare ``iterparse``."""


def write(folder: Path, pupils: int) -> dict[str, Path]:
    """Let the simulator write both files for a kommune of this size."""
    from simulator.files import write_pifu, write_stamdata3
    from simulator.large import Large

    world = Large("1106", 1, DAY, pupils)
    found = {}
    for name, make in (("Stamdata3", write_stamdata3), ("PIFU", write_pifu)):
        found[name] = folder / f"{name}-{pupils}.xml"
        with found[name].open("wb") as out:
            make(world, DAY, out)
    return found


def seconds(*works: Callable[[], object], tries: int = 15) -> list[float]:
    """Return the CPU of each in its quickest try. They take turns: a busy machine slows all of them alike."""
    best = [math.inf] * len(works)
    for _ in range(tries):
        for place, work in enumerate(works):
            began = time.process_time()
            work()
            best[place] = min(best[place], time.process_time() - began)
    return best


def memory(name: str, path: Path) -> float:
    """Return the peak in MiB of a process that reads this file and does nothing else."""
    command = [sys.executable, __file__, "--read", name, str(path)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(pupils: int = 1000) -> list[Figure]:
    """Read both files and compare."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as folder:
        files, larger = write(Path(folder), pupils), write(Path(folder), 10 * pupils)
        for name, path in files.items():
            content = path.read_bytes()
            reader = READERS[name]

            def read(reader: object = reader, content: bytes = content) -> None:
                for _ in reader(io.BytesIO(content)):  # type: ignore[operator]
                    pass

            def bare(content: bytes = content) -> None:
                for _, element in etree.iterparse(io.BytesIO(content)):
                    element.clear()

            ours, theirs = seconds(read, bare)
            megabytes, times = len(content) / 1e6, ours / theirs
            more = memory(name, larger[name]) - memory(name, path)
            fast = megabytes / ours
            figures += [
                Figure(
                    f"{name} read to rows ({megabytes:.1f} MB)",
                    f"{fast:.1f} MB/s",
                    f"aim: at least {LEAST:.0f} MB/s",
                    fast >= LEAST,
                ),
                Figure(
                    f"  beside lxml's bare iterparse of {name}",
                    f"{times:.2f} times",
                    f"aim: at most {MOST[name]} times",
                    times <= MOST[name],
                ),
                Figure(f"  more memory for a file of {larger[name].stat().st_size / 1e6:.0f} MB", f"{more:.1f} MiB"),
            ]
    return figures


def main() -> None:
    """Measure, or (in a process of its own) read one file and print the peak."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pupils", type=int, default=1000)
    parser.add_argument("--read", nargs=2, metavar=("FORMAT", "FILE"))
    options = parser.parse_args()
    if options.read:
        name, path = options.read
        with open(path, "rb") as stream:
            for _ in READERS[name](stream):
                pass
        print(peak())
    else:
        print(*measure(options.pupils), sep="\n")


if __name__ == "__main__":
    main()
