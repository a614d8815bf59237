"""Passwords of tenants, one for each purpose: for protocols that know a tenant and a password, and no service users.

Made like tokens: 256 random bits, shown once, kept as a SHA-256. A new one kills the old one at once, in every process.
A password is no token and a token is no password: each stands in its own table.
"""

import hmac
import secrets
from collections.abc import Callable

from voxkeep.access.audit import Action, AuditEntry, Outcome, append
from voxkeep.access.epoch import Epoch, EpochCache, bump
from voxkeep.access.tokens import RANDOM_BYTES, hash_of
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.database import Database, Transaction

FTPS = "ftps"
"""The purpose of the password that opens a tenant's FTPS tree."""
PREFIX = "vk_ftps_"
"""Begins as tokens do, so that whatever keeps those out of trails and logs keeps passwords out too."""
CACHED_PASSWORDS = 10_000

SET = (
    "INSERT INTO access_passwords (tenant, purpose, hash, created_at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (tenant, purpose) DO UPDATE SET hash = excluded.hash, created_at = excluded.created_at"
)


class Passwords:
    """The passwords of an archive's tenants."""

    def __init__(self, database: Database, epoch: Epoch, *, clock: Callable[[], int] = now_ms) -> None:
        self._database = database
        self._clock = clock
        self._cache = EpochCache(epoch, self._load, CACHED_PASSWORDS)

    async def issue(self, tenant: Tenant, purpose: str = FTPS, *, by: str = "operator") -> str:
        """Make a tenant's new password and return it, the only time it is seen; the older one dies now."""
        password = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)

        async def work(transaction: Transaction) -> None:
            now = EpochMs(self._clock())
            await transaction.execute(SET, tenant.id, purpose, hash_of(password), now)
            await bump(transaction)
            entry = AuditEntry(now, by, tenant.id, Action.PASSWORD_SET, tenant.name, Outcome.DONE, purpose)
            await append(transaction, entry)

        await self._database.write(work)
        return password

    async def remove(self, tenant: Tenant, purpose: str = FTPS, *, by: str = "operator") -> bool:
        """Kill a tenant's password; False when there was none."""

        async def work(transaction: Transaction) -> bool:
            now = EpochMs(self._clock())
            sql = "DELETE FROM access_passwords WHERE tenant = $1 AND purpose = $2"
            removed = await transaction.execute(sql, tenant.id, purpose)
            await bump(transaction)
            detail = purpose if removed else f"{purpose}, there was none"
            entry = AuditEntry(now, by, tenant.id, Action.PASSWORD_REMOVE, tenant.name, Outcome.DONE, detail)
            await append(transaction, entry)
            return bool(removed)

        return await self._database.write(work)

    async def holds(self, tenant: TenantId, password_hash: str, purpose: str = FTPS) -> bool:
        """Tell whether the tenant's password is the one of this hash (`tokens.hash_of`), as of now.

        Compared in constant time. Who was let in is asked for again by the hash: nobody need keep a password.
        """
        kept = await self._cache.get((tenant, purpose))
        return kept is not None and hmac.compare_digest(kept, password_hash)

    async def _load(self, key: tuple[TenantId, str]) -> str | None:
        rows = await self._database.read("SELECT hash FROM access_passwords WHERE tenant = $1 AND purpose = $2", *key)
        return str(rows[0][0]) if rows else None
