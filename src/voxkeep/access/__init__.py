"""Who may do what, how often: principals, tokens, permissions, rate and egress limits, the audit trail.

Knows tenants and visibility; knows no vendor, and HTTP only in `http`.
"""

from voxkeep.access.access import Access
from voxkeep.access.audit import Action, Audit, AuditEntry, Outcome
from voxkeep.access.directory import Directory, User
from voxkeep.access.errors import AccessError, BadUser, UnknownUser, UserExists
from voxkeep.access.gate import AudioGate, EgressSpent, Granted, TooOften
from voxkeep.access.known import Known
from voxkeep.access.ledger import Charge
from voxkeep.access.limits import TenantLimits, Usage
from voxkeep.access.migrations import MIGRATIONS
from voxkeep.access.passwords import Passwords
from voxkeep.access.principals import EVERYTHING, Grant, Permission, Principal
from voxkeep.access.tokens import TokenInfo, Tokens

__all__ = [
    "EVERYTHING",
    "MIGRATIONS",
    "Access",
    "AccessError",
    "Action",
    "AudioGate",
    "Audit",
    "AuditEntry",
    "BadUser",
    "Charge",
    "Directory",
    "EgressSpent",
    "Grant",
    "Granted",
    "Known",
    "Outcome",
    "Passwords",
    "Permission",
    "Principal",
    "TenantLimits",
    "TokenInfo",
    "Tokens",
    "TooOften",
    "UnknownUser",
    "Usage",
    "User",
    "UserExists",
]
