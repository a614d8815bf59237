"""The egress ledger: a tenant's audio bytes in buckets of 15 minutes, over a rolling window of days.

Bytes count for at least the window and at most a bucket longer. Buckets that no longer count are deleted in passing.
The caller holds the tenant's `Meter`, whose `used_bytes` is always the sum of the buckets.
"""

from msgspec import Struct

from voxkeep.access.limits import Meter
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import Transaction

BUCKET_MS = 15 * 60_000

EXPIRE = "DELETE FROM access_egress WHERE tenant = $1 AND at <= $2 RETURNING bytes"
FOLD = "DELETE FROM access_egress WHERE tenant = $1 AND at > $2 RETURNING bytes"
ADD = (
    "INSERT INTO access_egress VALUES ($1, $2, $3) "
    "ON CONFLICT (tenant, at) DO UPDATE SET bytes = access_egress.bytes + excluded.bytes"
)
OLDEST = "SELECT at FROM access_egress WHERE tenant = $1 ORDER BY at LIMIT 1"
BUCKETS = "SELECT at, bytes FROM access_egress WHERE tenant = $1 AND at > $2 ORDER BY at"
# the meter first, as everywhere: two transactions that lock in one order never wait for each other
TAKE_FROM_METER = (
    "UPDATE access_meters SET used_bytes = used_bytes - $3 WHERE tenant = $1 AND resets = $4 AND EXISTS "
    "(SELECT 1 FROM access_egress WHERE tenant = $1 AND at = $2 AND bytes >= $3)"
)
TAKE_FROM_BUCKET = "UPDATE access_egress SET bytes = bytes - $3 WHERE tenant = $1 AND at = $2"


class Charge(Struct, frozen=True):
    """Bytes charged to a tenant; what was not sent of them may be given back, once."""

    tenant: TenantId
    bucket_at: EpochMs
    bytes: int
    resets: int
    """How often the ledger had been reset then: what a reset forgave is not given back again."""


def bucket_of(at: int) -> EpochMs:
    """Return the begin of the bucket that a moment lies in."""
    return EpochMs(at - at % BUCKET_MS)


class Ledger:
    """The arithmetic and statements of a ledger whose window is `window_ms` long."""

    def __init__(self, window_ms: int) -> None:
        self._window_ms = window_ms

    def leaves_at(self, bucket_at: int) -> EpochMs:
        """Return when a bucket counts no more: the window after the last byte it may hold."""
        return EpochMs(bucket_at + BUCKET_MS + self._window_ms)

    def over_at(self, now: int) -> int:
        """Return the begin of the newest bucket that counts no more; older ones do not either."""
        return now - self._window_ms - BUCKET_MS

    async def settle(self, transaction: Transaction, meter: Meter, now: int) -> None:
        """Bring a meter up to `now`: forget what counts no more, and take what a clock set back left ahead as now."""
        if meter.newest_at is not None and meter.newest_at > now:
            await self._fold(transaction, meter, now)
        if meter.oldest_at is not None and meter.oldest_at <= self.over_at(now):
            await self._expire(transaction, meter, now)

    async def _fold(self, transaction: Transaction, meter: Meter, now: int) -> None:
        rows = await transaction.rows(FOLD, meter.tenant, now)
        bucket_at = bucket_of(now)
        await transaction.execute(ADD, meter.tenant, bucket_at, sum(row[0] for row in rows))
        meter.newest_at = bucket_at
        meter.oldest_at = bucket_at if meter.oldest_at is None else min(meter.oldest_at, bucket_at)

    async def _expire(self, transaction: Transaction, meter: Meter, now: int) -> None:
        rows = await transaction.rows(EXPIRE, meter.tenant, self.over_at(now))
        meter.used_bytes -= sum(row[0] for row in rows)
        left = await transaction.rows(OLDEST, meter.tenant)
        meter.oldest_at = left[0][0] if left else None
        if meter.oldest_at is None:
            meter.newest_at = None

    async def charge(self, transaction: Transaction, meter: Meter, now: int, length_bytes: int) -> Charge:
        """Charge bytes to a settled meter."""
        bucket_at = bucket_of(now)
        await transaction.execute(ADD, meter.tenant, bucket_at, length_bytes)
        meter.used_bytes += length_bytes
        meter.newest_at = bucket_at
        if meter.oldest_at is None:
            meter.oldest_at = bucket_at
        return Charge(meter.tenant, bucket_at, length_bytes, meter.resets)

    async def wait_ms(self, transaction: Transaction, meter: Meter, cap_bytes: int, now: int) -> int:
        """Return how long until enough has aged out that less than the cap is used, at most the whole window."""
        used = meter.used_bytes
        for at, size in await transaction.rows(BUCKETS, meter.tenant, self.over_at(now)):
            used -= size
            if used < cap_bytes:
                return self.leaves_at(at) - now
        return self._window_ms  # a cap of nothing


async def give_back(transaction: Transaction, charge: Charge, unsent_bytes: int) -> None:
    """Take what was not sent of a charge off the ledger, unless it counts no more anyway."""
    place = (charge.tenant, charge.bucket_at, min(unsent_bytes, charge.bytes))
    if await transaction.execute(TAKE_FROM_METER, *place, charge.resets):
        await transaction.execute(TAKE_FROM_BUCKET, *place)


async def forget(transaction: Transaction, meter: Meter) -> None:
    """Empty a tenant's ledger, as the vendor's support does on request (seed 002)."""
    await transaction.execute("DELETE FROM access_egress WHERE tenant = $1", meter.tenant)
    meter.used_bytes = 0
    meter.oldest_at = meter.newest_at = None
    meter.resets += 1
