"""Alarms: what an operator must look at. Durable, one row for each subject, however often it is met."""

import logging

from msgspec import Struct

from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.database import Database, Transaction

_log = logging.getLogger(__name__)

AUDIO_MISSING = "audio-missing"
"""A recording is held, its bytes are not where they should be."""
AUDIO_ALTERED = "audio-altered"
"""A recording's bytes are not as many as were kept."""
RENDITION_FAILED = "rendition-failed"
"""A form of a recording's audio cannot be made."""


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

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sound(self, kind: str, tenant: TenantId, subject: str) -> None:
        """Raise an alarm, or note that it was met again."""
        _log.error("alarm %s: tenant %d, %s", kind, tenant, subject)
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

    async def clear(self, kind: str, tenant: TenantId, subject: str) -> None:
        """Take an alarm back: what it told of is mended."""

        async def work(transaction: Transaction) -> None:
            await transaction.execute(
                "DELETE FROM alarms WHERE kind = $1 AND tenant = $2 AND subject = $3", kind, tenant, subject
            )

        await self._database.write(work)

    async def all(self) -> list[Alarm]:
        """Return the alarms, newest first."""
        rows = await self._database.read(
            "SELECT kind, tenant, subject, first_at, last_at, times FROM alarms ORDER BY last_at DESC"
        )
        return [Alarm(*row) for row in rows]
