"""Our own API: what no vendor has a word for. The contract is openapi.yaml beside this file.

Checks come in one order: route and method, token, tenant, permission, parameters, and then the work. An unknown tenant
and another's get the same bytes.
"""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from voxkeep.access import Access, Action, AuditEntry, Outcome, Principal
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import now_ms
from voxkeep.native.request import NOT_ALLOWED, Request, narrowed
from voxkeep.native.search import SearchRoute
from voxkeep.web.errors import ForbiddenError, HttpError, UnauthorizedError
from voxkeep.web.routes import Route, bearer_token, guarded, remote_of, route_of, send_error

PREFIX = "/voxkeep/v1/"
REFUSALS = frozenset({401, 403, 404})
"""Statuses that leave a row in the audit trail."""

Answer = Callable[[Request], Awaitable[None]]


class NativeApi:
    """The ASGI application of our own API."""

    prefix = PREFIX

    def __init__(self, archive: Archive, access: Access) -> None:
        self._access = access
        self._routes: tuple[Route[Answer], ...] = (
            Route(("search",), ("GET",), Action.SEARCH, SearchRoute(archive, access).answer),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. What fails once the answer began is raised, so that the connection is aborted."""
        await guarded(self._answer, self.refuse, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        route, _ = route_of(self._routes, scope, PREFIX)
        principal: Principal | None = None
        tenants: list[Tenant] = []
        try:
            principal = await self._authenticate(scope)
            tenants = narrowed(scope, principal, await self._access.known())
            await route.answer(Request(scope, send, principal, await self._switched_on(tenants)))
        except HttpError as error:
            if error.status in REFUSALS:
                action = Action.AUTHENTICATE if principal is None else route.action
                await self._record(scope, action, principal, tenants, error)
            raise

    async def _authenticate(self, scope: Scope) -> Principal:
        token = bearer_token(scope)
        principal = None if token is None else await self._access.tokens.authenticate(token)
        if principal is None:
            challenge = [(b"www-authenticate", b"Bearer")]
            raise UnauthorizedError("The bearer token is missing, expired or invalid", challenge)
        return principal

    async def _switched_on(self, tenants: list[Tenant]) -> list[Tenant]:
        """Leave out tenants whose API the operator has switched off."""
        left = [tenant for tenant in tenants if (await self._access.gate.limits(tenant.id)).api_enabled]
        if not left:
            raise ForbiddenError(NOT_ALLOWED)
        return left

    async def _record(
        self, scope: Scope, action: str, principal: Principal | None, tenants: list[Tenant], error: HttpError
    ) -> None:
        """Write a refusal to the audit trail, under the tenant when only one can be meant."""
        user = principal.name if principal else ""
        tenant = tenants[0].id if len(tenants) == 1 else None
        detail, remote = f"{error.status} {error.message}", remote_of(scope)
        entry = AuditEntry(now_ms(), user, tenant, action, scope["path"], Outcome.REFUSED, detail, remote)
        await self._access.audit.record(entry)

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error in the one shape."""
        await send_error(send, error)
