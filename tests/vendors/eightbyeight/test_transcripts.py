"""Chat transcripts: their list, one with its messages, the removal of those."""

import json
from collections.abc import AsyncIterator
from http.client import IncompleteRead
from typing import Any

import pytest
from tests.server.harness import START, Answer, World
from tests.vendors.eightbyeight.harness import (
    BASE,
    CHAT_FIELDS,
    CSV,
    JSON,
    MESSAGE_FIELDS,
    XML,
    Record,
    asked,
    basic,
    json_record,
    keep_chat,
    listed,
    records,
    refusal,
    xml_of,
    xml_record,
)

from voxkeep.archive.model import Message, Tenant, Transcript
from voxkeep.archive.units import EpochMs, TranscriptId, uuid7
from voxkeep.vendors.eightbyeight import chats

COLOR = ("Color", "Blue")


def read(answer: Answer) -> tuple[Record, list[dict[str, str]]]:
    """Return one transcript's header and messages, from XML or JSON."""
    assert answer.status == 200, answer
    if answer.headers["content-type"] == JSON:
        transcript = answer.json["transcript"]
        messages = transcript.pop("messages")["message"]
        return json_record(transcript), messages
    assert answer.headers["content-type"] == XML
    root = xml_of(answer.body)
    assert root.tag == "transcript"
    *header, shown = root
    assert shown.tag == "messages"
    root.remove(shown)
    assert header == list(root)
    return xml_record(root), [{leaf.tag: leaf.text or "" for leaf in message} for message in shown]


# The list


async def test_a_list_without_a_match_is_200_and_empty_in_every_format(world: World, token: str) -> None:
    xml = await asked(world, "transcripts", token)
    assert (xml.status, list(xml_of(xml.body))) == (200, [])
    assert (await asked(world, "transcripts.json", token)).json == {"recordings": {"transcript": []}}
    csv = await asked(world, "transcripts.csv", token)
    assert csv.headers["content-type"] == CSV
    assert csv.body == b",".join(name.encode() for name in (*CHAT_FIELDS, "metaDatas")) + b"\r\n"


