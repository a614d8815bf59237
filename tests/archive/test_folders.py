"""Folders of file names: which there are, what is in them, in order, and nothing that has no audio."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from voxkeep.archive import Archive, Kept
from voxkeep.archive.folders import BETWEEN, FOLDERS
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.units import DAY_MS, EpochMs
from voxkeep.settings import Archive as ArchiveSettings
from voxkeep.settings import Settings

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]
START = 1_763_647_391_250
DAYS = ["S20251120", "S20251121", "S20251123"]


async def names(archive: Archive, tenant: Tenant, folder: str) -> list[str]:
    return [name for chunk in await chunks(archive, tenant, folder) for name in chunk]


async def chunks(archive: Archive, tenant: Tenant, folder: str) -> list[list[str]]:
    found = archive.in_folder(tenant.id, folder, (), lambda rows: [row[0] for row in rows])
    return [chunk async for chunk in found]


@pytest.fixture
async def kept(recording_of: Make, keep: Keep, wav: bytes) -> list[Recording]:
    """Six recordings, two on each day."""
    starts = [START + day * DAY_MS + second * 1000 for day in (3, 0, 1) for second in (7, 0)]
    made = [recording_of(str(start), started_at=EpochMs(start)) for start in starts]
    return [(await keep(each, wav)).recording for each in made]


@pytest.mark.usefixtures("kept")
async def test_folders_come_once_each_and_in_order(archive: Archive, acme: Tenant) -> None:
    assert await archive.folders(acme.id) == DAYS


@pytest.mark.usefixtures("kept")
async def test_an_empty_tenant_has_no_folders(archive: Archive, globex: Tenant) -> None:
    assert await archive.folders(globex.id) == []
    assert not await archive.has_folder(globex.id, DAYS[0])
    assert await names(archive, globex, DAYS[0]) == []


async def test_a_folder_holds_its_own_files_in_order(archive: Archive, acme: Tenant, kept: list[Recording]) -> None:
    for folder in DAYS:
        wanted = sorted(each.file_name for each in kept if each.file_name.startswith(folder))
        assert len(wanted) == 2
        assert await names(archive, acme, folder) == wanted


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 5, 6, 7, 100])
async def test_chunks_of_any_length_hold_every_file_once(
    tmp_path: Path, recording_of: Make, keep_into: Keep, wav: bytes, chunk_rows: int
) -> None:
    archive = await Archive.at(tmp_path / "own", Settings(archive=ArchiveSettings(chunk_rows=chunk_rows)))
    try:
        tenant = await archive.tenants.add(Tenant(id=recording_of().tenant, name="own"))
        for second in range(6):
            recording = recording_of(str(second), started_at=EpochMs(START + second * 1000), tenant=tenant.id)
            await keep_into(archive, recording, wav)
        found = await chunks(archive, tenant, DAYS[0])
        assert [len(chunk) for chunk in found[:-1]] == [chunk_rows] * (len(found) - 1)
        flat = [name for chunk in found for name in chunk]
        assert len(flat) == len(set(flat)) == 6
        assert flat == sorted(flat)
    finally:
        await archive.close()


async def test_what_has_no_audio_is_no_file(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    await keep(recording_of("pending", state=State.PENDING))
    await keep(recording_of("lost", state=State.LOST))
    await keep(recording_of("odd"))  # said to be kept, with nothing that was
    assert await archive.folders(acme.id) == []
    await keep(recording_of("here"), wav)
    assert len(await names(archive, acme, DAYS[0])) == 1


async def test_a_folder_goes_with_its_last_recording(archive: Archive, acme: Tenant, kept: list[Recording]) -> None:
    first, second = [each for each in kept if each.file_name.startswith(DAYS[1])]
    await archive.remove(acme.id, first.id)
    assert await names(archive, acme, DAYS[1]) == [second.file_name]
    await archive.remove(acme.id, second.id)
    assert await archive.folders(acme.id) == [DAYS[0], DAYS[2]]
    assert not await archive.has_folder(acme.id, DAYS[1])


async def test_names_of_another_form_are_stepped_over(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    odd = ["S2025112", "S20251120", "S20251120x", "S20251120!", "T", "a/b/c.wav", "S20251121/~~", "S20251121/R1.wav"]
    for number, name in enumerate(odd):
        recording = recording_of(str(number), started_at=EpochMs(START + number), file_name=name, vendor="8x8")
        await keep(recording, wav)
    assert await archive.folders(acme.id) == ["S20251121"]
    assert await names(archive, acme, "S20251121") == ["S20251121/R1.wav"]


@pytest.mark.parametrize("sql", [FOLDERS, f"SELECT 1 {BETWEEN} ORDER BY file_name LIMIT 9"])
async def test_every_read_goes_by_the_index_of_file_names(archive: Archive, sql: str) -> None:
    values = (1,) if sql is FOLDERS else (1, "S20251120/", "S20251120/~")
    plan = str(await archive.database.read(f"EXPLAIN QUERY PLAN {sql}", *values))
    assert "recordings_file_name (tenant=? AND file_name>?" in plan
    assert "TEMP B-TREE" not in plan


async def test_the_newest_change_is_known_by_its_number(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    assert await archive.changes.latest() == 0
    kept = (await keep(recording_of(), wav)).recording
    assert await archive.changes.latest() == 1
    await archive.remove(acme.id, kept.id)
    assert await archive.changes.latest() == 2
