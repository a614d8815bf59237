"""We speak as 2600Hz Kazoo: the recordings API of seed 004, contract in openapi.yaml beside this file.

Checks come in this order: HTTPS (the server's), route, method, the body, the rate bucket, who asks, the account in the
path, permission, parameters, and then the work.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from voxkeep.access import Access, Action
from voxkeep.access.http import record_refusal, switched_on
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.database import DatabaseFull
from voxkeep.vault import VaultFull
from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.accounts import Accounts
from voxkeep.vendors.kazoo.auth import Authentication
from voxkeep.vendors.kazoo.buckets import Buckets
from voxkeep.vendors.kazoo.channels import Channels
from voxkeep.vendors.kazoo.directory import Directory
from voxkeep.vendors.kazoo.edge import answered, refused
from voxkeep.vendors.kazoo.ids import HEX
from voxkeep.vendors.kazoo.recordings import Recordings
from voxkeep.vendors.kazoo.request import Request
from voxkeep.web.errors import HttpError, UnavailableError
from voxkeep.web.headers import host_of

PREFIX = "/v2/"
REFUSALS = frozenset({401, 403, 404, 409, 429})
"""Statuses that leave a row in the audit trail."""
ONE_TOKEN = 1
OWN = ("account",)
"""How Kazoo 5 names the caller's own account: `/v2/account/...`."""

_log = logging.getLogger(__name__)
Answer = Callable[[Request], Awaitable[None]]


class Act(NamedTuple):
    """What a method does to a resource, and how the audit trail calls that."""

    action: Action
    answer: Answer


class Route(NamedTuple):
    """A path's segments after the prefix (None: any), what each method does, and who may ask."""

    path: tuple[str | None, ...]
    acts: Mapping[str, Act]
    open: bool = False
    """Whether anybody may ask: logins."""

    def takes(self, segments: list[str]) -> bool:
        """Tell whether a path of as many segments is this route's; none of them is empty."""
        return all(got and wanted in (None, got) for wanted, got in zip(self.path, segments, strict=True))


