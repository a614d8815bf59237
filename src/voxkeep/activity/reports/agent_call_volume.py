"""Agent Call Volume: a row for each hour of the day."""

from functools import partial

from voxkeep.activity.events import Direction
from voxkeep.activity.report import Chart, ChartKind
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports import slots
from voxkeep.activity.reports.asked import Parameter
from voxkeep.activity.reports.chosen import Chosen
from voxkeep.activity.reports.grouping import BySlot
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Report
from voxkeep.activity.reports.summaries import Summary

INBOUND = c.DIRECTIONS[Direction.INBOUND]
CELLS = (
    c.CALLS,
    INBOUND,
    c.CALLBACKS,
    c.TALKING,
    c.INBOUND_TALKING,
    c.CALLBACK_TALKING,
    c.AVG_TALKING,
    c.MAX_TALKING,
)
SUMMARY = Summary(by=partial(BySlot, part=Chosen.of_agents), first=slots.column, cells=lambda _: CELLS, figures=CELLS)
REPORT = Report(
    name="agent-call-volume",
    title="Agent Call Volume",
    about="Calls that any agent, or any of those chosen, took part in, by the time at which they began.",
    parameters=TIMEFRAME | AGENTS | SKILLS | {Parameter.SLOT},
    columns_by=SUMMARY.columns,
    compute=SUMMARY.compute,
    chart=Chart(ChartKind.BAR, slots.KEY, (c.CALLS.key, INBOUND.key)),
)
