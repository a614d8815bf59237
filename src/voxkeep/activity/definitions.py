"""What the figures mean: each definition of reference 5.3 is one function over a call, and an agent or skill.

Durations sum the durations of events. What still lasts counts as nothing: ask of `calls.as_of` where it shall count.
Sets of kinds and thresholds are parameters with the reference's own as default.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from voxkeep.activity.calls import DROPS, Interval, LiveCall
from voxkeep.activity.events import CallKind, Direction, Who
from voxkeep.archive.units import DurationMs, EpochMs

Kinds = frozenset[CallKind]
Directions = frozenset[Direction]

INBOUND: Directions = frozenset({Direction.INBOUND})
EVERY_WAY: Directions = frozenset(Direction)
TALKING: Kinds = frozenset({CallKind.TALKING})
HOLD: Kinds = frozenset({CallKind.HOLD})
RINGS: Kinds = frozenset({CallKind.RINGING, CallKind.QUEUE_OFFER})
"""An agent's telephone rings."""
QUEUES: Kinds = frozenset({CallKind.QUEUE, CallKind.QUEUE_AUDIO})
NOT_ABANDONED: Kinds = frozenset({CallKind.TALKING, CallKind.VOICEMAIL})
"""A call whose last event is one of these was not abandoned."""
NOT_WAITING: Kinds = frozenset({CallKind.TALKING, CallKind.VOICEMAIL, CallKind.DIALLING})
DEFAULT_THRESHOLD_MS = DurationMs(10_000)


class Whose(NamedTuple):
    """Whose events count: an agent's (by `Who.key`), a skill's (by id or name), both, or any."""

    agent: str = ""
    skill: str = ""

    def has(self, interval: Interval) -> bool:
        """Tell whether an interval counts."""
        if self.agent and (interval.agent is None or interval.agent.key != self.agent):
            return False
        return not self.skill or self.skill in (interval.skill_id, interval.skill)


ANYONE = Whose()


class Totals(Struct, frozen=True):
    """How often, and how long altogether, at most and at least; without any, all are 0."""

    count: int = 0
    total_ms: int = 0
    max_ms: int = 0
    min_ms: int = 0

    @property
    def average_ms(self) -> float | None:
        """Return how long on average."""
        return self.total_ms / self.count if self.count else None


class Denominator(StrEnum):
    """What a service level is a part of."""

    ANSWERED = "answered"
    PRESENTED = "presented"
    ANSWERED_OR_ABANDONED = "answered_or_abandoned"


def of_kinds(call: LiveCall, kinds: Kinds, whose: Whose = ANYONE) -> Iterator[Interval]:
    """Yield the events of some kinds that count."""
    return (each for each in call.intervals if each.kind in kinds and whose.has(each))


def happened(call: LiveCall, kinds: Kinds, whose: Whose = ANYONE) -> bool:
    """Tell whether there is an event of some kinds."""
    return next(of_kinds(call, kinds, whose), None) is not None


def total(call: LiveCall, kinds: Kinds, whose: Whose = ANYONE) -> Totals:
    """Return count and durations of the events of some kinds: talk, hold, ring and queue durations are such."""
    lengths = [each.duration_ms for each in of_kinds(call, kinds, whose)]
    return Totals(len(lengths), sum(lengths), max(lengths), min(lengths)) if lengths else Totals()


def first_talk(call: LiveCall, whose: Whose = ANYONE) -> EpochMs | None:
    """Return when the first Talking event begins."""
    return next((each.begin for each in of_kinds(call, TALKING, whose)), None)


def answered(call: LiveCall, whose: Whose = ANYONE, directions: Directions = INBOUND) -> bool:
    """Answered: inbound, with at least one Talking event; of an agent, with that agent."""
    return call.direction in directions and happened(call, TALKING, whose)


def callers_last(call: LiveCall) -> Interval | None:
    """Return the last event on the caller's own way through the call that is not a drop.

    Of a call that has only named legs, the last of all: a consultation that outlasts the caller tells nothing of him.
    """
    going = [each for each in call.intervals if each.kind not in DROPS]
    return next((each for each in reversed(going) if not each.leg), going[-1] if going else None)


def abandoned(
    call: LiveCall,
    whose: Whose = ANYONE,
    directions: Directions = INBOUND,
    *,
    safe: Kinds = NOT_ABANDONED,
    at_least_ms: int = 0,
) -> bool:
    """Abandoned: inbound, over, and the last event before the drop is neither Talking nor Voicemail.

    Who hangs up on hold abandons, even though answered. It counts for the agent and skill of that last event.
    Real-time figures leave out calls shorter than 10 s: `at_least_ms`.
    """
    last = callers_last(call)
    if call.ended_at is None or call.direction not in directions or last is None or not whose.has(last):
        return False
    return last.kind not in safe and call.ended_at - call.began_at >= at_least_ms


