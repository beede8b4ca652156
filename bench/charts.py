"""A line chart as SVG, readable on a light and on a dark page: it follows the reader's own preference."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 40, 48
COLOURS = ("#2f6fde", "#c2571a")  # both have a contrast of 3:1 and more on white and on near-black
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 }
.grid { stroke: #8c959f; stroke-opacity: .35 } .curve { fill: none; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""

Points = Sequence[tuple[float, float]]


def _round_up(value: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below `value`."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999)


def line_chart(title: str, across: str, curves: Mapping[str, Points]) -> str:
    """The curves over a logarithmic axis, from zero upwards. Points are (x, y), x rising and above 0, y never below 0."""
    xs = sorted({x for points in curves.values() for x, _ in points})
    step = _round_up(max(y for points in curves.values() for _, y in points) / 5)
    top = step * math.ceil(max(y for points in curves.values() for _, y in points) / step)

    def place(x: float, y: float) -> tuple[float, float]:
        share = math.log(x / xs[0]) / math.log(xs[-1] / xs[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)

    parts = [f'<text class="title" x="{LEFT}" y="22">{escape(title)}</text>']
    for number in range(round(top / step) + 1):
        _, y = place(xs[0], number * step)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text text-anchor="end" x="{LEFT - 8}" y="{y + 4:.1f}">{number * step:,g}</text>')
    for x in xs:
        parts.append(f'<text text-anchor="middle" x="{place(x, 0)[0]:.1f}" y="{HEIGHT - BOTTOM + 20}">{x:,g}</text>')
    parts.append(f'<text text-anchor="middle" x="{WIDTH / 2}" y="{HEIGHT - 8}">{escape(across)}</text>')
    for number, (name, points) in enumerate(curves.items()):
        colour, places = COLOURS[number], [place(x, y) for x, y in points]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="curve" stroke="{colour}" points="{line}"/>')
        parts += [f'<circle r="4" fill="{colour}" cx="{x:.1f}" cy="{y:.1f}"/>' for x, y in places]
        if len(curves) > 1:
            key = WIDTH - RIGHT - 70 * (len(curves) - number)
            parts.append(
                f'<circle r="4" fill="{colour}" cx="{key}" cy="18"/><text x="{key + 10}" y="22">{escape(name)}</text>'
            )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])
