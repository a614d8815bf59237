"""XML, JSON and CSV: whatever a record says is read back by other people's parsers, the same from each."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.server.harness import ask_at
from tests.vendors.eightbyeight.conftest import Ground
from tests.vendors.eightbyeight.harness import (
    BASE,
    CHAT_FIELDS,
    CSV,
    FILE_FIELDS,
    JSON,
    MESSAGE_FIELDS,
    READERS,
    XML,
    Record,
    basic,
    pairs_of,
    records,
    xml_of,
)

from voxkeep.archive.model import MetaData, State, WrapUpCode
from voxkeep.vendors.eightbyeight.chats import Chat, ChatMessage, meta_datas_of
from voxkeep.vendors.eightbyeight.render import CHAT, FILE, FORMATS, TranscriptWriter, cell
from voxkeep.vendors.eightbyeight.wire import File, number_or_text, wrap_up_of

FORBIDDEN = [*map(chr, (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0xFFFE, 0xFFFF))]
AWKWARD = st.sampled_from(
    ["\r\n", "\r", "\n", '"', ",", ";", "\t", "]]>", "&amp;", "<", "=", "|", "\\", "\u2028", "\U0001f44d"]
)
ALLOWED = st.text(st.characters(codec="utf-8", exclude_characters=FORBIDDEN), max_size=5)
texts = st.lists(ALLOWED | AWKWARD, max_size=4).map("".join)
any_text = st.text(st.characters(codec="utf-8"), max_size=8)
pairs = st.lists(st.tuples(texts, texts), max_size=3)


def files(text: st.SearchStrategy[str]) -> st.SearchStrategy[File]:
    numbers = text.map(number_or_text) | st.integers(0, 10**15 - 1)
    fields = dict.fromkeys(FILE_FIELDS, text) | {"caseID": numbers, "transactionID": numbers}
    codes = st.lists(st.builds(WrapUpCode, text, text), max_size=3).map(wrap_up_of)
    return st.builds(File, **(fields | {"duration": st.integers(0, 10**9)}), wrapUpCode=codes)


def chats(text: st.SearchStrategy[str]) -> st.SearchStrategy[Chat]:
    numbers = text.map(number_or_text) | st.integers(0, 10**15 - 1)
    fields = dict.fromkeys(CHAT_FIELDS, text) | {"caseID": numbers, "transactionID": numbers}
    metadata = st.lists(st.builds(MetaData, text, text), max_size=3).map(meta_datas_of)
    return st.builds(Chat, **(fields | {"duration": st.integers(0, 10**9)}), metaDatas=metadata)


def told(record: File | Chat) -> Record:
    names = FILE_FIELDS if isinstance(record, File) else CHAT_FIELDS
    if isinstance(record, File):
        codes = record.wrapUpCode.transactionCodes
        found = [] if codes is None else [(each.listName, each.name) for each in codes.transactionCode]
    else:
        found = [(each.fieldName, each.fieldValue) for each in record.metaDatas.metaData or ()]
    return Record({name: str(getattr(record, name)) for name in names}, found)


@settings(max_examples=150)
@given(listed=st.lists(files(texts), max_size=3) | st.lists(chats(texts), max_size=3))
def test_any_records_are_read_back_from_every_format(listed: list[Any]) -> None:
    kind = CHAT if listed and isinstance(listed[0], Chat) else FILE
    expected = [told(record) for record in listed]
    for name, media_type in (("xml", XML), ("json", JSON), ("csv", CSV)):
        document = FORMATS[name].write(listed, kind)
        assert FORMATS[name].media_type.decode() == media_type
        assert document.dropped == 0
        assert READERS[media_type](document.body) == expected


@given(listed=st.lists(files(any_text), max_size=2))
def test_json_and_csv_hold_every_character_and_xml_all_but_what_it_counts(listed: list[File]) -> None:
    expected = [told(record) for record in listed]
    assert READERS[JSON](FORMATS["json"].write(listed, FILE).body) == expected
    assert READERS[CSV](FORMATS["csv"].write(listed, FILE).body) == expected
    document = FORMATS["xml"].write(listed, FILE)
    shown = READERS[XML](document.body)
    assert letters(expected) - letters(shown) == document.dropped


def letters(found: list[Record]) -> int:
    """Return how many there are in the values."""
    return sum(len("".join([*record.fields.values(), *map("".join, record.pairs)])) for record in found)


def file(**changes: Any) -> File:
    fields: dict[str, Any] = dict.fromkeys(FILE_FIELDS, "") | {"caseID": 0, "duration": 27, "transactionID": 1}
    return File(**fields | changes)


# The forms as they are written


def test_empty_values_stay_as_empty_elements() -> None:
    body = FORMATS["xml"].write([file()], FILE).body.decode()
    assert "<outDialCode/><wrapUpCode/></file>" in body
    assert body.startswith("<?xml version='1.0' encoding='UTF-8' ?><recordings><file><startDate/>")


def test_numbers_are_numbers_in_json_where_they_survive_as_such_and_identifiers_are_texts() -> None:
    row = file(caseID=24_482, transactionID=number_or_text("007"), phoneNumber="4155551234", channel="5027780")
    ((shown,),) = json.loads(FORMATS["json"].write([row], FILE).body)["recordings"].values()
    assert (shown["caseID"], shown["transactionID"], shown["duration"]) == (24_482, "007", 27)
    assert (shown["phoneNumber"], shown["channel"], shown["wrapUpCode"]) == ("4155551234", "5027780", {})


@pytest.mark.parametrize("count", [0, 1, 2])
def test_json_has_arrays_however_many_there_are(count: int) -> None:
    codes = wrap_up_of([WrapUpCode("a", "b")] * count)
    document = json.loads(FORMATS["json"].write([file(wrapUpCode=codes)] * count, FILE).body)
    rows = document["recordings"]["file"]
    assert len(rows) == count
    for row in rows:
        assert row["wrapUpCode"]["transactionCodes"]["transactionCode"] == [{"listName": "a", "name": "b"}] * count


def test_csv_is_as_rfc_4180_says() -> None:
    body = FORMATS["csv"].write([file(agentID='Bill "B", Jackson\r\nx', extVar1="=1+1", extVar2="\r")], FILE).body
    assert body.isascii()
    assert body.count(b"\r\n") == 3
    assert b',"Bill ""B"", Jackson\r\nx",' in body
    assert b',=1+1,"\r",' in body  # values are not altered for spreadsheets
    assert not body.startswith(b"\xef\xbb\xbf")
    assert next(csv.reader(io.StringIO(body.decode(), newline=""))) == [*FILE_FIELDS, "wrapUpCode"]


def test_nested_parts_are_one_cell() -> None:
    assert cell([]) == ""
    assert cell([("Gauffre", "Gauffre 1")]) == "Gauffre=Gauffre 1"
    assert cell([("a|b", "c=d"), ("e\\", "")]) == "a\\|b=c\\=d|e\\\\="


@given(pairs)
def test_any_pairs_are_read_back_from_their_cell(given: list[tuple[str, str]]) -> None:
    assert pairs_of(cell(given)) == given


# One transcript, in pieces


@given(
    chat=chats(texts),
    pieces=st.lists(st.lists(st.builds(ChatMessage, *[texts] * len(MESSAGE_FIELDS)), max_size=3), max_size=3),
)
def test_any_transcript_is_read_back_however_it_is_cut(chat: Chat, pieces: list[list[ChatMessage]]) -> None:
    expected = [[getattr(message, name) for name in MESSAGE_FIELDS] for piece in pieces for message in piece]
    bodies = {}
    for form in ("xml", "json"):
        writer = TranscriptWriter(form, chat)
        bodies[form] = b"".join([writer.opening(), *map(writer.messages, pieces), writer.closing()])
        assert writer.escaper.dropped == 0
    shown = json.loads(bodies["json"])["transcript"]
    assert [list(message.values()) for message in shown["messages"]["message"]] == expected
    assert list(shown) == [*CHAT_FIELDS, "metaDatas", "messages"]
    root = xml_of(bodies["xml"])
    assert [element.tag for element in root] == [*CHAT_FIELDS, "metaDatas", "messages"]
    assert [[leaf.text or "" for leaf in message] for message in root[-1]] == expected


# The whole way: kept, listed, read


@settings(max_examples=40)
@given(fields=st.fixed_dictionaries(dict.fromkeys(("agent_login", "caller_number", "variable_1"), texts)), codes=pairs)
def test_any_text_that_is_kept_comes_out_of_every_format(
    ground: Ground, fields: dict[str, Any], codes: list[tuple[str, str]]
) -> None:
    tenant, token = ground.tenant()
    wrap_up = tuple(WrapUpCode(*pair) for pair in codes)
    ground.run(ground.world.keep(tenant, state=State.KEPT, wrap_up_codes=wrap_up, **fields))
    for suffix in ("", ".json", ".csv"):
        target = f"{BASE}/files{suffix}"
        answer = ask_at(ground.world.port, "GET", target, Authorization=basic(token, tenant.name))
        (record,) = records(answer)
        assert record.pairs == codes
        assert record.fields["agentID"] == fields["agent_login"]
        assert record.fields["phoneNumber"] == fields["caller_number"]
        assert record.fields["extVar1"] == (fields["variable_1"] or "0")
        assert "x-voxkeep-dropped-characters" not in answer.headers
