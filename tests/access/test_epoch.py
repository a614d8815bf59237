import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voxkeep.access import MIGRATIONS
from voxkeep.access.epoch import Epoch, EpochCache, bump
from voxkeep.archive import Archive
from voxkeep.database import Database, DatabaseError, Row, Transaction, Value
from voxkeep.settings import Settings


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    archive = await Archive.at(tmp_path, Settings(), [MIGRATIONS])
    yield archive.database
    await archive.close()


class Loader:
    """Loads what `values` holds, and counts."""

    def __init__(self) -> None:
        self.values = {"a": 1, "b": 2}
        self.loads = 0
        self.begun = {key: asyncio.Event() for key in self.values}
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def load(self, key: str) -> int | None:
        self.loads += 1
        value = self.values.get(key)
        if key in self.begun:
            self.begun[key].set()
        await self.may_end.wait()
        return value


async def other_commit(database: Database) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.execute("INSERT INTO tenant_names VALUES ($1, $2) ON CONFLICT DO NOTHING", "x", 1)
        await transaction.execute("DELETE FROM tenant_names WHERE name = $1", "x")

    await database.write(work)


async def test_the_epoch_moves_with_every_bump_and_with_nothing_else(database: Database) -> None:
    epoch = Epoch(database)
    first = await epoch.current()
    await other_commit(database)
    assert await epoch.current() == first
    await database.write(bump)
    assert await epoch.current() == first + 1


async def test_while_nothing_is_committed_the_database_is_not_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch = Epoch(database)
    first = await epoch.current()

    async def never(*_: object) -> list[Row]:
        raise AssertionError("read")

    monkeypatch.setattr(database, "read", never)
    assert [await epoch.current() for _ in range(3)] == [first] * 3


async def test_those_who_ask_at_once_share_a_read(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    reads, read = [0], database.glance

    async def counted(sql: str, *values: Value) -> list[Row]:
        reads[0] += 1
        return await read(sql, *values)

    monkeypatch.setattr(database, "glance", counted)
    epoch = Epoch(database)
    assert len(set(await asyncio.gather(*(epoch.current() for _ in range(20))))) == 1
    assert reads == [1]


async def test_a_failed_read_is_told_and_tried_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    epoch = Epoch(database)

    async def broken(*_: object) -> list[Row]:
        raise DatabaseError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(database, "glance", broken)
        with pytest.raises(DatabaseError):
            await epoch.current()
    assert await epoch.current() == 1


async def test_a_cached_value_is_loaded_once_an_epoch(database: Database) -> None:
    loader = Loader()
    cache = EpochCache(Epoch(database), loader.load, 10)
    assert [await cache.get("a") for _ in range(3)] == [1, 1, 1]
    await other_commit(database)
    assert (await cache.get("a"), loader.loads) == (1, 1)
    loader.values["a"] = 7
    await database.write(bump)
    assert (await cache.get("a"), loader.loads) == (7, 2)


async def test_what_was_read_before_the_epoch_moved_is_not_kept_after(database: Database) -> None:
    loader = Loader()
    loader.may_end.clear()
    cache = EpochCache(Epoch(database), loader.load, 10)
    slow = asyncio.create_task(cache.get("a"))
    await loader.begun["a"].wait()
    loader.values["a"] = 7
    await database.write(bump)
    fast = asyncio.create_task(cache.get("b"))
    await loader.begun["b"].wait()  # the one who asked later has seen the new epoch
    loader.may_end.set()
    assert (await slow, await fast) == (1, 2)
    assert await cache.get("a") == 7


async def test_a_cache_never_holds_more_than_its_size_nor_what_is_not_there(database: Database) -> None:
    loader = Loader()
    loader.values = {str(number): number for number in range(100)}
    cache = EpochCache(Epoch(database), loader.load, 5)
    for number in range(100):
        assert await cache.get(str(number)) == number
        assert await cache.get(f"unknown {number}") is None
        assert len(cache) <= 5