async def test_every_format_shows_the_same_and_no_messages(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1", texts=("secret",), metadata=[COLOR, ("a|b", "c=d")], contact_name="Jeff, W")
    await keep_chat(world, acme, "int-2", START + 1, case_id="24482", agent_name="Bill,Jackson")
    answers = [await asked(world, f"transcripts{suffix}", token) for suffix in ("", ".xml", ".json", ".csv")]
    shown = [records(answer) for answer in answers]
    assert shown == [shown[0]] * 4
    assert [record.key for record in shown[0]] == ["int-1", "int-2"]
    assert shown[0][0].pairs == [COLOR, ("a|b", "c=d")]
    assert not any(b"secret" in answer.body for answer in answers)


# One


@pytest.mark.parametrize("suffix", ["", ".xml", ".json"])
async def test_one_transcript_is_its_line_in_the_list_and_its_messages_in_order(
    world: World, acme: Tenant, token: str, suffix: str
) -> None:
    await keep_chat(
        world, acme, "int-1", texts=("Hi How r u", '<b> & "so" ]]>', "\u4e2d\U0001f44d\r\n\tx"), metadata=[COLOR]
    )
    header, messages = read(await asked(world, f"transcripts/int-1{suffix}", token))
    assert [header] == await listed(world, token, "transcripts.json")
    assert [message["originalMessage"] for message in messages] == [
        "Hi How r u", '<b> & "so" ]]>', "\u4e2d\U0001f44d\r\n\tx",
    ]  # fmt: skip
    assert all(tuple(message) == MESSAGE_FIELDS for message in messages)
    assert messages[0] == {
        "messageTime": "2024-02-12T12:40:49-08:00",
        "messageFrom": "C",
        "originalLanguage": "",
        "originalMessage": "Hi How r u",
        "translatedLanguage": "",
        "translatedMessage": "",
    }


async def test_the_sender_is_a_letter_and_languages_are_shown(world: World, acme: Tenant, token: str) -> None:
    transcript = Transcript(**{**_fields(await keep_chat(world, acme, "int-0")), "vendor_key": "int-1"})
    told = [("customer", "C"), ("agent", "A"), ("system", "system"), ("", "")]
    await world.archive.keep_transcript(
        transcript,
        [
            Message(
                at=EpochMs(START),
                sender=ours,
                language="es",
                text="Hola",
                translated_language="en",
                translated_text="Hi",
            )
            for ours, _ in told
        ],
    )
    _, messages = read(await asked(world, "transcripts/int-1", token))
    assert [message["messageFrom"] for message in messages] == [theirs for _, theirs in told]
    assert {tuple(message.values())[2:] for message in messages} == {("es", "Hola", "en", "Hi")}


def _fields(chat: Transcript) -> dict[str, Any]:
    fields = {name: getattr(chat, name) for name in chat.__struct_fields__}
    return fields | {"id": TranscriptId(uuid7(chat.started_at))}


async def test_dates_follow_the_zone_that_is_asked_for(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1", texts=("a",))
    header, messages = read(await asked(world, "transcripts/int-1?tz=Asia/Kathmandu", token))
    assert header.fields["startDate"] == messages[0]["messageTime"] == "2024-02-13T02:25:49+05:45"


async def test_a_transcript_without_messages_has_an_empty_list(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1")
    assert read(await asked(world, "transcripts/int-1", token))[1] == []
    answer = await asked(world, "transcripts/int-1.json", token)
    assert answer.json["transcript"]["messages"] == {"message": []}


async def test_one_transcript_does_not_come_as_csv(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1")
    for suffix in (".csv", ".txt", ".", ".XML"):
        assert refusal(await asked(world, f"transcripts/int-1{suffix}", token), 404) == "There is no such transcript"


@pytest.mark.parametrize(
    ("guid", "path"),
    [
        (
            "int-14a0febe466-bLfK0EF6BKKvFMZmhhFdW14v0-chat-03-tenant",
            "int-14a0febe466-bLfK0EF6BKKvFMZmhhFdW14v0-chat-03-tenant",
        ),
        ("a/b", "a%2Fb"),
        ("a b+c?d#e", "a%20b+c%3Fd%23e"),
        ("\u00fc", "%C3%BC"),
        ("chat.json", "chat.json.json"),
        ("chat.xml", "chat.xml.xml"),
        ("1.csv", "1.csv"),
    ],
)
async def test_any_guid_leads_to_its_transcript(world: World, acme: Tenant, token: str, guid: str, path: str) -> None:
    await keep_chat(world, acme, guid, texts=("hello",))
    header, messages = read(await asked(world, f"transcripts/{path}", token))
    assert (header.key, len(messages)) == (guid, 1)


async def test_a_chat_of_our_own_goes_by_its_id(world: World, acme: Tenant, token: str) -> None:
    chat = await keep_chat(world, acme)
    header, _ = read(await asked(world, f"transcripts/{chat.id}", token))
    assert header.key == str(chat.id)


@pytest.mark.parametrize("suffix", ["", ".json"])
async def test_thousands_of_messages_are_one_document(world: World, acme: Tenant, token: str, suffix: str) -> None:
    texts = tuple(f"message {number} {'x' * 100}" for number in range(1_201))
    await keep_chat(world, acme, "int-1", texts=texts)
    answer = await asked(world, f"transcripts/int-1{suffix}", token)
    assert "content-length" not in answer.headers
    assert [message["originalMessage"] for message in read(answer)[1]] == list(texts)


async def test_half_a_transcript_never_parses(
    world: World, acme: Tenant, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await keep_chat(world, acme, "int-1")

    async def breaks(_: Transcript) -> AsyncIterator[list[Message]]:
        yield [Message(at=EpochMs(0), text="x" * 200_000)]
        raise RuntimeError("the disk is gone")

    monkeypatch.setattr(world.archive, "messages", breaks)
    with pytest.raises(IncompleteRead):
        await asked(world, "transcripts/int-1.json", token)


async def test_characters_that_xml_cannot_hold_are_dropped_and_counted(
    world: World, acme: Tenant, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    await keep_chat(world, acme, "int-1", texts=("a\x00b\x08c\ufffe",), contact_name="J\x1bW")
    answer = await asked(world, "transcripts/int-1", token)
    assert answer.headers["x-voxkeep-dropped-characters"] == "4"
    header, messages = read(answer)
    assert (header.fields["contactName"], messages[0]["originalMessage"]) == ("JW", "abc")
    assert "4 characters" in caplog.text
    shown = await asked(world, "transcripts", token)
    assert shown.headers["x-voxkeep-dropped-characters"] == "1"
    whole = await asked(world, "transcripts/int-1.json", token)
    assert "x-voxkeep-dropped-characters" not in whole.headers
    assert read(whole)[1][0]["originalMessage"] == "a\x00b\x08c\ufffe"


async def test_characters_that_a_long_transcript_drops_late_are_told_in_the_log(
    world: World, acme: Tenant, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    await keep_chat(world, acme, "int-1", texts=("\x01", *["x" * 100_000] * 2, "\x02\x03"))
    answer = await asked(world, "transcripts/int-1", token)
    assert len(read(answer)[1]) == 4
    assert "3 characters" in caplog.text


# Removal


@pytest.mark.parametrize("suffix", ["", ".json"])
async def test_a_removed_transcript_stands_with_one_dummy_message(
    world: World, acme: Tenant, token: str, suffix: str
) -> None:
    await keep_chat(world, acme, "int-1", texts=("secret one", "secret two"), metadata=[COLOR], contact_name="Jeff")
    before = await asked(world, f"transcripts/int-1{suffix}", token)
    shown = await listed(world, token, "transcripts.json")
    for _ in range(2):  # again: the interaction still exists
        answer = await asked(world, "transcripts/int-1", token, method="DELETE")
        assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
        after = await asked(world, f"transcripts/int-1{suffix}", token)
        header, messages = read(after)
        assert header == read(before)[0]
        dummy = dict.fromkeys(MESSAGE_FIELDS, "") | {"messageTime": header.fields["startDate"]}
        assert messages == [dummy]
        assert b"secret" not in after.body
    assert await listed(world, token, "transcripts.json") == shown


async def test_what_was_read_under_a_suffix_is_removed_under_it(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1", texts=("a", "b"))
    await keep_chat(world, acme, "int-1.xml", texts=("c",))
    assert (await asked(world, "transcripts/int-1.json", token, method="DELETE")).status == 200
    assert [message["originalMessage"] for message in read(await asked(world, "transcripts/int-1", token))[1]] == [""]
    # a GUID that ends like a suffix is meant before the one without it
    assert len(read(await asked(world, "transcripts/int-1.xml", token))[1]) == 1
    assert (await asked(world, "transcripts/int-1.xml", token, method="DELETE")).status == 200
    assert read(await asked(world, "transcripts/int-1.xml", token))[0].key == "int-1.xml"


async def test_removing_an_unknown_transcript_is_204(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1", texts=("a",))
    for guid in ("int-2", "int-2.json", "int-1.csv", "INT-1"):
        answer = await asked(world, f"transcripts/{guid}", token, method="DELETE")
        assert (answer.status, answer.body) == (204, b"")
        assert "content-length" not in answer.headers
    assert len(read(await asked(world, "transcripts/int-1", token))[1]) == 1


async def test_what_may_not_be_removed_is_409_with_the_reason(
    world: World, acme: Tenant, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def held(_: Transcript) -> str:
        return "It is under legal hold"

    await keep_chat(world, acme, "int-1", texts=("a",))
    monkeypatch.setattr(world.archive, "may_remove", held)
    assert refusal(await asked(world, "transcripts/int-1", token, method="DELETE"), 409) == "It is under legal hold"
    assert len(read(await asked(world, "transcripts/int-1", token))[1]) == 1


async def test_a_removed_transcript_is_not_kept_again_when_it_is_collected_again(
    world: World, acme: Tenant, token: str
) -> None:
    chat = chats.Chat(
        "2024-02-12T20:40:49+00:00", "bill", "Bill,Jackson", "guest", "Jeff", "104", "q", "103", "c", 24482,
        "192.0.2.1", 11, "int-1", "A2C", 54,
    )  # fmt: skip

    async def collect() -> bool:
        told = chats.transcript_of(chat, EpochMs(START), acme.id)
        return (await world.archive.keep_transcript(told, [Message(at=EpochMs(START), text="again")])).new

    assert await collect()
    await asked(world, "transcripts/int-1", token, method="DELETE")
    assert not await collect()
    assert b"again" not in (await asked(world, "transcripts/int-1", token)).body


async def test_messages_are_found_no_more_once_they_are_removed(world: World, acme: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1", texts=("zebra",))
    search = "/voxkeep/v1/search?q=zebra"
    found = await world.ask("GET", search, token)
    assert found.status == 200
    assert b"zebra" in found.body
    await asked(world, "transcripts/int-1", token, method="DELETE")
    assert b"zebra" not in (await world.ask("GET", search, token)).body


async def test_the_same_guid_in_two_tenants_is_two_chats(world: World, acme: Tenant, other: Tenant, token: str) -> None:
    await keep_chat(world, acme, "int-1", texts=("mine",))
    await keep_chat(world, other, "int-1", texts=("theirs",))
    foreign = await world.token(other, name="foreign")
    for each, tenant, word in ((token, "acme-ns", "mine"), (foreign, "globex-ns", "theirs")):
        answer = await world.ask("GET", f"{BASE}/transcripts/int-1.json", Authorization=basic(each, tenant))
        assert [
            message["originalMessage"] for message in json.loads(answer.body)["transcript"]["messages"]["message"]
        ] == [word]
