"""Charts as HTML and SVG text: dots with intervals on an axis, lines, and reliability curves.

A dot chart is rows of text with a track of its own each, so that its words keep their size on a
phone. Everything shown is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape


@dataclass(frozen=True, slots=True)
class Dot:
    """One row of a dot chart; `kind` colours it: 'llm', 'combined' or 'plain'.

    `small` stands under the label, and a row with `few` people behind it is greyed.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    kind: str = "plain"
    small: str = ""
    few: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One bin of a reliability curve: how sure, how often right, and how many."""

    confidence: float
    accuracy: float
    low: float | None
    high: float | None
    n: int


def ticks(least: float, most: float, about: int = 5) -> list[float]:
    """Return some `about` round numbers between two: multiples of 1, 2 or 5 of a power of ten."""
    rough = (most - least) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = math.ceil(least / step - 1e-9), math.floor(most / step + 1e-9)
    return [round(n * step, 10) + 0.0 for n in range(first, last + 1)]


def dots(
    rows: Sequence[Dot],
    title: str,
    *,
    unit: str = "",
    digits: int = 3,
    percent: bool = False,
    points: bool = False,
    reference: float | None = None,
    domain: tuple[float, float] | None = None,
) -> Markup:
    """Return a chart with a row for each dot: its label, a track with dot and interval, its value.

    Parameters
    ----------
    title : what a screen reader says of the whole.
    unit : what the axis measures, such as 'accuracy in %'.
    digits : decimals of the numbers; or, of shares, `percent` shows percent and `points` signed
        percentage points.
    reference : where a line stands through all tracks, such as 0 for differences.
    domain : what the tracks reach from and to, so that several charts have one scale.

    Raises ValueError without rows, or for a value that is not a number.
    """
    numbers = [x for row in rows for x in (row.value, row.low, row.high) if x is not None]
    if not numbers or not all(math.isfinite(x) for x in numbers):
        raise ValueError(f"nothing to draw in '{title}'")
    ends = [*numbers, *(domain or ()), *([] if reference is None else [reference])]
    least, most = min(ends), max(ends)
    # What reads alike must not look apart: the track is no shorter than twenty of the last digit.
    short = 20 * (0.001 if percent or points else 10.0**-digits) - (most - least)
    pad = max((most - least) * 0.05, short / 2)
    least, most = least - pad, most + pad
    if percent:
        # There are no shares below 0 or above 1.
        least, most = max(least, min(0.0, *ends)), min(most, max(1.0, *ends))

    def place(x: float) -> str:
        return f"{100 * (x - least) / (most - least):.2f}%"

    marks = ticks(least, most)
    line = Markup("").join(
        Markup('<i class="grid" style="left:{}"></i>').format(place(tick)) for tick in marks
    )
    if reference is not None:
        line += Markup('<i class="reference" style="left:{}"></i>').format(place(reference))
    parts = []
    for row in rows:
        span = Markup("")
        if row.low is not None and row.high is not None:
            width = f"{100 * (row.high - row.low) / (most - least):.2f}%"
            span = Markup('<i class="interval" style="left:{};width:{}"></i>').format(
                place(row.low), width
            )
        parts.append(
            Markup(
                '<div class="row {}"><span class="label">{}</span><span class="track">{}{}'
                '<i class="mark" style="left:{}"></i></span><span class="value">{}</span></div>'
            ).format(
                f"{row.kind} few" if row.few else row.kind,
                _label(row),
                line,
                span,
                place(row.value),
                _number(row, digits, percent, points),
            )
        )
    scale = 100 if percent or points else 1
    numbers_of_ticks = Markup("").join(
        Markup('<i style="left:{}">{}</i>').format(place(tick), _round(tick * scale, points))
        for tick in marks
    )
    axis = Markup(
        '<div class="row axis"><span class="label"></span><span class="track">{}</span>'
        '<span class="value">{}</span></div>'
    ).format(numbers_of_ticks, unit)
    return Markup('<div class="dots" role="img" aria-label="{}">{}{}</div>').format(
        title, Markup("").join(parts), axis
    )


def _label(row: Dot) -> Markup:
    small = Markup(" <small>{}</small>").format(_wrapping(row.small)) if row.small else Markup("")
    return _wrapping(row.label) + small


def _wrapping(label: str) -> Markup:
    """Return a label that may be broken after its underscores."""
    return Markup("_<wbr>").join(label.split("_"))


def _round(value: float, signed: bool = False) -> str:
    """Return a tick's number without digits that say nothing: 0.5, 70, +10, 1,500,000."""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{round(value, 6):g}"
    return f"+{text}" if signed and value > 0 else text


