"""One DAG for every kommune file: wiring only, the work is in ``dataflyt.flow``.

    extract_sas -> extract_freg -> extract_krr, and extract_hr beside them
        -> withdraw -> check -> merge -> approve -> release -> publish -> settle

A broken kommune file becomes a paused DAG that says what is wrong; the others go on. kommune.md is the operator's page.
"""

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from string import Template

from airflow.sdk import DAG, CronTriggerTimetable, ExceptionRetryPolicy, RetryAction, RetryRule, get_parsing_context

from dataflyt.errors import ConfigError
from dataflyt.kommune import Broken, Kommune, folder_of_kommuner, load, load_all
from dataflyt.on_airflow import GuardApproval, Refuse, Release, Settle, Step, TryLater

FOLDER = folder_of_kommuner()
DOC = Template(Path(__file__).with_suffix(".md").read_text(encoding="utf-8"))
PATIENCE = RetryRule(TryLater, RetryAction.RETRY, retry_delay=timedelta(minutes=5))
RETRY = {  # only what did not answer is tried again, and a task whose process was killed, after retry_delay
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_policy": ExceptionRetryPolicy([PATIENCE], default=RetryAction.FAIL),
}


def kommune_dag(kommune: Kommune) -> DAG:
    """Wire the flow's steps for one kommune."""
    said = {
        "name": kommune.display_name,
        "exports": ", ".join(kommune.exports),
        "schedule": kommune.schedule.in_words,
        "approvers": ", ".join(approver.name for approver in kommune.approvers),
    }
    with DAG(
        dag_id=f"kommune_{kommune.id}",
        dag_display_name=kommune.display_name,
        doc_md=DOC.substitute(said),
        tags=["kommune", kommune.name, *kommune.kommunenummer],
        schedule=CronTriggerTimetable(kommune.cron, timezone="Europe/Oslo", run_immediately=timedelta(0)),
        catchup=False,
        max_active_runs=1,
        default_args=RETRY,
    ) as dag:

        def step(name: str, title: str, kind: type[Step] = Step, **more: str) -> Step:
            return kind(task_id=name, task_display_name=title, kommune=kommune, **more)

        sas = step("extract_sas", "Hent fra skoleadministrativt system")
        hr = step("extract_hr", "Hent fra HR")
        freg = step("extract_freg", "Hent fra Folkeregisteret")
        krr = step("extract_krr", "Hent fra KRR")
        withdraw = step("withdraw", "Trekk tilbake", trigger_rule="all_done")
        check = step("check", "Kontroller")
        merge = step("merge", "Flett")
        approve = GuardApproval(
            task_id="approve", task_display_name="Godkjenn", kommune=kommune, response_timeout=timedelta(days=5)
        )
        release = step("release", "Frigi", Release)
        publish = step("publish", "Publiser")
        settle = step("settle", "Gjør opp", Settle, trigger_rule="all_done")

        extracts = [sas, hr, freg, krr]
        sas >> freg >> krr
        extracts >> withdraw
        [*extracts, withdraw] >> check >> merge >> approve >> release >> publish
        # Not after approve itself: a rejection skips the tasks next to it, whatever their trigger rule.
        [*extracts, withdraw, check, merge, release, publish] >> settle
    return dag


def broken_dag(broken: Broken) -> DAG:
    """Show a kommune whose file cannot be used: no schedule, and one task that says why."""
    with DAG(
        dag_id=f"kommune_{broken.id}",
        dag_display_name=f"{broken.id} (feil i kommunefilen)",
        doc_md=f"**Kommunefilen kan ikke brukes.** {broken.sentence}",
        tags=["kommune", "feil"],
        schedule=None,
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
