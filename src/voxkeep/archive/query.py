"""What can be asked of the archive."""

from typing import NamedTuple

from msgspec import Struct

from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import Value


class Visibility(Struct, frozen=True):
    """What of one tenant's recordings may be seen: those of `agents`, and of `skills`; empty means any.

    An agent is named by display name, extension or login. Both given, both must hold.
    """

    agents: frozenset[str] = frozenset()
    skills: frozenset[str] = frozenset()

    def allows(self, names: frozenset[str], skill: str) -> bool:
        """Tell whether a recording of an agent with these names, and of this skill, may be seen."""
        return self.allows_agent(names) and self.allows_skill(skill)

    def allows_agent(self, names: frozenset[str]) -> bool:
        """Tell whether an agent with these names may be seen."""
        return not self.agents or bool(self.agents & names)

    def allows_skill(self, skill: str) -> bool:
        """Tell whether a skill of this name may be seen."""
        return not self.skills or skill in self.skills


ALL = Visibility()


class TimeRange(Struct, frozen=True):
    """Recordings or calls that started from `first` to `last`, both included."""

    first: EpochMs
    last: EpochMs


class Scope(Struct, frozen=True):
    """One tenant, and what of it may be seen."""

    tenant: TenantId
    visibility: Visibility = ALL


SHOWN_END = "started_at / 1000 + duration_ms / 1000"
"""What a Term may ask for beside columns: the end in seconds, of start and duration each in whole seconds."""


class Term(NamedTuple):
    """A column of our own (or `SHOWN_END`), and the values it may have: from `low` to `high`, both included."""

    column: str
    low: Value
    high: Value

    @classmethod
    def equal(cls, column: str, value: Value) -> "Term":
        """Return the term that a column has just this value."""
        return cls(column, value, value)


class AnyOf(NamedTuple):
    """A condition on a row: one of these terms holds.

    With `or_odd`, a row with free fields of a vendor's passes too: only the vendor's room can tell what it shows.
    """

    terms: tuple[Term, ...]
    or_odd: bool = False


class Position(NamedTuple):
    """A row's place in the order of its table; a page begins after one."""

    started_at: EpochMs
    id: bytes


START = Position(EpochMs(-1), b"")
"""Before every row."""


class Mark(NamedTuple):
    """A row's place in the order of ends (ended_at, id), and whether the row itself belongs to what is asked for."""

    ended_at: EpochMs
    id: bytes
    included: bool = False


class Ends(NamedTuple):
    """Recordings in the order of (ended_at, id), or in its reverse: those that ended in a span, from a mark on."""

    span: TimeRange
    mark: Mark | None = None
    """None begins at the span's own end."""
    ascending: bool = True


class Question(NamedTuple):
    """Which rows of one tenant are asked for, in the order of start and id. Hashable: a key for what is remembered."""

    scope: Scope
    started: TimeRange | None = None
    ended: TimeRange | None = None
    conditions: tuple[AnyOf, ...] = ()
