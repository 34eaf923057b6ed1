"""The operators: a step leaves counts or one sentence, nobody is asked without a question, and mails go out."""

import asyncio
import copy
import email
import email.policy
import errno
import json
import os
import socket
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller

from dataflyt.config.kommune import Kommune, Mail, WorkList
from dataflyt.config.loading import load
from dataflyt.errors import CheckFailed, DataflytError, SourceUnavailable

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # never a developer's home folder
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
    TaskAwaitingInput,
)

from dataflyt.on_airflow import environment, mails, operators
from dataflyt.on_airflow.safely import TryLater
from dataflyt.run import report
from dataflyt.run.execute import FUNCTIONS

SECRET = "Kari Nordmann 01815012345"
DIGEST = "0123456789abcdef"


KOMMUNER = Path(__file__).parents[2] / "include" / "kommuner"
APPROVERS = "Anita Ingebretsen"
RUN = "scheduled__2026-11-01T02:00:00+00:00"
PAGE = "https://airflow.example.no/sti/dags/kommune_haugesund/runs/scheduled__2026-11-01T02%3A00%3A00%2B00%3A00"


class Instance:
    """As much of a task instance as the adapter uses; ``at`` gives another task's of the same run."""

    dag_id, run_id, map_index, id = "kommune_haugesund", RUN, -1, "ti-1"

    def __init__(self, states=None, task_id="approve", **xcoms):
        self.states, self.task_id, self.xcoms = states or {}, task_id, xcoms

    def at(self, task_id):
        other = copy.copy(self)
        other.task_id = task_id
        return other

    def xcom_pull(self, task_ids, key="return_value"):
        return self.xcoms.get(f"{task_ids}_{key}")

    def xcom_push(self, key, value):
        self.xcoms[f"{self.task_id}_{key}"] = value

    def get_task_states(self, dag_id, run_ids):
        return {run_ids[0]: self.states}


class Store(dict):
    """Airflow's task state."""

    set, delete = dict.__setitem__, dict.__delitem__


@pytest.fixture
def kommune() -> Kommune:
    return load(KOMMUNER / "haugesund.yaml").model_copy(update={"mail": None})


