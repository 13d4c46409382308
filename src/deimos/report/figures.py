"""Charts as inline SVG, drawn by hand: no script, no font, nothing fetched.

Colours are CSS variables (``--base``, ``--tuned``), so dark mode and print restyle them; the two
models differ in place, label and line style too, never by colour alone. Every chart carries a
text that describes what it shows. Coordinates are pixels at ``width``; the page shows the wide or the
narrow drawing of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup, escape

from deimos.report.formatting import number, percent
from deimos.store.schema import AnyRow

WIDE, NARROW = 530, 350
MODELS = ("base", "tuned")


@dataclass(frozen=True)
class Scale:
    """Maps values in ``low..high`` to pixels in ``start..end``, evenly or by ratio."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Pixels of a value; values outside are drawn at the edge."""
        low, high, v = (self._bend(x) for x in (self.low, self.high, value))
        share = (v - low) / (high - low) if high > low else 0.5
        return self.start + (self.end - self.start) * min(1.0, max(0.0, share))

    def _bend(self, value: float) -> float:
        return math.log(max(value, 1e-9)) if self.log else value


def lengths(
    title: str, values: Mapping[str, Sequence[int]], cut: Mapping[str, float], width: int
) -> Markup:
    """Two histograms, base over tuned, on the same axes.

    Args:
        title: What is counted, e.g. ``think tokens``.
        values: Model to the lengths of its completions.
        cut: Model to the share of completions cut at the budget (their length is a lower bound).
        width: Pixels.
    """
    every = sorted(v for model in MODELS for v in values[model])
    edges, log = _edges(every, 28 if width < 500 else 40)
    x = Scale(edges[0], edges[-1], 8, width - 8, log)
    row, top = 84, 32
    shares = {m: _shares(values[m], edges, log) for m in MODELS}
    tallest = max(max(s) for s in shares.values()) or 1
    height = 2 * (row + top) + 40
    parts = [_x_axis(x, _ticks(x, width), 14, height - 34, f"{title}{log * ', ratio scale'}")]
    for i, model in enumerate(MODELS):
        floor = (i + 1) * (row + top)
        bars = _steps([x(e) for e in edges], shares[model], floor, (row - 8) / tallest)
        middle = _middle(values[model])
        parts.append(f'<path class="fill {model}" d="{bars}"/>')
        parts.append(_line(x(0), floor, width - 8, floor, "rule"))
        parts.append(_line(x(middle), floor - row + 2, x(middle), floor, f"mark {model}"))
        note = f"median {number(middle)}"
        small = f" · {percent(cut[model], 1)} unfinished" if cut[model] else ""
        parts.append(
            f'<text x="8" y="{floor - row - 8}"><tspan class="name {model}">{model}</tspan>'
            f'<tspan dx="8">{note}{small}</tspan></text>'
        )
    description = "; ".join(
        f"{m} median {number(_middle(values[m]))}, middle 90% {_span(values[m])}" for m in MODELS
    )
    return _svg(width, height, f"Distribution of {title}: {description}.", parts)


def budget_curve(
    rows: Sequence[AnyRow],
    tight: int | None,
    config: str,
    width: int,
    closed: Sequence[AnyRow] = (),
) -> Markup:
    """Accuracy against budget, base and tuned, from cut traces, with 95% bands.

    ``closed``: rows of thoughts closed at a budget, drawn as dots at the mean tokens that they took.
    """
    height, left, right, top, floor = 290, 44, 20, 28, 246
    budgets = sorted({*(r["budget"] for r in rows), *(_mean_tokens(r) for r in closed)})
    x = Scale(budgets[0], budgets[-1], left, width - right, log=budgets[0] > 0)
    y = Scale(0, 1, floor, top)
    parts = [
        _y_axis(y, left, width - right),
        _x_axis(x, _ticks(x, width), top, floor, "budget in tokens, ratio scale"),
    ]
    if tight and budgets[0] <= tight <= budgets[-1]:
        parts.append(_line(x(tight), top - 8, x(tight), floor, "tight"))
        parts.append(_text(x(tight), top - 13, f"tight: {number(tight)}", "middle", "note"))
    lines = {m: sorted((r for r in rows if r["model"] == m), key=_budget) for m in MODELS}
    for model, line in lines.items():
        if line:
            parts += _curve(line, model, x, y)
    parts += [part for row in closed for part in _closed_mark(row, x, y)]
    parts += _names(lines, x, y)
    return _svg(width, height, _curve_words(lines, config) + _closed_words(closed), parts)


