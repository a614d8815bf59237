"""Lanes: work that is cheaper done together. What comes while a batch is under way makes up the next one.

One flush of the disk's journal serves a whole batch of files, and one hop to a thread as well.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Generic, TypeVar

A = TypeVar("A")
R = TypeVar("R")

MOST = 32
"""Items of one batch."""


class Lane(Generic[A, R]):
    """Runs `work` over batches of items in the threads of `pool`, at most `at_once` batches side by side.

    `work` returns an outcome for each item, in order: a result, or the exception that its asker gets.
    """

    def __init__(
        self, pool: Executor, work: Callable[[Sequence[A]], Sequence[R | Exception]], *, at_once: int = 1
    ) -> None:
        self._pool = pool
        self._work = work
        self._at_once = at_once
        self._waiting: deque[tuple[A, asyncio.Future[R]]] = deque()
        self._running = 0
        self._starting = False

    async def run(self, item: A) -> R:
        """Have `item` done and return its result, or raise what became of it.

        A thread cannot be cancelled: whoever is cancelled here leaves only when the item is done.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        if not self._starting:
            # not at once: what others ask in this turn of the loop belongs to the same batch
            self._starting = True
            loop.call_soon(self._start)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            future.exception()
            raise

    def _start(self) -> None:
        self._starting = False
        loop = asyncio.get_running_loop()
        while self._waiting and self._running < self._at_once:
            batch = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
            self._running += 1
            step = loop.run_in_executor(self._pool, self._work, [item for item, _ in batch])
            step.add_done_callback(partial(self._settle, [future for _, future in batch]))

    def _settle(self, futures: Sequence[asyncio.Future[R]], step: "asyncio.Future[Sequence[R | Exception]]") -> None:
        self._running -= 1
        error = step.exception()
        outcomes = [error] * len(futures) if error is not None else step.result()
        for future, outcome in zip(futures, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
        self._start()
