import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from tests.server.harness import DemoProcess, World, demo_process

from voxkeep.archive.model import Tenant
from voxkeep.settings import Settings

Opener = Callable[[Settings], Awaitable[World]]
T = TypeVar("T")


class Ground:
    """A world in a thread of its own, for what hypothesis runs: that knows no loop. Every example takes a tenant."""

    def __init__(self, home: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._numbers = count()
        self.world = self.run(World(home, Settings()).open())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def tenant(self) -> tuple[Tenant, str]:
        """Return a new tenant and a token for it."""
        name = f"tenant-{next(self._numbers)}"
        tenant = self.run(self.world.tenant(name))
        return tenant, self.run(self.world.token(tenant, name=name))

    def close(self) -> None:
        self.run(self.world.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


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


@pytest.fixture
async def acme(world: World) -> Tenant:
    return await world.tenant("acme-ns", "acme.8x8.test", zone="America/Los_Angeles")


@pytest.fixture
async def other(world: World) -> Tenant:
    return await world.tenant("globex-ns", "globex.8x8.test")


@pytest.fixture
async def token(world: World, acme: Tenant) -> str:
    return await world.token(acme)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    """The real command's server over a demo of three pages of recordings."""
    with demo_process(tmp_path_factory.mktemp("demo") / "home", "--recordings", "120") as running:
        yield running


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    made = Ground(tmp_path_factory.mktemp("ground") / "home")
    yield made
    made.close()
