"""Calls handed to the archive, and read again."""

import asyncio
import signal
import subprocess
import sys

import pytest
from apsw import Connection
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.activity.conftest import NewTenant
from tests.activity.making import ANNA, BERT, NEAR, agent_events, answered_call, of_agent, second, told

from voxkeep.activity import Activity, AgentEvent, AgentKind, CallKind, Direction
from voxkeep.activity import activity as activity_module
from voxkeep.activity.agents import spans_of, within
from voxkeep.activity.lines import line_of
from voxkeep.archive import Archive
from voxkeep.archive.model import OWN, Call
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import DatabaseError

EVER = TimeRange(EpochMs(0), EpochMs(2**52))
COLUMNS = ("ended_at", "vendor", "vendor_key", "direction", "hold_ms", "drop_event", "dialled_number", "account_codes")


async def archived(archive: Archive, tenant: TenantId, *columns: str) -> list[tuple[object, ...]]:
    found = archive.find_calls([Scope(tenant)], EVER, columns or COLUMNS, lambda rows: [tuple(row) for row in rows])
    return [row for chunk in [chunk async for chunk in found] for row in chunk]


async def test_a_call_that_is_over_is_handed_to_the_archive_once(
    kept: Archive, activity: Activity, acme: TenantId
) -> None:
    events = answered_call(dialled_number="18015550101", account_code="7")
    await activity.take(acme, events[:-1])
    assert await activity.settle() == 0
    assert await archived(kept, acme) == []
    await activity.take(acme, events[-1:])
    assert await activity.settle() == 1
    assert await activity.settle() == 0
    ((began_at, _, key, *rest),) = await archived(kept, acme)
    assert (began_at, key) == (second(0), "c")
    assert rest == [second(120), OWN, "c", "inbound", 20_000, "receiving_drop", "18015550101", '["7"]']


async def test_known_events_do_not_hand_a_call_over_again(activity: Activity, acme: TenantId) -> None:
    await activity.take(acme, answered_call())
    await activity.settle()
    await activity.take(acme, answered_call())
    assert await activity.settle() == 0


async def test_late_events_change_the_kept_call_and_its_id_and_key_stay(
    kept: Archive, activity: Activity, acme: TenantId
) -> None:
    whole = answered_call()
    await activity.take(acme, whole[2:])
    await activity.settle()
    (before,) = await archived(kept, acme, "ended_at", "direction")
    assert before[0] == second(20)
    await activity.take(acme, [told(-8, CallKind.AUTO_ATTENDANT, direction=Direction.INTERNAL), *whole[:2]])
    assert await activity.settle() == 1
    (after,) = await archived(kept, acme, "ended_at", "direction")
    assert after[0] == second(-8)
    assert after[1:3] == before[1:3]
    assert after[3:] == (second(120), "internal")


async def test_a_callback_renews_the_call_that_was_over(kept: Archive, activity: Activity, acme: TenantId) -> None:
    await activity.take(acme, [told(0, CallKind.QUEUE), told(9, CallKind.CALLING_DROP)])
    assert await activity.settle() == 1
    await activity.take(acme, [told(60, CallKind.CALLBACK_OFFER, agent=ANNA)])
    assert await activity.settle() == 0
    await activity.take(acme, [told(70, CallKind.RECEIVING_DROP)])
    assert await activity.settle() == 1
    assert [row[3] for row in await archived(kept, acme)] == [second(70)]


