import itertools
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.activity.making import ANNA, BERT, SALES, answered_call, call, one_call, second, told

from voxkeep.activity import CallEvent, CallKind, Direction, Interval
from voxkeep.activity.calls import DROPS, as_of, call_of, place
from voxkeep.activity.definitions import call_duration


def naive(events: list[CallEvent]) -> list[tuple[CallKind, int, int | None]]:
    """Say it in the words of the rule: until the next event of the leg, or a drop; a second drop is none."""
    rest = list[CallEvent]()
    for event in sorted(events, key=place):
        said = [each for each in rest if each.kind is not CallKind.LEG_END]
        if not (event.kind in DROPS and said and said[-1].kind in DROPS):
            rest.append(event)
    found = list[tuple[CallKind, int, int | None]]()
    for number, event in enumerate(rest):
        if event.kind is CallKind.LEG_END:
            continue
        ends = (each.at for each in rest[number + 1 :] if each.leg == event.leg or each.kind in DROPS)
        found.append((event.kind, event.at, event.at if event.kind in DROPS else next(ends, None)))
    return found


@given(one_call())
def test_every_event_lasts_until_the_next_of_its_leg_or_a_drop(events: list[CallEvent]) -> None:
    assert [(each.kind, each.begin, each.end) for each in call_of(events).intervals] == naive(events)


@given(one_call().flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))))
def test_the_order_in_which_events_come_never_matters(both: tuple[list[CallEvent], list[CallEvent]]) -> None:
    events, shuffled = both
    assert call_of(events) == call_of(shuffled)


@given(one_call())
def test_intervals_of_one_leg_never_overlap(events: list[CallEvent]) -> None:
    legs = defaultdict[str, list[Interval]](list)
    for each in call_of(events).intervals:
        if each.kind not in DROPS:
            legs[each.leg].append(each)
    for leg in legs.values():
        for before, after in itertools.pairwise(leg):
            assert before.end is not None
            assert before.begin <= before.end <= after.begin


@given(one_call())
def test_durations_of_one_leg_sum_to_the_calls_duration(events: list[CallEvent]) -> None:
    # without drops but the last, and without legs that end by themselves, there is no gap
    going = [each for each in events if each.kind not in DROPS | {CallKind.LEG_END}]
    if not going:
        return
    going = [CallEvent(id=each.id, at=each.at, kind=each.kind, call="c", seq=each.seq) for each in going]
    end = max(each.at for each in events)
    drop = CallEvent(id="drop", at=end, kind=CallKind.CALLING_DROP, call="c", seq=9)
    found = call_of([*going, drop])
    assert found.ended_at == end
    assert sum(each.duration_ms for each in found.intervals) == call_duration(found)


@given(one_call())
def test_a_call_is_over_exactly_when_something_was_and_nothing_lasts(events: list[CallEvent]) -> None:
    found = call_of(events)
    lasts = [each for each in found.intervals if each.end is None]
    was = [each for each in found.intervals if each.kind not in DROPS]
    assert (found.ended_at is not None) == (bool(was) and not lasts)
    if found.ended_at is not None:
        assert found.began_at <= found.ended_at
        assert found.ended_at == max(each.end or 0 for each in found.intervals)
    else:
        assert found.drop is None


