"""What a vendor newly tells of a recording that is held: all of that changes, what is ours of it never does."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from voxkeep.archive import Archive, Kept
from voxkeep.archive.model import Recording, Tenant
from voxkeep.archive.units import EpochMs, RecordingId, uuid7
from voxkeep.audio.render import Form

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]
Content = Callable[..., Awaitable[bytes]]
Files = Callable[[], list[str]]


@pytest.fixture
async def held(keep: Keep, recording_of: Make, wav: bytes) -> Recording:
    return (await keep(recording_of("old-key", tag="pushed"), wav)).recording


async def test_all_that_is_told_changes_and_id_audio_and_file_name_stay(
    archive: Archive, held: Recording, recording_of: Make, content: Content, files: Files, wav: bytes
) -> None:
    told = recording_of("new-key", started_at=EpochMs(held.started_at - 90_000), agent_name="Ann", tag="")
    renewed = await archive.renew(held.tenant, held.id, lambda _: told)
    assert renewed is not None
    assert (renewed.vendor_key, renewed.agent_name, renewed.tag) == ("new-key", "Ann", "")
    assert renewed.started_at == told.started_at
    assert [getattr(renewed, name) for name in ("id", "file_name", "kept_at", "state")] == [
        getattr(held, name) for name in ("id", "file_name", "kept_at", "state")
    ]
    assert await archive.by_key(held.tenant, held.vendor, "old-key") is None
    assert await archive.by_id(held.tenant, held.id) == renewed
    assert await content(archive, renewed) == wav
    # its object is called after it again: by that is found who else uses it
    (name,) = files()
    assert name.endswith("new-key.wav")
    assert [change.kind for change in await archive.changes.after(0)] == ["recording.kept", "recording.renewed"]


async def test_its_forms_are_made_again_under_the_new_name(
    archive: Archive, keep: Keep, recording_of: Make, content: Content, files: Files, wav: bytes, clip_ogg: bytes
) -> None:
    held = (await keep(recording_of("old-key"), wav, opus=clip_ogg)).recording
    renewed = await archive.renew(held.tenant, held.id, lambda _: recording_of("new-key"))
    assert renewed is not None
    assert renewed.opus_bytes is None
    assert await archive.renditions.make_due() == 1
    assert sorted(Path(name).name for name in files()) == ["new-key.opus.ogg", "new-key.wav"]
    made = await archive.by_id(held.tenant, held.id)
    assert made is not None
    assert made.opus_bytes == len(await content(archive, made, Form.OPUS))


async def test_under_the_same_name_its_objects_stay(
    archive: Archive, keep: Keep, recording_of: Make, files: Files, wav: bytes, clip_ogg: bytes
) -> None:
    held = (await keep(recording_of("key", tag="pushed"), wav, opus=clip_ogg)).recording
    before = files()
    renewed = await archive.renew(held.tenant, held.id, lambda _: recording_of("key", tag="whole"))
    assert renewed is not None
    assert (renewed.audio, renewed.opus_bytes, renewed.tag) == (held.audio, held.opus_bytes, "whole")
    assert files() == before


async def test_bytes_that_another_recording_uses_too_stay_for_it(
    archive: Archive, keep: Keep, recording_of: Make, content: Content, wav: bytes
) -> None:
    held = (await keep(recording_of("key"), wav)).recording
    other = (await keep(recording_of("key", vendor="other"), wav)).recording
    renewed = await archive.renew(held.tenant, held.id, lambda _: recording_of("new-key"))
    assert renewed is not None
    await archive.remove(held.tenant, held.id, hard=True)
    assert await content(archive, other) == wav


async def test_the_one_that_is_held_may_be_left_as_it_is(archive: Archive, held: Recording) -> None:
    seen = list[Recording]()
    assert await archive.renew(held.tenant, held.id, seen.append) == held
    assert seen == [held]
    assert len(await archive.changes.after(0)) == 1


async def test_unknown_removed_and_others_recordings_are_not_renewed(
    archive: Archive, held: Recording, globex: Tenant
) -> None:
    told = replace(held, tag="other")
    assert await archive.renew(held.tenant, RecordingId(uuid7(EpochMs(5))), lambda _: told) is None
    assert await archive.renew(globex.id, held.id, lambda _: told) is None
    await archive.remove(held.tenant, held.id)
    assert await archive.renew(held.tenant, held.id, lambda _: told) is None
