"""We speak as Xima: recordings, agents and skills of seeds 000 to 002, contract in openapi.yaml beside this file.

Xima counts versions by resource: recordings are at v2, agents and skills at v1, both of one dialect.

Checks come in the order of reference section 6: route and method, token, tenant, permission and key, parameters, rate,
egress, and then the work. An unknown recording and another tenant's get the same bytes.
"""

from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from voxkeep.access import Access, Action, Principal
from voxkeep.access.http import by_bearer, narrowed, record_refusal, switched_on
from voxkeep.activity import Running
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.vendors.xima.audio import BANDWIDTH_LIMIT_EXCEEDED, AudioRoute
from voxkeep.vendors.xima.recordings import Lists
from voxkeep.vendors.xima.request import NO_TENANT, NOT_ALLOWED, Recorded, Request
from voxkeep.vendors.xima.roster import Rosters
from voxkeep.web import routes
from voxkeep.web.errors import HttpError
from voxkeep.web.routes import Route, guarded, route_of, send_error

PREFIX = "/rest/api/"
PHRASES = {**routes.PHRASES, BANDWIDTH_LIMIT_EXCEEDED: "Bandwidth Limit Exceeded"}
REFUSALS = frozenset({401, 403, 404, 429, 509})
"""Statuses that leave a row in the audit trail."""

Answer = Callable[[Request], Awaitable[None]]


class XimaApi:
    """The ASGI application of the dialect."""

    prefix = PREFIX
    any_text = False

    def __init__(self, archive: Archive, access: Access, running: Running) -> None:
        self._access = access
        self._running = running
        lists, audio, rosters = Lists(archive, access), AudioRoute(archive, access), Rosters(archive, access)
        self._routes: tuple[Route[Answer], ...] = (
            Route(("v2", "recordings"), ("GET",), Action.LIST, lists.recordings),
            Route(("v2", "call-recording-info"), ("GET",), Action.LIST_CALLS, lists.calls),
            Route(("v2", "recordings", None, None, "audio"), ("GET", "HEAD"), Action.LISTEN, audio.answer),
            Route(("v1", "agents"), ("GET",), Action.LIST_ROSTER, rosters.agents),
            Route(("v1", "skills"), ("GET",), Action.LIST_ROSTER, rosters.skills),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. What fails once the answer began is raised, so that the connection is aborted."""
        await guarded(self._answer, self.refuse, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, segments = route_of(self._routes, scope, PREFIX)
        principal: Principal | None = None
        tenants: list[Tenant] = []
        try:
            principal = await by_bearer(self._access, scope)
            tenants = narrowed(scope, principal, await self._access.known(), NO_TENANT)
            # the API is for approved accounts (seed 000)
            approved = await switched_on(self._access, tenants, NOT_ALLOWED)
            await route.answer(Request(scope, receive, send, principal, approved, segments))
        except HttpError as error:
            if error.status in REFUSALS and not isinstance(error, Recorded):
                action = Action.AUTHENTICATE if principal is None else route.action
                await record_refusal(self._access, scope, action, principal, tenants, error)
            raise

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error in the dialect's shape."""
        await send_error(send, error, PHRASES)