class Run:
    """A run with scripted functions: the step ``check`` calls ``run.check``."""

    def __init__(self, monkeypatch):
        vars(self)["monkeypatch"] = monkeypatch

    def __setattr__(self, name, function):
        if name in FUNCTIONS:
            self.monkeypatch.setitem(FUNCTIONS, name, function)
        else:
            where = {"open_job": "job", "question": "approve", "answer": "approve", "close_run": "close_run"}[name]
            self.monkeypatch.setattr(f"dataflyt.run.{where}.{name}", function)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A run with scripted functions."""

    def open_job(kommune, **opened):
        return SimpleNamespace(kommune=kommune, **{**opened, "plan_only": opened["plan_only"] or kommune.trial})

    fake = Run(monkeypatch)
    fake.open_job, fake.question = open_job, lambda job, pages: None
    monkeypatch.setenv("DATAFLYT_STORAGE", str(tmp_path))
    return fake


def context(instance, task=None, **params):
    run = SimpleNamespace(run_id=RUN, run_after=datetime(2026, 11, 1, 2, tzinfo=UTC), start_date=None)
    return {
        "ti": instance,
        "task_instance": instance,
        "dag_run": run,
        "task": task,
        "params": {"plan_only": False, "full_reload": False, **params},
        "task_state_store": Store(),
    }


def test_a_step_is_given_the_runs_key_and_due_time_and_gives_back_counts_only(run, kommune):
    seen = []
    run.check = lambda job: seen.append(job) or {"persons": 3, "note": SECRET}
    counts = operators.Step(task_id="check", kommune=kommune).execute(context(Instance()))
    assert counts == {"persons": 3}
    assert (seen[0].key, seen[0].as_of) == (RUN, datetime(2026, 11, 1, 2, tzinfo=UTC))
    assert (seen[0].plan_only, seen[0].full_reload) == (False, False)


def test_a_run_that_a_person_starts_is_a_plan_or_a_full_reload_in_every_step(run, kommune):
    seen = []
    run.check = lambda job: seen.append((job.plan_only, job.full_reload)) or {}
    run.close_run = lambda job, failed: (
        seen.append((job.plan_only, job.full_reload)) or {"outcome": "planned", "received": 4}
    )
    chosen = {"plan_only": True, "full_reload": True}
    operators.Step(task_id="check", kommune=kommune).execute(context(Instance(), **chosen))
    close_run = operators.CloseRun(task_id="close_run", kommune=kommune)
    assert close_run.execute(context(Instance(), **chosen)) == {"received": 4}
    assert seen == [(True, True), (True, True)]


@pytest.mark.parametrize(("chosen", "trial"), [(True, False), (False, True)])
def test_a_plan_is_neither_asked_about_nor_released(run, kommune, chosen, trial):
    approve = operators.GuardApproval(task_id="approve", kommune=kommune.model_copy(update={"trial": trial}))
    with pytest.raises(AirflowSkipException):
        approve.execute(context(Instance(), plan_only=chosen))


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (CheckFailed("Tabellen er tom."), AirflowFailException, "Tabellen er tom."),
        (SourceUnavailable("KRR svarer ikke."), TryLater, "KRR svarer ikke."),
        (KeyError(SECRET), AirflowFailException, "KeyError"),
        (ConnectionResetError(SECRET), TryLater, "ConnectionResetError"),
        (AirflowTaskTimeout(SECRET), TryLater, "brukte lengre tid enn den får, og ble stanset"),
        (OSError(errno.EIO, SECRET), TryLater, "OSError"),
        (OSError(errno.ENOSPC, SECRET), AirflowFailException, "OSError"),
        (socket.gaierror(-3, SECRET), TryLater, "gaierror"),
    ],
)
def test_an_error_leaves_as_one_sentence_without_values(run, kommune, caplog, raised, kind, said):
    def check(job):
        try:
            raise ValueError(SECRET)
        except ValueError:
            raise raised  # noqa: B904

    run.check = check
    with pytest.raises(AirflowException) as caught:
        operators.Step(task_id="check", kommune=kommune).execute(context(Instance()))
    assert type(caught.value) is kind
    assert said in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert SECRET not in str(caught.value) + caplog.text


def test_a_database_error_keeps_its_row_to_itself(run, kommune, caplog):
    import psycopg

    def merge(job):
        raise psycopg.errors.UniqueViolation(f"DETAIL: Key (number)=({SECRET}) already exists.")

    run.merge = merge
    with pytest.raises(AirflowFailException, match="UniqueViolation") as caught:
        operators.Step(task_id="merge", kommune=kommune).execute(context(Instance()))
    assert SECRET not in str(caught.value) + caplog.text


def test_a_lost_database_is_worth_another_try(run, kommune):
    import psycopg

    def merge(job):
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    run.merge = merge
    with pytest.raises(TryLater):
        operators.Step(task_id="merge", kommune=kommune).execute(context(Instance()))


def test_nobody_is_asked_when_the_guard_lets_the_run_pass(run, kommune):
    run.question = lambda job, pages: None
    approve = operators.GuardApproval(task_id="approve", kommune=kommune)
    instance = Instance()
    assert approve.execute(context(instance)) is None
    assert instance.xcom_pull("approve") is None


def test_the_approver_is_asked_with_counts_and_the_answer_names_the_plan(run, kommune, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **detail: asked.update(detail)
    )
    run.question = lambda job, pages: SimpleNamespace(subject="Første kjøring", body="400 elever", digest=DIGEST)
    approve = operators.GuardApproval(task_id="approve", kommune=kommune)
    instance = Instance()
    with pytest.raises(TaskAwaitingInput) as waiting:
        approve.execute(context(instance))
    assert (asked["subject"], asked["body"], asked["defaults"]) == ("Første kjøring", "400 elever", ["Reject"])
    assert asked["assigned_users"] == [{"id": "101", "name": APPROVERS}]
    assert waiting.value.timeout == timedelta(days=kommune.guard.answer_days)

    answer = {
        "chosen_options": ["Approve"],
        "params_input": {},
        "responded_at": datetime(2026, 11, 2, tzinfo=UTC),
        "responded_by_user": {"id": "101", "name": "anita"},
    }
    kept = []
    run.answer = lambda job, digest, said, user, channel: kept.append((digest, said, user, channel))
    approve.execute_complete(context(instance), answer, **waiting.value.kwargs)
    assert kept == [(DIGEST, "approved", ("101", "anita"), "airflow")]
    assert instance.xcoms == {}, "evidence of an answer is nowhere that an editor of the DAG can write"


@pytest.mark.parametrize(("timed_out", "told"), [(False, "rejected"), (True, "unanswered")])
def test_a_no_and_a_silence_are_told_apart_and_skip_the_release(run, kommune, timed_out, told):
    from airflow.sdk import DAG

    with DAG("kommune_haugesund", schedule=None):
        approve = operators.GuardApproval(task_id="approve", kommune=kommune)
        approve >> operators.Step(task_id="release", kommune=kommune)
    instance = Instance()
    no = {
        "chosen_options": ["Reject"],
        "params_input": {},
        "responded_at": datetime(2026, 11, 2, tzinfo=UTC),
        "responded_by_user": None,
        "timedout": timed_out,
    }
    kept = []
    run.answer = lambda job, digest, said, user, channel: kept.append((digest, said, user))
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        approve.execute_complete({**context(instance), "task": approve}, no, digest=DIGEST)
    assert list(skipped.value.tasks) == ["release"]
    assert kept == [(DIGEST, told, None)]


def test_a_run_with_a_failed_step_is_closed_and_ends_red(run, kommune):
    closed = []
    run.close_run = lambda job, failed: closed.append(failed) or {"outcome": "failed"}
    instance = Instance({"extract_hr": "success", "check": "failed", "merge": "upstream_failed"})
    with pytest.raises(AirflowFailException, match="check"):
        operators.CloseRun(task_id="close_run", kommune=kommune).execute(context(instance))
    assert closed == [{"check": None}]


@pytest.mark.parametrize("outcome", ["rejected", "unanswered"])
def test_a_run_that_was_not_approved_is_closed_and_ends_red(run, kommune, outcome):
    closed = []
    run.close_run = lambda job, failed: closed.append(failed) or {"outcome": outcome, "merged": 5}
    instance = Instance({"approve": "success", "release": "skipped"}).at("close_run")
    with pytest.raises(AirflowFailException) as ended:
        operators.CloseRun(task_id="close_run", kommune=kommune).execute(context(instance))
    assert str(ended.value) == report.OUTCOMES[outcome]
    assert closed == [{}]
    assert instance.xcom_pull("close_run", "outcome") == outcome


def test_a_missing_storage_is_said(run, kommune, monkeypatch):
    run.check = lambda job: {}
    monkeypatch.delenv("DATAFLYT_STORAGE")
    with pytest.raises(AirflowFailException, match="DATAFLYT_STORAGE"):
        operators.Step(task_id="check", kommune=kommune).execute(context(Instance()))


def test_a_connection_is_read_as_airflow_keeps_it(monkeypatch):
    monkeypatch.setenv(
        "AIRFLOW_CONN_FREG_X",
        '{"conn_type": "generic", "host": "https://api.example.no/v1", "login": "client", "password": "pem",'
        ' "extra": {"scope": "a:b"}}',
    )
    found = environment.connection("freg_x")
    assert (found.url, found.login, found.password) == ("https://api.example.no/v1", "client", "pem")
    assert found.extra == {"scope": "a:b"}


# --- mails -------------------------------------------------------------------------------------------------------


class Post:
    """A mail server's handler that keeps every mail."""

    def __init__(self) -> None:
        self.given: list[EmailMessage] = []

    async def handle_DATA(self, server, session, envelope):  # noqa: N802
        content = envelope.content.replace(b"\r\n", b"\n")
        self.given.append(email.message_from_bytes(content, policy=email.policy.default))
        self.given[-1]["X-Envelope"] = ", ".join(envelope.rcpt_tos)
        return "250 OK"


