"""A push without an id joins the collected recording that it can only be."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from tests.server.harness import World
from tests.vendors.kazoo.customers import Customer, data
from tests.vendors.kazoo.pusher import (
    CALL,
    INTERACTION,
    OTHER,
    RECORDING,
    SECOND,
    Pusher,
    document,
    pusher,
    recorded,
    told,
    url,
    without,
)
from tests.vendors.kazoo.vendor import NOON, key_at
from tests.vendors.kazoo.vendor import document as shown_by_cluster

from voxkeep.archive import NewAudio
from voxkeep.archive.alarms import PUSH_UNJOINED
from voxkeep.archive.model import Recording, State
from voxkeep.audio.probe import probe
from voxkeep.vendors.kazoo.wire import call_of, recording_of

NAMELESS = without("recording_id")
PATH = url(recorded(), NAMELESS)


@pytest.fixture
async def cluster(acme: Customer) -> Pusher:
    return await pusher(acme)


async def collect(
    cluster: Pusher, number: int, audio: bytes = b"", duration_ms: int = 1_000, **changes: Any
) -> Recording:
    """Keep a document as the collector does, with its audio or still without."""
    facts = {"call_id": CALL, "interaction_id": INTERACTION, "duration_ms": duration_ms, **changes}
    recording = recording_of(shown_by_cluster(number=number, **facts), cluster.customer.tenant.id)
    archive = cluster.world.archive
    call = call_of(recording)
    if not audio:
        waiting = replace(recording, state=State.PENDING)
        return (await archive.keep(waiting, call=call, call_is_whole=False)).recording
    staged = await archive.stage(recording.tenant, recording.started_at, recording.vendor_key, audio)
    kept = await archive.keep(recording, NewAudio(staged, probe(audio)), call=call, call_is_whole=False)
    return kept.recording


async def alarms(world: World) -> list[str]:
    return [alarm.kind for alarm in await world.archive.alarms.all()]


async def test_the_same_bytes_are_the_collected_recording(cluster: Pusher) -> None:
    held = await collect(cluster, 1, SECOND)
    await collect(cluster, 2, OTHER)
    assert (await cluster.kept(await cluster.put(PATH))).id == held.id
    assert await cluster.everything() == 2
    assert (await cluster.get(recorded())).body == SECOND
    assert (await cluster.rows())[0][0] == ""
    assert await alarms(cluster.world) == []


@pytest.mark.parametrize("interaction", [INTERACTION, ""])
async def test_a_document_that_waits_for_its_audio_gets_it(cluster: Pusher, interaction: str) -> None:
    waiting = await collect(cluster, 1, duration_ms=2_900)
    await collect(cluster, 2, duration_ms=60_000)
    await collect(cluster, 3, duration_ms=1_000, call_id="another")
    joined = await cluster.kept(await cluster.put(url(recorded(), {**NAMELESS, "interaction_id": interaction})))
    assert (joined.id, joined.vendor_key, joined.state) == (waiting.id, waiting.vendor_key, State.KEPT)
    # the cluster's own document stays as it was
    assert document(joined) == document(waiting)
    shown = await cluster.customer.ask("GET", f"recordings/{waiting.vendor_key}", Accept="audio/mpeg")
    assert shown.body == SECOND
    assert data(await cluster.customer.ask("GET", f"recordings/{waiting.vendor_key}")) == document(waiting)
    assert await cluster.everything() == 3
    assert await alarms(cluster.world) == []
    assert data(await cluster.put(PATH), 200)["id"] == waiting.vendor_key


async def test_a_document_with_the_pushs_own_id_gets_its_audio_whatever_its_length(cluster: Pusher) -> None:
    waiting = await collect(cluster, 7, duration_ms=60_000)
    assert waiting.vendor_key == RECORDING
    joined = await cluster.kept(await cluster.put(url(recorded(), told())))
    assert (joined.id, document(joined)) == (waiting.id, document(waiting))
    other = await cluster.kept(await cluster.put(url(recorded(), told()), OTHER))
    assert other.vendor_key != RECORDING
    assert await cluster.everything() == 2


@pytest.mark.parametrize(
    "durations", [[1_000, 1_500], [4_000], [60_000]], ids=["two that fit", "two seconds off and more", "none fits"]
)
async def test_where_it_is_not_clear_both_stay_and_a_person_is_called(cluster: Pusher, durations: list[int]) -> None:
    for number, duration in enumerate(durations):
        await collect(cluster, number, duration_ms=duration)
    own = await cluster.kept(await cluster.put(PATH))
    assert own.state is State.KEPT
    assert await cluster.everything() == len(durations) + 1
    assert [flag for flag, _ in await cluster.rows()] == ["unjoined"]
    (alarm,) = await cluster.world.archive.alarms.all()
    assert (alarm.kind, alarm.subject) == (PUSH_UNJOINED, str(own.id))


async def test_a_retry_calls_the_person_whom_a_killed_process_could_not(cluster: Pusher) -> None:
    await collect(cluster, 1, duration_ms=60_000)
    own = await cluster.kept(await cluster.put(PATH))
    sounder = cluster.world.archive.alarms
    await sounder.clear(PUSH_UNJOINED, own.tenant, str(own.id))
    assert data(await cluster.put(PATH), 200)["id"] == own.vendor_key
    await cluster.put(PATH)
    (alarm,) = await sounder.all()
    assert (alarm.kind, alarm.times) == (PUSH_UNJOINED, 1)


async def test_long_recordings_may_differ_by_a_fiftieth(cluster: Pusher) -> None:
    waiting = await collect(cluster, 1, duration_ms=600_000)
    near = {**NAMELESS, "duration_ms": "611999"}
    assert (await cluster.kept(await cluster.put(url(recorded(), near)))).id == waiting.id


async def test_of_two_at_once_only_one_takes_the_document(cluster: Pusher) -> None:
    waiting = await collect(cluster, 1)
    answers = await asyncio.gather(*(cluster.put(PATH, body) for body in (SECOND, OTHER)))
    kept = [await cluster.kept(answer) for answer in answers]
    assert [recording.id == waiting.id for recording in kept].count(True) == 1
    assert await cluster.everything() == 2
    assert sorted(flag for flag, _ in await cluster.rows()) == ["", "unjoined"]


async def test_two_pushes_of_one_call_without_a_document_are_two_and_nobody_is_called(cluster: Pusher) -> None:
    one = await cluster.kept(await cluster.put(PATH))
    two = await cluster.kept(await cluster.put(PATH, OTHER))
    assert one.vendor_key != two.vendor_key
    assert one.call == two.call
    assert [flag for flag, _ in await cluster.rows()] == ["", ""]
    assert await alarms(cluster.world) == []


async def test_another_tenants_document_is_never_joined(cluster: Pusher, globex: Customer) -> None:
    stranger = await pusher(globex)
    waiting = await collect(stranger, 1)
    own = await cluster.kept(await cluster.put(PATH))
    assert own.tenant != waiting.tenant
    still = await cluster.world.archive.by_id(waiting.tenant, waiting.id)
    assert still is not None
    assert still.state is State.PENDING
    assert await alarms(cluster.world) == []


async def test_a_removed_document_is_not_brought_back(cluster: Pusher) -> None:
    waiting = await collect(cluster, 1)
    await cluster.world.archive.remove(waiting.tenant, waiting.id)
    own = await cluster.kept(await cluster.put(PATH))
    assert own.id != waiting.id
    gone = await cluster.world.archive.by_id(waiting.tenant, waiting.id)
    assert gone is not None
    assert gone.state is State.REMOVED


async def test_a_removed_id_keeps_its_tombstone_and_other_bytes_are_kept_beside_it(cluster: Pusher) -> None:
    held = await collect(cluster, 7, OTHER)
    await cluster.world.archive.remove(held.tenant, held.id)
    own = await cluster.kept(await cluster.put(url(recorded(), told())))
    assert own.vendor_key not in (RECORDING, key_at(NOON))
    assert (await cluster.get(recorded())).body == SECOND
