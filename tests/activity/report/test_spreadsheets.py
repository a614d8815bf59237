"""Reports as workbooks of both kinds, read back with calamine."""

import io
import zipfile
from datetime import date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from python_calamine import CalamineWorkbook
from tests.activity.report.sample import COLUMNS, SECTIONS, SHOWN, TITLES, made, sample, tables, texts_table

from voxkeep.activity.report import Column, Form, Kind, Row, Section, Table, Value
from voxkeep.activity.report.sheets import LONGEST_TEXT, cell, portions, sheet_names
from voxkeep.activity.report.values import READ, local, printable, zone_of
from voxkeep.activity.report.xlsx import XlsxBook

BOTH = pytest.mark.parametrize("form", [Form.XLS, Form.XLSX])
FEW = settings(max_examples=40)


def book(table: Table, form: Form) -> dict[str, list[list[Any]]]:
    read = CalamineWorkbook.from_filelike(io.BytesIO(made(table, form)))
    sheets = {name: read.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in read.sheet_names}
    return {name: [[whole(value) for value in row] for row in rows] for name, rows in sheets.items()}


def whole(value: Any) -> Any:
    """Return a midnight as the moment it is: the reader gives a date for it."""
    return value if isinstance(value, datetime) or not isinstance(value, date) else datetime.combine(value, time())


def first(table: Table, form: Form) -> list[list[Any]]:
    return next(iter(book(table, form).values()))


