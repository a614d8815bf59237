"""The two lists: which recordings and calls, in which order, and what becomes of a list that fails half-way."""

import asyncio
import http.client
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.server.harness import EVERYTHING, START, World, refused, restricted
from tests.vendors.xima.conftest import Opener

from voxkeep.access import TenantLimits
from voxkeep.archive.model import IMPORTED, Call, State, Tenant
from voxkeep.archive.streams import FIRST_CHUNK_ROWS
from voxkeep.archive.units import CallId, EpochMs, recording_key, uuid7
from voxkeep.database import DatabaseError
from voxkeep.settings import Archive as ArchiveSettings
from voxkeep.settings import Settings, Xima
from voxkeep.vendors.xima import wire

SMALL_CHUNKS = Settings(archive=ArchiveSettings(chunk_rows=3))


def keys(records: list[dict[str, Any]]) -> list[str]:
    return [record["recordingKey"] for record in records]


async def keep_all(world: World, tenant: Tenant, starts: list[int], **fields: Any) -> None:
    await asyncio.gather(*(world.keep(tenant, start, **fields) for start in starts))


@pytest.fixture
async def acme(world: World) -> Tenant:
    return await world.tenant("acme-ns", "acme.xima.test")


@pytest.fixture
async def token(world: World, acme: Tenant) -> str:
    return await world.token(acme)


# Times


async def test_times_are_inclusive_at_both_ends(world: World, acme: Tenant, token: str) -> None:
    await keep_all(world, acme, [START - 1, START, START + 500, START + 1_000, START + 1_001])
    records = await world.listed(token, "startTime=2024-02-12T20:40:49.131Z&endTime=2024-02-12T20:40:50.131Z")
    assert [record["startTime"] for record in records] == [START, START + 500, START + 1_000]


async def test_one_moment_is_a_range(world: World, acme: Tenant, token: str) -> None:
    await keep_all(world, acme, [START - 1, START, START, START + 1])
    moment = "2024-02-12T13:40:49.131-07:00"
    records = await world.listed(token, f"startTime={moment}&endTime={moment}")
    assert [record["startTime"] for record in records] == [START, START]


async def test_an_unescaped_plus_in_an_offset_is_understood(world: World, acme: Tenant, token: str) -> None:
    await keep_all(world, acme, [START])
    for plus in ("+", "%2B", "%20"):
        moment = f"2024-02-13T02:10:49.131{plus}05:30"
        assert len(await world.listed(token, f"startTime={moment}&endTime={moment}")) == 1


async def test_a_time_without_a_zone_is_the_tenants(world: World) -> None:
    denver = await world.tenant("denver", zone="America/Denver")
    berlin = await world.tenant("berlin", "berlin.xima.test", zone="Europe/Berlin")
    query = "startTime=2024-02-12T13:40:49.131&endTime=2024-02-12T13:40:49.131"
    both = await world.token(denver, berlin, name="both")
    for tenant in (denver, berlin):
        await world.keep(tenant)
    assert len(await world.listed(await world.token(denver, name="denver"), query)) == 1
    assert await world.listed(await world.token(berlin, name="berlin"), query) == []
    message = refused(await world.get(f"recordings?{query}", both), 400)
    assert "startTime needs a zone" in message
    assert (await world.get(f"recordings?{query}", both, Host=berlin.host)).json == []


async def test_a_list_of_nothing_is_an_empty_array(world: World, token: str) -> None:
    for route in ("recordings", "call-recording-info"):
        answer = await world.get(f"{route}?{EVERYTHING}", token)
        assert (answer.status, answer.body) == (200, b"[]")


@pytest.mark.parametrize("route", ["recordings", "call-recording-info"])
@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "startTime"),
        ("startTime=2024-01-01", "endTime"),
        ("startTime=x&endTime=2024-01-01", "startTime"),
        ("startTime=2024-01-02&endTime=2024-01-01", "endTime"),
        ("startTime=1969-12-31T00:00:00Z&endTime=2024-01-01", "startTime"),
        ("startTime=2024-01-01&endTime=2200-01-01T00:00:00Z", "endTime"),
    ],
)
async def test_bad_times_are_400_and_named(world: World, token: str, route: str, query: str, named: str) -> None:
    assert named in refused(await world.get(f"{route}?{query}", token), 400)


# Order


