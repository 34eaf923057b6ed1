"""Notices by Apprise, and one notice a cause: a real HTTP receiver, and real Airflow in the last test."""

import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="dataflyt-airflow-"))  # never a developer's home folder
from dataflyt.config.kommune import Mail
from dataflyt.on_airflow import mails, told
from dataflyt.on_airflow.notices import Notice
from dataflyt.operations.causes import of_lines
from tests.on_airflow.running import running_airflow, started, until

TOKEN = "hemmeligToken4711"
NOTICE = Notice("Haugesund (1106): kjøringen stoppet", "Linje én.\n\nSe «kjøringen»: 12 < 13 & *ja*\n")
KEPT = "/api/v2/variables/dataflyt_told"
DOWN = "Folkeregisteret er opptatt eller nede (HTTP 503): Dataflyt prøver igjen."


class Receiver:
    """A server that takes messages as a webhook does, or is silent."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status, self.silence = 200, 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(outer.silence)
                outer.paths.append(self.path)
                outer.given.append(json.loads(body))
                self.send_response(outer.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/{TOKEN}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def connection(*urls: str) -> str:
    config = [{"path": url} for url in urls]
    return json.dumps({"conn_type": "apprise", "extra": {"config": json.dumps(config)}})


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    made = Receiver()
    monkeypatch.setenv("AIRFLOW_CONN_TEAMS", connection(made.url))
    monkeypatch.setenv("AIRFLOW_CONN_DEAD_POST", json.dumps({"conn_type": "smtp", "host": "127.0.0.1", "port": 9}))
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_what_is_mailed_goes_to_apprise_too_in_the_same_words(receiver: Receiver) -> None:
    assert mails.tell(Mail(apprise="teams"), lambda: NOTICE)
    (given,) = receiver.given
    assert (given["title"], given["message"].strip()) == (NOTICE.subject, NOTICE.body.strip())


def test_a_dead_mail_server_does_not_keep_the_message_and_nothing_secret_is_logged(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    assert mails.tell(Mail(to=("drift@example.no",), connection="dead_post", apprise="teams"), lambda: NOTICE)
    assert len(receiver.given) == 1
    assert "No mail was sent by dead_post: ConnectionRefusedError" in caplog.text
    for secret in (TOKEN, "drift@example.no", str(receiver.server.server_port)):
        assert secret not in caplog.text.replace("127.0.0.1:9", "")


@pytest.mark.parametrize("what", ["refused", "silent", "says no", "no address", "unknown address", "broken", "missing"])
def test_a_receiver_that_does_not_take_it_is_a_line_in_the_log_within_the_limit(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, what: str
) -> None:
    monkeypatch.setattr(mails, "PATIENCE", 1.0)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    if what in ("silent", "says no"):
        receiver.silence, receiver.status = (15.0, 200) if what == "silent" else (0.0, 500)
        monkeypatch.setenv("AIRFLOW_CONN_TEAMS", connection(f"{receiver.url}?rto=30&cto=30"))  # Apprise's own patience
    elif what == "missing":
        monkeypatch.delenv("AIRFLOW_CONN_TEAMS")
    else:
        urls = {"refused": [f"json://127.0.0.1:{closed}/{TOKEN}"], "unknown address": [f"finnesikke://{TOKEN}"]}
        text = connection(*urls.get(what, ())) if what != "broken" else '{"conn_type": "apprise"}'
        monkeypatch.setenv("AIRFLOW_CONN_TEAMS", text)
    began = time.monotonic()
    assert mails.tell(Mail(apprise="teams"), lambda: NOTICE) is False
    assert time.monotonic() - began < 6
    assert "No message was sent" in caplog.text
    assert TOKEN not in caplog.text


# --- one notice a cause ------------------------------------------------------------------------------------------


class Kept:
    """Airflow's variables, in memory."""

    def __init__(self) -> None:
        self.value: str | None = None
        self.broken = False

    def get(self, key: str, default: str) -> str:
        if self.broken:
            raise PermissionError(key)
        return self.value or default

    def set(self, key: str, value: str, description: str) -> None:
        if self.broken:
            raise PermissionError(key)
        self.value = value


