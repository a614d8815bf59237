"""Filters: each means what Kazoo means by it, over any key of a document; nonsense accepts and breaks nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo.filters import KEYED, MOST_STEPS, NAMED, filters_of, integer, text_of

DOCUMENT = {
    "id": "202401-0123456789abcdef0123456789abcdef",
    "direction": "inbound",
    "duration": 0,
    "duration_ms": 12_500,
    "rate": 1.5,
    "caller_id_name": "",
    "is_held": True,
    "is_masked": False,
    "notes": "none",
    "any_day": "monday",
    "nothing": None,
    "a.b": "whole",
    "a": {"b": "inner", "c.d": "split", "f": {"g": "deep"}},
    "flags": ["red", 7, True],
    "no_flags": [],
    "empty": {},
    "custom_channel_vars": {"Owner-ID": "owner1", "Account-ID": "account1"},
    "pvt_type": "call_recording",
    "pvt_modified": 63_800_000_000,
}


def passes(name: str, operand: str, document: dict[str, Any] = DOCUMENT) -> bool:
    return filters_of({name: operand}).accepts(document)


EQUAL = [
    ("direction", "inbound", True),
    ("direction", "Inbound", False),
    ("direction", "in", False),
    ("direction", "", False),
    ("direction", '["outbound","inbound"]', True),
    ("direction", '["outbound"]', False),
    ("direction", '"inbound"', True),
    ("direction", "[]", False),
    ("direction", '["inbound"', False),
    ("direction", '{"inbound":1}', False),
    ("duration", "0", True),
    ("duration_ms", "12500", True),
    ("duration_ms", "12500.0", False),
    ("duration_ms", "[1, 12500]", True),
    ("duration_ms", '["12500"]', True),
    ("rate", "1.5", True),
    ("is_held", "true", True),
    ("is_held", "1", False),
    ("is_held", "[true]", True),
    ("is_masked", "false", True),
    ("is_masked", "0", False),
    ("caller_id_name", "", True),
    ("missing", "", True),
    ("missing", "x", False),
    ("nothing", "", True),
    ("nothing", "null", False),
    ("flags", "", True),
    ("empty", "", True),
    ("custom_channel_vars", "", True),
    ("custom_channel_vars.Owner-ID", "owner1", True),
    ("custom_channel_vars.Owner-ID", '["owner0","owner1"]', True),
    ("custom_channel_vars.owner-id", "owner1", False),
    ("custom_channel_vars.Owner-ID.x", "", True),
    ("direction.x", "", True),
    ("a.b", "whole", True),
    ("a.b", "inner", False),
    ("a.c.d", "split", True),
    ("a.c", "", True),
    ("a.f.g", "deep", True),
    ("a.f", "deep", False),
    (".a", "", True),
    ("a.", "", True),
    ("notes", "none", True),
    ("pvt_type", "call_recording", True),
    ("", "", True),
    ("", "x", False),
]


@pytest.mark.parametrize(("key", "operand", "expected"), EQUAL)
def test_a_filter_compares_the_value_as_text_and_filter_not_is_its_opposite(
    key: str, operand: str, *, expected: bool
) -> None:
    assert passes(f"filter_{key}", operand) is expected
    assert passes(f"filter_not_{key}", operand) is not expected


@pytest.mark.parametrize(
    ("name", "operand", "expected"),
    [
        ("filter_notes", "none", True),  # not filter_not_ with a key "es"
        ("filter_not_notes", "none", False),
        ("filter_any_direction", '["inbound"]', True),
        ("filter_any_any_day", '["monday"]', True),
        ("filter_anything", "", True),
        ("filter_nonesuch", "", True),
        ("filter_array_intersect", "", True),
    ],
)
def test_a_prefix_is_one_only_with_its_underscore(name: str, operand: str, *, expected: bool) -> None:
    assert passes(name, operand) is expected


ARRAYS = [
    ("any_direction", '["outbound","inbound"]', True),
    ("any_direction", '["outbound"]', False),
    ("any_direction", "[]", False),
    ("any_duration_ms", "[12500]", True),
    ("any_missing", '[""]', True),
    ("none_direction", '["outbound"]', True),
    ("none_direction", '["outbound","inbound"]', False),
    ("none_missing", '["x"]', True),
    ("none_direction", "[]", True),
    ("array_intersect_all_flags", '["red",7]', True),
    ("array_intersect_all_flags", '["red","7",true]', True),
    ("array_intersect_all_flags", '["red","blue"]', False),
    ("array_intersect_all_flags", "[]", True),
    ("array_intersect_all_missing", '["red"]', False),
    ("array_intersect_all_direction", '["inbound"]', False),
    ("array_intersect_any_flags", '["red","blue"]', True),
    ("array_intersect_any_flags", '["blue"]', False),
    ("array_intersect_any_flags", "[]", False),
    ("array_intersect_any_no_flags", '["red"]', False),
    ("array_intersect_none_flags", '["blue"]', True),
    ("array_intersect_none_flags", '["red"]', False),
    ("array_intersect_none_flags", '["red","blue"]', True),  # Kazoo's code: not all of them
    ("array_intersect_none_missing", '["red"]', True),
]


@pytest.mark.parametrize(("rest", "operand", "expected"), ARRAYS)
def test_the_filters_of_kazoo_5_take_an_array(rest: str, operand: str, *, expected: bool) -> None:
    assert passes(f"filter_{rest}", operand) is expected


@pytest.mark.parametrize(
    "operand", ["", "inbound", '"inbound"', "7", "null", "{}", '["inbound"', "[{}]", "[[]]", "[null]"]
)
@pytest.mark.parametrize("prefix", [prefix for prefix in KEYED if prefix not in ("filter_", "filter_not_")])
def test_an_operand_that_is_no_array_of_values_accepts_nothing(prefix: str, operand: str) -> None:
    for key in ("direction", "flags", "missing"):
        assert not passes(prefix + key, operand)


PRESENCE = [
    # key, is there, has a value
    ("direction", True, True),
    ("duration", True, False),
    ("duration_ms", True, True),
    ("rate", True, True),
    ("is_held", True, True),
    ("is_masked", True, False),
    ("caller_id_name", True, False),
    ("nothing", False, False),
    ("missing", False, False),
    ("flags", True, True),
    ("no_flags", True, False),
    ("empty", True, False),
    ("a.b", True, True),
    ("a.f.g", True, True),
    ("a.f.h", False, False),
    ("a.c.d", True, True),
    ("direction.x", False, False),
    ("custom_channel_vars.Owner-ID", True, True),
    ("pvt_modified", True, True),
    ("", False, False),
]


@pytest.mark.parametrize(("key", "is_there", "has_value"), PRESENCE)
def test_keys_and_values_are_there_or_missing(key: str, *, is_there: bool, has_value: bool) -> None:
    assert passes("has_key", key) is is_there
    assert passes("key_missing", key) is not is_there
    assert passes("has_value", key) is has_value
    assert passes("value_missing", key) is not has_value
    assert passes("missing_value", key) is not has_value


@pytest.mark.parametrize("word", ["0", "false", "NULL", "undefined"])
def test_words_for_nothing_are_no_value(word: str) -> None:
    assert not passes("has_value", "x", {"x": word})
    assert passes("has_value", "x", {"x": f"{word}."})


@pytest.mark.parametrize(
    ("bound", "is_from", "is_to"),
    [
        ("63799999999", True, False),
        ("63800000000", True, True),
        ("63800000001", False, True),
        ("0", True, False),
        ("-5", True, False),
        ("9" * 5_000, False, True),
        (f"-{'9' * 5_000}", True, False),
        ("", False, False),
        ("x", False, False),
        ("63800000000.0", False, False),
        ("6e10", False, False),
        (" 63800000000", False, False),
        ("\u0666", False, False),
    ],
)
def test_modified_bounds_are_included_and_junk_accepts_nothing(bound: str, *, is_from: bool, is_to: bool) -> None:
    assert passes("modified_from", bound) is is_from
    assert passes("modified_to", bound) is is_to


def test_a_document_that_knows_no_change_is_within_no_bound() -> None:
    for name in ("modified_from", "modified_to"):
        assert not passes(name, "1", {"pvt_modified": "1"})
        assert not passes(name, "1", {})


def test_all_filters_must_hold() -> None:
    right, wrong = {"filter_direction": "inbound", "has_key": "duration"}, {"filter_not_pvt_type": "call_recording"}
    assert filters_of(right).accepts(DOCUMENT)
    assert not filters_of(right | wrong).accepts(DOCUMENT)
    assert not filters_of(wrong | right).accepts(DOCUMENT)


@pytest.mark.parametrize(
    "name",
    ["created_from", "created_to", "page_size", "start_key", "_", "", "Filter_x", "filter", "has_keys", "filterx"],
)
def test_no_other_parameter_is_a_filter(name: str) -> None:
    assert not filters_of({name: "x"})
    assert filters_of({name: "x"}).accepts(DOCUMENT)


@pytest.mark.parametrize("name", [*NAMED, *(f"{prefix}x" for prefix in KEYED)])
def test_every_filter_counts_as_one(name: str) -> None:
    assert filters_of({name: "x"})


def test_a_path_of_many_steps_costs_little_and_finds_nothing() -> None:
    path = "a." * 50_000
    assert passes("key_missing", path)
    assert passes("has_key", path, {path: 1})
    deep: dict[str, Any] = {"end": 1}
    for _ in range(MOST_STEPS):
        deep = {"a": deep}
    assert passes("has_key", "a." * MOST_STEPS + "end", deep)


def test_an_operand_nested_without_end_is_none() -> None:
    assert not passes("filter_direction", "[" * 50_000)
    assert not passes("filter_any_direction", "[" * 50_000)


# Any document, any filter

SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
KEYS = st.text("ab._-", max_size=4)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)
PREFIXES = st.sampled_from(list(KEYED))
OPERANDS = st.text(max_size=8) | VALUES.map(json.dumps)


def paths(inner: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Return the value at every path, found by walking: of one path, the one that is nearest to the top."""
    found = {before + key: value for key, value in inner.items()}
    for key, value in inner.items():
        if isinstance(value, dict) and "." not in key:
            for path, leaf in paths(value, f"{before}{key}.").items():
                found.setdefault(path, leaf)
    return found


