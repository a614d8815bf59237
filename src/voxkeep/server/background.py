"""Work beside the requests: missing renditions, removals whose grace is over. Durable rows, walked by one loop."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from voxkeep.archive import Archive

IDLE_SECONDS = 1.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def background(archive: Archive) -> AsyncIterator[None]:
    """Run the loop for as long as the context lasts; begins with a sweep of half-written files."""
    task = asyncio.create_task(_run(archive))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _run(archive: Archive) -> None:
    await _attempt(archive, _sweep)
    while True:
        if not await _attempt(archive, _due):
            await asyncio.sleep(IDLE_SECONDS)


async def _attempt(archive: Archive, work: Callable[[Archive], Awaitable[int]]) -> int:
    try:
        return await work(archive)
    except Exception:  # noqa: BLE001 -- see below
        # the loop's edge: the jobs are rows, still there when the disk or the database is well again
        _log.exception("background work failed and will be tried again")
        return 0


async def _sweep(archive: Archive) -> int:
    swept = await archive.sweep()
    if swept:
        _log.warning("%d half-written files of an earlier run were removed", swept)
    return swept


async def _due(archive: Archive) -> int:
    return await archive.renditions.make_due() + await archive.free_due()
