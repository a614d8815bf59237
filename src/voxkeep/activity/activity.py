"""Activity of an archive: events in, calls and agents' states out, calls handed over to the archive.

Taking and handing over are two steps. `take` makes events durable and marks the calls they touch; `settle` computes the
marked calls and hands those that are over to the archive. Between the two a process may die: the marks stay.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TypeVar

from voxkeep.activity import store
from voxkeep.activity.agents import AgentSpan, spans_of, within
from voxkeep.activity.calls import LiveCall
from voxkeep.activity.events import Event
from voxkeep.activity.handover import archived
from voxkeep.activity.store import ReadCall, Taken
from voxkeep.archive import Archive
from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.database import Row, Transaction

T = TypeVar("T")
Follower = Callable[[TenantId, Sequence[Event]], None]
"""Told of the events that were new, once they are durable, in the order in which they came."""

CALLS_AT_ONCE = 500
AGENTS_AT_ONCE = 200
BATCH_EVENTS = 10_000
"""In one transaction, so that other writers get their turn."""


class Activity:
    """The activity of all tenants of an archive."""

    def __init__(self, archive: Archive, *, clock: Callable[[], EpochMs] = now_ms) -> None:
        self._archive = archive
        self._database = archive.database
        self._clock = clock
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Have `follower` told of what this process takes from now on; it must not raise, nor take long."""
        self._followers.append(follower)

    async def take(self, tenant: TenantId, events: Sequence[Event]) -> Taken:
        """Keep the events whose id is new; all are durable when this returns. Any order, any repetition will do.

        One transaction for up to `BATCH_EVENTS`; of more, some may be kept when this raises: send them all again.
        Raises BadEvent before anything is kept, DatabaseError.
        """
        items = [store.item_of(event) for event in events]
        sums = Taken(0, 0, 0)
        for first in range(0, len(items), BATCH_EVENTS):
            chosen = slice(first, first + BATCH_EVENTS)
            taken = await self._take(tenant, events[chosen], items[chosen])
            sums = Taken(sums.new + taken.new, sums.known + taken.known, sums.late + taken.late)
        return sums

    async def _take(self, tenant: TenantId, events: Sequence[Event], items: Sequence[store.Item]) -> Taken:
        now = self._clock()

        async def work(transaction: Transaction) -> tuple[Taken, frozenset[str]]:
            return await store.keep(transaction, tenant, items, now)

        taken, new = await self._database.write(work)
        if new and self._followers:
            told = list({event.id: event for event in reversed(events) if event.id in new}.values())[::-1]
            for follower in self._followers:
                follower(tenant, told)
        return taken

    # Handing over

    async def settle(self) -> int:
        """Hand the calls that are over, and of which something new is known, to the archive; returns how many.

        To be called again and again; what is marked meanwhile may wait for the next time. Raises DatabaseError: what
        was not handed over stays marked.
        """
        handed, after = 0, 0
        while True:
            read = await self._database.read_shaped(store.calls_of, store.UNSETTLED, after, CALLS_AT_ONCE)
            if not read:
                return handed
            handed += await self._hand_over(read)
            await self._mark_settled(read)
            after = max(each.number for each in read)

    async def rebuild(self, tenant: TenantId, times: TimeRange) -> int:
        """Hand every call that began in `times` and is over to the archive anew; returns how many."""
        handed = 0
        async for read in self._chunks(tenant, times, _as_they_are):
            handed += await self._hand_over(read)
        return handed

    async def _mark_settled(self, read: Sequence[ReadCall]) -> None:
        async def work(transaction: Transaction) -> None:
            await store.settle(transaction, read)

        await self._database.write(work)

    async def _hand_over(self, read: Iterable[ReadCall]) -> int:
        found = [archived(each.tenant, each.call) for each in read]
        calls = [call for call in found if call is not None]
        # side by side, so that they share their commits
        async with asyncio.TaskGroup() as group:
            for call in calls:
                group.create_task(self._archive.keep_call(call))
        return len(calls)

    # Reading

    async def call(self, tenant: TenantId, key: str) -> LiveCall | None:
        """Return a call as it is known now."""
        found = await self._database.read_shaped(store.calls_of, store.ONE_CALL, tenant, key)
        return found[0].call if found else None

    def calls(self, tenant: TenantId, times: TimeRange) -> AsyncIterator[list[LiveCall]]:
        """Yield the calls that began in `times`, over or not, in order of begin, some hundred at a time."""
        return self.shaped_calls(tenant, times, _as_they_are)

    def shaped_calls(
        self, tenant: TenantId, times: TimeRange, shape: Callable[[list[LiveCall]], T]
    ) -> AsyncIterator[T]:
        """Yield what `shape` makes of the same; it runs off the event loop."""
        return self._chunks(tenant, times, lambda read: shape([each.call for each in read]))

    async def _chunks(
        self, tenant: TenantId, times: TimeRange, shape: Callable[[list[ReadCall]], T]
    ) -> AsyncIterator[T]:
        def work(rows: list[Row]) -> tuple[ReadCall, T] | None:
            read = store.calls_of(rows)
            return (read[-1], shape(read)) if read else None

        # numbers begin with 1
        began_at, number = int(times.first), 0
        while True:
            found = await self._database.read_shaped(
                work, store.CALLS_BETWEEN, tenant, began_at, number, times.last, CALLS_AT_ONCE
            )
            if found is None:
                return
            last, made = found
            began_at, number = last.began_at, last.number
            yield made

    async def agent_spans(self, tenant: TenantId, times: TimeRange) -> AsyncIterator[list[AgentSpan]]:
        """Yield, agent by agent in order of key, the spans that lie in `times` at least in part; whole, not cut.

        An agent without any is left out.
        """
        after = ""
        while True:
            agents = await self._database.read(store.AGENTS, tenant, after, AGENTS_AT_ONCE)
            for (key,) in agents:
                spans = await self._spans(tenant, key, times)
                if spans:
                    yield spans
            if len(agents) < AGENTS_AT_ONCE:
                return
            after = agents[-1][0]

    async def _spans(self, tenant: TenantId, agent: str, times: TimeRange) -> list[AgentSpan]:
        def work(rows: list[Row]) -> list[AgentSpan]:
            return [each for each in spans_of(store.agent_events_of(rows)) if within(each, times)]

        return await self._database.read_shaped(work, store.AGENT_EVENTS, tenant, agent, times.first, times.last)


def _as_they_are(read: list[T]) -> list[T]:
    return read
