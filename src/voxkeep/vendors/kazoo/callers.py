"""Who asks: from what came with a request to a principal of the archive (reference 4).

On the way of every request, so what was found out once is held until the epoch of access moves.
"""

import asyncio
import base64
import binascii
import hashlib
import re
from collections.abc import Callable

from msgspec import Struct

from voxkeep.access import Access, Grant, Principal
from voxkeep.access.epoch import EpochCache
from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.accounts import Account, Accounts, Caller, secret_hash
from voxkeep.vendors.kazoo.buckets import Buckets
from voxkeep.vendors.kazoo.logins import PREFIX, Logins, by_key

HELD = 10_000
"""Tokens whose callers are held; and a tenth as many Basic headers."""
BASIC = re.compile(r"([0-9a-f]{32}):([0-9A-Fa-f]{32})", re.ASCII)
API_KEY = "key"
"""The user's part of the name of an API key's principal."""


class _Held(Struct, frozen=True):
    """A token's caller until it expires (ms); no caller for one that was ended."""

    caller: Caller | None
    expires_at: int


class _Basic(Struct, frozen=True):
    """What a Basic header was derived to, so that it is not derived again."""

    account: str
    key: bytes
    expires_at: int


class Callers:
    """Finds out who asks."""

    def __init__(self, access: Access, accounts: Accounts, logins: Logins, buckets: Buckets, lifetime_ms: int) -> None:
        self._access = access
        self._accounts = accounts
        self._logins = logins
        self._buckets = buckets
        self._lifetime_ms = lifetime_ms
        self._clock: Callable[[], int] = access.clock
        self._by_token: EpochCache[str, _Held] = EpochCache(accounts.epoch, self._load_token, HELD)
        self._by_basic: EpochCache[str, Caller] = EpochCache(accounts.epoch, self._load_basic, HELD // 10)
        self._derived: dict[str, _Basic] = {}
        self._deriving = asyncio.Lock()

    async def of_token(self, token: str) -> Caller:
        """Return whose a token is: a Kazoo login's or a service user's. Raises KazooError (401)."""
        if not token.startswith(PREFIX):
            return await self._service_user(token)
        held = await self._by_token.get(secret_hash(token))
        if held is None:
            raise errors.invalid_credentials()
        if held.caller is None or held.expires_at <= self._clock():
            raise errors.ended_token()
        return held.caller

    async def of_basic(self, credentials: bytes, remote: str) -> Caller:
        """Return whose the credentials of a Basic header are. Raises KazooError (401, 429).

        Deriving costs what a login costs, once in a token's lifetime.
        """
        hashed = hashlib.sha256(credentials).hexdigest()
        if not self._is_fresh(hashed):
            async with self._deriving:
                # those who waited here for the same header find it derived
                if not self._is_fresh(hashed):
                    await self._derive(hashed, credentials, remote)
        caller = await self._by_basic.get(hashed)
        if caller is None:
            raise errors.invalid_credentials()
        return caller

    def _is_fresh(self, hashed: str) -> bool:
        known = self._derived.get(hashed)
        return known is not None and known.expires_at > self._clock()

    async def _derive(self, hashed: str, credentials: bytes, remote: str) -> None:
        match = BASIC.fullmatch(_decoded(credentials))
        if match is None:
            raise errors.invalid_credentials()
        self._buckets.login(remote)
        salted = (await self._accounts.book()).salted.get(match[1], self._accounts.nobodys)
        key = await self._accounts.derivations.key(match[2], salted)
        if await self._logins.proved(by_key(match[1], "md5", key)) is None:
            raise errors.invalid_credentials()
        self._derived.pop(hashed, None)
        if len(self._derived) >= HELD // 10:
            del self._derived[next(iter(self._derived))]
        self._derived[hashed] = _Basic(match[1], key, self._clock() + self._lifetime_ms)

    async def _service_user(self, token: str) -> Caller:
        principal = await self._access.tokens.authenticate(token)
        if principal is None:
            raise errors.invalid_credentials()
        if len(principal.grants) != 1:
            return Caller(principal)
        account = (await self._accounts.tree()).by_tenant.get(next(iter(principal.grants)))
        return Caller(principal, "" if account is None else account.id)

    async def _load_token(self, hashed: str) -> _Held | None:
        login = await self._logins.load(hashed)
        if login is None:
            return None
        caller = None if login.ended else await self.caller_of(login.account, login.user)
        return _Held(caller, login.expires_at)

    async def _load_basic(self, hashed: str) -> Caller | None:
        derived = self._derived.get(hashed)
        if derived is None:
            return None
        proved = await self._logins.proved(by_key(derived.account, "md5", derived.key))
        return None if proved is None else await self.caller_of(*proved)

    async def caller_of(self, account_id: str, user_id: str) -> Caller | None:
        """Return an account's user as one who asks, or its API key where no user is named; None for nobody."""
        tree = await self._accounts.tree()
        account = tree.by_id.get(account_id)
        if account is None:
            return None
        name = API_KEY
        if user_id:
            user = (await self._accounts.users(account_id)).by_id.get(user_id)
            if user is None:
                return None
            name = user.username
        grants = {each.tenant: Grant() for each in (account, *tree.descendants(account_id))}
        principal = Principal(_number(user_id or account_id), principal_name(account, name), grants)
        return Caller(principal, account_id, user_id)


def principal_name(account: Account, username: str) -> str:
    """Return how the audit trail names a user, or an API key."""
    return f"kazoo:{username}@{account.realm}"


def _number(identity: str) -> int:
    """Return a number that is always the same for an id: below zero, where no service user's is."""
    return -1 - int(identity[:15], 16)


def _decoded(credentials: bytes) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""
