"""Charts as SVG, made here: no library, no script, and no colour that alone tells something."""

from collections.abc import Sequence
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
