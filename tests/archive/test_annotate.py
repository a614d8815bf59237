"""Notes on a recording: only its free fields change, in one transaction with the entry that tells of it."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace

from voxkeep.archive import Archive, Kept
from voxkeep.archive.errors import UnknownRecording
from voxkeep.archive.model import Recording, Tenant
from voxkeep.archive.units import EpochMs, RecordingId, uuid7
from voxkeep.database import Transaction

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]


@pytest.fixture
async def kept(keep: Keep, recording_of: Make, wav: bytes) -> Recording:
    return (await keep(recording_of(extra={"other": {"a": 1}}), wav)).recording


def noted(extra: dict[str, Any]) -> dict[str, Any]:
    return {**extra, "ours": {"note": "checked"}}


async def kinds(archive: Archive) -> list[str]:
    return [change.kind for change in await archive.changes.after(0)]


async def test_a_note_changes_the_free_fields_and_nothing_else(archive: Archive, kept: Recording) -> None:
    annotated = await archive.annotate(kept.tenant, kept.id, noted)
    assert annotated == replace(kept, extra={"other": {"a": 1}, "ours": {"note": "checked"}})
    assert await archive.by_id(kept.tenant, kept.id) == annotated
    assert await kinds(archive) == ["recording.kept", "recording.annotated"]


async def test_a_note_that_changes_nothing_leaves_no_entry(archive: Archive, kept: Recording) -> None:
    assert await archive.annotate(kept.tenant, kept.id, lambda extra: extra) == kept
    assert await kinds(archive) == ["recording.kept"]


async def test_what_is_kept_with_a_note_is_kept_with_it_or_neither_is(archive: Archive, kept: Recording) -> None:
    async def failing(_: Transaction) -> None:
        raise LookupError("no trail")

    with pytest.raises(LookupError):
        await archive.annotate(kept.tenant, kept.id, noted, also=failing)
    assert await archive.by_id(kept.tenant, kept.id) == kept
    assert await kinds(archive) == ["recording.kept"]


async def test_unknown_removed_and_others_recordings_take_no_notes(
    archive: Archive, kept: Recording, globex: Tenant
) -> None:
    with pytest.raises(UnknownRecording):
        await archive.annotate(kept.tenant, RecordingId(uuid7(EpochMs(5))), noted)
    with pytest.raises(UnknownRecording):
        await archive.annotate(globex.id, kept.id, noted)
    await archive.remove(kept.tenant, kept.id)
    with pytest.raises(UnknownRecording):
        await archive.annotate(kept.tenant, kept.id, noted)
