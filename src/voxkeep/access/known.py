"""The tenants as a request looks them up: by any of their names, by number. Held in memory, checked by the epoch."""

from collections.abc import Mapping

from msgspec import Struct

from voxkeep.access.epoch import Epoch, EpochCache
from voxkeep.archive.model import Tenant
from voxkeep.archive.tenants import Tenants, names_of
from voxkeep.archive.units import TenantId


class Known(Struct, frozen=True):
    """All tenants at one moment."""

    by_name: Mapping[str, Tenant]
    """By name, host and host label, each in lower case."""
    by_id: Mapping[TenantId, Tenant]

    def under_host(self, host: str) -> Tenant | None:
        """Return the tenant whose own host this is (in lower case), None for any other host."""
        asked = self.by_name.get(host)
        return asked if asked is not None and asked.host.lower() == host else None


class KnownTenants:
    """The tenants of an archive, read again once the epoch has moved."""

    def __init__(self, tenants: Tenants, epoch: Epoch) -> None:
        self._tenants = tenants
        self._cache: EpochCache[None, Known] = EpochCache(epoch, self._load, 1)

    async def known(self) -> Known:
        """Return the tenants as they are now."""
        return await self._cache.get(None) or Known({}, {})

    async def _load(self, _: None) -> Known:
        tenants = await self._tenants.all()
        return Known(
            {name: tenant for tenant in tenants for name in names_of(tenant)},
            {tenant.id: tenant for tenant in tenants},
        )
