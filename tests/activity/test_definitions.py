from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.activity.making import ANNA, BERT, SALES, answered_call, call, one_call, told

from voxkeep.activity import CallEvent, CallKind, Direction, LiveCall
from voxkeep.activity import definitions as d
from voxkeep.activity.calls import call_of
from voxkeep.activity.definitions import Denominator, Totals, Whose

A, B = Whose(agent="201"), Whose(agent="202")
BY_ID, BY_NAME, OTHER = Whose(skill="101"), Whose(skill="CC Sales"), Whose(skill="102")
ANSWERED = call(*answered_call())
GIVEN_UP = call(
    told(0, CallKind.AUTO_ATTENDANT),
    told(4, CallKind.QUEUE, **SALES),
    told(10, CallKind.QUEUE_OFFER, agent=ANNA, **SALES),
    told(18, CallKind.QUEUE_AUDIO, **SALES),
    told(21, CallKind.CALLING_DROP),
)
PASSED_ON = call(  # missed by Anna, answered by Bert
    told(0, CallKind.RINGING, agent=ANNA),
    told(8, CallKind.RINGING, agent=BERT),
    told(11, CallKind.TALKING, agent=BERT),
    told(41, CallKind.CALLING_DROP),
)
ON_HOLD = call(
    told(0, CallKind.RINGING, agent=ANNA, **SALES),
    told(2, CallKind.TALKING, agent=ANNA, **SALES),
    told(9, CallKind.HOLD, agent=ANNA, **SALES),
    told(40, CallKind.CALLING_DROP),
)
TO_VOICEMAIL = call(
    told(0, CallKind.RINGING, agent=ANNA), told(15, CallKind.VOICEMAIL), told(30, CallKind.CALLING_DROP)
)
GOING = call(told(0, CallKind.RINGING, agent=ANNA), told(5, CallKind.HOLD, agent=ANNA))


def outbound(events: Iterable[CallEvent]) -> LiveCall:
    first, *rest = events
    fields = {name: getattr(first, name) for name in first.__struct_fields__}
    return call(CallEvent(**{**fields, "direction": Direction.OUTBOUND}), *rest)


def test_answered_is_inbound_with_a_talking_event_of_an_agent_with_that_agent() -> None:
    assert d.answered(ANSWERED)
    assert d.answered(ON_HOLD)
    assert not d.answered(GIVEN_UP)
    assert not d.answered(TO_VOICEMAIL)
    assert (d.answered(PASSED_ON, A), d.answered(PASSED_ON, B)) == (False, True)
    assert (d.answered(ANSWERED, BY_ID), d.answered(ANSWERED, BY_NAME), d.answered(ANSWERED, OTHER)) == (
        True,
        True,
        False,
    )
    assert not d.answered(outbound(ANSWERED.events))
    assert d.answered(outbound(ANSWERED.events), directions=d.EVERY_WAY)


def test_abandoned_is_over_with_neither_talking_nor_voicemail_last() -> None:
    assert d.abandoned(GIVEN_UP)
    assert not d.abandoned(ANSWERED)
    assert not d.abandoned(TO_VOICEMAIL)
    assert not d.abandoned(GOING)
    assert not d.abandoned(outbound(GIVEN_UP.events))


def test_who_hangs_up_on_hold_abandons_even_though_answered() -> None:
    assert d.answered(ON_HOLD)
    assert d.abandoned(ON_HOLD)
    assert not d.unanswered(ON_HOLD)


def test_an_abandoned_call_counts_for_the_skill_and_agent_it_was_with_last() -> None:
    assert (d.abandoned(GIVEN_UP, BY_ID), d.abandoned(GIVEN_UP, OTHER)) == (True, False)
    assert (d.abandoned(ON_HOLD, A), d.abandoned(ON_HOLD, B), d.abandoned(GIVEN_UP, A)) == (True, False, False)


def test_a_short_call_may_be_left_out_of_the_abandoned_ones() -> None:
    assert d.abandoned(GIVEN_UP, at_least_ms=21_000)
    assert not d.abandoned(GIVEN_UP, at_least_ms=21_001)


def test_a_consultation_does_not_make_the_caller_talk_last() -> None:
    held = call(
        told(0, CallKind.TALKING, agent=ANNA),
        told(5, CallKind.HOLD, agent=ANNA),
        told(6, CallKind.TALKING, leg="consult", agent=BERT),
        told(20, CallKind.CALLING_DROP),
    )
    assert d.abandoned(held)
    assert d.caller_wait(held) == 15_000


def test_unanswered_is_over_without_any_talking() -> None:
    assert d.unanswered(GIVEN_UP)
    assert d.unanswered(TO_VOICEMAIL)
    assert not d.unanswered(PASSED_ON)
    assert not d.unanswered(GOING)
    assert d.unanswered(outbound(GIVEN_UP.events))
    assert not d.unanswered(outbound(GIVEN_UP.events), d.INBOUND)


def test_presented_to_an_agent_is_ringing_to_a_skill_also_queueing() -> None:
    queued = call(told(0, CallKind.QUEUE, agent=ANNA, **SALES), told(9, CallKind.CALLING_DROP))
    assert not d.presented(queued, A)
    assert d.presented(queued, BY_ID)
    assert d.presented(queued)
    assert d.presented(GIVEN_UP, A)
    assert not d.presented(GIVEN_UP, B)
    assert not d.presented(outbound(GIVEN_UP.events), A)


def test_missed_is_rung_without_talking_to_that_agent() -> None:
    assert (d.missed(PASSED_ON, A), d.missed(PASSED_ON, B)) == (True, False)
    assert d.missed(GIVEN_UP, A)
    assert d.missed(GIVEN_UP, BY_NAME)
    queued = call(told(0, CallKind.QUEUE, **SALES), told(9, CallKind.CALLING_DROP))
    assert not d.missed(queued, BY_ID)
    assert not d.missed(ANSWERED, A)
    assert not d.missed(ANSWERED, B)


