"""What a wallboard can be asked to show: a kind of figure, over a time, by a category (reference 4.4).

Types alone: what there is of kinds stands in `kinds`, how values come about in `live`.
"""

from enum import StrEnum

from msgspec import Struct

from voxkeep.activity.reports.asked import DEFAULTS, Options
from voxkeep.archive.units import EpochMs, TenantId

DAY_MINUTES = 24 * 60


class Unit(StrEnum):
    """What a value is."""

    COUNT = "count"
    DURATION = "duration"
    """Milliseconds."""
    PERCENT = "percent"
    """0 to 100."""
    STATE = "state"
    """A word, since a moment."""
    TEXT = "text"


class Span(StrEnum):
    """How the time of a figure is told."""

    NOW = "now"
    SINCE = "since"
    """Since a time of the clock in the tenant's zone; begins anew each day."""
    LAST = "last"
    """The last minutes."""


class Frame(Struct, frozen=True):
    """The time of a figure; calls count by their begin, whole, as in reports."""

    span: Span = Span.NOW
    minutes: int = 0
    """Of SINCE the minute of the day, 0 to 1,439; of LAST how many, 1 to 1,440; of NOW 0."""


NOW = Frame()


class By(StrEnum):
    """What the values of a metric are told apart by."""

    NONE = "none"
    """One value, of the whole tenant; its category is the empty text."""
    AGENT = "agent"
    """`Who.key`."""
    SKILL = "skill"
    """The skill's id, or name where it has none."""
    DIRECTION = "direction"
    ACCOUNT_CODE = "account_code"


class Metric(Struct, frozen=True, kw_only=True):
    """One figure for each category that is selected."""

    tenant: TenantId
    kind: str
    """A key of `kinds.KINDS`."""
    frame: Frame = NOW
    by: By = By.NONE
    selection: tuple[str, ...] = ()
    """The categories, by key; none only where `by` is NONE."""
    zone: str = "UTC"
    """IANA, of the tenant."""
    options: Options = DEFAULTS


class Value(Struct, frozen=True):
    """What a metric is, for one category, at one moment; of the fields only the unit's own counts."""

    unit: Unit
    amount: float | None = None
    """COUNT (whole), DURATION (ms) or PERCENT; None where there is none, as an average of nothing."""
    text: str = ""
    """STATE or TEXT."""
    since: EpochMs | None = None
    """STATE: since when."""
    changed_at: EpochMs = EpochMs(0)
    """When it became so: the moment of the event, of the tick, or of the frame's edge."""
