"""A manifest's lines: every mistake names its field, and no bytes at all do more than be refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxkeep.archive.manifest import PLAIN, BadLine, Line, call_of, moment, parse, recording_of
from voxkeep.archive.model import WrapUpCode
from voxkeep.archive.units import LATEST, EpochMs, TenantId, uuid7_time
from voxkeep.audio.probe import AudioFacts

FACTS = AudioFacts("wav", "pcm_s16le", 1, 8_000, 16_000)
ACME = TenantId(1)
FIELDS = Line.__struct_fields__


def raw(**fields: Any) -> bytes:
    return json.dumps({"audio": "a.wav", "started_at": 5, **fields}).encode()


def refused(text: bytes) -> BadLine | None:
    try:
        line = parse(text)
        call_of(line, recording_of(line, ACME, FACTS, "sha"))
    except BadLine as problem:
        return problem
    return None


def test_a_line_needs_audio_and_a_start() -> None:
    line = parse(raw())
    assert (line.audio, line.started_at, line.tenant, line.key) == ("a.wav", 5, "", None)
    for missing in ("audio", "started_at"):
        fields = json.loads(raw())
        del fields[missing]
        with pytest.raises(BadLine) as told:
            parse(json.dumps(fields).encode())
        assert told.value.field == missing


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-20T14:03:11.250+01:00", 1_795_179_791_250),
        ("2026-11-20T13:03:11.250Z", 1_795_179_791_250),
        (" 2026-11-20 13:03:11,250+00:00 ", 1_795_179_791_250),
        ("20261120T130311Z", 1_795_179_791_000),
        (1_795_179_791_250, 1_795_179_791_250),
        (LATEST - 1, LATEST - 1),
    ],
)
def test_a_time_is_epoch_ms_or_iso_with_an_offset(text: int | str, milliseconds: int) -> None:
    assert moment(text, "x") == milliseconds


@pytest.mark.parametrize("name", ["started_at", "call_started_at", "call_ended_at"])
@pytest.mark.parametrize(
    "value",
    ["", "now", "2026-11-20", "2026-11-20T14:03:11", "2026-13-01T00:00:00Z", "1969-12-31T23:59:59Z",
     "0001-01-01T00:00:00+23:59",
     "9999-12-31T23:59:59-23:59", "2200-01-01T00:00:00Z", -1, LATEST, 10**30, 1.5, True, [], {}],
)  # fmt: skip
def test_a_time_that_cannot_be_names_its_field(name: str, value: object) -> None:
    problem = refused(raw(**{name: value}))
    assert problem is not None
    assert problem.field == name
    assert problem.reason


NO_TEXTS = {"event_id", "system_id", "wrap_up_codes"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("audio", ["", "\0", "a\0b", 5, None, [], "x" * 5_000, "/", "."]),
        ("tenant", [5, None, "x" * 1_001]),
        ("key", ["", 5, "x" * 501]),
        ("call", ["", 5, "x" * 501]),
        ("duration_ms", [-1, 1.5, "1", 2**60]),
        ("event_id", [-1, 2**63, 1e400, "1", None]),
        ("system_id", [-1, 2**63, "1"]),
        ("extra", [5, [], "x", None]),
        ("wrap_up_codes", [5, None, "x", [5], [{"list_name": "only"}]]),
        *((name, [5, None, [], "x" * 1_001]) for name in PLAIN if name not in NO_TEXTS),
    ],
)
def test_every_field_is_named_when_it_is_wrong(name: str, values: list[object]) -> None:
    for value in values:
        problem = refused(raw(**{name: value}).replace(b"Infinity", b"1e999"))
        assert problem is not None, value
        assert problem.field == name


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"5", b'"x"', b"null", b"\xff", b'{"audio":"\xff","started_at":1}', b"{}x"]
)
def test_what_is_no_object_is_told_as_such(text: bytes) -> None:
    problem = refused(text)
    assert problem is not None
    assert problem.field in {"line", "audio"}


def test_a_field_that_does_not_exist_is_named() -> None:
    problem = refused(raw(agentname="x"))
    assert problem is not None
    assert problem.field == "agentname"


def test_a_line_nested_too_deeply_is_refused() -> None:
    problem = refused(b'{"audio":"a","started_at":1,"extra":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}")
    assert problem is not None
    assert "deep" in problem.reason


def test_a_call_that_ends_before_it_starts_is_refused() -> None:
    problem = refused(raw(call="c", call_started_at=10, call_ended_at="1970-01-01T00:00:00.009Z"))
    assert problem is not None
    assert problem.field == "call_ended_at"
    assert refused(raw(call="c", call_started_at=10, call_ended_at=10)) is None


@given(text=st.binary(max_size=80))
def test_any_bytes_are_a_line_or_a_bad_line(text: bytes) -> None:
    problem = refused(text)
    assert problem is None or (problem.field and problem.reason)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(fields=st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), json_values, max_size=6))
def test_any_object_is_a_line_or_a_bad_line_that_names_one_of_its_fields(fields: dict[str, Any]) -> None:
    problem = refused(raw(**fields))
    if problem is not None:
        assert problem.field in {*FIELDS, *fields, "line"}


@given(cut=st.integers(0, 200), byte=st.integers(0, 255))
def test_a_line_with_any_byte_damaged_does_no_more_than_be_refused(cut: int, byte: int) -> None:
    text = bytearray(raw(key="k", call="c", call_started_at="2026-11-20T14:03:11Z", extra={"a": {"b": [1, "x"]}}))
    text[cut % len(text)] = byte
    refused(bytes(text))
    refused(bytes(text[: cut % len(text)]))


def test_a_recording_takes_every_field_under_its_name() -> None:
    codes = {"wrap_up_codes": [{"list_name": "Outcome", "name": "Solved"}]}
    given_fields = {name: f"the {name}" for name in PLAIN} | {"event_id": 7, "system_id": 7} | codes
    line = parse(raw(key="k", extra={"x": 1}, **given_fields))
    made = recording_of(line, ACME, FACTS, "sha")
    assert made.wrap_up_codes == (WrapUpCode("Outcome", "Solved"),)
    assert {name: getattr(made, name) for name in PLAIN if name not in codes} == {
        name: value for name, value in given_fields.items() if name not in codes
    }
    assert (made.vendor, made.vendor_key, made.tenant, made.started_at, made.duration_ms) == ("import", "k", 1, 5, 2000)
    assert made.extra == {"import": {"x": 1}}
    assert uuid7_time(made.id) == 5


def test_the_length_is_the_audios_and_what_the_metadata_said_is_kept_beside() -> None:
    assert recording_of(parse(raw(duration_ms=2000)), ACME, FACTS, "sha").extra == {}
    made = recording_of(parse(raw(duration_ms=9000)), ACME, FACTS, "sha")
    assert made.duration_ms == 2000
    assert made.extra == {"import": {"stated_duration_ms": 9000}}


def test_without_a_key_identity_is_the_audio_and_the_start() -> None:
    assert recording_of(parse(raw()), ACME, FACTS, "sha").vendor_key == "sha-5"
    assert recording_of(parse(raw(started_at=6)), ACME, FACTS, "sha").vendor_key == "sha-6"


def test_a_line_without_a_call_makes_none() -> None:
    line = parse(raw())
    assert call_of(line, recording_of(line, ACME, FACTS, "sha")) is None


def test_a_call_spans_what_the_line_says_or_else_the_recording() -> None:
    line = parse(raw(call="c-1", direction="outbound"))
    made = call_of(line, recording_of(line, ACME, FACTS, "sha"))
    assert made is not None
    assert (made.started_at, made.ended_at, made.vendor_key, made.reference) == (5, 2005, "c-1", "c-1")
    assert made.direction == "outbound"
    line = parse(raw(call="c-1", call_started_at=EpochMs(1), call_ended_at=9_000))
    made = call_of(line, recording_of(line, ACME, FACTS, "sha"))
    assert made is not None
    assert (made.started_at, made.ended_at) == (1, 9000)
    assert made.key == f"{made.id}-1-9000"


@pytest.mark.parametrize(
    ("given", "field"),
    [({"call_started_at": "2030-01-01T00:00:00Z"}, "call_started_at"), ({"call_ended_at": 4}, "call_ended_at")],
)
def test_a_call_that_would_end_before_it_begins_is_refused_by_the_given_field(
    given: dict[str, Any], field: str
) -> None:
    line = parse(raw(call="c", **given))
    with pytest.raises(BadLine) as refused_line:
        call_of(line, recording_of(line, ACME, FACTS, "sha"))
    assert refused_line.value.field == field


def test_no_line_speaks_for_a_vendor() -> None:
    made = recording_of(parse(raw(extra={"xima": {"size": "big"}})), ACME, FACTS, "sha")
    assert made.extra == {"import": {"xima": {"size": "big"}}}
