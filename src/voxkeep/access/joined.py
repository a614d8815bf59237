"""A database whose writes carry something more, in the same transaction.

The tenants' table belongs to the archive, the epoch and the audit to access: what changes a tenant must move the epoch
and leave its audit entry, or do nothing at all.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from voxkeep.database import Database, Row, Transaction, Value
from voxkeep.database.interface import Shape, Work

T = TypeVar("T")


class Joined:
    """See `voxkeep.database.Database`; `also` follows each write, with its transaction and its result."""

    def __init__(self, database: Database, also: Callable[[Transaction, Any], Awaitable[None]]) -> None:
        self._database = database
        self._also = also
        self.words = database.words

    async def write(self, work: Work[T]) -> T:
        """See `Database.write`."""

        async def both(transaction: Transaction) -> T:
            result = await work(transaction)
            await self._also(transaction, result)
            return result

        return await self._database.write(both)

    async def read(self, sql: str, *values: Value) -> list[Row]:
        """See `Database.read`."""
        return await self._database.read(sql, *values)

    async def read_shaped(self, shape: Shape[T], sql: str, *values: Value) -> T:
        """See `Database.read_shaped`."""
        return await self._database.read_shaped(shape, sql, *values)

    async def define(self, script: str) -> None:
        """See `Database.define`."""
        await self._database.define(script)

    async def changes(self) -> int:
        """See `Database.changes`."""
        return await self._database.changes()

    async def close(self) -> None:
        """Leave the database open: it is not this object's."""
