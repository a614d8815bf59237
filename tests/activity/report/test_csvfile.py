"""Reports as CSV, read back with the csv module."""

import csv
import io
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.activity.report.sample import COLUMNS, SECTIONS, SHOWN, TITLES, made, sample, tables, texts_table

from voxkeep.activity.report import Column, Form, Kind, Row, Section, Table, render
from voxkeep.activity.report.csvfile import CsvWriter
from voxkeep.activity.report.values import CSV, encodable, harmless, zone_of


def lines(table: Table) -> list[list[str]]:
    return list(csv.reader(io.StringIO(made(table, Form.CSV).decode(), newline=""), strict=True))


def test_every_cell_comes_back() -> None:
    expected = [[text.removesuffix("%") for text in row] for row in SHOWN]
    for row in expected:
        row[-1] = {"yes": "true", "no": "false"}[row[-1]]
    expected[1][0] = "'=SUM(A1:A9)"
    assert lines(sample()) == [TITLES, *expected]


def test_lines_end_as_rfc_4180_says_and_no_mark_stands_before_the_first_title() -> None:
    body = made(texts_table(["a", 'b"c', "d\ne"]), Form.CSV)
    assert body == b'Text\r\na\r\n"b""c"\r\n"d\ne"\r\n'


@given(tables())
def test_any_table_comes_back_cell_by_cell(table: Table) -> None:
    zone = zone_of(table)
    expected = [
        [
            "" if value is None else CSV[column.kind](value, zone)
            for column, value in zip(table.columns, row, strict=True)
        ]
        for row in table.rows
    ]
    head = [[column.title for column in table.columns]] if table.columns else []
    assert lines(table) == head + expected


@given(st.lists(st.text(st.characters()) | st.text(st.sampled_from("=+-@'\"\r\n\t,;\x00")), max_size=5))
def test_any_text_comes_back_but_for_its_guard(texts: list[str]) -> None:
    assert lines(texts_table(texts))[1:] == [[harmless(encodable(text))] for text in texts]


def test_sections_stand_in_one_table_with_their_titles() -> None:
    table = sample([], sections=SECTIONS)
    assert lines(table) == [
        TITLES,
        [],
        ["Section", *TITLES[:3]],
        ["Agent one", "a", "1", "1"],
        ["Agent one", "b", "2", "2"],
        ["Agent two", "c", "3", "3"],
    ]


def test_sections_alone_are_a_clean_table() -> None:
    assert len({len(line) for line in lines(Table("T", sections=[Section("=a", COLUMNS[:3], [("a", "1", 1)])]))}) == 1


def test_a_report_without_columns_is_an_empty_file() -> None:
    assert made(Table("T"), Form.CSV) == b""


def test_titles_are_guarded_too() -> None:
    assert lines(Table("T", (Column("a", "=A1", Kind.TEXT),))) == [["'=A1"]]


@pytest.mark.parametrize("row", [("a",), ("a", 1, 2)])
def test_a_row_that_does_not_fit_is_refused(row: Row) -> None:
    table = Table("T", (Column("a", "A", Kind.TEXT), Column("b", "B", Kind.COUNT)), [("x", 1), row])
    with pytest.raises(ValueError, match="argument 2 is"):
        made(table, Form.CSV)


def test_pieces_of_rows_join_to_the_same_file() -> None:
    table = sample()
    writer = CsvWriter(table.columns, zone_of(table))
    assert writer.head() + b"".join(writer.rows([row]) for row in table.rows) == made(table, Form.CSV)


def test_a_hundred_thousand_rows_take_no_more_memory_than_a_thousand() -> None:
    def rows(count: int) -> Iterator[Row]:
        for number in range(count):
            yield (f"Agent {number}", str(number), number, number * 1000, number * 60_000, 50.0, True)

    def peak(count: int) -> tuple[int, int]:
        tracemalloc.start()
        ends = sum(chunk.count(b"\r\n") for chunk in render(sample(rows(count)), Form.CSV))
        taken = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return ends, taken

    # what is imported or cached once counts for neither
    peak(10)
    (_, few), (ends, many) = peak(2_000), peak(100_000)
    assert ends == 100_001
    assert many < few + 300_000
