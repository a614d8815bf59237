"""Pages of 50 by `n`, the number of the first record from 1 (seed 003, "Pagination"), without ever skipping by OFFSET.

Where a page ended is remembered for a while, so the one that follows begins right there, whatever its depth. A jump to
a place that is not remembered walks there once, from the nearest place before it that is.
"""

import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

from voxkeep.archive.query import START, Position, Question
from voxkeep.database import Row

PAGE_ROWS = 50
WALK_ROWS = 5_000
FIRST_FILTERED_ROWS, MOST_FILTERED_ROWS = 100, 2_000
"""Rows looked through at once for those that are accepted: few at first, for pages that fill at once."""
REMEMBERED_S = 300.0
QUERIES, PLACES = 256, 64
"""Questions remembered at most, and places in each."""

R = TypeVar("R")
T = TypeVar("T")


class Rows(Protocol):
    """`Archive.page` or `Archive.page_transcripts`."""

    async def __call__(
        self, question: Question, after: Position, limit: int, columns: Sequence[str], shape: Callable[[list[Row]], T]
    ) -> T:
        """Return what `shape` makes of the next rows after a place."""
        ...


class Query(NamedTuple, Generic[R]):
    """What is paged through: rows, made into records, of which some are accepted (None: all)."""

    rows: Rows
    question: Question
    columns: tuple[str, ...]
    make: Callable[[list[Row]], list[R]]
    accepts: Callable[[R], bool] | None
    key: Hashable
    """Tells this query from others over the same rows: who asks, and for what.

    What only changes how records look is no part of it. Who asks is: what one reader passes must not move another's.
    """


class _Piece(NamedTuple, Generic[R]):
    """A part of a scan: the records that count, where each is, where the part ended, and whether nothing follows.

    Where all count, a page takes the whole part, and only its end is needed.
    """

    found: list[R]
    places: list[Position]
    last: Position
    ended: bool


class Places:
    """The places one query is known to pass: after so many records, at this position."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Position, float]] = {}

    def put(self, count: int, position: Position, now: float) -> None:
        """Remember a place; the one remembered longest ago makes room.

        Not where nothing was found yet: what comes late must be found by whoever asks again from the beginning.
        """
        if not count:
            return
        self._known.pop(count, None)
        self._known[count] = (position, now + REMEMBERED_S)
        if len(self._known) > PLACES:
            self._known.pop(next(iter(self._known)))

    def before(self, count: int, now: float) -> tuple[int, Position]:
        """Return the nearest place at `count` records or fewer."""
        self._known = {at: place for at, place in self._known.items() if place[1] > now}
        counts = sorted(self._known)
        index = bisect_right(counts, count)
        return (counts[index - 1], self._known[counts[index - 1]][0]) if index else (0, START)


class Pager:
    """Gives pages, and remembers where they ended. One for a server; what it remembers is a help, never needed."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._queries: OrderedDict[Hashable, Places] = OrderedDict()

    async def page(self, query: Query[R], n: int) -> list[R]:
        """Return the records from number `n` on, at most 50."""
        places = self._places((query.question, query.key))
        count, position = places.before(n - 1, self._clock())
        if query.accepts is None and count < n - 1:
            count, position = await self._walk(query, count, n - 1, position)
            places.put(count, position, self._clock())
            if count < n - 1:
                return []
        return await self._read(query, n, count, position, places)

    def _places(self, key: Hashable) -> Places:
        places = self._queries.setdefault(key, Places())
        self._queries.move_to_end(key)
        if len(self._queries) > QUERIES:
            self._queries.popitem(last=False)
        return places

    async def _walk(self, query: Query[R], count: int, target: int, position: Position) -> tuple[int, Position]:
        """Go on to the place after `target` records, reading nothing of them; where the rows end, that place."""
        while count < target:
            limit = min(WALK_ROWS, target - count)
            passed, position = await query.rows(query.question, position, limit, (), _last_of(position))
            count += passed
            if passed < limit:
                break
        return count, position

    async def _read(self, query: Query[R], n: int, count: int, position: Position, places: Places) -> list[R]:
        records: list[R] = []
        ended, looked_through = False, FIRST_FILTERED_ROWS
        while not ended and len(records) < PAGE_ROWS:
            wanted = PAGE_ROWS if query.accepts is None else looked_through
            looked_through = min(2 * looked_through, MOST_FILTERED_ROWS)
            piece = await query.rows(query.question, position, wanted, query.columns, _taker(query, position, wanted))
            position, ended = piece.last, piece.ended
            skipped = min(max(n - 1 - count, 0), len(piece.found))
            taken = piece.found[skipped : skipped + PAGE_ROWS - len(records)]
            records += taken
            count += skipped + len(taken)
            if skipped + len(taken) < len(piece.found):
                position = piece.places[skipped + len(taken) - 1]
        places.put(count, position, self._clock())
        return records


def _last_of(before: Position) -> Callable[[list[Row]], tuple[int, Position]]:
    return lambda rows: (len(rows), Position(*rows[-1][:2]) if rows else before)


def _taker(query: Query[R], before: Position, limit: int) -> Callable[[list[Row]], _Piece[R]]:
    """Return what makes a piece of rows; it runs off the event loop."""

    def take(rows: list[Row]) -> _Piece[R]:
        last, ended = Position(*rows[-1][:2]) if rows else before, len(rows) < limit
        records, accepts = query.make(rows), query.accepts
        if accepts is None:
            return _Piece(records, [], last, ended)
        found = [(record, row) for record, row in zip(records, rows, strict=True) if accepts(record)]
        return _Piece([record for record, _ in found], [Position(*row[:2]) for _, row in found], last, ended)

    return take