@settings(max_examples=8)
@given(
    mine=st.lists(st.integers(START, START + 4), max_size=14),
    theirs=st.lists(st.integers(START, START + 4), max_size=14),
    chunk_rows=st.integers(1, 5),
)
async def test_lists_are_ordered_by_start_and_then_key_across_chunks_and_tenants(
    tmp_path_factory: pytest.TempPathFactory, mine: list[int], theirs: list[int], chunk_rows: int
) -> None:
    home = tmp_path_factory.mktemp("order") / "home"
    world = await World(home, Settings(archive=ArchiveSettings(chunk_rows=chunk_rows))).open()
    try:
        tenants = [await world.tenant(name) for name in ("acme-ns", "globex-ns")]
        token = await world.token(*tenants)
        for tenant, starts in zip(tenants, (mine, theirs), strict=True):
            # a vendor's keys have another order than our ids
            numbered = enumerate(starts)
            await asyncio.gather(
                *(
                    world.keep(tenant, at, vendor="xima", vendor_key=f"{9 - n % 10}-{tenant.id}-{n}")
                    for n, at in numbered
                )
            )
        records = await world.listed(token)
        shown = [(record["startTime"], record["recordingKey"]) for record in records]
        assert shown == sorted(shown)
        assert sorted(start for start, _ in shown) == sorted(mine + theirs)
        calls = (await world.get(f"call-recording-info?{EVERYTHING}", token)).json
        assert [call["startTime"] for call in calls] == sorted(mine + theirs)
        assert sorted(keys([record for call in calls for record in call["recordings"]])) == sorted(keys(records))
    finally:
        await world.close()


async def test_more_recordings_of_one_start_than_a_chunk_holds_are_ordered_by_key(opened: Opener) -> None:
    world = await opened(SMALL_CHUNKS)
    acme = await world.tenant("acme-ns")
    token = await world.token(acme)
    await asyncio.gather(*(world.keep(acme, vendor="xima", vendor_key=f"key-{n:02}") for n in reversed(range(11))))
    assert keys(await world.listed(token)) == [f"key-{n:02}" for n in range(11)]


async def test_keys_that_are_derived_are_ordered_as_they_are_shown(world: World, acme: Tenant, token: str) -> None:
    for number in range(8):
        await world.keep(acme, vendor=IMPORTED, vendor_key=f"file-{9 - number}")
    shown = keys(await world.listed(token))
    assert shown == sorted(shown)
    assert not any("file" in key for key in shown)


async def test_a_list_longer_than_its_first_chunk_is_whole(world: World, acme: Tenant, token: str) -> None:
    await keep_all(world, acme, [START + n for n in range(FIRST_CHUNK_ROWS + 20)])
    answer = await world.get(f"recordings?{EVERYTHING}", token)
    assert answer.headers["transfer-encoding"] == "chunked"
    assert [record["startTime"] for record in answer.json] == [START + n for n in range(FIRST_CHUNK_ROWS + 20)]


# Which records


async def test_recordings_without_audio_and_tombstones_are_listed_with_their_status(
    world: World, acme: Tenant, token: str
) -> None:
    states = [State.PENDING, State.LOST_TO_SPACE, State.LOST_TO_AGE, State.LOST]
    for number, state in enumerate(states):
        await world.keep(acme, START + number, state=state)
    whole = await world.keep(acme, START + 10, audio="ogg")
    soft, hard = [await world.keep(acme, START + 20 + number, audio="wav") for number in range(2)]
    await world.archive.remove(acme.id, soft.id)
    await world.archive.remove(acme.id, hard.id, hard=True)
    records = await world.listed(token)
    assert [record["status"] for record in records] == [
        "PENDING",
        "DELETED_SPACE",
        "DELETED_TIME",
        "DELETED_UNKNOWN",
        "SAVED",
        "DELETED_USER",
        "DELETED_USER",
    ]
    for recording in (soft, hard):
        refused(await world.get(f"recordings/acme-ns/{wire.key_of(recording)}/audio", token), 404)
    assert (await world.get(f"recordings/acme-ns/{wire.key_of(whole)}/audio", token)).status == 200


