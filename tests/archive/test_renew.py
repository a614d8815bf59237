"""What a vendor newly tells of a recording that is held: all of that changes, what is ours of it never does."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from voxkeep.archive import Archive, Kept
from voxkeep.archive.model import Call, Recording, Tenant
from voxkeep.archive.units import CallId, EpochMs, RecordingId, uuid7
from voxkeep.audio.render import Form
from voxkeep.database import DatabaseError

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


async def test_what_is_changed_meanwhile_is_asked_for_again(
    archive: Archive, held: Recording, recording_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = archive._intake.renamed

    async def interrupted(before: Recording, told: Recording) -> Any:
        audio = await copied(before, told)
        if "note" not in before.extra:
            await archive.annotate(held.tenant, held.id, lambda extra: {**extra, "note": 1})
        return audio

    monkeypatch.setattr(archive._intake, "renamed", interrupted)
    renewed = await archive.renew(
        held.tenant, held.id, lambda before: replace(recording_of("new-key"), extra=before.extra)
    )
    assert renewed is not None
    assert (renewed.vendor_key, renewed.extra) == ("new-key", {"note": 1})


async def test_nothing_is_left_behind_when_it_cannot_be_written(
    archive: Archive, held: Recording, keep: Keep, recording_of: Make, files: Files
) -> None:
    await keep(recording_of("taken"))
    before = files()
    with pytest.raises(DatabaseError):
        await archive.renew(held.tenant, held.id, lambda _: recording_of("taken", tag="other"))
    assert files() == before
    assert await archive.by_id(held.tenant, held.id) == held


async def test_one_who_read_it_before_still_finds_its_audio(
    archive: Archive, held: Recording, recording_of: Make, content: Content, wav: bytes
) -> None:
    await archive.renew(held.tenant, held.id, lambda _: recording_of("new-key"))
    assert await content(archive, held) == wav
    assert await archive.alarms.all() == []


async def test_the_call_that_it_made_goes_when_it_gets_another(
    archive: Archive, held: Recording, recording_of: Make
) -> None:
    call = Call(
        tenant=held.tenant, id=CallId(uuid7(held.started_at)), started_at=held.started_at, ended_at=held.ended_at,
        vendor="import", vendor_key="whole", key="whole",
    )  # fmt: skip
    await archive.renew(held.tenant, held.id, lambda _: recording_of("old-key"), call=call)
    rows = await archive.database.read("SELECT key FROM calls")
    assert rows == [("whole",)]
