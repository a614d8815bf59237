"""An agent's states as events tell them: what the agent was, from when to when. Pure functions.

Two things are kept apart. *Spans* are what was told of the agent: ready, away for a reason, after-call work, logged in
for a skill. *States* are what a wallboard shows: one at a time, where a call that rings or is talked goes before them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.events import AgentEvent, AgentKind, CallKind, Who
from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import DurationMs, EpochMs

ENDINGS = frozenset({AgentKind.LOGOUT, AgentKind.SKILL_LOGOUT})
"""What only ends; among events of one moment and number it comes first."""


class AgentSpan(Struct, frozen=True, gc=False):
    """What an agent was told to be, from when to when; `end` is None while it lasts."""

    agent: Who
    kind: AgentKind
    """READY, IDLE, DND, ACW or SKILL_LOGIN."""
    begin: EpochMs
    end: EpochMs | None
    reason: str = ""
    skill: str = ""
    skill_id: str = ""

    @property
    def duration_ms(self) -> DurationMs:
        """Return its length; 0 while it lasts."""
        return DurationMs(0 if self.end is None else self.end - self.begin)


class AgentState(StrEnum):
    """What an agent is at one moment, as a wallboard tells it."""

    TALKING = "talking"
    HOLD = "hold"
    RINGING = "ringing"
    DIALLING = "dialling"
    ACW = "acw"
    DND = "dnd"
    READY = "ready"
    IDLE = "idle"
    OUT = "out"
    """Not signed in."""


OF_CALLS: Mapping[CallKind, AgentState] = {
    CallKind.TALKING: AgentState.TALKING,
    CallKind.CONFERENCE: AgentState.TALKING,
    CallKind.HOLD: AgentState.HOLD,
    CallKind.TRANSFER_HOLD: AgentState.HOLD,
    CallKind.RINGING: AgentState.RINGING,
    CallKind.QUEUE_OFFER: AgentState.RINGING,
    CallKind.CALLBACK_OFFER: AgentState.RINGING,
    CallKind.DIALLING: AgentState.DIALLING,
    CallKind.CALLBACK_ATTEMPT: AgentState.DIALLING,
}
"""What an agent is by an event of a call. Others (a parked call) leave an agent free."""
OF_EVENTS: Mapping[AgentKind, AgentState] = {
    AgentKind.ACW: AgentState.ACW,
    AgentKind.DND: AgentState.DND,
    AgentKind.READY: AgentState.READY,
    AgentKind.IDLE: AgentState.IDLE,
}
PRECEDENCE = tuple(AgentState)
"""Of several at once, the first is shown."""


class StateSpan(Struct, frozen=True, gc=False):
    """What an agent was, from when to when; `end` is None while it lasts."""

    state: AgentState
    begin: EpochMs
    end: EpochMs | None
    reason: str = ""


def track_of(event: AgentEvent) -> str:
    """Return what an event goes on: spans of one track never overlap. Empty for logouts, which end every track."""
    if event.kind is AgentKind.LOGOUT:
        return ""
    if event.skill_id or event.skill:
        return f"skill:{event.skill_id or event.skill}"
    return "presence"


def place(event: AgentEvent) -> tuple[int, int, bool, str]:
    """Return an event's place among those of its agent."""
    return (event.at, event.seq, event.kind not in ENDINGS, event.id)


def spans_of(events: Iterable[AgentEvent]) -> list[AgentSpan]:
    """Return the spans that the events of one agent (each id once) tell of, in whatever order, by their begin."""
    begun: list[tuple[AgentEvent, list[EpochMs]]] = []
    lasting: dict[str, list[EpochMs]] = {}
    for event in sorted(events, key=place):
        track = track_of(event)
        for ended in [track] if track else list(lasting):
            if ended in lasting:
                lasting.pop(ended).append(event.at)
        if event.kind not in ENDINGS:
            begun.append((event, lasting.setdefault(track, [])))
    return [_span(event, ends[0] if ends else None) for event, ends in begun]


def _span(event: AgentEvent, end: EpochMs | None) -> AgentSpan:
    return AgentSpan(event.agent, event.kind, event.at, end, event.reason, event.skill, event.skill_id)


def states_of(agent: str, spans: Iterable[AgentSpan], calls: Iterable[LiveCall]) -> list[StateSpan]:
    """Return what an agent (by `Who.key`) was, one state after the other without a gap, from the first that is known.

    Between a logout and the next sign the agent is out, calls excepted.
    """
    told = [*_told(spans), *_called(agent, calls)]
    moments: dict[EpochMs, list[tuple[int, StateSpan]]] = {}
    for each in told:
        if each.end is None or each.end > each.begin:
            moments.setdefault(each.begin, []).append((1, each))
            if each.end is not None:
                moments.setdefault(each.end, []).append((-1, each))
    return list(_swept(moments))


def _told(spans: Iterable[AgentSpan]) -> Iterator[StateSpan]:
    for each in spans:
        if each.kind in OF_EVENTS:
            yield StateSpan(OF_EVENTS[each.kind], each.begin, each.end, each.reason)


def _called(agent: str, calls: Iterable[LiveCall]) -> Iterator[StateSpan]:
    for call in calls:
        for each in call.intervals:
            if each.kind in OF_CALLS and each.agent is not None and each.agent.key == agent:
                yield StateSpan(OF_CALLS[each.kind], each.begin, each.end)


def _swept(moments: Mapping[EpochMs, list[tuple[int, StateSpan]]]) -> Iterator[StateSpan]:
    counts: Counter[tuple[AgentState, str]] = Counter()
    current: StateSpan | None = None
    for at in sorted(moments):
        for step, each in moments[at]:
            counts[each.state, each.reason] += step
        state, reason = _shown(counts)
        if current is not None and (current.state, current.reason) == (state, reason):
            continue
        if current is not None:
            yield replace(current, end=at)
        current = StateSpan(state, at, None, reason)
    if current is not None:
        yield current


def _shown(counts: Counter[tuple[AgentState, str]]) -> tuple[AgentState, str]:
    going = [which for which, count in counts.items() if count]
    return min(going, key=lambda which: PRECEDENCE.index(which[0]), default=(AgentState.OUT, ""))


def within(span: AgentSpan, times: TimeRange) -> bool:
    """Tell whether any of a span lies in `times`."""
    return span.begin <= times.last and (span.end is None or span.end > times.first or span.begin >= times.first)


def cut(spans: Iterable[StateSpan], begin: EpochMs, end: EpochMs) -> list[StateSpan]:
    """Return the parts of states that lie from `begin` to `end`, the latter not included; all have an end."""
    parts = (
        replace(each, begin=max(each.begin, begin), end=end if each.end is None else min(each.end, end))
        for each in spans
    )
    return [each for each in parts if each.end is not None and each.begin < each.end]
