"""What is measured of one call, for reports to sum up: each measure is a definition applied to a part of the call.

A measure gives how many things there are, and their sizes: lengths in ms; or 1 and 0, where a percent is asked for.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.definitions import (
    RINGS,
    TALKING,
    Denominator,
    Kinds,
    Totals,
    Whose,
    abandoned,
    answered,
    answered_within,
    call_duration,
    counts_for,
    happened,
    missed,
    presented,
    speed_of_answer,
    total,
)
from voxkeep.activity.events import CallKind, Direction
from voxkeep.activity.reports.asked import Options
from voxkeep.activity.reports.callbacks import CALLED_BACK, since_callback
from voxkeep.activity.reports.chosen import Whoses
from voxkeep.archive.units import DurationMs

Measure: TypeAlias = Callable[[LiveCall, Whoses, Options], Totals]
Test: TypeAlias = Callable[[LiveCall, Whose, Options], bool]

NOTHING = Totals()
ONE = Totals(1, 1, 1, 1)
REST = Totals(1, 0, 0, 0)
"""Among those that count, and not one of those that are asked for."""


def together(parts: Iterable[Totals]) -> Totals:
    """Return several totals as one."""
    some = [part for part in parts if part.count]
    if len(some) < 2:  # noqa: PLR2004 -- nothing to put together
        return some[0] if some else NOTHING
    return Totals(
        sum(part.count for part in some),
        sum(part.total_ms for part in some),
        max(part.max_ms for part in some),
        min(part.min_ms for part in some),
    )


def lengths(kinds: Kinds) -> Measure:
    """Return what measures events of some kinds."""
    return lambda call, whoses, _: together(total(call, kinds, whose) for whose in whoses)


def counting(test: Test) -> Measure:
    """Return what counts a call once if a test holds for any part of it."""
    return lambda call, whoses, options: ONE if any(test(call, whose, options) for whose in whoses) else NOTHING


def share(of: Test, among: Test) -> Measure:
    """Return what counts how many of the calls for which `among` holds are those for which `of` does."""

    def measure(call: LiveCall, whoses: Whoses, options: Options) -> Totals:
        if not any(among(call, whose, options) for whose in whoses):
            return NOTHING
        return ONE if any(of(call, whose, options) for whose in whoses) else REST

    return measure


# Tests


def is_presented(call: LiveCall, whose: Whose, options: Options) -> bool:
    """Apply `presented`."""
    return presented(call, whose, options.directions)


def is_answered(call: LiveCall, whose: Whose, options: Options) -> bool:
    """Apply `answered`."""
    return answered(call, whose, options.directions)


def is_missed(call: LiveCall, whose: Whose, options: Options) -> bool:
    """Apply `missed`."""
    return missed(call, whose, options.directions)


def is_abandoned(call: LiveCall, whose: Whose, options: Options) -> bool:
    """Apply `abandoned`."""
    return abandoned(call, whose, options.directions)


def is_offered(call: LiveCall, whose: Whose, options: Options) -> bool:
    """Tell whether a call is among those that were presented or, without ever ringing, answered."""
    return counts_for(call, Denominator.PRESENTED, whose, options.directions)


def is_within(threshold_ms: DurationMs) -> Test:
    """Return `answered_within` a threshold."""
    return lambda call, whose, options: answered_within(call, threshold_ms, whose, options.directions)


def counts_for_service(call: LiveCall, whose: Whose, options: Options) -> bool:
    """Tell whether a call is among those that the service level is a part of."""
    return counts_for(call, options.denominator, whose, options.directions)


def is_served(call: LiveCall, whose: Whose, options: Options) -> bool:
    """Tell whether a call keeps the service level."""
    return answered_within(call, options.service_level_ms, whose, options.directions)


def goes(direction: Direction) -> Test:
    """Return what tells whether a call goes a way."""
    return lambda call, _, __: call.direction is direction


def has(kinds: Kinds) -> Test:
    """Return what tells whether there is an event of some kinds."""
    return lambda call, whose, _: happened(call, kinds, whose)


def is_callback(call: LiveCall, whose: Whose, _: Options) -> bool:
    """Tell whether who counts called back, or talked then."""
    part = since_callback(call)
    return part is not None and happened(part, CALLED_BACK | TALKING, whose)


# Measures


def calls(_: LiveCall, __: Whoses, ___: Options) -> Totals:
    """Count the call."""
    return ONE


def duration(call: LiveCall, _: Whoses, __: Options) -> Totals:
    """Measure the whole call."""
    length = call_duration(call)
    return Totals(1, length, length, length)


def speed(call: LiveCall, whoses: Whoses, options: Options) -> Totals:
    """Measure the speed of answer, of whoever answered."""
    speeds = (speed_of_answer(call, whose, options.directions) for whose in whoses)
    return together(Totals(1, length, length, length) for length in speeds if length is not None)


def callback_talking(call: LiveCall, whoses: Whoses, options: Options) -> Totals:
    """Measure what was talked after the call was called back."""
    part = since_callback(call)
    return NOTHING if part is None else talking(part, whoses, options)


def inbound_talking(call: LiveCall, whoses: Whoses, options: Options) -> Totals:
    """Measure what was talked in an inbound call."""
    return talking(call, whoses, options) if call.direction is Direction.INBOUND else NOTHING


def missed_ringing(call: LiveCall, whoses: Whoses, options: Options) -> Totals:
    """Measure how long a missed call rang."""
    return ringing(call, tuple(whose for whose in whoses if is_missed(call, whose, options)), options)


def after(threshold_ms: DurationMs) -> Measure:
    """Return what counts the calls that were answered, and not within a threshold."""
    within = is_within(threshold_ms)

    def measure(call: LiveCall, whoses: Whoses, options: Options) -> Totals:
        if any(within(call, whose, options) for whose in whoses):
            return NOTHING
        return answers(call, whoses, options)

    return measure


talking, ringing = lengths(TALKING), lengths(RINGS)
offering = lengths(frozenset({CallKind.QUEUE_OFFER}))
presentations, answers = counting(is_presented), counting(is_answered)
misses, abandonments = counting(is_missed), counting(is_abandoned)
answered_share = share(is_answered, is_offered)
missed_share = share(is_missed, is_offered)
service_level = share(is_served, counts_for_service)
callback_calls = counting(is_callback)

SCHEDULED: Kinds = frozenset({CallKind.CALLBACK_SCHEDULED})
ACCEPTED: Kinds = frozenset({CallKind.CALLBACK_ACCEPTED})
GIVEN_UP: Kinds = frozenset({CallKind.CALLBACK_CANCELLED, CallKind.CALLBACK_ABORTED})
scheduled, accepted, given_up = counting(has(SCHEDULED)), counting(has(ACCEPTED)), counting(has(GIVEN_UP))
accepted_share = share(has(ACCEPTED), has(SCHEDULED | ACCEPTED))
