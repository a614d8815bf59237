"""Work beside the requests: missing renditions, removals whose grace is over, deliveries, calls that are over.

All of it durable rows. Deliveries and calls have loops of their own, so that neither a slow receiver nor a long
recording holds up anything else.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from voxkeep.activity import Activity
from voxkeep.archive import Archive
from voxkeep.deliver import Deliveries

IDLE_SECONDS = 1.0
_log = logging.getLogger(__name__)


@asynccontextmanager
async def background(archive: Archive, activity: Activity) -> AsyncIterator[None]:
    """Run the loops for as long as the context lasts; begins with a sweep of half-written files."""
    rule = archive.settings.deliver
    deliveries = Deliveries(archive, rule)
    sending = (_forever(deliveries.send_next) for _ in range(rule.at_once))
    loops = [_run(archive), _forever(activity.settle), *sending]
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


async def _run(archive: Archive) -> None:
    await _attempt(lambda: _sweep(archive))
    await _forever(lambda: _due(archive))


async def _forever(work: Callable[[], Awaitable[int]]) -> None:
    while True:
        if not await _attempt(work):
            await asyncio.sleep(IDLE_SECONDS)


async def _attempt(work: Callable[[], Awaitable[int]]) -> int:
    try:
        return await work()
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
