"""We speak as Xima: the recordings API of seeds 000 to 002, contract in openapi.yaml beside this file.

Checks come in the order of reference section 6: route and method, token, tenant, permission and key, parameters, rate,
egress, and then the work. An unknown recording and another tenant's get the same bytes.
"""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

import msgspec
from msgspec import Struct
from starlette.types import Message, Receive, Scope, Send

from voxkeep.access import Access, Action, AuditEntry, Outcome, Principal
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import now_ms
from voxkeep.vendors.xima.audio import BANDWIDTH_LIMIT_EXCEEDED, AudioRoute
from voxkeep.vendors.xima.recordings import Lists
from voxkeep.vendors.xima.request import NOT_ALLOWED, Recorded, Request, narrowed, remote_of
from voxkeep.web.errors import (
    ForbiddenError,
    HttpError,
    MethodNotAllowedError,
    NotFoundError,
    UnauthorizedError,
    send_json,
)
from voxkeep.web.headers import header

PREFIX = "/rest/api/v2/"
PHRASES = {status.value: status.phrase for status in HTTPStatus} | {
    BANDWIDTH_LIMIT_EXCEEDED: "Bandwidth Limit Exceeded"
}
REFUSALS = frozenset({401, 403, 404, 429, 509})
"""Statuses that leave a row in the audit trail."""

_log = logging.getLogger(__name__)


class ErrorBody(Struct):
    """The one shape of every error."""

    status: int
    error: str
    message: str


class Route(NamedTuple):
    """A route: its path's segments after the prefix (None: any), its methods, and who answers."""

    path: tuple[str | None, ...]
    methods: tuple[str, ...]
    action: Action
    answer: Callable[[Request], Awaitable[None]]

    def takes(self, segments: list[str]) -> bool:
        """Tell whether a path is this route's."""
        return len(self.path) == len(segments) and all(
            wanted in (None, got) for wanted, got in zip(self.path, segments, strict=True)
        )


class XimaApi:
    """The ASGI application of the dialect."""

    prefix = PREFIX

    def __init__(self, archive: Archive, access: Access) -> None:
        self._access = access
        lists, audio = Lists(archive, access), AudioRoute(archive, access)
        self._routes = (
            Route(("recordings",), ("GET",), Action.LIST, lists.recordings),
            Route(("call-recording-info",), ("GET",), Action.LIST_CALLS, lists.calls),
            Route(("recordings", None, None, "audio"), ("GET", "HEAD"), Action.LISTEN, audio.answer),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. What fails once the answer began is raised, so that the connection is aborted."""
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._answer(scope, receive, watched)
        except HttpError as error:
            await self.refuse(send, error)
        except Exception:  # the edge: the client gets the dialect's own 500, the operator the trace
            _log.exception("a request failed")
            if started:
                raise
            await self.refuse(send, HttpError(500, "An unexpected error occurred"))

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, segments = self._route(scope)
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

    def _route(self, scope: Scope) -> tuple[Route, list[str]]:
        raw: bytes = scope["raw_path"]
        segments = [unquote(segment) for segment in raw.decode("utf-8", "replace").removeprefix(PREFIX).split("/")]
        for route in self._routes:
            if route.takes(segments):
                if scope["method"] not in route.methods:
                    raise MethodNotAllowedError(route.methods, "This method is not supported here")
                return route, segments
        raise NotFoundError("There is no such resource")

    async def _authenticate(self, scope: Scope) -> Principal:
        scheme, _, token = (header(scope, b"authorization") or b"").decode("latin-1").strip().partition(" ")
        principal = await self._access.tokens.authenticate(token.strip()) if scheme.lower() == "bearer" else None
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
        self, scope: Scope, action: Action, principal: Principal | None, tenants: list[Tenant], error: HttpError
    ) -> None:
        """Write a refusal to the audit trail, under the tenant when only one can be meant."""
        user = principal.name if principal else ""
        tenant = tenants[0].id if len(tenants) == 1 else None
        detail, remote = f"{error.status} {error.message}", remote_of(scope)
        entry = AuditEntry(now_ms(), user, tenant, action, scope["path"], Outcome.REFUSED, detail, remote)
        await self._access.audit.record(entry)

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error in the dialect's shape."""
        body = ErrorBody(error.status, PHRASES[error.status], error.message)
        await send_json(send, error.status, msgspec.json.encode(body), error.headers)
