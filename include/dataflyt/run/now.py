"""A kommune's released golden record as of now, under vetoes, blocks and the day."""

from sqlalchemy import Connection

from dataflyt.config.kommune import Kommune
from dataflyt.run.environment import Environment
from dataflyt.warehouse import runs, shown, vetoed_views
from dataflyt.warehouse.vetoed_views import Views


def views_now(
    connection: Connection, kommune: Kommune, run: int, environment: Environment, *, prefix: str = "now_"
) -> Views:
    """Make the views ``<prefix><table>`` and ``<prefix>shown_<what>`` of a run as they hold now."""
    day = environment.day(runs.get(connection, kommune.id, run).as_of)
    hold = kommune.pupils_without_number == "ask"
    views = vetoed_views.views(connection, kommune.id, run, prefix, day=day, hold_unasked=hold)
    shown.views(views)
    return views
