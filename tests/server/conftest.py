from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.server.harness import World

from voxkeep.settings import Settings


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    opened = await World(tmp_path / "home", Settings()).open()
    yield opened
    await opened.close()