@pytest.fixture
def fails(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """``fails("bergen: …", hours=1, dag="nightly")`` lets a common DAG fail; returns how many notices there are."""
    kept = Kept()
    at = [datetime(2026, 11, 30, 1, 12, tzinfo=UTC)]
    monkeypatch.setattr(told, "Variable", kept)
    monkeypatch.setattr(told, "datetime", type("Clock", (datetime,), {"now": classmethod(lambda *_: at[0])}))
    monkeypatch.setenv(
        "AIRFLOW_CONN_FREG_EVENTS",
        json.dumps({"conn_type": "freg_events", "host": "https://freg.example.no", "extra": {"apprise": "teams"}}),
    )
    whose = {
        "freg_events": (mails.tell_events_failed, "fast_lane"),
        "nightly": (mails.tell_nightly_failed, "delete_old"),
    }

    def fails(*lines: str, hours: float = 1.0, dag: str = "freg_events", broken: bool = False) -> int:
        at[0] += timedelta(hours=hours)
        kept.broken = broken
        tell, task = whose[dag]
        pull = {task: "\n".join(lines)}.get
        tell({"ti": SimpleNamespace(dag_id=dag, run_id="run", xcom_pull=lambda task_ids, key: pull(task_ids))})
        return len(receiver.given)

    fails.kept = kept  # type: ignore[attr-defined]
    return fails


def test_300_kommuner_with_one_cause_are_one_line_and_one_notice_all_night(
    fails: Callable[..., int], receiver: Receiver
) -> None:
    night = [f"kommune{number}: {DOWN}" for number in range(300)]
    for _ in range(8):
        assert fails(*night) == 1
    assert fails(*[line.replace("503", "502") for line in night[:3]]) == 1
    assert fails(*night[:2], dag="nightly") == 1, "another DAG meets the same cause"
    text = receiver.given[0]["message"]
    assert text.count(DOWN) == 1
    assert "300 kommuner (kommune0, kommune1, kommune2, kommune3, kommune4 og 295 til): " in text


def test_a_new_cause_is_told_while_an_old_one_goes_on(fails: Callable[..., int], receiver: Receiver) -> None:
    assert fails(f"bergen: {DOWN}") == 1
    assert fails(f"bergen: {DOWN}", "asker: Varehuset svarer ikke.") == 2
    text = receiver.given[1]["message"]
    assert "asker: Varehuset svarer ikke." in text
    assert DOWN not in text
    assert "Det som er meldt før, varer ved: 1." in text
    assert "/dags/freg_events/runs/run" in text


def test_a_kommune_that_comes_to_a_cause_of_few_is_told_too(fails: Callable[..., int], receiver: Receiver) -> None:
    doubt = "Svaret fra Folkeregisteret er ikke til å tro."
    assert fails(f"bergen: {doubt}") == 1
    receiver.status = 500
    assert fails(f"bergen: {doubt}", f"asker: {doubt}") == 2
    receiver.status = 200
    assert fails(f"bergen: {doubt}", f"asker: {doubt}") == 3
    assert f"\nasker: {doubt}\n" in receiver.given[2]["message"]
    assert "bergen" not in receiver.given[2]["message"]
    assert fails(f"asker: {doubt}", f"bergen: {doubt}", hours=2) == 3
    assert fails(f"osen: {doubt}", hours=2) == 4
    assert fails(*(f"kommune{number}: {doubt}" for number in range(4))) == 5
    assert fails(*(f"kommune{number}: {doubt}" for number in range(9))) == 5, "it is common to all now"


def test_hundreds_of_causes_are_a_message_that_teams_can_take(fails: Callable[..., int], receiver: Receiver) -> None:
    lines = [f"k{number}: Tilkoblingen freg_{'x' * number} mangler kid." for number in range(300)]
    assert fails(*lines) == fails(*lines) == 1
    assert len(receiver.given[0]["message"]) < 2000
    assert "og 290 til; se loggen" in receiver.given[0]["message"]


def test_a_cause_that_was_over_and_comes_back_is_told_anew(fails: Callable[..., int]) -> None:
    assert fails(f"bergen: {DOWN}") == 1
    assert fails(f"bergen: {DOWN}", hours=2.9) == 1
    assert fails(f"bergen: {DOWN}", hours=3.1) == 2
    assert fails() == 3, "a task that was killed has no sentence"
    assert fails() == 3


def test_a_cause_that_nobody_took_is_told_again(fails: Callable[..., int], receiver: Receiver) -> None:
    receiver.status = 500
    assert fails(f"bergen: {DOWN}") == 1
    receiver.status = 200
    assert fails(f"bergen: {DOWN}") == 2
    assert fails(f"bergen: {DOWN}") == 2


def test_without_the_variable_the_engineers_are_told_every_time(fails: Callable[..., int]) -> None:
    assert [fails(f"bergen: {DOWN}", broken=True) for _ in range(2)] == [1, 2]
    for text in (
        "[",
        '{"a": 1}',
        '[{"said": 1}]',
        '[{"said": "x", "kommuner": [], "told": [], "since": "", "last": "2030"}]',
    ):
        fails.kept.value = text  # type: ignore[attr-defined]
        before = fails(f"asker: {text} {DOWN}")
        assert before == fails(f"asker: {text} {DOWN}"), "the broken text has been replaced"


def test_the_morning_has_what_goes_on_until_it_is_over(fails: Callable[..., int], receiver: Receiver) -> None:
    from dataflyt.operations.digest import Digest

    fails(f"bergen: {DOWN}", f"asker: {DOWN}")
    assert mails.tell_morning(Digest((), 3, 0))
    morning = receiver.given[-1]
    assert morning["title"] == "Dataflyt: noe varer ved i de felles DAG-ene"
    assert f"- 2 kommuner (bergen, asker): {DOWN} Siden 30.11.2026 kl. 03.12." in morning["message"]
    fails("asker: Noe annet.", hours=4)
    assert mails.tell_morning(Digest((), 3, 0))
    assert DOWN not in receiver.given[-1]["message"]


def test_lines_without_a_kommune_are_causes_too() -> None:
    found = of_lines(
        f"Folkeregisterets hendelser: {DOWN} De ble sist lest 30.11.2026.\nbergen: {DOWN}\n\nbergen: {DOWN}"
    )
    assert [len(one.kommuner) for one in found] == [0, 1]


# --- in a real Airflow -------------------------------------------------------------------------------------------


@pytest.mark.long
def test_airflow_tells_once_of_what_fails_twice(receiver: Receiver, tmp_path: Path) -> None:
    kommuner = tmp_path / "kommuner"
    kommuner.mkdir()
    freg = {"conn_type": "freg_events", "host": "https://freg.example.no", "extra": {"apprise": "teams"}}
    environment = {"AIRFLOW_CONN_TEAMS": connection(receiver.url), "AIRFLOW_CONN_FREG_EVENTS": json.dumps(freg)}
    with running_airflow(tmp_path, kommuner, environment) as asking:
        for number in (1, 2, 3):
            at = started(asking, "freg_events", f"by-hand-{number}")
            until(lambda at=at: asking.get(at).json()["state"] == "failed", 180)
            until(lambda: receiver.given, 60)
            until(lambda: asking.get(KEPT).is_success, 60)
        time.sleep(10)  # for the last run's call to the processor
        said = json.loads(asking.get(KEPT).json()["value"])
    (given,) = receiver.given
    assert "warehouse_events" in given["message"]
    assert TOKEN not in given["message"]
    (cause,) = said
    assert cause["last"] > cause["since"]
