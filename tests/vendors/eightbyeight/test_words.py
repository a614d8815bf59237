"""What 8x8 tells comes back from the archive field by field as it came."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive.model import Message, Recording, Transcript, WrapUpCode
from voxkeep.archive.rows import RECORDING_COLUMNS, recording_values
from voxkeep.archive.rows import recording_of as recording_in
from voxkeep.archive.transcripts import transcript_of as transcript_in
from voxkeep.archive.transcripts import values_of
from voxkeep.archive.units import LATEST, CallId, EpochMs, TenantId, uuid7
from voxkeep.vendors.eightbyeight import shapes
from voxkeep.vendors.eightbyeight.chats import (
    NO_METADATA,
    Chat,
    ChatMessage,
    MetaDatas,
    MetaDatum,
    chat_of,
    kept_message,
    message_of,
    transcript_of,
)
from voxkeep.vendors.eightbyeight.render import CHAT, FILE, json_list
from voxkeep.vendors.eightbyeight.wire import (
    DIRECT_CHANNEL,
    DIRECT_QUEUE,
    NO_WRAP_UP,
    OUTBOUND_CHANNEL,
    OUTBOUND_QUEUE,
    File,
    TransactionCode,
    TransactionCodes,
    WrapUp,
    call_of,
    number_or_text,
    recording_of,
    shown_in,
    shown_of,
)

TENANT = TenantId(1)
ZONES = st.sampled_from(["UTC", "America/Los_Angeles", "Asia/Kolkata", "Europe/London"])
moments = st.integers(86_400_000, LATEST - 86_400_000).map(lambda at: EpochMs(at // 1_000 * 1_000))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
words = texts | st.sampled_from(["", "0", "00", "7", OUTBOUND_CHANNEL, OUTBOUND_QUEUE, DIRECT_CHANNEL, DIRECT_QUEUE])
numbers = words.map(number_or_text)
wrap_ups = st.lists(st.builds(TransactionCode, texts, texts), max_size=3).map(
    lambda codes: WrapUp(TransactionCodes(tuple(codes))) if codes else NO_WRAP_UP
)
metadata = st.lists(st.builds(MetaDatum, texts, texts), max_size=3).map(
    lambda each: MetaDatas(tuple(each)) if each else NO_METADATA
)
file_names = st.from_regex(shapes.FILE_NAME, fullmatch=True)
durations = st.integers(0, 10**9 - 1)


@st.composite
def files(draw: st.DrawFn) -> tuple[File, EpochMs, str]:
    at, zone = draw(moments), draw(ZONES)
    plain = {name: draw(words) for name in ("agentID", "phoneNumber", "channel", "queueID", "queueName")}
    plain |= {name: draw(words) for name in ("accountNumber", "extVar1", "extVar2", "outDialCode")}
    file = File(
        startDate=shown_in(zone)(at),
        caseID=draw(numbers),
        transactionID=draw(numbers),
        duration=draw(durations),
        filename=draw(file_names),
        wrapUpCode=draw(wrap_ups),
        **plain,
    )
    return file, at, zone


@st.composite
def chats(draw: st.DrawFn) -> tuple[Chat, EpochMs, str]:
    at, zone = draw(moments), draw(ZONES)
    given_ = {"caseID", "transactionID", "duration", "startDate", "metaDatas", "interactionGUID"}
    plain = {name: draw(words) for name in Chat.__struct_fields__ if name not in given_}
    chat = Chat(
        startDate=shown_in(zone)(at),
        caseID=draw(numbers),
        transactionID=draw(numbers),
        duration=draw(durations),
        interactionGUID=draw(words.filter(bool)),
        metaDatas=draw(metadata),
        **plain,
    )
    return chat, at, zone


def through_rows(recording: Recording) -> Recording:
    """Return a recording as it comes back from its row."""
    with_call = replace(recording, call=CallId(uuid7(recording.started_at)))
    row = recording_values(with_call)
    assert len(row) == len(RECORDING_COLUMNS)
    return recording_in(row)


@given(files())
def test_a_file_is_shown_field_by_field_as_it_came(told: tuple[File, EpochMs, str]) -> None:
    file, at, zone = told
    assert shown_of(through_rows(recording_of(file, at, TENANT)), shown_in(zone)) == file


@given(chats())
def test_a_chat_is_shown_field_by_field_as_it_came(told: tuple[Chat, EpochMs, str]) -> None:
    chat, at, zone = told
    kept: Transcript = transcript_in(values_of(transcript_of(chat, at, TENANT)))
    assert chat_of(kept, shown_in(zone)) == chat


@given(st.lists(files(), max_size=4), st.lists(chats(), max_size=4))
def test_what_our_own_server_says_is_read_as_it_was(
    told: list[tuple[File, EpochMs, str]], chatted: list[tuple[Chat, EpochMs, str]]
) -> None:
    read = shapes.files(json_list([file for file, _, _ in told], FILE).body)
    assert [(each.record, each.at) for each in read.good] == [(file, at) for file, at, _ in told]
    read_chats = shapes.chats(json_list([chat for chat, _, _ in chatted], CHAT).body)
    assert [(each.record, each.at) for each in read_chats.good] == [(chat, at) for chat, at, _ in chatted]
    assert read.bad == read_chats.bad == []


@given(moments, ZONES, st.sampled_from(["C", "A", "", "System", "customer"]), texts)
def test_a_message_is_shown_as_it_came(at: EpochMs, zone: str, sender: str, text: str) -> None:
    message = ChatMessage(shown_in(zone)(at), sender, "en", text, "de", text[::-1])
    shown = message_of(kept_message(message, at), shown_in(zone))
    # one word of ours is no letter of theirs
    assert shown == (message if sender != "customer" else replace(message, messageFrom="C"))


def file(**changes: Any) -> File:
    made = File("", "bill", "4155551234", "8005557780", 0, 27, "S20071220/R2007122003163601000.wav", "102", "phoneq1",
                "0", 1, "0", "0", "", WrapUp(TransactionCodes((TransactionCode("Gauffre", "Gauffre 1"),))))  # fmt: skip
    return replace(made, **changes)


def test_a_queued_call_is_known_by_its_queue_and_the_number_that_was_called() -> None:
    kept = recording_of(file(), EpochMs(5_000), TENANT)
    assert (kept.direction, kept.caller_number, kept.dialled_number) == ("inbound", "4155551234", "8005557780")
    assert (kept.skill, kept.skill_id, kept.agent_login) == ("phoneq1", "102", "bill")
    assert (kept.calling_party, kept.receiving_party) == ("4155551234", "bill")
    assert kept.wrap_up_codes == (WrapUpCode("Gauffre", "Gauffre 1"),)
    assert (kept.duration_ms, kept.ended_at, kept.extra) == (27_000, 32_000, {})


def test_an_outbound_call_goes_to_the_number_that_was_dialled() -> None:
    kept = recording_of(
        file(channel=OUTBOUND_CHANNEL, queueID=OUTBOUND_QUEUE, queueName=OUTBOUND_QUEUE), EpochMs(5_000), TENANT
    )
    assert (kept.direction, kept.caller_number, kept.dialled_number) == ("outbound", "", "4155551234")
    assert (kept.calling_party, kept.receiving_party, kept.skill) == ("bill", "4155551234", "")
    assert kept.extra == {}


def test_a_call_straight_to_an_agent_has_no_queue() -> None:
    kept = recording_of(file(channel=DIRECT_CHANNEL, queueID=DIRECT_QUEUE, queueName=DIRECT_QUEUE), EpochMs(0), TENANT)
    assert (kept.direction, kept.caller_number, kept.dialled_number) == ("inbound", "4155551234", "")
    assert (kept.skill, kept.skill_id, kept.extra) == ("", "", {})


def test_recordings_of_one_transaction_share_a_call_and_no_transaction_is_no_call() -> None:
    call = call_of(recording_of(file(transactionID=11), EpochMs(5_000), TENANT))
    assert call is not None
    assert (call.key, call.started_at, call.ended_at) == ("11", 5_000, 32_000)
    for none in ("", 0):
        assert call_of(recording_of(file(transactionID=none), EpochMs(5_000), TENANT)) is None


def test_a_customers_message_is_the_customers() -> None:
    kept: Message = kept_message(ChatMessage("", "C", "en", "Hi", "", ""), EpochMs(5))
    assert (kept.sender, kept.text, kept.at) == ("customer", "Hi", 5)
    assert kept_message(ChatMessage("", "A"), EpochMs(5)).sender == "agent"


def test_words_are_structs_whose_fields_are_in_the_seeds_order() -> None:
    for kind in (File, Chat, ChatMessage):
        assert issubclass(kind, Struct)
    assert File.__struct_fields__[:3] == ("startDate", "agentID", "phoneNumber")
    assert Chat.__struct_fields__[-2:] == ("duration", "metaDatas")
