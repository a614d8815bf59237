"""Calls as they happen: events of calls and agents come in, what went on is computed from them.

Knows no vendor, no HTTP, no user. Events are the truth; whatever else there is of a call or an agent is made of them
by pure functions (`calls`, `agents`, `definitions`), so that neither their order nor their repetition matters.
"""

from voxkeep.activity.activity import Activity
from voxkeep.activity.agents import AgentSpan, AgentState, StateSpan
from voxkeep.activity.calls import Interval, LiveCall
from voxkeep.activity.events import (
    ActivityError,
    AgentEvent,
    AgentKind,
    BadEvent,
    CallEvent,
    CallKind,
    Direction,
    Event,
    Who,
)
from voxkeep.activity.lines import BadLine, Batch, parse
from voxkeep.activity.migrations import MIGRATIONS
from voxkeep.activity.store import Taken

__all__ = [
    "MIGRATIONS",
    "Activity",
    "ActivityError",
    "AgentEvent",
    "AgentKind",
    "AgentSpan",
    "AgentState",
    "BadEvent",
    "BadLine",
    "Batch",
    "CallEvent",
    "CallKind",
    "Direction",
    "Event",
    "Interval",
    "LiveCall",
    "StateSpan",
    "Taken",
    "Who",
    "parse",
]
