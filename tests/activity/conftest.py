"""A real archive with the tables of activity, two tenants, and a clock that stands."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.activity.making import second

from voxkeep.activity import MIGRATIONS, Activity
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.settings import Settings

NewTenant = Callable[[], Awaitable[TenantId]]


@pytest.fixture
async def kept(tmp_path: Path) -> AsyncIterator[Archive]:
    archive = await Archive.at(tmp_path / "home", Settings(), [MIGRATIONS])
    yield archive
    await archive.close()


@pytest.fixture
def clock() -> list[EpochMs]:
    """The one moment it is; a test moves it by writing to it."""
    return [second(86_400)]


@pytest.fixture
def activity(kept: Archive, clock: list[EpochMs]) -> Activity:
    return Activity(kept, clock=lambda: clock[0])


@pytest.fixture
def new_tenant(kept: Archive) -> NewTenant:
    """Make one more tenant, for each example of a property."""
    made: list[TenantId] = []

    async def make() -> TenantId:
        tenant = await kept.tenants.add(Tenant(id=TenantId(0), name=f"tenant-{len(made)}"))
        made.append(tenant.id)
        return tenant.id

    return make


@pytest.fixture
async def acme(new_tenant: NewTenant) -> TenantId:
    return await new_tenant()
