"""CSV: what is read back is what was flattened; it is asked for as in Kazoo; no name breaks out of a header."""

import csv
import io
import json
from email.message import Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo.csvform import LONGEST_NAME, MOST_LEVELS, Columns, disposition, flat, wants_csv, write

NOW = 1_700_000_000


def columns_of(documents: list[dict[str, Any]]) -> Columns:
    columns = Columns()
    for document in documents:
        columns.add(document)
    return columns


def read_back(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode(), newline="")))


# Rows


def test_a_list_becomes_rows_under_the_names_of_all_columns() -> None:
    documents: list[dict[str, Any]] = [
        {"id": "1", "duration": 12, "custom_channel_vars": {"Owner-ID": "o", "x": {"y": 1.5}}, "ok": True},
        {"id": "2", "from": 'Jo "J", Doe\r\nat home', "ok": False, "list": ["a", 1, None], "nil": None, "none": {}},
    ]
    assert write(documents, columns_of(documents), header=True).decode() == (
        "id,duration,custom_channel_vars_Owner-ID,custom_channel_vars_x_y,ok,from,list,nil\r\n"
        "1,12,o,1.5,true,,,\r\n"
        '2,,,,false,"Jo ""J"", Doe\r\nat home","[""a"",1,null]",\r\n'
    )


def test_an_empty_list_has_an_empty_body() -> None:
    assert write([], Columns(), header=True) == b""


def test_a_value_that_looks_like_a_formula_stays_as_it_is() -> None:
    documents = [{"id": "=1+1", "from": "+15551234", "to": "@x", "n": -5}]
    assert read_back(write(documents, columns_of(documents), header=True)) == [
        {"id": "=1+1", "from": "+15551234", "to": "@x", "n": "-5"}
    ]


def test_of_two_columns_of_one_name_the_first_counts() -> None:
    assert flat({"a_b": "plain", "a": {"b": "inner"}}) == {"a_b": "plain"}
    assert flat({"a": {"b": "inner"}, "a_b": "plain"}) == {"a_b": "inner"}


def test_a_column_that_came_after_the_names_were_collected_is_left_out() -> None:
    columns = columns_of([{"id": "1"}])
    assert write([{"new": "x", "id": "2"}], columns, header=True) == b"id\r\n2\r\n"


def test_what_is_nested_too_deep_is_one_column_of_json() -> None:
    deep: dict[str, Any] = {"x": "y"}
    for _ in range(600):
        deep = {"a": deep}
    ((name, value),) = flat(deep).items()
    assert name == "_".join("a" * (MOST_LEVELS + 1))
    assert json.loads(value)["a"] is not None


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
LISTS = st.lists(
    st.dictionaries(TEXT, VALUES, min_size=1, max_size=4).map(lambda each: {"id": "x", **each}), max_size=5
)


@given(LISTS)
def test_what_is_read_back_is_what_was_flattened(documents: list[dict[str, Any]]) -> None:
    columns = columns_of(documents)
    expected = [{name: flat(document).get(name, "") for name in columns.names} for document in documents]
    assert read_back(write(documents, columns, header=True)) == expected


@given(st.lists(SCALARS | st.lists(SCALARS, max_size=3), max_size=5))
def test_a_value_that_is_no_text_is_written_as_json_and_nothing_as_nothing(values: list[Any]) -> None:
    cells = flat({"x": {str(number): value for number, value in enumerate(values)}})
    assert list(cells) == [f"x_{number}" for number in range(len(values))]
    for cell, value in zip(cells.values(), values, strict=True):
        if value is None or isinstance(value, str):
            assert cell == (value or "")
        else:
            assert json.loads(cell) == value


@given(LISTS, st.integers(0, 5))
def test_a_list_written_in_parts_is_the_list_written_at_once(documents: list[dict[str, Any]], at: int) -> None:
    columns = columns_of(documents)
    parts = write(documents[:at], columns, header=True) + write(documents[at:], columns, header=False)
    assert parts == write(documents, columns, header=True)


@given(LISTS)
def test_columns_stand_in_the_order_in_which_they_are_first_seen(documents: list[dict[str, Any]]) -> None:
    seen = [name for document in documents for name in flat(document)]
    assert columns_of(documents).names == sorted(set(seen), key=seen.index)


# What is asked for

