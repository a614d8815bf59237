"""Parameters of recording, seed 004's table: defaults, bounds, and one refusal for all that is wrong."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.vendors.kazoo.errors import KazooError
from voxkeep.vendors.kazoo.record_call import (
    ACTIONS,
    LARGEST,
    LIVE_ACTIONS,
    LONGEST_TEXT,
    LONGEST_URL,
    RecordCall,
    is_target,
    parse,
)

SEED_TABLE = {
    "action",
    "format",
    "label",
    "media_name",
    "method",
    "origin",
    "record_min_sec",
    "record_on_answer",
    "record_on_bridge",
    "record_sample_rate",
    "should_follow_transfer",
    "skip_module",
    "time_limit",
    "url",
}
FLAGS = ("record_on_answer", "record_on_bridge", "should_follow_transfer", "silence_detection", "skip_module")
NUMBERS = ("record_min_sec", "silence_final_timeout", "silence_initial_timeout", "silence_threshold")
TEXTS = ("label", "media_name", "media_id")
FIELDS = [field.name for field in msgspec.structs.fields(RecordCall)]


def refusal(data: dict[str, Any], **options: Any) -> dict[str, Any]:
    with pytest.raises(KazooError) as caught:
        parse(data, **options)
    error = caught.value
    assert (error.status, error.message) == (400, "validation error")
    assert isinstance(error.data, dict)
    return error.data


def test_every_parameter_of_the_table_is_known() -> None:
    assert set(FIELDS) >= SEED_TABLE


def test_defaults_are_the_tables() -> None:
    found = parse({})
    assert (found.action, found.method, found.format, found.time_limit) == ("start", "put", "mp3", 3600)
    assert (found.record_on_answer, found.record_on_bridge, found.skip_module) == (False, False, False)
    assert found.should_follow_transfer
    assert (found.record_min_sec, found.record_sample_rate, found.url) == (0, None, "")


def test_every_parameter_is_taken() -> None:
    given_ = {
        "action": "stop",
        "format": "wav",
        "label": "sales",
        "media_name": "call.wav",
        "media_id": "202401-0123456789abcdef0123456789abcdef",
        "method": "post",
        "record_min_sec": 3,
        "record_on_answer": True,
        "record_on_bridge": True,
        "record_sample_rate": 16000,
        "should_follow_transfer": False,
        "silence_detection": True,
        "silence_final_timeout": 7,
        "silence_initial_timeout": 8,
        "silence_threshold": 9,
        "skip_module": True,
        "time_limit": 60,
        "url": "https://store.example/put?file=",
    }
    assert msgspec.structs.asdict(parse(given_)) == {**given_, "origin": ""}


@pytest.mark.parametrize("origin", ["callflow : mine", 7, None, {}])
def test_origin_is_read_only_whatever_is_given_is_ignored(origin: object) -> None:
    assert parse({"origin": origin}) == RecordCall()


def test_parameters_of_no_table_are_not_looked_at() -> None:
    assert parse({"channels": 2, "": None}) == RecordCall()


@pytest.mark.parametrize("limit", [5, 10800, "5", "10800"])
def test_a_time_limit_within_bounds_is_taken(limit: object) -> None:
    assert parse({"time_limit": limit}).time_limit == int(str(limit))


@pytest.mark.parametrize(("limit", "rule", "target"), [(4, "minimum", 5), (0, "minimum", 5), (10801, "maximum", 10800)])
def test_a_time_limit_outside_is_refused_with_its_bound(limit: int, rule: str, target: int) -> None:
    told = refusal({"time_limit": limit})
    assert told["time_limit"][rule]["target"] == target
    assert told["time_limit"][rule]["cause"] == limit


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_begin_at_nothing(name: str) -> None:
    assert getattr(parse({name: 0}), name) == 0
    assert set(refusal({name: -1})[name]) == {"minimum"}
    assert set(refusal({name: LARGEST + 1})[name]) == {"maximum"}


def test_a_sample_rate_is_positive() -> None:
    assert parse({"record_sample_rate": 1}).record_sample_rate == 1
    assert set(refusal({"record_sample_rate": 0})["record_sample_rate"]) == {"minimum"}


@pytest.mark.parametrize("method", ["put", "PUT", "post", "POST", "Post"])
def test_the_method_is_known_in_either_case(method: str) -> None:
    assert parse({"method": method}).method == method.lower()


@pytest.mark.parametrize(
    ("name", "value", "target"),
    [
        ("action", "pause", ["start", "stop"]),
        ("action", "START", ["start", "stop"]),
        ("format", "mp4", ["mp3", "wav"]),
        ("method", "patch", ["put", "post"]),
    ],
)
def test_a_word_that_is_none_of_the_options_is_refused_with_them(name: str, value: str, target: list[str]) -> None:
    assert list(refusal({name: value})[name]["enum"]["target"]) == target


@pytest.mark.parametrize("action", LIVE_ACTIONS)
def test_a_live_call_takes_more_actions_and_toggle_is_start(action: str) -> None:
    expected = "start" if action == "toggle" else action
    assert parse({"action": action}, actions=LIVE_ACTIONS).action == expected
    assert parse({}, actions=LIVE_ACTIONS).action == "start"


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/recordings",
        "https://user:pa55@store.example:8443/in?file=",
        "HTTPS://store.example",
        "ftp://store.example/in/",
        "ftps://store.example",
        "sftp://store.example/~/in",
        "http://[2001:db8::1]:8080/x",
        "",
    ],
)
def test_a_url_of_a_scheme_that_kazoo_sends_by_is_taken(url: str) -> None:
    assert parse({"url": url}).url == url


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://store.example/",
        "store.example/in",
        "//store.example/in",
        "http://",
        "http:///in",
        "http://store.example:port/",
        "http://store.example:99999/",
        "http://[::1/",
        "http://store.example/a b",
        "http://store.example/\r\nX-Evil: 1",
        "java\tscript:x",
        " http://store.example/",
    ],
)
def test_any_other_url_is_refused_and_not_told_back(url: str) -> None:
    told = refusal({"url": url})
    assert set(told["url"]) == {"format"}
    assert "cause" not in told["url"]["format"]


def test_a_url_of_2048_letters_is_the_longest() -> None:
    base = "https://store.example/"
    longest = base + "x" * (LONGEST_URL - len(base))
    assert parse({"url": longest}).url == longest
    assert refusal({"url": longest + "x"})["url"]["maxLength"]["target"] == 2048


@pytest.mark.parametrize("name", TEXTS)
def test_texts_have_a_length_and_no_control_characters(name: str) -> None:
    assert getattr(parse({name: "é" * LONGEST_TEXT}), name) == "é" * LONGEST_TEXT
    assert set(refusal({name: "x" * (LONGEST_TEXT + 1)})[name]) == {"maxLength"}
    assert set(refusal({name: "a\nb"})[name]) == {"pattern"}


def test_all_wrong_fields_are_told_at_once_under_their_dotted_names() -> None:
    told = refusal({"action": "x", "time_limit": 1, "format": 3, "url": "x", "label": "ok"}, within="data")
    assert set(told) == {"data.action", "data.time_limit", "data.format", "data.url"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
likely = st.one_of(
    st.sampled_from([*LIVE_ACTIONS, "mp3", "wav", "PUT", "post", "true", "60", "http://store.example/x"]),
    st.integers(-2, 20_000),
    json_values,
)


def within_limits(found: RecordCall) -> bool:
    return (
        found.action in ACTIONS
        and found.format in {"mp3", "wav"}
        and found.method in {"put", "post"}
        and 5 <= found.time_limit <= 10_800
        and (found.record_sample_rate is None or 1 <= found.record_sample_rate <= LARGEST)
        and all(0 <= getattr(found, name) <= LARGEST for name in NUMBERS)
        and all(isinstance(getattr(found, name), bool) for name in FLAGS)
        and all(isinstance(getattr(found, name), str) and len(getattr(found, name)) <= 255 for name in TEXTS)
        and len(found.url) <= LONGEST_URL
        and is_target(found.url)
        and found.origin == ""
    )


@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=8), likely))
def test_any_object_is_parsed_within_the_limits_or_refused_for_what_is_wrong_alone(data: dict[str, Any]) -> None:
    try:
        found = parse(data)
    except KazooError as error:
        told = error.data
        assert isinstance(told, dict)
        assert set(told) <= set(data) & set(FIELDS)
        assert within_limits(parse({name: value for name, value in data.items() if name not in told}))
        for name in told:
            assert set(refusal({name: data[name]})) == {name}
    else:
        assert within_limits(found)


@given(st.text() | st.from_regex(r"(https?|ftps?|sftp|file)://[^/]*(/.*)?", fullmatch=True))
def test_any_text_is_a_target_or_not_and_no_failure(url: str) -> None:
    if is_target(url) and url:
        assert url.partition("://")[0].lower() in {"http", "https", "ftp", "ftps", "sftp"}
        assert not any(letter in url for letter in " \x00\t\n\x1f\x7f\x85")
