"""The pace: one slot per source every so many seconds, from send to send.

The moment of the last send is remembered durably before each send, so that a run that starts right after another one
ended (or was killed) keeps the pace too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from voxkeep.archive.units import EpochMs, now_ms


class Clock(NamedTuple):
    """Where time comes from."""

    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never go back."""
    wall: Callable[[], EpochMs] = now_ms
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Pace:
    """Gives one slot every `seconds`; `remember` keeps the moment of each for the next run's `last_sent_at`."""

    def __init__(
        self,
        seconds: float,
        last_sent_at: EpochMs | None,
        remember: Callable[[EpochMs], Awaitable[None]],
        clock: Clock | None = None,
    ) -> None:
        self._seconds = seconds
        self._remember = remember
        self._clock = clock or Clock()
        self._turn = asyncio.Lock()
        self._next = self._clock.monotonic() + self._left_of_the_last_run(last_sent_at)

    def _left_of_the_last_run(self, last_sent_at: EpochMs | None) -> float:
        if last_sent_at is None:
            return 0.0
        passed = (self._clock.wall() - last_sent_at) / 1000
        # the wall clock may have been set since: never wait longer than one slot for that
        return min(max(self._seconds - passed, 0.0), self._seconds)

    async def slot(self) -> None:
        """Return when the next request may be sent."""
        async with self._turn:
            while (left := self._next - self._clock.monotonic()) > 0:
                await self._clock.sleep(left)
            await self._remember(self._clock.wall())
            self._next = self._clock.monotonic() + self._seconds
