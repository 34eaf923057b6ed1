"""FREG's event list at its peak: a million events in a day, read and routed for kommuner that hold a third of them.

The simulator makes the list by arithmetic on another core; three events in ten may take something away. The kommuner's
hashes are in the warehouse, written by their own roles. The time includes reading a page, hashing, the join with the
kommuner's hashes, and the commits. It includes Dataflyt's own limit on requests a second, unless ``--fast``. Run by
itself:

    .venv/bin/python benchmarks/events.py --events 1000000
"""

import argparse
import logging
import tempfile
import time
from pathlib import Path

from measuring import Figure, peak, postgres, simulator
from sqlalchemy import make_url, text

from dataflyt.config.connections import Connection
from dataflyt.operations import fast_lane
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.warehouse import events
from simulator.feed import FIRST, stranger

AIM = 600
OWNERS = 10
HELD = 3
"""One person in this many is held by a kommune."""


def measure(count: int, *, fast: bool = False) -> list[Figure]:
    """Read a list of this many events; return the time, and the number of events kept."""
    owners = [f"kommune{number}" for number in range(OWNERS)]
    with (
        tempfile.TemporaryDirectory() as folder,
        postgres(Path(folder), owners) as urls,
        simulator(Path(folder), "--pupils", "100", "--events", str(count)) as registers,
    ):
        reader = make_url(urls["dataflyt"]).set(username=database.EVENTS).render_as_string(hide_password=False)
        for place, owner in enumerate(owners):
            held = [stranger(index) for index in range(HELD * place, count, HELD * OWNERS)]
            with database.transaction(database.engine(urls[f"kommune_{owner}"]), owner) as connection:
                connection.execute(text("create temporary table numbers (number text) on commit drop"))
                with database.driver(connection).cursor() as cursor, cursor.copy("copy numbers from stdin") as copy:
                    for number in held:
                        copy.write_row((number,))
                events.route_numbers(connection, owner, "select number from numbers")
        connections = {
            "warehouse_events": Connection("warehouse_events", reader),
            "freg_events": Connection("freg_events", **registers.connection("freg")),
        }
        if fast:
            connections["freg_events"].extra["max_per_second"] = "10000"
        with database.reading_events(database.engine(reader)) as connection:
            events.move_pointer(connection, fast_lane.FEED, FIRST, None)
        environment = Environment(connections.__getitem__, Path, folder)
        counts = {"pages": 0, "events": 0}
        began, worked = time.monotonic(), time.process_time()
        fast_lane.read(environment, counts)
        took, cpu = time.monotonic() - began, time.process_time() - worked
        with database.reading_events(database.engine(reader)) as connection:
            waiting = connection.scalar(text("select count(*) from events.waiting"))
    if counts["events"] != count:
        raise SystemExit(f"{counts['events']} of {count} events were read")
    allowed = AIM * count / 1_000_000
    what = f"{count} events of FREG read and routed to {OWNERS} kommuner"
    return [
        Figure(what, f"{took:.0f} s", f"{allowed:.0f} s", took <= allowed),
        Figure(f"  of which this process worked; {counts['pages']} pages, {waiting} people wait", f"{cpu:.0f} s CPU"),
        Figure("  memory of the process that reads", f"{peak():.0f} MiB", "512 MiB", peak() <= 512),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--fast", action="store_true", help="without the limit on requests a second")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    print(*measure(options.events, fast=options.fast), sep="\n")
