"""Both ways between Xima's words and ours: what is collected is served back as it came, and what is ours is told so."""

import asyncio
import tempfile
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.model import IMPORTED, OWN, Call, Recording, State, Tenant
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.units import CallId, DurationMs, EpochMs, RecordingId, TenantId, recording_key, uuid7
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.render import Form
from voxkeep.demo.clips import clips, content
from voxkeep.settings import Settings
from voxkeep.vendors.xima import wire
from voxkeep.vendors.xima.wire import XimaCall, XimaRecording

# The samples of seed 000.
INBOUND = XimaRecording(
    recordingKey="91a1e1e8-08p8-427b-bd04-da43c2a1db7d-1707770449131",
    callKey="1dd0gg18-9c63-41de-a386-4f21ba0086f2-1707770438499-1707770497510",
    startTime=1707770449131,
    duration=3606,
    size=9111,
    eventId=99181,
    recordingSystemId=0,
    status="SAVED",
    callingParty="18885553794",
    receivingParty="Spencer Porter(253)",
    tenantName="acme-ns",
    tagData="Default",
    callDirection="INBOUND",
    skill="CC Sales",
    agent="Spencer Porter(253)",
)
DIRECT = XimaRecording(
    recordingKey="a4bc65b6-24gh-41a7-a07b-0bcee2da6551-1707770466508",
    callKey="5dcf3a89-3c3b-47f2-a674-7884c2ee1054-1707770438499-1707770497510",
    startTime=1707770466508,
    duration=12806,
    size=16379,
    eventId=99184,
    recordingSystemId=0,
    status="SAVED",
    callingParty="18885551347",
    receivingParty="Kelly Jaques(256)",
    tenantName="acme-ns",
    tagData="",
    callDirection="INBOUND",
    skill="",
    agent="Kelly Jaques(256)",
)
OF_CALL = XimaRecording(
    recordingKey="fe417b58-34da-426c-8ffd-feca5fd772f4-1712110321584",
    callKey="853be5cc-f498-4f33-a552-a0b38e6841fc-1712110317069-1712110924851",
    startTime=1712110321584,
    duration=603006,
    size=341663,
    eventId=101370,
    recordingSystemId=0,
    status="SAVED",
    callingParty="13855554334",
    receivingParty="Kelly Jaques(256)",
    tenantName="acme-ns",
    tagData="",
    callDirection="INBOUND",
    skill="",
    agent="Kelly Jaques(256)",
)
CALL = XimaCall(
    callId="853be5cc-f498-5D47-a552-a0b38e6841fc",
    shortId=31875,
    callKey="853be5cc-f498-4f33-a552-a0b38e6841fc-1712110317069-1712110924851",
    startTime=1712110317069,
    endTime=1712110924851,
    direction="INBOUND",
    recordings=[OF_CALL],
    tenantName="acme-ns",
    callerId="WIRELESS CALLER",
    dialedPartyNumber="7035559310",
    accountCodes=[],
    totalHoldDuration=0,
    location="Reno, NV",
    dropEventType="DROP",
)

ALWAYS = TimeRange(EpochMs(0), EpochMs(1 << 47))
T = TypeVar("T")


async def tenant_of(archive: Archive, name: str = "acme-ns") -> Tenant:
    return await archive.tenants.add(Tenant(id=TenantId(0), name=name))


async def served(archive: Archive, tenant: Tenant) -> list[XimaRecording]:
    names = {tenant.id: tenant.name}
    chunks = archive.find([Scope(tenant.id)], ALWAYS, (*wire.RECORDING_COLUMNS, "tenant"), lambda rows: rows)
    return [record async for rows in chunks for record in wire.recordings_of(rows, names)]


async def served_calls(archive: Archive, tenant: Tenant) -> list[XimaCall]:
    chunks = archive.find_calls([Scope(tenant.id)], ALWAYS, wire.CALL_COLUMNS, lambda rows: rows)
    return [call async for rows in chunks for call in wire.calls_of(rows, {tenant.id: tenant.name})]


def opus(size: int) -> bytes:
    """Bytes of which only the number counts here."""
    return bytes(size)


