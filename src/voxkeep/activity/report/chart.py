"""The geometry of a small chart: where bars, points and marks of the axis stand, in a plane of `WIDTH` x `HEIGHT`.

Pure figures: what draws them (SVG in a page) stands elsewhere.
"""

import math
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from msgspec import Struct

from voxkeep.activity.report.table import Chart, ChartKind, Column, Kind, Row, Value
from voxkeep.activity.report.values import shown

WIDTH, HEIGHT = 720.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 8.0, 8.0, 24.0
"""Margins around the plot: the marks of the axis on the left, labels below."""
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
MOST_POINTS = 60
"""More are a smear at this size: a chart shows the first ones, and tells so."""
MOST_LABELS = 8
LONGEST_LABEL = 12
"""Letters; the whole label is told with each value."""
MARKS = 4
"""About as many intervals an axis is cut in."""
BAR_SHARE = 0.8
"""Of a point's width that its bars take."""
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)
TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200, 86_400)


class Mark(Struct, frozen=True):
    """A mark of an axis: where it stands along it, and what it says."""

    at: float
    text: str


class Bar(Struct, frozen=True):
    """One bar; `text` tells what it stands for."""

    x: float
    y: float
    width: float
    height: float
    text: str


class Series(Struct, frozen=True):
    """One column's values: bars, or the points of a line, broken where there are no values."""

    title: str
    bars: list[Bar]
    lines: list[list[tuple[float, float]]]


class Drawing(Struct, frozen=True):
    """A whole chart, ready to be drawn."""

    series: list[Series]
    marks: list[Mark]
    """Of the upright axis, from its foot."""
    labels: list[Mark]
    points: int


def draw(chart: Chart, columns: Sequence[Column], rows: Sequence[Row], zone: ZoneInfo) -> Drawing:
    """Lay out a chart of the first `MOST_POINTS` of the rows; heights below zero stand as zero."""
    places = {column.key: number for number, column in enumerate(columns)}
    rows = rows[:MOST_POINTS]
    label, values = places[chart.label], [places[key] for key in chart.values]
    kind = columns[values[0]].kind
    top = max((_height(row[place]) or 0.0 for row in rows for place in values), default=0.0)
    step = _step(top, kind)
    marks = max(math.ceil(top / step), 1)
    labels = [shown(columns[label].kind, row[label], zone) for row in rows]
    plane = _Plane(marks * step, len(rows), len(values), kind, zone)
    return Drawing(
        series=[
            plane.series(chart.kind, columns[place].title, number, labels, [row[place] for row in rows])
            for number, place in enumerate(values)
        ],
        marks=[Mark(plane.y(number * step), _mark(kind, number * step, zone)) for number in range(marks + 1)],
        labels=plane.labels(labels),
        points=len(rows),
    )


def _mark(kind: Kind, value: float, zone: ZoneInfo) -> str:
    return shown(kind, round(value) if kind is Kind.COUNT else value, zone)


def _height(value: Value) -> float | None:
    if value is None or isinstance(value, str) or not math.isfinite(value):
        return None
    return max(float(value), 0.0)


def _step(top: float, kind: Kind) -> float:
    """Return a round distance of marks: of time by the clock, of counts whole."""
    least = top / MARKS
    if kind is Kind.DURATION:
        for seconds in TIME_STEPS_S:
            if seconds * 1000 >= least:
                return seconds * 1000.0
        return 86_400_000.0 * math.ceil(least / 86_400_000)
    if least <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(least))
    step = next(one * power for one in (*STEPS, 20.0) if one * power >= least)
    return max(float(math.ceil(step)), 1.0) if kind is Kind.COUNT else step


class _Plane:
    """Where values stand: `points` groups side by side, heights from 0 to `top`."""

    def __init__(self, top: float, points: int, series: int, kind: Kind, zone: ZoneInfo) -> None:
        self._top = top
        self._slot = PLOT_WIDTH / max(points, 1)
        self._bar = self._slot * BAR_SHARE / series
        self._kind = kind
        self._zone = zone

    def y(self, height: float) -> float:
        return round(TOP + PLOT_HEIGHT * (1 - height / self._top), 2)

    def middle(self, point: int) -> float:
        return round(LEFT + self._slot * (point + 0.5), 2)

    def series(self, kind: ChartKind, title: str, number: int, labels: list[str], values: list[Value]) -> Series:
        heights = [_height(value) for value in values]
        texts = [
            f"{label}: {shown(self._kind, value, self._zone)}" for label, value in zip(labels, values, strict=True)
        ]
        if kind is ChartKind.LINE:
            return Series(title, [], self._lines(heights))
        bars = [self._bar_at(point, number, height, texts[point]) for point, height in enumerate(heights) if height]
        return Series(title, bars, [])

    def _bar_at(self, point: int, number: int, height: float, text: str) -> Bar:
        left = LEFT + self._slot * (point + (1 - BAR_SHARE) / 2) + self._bar * number
        y = self.y(height)
        return Bar(round(left, 2), y, round(self._bar, 2), round(TOP + PLOT_HEIGHT - y, 2), text)

    def _lines(self, heights: list[float | None]) -> list[list[tuple[float, float]]]:
        lines: list[list[tuple[float, float]]] = [[]]
        for point, height in enumerate(heights):
            if height is None:
                lines.append([])
            else:
                lines[-1].append((self.middle(point), self.y(height)))
        return [line for line in lines if line]

    def labels(self, labels: list[str]) -> list[Mark]:
        every = math.ceil(len(labels) / MOST_LABELS) or 1
        return [Mark(self.middle(point), _short(labels[point])) for point in range(0, len(labels), every)]


def _short(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
