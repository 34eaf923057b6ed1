"""Ask a register about many numbers: a thousand a page, each question and each answer landed.

Numbers that are in no answer are asked about a second time. A number that the register leaves out again is unanswered.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias

import orjson

from dataflyt.errors import NobodyNamed, SourceUnavailable, Unreadable
from dataflyt.storage.landing import Landing
from dataflyt.storage.pages import Page, questions

log = logging.getLogger(__name__)

PER_PAGE = 1000
"""Most numbers in one question: the limit of FREG's bulkoppslag and of KRR's personer."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of landed pages and the number of all pages."""

Named: TypeAlias = Callable[[bytes], set[str]]
"""Returns the numbers that an answer says something about, as the reader of its rows finds them. Raises Unreadable."""

_FEW = 10
"""This many unanswered numbers are always accepted."""


def land_pages(
    ask: Callable[[bytes], bytes],
    landing: Landing,
    phase: str,
    numbers: Iterable[str],
    key: str,
    progress: Progress | None = None,
    *,
    who: str,
    named: Named,
) -> int:
    """Ask about ``numbers``, a thousand a page, and land each question and each answer; return how many are unanswered.

    Lands all questions first (``{key: [numbers]}``, as sent), then the answers page by page. Called again, it sends the
    landed questions that have no answer, and asks about the numbers that are in no landed question. A number that has
    an answer is asked about only once.

    Numbers that are in no answer are asked about once more when all pages are landed, since a register sometimes leaves
    a number out. Numbers that it leaves out again are unanswered. If they are more than a tenth, it raises
    SourceUnavailable and leaves that page to be asked anew.
    """
    asked, missing = _land_phase(ask, landing, phase, numbers, key, progress, who, named, None)
    if missing:
        log.warning("%s: %d of %d numbers are in no answer, and are asked about once more", phase, len(missing), asked)
        most = max(_FEW, asked // 10)
        _, missing = _land_phase(ask, landing, phase, missing, key, None, who, named, most)
    return len(missing)


def unanswered(landing: Landing, page: Page, named: Named) -> list[str]:
    """Return the numbers that a landed page was asked about but does not answer."""
    return _left_out(_content(landing, page.question), _content(landing, str(page)), named)


def _content(landing: Landing, name: str) -> bytes:
    with landing.open(name) as stream:
        return stream.read()


def _left_out(question: bytes, answer: bytes, named: Named) -> list[str]:
    asked: list[str]
    (asked,) = orjson.loads(question).values()
    try:
        found = named(answer)
    except NobodyNamed:
        return asked
    except Unreadable:  # the landed page is read later; that error names the page and its fault
        return []
    return [number for number in asked if number not in found]


def _land_phase(
    ask: Callable[[bytes], bytes],
    landing: Landing,
    phase: str,
    numbers: Iterable[str],
    key: str,
    progress: Progress | None,
    who: str,
    named: Named,
    most: int | None,
) -> tuple[int, list[str]]:
    """Land the pages of a phase; return the number of numbers asked about, and the numbers that are in no answer.

    ``most`` is given the second time that numbers are asked about: the most numbers that may be left out.
    """
    again = most is not None
    pages = questions(landing, phase, again=again)
    asked: set[str] = set()
    for page in pages:
        asked.update(orjson.loads(_content(landing, page.question))[key])
    for chunk in _chunks(numbers, asked):
        page = Page(phase, len(pages) + 1, again=again)
        landing.write(page.question, orjson.dumps({key: chunk}))
        pages.append(page)

    landed = set(landing.names())
    done = sum(str(page) in landed for page in pages)
    log.info("%s%s: %d pages to ask, %d of them landed before", phase, " again" if again else "", len(pages), done)
    if progress:
        progress(done, len(pages))
    missing: list[str] = []
    for page in pages:
        if str(page) in landed:
            missing += unanswered(landing, page, named)
            continue
        question = _content(landing, page.question)
        answer = ask(question)
        missing += _left_out(question, answer, named)
        if most is not None and len(missing) > most:
            raise SourceUnavailable(
                f"{who} svarte bare for noen av dem vi spurte om, også da vi spurte igjen: Dataflyt prøver igjen. "
                "Er det slik neste gang også, må den som forvalter Dataflyt, ta det opp med registeret.",
                missing=len(missing),
                allowed=most,
            )
        landing.write(str(page), answer)
        done += 1
        if progress:
            progress(done, len(pages))
    return len(asked), missing


def _chunks(numbers: Iterable[str], asked: set[str]) -> Iterator[Sequence[str]]:
    """Yield the numbers that are not in ``asked``, one page at a time, and add them to ``asked``."""
    chunk: list[str] = []
    for number in numbers:
        if not re.fullmatch(r"[0-9]{11}", number):
            raise ValueError("a register is asked about numbers of eleven digits only")
        if number in asked:
            continue
        asked.add(number)
        chunk.append(number)
        if len(chunk) == PER_PAGE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