def smtp(port: int, **extra: object) -> str:
    extra = {"from_email": "dataflyt@haugesund.kommune.no", "disable_ssl": True, "disable_tls": True, **extra}
    return json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})


@pytest.fixture
def post(monkeypatch) -> Iterator[Post]:
    """A real mail server, Airflow's connection to it, and Airflow's address."""
    handler = Post()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    monkeypatch.setenv("AIRFLOW_CONN_POST", smtp(port))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.no/sti/")
    yield handler
    controller.stop()


@pytest.fixture
def told(kommune) -> Kommune:
    """A kommune with addresses in its file."""
    return kommune.model_copy(update={"mail": Mail(to=("drift@example.no", "it@example.no"), connection="post")})


@pytest.fixture
def asking(run, monkeypatch):
    """Let the guard have a question; return the question that Airflow got."""
    asked = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **detail: asked.append(detail)
    )
    body = "**Dette vil endres:**\n\n- Elever som begynner: 12\n\nSe `dataflyt plan haugesund --run 7`."
    run.question = lambda job, pages: SimpleNamespace(
        subject="Godkjenne kjøring 7 for Haugesund (1106)?", body=body, digest=DIGEST
    )
    run.answer = lambda *given: None
    return asked


ANSWER = {
    "chosen_options": ["Approve"],
    "params_input": {},
    "responded_at": datetime(2026, 11, 2, tzinfo=UTC),
    "responded_by_user": {"id": "101", "name": "anita"},
}


