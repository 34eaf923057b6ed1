"""Lineage: what leaves, what does not, and that nothing happens until one setting is given."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # never a developer's home folder
from openlineage.client.event_v2 import InputDataset, Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import error_message_run, job_type_job, nominal_time_run, source_code_job
from openlineage.client.serde import Serde

from dataflyt.on_airflow import lineage, operators
from dataflyt.on_airflow.lineage_events import STEPS, Told
from dataflyt.operations import quality
from dataflyt.run.steps import HIDING, TITLES
from simulator.manifest import people
from tests.installation.fixtures import TO_PLAN, Installation, approve_and_release
from tests.on_airflow.openlineage_rules import wrong_in
from tests.on_airflow.test_operators import Instance, context
from tests.traces import search

ROOT = Path(__file__).parents[2]
PLACE = {"type": "file", "log_file_path": "/nowhere", "append": True}
SECRET = "Kari Nordmann 01815012345"


def event(job: str, kind: RunState = RunState.COMPLETE) -> RunEvent:
    """Return an event with a secret in everything that people, errors and files may put there."""
    told = {"nominalTime": nominal_time_run.NominalTimeRunFacet("2026-11-01T02:00:00Z")}
    secret = {"errorMessage": error_message_run.ErrorMessageRunFacet(SECRET, "python", SECRET)}
    code = {"sourceCode": source_code_job.SourceCodeJobFacet("python", SECRET)}
    kept = {"jobType": job_type_job.JobTypeJobFacet("BATCH", "AIRFLOW", "TASK")}
    return RunEvent(
        eventTime="2026-11-01T02:00:00Z",
        producer="https://example.no",
        run=Run("01234567-89ab-7def-8123-456789abcdef", {**told, **secret}),
        job=Job("dataflyt", job, {**kept, **code}),
        eventType=kind,
        inputs=[InputDataset("dataflyt://haugesund", "freg_navn"), InputDataset("file", f"/landing/{SECRET}")],
        outputs=[],
    )


@pytest.mark.parametrize("step", sorted(STEPS))
@pytest.mark.parametrize("kind", [RunState.START, RunState.COMPLETE, RunState.FAIL])
def test_an_event_keeps_its_datasets_and_loses_errors_code_and_files(step: str, kind: RunState) -> None:
    sent = Told({}).transform(event(f"kommune_haugesund.{step}", kind))
    said = json.loads(Serde.to_json(sent))
    assert SECRET not in json.dumps(said)
    assert set(said["run"]["facets"]) == {"nominalTime"}
    assert set(said["job"]["facets"]) == {"jobType"}
    assert [one["name"] for one in said["inputs"]] == ["freg_navn"]


def test_nothing_tells_how_long_a_step_took_that_hides_people_or_that_one_was_hidden_between_runs() -> None:
    silent = [f"kommune_haugesund.{step}" for step in TITLES if step not in STEPS]
    assert not HIDING & STEPS
    common = ["freg_events", "freg_events.fast_lane", "freg_events.tell_events"]
    common += ["nightly.bring_in_line", "nightly.tell_published"]
    for job in ["kommune_haugesund", *silent, *common]:
        assert Told({}).transform(event(job)) is None, job


def test_the_events_of_another_dag_pass_as_they_are() -> None:
    assert SECRET in Serde.to_json(Told({}).transform(event("load_directory.load")))


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Airflow's settings without any word of lineage; what ``guard`` writes is taken away afterwards."""
    for name in ("TRANSPORT", "DISABLED", "EXECUTE_IN_THREAD"):
        monkeypatch.setenv(f"AIRFLOW__OPENLINEAGE__{name}", "")
        monkeypatch.delenv(f"AIRFLOW__OPENLINEAGE__{name}")
    return monkeypatch


def test_lineage_is_off_until_one_setting_names_a_place(setting: pytest.MonkeyPatch) -> None:
    lineage.guard()
    assert not lineage.on()
    assert "AIRFLOW__OPENLINEAGE__TRANSPORT" not in os.environ
    setting.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(PLACE))
    assert not lineage.on(), "an event would pass nobody"
    for _ in range(2):  # a process's child reads the settings anew
        lineage.guard()
        assert json.loads(os.environ["AIRFLOW__OPENLINEAGE__TRANSPORT"]) == {
            "type": "transform",
            "transformer_class": f"{Told.__module__}.{Told.__qualname__}",
            "transport": PLACE,
        }
        assert lineage.on()
    setting.setenv("AIRFLOW__OPENLINEAGE__DISABLED", "True")
    assert not lineage.on()


@pytest.mark.parametrize(
    "other",
    ["OPENLINEAGE_URL", "OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__URL", "AIRFLOW__OPENLINEAGE__CONFIG_PATH"],
)
def test_nothing_is_sent_to_a_place_that_is_named_in_another_way(setting: pytest.MonkeyPatch, other: str) -> None:
    setting.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(PLACE))
    setting.setenv(other, "http://localhost:5000")
    lineage.guard()
    assert os.environ["AIRFLOW__OPENLINEAGE__DISABLED"] == "True"
    assert not lineage.on()


