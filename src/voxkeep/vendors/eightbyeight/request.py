"""A request in the 8x8 dialect after its credentials are known: who asks, of which tenant, for what."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from voxkeep.access import Action, AuditEntry, Outcome, Permission, Principal
from voxkeep.archive.model import Tenant
from voxkeep.archive.query import Scope as Part
from voxkeep.archive.units import now_ms
from voxkeep.web.errors import ForbiddenError, send_json
from voxkeep.web.headers import Header
from voxkeep.web.routes import remote_of

NOT_ALLOWED = "This token may not do that"
_log = logging.getLogger(__name__)


class Request(NamedTuple):
    """What ASGI gave, who asks, the tenant, what in the path was left open, and the format."""

    scope: Scope
    receive: Receive
    send: Send
    principal: Principal
    tenant: Tenant
    parts: tuple[str, ...]
    form: str

    @property
    def query(self) -> bytes:
        """The query string."""
        query: bytes = self.scope["query_string"]
        return query

    def visible(self, permission: Permission) -> Part:
        """Return what may be seen of the tenant with `permission`. Raises ForbiddenError."""
        if not self.principal.may(self.tenant.id, permission):
            raise ForbiddenError(NOT_ALLOWED)
        return Part(self.tenant.id, self.principal.grants[self.tenant.id].visibility)

    def check_visible(self, permission: Permission, agents: frozenset[str], skill: str) -> None:
        """Raise ForbiddenError unless something of these agents and this skill may be seen with `permission`."""
        if not self.visible(permission).visibility.allows(agents, skill):
            raise ForbiddenError(NOT_ALLOWED)

    def entry(self, action: Action, subject: str, detail: str = "") -> AuditEntry:
        """Return the entry of the audit trail that this was done."""
        user, remote = self.principal.name, remote_of(self.scope)
        return AuditEntry(now_ms(), user, self.tenant.id, action, subject, Outcome.DONE, detail, remote)

    async def answer(
        self, status: int, media_type: bytes = b"", body: bytes = b"", headers: Sequence[Header] = ()
    ) -> None:
        """Send a small answer; a `media_type` only where there is something."""
        kind = [(b"content-type", media_type)] if media_type else []
        if not kind:
            length = [] if status == 204 else [(b"content-length", b"0")]  # noqa: PLR2004 -- No Content has none
            await self.send({"type": "http.response.start", "status": status, "headers": [*length, *headers]})
            await self.send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await send_json(self.send, status, body, [*kind, *headers])

    def told_dropped(self, dropped: int) -> list[Header]:
        """Log characters that a document could not hold, and return the header that counts them."""
        self.log_dropped(dropped)
        return dropped_header(dropped)

    def log_dropped(self, dropped: int) -> None:
        """Log how many characters a document could not hold, if any."""
        if dropped:
            _log.warning("%d characters that XML cannot hold were left out of %s", dropped, self.scope["path"])


def dropped_header(dropped: int) -> list[Header]:
    """Return the header that counts characters which a document could not hold."""
    return [(b"x-voxkeep-dropped-characters", b"%d" % dropped)] if dropped else []