class KazooApi:
    """The ASGI application of the dialect."""

    prefix = PREFIX
    any_text = False

    def __init__(self, archive: Archive, access: Access) -> None:
        self._archive = archive
        self._access = access
        self._accounts = Accounts(archive.database)
        self._buckets = Buckets(archive.settings.kazoo)
        self._auth = Authentication(archive, access, self._accounts, self._buckets)
        self._routes = dict[int, list[Route]]()
        """By the number of their segments."""
        for route in self._table():
            self._routes.setdefault(len(route.path), []).append(route)

    def _table(self) -> tuple[Route, ...]:
        auth, directory, channels = self._auth, Directory(self._accounts), Channels()
        recordings = Recordings(self._archive, self._access, self._accounts)
        listed = partial(Act, Action.LIST)
        login = partial(Act, Action.AUTHENTICATE)
        one = {
            "GET": Act(Action.LISTEN, recordings.show),
            "DELETE": Act(Action.REMOVE, recordings.delete),
            "PATCH": Act(Action.ANNOTATE, recordings.patch),
        }
        account = ("accounts", None)
        return (
            Route(("user_auth",), {"PUT": login(auth.user_auth)}, open=True),
            Route(("user_auth", None), {"GET": login(auth.show_user_auth)}),
            Route(("api_auth",), {"PUT": login(auth.api_auth)}, open=True),
            Route(("token_auth",), {"GET": login(auth.show_token), "DELETE": login(auth.end_token)}),
            Route(account, {"GET": listed(directory.account)}),
            Route((*account, "descendants"), {"GET": listed(directory.descendants)}),
            Route((*account, "children"), {"GET": listed(directory.children)}),
            Route((*account, "users"), {"GET": listed(directory.users)}),
            Route((*account, "users", None), {"GET": listed(directory.user)}),
            Route((*account, "recordings"), {"GET": listed(recordings.list)}),
            Route((*account, "recordings", None), one),
            Route((*account, "users", None, "recordings"), {"GET": listed(recordings.list_of_user)}),
            Route((*account, "users", None, "recordings", None), one),
            Route((*account, "channels"), {"GET": listed(channels.list)}),
            Route(
                (*account, "channels", None),
                {
                    "GET": listed(channels.show),
                    "POST": Act(Action.COMMAND, channels.command),
                    "PUT": Act(Action.COMMAND, channels.command),
                },
            ),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. What fails once the answer began is raised, so that the connection is aborted."""
        await answered(Request(scope, receive, send, PREFIX), self._answer)

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error in the dialect's shape."""
        await refused(send, error)

    async def _answer(self, request: Request) -> None:
        if request.method == "OPTIONS":
            await request.preflight()
            return
        route, own = self._route(request)
        act: Act | None = None
        try:
            # before a body is read: whoever comes too fast costs nothing more
            if route.open:
                self._buckets.login(request.remote)
            else:
                self._buckets.take(request.remote, _named(request, own=own), ONE_TOKEN)
            await request.read()
            act = route.acts.get(request.method)
            if act is None:
                raise errors.invalid_method()
            if not route.open:
                await self._admit(request, own=own)
            await self._act(act, request)
        except HttpError as error:
            if error.status in REFUSALS:
                await self._record(request, Action.AUTHENTICATE if act is None else act.action, error)
            raise

    def _route(self, request: Request) -> tuple[Route, bool]:
        """Return the route of a path, and whether it names the caller's own account. Raises KazooError."""
        own = request.segments[:1] == list(OWN)
        if own:
            request.segments[:1] = ["accounts", "own"]
        same_length = self._routes.get(len(request.segments), ())
        route = next((each for each in same_length if each.takes(request.segments)), None)
        if route is None:
            raise errors.not_found()
        # a POST may stand for another verb, which its body may tell
        if request.method not in route.acts and request.method != "POST":
            raise errors.invalid_method()
        return route, own

    async def _admit(self, request: Request, *, own: bool) -> None:
        """Find out who asks, and let them into the account in the path. Raises HttpError."""
        caller = await self._auth.caller(request)
        if request.segments[0] == "accounts":
            await self._enter(request, caller.account if own else _named(request, own=own))

    async def _enter(self, request: Request, identity: str) -> None:
        """Find the account in the path, and refuse a caller who may not see it. Raises KazooError."""
        if HEX.fullmatch(identity) is None:
            raise errors.malformed_account(identity)
        account = (await self._accounts.tree()).by_id.get(identity)
        if account is None:
            raise errors.unknown_account()
        caller = request.caller
        if caller is None or account.tenant not in caller.principal.grants:
            raise errors.forbidden()
        request.account = account
        known = await self._access.known()
        asked = known.under_host(host_of(request.scope))
        if asked is not None and asked.id != account.tenant:
            raise errors.not_found()
        await switched_on(self._access, [known.by_id[account.tenant]], "forbidden")

    async def _act(self, act: Act, request: Request) -> None:
        try:
            await act.answer(request)
        except (VaultFull, DatabaseFull) as error:
            _log.error("no space is left: %s", error)
            wait_s = self._archive.settings.server.retry_after_seconds
            raise UnavailableError("There is no space left for this", wait_s) from None

    async def _record(self, request: Request, action: Action, error: HttpError) -> None:
        caller = request.caller
        tenants = list[Tenant]()
        if request.account is not None:
            tenants.append((await self._access.known()).by_id[request.account.tenant])
        kind = Action.AUTHENTICATE if caller is None else action
        principal = None if caller is None else caller.principal
        await record_refusal(self._access, request.scope, kind, principal, tenants, error)


def _named(request: Request, *, own: bool) -> str:
    """Return the account that a path names; empty where it names none, or one's own."""
    return request.segments[1] if request.segments[0] == "accounts" and not own else ""
