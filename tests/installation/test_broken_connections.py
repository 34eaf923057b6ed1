"""When the warehouse's connections break, Airflow tries again, and the run ends as if nothing had happened."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, make_url, text

from dataflyt.errors import SourceUnavailable
from dataflyt.storage import database
from tests.installation.fixtures import Installation, _libpq
from tests.on_airflow.test_operators import Instance, Store

from dataflyt.on_airflow import operators  # isort: skip  # after AIRFLOW_HOME is set
from dataflyt.on_airflow.safely import TryLater  # isort: skip

pytestmark = pytest.mark.new_connections

STEPS = (
    *("extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check", "merge"),
    *("approve", "release", "publish", "deliver", "close_run"),
)


class Cutter:
    """Closes every connection of the kommune's role when the ``at``-th statement begins, or while it runs."""

    def __init__(self, installation: Installation) -> None:
        self.database = make_url(installation.warehouse_url).database
        self.admin = psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True)
        self.at = 0
        self.delay = 0.0
        self.cutting: threading.Thread | None = None

    def cut(self) -> None:
        time.sleep(self.delay)
        self.admin.execute(
            "select pg_terminate_backend(pid, 2000) from pg_stat_activity "
            "where datname = %s and usename = 'kommune_haugesund'",
            [self.database],
        )

    def before(self, *_: object) -> None:
        self.at -= 1
        if self.at == 0:
            self.cutting = threading.Thread(target=self.cut)
            self.cutting.start()
            if not self.delay:
                self.cutting.join()

    @contextmanager
    def armed(self, at: int, delay: float) -> Iterator[None]:
        self.at, self.delay, self.cutting = at, delay, None
        event.listen(Engine, "before_cursor_execute", self.before)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", self.before)
            if self.cutting:
                self.cutting.join()


@pytest.mark.long
@pytest.mark.after_first_run
def test_a_run_whose_connections_break_in_every_step_is_tried_again_until_it_is_published(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = next(p.person for p in installation.registers.world.pupils if p.person and not p.person.cases)
    child.family = "Avbruddsen"
    monkeypatch.setattr("dataflyt.on_airflow.environment.run_environment", lambda: installation.environment)
    kommune = installation.kommune.model_copy(update={"mail": None})
    kinds: dict[str, Any] = {"approve": operators.GuardApproval, "close_run": operators.CloseRun}
    seed = random.randrange(10**6)
    chance, cutter, broken = random.Random(seed), Cutter(installation), 0
    for name in STEPS:
        task = kinds.get(name, operators.Step)(task_id=name, kommune=kommune)
        for most in (8, 150):
            at, delay = chance.randint(1, most), chance.choice((0.0, chance.random() / 50))
            ti = Instance(task_id=name)
            context = {
                "ti": ti,
                "dag_run": SimpleNamespace(run_id="broken", run_after=datetime(2026, 11, 24, 3, tzinfo=UTC)),
                "params": {},
                "task_state_store": Store(),
            }
            where = f"seed {seed}: {name}, {delay} after statement {at} began"
            stopped: list[Exception] = []
            try:
                with cutter.armed(at, delay):
                    task.execute(context)  # type: ignore[arg-type]
            except Exception as error:
                stopped.append(error)
            for error in stopped:
                broken += 1
                assert isinstance(error, TryLater), f"{where}: {error}"
                assert str(error).startswith("Varehuset svarer ikke"), where
        task.execute(context)  # type: ignore[arg-type]
    assert broken >= len(STEPS), f"seed {seed}"
    assert "Avbruddsen" in installation.ldif()


def test_what_passes_by_itself_is_told_from_what_does_not_and_keeps_its_sqlstate(installation: Installation) -> None:
    name = make_url(installation.warehouse_url).database
    warehouse = database.engine(installation.warehouse_url)

    def fail(*statements: str, pause: float = 0) -> Any:
        try:
            with database.transaction(warehouse, "haugesund") as connection:
                for statement in statements:
                    connection.execute(text(statement))
                    time.sleep(pause)
        except SourceUnavailable as stopped:
            return stopped
        raise AssertionError("it did not fail")

    with psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True) as admin:
        slow = fail("set local statement_timeout = 20", "select pg_sleep(5)")
        assert slow.facts["sqlstate"] == "57014"
        assert "statement_timeout" in slow.sentence
        idle = fail("set local idle_in_transaction_session_timeout = 50", "select 1", "select 1", pause=0.2)
        assert idle.facts["sqlstate"] == "25P03"
        assert "idle_in_transaction_session_timeout" in idle.sentence
        lost = fail("select pg_terminate_backend(pg_backend_pid())", "select 1")
        assert lost.facts["sqlstate"] == "57P01"
        reading = fail("set transaction read only", "create table staging_haugesund.x ()")
        assert reading.facts["sqlstate"] == "25006"
        assert "kopi" in reading.sentence
        admin.execute(f"alter database {name} connection limit 0")  # type: ignore[arg-type]
        full = fail("select 1")
        assert full.facts["sqlstate"] == "53300"
        assert "ingen ledig tilkobling" in full.sentence
    refused = make_url(installation.warehouse_url).set(host="127.0.0.1", port=1, query={})
    with (
        pytest.raises(SourceUnavailable, match="svarer ikke"),
        database.transaction(database.engine(refused.render_as_string()), "haugesund"),
    ):
        pass


def test_a_role_that_is_to_be_patient_is_so_whatever_the_server_has_for_others(installation: Installation) -> None:
    hurried = {"statement_timeout": "300ms", "idle_in_transaction_session_timeout": "300ms", "lock_timeout": "50ms"}
    name = make_url(installation.warehouse_url).database
    with psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True) as admin:
        for setting, value in hurried.items():
            admin.execute(f"alter database {name} set {setting} = '{value}'")  # type: ignore[arg-type]
    with database.transaction(database.engine(installation.warehouse_url), "haugesund") as connection:
        connection.execute(text("select pg_sleep(0.5)"))
        time.sleep(0.5)
        assert connection.scalar(text("select current_setting('lock_timeout')")) == "0"


def test_what_was_committed_while_waiting_for_the_lock_is_seen_whatever_the_role_is_set_to(
    installation: Installation,
) -> None:
    name = make_url(installation.warehouse_url).database
    with psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True) as admin:
        for setting in (
            "default_transaction_isolation = 'repeatable read'",
            "datestyle = 'German'",
            "row_security = off",
            "standard_conforming_strings = off",
        ):
            admin.execute(f"alter database {name} set {setting}")  # type: ignore[arg-type]
        warehouse, seen = database.engine(installation.warehouse_url), []

        def wait_and_look() -> None:
            with database.transaction(warehouse, "haugesund") as connection:
                seen.extend(connection.execute(text(r"select word, at, word ~ '^\w+$' from staging_haugesund.told")))

        with database.transaction(warehouse, "haugesund") as connection:
            connection.execute(text("create table staging_haugesund.told (word text, at timestamptz)"))
        with database.transaction(warehouse, "haugesund") as connection:
            waiting = threading.Thread(target=wait_and_look)
            waiting.start()
            asked = "select count(*) from pg_stat_activity where datname = %s and wait_event = 'advisory'"
            while admin.execute(asked, [name]).fetchone() != (1,):
                time.sleep(0.01)
            connection.execute(text("insert into staging_haugesund.told values ('veto', '2026-11-24 12:00+00')"))
        waiting.join()
    assert seen == [("veto", datetime(2026, 11, 24, 12, tzinfo=UTC), True)]
