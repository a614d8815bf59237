"""Lists: keyset chunks of one tenant, and the merge of several, always ordered by start and then key.

A chunk is a short read of its own, resumed by the table's key (started_at, id). Rows that share a start are put in
the order of their keys, and are given out together once all of them have been read: that is what `settle` does.
Memory holds one chunk of each tenant.
"""

import asyncio
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Generic, Self, TypeVar

from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.visibility import condition
from voxkeep.database import Database, Row

T = TypeVar("T")
Shape = Callable[[list[Row]], T]

FIRST_CHUNK_ROWS = 100
"""The first chunk is small, so that the first byte leaves while the scan runs."""

_start = itemgetter(0)
_start_and_key = itemgetter(0, 2)


def settle(rows: list[Row], *, ended: bool) -> tuple[list[Row], list[Row]]:
    """Split `rows` into those that no later row can precede, in final order, and the rest."""
    rest: list[Row] = []
    if not ended and rows:
        last = rows[-1][0]
        cut = len(rows)
        while cut and rows[cut - 1][0] == last:
            cut -= 1
        rows, rest = rows[:cut], rows[cut:]
    if len(set(map(_start, rows))) != len(rows):
        rows.sort(key=_start_and_key)
    return rows, rest


class Stream:
    """The rows of one table, one tenant and one time range, chunk by chunk."""

    def __init__(
        self, database: Database, table: str, key: str, columns: Sequence[str], scope: Scope, times: TimeRange
    ) -> None:
        extra, names = condition(scope.visibility, first_place=6) if table == "recordings" else ("", ())
        # the table, column and condition texts are our own; every value is a parameter
        self._sql = (
            f"SELECT started_at, id, {key}, {', '.join(columns)} FROM {table} "  # noqa: S608
            f"WHERE tenant = $1 AND (started_at, id) > ($2, $3) AND started_at <= $4 {extra} "
            "ORDER BY started_at, id LIMIT $5"
        )
        self._database = database
        self._tenant = scope.tenant
        self._last = times.last
        self._names = names
        self._position: tuple[int, bytes] = (times.first - 1, b"\xff" * 16)
        self._rest: list[Row] = []
        self.ended = False

    async def next(self, shape: Shape[T], limit: int) -> T:
        """Return what `shape` makes of the next settled rows (none at the end); it runs off the event loop."""

        def work(rows: list[Row]) -> T:
            self.ended = len(rows) < limit
            if rows:
                self._position = rows[-1][:2]
            settled, self._rest = settle(self._rest + rows, ended=self.ended)
            return shape(settled)

        return await self._database.read_shaped(
            work, self._sql, self._tenant, *self._position, self._last, limit, *self._names
        )


class Chunks(Generic[T]):
    """What `shape` makes of the rows of all streams together, a chunk at a time, in order; an async iterator."""

    def __init__(self, streams: Sequence[Stream], shape: Shape[T], chunk_rows: int) -> None:
        self._streams = streams
        self._shape = shape
        self._chunk_rows = chunk_rows
        self._limit = min(FIRST_CHUNK_ROWS, chunk_rows)
        self._buffers: list[list[Row]] = [[] for _ in streams]

    @property
    def ended(self) -> bool:
        """Whether nothing follows what was given last."""
        return all(stream.ended for stream in self._streams) and not any(self._buffers)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self.ended:
            raise StopAsyncIteration
        limit, self._limit = self._limit, self._chunk_rows
        if len(self._streams) == 1:
            return await self._streams[0].next(self._shape, limit)
        return await asyncio.to_thread(self._shape, await self._merged(limit))

    async def _merged(self, limit: int) -> list[Row]:
        """Return the rows that no stream can precede any more."""
        for stream, buffer in zip(self._streams, self._buffers, strict=True):
            while not buffer and not stream.ended:
                buffer.extend(await stream.next(_unchanged, limit))
        # a stream's settled rows hold every row up to its last start, so all up to the least of those are complete
        going = [buffer for stream, buffer in zip(self._streams, self._buffers, strict=True) if not stream.ended]
        bound: Any = min((buffer[-1][0] for buffer in going), default=float("inf"))
        ready = [row for buffer in self._buffers for row in buffer if row[0] <= bound]
        self._buffers = [[row for row in buffer if row[0] > bound] for buffer in self._buffers]
        ready.sort(key=_start_and_key)
        return ready


def _unchanged(rows: list[Row]) -> list[Row]:
    return rows
