import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import pytest
from tests.server.harness import Answer, DemoProcess, World, demo_process
from tests.vendors.kazoo.customers import Customer, customer

from voxkeep.settings import Kazoo, Settings

T = TypeVar("T")
Opener = Callable[[Settings], Awaitable[World]]
UNLIMITED = Settings(kazoo=Kazoo(rate_limits=False))


class Ground:
    """A customer in a thread of its own, for what hypothesis runs: that knows no loop."""

    def __init__(self, home: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.world = self.run(World(home, UNLIMITED).open())
        self.customer = self.run(customer(self.world, "ground"))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def ask(self, target: str, query: Mapping[str, str], method: str = "GET") -> Answer:
        """Ask below the account with any query."""
        return self.run(self.customer.ask(method, f"{target}?{urlencode(query, errors='replace')}"))

    def close(self) -> None:
        self.run(self.world.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(20)
        self._loop.close()


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    made = Ground(tmp_path_factory.mktemp("ground") / "home")
    yield made
    made.close()


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
    """A world whose buckets are bottomless: tests ask more than a client may."""
    return await opened(UNLIMITED)


@pytest.fixture
async def acme(world: World) -> Customer:
    return await customer(world, "acme", "acme.sip.test")


@pytest.fixture
async def globex(world: World) -> Customer:
    return await customer(world, "globex", "globex.sip.test")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    """The real command's server over a demo."""
    with demo_process(tmp_path_factory.mktemp("demo") / "home", "--recordings", "40") as running:
        yield running
