"""The DAGs of kommune files, read as Airflow reads them."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dataflyt.config import loading

REPOSITORY = Path(__file__).parents[2]
KOMMUNER = REPOSITORY / "include" / "kommuner"
HEAVY = (
    "great_expectations",
    "pandas",
    "lxml",
    "psycopg",
    "alembic",
    "aiosmtplib",
    "dataflyt.run.job",
    "dataflyt.run.execute",
    "dataflyt.run.report",
)

READ = """
import json, os, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
heavy = [name for name in sys.argv[2].split(",") if name in sys.modules]
from airflow.serialization.serialized_objects import DagSerialization

def called(one):
    calls = {"success": one.on_success_callback, "failure": one.on_failure_callback}
    return {
        kind: [f"{call.__module__}.{call.__name__}" for call in (found if isinstance(found, list) else [found])]
        for kind, found in calls.items()
        if found
    }

print(json.dumps({
    "errors": bag.import_errors,
    "heavy": heavy,
    "dags": {
        dag.dag_id: {
            "name": dag.dag_display_name,
            "doc": dag.doc_md,
            "tags": sorted(dag.tags),
            "paused": dag.is_paused_upon_creation,
            "catchup": dag.catchup,
            "runs": dag.max_active_runs,
            "told": called(dag),
            "params": {name: dag.params.get_param(name).serialize() for name in dag.params},
            "deadlines": [
                {
                    "from": deadline.reference.reference_name,
                    "seconds": deadline.interval.total_seconds(),
                    "calls": deadline.callback.path,
                    "with": deadline.callback.kwargs,
                }
                for deadline in dag.deadline or []
            ],
            "schedule": DagSerialization.to_dict(dag)["dag"]["timetable"]["__var"],
            "tasks": {
                task.task_id: {
                    "name": task.task_display_name,
                    "after": sorted(task.upstream_task_ids),
                    "rule": str(getattr(task.trigger_rule, "value", task.trigger_rule)),
                    "retries": task.retries,
                    "hours": task.execution_timeout and task.execution_timeout.total_seconds() / 3600,
                    "asked": getattr(task, "assigned_users", None),
                    "inlets": [asset.uri for asset in task.inlets],
                    "outlets": [asset.uri for asset in task.outlets],
                    "default": getattr(task, "defaults", None),
                    "days": task.response_timeout.days if hasattr(task, "response_timeout") else None,
                    "told": called(task),
                }
                for task in dag.tasks
            },
        }
        for dag in bag.dags.values()
    },
}))
"""


def orgnr(number: int) -> str:
    """Make a valid organisation number, or the next one that exists."""
    while True:
        digits = f"{number:08d}"
        rest = sum(int(digit) * weight for digit, weight in zip(digits, (3, 2, 7, 6, 5, 4, 3, 2), strict=True)) % 11
        if rest != 1:
            return digits + str((11 - rest) % 11)
        number += 1


def another(text: str, name: str, number: int) -> str:
    """Return another kommune's file, made from Haugesund's."""
    text = text.replace("haugesund", name).replace("Haugesund", name.capitalize())
    return text.replace('"1106"', f'"{number:04d}"').replace('"944073787"', f'"{orgnr(81000000 + 20 * number)}"')


def copy_haugesund(folder: Path) -> str:
    """Copy Haugesund's file into a folder; return its path."""
    folder.mkdir(exist_ok=True)
    shutil.copy(KOMMUNER / "haugesund.yaml", folder)
    return (folder / "haugesund.yaml").read_text("utf-8")


