"""Calls as they happen: events of calls and agents come in, what went on is computed from them.

Knows no vendor, no HTTP, no user. Events are the truth; whatever else there is of a call or an agent is made of them
by pure functions (`calls`, `agents`, `definitions`), so that neither their order nor their repetition matters.
"""

from voxkeep.activity.activity import Activity
from voxkeep.activity.agents import AgentSpan, AgentState, StateSpan
from voxkeep.activity.calls import Interval, LiveCall
from voxkeep.activity.dialler import Callback, ClickToDial, DialError, Dialler, DialRefused
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
from voxkeep.activity.running import Running
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
    "Callback",
    "ClickToDial",
    "DialError",
    "DialRefused",
    "Dialler",
    "Direction",
    "Event",
    "Interval",
    "LiveCall",
    "Running",
    "StateSpan",
    "Taken",
    "Who",
    "parse",
]
