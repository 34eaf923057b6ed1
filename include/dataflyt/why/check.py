"""The shape of an explanation: checks along the flow, each with the rows it reads, and the answer that they make.

A check is a function that judges rows, with the queries that read them. All queries of a chain are made whatever they
find, and in the same order: the time it takes tells nothing of whom it is about.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from dataflyt.why.correcting import Corrector

if TYPE_CHECKING:
    from dataflyt.why.asking import Asked

Status: TypeAlias = Literal["passed", "failed", "unknown"]
Rows: TypeAlias = Mapping[str, Sequence[Any]]
"""The rows that a check's queries have found, by the queries' names."""


class Evidence(NamedTuple):
    """What a finding rests on: a source (``freg``, ``people``, …), a run, its day, and a value that may be seen."""

    source: str = ""
    run: int | None = None
    day: date | None = None
    value: str = ""


NOTHING = Evidence()


@dataclass(frozen=True)
class Found:
    """What a check has found. ``cause`` is a name in ``causes.CAUSES``; ``said`` are values for its sentence.

    ``soft``: a doubt that matters only when something else is wrong, as a run that was rejected. ``note``: a doubt that
    is told, and leaves the verdict as it is, as a file that is old. ``corrector`` goes before the cause's own. ``text``
    is the key of the sentence, where it is not the check's or the cause's. ``mends`` names the checks that a run that
    waits for approval would let pass.
    """

    status: Status
    cause: str = ""
    evidence: Evidence = NOTHING
    said: Mapping[str, object] = field(default_factory=dict)
    corrector: str = ""
    soft: bool = False
    note: bool = False
    text: tuple[str, str] | None = None
    mends: frozenset[str] = frozenset()

    @property
    def broken(self) -> bool:
        """Whether the link is broken, or may be."""
        return self.status != "passed" and not self.soft and not self.note


def passed(source: str = "dataflyt", run: int | None = None, value: str = "", **said: object) -> Found:
    """Return that a link of the chain holds."""
    return Found("passed", "", Evidence(source, run, None, value), said)


def failed(cause: str, source: str = "dataflyt", run: int | None = None, value: str = "", **said: object) -> Found:
    """Return that a link of the chain is broken, and the cause."""
    return Found("failed", cause, Evidence(source, run, None, value), said)


def unknown(cause: str, source: str = "dataflyt", run: int | None = None, value: str = "", **said: object) -> Found:
    """Return that a link may be broken, and that the rows cannot tell."""
    return Found("unknown", cause, Evidence(source, run, None, value), said)


Judge: TypeAlias = Callable[["Asked", Rows], Found | list[Found] | None]
"""From the asked and the rows to what was found; None where the link has nothing to do with this case."""


@dataclass(frozen=True)
class Check:
    """A link of a chain: a name, the queries by name, and the function that judges their rows."""

    name: str
    queries: Mapping[str, str]
    judge: Judge


def check(**queries: str) -> Callable[[Judge], Check]:
    """Make a check of a function: ``@check(rows="select …")``. The function's name is the check's.

    Queries read the views ``now_<table>`` and ``why_shown_<what>``, and the tables of ``history``, ``golden`` and
    ``control`` for evidence. They may use ``:owner``, ``:who``, ``:child``, ``:pupil`` (uuid), ``:adult`` (text),
    ``:released``, ``:newest``, ``:day`` and ``:word``.
    """

    def made(judge: Judge) -> Check:
        return Check(judge.__name__, queries, judge)

    return made


@dataclass(frozen=True)
class Step:
    """A check's outcome in words. ``corrector`` and ``when`` are there where the link is broken or in doubt."""

    check: str
    title: str
    status: Status
    status_in_words: str
    sentence: str
    source: str
    run: int | None
    day: date | None
    value: str
    cause: str = ""
    corrector: Corrector | None = None
    when: str = ""
    settles: str = ""
    soft: bool = False
    note: bool = False


@dataclass(frozen=True)
class Verdict:
    """The conclusion: ``fine``, ``failed`` by one cause, or ``unknown`` between the ``causes``."""

    status: Literal["fine", "failed", "unknown"]
    causes: tuple[str, ...]
    sentence: str
    corrector: Corrector | None
    when: str
    settles: str


@dataclass(frozen=True)
class Answer:
    """An answer: whom it is about, the chain, the verdict, and the text that may be read aloud to the caller.

    ``about`` has the names of those who were found; nobody's where nobody was found that the visitor may see.
    """

    question: str
    title: str
    about: tuple[str, ...]
    steps: tuple[Step, ...]
    verdict: Verdict
    caller: str

    def in_json(self) -> dict[str, Any]:
        """Return the answer as JSON values."""
        said: dict[str, Any] = _plain(asdict(self))
        return said


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


def outcomes(asked: "Asked", chain: Sequence[Check]) -> Iterator[tuple[Check, Found]]:
    """Make all queries of the chain, then yield what each check found."""
    read = [{name: asked.rows(query) for name, query in one.queries.items()} for one in chain]
    for one, rows in zip(chain, read, strict=True):
        found = one.judge(asked, rows)
        for each in found if isinstance(found, list) else [found]:
            if each is not None:
                yield one, each
