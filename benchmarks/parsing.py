"""How long dags/kommune.py takes to parse with many kommune files: by Airflow's DAG processor (all of them), and by a
worker that is to run one task (the parsing context names the DAG, and one file is read).

Each is timed in a process of its own, in seconds of CPU, which a busy machine does not stretch. Airflow's own start,
with an empty first DAG, is timed separately. The worker is timed cold, where the imports of our modules count (half of
them are pydantic's, which builds the model of a kommune file), and as a fork of a process with DATAFLYT_PRELOAD.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from measuring import REPOSITORY, Figure, kommune_files

# The cost of every DAG file: importing Airflow, and a first DAG with a timetable and an operator.
PARSE = """
import importlib.util, json, sys, time
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG, BaseHook, CronTriggerTimetable, ExceptionRetryPolicy, RetryRule, get_parsing_context
with DAG("any", schedule=CronTriggerTimetable("0 3 * * 0", timezone="Europe/Oslo")):
    ApprovalOperator(task_id="any", subject="any")
import airflow_local_settings
airflow = time.process_time()
spec = importlib.util.spec_from_file_location("kommune_dags", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
dags = sum(name.startswith("kommune_") and hasattr(dag, "dag_id") for name, dag in vars(module).items())
print(json.dumps({"airflow": airflow, "parse": time.process_time() - airflow, "dags": dags}))
"""


def parse(kommuner: Path, home: Path, only: str | None, *, preloaded: bool = False) -> dict[str, float]:
    """Parse in a new process; return seconds of CPU for Airflow and for the parsing, and the number of DAGs."""
    environment = {**os.environ, "DATAFLYT_KOMMUNER": str(kommuner), "AIRFLOW_HOME": str(home)}
    if preloaded:
        environment["DATAFLYT_PRELOAD"] = "1"
    if only:
        environment |= {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": only, "_AIRFLOW_PARSING_CONTEXT_TASK_ID": "merge"}
    command = [sys.executable, "-c", PARSE, str(REPOSITORY / "dags" / "kommune.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"dags/kommune.py cannot be parsed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(count: int = 357, tries: int = 3) -> list[Figure]:
    """Parse all and one, several times each, and take the quickest."""
    with tempfile.TemporaryDirectory(prefix="dataflyt-bench-") as folder:
        kommuner = Path(folder) / "kommuner"
        places = range(1, count + 1)
        kommune_files(kommuner, [f"kommune{at:03d}" for at in places], [f"{1000 + at}" for at in places])
        parse(kommuner, Path(folder), None)  # writes Airflow's configuration and Python's byte code
        everything = min((parse(kommuner, Path(folder), None) for _ in range(tries)), key=lambda one: one["parse"])
        one = "kommune_kommune123"
        worker, forked = (
            min(
                (parse(kommuner, Path(folder), one, preloaded=preloaded) for _ in range(tries)),
                key=lambda found: found["parse"],
            )
            for preloaded in (False, True)
        )
    if (everything["dags"], worker["dags"], forked["dags"]) != (count, 1, 1):
        raise SystemExit("The DAGs are not those of the kommune files.")
    return [
        Figure(
            f"{count} kommune files parsed by the DAG processor",
            f"{everything['parse']:.2f} s of CPU",
            "aim: at most 2 s",
            everything["parse"] <= 2,
        ),
        Figure(
            "one of them parsed by a worker that has preloaded",
            f"{forked['parse'] * 1000:.0f} ms of CPU",
            "aim: at most 20 ms",
            forked["parse"] <= 0.02,
        ),
        Figure(
            "one of them parsed by a worker",
            f"{worker['parse'] * 1000:.0f} ms of CPU",
            "aim: at most 50 ms",
            worker["parse"] <= 0.05,
        ),
        Figure("  Airflow itself, not counted above", f"{worker['airflow']:.2f} s of CPU"),
    ]


if __name__ == "__main__":
    print(*measure(), sep="\n")
