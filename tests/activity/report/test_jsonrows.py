"""Reports as JSON."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.activity.report.sample import COLUMNS, ROWS, SECTIONS, SHOWN, ZONE, made, sample, tables, texts_table

from voxkeep.activity.report import Form, Kind, Table
from voxkeep.activity.report.jsonrows import JsonWriter
from voxkeep.activity.report.values import encodable, moment, zone_of


def read(table: Table) -> Any:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(made(table, Form.JSON), object_pairs_hook=unique)


def test_every_cell_comes_back_unrounded() -> None:
    told = read(sample())
    assert [column["key"] for column in told["columns"]] == [column.key for column in COLUMNS]
    for row, values, texts in zip(told["rows"], ROWS, SHOWN, strict=True):
        assert list(row) == [column.key for column in COLUMNS]
        assert list(row.values()) == [*values[:4], texts[4], *values[5:]]


def test_the_report_is_told_of() -> None:
    told = read(sample([], subtitle="Nightly"))
    assert told["title"] == "Agent Call Summary"
    assert told["subtitle"] == "Nightly"
    assert told["timeframe"] == {
        "begin": "2024-10-27T00:00:00.000+02:00",
        "end": "2024-10-28T00:00:00.000+01:00",
        "zone": ZONE,
    }
    assert told["columns"][2] == {
        "key": "calls", "title": "Total Calls", "kind": "count", "definition": "Calls with a ringing event.",
    }  # fmt: skip
    assert told["rows"] == []
    assert told["summary"] == {"All Calls": 12_352, "All Talking": 90_121_998}


def test_sections_are_reports_within() -> None:
    told = read(sample(sections=iter(SECTIONS)))["sections"]
    assert [section["title"] for section in told] == ["Agent one", "Agent two"]
    assert told[0]["rows"] == [{"agent": "a", "number": "1", "calls": 1}, {"agent": "b", "number": "2", "calls": 2}]
    assert told[0]["summary"] == {"Sum": 3}
    assert "timeframe" not in told[0]


@given(tables())
def test_any_table_comes_back_cell_by_cell(table: Table) -> None:
    zone = zone_of(table)
    kinds = [column.kind for column in table.columns]
    expected = [
        [
            moment(int(value), zone) if kind is Kind.MOMENT and value is not None
            else encodable(value) if isinstance(value, str) else value
            for kind, value in zip(kinds, row, strict=True)
        ]
        for row in table.rows
    ]  # fmt: skip
    assert [list(row.values()) for row in read(table)["rows"]] == expected


@given(st.lists(st.text(st.characters()), max_size=4), st.text(st.characters()))
def test_any_text_and_title_comes_back(texts: list[str], title: str) -> None:
    told = read(texts_table(texts, title))
    assert told["title"] == encodable(title)
    assert [row["text"] for row in told["rows"]] == [encodable(text) for text in texts]


def test_thousands_of_rows_are_one_list() -> None:
    assert [row["text"] for row in read(texts_table(map(str, range(2_500))))["rows"]] == [str(n) for n in range(2_500)]


def test_a_report_without_columns_or_times_is_still_one() -> None:
    told = read(Table("T"))
    assert (told["columns"], told["rows"], told["sections"]) == ([], [], [])
    assert told["timeframe"] == {"begin": None, "end": None, "zone": "UTC"}


def test_what_is_no_number_is_null() -> None:
    table = sample([("a", "1", 1, 1, 1, math.nan, True)])
    assert read(table)["rows"][0]["answered"] is None


def test_pieces_of_rows_join_to_the_same_rows() -> None:
    table = sample()
    writer = JsonWriter(table, zone_of(table))
    whole = writer.head() + writer.rows(ROWS[:1]) + writer.rows([]) + writer.rows(ROWS[1:]) + writer.foot() + b"}"
    assert json.loads(whole)["rows"] == read(table)["rows"]


def test_a_row_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        made(sample([("a",)]), Form.JSON)
