"""Logging in, and who asks: `user_auth`, `api_auth`, `token_auth` (reference 4).

A refusal is put into the audit trail by the API, what is done here in the transaction that does it.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import UNSET

from voxkeep.access import Access, Action, AuditEntry, Outcome
from voxkeep.archive import Archive
from voxkeep.archive.units import EpochMs
from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.accounts import Account, Accounts, Caller
from voxkeep.vendors.kazoo.authdata import ApiAuth, UserAuth
from voxkeep.vendors.kazoo.buckets import Buckets
from voxkeep.vendors.kazoo.callers import Callers
from voxkeep.vendors.kazoo.logins import PREFIX, Logins, Proof, by_api_key, by_key
from voxkeep.vendors.kazoo.naming import digits_of, name_key
from voxkeep.vendors.kazoo.request import Request
from voxkeep.web.headers import pick

CARRIERS = frozenset({b"x-auth-token", b"authorization"})
LANGUAGE = "en-us"
CREATED = 201


class Authentication:
    """Answers the routes about logins, and tells every other route who asks."""

    def __init__(self, archive: Archive, access: Access, accounts: Accounts, buckets: Buckets) -> None:
        seconds = archive.settings.kazoo.token_seconds
        self._accounts = accounts
        self._buckets = buckets
        self._clock = access.clock
        self._logins = Logins(archive.database, seconds, access.clock)
        self._callers = Callers(access, accounts, self._logins, buckets, seconds * 1000)

    async def caller(self, request: Request) -> Caller:
        """Return who asks; kept in the request with the token, which its answer echoes. Raises KazooError.

        A token is taken from X-Auth-Token, else from `auth_token` in the query or body, else from Authorization by
        the scheme Bearer; credentials by the scheme Basic stand for themselves.
        """
        headers = pick(request.scope["headers"], CARRIERS)
        token = headers.get(b"x-auth-token", b"").decode("latin-1") or request.param("auth_token")
        scheme, _, rest = headers.get(b"authorization", b"").strip().partition(b" ")
        if not token and scheme.lower() == b"bearer":
            token = rest.strip().decode("latin-1")
        if token:
            request.caller = await self._callers.of_token(token)
            request.token = token
        elif scheme.lower() == b"basic":
            request.caller = await self._callers.of_basic(rest.strip(), request.remote)
        else:
            raise errors.invalid_credentials()
        return request.caller

    async def user_auth(self, request: Request) -> None:
        """PUT user_auth: log in as a user; 201 with a token. What it costs is taken before."""
        asked = UserAuth.of(request.data)
        for account in await self._located(asked):
            salted = (await self._accounts.book()).salted[account.id]
            key = await self._accounts.derivations.key(asked.credentials, salted)
            proof = by_key(account.id, asked.method, key)
            if await self._logged_in(request, proof, f"by {asked.method}"):
                return
        raise errors.invalid_credentials()

    async def _located(self, asked: UserAuth) -> tuple[Account, ...]:
        """Return the accounts that a login may mean, after the first of its words that leads to any."""
        book = await self._accounts.book()
        one = (
            book.by_digits.get(digits_of(asked.phone_number)),
            book.by_realm.get(asked.realm.lower()),
        )
        found = next((each for each in one if each is not None), None)
        if found is not None:
            return (found,)
        named = book.by_name_key.get(name_key(asked.account_name))
        if named is not None:
            return named
        last = book.tree.by_id.get(asked.account_id)
        if last is not None:
            return (last,)
        # as long as it takes where there is an account
        await self._accounts.derivations.key(asked.credentials, self._accounts.nobodys)
        return ()

    async def api_auth(self, request: Request) -> None:
        """PUT api_auth: log in with an account's API key; 201 with a token. An unknown key is 404, as in Kazoo."""
        asked = ApiAuth.of(request.data)
        if not await self._logged_in(request, by_api_key(asked.api_key), "by API key"):
            raise errors.malformed_id("key")

    async def _logged_in(self, request: Request, proof: Proof, how: str) -> bool:
        """Answer with a token if a proof holds; False, and nothing is answered, if it does not."""
        proved = await self._logins.proved(proof)
        caller = None if proved is None else await self._callers.caller_of(*proved)
        if caller is None:
            return False
        entry = await self._entry(request, caller, Action.AUTHENTICATE, how)
        token = await self._logins.issue(proof, entry)
        if token is None:
            return False
        request.token = token
        await request.reply(await self._shown(caller), status=CREATED)
        return True

    async def show_token(self, request: Request) -> None:
        """GET token_auth: whose the token is."""
        await request.reply(await self._shown(_caller_in(request)))

    async def show_user_auth(self, request: Request) -> None:
        """GET user_auth/{TOKEN}: whose that token is, to callers of the same account."""
        asked, token = _caller_in(request), request.segments[1]
        try:
            caller = await self._callers.of_token(token)
        except errors.KazooError:
            raise errors.bad_identifier(token) from None
        if not caller.account or caller.account != asked.account:
            raise errors.forbidden()
        request.token = token
        await request.reply(await self._shown(caller))

    async def end_token(self, request: Request) -> None:
        """DELETE token_auth: end the login. A service user's token is not ended here, and Basic has none: 403."""
        caller, token = _caller_in(request), request.token
        if token is UNSET or not token.startswith(PREFIX):
            raise errors.forbidden()
        entry = await self._entry(request, caller, Action.TOKEN_REVOKE, "ended by its holder")
        await self._logins.end(token, entry)
        request.token = UNSET
        await request.reply({})

    async def _entry(self, request: Request, caller: Caller, action: Action, detail: str) -> AuditEntry:
        account = (await self._accounts.tree()).by_id[caller.account]
        now, name, subject = EpochMs(self._clock()), caller.principal.name, request.segments[0]
        return AuditEntry(now, name, account.tenant, action, subject, Outcome.DONE, detail, request.remote)

    async def _shown(self, caller: Caller) -> Mapping[str, Any]:
        """Return what a login tells of its account and user."""
        tree = await self._accounts.tree()
        told: dict[str, Any] = {"apps": [], "language": LANGUAGE}
        account = tree.by_id.get(caller.account)
        if account is None:  # a service user of several tenants
            return told
        told |= {
            "account_id": account.id,
            "account_name": account.name,
            "is_reseller": account.id in tree.under,
            # the nearest account above; one at the top answers for itself
            "reseller_id": account.parent or account.id,
        }
        return told | {"owner_id": caller.user} if caller.user else told


def _caller_in(request: Request) -> Caller:
    """Return who asks, on a route that is only reached once that is known."""
    if request.caller is None:
        raise errors.invalid_credentials()
    return request.caller