def test_an_answered_call_is_what_its_events_say() -> None:
    found = call(*answered_call(party="18015550100", caller_name="ACME", dialled_number="18015550101"))
    assert [(each.kind, each.duration_ms // 1000) for each in found.intervals] == [
        (CallKind.AUTO_ATTENDANT, 5),
        (CallKind.QUEUE, 15),
        (CallKind.QUEUE_OFFER, 5),
        (CallKind.TALKING, 35),
        (CallKind.HOLD, 20),
        (CallKind.TALKING, 40),
        (CallKind.RECEIVING_DROP, 0),
    ]
    assert (found.began_at, found.ended_at) == (second(0), second(120))
    assert (found.direction, found.drop) == (Direction.INBOUND, CallKind.RECEIVING_DROP)
    assert (found.party, found.caller_name, found.dialled_number) == ("18015550100", "ACME", "18015550101")
    assert found.agents == {"201": ANNA}


def test_who_hung_up_first_is_the_drop_and_the_other_one_changes_nothing() -> None:
    whole = answered_call()
    both = call(*whole, told(120.4, CallKind.CALLING_DROP))
    assert both.drop is CallKind.RECEIVING_DROP
    assert both.ended_at == second(120)
    assert both.intervals == call(*whole).intervals


def test_a_drop_at_the_moment_of_another_event_comes_after_it() -> None:
    found = call(told(0, CallKind.CALLING_DROP), told(0, CallKind.RINGING))
    assert [each.kind for each in found.intervals] == [CallKind.RINGING, CallKind.CALLING_DROP]
    assert found.ended_at == second(0)


def test_events_of_one_moment_follow_their_number() -> None:
    found = call(told(0, CallKind.TALKING, seq=1), told(0, CallKind.RINGING, seq=0), told(5, CallKind.CALLING_DROP))
    assert [(each.kind, each.duration_ms) for each in found.intervals] == [
        (CallKind.RINGING, 0),
        (CallKind.TALKING, 5000),
        (CallKind.CALLING_DROP, 0),
    ]


def test_a_consultation_runs_beside_the_held_call_and_ends_alone() -> None:
    found = call(
        told(0, CallKind.TALKING, agent=ANNA),
        told(10, CallKind.HOLD, agent=ANNA),
        told(10, CallKind.DIALLING, leg="consult", agent=ANNA),
        told(13, CallKind.TALKING, leg="consult", agent=BERT),
        told(20, CallKind.LEG_END, leg="consult"),
        told(22, CallKind.TALKING, agent=ANNA),
        told(30, CallKind.CALLING_DROP),
    )
    assert [(each.leg, each.kind, each.duration_ms // 1000) for each in found.intervals] == [
        ("", CallKind.TALKING, 10),
        ("", CallKind.HOLD, 12),
        ("consult", CallKind.DIALLING, 3),
        ("consult", CallKind.TALKING, 7),
        ("", CallKind.TALKING, 8),
        ("", CallKind.CALLING_DROP, 0),
    ]


def test_a_drop_ends_every_leg() -> None:
    found = call(
        told(0, CallKind.HOLD), told(1, CallKind.TALKING, leg="consult"), told(9, CallKind.CALLING_DROP, leg="consult")
    )
    assert [each.end for each in found.intervals] == [second(9)] * 3


def test_a_callback_goes_on_with_the_call_that_asked_for_it() -> None:
    asked = [
        told(0, CallKind.QUEUE, **SALES),
        told(30, CallKind.CALLBACK_SCHEDULED, **SALES),
        told(35, CallKind.CALLING_DROP),
    ]
    assert call(*asked).ended_at == second(35)
    calling = [*asked, told(600, CallKind.CALLBACK_OFFER, agent=ANNA), told(610, CallKind.TALKING, agent=ANNA)]
    assert call(*calling).ended_at is None
    done = call(*calling, told(700, CallKind.RECEIVING_DROP))
    assert (done.ended_at, done.drop) == (second(700), CallKind.RECEIVING_DROP)


def test_an_end_without_anything_before_it_is_no_call_that_is_over() -> None:
    assert call(told(5, CallKind.CALLING_DROP)).ended_at is None
    assert call(told(5, CallKind.LEG_END)).ended_at is None


def test_a_call_without_a_direction_is_inbound_and_the_first_direction_told_is_the_calls() -> None:
    assert call(told(0, CallKind.RINGING)).direction is Direction.INBOUND
    late = call(told(0, CallKind.RINGING), told(1, CallKind.TALKING, direction=Direction.OUTBOUND))
    assert late.direction is Direction.OUTBOUND


def test_codes_and_recordings_are_each_told_once_in_order() -> None:
    found = call(
        told(0, CallKind.TALKING, account_code="7", recording="r1"),
        told(1, CallKind.HOLD, account_code="3", recording="r1"),
        told(2, CallKind.TALKING, account_code="7", recording="r2"),
    )
    assert found.account_codes == ("7", "3")
    assert found.recordings == ("r1", "r2")


@pytest.mark.parametrize(("now", "talk"), [(25, 15_000), (10, 0), (4, 0)])
def test_what_lasts_has_a_length_as_of_a_moment(now: int, talk: int) -> None:
    going = call(told(0, CallKind.RINGING), told(10, CallKind.TALKING))
    then = as_of(going, second(now))
    assert [each.duration_ms for each in then.intervals] == [10_000, talk]
    assert then.ended_at is not None
    assert [each.duration_ms for each in going.intervals] == [10_000, 0]


def test_a_call_that_is_over_is_the_same_as_of_any_moment() -> None:
    whole = call(*answered_call())
    assert as_of(whole, second(50)) is whole
