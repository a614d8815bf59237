"""Reports of what agents were told to be: a section for each agent, in it a row for each span.

A span belongs to the time in which it began, whole. One that lasts has no duration, and counts for none.
"""

from collections.abc import Callable

from msgspec import Struct, field

from voxkeep.activity.agents import AgentSpan
from voxkeep.activity.events import AgentKind
from voxkeep.activity.report import Column, Figure, Kind, Value
from voxkeep.activity.reports.asked import Asked, Options
from voxkeep.activity.reports.names import FEATURES
from voxkeep.activity.reports.reading import Reader
from voxkeep.activity.reports.report import Content
from voxkeep.activity.reports.sections import Parts
from voxkeep.activity.reports.tally import FOLDS, KINDS, Fold, Sum


class Field(Struct, frozen=True):
    """A column of a trace, and the value that it takes of a span in a report."""

    column: Column
    value: Callable[[AgentSpan, Asked], Value]


FEATURE = Field(
    Column("feature", "Feature", Kind.TEXT, "What began: the skill logged in to, or what the agent became."),
    lambda span, _: span.skill or span.skill_id or FEATURES[span.kind],
)
TYPE = Field(Column("feature_type", "Feature Type", Kind.TEXT, "Its kind."), lambda span, _: FEATURES[span.kind])
ENABLED = Field(
    Column("enabled", "Feature Enabled", Kind.FLAG, "Whether it still was so at the end of the timeframe."),
    lambda span, asked: span.end is None or span.end >= asked.end,
)
START = Field(Column("start", "Start Time", Kind.MOMENT, "When it began."), lambda span, _: span.begin)
END = Field(Column("end", "End Time", Kind.MOMENT, "When it ended; nothing while it lasts."), lambda span, _: span.end)
DURATION = Field(
    Column("duration", "Duration", Kind.DURATION, "From start to end; nothing while it lasts."),
    lambda span, _: None if span.end is None else span.duration_ms,
)
REASON = Field(
    Column("reason_code", "Reason Code", Kind.TEXT, "The reason that was given."), lambda span, _: span.reason or None
)


class TraceFigure(Struct, frozen=True):
    """A figure of a trace."""

    title: str
    fold: Fold
    definition: str


EVENTS = "Feature Events"
TOTAL = TraceFigure("Total Duration", Fold.TOTAL, "Of those that ended.")
MAX = TraceFigure("Max Duration", Fold.LARGEST, "Of those that ended.")
AVG = TraceFigure("Avg Duration", Fold.AVERAGE, "Of those that ended.")


class TraceSums(Struct):
    """How many spans there were, and how long those that ended."""

    events: int = 0
    ended: Sum = field(default_factory=Sum)

    def add(self, span: AgentSpan) -> None:
        """Add a span."""
        self.events += 1
        if span.end is not None:
            self.ended.one(span.duration_ms)

    def merge(self, other: "TraceSums") -> None:
        """Add other sums."""
        self.events += other.events
        self.ended.merge(other.ended.count, other.ended.total, other.ended.largest)


class Trace(Struct, frozen=True, kw_only=True):
    """How such a report is computed."""

    kinds: frozenset[AgentKind]
    fields: tuple[Field, ...]
    durations: tuple[TraceFigure, ...]

    def columns(self, _: Options) -> tuple[Column, ...]:
        """Return the columns."""
        return tuple(each.column for each in self.fields)

    async def compute(self, reader: Reader, asked: Asked) -> Content:
        """Compute sections and figures."""
        whole, parts = TraceSums(), Parts(asked, reader.spool(), TraceSums)
        async for spans in reader.agent_spans(asked):
            for span in spans:
                if span.kind in self.kinds:
                    part = parts.of(span.agent)
                    part.rows.add(tuple(each.value(span, asked) for each in self.fields))
                    part.sums.add(span)
        for part in parts.all():
            whole.merge(part.sums)
        return Content((), self._figures(whole), parts.sections(self.columns(asked.options), self._figures))

    def _figures(self, sums: TraceSums) -> tuple[Figure, ...]:
        events = Figure(EVENTS, Kind.COUNT, sums.events, "How many began.")
        durations = (
            Figure(each.title, KINDS[each.fold], FOLDS[each.fold](sums.ended), each.definition)
            for each in self.durations
        )
        return (events, *durations)
