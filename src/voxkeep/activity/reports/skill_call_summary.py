"""Skill Call Summary: a row for each skill."""

from voxkeep.activity.report import Chart, ChartKind
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports.asked import Parameter
from voxkeep.activity.reports.grouping import SKILL, BySkill
from voxkeep.activity.reports.report import SKILLS, TIMEFRAME, Report
from voxkeep.activity.reports.summaries import Summary, always

CELLS = (
    c.PRESENTED,
    c.ANSWERED,
    c.MISSED,
    c.CALL_DURATION,
    c.AVG_CALL_DURATION,
    c.SCHEDULED,
    c.ACCEPTED,
    c.GIVEN_UP,
    c.AVG_SPEED,
    c.SERVICE_LEVEL,
)
SUMMARY = Summary(by=BySkill, first=always(SKILL), cells=lambda _: CELLS, figures=CELLS)
REPORT = Report(
    name="skill-call-summary",
    title="Skill Call Summary",
    about="Calls of each skill. Figures add up the rows: a call that went to two skills counts for both.",
    parameters=TIMEFRAME | SKILLS | {Parameter.THRESHOLDS},
    columns_by=SUMMARY.columns,
    compute=SUMMARY.compute,
    chart=Chart(ChartKind.BAR, SKILL.key, (c.PRESENTED.key, c.ANSWERED.key, c.MISSED.key)),
)
