"""File names: every recording has one, unique in its tenant, counted down within the second of its start."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from msgspec.structs import replace

from voxkeep.archive import Archive, Kept, filenames
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.names import file_name, file_stem
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.database import Database, Row, Transaction
from voxkeep.database.sqlite import SqliteDatabase
from voxkeep.settings import Settings

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]

START = EpochMs(1_763_647_391_250)
"""2025-11-20T14:03:11.250Z"""
STEM = "S20251120/R20251120140311"
TABLE = """CREATE TABLE recordings (
    tenant INTEGER, started_at INTEGER, id BLOB, file_name TEXT, vendor_key TEXT, PRIMARY KEY (tenant, started_at, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX recordings_file_name ON recordings (tenant, file_name)"""
INSERT = "INSERT INTO recordings (tenant, started_at, id, file_name) VALUES ($1, $2, $3, $4)"
NAMES = "SELECT file_name FROM recordings ORDER BY tenant, started_at, id"
A_FEW = 9
"""As many names as a second has before it is full, where thousands would only take longer."""


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Database]:
    """A table of names alone, which thousands of rows fill quickly."""
    made = SqliteDatabase(tmp_path / "names.db")
    await made.define(TABLE)
    yield made
    await made.close()


@pytest.fixture
def few_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filenames, "LAST_IN_A_SECOND", A_FEW)


async def names_in(database: Database) -> list[str]:
    return [name for (name,) in await database.read(NAMES)]


async def refill(database: Database, rows: Sequence[Row]) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.execute("DELETE FROM recordings")
        await transaction.execute_many(INSERT, rows)

    await database.write(work)


def identity(number: int) -> bytes:
    return number.to_bytes(16, "big")


# In the archive


async def test_names_count_down_from_9999_within_a_second(recording_of: Make, keep: Keep) -> None:
    starts = [START, START + 749, START - 250, START + 750, START + 10]
    kept = [(await keep(recording_of(f"k{at}", started_at=EpochMs(at)))).recording for at in starts]
    assert [each.file_name.removeprefix("S20251120/R202511201403") for each in kept] == [
        "119999.wav", "119998.wav", "119997.wav", "129999.wav", "119996.wav",
    ]  # fmt: skip


@given(at=st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)))  # noqa: DTZ001 -- made aware below
def test_a_name_tells_the_day_and_the_second_in_utc(at: datetime) -> None:
    moment = EpochMs(int(at.replace(tzinfo=UTC, microsecond=0).timestamp()) * 1000 + at.microsecond // 1000)
    parts = re.fullmatch(r"S(\d{8})/R(\d{8})(\d{6})0042\.wav", file_name(moment, 42))
    assert parts is not None
    day, same_day, time = parts.groups()
    assert day == same_day == f"{at.year:04}{at.month:02}{at.day:02}"
    assert time == f"{at.hour:02}{at.minute:02}{at.second:02}"
    assert file_name(moment, 42).startswith(file_stem(moment))


async def test_a_recording_is_found_by_its_file_name_in_its_own_tenant_alone(
    archive: Archive, acme: Tenant, globex: Tenant, recording_of: Make, keep: Keep
) -> None:
    kept = (await keep(recording_of())).recording
    assert kept.file_name == f"{STEM}9999.wav"
    assert await archive.by_file_name(acme.id, kept.file_name) == kept
    assert await archive.by_file_name(globex.id, kept.file_name) is None
    for other in ("", f"{STEM}9998.wav", f"{STEM}9999", kept.file_name.lower(), kept.file_name + "\0"):
        assert await archive.by_file_name(acme.id, other) is None


async def test_two_tenants_may_have_the_same_names(
    archive: Archive, acme: Tenant, globex: Tenant, recording_of: Make, keep: Keep
) -> None:
    ours, theirs = [(await keep(recording_of(tenant=tenant.id))).recording for tenant in (acme, globex)]
    assert ours.file_name == theirs.file_name
    assert await archive.by_file_name(acme.id, ours.file_name) == ours
    assert await archive.by_file_name(globex.id, ours.file_name) == theirs


async def test_a_vendors_own_name_wins_and_the_one_given_here_moves(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep
) -> None:
    given_here = [(await keep(recording_of(f"ours-{number}"))).recording for number in range(2)]
    theirs = (await keep(recording_of("theirs", vendor="v", file_name=given_here[0].file_name))).recording
    assert theirs.file_name == f"{STEM}9999.wav"
    assert await archive.by_file_name(acme.id, f"{STEM}9999.wav") == theirs
    assert await archive.by_id(acme.id, given_here[0].id) == replace(given_here[0], file_name=f"{STEM}9997.wav")
    assert await archive.by_id(acme.id, given_here[1].id) == given_here[1]


async def test_a_vendors_name_of_another_second_moves_the_one_that_has_it(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep
) -> None:
    given_here = (await keep(recording_of("ours"))).recording
    later = EpochMs(START + 3_600_000)
    theirs = (await keep(recording_of("theirs", started_at=later, file_name=given_here.file_name))).recording
    assert await archive.by_file_name(acme.id, given_here.file_name) == theirs
    moved = await archive.by_id(acme.id, given_here.id)
    assert moved is not None
    assert moved.file_name == f"{STEM}9998.wav"


async def test_what_its_vendor_knows_by_a_name_keeps_it_from_another_vendors_too(
    recording_of: Make, keep: Keep, archive: Archive
) -> None:
    own = "S20251120/R202511201403110001.wav"
    first = (await keep(recording_of(own, vendor="8x8", file_name=own))).recording
    second = (await keep(recording_of("other", file_name=own))).recording
    assert second.file_name != own
    found = await archive.by_file_name(first.tenant, own)
    assert found is not None
    assert found.id == first.id


async def test_a_vendors_names_that_count_up_leave_room_for_ours(recording_of: Make, keep: Keep) -> None:
    for number in range(1, 4):
        name = f"{STEM}{number:04}.wav"
        assert (await keep(recording_of(f"v{number}", vendor="v", file_name=name))).recording.file_name == name
    ours = [(await keep(recording_of(f"o{number}"))).recording.file_name for number in range(2)]
    assert len({*ours}) == 2
    assert all(f"{STEM}9990.wav" < name <= f"{STEM}9999.wav" for name in ours)


async def test_a_removed_recording_keeps_its_name(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    kept = (await keep(recording_of("a"), wav)).recording
    await archive.remove(acme.id, kept.id, hard=True)
    tombstone = await archive.by_file_name(acme.id, kept.file_name)
    assert tombstone is not None
    assert (tombstone.id, tombstone.state) == (kept.id, State.REMOVED)
    assert (await keep(recording_of("b"))).recording.file_name == f"{STEM}9998.wav"


async def test_a_pending_recording_has_a_name_and_keeps_it_when_its_audio_comes(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    pending = (await keep(recording_of("a", state=State.PENDING))).recording
    await keep(recording_of("b"))
    assert pending.file_name == f"{STEM}9999.wav"
    promoted = (await keep(recording_of("a"), wav)).recording
    assert (promoted.state, promoted.file_name) == (State.KEPT, pending.file_name)
    assert await archive.by_file_name(acme.id, pending.file_name) == promoted


async def test_a_vendors_own_name_that_comes_with_the_audio_wins_too(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, wav: bytes
) -> None:
    await keep(recording_of("a", state=State.PENDING))
    holder = (await keep(recording_of("b"))).recording
    promoted = (await keep(recording_of("a", file_name=holder.file_name), wav)).recording
    assert promoted.file_name == holder.file_name
    assert await archive.by_file_name(acme.id, holder.file_name) == promoted
    moved = await archive.by_id(acme.id, holder.id)
    assert moved is not None
    assert moved.file_name not in {"", holder.file_name}


async def test_kept_again_a_recording_keeps_its_name(recording_of: Make, keep: Keep) -> None:
    first = (await keep(recording_of())).recording
    again = await keep(recording_of(file_name=f"{STEM}0001.wav"))
    assert (again.new, again.recording) == (False, first)


async def test_keeps_at_once_and_by_two_processes_never_share_a_name(
    archive: Archive, recording_of: Make, keep_into: Keep
) -> None:
    other = await Archive.at(archive.home, Settings())
    both = (archive, other)
    kept = await asyncio.gather(*(keep_into(both[number % 2], recording_of(f"k{number}")) for number in range(60)))
    names = [each.recording.file_name for each in kept]
    assert sorted(names, reverse=True) == [f"{STEM}{9999 - number}.wav" for number in range(60)]
    await other.close()


# A full second


async def name_each(database: Database, rows: Sequence[tuple[int, int, bytes]]) -> None:
    """Add rows under the names that `free_name` finds one by one."""

    async def work(transaction: Transaction) -> None:
        await transaction.execute("DELETE FROM recordings")
        for tenant, started_at, number in rows:
            name = await filenames.free_name(transaction, TenantId(tenant), EpochMs(started_at))
            await transaction.execute(INSERT, tenant, started_at, number, name)

    await database.write(work)


async def test_a_full_second_goes_on_with_five_digits(table: Database) -> None:
    taken = [(1, START, identity(number), file_name(START, number)) for number in range(1, 10_000)]
    await refill(table, taken)

    async def work(transaction: Transaction) -> list[str]:
        found = []
        for number in range(10_000, 10_003):
            found.append(await filenames.free_name(transaction, TenantId(1), START))
            await transaction.execute(INSERT, 1, START, identity(number), found[-1])
        found.append(await filenames.free_name(transaction, TenantId(1), EpochMs(START + 1000)))
        return [*found, await filenames.free_name(transaction, TenantId(2), START)]

    assert await table.write(work) == [
        f"{STEM}99999.wav", f"{STEM}99998.wav", f"{STEM}99997.wav",
        "S20251120/R202511201403129999.wav", f"{STEM}9999.wav",
    ]  # fmt: skip


async def test_filling_an_archive_gives_the_names_that_keeping_would_have_given(table: Database) -> None:
    full = [(1, START, identity(number), None) for number in range(10_020)]
    await refill(table, [*full, (1, START + 1000, b"a", None), (2, START, b"a", None), (2, START + 1, b"a", None)])
    await table.write(filenames.fill)
    names = await names_in(table)
    assert names[:9_999] == [file_name(START, number) for number in range(9_999, 0, -1)]
    assert names[9_999:10_020] == [file_name(START, 99_999 - number) for number in range(21)]
    assert names[10_020:] == ["S20251120/R202511201403129999.wav", f"{STEM}9999.wav", f"{STEM}9998.wav"]


@pytest.mark.usefixtures("few_a_second")
@profile(max_examples=40)
@given(
    rows=st.lists(
        st.tuples(st.integers(1, 2), st.sampled_from([START - 251, START, START + 1]), st.integers(1, 2**64)),
        max_size=130,
        unique=True,
    )
)
async def test_fill_and_free_name_agree(table: Database, rows: list[tuple[int, int, int]]) -> None:
    ordered = [(tenant, started_at, identity(number)) for tenant, started_at, number in sorted(rows)]
    await name_each(table, ordered)
    one_by_one = await names_in(table)
    await refill(table, [(*row, None) for row in ordered])
    await table.write(filenames.fill)
    assert await names_in(table) == one_by_one


async def test_filling_nothing_is_well(table: Database) -> None:
    await table.write(filenames.fill)
    assert await names_in(table) == []


def coming(number: int, own: int | None) -> Recording:
    """Return a recording that came with the name so numbered, or without one."""
    return Recording(
        tenant=TenantId(1),
        id=RecordingId(uuid7(START, number)),
        started_at=START,
        duration_ms=DurationMs(0),
        file_name="" if own is None else file_name(START, own),
    )


@pytest.mark.usefixtures("few_a_second")
@given(numbers=st.lists(st.none() | st.integers(0, 12), max_size=40))
async def test_whatever_names_vendors_bring_every_recording_has_one_of_its_own(
    table: Database, numbers: list[int | None]
) -> None:
    await refill(table, [])
    given_out: set[str] = set()
    for number, own in enumerate(numbers):
        recording = coming(number, own)

        async def work(transaction: Transaction, recording: Recording = recording) -> str:
            name = await filenames.named(transaction, recording)
            await transaction.execute(INSERT, 1, START, recording.id.bytes, name)
            return name

        name = await table.write(work)
        assert own is None or name == file_name(START, own)
        assert own is not None or name not in given_out
        given_out.add(name)
    found = set(await names_in(table))
    assert len(found) == len(numbers)
    assert given_out <= found
    assert all(re.fullmatch(re.escape(STEM) + r"\d{4}\.wav", name) for name in found)


@pytest.mark.usefixtures("few_a_second")
@given(taken=st.sets(st.integers(0, 120), max_size=60))
async def test_a_name_of_few_digits_is_found_as_long_as_there_is_one(table: Database, taken: set[int]) -> None:
    await refill(table, [(1, START, identity(number), file_name(START, number)) for number in taken])
    name = await table.write(lambda transaction: filenames.free_name(transaction, TenantId(1), START))
    number = int(name.removeprefix(STEM).removesuffix(".wav"))
    assert number not in taken
    free = [each for each in range(1, A_FEW + 1) if each not in taken]
    assert number in free if free else number > A_FEW