async def test_a_call_that_could_not_be_handed_over_stays_marked(
    kept: Archive, activity: Activity, acme: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    await activity.take(acme, answered_call())

    async def refuses(call: Call) -> Call:
        raise DatabaseError(f"no {call.key}")

    with monkeypatch.context() as patch:
        patch.setattr(kept, "keep_call", refuses)
        with pytest.raises(ExceptionGroup) as failed:
            await activity.settle()
        assert failed.group_contains(DatabaseError)
    assert await archived(kept, acme) == []
    assert await activity.settle() == 1
    assert len(await archived(kept, acme)) == 1


async def test_what_is_told_while_a_call_is_handed_over_is_not_forgotten(
    kept: Archive, activity: Activity, acme: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    await activity.take(acme, answered_call())
    really = kept.keep_call

    async def meanwhile(call: Call) -> Call:
        await activity.take(acme, [told(85, CallKind.HOLD), told(90, CallKind.TALKING)])
        return await really(call)

    with monkeypatch.context() as patch:
        patch.setattr(kept, "keep_call", meanwhile)
        await activity.settle()
    assert [row[7] for row in await archived(kept, acme)] == [20_000]
    assert await activity.settle() == 1
    assert [row[7] for row in await archived(kept, acme)] == [25_000]


async def test_many_calls_are_handed_over_a_chunk_at_a_time(
    kept: Archive, activity: Activity, acme: TenantId, new_tenant: NewTenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity_module, "CALLS_AT_ONCE", 3)
    globex = await new_tenant()
    for number in range(8):
        await activity.take(acme, answered_call(f"c{number}", at=number))
        await activity.take(globex, answered_call(f"c{number}", at=number))
    assert await activity.settle() == 16
    assert [row[2] for row in await archived(kept, acme)] == [f"c{number}" for number in range(8)]
    assert len(await archived(kept, globex)) == 8


async def test_calls_are_rebuilt_from_their_events(kept: Archive, activity: Activity, acme: TenantId) -> None:
    for number in range(4):
        await activity.take(acme, answered_call(f"c{number}", at=100 * number))
    await activity.take(acme, [told(150, CallKind.RINGING, call="going")])
    await activity.settle()
    before = await archived(kept, acme)
    with Connection(str(kept.home / "voxkeep.db")) as broken:
        broken.execute("DELETE FROM calls WHERE vendor_key IN ('c1', 'c2', 'c3')")
        broken.execute("UPDATE calls SET ended_at = 0, direction = 'sideways'")
    broken.close()
    assert await activity.settle() == 0
    assert await activity.rebuild(acme, TimeRange(second(100), second(200))) == 2
    assert [row[2] for row in await archived(kept, acme)] == ["c0", "c1", "c2"]
    assert await activity.rebuild(acme, EVER) == 4
    assert await archived(kept, acme) == before


async def test_calls_are_read_by_their_begin_both_ends_included_in_order(
    activity: Activity, acme: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity_module, "CALLS_AT_ONCE", 2)
    for at in (5, 3, 9, 3, 7, 3):
        await activity.take(acme, [told(at, CallKind.RINGING, call=f"{at}-{await _count(activity, acme)}")])
    times = TimeRange(second(3), second(7))
    chunks = [[call.began_at for call in chunk] async for chunk in activity.calls(acme, times)]
    assert [at for chunk in chunks for at in chunk] == [second(at) for at in (3, 3, 3, 5, 7)]
    assert max(map(len, chunks)) == 2
    lengths = [length async for length in activity.shaped_calls(acme, times, len)]
    assert sum(lengths) == 5
    assert await _count(activity, acme, TimeRange(EpochMs(second(7) + 1), EpochMs(second(9) - 1))) == 0


async def _count(activity: Activity, tenant: TenantId, times: TimeRange = EVER) -> int:
    return sum([length async for length in activity.shaped_calls(tenant, times, len)])


async def test_a_call_is_where_the_archive_has_it_even_when_its_begin_comes_last(
    kept: Archive, activity: Activity, acme: TenantId
) -> None:
    for event in reversed(answered_call()):
        await activity.take(acme, [event])
        await activity.settle()
    (call,) = [call async for chunk in activity.calls(acme, EVER) for call in chunk]
    ((began_at, *_),) = await archived(kept, acme)
    assert call.began_at == began_at == second(0)
    assert await _count(activity, acme, TimeRange(second(0), second(0))) == 1


async def test_spans_that_reach_into_a_time_are_read_whole_whenever_they_began(
    activity: Activity, acme: TenantId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity_module, "AGENTS_AT_ONCE", 1)
    await activity.take(
        acme,
        [
            of_agent(-1, AgentKind.SKILL_LOGIN, skill="Sales"),
            of_agent(0, AgentKind.READY),
            of_agent(10_000, AgentKind.DND, reason="lunch"),
            of_agent(20_000, AgentKind.READY),
            of_agent(90_000, AgentKind.LOGOUT),
            of_agent(5, AgentKind.IDLE, agent=BERT),
            of_agent(10, AgentKind.LOGOUT, agent=BERT),
        ],
    )
    found = [spans async for spans in activity.agent_spans(acme, TimeRange(second(30_000), second(40_000)))]
    assert [[(each.kind, each.begin, each.end) for each in spans] for spans in found] == [
        [
            (AgentKind.SKILL_LOGIN, second(-1), second(90_000)),
            (AgentKind.READY, second(20_000), second(90_000)),
        ]
    ]
    early = [spans async for spans in activity.agent_spans(acme, TimeRange(second(6), second(7)))]
    assert [[(each.agent.key, each.kind) for each in spans] for spans in early] == [
        [("201", AgentKind.SKILL_LOGIN), ("201", AgentKind.READY)],
        [("202", AgentKind.IDLE)],
    ]
    assert [spans async for spans in activity.agent_spans(acme, TimeRange(second(90_000), second(99_999)))] == []


@settings(max_examples=40)
@given(
    st.lists(agent_events(NEAR), max_size=25, unique_by=lambda event: event.id), st.integers(-3, 33), st.integers(0, 20)
)
async def test_spans_of_any_time_are_those_of_all_events_that_touch_it(
    activity: Activity, new_tenant: NewTenant, events: list[AgentEvent], offset: int, length: int
) -> None:
    tenant = await new_tenant()
    await activity.take(tenant, events)
    times = TimeRange(EpochMs(second(0) + offset * 10), EpochMs(second(0) + (offset + length) * 10))
    found = {spans[0].agent.key: spans async for spans in activity.agent_spans(tenant, times)}
    agents: dict[str, list[AgentEvent]] = {}
    for event in events:
        agents.setdefault(event.agent.key, []).append(event)
    touching = {key: [each for each in spans_of(told) if within(each, times)] for key, told in agents.items()}
    assert found == {key: spans for key, spans in touching.items() if spans}


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from voxkeep.activity import MIGRATIONS, Activity, parse
from voxkeep.archive import Archive
from voxkeep.archive.units import TenantId
from voxkeep.settings import Settings

async def main():
    archive = await Archive.at(Path(sys.argv[1]), Settings(), [MIGRATIONS])
    activity = Activity(archive)
    await activity.take(TenantId(1), parse(sys.stdin.buffer.read()).events)
    if sys.argv[2] == "settling":
        async def killed(call):
            os.kill(os.getpid(), signal.SIGKILL)
        archive.keep_call = killed
        await activity.settle()
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize("moment", ["taken", "settling"])
async def test_what_was_taken_outlives_a_kill_and_is_handed_over_by_who_comes_next(
    kept: Archive, activity: Activity, acme: TenantId, moment: str
) -> None:
    lines = b"\n".join(map(line_of, answered_call()))
    command = [sys.executable, "-c", KILLED, str(kept.home), moment]
    done = await asyncio.to_thread(subprocess.run, command, input=lines, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGKILL, b"")
    assert await activity.settle() == 1
    assert [row[2] for row in await archived(kept, acme)] == ["c"]
    assert (await activity.take(acme, answered_call())).known == 7
