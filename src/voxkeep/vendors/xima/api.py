"""We speak as Xima: the recordings API of seeds 000 to 002, contract in openapi.yaml beside this file.

Checks come in the order of reference section 6: route and method, token, tenant, permission and key, parameters, rate,
egress, and then the work. An unknown recording and another tenant's get the same bytes.
"""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from voxkeep.access import Access, Action, AuditEntry, Outcome, Principal
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import now_ms
from voxkeep.vendors.xima.audio import BANDWIDTH_LIMIT_EXCEEDED, AudioRoute
from voxkeep.vendors.xima.recordings import Lists
from voxkeep.vendors.xima.request import NOT_ALLOWED, Recorded, Request, narrowed
from voxkeep.web import routes
from voxkeep.web.errors import ForbiddenError, HttpError, UnauthorizedError
from voxkeep.web.routes import Route, bearer_token, guarded, remote_of, route_of, send_error

PREFIX = "/rest/api/v2/"
PHRASES = {**routes.PHRASES, BANDWIDTH_LIMIT_EXCEEDED: "Bandwidth Limit Exceeded"}
REFUSALS = frozenset({401, 403, 404, 429, 509})
"""Statuses that leave a row in the audit trail."""

Answer = Callable[[Request], Awaitable[None]]


class XimaApi:
    """The ASGI application of the dialect."""

    prefix = PREFIX

    def __init__(self, archive: Archive, access: Access) -> None:
        self._access = access
        lists, audio = Lists(archive, access), AudioRoute(archive, access)
        self._routes: tuple[Route[Answer], ...] = (
            Route(("recordings",), ("GET",), Action.LIST, lists.recordings),
            Route(("call-recording-info",), ("GET",), Action.LIST_CALLS, lists.calls),
            Route(("recordings", None, None, "audio"), ("GET", "HEAD"), Action.LISTEN, audio.answer),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. What fails once the answer began is raised, so that the connection is aborted."""
        await guarded(self._answer, self.refuse, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, segments = route_of(self._routes, scope, PREFIX)
        principal: Principal | None = None
        tenants: list[Tenant] = []
        try:
            principal = await self._authenticate(scope)
            tenants = narrowed(scope, principal, await self._access.known())
            approved = await self._approved(tenants)
            await route.answer(Request(scope, receive, send, principal, approved, segments))
        except HttpError as error:
            if error.status in REFUSALS and not isinstance(error, Recorded):
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

    async def _approved(self, tenants: list[Tenant]) -> list[Tenant]:
        """Leave out tenants whose API is switched off: recordings over it are for approved accounts (seed 000)."""
        approved = [tenant for tenant in tenants if (await self._access.gate.limits(tenant.id)).api_enabled]
        if not approved:
            raise ForbiddenError(NOT_ALLOWED)
        return approved

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
        """Send an error in the dialect's shape."""
        await send_error(send, error, PHRASES)
