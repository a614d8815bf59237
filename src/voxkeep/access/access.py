"""Access: the one object a server or command asks who may do what, how often."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from voxkeep.access.audit import Action, Audit, AuditEntry, Outcome, append
from voxkeep.access.directory import Directory
from voxkeep.access.epoch import Epoch, bump
from voxkeep.access.gate import AudioGate
from voxkeep.access.known import Known, KnownTenants
from voxkeep.access.limits import TenantLimits
from voxkeep.access.passwords import Passwords
from voxkeep.access.tokens import Tokens
from voxkeep.archive.model import Tenant
from voxkeep.archive.tenants import Tenants
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.database import Database, Transaction
from voxkeep.settings import Settings


class Access:
    """Access to one archive; `start` it to serve, `stop` it before the archive closes."""

    def __init__(
        self, database: Database, settings: Settings, tenants: Tenants, *, clock: Callable[[], int] = now_ms
    ) -> None:
        self._database = database
        self._tenants = tenants
        self.clock = clock
        """What is taken for now, in ms since 1970."""
        epoch = Epoch(database)
        self.tokens = Tokens(database, epoch, clock=clock)
        self.passwords = Passwords(database, epoch, clock=clock)
        self.directory = Directory(database, self.tokens, clock=clock)
        self.gate = AudioGate(database, settings.xima, epoch, clock=clock)
        self.audit = Audit(database)
        self.tenants_cache = KnownTenants(tenants, epoch)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the background work for as long as the context lasts: around everything that asks for access."""
        self.start()
        try:
            yield
        finally:
            await self.stop()

    def start(self) -> None:
        """Begin the background work: noted audit entries are written."""
        self.audit.start()

    async def stop(self) -> None:
        """End the background work; everything noted is written."""
        await self.audit.stop()

    async def known(self) -> Known:
        """Return the tenants as they are now, by name and by number."""
        return await self.tenants_cache.known()

    async def touch(self) -> None:
        """Let every process read users, tokens, limits and tenants again; after `Archive.tenants` was used directly."""
        await self._database.write(bump)

    async def add_tenant(
        self, tenant: Tenant, tenant_limits: TenantLimits | None = None, *, by: str = "operator"
    ) -> Tenant:
        """Add a tenant and its limits; audited, seen by every process at once. Raises BadTenant, TenantNameTaken."""

        async def also(transaction: Transaction, added: Tenant) -> None:
            await self._tell(transaction, added, Action.TENANT_ADD, by)
            if tenant_limits is not None:
                await self.gate.set_limits_in(transaction, added.id, tenant_limits, by=by)

        return await self._tenants.add(tenant, also)

    async def change_tenant(
        self, tenant: Tenant, tenant_limits: TenantLimits | None = None, *, by: str = "operator"
    ) -> None:
        """Change a tenant's host, zone or agents, and its limits; audited, seen by every process at once."""

        async def also(transaction: Transaction, _: Tenant) -> None:
            await self._tell(transaction, tenant, Action.TENANT_CHANGE, by)
            if tenant_limits is not None:
                await self.gate.set_limits_in(transaction, tenant.id, tenant_limits, by=by)

        await self._tenants.change(tenant, also)

    async def _tell(self, transaction: Transaction, tenant: Tenant, action: Action, by: str) -> None:
        await bump(transaction)
        detail = f"host {tenant.host or '-'}, zone {tenant.zone}, agents {tenant.licensed_agents}"
        at = EpochMs(self.clock())
        await append(transaction, AuditEntry(at, by, tenant.id, action, tenant.name, Outcome.DONE, detail))