def front(trials: Sequence[AnyRow], model: str, width: int) -> Markup:
    """Accuracy against mean tokens of each config of a model; the front is joined by a line."""
    height, left, right, top, floor = 270, 44, 20, 20, 226
    tokens = [row["tokens_mean"] for row in trials]
    x = Scale(min(tokens), max(max(tokens), min(tokens) + 1), left + 12, width - right - 12)
    y = Scale(0, 1, floor, top)
    parts = [
        _y_axis(y, left, width - right),
        _x_axis(x, _ticks(x, width), top, floor, "mean tokens"),
    ]
    best = sorted((r for r in trials if r["pareto"]), key=lambda r: r["tokens_mean"])
    path = "L".join(f"{x(r['tokens_mean']):.1f} {y(r['accuracy']):.1f}" for r in best)
    if path:
        parts.append(f'<path class="curve {model}" d="M{path}"/>')
    for row in trials:
        at = f'cx="{x(row["tokens_mean"]):.1f}" cy="{y(row["accuracy"]):.1f}"'
        style = f"front {model}" if row["pareto"] else "trial"
        parts.append(f'<circle class="{style}" {at} r="{4.5 if row["pareto"] else 3}"/>')
    points = "; ".join(
        f"{percent(row['accuracy'], 1)} at {number(row['tokens_mean'], 1)} tokens" for row in best
    )
    return _svg(
        width,
        height,
        f"Accuracy against mean tokens of {number(len(trials))} configs, {model}. On the front: "
        f"{points or 'none'}.",
        parts,
    )


def interval_mark(value: float | None, ci: Sequence[float] | None, reach: float) -> Markup:
    """A small dot and whisker on a line around 0, ``-reach..reach``; empty without an interval."""
    if value is None or ci is None or None in ci:
        return Markup("")
    width, height = 120, 18
    x = Scale(-reach, reach, 4, width - 4)
    parts = [
        _line(x(0), 1, x(0), height - 1, "zero"),
        _line(x(ci[0]), height / 2, x(ci[1]), height / 2, "whisker"),
        f'<circle class="dot" cx="{x(value):.1f}" cy="{height / 2}" r="3.5"/>',
    ]
    return Markup(
        f'<svg class="interval" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" aria-hidden="true">{"".join(parts)}</svg>'
    )


def _edges(every: Sequence[int], bins: int) -> tuple[list[float], bool]:
    """Bin edges over all values but the farthest 0.25% each side, and whether by ratio."""
    low = every[int(0.0025 * len(every))] if every else 0
    high = every[min(len(every) - 1, math.ceil(0.9975 * len(every)))] if every else 1
    high = max(high, low + 1) + 1
    if low > 0 and high / low > 8:
        raw = [low * (high / low) ** (i / bins) for i in range(bins + 1)]
        return sorted({float(round(edge)) for edge in raw}), True
    step = max(1, math.ceil((high - low) / bins))
    return [float(e) for e in range(int(low), int(high) + step, step)], False


def _shares(values: Sequence[int], edges: Sequence[float], log: bool) -> list[float]:
    """Share of values per bin over the bin's drawn width, so that area is share."""
    counts = [0] * (len(edges) - 1)
    for value in values:
        inside = min(max(value, edges[0]), edges[-1] - 1e-9)
        counts[_bin(edges, inside)] += 1
    widths = [math.log(b / a) if log else b - a for a, b in pairwise(edges)]
    return [c / max(1, len(values)) / w for c, w in zip(counts, widths, strict=True)]


def _bin(edges: Sequence[float], value: float) -> int:
    low, high = 0, len(edges) - 2
    while low < high:
        half = (low + high + 1) // 2
        low, high = (half, high) if edges[half] <= value else (low, half - 1)
    return low


def _steps(xs: Sequence[float], shares: Sequence[float], floor: float, unit: float) -> str:
    tops = [f"V{floor - s * unit:.1f}H{b:.1f}" for s, b in zip(shares, xs[1:], strict=True)]
    return f"M{xs[0]:.1f} {floor:.1f}{''.join(tops)}V{floor:.1f}Z"


def _ticks(x: Scale, width: int) -> list[float]:
    """Round numbers along an axis, as many as there is room for, none touching its neighbour."""
    if x.log:
        powers = range(math.floor(math.log10(x.low)), math.ceil(math.log10(x.high)) + 1)
        steps = [[1, 2, 5], [1, 3], [1]]
        choices = [[m * 10.0**p for p in powers for m in ms] for ms in steps]
    else:
        raw = (x.high - x.low) / 4
        unit = 10.0 ** math.floor(math.log10(raw))
        sizes = [unit * m for m in (1, 2, 5, 10) if unit * m >= 1]
        choices = [
            [s * i for i in range(math.floor(x.low / s), math.ceil(x.high / s) + 1)] for s in sizes
        ]
    room = 46 if width < 500 else 56
    for choice in choices:
        inside = [t for t in choice if x.low <= t <= x.high]
        if all(x(b) - x(a) >= room for a, b in pairwise(inside)):
            return inside
    return [x.low, x.high]


