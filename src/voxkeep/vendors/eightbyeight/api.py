"""We speak as 8x8: the Recordings API of seed 003, contract in openapi.yaml beside this file.

Checks come in this order: HTTPS (the server's), route and method, credentials, permission, variables, and then the
work. An unknown record and another tenant's get the same bytes. Errors are one line of plain text: the vendor
documents no shape for them.
"""

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote

from starlette.types import Receive, Scope, Send

from voxkeep.access import Access, Action, Principal
from voxkeep.access.http import record_refusal, switched_on
from voxkeep.archive import Archive
from voxkeep.archive.model import Tenant
from voxkeep.database import DatabaseFull
from voxkeep.vault import VaultFull
from voxkeep.vendors.eightbyeight.files import Files
from voxkeep.vendors.eightbyeight.pages import Pager
from voxkeep.vendors.eightbyeight.render import DEFAULT_FORMAT, FORMATS
from voxkeep.vendors.eightbyeight.request import NOT_ALLOWED, Request
from voxkeep.vendors.eightbyeight.transcripts import TranscriptRoutes
from voxkeep.web.errors import (
    HttpError,
    MethodNotAllowedError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
    send_json,
)
from voxkeep.web.headers import header, host_of
from voxkeep.web.routes import guarded

PREFIX = "/api/recordings/"
CHALLENGE = [(b"www-authenticate", b'Basic realm="Voxkeep", charset="UTF-8"')]
PLAIN_TEXT = (b"content-type", b"text/plain; charset=UTF-8")
REFUSALS = frozenset({401, 403, 404, 409})
"""Statuses that leave a row in the audit trail."""

_log = logging.getLogger(__name__)


class Act(NamedTuple):
    """What a method does to a resource, and how the audit trail calls that."""

    action: Action
    answer: Callable[[Request], Awaitable[None]]


class Target(NamedTuple):
    """What a path names: a resource, the parts of the path that lead to one record, and the format."""

    resource: str
    parts: tuple[str, ...] = ()
    form: str = DEFAULT_FORMAT


class EightByEightApi:
    """The ASGI application of the dialect."""

    prefix = PREFIX
    any_text = False

    def __init__(self, archive: Archive, access: Access) -> None:
        self._access = access
        self._archive = archive
        pager = Pager()
        files, transcripts = Files(archive, access, pager), TranscriptRoutes(archive, access, pager)
        self._resources: Mapping[str, Mapping[str, Act]] = {
            "files": {"GET": Act(Action.LIST, files.page)},
            "file": {
                "GET": Act(Action.LISTEN, files.audio),
                "HEAD": Act(Action.LISTEN, files.audio),
                "DELETE": Act(Action.REMOVE, files.delete),
            },
            "transcripts": {"GET": Act(Action.LIST_TRANSCRIPTS, transcripts.page)},
            "transcript": {
                "GET": Act(Action.READ_TRANSCRIPT, transcripts.read),
                "DELETE": Act(Action.REMOVE_TRANSCRIPT, transcripts.delete),
            },
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. What fails once the answer began is raised, so that the connection is aborted."""
        await guarded(self._answer, self.refuse, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = target_of(scope["raw_path"])
        acts = self._resources[target.resource]
        if scope["method"] not in acts:
            raise MethodNotAllowedError(tuple(acts), "This method is not supported here")
        act = acts[scope["method"]]
        principal: Principal | None = None
        tenant: Tenant | None = None
        try:
            principal, tenant = await self._authenticate(scope)
            await self._check_host(scope, tenant)
            await self._act(act, Request(scope, receive, send, principal, tenant, target.parts, target.form))
        except HttpError as error:
            if error.status in REFUSALS:
                action = Action.AUTHENTICATE if principal is None else act.action
                tenants = [] if tenant is None else [tenant]
                await record_refusal(self._access, scope, action, principal, tenants, error)
            raise

    async def _act(self, act: Act, request: Request) -> None:
        try:
            await act.answer(request)
        except (VaultFull, DatabaseFull) as error:
            _log.error("no space is left: %s", error)
            wait_s = self._archive.settings.server.retry_after_seconds
            raise UnavailableError("There is no space left for this", wait_s) from None

    async def _authenticate(self, scope: Scope) -> tuple[Principal, Tenant]:
        """Return who asks, and for which tenant. Raises UnauthorizedError, with the same words whatever is wrong."""
        name, token = credentials(header(scope, b"authorization") or b"")
        principal = await self._access.tokens.authenticate(token)
        tenant = (await self._access.known()).by_name.get(name.lower()) if name.isascii() else None
        if principal is None or tenant is None or tenant.id not in principal.grants:
            raise UnauthorizedError("The tenant name or the token is missing, expired or wrong", CHALLENGE)
        return principal, tenant

    async def _check_host(self, scope: Scope, tenant: Tenant) -> None:
        """Refuse a tenant under another one's host, and one whose API is switched off."""
        asked = (await self._access.known()).under_host(host_of(scope))
        if asked is not None and asked.id != tenant.id:
            raise NotFoundError("There is no such resource")
        await switched_on(self._access, [tenant], NOT_ALLOWED)

    async def refuse(self, send: Send, error: HttpError) -> None:
        """Send an error as one line."""
        line = f"{' '.join(error.message.split())}\n"
        await send_json(send, error.status, line.encode(), [PLAIN_TEXT, *error.headers])


def credentials(value: bytes) -> tuple[str, str]:
    """Return user and password of a Basic Authorization header, two empty texts for anything else."""
    scheme, _, encoded = value.strip().partition(b" ")
    if scheme.lower() != b"basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def target_of(raw_path: bytes) -> Target:
    """Return what a path names; one closing slash does not matter. Raises NotFoundError."""
    segments = [unquote(each) for each in raw_path.decode("utf-8", "replace").removeprefix(PREFIX).split("/")]
    if len(segments) > 1 and not segments[-1]:
        segments.pop()
    match segments:
        case [name] if (listed := name.partition("."))[0] in {"files", "transcripts"}:
            resource, dot, suffix = listed
            if not dot or suffix in FORMATS:
                return Target(resource, form=suffix or DEFAULT_FORMAT)
        case ["files", folder, name]:
            return Target("file", (folder, name))
        case ["transcripts", guid] if guid:
            return Target("transcript", (guid,))
    raise NotFoundError("There is no such resource")
