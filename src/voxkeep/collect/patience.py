"""How often a question is put again within a run, and how long the tenant waits before that.

After a 429 at least `refused_wait_seconds`, exponentially longer each time, with jitter. A vendor's Retry-After is
followed up to `longest_wait_seconds`; one that is longer leaves the rest for the next run. Requests of one source go
out one after the other, so that waiting here pauses the whole tenant.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import stamina

from voxkeep.collect.errors import BadAnswer, ComeBackLater, TooFast
from voxkeep.settings import Collect

T = TypeVar("T")
JITTER_SHARE = 0.25


class Patience:
    """Puts questions again as the settings say."""

    def __init__(self, settings: Collect) -> None:
        self._settings = settings

    def is_long(self, error: Exception) -> bool:
        """Tell whether the vendor asked for a longer wait than a run makes."""
        wait = error.wait_seconds if isinstance(error, ComeBackLater) else None
        return wait is not None and wait > self._settings.longest_wait_seconds

    def wait(self, error: Exception) -> bool | float:
        """Return the seconds to wait after a failure; True for the next step of the backoff, False to give up."""
        if isinstance(error, ComeBackLater):
            if self.is_long(error):
                return False
            if error.wait_seconds is None:
                return True
            return max(error.wait_seconds, self._settings.refused_wait_seconds if isinstance(error, TooFast) else 0.0)
        return isinstance(error, BadAnswer) and error.passing

    def attempts(self, most: int | None = None) -> AsyncIterator[stamina.Attempt]:
        """Yield attempts, at most `most` (as many as the settings say, unless given)."""
        shortest = self._settings.refused_wait_seconds
        return stamina.retry_context(
            on=self.wait,
            attempts=most or self._settings.attempts,
            timeout=None,
            wait_initial=shortest,
            wait_max=max(shortest, float(self._settings.longest_wait_seconds)),
            wait_jitter=shortest * JITTER_SHARE,
        ).__aiter__()

    async def ask(self, question: Callable[[], Awaitable[T]], most: int | None = None) -> T:
        """Return the answer, asking again while that makes sense. Raises the last failure."""
        async for attempt in self.attempts(most):
            with attempt:
                return await question()
        raise AssertionError("unreachable: the last attempt raises")
