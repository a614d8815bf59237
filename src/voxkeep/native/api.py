"""Our own API: what no vendor has a word for. The contract is openapi.yaml beside this file.

Checks come in one order: route and method, token, tenant, permission, parameters, body, and then the work. An unknown
tenant and another's get the same bytes.
"""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from voxkeep.access import Access, Action, Principal
from voxkeep.access.http import by_bearer, narrowed, record_refusal, switched_on
from voxkeep.activity import Running
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.native.events import EventsRoute
from voxkeep.native.request import NO_TENANT, NOT_ALLOWED, Request
from voxkeep.native.search import SearchRoute
from voxkeep.web.errors import HttpError
from voxkeep.web.routes import Route, guarded, route_of, send_error

PREFIX = "/voxkeep/v1/"
REFUSALS = frozenset({401, 403, 404})
"""Statuses that leave a row in the audit trail."""

Answer = Callable[[Request], Awaitable[None]]


class NativeApi:
    """The ASGI application of our own API."""

    prefix = PREFIX
    any_text = False

    def __init__(self, archive: Archive, access: Access, running: Running) -> None:
        self._access = access
        self._routes: tuple[Route[Answer], ...] = (
            Route(("search",), ("GET",), Action.SEARCH, SearchRoute(archive, access).answer),
            Route(("events",), ("POST",), Action.EVENTS, EventsRoute(archive, access, running.activity).answer),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. What fails once the answer began is raised, so that the connection is aborted."""
        await guarded(self._answer, self.refuse, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, _ = route_of(self._routes, scope, PREFIX)
        principal: Principal | None = None
        tenants: list[Tenant] = []
        try:
            principal = await by_bearer(self._access, scope)
            tenants = narrowed(scope, principal, await self._access.known(), NO_TENANT)
            left = await switched_on(self._access, tenants, NOT_ALLOWED)
            await route.answer(Request(scope, receive, send, principal, left))
        except HttpError as error:
            if error.status in REFUSALS:
                action = Action.AUTHENTICATE if principal is None else route.action
                await record_refusal(self._access, scope, action, principal, tenants, error)
            raise

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error in the one shape."""
        await send_error(send, error)
