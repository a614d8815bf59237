"""Alarms: what an operator must look at. Durable, one row for each subject, however often it is met."""

import logging
import time
from collections.abc import Sequence

from msgspec import Struct

from voxkeep.archive.errors import UnknownTenant
from voxkeep.archive.tenants import Tenants
from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.database import Database, Transaction

_log = logging.getLogger(__name__)

AUDIO_MISSING = "audio-missing"
"""A recording is held, its bytes are not where they should be."""
AUDIO_ALTERED = "audio-altered"
"""A recording's bytes are not as many as were kept."""
RENDITION_FAILED = "rendition-failed"
"""A form of a recording's audio cannot be made."""
PUSH_UNJOINED = "push-unjoined"
"""A recording was pushed of whose call others were collected, and it is not clear which of them it is."""
KINDS = (AUDIO_MISSING, AUDIO_ALTERED, RENDITION_FAILED, PUSH_UNJOINED)
LOOK_AGAIN_SECONDS = 10.0
"""How late another process's alarms may be known here."""
MOST_KNOWN = 100_000
"""Alarms kept in memory; those beyond are known when others of them are cleared."""


class Alarm(Struct, frozen=True):
    """One alarm."""

    kind: str
    tenant: TenantId
    subject: str
    first_at: EpochMs
    last_at: EpochMs
    times: int


class Alarms:
    """The alarms of an archive."""

    def __init__(self, database: Database, tenants: Tenants) -> None:
        self._database = database
        self._tenants = tenants
        self._known: set[tuple[str, TenantId, str]] = set()
        self._look_again_at = 0.0

    async def sound(self, kind: str, tenant: TenantId, subject: str, *, key: str = "") -> None:
        """Raise an alarm, or note that it was met again; `key` is what people know the subject by."""
        _log.error("alarm %s: tenant %s, recording %r (%s)", kind, await self._name(tenant), key, subject)
        now = now_ms()

        async def work(transaction: Transaction) -> None:
            await transaction.execute(
                "INSERT INTO alarms VALUES ($1, $2, $3, $4, $4, 1) ON CONFLICT (kind, tenant, subject) "
                "DO UPDATE SET last_at = excluded.last_at, times = alarms.times + 1",
                kind,
                tenant,
                subject,
                now,
            )

        await self._database.write(work)
        if len(self._known) < MOST_KNOWN:
            self._known.add((kind, tenant, subject))

    async def _name(self, tenant: TenantId) -> str:
        try:
            return await self._tenants.name(tenant)
        except UnknownTenant:
            return "(unknown)"

    async def standing(self, tenant: TenantId, subject: str, kinds: Sequence[str] = KINDS) -> list[str]:
        """Return which alarms stand for a subject, from memory: asked at every opening, it must cost nothing."""
        now = time.monotonic()
        if now >= self._look_again_at:
            self._look_again_at = now + LOOK_AGAIN_SECONDS
            rows = await self._database.read("SELECT kind, tenant, subject FROM alarms LIMIT $1", MOST_KNOWN)
            self._known = {(kind, TenantId(number), of) for kind, number, of in rows}
        return [kind for kind in kinds if (kind, tenant, subject) in self._known] if self._known else []

    async def clear(self, kind: str, tenant: TenantId, subject: str) -> None:
        """Take an alarm back: what it told of is mended."""

        async def work(transaction: Transaction) -> None:
            await transaction.execute(
                "DELETE FROM alarms WHERE kind = $1 AND tenant = $2 AND subject = $3", kind, tenant, subject
            )

        await self._database.write(work)
        self._known.discard((kind, tenant, subject))

    async def all(self) -> list[Alarm]:
        """Return the alarms, newest first."""
        rows = await self._database.read(
            "SELECT kind, tenant, subject, first_at, last_at, times FROM alarms ORDER BY last_at DESC"
        )
        return [Alarm(*row) for row in rows]
