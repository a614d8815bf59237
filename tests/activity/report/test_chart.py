"""Where the parts of a chart stand."""

from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voxkeep.activity.report import Chart, ChartKind, Column, Kind, Row
from voxkeep.activity.report.chart import BOTTOM, HEIGHT, LEFT, MOST_LABELS, PLOT_WIDTH, TOP, Drawing, draw

UTC = ZoneInfo("UTC")


def drawn(kind: ChartKind, measure: Kind, rows: list[Row], series: int = 1) -> Drawing:
    keys = tuple(f"v{number}" for number in range(series))
    columns = (Column("label", "Label", Kind.TEXT), *(Column(key, key.upper(), measure) for key in keys))
    return draw(Chart(kind, "label", keys), columns, rows, UTC)


@given(
    st.sampled_from([Kind.COUNT, Kind.DURATION, Kind.PERCENT]),
    st.lists(st.tuples(*[st.none() | st.integers(0, 10**12)] * 2), min_size=1, max_size=80),
)
def test_bars_stand_inside_the_plot_in_proportion_and_never_overlap(
    measure: Kind, values: list[tuple[int | None, int | None]]
) -> None:
    drawing = drawn(ChartKind.BAR, measure, [(str(n), *pair) for n, pair in enumerate(values)], series=2)
    bars = sorted((bar for series in drawing.series for bar in series.bars), key=lambda bar: bar.x)
    for bar in bars:
        assert bar.x >= LEFT
        assert bar.x + bar.width <= LEFT + PLOT_WIDTH + 0.02
        assert TOP <= bar.y <= HEIGHT - BOTTOM
        assert bar.y + bar.height == pytest.approx(HEIGHT - BOTTOM, abs=0.02)
    for left, right in pairwise(bars):
        assert left.x + left.width <= right.x + 0.03
    heights = sorted((value or 0, pair) for pair, value in enumerate(v for pair in values[:60] for v in pair if v))
    assert len(bars) == len(heights)
    top = max((value for value, _ in heights), default=0)
    if top:
        tallest = max(bar.height for bar in bars)
        scale = sorted(bar.height for bar in bars)
        assert scale == pytest.approx([tallest * value / top for value, _ in heights], abs=0.03)


@given(st.sampled_from([Kind.COUNT, Kind.DURATION, Kind.PERCENT]), st.integers(0, 10**13))
@example(Kind.COUNT, 1)
@example(Kind.COUNT, 0)
@example(Kind.DURATION, 1)
@example(Kind.DURATION, 0)
def test_an_axis_has_few_round_marks_that_all_differ(measure: Kind, top: int) -> None:
    marks = drawn(ChartKind.BAR, measure, [("a", top)]).marks
    assert 2 <= len(marks) <= 6
    assert len({mark.text for mark in marks}) == len(marks)
    assert [mark.at for mark in marks] == sorted((mark.at for mark in marks), reverse=True)


def test_a_line_is_broken_where_there_is_no_value() -> None:
    (series,) = drawn(ChartKind.LINE, Kind.COUNT, [("a", 1), ("b", 2), ("c", None), ("d", 4)]).series
    assert [len(line) for line in series.lines] == [2, 1]
    assert series.lines[1][0][1] < series.lines[0][1][1] < series.lines[0][0][1]


def test_marks_of_time_are_told_by_the_clock() -> None:
    marks = drawn(ChartKind.BAR, Kind.DURATION, [("a", 50 * 60_000)]).marks
    assert [mark.text for mark in marks] == ["0:00:00", "0:15:00", "0:30:00", "0:45:00", "1:00:00"]


def test_a_bar_tells_its_label_and_value_in_full() -> None:
    (series,) = drawn(ChartKind.BAR, Kind.PERCENT, [("A very long label of an agent", 12.34)]).series
    assert series.bars[0].text == "A very long label of an agent: 12.3%"


def test_labels_are_few_and_short() -> None:
    drawing = drawn(ChartKind.BAR, Kind.COUNT, [(f"A very long label {number}", number) for number in range(60)])
    assert 0 < len(drawing.labels) <= MOST_LABELS
    assert all(len(label.text) <= 12 for label in drawing.labels)
