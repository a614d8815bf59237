"""A request in the Xima dialect after its token is known: who asks, and which tenants it may be about."""

from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from voxkeep.access import Permission, Principal
from voxkeep.access.http import parts_of
from voxkeep.archive.model import Tenant
from voxkeep.archive.query import Scope as Part
from voxkeep.web.errors import HttpError
from voxkeep.web.routes import remote_of

NO_RECORDING = "There is no such recording"
NO_TENANT = NO_RECORDING
"""The same words: an unknown tenant, another's, and an unknown recording are not told apart."""
NOT_ALLOWED = "The service user has no permission for this; recordings over the API need an approved account"


class Recorded(HttpError):
    """A refusal that stands in the audit trail already."""

    def __init__(self, error: HttpError) -> None:
        super().__init__(error.status, error.message, error.headers)


class Request(NamedTuple):
    """What ASGI gave, who asks, the tenants that the token and the asked host leave, and the path's segments."""

    scope: Scope
    receive: Receive
    send: Send
    principal: Principal
    tenants: list[Tenant]
    segments: list[str]

    @property
    def remote(self) -> str:
        """The client's address, for the audit trail."""
        return remote_of(self.scope)

    def parts(self, permission: Permission) -> list[Part]:
        """Return what may be seen of each tenant with `permission`. Raises ForbiddenError when there is nothing."""
        return parts_of(self.principal, self.tenants, permission, NOT_ALLOWED)
