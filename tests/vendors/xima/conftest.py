import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.server.harness import NO_LIMITS, DemoProcess, World, demo_process

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.access import Access
from voxkeep.archive import Archive
from voxkeep.settings import Settings

Opener = Callable[[Settings], Awaitable[World]]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opener]:
    """Open worlds with settings of their own, all in one home."""
    async with AsyncExitStack() as stack:

        async def open_one(settings: Settings) -> World:
            world = await World(tmp_path / "home", settings).open()
            stack.push_async_callback(world.close)
            return world

        yield open_one


@pytest.fixture
async def world(opened: Opener) -> World:
    return await opened(Settings())


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    """The real command's server over a demo of 12 recordings; acme-ns is not limited."""
    with demo_process(tmp_path_factory.mktemp("demo") / "home", "--recordings", "12") as running:
        asyncio.run(_lift_limits(running.home))
        yield running


async def _lift_limits(home: Path) -> None:
    archive = await Archive.at(home, Settings(), [ACCESS])
    try:
        access = Access(archive.database, archive.settings, archive.tenants)
        tenant = await archive.tenants.named("acme-ns")
        await access.gate.set_limits(tenant.id, NO_LIMITS, by="test")
    finally:
        await archive.close()
