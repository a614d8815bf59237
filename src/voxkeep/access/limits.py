"""A tenant's limits and their running state: one row, locked by whoever is about to take from it."""

from msgspec import Struct, field

from voxkeep.archive.model import Tenant
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import Transaction
from voxkeep.settings import Xima


class TenantLimits(Struct, frozen=True):
    """What limits a tenant's audio requests."""

    enabled: bool = True
    """Off: nothing is refused; requests are still charged and audited."""
    egress_cap_bytes: int | None = None
    """Audio bytes in the rolling window; None reckons them from the licensed agents."""
    listing_limited: bool = False
    """Lists take slots of the audio request limit too (reference D9)."""
    api_enabled: bool = True
    """Off: recordings cannot be had over the API at all (seed 000: it is for approved accounts)."""

    def cap_bytes(self, tenant: Tenant, rule: Xima) -> int | None:
        """Return the egress cap, None for no cap: of a tenant without licensed agents, nothing can be reckoned."""
        if self.egress_cap_bytes is not None:
            return self.egress_cap_bytes
        return tenant.licensed_agents * rule.egress_bytes_per_agent or None


class Usage(Struct, frozen=True, kw_only=True):
    """What a tenant has used of its egress."""

    used_bytes: int
    cap_bytes: int | None
    """None: there is no cap."""
    window_days: int
    oldest_at: EpochMs | None
    """When the oldest bytes that count began to be charged."""
    oldest_leave_at: EpochMs | None
    """When they will count no more."""


class Meter(Struct):
    """The running state of a tenant's limits, inside a transaction."""

    tenant: TenantId
    limits: TenantLimits = field(default_factory=TenantLimits)
    accepted: tuple[int, ...] = ()
    """Times of the last accepted requests, in order."""
    used_bytes: int = 0
    """The sum of the tenant's egress buckets."""
    oldest_at: int | None = None
    newest_at: int | None = None
    """Begins of the oldest and the newest egress bucket."""
    resets: int = 0


LIMITS = "enabled, egress_cap_bytes, listing_limited, api_enabled"
STATE = "accepted, used_bytes, oldest_at, newest_at, resets"
SELECT_LIMITS = f"SELECT {LIMITS} FROM access_meters WHERE tenant = $1"  # noqa: S608
# An update that changes nothing makes the row where it is missing, locks it where rows are locked, and reads it.
LOCK = (
    f"INSERT INTO access_meters (tenant, {LIMITS}, {STATE}) VALUES ($1, 1, NULL, 0, 1, '', 0, NULL, NULL, 0) "  # noqa: S608
    f"ON CONFLICT (tenant) DO UPDATE SET resets = access_meters.resets RETURNING {LIMITS}, {STATE}"
)
SAVE = (
    "UPDATE access_meters SET accepted = $2, used_bytes = $3, oldest_at = $4, newest_at = $5, resets = $6 "
    "WHERE tenant = $1"
)
SET_LIMITS = (
    "UPDATE access_meters SET enabled = $2, egress_cap_bytes = $3, listing_limited = $4, api_enabled = $5 "
    "WHERE tenant = $1"
)


def limits_of(row: tuple[int, int | None, int, int]) -> TenantLimits:
    """Return the limits in a row of `LIMITS`."""
    enabled, cap, listing_limited, api_enabled = row
    return TenantLimits(bool(enabled), cap, bool(listing_limited), bool(api_enabled))


async def lock(transaction: Transaction, tenant: TenantId) -> Meter:
    """Return a tenant's meter; nobody else takes from it before the transaction ends."""
    row = (await transaction.rows(LOCK, tenant))[0]
    accepted, used_bytes, oldest_at, newest_at, resets = row[4:]
    times = tuple(int(part) for part in accepted.split())
    return Meter(tenant, limits_of(row[:4]), times, used_bytes, oldest_at, newest_at, resets)


async def save(transaction: Transaction, meter: Meter) -> None:
    """Keep a meter's state (not its limits)."""
    times = " ".join(str(at) for at in meter.accepted)
    await transaction.execute(
        SAVE, meter.tenant, times, meter.used_bytes, meter.oldest_at, meter.newest_at, meter.resets
    )


async def set_limits(transaction: Transaction, tenant: TenantId, limits: TenantLimits) -> None:
    """Keep a tenant's limits."""
    await lock(transaction, tenant)
    await transaction.execute(
        SET_LIMITS,
        tenant,
        int(limits.enabled),
        limits.egress_cap_bytes,
        int(limits.listing_limited),
        int(limits.api_enabled),
    )
