"""The epoch: one number that moves whenever users, grants, tokens, limits or tenants change, in the same transaction.

Caches ask it at each use, so that a change made by any process holds at once; commits of other kinds (audit, egress)
leave it as it is and empty no cache.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from voxkeep.database import Database, Transaction

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


async def bump(transaction: Transaction) -> None:
    """Move the epoch, in the transaction that makes a cached value untrue."""
    await transaction.execute("UPDATE access_epoch SET epoch = epoch + 1 WHERE id = 1")


class Epoch:
    """The epoch of an archive, read again only after a commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version: int | None = None
        self._value = 0
        self._looked = False

    async def current(self) -> int:
        """Return the epoch as of now: a few microseconds, and a few more after a commit.

        One look serves all that is asked in the same turn of the event loop: the caches of one request.
        """
        if not self._looked:
            version = await self._database.changes()
            if version != self._version:
                rows = await self._database.glance("SELECT epoch FROM access_epoch WHERE id = 1")
                self._value, self._version = int(rows[0][0]), version
            self._looked = True
            asyncio.get_running_loop().call_soon(self._look_again)
        return self._value

    def _look_again(self) -> None:
        self._looked = False


class EpochCache(Generic[K, V]):
    """Values by key that hold as long as the epoch stands; at most `size` of them, absent ones are not kept."""

    def __init__(self, epoch: Epoch, load: Callable[[K], Awaitable[V | None]], size: int) -> None:
        self._epoch = epoch
        self._load = load
        self._size = size
        self._at = 0
        self._values: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._values)

    async def get(self, key: K) -> V | None:
        """Return the value of `key` as it is now, loaded when it is not held; None when there is none."""
        epoch = await self._epoch.current()
        if epoch != self._at:
            self._values, self._at = {}, epoch
        value = self._values.get(key)
        if value is None:
            value = await self._load(key)
            # while it was loaded the epoch may have moved: what was read then is not of the new one
            if value is not None and self._at == epoch:
                self._put(key, value)
        return value

    def _put(self, key: K, value: V) -> None:
        if len(self._values) >= self._size:
            self._values.pop(next(iter(self._values)))
        self._values[key] = value
