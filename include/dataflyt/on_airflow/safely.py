"""Let nothing leave a task but numbers, or one clean sentence.

People who may not see persons read tasks' logs and XComs. An exception from a library can hold whole rows (a database's
DETAIL, a parser's excerpt). So no exception leaves a task with its own text, cause or context.
"""

from __future__ import annotations

import logging
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowTaskTimeout

from dataflyt.errors import DataflytError, SourceUnavailable, may_pass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Context

T = TypeVar("T")
log = logging.getLogger(__name__)


class TryLater(AirflowException):  # type: ignore[misc]
    """Something outside did not answer, and may do so on the next try."""


def counted(result: Mapping[str, object]) -> dict[str, int]:
    """Return the numbers: nothing else may be in an XCom.

    >>> counted({"persons": 3, "note": "Kari"})
    {'persons': 3}
    """
    return {key: value for key, value in result.items() if isinstance(value, int)}


def safely(work: Callable[[], T]) -> T:
    """Do ``work``. Any exception becomes an error with one sentence, without values, cause or context.

    Raises TryLater where another try may help, AirflowFailException (never retried) otherwise.
    """
    for chatty in ("httpx", "httpcore"):  # they log every URL, and a register's URL can hold a person's number
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        return work()
    except AirflowTaskTimeout:  # no Exception of Python's
        clean = TryLater(
            "Oppgaven brukte lengre tid enn den får, og ble stanset: Dataflyt prøver igjen. Skjer det igjen, må den "
            "som drifter maskinen, finne ut hva den venter på."
        )
    except Exception as error:
        clean = translated(error)
    raise clean  # outside the except block, so that the first error is not dragged along


def safely_said(context: Context, work: Callable[[], T]) -> T:
    """Do ``work`` safely. When it stops, keep its sentence as the XCom ``sentence``, for the mail about it."""
    try:
        return safely(work)
    except AirflowException as stopped:
        with suppress(Exception):
            context["ti"].xcom_push(key="sentence", value=str(stopped))
        raise


def translated(error: Exception) -> AirflowException:
    """Return the Airflow exception for ``error``. Its facts are logged; a text that is not ours is withheld."""
    if isinstance(error, AirflowException):
        return error
    if isinstance(error, DataflytError):
        if error.facts:
            log.error("%s: %s", type(error).__name__, error.facts)
        kind = TryLater if isinstance(error, SourceUnavailable) else AirflowFailException
        return kind(error.sentence)
    name = type(error).__name__
    where = " < ".join(place(error))
    if may_pass(error):
        return TryLater(f"{name} in {where}")
    if isinstance(error, ImportError):  # tells about the installation, never about data
        return AirflowFailException(f"{name} in {where}: {error}")
    return AirflowFailException(f"Unexpected {name} in {where}. Its text is withheld: it may hold personal data.")


def place(error: BaseException) -> list[str]:
    """Return where ``error`` was raised, innermost first: the frame itself and the two nearest frames of ours."""
    frames = list(reversed(traceback.extract_tb(error.__traceback__)))
    home = str(Path(__file__).parents[1])
    ours = [frame for frame in frames if frame.filename.startswith(home) and frame.name not in {"safely", "<lambda>"}]
    chosen = frames[:1] + [frame for frame in ours[:2] if frame is not frames[0]]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in chosen]


def say_why(context: Context) -> None:
    """Write the sentence with which a task stopped as the last line of its log, below Airflow's own lines.

    Airflow calls this when a task fails or will be tried again, inside a group of log lines that its page folds away.
    So the group is ended first.
    """
    log.info("::endgroup::")
    log.error("%s", context.get("exception"))
