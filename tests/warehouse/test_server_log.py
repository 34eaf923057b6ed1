"""The log of a server that logs every statement with its parameters has nothing about people, and no key."""

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import make_url

from dataflyt.accounts import day_one
from dataflyt.storage.database import engine
from simulator.model import Person
from tests.installation.fixtures import Installation, _libpq
from tests.installation.test_events import Lane


@pytest.fixture
def logged(installation: Installation) -> Callable[[], str]:
    """Log every statement from now on, and errors as the server does by default; return the log."""
    name = str(make_url(installation.warehouse_url).database)
    with psycopg.connect(_libpq(make_url(installation.admin_url)), autocommit=True) as admin:
        for setting in ("log_min_duration_statement = 0", "log_error_verbosity = 'default'"):
            admin.execute(f"alter database {name} set {setting}")  # type: ignore[arg-type]
        found = admin.execute("select setting from pg_settings where name = 'data_directory'").fetchone()
    assert found
    log = Path(found[0]) / "log"
    begins = log.stat().st_size

    def read() -> str:
        with log.open("rb") as file:
            file.seek(begins)
            said = file.read().decode("utf-8", "replace")
        # The later lines of a statement begin with a tab.
        return "\n".join(entry for entry in re.split(r"\n(?!\t)", said) if entry.startswith(f"{name} "))

    return read


def _personal(people: list[Person]) -> set[str]:
    """Return people's numbers, names, addresses, e-mails and phones."""
    found = set()
    for person in people:
        said = [person.number, person.old_number, person.given, person.middle, person.family]
        if person.home:
            said += [f"{person.home.adressenavn} {person.home.husnummer}", person.home.matrikkel_id]
        if person.contact:
            said += [value for value in vars(person.contact).values() if isinstance(value, str) and not value.isalpha()]
        found |= {value for value in said if value and len(value) > 6}
    return found


@pytest.mark.long
def test_a_server_that_logs_every_statement_is_told_of_no_person_and_no_key(
    installation: Installation, logged: Callable[[], str]
) -> None:
    lane = Lane(installation)
    installation.run()
    lane.run()
    child = next(p.person for p in installation.registers.world.pupils if p.person and not p.person.cases)
    child.family = "Loggfritt"
    lane.protect(child)
    lane.run()
    file = installation.storage / "katalog.ldif"
    file.write_text(installation.ldif(), encoding="utf-8")
    proposal = day_one.propose(engine(installation.warehouse_url), installation.kommune, file, lambda _: None)
    assert proposal.counts
    said = logged()
    assert "insert into control.run" in said
    assert "insert into control.approval" in said
    assert "Parameters: " in said
    values = _personal(list(installation.registers.world.persons.values()))
    assert len(values) > 500
    assert not {value for value in values if value in said}
    url = make_url(installation.warehouse_url)
    keys = [key for (key,) in installation.query("select secret from control.owner")]
    with psycopg.connect(_libpq(url.set(username="dataflyt_events"))) as reader:
        keys += [key for (key,) in reader.execute("select secret from events.key")]
    secret = [*keys, *(approver.name for approver in installation.kommune.approvers)]
    secret += installation.registers.private_key.splitlines()[1:-1]
    assert not [part for part in secret if part in said]