async def test_an_imported_recording_shows_a_derived_key_and_is_found_by_it(
    world: World, acme: Tenant, token: str
) -> None:
    recording = await world.keep(acme, audio="ogg", vendor=IMPORTED, vendor_key="call_0001.ogg")
    (record,) = await world.listed(token)
    assert record["recordingKey"] == recording_key(recording.id)
    assert record["recordingKey"].endswith(f"-{START}")
    assert (await world.get(f"recordings/acme-ns/{record['recordingKey']}/audio", token)).status == 200
    refused(await world.get("recordings/acme-ns/call_0001.ogg/audio", token), 404)


async def test_a_collected_recording_is_found_by_the_vendors_key_alone(world: World, acme: Tenant, token: str) -> None:
    for number, key in enumerate(("91a1e1e8-08p8-0gg18-1707770449131", "a b/c", "\u00fc?#&%2f;=", "a.b..c", "...")):
        recording = await world.keep(acme, START + number, audio="ogg", vendor="xima", vendor_key=key)
        assert keys(await world.listed(token))[-1] == key
        assert (await world.get(f"recordings/acme-ns/{quote(key, safe='')}/audio", token)).status == 200
        refused(await world.get(f"recordings/acme-ns/{recording_key(recording.id)}/audio", token), 404)


SPENCER: dict[str, Any] = {"agent_name": "Spencer Porter", "agent_extension": "253", "agent_login": "spencer"}
KELLY: dict[str, Any] = {"agent_name": "Kelly Jaques", "agent_extension": "256", "agent_login": "kelly"}


@pytest.mark.parametrize(
    ("agents", "skills", "seen"),
    [
        (["Spencer Porter(253)"], [], [0, 1]),
        (["Spencer Porter"], [], [0, 1]),
        (["253"], [], [0, 1]),
        (["spencer"], [], [0, 1]),
        (["253", "256"], [], [0, 1, 2]),
        (["nobody"], [], []),
        ([], ["CC Sales"], [0, 2]),
        ([], ["CC Sales", "CC Support"], [0, 1, 2]),
        (["253"], ["CC Sales"], [0]),
        (["256"], ["CC Support"], []),
    ],
)
async def test_a_restricted_user_lists_and_hears_only_what_it_may(
    world: World, acme: Tenant, agents: list[str], skills: list[str], seen: list[int]
) -> None:
    recordings = [
        await world.keep(acme, START, audio="ogg", skill="CC Sales", **SPENCER),
        await world.keep(acme, START + 1, audio="ogg", skill="CC Support", **SPENCER),
        await world.keep(acme, START + 2, audio="ogg", skill="CC Sales", **KELLY),
        await world.keep(acme, START + 3, audio="ogg"),
    ]
    token = await world.token(acme, grant=restricted(agents, skills))
    shown = [wire.key_of(recordings[number]) for number in seen]
    assert keys(await world.listed(token)) == shown
    calls = (await world.get(f"call-recording-info?{EVERYTHING}", token)).json
    assert [keys(call["recordings"]) for call in calls] == [[key] for key in shown]
    for number, recording in enumerate(recordings):
        answer = await world.get(f"recordings/acme-ns/{wire.key_of(recording)}/audio", token)
        assert answer.status == (200 if number in seen else 403)


async def test_a_restricted_user_sees_of_a_call_only_its_own_leg(world: World, acme: Tenant) -> None:
    at = EpochMs(START)
    call = Call(
        tenant=acme.id, id=CallId(uuid7(at)), started_at=at, ended_at=EpochMs(START + 9), vendor_key="c", key="c"
    )
    first = await world.keep(acme, START, call=call, **SPENCER)
    second = await world.keep(acme, START + 5, call=call, **KELLY)
    await world.archive.keep_call(replace(call, id=CallId(uuid7(at)), vendor_key="empty", key="empty"))
    everyone = await world.token(acme, name="everyone")
    kelly = await world.token(acme, name="kelly", grant=restricted(agents=["256"]))
    calls = (await world.get(f"call-recording-info?{EVERYTHING}", everyone)).json
    assert [(each["callKey"], keys(each["recordings"])) for each in calls] == [
        ("c", [wire.key_of(first), wire.key_of(second)]),
        ("empty", []),
    ]
    calls = (await world.get(f"call-recording-info?{EVERYTHING}", kelly)).json
    assert [(each["callKey"], keys(each["recordings"])) for each in calls] == [("c", [wire.key_of(second)])]


