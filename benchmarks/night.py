"""A night with all 357 kommuner of their real sizes on two cores, computed from a few that are measured.

    python benchmarks/night.py

The sample is a small kommune, the median, the ninetieth percentile and Oslo, each alone: the second run, in which
nothing has changed, step by step (steps.py). A kommune's cost beyond a small one's grows by straight lines between the
sizes measured. What Airflow adds, and the small kommune itself, is measured in a real Airflow (nightly_load.py).

The sizes are the quantiles of a log-normal distribution, scaled to the country's 640 000 pupils with Oslo's 70 000 for
itself: the register of schools (NSR), which has the numbers, is not part of the project. Half of the kommuner then have
fewer than 700 pupils and a tenth more than 4 000.
"""

import argparse
import sys
from itertools import pairwise
from math import exp
from statistics import NormalDist

from measuring import Figure
from nightly_load import CORES, NIGHT
from nightly_load import measure as measure_airflow
from steps import STEPS
from steps import measure as measure_steps

PUPILS = 640_000
OSLO = 70_000
SMALL = 150
SPREAD = 1.35
"""The standard deviation of the logarithm of a kommune's pupils."""
MINUTES = 60
MIB = 512


def sizes() -> list[int]:
    """Return the pupils of each kommune, the smallest first; Oslo is the last."""
    drawn = [exp(NormalDist(sigma=SPREAD).inv_cdf((at + 0.5) / (NIGHT - 1))) for at in range(NIGHT - 1)]
    scale = (PUPILS - OSLO) / sum(drawn)
    return [round(one * scale) for one in drawn] + [OSLO]


def cost_of(pupils: int, measured: dict[int, float]) -> float:
    """Return the seconds of CPU of a kommune beyond the smallest that was measured."""
    known = sorted(measured.items())
    for (small, cost), (large, more) in pairwise(known):
        if pupils <= large:
            share = max(0.0, (pupils - small) / (large - small))
            return cost + share * (more - cost) - known[0][1]
    raise AssertionError("Oslo is measured, and the largest")


def measure(kommuner: int = 4) -> list[Figure]:
    """Measure the sample and Airflow; return the night's figures."""
    each = sizes()
    sample = sorted({SMALL, each[NIGHT // 2], each[NIGHT * 9 // 10], OSLO})
    options = argparse.Namespace(runs=2, faulty=False, slowest=0, keep=None)
    found = {pupils: measure_steps(pupils, options) for pupils in sample}
    airflow, lines = measure_airflow(kommuner)
    print(*lines, *airflow, sep="\n", flush=True)
    whole = [figure.found.removesuffix(" s") for figure in airflow if "all processes" in figure.what]
    fixed = float(whole[-1])  # imported before the fork
    measured = {pupils: most["last_cpu"] for pupils, most in found.items()}
    grown = sum(cost_of(pupils, measured) for pupils in each)
    minutes = (fixed * NIGHT + grown) / CORES / 60
    top = max(found[OSLO][step] for step in STEPS)
    return [
        Figure(
            f"a night of {NIGHT} kommuner, {sum(each)} pupils, on {CORES} cores",
            f"{minutes:.0f} min",
            f"aim: at most {MINUTES} min",
            minutes <= MINUTES,
        ),
        Figure("  of it Airflow and what each kommune costs at least", f"{fixed * NIGHT / CORES / 60:.0f} min"),
        Figure("  of it what grows with the kommune", f"{grown / CORES / 60:.0f} min"),
        *(Figure(f"  the steps of {pupils} pupils, CPU", f"{cost:.1f} s") for pupils, cost in measured.items()),
        Figure("  most memory of a task of Oslo's", f"{top:.0f} MiB", f"aim: at most {MIB} MiB", top <= MIB),
    ]


if __name__ == "__main__":
    print(*measure(*(int(count) for count in sys.argv[1:])), sep="\n")