async def collected(archive: Archive, tenant: Tenant, record: XimaRecording, call: Call | None = None) -> None:
    """Keep a record as the collector does, with audio of just the size it tells."""
    recording = wire.recording_of(record, tenant.id, tenant.name)
    if record.size == 0:
        await archive.keep(recording, call=call)
        return
    staged = await archive.stage(tenant.id, recording.started_at, record.recordingKey, opus(record.size))
    facts = AudioFacts("ogg", "opus", 1, 8_000, recording.duration_ms * 8)
    await archive.keep(recording, NewAudio(staged, facts), call=call)


async def test_the_vendors_sample_recordings_are_served_back_field_by_field(archive: Archive) -> None:
    tenant = await tenant_of(archive)
    for record in (DIRECT, INBOUND):
        await collected(archive, tenant, record)
    assert await served(archive, tenant) == [INBOUND, DIRECT]


async def test_the_vendors_sample_call_is_served_back_field_by_field(archive: Archive) -> None:
    tenant = await tenant_of(archive)
    await collected(archive, tenant, OF_CALL, wire.call_of(CALL, tenant.id, tenant.name))
    (call,) = await served_calls(archive, tenant)
    call.recordings = await served(archive, tenant)
    assert call == CALL


async def test_the_samples_are_served_back_under_another_name_of_the_tenant_too(archive: Archive) -> None:
    tenant = await tenant_of(archive, "denver")
    await collected(archive, tenant, OF_CALL, wire.call_of(CALL, tenant.id, tenant.name))
    (call,) = await served_calls(archive, tenant)
    assert (call.tenantName, [record.tenantName for record in await served(archive, tenant)]) == (
        "acme-ns",
        ["acme-ns"],
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NUMBERS = st.integers(-(2**63), 2**63 - 1)
AGENTS = TEXTS | st.sampled_from(
    ["Name()", "(x)", "()", "A(1)(2)", "A(1) ", "A (1)", "(", ")", "A)(", "A(\n)", "O'Neil(12)", "tjohnson"]
)
RECORDS = st.builds(
    XimaRecording,
    recordingKey=TEXTS.filter(bool),
    callKey=TEXTS | st.just(INBOUND.callKey),
    startTime=st.integers(0, 7_258_118_399_999),
    duration=st.integers(0, 2**40),
    size=st.just(0),
    eventId=NUMBERS,
    recordingSystemId=NUMBERS,
    status=st.just("PENDING"),
    callingParty=AGENTS,
    receivingParty=AGENTS,
    tenantName=TEXTS | st.sampled_from(["acme-ns", "ACME-NS", ""]),
    tagData=TEXTS,
    callDirection=TEXTS | st.sampled_from(["INBOUND", "OUTBOUND", "INTERNAL", "INTERSITE", "inbound", "Outbound"]),
    skill=TEXTS,
    agent=AGENTS,
)
CALLS = st.builds(
    XimaCall,
    callId=TEXTS,
    shortId=NUMBERS,
    callKey=TEXTS.filter(bool),
    startTime=st.integers(0, 7_258_118_399_999),
    endTime=NUMBERS,
    direction=TEXTS | st.sampled_from(["INBOUND", "OUTBOUND", "INTERNAL", "INTERSITE", "inbound"]),
    recordings=st.just([]),
    tenantName=TEXTS | st.sampled_from(["acme-ns", "ACME-NS", ""]),
    callerId=TEXTS,
    dialedPartyNumber=TEXTS,
    accountCodes=st.lists(TEXTS, max_size=3),
    totalHoldDuration=NUMBERS,
    location=TEXTS,
    dropEventType=TEXTS,
)


def in_an_archive(work: Callable[[Archive, Tenant], Any]) -> None:
    """Run `work` with a new archive, in a loop of its own: a property's examples share no archive."""

    async def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            archive = await Archive.at(Path(folder), Settings(), [ACCESS])
            try:
                await work(archive, await tenant_of(archive))
            finally:
                await archive.close()

    asyncio.run(run())


@settings(max_examples=15)
@given(records=st.lists(RECORDS, min_size=1, max_size=20, unique_by=lambda record: record.recordingKey))
@example(records=[replace(INBOUND, status="PENDING", size=0, callKey="", tenantName="", agent="Name()")])
def test_any_record_is_served_back_as_it_came(records: list[XimaRecording]) -> None:
    async def work(archive: Archive, tenant: Tenant) -> None:
        await asyncio.gather(*(collected(archive, tenant, record) for record in records))
        assert await served(archive, tenant) == sorted(records, key=lambda each: (each.startTime, each.recordingKey))

    in_an_archive(work)


@settings(max_examples=15)
@given(calls=st.lists(CALLS, min_size=1, max_size=20, unique_by=lambda call: call.callKey))
def test_any_call_is_served_back_as_it_came(calls: list[XimaCall]) -> None:
    async def work(archive: Archive, tenant: Tenant) -> None:
        kept = [archive.keep_call(wire.call_of(call, tenant.id, tenant.name)) for call in calls]
        await asyncio.gather(*kept)
        assert await served_calls(archive, tenant) == sorted(calls, key=lambda each: (each.startTime, each.callKey))

    in_an_archive(work)


# A field alone, each with a value that no other field has


@pytest.mark.parametrize("name", [field.name for field in msgspec.structs.fields(XimaRecording)])
async def test_every_field_of_a_recording_survives_both_ways(archive: Archive, name: str) -> None:
    tenant = await tenant_of(archive)
    with_audio = name in ("status", "size")
    own = getattr(INBOUND, name)
    changes: dict[str, Any] = {name: own + 7 if isinstance(own, int) else f"other {own}"}
    if with_audio:
        changes = {"status": "SAVED", "size": 11}
    record = replace(INBOUND, **{"status": "PENDING", "size": 0, **changes})
    await collected(archive, tenant, record)
    assert await served(archive, tenant) == [record]


@pytest.mark.parametrize(
    "name", [field.name for field in msgspec.structs.fields(XimaCall) if field.name != "recordings"]
)
async def test_every_field_of_a_call_survives_both_ways(archive: Archive, name: str) -> None:
    tenant = await tenant_of(archive)
    own = getattr(CALL, name)
    other = own + 7 if isinstance(own, int) else [*own, "1234"] if isinstance(own, list) else f"other {own}"
    changes: dict[str, Any] = {"recordings": [], name: other}
    call = replace(CALL, **changes)
    await archive.keep_call(wire.call_of(call, tenant.id, tenant.name))
    assert await served_calls(archive, tenant) == [call]


# The states and their words


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("SAVED", State.KEPT),
        ("PENDING", State.PENDING),
        ("DELETED_USER", State.REMOVED),
        ("DELETED_SPACE", State.LOST_TO_SPACE),
        ("DELETED_TIME", State.LOST_TO_AGE),
        ("DELETED_UNKNOWN", State.LOST),
        ("PENDING_DELETE_SPACE", State.KEPT),
        ("PENDING_DELETE_TIME", State.KEPT),
        ("SOMETHING_NEW", State.KEPT),
    ],
)
def test_the_vendors_statuses_are_our_states(status: str, state: State) -> None:
    assert wire.recording_of(replace(INBOUND, status=status), TenantId(1), "acme-ns").state is state


