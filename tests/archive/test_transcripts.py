"""Chats: kept once with all their messages; removed, the chat stands and what was written is gone."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from msgspec.structs import replace

from voxkeep.archive import Archive
from voxkeep.archive import transcripts as room
from voxkeep.archive.changes import salted_hash
from voxkeep.archive.errors import RemovalRefused, UnknownTranscript
from voxkeep.archive.model import AGENT, CUSTOMER, Message, MetaData, State, Tenant, Transcript
from voxkeep.archive.query import Scope
from voxkeep.archive.transcripts import PERSONAL, KeptTranscript
from voxkeep.archive.units import DAY_MS, DurationMs, EpochMs, TenantId, TranscriptId, now_ms, uuid7
from voxkeep.database import Row
from voxkeep.settings import Archive as ArchiveSettings
from voxkeep.settings import Settings

MakeChat = Callable[..., Transcript]
KeepChat = Callable[..., Awaitable[KeptTranscript]]

START = EpochMs(1_763_647_391_250)
"""2025-11-20T14:03:11.250Z"""
TALK = ("Good day", "My parcel is late", "I am sorry to hear that")

texts = st.text(max_size=30) | st.sampled_from(
    ["", "\0", "a\0b", "\ufeff", "\U0010ffff", "e\u0301", '"', "%", "\ud7ff"]
)
messages = st.builds(
    Message,
    at=st.integers(0, 7_258_118_399_999).map(EpochMs),
    sender=st.sampled_from([CUSTOMER, AGENT, "bot"]) | texts,
    language=texts,
    text=texts,
    translated_language=texts,
    translated_text=texts,
)
chat_fields = st.fixed_dictionaries(
    {
        **dict.fromkeys(
            (
                *("call_key", "kind", "agent_name", "agent_extension", "agent_login", "contact_id", "contact_name"),
                *("skill", "skill_id", "channel_id", "channel_name", "case_id", "target_address"),
            ),
            texts,
        ),
        "duration_ms": st.integers(0, 2**40).map(DurationMs),
        "metadata": st.lists(st.builds(MetaData, texts, texts), max_size=3).map(tuple),
        "extra": st.dictionaries(texts, texts | st.integers(-(2**53), 2**53) | st.none(), max_size=3),
    }
)


async def read(archive: Archive, chat: Transcript) -> list[Message]:
    return [each async for chunk in archive.messages(chat) for each in chunk]


async def again(archive: Archive, chat: Transcript) -> Transcript:
    found = await archive._transcripts.by_id(chat.tenant, chat.id)
    assert found is not None
    return found


async def found_by(archive: Archive, tenant: TenantId, words: str) -> list[str]:
    return [hit.message.text for hit in await archive.search([Scope(tenant)], words, None, None, 100)]


async def kinds(archive: Archive) -> list[str]:
    return [change.kind for change in await archive.changes.after(0)]


async def left(archive: Archive, table: str) -> list[Row]:
    return await archive.database.read(f"SELECT * FROM {table}")  # noqa: S608 -- our own names


@pytest.fixture
async def chat(chat_of: MakeChat, keep_chat: KeepChat) -> Transcript:
    return (await keep_chat(chat_of(agent_name="Ann", contact_name="Jeff"), TALK)).transcript


# Keeping


@profile(max_examples=60)
@given(fields=chat_fields, written=st.lists(messages, max_size=6))
async def test_a_chat_comes_back_as_it_was_kept(
    archive: Archive, acme: Tenant, chat_of: MakeChat, fields: dict[str, Any], written: list[Message]
) -> None:
    before = now_ms()
    wanted = chat_of(str(uuid7(START)), tenant=acme.id, **fields)
    kept = await archive.keep_transcript(wanted, written)
    assert kept.new
    assert kept.transcript == replace(wanted, message_count=len(written), kept_at=kept.transcript.kept_at)
    assert before <= kept.transcript.kept_at <= now_ms()
    assert await archive._transcripts.by_id(acme.id, wanted.id) == kept.transcript
    assert await archive.transcript(acme.id, wanted.vendor_key) == kept.transcript
    assert await read(archive, kept.transcript) == written


async def test_messages_of_one_moment_and_out_of_time_stay_in_their_order(
    archive: Archive, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    times = [START, START, START - 5, START + 9, START, START - 5]
    written = [Message(at=EpochMs(at), text=str(number)) for number, at in enumerate(times)]
    kept = (await keep_chat(chat_of(), written)).transcript
    assert await read(archive, kept) == written


async def test_a_long_chat_is_read_in_chunks(
    archive: Archive, chat_of: MakeChat, keep_chat: KeepChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "CHUNK_MESSAGES", 3)
    await keep_chat(chat_of("other"), ["another chat's"])
    kept = (await keep_chat(chat_of(), [str(number) for number in range(7)])).transcript
    chunks = [[each.text for each in chunk] async for chunk in archive.messages(kept)]
    assert chunks == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


async def test_a_chat_without_a_key_of_its_vendors_has_its_id(
    archive: Archive, acme: Tenant, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    kept = (await keep_chat(chat_of(""))).transcript
    assert kept.vendor_key == str(kept.id)
    assert await archive.transcript(acme.id, str(kept.id)) == kept


async def test_a_key_that_is_held_changes_nothing(archive: Archive, chat: Transcript, chat_of: MakeChat) -> None:
    other = chat_of(agent_name="Bob")
    again_kept = await archive.keep_transcript(other, [Message(at=START, text="something else")])
    assert again_kept == KeptTranscript(chat, new=False)
    assert [each.text for each in await read(archive, chat)] == list(TALK)
    assert await archive._transcripts.by_id(chat.tenant, other.id) is None
    assert await found_by(archive, chat.tenant, "else") == []
    assert await kinds(archive) == ["transcript.kept"]


async def test_a_removed_chats_key_stays_taken(
    archive: Archive, chat: Transcript, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    await archive.remove_transcript(chat.tenant, chat.id, hard=True)
    kept = await keep_chat(chat_of(), TALK)
    assert (kept.new, kept.transcript) == (False, await again(archive, chat))
    assert await left(archive, "messages") == []
    assert await found_by(archive, chat.tenant, "parcel") == []


async def test_kept_many_times_at_once_a_chat_is_one(archive: Archive, chat_of: MakeChat, keep_chat: KeepChat) -> None:
    kept = await asyncio.gather(*(keep_chat(chat_of(), TALK) for _ in range(8)))
    assert [each.new for each in kept].count(True) == 1
    assert len({each.transcript.id for each in kept}) == 1
    assert len(await left(archive, "messages")) == 3


async def test_two_vendors_and_two_tenants_may_use_the_same_key(
    archive: Archive, acme: Tenant, globex: Tenant, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    given_to = [chat_of(vendor=vendor, tenant=tenant.id) for tenant in (acme, globex) for vendor in ("a", "b")]
    first = [await keep_chat(each, [f"{each.vendor} {each.tenant}"]) for each in given_to]
    assert all(each.new for each in first)
    for each in first:
        assert (await read(archive, each.transcript))[0].text == f"{each.transcript.vendor} {each.transcript.tenant}"
    # held, each under its own vendor and tenant
    second = [await keep_chat(replace(each, id=TranscriptId(uuid7(START)))) for each in given_to]
    assert [each.transcript for each in second] == [each.transcript for each in first]


async def test_nobody_finds_another_tenants_chat(
    archive: Archive, globex: Tenant, chat: Transcript, chat_of: MakeChat
) -> None:
    assert await archive._transcripts.by_id(globex.id, chat.id) is None
    assert await archive.transcript(globex.id, chat.vendor_key) is None
    assert await read(archive, replace(chat, tenant=globex.id)) == []
    with pytest.raises(UnknownTranscript):
        await archive.remove_transcript(globex.id, chat.id)
    with pytest.raises(UnknownTranscript):
        await archive.remove_transcript(chat.tenant, chat_of().id)
    assert await again(archive, chat) == chat


async def test_a_text_that_no_database_can_hold_keeps_nothing_of_the_chat(
    archive: Archive, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    with pytest.raises(UnicodeEncodeError):
        await keep_chat(chat_of(), ["fine", "half a pair: \ud800"])
    for table in ("transcripts", "messages", "changes"):
        assert await left(archive, table) == []
    assert (await keep_chat(chat_of(), ["fine"])).new


async def test_messages_of_one_millisecond_never_share_a_number(
    archive: Archive, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    same = [Message(at=START, text=str(number)) for number in range(4)]
    # two ids that differ by one in their low bits: their second and first messages ask for the same number
    chats = [chat_of(f"c{low}", id=TranscriptId(uuid7(START, low))) for low in ((1 << room.NUMBER_BITS) - 2, 0)]
    chats.append(chat_of("near", id=TranscriptId(uuid7(START, 1))))
    for each in chats:
        await keep_chat(each, same)
    numbers = [number for (number,) in await archive.database.read("SELECT number FROM messages")]
    assert len(set(numbers)) == 12
    assert all(number >> room.NUMBER_BITS == START for number in numbers)


# Removing


async def test_a_removed_chat_stands_without_messages(archive: Archive, chat: Transcript) -> None:
    before = now_ms()
    assert await archive.remove_transcript(chat.tenant, chat.id) == chat
    removed = await again(archive, chat)
    assert removed.removed_at is not None
    assert before <= removed.removed_at <= now_ms()
    assert removed == replace(chat, state=State.REMOVED, message_count=0, removed_at=removed.removed_at)
    assert await read(archive, removed) == []
    assert await archive.transcript(chat.tenant, chat.vendor_key) == removed


async def test_what_a_removed_chat_said_is_found_no_more(
    archive: Archive, chat: Transcript, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    await keep_chat(chat_of("other"), ["another parcel"])
    assert await found_by(archive, chat.tenant, "parcel") != ["another parcel"]
    await archive.remove_transcript(chat.tenant, chat.id)
    assert await found_by(archive, chat.tenant, "parcel") == ["another parcel"]
    # nor does the index know of it: it has a row of lengths for each message
    assert len(await left(archive, "message_words_docsize")) == 1


async def test_messages_are_freed_when_the_grace_is_over_and_not_before(archive: Archive, chat: Transcript) -> None:
    await archive.remove_transcript(chat.tenant, chat.id)
    assert await archive.free_due() == 0
    assert len(await left(archive, "messages")) == 3
    ((free_at,),) = await archive.database.read("SELECT free_at FROM transcript_removals")
    assert abs(free_at - now_ms() - archive.settings.archive.removal_grace_days * DAY_MS) < DAY_MS
    await archive.database.define("UPDATE transcript_removals SET free_at = 0")
    assert await archive.free_due() == 1
    assert await left(archive, "messages") == []
    assert (await again(archive, chat)).state is State.REMOVED
    assert await archive.free_due() == 0


async def test_without_a_grace_the_next_round_frees(tmp_path: Path, chat_of: MakeChat) -> None:
    settings = Settings(archive=ArchiveSettings(removal_grace_days=0))
    archive = await Archive.at(tmp_path / "graceless", settings)
    kept = (await archive.keep_transcript(chat_of(), [Message(at=START, text="gone soon")])).transcript
    await archive.remove_transcript(kept.tenant, kept.id)
    assert len(await left(archive, "messages")) == 1
    assert await archive.free_due() == 1
    assert await left(archive, "messages") == []
    await archive.close()


async def test_a_hard_removal_frees_at_once(
    archive: Archive, chat: Transcript, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    other = (await keep_chat(chat_of("other"), TALK)).transcript
    await archive.remove_transcript(chat.tenant, chat.id, hard=True)
    assert {row[1] for row in await left(archive, "messages")} == {other.id.bytes}
    assert await left(archive, "transcript_removals") == []
    assert await archive.free_due() == 0
    assert [each.text for each in await read(archive, other)] == list(TALK)


async def test_who_removes_twice_changes_nothing_more(archive: Archive, chat: Transcript) -> None:
    await asyncio.gather(*(archive.remove_transcript(chat.tenant, chat.id) for _ in range(5)))
    removed = await again(archive, chat)
    assert await archive.remove_transcript(chat.tenant, chat.id, hard=True) == removed
    assert await again(archive, chat) == removed
    assert await kinds(archive) == ["transcript.kept", "transcript.removed"]


async def test_freed_by_two_at_once_it_is_told_once(archive: Archive, chat: Transcript) -> None:
    await archive.remove_transcript(chat.tenant, chat.id)
    await archive.database.define("UPDATE transcript_removals SET free_at = 0")
    other = await Archive.at(archive.home, Settings())
    await asyncio.gather(archive.free_due(), other.free_due(), archive.free_due())
    assert (await kinds(archive)).count("transcript.freed") == 1
    await other.close()


async def test_a_refusal_leaves_the_chat(archive: Archive, chat: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    async def on_hold(_kept: Transcript) -> str:
        return "on legal hold"

    assert await archive.may_remove(chat) is None
    monkeypatch.setattr(archive, "may_remove", on_hold)
    with pytest.raises(RemovalRefused, match="on legal hold"):
        await archive.remove_transcript(chat.tenant, chat.id, hard=True)
    assert await again(archive, chat) == chat
    assert [each.text for each in await read(archive, chat)] == list(TALK)


async def test_recordings_and_chats_that_are_due_are_counted_together(
    archive: Archive,
    chat: Transcript,
    keep: Callable[..., Awaitable[Any]],
    recording_of: Callable[..., Any],
    wav: bytes,
) -> None:
    recording = (await keep(recording_of(), wav)).recording
    await archive.remove(recording.tenant, recording.id)
    await archive.remove_transcript(chat.tenant, chat.id)
    for table in ("removals", "transcript_removals"):
        await archive.database.define(f"UPDATE {table} SET free_at = 0")  # noqa: S608 -- our own names
    assert await archive.free_due() == 2


# Changes


async def test_every_step_is_in_the_changes_without_a_personal_value(
    archive: Archive, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    people = {name: f"\N{BUST IN SILHOUETTE}{name}" for name in PERSONAL}
    kept = (await keep_chat(chat_of(**people), ["\N{BUST IN SILHOUETTE}my words"])).transcript
    await archive.remove_transcript(kept.tenant, kept.id, hard=True)
    changes = await archive.changes.after(0)
    assert [each.kind for each in changes] == ["transcript.kept", "transcript.removed", "transcript.freed"]
    for each in changes:
        assert (each.tenant, each.subject) == (kept.tenant, str(kept.id))
        assert each.facts == {"vendor": "import", "key": "chat-1", "start": START, "messages": 1}
        personal = await archive.changes.personal(each.seq)
        assert {name: value.value for name, value in personal.items()} == people
        assert {name: salted_hash(value.value, value.salt) for name, value in personal.items()} == each.hashes
    for (entry,) in await archive.database.read("SELECT entry FROM changes"):
        assert "\N{BUST IN SILHOUETTE}".encode() not in entry


WRITER = """
import asyncio, sys
from pathlib import Path
from voxkeep.archive import Archive
from voxkeep.archive.model import Message, Tenant, Transcript
from voxkeep.archive.units import uuid7
from voxkeep.settings import Settings