def _number(row: Dot, digits: int, percent: bool, points: bool) -> str:
    def said(x: float) -> str:
        # What rounds to 0 is 0, not -0.
        shown = round(100 * x, 1) if percent or points else round(x, digits)
        if points:
            return f"{shown:+.1f}" if shown else "0.0"
        return f"{shown + 0.0:,.{1 if percent else digits}f}"

    value = said(row.value) + (" %" if percent else "")
    if row.low is None or row.high is None:
        return value
    return f"{value} [{said(row.low)}, {said(row.high)}]"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a line chart: its points are (x, value, low, high); `kind` as of a `Dot`."""

    label: str
    points: Sequence[tuple[float, float, float | None, float | None]]
    kind: str = "plain"
    small: str = ""


def lines(series: Sequence[Line], title: str, *, across: str, up: str) -> Markup:
    """Return lines of shares with intervals over a logarithmic axis, and what each line is.

    Parameters
    ----------
    title : what a screen reader says of the whole.
    across, up : what the axes measure.

    Raises ValueError without a point.
    """
    points = [point for line in series for point in line.points]
    if not points:
        raise ValueError(f"nothing to draw in '{title}'")
    width, height, left, top, right, bottom = 480, 280, 52, 12, 24, 48
    places = sorted({x for x, *_ in points})
    numbers = [v for _, *three in points for v in three if v is not None]
    pad = max(0.02, 0.05 * (max(numbers) - min(numbers)))
    least, most = max(0.0, min(numbers) - pad), min(1.0, max(numbers) + pad)
    span = math.log(places[-1] / places[0]) or 1.0

    def x(value: float) -> float:
        # The first and the last point stand off the frame.
        return left + 16 + (width - left - right - 32) * math.log(value / places[0]) / span

    def y(value: float) -> float:
        return height - bottom - (height - top - bottom) * (value - least) / (most - least)

    parts = []
    for tick in ticks(least, most):
        parts.append(
            f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(tick):.1f}"'
            f' y2="{y(tick):.1f}"/><text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">'
            f"{_round(100 * tick)}</text>"
        )
    before = -math.inf
    for value in reversed(places):
        # Where two numbers would stand in each other, the larger one stands.
        if abs(x(value) - before) >= 52:
            parts.append(
                f'<text x="{x(value):.1f}" y="{height - bottom + 17}" text-anchor="middle">'
                f"{value:,}</text>"
            )
            before = x(value)
    parts.append(
        f'<line class="axis" x1="{left}" x2="{width - right}" y1="{height - bottom}"'
        f' y2="{height - bottom}"/>'
        f'<text x="{(left + width - right) / 2}" y="{height - 8}" text-anchor="middle">'
        f"{escape(across)}</text>"
        f'<text transform="translate(13 {(top + height - bottom) / 2}) rotate(-90)"'
        f' text-anchor="middle">{escape(up)}</text>'
    )
    for i, line in enumerate(series):
        # Beside each other, so that intervals of one place do not hide each other.
        off = 4 * (i - (len(series) - 1) / 2)
        marks = []
        way = []
        for at, value, low, high in sorted(line.points):
            px, py = x(at) + off, y(value)
            way.append(f"{px:.1f},{py:.1f}")
            if low is not None and high is not None:
                marks.append(
                    f'<line class="interval" x1="{px:.1f}" x2="{px:.1f}" y1="{y(low):.1f}"'
                    f' y2="{y(high):.1f}"/>'
                )
            said = f"{line.label}, {at:,}: {100 * value:.1f} %"
            marks.append(
                f'<circle class="mark" cx="{px:.1f}" cy="{py:.1f}" r="4">'
                f"<title>{escape(said)}</title></circle>"
            )
        parts.append(
            f'<g class="{escape(line.kind)} dash{i}">'
            f'<polyline class="way" points="{" ".join(way)}"/>{"".join(marks)}</g>'
        )
    keys = Markup("").join(
        Markup(
            '<li class="{} dash{}"><svg class="key" viewBox="0 0 30 10" aria-hidden="true">'
            '<polyline class="way" points="0,5 30,5"/><circle class="mark" cx="15" cy="5" r="4"/>'
            "</svg><span>{}</span></li>"
        ).format(line.kind, i, _label(Dot(line.label, 0.0, small=line.small)))
        for i, line in enumerate(series)
    )
    drawing = Markup(
        f'<svg class="lines" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )
    return drawing + Markup('<ul class="keys">{}</ul>').format(keys)


def reliability(points: Sequence[Point], title: str, *, kind: str = "plain") -> Markup:
    """Return a square with the curve of accuracy over confidence, the diagonal, and intervals.

    A dot's size goes with the number of predictions in it. Raises ValueError without points.
    """
    if not points:
        raise ValueError(f"nothing to draw in '{title}'")
    # Left and below stand the axes' numbers and names.
    size, edge, right = 200, 36, 10
    inner = size - edge - right
    most = max(point.n for point in points)

    def x(value: float) -> float:
        return edge + inner * value

    def y(value: float) -> float:
        return size - edge - inner * value

    marks = []
    for point in points:
        at = x(point.confidence)
        if point.low is not None and point.high is not None:
            marks.append(
                f'<line class="interval" x1="{at:.1f}" x2="{at:.1f}"'
                f' y1="{y(point.low):.1f}" y2="{y(point.high):.1f}"/>'
            )
        radius = 3 + 5 * math.sqrt(point.n / most)
        marks.append(
            f'<circle class="mark" cx="{at:.1f}" cy="{y(point.accuracy):.1f}" r="{radius:.1f}">'
            f"<title>{escape(f'{point.n} predictions: {point.confidence:.2f} sure, ')}"
            f"{escape(f'{point.accuracy:.2f} right')}</title></circle>"
        )
    axis = "".join(
        f'<text x="{x(v):.1f}" y="{size - edge + 14}" text-anchor="middle">{100 * v:g}</text>'
        f'<text x="{edge - 5}" y="{y(v) + 4:.1f}" text-anchor="end">{100 * v:g}</text>'
        for v in (0, 0.5, 1)
    )
    middle = (edge + size - right) / 2
    axis += f'<text x="{middle}" y="{size - 5}" text-anchor="middle">how sure, %</text>'
    axis += (
        f'<text transform="translate(11 {size - middle}) rotate(-90)" text-anchor="middle">'
        "how often right, %</text>"
    )
    frame = f'<rect class="frame" x="{edge}" y="{right}" width="{inner}" height="{inner}"/>'
    diagonal = f'<line class="reference" x1="{x(0)}" y1="{y(0)}" x2="{x(1)}" y2="{y(1)}"/>'
    return Markup(
        f'<svg class="reliability {escape(kind)}" viewBox="0 0 {size} {size}" role="img"'
        f' aria-label="{escape(title)}">{frame}{diagonal}{axis}{"".join(marks)}</svg>'
    )
