"""The gate before audio: the request limit and the egress cap of a tenant, checked and taken in one transaction.

What it grants is charged and audited durably before the first byte, right across processes and restarts. The two
limits and their order are reference D8, D27 and section 6. Knows no HTTP: the caller makes 429 and 509 of refusals.
"""

from collections.abc import Callable

from msgspec import Struct

from voxkeep.access import ledger, limits, rate
from voxkeep.access.audit import Action, AuditEntry, Outcome, append
from voxkeep.access.epoch import Epoch, EpochCache, bump
from voxkeep.access.ledger import Charge, Ledger
from voxkeep.access.limits import Meter, TenantLimits, Usage
from voxkeep.access.principals import Principal
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import DAY_MS, EpochMs, TenantId, now_ms
from voxkeep.database import Database, Transaction
from voxkeep.settings import Xima

CACHED_TENANTS = 10_000


class Granted(Struct, frozen=True):
    """The audio may be sent; it is charged in full."""

    charge: Charge


class TooOften(Struct, frozen=True):
    """Refused by the request limit; after so many whole seconds a request would be accepted."""

    retry_after_seconds: int


class EgressSpent(Struct, frozen=True):
    """Refused by the egress cap; after so many whole seconds enough will have aged out."""

    retry_after_seconds: int


class _Request(Struct, frozen=True):
    """What is asked for, as the audit tells it."""

    user: str
    tenant: TenantId
    action: str
    subject: str
    remote: str

    def entry(self, at: int, outcome: Outcome, detail: str) -> AuditEntry:
        return AuditEntry(EpochMs(at), self.user, self.tenant, self.action, self.subject, outcome, detail, self.remote)


