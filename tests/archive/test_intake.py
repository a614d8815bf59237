"""Keeping: what is acknowledged is durable, what fails leaves nothing, and nothing is kept twice."""

import asyncio
import errno
import hashlib
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from voxkeep.archive import Archive, Kept, NewAudio
from voxkeep.archive.errors import ArchiveError, AudioNotReady, UnknownTenant
from voxkeep.archive.model import Call, Recording, State, Tenant
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.units import CallId, EpochMs, TenantId, uuid7
from voxkeep.audio.health import examine
from voxkeep.audio.render import Form
from voxkeep.database import DatabaseError, DatabaseFull, Row
from voxkeep.settings import Settings
from voxkeep.vault import LengthMismatch, VaultError, VaultFull

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]
Files = Callable[[], list[str]]
Listed = Callable[..., Awaitable[list[Row]]]
Content = Callable[..., Awaitable[bytes]]

EVER = TimeRange(EpochMs(0), EpochMs(2**52))
PLACE = "vault/acme/2025/11/20"
OPUS = b"not really Opus, but nobody looks"


async def calls_of(archive: Archive, tenant: TenantId, *columns: str) -> list[Row]:
    found = archive.find_calls([Scope(tenant)], EVER, columns or ("reference",), list)
    return [row async for chunk in found for row in chunk]


async def test_what_is_kept_comes_back(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, content: Content, files: Files, wav: bytes
) -> None:
    given = recording_of(agent_name="Ann", agent_extension="7", skill="sales", event_id=3, tag="t", extra={"x": [1]})
    kept = await keep(given, wav, opus=OPUS)
    assert kept.new
    found = await archive.by_key(acme.id, "import", "key-1")
    assert found == kept.recording == await archive.by_id(acme.id, given.id)
    assert found.audio is not None
    assert (found.state, found.opus_bytes, found.agent, found.extra) == (State.KEPT, len(OPUS), "Ann(7)", {"x": [1]})
    assert found.audio.sha256 == hashlib.sha256(wav).hexdigest()
    assert (found.audio.size_bytes, found.audio.samples, found.audio.health) == (len(wav), 8000, 0)
    assert await content(archive, found) == wav
    assert await content(archive, found, Form.OPUS) == OPUS
    assert files() == ["renditions/acme/2025/11/20/key-1.opus.ogg", f"{PLACE}/key-1.wav"]


async def test_what_is_acknowledged_is_there_for_another_process_at_once(
    archive: Archive, recording_of: Make, keep: Keep, content: Content, wav: bytes
) -> None:
    kept = await keep(recording_of(), wav)
    other = await Archive.at(archive.home, Settings())
    found = await other.by_key(kept.recording.tenant, "import", "key-1")
    assert found == kept.recording
    assert await content(other, found) == wav
    await other.close()


