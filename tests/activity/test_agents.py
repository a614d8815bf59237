from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.activity.making import ANNA, BERT, answered_call, call, of_agent, one_agent, one_call, second, told

from voxkeep.activity import AgentEvent, AgentKind, AgentSpan, AgentState, CallEvent, CallKind, StateSpan
from voxkeep.activity.agents import OF_CALLS, OF_EVENTS, PRECEDENCE, cut, place, spans_of, states_of, track_of, within
from voxkeep.activity.calls import call_of
from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import EpochMs

K = AgentKind
LATER = EpochMs(2**52)


def shown(spans: list[AgentSpan]) -> list[tuple[AgentKind, float, float | None, str]]:
    return [
        (each.kind, seconds(each.begin), None if each.end is None else seconds(each.end), each.reason or each.skill)
        for each in spans
    ]


def seconds(at: int) -> float:
    return (at - second(0)) / 1000


@given(one_agent().flatmap(lambda events: st.tuples(st.just(events), st.permutations(events))))
def test_the_order_in_which_events_come_never_matters(both: tuple[list[AgentEvent], list[AgentEvent]]) -> None:
    events, shuffled = both
    assert spans_of(events) == spans_of(shuffled)


@given(one_agent())
def test_every_span_lasts_until_the_next_event_of_its_track_or_a_logout(events: list[AgentEvent]) -> None:
    ordered = sorted(events, key=place)
    expected = []
    for number, event in enumerate(ordered):
        if event.kind not in {K.LOGOUT, K.SKILL_LOGOUT}:
            track = track_of(event)
            ends = (each.at for each in ordered[number + 1 :] if track_of(each) in {track, ""})
            expected.append((event.kind, event.at, next(ends, None), event.reason, event.skill))
    found = [(each.kind, each.begin, each.end, each.reason, each.skill) for each in spans_of(events)]
    assert found == expected


def test_states_follow_each_other_and_skills_stand_beside_them() -> None:
    spans = spans_of(
        [
            of_agent(0, K.SKILL_LOGIN, skill="Sales"),
            of_agent(1, K.READY),
            of_agent(5, K.SKILL_LOGIN, skill="Support"),
            of_agent(10, K.DND, reason="lunch"),
            of_agent(20, K.READY),
            of_agent(25, K.SKILL_LOGOUT, skill="Sales"),
            of_agent(30, K.LOGOUT),
        ]
    )
    assert shown(spans) == [
        (K.SKILL_LOGIN, 0, 25, "Sales"),
        (K.READY, 1, 10, ""),
        (K.SKILL_LOGIN, 5, 30, "Support"),
        (K.DND, 10, 20, "lunch"),
        (K.READY, 20, 30, ""),
    ]


def test_a_change_of_reason_begins_anew() -> None:
    spans = spans_of([of_agent(0, K.DND, reason="lunch"), of_agent(9, K.DND, reason="training")])
    assert shown(spans) == [(K.DND, 0, 9, "lunch"), (K.DND, 9, None, "training")]
    assert [each.duration_ms for each in spans] == [9_000, 0]


def test_a_logout_at_the_moment_of_a_login_comes_before_it() -> None:
    assert shown(spans_of([of_agent(5, K.READY, id="1"), of_agent(5, K.LOGOUT, id="2")])) == [(K.READY, 5, None, "")]


def test_a_call_goes_before_what_the_agent_was_told_to_be() -> None:
    spans = spans_of([of_agent(0, K.READY), of_agent(121, K.ACW), of_agent(150, K.READY), of_agent(200, K.LOGOUT)])
    states = states_of("201", spans, [call(*answered_call())])
    assert [(each.state, seconds(each.begin)) for each in states] == [
        (AgentState.READY, 0),
        (AgentState.RINGING, 20),
        (AgentState.TALKING, 25),
        (AgentState.HOLD, 60),
        (AgentState.TALKING, 80),
        (AgentState.READY, 120),
        (AgentState.ACW, 121),
        (AgentState.READY, 150),
        (AgentState.OUT, 200),
    ]
    assert states[-1].end is None


def test_of_two_calls_at_once_the_one_that_is_talked_is_shown() -> None:
    talk = call(told(0, CallKind.TALKING, agent=ANNA), told(20, CallKind.CALLING_DROP))
    second_line = call(told(5, CallKind.RINGING, call="d", agent=ANNA), told(30, CallKind.CALLING_DROP, call="d"))
    states = states_of("201", [], [talk, second_line])
    assert [(each.state, seconds(each.begin)) for each in states] == [
        (AgentState.TALKING, 0),
        (AgentState.RINGING, 20),
        (AgentState.OUT, 30),
    ]


def test_another_agents_calls_and_reasons_do_not_show() -> None:
    assert states_of("201", [], [call(told(0, CallKind.TALKING, agent=BERT))]) == []


def test_a_reason_is_shown_while_it_is_the_state() -> None:
    spans = spans_of([of_agent(0, K.DND, reason="lunch")])
    assert states_of("201", spans, []) == [StateSpan(AgentState.DND, second(0), None, "lunch")]


def told_at(moment: int, spans: list[AgentSpan], calls: list[list[CallEvent]]) -> AgentState:
    """Look at one moment, without any sweep."""
    going = [OF_EVENTS[each.kind] for each in spans if each.kind in OF_EVENTS and covers(each.begin, each.end, moment)]
    for events in calls:
        going += [
            OF_CALLS[each.kind]
            for each in call_of(events).intervals
            if each.agent == ANNA and each.kind in OF_CALLS and covers(each.begin, each.end, moment)
        ]
    return min(going, key=PRECEDENCE.index, default=AgentState.OUT)


def covers(begin: int, end: int | None, moment: int) -> bool:
    return begin <= moment and (end is None or moment < end)


@given(one_agent(), st.lists(one_call(8), max_size=3))
def test_at_every_moment_the_state_is_the_first_of_what_the_agent_is(
    events: list[AgentEvent], calls: list[list[CallEvent]]
) -> None:
    spans = spans_of(events)
    states = states_of("201", spans, [call_of(each) for each in calls])
    for before, after in pairwise(states):
        assert before.end == after.begin
        assert before.begin < after.begin
        assert (before.state, before.reason) != (after.state, after.reason)
    for offset in range(-5, 320, 5):
        moment = second(0) + offset
        covering = [each.state for each in states if covers(each.begin, each.end, moment)]
        assert covering == [told_at(moment, spans, calls)] or not covering
        if not covering:
            assert told_at(moment, spans, calls) is AgentState.OUT


@given(one_agent(), st.integers(-50, 350), st.integers(0, 300))
def test_states_cut_to_a_time_sum_to_what_is_known_of_it(events: list[AgentEvent], offset: int, length: int) -> None:
    states = states_of("201", spans_of(events), [])
    begin = EpochMs(second(0) + offset)
    end = EpochMs(begin + length)
    parts = cut(states, begin, end)
    total = sum((each.end or 0) - each.begin for each in parts)
    known_from = max(begin, states[0].begin) if states else end
    assert total == max(0, end - known_from)


@pytest.mark.parametrize(
    ("begin", "end", "inside"),
    [(0, 5, False), (0, 10, False), (0, 11, True), (0, None, True), (10, 10, True), (20, 30, True), (21, 30, False)],
)
def test_a_span_lies_within_a_time_when_any_part_of_it_does(begin: int, end: int | None, inside: bool) -> None:  # noqa: FBT001
    span = AgentSpan(ANNA, K.READY, second(begin), None if end is None else second(end))
    assert within(span, TimeRange(second(10), second(20))) is inside
