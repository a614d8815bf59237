"""Durable folders: a new name is safe only once its folder is fsynced, and one fsync serves all names before it."""

import asyncio
import os
from concurrent.futures import Executor
from pathlib import Path


def fsync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder` (mode 0700) and what is missing above it, durably."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    ensure_folder(folder)


def ensure_folder(folder: Path) -> None:
    """Make `folder` (mode 0700) where it is missing, and its name durable in any case.

    One that is there may have been made a moment ago by another writer, who has not fsynced its parent yet.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    fsync_folder(folder.parent)


class FolderSync:
    """Shares the fsync of a folder among all who wait for it."""

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._next: dict[Path, asyncio.Task[None]] = {}
        self._running: dict[Path, asyncio.Task[None]] = {}

    async def sync(self, folder: Path) -> None:
        """Return when an fsync of `folder` that began after this call has ended."""
        task = self._next.get(folder)
        if task is None:
            task = asyncio.create_task(self._run(folder, self._running.get(folder)))
            self._next[folder] = task
        # one waiter's cancellation must not take the fsync from the others
        await asyncio.shield(task)

    async def _run(self, folder: Path, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        task = self._running[folder] = self._next.pop(folder)
        try:
            await asyncio.get_running_loop().run_in_executor(self._pool, fsync_folder, folder)
        finally:
            if self._running.get(folder) is task:
                del self._running[folder]
