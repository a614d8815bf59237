"""Every form of 8x8's JSON gives the same records, and what is none is told, never dropped and never a crash."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import asdict
from tests.vendors.eightbyeight.vendor import NOON, chat, message, row

from voxkeep.archive.units import LATEST, TenantId
from voxkeep.vendors.eightbyeight import shapes
from voxkeep.vendors.eightbyeight.chats import kept_message, transcript_of
from voxkeep.vendors.eightbyeight.wire import recording_of

ONE, TWO = row(), row(NOON + 60_000, 2)


def body(answer: object) -> bytes:
    return json.dumps(answer).encode()


def names(answer: object) -> list[str]:
    read = shapes.files(body(answer))
    assert read.bad == []
    return [each.record.filename for each in read.good]


@pytest.mark.parametrize(
    "answer",
    [
        {"recordings": {"file": [ONE, TWO]}},
        {"recordings": [ONE, TWO]},
        {"recordings": [{"file": ONE}, {"file": TWO}]},
        {"recordings": {"file": [{"file": ONE}, {"file": TWO}]}},
        {"recordings": [{"file": [ONE, TWO]}]},
        {"file": [ONE, TWO]},
        [ONE, TWO],
        [{"file": ONE}, {"file": TWO}],
        {"recordings": {"recordings": {"file": [ONE, TWO]}}},
    ],
)
def test_records_are_found_in_every_form_of_a_list(answer: object) -> None:
    assert names(answer) == [ONE["filename"], TWO["filename"]]


@pytest.mark.parametrize(
    "answer", [{"recordings": {"file": ONE}}, {"recordings": ONE}, {"file": ONE}, ONE, [ONE], {"recordings": [ONE]}]
)
def test_a_list_of_one_may_be_a_bare_object(answer: object) -> None:
    assert names(answer) == [ONE["filename"]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "null",
        "{}",
        "[]",
        '""',
        '{"recordings": ""}',
        '{"recordings": null}',
        '{"recordings": {}}',
        '{"recordings": []}',
        '{"recordings": {"file": []}}',
        '{"recordings": {"file": ""}}',
        '{"recordings": {"file": null}}',
        '{"file": {}}',
    ],
)
def test_nothing_is_an_empty_list(text: str) -> None:
    assert shapes.files(text.encode()) == shapes.Read([], [])


@pytest.mark.parametrize(
    "raw",
    [
        b"<recordings/>",
        b'"no"',
        b"3",
        b"true",
        b"\xff\xfe\xfa",
        b"NaN",
        b"[" * 50_000,
        b'{"recordings":' * 50_000,
        b'{"recordings": {"file": [',
        b'{"status": 500, "error": "Internal Server Error"}',
        b'{"recordings": {"error": "no"}}',
        body({"recordings": {"transcript": []}}),
    ],
)
def test_an_answer_without_any_list_is_unreadable(raw: bytes) -> None:
    with pytest.raises(shapes.Unreadable):
        shapes.files(raw)


def test_numbers_may_stand_for_texts_and_no_digit_is_lost() -> None:
    text = (
        json.dumps(ONE)
        .replace('"4155551234"', "415555123400000000000000000001")
        .replace('"duration": 1', '"duration": "27.9"')
    )
    text = (
        text.replace('"8005557780"', "1.50")
        .replace('"bill"', "true")
        .replace('"transactionID": 1', '"transactionID": "0012"')
    )
    file = shapes.files(f"[{text}]".encode()).good[0].record
    assert (file.phoneNumber, file.channel, file.agentID) == ("415555123400000000000000000001", "1.50", "true")
    assert (file.duration, file.transactionID, file.caseID) == (27, "0012", 0)


@pytest.mark.parametrize("empty", ["", None, {}, []])
def test_nothing_in_a_field_is_an_empty_text(empty: object) -> None:
    changes = dict.fromkeys(set(ONE) - {"startDate", "filename"}, empty)
    file = shapes.files(body([{**ONE, **changes}])).good[0].record
    missing = shapes.files(body({"file": {name: ONE[name] for name in ("startDate", "filename")}})).good[0].record
    assert file == missing
    assert (file.agentID, file.caseID, file.duration, file.wrapUpCode.transactionCodes) == ("", "", 0, None)


CODE, OTHER = {"listName": "Gauffre", "name": "Gauffre 1"}, {"listName": "b", "name": ""}


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ({"transactionCodes": {"transactionCode": [CODE, OTHER]}}, 2),
        ({"transactionCodes": {"transactionCode": CODE}}, 1),
        ({"transactionCodes": [CODE, OTHER]}, 2),
        ({"transactionCodes": [{"transactionCode": CODE}, {"transactionCode": OTHER}]}, 2),
        ({"transactionCode": [CODE]}, 1),
        ([CODE, "", None], 1),
        (CODE, 1),
        ({"listName": "Gauffre", "name": "Gauffre 1", "novel": 1}, 1),
        ({"transactionCodes": ""}, 0),
        ({"transactionCodes": {"transactionCode": ""}}, 0),
        ({"transactionCodes": None}, 0),
        ("", 0),
        ({}, 0),
        (None, 0),
    ],
)
def test_wrap_up_codes_are_found_in_every_form(value: object, codes: int) -> None:
    found = shapes.files(body([{**ONE, "wrapUpCode": value}])).good[0].record.wrapUpCode.transactionCodes
    pairs = [] if found is None else [(each.listName, each.name) for each in found.transactionCode]
    assert pairs == [("Gauffre", "Gauffre 1"), ("b", "")][:codes]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"startDate": ""}, "startDate is missing"),
        ({"startDate": "2007-12-19T19:16:36"}, "startDate is not a date with an offset"),
        ({"startDate": "2007-12-19"}, "startDate is not a date with an offset"),
        ({"startDate": "2007-13-19T19:16:36Z"}, "startDate is not a date that exists"),
        ({"startDate": "2007-12-19T19:16:36+99:00"}, "startDate is not a date that exists"),
        ({"startDate": "1969-12-31T23:59:59Z"}, "startDate lies outside"),
        ({"startDate": "2200-01-01T00:00:00Z"}, "startDate lies outside"),
        ({"filename": ""}, "filename is not of the form"),
        ({"filename": "R2007122003163601000.wav"}, "filename is not of the form"),
        ({"filename": "S20071220/../R2007122003163601000.wav"}, "filename is not of the form"),
        ({"filename": "S20071220/R2007122003163601000.wav\n"}, "filename is not of the form"),
        ({"filename": "S20071220/R\u0662007122003163601000.wav"}, "filename is not of the form"),
        ({"filename": "S20071220/R2007122003163601000.exe"}, "filename is not of the form"),
        ({"duration": -1}, "duration is not a number of seconds"),
        ({"duration": "soon"}, "duration is not a number of seconds"),
        ({"duration": 10**12}, "duration is not a number of seconds"),
        ({"agentID": {"name": "bill"}}, "agentID is not a text"),
        ({"agentID": ["bill"]}, "agentID is not a text"),
        ({"agentID": "\ud800"}, "agentID holds half a character"),
        ({"wrapUpCode": "Gauffre 1"}, "transactionCode is not an object"),
        ({"wrapUpCode": {"novel": 1}}, "transactionCode has none of the fields"),
        ({"wrapUpCode": [[[[[[[[[CODE]]]]]]]]]}, "transactionCode is nested too deeply"),
    ],
)
def test_a_record_that_cannot_be_understood_is_told_and_the_others_are_read(
    damage: dict[str, Any], reason: str
) -> None:
    damaged = {**ONE, **damage}
    read = shapes.files(body({"recordings": {"file": [damaged, TWO, 7]}}))
    assert [each.record.filename for each in read.good] == [TWO["filename"]]
    assert read.bad[0].reason.startswith(reason)
    if "\ud800" not in damage.values():
        assert json.loads(read.bad[0].raw) == damaged
    assert read.bad[1].raw == b"7"
    assert read.count == 3


def test_a_record_that_cannot_be_understood_is_told_by_its_key_with_its_numbers_as_they_came() -> None:
    text = json.dumps({**ONE, "startDate": 5}).replace("5", "5.500000000000000000001", 1)
    (bad,) = shapes.files(f"[{text}]".encode()).bad
    assert bad.key == ONE["filename"]
    assert b"5.500000000000000000001" in bad.raw


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2007-12-19T19:16:36-08:00", 1_198_120_596_000),
        ("2007-12-20T03:16:36Z", 1_198_120_596_000),
        ("2007-12-20T03:16:36+0000", 1_198_120_596_000),
        ("2007-12-20T03:16:36.25+00:00", 1_198_120_596_250),
        ("1970-01-01T00:00:00Z", 0),
        ("2199-12-31T23:59:59Z", LATEST - 1_000),
    ],
)
def test_dates_are_iso_with_an_offset(text: str, at: int) -> None:
    assert shapes.moment(text, "startDate") == at


# Chats


def test_chats_are_read_with_their_metadata() -> None:
    fields = [{"fieldName": "Color", "fieldValue": "Blue"}, {"fieldName": "Fruit", "fieldValue": "Cherry"}]
    for value in ({"metaData": fields}, fields, {"metaDatas": {"metaData": fields}}):
        read = shapes.chats(body({"recordings": {"transcript": chat(metaDatas=value)}}))
        assert read.bad == []
        metadata = read.good[0].record.metaDatas.metaData
        assert metadata is not None
        assert [asdict(each) for each in metadata] == fields
    assert shapes.chats(body([chat(metaDatas="")])).good[0].record.metaDatas.metaData is None


def test_a_chat_without_its_guid_is_told() -> None:
    assert shapes.chats(body([chat("")])).bad[0].reason == "interactionGUID is missing"


@pytest.mark.parametrize(
    "around",
    [
        lambda one, many: {"transcript": {**one, "messages": {"message": many}}},
        lambda one, many: {**one, "messages": {"message": many}},
        lambda one, many: {"transcript": {**one, "messages": many}},
        lambda one, many: {"recordings": {"transcript": [{**one, "messages": [{"message": each} for each in many]}]}},
    ],
)
def test_one_chat_comes_with_its_messages_in_every_form(around: Callable[[Any, Any], Any]) -> None:
    many = [message(), message(NOON + 5_000, messageFrom="A", originalMessage=5)]
    found, messages = shapes.chat(body(around(chat("g"), many)), "g")
    assert (found.record.interactionGUID, found.at) == ("g", NOON)
    assert [(each.at, each.record.messageFrom, each.record.originalMessage) for each in messages] == [
        (NOON, "C", "Hi How r u"),
        (NOON + 5_000, "A", "5"),
    ]


def test_a_single_message_may_be_a_bare_object_and_one_without_a_time_is_as_old_as_the_chat() -> None:
    for value in ({"message": message(messageTime="")}, message(messageTime=None)):
        _, (only,) = shapes.chat(body({"transcript": {**chat("g"), "messages": value}}), "g")
        assert only.at == NOON
    nothings: list[Any] = ["", None, {}, {"message": ""}, {"message": []}]
    for nothing in nothings:
        assert shapes.chat(body({"transcript": {**chat("g"), "messages": nothing}}), "g")[1] == []


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {},
        [chat("g"), chat("h")],
        chat("another"),
        chat("g", startDate="noon"),
        {"transcript": {**chat("g"), "messages": {"message": message(messageTime="noon")}}},
        {"transcript": {**chat("g"), "messages": "Hi"}},
        {"transcript": [7]},
        {"error": "no"},
    ],
)
def test_what_is_not_this_one_chat_is_unreadable(answer: object) -> None:
    with pytest.raises(shapes.Unreadable):
        shapes.chat(body(answer), "g")


# Whatever comes

texts = st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | texts
fields = st.sampled_from(
    [*shapes.FILE_FIELDS, *shapes.CHAT_FIELDS, *shapes.MESSAGE_FIELDS, "recordings", "file", "transcript", "messages",
     "message", "transactionCodes", "transactionCode", "metaData", "listName", "name", "fieldName", "x"]
)  # fmt: skip
anything = st.recursive(
    scalars | st.sampled_from([ONE, TWO, chat("g")]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(fields, inner, max_size=6),
)


@given(anything)
@example({"recordings": [{"file": [{"file": []}]}]})
def test_any_json_is_read_or_told_never_a_crash(answer: object) -> None:
    raw = body(answer)
    for read in (shapes.files, shapes.chats):
        try:
            found = read(raw)
        except shapes.Unreadable:
            continue
        for each in found.bad:
            assert each.reason
        if read is shapes.files:
            for file in shapes.files(raw).good:
                recording_of(file.record, file.at, TenantId(1))
        else:
            for each_chat in shapes.chats(raw).good:
                transcript_of(each_chat.record, each_chat.at, TenantId(1))
    try:
        _, messages = shapes.chat(raw, "g")
    except shapes.Unreadable:
        return
    for each_message in messages:
        kept_message(each_message.record, each_message.at)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_told(raw: bytes) -> None:
    try:
        assert shapes.files(raw).good == []
    except shapes.Unreadable:
        return


def loose(value: Any, draw: Callable[[Any], Any]) -> Any:
    """Convert a record as a careless converter from XML would."""
    if isinstance(value, dict):
        made = {name: loose(each, draw) for name, each in value.items()}
        return {name: each for name, each in made.items() if each != "" or draw(st.booleans())}
    if isinstance(value, list):
        rows = [loose(each, draw) for each in value]
        return rows[0] if len(rows) == 1 and draw(st.booleans()) else rows
    text = str(value)
    if text == "":
        return draw(st.sampled_from(["", None, {}]))
    number = text.isdecimal() and text.isascii() and (text == "0" or not text.startswith("0"))
    return int(text) if number and draw(st.booleans()) else text


records = st.builds(
    row,
    at=st.integers(0, LATEST - 1).map(lambda at: at // 1_000 * 1_000),
    number=st.integers(0, 9_999),
    agentID=texts,
    phoneNumber=st.sampled_from(["", "0", "0041", "+4155551234", "4155551234"]),
    extVar1=texts,
    duration=st.integers(0, 10**6),
    wrapUpCode=st.lists(
        st.fixed_dictionaries({"listName": st.text(min_size=1, max_size=8), "name": texts}), max_size=3
    ).map(lambda codes: {"transactionCodes": {"transactionCode": codes}} if codes else ""),
)
around = st.sampled_from(
    [
        lambda rows: {"recordings": {"file": rows}},
        lambda rows: {"recordings": {"file": rows[0] if len(rows) == 1 else rows}},
        lambda rows: {"recordings": rows},
        lambda rows: {"file": rows},
        lambda rows: [{"file": each} for each in rows],
        lambda rows: rows,
    ]
)


@given(st.lists(records, max_size=5), around, st.data())
def test_every_form_of_a_list_gives_the_same_records(
    rows: list[Any], wrap: Callable[[Any], Any], data: st.DataObject
) -> None:
    expected = shapes.files(body({"recordings": {"file": rows}}))
    assert expected.bad == []
    assert len(expected.good) == len(rows)
    assert shapes.files(body(wrap([loose(each, data.draw) for each in rows]))) == expected
