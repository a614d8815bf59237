"""Lists: right order, nothing twice, nothing left out, whatever the chunk, and no read that outlives its chunk."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from voxkeep.archive import Archive
from voxkeep.archive.model import Recording, Tenant
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.streams import Chunks, Stream, settle
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.database import Database, DatabaseError, Row, Transaction
from voxkeep.database.sqlite import SqliteDatabase
from voxkeep.settings import Archive as ArchiveSettings
from voxkeep.settings import Settings

EVER = TimeRange(EpochMs(0), EpochMs(2**52))
TABLE = """CREATE TABLE recordings (
    tenant INTEGER, started_at INTEGER, id BLOB, vendor_key TEXT, n INTEGER, PRIMARY KEY (tenant, started_at, id)
) WITHOUT ROWID"""

Entry = tuple[int, int, str]
"""Tenant, start, key."""
entries = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 6), st.text("ab", max_size=3)), max_size=60)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = SqliteDatabase(tmp_path / "lists.db")
    await made.define(TABLE)
    yield made
    await made.close()


async def fill(database: Database, rows: Sequence[Entry], seed: int = 0) -> None:
    chance = random.Random(seed)  # noqa: S311 -- an order for test rows

    async def work(transaction: Transaction) -> None:
        await transaction.execute("DELETE FROM recordings")
        for number, (tenant, start, key) in enumerate(rows):
            identity = uuid7(EpochMs(start), chance.getrandbits(74)).bytes
            await transaction.execute(
                "INSERT INTO recordings VALUES ($1, $2, $3, $4, $5)", tenant, start, identity, key, number
            )

    await database.write(work)


def stream(database: Database, tenant: int, times: TimeRange = EVER) -> Stream:
    return Stream(database, "recordings", "vendor_key", ["n"], Scope(TenantId(tenant)), times)


async def collected(streams: Sequence[Stream], chunk_rows: int) -> list[Row]:
    return [row async for chunk in Chunks(streams, list, chunk_rows) for row in chunk]


def expected(rows: Sequence[Entry], tenants: Sequence[int], times: TimeRange = EVER) -> list[tuple[int, str]]:
    return sorted(
        (start, key) for tenant, start, key in rows if tenant in tenants and times.first <= start <= times.last
    )


@given(starts=st.lists(st.integers(0, 4), max_size=12), ended=st.booleans(), seed=st.integers(0, 99))
def test_settle_gives_out_what_no_later_row_can_precede(starts: list[int], *, ended: bool, seed: int) -> None:
    keys = list(range(len(starts)))
    random.Random(seed).shuffle(keys)  # noqa: S311 -- an order for test rows
    rows: list[Row] = [(start, b"", key) for start, key in zip(sorted(starts), keys, strict=True)]
    settled, rest = settle(list(rows), ended=ended)
    last = max(starts, default=0)
    assert settled == sorted((row for row in rows if ended or row[0] < last), key=lambda row: (row[0], row[2]))
    assert rest == [row for row in rows if not ended and row[0] == last]


@given(rows=entries, chunk_rows=st.integers(1, 9), first=st.integers(0, 6), length=st.integers(-1, 6))
async def test_one_tenants_list_is_the_sorted_rows_in_range(
    database: Database, rows: list[Entry], chunk_rows: int, first: int, length: int
) -> None:
    await fill(database, rows)
    times = TimeRange(EpochMs(first), EpochMs(first + length))
    found = await collected([stream(database, 1, times)], chunk_rows)
    assert [(start, key) for start, _, key, _ in found] == expected(rows, [1], times)
    assert len({number for *_, number in found}) == len(found)


@given(rows=entries, chunk_rows=st.integers(1, 9), seed=st.integers(0, 99))
async def test_a_list_of_several_tenants_is_one_sorted_list(
    database: Database, rows: list[Entry], chunk_rows: int, seed: int
) -> None:
    await fill(database, rows, seed)
    tenants = [1, 2, 3]
    found = await collected([stream(database, tenant) for tenant in tenants], chunk_rows)
    assert [(start, key) for start, _, key, _ in found] == expected(rows, tenants)
    assert {number for *_, number in found} == set(range(len(rows)))


@pytest.mark.parametrize("chunk_rows", [1, 2, 3, 100])
async def test_ties_across_chunks_and_tenants_stay_in_the_order_of_their_keys(
    database: Database, chunk_rows: int
) -> None:
    rows = [(1 + number % 2, 5, f"k{number:02}") for number in range(20)] + [(1, 4, "z"), (2, 6, "a")]
    await fill(database, rows)
    found = await collected([stream(database, 1), stream(database, 2)], chunk_rows)
    assert [key for _, _, key, _ in found] == ["z", *(f"k{number:02}" for number in range(20)), "a"]


async def test_no_tenants_and_no_rows_are_empty_lists(database: Database) -> None:
    assert await collected([], 10) == []
    assert await collected([stream(database, 1)], 10) == []
    assert await collected([stream(database, 1), stream(database, 2)], 10) == []


async def test_the_first_chunk_is_small_and_the_others_as_asked(database: Database) -> None:
    await fill(database, [(1, start, "k") for start in range(1000)])
    sizes = [len(chunk) async for chunk in Chunks([stream(database, 1)], list, 400)]
    # a start that may go on is held back until it is known to be over
    assert sizes == [99, 400, 400, 101]


async def test_rows_are_shaped_off_the_event_loop(database: Database) -> None:
    await fill(database, [(tenant, start, "k") for start in range(5) for tenant in (1, 2)])

    def shape(_rows: list[Row]) -> int:
        return threading.get_ident()

    for tenants in ([1], [1, 2]):
        threads = {each async for each in Chunks([stream(database, tenant) for tenant in tenants], shape, 2)}
        assert threads
        assert threading.get_ident() not in threads


async def test_a_list_goes_on_while_rows_come_in(database: Database) -> None:
    before = [(1, start, f"old{start}") for start in range(0, 100, 2)]
    await fill(database, before)
    found: list[Row] = []
    number = 0
    async for chunk in Chunks([stream(database, 1)], list, 5):
        found += chunk
        reached = found[-1][0] if found else 0
        for start in (max(0, reached - 3), min(reached + 7, 120)):
            number += 1
            values = (1, start, uuid7(EpochMs(start)).bytes, f"new{number}", -number)
            await insert(database, values)
    keys = [key for _, _, key, _ in found]
    assert [key for key in keys if key.startswith("old")] == [key for _, _, key in before]
    assert len(set(keys)) == len(keys)
    assert any(key.startswith("new") for key in keys)
    order = [(start, key) for start, _, key, _ in found]
    assert order == sorted(order)


async def insert(database: Database, values: tuple[int, int, bytes, str, int]) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.execute("INSERT INTO recordings VALUES ($1, $2, $3, $4, $5)", *values)

    await database.write(work)


async def test_a_list_that_stands_still_holds_no_read_transaction(database: Database, tmp_path: Path) -> None:
    await fill(database, [(1, start, "k" * 100) for start in range(2000)])
    listing = Chunks([stream(database, 1), stream(database, 2)], list, 50)
    assert await anext(listing)
    other = apsw.Connection(str(tmp_path / "lists.db"))
    log_bytes = []
    for round_ in range(3):
        await fill(database, [(1, start, str(round_) * 100) for start in range(2000)])
        # a restart of the log needs that no reader looks at an older state: it would answer busy
        assert other.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()[0][0] == 0
        log_bytes.append((tmp_path / "lists.db-wal").stat().st_size)
    assert log_bytes[-1] <= log_bytes[0] * 1.5
    assert await anext(listing)
    other.close()


async def test_memory_holds_one_chunk_of_each_tenant_and_not_the_result(database: Database) -> None:
    await fill(database, [(tenant, start, "k") for start in range(600) for tenant in (1, 2)])
    sizes = [len(chunk) async for chunk in Chunks([stream(database, 1), stream(database, 2)], list, 20)]
    assert max(sizes) <= 2 * 20
    assert sum(sizes) == 1200


async def test_an_error_in_the_middle_reaches_the_reader(database: Database) -> None:
    await fill(database, [(1, start, "k") for start in range(300)])
    listing = Chunks([stream(database, 1)], list, 100)
    assert await anext(listing)
    await database.define("DROP TABLE recordings")
    with pytest.raises(DatabaseError, match="recordings"):
        await anext(listing)


@profile(max_examples=20)
@given(starts=st.lists(st.integers(0, 5), min_size=1, max_size=25), chunk_rows=st.integers(1, 4))
async def test_the_archive_lists_recordings_and_calls_in_order(
    tmp_path_factory: pytest.TempPathFactory, starts: list[int], chunk_rows: int
) -> None:
    settings = Settings(archive=ArchiveSettings(chunk_rows=chunk_rows))
    archive = await Archive.at(tmp_path_factory.mktemp("lists"), settings)
    tenants = [await archive.tenants.add(Tenant(id=TenantId(0), name=name)) for name in ("one", "two")]
    rows = [
        Recording(
            tenant=tenants[number % 2].id,
            id=RecordingId(uuid7(EpochMs(start))),
            started_at=EpochMs(start),
            duration_ms=DurationMs(10),
            vendor_key=f"k{number:02}",
            call_key=f"call-{number:02}",
        )
        for number, start in enumerate(starts)
    ]
    await asyncio.gather(*(archive.keep(row) for row in rows))
    scopes = [Scope(tenant.id) for tenant in tenants]
    found = [row async for chunk in archive.find(scopes, EVER, ["duration_ms"], list) for row in chunk]
    assert [row[2] for row in found] == [
        row.vendor_key for row in sorted(rows, key=lambda row: (row.started_at, row.vendor_key))
    ]
    calls = [row async for chunk in archive.find_calls(scopes, EVER, ["ended_at"], list) for row in chunk]
    assert [row[2] for row in calls] == [
        row.call_key for row in sorted(rows, key=lambda row: (row.started_at, row.call_key))
    ]
    await archive.close()
