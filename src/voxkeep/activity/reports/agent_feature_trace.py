"""Agent Feature Trace: everything that agents were told to be."""

from voxkeep.activity.events import AgentKind
from voxkeep.activity.reports import traces as t
from voxkeep.activity.reports.report import AGENTS, TIMEFRAME, Report

TRACE = t.Trace(
    kinds=frozenset(AgentKind),
    fields=(t.FEATURE, t.TYPE, t.ENABLED, t.START, t.END, t.DURATION, t.REASON),
    durations=(t.TOTAL,),
)
REPORT = Report(
    name="agent-feature-trace",
    title="Agent Feature Trace",
    about="When each agent was ready, idle, not to be disturbed, in after-call work, or logged in for a skill.",
    parameters=TIMEFRAME | AGENTS,
    columns_by=TRACE.columns,
    compute=TRACE.compute,
    sectioned=True,
)
