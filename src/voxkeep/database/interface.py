"""What every database driver does.

SQL is written once, with `$1` placeholders and `ON CONFLICT`; table definitions use the words of `Database.words`.
A read is short and stands alone: lists are read in keyset chunks, so that no read transaction outlives a chunk.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

Value = int | float | str | bytes | None
Row = tuple[Any, ...]
T = TypeVar("T")


class DatabaseError(Exception):
    """The database could not do what was asked; nothing of the failed transaction is kept."""


class DatabaseFull(DatabaseError):
    """No space is left for the database. Trying again does not help until there is."""


class Transaction(Protocol):
    """Statements that are kept together or not at all."""

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        """Run a statement and return its rows (also of `RETURNING`)."""
        ...

    async def execute(self, sql: str, *values: Value) -> int:
        """Run a statement and return how many rows it changed."""
        ...

    async def execute_many(self, sql: str, rows: Iterable[tuple[Value, ...]]) -> None:
        """Run a statement once for each row of values."""
        ...


Work = Callable[[Transaction], Awaitable[T]]
Shape = Callable[[list[Row]], T]


class Database(Protocol):
    """One archive's database. Safe to use from many tasks at once, and from several processes on one archive."""

    words: Mapping[str, str]
    """Words for table definitions: `bytes`, `big` (64-bit integer), `clustered` (table ordered by its key)."""

    async def read(self, sql: str, *values: Value) -> list[Row]:
        """Return the rows of one short read, run off the event loop."""
        ...

    async def read_shaped(self, shape: Shape[T], sql: str, *values: Value) -> T:
        """Return what `shape` makes of the rows; `shape` runs off the event loop, beside the read."""
        ...

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction and return its result once it is durable.

        `work` may await its transaction and nothing else. It may share a commit with others, which it neither sees
        fail nor makes fail. Raises DatabaseError (nothing is kept), DatabaseFull, or what `work` raised (nothing of
        it is kept).
        """
        ...

    async def define(self, script: str) -> None:
        """Run a script of table definitions in one transaction."""
        ...

    async def glance(self, sql: str, *values: Value) -> list[Row]:
        """Return the rows of a read of a page or two. May run on the event loop: for what every request checks."""
        ...

    async def changes(self) -> int:
        """Return a number that is another one after any commit, by this process or another. Cheap: for caches."""
        ...

    async def close(self) -> None:
        """Finish the writes under way and let go of the files."""
        ...
