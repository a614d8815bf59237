"""Work handed to threads and awaited on event loops: a plain queue in, and many results at one wake of the loop out.

An executor's futures cost a wake of the loop each, and more for chaining one kind of future to another; under load
these hops were most of what a short read cost.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Job(Generic[T]):
    """Something on its way to a thread. Make it on the loop that awaits it; the thread sets its outcome."""

    def __init__(self, completions: "Completions") -> None:
        self.completions = completions
        self.future: asyncio.Future[T] = completions.loop.create_future()
        self.result: T | None = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Give the outcome to whoever awaits it; on the loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)  # type: ignore[arg-type] # set by the thread; None where T is None


class Completions:
    """Jobs that are done, on their way back to one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._done: deque[Job[object]] = deque()
        self._waking = False

    def put(self, job: "Job[T]") -> None:
        """Hand a finished job back; from any thread."""
        self._done.append(job)  # type: ignore[arg-type] # what a job results in does not matter here
        # first put in, then look: what is put in before the flag is cleared is seen by the wake under way
        if not self._waking:
            self._waking = True
            try:
                self.loop.call_soon_threadsafe(self._drain)
            except RuntimeError:
                # the loop was closed with work under way: nobody awaits it any more
                self._done.clear()

    def _drain(self) -> None:
        self._waking = False
        while self._done:
            self._done.popleft().settle()


class Loops:
    """The completions of each loop that asks; nearly always one."""

    def __init__(self) -> None:
        self._latest: Completions | None = None

    def here(self) -> Completions:
        """Return the completions of the running loop."""
        loop = asyncio.get_running_loop()
        if self._latest is None or self._latest.loop is not loop:
            self._latest = Completions(loop)
        return self._latest
