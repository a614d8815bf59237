"""A vendor and an archive to collect into, with short waits."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.vendors.xima.vendor import NOON, TOKEN, Vendor

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.archive import Archive
from voxkeep.archive.model import Recording, Tenant
from voxkeep.archive.units import HOUR_MS, EpochMs, TenantId
from voxkeep.collect import MIGRATIONS, Order, SourceConfig, SourceReport, Sources, collect
from voxkeep.settings import Collect, Settings
from voxkeep.vendors.xima.source import XimaSource

QUICK = Collect(pace_seconds=0.0, refused_wait_seconds=0.002, longest_wait_seconds=1, timeout_seconds=5)


class Rig:
    """One source of one vendor, collected into one archive."""

    def __init__(self, archive: Archive, vendor: Vendor, tenant: TenantId) -> None:
        self.archive = archive
        self.vendor = vendor
        self.tenant = tenant
        self.sources = Sources(archive.database)

    async def order(self, name: str = "acme", since: int | None = None, until: int | None = None) -> Order:
        (config,) = await self.sources.named([name])
        first = NOON - HOUR_MS if since is None else since
        last = NOON + 2 * HOUR_MS if until is None else until
        return Order(config=config, factory=XimaSource, secret=lambda: TOKEN, since=EpochMs(first), until=EpochMs(last))

    async def run(self, **changes: Any) -> SourceReport:
        report = (await collect(self.archive, [await self.order(**changes)])).sources[0]
        assert report.listed == (
            report.new + report.held + report.pending + report.gone + report.failed + report.rejected
        )
        assert len(report.missing) == report.listed - report.new - report.held
        return report

    async def run_unbounded(self) -> SourceReport:
        order = replace(await self.order(), since=None, until=None)
        return (await collect(self.archive, [order])).sources[0]

    async def held(self, key: str) -> Recording | None:
        return await self.archive.by_key(self.tenant, "xima", key)

    async def bytes_of(self, key: str) -> bytes:
        recording = await self.held(key)
        assert recording is not None
        reader = await self.archive.open(recording)
        try:
            return await reader.pread(0, reader.size)
        finally:
            reader.close()

    async def watermark(self, name: str = "acme") -> int | None:
        (config,) = await self.sources.named([name])
        return config.watermark

    def quarantine(self) -> list[Path]:
        return sorted((self.archive.home / "quarantine").glob("*"))

    def settings(self, **changes: Any) -> None:
        self.archive.settings = replace(self.archive.settings, collect=replace(QUICK, **changes))


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as started:
        yield started


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    opened = await Archive.at(tmp_path / "home", Settings(collect=QUICK), [ACCESS, MIGRATIONS])
    yield opened
    await opened.close()


@pytest.fixture
async def rig(archive: Archive, vendor: Vendor) -> Rig:
    tenant = await archive.tenants.add(Tenant(id=TenantId(0), name="acme"))
    made = Rig(archive, vendor, tenant.id)
    await made.sources.add(SourceConfig(name="acme", vendor="xima", url=vendor.url, tenant=tenant.id))
    return made
