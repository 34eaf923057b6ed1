"""One DAG for every kommune file: wiring only. The steps and their order are those of ``dataflyt.run.steps``.

Where FREG is asked about employees too, extract_freg waits for extract_hr, even when that fails. A kommune without
recipients has no task deliver. A broken kommune file becomes a paused DAG that says what is wrong; the other kommuner
run. kommune.md is the operator's page.
"""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from string import Template

from airflow.sdk import (
    DAG,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    MultipleCronTriggerTimetable,
    Param,
    RetryAction,
    RetryRule,
    get_parsing_context,
)

from dataflyt.config.kommune import Kommune
from dataflyt.config.loading import BrokenFile, folder_of_kommuner, load, load_all
from dataflyt.errors import ConfigError
from dataflyt.on_airflow import notices
from dataflyt.on_airflow.mails import deadlines, tell_ended
from dataflyt.on_airflow.operators import (
    RUN_TYPES,
    CloseRun,
    GuardApproval,
    Publish,
    Refuse,
    Release,
    Step,
    access_control,
)
from dataflyt.on_airflow.safely import TryLater, say_why
from dataflyt.run.steps import STEPS

FOLDER = folder_of_kommuner()
DOC = Template(Path(__file__).with_suffix(".md").read_text(encoding="utf-8"))
PATIENCE = RetryRule(TryLater, RetryAction.RETRY, retry_delay=timedelta(minutes=5))
RETRY = {  # a task is tried again when a source did not answer, and after retry_delay when its process was killed
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_policy": ExceptionRetryPolicy([PATIENCE], default=RetryAction.FAIL),
    "execution_timeout": timedelta(hours=12),  # KRR by KS Fiks gives a large kommune's guardians one by one
    "on_failure_callback": say_why,
    "on_retry_callback": say_why,
}
OPERATORS: dict[str, type[Step | GuardApproval]] = {
    "approve": GuardApproval,
    "release": Release,
    "publish": Publish,
    "close_run": CloseRun,
}
POOLS = {"extract_freg": {"pool": "freg"}, "extract_krr": {"pool": "krr"}}
PARAMS = {  # for a run that a person starts; a scheduled run has neither
    "plan_only": Param(False, type="boolean", title="Bare plan", description=notices.PLAN_ONLY),
    "full_reload": Param(False, type="boolean", title="Full innlasting", description=notices.FULL_RELOAD),
}


def timetable(*crons: str) -> CronTriggerTimetable | MultipleCronTriggerTimetable:
    """Return the schedule of a kommune's runs, in Norwegian time."""
    kind = CronTriggerTimetable if len(crons) == 1 else MultipleCronTriggerTimetable
    return kind(*crons, timezone="Europe/Oslo", run_immediately=timedelta(0))


def kommune_dag(kommune: Kommune) -> DAG:
    """Wire the steps of a run for one kommune."""
    with DAG(
        dag_id=f"kommune_{kommune.id}",
        dag_display_name=kommune.display_name,
        description=notices.description(kommune),
        doc_md=DOC.substitute(notices.page(kommune)),
        tags=["kommune", kommune.name, *kommune.kommunenummer, *(["på prøve"] if kommune.trial else [])],
        schedule=timetable(*kommune.crons),
        catchup=False,
        max_active_runs=1,
        allowed_run_types=RUN_TYPES,
        access_control=access_control(kommune.id),
        params=PARAMS,
        deadline=deadlines(kommune),
        on_failure_callback=tell_ended,
        default_args=RETRY | {"owner": kommune.name},
    ) as dag:
        employees = kommune.sources.freg.employees  # without an HR file, those of the last run
        tasks: dict[str, Step | GuardApproval] = {}
        for step in STEPS:
            if step.name == "deliver" and not kommune.delivery:
                continue  # a task costs a process
            whatever = step.always or (employees and step.name == "extract_freg")
            tasks[step.name] = OPERATORS.get(step.name, Step)(
                task_id=step.name,
                task_display_name=step.title,
                kommune=kommune,
                trigger_rule="all_done" if whatever else "all_success",
                **POOLS.get(step.name, {}),
            )
            for needed in step.needs:
                if needed in tasks:
                    tasks[needed] >> tasks[step.name]
        if employees:
            tasks["extract_hr"] >> tasks["extract_freg"]
    return dag


def broken_dag(broken: BrokenFile) -> DAG:
    """Show a kommune whose file cannot be used: no schedule, and one task that says why."""
    with DAG(
        dag_id=f"kommune_{broken.id}",
        dag_display_name=f"{broken.id} (feil i kommunefilen)",
        description="Kommunefilen kan ikke brukes. Oppgaven sier hvorfor.",
        doc_md=f"**Kommunefilen kan ikke brukes.** {broken.sentence}",
        tags=["kommune", "feil"],
        schedule=None,
        allowed_run_types=RUN_TYPES,
        access_control=access_control(broken.id),
        default_args={"owner": broken.id, "execution_timeout": timedelta(minutes=5)},
        is_paused_upon_creation=True,
    ) as dag:
        Refuse(task_id="kommune_file", task_display_name="Les kommunefilen", sentence=broken.sentence)
    return dag


only = get_parsing_context().dag_id  # set when a worker parses this file to run one task: it reads one file
kommuner, broken = [], []
if only:
    with suppress(ConfigError):
        kommuner = [load(FOLDER / f"{only.removeprefix('kommune_')}.yaml")]
if not kommuner:
    kommuner, broken = load_all(FOLDER)
for build, found in [(kommune_dag, kommuner), (broken_dag, broken)]:
    for one in found:
        if only in (None, f"kommune_{one.id}"):
            globals()[f"kommune_{one.id}"] = build(one)
