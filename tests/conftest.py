"""What all tests share: a real archive in a fresh folder, and skips that fail where everything must be there."""

import os
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.archive import Archive
from voxkeep.collect import MIGRATIONS as COLLECT
from voxkeep.settings import Settings

# a shared machine may stall an example; promises are tested here, not times
settings.register_profile(
    "voxkeep", deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("voxkeep")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get("CI") == "true" and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped under CI: {report.longrepr}"
    return report


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    opened = await Archive.at(tmp_path / "home", Settings(), [ACCESS, COLLECT])
    yield opened
    await opened.close()