class AudioGate:
    """The gate of an archive."""

    def __init__(self, database: Database, rule: Xima, epoch: Epoch, *, clock: Callable[[], int] = now_ms) -> None:
        self._database = database
        self._rule = rule
        self._clock = clock
        self._ledger = Ledger(rule.egress_window_days * DAY_MS)
        self._limits = EpochCache(epoch, self._load_limits, CACHED_TENANTS)

    async def admit(
        self, principal: Principal, tenant: Tenant, subject: str, length_bytes: int, remote: str
    ) -> Granted | TooOften | EgressSpent:
        """Take a slot and charge `length_bytes`, or refuse; what is returned is durable, its audit entry too.

        The caller has checked that `principal` may listen. Raises DatabaseError: then nothing was taken.
        """
        asked = _Request(principal.name, tenant.id, Action.LISTEN, subject, remote)

        async def work(transaction: Transaction) -> Granted | TooOften | EgressSpent:
            now = self._clock()
            meter = await self._meter(transaction, tenant.id, now)
            refusal = await self._refusal(transaction, meter, tenant, now)
            if refusal is not None:
                return await self._refused(transaction, meter, asked, now, refusal)
            meter.accepted = rate.with_accepted(self._rule, meter.accepted, now)
            charge = await self._ledger.charge(transaction, meter, now, length_bytes)
            await limits.save(transaction, meter)
            await append(transaction, asked.entry(now, Outcome.DONE, f"{length_bytes} bytes"))
            return Granted(charge)

        return await self._database.write(work)

    async def give_back(self, charge: Charge, unsent_bytes: int) -> None:
        """Take what was not sent of a charge off the ledger; once for each charge. Its slot stays taken."""
        if unsent_bytes > 0:
            await self._database.write(lambda transaction: ledger.give_back(transaction, charge, unsent_bytes))

    async def admit_list(
        self, principal: Principal, tenant: TenantId, subject: str, remote: str, action: str = Action.LIST
    ) -> TooOften | None:
        """Take a slot for a list where the tenant's limits say so (reference D9); None lets it pass.

        Only refusals are audited here, durably. Where lists are not limited, nothing is written at all.
        """
        if not (await self.limits(tenant)).listing_limited:
            return None
        asked = _Request(principal.name, tenant, action, subject, remote)

        async def work(transaction: Transaction) -> TooOften | None:
            now = self._clock()
            meter = await self._meter(transaction, tenant, now)
            refusal = self._too_often(meter, now)
            if refusal is not None:
                await self._refused(transaction, meter, asked, now, refusal)
                return refusal
            meter.accepted = rate.with_accepted(self._rule, meter.accepted, now)
            await limits.save(transaction, meter)
            return None

        return await self._database.write(work)

    async def _meter(self, transaction: Transaction, tenant: TenantId, now: int) -> Meter:
        meter = await limits.lock(transaction, tenant)
        meter.accepted = rate.in_order(meter.accepted, now)
        await self._ledger.settle(transaction, meter, now)
        return meter

    async def _refusal(
        self, transaction: Transaction, meter: Meter, tenant: Tenant, now: int
    ) -> TooOften | EgressSpent | None:
        refusal = self._too_often(meter, now)
        cap_bytes = meter.limits.cap_bytes(tenant, self._rule)
        if refusal is not None or not meter.limits.enabled or cap_bytes is None or meter.used_bytes < cap_bytes:
            return refusal
        return EgressSpent(_seconds(await self._ledger.wait_ms(transaction, meter, cap_bytes, now)))

    def _too_often(self, meter: Meter, now: int) -> TooOften | None:
        wait_ms = rate.wait_ms(self._rule, meter.accepted, now) if meter.limits.enabled else 0
        return TooOften(_seconds(wait_ms)) if wait_ms else None

    async def _refused(
        self, transaction: Transaction, meter: Meter, asked: _Request, now: int, refusal: TooOften | EgressSpent
    ) -> TooOften | EgressSpent:
        # kept although nothing was taken: times ahead of a clock set back must count as now only once
        await limits.save(transaction, meter)
        why = "too often" if isinstance(refusal, TooOften) else "egress spent"
        detail = f"{why}, retry after {refusal.retry_after_seconds} s"
        await append(transaction, asked.entry(now, Outcome.REFUSED, detail))
        return refusal

    async def limits(self, tenant: TenantId) -> TenantLimits:
        """Return a tenant's limits as they are now; cached."""
        return await self._limits.get(tenant) or TenantLimits()

    async def _load_limits(self, tenant: TenantId) -> TenantLimits:
        rows = await self._database.read(limits.SELECT_LIMITS, tenant)
        return limits.limits_of(rows[0]) if rows else TenantLimits()

    async def set_limits(self, tenant: TenantId, wanted: TenantLimits, *, by: str) -> None:
        """Set a tenant's limits; audited."""
        await self._database.write(lambda transaction: self.set_limits_in(transaction, tenant, wanted, by=by))

    async def set_limits_in(self, transaction: Transaction, tenant: TenantId, wanted: TenantLimits, *, by: str) -> None:
        """Set a tenant's limits in a transaction that does more."""
        await limits.set_limits(transaction, tenant, wanted)
        await bump(transaction)
        at = EpochMs(self._clock())
        await append(transaction, AuditEntry(at, by, tenant, Action.TENANT_LIMITS, "", Outcome.DONE, describe(wanted)))

    async def usage(self, tenant: Tenant) -> Usage:
        """Return what a tenant has used of its egress."""
        now = self._clock()
        rows = await self._database.read(ledger.BUCKETS, tenant.id, self._ledger.over_at(now))
        oldest_at = EpochMs(min(rows[0][0], ledger.bucket_of(now))) if rows else None
        return Usage(
            used_bytes=sum(size for _, size in rows),
            cap_bytes=(await self.limits(tenant.id)).cap_bytes(tenant, self._rule),
            window_days=self._rule.egress_window_days,
            oldest_at=oldest_at,
            oldest_leave_at=None if oldest_at is None else self._ledger.leaves_at(oldest_at),
        )

    async def reset_egress(self, tenant: TenantId, *, by: str) -> None:
        """Empty a tenant's ledger; audited. The vendor's support does just that on request (seed 002)."""

        async def work(transaction: Transaction) -> None:
            now = EpochMs(self._clock())
            meter = await self._meter(transaction, tenant, now)
            detail = f"{meter.used_bytes} bytes forgiven"
            await ledger.forget(transaction, meter)
            await limits.save(transaction, meter)
            await append(transaction, AuditEntry(now, by, tenant, Action.EGRESS_RESET, "", Outcome.DONE, detail))

        await self._database.write(work)


def describe(wanted: TenantLimits) -> str:
    """Return limits in words, for the audit."""
    cap = "by agents" if wanted.egress_cap_bytes is None else f"{wanted.egress_cap_bytes} bytes"
    return (
        f"limits {'on' if wanted.enabled else 'off'}, egress cap {cap}, "
        f"lists {'limited' if wanted.listing_limited else 'not limited'}, API {'on' if wanted.api_enabled else 'off'}"
    )


def _seconds(wait_ms: int) -> int:
    return -(-wait_ms // 1000)
