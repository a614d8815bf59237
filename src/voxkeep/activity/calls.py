"""A call as its events tell it: what went on from when to when. Pure functions; the order of events is theirs alone."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.activity.events import CallEvent, CallKind, Direction, Who
from voxkeep.archive.units import DurationMs, EpochMs

T = TypeVar("T")

DROPS = frozenset({CallKind.CALLING_DROP, CallKind.RECEIVING_DROP})
RANKS = {CallKind.LEG_END: 1, CallKind.CALLING_DROP: 2, CallKind.RECEIVING_DROP: 2}
"""Among events of one moment and number, what ends comes last."""


class Interval(Struct, frozen=True, gc=False):
    """One event of a call, from when to when: `end` is None while it lasts. A drop has no length."""

    kind: CallKind
    begin: EpochMs
    end: EpochMs | None
    leg: str = ""
    agent: Who | None = None
    skill: str = ""
    skill_id: str = ""
    party: str = ""
    recording: str = ""

    @property
    def duration_ms(self) -> DurationMs:
        """Return its length; 0 while it lasts (see `as_of`)."""
        return DurationMs(0 if self.end is None else self.end - self.begin)


class LiveCall(Struct, frozen=True, kw_only=True):
    """A call, over or not. Its intervals are ordered by their begin; those of one leg never overlap."""

    key: str
    events: tuple[CallEvent, ...]
    """In order of time."""
    intervals: tuple[Interval, ...]
    began_at: EpochMs
    ended_at: EpochMs | None
    """None while something lasts, and as long as nothing but an end is known of it."""
    direction: Direction
    drop: CallKind | None
    """Who hung up first; None for a call that is not over or whose last leg ended by itself."""

    @property
    def party(self) -> str:
        """Return the number outside."""
        return self.first(lambda event: event.party, "")

    @property
    def caller_name(self) -> str:
        """Return the caller's name."""
        return self.first(lambda event: event.caller_name, "")

    @property
    def dialled_number(self) -> str:
        """Return the number that was dialled."""
        return self.first(lambda event: event.dialled_number, "")

    @property
    def account_codes(self) -> tuple[str, ...]:
        """Return the account codes given to the call, in order."""
        return tuple(dict.fromkeys(event.account_code for event in self.events if event.account_code))

    @property
    def recordings(self) -> tuple[str, ...]:
        """Return the keys of its recordings, in order."""
        return tuple(dict.fromkeys(event.recording for event in self.events if event.recording))

    @property
    def agents(self) -> dict[str, Who]:
        """Return the agents who had to do with it, by key, in order."""
        return {each.agent.key: each.agent for each in self.intervals if each.agent is not None}

    def first(self, value: Callable[[CallEvent], T | None], otherwise: T) -> T:
        """Return the first value that any event gives."""
        return next((found for event in self.events if (found := value(event))), otherwise)


def place(event: CallEvent) -> tuple[int, int, int, str]:
    """Return an event's place among those of its call."""
    return (event.at, event.seq, RANKS.get(event.kind, 0), event.id)


def call_of(events: Iterable[CallEvent]) -> LiveCall:
    """Return the call that these events (at least one, all of one call, each id once) tell of, in whatever order.

    After a drop another event begins the call anew: a callback belongs to the call that asked for it.
    """
    ordered = tuple(sorted(events, key=place))
    intervals = tuple(_intervals(ordered))
    lasts = any(each.end is None for each in intervals) or all(each.kind in DROPS for each in intervals)
    ended_at = None if lasts else max(each.end for each in intervals if each.end is not None)
    return LiveCall(
        key=ordered[0].call,
        events=ordered,
        intervals=intervals,
        began_at=ordered[0].at,
        ended_at=ended_at,
        direction=next((event.direction for event in ordered if event.direction is not None), Direction.INBOUND),
        drop=None if lasts or intervals[-1].kind not in DROPS else intervals[-1].kind,
    )


def _intervals(ordered: Iterable[CallEvent]) -> Iterator[Interval]:
    begun: list[tuple[CallEvent, list[EpochMs]]] = []
    lasting: dict[str, list[EpochMs]] = {}
    for event in ordered:
        if event.kind in DROPS:
            if begun and begun[-1][0].kind in DROPS:
                continue  # the other side hangs up too: who did first is what counts
            for ends in lasting.values():
                ends.append(event.at)
            lasting.clear()
            begun.append((event, [event.at]))
            continue
        if event.leg in lasting:
            lasting.pop(event.leg).append(event.at)
        if event.kind is not CallKind.LEG_END:
            begun.append((event, lasting.setdefault(event.leg, [])))
    return (_interval(event, ends[0] if ends else None) for event, ends in begun)


def _interval(event: CallEvent, end: EpochMs | None) -> Interval:
    return Interval(
        event.kind,
        event.at,
        end,
        event.leg,
        event.agent,
        event.skill,
        event.skill_id,
        event.party,
        event.recording,
    )


def as_of(call: LiveCall, now: EpochMs) -> LiveCall:
    """Return a call with what lasts ended at `now` (or at its own begin, if that is later), so that it has a length."""
    if all(each.end is not None for each in call.intervals):
        return call
    ended = [each if each.end is not None else replace(each, end=max(now, each.begin)) for each in call.intervals]
    return replace(call, intervals=tuple(ended), ended_at=max(each.end for each in ended if each.end is not None))
