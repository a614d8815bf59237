"""A request to our own API after its token is known: who asks, and which tenants it may be about."""

from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from voxkeep.access import Permission, Principal
from voxkeep.access.http import parts_of
from voxkeep.archive.model import Tenant
from voxkeep.archive.query import Scope as Part
from voxkeep.archive.tenants import names_of
from voxkeep.web.errors import NotFoundError
from voxkeep.web.routes import remote_of

NO_TENANT = "There is no such tenant"
"""The same words for another's."""
NOT_ALLOWED = "The service user has no permission for this, or the API is switched off for the tenant"


class Request(NamedTuple):
    """What ASGI gave, who asks, and the tenants that the token and the asked host leave."""

    scope: Scope
    receive: Receive
    send: Send
    principal: Principal
    tenants: list[Tenant]

    @property
    def remote(self) -> str:
        """The client's address, for the audit trail."""
        return remote_of(self.scope)

    def named(self, name: str | None) -> list[Tenant]:
        """Return the tenant that goes by a name, or all when none is given. Raises NotFoundError."""
        if name is None:
            return self.tenants
        tenants = [tenant for tenant in self.tenants if name.lower() in names_of(tenant)]
        if not tenants:
            raise NotFoundError(NO_TENANT)
        return tenants

    def parts(self, tenants: list[Tenant], permission: Permission) -> list[Part]:
        """Return what may be seen of each tenant with `permission`. Raises ForbiddenError when there is nothing."""
        return parts_of(self.principal, tenants, permission, NOT_ALLOWED)
