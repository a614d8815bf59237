"""Tenants: names, hosts, zones.

A tenant is known by its name, its host and the host's first label, all in one namespace, without regard to case.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

from msgspec.structs import replace
from whenever import TimeZoneNotFoundError, ZonedDateTime

from voxkeep.archive.errors import ArchiveError, TenantNameTaken, UnknownTenant
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import TenantId
from voxkeep.database import Database, Transaction

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
HOST = re.compile(r"(?=.{1,253}$)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*")
MOST_AGENTS = 1_000_000
COLUMNS = "id, name, host, zone, licensed_agents"


Also = Callable[[Transaction, Tenant], Awaitable[None]]
"""What is kept together with a tenant or not at all."""


class BadTenant(ArchiveError):
    """A tenant's name, host, zone or number of agents that cannot be; the text names it."""


def names_of(tenant: Tenant) -> frozenset[str]:
    """Return every name a tenant is known by, in lower case."""
    names = {tenant.name.lower()}
    if tenant.host:
        names |= {tenant.host.lower(), tenant.host.lower().split(".")[0]}
    return frozenset(names)


def checked(tenant: Tenant) -> Tenant:
    """Return `tenant` if its fields can be; raises BadTenant naming the one that cannot."""
    if not NAME.fullmatch(tenant.name):
        raise BadTenant("name: letters, digits, - and _, at most 63, beginning with a letter or digit")
    if tenant.host and not HOST.fullmatch(tenant.host):
        raise BadTenant("host: not a host name")
    if not 0 <= tenant.licensed_agents <= MOST_AGENTS:
        raise BadTenant(f"agents: from 0 to {MOST_AGENTS}")
    try:
        ZonedDateTime(2000, 1, 1, tz=tenant.zone)
    except (TimeZoneNotFoundError, ValueError) as error:
        raise BadTenant(f"zone: no IANA time zone is called {tenant.zone!r}") from error
    return tenant


class Tenants:
    """The tenants of an archive."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._names: dict[TenantId, str] = {}

    async def name(self, tenant: TenantId) -> str:
        """Return a tenant's name, which never changes. Raises UnknownTenant."""
        if tenant not in self._names:
            self._names = {each.id: each.name for each in await self.all()}
        try:
            return self._names[tenant]
        except KeyError:
            raise UnknownTenant(f"no tenant has the number {tenant}") from None

    async def all(self) -> list[Tenant]:
        """Return all tenants, in order of name."""
        rows = await self._database.read(f"SELECT {COLUMNS} FROM tenants ORDER BY name")  # noqa: S608
        return [_tenant(row) for row in rows]

    async def named(self, name: str) -> Tenant:
        """Return the tenant known by `name`. Raises UnknownTenant."""
        if not name.isascii():  # none is, and lower() makes a k of the Kelvin sign
            raise UnknownTenant(f"no tenant is called {name!r}")
        rows = await self._database.read(
            f"SELECT {COLUMNS} FROM tenants "  # noqa: S608
            "WHERE id = (SELECT tenant FROM tenant_names WHERE name = $1)",
            name.lower(),
        )
        if not rows:
            raise UnknownTenant(f"no tenant is called {name!r}")
        return _tenant(rows[0])

    async def add(self, tenant: Tenant, also: Also | None = None) -> Tenant:
        """Keep a new tenant (its id is given here). Raises BadTenant, TenantNameTaken, or what `also` raises."""
        checked(tenant)

        async def work(transaction: Transaction) -> Tenant:
            rows = await transaction.rows("SELECT COALESCE(MAX(id), 0) + 1 FROM tenants")
            added = replace(tenant, id=TenantId(rows[0][0]))
            await _claim_names(transaction, added)
            await transaction.execute(
                f"INSERT INTO tenants ({COLUMNS}) VALUES ($1, $2, $3, $4, $5)",  # noqa: S608
                *_values(added),
            )
            if also is not None:
                await also(transaction, added)
            return added

        return await self._database.write(work)

    async def change(self, tenant: Tenant, also: Also | None = None) -> None:
        """Change a tenant's host, zone or agents; its name stays. Raises BadTenant, TenantNameTaken, UnknownTenant."""
        checked(tenant)

        async def work(transaction: Transaction) -> None:
            rows = await transaction.rows("SELECT name FROM tenants WHERE id = $1", tenant.id)
            if not rows:
                raise UnknownTenant(f"no tenant has the number {tenant.id}")
            await transaction.execute("DELETE FROM tenant_names WHERE tenant = $1", tenant.id)
            await _claim_names(transaction, replace(tenant, name=rows[0][0]))
            await transaction.execute(
                "UPDATE tenants SET host = $2, zone = $3, licensed_agents = $4 WHERE id = $1",
                tenant.id,
                tenant.host,
                tenant.zone,
                tenant.licensed_agents,
            )
            if also is not None:
                await also(transaction, tenant)

        await self._database.write(work)


async def _claim_names(transaction: Transaction, tenant: Tenant) -> None:
    for name in sorted(names_of(tenant)):
        rows = await transaction.rows(
            "INSERT INTO tenant_names VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING name", name, tenant.id
        )
        if not rows:
            raise TenantNameTaken(f"{name!r} is another tenant's name, host or host label")


def _values(tenant: Tenant) -> tuple[int | str, ...]:
    return (tenant.id, tenant.name, tenant.host, tenant.zone, tenant.licensed_agents)


def _tenant(row: tuple[object, ...]) -> Tenant:
    fields: Mapping[str, object] = dict(zip(COLUMNS.split(", "), row, strict=True))
    return Tenant(**fields)  # type: ignore[arg-type] # the table's columns are the struct's fields