async def main():
    archive = await Archive.at(Path(sys.argv[1]), Settings())
    tenant = await archive.tenants.add(Tenant(id=0, name="acme"))

    async def worker(first):
        for number in range(first, 1_000_000, 8):
            at, key = 1_763_647_391_250 + number * 1000, f"chat-{number}"
            chat = Transcript(tenant=tenant.id, id=uuid7(at), started_at=at, duration_ms=5, vendor_key=key)
            await archive.keep_transcript(chat, [Message(at=at, text=f"said in w{number}") for _ in range(20)])
            print(key, flush=True)

    await asyncio.gather(*(worker(first) for first in range(8)))

asyncio.run(main())
"""


def acknowledged_before_the_kill(home: Path, wanted: int) -> set[str]:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(home)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(wanted)]
        os.kill(process.pid, signal.SIGKILL)
        lines += process.stdout.read().split("\n")[:-1]
    return {line.strip() for line in lines}


async def test_kill_9_loses_no_chat_that_was_acknowledged_and_leaves_none_in_part(tmp_path: Path) -> None:
    home = tmp_path / "killed"
    acknowledged = acknowledged_before_the_kill(home, 60)
    archive = await Archive.at(home, Settings())
    tenant = (await archive.tenants.named("acme")).id
    keys = [key for (key,) in await archive.database.read("SELECT vendor_key FROM transcripts")]
    assert acknowledged <= set(keys)
    for key in keys:
        kept = await archive.transcript(tenant, key)
        assert kept is not None
        written = await read(archive, kept)
        assert len(written) == kept.message_count == 20
        assert await found_by(archive, tenant, key.replace("chat-", "w")) == [each.text for each in written]
    changes = await archive.changes.after(0, limit=10_000)
    assert [change.seq for change in changes] == list(range(1, len(keys) + 1))
    await archive.close()