@pytest.fixture(scope="module")
def kommuner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Haugesund unchanged, Karmøy on trial with its own settings, and Oslo with a mistake in its file."""
    folder = tmp_path_factory.mktemp("kommuner")
    text = copy_haugesund(folder)
    own = yaml.safe_load(another(text, "karmoy", 1149))
    own["sources"]["freg"]["employees"] = True
    own |= {"trial": True, "mail": {"to": ["drift@karmoy.kommune.no"]}}
    own["delivery"] = {"pifu": [{"to": "Vigilo", "connection": "vigilo_karmoy"}]}
    own["guard"] = own.get("guard", {}) | {"answer_days": 2}
    own["schedule"] = {"every": "month", "day": 1, "at": "23:00", "done_by": "04:30"}
    own["schedule"]["daily_in_august"] = True
    (folder / "karmoy.yaml").write_text(yaml.safe_dump(own, allow_unicode=True), "utf-8")
    (folder / "oslo.yaml").write_text(another(text, "oslo", 301).replace("every: week", "every: fortnight"), "utf-8")
    return folder


@pytest.fixture(scope="module")
def read(kommuner: Path, read_dag: Callable[..., Any]) -> dict:
    return read_dag(READ, "kommune", HEAVY, DATAFLYT_KOMMUNER=str(kommuner))


def test_each_kommune_has_a_dag_under_its_own_name(read):
    assert read["errors"] == {}
    assert {id_: dag["name"] for id_, dag in read["dags"].items()} == {
        "kommune_haugesund": "Haugesund (1106)",
        "kommune_karmoy": "Karmoy (1149)",
        "kommune_oslo": "oslo (feil i kommunefilen)",
    }
    dag = read["dags"]["kommune_haugesund"]
    assert {"kommune", "Haugesund", "1106"} <= set(dag["tags"])
    assert (dag["catchup"], dag["runs"]) == (False, 1)
    assert (dag["schedule"]["expression"], dag["schedule"]["timezone"]) == ("0 3 * * 0", "Europe/Oslo")


def test_a_monthly_kommune_that_says_so_runs_daily_when_the_schools_begin(read):
    schedule = read["dags"]["kommune_karmoy"]["schedule"]
    assert schedule["expressions"] == ["0 23 1 * *", "0 23 * 8 *", "0 23 1-15 9 *"]
    assert schedule["timezone"] == "Europe/Oslo"


def test_the_steps_run_in_their_order(read):
    tasks = read["dags"]["kommune_haugesund"]["tasks"]
    extracts = ["extract_freg", "extract_hr", "extract_krr", "extract_sas"]
    assert {name: task["after"] for name, task in tasks.items()} == {
        "extract_sas": [],
        "extract_hr": [],
        "extract_freg": ["extract_sas"],
        "extract_krr": ["extract_freg"],
        "withdraw": extracts,
        "check": [*extracts, "withdraw"],
        "merge": ["check"],
        "approve": ["merge"],
        "release": ["approve"],
        "publish": ["release"],
        "close_run": ["check", *extracts, "merge", "publish", "release", "withdraw"],
    }
    with_recipients = read["dags"]["kommune_karmoy"]["tasks"]
    assert with_recipients.keys() - tasks.keys() == {"deliver"}
    assert with_recipients["deliver"]["after"] == ["publish"]
    assert "deliver" in with_recipients["close_run"]["after"]


def test_each_export_is_an_asset_that_a_run_s_publication_tells_of(read):
    dags = read["dags"]
    outlets = {(id_, name): task["outlets"] for id_, dag in dags.items() for name, task in dag["tasks"].items()}
    exports = loading.load(KOMMUNER / "haugesund.yaml").exports
    assert exports
    assert outlets["kommune_haugesund", "publish"] == [f"dataflyt://haugesund/{export}" for export in exports]
    assert outlets["kommune_haugesund", "release"] == ["dataflyt://haugesund/warehouse"]
    assert {where for where, found in outlets.items() if found} == {
        (f"kommune_{id_}", step) for id_ in ("haugesund", "karmoy") for step in ("release", "publish")
    }


def test_a_run_reads_the_sources_and_publishes_from_the_warehouse_as_assets(read):
    tasks = read["dags"]["kommune_haugesund"]["tasks"]
    assert {name: task["inlets"] for name, task in tasks.items() if task["inlets"]} == {
        **{f"extract_{source}": [f"dataflyt://haugesund/{source}"] for source in ("sas", "hr", "freg", "krr")},
        "publish": ["dataflyt://haugesund/warehouse"],
    }


def test_no_step_goes_on_for_ever_and_the_wait_for_an_answer_is_days(read):
    hours = {id_: {task["hours"] for task in dag["tasks"].values()} for id_, dag in read["dags"].items()}
    assert hours == {"kommune_haugesund": {12}, "kommune_karmoy": {12}, "kommune_oslo": {1 / 12}}
    assert read["dags"]["kommune_haugesund"]["tasks"]["approve"]["days"] > 1


def test_freg_waits_for_hr_where_it_is_asked_about_employees_and_not_for_its_success(read):
    tasks = read["dags"]["kommune_karmoy"]["tasks"]
    assert tasks["extract_freg"]["after"] == ["extract_hr", "extract_sas"]
    assert {name for name, task in tasks.items() if task["rule"] == "all_done"} == {
        *("extract_freg", "withdraw", "close_run"),
    }


def test_what_protects_and_what_closes_a_run_does_not_wait_for_success(read):
    tasks = read["dags"]["kommune_haugesund"]["tasks"]
    whatever = {name for name, task in tasks.items() if task["rule"] == "all_done"}
    assert whatever == {"withdraw", "close_run"}
    assert "approve" not in tasks["close_run"]["after"], "a rejection skips the tasks next to the approval"


def test_only_the_approvers_of_the_kommune_are_asked_and_silence_is_a_no(read):
    approve = read["dags"]["kommune_haugesund"]["tasks"]["approve"]
    assert approve["asked"] == [{"id": "101", "name": "Anita Ingebretsen"}]
    assert approve["default"] == ["Reject"]


def test_each_kommune_gives_its_approvers_its_own_number_of_days(read):
    assert read["dags"]["kommune_haugesund"]["tasks"]["approve"]["days"] == 5
    assert read["dags"]["kommune_karmoy"]["tasks"]["approve"]["days"] == 2
    assert "Svarfristen er 2 døgn." in read["dags"]["kommune_karmoy"]["doc"]


def test_whoever_starts_a_run_may_choose_a_plan_or_a_full_reload(read):
    params = read["dags"]["kommune_haugesund"]["params"]
    assert {
        name: (param["value"], param["schema"]["type"], param["schema"]["title"]) for name, param in params.items()
    } == {
        "plan_only": (False, "boolean", "Bare plan"),
        "full_reload": (False, "boolean", "Full innlasting"),
    }
    assert all(param["description"] for param in params.values())
    assert read["dags"]["kommune_oslo"]["params"] == {}


def test_a_run_is_to_be_done_by_the_hour_its_kommune_says(read):
    assert read["dags"]["kommune_karmoy"]["deadlines"] == [
        {
            "from": "DagRunLogicalDateDeadline",
            "seconds": 5.5 * 3600,
            "calls": "dataflyt.on_airflow.mails.tell_if_late",
            "with": {"kommune": "karmoy"},
        }
    ]
    assert read["dags"]["kommune_oslo"]["deadlines"] == []
    assert "skal være ferdig kl. 04.30" in read["dags"]["kommune_karmoy"]["doc"]


def test_a_kommune_on_trial_says_so(read):
    assert "**Kommunen er på prøve**" in read["dags"]["kommune_karmoy"]["doc"]
    assert "på prøve" in read["dags"]["kommune_karmoy"]["tags"]
    assert "på prøve" not in str(read["dags"]["kommune_haugesund"])


def test_how_a_run_ended_is_told_by_its_last_task_or_when_it_failed_by_airflow(read):
    tell = ["dataflyt.on_airflow.mails.tell_ended"]
    dag = read["dags"]["kommune_karmoy"]
    assert dag["told"] == {"failure": tell}
    last = {"failure": ["dataflyt.on_airflow.safely.say_why"]}
    assert {name: task["told"] for name, task in dag["tasks"].items()} == dict.fromkeys(dag["tasks"], last)
    assert "drift@" not in str(read), "whoever is told stands in the kommune file only"


def test_the_operator_reads_what_to_do_in_norwegian(read):
    dag = read["dags"]["kommune_haugesund"]
    assert "hver søndag kl. 03.00" in dag["doc"]
    assert "Når et steg stopper" in dag["doc"]
    assert "Anita Ingebretsen" in dag["doc"]
    for task in dag["tasks"].values():
        assert task["name"] in dag["doc"]


def test_a_broken_kommune_file_is_a_paused_dag_that_says_what_is_wrong(read):
    dag = read["dags"]["kommune_oslo"]
    assert dag["paused"] is True
    assert dag["schedule"] == {}
    assert "oslo.yaml, linje" in dag["doc"]
    assert "every" in dag["doc"]
    assert list(dag["tasks"]) == ["kommune_file"]


def test_reading_the_dags_imports_nothing_heavy(read):
    assert read["heavy"] == []


def test_a_worker_reads_only_the_kommune_it_works_for(kommuner, read_dag):
    only = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "kommune_karmoy"}
    read = read_dag(READ, "kommune", DATAFLYT_KOMMUNER=str(kommuner), **only)
    assert list(read["dags"]) == ["kommune_karmoy"]


def test_a_worker_of_a_broken_kommune_gets_the_task_that_says_so(kommuner, read_dag):
    only = {"_AIRFLOW_PARSING_CONTEXT_DAG_ID": "kommune_oslo"}
    read = read_dag(READ, "kommune", DATAFLYT_KOMMUNER=str(kommuner), **only)
    assert list(read["dags"]) == ["kommune_oslo"]
    assert list(read["dags"]["kommune_oslo"]["tasks"]) == ["kommune_file"]


def test_a_hundred_kommuner_are_read(tmp_path, read_dag):
    folder = tmp_path / "kommuner"
    text = copy_haugesund(folder)
    for number in range(99):
        (folder / f"kommune{number}.yaml").write_text(another(text, f"kommune{number}", 2000 + number), "utf-8")
    read = read_dag(READ, "kommune", DATAFLYT_KOMMUNER=str(folder))
    assert read["errors"] == {}
    assert len(read["dags"]) == 100
    assert not [dag for dag in read["dags"].values() if dag["paused"]]
