"""Who asks over HTTP, for which tenants, and the trail of a refusal: what every dialect does alike.

The one place of this room that knows HTTP. Knows no vendor: the words of a refusal are the dialect's.
"""

from collections.abc import Sequence

from starlette.types import Scope

from voxkeep.access.access import Access
from voxkeep.access.audit import AuditEntry, Outcome
from voxkeep.access.known import Known
from voxkeep.access.principals import Principal
from voxkeep.archive.model import Tenant
from voxkeep.archive.query import Scope as Part
from voxkeep.archive.units import now_ms
from voxkeep.web.errors import ForbiddenError, HttpError, NotFoundError, UnauthorizedError
from voxkeep.web.headers import host_of
from voxkeep.web.routes import bearer_token, remote_of


async def by_bearer(access: Access, scope: Scope) -> Principal:
    """Return whose bearer token came with a request. Raises UnauthorizedError with a challenge."""
    token = bearer_token(scope)
    principal = None if token is None else await access.tokens.authenticate(token)
    if principal is None:
        challenge = [(b"www-authenticate", b"Bearer")]
        raise UnauthorizedError("The bearer token is missing, expired or invalid", challenge)
    return principal


def narrowed(scope: Scope, principal: Principal, known: Known, unknown: str) -> list[Tenant]:
    """Return the token's tenants, or only the one that is asked under its own host.

    Raises NotFoundError (`unknown`) for the host of a tenant that is not the token's; any other host says nothing.
    """
    asked = known.under_host(host_of(scope))
    if asked is None:
        return [known.by_id[tenant] for tenant in principal.grants if tenant in known.by_id]
    if asked.id not in principal.grants:
        raise NotFoundError(unknown)
    return [asked]


async def switched_on(access: Access, tenants: Sequence[Tenant], refusal: str) -> list[Tenant]:
    """Leave out tenants whose API is switched off. Raises ForbiddenError (`refusal`) when none is left."""
    left = [tenant for tenant in tenants if (await access.gate.limits(tenant.id)).api_enabled]
    if not left:
        raise ForbiddenError(refusal)
    return left


def parts_of(principal: Principal, tenants: Sequence[Tenant], permission: str, refusal: str) -> list[Part]:
    """Return what may be seen of each tenant with a permission. Raises ForbiddenError when there is nothing."""
    asked = {tenant.id for tenant in tenants}
    parts = [part for part in principal.scopes(permission) if part.tenant in asked]
    if not parts:
        raise ForbiddenError(refusal)
    return parts


async def record_refusal(
    access: Access,
    scope: Scope,
    action: str,
    principal: Principal | None,
    tenants: Sequence[Tenant],
    error: HttpError,
) -> None:
    """Write a refusal to the audit trail, under the tenant when only one can be meant."""
    user = principal.name if principal else ""
    tenant = tenants[0].id if len(tenants) == 1 else None
    detail, remote = f"{error.status} {error.message}", remote_of(scope)
    entry = AuditEntry(now_ms(), user, tenant, action, scope["path"], Outcome.REFUSED, detail, remote)
    await access.audit.record(entry)
