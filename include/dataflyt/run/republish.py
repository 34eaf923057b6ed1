"""Write a kommune's publication anew when its state (``publishing.state``) has changed, and deliver it."""

from dataclasses import replace

from sqlalchemy import Connection, text

from dataflyt.config.kommune import Kommune
from dataflyt.exports import publishing
from dataflyt.exports.delivery import PATIENCE, Told
from dataflyt.run.deliver import deliver_published
from dataflyt.run.environment import Environment
from dataflyt.run.job import Job
from dataflyt.storage import database
from dataflyt.warehouse import golden, runs, veto, vetoed_views


def republish(kommune: Kommune, environment: Environment, *, patience: float = PATIENCE) -> list[Told]:
    """Write the publication anew when its state has changed, deliver it, and return what came of each delivery.

    A recipient that does not answer is no error here: it is tried again with the next call, every hour. What takes
    somebody out of the exports waits for no recipient. ``patience`` is for how many seconds a place may be silent.
    """
    write_anew(kommune, environment)
    return deliver_published(kommune, environment, patience=patience)


def write_anew(kommune: Kommune, environment: Environment) -> None:
    """Write the publication anew when the state that it was written from has changed.

    Do nothing when nothing is published. The published run is written, even when a newer run is released whose files
    did not pass. In place of a published run that has been undone, the newest released run is written. A kommune that
    is on trial again is written too: protection does not wait for the trial to end. Repeating it does nothing.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    folder = environment.folder("exports") / kommune.id
    with database.transaction(db, kommune.id) as connection:
        publishing.put_forward(connection, kommune.id, folder)
        published = publishing.published(connection, kommune.id)
        if published is None:
            return
        learn_overrides(connection, kommune, environment)
        run = runs.get(connection, kommune.id, published.run)
        if run.state == "undone":
            run = runs.get(connection, kommune.id, runs.released_before(connection, kommune.id))
        if published.state == publishing.state(connection, kommune, run.number, environment.day(run.as_of)):
            return
        publishing.publish(connection, kommune, run, environment, must_pass=False)
    with database.transaction(db, kommune.id) as connection:
        publishing.put_forward(connection, kommune.id, folder, just_written=True)


def learn_overrides(connection: Connection, kommune: Kommune, environment: Environment) -> None:
    """Write the vetoes of overrides that no run has seen yet: over the people, their households and their access.

    A run writes them only after FREG has answered. A decision must not wait for that.
    """
    owner = kommune.id
    released, newest = runs.released_before(connection, owner), runs.newest(connection, owner)
    if not newest:
        return  # nobody is known yet; the first run learns them
    now = vetoed_views.views(connection, owner, released, "now_")
    if not connection.scalar(text(_OVERRIDES_NOT_LEARNED), {"owner": owner}):
        return
    job = Job(kommune, runs.get(connection, owner, newest), environment)
    views = golden.views_of_history(connection, owner)
    # Computed as the next run will compute it: an override may be about that golden record.
    computed = golden.compute(views, replace(job.golden_inputs, run=newest + 1), for_vetoes=True)
    veto.learn(computed, now, kommune.guard, answered=None, outside_run=newest)


_OVERRIDES_NOT_LEARNED = """
select exists (
    select from control.override o
    where o.owner = :owner and o.field = 'adressebeskyttelse' and o.ended_at is null and not exists (
        select from now_protection x
        where x.known_level >= case o.value when 'fortrolig' then 2 else 3 end and (
            x.person_id = o.person_id
            or x.person_id in (select k.other_id from now_kin k where k.person_id = o.person_id)
        )
    )
)
"""