async def test_bytes_are_durable_before_the_row_is_written(
    archive: Archive, recording_of: Make, keep: Keep, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, synced = os.fsync, list[str]()

    def told(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    write = archive.database.write

    async def told_write(work: Any) -> Any:
        synced.append("row")
        return await write(work)

    monkeypatch.setattr(os, "fsync", told)
    monkeypatch.setattr(archive.database, "write", told_write)
    await keep(recording_of(), wav)
    assert synced[:4] == ["vault", "acme", "2025", "11"]
    assert synced[4].endswith(".part")
    assert synced[5:] == ["20", "row"]


async def test_keeping_twice_changes_nothing_and_leaves_no_second_file(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, files: Files, wav: bytes, other_wav: bytes
) -> None:
    first = await keep(recording_of(), wav, opus=OPUS)
    before = (files(), await archive.changes.after(0))
    same = recording_of()
    for again, audio, opus in (
        (first.recording, wav, OPUS),
        (same, wav, OPUS),
        (recording_of(tag="changed"), other_wav, b"other"),
        (recording_of(started_at=EpochMs(5)), wav, OPUS),
        (same, None, None),
        (same, wav, None),
    ):
        kept = await keep(again, audio, opus=opus)
        assert not kept.new
        assert kept.recording == first.recording
        assert (files(), await archive.changes.after(0)) == before
    assert len(await calls_of(archive, acme.id)) == 1


async def test_a_recording_without_a_key_gets_one_that_leads_back(
    archive: Archive, recording_of: Make, wav: bytes
) -> None:
    given = recording_of("", vendor="voxkeep")
    staged = await archive.stage(given.tenant, given.started_at, "", wav)
    kept = await archive.keep(given, NewAudio(staged, examine(wav).facts))
    assert kept.recording.vendor_key == f"{given.id}-{given.started_at}"


async def test_a_pending_recording_is_promoted_when_its_audio_comes(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, listed: Listed, content: Content, wav: bytes
) -> None:
    pending = await keep(recording_of(state=State.PENDING))
    assert pending.new
    with pytest.raises(AudioNotReady):
        await archive.open(pending.recording)
    assert not (await keep(recording_of(state=State.PENDING))).new
    kept = await keep(recording_of(tag="now", started_at=EpochMs(1_763_647_391_000)), wav)
    assert kept.new
    assert (kept.recording.id, kept.recording.call) == (pending.recording.id, pending.recording.call)
    assert kept.recording.call_key == pending.recording.call_key
    assert [(key, state, tag) for *_, key, state, tag in await listed(acme.id, "state", "tag")] == [("key-1", 0, "now")]
    assert await content(archive, kept.recording) == wav
    assert not (await keep(recording_of(), wav)).new


async def test_the_key_of_a_removed_recording_stays_taken(
    archive: Archive, recording_of: Make, keep: Keep, files: Files, wav: bytes
) -> None:
    first = await keep(recording_of(), wav, opus=OPUS)
    await archive.remove(first.recording.tenant, first.recording.id, hard=True)
    assert files() == []
    again = await keep(recording_of(), wav, opus=OPUS)
    assert (again.new, again.recording.state, again.recording.audio) == (False, State.REMOVED, None)
    assert files() == []


@pytest.mark.parametrize("state", [State.LOST, State.LOST_TO_AGE, State.LOST_TO_SPACE])
async def test_a_recording_that_was_lost_stays_as_it_is(recording_of: Make, keep: Keep, state: State) -> None:
    await keep(recording_of(state=state))
    assert (await keep(recording_of(state=State.PENDING))).recording.state is state


async def test_a_recording_without_a_known_call_makes_one(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep
) -> None:
    kept = (await keep(recording_of(direction="outbound", dialled_number="555"))).recording
    ((started_at, identity, key, ended_at, direction, dialled),) = await calls_of(
        archive, acme.id, "ended_at", "direction", "dialled_number"
    )
    assert (started_at, ended_at, direction, dialled) == (kept.started_at, kept.ended_at, "outbound", "555")
    assert kept.call is not None
    assert (kept.call.bytes, kept.call_key) == (identity, key)
    assert key == f"{kept.call}-{started_at}-{ended_at}"


def call_of(tenant: Tenant, key: str = "call-1", **fields: Any) -> Call:
    start = EpochMs(1_763_647_390_000)
    end = EpochMs(start + 5000)
    return Call(
        tenant=tenant.id,
        id=CallId(uuid7(start)),
        started_at=start,
        ended_at=end,
        vendor="import",
        vendor_key=key,
        key=key,
        **fields,
    )


async def test_recordings_of_one_call_share_it_and_what_is_newly_known_is_kept(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep
) -> None:
    first = (await keep(recording_of("a"), call=call_of(acme, number=1))).recording
    second = (await keep(recording_of("b"), call=call_of(acme, number=2, account_codes=("x", "y")))).recording
    assert first.call == second.call
    ((_, identity, key, number, codes),) = await calls_of(archive, acme.id, "number", "account_codes")
    assert first.call is not None
    assert (identity, key, number, codes) == (first.call.bytes, "call-1", 2, '["x","y"]')
    assert [row[0] for row in await archive.of_calls(Scope(acme.id), [identity], ["vendor_key"])] == ["a", "b"]
    assert await archive.of_calls(Scope(acme.id), [], ["vendor_key"]) == []


async def test_keep_call_keeps_or_renews_a_call(archive: Archive, acme: Tenant) -> None:
    first = await archive.keep_call(call_of(acme))
    renewed = await archive.keep_call(call_of(acme, hold_ms=7, extra={"v": 1}))
    assert (renewed.id, renewed.hold_ms) == (first.id, 7)
    assert await archive.keep_call(renewed) == renewed
    assert [row[3:] for row in await calls_of(archive, acme.id, "hold_ms", "extra")] == [(7, '{"v":1}')]


async def test_the_same_key_of_another_vendor_or_tenant_is_another_recording(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, content: Content, wav: bytes
) -> None:
    other = await archive.tenants.add(Tenant(id=TenantId(0), name="other"))
    kept = [
        (await keep(recording_of(**fields), wav, opus=OPUS)).recording
        for fields in ({}, {"vendor": "xima"}, {"tenant": other.id})
    ]
    # two vendors' equal keys and equal bytes share an object: removing one must not take the other's
    await archive.remove(acme.id, kept[0].id, hard=True)
    await archive.remove(other.id, kept[2].id, hard=True)
    assert await content(archive, kept[1]) == wav
    assert await content(archive, kept[1], Form.OPUS) == OPUS
    await archive.remove(acme.id, kept[1].id, hard=True)
    assert not list((archive.home / "vault").rglob("*.wav"))


async def test_an_id_that_is_taken_by_another_key_is_refused_and_leaves_nothing(
    acme: Tenant, recording_of: Make, keep: Keep, listed: Listed, files: Files, wav: bytes
) -> None:
    first = (await keep(recording_of("a"), wav)).recording
    before = files()
    taken = recording_of("b")
    with pytest.raises(DatabaseError):
        await keep(
            Recording(**{**{name: getattr(taken, name) for name in taken.__struct_fields__}, "id": first.id}), wav
        )
    assert files() == before
    assert [row[2] for row in await listed(acme.id)] == ["a"]


async def test_nobodys_recording_is_refused(archive: Archive, recording_of: Make, keep: Keep, files: Files) -> None:
    with pytest.raises(UnknownTenant):
        await archive.stage(TenantId(99), EpochMs(0), "k", b"x")
    with pytest.raises(UnknownTenant):
        await keep(recording_of(tenant=TenantId(99)), b"")
    assert files() == []


async def test_many_keeps_of_one_key_make_one_row_with_its_audio(
    archive: Archive,
    acme: Tenant,
    recording_of: Make,
    keep_into: Keep,
    listed: Listed,
    files: Files,
    content: Content,
    wav: bytes,
    other_wav: bytes,
) -> None:
    other = await Archive.at(archive.home, Settings())
    audio = [wav, other_wav, wav, other_wav, wav, wav]
    kept = await asyncio.gather(
        *(
            (keep_into((archive, other)[number % 2], recording_of(), each, opus=each))
            for number, each in enumerate(audio)
        )
    )
    assert sum(each.new for each in kept) == 1
    assert len({each.recording.id for each in kept}) == 1
    assert len(await listed(acme.id)) == 1
    (winner,) = [audio[number] for number, each in enumerate(kept) if each.new]
    found = kept[0].recording
    assert await content(archive, found) == winner == await content(other, found, Form.OPUS)
    assert len(files()) == 2
    await other.close()


async def test_one_who_is_cancelled_leaves_a_whole_recording_or_none(
    archive: Archive,
    acme: Tenant,
    recording_of: Make,
    keep: Keep,
    listed: Listed,
    files: Files,
    content: Content,
    wav: bytes,
) -> None:
    chance = random.Random(7)  # noqa: S311 -- moments to cancel at
    for number in range(40):
        task = asyncio.ensure_future(keep(recording_of(f"k{number}"), wav, opus=OPUS))
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        await asyncio.sleep(chance.random() * 0.004)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    kept = [row[2] for row in await listed(acme.id)]
    for key in kept:
        found = await archive.by_key(acme.id, "import", key)
        assert found is not None
        assert await content(archive, found) == wav
        assert await content(archive, found, Form.OPUS) == OPUS
    assert len(files()) == 2 * len(kept)
    # and nothing stands in the way of keeping the others now
    for number in range(40):
        assert (await keep(recording_of(f"k{number}"), wav)).new is (f"k{number}" not in kept)


async def test_a_second_keep_that_fails_does_not_take_the_firsts_audio(
    archive: Archive, recording_of: Make, keep: Keep, content: Content, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = (await keep(recording_of(), wav, opus=OPUS)).recording

    async def busy(_work: object) -> None:
        raise DatabaseError("busy")

    monkeypatch.setattr(archive.database, "write", busy)
    for again in (recording_of(), first):
        with pytest.raises(DatabaseError, match="busy"):
            await keep(again, wav, opus=OPUS)
    assert await content(archive, first) == wav
    assert await content(archive, first, Form.OPUS) == OPUS


class Fault:
    """Lets `call` of the os module fail at its n-th use, as a full disk makes it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, call: str, at: int, number: int) -> None:
        self.met = False
        real, calls = getattr(os, call), 0

        def faulty(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == at:
                self.met = True
                raise OSError(number, os.strerror(number))
            return real(*arguments, **named)

        monkeypatch.setattr(os, call, faulty)


async def in_blocks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 2_000):
        yield content[start : start + 2_000]


@pytest.mark.parametrize("call", ["write", "fsync", "link", "open", "mkdir"])
@pytest.mark.parametrize(("number", "told"), [(errno.ENOSPC, VaultFull), (errno.EIO, VaultError)], ids=["full", "io"])
async def test_a_disk_that_fails_at_any_call_leaves_no_row_and_no_file(
    archive: Archive,
    acme: Tenant,
    recording_of: Make,
    keep: Keep,
    listed: Listed,
    files: Files,
    content: Content,
    wav: bytes,
    call: str,
    number: int,
    told: type[VaultError],
) -> None:
    for at in range(1, 50):
        # every round in a day of its own, so that its folders are new each time
        given = recording_of(f"k{at}", started_at=EpochMs(1_763_647_391_250 + at * 86_400_000 * 31))
        with pytest.MonkeyPatch.context() as patch:
            fault = Fault(patch, call, at, number)
            try:
                kept = await keep(given, wav, opus=in_blocks(OPUS * 200))
            except told as error:
                assert ("no space" in str(error)) == (number == errno.ENOSPC)  # noqa: PT017 -- one round in a loop
                kept = None
        if not fault.met:
            break
        assert kept is None
        assert await listed(acme.id) == []
        assert files() == []
        assert await archive.changes.after(0) == []
    else:
        pytest.fail("no run was ever clean")
    assert kept is not None
    assert at > 1
    assert await content(archive, kept.recording) == wav
    assert len(files()) == 2
    # what failed once may be tried again, and is whole then
    assert (await keep(recording_of("k1", started_at=EpochMs(1_763_647_391_250 + 86_400_000 * 31)), wav)).new


async def test_a_source_that_is_too_short_or_fails_leaves_nothing(
    archive: Archive, acme: Tenant, files: Files, wav: bytes
) -> None:
    with pytest.raises(LengthMismatch):
        await archive.stage(acme.id, EpochMs(0), "k", in_blocks(wav), length=len(wav) + 1)
    assert files() == []


async def test_a_full_database_leaves_no_row_and_no_file(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, listed: Listed, files: Files, wav: bytes
) -> None:
    writer = archive.database._writer  # type: ignore[attr-defined] # the driver's, to make it full
    writer.pragma("max_page_count", writer.pragma("page_count"))
    kept = list[str]()
    full = 0
    for number in range(60):
        key = f"k{number}"
        try:
            await keep(recording_of(key, extra={"pad": "x" * 3_000}), wav, opus=OPUS)
        except DatabaseFull:
            full += 1
        else:
            kept.append(key)
    assert full
    assert [row[2] for row in await listed(acme.id)] == sorted(kept)
    assert len(files()) == 2 * len(kept)
    assert [change.facts["key"] for change in await archive.changes.after(0)] == kept
    writer.pragma("max_page_count", 2**30)
    assert (await keep(recording_of("k59"), wav)).new


async def test_a_home_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(ArchiveError, match="file"):
            await Archive.at(home, Settings())
