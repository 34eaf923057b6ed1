"""A run that is killed in the middle of a step and run again ends as if nothing had happened."""

import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import psycopg
import pytest
from sqlalchemy import make_url, text

from dataflyt.config.connections import Connection
from dataflyt.exports import publishing
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.run.republish import republish
from dataflyt.warehouse import merge as merging
from tests.installation.fixtures import Installation, _libpq, approve_and_release

pytestmark = pytest.mark.new_connections  # a process that is forked off must not share them

BEFORE_MERGE = ("extract_sas", "extract_hr", "extract_freg", "extract_krr", "withdraw", "check")


def _killed(step: Callable[[], object]) -> None:
    """Run a step in a process of its own that is killed with SIGKILL before it ends."""
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            step()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def _kill_self(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _copy_of(installation: Installation, name: str) -> str:
    """Copy the warehouse; return the copy's URL for the kommune's role."""
    admin = make_url(installation.admin_url)
    original = make_url(installation.warehouse_url).database
    with psycopg.connect(_libpq(admin), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name}")
        connection.execute(f"create database {name} template {original} owner dataflyt")
    return make_url(installation.warehouse_url).set(database=name).render_as_string(hide_password=False)


def _drop(installation: Installation, name: str) -> None:
    with psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.mark.after_first_run
@pytest.mark.parametrize("moment", ["_merge", "merge_golden"])
def test_a_merge_that_is_killed_and_run_again_leaves_the_same_rows(
    installation: Installation, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = next(p.person for p in installation.registers.world.pupils if p.person and not p.person.cases)
    child.family = "Nyttnavn"
    job = installation.open()
    installation.steps(job, *BEFORE_MERGE)
    copy = f"copy_{make_url(installation.warehouse_url).database}"
    copy_url = _copy_of(installation, copy)

    with monkeypatch.context() as patched:
        real, calls = merging._merge, []

        def after_some(*arguments: object, **named: object) -> object:
            calls.append(1)
            if len(calls) == 12:
                _kill_self()
            return real(*arguments, **named)  # type: ignore[arg-type]

        patched.setattr(merging, moment, after_some if moment == "_merge" else _kill_self)
        _killed(lambda: merge(job))
    killed = merge(job)

    straight = Installation(
        installation.kommune,
        installation.admin_url,
        copy_url,
        installation.storage,
        installation.registers,
        replace(
            job.environment,
            connect=lambda name: (
                Connection(name, copy_url) if name.startswith("warehouse") else job.environment.connect(name)
            ),
        ),
        installation.runs,
    )
    again = straight.open(f"run-{installation.runs}")
    assert merge(again) == killed
    assert straight.dump() == installation.dump()
    noted = "select report from control.run where run = :run"
    assert straight.query(noted, run=job.run.number) == installation.query(noted, run=job.run.number)
    _drop(installation, copy)


MOMENTS = {
    "while a file is written": ("measured", False),
    "before the manifest": ("write_atomically", True),
    "after the manifest": ("write_atomically", True),
}
"""Each place where a publication is killed, and whether it is then already noted as the one in force."""


@pytest.mark.after_first_run
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_publication_that_is_killed_leaves_nothing_behind_and_the_next_start_goes_on_from_it(
    installation: Installation, moment: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = installation.ldif()
    for pupil in installation.registers.world.pupils[:3]:
        if pupil.person:
            pupil.person.family = "Nyttnavn"
    job = installation.open()
    installation.steps(job, *BEFORE_MERGE)
    merge(job)
    approve_and_release(job)
    name, stands = MOMENTS[moment]
    write = publishing.write_atomically
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(tempfile, "tempdir", str(temporary))
        after = (lambda *said: (write(*said), _kill_self())) if moment.startswith("after") else _kill_self
        patched.setattr(publishing, name, after)
        _killed(lambda: publish(job))
    assert not list(temporary.iterdir())
    assert (installation.ldif() == old) is (not moment.startswith("after"))
    # The step is not run again. An event that changes the publication comes next, or a new run.
    with job.transaction() as connection:
        connection.execute(text("update control.publication set state = 'an event'"))
    republish(installation.kommune, installation.environment)
    assert ("Nyttnavn" in installation.ldif()) is stands
    installation.open()
    exports = installation.storage / "exports" / "haugesund"
    manifest = orjson.loads((exports / "manifest.json").read_bytes())
    known = installation.query("select publication from control.publication where withdrawn_at is null")
    assert (manifest["publication"],) in known
    assert {folder.name for folder in exports.iterdir() if folder.is_dir()} == {name for (name,) in known}
    publish(job)
    published = installation.ldif()
    assert "Nyttnavn" in published
    publish(job)
    assert installation.ldif() == published
