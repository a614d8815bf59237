import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.vendors.xima.vendor import call, record

from voxkeep.archive.units import LATEST, TenantId
from voxkeep.vendors.xima import shapes
from voxkeep.vendors.xima.wire import call_of, recording_of

ONE, TWO = record("91a1e1e8-08p8-427b-bd04-da43c2a1db7d-1"), record("a4bc65b6-24gh-41a7-a07b-2", duration=12_806)


def keys(answer: object) -> list[str]:
    read = shapes.recordings(json.dumps(answer).encode())
    assert read.bad == []
    return [each.recordingKey for each in read.good]


@pytest.mark.parametrize("name", shapes.WRAPPERS)
def test_a_list_is_found_under_every_wrapper(name: str) -> None:
    assert keys({name: [ONE, TWO]}) == [ONE["recordingKey"], TWO["recordingKey"]]


@pytest.mark.parametrize(
    "answer",
    [
        [ONE],
        ONE,
        {"a": ONE},
        {"data": {"recordings": [ONE]}},
        {"data": ONE},
        {"results": {"a": ONE}},
        {"data": None, "items": [ONE]},
        {"startTime": "2022-09-11T00:00:00Z", "endTime": "2022-09-12T00:00:00Z", "recordings": [ONE]},
        {"total": 1, "items": [ONE], "last": True, "hasMore": False},
        {"first": ONE, "count": 1},
    ],
)
def test_records_are_found_in_every_shape(answer: object) -> None:
    assert keys(answer) == [ONE["recordingKey"]]


@pytest.mark.parametrize("body", [b"", b"  \n", b"null", b"{}", b"[]", b'{"data": []}', b'{"recordings": null}'])
def test_nothing_is_an_empty_list(body: bytes) -> None:
    assert shapes.recordings(body) == shapes.Read([], [])


@pytest.mark.parametrize(
    "body",
    [
        b"<html>login</html>",
        b'"no"',
        b"3",
        b"true",
        b"\xff\xfe",
        b"[" * 5_000,
        b'[{"recordingKey": "a"',
        b'{"status": 500, "error": "Internal Server Error", "message": "x"}',
        b'{"error": {"code": 7, "text": "no"}}',
    ],
)
def test_an_answer_without_any_list_is_unreadable(body: bytes) -> None:
    with pytest.raises(shapes.Unreadable):
        shapes.recordings(body)


@pytest.mark.parametrize(
    "around", [{"last": False}, {"hasMore": True}, {"truncated": True}, {"total": 2}, {"totalElements": 300}]
)
def test_a_part_of_a_list_is_not_taken_for_the_whole(around: dict[str, Any]) -> None:
    with pytest.raises(shapes.Partial):
        shapes.recordings(json.dumps({"content": [ONE], **around}).encode())


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"recordingKey": None}, "recordingKey is missing"),
        ({"recordingKey": ""}, "recordingKey is missing"),
        ({"startTime": None}, "startTime is missing"),
        ({"startTime": "noon"}, "startTime"),
        ({"startTime": -1}, "startTime lies outside"),
        ({"startTime": 10**15}, "startTime lies outside"),
        ({"duration": -5}, "duration is absurd"),
        ({"duration": [1]}, "duration"),
        ({"eventId": 2**70}, "eventId is absurd"),
        ({"agent": {"name": "x"}}, "agent"),
        ({"recordingKey": ["a"]}, "recordingKey"),
    ],
)
def test_a_record_that_cannot_be_understood_is_told_and_the_others_are_read(
    damage: dict[str, Any], reason: str
) -> None:
    damaged = {**ONE, **damage}
    read = shapes.recordings(json.dumps([damaged, TWO, 7]).encode())
    assert [each.recordingKey for each in read.good] == [TWO["recordingKey"]]
    assert reason in read.bad[0].reason
    assert json.loads(read.bad[0].raw) == damaged
    assert read.bad[1].raw == b"7"


def test_a_damaged_record_is_told_by_its_key() -> None:
    read = shapes.recordings(json.dumps([{**ONE, "startTime": "noon"}]).encode())
    assert read.bad[0].key == ONE["recordingKey"]


def test_numbers_may_be_texts_texts_numbers_and_null_is_nothing() -> None:
    odd = {
        **ONE,
        "startTime": str(ONE["startTime"]),
        "duration": "3606",
        "eventId": 5.0,
        "callingParty": 18_885_553_794,
        "skill": None,
        "size": None,
        "novel": {"field": [1]},
    }
    wire = shapes.recordings(json.dumps(odd).encode()).good[0]
    assert (wire.startTime, wire.duration, wire.eventId) == (ONE["startTime"], 3606, 5)
    assert (wire.callingParty, wire.skill, wire.size) == ("18885553794", "", 0)


def test_calls_come_with_the_keys_of_their_recordings() -> None:
    damaged = {**TWO, "duration": []}
    for answer in ([call("c", ONE, damaged)], {"calls": [call("c", ONE, damaged)]}, call("c", ONE, damaged)):
        read = shapes.calls(json.dumps(answer).encode())
        assert read.bad == []
        assert [each.recordingKey for each in read.good[0].recordings] == [ONE["recordingKey"], TWO["recordingKey"]]
        assert read.good[0].shortId == 31_875


def test_a_call_without_its_times_is_told() -> None:
    read = shapes.calls(json.dumps([call("c", endTime=None), call("d")]).encode())
    assert [each.callKey for each in read.good] == ["d"]
    assert (read.bad[0].key, read.bad[0].reason) == ("c", "endTime is missing")


texts = st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts
names = st.sampled_from([*shapes.RECORDING_FIELDS, *shapes.CALL_FIELDS, *shapes.WRAPPERS, *shapes.SAYS_MORE, "x"])
anything = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=6))


@given(anything)
@example([{"recordingKey": "k", "startTime": 0, "accountCodes": [None]}])
def test_any_json_is_read_or_told_never_a_crash(answer: object) -> None:
    body = json.dumps(answer).encode()
    for read in (shapes.recordings, shapes.calls):
        try:
            found = read(body)
        except (shapes.Unreadable, shapes.Partial):
            continue
        for wire in found.good:
            # what was read can be kept
            if read is shapes.recordings:
                recording_of(wire, TenantId(1), "acme")  # type: ignore[arg-type] # the kind that was read
            else:
                call_of(wire, TenantId(1), "acme")  # type: ignore[arg-type] # the kind that was read


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_told(body: bytes) -> None:
    try:
        found = shapes.recordings(body)
    except (shapes.Unreadable, shapes.Partial):
        return
    assert found.good == []


wrapping = st.sampled_from(
    [
        lambda rows: rows,
        lambda rows: {"recordings": rows},
        lambda rows: {"data": {"items": rows}},
        lambda rows: {str(number): row for number, row in enumerate(rows)},
        lambda rows: {"content": {str(number): row for number, row in enumerate(rows)}},
        lambda rows: rows[0] if len(rows) == 1 else rows,
    ]
)
well_formed = st.builds(
    record,
    key=st.text(min_size=1, max_size=40),
    start=st.integers(0, LATEST - 1),
    duration=st.just(1_000),
    skill=st.text(max_size=10),
    status=st.sampled_from(["SAVED", "PENDING", "DELETED_TIME", "new word"]),
)


@given(st.lists(well_formed, max_size=6), wrapping)
def test_well_formed_records_come_out_of_every_shape(rows: list[dict[str, Any]], wrap: Any) -> None:
    rows = [{**row, "recordingKey": row["recordingKey"].encode("utf-8", "replace").decode()} for row in rows]
    assert keys(wrap(rows)) == [row["recordingKey"] for row in rows]
