"""Orders: sent once, at least; tried again with growing waits; dead letters that somebody can see and mend."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from tests.deliver.conftest import TO_LOOPBACK, WAV, Desk, Receiver, Request, silence

from voxkeep.archive import Archive
from voxkeep.archive.units import RecordingId
from voxkeep.deliver import (
    DELIVERY_FAILED,
    MIGRATIONS,
    BadTarget,
    BeingSent,
    Deliveries,
    Delivery,
    State,
    Target,
    UnknownDelivery,
    WasDelivered,
)
from voxkeep.deliver.deliveries import LEASE_SPARE_MS
from voxkeep.settings import Deliver, Settings

HOUR_MS = 3_600_000
LEASE_MS = TO_LOOPBACK.timeout_seconds * 1000 + LEASE_SPARE_MS


async def states(desk: Desk) -> list[State]:
    return [each.state async for each in desk.deliveries.all()]


# Ordering


async def test_the_same_order_twice_is_sent_once(desk: Desk, receiver: Receiver) -> None:
    recording = await desk.keep()
    target = Target(url=f"{receiver.url}/in", media_type="audio/x-wav")
    first = await desk.deliveries.order(recording, target)
    again = await desk.deliveries.order(recording, target)
    assert (first.new, again.new, first.delivery) == (True, False, again.delivery)
    assert await desk.deliveries.send_due() == 1
    assert not (await desk.deliveries.order(recording, target)).new
    assert await desk.deliveries.send_due() == 0
    assert receiver.bodies == [WAV]


async def test_orders_of_one_given_url_are_the_same_however_it_is_composed(desk: Desk, receiver: Receiver) -> None:
    recording = await desk.keep()
    for account in ("", "renamed"):
        composed = f"{receiver.url}/in/call.wav?account_id={account}"
        await desk.order(composed, recording, given=f"{receiver.url}/in")
    await desk.deliveries.send_due()
    assert [request.target for request in receiver.requests] == ["/in/call.wav?account_id="]


async def test_two_recordings_or_two_urls_are_two_deliveries(desk: Desk, receiver: Receiver) -> None:
    one = await desk.keep()
    await desk.order(f"{receiver.url}/a", one)
    await desk.order(f"{receiver.url}/b", one)
    await desk.order(f"{receiver.url}/a")
    assert await desk.deliveries.send_due() == 3
    assert sorted(request.target for request in receiver.requests) == ["/a", "/a", "/b"]
    assert await states(desk) == [State.DONE] * 3


async def test_what_nothing_can_be_sent_to_is_not_ordered(desk: Desk) -> None:
    with pytest.raises(BadTarget):
        await desk.order("gopher://old.test/")
    assert await states(desk) == []


async def test_an_order_outlives_the_process(desk: Desk, receiver: Receiver) -> None:
    await desk.order(f"{receiver.url}/in")
    await desk.archive.close()
    again = await Archive.at(desk.archive.home, Settings(), [MIGRATIONS])
    try:
        assert await Deliveries(again, TO_LOOPBACK).send_due() == 1
        assert receiver.bodies == [WAV]
    finally:
        await again.close()


# Trying again


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_what_may_pass_is_tried_again_with_growing_waits_until_it_is_taken(
    desk: Desk, receiver: Receiver, status: int
) -> None:
    receiver.says("/in", status, times=3)
    receiver.says("/in", 201)
    ordered = await desk.order(f"{receiver.url}/in")
    waits = []
    for _ in range(3):
        assert await desk.deliveries.send_due() == 1
        waiting = await desk.deliveries.one(ordered.id)
        assert (waiting.state, waiting.status, waiting.error) == (State.WAITING, status, f"refused: {status}")
        waits.append(waiting.next_at - desk.now)
        desk.now = waiting.next_at - 1
        assert await desk.deliveries.send_due() == 0
        desk.now = waiting.next_at
    assert waits == [5_000, 10_000, 20_000]
    assert await desk.deliveries.send_due() == 1
    done = await desk.deliveries.one(ordered.id)
    assert (done.state, done.attempts, done.error, done.status) == (State.DONE, 4, "", 201)
    assert await desk.alarmed() == set()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("text", "wait_ms"), [("120", 120_000), ("86400", HOUR_MS), ("1", 5_000), ("soon", 5_000)])
async def test_what_a_receiver_asks_to_wait_is_waited_up_to_an_hour(
    desk: Desk, receiver: Receiver, status: int, text: str, wait_ms: int
) -> None:
    receiver.says("/in", status, Retry_After=text)
    waiting = await desk.sent(f"{receiver.url}/in")
    assert waiting.next_at - desk.now == wait_ms


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 411, 413, 415, 422])
async def test_what_will_not_pass_is_a_dead_letter_at_once(desk: Desk, receiver: Receiver, status: int) -> None:
    receiver.says("/in", status)
    dead = await desk.sent(f"{receiver.url}/in")
    assert (dead.state, dead.status, dead.attempts, dead.error) == (State.DEAD, status, 1, f"refused: {status}")
    desk.now += 100 * HOUR_MS
    assert await desk.deliveries.send_due() == 0
    (alarm,) = await desk.archive.alarms.all()
    assert (alarm.kind, alarm.tenant, alarm.subject) == (DELIVERY_FAILED, desk.tenant.id, str(dead.recording))


async def test_after_so_many_tries_it_is_a_dead_letter(desk: Desk, receiver: Receiver) -> None:
    receiver.says("/in", 500)
    three = desk.with_rule(Deliver(allow_private_targets=True, attempts=3))
    ordered = await desk.order(f"{receiver.url}/in")
    for _ in range(5):
        await three.send_due()
        desk.now += HOUR_MS
    dead = await desk.deliveries.one(ordered.id)
    assert (dead.state, dead.attempts, len(receiver.requests)) == (State.DEAD, 3, 3)
    assert await desk.alarmed() == {str(dead.recording)}


# Dead letters


async def test_a_dead_letter_that_is_tried_anew_and_taken_takes_its_alarm_along(desk: Desk, receiver: Receiver) -> None:
    receiver.says("/in", 404)
    receiver.says("/in", 200)
    dead = await desk.sent(f"{receiver.url}/in")
    await desk.deliveries.retry(dead.id)
    assert await desk.alarmed() == {str(dead.recording)}, "not mended yet"
    assert await desk.deliveries.send_due() == 1
    done = await desk.deliveries.one(dead.id)
    assert (done.state, done.attempts) == (State.DONE, 1)
    assert await desk.alarmed() == set()


async def test_every_dead_letter_can_be_tried_anew_at_once(desk: Desk, receiver: Receiver) -> None:
    receiver.says("/in", 404, times=3)
    receiver.says("/in", 200)
    for _ in range(3):
        await desk.sent(f"{receiver.url}/in")
    receiver.says("/slow", 503)
    waiting = await desk.sent(f"{receiver.url}/slow")
    assert await desk.deliveries.retry_all() == 3
    assert await desk.deliveries.send_due() == 3
    assert await states(desk) == [State.DONE] * 3 + [State.WAITING]
    assert (await desk.deliveries.one(waiting.id)).attempts == 1
    assert await desk.alarmed() == set()


async def test_an_alarm_stands_as_long_as_one_delivery_of_its_recording_is_dead(desk: Desk, receiver: Receiver) -> None:
    receiver.says("/a", 404)
    receiver.says("/b", 404)
    recording = await desk.keep()
    dead = [await desk.sent(f"{receiver.url}/{path}", recording=recording) for path in "ab"]
    await desk.deliveries.drop(dead[0].id)
    assert await desk.alarmed() == {str(recording.id)}
    await desk.deliveries.drop(dead[1].id)
    assert await desk.alarmed() == set()
    assert await states(desk) == []


async def test_what_waits_can_be_tried_at_once_or_dropped(desk: Desk, receiver: Receiver) -> None:
    receiver.says("/in", 503)
    waiting = await desk.sent(f"{receiver.url}/in")
    await desk.deliveries.retry(waiting.id)
    assert await desk.deliveries.send_due() == 1
    await desk.deliveries.drop(waiting.id)
    desk.now += HOUR_MS
    assert await desk.deliveries.send_due() == 0
    with pytest.raises(UnknownDelivery):
        await desk.deliveries.one(waiting.id)


async def test_what_is_done_is_neither_dropped_nor_sent_again(desk: Desk, receiver: Receiver) -> None:
    done = await desk.sent(f"{receiver.url}/in")
    for act in (desk.deliveries.drop, desk.deliveries.retry):
        with pytest.raises(WasDelivered):
            await act(done.id)
    assert await desk.deliveries.send_due() == 0
    assert await states(desk) == [State.DONE]


async def test_a_number_that_no_delivery_has_is_told(desk: Desk) -> None:
    asks: list[Callable[[int], Awaitable[Delivery]]] = [
        desk.deliveries.drop,
        desk.deliveries.retry,
        desk.deliveries.one,
    ]
    for act in asks:
        with pytest.raises(UnknownDelivery, match="17"):
            await act(17)


async def test_lists_are_whole_and_by_state(desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxkeep.deliver.deliveries.READ_AT_ONCE", 2)
    receiver.says("/no", 404)
    recording = await desk.keep()
    for number in range(7):
        ordered = await desk.order(f"{receiver.url}/{'no' if number % 2 else 'in'}?{number}", recording)
        assert ordered.id == number + 1
    assert [each.id async for each in desk.deliveries.all(State.WAITING)] == list(range(1, 8))
    await desk.deliveries.send_due()
    assert [each.id async for each in desk.deliveries.all(State.DEAD)] == [2, 4, 6]
    assert [each.id async for each in desk.deliveries.all(State.DONE)] == [1, 3, 5, 7]
    assert [each.id async for each in desk.deliveries.all()] == list(range(1, 8))


# Recordings that go


async def test_a_copy_that_was_delivered_stays_told_when_the_recording_is_removed(
    desk: Desk, receiver: Receiver
) -> None:
    done = await desk.sent(f"{receiver.url}/in/a.wav", name="a.wav")
    await desk.archive.remove(desk.tenant.id, done.recording, hard=True)
    (told,) = await desk.deliveries.of_recording(desk.tenant.id, done.recording)
    assert told == done
    assert (told.place, told.done_at) == (f"{receiver.url}/.../a.wav", desk.now)
    assert await desk.deliveries.of_recording(desk.tenant.id, RecordingId(UUID(int=1))) == []


@pytest.mark.parametrize("hard", [False, True])
async def test_a_recording_that_is_removed_before_it_was_sent_is_not_sent(
    desk: Desk,
    receiver: Receiver,
    hard: bool,  # noqa: FBT001 -- a table's column
) -> None:
    ordered = await desk.order(f"{receiver.url}/in")
    await desk.archive.remove(desk.tenant.id, ordered.recording, hard=hard)
    assert await desk.deliveries.send_due() == 1
    dead = await desk.deliveries.one(ordered.id)
    assert (dead.state, dead.error) == (State.DEAD, "the recording was removed before it was sent")
    assert receiver.requests == []


async def test_audio_that_is_still_to_come_is_waited_for(desk: Desk, receiver: Receiver) -> None:
    pending = await desk.keep(audio=None)
    waiting = await desk.sent(f"{receiver.url}/in", recording=pending)
    assert (waiting.state, waiting.error) == (
        State.WAITING,
        "there is no audio to send: the recording has no audio yet",
    )


async def test_audio_that_is_missing_here_is_told_and_sent_once_it_is_back(desk: Desk, receiver: Receiver) -> None:
    ordered = await desk.order(f"{receiver.url}/in")
    (file,) = (desk.archive.home / "vault").rglob("*.wav")
    away = file.rename(file.with_suffix(".away"))
    await desk.deliveries.send_due()
    waiting = await desk.deliveries.one(ordered.id)
    assert waiting.error.startswith("there is no audio to send: ")
    away.rename(file)
    desk.now = waiting.next_at
    await desk.deliveries.send_due()
    assert receiver.bodies == [WAV]


# Several at once, several processes, and processes that die


async def test_so_many_are_under_way_at_once_and_no_more(desk: Desk, receiver: Receiver) -> None:
    gate = asyncio.Event()

    async def when_two_are_there(_: web.Request) -> web.Response:
        if receiver.open == 2:
            gate.set()
        await gate.wait()
        return web.Response()

    receiver.answers["/in"].append(when_two_are_there)
    recording = await desk.keep()
    for number in range(8):
        await desk.order(f"{receiver.url}/in?{number}", recording)
    two = desk.with_rule(Deliver(allow_private_targets=True, at_once=2))
    async with asyncio.timeout(20):
        assert await two.send_due() == 8
    assert receiver.most_open == 2
    assert sorted(request.target for request in receiver.requests) == [f"/in?{number}" for number in range(8)]


async def test_two_servers_on_one_archive_send_nothing_twice(desk: Desk, receiver: Receiver) -> None:
    recording = await desk.keep()
    for number in range(40):
        await desk.order(f"{receiver.url}/in?{number}", recording)
    other = await Archive.at(desk.archive.home, Settings(), [MIGRATIONS])
    try:
        theirs = desk.with_rule(TO_LOOPBACK, archive=other)
        sent = await asyncio.gather(desk.deliveries.send_due(), theirs.send_due())
    finally:
        await other.close()
    assert sum(sent) == 40
    assert min(sent) > 0
    assert sorted(request.target for request in receiver.requests) == sorted(f"/in?{number}" for number in range(40))


async def when_sent(receiver: Receiver) -> Request:
    async with asyncio.timeout(20):
        while not receiver.requests:  # noqa: ASYNC110 -- another server's list
            await asyncio.sleep(0.002)
    return receiver.requests[0]


async def test_what_is_being_sent_is_left_alone_until_its_sender_must_be_dead(desk: Desk, receiver: Receiver) -> None:
    receiver.answers["/in"].append(silence)
    ordered = await desk.order(f"{receiver.url}/in")
    sending = asyncio.create_task(desk.deliveries.send_next())
    await when_sent(receiver)
    for act in (desk.deliveries.drop, desk.deliveries.retry):
        with pytest.raises(BeingSent):
            await act(ordered.id)
    desk.now += LEASE_MS - 1
    assert await desk.deliveries.send_due() == 0
    desk.now += 1
    receiver.answers["/in"].clear()
    assert await desk.deliveries.send_due() == 1
    assert receiver.bodies == [WAV, WAV]
    done = await desk.deliveries.one(ordered.id)
    assert (done.state, done.attempts) == (State.DONE, 2)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert await desk.deliveries.one(ordered.id) == done, "who comes late changes nothing"


async def test_a_server_that_ends_gives_back_what_it_was_sending(desk: Desk, receiver: Receiver) -> None:
    receiver.answers["/in"].append(silence)
    ordered = await desk.order(f"{receiver.url}/in")
    sending = asyncio.create_task(desk.deliveries.send_next())
    await when_sent(receiver)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    waiting = await desk.deliveries.one(ordered.id)
    assert (waiting.state, waiting.attempts, waiting.next_at) == (State.WAITING, 0, desk.now)
    receiver.answers["/in"].clear()
    assert await desk.deliveries.send_due() == 1


async def test_what_was_sent_by_one_who_was_thought_dead_is_done(desk: Desk, receiver: Receiver) -> None:
    """The second sender finds it refused for good; the first, late, was taken: there is a copy, and no dead letter."""
    gate = asyncio.Event()

    async def late(_: web.Request) -> web.Response:
        await gate.wait()
        return web.Response(status=201)

    receiver.answers["/in"] += [late]
    receiver.says("/in", 404)
    ordered = await desk.order(f"{receiver.url}/in")
    sending = asyncio.create_task(desk.deliveries.send_next())
    await when_sent(receiver)
    desk.now += LEASE_MS
    assert await desk.deliveries.send_due() == 1
    assert (await desk.deliveries.one(ordered.id)).state is State.DEAD
    gate.set()
    assert await sending
    assert (await desk.deliveries.one(ordered.id)).state is State.DONE


async def test_what_was_sent_but_not_noted_is_sent_again(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill -9 between the answer and the commit."""
    ordered = await desk.order(f"{receiver.url}/in")

    async def killed(*_: Any) -> None:
        raise SystemError

    with monkeypatch.context() as patch:
        patch.setattr(desk.deliveries, "_finish", killed)
        with pytest.raises(SystemError):
            await desk.deliveries.send_next()
    desk.now += LEASE_MS
    assert await desk.deliveries.send_due() == 1
    assert receiver.bodies == [WAV, WAV]
    assert (await desk.deliveries.one(ordered.id)).state is State.DONE


async def test_what_goes_wrong_in_a_way_nobody_thought_of_stops_nothing(
    desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def odd(*_: Any) -> None:
        raise ZeroDivisionError("http://me:secret@host/")

    with monkeypatch.context() as patch:
        patch.setattr(desk.deliveries._sender, "send", odd)
        waiting = await desk.sent(f"{receiver.url}/in")
    assert (waiting.state, waiting.error) == (State.WAITING, "it could not be sent: ZeroDivisionError")
    desk.now = waiting.next_at
    assert await desk.deliveries.send_due() == 1
    assert receiver.bodies == [WAV]
