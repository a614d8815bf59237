"""A run: every source side by side, each at its own pace, each told in its own report."""

import asyncio
import time
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive import Archive
from voxkeep.archive.errors import ArchiveError
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.collect import plan
from voxkeep.collect.errors import CollectError, SourceUnusable
from voxkeep.collect.harvest import Harvest, Watch
from voxkeep.collect.lock import source_lock
from voxkeep.collect.pace import Pace
from voxkeep.collect.report import RunReport, SourceReport, iso
from voxkeep.collect.source import Connection, Factory, Slot, Source, Window
from voxkeep.collect.store import Ledger, Runs, SourceConfig, Sources
from voxkeep.database import DatabaseError
from voxkeep.vault import VaultError


def _no_secret() -> str:
    return ""


class Order(Struct, frozen=True, kw_only=True):
    """What is to be collected from one source."""

    config: SourceConfig
    factory: Factory
    secret: Callable[[], str]
    """Reads the secret. Raises SourceUnusable."""
    other_secret: Callable[[], str] = _no_secret
    """Reads the second one, where there is a second way to the vendor. Raises SourceUnusable."""
    since: EpochMs | None = None
    """Where to begin; None for where the last run ended."""
    until: EpochMs | None = None
    """Where to end; None for now."""


def _unwatched(report: SourceReport, share: float) -> None:
    del report, share


async def collect(archive: Archive, orders: Sequence[Order], watch: Watch = _unwatched) -> RunReport:
    """Collect from some sources at once, and report. Nothing that goes wrong with one of them stops another."""
    await archive.sweep()
    return RunReport.of(await asyncio.gather(*(_collect_one(archive, order, watch) for order in orders)))


def slots(archive: Archive, config: SourceConfig) -> Slot:
    """Return the slots of a source, at its pace; the caller holds its lock."""
    seconds = archive.settings.collect.pace_seconds if config.pace_seconds is None else config.pace_seconds
    sources = Sources(archive.database)
    return Pace(seconds, config.last_sent_at, lambda at: sources.sent(config.name, at)).slot


async def connect(archive: Archive, order: Order) -> Source:
    """Return the source of an order; close it. Raises SourceUnusable, UnknownTenant."""
    config = order.config
    connection = Connection(
        url=config.url,
        secret=order.secret(),
        tenant=config.tenant,
        tenant_name=await archive.tenants.name(config.tenant),
        slot=slots(archive, config),
        timeout_seconds=archive.settings.collect.timeout_seconds,
        options=config.options,
        other_secret=order.other_secret(),
    )
    return order.factory(connection)


async def _collect_one(archive: Archive, order: Order, watch: Watch) -> SourceReport:
    config = order.config
    report = SourceReport(source=config.name, tenant="", vendor=config.vendor)
    begun = time.monotonic()
    try:
        report.tenant = await archive.tenants.name(config.tenant)
        with source_lock(archive.home, config.name):
            await _recorded(archive, order, report, watch)
    except SourceUnusable as error:
        report.stopped, report.unusable = str(error), True
    except (CollectError, ArchiveError, DatabaseError, VaultError, OSError) as error:
        # the boundary between sources: a full disk, a broken file stops this one, with its reason in the report
        report.stopped = str(error)
    report.seconds = round(time.monotonic() - begun, 3)
    report.settle()
    return report


async def _recorded(archive: Archive, order: Order, report: SourceReport, watch: Watch) -> None:
    """Run one source between its two entries in the list of runs."""
    runs = Runs(archive.database, order.config.name)
    begun = time.monotonic()
    number = await runs.begin(now_ms())
    try:
        await _harvest(archive, order, report, watch)
    except (CollectError, DatabaseError, VaultError, OSError) as error:
        report.stopped, report.unusable = str(error), isinstance(error, SourceUnusable)
    report.seconds = round(time.monotonic() - begun, 3)
    report.settle()
    await runs.end(number, now_ms(), report.exit, report)


async def _harvest(archive: Archive, order: Order, report: SourceReport, watch: Watch) -> None:
    # another run may have ended between the reading of the order and the taking of its lock
    config = (await Sources(archive.database).named([order.config.name]))[0]
    span = await _span(archive, config, order)
    report.since, report.until = iso(span.first), iso(span.last)
    source = await connect(archive, replace(order, config=config))
    try:
        known = config.watermark or plan.default_start(now_ms(), archive.settings.collect)
        # a span that begins later would leave a hole behind the watermark
        watermark = known if span.first <= known else None
        await Harvest(archive, config, source, report, watch).run(span, watermark)
    finally:
        await source.close()
        oldest = await Ledger(archive.database, config.name).oldest_open()
        report.oldest_unfetched = "" if oldest is None else iso(oldest)


async def _span(archive: Archive, config: SourceConfig, order: Order) -> Window:
    settings, now = archive.settings.collect, now_ms()
    last = now if order.until is None else EpochMs(min(order.until, now))
    if order.since is not None:
        return Window(order.since, max(last, order.since))
    oldest = None
    if config.watermark is not None:
        oldest = await Ledger(archive.database, config.name).oldest_open(plan.earliest(config.watermark, settings))
    first = plan.start(config.watermark, oldest, now, settings)
    return Window(first, max(last, first))