def closed(instance, kommune):
    """Let ``close_run`` run, and then Airflow's callback for a failed DAG run."""
    close_run = operators.CloseRun(task_id="close_run", kommune=kommune)
    ended = {
        **context(instance.at("close_run"), close_run),
        "dag": SimpleNamespace(get_task={"close_run": close_run}.get),
    }
    try:
        close_run.execute(ended)
    except AirflowException:
        last = sorted(task for task, state in {**instance.states, "close_run": "failed"}.items() if state == "failed")[
            -1
        ]
        mails.tell_ended({**ended, "ti": instance.at(last), "task": None})


def no_person(message: EmailMessage) -> None:
    everything = message.as_string() + message.get_content()
    assert SECRET not in everything
    assert APPROVERS not in everything


def test_those_the_file_names_are_told_that_a_run_waits_for_an_answer(asking, told, post):
    with pytest.raises(TaskAwaitingInput):
        operators.GuardApproval(task_id="approve", kommune=told).execute(context(Instance()))
    assert len(asking) == 1
    (message,) = post.given
    assert message["X-Envelope"] == "drift@example.no, it@example.no"
    assert message["From"] == "dataflyt@haugesund.kommune.no"
    assert message["Subject"] == "Godkjenne kjøring 7 for Haugesund (1106)?"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "text/plain"
    body = message.get_content()
    assert "Dette vil endres:\n\n- Elever som begynner: 12" in body
    assert "*" not in body
    assert f"innen 5 døgn:\n{PAGE}/tasks/approve/required_actions\n" in body
    no_person(message)


def test_a_task_that_airflow_runs_anew_does_not_tell_twice_of_the_same_question(asking, told, post):
    approve = operators.GuardApproval(task_id="approve", kommune=told)
    once = context(Instance(), approve)
    for _ in range(2):
        with pytest.raises(TaskAwaitingInput):
            approve.execute(once)
    assert (len(asking), len(post.given)) == (2, 1)
    approve.execute_complete(once, ANSWER, digest=DIGEST)
    with pytest.raises(TaskAwaitingInput):  # somebody clears the task, long after
        approve.execute(once)
    assert len(post.given) == 2


def test_a_run_that_stops_is_told_of_with_the_sentence_of_each_step(run, told, post):
    def stopped(sentence):
        def step(job):
            raise CheckFailed(sentence)

        return step

    run.extract_hr, run.check = stopped("HR-filen er tom."), stopped("Tabellen mangler elever.")
    instance = Instance({"extract_sas": "success", "extract_hr": "failed", "check": "failed", "merge": "failed"})
    for name in ("extract_hr", "check"):
        with pytest.raises(AirflowFailException):
            operators.Step(task_id=name, kommune=told).execute(context(instance.at(name)))
    run.close_run = lambda job, failed: {"outcome": "failed", "received": 4000}
    closed(instance, told)
    (message,) = post.given
    assert message["Subject"] == "Haugesund (1106): kjøringen stoppet i «Kontroller», «Hent fra HR», «Flett»"
    body = message.get_content()
    assert "- Kontroller: Tabellen mangler elever.\n- Hent fra HR: HR-filen er tom.\n- Flett: sa ikke hvorfor" in body
    assert "Kjøringen stoppet. Ingenting er endret" in body
    assert PAGE + "\n" in body
    no_person(message)


def test_what_a_library_said_about_a_person_is_not_mailed(run, told, post):
    def merge(job):
        raise KeyError(SECRET)

    run.merge = merge
    instance = Instance({"merge": "failed"})
    with pytest.raises(AirflowFailException):
        operators.Step(task_id="merge", kommune=told).execute(context(instance.at("merge")))
    run.close_run = lambda job, failed: {"outcome": "failed"}
    closed(instance, told)
    assert "- Flett: Unexpected KeyError in" in post.given[0].get_content()
    no_person(post.given[0])


