"""What a report is asked for: whose, when, in which zone, for which agents and skills, by which thresholds."""

from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from voxkeep.activity.definitions import DEFAULT_THRESHOLD_MS, INBOUND, Denominator, Directions
from voxkeep.activity.events import ActivityError, Who
from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import DurationMs, EpochMs, TenantId

ANSWERED_WITHIN_MS = (DurationMs(15_000), DurationMs(30_000), DurationMs(60_000))
MOST_STEPS = 10


class BadAsked(ActivityError):
    """A report cannot be asked for so; `field` names what is wrong."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class Parameter(StrEnum):
    """What can be chosen for a report."""

    TIMEFRAME = "timeframe"
    """Every report takes it."""
    AGENTS = "agents"
    SKILLS = "skills"
    SLOT = "slot"
    """`Options.slot`."""
    THRESHOLDS = "thresholds"
    """The other options."""


class Slot(StrEnum):
    """What a row of a report by time stands for; all are of the clock in the zone that is asked for."""

    HOUR_OF_DAY = "hour_of_day"
    """An hour of the clock, of all days together: one that a change of clocks repeats is one row."""
    WEEKDAY = "weekday"
    DAY = "day"
    """A calendar day."""


class SkillName(Struct, frozen=True):
    """A skill, by its id, or by its name alone."""

    id: str = ""
    name: str = ""

    @property
    def key(self) -> str:
        """Return what the skill is told from others by: the id, else the name."""
        return self.id or self.name

    @property
    def shown(self) -> str:
        """Return the skill as people see it."""
        return self.name or self.id


class Options(Struct, frozen=True, kw_only=True):
    """Settings of the figures. Raises BadAsked where they cannot be."""

    service_level_ms: DurationMs = DEFAULT_THRESHOLD_MS
    denominator: Denominator = Denominator.ANSWERED
    answered_within_ms: tuple[DurationMs, ...] = ANSWERED_WITHIN_MS
    """Growing; a call counts for every step that it was answered within."""
    directions: Directions = INBOUND
    """Calls that are presented, answered, missed, abandoned."""
    slot: Slot = Slot.HOUR_OF_DAY

    def __post_init__(self) -> None:
        steps = self.answered_within_ms
        if self.service_level_ms <= 0:
            raise BadAsked("service_level_ms", "must be over 0")
        if not 0 < len(steps) <= MOST_STEPS or steps[0] <= 0 or list(steps) != sorted(set(steps)):
            raise BadAsked("answered_within_ms", f"must be one to {MOST_STEPS} growing steps over 0")
        if not self.directions:
            raise BadAsked("directions", "must name at least one")


DEFAULTS = Options()


class Asked(Struct, frozen=True, kw_only=True):
    """A report over [begin, end): what began then. Raises BadAsked where it cannot be.

    Agents and skills that are chosen each get a row (or a section), those without anything too; none chosen means all
    that occur. An agent goes by `Who.key`, a skill by `SkillName.key`.
    """

    tenant: TenantId
    begin: EpochMs
    end: EpochMs
    zone: str = "UTC"
    """IANA."""
    agents: tuple[Who, ...] = ()
    skills: tuple[SkillName, ...] = ()
    options: Options = DEFAULTS

    def __post_init__(self) -> None:
        if self.end < self.begin:
            raise BadAsked("end", "lies before the begin")
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise BadAsked("zone", "no such time zone") from None
        for field, keys in (("agents", [who.key for who in self.agents]), ("skills", [it.key for it in self.skills])):
            if not all(keys):
                raise BadAsked(field, "one has no name")
            if len(set(keys)) < len(keys):
                raise BadAsked(field, f"{next(key for key in keys if keys.count(key) > 1)} is chosen twice")

    @property
    def times(self) -> TimeRange:
        """Return the same time with both ends included."""
        return TimeRange(self.begin, EpochMs(self.end - 1))

    @property
    def zoned(self) -> ZoneInfo:
        """Return the zone."""
        return ZoneInfo(self.zone)

    @property
    def parameters(self) -> frozenset[Parameter]:
        """Return what is chosen. Thresholds are not told: as settings they may stand for every report."""
        chosen = {
            Parameter.AGENTS: bool(self.agents),
            Parameter.SKILLS: bool(self.skills),
            Parameter.SLOT: self.options.slot is not DEFAULTS.slot,
        }
        return frozenset({Parameter.TIMEFRAME, *(parameter for parameter, given in chosen.items() if given)})
