"""Forms: served as they are, or made when they are missing; what cannot be made is told and tried again."""

import asyncio
import hashlib
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from voxkeep.archive import Archive, Kept, NewAudio
from voxkeep.archive import renditions as room
from voxkeep.archive.alarms import AUDIO_ALTERED, AUDIO_MISSING, RENDITION_FAILED
from voxkeep.archive.errors import AudioMissing, AudioNotReady
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.audio.errors import AudioError
from voxkeep.audio.ogg import verify_ogg_opus
from voxkeep.audio.probe import AudioFacts, probe
from voxkeep.audio.render import Form, wav_size_bytes
from voxkeep.database import Row

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]
Files = Callable[[], list[str]]
Content = Callable[..., Awaitable[bytes]]


async def again(archive: Archive, recording: Recording) -> Recording:
    found = await archive.by_id(recording.tenant, recording.id)
    assert found is not None
    return found


async def jobs(archive: Archive) -> list[Row]:
    return await archive.database.read("SELECT form, attempts, error, next_at FROM rendition_jobs")


async def alarms(archive: Archive) -> list[tuple[str, str]]:
    return [(each.kind, each.subject) for each in await archive.alarms.all()]


async def test_the_original_and_a_form_it_is_in_already_are_the_same_bytes(
    archive: Archive, recording_of: Make, keep: Keep, content: Content, files: Files, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    reader = await archive.open(kept, Form.WAV)
    assert (reader.etag, reader.size) == (hashlib.sha256(wav).hexdigest(), len(wav))
    reader.close()
    assert await content(archive, kept) == await content(archive, kept, Form.WAV) == wav
    assert len(files()) == 1


async def test_a_form_that_is_missing_is_not_ready(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    assert kept.opus_bytes is None
    for form in (Form.OPUS, Form.MP3):
        with pytest.raises(AudioNotReady, match=form):
            await archive.open(kept, form)
    assert await alarms(archive) == []


async def test_what_is_due_is_made_and_its_size_is_exactly_what_opens(
    archive: Archive, recording_of: Make, keep: Keep, content: Content, wav: bytes
) -> None:
    kept = [(await keep(recording_of(key), wav)).recording for key in ("a", "b")]
    assert await archive.renditions.make_due() == 2
    assert await archive.renditions.make_due() == 0
    assert await jobs(archive) == []
    for each in kept:
        found = await again(archive, each)
        made = await content(archive, found, Form.OPUS)
        assert found.opus_bytes == len(made)
        assert abs(verify_ogg_opus(made).duration_ms - 1000) <= 20
        reader = await archive.open(found, Form.OPUS)
        assert reader.etag == hashlib.sha256(made).hexdigest()
        reader.close()
    changes = [change for change in await archive.changes.after(0) if change.kind == "rendition.made"]
    assert [change.subject for change in changes] == [str(each.id) for each in kept]
    assert {change.facts["bytes"] for change in changes} == {(await again(archive, kept[0])).opus_bytes}


async def test_an_original_that_is_opus_is_never_encoded_again(
    archive: Archive, recording_of: Make, keep: Keep, content: Content, clip_ogg: bytes
) -> None:
    kept = (await keep(recording_of(), clip_ogg)).recording
    assert kept.opus_bytes == len(clip_ogg)
    assert await archive.renditions.make_due() == 0
    assert await content(archive, kept, Form.OPUS) == clip_ogg


async def test_a_form_that_comes_with_the_recording_is_not_made_again(
    archive: Archive, recording_of: Make, keep: Keep, clip_ogg: bytes, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav, opus=clip_ogg)).recording
    assert kept.opus_bytes == len(clip_ogg)
    assert await jobs(archive) == []


async def test_any_form_can_be_asked_for(
    archive: Archive, recording_of: Make, keep: Keep, content: Content, clip_ogg: bytes
) -> None:
    kept = (await keep(recording_of(), clip_ogg)).recording
    await archive.renditions.make(kept, Form.WAV)
    await archive.renditions.make(kept, Form.MP3)
    made = await content(archive, kept, Form.WAV)
    assert len(made) == wav_size_bytes(probe(clip_ogg))
    assert probe(await content(archive, kept, Form.MP3)).container == "mp3"
    assert (await again(archive, kept)).opus_bytes == len(clip_ogg)


async def test_the_same_form_made_by_two_at_once_is_one(
    archive: Archive, recording_of: Make, keep: Keep, files: Files, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    await asyncio.gather(*(archive.renditions.make(kept, Form.OPUS) for _ in range(3)))
    assert len(files()) == 2
    assert (await again(archive, kept)).opus_bytes is not None


async def unrenderable(archive: Archive, recording: Recording) -> Recording:
    """Keep bytes that claim to be audio and are not, as a codec that went away would leave them."""
    staged = await archive.stage(recording.tenant, recording.started_at, recording.vendor_key, b"not audio at all")
    return (await archive.keep(recording, NewAudio(staged, AudioFacts("wav", "pcm_s16le", 1, 8000, 8000)))).recording


async def test_audio_that_cannot_be_rendered_raises_an_alarm_and_is_tried_later(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = await unrenderable(archive, recording_of("bad"))
    good = (await keep(recording_of("good"), wav)).recording
    now = now_ms()
    assert await archive.renditions.make_due() == 2
    assert (await again(archive, good)).opus_bytes is not None
    assert await alarms(archive) == [(RENDITION_FAILED, str(bad.id))]
    ((form, attempts, error, next_at),) = await jobs(archive)
    assert (form, attempts) == ("opus", 1)
    assert error
    assert next_at >= now + room.RETRY_MS[0]
    assert await archive.renditions.make_due() == 0
    for attempt in range(1, 6):
        monkeypatch.setattr(room, "now_ms", lambda: EpochMs(now_ms() + 10 * 86_400_000))
        assert await archive.renditions.make_due() == 1
        monkeypatch.undo()
        await archive.database.define("UPDATE rendition_jobs SET next_at = 0")
        assert (await jobs(archive))[0][1] == attempt + 1
    assert (await archive.alarms.all())[0].times == 6


async def test_what_is_mended_takes_its_alarm_back(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    assert kept.audio is not None
    file = archive.home / "vault" / kept.audio.name
    away = file.rename(file.with_suffix(".away"))
    assert await archive.renditions.make_due() == 1
    assert (RENDITION_FAILED, str(kept.id)) in await alarms(archive)
    away.rename(file)
    await archive.database.define("UPDATE rendition_jobs SET next_at = 0")
    assert await archive.renditions.make_due() == 1
    assert (RENDITION_FAILED, str(kept.id)) not in await alarms(archive)
    assert (await again(archive, kept)).opus_bytes is not None


def removed(path: Path) -> None:
    path.unlink()


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("harm", "alarm"),
    [(removed, AUDIO_MISSING), (longer, AUDIO_ALTERED), (emptied, AUDIO_ALTERED), (linked, AUDIO_MISSING)],
)
@pytest.mark.parametrize("form", [None, Form.OPUS], ids=["original", "opus"])
async def test_audio_that_is_missing_or_altered_raises_an_alarm(
    archive: Archive,
    recording_of: Make,
    keep: Keep,
    clip_ogg: bytes,
    wav: bytes,
    form: Form | None,
    harm: Callable[[Path], None],
    alarm: str,
) -> None:
    kept = (await keep(recording_of(), wav, opus=clip_ogg)).recording
    pattern = "vault/acme/**/*.wav" if form is None else "renditions/acme/**/*.ogg"
    (file,) = archive.home.glob(pattern)
    harm(file)
    with pytest.raises(AudioMissing, match=str(kept.id)):
        await archive.open(kept, form)
    assert await alarms(archive) == [(alarm, str(kept.id))]


@pytest.mark.parametrize("harm", [removed, longer])
@pytest.mark.parametrize("form", [None, Form.OPUS], ids=["original", "opus"])
async def test_audio_that_is_in_its_place_again_takes_its_alarms_back(
    archive: Archive,
    recording_of: Make,
    keep: Keep,
    clip_ogg: bytes,
    wav: bytes,
    form: Form | None,
    harm: Callable[[Path], None],
) -> None:
    kept = (await keep(recording_of(), wav, opus=clip_ogg)).recording
    (file,) = archive.home.glob("vault/acme/**/*.wav" if form is None else "renditions/acme/**/*.ogg")
    content = file.read_bytes()
    harm(file)
    with pytest.raises(AudioMissing):
        await archive.open(kept, form)
    raised = await alarms(archive)
    assert len(raised) == 1
    # the other of the two is whole: that mends nothing
    (await archive.open(kept, Form.OPUS if form is None else None)).close()
    assert await alarms(archive) == raised
    file.write_bytes(content)
    (await archive.open(kept, form)).close()
    assert await alarms(archive) == []


async def test_an_alarm_from_an_earlier_start_is_taken_back_too(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    await archive.alarms.sound(AUDIO_MISSING, kept.tenant, str(kept.id))
    await archive.alarms.sound(AUDIO_MISSING, kept.tenant, "another")
    later = await Archive.at(archive.home, archive.settings)
    (await later.open(kept)).close()
    await later.close()
    assert await alarms(archive) == [(AUDIO_MISSING, "another")]


async def test_the_alarms_of_a_removed_recording_go_with_its_audio(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    for kind in (AUDIO_MISSING, RENDITION_FAILED):
        await archive.alarms.sound(kind, kept.tenant, str(kept.id))
    await archive.remove(kept.tenant, kept.id, hard=True)
    assert await alarms(archive) == []


async def test_a_fifo_in_the_place_of_audio_holds_nobody_up(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    (file,) = archive.home.glob("vault/acme/**/*.wav")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(AudioMissing):
        await archive.open(kept)
    assert await alarms(archive) == [(AUDIO_MISSING, str(kept.id))]


async def test_what_waits_is_counted_by_tenant(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    assert await archive.renditions.waiting() == {}
    for key in ("a", "b"):
        await keep(recording_of(key), wav)
    assert await archive.renditions.waiting() == {acme.id: 2}
    await archive.renditions.make_due()
    assert await archive.renditions.waiting() == {}


async def test_a_form_is_not_kept_for_audio_that_was_freed_meanwhile(
    archive: Archive,
    acme: Tenant,
    recording_of: Make,
    keep: Keep,
    files: Files,
    wav: bytes,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = (await keep(recording_of(), wav)).recording
    place = archive._intake.place_rendition

    async def freed_first(recording: Recording, form: Form, source: bytes) -> object:
        placed = await place(recording, form, source)
        await archive.remove(acme.id, kept.id, hard=True)
        return placed

    monkeypatch.setattr(archive._intake, "place_rendition", freed_first)
    await archive.renditions.make(kept, Form.OPUS)
    assert files() == []
    assert await archive.renditions.names(kept) == []
    assert await jobs(archive) == []


# A form that is made when it is asked for


async def made(archive: Archive, recording: Recording, form: Form = Form.WAV) -> bytes:
    reader = await archive.open_made(recording, form)
    try:
        return await reader.pread(0, reader.size + 1)
    finally:
        reader.close()


async def times_made(archive: Archive) -> int:
    return [change.kind for change in await archive.changes.after(0)].count("rendition.made")


async def test_a_form_asked_for_by_many_at_once_is_made_once(
    archive: Archive, recording_of: Make, keep: Keep, files: Files, clip_ogg: bytes
) -> None:
    kept = (await keep(recording_of(), clip_ogg)).recording
    copies = await asyncio.gather(*(made(archive, kept) for _ in range(10)))
    assert len(set(copies)) == 1
    assert len(copies[0]) == wav_size_bytes(room.facts_of(kept))
    assert probe(copies[0]).samples == room.facts_of(kept).samples
    assert await made(archive, kept) == copies[0]
    assert await times_made(archive) == 1
    assert len(files()) == 2
    assert await jobs(archive) == []


async def test_forms_of_several_recordings_are_made_each_for_itself(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes, other_wav: bytes
) -> None:
    kept = [(await keep(recording_of(key), audio)).recording for key, audio in (("a", wav), ("b", other_wav))]
    asked = [(each, form) for each in kept for form in (Form.MP3, Form.OPUS)]
    copies = await asyncio.gather(*(made(archive, each, form) for each, form in asked * 2))
    assert copies[:4] == copies[4:]
    assert len(set(copies)) == 4
    assert await times_made(archive) == 4
    # the form that every recording gets was due, and is so no more
    assert await jobs(archive) == []
    assert (await again(archive, kept[0])).opus_bytes == len(copies[1])


async def test_two_processes_that_make_the_same_form_keep_one(
    archive: Archive, recording_of: Make, keep: Keep, files: Files, clip_ogg: bytes
) -> None:
    kept = (await keep(recording_of(), clip_ogg)).recording
    other = await Archive.at(archive.home, archive.settings)
    copies = await asyncio.gather(made(archive, kept), made(other, kept), made(archive, kept), made(other, kept))
    assert len(set(copies)) == 1
    assert len(files()) == 2
    await other.close()


async def test_a_form_that_is_there_or_is_the_original_is_not_made(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes, clip_ogg: bytes
) -> None:
    kept = (await keep(recording_of(), wav, opus=clip_ogg)).recording
    assert await made(archive, kept, Form.WAV) == wav
    assert await made(archive, kept, Form.OPUS) == clip_ogg
    assert await times_made(archive) == 0


async def test_a_recording_without_audio_has_no_form_to_make(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    pending = (await keep(recording_of("pending", state=State.PENDING))).recording
    removed_one = (await keep(recording_of("removed"), wav)).recording
    await archive.remove(acme.id, removed_one.id, hard=True)
    for each in (pending, await again(archive, removed_one)):
        with pytest.raises(AudioNotReady, match="no audio"):
            await archive.open_made(each, Form.MP3)
    assert await jobs(archive) == []
    assert await alarms(archive) == []


async def test_a_form_of_audio_that_is_missing_is_not_made_until_it_is_back(
    archive: Archive, recording_of: Make, keep: Keep, files: Files, clip_ogg: bytes
) -> None:
    kept = (await keep(recording_of(), clip_ogg)).recording
    (file,) = archive.home.glob("vault/acme/**/*.ogg")
    removed(file)
    outcomes = await asyncio.gather(*(made(archive, kept) for _ in range(3)), return_exceptions=True)
    assert [type(each) for each in outcomes] == [AudioMissing] * 3
    assert await alarms(archive) == [(AUDIO_MISSING, str(kept.id))]
    assert files() == []
    assert await jobs(archive) == []
    file.write_bytes(clip_ogg)
    assert len(await made(archive, kept)) == wav_size_bytes(room.facts_of(kept))
    assert await alarms(archive) == []


async def test_a_made_form_that_is_missing_is_an_alarm_and_not_made_behind_its_back(
    archive: Archive, recording_of: Make, keep: Keep, clip_ogg: bytes
) -> None:
    kept = (await keep(recording_of(), clip_ogg)).recording
    await made(archive, kept)
    (file,) = archive.home.glob("renditions/acme/**/*.wav")
    removed(file)
    with pytest.raises(AudioMissing, match=str(kept.id)):
        await archive.open_made(kept, Form.WAV)
    assert await alarms(archive) == [(AUDIO_MISSING, str(kept.id))]
    assert await times_made(archive) == 1


async def test_audio_that_nobody_can_decode_is_told_to_who_asks_and_leaves_nothing(
    archive: Archive, recording_of: Make, files: Files
) -> None:
    bad = await unrenderable(archive, recording_of("bad"))
    before = (files(), await jobs(archive))
    for _ in range(2):
        outcomes = await asyncio.gather(*(made(archive, bad, Form.MP3) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(each, AudioError) for each in outcomes)
        assert not any(str(archive.home) in str(each) for each in outcomes)
    assert (files(), await jobs(archive)) == before
    assert await times_made(archive) == 0


async def test_who_gives_up_waiting_keeps_nobody_from_the_form(
    archive: Archive, recording_of: Make, keep: Keep, clip_ogg: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = (await keep(recording_of(), clip_ogg)).recording
    begun, go_on, rendered = threading.Event(), threading.Event(), list[BinaryIO]()
    render = room._render

    def slow(*asked: Any) -> BinaryIO:
        begun.set()
        go_on.wait(30)
        rendered.append(render(*asked))
        return rendered[-1]

    monkeypatch.setattr(room, "_render", slow)
    asking = [asyncio.create_task(made(archive, kept))]
    assert await asyncio.to_thread(begun.wait, 30)
    asking += [asyncio.create_task(made(archive, kept)) for _ in range(2)]
    asking[0].cancel()
    asking[2].cancel()
    await asyncio.sleep(0)
    go_on.set()
    first, second, third = await asyncio.gather(*asking, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert isinstance(third, asyncio.CancelledError)
    assert second == await made(archive, kept)
    assert await times_made(archive) == 1
    assert len(rendered) == 2
    assert all(each.closed for each in rendered)
