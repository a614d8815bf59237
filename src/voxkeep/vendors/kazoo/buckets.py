"""The rate limit of Kazoo: a bucket of tokens for each client address and account (reference 0.17).

A login costs more than any other request. A refused one empties the bucket, as Kazoo's does: who insists waits longer.
In memory, of this process, as Kazoo keeps them of each node.
"""

import time
from collections.abc import Callable

from voxkeep.settings import Kazoo
from voxkeep.vendors.kazoo.errors import too_many_requests
from voxkeep.vendors.kazoo.ids import HEX

MOST_BUCKETS = 20_000
"""Buckets held; for one more, those that are full again are forgotten, or else the one not used for longest."""


class Buckets:
    """The buckets of one server."""

    def __init__(
        self, settings: Kazoo, *, clock: Callable[[], float] = time.monotonic, most: int = MOST_BUCKETS
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._most = most
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}
        """What was left, and when (seconds); in order of last use."""

    def __len__(self) -> int:
        return len(self._buckets)

    def login(self, remote: str) -> None:
        """Take what a login costs. Raises KazooError (429)."""
        self.take(remote, "", self._settings.login_cost)

    def take(self, remote: str, account: str, cost: int) -> None:
        """Take `cost` tokens from the bucket of a client's address and an account's id. Raises KazooError (429).

        What is no id of an account shares the bucket of no account: a client chooses what stands in a path.
        """
        if not self._settings.rate_limits:
            return
        key = (remote, account if HEX.fullmatch(account) else "")
        now = self._clock()
        left = self._level(key, now) - cost
        self._buckets.pop(key, None)
        if len(self._buckets) >= self._most:
            self._forget(now)
        self._buckets[key] = (max(left, 0.0), now)
        if left < 0:
            raise too_many_requests()

    def _level(self, key: tuple[str, str], now: float) -> float:
        full = float(self._settings.bucket_tokens)
        left, since = self._buckets.get(key, (full, now))
        return min(full, left + (now - since) * self._settings.bucket_refill)

    def _forget(self, now: float) -> None:
        """Make room. What was not used for as long as filling takes is full, and says no more than none."""
        fills_in = self._settings.bucket_tokens / self._settings.bucket_refill
        while self._buckets:
            key = next(iter(self._buckets))
            if len(self._buckets) < self._most and now - self._buckets[key][1] < fills_in:
                return
            del self._buckets[key]
