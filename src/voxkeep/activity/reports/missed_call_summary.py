"""Missed Call Summary: a row for each agent."""

from voxkeep.activity.report import Chart, ChartKind
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports.grouping import AGENT, ByAgent
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Report
from voxkeep.activity.reports.summaries import Summary, always

CELLS = (
    c.PRESENTED,
    c.MISSED,
    c.MISSED_PERCENT,
    c.MISSED_RINGING,
    c.AVG_MISSED_RINGING,
    c.MAX_MISSED_RINGING,
)
SUMMARY = Summary(by=ByAgent, first=always(AGENT), cells=lambda _: CELLS, figures=CELLS)
REPORT = Report(
    name="missed-call-summary",
    title="Missed Call Summary",
    about="Calls that rang an agent who did not answer. Figures add up the rows.",
    parameters=TIMEFRAME | AGENTS | SKILLS,
    columns_by=SUMMARY.columns,
    compute=SUMMARY.compute,
    chart=Chart(ChartKind.BAR, AGENT.key, (c.PRESENTED.key, c.MISSED.key)),
)
