"""The directory of service users: names, and what each may do in which tenant (reference section 7).

A name is unique in the archive and never changes: make a new user, remove the old. A user is no person and no agent.
"""

import re
from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from voxkeep.access.audit import Action, AuditEntry, Outcome, append
from voxkeep.access.epoch import bump
from voxkeep.access.errors import BadUser, UserExists
from voxkeep.access.principals import EVERYTHING, Grant
from voxkeep.access.tokens import Tokens, grant_of, user_id_of
from voxkeep.archive.units import EpochMs, TenantId, now_ms
from voxkeep.database import Database, Transaction

NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9 ._@-]{0,61}[A-Za-z0-9._@-])?")

INSERT_USER = (
    "INSERT INTO access_users (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING RETURNING id"
)
INSERT_GRANT = "INSERT INTO access_grants (user_id, tenant, permissions, agents, skills) VALUES ($1, $2, $3, $4, $5)"
LIST = (
    "SELECT u.name, u.created_at, g.tenant, g.permissions, g.agents, g.skills FROM access_users u "
    "LEFT JOIN access_grants g ON g.user_id = u.id ORDER BY u.name, g.tenant"
)


class User(Struct, frozen=True):
    """A service user, and its grants by tenant."""

    name: str
    created_at: EpochMs
    grants: Mapping[TenantId, Grant]


class Directory:
    """The service users of an archive."""

    def __init__(self, database: Database, tokens: Tokens, *, clock: Callable[[], int] = now_ms) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock

    async def add(self, name: str, grants: Mapping[TenantId, Grant], *, by: str = "operator") -> None:
        """Add a user. Raises BadUser, UserExists."""
        checked(name, grants)
        await self._database.write(lambda transaction: self._add(transaction, name, grants, by))

    async def add_with_token(
        self,
        name: str,
        grants: Mapping[TenantId, Grant],
        expires_at: EpochMs | None = None,
        *,
        by: str = "operator",
    ) -> str:
        """Add a user and return its first token, the only time it is seen. Raises BadUser, UserExists."""
        checked(name, grants)

        async def work(transaction: Transaction) -> str:
            await self._add(transaction, name, grants, by)
            return await self._tokens.issue_in(transaction, name, expires_at, by=by)

        return await self._database.write(work)

    async def _add(self, transaction: Transaction, name: str, grants: Mapping[TenantId, Grant], by: str) -> None:
        now = EpochMs(self._clock())
        ((user_id,),) = await transaction.rows("SELECT COALESCE(MAX(id), 0) + 1 FROM access_users")
        if not await transaction.rows(INSERT_USER, user_id, name, now):
            raise UserExists(f"a service user is called {name!r} already")
        for tenant, grant in grants.items():
            texts = (grant.permissions, grant.visibility.agents, grant.visibility.skills)
            await transaction.execute(INSERT_GRANT, user_id, tenant, *map(_json, texts))
            entry = AuditEntry(now, by, tenant, Action.USER_ADD, name, Outcome.DONE, describe(grant))
            await append(transaction, entry)
        await bump(transaction)

    async def remove(self, name: str, *, by: str = "operator") -> None:
        """Remove a user with its grants and tokens; they are dead at once. Raises UnknownUser."""

        async def work(transaction: Transaction) -> None:
            user_id = await user_id_of(transaction, name)
            tenants = await transaction.rows("DELETE FROM access_grants WHERE user_id = $1 RETURNING tenant", user_id)
            await transaction.execute("DELETE FROM access_tokens WHERE user_id = $1", user_id)
            await transaction.execute("DELETE FROM access_users WHERE id = $1", user_id)
            await bump(transaction)
            now = EpochMs(self._clock())
            for (tenant,) in tenants:
                await append(transaction, AuditEntry(now, by, tenant, Action.USER_REMOVE, name, Outcome.DONE))

        await self._database.write(work)

    async def list(self) -> list[User]:
        """Return all users, in order of name."""
        users: dict[str, User] = {}
        for name, created_at, tenant, *grant in await self._database.read(LIST):
            user = users.setdefault(name, User(name, created_at, {}))
            users[name] = User(name, created_at, {**user.grants, tenant: grant_of(tuple(grant))})
        return list(users.values())


def checked(name: str, grants: Mapping[TenantId, Grant]) -> None:
    """Raise BadUser for a name or grants that cannot be."""
    if not NAME.fullmatch(name):
        raise BadUser("user: letters, digits, spaces and . _ @ -, at most 63, beginning with a letter or digit")
    if not grants:
        raise BadUser("tenant: a service user needs a grant in one tenant at least")
    for grant in grants.values():
        unknown = sorted(grant.permissions - EVERYTHING)
        if unknown:
            raise BadUser(f"grant: no permission is called {unknown[0]!r}; there are {', '.join(sorted(EVERYTHING))}")
        if not grant.permissions:
            raise BadUser("grant: a grant needs one permission at least")


def describe(grant: Grant) -> str:
    """Return a grant in words, for the audit."""
    parts = [" ".join(sorted(grant.permissions))]
    for what, names in (("agents", grant.visibility.agents), ("skills", grant.visibility.skills)):
        if names:
            parts.append(f"{what} {', '.join(sorted(names))}")
    return "; ".join(parts)


def _json(texts: frozenset[str]) -> str:
    return msgspec.json.encode(sorted(texts)).decode()
