"""Taking events: durable, once each, in any order, in any batches."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.activity.conftest import NewTenant
from tests.activity.making import NEAR, agent_events, answered_call, call_events, of_agent, parts, second, told

from voxkeep.activity import MIGRATIONS, Activity, AgentEvent, AgentKind, AgentSpan, BadEvent, CallKind, Event, LiveCall
from voxkeep.activity import activity as activity_module
from voxkeep.activity.store import Taken
from voxkeep.archive import Archive
from voxkeep.archive.model import Call
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.settings import Settings

EVER = TimeRange(EpochMs(0), EpochMs(2**52))
EVENTS = st.lists(st.one_of(call_events(NEAR), agent_events(NEAR)), max_size=25, unique_by=lambda event: event.id)


async def all_calls(activity: Activity, tenant: TenantId, times: TimeRange = EVER) -> list[LiveCall]:
    return [call async for chunk in activity.calls(tenant, times) for call in chunk]


async def all_spans(activity: Activity, tenant: TenantId, times: TimeRange = EVER) -> list[list[AgentSpan]]:
    return [spans async for spans in activity.agent_spans(tenant, times)]


async def archived(archive: Archive, tenant: TenantId) -> list[tuple[object, ...]]:
    # a call's id keeps the start that it had when it was over first: of that it depends on what came when
    columns = [name for name in Call.__struct_fields__ if name not in {"tenant", "id", "started_at", "reference"}]
    found = archive.find_calls([Scope(tenant)], EVER, columns, lambda rows: [(row[0], *row[2:]) for row in rows])
    return sorted([row async for chunk in found for row in chunk], key=repr)


@settings(max_examples=40)
@given(EVENTS, st.data())
async def test_neither_order_nor_batches_nor_repetition_change_what_comes_of_events(
    kept: Archive, activity: Activity, new_tenant: NewTenant, events: list[Event], data: st.DataObject
) -> None:
    tenant, other = await new_tenant(), await new_tenant()
    taken = await activity.take(tenant, events)
    assert (taken.new, taken.known) == (len(events), 0)
    await activity.settle()

    again = data.draw(st.lists(st.sampled_from(events), max_size=8)) if events else []
    shuffled = data.draw(st.permutations([*events, *again]))
    sums = [0, 0]
    for batch in parts(shuffled, data.draw(st.lists(st.integers(0, 40), max_size=4))):
        taken = await activity.take(other, batch)
        sums = [sums[0] + taken.new, sums[1] + taken.known]
        if data.draw(st.booleans()):
            await activity.settle()
    await activity.settle()

    assert sums == [len(events), len(again)]
    assert by_key(await all_calls(activity, tenant)) == by_key(await all_calls(activity, other))
    assert await all_spans(activity, tenant) == await all_spans(activity, other)
    assert await archived(kept, tenant) == await archived(kept, other)


def by_key(calls: Sequence[LiveCall]) -> dict[str, LiveCall]:
    return {call.key: call for call in calls}


async def test_an_id_seen_before_changes_nothing_whatever_comes_with_it(activity: Activity, acme: TenantId) -> None:
    first = told(0, CallKind.RINGING, id="1")
    others: list[Event] = [
        told(9, CallKind.TALKING, id="1"),
        told(9, CallKind.TALKING, id="1", call="d"),
        of_agent(9, AgentKind.READY, id="1"),
    ]
    assert await activity.take(acme, [first]) == Taken(1, 0, 0)
    assert await activity.take(acme, [first, *others]) == Taken(0, 4, 0)
    (found,) = await all_calls(activity, acme)
    assert found.events == (first,)
    assert await all_spans(activity, acme) == []


async def test_of_two_events_of_one_id_in_a_batch_the_first_counts(activity: Activity, acme: TenantId) -> None:
    first, second_one = told(0, CallKind.RINGING, id="1"), told(5, CallKind.TALKING, id="1")
    assert await activity.take(acme, [first, second_one]) == Taken(1, 1, 0)
    found = await activity.call(acme, "c")
    assert found is not None
    assert found.events == (first,)


async def test_tenants_have_ids_calls_and_agents_of_their_own(
    activity: Activity, acme: TenantId, new_tenant: NewTenant
) -> None:
    globex = await new_tenant()
    events: list[Event] = [*answered_call(), of_agent(0, AgentKind.READY)]
    assert (await activity.take(acme, events)).new == len(events)
    assert await all_calls(activity, globex) == []
    assert await all_spans(activity, globex) == []
    assert await activity.call(globex, "c") is None
    assert (await activity.take(globex, events[:2])).new == 2
    found = await activity.call(acme, "c")
    assert found is not None
    assert len(found.events) == 7


async def test_what_happened_over_an_hour_before_the_newest_is_kept_and_counted_as_late(
    activity: Activity, acme: TenantId
) -> None:
    await activity.take(acme, [told(7200, CallKind.RINGING, call="new")])
    hour_ago, older = told(3600, CallKind.RINGING, call="a"), told(3599.999, CallKind.RINGING, call="b")
    assert await activity.take(acme, [hour_ago, older]) == Taken(2, 0, 1)
    assert await activity.take(acme, [older]) == Taken(0, 1, 0)
    assert set(by_key(await all_calls(activity, acme))) == {"new", "a", "b"}


async def test_late_is_told_event_by_event_however_they_are_batched(activity: Activity, new_tenant: NewTenant) -> None:
    events = [told(at, CallKind.HOLD, call=str(at)) for at in (0, 8000, 100, 9000, 5000, 5500)]
    for cuts in ([], [1], [2, 4], [1, 2, 3, 4, 5]):
        tenant = await new_tenant()
        late = [(await activity.take(tenant, batch)).late for batch in parts(events, cuts)]
        assert sum(late) == 2  # 100 is 7,900 s behind 8000, 5000 is 4,000 s behind 9000; 5500 is not too far


async def test_a_clock_that_is_ahead_does_not_make_everything_late(
    activity: Activity, acme: TenantId, clock: list[EpochMs]
) -> None:
    clock[0] = second(100)
    await activity.take(acme, [told(10**8, CallKind.RINGING, call="ahead")])
    assert (await activity.take(acme, [told(90, CallKind.RINGING, call="a")])).late == 0
    assert (await activity.take(acme, [told(-3501, CallKind.RINGING, call="b")])).late == 1


async def test_a_bad_event_among_others_keeps_none_of_them(activity: Activity, acme: TenantId) -> None:
    with pytest.raises(BadEvent):
        await activity.take(acme, [told(0, CallKind.RINGING), told(1, CallKind.HOLD, id="x" * 101)])
    assert await all_calls(activity, acme) == []


async def test_what_was_taken_is_there_for_another_process_and_after_a_restart(kept: Archive) -> None:
    tenant = TenantId(1)
    taking = Activity(kept)
    await taking.take(tenant, answered_call())
    other = await Archive.at(kept.home, Settings(), [MIGRATIONS])
    try:
        assert await Activity(other).call(tenant, "c") == await taking.call(tenant, "c")
        assert (await Activity(other).take(tenant, answered_call())).new == 0
    finally:
        await other.close()


async def test_many_events_are_taken_in_several_transactions(
    activity: Activity, acme: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity_module, "BATCH_EVENTS", 3)
    events = [told(at, CallKind.HOLD) for at in range(10)]
    assert await activity.take(acme, [*events, *events[:2]]) == Taken(10, 2, 0)
    found = await activity.call(acme, "c")
    assert found is not None
    assert found.events == tuple(events)


async def test_followers_are_told_of_new_events_alone_in_the_order_in_which_they_came(
    activity: Activity, acme: TenantId
) -> None:
    heard = list[tuple[TenantId, list[Event]]]()
    activity.follow(lambda tenant, events: heard.append((tenant, list(events))))
    a, b, c = (told(at, CallKind.HOLD) for at in (3, 1, 2))
    ready: AgentEvent = of_agent(0, AgentKind.READY)
    await activity.take(acme, [a, b])
    await activity.take(acme, [b, ready, c, a, c])
    await activity.take(acme, [a])
    assert heard == [(acme, [a, b]), (acme, [ready, c])]
