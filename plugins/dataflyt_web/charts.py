"""Charts as SVG, made here: no library, no script, and no colour that alone tells something."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from markupsafe import Markup, escape

WIDTH, HEIGHT = 400, 150
_LEFT, _BOTTOM, _TOP = 44, 24, 10


class Bar(NamedTuple):
    """A bar: the words below it, its value (None: unknown), the words to it, and the class of its colour."""

    below: str
    value: int | None
    words: str
    kind: str = "series"


def bars(bars: Sequence[Bar], label: str) -> Markup:
    """Draw bars in their order, on a scale from 0 to a round number. ``label`` says what they show."""
    most = max((bar.value or 0 for bar in bars), default=0)
    top = _round(most)
    high = HEIGHT - _BOTTOM - _TOP
    step = (WIDTH - _LEFT) / max(len(bars), 6)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">',
        *(_line(HEIGHT - _BOTTOM - high * share, _short(round(top * share))) for share in (0, 0.5, 1)),
    ]
    every = max(1, -(-len(bars) // 6))
    for place, bar in enumerate(bars):
        x = _LEFT + step * place + step * 0.15
        tall = high * (bar.value or 0) / top
        y = HEIGHT - _BOTTOM - max(tall, 1.5 if bar.value else 0)
        parts.append(
            f'<g><title>{escape(bar.words)}</title><rect class="{escape(bar.kind)}" x="{x:.1f}" y="{y:.1f}" '
            f'width="{step * 0.7:.1f}" height="{HEIGHT - _BOTTOM - y:.1f}" rx="2"/></g>'
        )
        if (len(bars) - 1 - place) % every == 0:
            parts.append(f'<text x="{x + step * 0.35:.1f}" y="{HEIGHT - 8}" class="below">{escape(bar.below)}</text>')
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704 - every text in it is escaped


_MARKS = {
    "good": '<circle cx="8" cy="8" r="8"/><path class="mark" d="M4 8.5l2.8 2.8L12 5.5"/>',
    "wait": '<circle cx="8" cy="8" r="8"/><path class="mark" d="M8 4v4.4l3 1.8"/>',
    "bad": '<path d="M5 0h6l5 5v6l-5 5H5l-5-5V5z"/><path class="mark" d="M8 3.6v5.2M8 11.6v.4"/>',
    "calm": '<rect width="16" height="16" rx="4"/><path class="mark" d="M4 8h8"/>',
}
"""The icon of each kind of state."""


@lru_cache(maxsize=4096)
def state(kind: str, words: str) -> Markup:
    """Draw a state as icon, words and colour. ``kind`` is good, wait, bad or calm."""
    icon = f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{_MARKS[kind]}</svg>'
    return Markup(f'<span class="state {kind}">{icon}{escape(words)}</span>')  # noqa: S704 - the words are escaped


_BARS = {"good": "M{x} 8h8v12h-8z", "wait": "M{x} 4h8v16h-8z", "bad": "M{x} 0h8v20h-8z", "calm": "M{x} 14h8v6h-8z"}
"""A bar of ``strip`` of each kind: the worse, the taller."""


@lru_cache(maxsize=4096)
def strip(kinds: tuple[str, ...], label: str) -> Markup:
    """Draw a row of bars, one a run, of these kinds. ``label`` says the same in words."""
    drawn = dict.fromkeys(_BARS, "")
    for at, kind in enumerate(kinds):
        drawn[kind] += _BARS[kind].format(x=10 * at + 1)
    paths = "".join(f'<path class="{kind}" d="{path}"/>' for kind, path in drawn.items() if path)
    head = f'<svg class="strip" viewBox="0 0 120 20" width="120" height="20" role="img" aria-label="{escape(label)}">'
    return Markup(f"{head}{paths}</svg>")  # noqa: S704 - the label is escaped


def _line(y: float, value: str) -> str:
    return (
        f'<path class="grid-line" d="M{_LEFT} {y:.1f}H{WIDTH}"/>'
        f'<text class="scale" x="{_LEFT - 8}" y="{y + 4:.1f}">{value}</text>'
    )


def _round(most: int) -> int:
    """Return the smallest of 1, 2, 4, 5, 10, 20, … that is no less.

    >>> _round(0), _round(37), _round(1234)
    (1, 40, 2000)
    """
    size = 1
    while True:
        for digit in (1, 2, 4, 5):
            if digit * size >= most:
                return digit * size
        size *= 10


def _short(value: int) -> str:
    """Return a number for a scale.

    >>> _short(500), _short(20000), _short(2500000)
    ('500', '20k', '2.5M')
    """
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return str(value)