ACCEPTS = [
    (None, None, False),
    (None, b"", False),
    (None, b"*/*", False),
    (None, b"text/csv", True),
    (None, b"TEXT/CSV; charset=utf-8", True),
    (None, b"text/comma-separated-values", True),
    (None, b"application/octet-stream", True),
    (None, b"application/json", False),
    (None, b"application/json, text/javascript, */*; q=0.01", False),
    (None, b"application/json, text/csv", False),
    (None, b"text/csv, application/json", False),
    (None, b"application/json, application/octet-stream", False),
    (None, b"text/csv, application/json;q=0.9", True),
    (None, b"text/csv;q=0.5, application/json;q=0.9", False),
    (None, b"text/csv, */*", True),
    (None, b"text/csv;q=0.5, */*", False),
    (None, b"text/csv, */*;q=0.1", True),
    (None, b"text/csv;q=0", False),
    (None, b"text/csv;q=0, */*;q=0", False),
    (None, b"text/html", False),
    (None, b"\xff\xfe,;;,q=1", False),
    ("csv", None, True),
    ("csv", b"application/json", True),
    ("text/csv", b"application/json", True),
    ("application/json", b"text/csv", False),
    ("audio/mpeg", b"text/csv", False),
    ("", b"text/csv", True),
    ("json", b"text/csv", True),
    ("nonsense", b"application/json", False),
]


@pytest.mark.parametrize(("parameter", "header", "expected"), ACCEPTS)
def test_csv_is_sent_where_it_is_preferred(parameter: str | None, header: bytes | None, *, expected: bool) -> None:
    assert wants_csv(parameter, header) is expected


@given(st.none() | st.text(), st.none() | st.binary())
def test_no_accept_breaks_anything(parameter: str | None, header: bytes | None) -> None:
    asked = (parameter or "").lower() + (header or b"").decode("latin-1").lower()
    words = ("csv", "comma-separated", "octet-stream")
    assert not wants_csv(parameter, header) or any(word in asked for word in words)


# Its name


def file_name(header: bytes) -> str:
    """Return the name that a reader of mail, and so of HTTP, understands."""
    message = Message()
    message["Content-Disposition"] = header.decode("ascii")
    assert message.get_content_disposition() == "attachment"
    found = message.get_filename()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("x_file_name", "parameter", "expected"),
    [
        (b"calls.csv", None, b'attachment; filename="calls.csv"'),
        (b"calls.csv", "other.csv", b'attachment; filename="calls.csv"'),
        (None, "my calls; v=2.csv", b'attachment; filename="my calls; v=2.csv"'),
        (b" ", "other.csv", b'attachment; filename="other.csv"'),
        (None, 'a"b\\c/d.csv', b'attachment; filename="a_b_c_d.csv"'),
        (None, "a\r\nSet-Cookie: x=1", b'attachment; filename="a__Set-Cookie: x=1"'),
        (None, None, b'attachment; filename="recordings-20231114-221320.csv"'),
        (None, "../..", b'attachment; filename="recordings-20231114-221320.csv"'),
        (None, "Anrufe März.csv", b"attachment; filename=\"Anrufe M_rz.csv\"; filename*=UTF-8''Anrufe%20M%C3%A4rz.csv"),
    ],
)
def test_a_list_has_the_name_that_is_wished_for(
    x_file_name: bytes | None, parameter: str | None, expected: bytes
) -> None:
    assert disposition(x_file_name, parameter, NOW) == expected


def test_a_name_in_a_header_may_be_in_utf_8_or_latin_1() -> None:
    for encoding in ("utf-8", "latin-1"):
        assert b"filename*=UTF-8''M%C3%A4rz.csv" in disposition("März.csv".encode(encoding), None, NOW)


@given(st.none() | st.binary(), st.none() | st.text(st.characters()))
def test_no_name_breaks_out_of_the_header(x_file_name: bytes | None, parameter: str | None) -> None:
    header = disposition(x_file_name, parameter, NOW)
    assert header.startswith(b'attachment; filename="')
    assert header.isascii()
    assert header.decode().isprintable()
    assert header.count(b'"') == 2
    assert b"\\" not in header


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1))
def test_a_plain_name_is_kept(name: str) -> None:
    assert file_name(disposition(None, name, NOW)) == name[:LONGEST_NAME]