@pytest.mark.parametrize(
    ("answer", "subject", "said"),
    [
        ("rejected", "kjøringen ble avvist", "Kjøringen ble avvist."),
        ("unanswered", "kjøringen ble ikke besvart i tide", "Ingen svarte i tide."),
    ],
)
def test_a_no_and_a_silence_are_told_of_with_what_would_have_changed(run, told, post, answer, subject, said):
    run.close_run = lambda job, failed: {"outcome": answer}
    instance = Instance(
        {"release": "skipped"},
        approve_answer=answer,
        merge_return_value={"asks": 1, "pupil_leaves": 31, "protection_raised": 77},
    )
    closed(instance, told)
    (message,) = post.given
    assert message["Subject"] == f"Haugesund (1106): {subject}"
    body = message.get_content()
    assert said in body
    assert "Dette ville den ha endret:\n- Elever som slutter: 31\n\n" in body
    assert "77" not in body
    assert PAGE + "\n" in body
    no_person(message)


def test_pupils_who_are_held_back_are_told_of_at_once(run, told, post):
    run.close_run = lambda job, failed: {"outcome": "released", "held_pupils": 3}
    closed(Instance({"merge": "success"}), told)
    (message,) = post.given
    assert message["Subject"] == "Haugesund (1106): 3 elever holdes tilbake til noen har bestemt"
    assert "dataflyt worklist" in message.get_content()
    no_person(message)


@pytest.mark.parametrize("outcome", ["released", "planned"])
def test_a_run_that_went_as_it_should_is_not_told_of(run, told, post, outcome):
    run.close_run = lambda job, failed: {"outcome": outcome}
    closed(Instance({"merge": "success"}), told)
    assert post.given == []


def test_a_run_that_could_not_be_closed_is_told_of(run, told, post):
    def close_run(job, failed):
        raise SourceUnavailable("Varehuset svarer ikke.")

    run.close_run = close_run
    closed(Instance({"merge": "success"}), told)
    body = post.given[0].get_content()
    assert post.given[0]["Subject"] == "Haugesund (1106): kjøringen stoppet i «Gjør opp»"
    assert "Kjøringen er ikke gjort opp." in body
    assert "- Gjør opp: Varehuset svarer ikke." in body


def test_a_run_whose_last_step_was_killed_is_told_of(run, told, post):
    def close_run(job, failed):
        raise AssertionError("it was killed before")

    run.close_run = close_run
    close_task = operators.CloseRun(task_id="close_run", kommune=told)
    instance = Instance({"check": "failed", "close_run": "failed"}, check_sentence="Tabellen er tom.")
    mails.tell_ended({"ti": instance.at("check"), "dag": SimpleNamespace(get_task={"close_run": close_task}.get)})
    body = post.given[0].get_content()
    assert "Kjøringen er ikke gjort opp." in body
    assert "- Kontroller: Tabellen er tom.\n- Gjør opp: sa ikke hvorfor; det står i loggen.\n" in body


def test_a_kommune_whose_file_names_nobody_mails_nobody(asking, run, kommune, post, caplog):
    with pytest.raises(TaskAwaitingInput):
        operators.GuardApproval(task_id="approve", kommune=kommune).execute(context(Instance()))
    run.close_run = lambda job, failed: {"outcome": "failed"}
    closed(Instance({"check": "failed"}), kommune)
    assert post.given == []
    assert not [record for record in caplog.records if record.name == mails.__name__]