def unanswered(call: LiveCall, directions: Directions = EVERY_WAY) -> bool:
    """Unanswered: over, without any Talking event."""
    return call.ended_at is not None and call.direction in directions and not happened(call, TALKING)


def presented(call: LiveCall, whose: Whose = ANYONE, directions: Directions = INBOUND) -> bool:
    """Presented: at least one ringing event for the agent; of a skill or a whole call, ringing or queue."""
    return call.direction in directions and happened(call, RINGS if whose.agent else RINGS | QUEUES, whose)


def missed(call: LiveCall, whose: Whose = ANYONE, directions: Directions = INBOUND) -> bool:
    """Missed: it rang, and there is no Talking event with that agent (or for that skill)."""
    return call.direction in directions and happened(call, RINGS, whose) and not happened(call, TALKING, whose)


def _until_answer(call: LiveCall, kinds: Kinds, whose: Whose, directions: Directions) -> DurationMs | None:
    talk = first_talk(call, whose)
    if talk is None or call.direction not in directions:
        return None
    before = (each for each in of_kinds(call, kinds, whose) if each.begin < talk)
    return DurationMs(sum((talk if each.end is None else min(each.end, talk)) - each.begin for each in before))


def agent_speed_of_answer(
    call: LiveCall, agent: str, skill: str = "", directions: Directions = INBOUND
) -> DurationMs | None:
    """Agent Speed of Answer: ringing before the first Talking, both the agent's own; None where not answered so."""
    return _until_answer(call, RINGS, Whose(agent, skill), directions)


def skill_speed_of_answer(call: LiveCall, skill: str = "", directions: Directions = INBOUND) -> DurationMs | None:
    """Skill Speed of Answer: ringing and queue before the first Talking, all of the skill; without one, of the call."""
    return _until_answer(call, RINGS | QUEUES, Whose(skill=skill), directions)


def speed_of_answer(call: LiveCall, whose: Whose = ANYONE, directions: Directions = INBOUND) -> DurationMs | None:
    """Return the speed of answer that belongs to an agent, a skill or the whole call."""
    if whose.agent:
        return agent_speed_of_answer(call, *whose, directions)
    return skill_speed_of_answer(call, whose.skill, directions)


def time_to_answer(call: LiveCall, directions: Directions = INBOUND) -> DurationMs | None:
    """Time to Answer: from the call's arrival, announcements and all, to the first Talking."""
    talk = first_talk(call)
    return None if talk is None or call.direction not in directions else DurationMs(talk - call.began_at)


def answered_within(
    call: LiveCall,
    threshold_ms: int = DEFAULT_THRESHOLD_MS,
    whose: Whose = ANYONE,
    directions: Directions = INBOUND,
) -> bool:
    """Tell whether the speed of answer is below a threshold."""
    speed = speed_of_answer(call, whose, directions)
    return speed is not None and speed < threshold_ms


def counts_for(
    call: LiveCall, denominator: Denominator, whose: Whose = ANYONE, directions: Directions = INBOUND
) -> bool:
    """Tell whether a call is among those that a service level is a part of."""
    if denominator is Denominator.PRESENTED:
        return presented(call, whose, directions) or answered(call, whose, directions)
    if answered(call, whose, directions):
        return True
    return denominator is Denominator.ANSWERED_OR_ABANDONED and abandoned(call, whose, directions)


def service_level(
    calls: Iterable[LiveCall],
    threshold_ms: int = DEFAULT_THRESHOLD_MS,
    denominator: Denominator = Denominator.ANSWERED,
    whose: Whose = ANYONE,
    directions: Directions = INBOUND,
) -> float | None:
    """Service level: percent of the calls that count which were answered within the threshold; None without calls."""
    counted = [call for call in calls if counts_for(call, denominator, whose, directions)]
    within = sum(answered_within(call, threshold_ms, whose, directions) for call in counted)
    return 100 * within / len(counted) if counted else None


def caller_wait(call: LiveCall, not_waiting: Kinds = NOT_WAITING) -> DurationMs:
    """Caller wait: all event time on the caller's own way except Talking, Voicemail and Dialling."""
    own = [each for each in call.intervals if not each.leg] or call.intervals
    return DurationMs(sum(each.duration_ms for each in own if each.kind not in not_waiting))


def call_duration(call: LiveCall) -> DurationMs:
    """Call duration: from the start of the first event to the end of the last; what lasts counts from its start."""
    last = max((each.begin if each.end is None else each.end for each in call.intervals), default=call.began_at)
    return DurationMs(last - call.began_at)


def initial_agent(call: LiveCall) -> Who | None:
    """Return the first agent whom the call came to."""
    return next((each.agent for each in call.intervals if each.agent is not None), None)
