"""Agent Reason Code Trace: when agents were not to be disturbed, and why."""

from voxkeep.activity.events import AgentKind
from voxkeep.activity.reports import traces as t
from voxkeep.activity.reports.report import AGENTS, TIMEFRAME, Report

TRACE = t.Trace(
    kinds=frozenset({AgentKind.DND}),
    fields=(t.FEATURE, t.TYPE, t.START, t.END, t.DURATION, t.REASON),
    durations=(t.TOTAL, t.MAX, t.AVG),
)
REPORT = Report(
    name="agent-reason-code-trace",
    title="Agent Reason Code Trace",
    about="When each agent was not to be disturbed, and the reason given for it.",
    parameters=TIMEFRAME | AGENTS,
    columns_by=TRACE.columns,
    compute=TRACE.compute,
    sectioned=True,
)