@pytest.mark.parametrize(("state", "status"), list(wire.STATUS_OF_STATE.items()))
async def test_our_states_are_the_vendors_statuses(archive: Archive, state: State, status: str) -> None:
    tenant = await tenant_of(archive)
    await archive.keep(recording_by(tenant, state=state, opus_bytes=5))
    (record,) = await served(archive, tenant)
    assert (record.status, record.size) == (status, 5)


async def test_a_kept_recording_is_pending_until_its_opus_form_exists(archive: Archive) -> None:
    tenant = await tenant_of(archive)
    clip = clips()[0]
    recording = recording_by(tenant)
    staged = await archive.stage(tenant.id, recording.started_at, "key", content(clip.wav.file))
    await archive.keep(recording, NewAudio(staged, clip.facts))
    (record,) = await served(archive, tenant)
    assert (record.status, record.size) == ("PENDING", 0)
    await archive.renditions.make((await kept(archive, recording)), Form.OPUS)
    (record,) = await served(archive, tenant)
    reader = await archive.open(await kept(archive, recording), Form.OPUS)
    assert (record.status, record.size) == ("SAVED", reader.size)
    reader.close()


async def kept(archive: Archive, recording: Recording) -> Recording:
    found = await archive.by_id(recording.tenant, recording.id)
    assert found is not None
    return found


# The table "One call, three vocabularies", Xima's column cell by cell


def recording_by(tenant: Tenant, **fields: Any) -> Recording:
    at = EpochMs(1_707_770_449_131)
    basic: dict[str, Any] = {
        "tenant": tenant.id,
        "id": RecordingId(uuid7(at)),
        "started_at": at,
        "duration_ms": DurationMs(9),
    }
    return Recording(**basic | fields)