async def test_a_token_of_two_tenants_may_be_restricted_in_both(world: World, acme: Tenant) -> None:
    other = await world.tenant("globex-ns")
    for tenant in (acme, other):
        await world.keep(tenant, START, **SPENCER)
        await world.keep(tenant, START + 1, **KELLY)
    token = await world.token(acme, other, grant=restricted(agents=["256"]))
    records = await world.listed(token)
    assert sorted((record["tenantName"], record["agent"]) for record in records) == [
        ("acme-ns", "Kelly Jaques(256)"),
        ("globex-ns", "Kelly Jaques(256)"),
    ]


async def test_calls_are_listed_by_when_they_began_and_recordings_by_their_own_start(
    world: World, acme: Tenant, token: str
) -> None:
    at = EpochMs(START - 1_000)
    call = Call(tenant=acme.id, id=CallId(uuid7(at)), started_at=at, ended_at=EpochMs(START), vendor_key="c", key="c")
    await world.keep(acme, START, call=call)
    moment = "2024-02-12T20:40:49.131Z"
    window = f"startTime={moment}&endTime={moment}"
    assert len(await world.listed(token, window)) == 1
    assert (await world.get(f"call-recording-info?{window}", token)).json == []


async def test_an_envelope_can_be_put_around_the_calls(opened: Opener) -> None:
    world = await opened(Settings(xima=Xima(call_info_envelope="calls")))
    acme = await world.tenant("acme-ns")
    token = await world.token(acme)
    assert (await world.get(f"call-recording-info?{EVERYTHING}", token)).json == {"calls": []}
    await world.keep(acme)
    (call,) = (await world.get(f"call-recording-info?{EVERYTHING}", token)).json["calls"]
    assert len(call["recordings"]) == 1
    assert len(await world.listed(token)) == 1


# Limits


async def test_lists_are_not_limited_unless_the_tenant_is_set_so(world: World, acme: Tenant, token: str) -> None:
    world.now = 1_790_000_000_000
    await world.access.gate.set_limits(acme.id, TenantLimits(egress_cap_bytes=0), by="test")
    for _ in range(5):
        assert await world.listed(token) == []
    await world.access.gate.set_limits(acme.id, TenantLimits(listing_limited=True), by="test")
    for route in ("recordings", "call-recording-info", "recordings"):
        assert (await world.get(f"{route}?{EVERYTHING}", token)).status == 200
    answer = await world.get(f"recordings?{EVERYTHING}", token)
    refused(answer, 429)
    assert answer.headers["retry-after"] == "3"


# Faults in the middle


@pytest.mark.parametrize("route", ["recordings", "call-recording-info"])
@pytest.mark.parametrize("tenants", [1, 2])
async def test_half_a_list_never_parses(
    opened: Opener, route: str, tenants: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = await opened(SMALL_CHUNKS)
    served = [await world.tenant(f"tenant-{number}") for number in range(tenants)]
    token = await world.token(*served)
    for tenant in served:
        await keep_all(world, tenant, [START + n for n in range(20)])
    read = world.archive.database.read_shaped
    lists = 0

    async def fails_later(shape: Any, sql: str, *values: Any) -> Any:
        nonlocal lists
        if "LIMIT $5" in sql:
            lists += 1
            if lists > tenants + 1:
                raise DatabaseError("the disk went away")
        return await read(shape, sql, *values)

    monkeypatch.setattr(world.archive.database, "read_shaped", fails_later)
    with pytest.raises(http.client.IncompleteRead) as cut:
        await world.get(f"{route}?{EVERYTHING}", token)
    assert cut.value.partial.startswith(b"[{")
    assert not cut.value.partial.endswith(b"]")
    assert "the disk went away" in caplog.text
    assert "ASGI message" not in caplog.text
    monkeypatch.undo()
    assert len((await world.get(f"{route}?{EVERYTHING}", token)).json) == 20 * tenants


async def test_a_fault_before_the_first_row_is_a_500(
    world: World, acme: Tenant, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.keep(acme)
    read = world.archive.database.read_shaped

    async def fails(shape: Any, sql: str, *values: Any) -> Any:
        if "LIMIT $5" in sql:
            raise DatabaseError("the disk went away")
        return await read(shape, sql, *values)

    monkeypatch.setattr(world.archive.database, "read_shaped", fails)
    refused(await world.get(f"recordings?{EVERYTHING}", token), 500)