@pytest.mark.parametrize(
    ("connection", "said"),
    [
        (smtp(1), "No mail was sent by post: ConnectionRefusedError"),
        (smtp(1, from_email=None), "No mail was sent by post: ConnectionRefusedError"),
        (None, "No mail was sent by post: Airflow"),
    ],
)
def test_a_mail_server_that_is_down_is_a_line_in_the_log_and_hides_nothing(
    asking, run, told, post, monkeypatch, caplog, connection, said
):
    if connection:
        monkeypatch.setenv("AIRFLOW_CONN_POST", connection)
    else:
        monkeypatch.delenv("AIRFLOW_CONN_POST")
    with pytest.raises(TaskAwaitingInput):
        operators.GuardApproval(task_id="approve", kommune=told).execute(context(Instance()))
    run.close_run = lambda job, failed: {"outcome": "failed"}
    close_run = operators.CloseRun(task_id="close_run", kommune=told)
    ended = context(Instance({"check": "failed"}, "close_run"), close_run)
    ended["dag"] = SimpleNamespace(get_task={"close_run": close_run}.get)
    with pytest.raises(AirflowFailException, match="stoppet i check"):
        close_run.execute(ended)
    mails.tell_ended(ended)
    warnings = [record for record in caplog.records if record.name == mails.__name__]
    assert [said in record.getMessage() for record in warnings] == [True, True]
    assert "example.no" not in caplog.text
    assert not [record for record in warnings if record.exc_info]


def test_a_connection_without_a_sender_says_so(run, told, post, monkeypatch, caplog):
    port = json.loads(os.environ["AIRFLOW_CONN_POST"])["port"]
    monkeypatch.setenv("AIRFLOW_CONN_POST", smtp(port, from_email=None))
    run.close_run = lambda job, failed: {"outcome": "failed"}
    closed(Instance({"check": "failed"}), told)
    assert post.given == []
    assert "The Airflow connection post has no from_email" in caplog.text


# --- deadlines ---------------------------------------------------------------------------------------------------


@pytest.fixture
def late(monkeypatch, tmp_path):
    """Let a deadline pass for a run and tasks in the given states; None: Airflow cannot tell the tasks' states."""
    text = (KOMMUNER / "haugesund.yaml").read_text("utf-8")
    (tmp_path / "haugesund.yaml").write_text(text + "\nmail: {to: [drift@example.no], connection: post}\n", "utf-8")
    monkeypatch.setenv("DATAFLYT_KOMMUNER", str(tmp_path))

    def pass_by(state, tasks):
        def states(dag_id, run_ids):
            if tasks is None:
                raise ConnectionError(SECRET)
            return {run_ids[0]: tasks}

        monkeypatch.setattr("airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states", states)
        run = {"dag_id": "kommune_haugesund", "dag_run_id": RUN, "state": state}
        passed = {"dag_run": run, "deadline": {"id": "1", "deadline_time": "2026-11-01T06:00:00Z"}}
        asyncio.run(mails.tell_if_late("haugesund", passed))

    return pass_by


def test_the_deadline_is_the_files_hour_counted_from_when_the_run_was_due(kommune):
    at = kommune.schedule.model_copy(update={"at": "22:30", "done_by": "06:00"})
    (alert,) = mails.deadlines(kommune.model_copy(update={"schedule": at}))
    assert alert.interval == timedelta(hours=7, minutes=30)
    assert alert.reference.serialize_reference() == {"reference_type": "DagRunLogicalDateDeadline"}
    assert alert.callback.path == "dataflyt.on_airflow.mails.tell_if_late"
    assert alert.callback.kwargs == {"kommune": "haugesund"}, "no address in Airflow's database"
    never = at.model_copy(update={"done_by": None})
    assert mails.deadlines(kommune.model_copy(update={"schedule": never})) == []


@pytest.mark.parametrize(
    ("state", "tasks", "said", "page"),
    [
        ("running", {"merge": "success", "approve": "awaiting_input"}, "Den venter på svar fra en godkjenner.", True),
        (
            "running",
            {"extract_hr": "up_for_retry"},
            "Noe svarte ikke; «Hent fra HR» prøves på nytt av seg selv.",
            False,
        ),
        ("running", {"extract_hr": "success", "check": "running"}, "Den er kommet til «Kontroller».", False),
        ("queued", {}, "Den har ikke begynt.", False),
        ("running", None, "og er det ikke.", False),
    ],
)
def test_a_late_run_is_told_of_with_what_it_is_doing(late, post, state, tasks, said, page):
    late(state, tasks)
    (message,) = post.given
    assert message["Subject"] == "Haugesund (1106): kjøringen er ikke ferdig i tide"
    body = message.get_content()
    assert "skulle ha vært ferdig søndag 1.11. kl. 07.00" in body
    assert said in body
    assert PAGE + ("/tasks/approve/required_actions\n" if page else "\n") in body
    no_person(message)


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_that_has_ended_is_not_late(late, post, state):
    late(state, {})
    assert post.given == []


