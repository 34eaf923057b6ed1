"""A kommune's run in its environment: the ``Job`` that every step is given, and what several steps do with it."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from sqlalchemy import Connection, Engine

from dataflyt.config.kommune import Kommune
from dataflyt.errors import CheckFailed, NotApproved
from dataflyt.exports import publishing
from dataflyt.formats.dates import OSLO
from dataflyt.run import report
from dataflyt.run.environment import Environment
from dataflyt.run.steps import TITLES
from dataflyt.storage import database
from dataflyt.storage.landing import Landing
from dataflyt.warehouse import runs
from dataflyt.warehouse.golden import GoldenInputs
from dataflyt.warehouse.runs import Run

CLOCKS_DIFFER = timedelta(minutes=10)
"""How far the clocks of two machines may differ."""


@dataclass(frozen=True)
class Job:
    """A kommune's run in its environment: what every step is given.

    ``plan_only``: the run ends with its plan and is never released, like every run of a kommune on trial.
    ``full_reload``: the run is not measured against the run before it, and an approver is always asked.
    """

    kommune: Kommune
    run: Run
    environment: Environment
    plan_only: bool = False
    full_reload: bool = False

    @cached_property
    def db(self) -> Engine:
        """The warehouse, as the kommune's own role."""
        return database.engine(self.environment.connect(self.kommune.warehouse).url)

    @property
    def owner(self) -> str:
        """The kommune's id."""
        return self.kommune.id

    def landing(self, source: str, *, runs_ago: int = 0) -> Landing:
        """Return the folder of a source's raw answers in this run, or in an earlier run."""
        return Landing(self.environment.folder("landing") / self.owner / f"{self.run.number - runs_ago:06d}" / source)

    def transaction(self, *, lock: bool = True) -> AbstractContextManager[Connection]:
        """Open one transaction in the warehouse, under the kommune's lock."""
        return database.transaction(self.db, self.owner, lock=lock)

    @property
    def groups_not_ready(self) -> bool:
        """Whether the schools are still making groups and timetables on the day of this run."""
        return self.kommune.groups_not_ready(self.golden_inputs.today)

    @property
    def golden_inputs(self) -> GoldenInputs:
        """The inputs of this run's golden record."""
        kommune, run = self.kommune, self.run
        return GoldenInputs(
            self.owner,
            run.number,
            run.as_of,
            units=kommune.sources.hr.units,
            positions=kommune.sources.hr.positions,
            accounts=kommune.accounts,
            realm=kommune.feide.realm,
            publish_unasked=kommune.pupils_without_number == "publish",
            renew_user_names=kommune.user_name_at_name_change == "renew",
            resources_need_timetable=kommune.feide.resources_need_timetable,
        )


def open_job(
    kommune: Kommune,
    key: str,
    as_of: datetime,
    environment: Environment,
    *,
    plan_only: bool = False,
    full_reload: bool = False,
) -> Job:
    """Find the run that ``key`` (an Airflow run's id) names, or open it; a new run undoes an unreleased run before it.

    ``as_of`` counts only the first time; ``plan_only`` and ``full_reload`` must be the same each time.

    Raises ConfigError or SourceUnavailable. Raises NotApproved when ``as_of`` is in the future, and when it is before
    the newest released run's, even if that run was undone since: anything that has ended since would begin again.
    """
    db = database.engine(environment.connect(kommune.warehouse).url)
    with database.transaction(db, kommune.id) as connection:
        publishing.put_forward(connection, kommune.id, environment.folder("exports") / kommune.id)
        if not runs.is_known(connection, kommune.id, key):
            _not_turned_back(connection, kommune, as_of, environment.now())
        run = runs.open_run(connection, kommune.id, key, as_of, kommune.version)
        if "stood" not in report.notes(connection, run):
            stands = publishing.published(connection, kommune.id)
            report.note(connection, run, "stood", stands.sizes if stands else {})
    return Job(kommune, run, environment, plan_only or kommune.trial, full_reload)


def _not_turned_back(connection: Connection, kommune: Kommune, as_of: datetime, now: datetime) -> None:
    if as_of > now + CLOCKS_DIFFER:
        raise NotApproved(
            f"Kjøringen skulle gjelde {_in_words(as_of)}, som ikke er kommet ennå: start en ny kjøring uten dato."
        )
    newest = runs.newest_as_of(connection, kommune.id)
    if newest and as_of < newest:
        raise NotApproved(
            f"Kjøringen skulle gjelde {_in_words(as_of)}, men en kjøring for {_in_words(newest)} er frigitt, og tiden "
            "stilles ikke tilbake: start en ny kjøring uten dato."
        )


def _in_words(when: datetime) -> str:
    return f"{when.astimezone(OSLO):%d.%m.%Y kl. %H.%M}"


def is_released(job: Job, *, extracts: bool = False) -> bool:
    """Return whether the run is released: a step before the release then has nothing to do.

    A run that was undone is taken up again at the step where it stopped, if it is still the newest. A step that
    ``extracts`` brings new answers, so ``withdraw`` and ``check`` have to be passed again.
    """
    with job.transaction() as connection:
        released = runs.resume(connection, job.owner, job.run.number) == "released"
        if extracts and not released:
            report.note(connection, job.run, "passed", [])
        return released


def mark_passed(connection: Connection, job: Job, step: str) -> None:
    """Note that a step that may stop the run has not stopped it.

    Airflow's state of the task proves nothing: everybody who may edit the DAG can write it.
    """
    passed = report.notes(connection, job.run).get("passed", [])
    report.note(connection, job.run, "passed", sorted({*passed, step}))


def must_have_passed(connection: Connection, job: Job, *needed: str) -> None:
    """Raise CheckFailed unless these steps have been passed since the last answers came."""
    passed = report.notes(connection, job.run).get("passed", [])
    if missing := [TITLES[step] for step in needed if step not in passed]:
        raise CheckFailed(
            f"Det som skal kjøres før flettingen ({', '.join(missing)}), er ikke kjørt ferdig, så ingenting flettes: "
            "kjør det på nytt, eller start en ny kjøring."
        )
