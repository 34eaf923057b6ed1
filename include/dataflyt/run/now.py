"""A kommune's released golden record as of now, under vetoes, blocks and the day."""

from datetime import date

from sqlalchemy import Connection

from dataflyt.config.kommune import Kommune
from dataflyt.run.environment import Environment
from dataflyt.warehouse import runs, vetoed_views
from dataflyt.warehouse.vetoed_views import Views


def day_of(connection: Connection, kommune: Kommune, run: int, environment: Environment) -> date:
    """Return the day in Norway as of which a run is read now; of run 0, before the first, today."""
    as_of = runs.get(connection, kommune.id, run).as_of if run else environment.now()
    return environment.day(as_of)


def views_now(connection: Connection, kommune: Kommune, run: int, environment: Environment) -> Views:
    """Make the views ``now_<table>`` of a run (0: nothing yet) as they hold now."""
    day = day_of(connection, kommune, run, environment)
    hold = kommune.pupils_without_number == "ask"
    return vetoed_views.views(connection, kommune.id, run, "now_", day=day, hold_unasked=hold)