def test_a_late_run_of_a_kommune_that_names_nobody_or_whose_file_is_broken_tells_nobody(late, post, tmp_path, caplog):
    file = tmp_path / "haugesund.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.partition("\nmail:")[0], "utf-8")
    late("running", {})
    file.write_text(text.replace("every: week", "every: fortnight"), "utf-8")
    late("running", {})
    assert post.given == []
    assert "haugesund.yaml, linje" in caplog.text


def test_the_storage_may_be_where_airflow_has_no_provider_for_it(tmp_path):
    from airflow.sdk import ObjectStoragePath
    from upath import UPath

    for address in (str(tmp_path), tmp_path.as_uri()):
        assert isinstance(environment.storage_path(address), ObjectStoragePath)
    elsewhere = environment.storage_path("memory://bucket/dataflyt")
    assert isinstance(elsewhere, UPath)
    assert not isinstance(elsewhere, ObjectStoragePath)
    (elsewhere / "reports" / "run.json").write_bytes(b"{}")
    with (elsewhere / "reports" / "run.json").open("rb") as file:
        assert file.read() == b"{}"


def test_a_bucket_without_a_connection_has_one_file_system_whatever_providers_there_are(monkeypatch):
    import airflow.sdk.io
    from airflow.sdk import ObjectStoragePath

    monkeypatch.setattr(airflow.sdk.io, "has_fs", lambda scheme: True)  # as with Airflow's Amazon provider
    assert not isinstance(environment.storage_path("memory://bucket/dataflyt"), ObjectStoragePath)
    assert isinstance(environment.storage_path("s3://storage@bucket/dataflyt"), ObjectStoragePath)


WORK = {
    "hr": {"two_in_hr": (3, 1), "employee_without_school": (1200, 0)},
    "vendor": {"file_same": (1, 1)},
}


def _listed(told: Kommune, **more: object) -> Kommune:
    work = WorkList(mail={"hr": ("hr@example.no",), "school_office": ("skole@example.no",)}, connection="post", **more)
    return told.model_copy(update={"work_list": work})


def test_on_its_day_each_corrector_of_the_file_gets_counts_and_a_link_and_no_name(told, post, monkeypatch):
    monkeypatch.setattr("dataflyt.operations.work_list.counts_by_owner", lambda kommune, environment: WORK)
    listed, monday = _listed(told), date(2026, 11, 23)
    assert mails.tell_work_lists([told, listed], None, monday).counts == {"mails": 1}
    (message,) = post.given
    assert message["X-Envelope"] == "hr@example.no", "who has nothing to correct gets no mail"
    assert message["Subject"] == "Haugesund (1106): arbeidslisten for Lønn og personal (HR)"
    body = message.get_content()
    assert "- Folk med to ansattnumre i HR: 3, 1 nye\n" in body
    assert "- Ansatte i skolesystemet uten stilling ved en skole i HR: 1\u202f200\n" in body
    assert "https://airflow.example.no/sti/dags/kommune_haugesund\n" in body
    no_person(message)
    for day in range(1, 7):
        assert mails.tell_work_lists([listed], None, monday + timedelta(days=day)).counts == {"mails": 0}
    assert mails.tell_work_lists([_listed(told, day="friday")], None, monday + timedelta(days=4)).counts == {"mails": 1}


def test_trouble_with_one_kommunes_list_stops_no_other_mail_and_is_not_tried_again(told, post, monkeypatch):
    def counts(kommune, environment):
        if kommune.id == "nede":
            raise SourceUnavailable("Varehuset svarer ikke.")
        return WORK

    monkeypatch.setattr("dataflyt.operations.work_list.counts_by_owner", counts)
    listed = _listed(told)
    outcome = mails.tell_work_lists([listed.model_copy(update={"id": "nede"}), listed], None, date(2026, 11, 23))
    assert (outcome.counts, len(post.given)) == ({"mails": 1}, 1)
    (trouble,) = outcome.trouble
    assert (trouble.sentence, type(trouble)) == ("nede: Varehuset svarer ikke.", DataflytError)


def test_a_nightly_run_that_somebody_starts_by_hand_mails_nobody():
    task = operators.WorkListMails(task_id="mail_work_lists")
    by_hand = {"dag_run": SimpleNamespace(run_type="manual")}
    assert task.execute(by_hand) == {"mails": 0}
