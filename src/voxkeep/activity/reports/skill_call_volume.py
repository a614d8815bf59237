"""Skill Call Volume: a row for each hour of the day."""

from functools import partial

from voxkeep.activity.report import Chart, ChartKind
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports import slots
from voxkeep.activity.reports.asked import Parameter
from voxkeep.activity.reports.chosen import Chosen
from voxkeep.activity.reports.grouping import BySlot
from voxkeep.activity.reports.report import SKILLS, TIMEFRAME, Report
from voxkeep.activity.reports.summaries import Summary

CELLS = (c.CALLS, c.PRESENTED, c.ANSWERED, c.MISSED, c.ABANDONED, c.TALKING, c.AVG_TALKING, c.MAX_TALKING)
SUMMARY = Summary(by=partial(BySlot, part=Chosen.of_skills), first=slots.column, cells=lambda _: CELLS, figures=CELLS)
REPORT = Report(
    name="skill-call-volume",
    title="Skill Call Volume",
    about="Calls that went to any skill, or any of those chosen, by the time at which they began.",
    parameters=TIMEFRAME | SKILLS | {Parameter.SLOT},
    columns_by=SUMMARY.columns,
    compute=SUMMARY.compute,
    chart=Chart(ChartKind.BAR, slots.KEY, (c.PRESENTED.key, c.ANSWERED.key, c.MISSED.key)),
)
