"""The audit trail: who did, heard or was refused what, when. It holds no secrets and is never changed.

Listens and refusals are durable before they are answered; lists follow within a second (design, "Audit").
"""

import asyncio
import itertools
import logging
import re
import secrets
from collections import deque
from contextlib import suppress
from enum import StrEnum
from functools import partial

from msgspec import Struct

from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import Database, Row, Transaction, Value

_log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.5
FLUSHED_AT_ONCE = 500
WAITING_AT_MOST = 100_000
"""Entries held while the database refuses them; more are told in the log instead."""
LONGEST_TEXT = 500
TOKEN_LIKE = re.compile(r"vk_[A-Za-z0-9_-]{8,}")
COLUMNS = "at, user_name, tenant, action, subject, outcome, detail, remote"
INSERT = (
    f"INSERT INTO access_audit (seq, {COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "  # noqa: S608
    "ON CONFLICT (at, seq) DO NOTHING"
)

# Entries of one process follow each other within a millisecond too; another process counts from elsewhere.
_sequence = itertools.count(secrets.randbits(30) << 32)


class Action(StrEnum):
    """What can stand in the trail."""

    LISTEN = "recording.listen"
    LIST = "recording.list"
    LIST_CALLS = "call.list"
    REMOVE = "recording.remove"
    ANNOTATE = "recording.annotate"
    PUSH = "recording.push"
    LIST_TRANSCRIPTS = "transcript.list"
    READ_TRANSCRIPT = "transcript.read"
    REMOVE_TRANSCRIPT = "transcript.remove"
    SEARCH = "transcript.search"
    LIST_ROSTER = "roster.list"
    CHANGE_ROSTER = "roster.change"
    EVENTS = "event.take"
    COMMAND = "call.command"
    AUTHENTICATE = "authenticate"
    USER_ADD = "user.add"
    USER_REMOVE = "user.remove"
    TOKEN_ISSUE = "token.issue"  # noqa: S105 -- the name of an act
    TOKEN_REVOKE = "token.revoke"  # noqa: S105 -- the name of an act
    PASSWORD_SET = "password.set"  # noqa: S105 -- the name of an act
    PASSWORD_REMOVE = "password.remove"  # noqa: S105 -- the name of an act
    TENANT_ADD = "tenant.add"
    TENANT_CHANGE = "tenant.change"
    TENANT_LIMITS = "tenant.limits"
    EGRESS_RESET = "egress.reset"


class Outcome(StrEnum):
    """How it ended."""

    DONE = "done"
    REFUSED = "refused"


class AuditEntry(Struct, frozen=True):
    """One entry; `user` is a service user's name, or `cli:LOGIN`, or empty when nobody was recognised."""

    at: EpochMs
    user: str
    tenant: TenantId | None
    action: str
    subject: str
    """A recording's key, a user's name, a path: what it was done to."""
    outcome: str
    detail: str = ""
    remote: str = ""
    """Address it was asked from."""


def plain(text: str) -> str:
    """Return `text` fit for the trail: nothing like a token, nothing unprintable, not over 500 characters."""
    if "vk_" in text:
        text = TOKEN_LIKE.sub("vk_...", text)
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT]
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def _values(entry: AuditEntry) -> tuple[Value, ...]:
    return (
        next(_sequence),
        entry.at,
        plain(entry.user),
        entry.tenant,
        str(entry.action),
        plain(entry.subject),
        str(entry.outcome),
        plain(entry.detail),
        plain(entry.remote),
    )


async def append(transaction: Transaction, entry: AuditEntry) -> None:
    """Append an entry in the transaction of what it tells."""
    await transaction.execute(INSERT, *_values(entry))


class Audit:
    """The trail of an archive. `start` it before `note`, `stop` it before the database closes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[tuple[Value, ...]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._flushing = asyncio.Lock()

    def note(self, entry: AuditEntry) -> None:
        """Append an entry within a second; for lists, which are too many to wait for."""
        if len(self._waiting) >= WAITING_AT_MOST:
            _log.error("audit entry not kept, too many are waiting: %s", entry)
            return
        self._waiting.append(_values(entry))

    async def record(self, entry: AuditEntry) -> None:
        """Append an entry; it is durable when this returns. Raises DatabaseError."""
        await self._database.write(lambda transaction: append(transaction, entry))

    async def read(self, since: EpochMs, tenant: TenantId | None = None, limit: int = 1000) -> list[AuditEntry]:
        """Return the first `limit` entries from `since` on, of one tenant or of all, in order of time."""
        which, values = ("AND tenant = $3", (since, limit, tenant)) if tenant is not None else ("", (since, limit))
        rows = await self._database.read(
            f"SELECT {COLUMNS} FROM access_audit WHERE at >= $1 {which} ORDER BY at, seq LIMIT $2",  # noqa: S608
            *values,
        )
        return [_entry(row) for row in rows]

    def start(self) -> None:
        """Begin to write noted entries in the background."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._flush_forever(), name="audit")

    async def stop(self) -> None:
        """Write what is noted and end. What the database refuses even now is told in the log, entry by entry."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        try:
            await self.flush()
        finally:
            for values in self._waiting:
                _log.error("audit entry not kept: %s", values)

    async def flush(self) -> None:
        """Write what is noted. Raises DatabaseError; what was not written stays noted."""
        async with self._flushing:
            while self._waiting:
                batch = list(itertools.islice(self._waiting, FLUSHED_AT_ONCE))
                await self._database.write(partial(_append_all, batch))
                for _ in batch:
                    self._waiting.popleft()

    async def _flush_forever(self) -> None:
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception:  # noqa: BLE001 -- whatever it is, the trail goes on: the entries wait, and the log tells
                _log.exception("audit: %d entries wait, trying again", len(self._waiting))


async def _append_all(batch: list[tuple[Value, ...]], transaction: Transaction) -> None:
    await transaction.execute_many(INSERT, batch)


def _entry(row: Row) -> AuditEntry:
    at, user, tenant, action, subject, outcome, detail, remote = row
    return AuditEntry(at, user, tenant, action, subject, outcome, detail, remote)
