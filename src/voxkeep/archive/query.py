"""What can be asked of the archive."""

from msgspec import Struct

from voxkeep.archive.units import EpochMs, TenantId


class Visibility(Struct, frozen=True):
    """What of one tenant's recordings may be seen: those of `agents`, and of `skills`; empty means any.

    An agent is named by display name, extension or login. Both given, both must hold.
    """

    agents: frozenset[str] = frozenset()
    skills: frozenset[str] = frozenset()

    def allows(self, names: frozenset[str], skill: str) -> bool:
        """Tell whether a recording of an agent with these names, and of this skill, may be seen."""
        return (not self.agents or bool(self.agents & names)) and (not self.skills or skill in self.skills)


ALL = Visibility()


class TimeRange(Struct, frozen=True):
    """Recordings or calls that started from `first` to `last`, both included."""

    first: EpochMs
    last: EpochMs


class Scope(Struct, frozen=True):
    """One tenant, and what of it may be seen."""

    tenant: TenantId
    visibility: Visibility = ALL
