"""Changes: what happened in the archive, in a gapless sequence, written with what it tells.

Personal values stand beside the entry, each with a random salt; the entry itself holds only their salted hashes. So
erasing a value later leaves every entry, and anything chained over the entries, as it was.
"""

import hashlib
import os
from typing import Any

import msgspec
from msgspec import Struct

from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.database import Database, Transaction

SALT_BYTES = 16


class Change(Struct, frozen=True, kw_only=True):
    """One entry. `facts` are plain, `hashes` are SHA-256 over salt and value of the personal fields."""

    seq: int
    at: EpochMs
    kind: str
    """recording.kept, .examined, .annotated, .renewed, .removed, .freed; rendition.made;
    transcript.kept, .removed, .freed; agent.put, .removed; skill.put, .removed."""
    tenant: int
    subject: str
    """The id of the recording, transcript, agent or skill (the name of a skill without one)."""
    facts: dict[str, Any] = {}
    hashes: dict[str, bytes] = {}


class Personal(Struct, frozen=True):
    """A personal value and the salt its hash was made with."""

    value: str
    salt: bytes


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Change)
_personal_decoder = msgspec.msgpack.Decoder(dict[str, Personal])


def salted_hash(value: str, salt: bytes) -> bytes:
    """Return the hash that stands for a personal value in an entry."""
    return hashlib.sha256(salt + value.encode()).digest()


async def record(
    transaction: Transaction,
    kind: str,
    tenant: int,
    subject: str,
    facts: dict[str, Any],
    personal: dict[str, str] | None = None,
) -> int:
    """Append an entry in the transaction that makes it true, and return its number."""
    rows = await transaction.rows("UPDATE change_head SET seq = seq + 1 WHERE id = 1 RETURNING seq")
    seq: int = rows[0][0]
    values = {name: Personal(value, os.urandom(SALT_BYTES)) for name, value in (personal or {}).items() if value}
    hashes = {name: salted_hash(each.value, each.salt) for name, each in values.items()}
    at = now_ms()
    entry = Change(seq=seq, at=at, kind=kind, tenant=tenant, subject=subject, facts=facts, hashes=hashes)
    await transaction.execute("INSERT INTO changes VALUES ($1, $2, $3)", seq, at, _encoder.encode(entry))
    if values:
        await transaction.execute("INSERT INTO change_values VALUES ($1, $2)", seq, _encoder.encode(values))
    return seq


class Changes:
    """Reading the entries, and the durable cursor of each who follows them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self) -> int:
        """Return the number of the newest entry; 0 when there is none."""
        rows = await self._database.read("SELECT seq FROM change_head WHERE id = 1")
        return int(rows[0][0])

    async def after(self, seq: int, limit: int = 500) -> list[Change]:
        """Return up to `limit` entries that follow number `seq`, in order."""
        rows = await self._database.read("SELECT entry FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2", seq, limit)
        return [_decoder.decode(entry) for (entry,) in rows]

    async def personal(self, seq: int) -> dict[str, Personal]:
        """Return the personal values of entry `seq` that have not been erased."""
        rows = await self._database.read("SELECT personal FROM change_values WHERE seq = $1", seq)
        return _personal_decoder.decode(rows[0][0]) if rows else {}

    async def cursor(self, follower: str) -> int:
        """Return the number of the last entry that `follower` has dealt with."""
        rows = await self._database.read("SELECT seq FROM followers WHERE name = $1", follower)
        return rows[0][0] if rows else 0

    async def advance(self, follower: str, seq: int) -> None:
        """Remember durably that `follower` has dealt with everything up to `seq`."""

        async def work(transaction: Transaction) -> None:
            await transaction.execute(
                "INSERT INTO followers VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
                follower,
                seq,
            )

        await self._database.write(work)
