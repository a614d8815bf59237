"""Removing: a tombstone keeps the key, the audio is freed after a grace or at once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from voxkeep.archive import Archive, Kept
from voxkeep.archive.errors import RemovalRefused, UnknownRecording
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.units import DAY_MS, EpochMs, RecordingId, now_ms, uuid7
from voxkeep.audio.render import Form
from voxkeep.database import Row, Transaction

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]
Files = Callable[[], list[str]]
Listed = Callable[..., Awaitable[list[Row]]]
Content = Callable[..., Awaitable[bytes]]


@pytest.fixture
async def kept(keep: Keep, recording_of: Make, wav: bytes, clip_ogg: bytes) -> Recording:
    return (await keep(recording_of(), wav, opus=clip_ogg)).recording


async def grace_over(archive: Archive) -> None:
    await archive.database.define("UPDATE removals SET free_at = 0")


async def test_a_removed_recording_is_a_tombstone_that_keeps_its_key(
    archive: Archive, kept: Recording, listed: Listed
) -> None:
    before = now_ms()
    was = await archive.remove(kept.tenant, kept.id)
    assert was == kept
    found = await archive.by_key(kept.tenant, kept.vendor, kept.vendor_key)
    assert found is not None
    assert (found.id, found.state) == (kept.id, State.REMOVED)
    assert found.removed_at is not None
    assert found.removed_at >= before
    assert [(row[2], row[3]) for row in await listed(kept.tenant, "state")] == [("key-1", int(State.REMOVED))]


async def test_within_the_grace_the_audio_stays(
    archive: Archive, kept: Recording, files: Files, content: Content, wav: bytes
) -> None:
    await archive.remove(kept.tenant, kept.id)
    assert await archive.free_due() == 0
    assert len(files()) == 2
    assert await content(archive, kept) == wav
    ((free_at,),) = await archive.database.read("SELECT free_at FROM removals")
    assert abs(free_at - now_ms() - archive.settings.archive.removal_grace_days * DAY_MS) < DAY_MS


async def test_after_the_grace_original_and_forms_are_gone_and_the_key_stays(
    archive: Archive, kept: Recording, files: Files
) -> None:
    await archive.remove(kept.tenant, kept.id)
    await grace_over(archive)
    assert await archive.free_due() == 1
    assert files() == []
    assert await archive.renditions.names(kept) == []
    found = await archive.by_id(kept.tenant, kept.id)
    assert found is not None
    assert (found.state, found.audio, found.vendor_key) == (State.REMOVED, None, "key-1")
    assert await archive.free_due() == 0


async def test_a_hard_removal_frees_at_once(archive: Archive, kept: Recording, files: Files) -> None:
    await archive.remove(kept.tenant, kept.id, hard=True)
    assert files() == []
    assert await archive.free_due() == 0


async def test_freeing_that_was_cut_short_is_finished_later(
    archive: Archive, kept: Recording, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    await archive.remove(kept.tenant, kept.id)
    await grace_over(archive)
    write = archive.database.write

    async def dying(_work: object) -> None:
        raise ConnectionAbortedError

    monkeypatch.setattr(archive.database, "write", dying)
    with pytest.raises(ConnectionAbortedError):
        await archive.free_due()
    monkeypatch.setattr(archive.database, "write", write)
    assert await archive.free_due() == 1
    assert files() == []
    assert await archive.free_due() == 0


async def test_who_removes_twice_is_told(archive: Archive, kept: Recording) -> None:
    outcomes = await asyncio.gather(*(archive.remove(kept.tenant, kept.id) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(each, Recording) for each in outcomes) == 1
    assert sum(isinstance(each, UnknownRecording) for each in outcomes) == 4
    kinds = [change.kind for change in await archive.changes.after(0)]
    assert kinds == ["recording.kept", "recording.removed"]


async def test_what_is_not_there_or_another_tenants_cannot_be_removed(
    archive: Archive, acme: Tenant, kept: Recording, files: Files
) -> None:
    with pytest.raises(UnknownRecording):
        await archive.remove(acme.id, RecordingId(uuid7(EpochMs(1))))
    with pytest.raises(UnknownRecording):
        await archive.remove(type(acme.id)(acme.id + 1), kept.id, hard=True)
    assert len(files()) == 2


async def test_a_refusal_leaves_everything(
    archive: Archive, kept: Recording, content: Content, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def on_hold(_recording: Recording) -> str:
        return "on legal hold"

    assert await archive.may_remove(kept) is None
    monkeypatch.setattr(archive, "may_remove", on_hold)
    with pytest.raises(RemovalRefused, match="on legal hold"):
        await archive.remove(kept.tenant, kept.id, hard=True)
    assert await content(archive, kept) == wav
    assert await archive.by_id(kept.tenant, kept.id) == kept


async def test_every_step_is_in_the_changes(archive: Archive, kept: Recording) -> None:
    await archive.remove(kept.tenant, kept.id, hard=True)
    changes = await archive.changes.after(0)
    assert [change.kind for change in changes] == ["recording.kept", "recording.removed", "recording.freed"]
    assert {change.subject for change in changes} == {str(kept.id)}


async def test_a_pending_recording_can_be_removed_and_its_audio_is_not_taken_later(
    archive: Archive, keep: Keep, recording_of: Make, files: Files, wav: bytes
) -> None:
    pending = (await keep(recording_of(state=State.PENDING))).recording
    await archive.remove(pending.tenant, pending.id, hard=True)
    assert not (await keep(recording_of(), wav)).new
    assert files() == []


async def test_a_form_that_was_due_is_not_made_once_the_audio_is_freed(
    archive: Archive, keep: Keep, recording_of: Make, files: Files, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    await archive.remove(kept.tenant, kept.id, hard=True)
    assert await archive.renditions.make_due() == 0
    assert files() == []


async def test_freeing_one_leaves_the_others(
    archive: Archive, keep: Keep, recording_of: Make, content: Content, wav: bytes, clip_ogg: bytes
) -> None:
    kept = [(await keep(recording_of(f"k{number}"), wav, opus=clip_ogg)).recording for number in range(3)]
    await archive.remove(kept[1].tenant, kept[1].id, hard=True)
    for each in (kept[0], kept[2]):
        assert await content(archive, each) == wav
        assert await content(archive, each, Form.OPUS) == clip_ogg


async def test_what_is_done_with_a_removal_is_done_with_it_or_not_at_all(archive: Archive, kept: Recording) -> None:
    async def fail(transaction: Transaction) -> None:
        await transaction.execute("INSERT INTO followers VALUES ('x', 1)")
        raise ValueError("the trail cannot be written")

    async def note(transaction: Transaction) -> None:
        await transaction.execute("INSERT INTO followers VALUES ('y', 1)")

    with pytest.raises(ValueError, match="trail"):
        await archive.remove(kept.tenant, kept.id, also=fail)
    still = await archive.by_id(kept.tenant, kept.id)
    assert still is not None
    assert still.state is State.KEPT
    await archive.remove(kept.tenant, kept.id, also=note)
    assert await archive.database.read("SELECT name FROM followers") == [("y",)]


async def test_a_removal_of_what_is_not_there_any_more_holds_up_nothing(archive: Archive, kept: Recording) -> None:
    async def orphans(transaction: Transaction) -> None:
        await transaction.execute("INSERT INTO removals VALUES ($1, $2, 0)", kept.tenant, b"gone")
        await transaction.execute("INSERT INTO transcript_removals VALUES ($1, $2, 0)", kept.tenant, b"gone")

    await archive.database.write(orphans)
    assert await archive.free_due() == 2
    assert await archive.free_due() == 0
