"""A whole run outside Airflow: every step in the order of ``steps``, and the functions that do them.

The command line, the simulated weeks and the tests call ``execute``. In Airflow each step is a task of its own, which
calls ``do``. ``dags/kommune.py`` wires those tasks in the order of the same table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from dataflyt.errors import DataflytError, NotApproved
from dataflyt.run import cost
from dataflyt.run.approve import Question, answer, question
from dataflyt.run.check import check
from dataflyt.run.close_run import close_run
from dataflyt.run.deliver import deliver
from dataflyt.run.extract_freg import extract_freg
from dataflyt.run.extract_hr import extract_hr
from dataflyt.run.extract_krr import extract_krr
from dataflyt.run.extract_sas import extract_sas
from dataflyt.run.job import Job
from dataflyt.run.merge import merge
from dataflyt.run.publish import publish
from dataflyt.run.release import release
from dataflyt.run.steps import STEPS
from dataflyt.run.withdraw import withdraw
from dataflyt.warehouse.runs import Channel, User

FUNCTIONS: dict[str, Callable[[Job], Mapping[str, Any]]] = {
    "extract_sas": extract_sas,
    "extract_hr": extract_hr,
    "extract_freg": extract_freg,
    "extract_krr": extract_krr,
    "withdraw": withdraw,
    "check": check,
    "merge": merge,
    "release": release,
    "publish": publish,
    "deliver": deliver,
}
"""The function of each step but two: ``approve`` asks a person, ``close_run`` needs the names of the failed steps."""


def do(step: str, job: Job) -> Mapping[str, Any]:
    """Do the step of this name, and keep what it cost; return its counts."""
    with cost.noted(job, step):
        return FUNCTIONS[step](job)


class Answer(NamedTuple):
    """An answer to a run's question: the word, the person, and the way it came."""

    said: Literal["approved", "rejected", "unanswered"]
    user: User | None
    channel: Channel


@dataclass
class Ended:
    """How a run ended: the steps that failed, the first error, what each step counted, and what ``close_run`` returned.

    ``failed`` has the sentence of each step that failed. ``closed`` is empty when the run waits for an answer.
    """

    failed: dict[str, str] = field(default_factory=dict)
    error: DataflytError | None = None
    counts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    closed: dict[str, Any] = field(default_factory=dict)


Ask: TypeAlias = Callable[[Question], Answer | None]
Attempt: TypeAlias = Callable[[str, Callable[[], None]], DataflytError | None]


def attempt(name: str, work: Callable[[], None]) -> DataflytError | None:
    """Do the work of the step ``name``; return the error that stopped it when it is one of ours."""
    try:
        work()
    except DataflytError as error:
        return error
    return None


def execute(job: Job, ask: Ask | None = None, *, attempt: Attempt = attempt) -> Ended:
    """Do a whole run: every step in its order, and ``close_run`` with those that failed.

    After a step that failed, a no, and a run that is only a plan, only the steps that are done ``always`` are done.
    ``ask`` gets the run's question, when it has one, and returns the answer. When it returns None, or there is no
    ``ask``, nobody has answered yet: the run stays open, for ``close_run`` to close later. ``attempt`` does a step and
    returns the error that stopped it. A caller may give its own ``attempt``, to tell of each step and to decide which
    exceptions stop a step and which end ``execute``.
    """
    ended, goes_on = Ended(), True
    for step in STEPS:
        if step.name == "close_run":
            ended.closed = close_run(job, ended.failed)
        elif not goes_on and not step.always:
            continue
        elif step.name == "approve":
            said = _ask(job, ask, ended)
            if said is None:
                return ended
            goes_on = said == "approved"
        elif error := attempt(step.name, partial(_count, ended, step.name, job)):
            ended.failed[step.name] = error.sentence
            ended.error = ended.error or error
            goes_on = False
    return ended


def _count(ended: Ended, name: str, job: Job) -> None:
    ended.counts[name] = do(name, job)


def _ask(job: Job, ask: Ask | None, ended: Ended) -> str | None:
    """Return whether the run may go on (the answer is ``approved``); None when nobody has answered yet."""
    if job.plan_only:
        return "planned"
    asked = question(job)
    if asked is None:
        return "approved"
    given = ask(asked) if ask else None
    if given is None:
        return None
    try:
        answer(job, asked.digest, *given)
    except NotApproved as refused:
        ended.error = refused
        return "refused"
    return given.said
