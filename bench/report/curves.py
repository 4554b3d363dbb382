# SPDX-License-Identifier: MIT
"""Pictures of lines for the page that report makes, as SVG: a value for each of a few steps, on a
logarithmic scale. Colours are the style sheet's (report.css)."""

import math
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 250, 52, 118, 12, 28


class LogScale:
    """From values to 0..1."""

    def __init__(self, low, high):
        self.low, self.span = math.log(low), math.log(high / low) or 1

    def place(self, value):
        return (math.log(value) - self.low) / self.span


def apart(places, gap):
    """The same places in the same order, but at least `gap` from each other."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    out, last = list(places), -math.inf
    for i in order:
        last = out[i] = max(places[i], last + gap)
    over = max(0, last - (HEIGHT - BOTTOM))
    return [place - over for place in out]


def kind_of(label):
    return label if label in ("nido", "floor") else "peer"


def tick(value):
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def grid(scale):
    """A line for each power of ten."""
    lines = []
    low, high = math.exp(scale.low), math.exp(scale.low + scale.span)
    for power in range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1):
        y = HEIGHT - BOTTOM - scale.place(10.0**power) * (HEIGHT - TOP - BOTTOM)
        lines.append(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="tick" x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{tick(10.0**power)}</text>"
        )
    return "".join(lines)


def hue_of(label, run):
    """A peer has the same colour in all pictures; nido's and the floor's are their own."""
    names = list(run.report["peers"])
    place = next((i for i, name in enumerate(names) if label.startswith(name)), 0)
    return f"hsl({30 + place * 300 // max(1, len(names))} 60% var(--light))"


def curve(label, color, points, label_y):
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in points)
    x, y = points[-1]
    return (
        f'<g class="curve {kind_of(label)}" style="--hue:{color}"><polyline points="{path}"/>{dots}'
        f'<line class="lead" x1="{x + 4:.1f}" y1="{y:.1f}"'
        f' x2="{WIDTH - RIGHT + 14}" y2="{label_y:.1f}"/>'
        f'<text x="{WIDTH - RIGHT + 17}" y="{label_y + 4:.1f}">{escape(label)}</text></g>'
    )


def draw_curves(run, title, unit, lines, steps):
    """`lines` has for each label a value or None a step; both scales are logarithmic."""
    values = [value for line in lines.values() for value in line if value]
    scale = LogScale(
        10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))
    )
    xs = [
        LEFT + 12 + i * (WIDTH - LEFT - RIGHT - 24) / max(1, len(steps) - 1)
        for i in range(len(steps))
    ]

    def height(value):
        return HEIGHT - BOTTOM - scale.place(value) * (HEIGHT - TOP - BOTTOM)

    curves = {
        label: [(x, height(value)) for x, value in zip(xs, line) if value]
        for label, line in lines.items()
    }
    places = apart([points[-1][1] for points in curves.values()], 13)
    drawn = [
        curve(label, hue_of(label, run), points, y)
        for (label, points), y in zip(curves.items(), places)
    ]
    ticks = "".join(
        f'<text class="tick" x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="middle">'
        f"{escape(step)}</text>"
        for x, step in zip(xs, steps)
    )
    return (
        f"<article><h3>{escape(title)} <small>{escape(unit)}</small></h3>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'{grid(scale)}{ticks}{"".join(drawn)}</svg></article>'
    )
