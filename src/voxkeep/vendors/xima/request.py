"""A request in the Xima dialect after its token is known: who asks, and which tenants it may be about."""

from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from voxkeep.access import Known, Permission, Principal
from voxkeep.archive.model import Tenant
from voxkeep.archive.query import Scope as Part
from voxkeep.web.errors import ForbiddenError, HttpError, NotFoundError
from voxkeep.web.headers import host_of
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
        asked = {tenant.id for tenant in self.tenants}
        parts = [part for part in self.principal.scopes(permission) if part.tenant in asked]
        if not parts:
            raise ForbiddenError(NOT_ALLOWED)
        return parts


def narrowed(scope: Scope, principal: Principal, known: Known) -> list[Tenant]:
    """Return the token's tenants, or only the one that is asked under its own host.

    Raises NotFoundError for the host of a tenant that is not the token's; any other host says nothing.
    """
    asked = known.under_host(host_of(scope))
    if asked is None:
        return [known.by_id[tenant] for tenant in principal.grants if tenant in known.by_id]
    if asked.id not in principal.grants:
        raise NotFoundError(NO_TENANT)
    return [asked]