@given(DOCUMENTS)
def test_every_value_is_found_at_its_path(document: dict[str, Any]) -> None:
    for path, value in paths(document).items():
        assert passes("has_key", path, document) is (value is not None)
        assert passes(f"filter_{path}", text_of(value), document) or path.startswith(("any_", "none_", "not_"))


@given(DOCUMENTS, KEYS, OPERANDS)
def test_pairs_of_filters_are_opposites_over_anything(document: dict[str, Any], key: str, operand: str) -> None:
    assert passes(f"filter_{key}", operand, document) is not passes(f"filter_not_{key}", operand, document)
    assert passes("has_key", key, document) is not passes("key_missing", key, document)
    assert passes("has_value", key, document) is not passes("value_missing", key, document)


@given(DOCUMENTS, KEYS, st.lists(st.booleans() | st.integers() | st.text(max_size=3), max_size=4))
def test_array_filters_agree_with_their_plain_forms(document: dict[str, Any], key: str, array: list[Any]) -> None:
    operand = json.dumps(array)
    value = text_of(paths(document).get(key))
    is_any = passes(f"filter_any_{key}", operand, document)
    assert is_any is (value in [text_of(each) for each in array])
    assert passes(f"filter_none_{key}", operand, document) is not is_any
    is_all = passes(f"filter_array_intersect_all_{key}", operand, document)
    assert passes(f"filter_array_intersect_none_{key}", operand, document) is not is_all


@given(DOCUMENTS, st.dictionaries(st.builds(str.__add__, PREFIXES, KEYS) | st.sampled_from(list(NAMED)), OPERANDS))
def test_no_filter_breaks_over_anything(document: dict[str, Any], query: dict[str, str]) -> None:
    filters = filters_of(query)
    assert filters.accepts(document) is all(filters_of({name: query[name]}).accepts(document) for name in query)


# Whole numbers


@given(st.integers(-(10**18), 10**18))
def test_a_whole_number_is_read(number: int) -> None:
    assert integer(str(number)) == number
    assert integer(f"{'-' if number < 0 else ''}000{abs(number)}") == number


@given(st.integers(10**18, 10**40))
def test_a_larger_one_is_as_large_as_any(number: int) -> None:
    assert integer(str(number)) == 10**18
    assert integer(str(-number)) == -(10**18)


@given(st.text().filter(lambda text: not (text.isascii() and text.removeprefix("-").isdigit())))
def test_no_other_text_is_a_number(text: str) -> None:
    assert integer(text) is None
