"""Airflow's processes import nothing of ours at their start, except the process with DATAFLYT_PRELOAD."""

import os
import subprocess
import sys

LOOK = """
import sys, threading
import airflow_local_settings
wanted = ("great_expectations.expectations", "dataflyt.run.execute", "dataflyt.on_airflow.operators")
print(*(name in sys.modules for name in wanted), threading.active_count())
"""


def look(**environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name != "DATAFLYT_PRELOAD"}
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=inherited | environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()[-1]


def test_only_the_process_that_is_told_to_imports_early_and_no_thread_stands_in_the_way_of_its_fork():
    assert look() == "False False False 1"
    assert look(DATAFLYT_PRELOAD="1") == "True True True 1"