def test_an_agents_speed_of_answer_is_the_agents_own_ringing() -> None:
    assert d.agent_speed_of_answer(PASSED_ON, "202") == 3_000
    assert d.agent_speed_of_answer(PASSED_ON, "201") is None
    assert d.agent_speed_of_answer(ANSWERED, "201") == 5_000
    assert d.agent_speed_of_answer(outbound(ANSWERED.events), "201") is None
    again = call(
        told(0, CallKind.RINGING, agent=ANNA),
        told(4, CallKind.RINGING, agent=BERT),
        told(9, CallKind.RINGING, agent=ANNA),
        told(10, CallKind.TALKING, agent=ANNA),
        told(20, CallKind.RINGING, agent=ANNA),
        told(30, CallKind.CALLING_DROP),
    )
    assert d.agent_speed_of_answer(again, "201") == 5_000


def test_a_skills_speed_of_answer_is_ringing_and_queue_before_talking() -> None:
    assert d.skill_speed_of_answer(ANSWERED, "101") == 20_000
    assert d.skill_speed_of_answer(ANSWERED, "102") is None
    assert d.skill_speed_of_answer(PASSED_ON) == 11_000
    assert d.skill_speed_of_answer(GIVEN_UP, "101") is None


def test_time_to_answer_counts_from_the_arrival_announcements_and_all() -> None:
    assert d.time_to_answer(ANSWERED) == 25_000
    assert d.time_to_answer(GIVEN_UP) is None
    assert d.time_to_answer(outbound(ANSWERED.events)) is None


@pytest.mark.parametrize(("threshold_ms", "within"), [(20_000, False), (20_001, True)])
def test_within_a_threshold_is_below_it(threshold_ms: int, within: bool) -> None:  # noqa: FBT001
    assert d.answered_within(ANSWERED, threshold_ms) is within


CALLS = [ANSWERED, GIVEN_UP, PASSED_ON, ON_HOLD, TO_VOICEMAIL]


@pytest.mark.parametrize(
    ("denominator", "percent"),
    [
        (Denominator.ANSWERED, 100 * 1 / 3),  # ANSWERED 20 s, PASSED_ON 11 s, ON_HOLD 2 s
        (Denominator.PRESENTED, 100 * 1 / 5),
        (Denominator.ANSWERED_OR_ABANDONED, 100 * 1 / 4),
    ],
)
def test_a_service_level_is_a_part_of_the_calls_that_the_denominator_says(
    denominator: Denominator, percent: float
) -> None:
    assert d.service_level(CALLS, 10_000, denominator) == percent


def test_a_service_level_of_an_agent_goes_by_the_agents_speed_and_of_nothing_is_none() -> None:
    assert d.service_level(CALLS, 10_000, whose=A) == 100.0
    assert d.service_level(CALLS, 4_000, whose=A) == 50.0
    assert d.service_level(CALLS, 21_000, whose=BY_ID) == 100.0
    assert d.service_level([GIVEN_UP]) is None


def test_callers_wait_whenever_nobody_talks_to_them() -> None:
    assert d.caller_wait(ANSWERED) == 45_000
    assert d.caller_wait(GIVEN_UP) == 21_000
    assert d.caller_wait(TO_VOICEMAIL) == 15_000
    dialled = call(told(0, CallKind.DIALLING), told(7, CallKind.RINGING), told(9, CallKind.CALLING_DROP))
    assert d.caller_wait(dialled) == 2_000


def test_a_calls_duration_is_from_its_first_events_start_to_its_last_events_end() -> None:
    assert d.call_duration(ANSWERED) == 120_000
    assert d.call_duration(GOING) == 5_000
    assert d.call_duration(call(told(3, CallKind.CALLING_DROP))) == 0


def test_totals_are_of_one_kind_of_event_and_of_whom_they_are_asked() -> None:
    assert d.total(ANSWERED, d.TALKING) == Totals(2, 75_000, 40_000, 35_000)
    assert d.total(ANSWERED, d.TALKING).average_ms == 37_500
    assert d.total(ANSWERED, d.HOLD, A) == Totals(1, 20_000, 20_000, 20_000)
    assert d.total(ANSWERED, d.QUEUES, BY_ID).total_ms == 15_000
    assert d.total(ANSWERED, d.TALKING, B) == Totals()
    assert Totals().average_ms is None


def test_the_initial_agent_is_whom_the_call_came_to_first() -> None:
    assert d.initial_agent(PASSED_ON) == ANNA
    assert d.initial_agent(ANSWERED) == ANNA
    assert d.initial_agent(call(told(0, CallKind.QUEUE))) is None


@given(one_call(), st.sampled_from([d.ANYONE, A]))
def test_the_definitions_never_contradict_each_other(events: list[CallEvent], whose: Whose) -> None:
    found = call_of(events)
    checks: list[Callable[[], bool]] = [
        lambda: not (d.answered(found, whose) and d.missed(found, whose)),
        lambda: not (d.answered(found) and d.unanswered(found)),
        lambda: not d.missed(found, whose) or d.presented(found, whose),
        lambda: d.answered(found, whose) == (d.speed_of_answer(found, whose) is not None),
        lambda: (d.speed_of_answer(found, whose) or 0) >= 0,
        lambda: (d.time_to_answer(found) or 0) <= d.call_duration(found),
        lambda: d.total(found, frozenset(CallKind)).total_ms == sum(each.duration_ms for each in found.intervals),
    ]
    assert [number for number, holds in enumerate(checks) if not holds()] == []
