"""A transaction to look people up in, and the run that a date means."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.errors import ConfigError
from dataflyt.formats.dates import OSLO
from dataflyt.run.environment import Environment
from dataflyt.storage import database
from dataflyt.warehouse import runs, vetoed_views
from dataflyt.warehouse.vetoed_views import Views


@dataclass(frozen=True)
class Looking:
    """The golden record as it holds now, and as the run ``then`` has it under the vetoes of now (the same if newest).

    ``days`` has the day in Norway of each run that stands, up to ``then``.
    """

    connection: Connection
    kommune: Kommune
    now: Views
    then: Views
    days: dict[int, date]


@contextmanager
def looking(
    kommune: Kommune,
    environment: Environment,
    *,
    at: date | None = None,
    run: int | None = None,
    whole: bool = False,
) -> Iterator[Looking]:
    """Open a transaction on the released golden record, now and at ``run``, or at the run that held on the day ``at``.

    ``whole`` is for readers of whole tables, and makes the views as ``vetoed_views.views`` does with it.

    Raises ConfigError where no released run is meant. Vetoes, blocks and overrides are those of now in both.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id, lock=False) as connection:
        if not whole:  # One person is read, by indexes: the loops that a merge must not use are right here.
            connection.execute(text("set local enable_nestloop = on"))
        days = _days(connection, kommune.id)
        if not days:
            raise ConfigError(f"{kommune.display_name} har ikke frigitt noen kjøring ennå: der er ingen å slå opp.")
        meant = _meant(kommune, days, at, run)
        day = environment.day(runs.get(connection, kommune.id, max(days)).as_of)
        hold = kommune.pupils_without_number == "ask"
        now = vetoed_views.views(connection, kommune.id, max(days), "now_", day=day, hold_unasked=hold, whole=whole)
        then = now
        if meant != now.run:
            then = vetoed_views.views(connection, kommune.id, meant, "then_", day=day, hold_unasked=hold, whole=whole)
        yield Looking(connection, kommune, now, then, {one: day for one, day in days.items() if one <= meant})


def _days(connection: Connection, owner: str) -> dict[int, date]:
    found = connection.execute(
        text("select run, as_of from control.run where owner = :owner and state = 'released' order by run"),
        {"owner": owner},
    )
    return {run: as_of.astimezone(OSLO).date() for run, as_of in found}


def _meant(kommune: Kommune, days: dict[int, date], at: date | None, run: int | None) -> int:
    if run is not None:
        if run not in days:
            raise ConfigError(f"{kommune.display_name} har ingen frigitt kjøring {run}: den nyeste er {max(days)}.")
        return run
    held = [one for one, day in days.items() if at is None or day <= at]
    if not held:
        raise ConfigError(
            f"{kommune.display_name} hadde ikke frigitt noen kjøring den dagen: den første er fra "
            f"{days[min(days)]:%d.%m.%Y}."
        )
    return max(held)
