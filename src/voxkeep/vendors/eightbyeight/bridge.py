"""The bridge from threads into the event loop: the archive and access live in the loop, FTP connections in threads.

Whatever the archive cannot do arrives on the other side as an OSError, which is what a file system's users expect.
"""

import asyncio
import errno
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Any, TypeVar

from voxkeep.archive.errors import ArchiveError
from voxkeep.audio.errors import AudioError
from voxkeep.database import DatabaseError, DatabaseFull
from voxkeep.vault import VaultError, VaultFull

T = TypeVar("T")

ANSWER_SECONDS = 120.0
"""How long a thread waits for one answer: a long recording may have to be made into a WAV."""
FULL = (DatabaseFull, VaultFull)

_log = logging.getLogger(__name__)


class Bridge:
    """Asks an event loop from other threads, until it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._loop = loop
        self._answer_seconds = answer_seconds
        self._lock = Lock()
        self._waiting: set[Future[Any]] = set()
        self._closed = False

    def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the loop and return its result.

        Raises OSError: ENOSPC, EIO for anything else that the archive cannot do, ETIMEDOUT, ESHUTDOWN when closed.
        """
        try:
            return self._answer(work)
        except CancelledError:
            raise _error(errno.ESHUTDOWN) from None
        except TimeoutError:
            _log.warning("the archive did not answer within %g s", self._answer_seconds)
            raise _error(errno.ETIMEDOUT) from None
        except (ArchiveError, AudioError, DatabaseError, VaultError) as error:
            _log.warning("the archive cannot answer: %s", error)
            raise _error(errno.ENOSPC if isinstance(error, FULL) else errno.EIO) from error

    def _answer(self, work: Coroutine[Any, Any, T]) -> T:
        with self._lock:
            if self._closed:
                work.close()
                raise CancelledError
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
            self._waiting.add(future)
        try:
            return future.result(self._answer_seconds)
        finally:
            future.cancel()
            with self._lock:
                self._waiting.discard(future)

    def each(self, chunks: AsyncIterator[T]) -> Iterator[T]:
        """Yield what an asynchronous iterator of the loop's yields, asked for one by one. Raises OSError."""

        async def following() -> T | None:
            return await anext(chunks, None)

        while (chunk := self(following())) is not None:
            yield chunk

    def soon(self, work: Callable[[], None]) -> None:
        """Have the loop do something that nobody waits for."""
        with self._lock:
            if not self._closed:
                self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        """Answer nobody any more; who is waiting is told at once. Called in the loop."""
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
        for future in waiting:
            future.cancel()


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
