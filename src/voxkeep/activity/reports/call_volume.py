"""Call Volume: a row for each hour of the day."""

from voxkeep.activity.report import Chart, ChartKind
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports import slots
from voxkeep.activity.reports.asked import Parameter
from voxkeep.activity.reports.grouping import BySlot
from voxkeep.activity.reports.report import TIMEFRAME, Report
from voxkeep.activity.reports.summaries import Summary

CELLS = (
    c.CALLS,
    *c.DIRECTIONS.values(),
    c.ANSWERED.titled("Answered Calls"),
    c.ABANDONED,
    c.CALL_DURATION,
    c.AVG_CALL_DURATION,
    c.TALKING,
    c.AVG_TALKING,
    c.MAX_TALKING,
)
SUMMARY = Summary(by=BySlot, first=slots.column, cells=lambda _: CELLS, figures=CELLS)
REPORT = Report(
    name="call-volume",
    title="Call Volume",
    about="All calls, by the time at which they began.",
    parameters=TIMEFRAME | {Parameter.SLOT},
    columns_by=SUMMARY.columns,
    compute=SUMMARY.compute,
    chart=Chart(ChartKind.BAR, slots.KEY, (c.CALLS.key, c.ANSWERED.key, c.ABANDONED.key)),
)
