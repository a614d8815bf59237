"""Agent Call Summary: a row for each agent."""

from voxkeep.activity.report import Chart, ChartKind
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports.grouping import AGENT, ByAgent
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Report
from voxkeep.activity.reports.summaries import Summary, always

CELLS = (
    c.CALLS,
    c.CALL_DURATION,
    c.OFFER_DURATION,
    c.AVG_OFFER_DURATION,
    c.TALKING,
    c.AVG_TALKING,
    c.MAX_TALKING,
    c.ANSWERED.titled("Total Answered Calls"),
    c.ANSWERED_PERCENT.titled("Avg Answered Call Percentage"),
)
SUMMARY = Summary(by=ByAgent, first=always(AGENT), cells=lambda _: CELLS, figures=CELLS)
REPORT = Report(
    name="agent-call-summary",
    title="Agent Call Summary",
    about="Calls of each agent. Figures add up the rows: a call that two agents took part in counts for both.",
    parameters=TIMEFRAME | AGENTS | SKILLS,
    columns_by=SUMMARY.columns,
    compute=SUMMARY.compute,
    chart=Chart(ChartKind.BAR, AGENT.key, (c.CALLS.key, c.ANSWERED.key)),
)
