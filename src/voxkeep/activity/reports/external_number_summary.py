"""External Number Summary: a row for each number outside."""

from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports.grouping import NUMBER, ByNumber
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Report
from voxkeep.activity.reports.summaries import Summary, always

CELLS = (c.CALLS, c.CALL_DURATION, c.AVG_CALL_DURATION, c.MAX_CALL_DURATION, c.TALKING, c.AVG_TALKING)
SUMMARY = Summary(by=ByNumber, first=always(NUMBER), cells=lambda _: CELLS, figures=CELLS)
REPORT = Report(
    name="external-number-summary",
    title="External Number Summary",
    about="Calls with each number outside; where agents or skills are chosen, the whole calls that they took part in.",
    parameters=TIMEFRAME | AGENTS | SKILLS,
    columns_by=SUMMARY.columns,
    compute=SUMMARY.compute,
)
