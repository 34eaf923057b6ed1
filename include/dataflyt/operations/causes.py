"""Causes: what is wrong, said once however many kommuner it is wrong for.

In: sentences, each with the kommune that it is about, if any. Out: each cause once, with its kommuner. Two sentences
have the same cause when they differ in figures alone: in a status, a count or a time.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

NAMED: Final = 5
"""How many kommuner are named; the others are counted."""
_OF_KOMMUNE: Final = re.compile(r"([a-z][a-z0-9_]{1,40}): (.+)")


class Cause(NamedTuple):
    """A sentence, and the kommuner that it holds for: none when it is about no kommune."""

    sentence: str
    kommuner: tuple[str, ...]

    @property
    def key(self) -> str:
        """The same for the same cause."""
        return key_of(self.sentence)

    def in_words(self) -> str:
        """Return one line.

        >>> Cause("Varehuset svarer ikke.", ("asker",)).in_words()
        'asker: Varehuset svarer ikke.'
        >>> Cause("Varehuset svarer ikke.", ("a", "b", "c", "d", "e", "f")).in_words()
        '6 kommuner (a, b, c, d, e og 1 til): Varehuset svarer ikke.'
        """
        if not self.kommuner:
            return self.sentence
        return f"{together(self.kommuner)}: {self.sentence}"


def key_of(sentence: str) -> str:
    """Return a sentence without its figures.

    >>> key_of("FREG er nede (HTTP 503).") == key_of("FREG er nede (HTTP 502).")
    True
    """
    return re.sub(r"\d+", "#", sentence)


def together(names: Sequence[str]) -> str:
    """Return one name, or how many there are with the first of them."""
    if len(names) == 1:
        return names[0]
    more = f" og {len(names) - NAMED} til" if len(names) > NAMED else ""
    return f"{len(names)} kommuner ({', '.join(names[:NAMED])}{more})"


def grouped(said: Iterable[tuple[str | None, str]]) -> list[Cause]:
    """Return the causes of sentences, in the order in which they came first. Each comes beside its kommune, or None."""
    sentences: dict[str, str] = {}
    kommuner: dict[str, dict[str, None]] = {}
    for kommune, sentence in said:
        key = key_of(sentence)
        sentences.setdefault(key, sentence)
        kommuner.setdefault(key, {}).update({kommune: None} if kommune else {})
    return [Cause(sentence, tuple(kommuner[key])) for key, sentence in sentences.items()]


def of_lines(text: str) -> list[Cause]:
    r"""Return the causes in lines of which some begin with a kommune's id, as the common DAGs' errors do.

    >>> [one.in_words() for one in of_lines("bergen: Nede.\nasker: Nede.\nHendelsene: Nede.")]
    ['2 kommuner (bergen, asker): Nede.', 'Hendelsene: Nede.']
    """
    found = [_OF_KOMMUNE.fullmatch(line) for line in text.splitlines()]
    return grouped(
        (match[1], match[2]) if match else (None, line)
        for line, match in zip(text.splitlines(), found, strict=True)
        if line.strip()
    )