def _x_axis(x: Scale, ticks: Sequence[float], top: float, floor: float, label: str) -> str:
    parts = []
    for tick in ticks:
        at = x(tick)
        anchor = "start" if at < x.start + 14 else "end" if at > x.end - 14 else "middle"
        parts.append(_line(at, top, at, floor, "grid"))
        parts.append(_text(at, floor + 16, number(tick), anchor, "tick"))
    parts.append(_text((x.start + x.end) / 2, floor + 33, label, "middle", "note"))
    return "".join(parts)


def _y_axis(y: Scale, left: float, right: float) -> str:
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(_line(left, y(tick), right, y(tick), "rule" if tick == 0 else "grid"))
        parts.append(_text(left - 7, y(tick) + 4, percent(tick), "end", "tick"))
    return "".join(parts)


def _curve(line: Sequence[AnyRow], model: str, x: Scale, y: Scale) -> list[str]:
    there = [f"{x(r['budget']):.1f} {y(r['accuracy']):.1f}" for r in line]
    parts = []
    if all(r.get("accuracy_ci") for r in line):
        low = [f"{x(r['budget']):.1f} {y(r['accuracy_ci'][0]):.1f}" for r in line]
        high = [f"{x(r['budget']):.1f} {y(r['accuracy_ci'][1]):.1f}" for r in line]
        parts.append(f'<path class="band {model}" d="M{"L".join([*high, *reversed(low)])}Z"/>')
    parts.append(f'<path class="curve {model}" d="M{"L".join(there)}"/>')
    return parts


def _names(lines: dict[str, list[AnyRow]], x: Scale, y: Scale) -> list[str]:
    """Each model's name half-way up its line, the upper line's above it, the other's below."""
    mean = {m: sum(r["accuracy"] for r in line) / len(line) for m, line in lines.items() if line}
    highest = max(mean, key=lambda m: mean[m], default="")
    return [_name(m, lines[m], x, y, above=m == highest) for m in mean]


def _name(model: str, line: Sequence[AnyRow], x: Scale, y: Scale, above: bool) -> str:
    half = max(r["accuracy"] for r in line) * (0.7 if above else 0.4)
    row = min(line, key=lambda r: abs(r["accuracy"] - half))
    anchor, shift, lower = ("end", -9, -4) if above else ("start", 10, 12)
    return _text(
        x(row["budget"]) + shift, y(row["accuracy"]) + lower, model, anchor, f"name {model}"
    )


def _curve_words(lines: dict[str, list[AnyRow]], config: str) -> str:
    description = [
        f"{model} from {percent(line[0]['accuracy'], 1)} at {number(line[0]['budget'])} tokens "
        f"to {percent(line[-1]['accuracy'], 1)} at {number(line[-1]['budget'])}"
        for model, line in lines.items()
        if line
    ]
    return f"Accuracy against budget, {config}: {'; '.join(description)}."


def _mean_tokens(row: AnyRow) -> int:
    return max(1, round(row["total_tokens_mean"]))


def _closed_mark(row: AnyRow, x: Scale, y: Scale) -> list[str]:
    """A dot with its interval."""
    at = x(_mean_tokens(row))
    low, high = row["accuracy_ci"] or (row["accuracy"], row["accuracy"])
    dot = (
        f'<circle class="front {row["model"]}" cx="{at:.1f}" cy="{y(row["accuracy"]):.1f}" r="4"/>'
    )
    return [_line(at, y(low), at, y(high), "whisker"), dot]


def _closed_words(closed: Sequence[AnyRow]) -> str:
    if not closed:
        return ""
    dots = [
        f"{row['model']} {percent(row['accuracy'], 1)} at a think budget of "
        f"{number(row['think_budget'])}, {number(_mean_tokens(row))} tokens on average"
        for row in closed
    ]
    return f" Dots, thoughts closed at a budget: {'; '.join(dots)}."


def _budget(row: AnyRow) -> int:
    return row["budget"]


def _middle(values: Sequence[int]) -> float:
    ranked = sorted(values) or [0]
    return (ranked[(len(ranked) - 1) // 2] + ranked[len(ranked) // 2]) / 2


def _span(values: Sequence[int]) -> str:
    ranked = sorted(values) or [0]
    low, high = (ranked[round(q * (len(ranked) - 1))] for q in (0.05, 0.95))
    return f"{number(low)} to {number(high)}"


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: int, height: int, description: str, parts: Sequence[str]) -> Markup:
    size = "narrow" if width < 500 else "wide"
    return Markup(
        f'<svg class="chart {size}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(description)}">{"".join(parts)}</svg>'
    )