def test_a_setting_that_cannot_be_read_stops_no_task_and_sends_nothing(
    setting: pytest.MonkeyPatch, installation: Installation
) -> None:
    setting.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", "{broken")
    lineage.guard()
    assert lineage.of_step("merge", installation.kommune, installation.open, done=True) is None


LOOK = """
import sys
import airflow.settings
airflow.settings.initialize()
from airflow.listeners.listener import get_listener_manager
get_listener_manager()
import dataflyt.on_airflow.operators
print("openlineage.client" in sys.modules, "dataflyt.on_airflow.lineage_events" in sys.modules)
"""


@pytest.mark.long
def test_with_nothing_set_no_process_imports_openlineage(tmp_path: Path) -> None:
    def look(**setting: str) -> str:
        given = {**os.environ, "AIRFLOW_HOME": str(tmp_path), **setting}
        done = subprocess.run([sys.executable, "-c", LOOK], env=given, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    assert look() == look(AIRFLOW__OPENLINEAGE__TRANSPORT="") == "False False"
    assert look(AIRFLOW__OPENLINEAGE__TRANSPORT=json.dumps(PLACE)) == "True False"


PASSES = """
import airflow.settings
airflow.settings.initialize()
from airflow.listeners.listener import get_listener_manager
get_listener_manager()
from airflow.providers.openlineage import conf
print(conf.transport()["transformer_class"])
"""


@pytest.mark.long
@pytest.mark.parametrize("missing", ["airflow_local_settings", "the plugins"])
def test_each_of_two_walls_puts_every_event_through_the_filter(tmp_path: Path, missing: str) -> None:
    own, none = tmp_path / "own", tmp_path / "none"
    own.mkdir()
    none.mkdir()
    (own / "airflow_local_settings.py").write_text("")  # somebody's own, before ours on the path
    plugins, path = (ROOT / "plugins", [own, ROOT / "include"])
    if missing == "the plugins":
        plugins, path = (none, [ROOT / "include"])
    given = {
        **os.environ,
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(PLACE),
        "PYTHONPATH": os.pathsep.join(map(str, path)),
    }
    given.pop("PYTEST_VERSION", None)  # with it the provider keeps no setting that it has read
    done = subprocess.run([sys.executable, "-c", PASSES], env=given, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == lineage.TOLD


@pytest.mark.after_first_run
def test_a_run_tells_what_the_table_of_quality_tells_everybody_and_names_nobody(
    installation: Installation, setting: pytest.MonkeyPatch
) -> None:
    setting.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(PLACE))
    lineage.guard()
    job = installation.open()
    setting.setattr(operators, "job_of", lambda kommune, context: job)
    sent: dict[str, Any] = {}
    for step in TO_PLAN:
        task = operators.Step(task_id=step, kommune=installation.kommune)
        task.execute(context(Instance(task_id=step)))
        sent[step] = task.get_openlineage_facets_on_complete(None)
    approve_and_release(job)
    publish = operators.Step(task_id="publish", kommune=installation.kommune)
    publish.execute(context(Instance(task_id="publish")))
    sent["publish"] = publish.get_openlineage_facets_on_complete(None)
    assert {step for step, told in sent.items() if told.inputs} == STEPS
    told = {
        one.name: {rule.name: rule for rule in one.inputFacets["dataQualityAssertions"].assertions}
        for one in sent["check"].inputs
        if one.inputFacets
    }
    for one in sent.values():
        for what, datasets in (("input", one.inputs), ("output", one.outputs)):
            assert [wrong for dataset in datasets for wrong in wrong_in(json.loads(Serde.to_json(dataset)), what)] == []
    seen = quality.over_time(installation.kommune, installation.environment, 1)
    shown = {rule.rule: rule.found[-1] for rule in seen.rules}
    for rules in told.values():
        for name, rule in rules.items():
            assert rule.success is (shown[name] == 0), name
            if rule.actual is not None:
                assert int(rule.actual) == (shown[name] or 0), name
    assert any(rule.actual not in (None, "0") for rules in told.values() for rule in rules.values())
    assert "freg_adressebeskyttelse" not in {
        name for name, rules in told.items() if any(rule.actual is not None for rule in rules.values())
    }
    stopped = {step: lineage.of_step(step, installation.kommune, lambda: job, done=False) for step in STEPS}
    assert {step for step, told in stopped.items() if told.inputs or told.outputs} == {"check"}
    said = {Path(step): " ".join(map(Serde.to_json, one.inputs + one.outputs)).lower() for step, one in sent.items()}
    assert search(said, people(installation.registers.world)) > 20
