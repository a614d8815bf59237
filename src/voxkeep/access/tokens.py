"""Bearer tokens: `vk_` and 256 random bits, shown once, kept as a SHA-256; expiry and rotation.

A token revoked by any process is dead at the next request in every process (design, "Several processes").
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable

import msgspec
from msgspec import Struct

from voxkeep.access.audit import Action, AuditEntry, Outcome, append
from voxkeep.access.epoch import Epoch, EpochCache, bump
from voxkeep.access.errors import UnknownUser
from voxkeep.access.principals import Grant, Principal
from voxkeep.archive.query import Visibility
from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.database import Database, Row, Transaction

PREFIX = "vk_"
RANDOM_BYTES = 32
FORM = re.compile(r"vk_[A-Za-z0-9_-]{43}")
HINT_LENGTH = 4
CACHED_TOKENS = 10_000

OVERLAP = "UPDATE access_tokens SET expires_at = $2 WHERE user_id = $1 AND (expires_at IS NULL OR expires_at > $2)"
INSERT = "INSERT INTO access_tokens (hash, user_id, hint, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)"
LOAD = (
    "SELECT t.hash, t.expires_at, u.id, u.name, g.tenant, g.permissions, g.agents, g.skills FROM access_tokens t "
    "JOIN access_users u ON u.id = t.user_id LEFT JOIN access_grants g ON g.user_id = u.id WHERE t.hash = $1"
)
LIST = (
    "SELECT u.name, t.hint, t.created_at, t.expires_at FROM access_tokens t JOIN access_users u ON u.id = t.user_id "
    "ORDER BY u.name, t.created_at, t.hash"
)

_texts = msgspec.json.Decoder(frozenset[str])


class TokenInfo(Struct, frozen=True):
    """What may be told of a token: never the token."""

    user: str
    hint: str
    """Its last four characters, to tell tokens apart."""
    created_at: EpochMs
    expires_at: EpochMs | None


class _Known(Struct, frozen=True):
    """A token that was found: whose it is, and until when."""

    principal: Principal
    expires_at: int | None


def hash_of(token: str) -> str:
    """Return what is kept of a token: its SHA-256. Its 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()


class Tokens:
    """The tokens of an archive's service users."""

    def __init__(self, database: Database, epoch: Epoch, *, clock: Callable[[], int] = now_ms) -> None:
        self._database = database
        self._clock = clock
        self._cache = EpochCache(epoch, self._load, CACHED_TOKENS)

    async def authenticate(self, token: str) -> Principal | None:
        """Return whose `token` is; None for one that is unknown, revoked or over."""
        if FORM.fullmatch(token) is None:
            return None
        known = await self._cache.get(hash_of(token))
        if known is None or (known.expires_at is not None and known.expires_at <= self._clock()):
            return None
        return known.principal

    async def _load(self, token_hash: str) -> _Known | None:
        rows = await self._database.read(LOAD, token_hash)
        if not rows or not hmac.compare_digest(rows[0][0], token_hash):
            return None
        _, expires_at, user_id, name = rows[0][:4]
        grants = {TenantId(row[4]): grant_of(row[5:]) for row in rows if row[4] is not None}
        return _Known(Principal(user_id, name, grants), expires_at)

    async def issue(
        self,
        user: str,
        expires_at: EpochMs | None = None,
        overlap_ms: int = 0,
        *,
        by: str = "operator",
    ) -> str:
        """Make a user's new token and return it, the only time it is seen.

        The user's older tokens die now, or `overlap_ms` later where they would live longer. Raises UnknownUser.
        """
        return await self._database.write(
            lambda transaction: self.issue_in(transaction, user, expires_at, overlap_ms, by=by)
        )

    async def issue_in(
        self,
        transaction: Transaction,
        user: str,
        expires_at: EpochMs | None = None,
        overlap_ms: int = 0,
        *,
        by: str,
    ) -> str:
        """Make a user's new token in a transaction that does more; see `issue`."""
        now = EpochMs(self._clock())
        user_id = await user_id_of(transaction, user)
        token = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
        await transaction.execute(OVERLAP, user_id, now + overlap_ms)
        await transaction.execute("DELETE FROM access_tokens WHERE user_id = $1 AND expires_at <= $2", user_id, now)
        await transaction.execute(INSERT, hash_of(token), user_id, token[-HINT_LENGTH:], now, expires_at)
        await bump(transaction)
        detail = f"older tokens die {'now' if not overlap_ms else f'in {overlap_ms // 1000} s'}"
        await append(transaction, AuditEntry(now, by, None, Action.TOKEN_ISSUE, user, Outcome.DONE, detail))
        return token

    async def revoke(self, user: str, *, by: str = "operator") -> int:
        """Kill all of a user's tokens and return how many there were. Raises UnknownUser."""

        async def work(transaction: Transaction) -> int:
            user_id = await user_id_of(transaction, user)
            revoked = await transaction.execute("DELETE FROM access_tokens WHERE user_id = $1", user_id)
            await bump(transaction)
            at, detail = EpochMs(self._clock()), f"{revoked} tokens"
            await append(transaction, AuditEntry(at, by, None, Action.TOKEN_REVOKE, user, Outcome.DONE, detail))
            return revoked

        return await self._database.write(work)

    async def list(self) -> list[TokenInfo]:
        """Return what may be told of all tokens, by user and age; those that are over stay until the next one."""
        return [TokenInfo(*row) for row in await self._database.read(LIST)]


async def user_id_of(transaction: Transaction, user: str) -> int:
    """Return a user's number. Raises UnknownUser."""
    rows = await transaction.rows("SELECT id FROM access_users WHERE name = $1", user)
    if not rows:
        raise UnknownUser(f"no service user is called {user!r}")
    return int(rows[0][0])


def grant_of(row: Row) -> Grant:
    """Return the grant in a row of (permissions, agents, skills)."""
    permissions, agents, skills = (_texts.decode(text) for text in row)
    return Grant(permissions, Visibility(agents, skills))
