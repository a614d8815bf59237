"""Logins: random tokens that are good for an hour, kept as their SHA-256 (reference 0.17, 4).

One that was good once is remembered for a day, since clients are told apart from strangers: see `errors.ended_token`.
"""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from voxkeep.access import AuditEntry
from voxkeep.access.audit import append
from voxkeep.access.epoch import bump
from voxkeep.archive.units import DAY_MS
from voxkeep.database import Database, Transaction, Value
from voxkeep.vendors.kazoo.accounts import secret_hash
from voxkeep.vendors.kazoo.credentials import KEY_COLUMNS

PREFIX = "vk_kazoo_"
RANDOM_BYTES = 32
REMEMBERED_MS = DAY_MS
INSERT = (
    "INSERT INTO kazoo_logins (hash, account, user_id, issued_at, expires_at, ended) VALUES ($1, $2, $3, $4, $5, 0)"
)


class Proof(NamedTuple):
    """What a login proved: a question whose one row (account, user) stands as long as that holds."""

    sql: str
    values: tuple[Value, ...]


class Login(Struct, frozen=True):
    """What is known of a token."""

    account: str
    user: str
    """Id of the user; empty for an API key."""
    expires_at: int
    ended: bool


def by_key(account: str, method: str, key: bytes) -> Proof:
    """Return the proof of a user's password; `key` is derived from 128 bits at least, so an index may look for it."""
    sql = f"SELECT account, id FROM kazoo_users WHERE account = $1 AND {KEY_COLUMNS[method]} = $2"  # noqa: S608 -- ours
    return Proof(sql, (account, key))


def by_api_key(api_key: str) -> Proof:
    """Return the proof of an account's API key."""
    return Proof("SELECT account, '' FROM kazoo_api_keys WHERE hash = $1", (secret_hash(api_key),))


class Logins:
    """The logins of an archive."""

    def __init__(self, database: Database, token_seconds: int, clock: Callable[[], int]) -> None:
        self._database = database
        self._lifetime_ms = token_seconds * 1000
        self._clock = clock

    async def proved(self, proof: Proof) -> tuple[str, str] | None:
        """Return whose a proof is, as (account, user), None for one that does not hold."""
        rows = await self._database.read(proof.sql, *proof.values)
        return (rows[0][0], rows[0][1]) if rows else None

    async def issue(self, proof: Proof, entry: AuditEntry) -> str | None:
        """Make a token for what is proved and return it, the only time it is seen; None when it holds no more.

        No cached value becomes untrue by it, so the epoch stands.
        """
        token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)

        async def work(transaction: Transaction) -> str | None:
            rows = await transaction.rows(proof.sql, *proof.values)
            if not rows:
                return None
            now = self._clock()
            await transaction.execute("DELETE FROM kazoo_logins WHERE expires_at < $1", now - REMEMBERED_MS)
            await transaction.execute(INSERT, secret_hash(token), *rows[0], now, now + self._lifetime_ms)
            await append(transaction, entry)
            return token

        return await self._database.write(work)

    async def end(self, token: str, entry: AuditEntry) -> None:
        """End a token now, in every process."""

        async def work(transaction: Transaction) -> None:
            await transaction.execute("UPDATE kazoo_logins SET ended = 1 WHERE hash = $1", secret_hash(token))
            await bump(transaction)
            await append(transaction, entry)

        await self._database.write(work)

    async def load(self, hashed: str) -> Login | None:
        """Return what is known of the token with a hash."""
        sql = "SELECT account, user_id, expires_at, ended FROM kazoo_logins WHERE hash = $1"
        rows = await self._database.read(sql, hashed)
        if not rows:
            return None
        account, user, expires_at, ended = rows[0]
        return Login(account, user, expires_at, bool(ended))
