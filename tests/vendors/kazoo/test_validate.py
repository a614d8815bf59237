"""A table of rules for the fields of a request: what it takes, and how it tells of all that is wrong at once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo.errors import KazooError
from voxkeep.vendors.kazoo.validate import LONGEST_TOLD, Form, Kind, Rule, checked

EVEN = Form("format", "Must be of even length", "even", lambda text: len(text) % 2 == 0)
RULES = {
    "key": Rule(kind=Kind.STRING, required=True, min_length=4, max_length=6, secret=True),
    "way": Rule(kind=Kind.STRING, one_of=("md5", "sha"), lower=True),
    "name": Rule(kind=Kind.STRING, max_length=200, form=EVEN),
    "size": Rule(kind=Kind.INTEGER, minimum=5, maximum=9),
    "on": Rule(kind=Kind.BOOLEAN),
    "more": Rule(kind=Kind.OBJECT),
}
GOOD: dict[str, Any] = {"key": "abcd", "way": "sha", "name": "ab", "size": 7, "on": False, "more": {"a": [1]}}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def refusal(data: dict[str, Any], within: str = "") -> dict[str, Any]:
    with pytest.raises(KazooError) as caught:
        checked(data, RULES, within)
    error = caught.value
    assert (error.status, error.message) == (400, "validation error")
    assert isinstance(error.data, dict)
    return error.data


def test_good_fields_are_taken_as_they_are_and_others_are_left_out() -> None:
    assert checked({**GOOD, "other": 1}, RULES) == GOOD


def test_a_field_that_is_missing_is_left_out_unless_it_is_required() -> None:
    assert checked({"key": "abcd"}, RULES) == {"key": "abcd"}
    assert refusal({}) == {"key": {"required": {"message": "Field is required but missing"}}}


@pytest.mark.parametrize(
    ("name", "value", "rule", "told"),
    [
        ("size", [], "type", {"message": "Value did not match type(s): integer", "target": "integer"}),
        ("size", True, "type", {"message": "Value did not match type(s): integer", "target": "integer"}),
        ("size", 6.5, "type", {"message": "Value did not match type(s): integer", "target": "integer"}),
        ("size", "six", "type", {"message": "Value did not match type(s): integer", "target": "integer"}),
        ("size", "٦", "type", {"message": "Value did not match type(s): integer", "target": "integer"}),
        ("size", 4, "minimum", {"message": "Value must be at least 5", "target": 5, "cause": 4}),
        ("size", 10, "maximum", {"message": "Value must be at most 9", "target": 9, "cause": 10}),
        ("on", 1, "type", {"message": "Value did not match type(s): boolean", "target": "boolean"}),
        ("on", "True", "type", {"message": "Value did not match type(s): boolean", "target": "boolean"}),
        ("way", None, "type", {"message": "Value did not match type(s): string", "target": "string"}),
        ("more", [], "type", {"message": "Value did not match type(s): object", "target": "object"}),
        (
            "way",
            "rot13",
            "enum",
            {
                "message": "Value not found in enumerated list of values",
                "target": ("md5", "sha"),
                "cause": "rot13",
            },
        ),
        ("name", "abc", "format", {"message": "Must be of even length", "target": "even", "cause": "abc"}),
    ],
)
def test_what_is_wrong_is_told_in_the_words_of_kazoos_schemas(
    name: str, value: object, rule: str, told: dict[str, Any]
) -> None:
    assert refusal({**GOOD, name: value}) == {name: {rule: told}}


def test_a_number_or_flag_that_came_as_a_text_is_taken_for_what_it_says() -> None:
    found = checked({**GOOD, "size": "8", "on": "true"}, RULES)
    assert (found["size"], found["on"]) == (8, True)
    assert refusal({**GOOD, "size": "-8"})["size"]["minimum"]["cause"] == -8


def test_case_is_nothing_to_go_by_only_where_a_rule_says_so() -> None:
    assert checked({**GOOD, "way": "SHA"}, RULES)["way"] == "sha"
    assert checked({**GOOD, "name": "AB"}, RULES)["name"] == "AB"


def test_all_that_is_wrong_is_told_at_once_under_dotted_names() -> None:
    told = refusal({"way": 1, "name": "x" * 201, "size": 99}, "data.inner")
    assert {name: set(rules) for name, rules in told.items()} == {
        "data.inner.key": {"required"},
        "data.inner.way": {"type"},
        "data.inner.name": {"maxLength", "format"},
        "data.inner.size": {"maximum"},
    }


def test_secrets_and_long_values_are_never_told_back() -> None:
    assert "hunter22" not in str(refusal({**GOOD, "key": "hunter22"}))
    long = "y" * 201
    assert len(long) > LONGEST_TOLD
    assert long not in str(refusal({**GOOD, "name": long}))


def test_lengths_are_letters_not_bytes() -> None:
    assert checked({**GOOD, "key": "äöüßéè"}, RULES)["key"] == "äöüßéè"


@given(st.dictionaries(st.sampled_from([*RULES, "else"]), json_values))
def test_any_json_is_taken_or_refused_for_the_fields_that_are_wrong(data: dict[str, Any]) -> None:
    try:
        found = checked(data, RULES)
    except KazooError as error:
        told = error.data
        assert isinstance(told, dict)
        wrong = {"key"} | set(data) & set(RULES)
        assert set(told) <= wrong
        # without the fields that are told, and with a good key, nothing is wrong any more
        kept = {name: value for name, value in data.items() if name not in told}
        checked({"key": "abcd", **kept}, RULES)
    else:
        assert set(found) == set(data) & set(RULES)
