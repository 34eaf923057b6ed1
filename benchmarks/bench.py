"""Run all benchmarks, and print each figure beside its aim and the commit's before it. ``make bench``.

Ratios hold on any machine; seconds and hours are this machine's. ``kept`` keeps the figures in ``results/``: commit
them with the change. Exits with 1 when a figure is over its aim; one that is only worse than before is marked. Each
part can be run by itself and then prints more: parsing.py, warehouse.py, work_list.py, extract.py, steps.py,
nightly_load.py, events.py, pages.py, exports.py, night.py. The last takes half an hour, and only runs when it is named.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable

import kept
from measuring import Figure


def parsing(options: argparse.Namespace) -> list[Figure]:
    """Kommune files parsed."""
    from parsing import measure

    return measure()


def files(options: argparse.Namespace) -> list[Figure]:
    """Files of HR and the school system read to rows, beside a bare parser."""
    from files import measure

    return measure()


def warehouse(options: argparse.Namespace) -> list[Figure]:
    """COPY, history, golden record and plan, beside a bare COPY."""
    from warehouse import measure

    return measure(options.oslo, options.persons)


def work_list(options: argparse.Namespace) -> list[Figure]:
    """The work list of a kommune of Oslo's size, read once."""
    from work_list import measure

    return measure(options.oslo)


def exports(options: argparse.Namespace) -> list[Figure]:
    """The directory, PIFU and OneRoster of a kommune of Oslo's size, written, with memory."""
    from exports import measure

    return measure(options.oslo)


def extract(options: argparse.Namespace) -> list[Figure]:
    """FREG's answers over HTTP into staging, beside parsing them and a bare COPY."""
    from extract import measure

    return measure(options.asked)


def steps(options: argparse.Namespace) -> list[Figure]:
    """Memory and time of every task at several sizes, FREG and KRR asked over HTTP."""
    from steps import figures, measure

    return figures({pupils: measure(pupils, options) for pupils in options.pupils}, options.limit)


def nightly_load(options: argparse.Namespace) -> list[Figure]:
    """What a kommune of 150 pupils costs in Airflow, and the length of a night."""
    from nightly_load import measure

    found, lines = measure(options.kommuner)
    print(*lines, sep="\n", flush=True)
    return found


def events(options: argparse.Namespace) -> list[Figure]:
    """FREG's events at their peak, read and routed."""
    from events import measure

    return measure(options.events)


def pages(options: argparse.Namespace) -> list[Figure]:
    """The web pages at the server, with 357 kommuner."""
    from pages import measure

    return measure()


def night(options: argparse.Namespace) -> list[Figure]:
    """A night of 357 kommuner of their real sizes, computed from a few."""
    from night import measure

    return measure(options.kommuner)


PARTS: dict[str, Callable[[argparse.Namespace], list[Figure]]] = {
    part.__name__: part
    for part in (parsing, files, warehouse, work_list, exports, extract, steps, nightly_load, events, pages, night)
}


def main() -> int:
    """Run the parts that were asked for; return the exit code."""
    parser = argparse.ArgumentParser(description="All benchmarks: a quarter of an hour on two idle cores.")
    usual = [name for name in PARTS if name != "night"]
    parser.add_argument("--only", nargs="+", choices=sorted(PARTS), default=usual, help="parts to run")
    parser.add_argument("--persons", type=int, default=100_000, help="persons loaded and merged (warehouse)")
    parser.add_argument("--asked", type=int, default=40_000, help="persons that FREG is asked about (extract)")
    parser.add_argument("--oslo", type=int, default=70_000, help="pupils whose guardians are computed (warehouse)")
    parser.add_argument("--pupils", type=int, nargs="+", default=[400, 4000, 40_000], help="sizes of kommuner (steps)")
    parser.add_argument("--runs", type=int, default=1, help="runs of each size; the second changes nothing (steps)")
    parser.add_argument("--limit", type=float, default=512, help="MiB a task may take, its imports counted (steps)")
    parser.add_argument("--kommuner", type=int, default=4, help="kommuner that run at once in Airflow (nightly_load)")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of FREG that are read (events)")
    options = parser.parse_args()
    options.faulty, options.slowest, options.keep = False, 0, None
    runs: dict[str, kept.Run] = {}
    for name in options.only:
        began = time.monotonic()
        print(f"{name}: {PARTS[name].__doc__}", flush=True)
        runs[name] = kept.run_now(PARTS[name](options))
        print(f"{name} took {time.monotonic() - began:.0f} s\n", flush=True)
    print(f"Figures ({os.cpu_count()} cores)")
    for name, run in runs.items():
        print(f"\n{PARTS[name].__doc__}", *kept.compared(run, kept.before(name, run)), sep="\n")
        kept.keep(name, run)
    over = [figure for run in runs.values() for figure in run.figures if figure.within is False]
    print(f"\n{len(over)} over their aim" if over else "\nAll within their aims")
    return int(bool(over))


if __name__ == "__main__":
    sys.exit(main())