async def shown(archive: Archive, **fields: Any) -> XimaRecording:
    """What a recording of our own with these fields looks like."""
    tenant = await tenant_of(archive)
    await archive.keep(recording_by(tenant, **fields))
    (record,) = await served(archive, tenant)
    return record


SPENCER = {"agent_name": "Spencer Porter", "agent_extension": "253", "agent_login": "spencer"}
SHOWN = "Spencer Porter(253)"


async def test_an_agent_is_name_and_extension(archive: Archive) -> None:
    assert (await shown(archive, **SPENCER)).agent == SHOWN


async def test_an_agent_without_an_extension_is_a_name(archive: Archive) -> None:
    assert (await shown(archive, agent_name="tjohnson")).agent == "tjohnson"


async def test_an_agent_is_taken_apart_into_name_and_extension() -> None:
    recording = wire.recording_of(INBOUND, TenantId(1), "acme-ns")
    assert (recording.agent_name, recording.agent_extension, recording.agent) == ("Spencer Porter", "253", SHOWN)


async def test_an_inbound_calls_agent_is_the_receiving_party_and_the_caller_the_calling(archive: Archive) -> None:
    record = await shown(archive, **SPENCER, calling_party="18885553794", receiving_party=SHOWN)
    assert (record.callDirection, record.callingParty, record.receivingParty) == ("INBOUND", "18885553794", SHOWN)


def test_an_inbound_calls_caller_number_is_the_calling_party() -> None:
    recording = wire.recording_of(INBOUND, TenantId(1), "acme-ns")
    assert (recording.direction, recording.caller_number, recording.dialled_number) == ("inbound", "18885553794", "")


async def test_an_outbound_calls_agent_is_the_calling_party(archive: Archive) -> None:
    fields = {"direction": "outbound", "calling_party": SHOWN, "receiving_party": "17025550101"}
    record = await shown(archive, **SPENCER, **fields)
    assert (record.callDirection, record.callingParty, record.receivingParty) == ("OUTBOUND", SHOWN, "17025550101")


def test_an_outbound_calls_dialled_number_is_the_receiving_party() -> None:
    record = replace(INBOUND, callDirection="OUTBOUND", callingParty=SHOWN, receivingParty="17025550101")
    recording = wire.recording_of(record, TenantId(1), "acme-ns")
    assert (recording.direction, recording.dialled_number, recording.caller_number) == ("outbound", "17025550101", "")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("internal", "INTERNAL"), ("intersite", "INTERSITE"), ("somewhere", "somewhere")],
)
async def test_other_directions_have_their_words_or_keep_them(archive: Archive, ours: str, theirs: str) -> None:
    assert (await shown(archive, direction=ours)).callDirection == theirs
    assert wire.recording_of(replace(INBOUND, callDirection=theirs), TenantId(1), "acme-ns").direction == ours


async def test_a_call_straight_to_an_agent_is_inbound_without_a_skill(archive: Archive) -> None:
    record = await shown(archive, **SPENCER, skill="", skill_id="")
    assert (record.callDirection, record.skill) == ("INBOUND", "")


async def test_a_skill_is_the_skill(archive: Archive) -> None:
    assert (await shown(archive, skill="CC Sales", skill_id="101")).skill == "CC Sales"
    assert wire.recording_of(INBOUND, TenantId(1), "acme-ns").skill == "CC Sales"


async def test_parties_are_texts_as_displayed(archive: Archive) -> None:
    record = await shown(archive, calling_party="Wireless Caller", receiving_party="+1 (888) 555-0100")
    assert (record.callingParty, record.receivingParty) == ("Wireless Caller", "+1 (888) 555-0100")


async def test_start_and_duration_are_milliseconds(archive: Archive) -> None:
    record = await shown(archive, duration_ms=DurationMs(3_606))
    assert (record.startTime, record.duration) == (1_707_770_449_131, 3_606)


async def test_a_calls_id_is_its_key_and_a_recording_without_a_call_has_one_of_its_own(archive: Archive) -> None:
    record = await shown(archive)
    (call,) = await served_calls(archive, await archive.tenants.named("acme-ns"))
    assert record.callKey == call.callKey
    assert record.callKey.endswith("-1707770449131-1707770449140")
    assert (call.startTime, call.endTime) == (1_707_770_449_131, 1_707_770_449_140)


