"""The name of a landed page, as one type. Page names are made and parsed only here.

A page's name is ``<phase>[-again]-<number>.<suffix>``: ``1-pupils-00001.json``, ``krr-again-00001.json``,
``pifu-00001.xml``. The folder tells which source a page is from. A page that answers a question has the question beside
it, in ``<page without suffix>.request.json``. A page that is a copy of a file has the facts about the file beside it
(``landing.FACTS``).
"""

import re
from dataclasses import dataclass
from typing import Self

from dataflyt.storage.landing import Landing

_NAME = re.compile(r"(?P<phase>.+?)(?P<again>-again)?-(?P<number>[0-9]{5})\.(?P<suffix>[a-z0-9]+)")
_QUESTION = ".request.json"


@dataclass(frozen=True)
class Page:
    """A landed page. ``str(page)`` is its name.

    ``phase`` is the part of an extract that it belongs to (``1-pupils``, ``pifu``), ``number`` counts within it,
    ``suffix`` is without its dot. ``again``: the page answers for numbers that were asked about a second
    time.
    """

    phase: str
    number: int
    suffix: str = "json"
    again: bool = False

    def __str__(self) -> str:
        return f"{self._stem}.{self.suffix}"

    @property
    def question(self) -> str:
        """The name of the question that the page answers."""
        return f"{self._stem}{_QUESTION}"

    @property
    def _stem(self) -> str:
        return f"{self.phase}{'-again' if self.again else ''}-{self.number:05d}"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Parse a name; None for a name that is not a page's.

        >>> Page.parse("1-pupils-again-00002.json")
        Page(phase='1-pupils', number=2, suffix='json', again=True)
        >>> Page.parse("1-pupils-00002.request.json"), Page.parse("hr-00001.xml.file.json")
        (None, None)
        """
        found = _NAME.fullmatch(name)
        return cls(found["phase"], int(found["number"]), found["suffix"], bool(found["again"])) if found else None


def landed(landing: Landing) -> list[Page]:
    """Return the pages of a landing, in the order of their names."""
    return [page for name in landing.names() if (page := Page.parse(name))]


def questions(landing: Landing, phase: str, *, again: bool) -> list[Page]:
    """Return the pages of a phase in order: those whose questions are landed, answered or not."""
    asked = (Page.parse(name.replace(_QUESTION, ".json")) for name in landing.names() if name.endswith(_QUESTION))
    return [page for page in asked if page and (page.phase, page.again) == (phase, again)]
