"""Quality over bit rate, as SVG that takes the colours of the page it stands in."""

import html
import math
from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 360, 236
LEFT, RIGHT, TOP, BOTTOM = 40, 14, 14, 34
LETTER, LINE = 6.2, 12
"""Width and height of text of 11 units, near enough to keep labels apart."""

CSS = """
.plot { width: 100%; height: auto; display: block; font-size: 11px; }
.plot text { fill: var(--ink); }
.plot .soft { fill: var(--soft); font-size: 11px; }
.plot .grid { stroke: var(--line); }
.plot .level { stroke: var(--soft); stroke-dasharray: 4 4; }
.plot .other { --c: var(--theirs); } .plot .own { --c: var(--ours); }
.plot .mark { fill: var(--c); stroke: var(--paper); stroke-width: 1.5; }
.plot .hollow { fill: var(--paper); stroke: var(--c); stroke-width: 1.5; }
.plot .bar { stroke: var(--c); stroke-width: 1.5; opacity: 0.6; }
.plot .curve { fill: none; stroke: var(--ours); stroke-width: 1.5; opacity: 0.6; }
.plot .own text { font-weight: 650; fill: var(--ours); }
"""


class Point(NamedTuple):
    """A codec in a plot. rate: bit/s. margin: half of the interval around `value`, or NaN. own:
    of the model. less: bit/s that the same quality costs with the prior, or None."""

    label: str
    rate: float
    value: float
    margin: float = math.nan
    own: bool = False
    less: float | None = None


def plot(
    title: str,
    points: Sequence[Point],
    digits: int,
    level: float = math.nan,
    joined: bool = False,
) -> str:
    """SVG of `points` over a logarithmic axis of bit/s. level: of the original, a dashed line.
    joined: a curve goes through the model's own points."""
    rates = [rate for p in points for rate in (p.rate, p.less) if rate]
    ends = [p.value + sign * _finite(p.margin) for p in points for sign in (-1, 1)]
    values = ends + ([level] if math.isfinite(level) else [])
    x_low, x_high = math.log(min(rates) / 1.3), math.log(max(rates) * 1.3)
    room = 0.1 * (max(values) - min(values) or 1.0)
    y_low, y_high = min(values) - room, max(values) + room

    def x(rate: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (math.log(rate) - x_low) / (x_high - x_low)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - y_low) / (y_high - y_low)

    parts = [_axes(x, y, (math.exp(x_low), math.exp(x_high)), (y_low, y_high))]
    if math.isfinite(level):
        parts.append(_line("level", LEFT, y(level), WIDTH - RIGHT, y(level)))
        parts.append(f'<text class="soft" x="{LEFT + 4}" y="{y(level) - 4:.1f}">original</text>')
    places = [(x(p.rate), y(p.value)) for p in points]
    if joined:
        own = " ".join(f"{x(p.rate):.1f},{y(p.value):.1f}" for p in points if p.own)
        parts.append(f'<polyline class="curve" points="{own}"/>')
    taken = [(px - 6, py - 6, px + 6, py + 6) for px, py in places]
    for point, place in zip(points, places, strict=True):
        parts.append(_mark(point, place, x, y, digits, taken))
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{html.escape(title)} over bit rate">{"".join(parts)}</svg>'
    )


def _mark(point: Point, place, x, y, digits: int, taken: list) -> str:
    px, py = place
    parts = []
    if point.less:
        parts.append(_line("bar", x(point.less), py, px, py))
        parts.append(f'<circle class="hollow" cx="{x(point.less):.1f}" cy="{py:.1f}" r="4"/>')
    if _finite(point.margin):
        ends = y(point.value - point.margin), y(point.value + point.margin)
        parts.append(_line("bar", px, ends[0], px, ends[1]))
    told = f"{point.label}: {point.value:.{digits}f} at {point.rate:.0f} bit/s"
    parts.append(
        f'<circle class="mark" cx="{px:.1f}" cy="{py:.1f}" r="5">'
        f"<title>{html.escape(told)}</title></circle>"
    )
    tx, ty = _label_place(px, py, LETTER * len(point.label), taken)
    parts.append(f'<text x="{tx:.1f}" y="{ty:.1f}">{html.escape(point.label)}</text>')
    return f'<g class="{"own" if point.own else "other"}">{"".join(parts)}</g>'


def _label_place(px: float, py: float, width: float, taken: list) -> tuple[float, float]:
    """Where a label of this width stands free of what is `taken` (and then is taken too)."""
    centre = min(max(px - width / 2, LEFT), WIDTH - RIGHT - width)
    tries = [(centre, py - 9), (centre, py + 9 + LINE * 0.7), (px + 9, py + 4)]
    tries += [(px - 9 - width, py + 4), (centre, py - 9 - LINE), (centre, py + 9 + LINE * 1.7)]
    boxes = [(tx, ty - LINE * 0.8, tx + width, ty + LINE * 0.2) for tx, ty in tries]
    free = (i for i, box in enumerate(boxes) if _inside(box) and not _hits(box, taken))
    best = next(free, 0)
    taken.append(boxes[best])
    return tries[best]


def _inside(box) -> bool:
    return box[0] >= LEFT and box[2] <= WIDTH and box[1] >= 0 and box[3] <= HEIGHT - BOTTOM


def _hits(box, taken) -> bool:
    return any(
        box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
        for other in taken
    )


def _axes(x, y, rates: tuple[float, float], values: tuple[float, float]) -> str:
    bottom = HEIGHT - BOTTOM
    parts = []
    for value in _ticks(*values):
        parts.append(_line("grid", LEFT, y(value), WIDTH - RIGHT, y(value)))
        text = f"{value:g}"
        parts.append(
            f'<text class="soft" x="{LEFT - 5}" y="{y(value) + 4:.1f}" text-anchor="end">'
            f"{text}</text>"
        )
    for rate in (m * 10**e for e in range(1, 6) for m in (1, 2, 5)):
        if rates[0] <= rate <= rates[1]:
            parts.append(_line("grid", x(rate), TOP, x(rate), bottom))
            parts.append(
                f'<text class="soft" x="{x(rate):.1f}" y="{bottom + 14}" text-anchor="middle">'
                f"{rate:,}</text>"
            )
    parts.append(
        f'<text class="soft" x="{WIDTH - RIGHT}" y="{HEIGHT - 4}" text-anchor="end">bit/s</text>'
    )
    return "".join(parts)


def _ticks(low: float, high: float) -> list[float]:
    """Three to eight round numbers between `low` and `high`."""
    rough = (high - low) / 4
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(n * step, 10) for n in range(first, last + 1)]


def _line(kind: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