async def test_the_tenants_name_is_ours_unless_the_vendor_had_its_own(archive: Archive) -> None:
    assert (await shown(archive)).tenantName == "acme-ns"


# Keys


@pytest.mark.parametrize(("vendor", "derived"), [(OWN, False), (wire.VENDOR, False), (IMPORTED, True), ("kazoo", True)])
async def test_only_a_vendors_own_keys_are_shown_in_its_dialect(
    archive: Archive,
    vendor: str,
    derived: bool,  # noqa: FBT001 -- a table's column
) -> None:
    tenant = await tenant_of(archive)
    recording = recording_by(tenant, vendor=vendor, vendor_key="their-own")
    await archive.keep(recording)
    (record,) = await served(archive, tenant)
    expected = recording_key(recording.id) if derived else "their-own"
    assert record.recordingKey == expected == wire.key_of(recording)


async def test_a_recording_of_our_own_without_a_key_shows_its_id_and_start(archive: Archive) -> None:
    record = await shown(archive)
    identity, _, start = record.recordingKey.rpartition("-")
    assert uuid.UUID(identity).version == 7
    assert int(start) == record.startTime


def test_a_derived_key_is_the_one_that_an_id_is_looked_up_by() -> None:
    identity = uuid7(EpochMs(1_707_770_449_131))
    assert wire._derived(identity.bytes) == recording_key(identity)


# A call that only a recording tells of


def test_a_recordings_call_key_tells_the_times_of_its_call() -> None:
    call = wire.call_of_recording(INBOUND, TenantId(1), "acme-ns")
    assert call is not None
    assert (call.key, call.started_at, call.ended_at) == (INBOUND.callKey, 1_707_770_438_499, 1_707_770_497_510)
    assert (call.direction, call.source_tenant) == ("inbound", "")


@pytest.mark.parametrize("key", ["", "no times in it", "x-1707770438499", "x-17-18", "x-1707770438499-now"])
def test_a_call_key_without_times_tells_nothing(key: str) -> None:
    assert wire.call_of_recording(replace(INBOUND, callKey=key), TenantId(1), "acme-ns") is None


@given(st.text())
def test_any_call_key_is_read_without_a_fault(key: str) -> None:
    call = wire.call_of_recording(replace(INBOUND, callKey=key), TenantId(1), "acme-ns")
    assert call is None or call.key == key


async def test_two_recordings_of_one_call_share_it(archive: Archive) -> None:
    tenant = await tenant_of(archive)
    call_of = partial(wire.call_of_recording, tenant=tenant.id, tenant_name=tenant.name)
    for record in (INBOUND, replace(DIRECT, callKey=INBOUND.callKey)):
        await collected(archive, tenant, record, call_of(record))
    assert [call.callKey for call in await served_calls(archive, tenant)] == [INBOUND.callKey]


async def test_a_call_that_is_corrected_keeps_its_id(archive: Archive) -> None:
    tenant = await tenant_of(archive)
    first = await archive.keep_call(wire.call_of(replace(CALL, startTime=1, recordings=[]), tenant.id, tenant.name))
    again = await archive.keep_call(wire.call_of(replace(CALL, recordings=[]), tenant.id, tenant.name))
    assert isinstance(first.id, uuid.UUID)
    assert again.id == CallId(first.id)
    assert await served_calls(archive, tenant) == [replace(CALL, recordings=[])]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from([*XimaRecording.__struct_fields__, "nosuch", "__class__"])


@given(extra=st.dictionaries(st.just("xima") | st.text(max_size=4), json_values | st.dictionaries(names, json_values)))
@example(extra={"xima": {"nosuch": 1}})
@example(extra={"xima": "text"})
@example(extra={"xima": {"size": "big", "eventId": True}})
def test_whatever_is_kept_beside_a_recording_it_is_served_in_the_contracts_types(extra: dict[str, Any]) -> None:
    columns = [dict.fromkeys(wire.RECORDING_COLUMNS, ""), {"extra": msgspec.json.encode(extra).decode()}]
    numbers = dict.fromkeys(("duration_ms", "opus_bytes", "event_id", "system_id", "state"), 0)
    row = {**columns[0], **numbers, **columns[1]}
    (made,) = wire.recordings_of([(5, b"\0" * 16, "key", *row.values())], "acme-ns")
    assert msgspec.convert(msgspec.to_builtins(made), XimaRecording) == made
