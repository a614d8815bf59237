"""What a table may be, and how it becomes plain rectangles."""

import pytest
from tests.activity.report.sample import COLUMNS, SECTIONS, SUMMARY, sample

from voxkeep.activity.report import Chart, ChartKind, Column, Figure, Kind, Section, Table
from voxkeep.activity.report.table import definitions, noted, parts


def test_two_columns_of_one_key_are_refused() -> None:
    with pytest.raises(ValueError, match="two of one column key: 'a'"):
        Section("S", (Column("a", "A", Kind.TEXT), Column("a", "B", Kind.TEXT)))


def test_two_figures_of_one_title_are_refused() -> None:
    with pytest.raises(ValueError, match="two of one figure: 'Sum'"):
        Table("T", summary=(Figure("Sum", Kind.COUNT, 1), Figure("Sum", Kind.COUNT, 2)))


@pytest.mark.parametrize(
    ("label", "values", "reason"),
    [("agent", ("nobody",), "no such column"), ("nobody", ("calls",), "no such column"), ("agent", (), "one kind"),
     ("agent", ("calls", "talking"), "one kind"), ("agent", ("number",), "has a size")],
)  # fmt: skip
def test_a_chart_that_cannot_be_drawn_is_refused(label: str, values: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        sample(chart=Chart(ChartKind.BAR, label, values))


def test_neighbouring_sections_of_the_same_columns_are_one_rectangle() -> None:
    other = Section("Other", COLUMNS[:1], [("z",)])
    told = [(len(part.columns), list(part.rows)) for part in parts(Table("T", sections=[*SECTIONS, other]))]
    assert told == [
        (4, [("Agent one", "a", "1", 1), ("Agent one", "b", "2", 2), ("Agent two", "c", "3", 3)]),
        (2, [("Other", "z")]),
    ]


def test_rows_and_sections_that_come_one_by_one_are_read_once_and_in_order() -> None:
    table = sample(iter([("x", "1", 1, 1, 1, 1.0, True)]), sections=iter(SECTIONS))
    assert [len(list(part.rows)) for part in parts(table)] == [1, 3]
    assert [len(list(part.rows)) for part in parts(table)] == [0]


def test_what_a_column_means_is_told_once_for_all_sections() -> None:
    seen: list[Section] = []
    assert [section.title for section in noted(iter(SECTIONS), seen)] == ["Agent one", "Agent two"]
    assert definitions([sample(), *seen]) == [
        ("Agent", COLUMNS[0].definition),
        ("Total Calls", COLUMNS[2].definition),
        (SUMMARY[0].title, SUMMARY[0].definition),
    ]
