"""Permissions, grants and principals: what a service user may do in which tenant (reference section 7)."""

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from voxkeep.archive.query import ALL, Scope, Visibility
from voxkeep.archive.units import TenantId


class Permission(StrEnum):
    """What can be granted; each has its line in `DESCRIPTIONS`."""

    RECORDINGS_LIST = "recordings:list"
    RECORDINGS_LISTEN = "recordings:listen"
    CALLS_LIST = "calls:list"
    RECORDINGS_REMOVE = "recordings:remove"
    RECORDINGS_ANNOTATE = "recordings:annotate"
    TRANSCRIPTS_READ = "transcripts:read"
    TRANSCRIPTS_REMOVE = "transcripts:remove"
    ROSTER_READ = "roster:read"
    EVENTS_WRITE = "events:write"


DESCRIPTIONS: Mapping[Permission, str] = {
    Permission.RECORDINGS_LIST: "List recordings and what is known of them.",
    Permission.RECORDINGS_LISTEN: "Listen to recordings and download their audio.",
    Permission.CALLS_LIST: "List calls with their recordings (Xima's call-recording-info).",
    Permission.RECORDINGS_REMOVE: "Remove recordings.",
    Permission.RECORDINGS_ANNOTATE: "Note free fields on recordings (Kazoo's user_metadata).",
    Permission.TRANSCRIPTS_READ: "List, read and search chat transcripts.",
    Permission.TRANSCRIPTS_REMOVE: "Remove the messages of chat transcripts.",
    Permission.ROSTER_READ: "List the agents, with their email addresses, and the skills that are set up.",
    Permission.EVENTS_WRITE: "Report events of calls and agents, of the whole tenant.",
}
EVERYTHING: frozenset[str] = frozenset(Permission)
"""Every permission there is."""


class Grant(Struct, frozen=True):
    """What a user may do in one tenant, and what of it the user may see."""

    permissions: frozenset[str] = EVERYTHING
    visibility: Visibility = ALL


class Principal(Struct, frozen=True):
    """Who asks: a service user, and its grants by tenant."""

    user_id: int
    name: str
    grants: Mapping[TenantId, Grant]

    def may(self, tenant: TenantId, permission: str) -> bool:
        """Tell whether the user has a permission in a tenant."""
        grant = self.grants.get(tenant)
        return grant is not None and permission in grant.permissions

    def visibility(self, tenant: TenantId) -> Visibility | None:
        """Return what of a tenant the user may see, None for a tenant without a grant."""
        grant = self.grants.get(tenant)
        return None if grant is None else grant.visibility

    def scopes(self, permission: str) -> list[Scope]:
        """Return where the user has a permission, ordered by tenant: what a list without a tenant covers."""
        return [
            Scope(tenant, grant.visibility)
            for tenant, grant in sorted(self.grants.items())
            if permission in grant.permissions
        ]
