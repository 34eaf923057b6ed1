"""One DAG for every kommune file: wiring only, the work is in ``dataflyt.run.flow``.

    extract_sas -> extract_freg -> extract_krr, and extract_hr beside them (before, where FREG is asked for staff)
        -> withdraw -> check -> merge -> approve -> release -> publish -> settle

A broken kommune file becomes a paused DAG that says what is wrong; the others go on. kommune.md is the operator's page.
"""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from string import Template

from airflow.sdk import (
    DAG,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    get_parsing_context,
)

from dataflyt.config.kommune import Kommune
from dataflyt.config.loading import BrokenFile, folder_of_kommuner, load, load_all
from dataflyt.errors import ConfigError
from dataflyt.on_airflow import notices
from dataflyt.on_airflow.operators import (
    RUN_TYPES,
    GuardApproval,
    Refuse,
    Settle,
    Step,
    TryLater,
    access_control,
    deadlines,
    say_why,
    tell_ended,
)

FOLDER = folder_of_kommuner()
DOC = Template(Path(__file__).with_suffix(".md").read_text(encoding="utf-8"))
PATIENCE = RetryRule(TryLater, RetryAction.RETRY, retry_delay=timedelta(minutes=5))
RETRY = {  # only what did not answer is tried again, and a task whose process was killed, after retry_delay
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_policy": ExceptionRetryPolicy([PATIENCE], default=RetryAction.FAIL),
    "execution_timeout": timedelta(hours=12),  # KRR by KS Fiks gives a large kommune's guardians one by one
    "on_failure_callback": say_why,
    "on_retry_callback": say_why,
}
PARAMS = {  # of a run that a person starts; a scheduled one has neither
    "plan_only": Param(False, type="boolean", title="Bare plan", description=notices.PLAN_ONLY),
    "full_reload": Param(False, type="boolean", title="Full innlasting", description=notices.FULL_RELOAD),
}


def kommune_dag(kommune: Kommune) -> DAG:
    """Wire the flow's steps for one kommune."""
    with DAG(
        dag_id=f"kommune_{kommune.id}",
        dag_display_name=kommune.display_name,
        description=notices.description(kommune),
        doc_md=DOC.substitute(notices.page(kommune)),
        tags=["kommune", kommune.name, *kommune.kommunenummer, *(["på prøve"] if kommune.trial else [])],
        schedule=CronTriggerTimetable(kommune.cron, timezone="Europe/Oslo", run_immediately=timedelta(0)),
        catchup=False,
        max_active_runs=1,
        allowed_run_types=RUN_TYPES,
        access_control=access_control(kommune.id),
        params=PARAMS,
        deadline=deadlines(kommune),
        on_failure_callback=tell_ended,
        default_args=RETRY | {"owner": kommune.name},
    ) as dag:

        def step(name: str, kind: type[Step] | type[GuardApproval] = Step, **more: str) -> Step | GuardApproval:
            return kind(task_id=name, task_display_name=notices.STEPS[name], kommune=kommune, **more)

        sas, hr = step("extract_sas"), step("extract_hr")
        employees = kommune.sources.freg.employees  # no file from HR: those of the last run are asked about
        freg = step("extract_freg", pool="freg", trigger_rule="all_done" if employees else "all_success")
        krr = step("extract_krr", pool="krr")
        withdraw = step("withdraw", trigger_rule="all_done")
        check, merge = step("check"), step("merge")
        approve = step("approve", GuardApproval)
        release, publish = step("release"), step("publish")
        settle = step("settle", Settle, trigger_rule="all_done")

        extracts = [sas, hr, freg, krr]
        ([sas, hr] if employees else [sas]) >> freg >> krr
        extracts >> withdraw
        [*extracts, withdraw] >> check >> merge >> approve >> release >> publish
        # Not after approve itself: a rejection skips the tasks next to it, whatever their trigger rule.
        [*extracts, withdraw, check, merge, release, publish] >> settle
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
