"""The files of HR and the school system read to rows, beside lxml's bare ``iterparse`` of the same bytes.

Speed in megabytes a second of CPU, the best of several tries; and the extra memory for a file ten times as large.
"""

import argparse
import io
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


def speed(work: Callable[[], object], size: int, tries: int = 5) -> float:
    """Return MB a second of CPU in the quickest try."""
    took = []
    for _ in range(tries):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return size / 1e6 / min(took)


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

            ours, theirs = speed(read, len(content)), speed(bare, len(content))
            more = memory(name, larger[name]) - memory(name, path)
            aim = f"aim: at least {LEAST:.0f} MB/s"
            figures += [
                Figure(f"{name} read to rows ({len(content) / 1e6:.1f} MB)", f"{ours:.1f} MB/s", aim, ours >= LEAST),
                Figure("  bare iterparse of it, not counted above", f"{theirs:.1f} MB/s"),
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
