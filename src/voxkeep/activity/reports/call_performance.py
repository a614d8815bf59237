"""Call Performance: how calls were answered, a row for each hour of the day."""

from voxkeep.activity.report import Chart, ChartKind
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports import slots
from voxkeep.activity.reports.asked import Options, Parameter
from voxkeep.activity.reports.grouping import BySlot
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Report
from voxkeep.activity.reports.summaries import Summary
from voxkeep.activity.reports.tally import Cell

PRESENTED = c.PRESENTED.titled("Calls Presented")
ANSWERED = c.ANSWERED.titled("Calls Answered")
MISSED = c.MISSED.titled("Calls Missed")
FIGURES = (PRESENTED, ANSWERED, MISSED, c.ANSWERED_PERCENT, c.SERVICE_LEVEL, c.AVG_SPEED)


def _cells(options: Options) -> tuple[Cell, ...]:
    return (
        PRESENTED,
        ANSWERED,
        MISSED,
        c.ANSWERED_PERCENT,
        *c.within(options),
        c.AVG_TALKING,
        c.AVG_CALL_DURATION,
        c.SCHEDULED,
        c.ACCEPTED,
        c.GIVEN_UP,
        c.ACCEPTED_PERCENT,
        c.SERVICE_LEVEL,
    )


SUMMARY = Summary(by=BySlot, first=slots.column, cells=_cells, figures=FIGURES)
REPORT = Report(
    name="call-performance",
    title="Call Performance",
    about="How calls were answered, by the time at which they began.",
    parameters=TIMEFRAME | AGENTS | SKILLS | {Parameter.SLOT, Parameter.THRESHOLDS},
    columns_by=SUMMARY.columns,
    compute=SUMMARY.compute,
    chart=Chart(ChartKind.BAR, slots.KEY, (PRESENTED.key, ANSWERED.key, MISSED.key)),
)
