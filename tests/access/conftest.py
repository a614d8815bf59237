from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from voxkeep.access import MIGRATIONS, Access
from voxkeep.archive import Archive
from voxkeep.settings import Settings

Opener = Callable[..., Awaitable[Access]]


@pytest.fixture
def clock() -> list[int]:
    """The one moment all of a test's processes share; a test moves it by writing to it."""
    return [1_790_000_000_000]


@pytest.fixture
async def opened(tmp_path: Path, clock: list[int]) -> AsyncIterator[Opener]:
    """Open access to one and the same folder; each call stands for another process (a writer of its own)."""
    archives: list[Archive] = []

    async def opened_once(settings: Settings | None = None) -> Access:
        archive = await Archive.at(tmp_path, settings or Settings(), [MIGRATIONS])
        archives.append(archive)
        return Access(archive.database, archive.settings, archive.tenants, clock=lambda: clock[0])

    yield opened_once
    for archive in archives:
        await archive.close()


@pytest.fixture
async def access(opened: Opener) -> Access:
    return await opened()
