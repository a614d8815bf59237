"""Work beside the requests: missing renditions, removals whose grace is over. Durable rows, walked by one loop."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from voxkeep.archive import Archive
from voxkeep.archive.errors import ArchiveError
from voxkeep.database import DatabaseError
from voxkeep.vault import VaultError

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
    swept = await archive.sweep()
    if swept:
        _log.warning("%d half-written files of an earlier run were removed", swept)
    while True:
        try:
            done = await archive.renditions.make_due() + await archive.free_due()
        except (ArchiveError, DatabaseError, VaultError):
            # the jobs are rows: they are still there when the disk or the database is well again
            _log.exception("background work failed and will be tried again")
            done = 0
        if not done:
            await asyncio.sleep(IDLE_SECONDS)