def as_read(kind: Kind, value: Value, zone: ZoneInfo) -> Any:
    """Return what a reader finds where a value was written: "" for an empty cell."""
    if value is None:
        return ""
    readings: dict[Kind, Any] = {
        Kind.TEXT: lambda: printable(str(value)),
        Kind.DURATION: lambda: timedelta(seconds=int(value) // 1000),
        Kind.MOMENT: lambda: local(int(value), zone).replace(tzinfo=None),
        Kind.PERCENT: lambda: pytest.approx(float(value) / 100, abs=1e-12),
    }
    return readings.get(kind, lambda: value)()


@BOTH
def test_every_cell_comes_back_as_what_it_is(form: Form) -> None:
    titles, *rows = first(sample(), form)
    assert titles == TITLES
    for row, texts in zip(rows, SHOWN, strict=True):
        agent, number, calls, talking, start, answered, flag = row
        assert [agent, number, str(int(calls))] == texts[:3]
        hours, minutes, seconds = map(int, texts[3].split(":"))
        assert talking == timedelta(hours=hours, minutes=minutes, seconds=seconds)
        assert start == datetime.fromisoformat(texts[4]).replace(tzinfo=None)
        assert f"{answered:.1%}" == texts[5]
        assert flag is (texts[6] == "yes")


@BOTH
@FEW
@given(table=tables())
def test_any_table_comes_back_cell_by_cell(form: Form, table: Table) -> None:
    zone = zone_of(table)
    kinds = [column.kind for column in table.columns]
    expected = [[as_read(kind, value, zone) for kind, value in zip(kinds, row, strict=True)] for row in table.rows]
    for row, wanted in zip(first(table, form)[1:], expected, strict=False) if kinds else ():
        assert row == wanted
    # what is empty to the end of a sheet is no part of it to a reader
    filled = [row for row in expected if any(value != "" for value in row)]
    assert not kinds or len([row for row in first(table, form)[1:] if any(v != "" for v in row)]) == len(filled)


@BOTH
@FEW
@given(
    texts=st.lists(st.text(st.characters(), min_size=1) | st.text(st.sampled_from("=+-@'_x0041\r\n\t &<"), min_size=1))
)
def test_any_text_comes_back_as_a_text(form: Form, texts: list[str]) -> None:
    assert first(texts_table(texts), form)[1:] == [[printable(text)] for text in texts]


def test_no_formula_is_ever_written() -> None:
    texts = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", '=HYPERLINK("x")', "{=1}", "http://x.test/", "mailto:a@b.test", "12"]
    with zipfile.ZipFile(io.BytesIO(made(texts_table(texts), Form.XLSX))) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml")
        assert not [name for name in parts.namelist() if "rels" in name and "sheet" in name]
    assert b"<f>" not in sheet
    assert sheet.count(b'"inlineStr"') == len(texts) + 1


@BOTH
@pytest.mark.parametrize("letter", ["a", "ж", "\U0001d4b3"])
def test_a_text_that_is_too_long_is_cut_and_told_of(form: Form, letter: str) -> None:
    units = len(letter.encode("utf-16-le")) // 2
    fits, too_long = letter * (LONGEST_TEXT // units), letter * (LONGEST_TEXT // units + 1)
    read = book(texts_table(["x", fits, too_long]), form)
    _, _, (kept,), (cut,) = read["Texts"]
    assert kept == fits
    assert cut.endswith("…")
    assert too_long.startswith(cut[:-1])
    assert LONGEST_TEXT - 1 <= len(cut.encode("utf-16-le")) // 2 <= LONGEST_TEXT
    notes = [row[0] for row in read["About"]]
    assert "The first is on sheet Texts, row 4." in notes
    assert "Rows with a text that is longer than a cell can hold, which ends in …: 1." in notes


def test_an_xls_sheet_holds_65535_rows_and_what_is_more_goes_on_in_the_next() -> None:
    column = (Column("n", "Number", Kind.COUNT),)
    full = book(Table("Many", column, ((number,) for number in range(65_535))), Form.XLS)
    assert list(full) == ["Many", "About"]
    assert len(full["Many"]) == 65_536
    read = book(Table("Many", column, ((number,) for number in range(65_537))), Form.XLS)
    assert list(read) == ["Many", "Many (2)", "About"]
    assert read["Many (2)"] == [["Number"], [65_535.0], [65_536.0]]
    assert [row[0] for row in chain(read["Many"][1:], read["Many (2)"][1:])] == list(range(65_537))
    assert ["The rows of sheet Many go on in sheet Many (2)."] in [row[:1] for row in read["About"]]


def test_an_xlsx_is_split_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(XlsxBook, "most_rows", 4)
    read = book(texts_table("abcdefg"), Form.XLSX)
    assert [name for name in read if name.startswith("Texts")] == ["Texts", "Texts (2)", "Texts (3)"]
    assert read["Texts (3)"] == [["Text"], ["g"]]


def test_more_columns_than_a_sheet_has_are_refused() -> None:
    columns = tuple(Column(str(number), str(number), Kind.COUNT) for number in range(257))
    with pytest.raises(ValueError, match="257 columns, of 256"):
        made(Table("Wide", columns), Form.XLS)
    assert len(first(Table("Wide", columns), Form.XLSX)[0]) == 257


@BOTH
def test_the_last_sheet_tells_of_the_report(form: Form) -> None:
    about = [[value for value in row if value != ""] for row in book(sample([], sections=SECTIONS), form)["About"]]
    assert about == [
        ["Agent Call Summary"],
        ["2024-10-27T00:00:00.000+02:00 to 2024-10-28T00:00:00.000+01:00 (Europe/Berlin)"],
        [],
        ["Summary"],
        ["All Calls", 12_352],
        ["All Talking", timedelta(hours=25, minutes=2, seconds=1)],
        [],
        ["Agent one"],
        ["Sum", 3],
        [],
        ["Columns and figures"],
        ["Agent", "Who took the calls."],
        ["Total Calls", "Calls with a ringing event."],
        ["All Calls", "Over all agents."],
    ]


@BOTH
def test_sections_share_a_sheet_with_their_titles(form: Form) -> None:
    read = book(Table("Agent Calls", sections=iter(SECTIONS)), form)
    assert read["Agent Calls"] == [
        ["Section", *TITLES[:3]], ["Agent one", "a", "1", 1], ["Agent one", "b", "2", 2], ["Agent two", "c", "3", 3],
    ]  # fmt: skip


@BOTH
@pytest.mark.parametrize(
    "title", ["", "About", "history", "a/b:c*[d]?\\e", "'q'", "x" * 40, "\U0001d4b3" * 40, "\x00\n", "Ж"]
)
def test_any_title_gives_a_sheet(form: Form, title: str) -> None:
    read = book(Table(title, COLUMNS[:1], [("a",)], sections=SECTIONS), form)
    assert next(iter(read.values())) == [["Agent"], ["a"]]
    assert len(read) == 3


@given(st.text(st.characters()))
def test_sheet_names_keep_excels_rules(title: str) -> None:
    names = [name for name, _ in zip(sheet_names(title), range(12), strict=False)]
    assert len({name.lower() for name in names}) == len(names)
    for name in names:
        assert 0 < len(name.encode("utf-16-le")) // 2 <= 31
        assert not set(name) & set("[]:*?/\\")
        assert name[0] != "'" != name[-1]
        assert name.lower() not in {"history", "about"}


@given(st.integers(0, 30), st.integers(2, 7))
def test_portions_lose_nothing(rows: int, most: int) -> None:
    read = [list(portion) for portion in portions(iter(range(rows)), most)]
    assert list(chain.from_iterable(read)) == list(range(rows))
    assert all(len(portion) == most for portion in read[:-1])
    assert 0 < len(read[-1]) <= most or read == [[]]


def test_a_moment_shows_its_offset_by_its_format() -> None:
    zone = ZoneInfo("Europe/Berlin")
    first_time, second_time = cell(Kind.MOMENT, 1_729_987_200_000, zone), cell(Kind.MOMENT, 1_729_990_800_000, zone)
    assert first_time.value == second_time.value
    assert first_time.number_format.endswith('"+02:00"')
    assert second_time.number_format.endswith('"+01:00"')


def test_what_a_number_cannot_hold_is_a_text() -> None:
    zone = ZoneInfo("UTC")
    assert cell(Kind.COUNT, 2**53 + 1, zone).value == str(2**53 + 1)
    assert cell(Kind.DURATION, -61_000, zone).value == READ[Kind.DURATION](-61_000, zone)
    assert cell(Kind.PERCENT, float("nan"), zone).value == ""


@BOTH
def test_a_report_of_nothing_is_still_a_workbook(form: Form) -> None:
    assert list(book(Table("Nothing"), form)) == ["About"]
    assert book(Table("Nothing", COLUMNS), form)["Nothing"] == [TITLES]


@BOTH
def test_a_row_that_does_not_fit_is_refused(form: Form) -> None:
    with pytest.raises(ValueError, match="argument 2 is"):
        made(Table("T", (*COLUMNS[:2],), [("a",)], sections=[Section("S")]), form)


@pytest.mark.parametrize("shift", range(9))
def test_a_text_that_goes_on_in_the_next_record_loses_no_character(shift: int) -> None:
    # records of 8,224 bytes end at other places with every shift, also right after the first half of a character
    texts = ["a" * (shift + 8_190), *("\U0001d4b3" * (length + 1) for length in range(200)), "a" * 9_000, "ж" * 9_000]
    assert first(texts_table(texts), Form.XLS)[1:] == [[text] for text in texts]


@BOTH
def test_a_report_that_fails_leaves_no_file_behind(form: Form, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    rows: list[Row] = [("a",)] * 2_500
    with pytest.raises(ValueError, match="zip"):
        made(Table("T", COLUMNS[:1], [*rows, ("a", "b")]), form)
    assert list(tmp_path.iterdir()) == []
