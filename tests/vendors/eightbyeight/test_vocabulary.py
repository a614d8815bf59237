"""One call, the vocabularies of two vendors (the design's table), cell by cell; each vendor's rows in both dialects."""

import json
from datetime import datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict, replace
from tests.server.harness import START, World
from tests.vendors.eightbyeight.harness import asked

from voxkeep.archive.model import Recording, State, Tenant, WrapUpCode
from voxkeep.archive.units import EpochMs
from voxkeep.vendors.eightbyeight import wire
from voxkeep.vendors.xima import wire as xima

CALLER, DIALLED, SHOWN = "14155551234", "18005557780", "Bill Harmon(256)"
BILL = {"agent_name": "Bill Harmon", "agent_extension": "256", "agent_login": "bill"}
INBOUND: dict[str, Any] = {
    **BILL, "direction": "inbound", "calling_party": CALLER, "receiving_party": SHOWN, "caller_number": CALLER,
    "dialled_number": DIALLED, "skill": "CC Sales", "skill_id": "101",
}  # fmt: skip
DIRECT = INBOUND | {"skill": "", "skill_id": "", "dialled_number": "256"}
OUTBOUND = {
    **BILL, "direction": "outbound", "calling_party": SHOWN, "receiving_party": CALLER, "caller_number": "256",
    "dialled_number": CALLER,
}  # fmt: skip
QUEUED_OUTBOUND = OUTBOUND | {"skill": "CC Sales", "skill_id": "101"}
INTERNAL = DIRECT | {"direction": "internal", "calling_party": "Ann Lee(251)", "caller_number": "251"}
KINDS: dict[str, dict[str, Any]] = {
    "inbound": INBOUND, "direct": DIRECT, "outbound": OUTBOUND, "queued": QUEUED_OUTBOUND, "internal": INTERNAL,
}  # fmt: skip
DIRECT_QUEUE = {"queueID": "QUEUE_DIRECT_AGENT_ACCESS", "queueName": "QUEUE_DIRECT_AGENT_ACCESS"}
OUTBOUND_QUEUE = {"queueID": "QUEUE_OUTBOUND", "queueName": "QUEUE_OUTBOUND"}


async def file_of(world: World, token: str, query: str = "") -> dict[str, Any]:
    """The one recording, as 8x8 shows it."""
    (shown,) = (await asked(world, f"files.json?{query}", token)).json["recordings"]["file"]
    assert isinstance(shown, dict)
    return shown


async def both(world: World, token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one recording in the Xima dialect and in 8x8's."""
    (shown,) = await world.listed(token)
    return shown, await file_of(world, token)


# Cells: the kind of call, what the row says, and what either vendor's reader sees

CELLS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    # agent
    ("inbound", {"agent": SHOWN, "receivingParty": SHOWN}, {"agentID": "bill"}),
    ("outbound", {"agent": SHOWN, "callingParty": SHOWN}, {"agentID": "bill"}),
    # direction inbound: the number dialled, the caller, the queue
    ("inbound", {"callDirection": "INBOUND"}, {"channel": DIALLED}),
    ("inbound", {"callingParty": CALLER}, {"phoneNumber": CALLER}),
    ("inbound", {"skill": "CC Sales"}, {"queueID": "101", "queueName": "CC Sales"}),
    # outbound
    ("outbound", {"callDirection": "OUTBOUND"}, {"channel": "#virtual_outbound#"}),
    ("outbound", {"receivingParty": CALLER}, {"phoneNumber": CALLER}),
    ("outbound", {"skill": ""}, OUTBOUND_QUEUE),
    ("queued", {"skill": "CC Sales", "callDirection": "OUTBOUND"}, {"channel": "#virtual_outbound#", **OUTBOUND_QUEUE}),
    # straight to an agent
    ("direct", {"callDirection": "INBOUND", "skill": ""}, {"channel": "#virtual_daa#"}),
    ("direct", {"callingParty": CALLER}, {"phoneNumber": CALLER}),
    ("direct", {}, DIRECT_QUEUE),
    ("internal", {"callDirection": "INTERNAL"}, {"channel": "#virtual_daa#", "phoneNumber": "251", **DIRECT_QUEUE}),
    # start, duration
    ("inbound", {"startTime": START, "duration": 27_999}, {"startDate": "2024-02-12T12:40:49-08:00", "duration": 27}),
    # call id
    ("inbound", {"callKey": "call-1"}, {"transactionID": "call-1"}),
]


@pytest.mark.parametrize(("kind", "in_xima", "in_8x8"), CELLS)
async def test_each_cell_of_the_table(
    world: World, acme: Tenant, token: str, kind: str, in_xima: dict[str, Any], in_8x8: dict[str, Any]
) -> None:
    await world.keep(acme, state=State.KEPT, duration_ms=27_999, call_key="call-1", **KINDS[kind])
    ours, theirs = await both(world, token)
    assert ours | in_xima == ours
    assert theirs | in_8x8 == theirs


async def test_an_agent_without_a_login_is_the_extension(world: World, acme: Tenant, token: str) -> None:
    await world.keep(acme, state=State.KEPT, **INBOUND | {"agent_login": ""})
    ours, theirs = await both(world, token)
    assert (ours["agent"], theirs["agentID"]) == (SHOWN, "256")


async def test_a_call_of_a_known_kind_says_so_by_its_channel_alone(world: World, acme: Tenant, token: str) -> None:
    for number, fields in enumerate(KINDS.values()):
        await world.keep(acme, START + 1_000 * number, state=State.KEPT, call_key=str(number), **fields)
    for channel, found in (("%23virtual_outbound%23", [2, 3]), ("%23virtual_daa%23", [1, 4]), (DIALLED, [0])):
        files = (await asked(world, f"files.json?channel={channel}", token)).json["recordings"]["file"]
        assert [file["transactionID"] for file in files] == found


async def test_what_there_is_not_is_0_in_a_recording_of_our_own(world: World, acme: Tenant, token: str) -> None:
    await world.keep(acme, state=State.KEPT)
    shown = await file_of(world, token)
    none = {"caseID": 0, "accountNumber": "0", "extVar1": "0", "extVar2": "0", "outDialCode": "", "wrapUpCode": {}}
    assert shown | none == shown


async def test_a_recording_without_a_known_call_has_a_transaction_of_its_own(
    world: World, acme: Tenant, token: str
) -> None:
    await world.keep(acme, state=State.KEPT)
    ours, theirs = await both(world, token)
    assert ours["callKey"] == theirs["transactionID"] != ""


# What was collected from 8x8

GAUFFRE = wire.wrap_up_of([WrapUpCode("Gauffre", "Gauffre 1")])
SEED = wire.File(
    "2007-12-19T19:16:36-08:00", "bill", CALLER, DIALLED, 0, 27, "S20071220/R2007122003163601000.wav",
    "fernandez~~queue~~phone~~102", "phoneq1", "0", 1, "0", "0", "", GAUFFRE,
)  # fmt: skip
COLLECTED = {
    "seed": SEED,
    "as printed": replace(SEED, phoneNumber="bill", channel="5027780"),
    "outbound": replace(SEED, channel="#virtual_outbound#", queueID="QUEUE_OUTBOUND", queueName="QUEUE_OUTBOUND"),
    "direct": replace(SEED, channel="#virtual_daa#", **DIRECT_QUEUE),
    "outbound of a queue": replace(SEED, channel="#virtual_outbound#"),
    "direct with an odd queue": replace(SEED, channel="#virtual_daa#", queueID="", queueName="x"),
    "nothing said": wire.File(
        SEED.startDate, "", "", "", "", 0, "S20071220/R200712200316360001.wav", "", "", "", "", "", "", ""
    ),
    "numbers as texts": replace(
        SEED, caseID="0012", transactionID="0001", accountNumber="007", extVar1="", outDialCode="9"
    ),
    "zero call": replace(SEED, transactionID=0),
}  # fmt: skip


async def collect(world: World, tenant: Tenant, file: wire.File) -> Recording:
    started_at = EpochMs(int(datetime.fromisoformat(file.startDate).timestamp() * 1000))
    recording = wire.recording_of(file, started_at, tenant.id)
    return (await world.archive.keep(recording, call=wire.call_of(recording))).recording


@pytest.mark.parametrize("name", COLLECTED)
async def test_what_was_collected_from_8x8_comes_back_as_it_was(
    world: World, acme: Tenant, token: str, name: str
) -> None:
    await collect(world, acme, COLLECTED[name])
    assert await file_of(world, token) == json.loads(msgspec.json.encode(COLLECTED[name]))
    elsewhere = await file_of(world, token, "tz=Asia/Tokyo")
    moments = [datetime.fromisoformat(text) for text in (elsewhere["startDate"], COLLECTED[name].startDate)]
    assert moments[0] == moments[1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("seed", {"callDirection": "INBOUND", "callingParty": CALLER, "receivingParty": "bill", "skill": "phoneq1"}),
        ("outbound", {"callDirection": "OUTBOUND", "callingParty": "bill", "receivingParty": CALLER, "skill": ""}),
        ("direct", {"callDirection": "INBOUND", "callingParty": CALLER, "receivingParty": "bill", "skill": ""}),
        ("seed", {"agent": "bill", "startTime": 1_198_120_596_000, "duration": 27_000, "callKey": "1"}),
        ("seed", {"tenantName": "acme-ns", "tagData": "", "status": "SAVED", "recordingSystemId": 0}),
    ],
)
async def test_what_was_collected_from_8x8_is_read_in_xima_s_words(
    world: World, acme: Tenant, token: str, name: str, told: dict[str, Any]
) -> None:
    recording = await collect(world, acme, COLLECTED[name])
    await world.archive.database.write(_opus_of(recording))
    (shown,) = await world.listed(token)
    assert shown | told == shown
    # the other vendor's key means nothing here: it is derived from ours
    assert shown["recordingKey"] == xima.key_of(recording) != recording.vendor_key


def _opus_of(recording: Recording) -> Any:
    """Say that the Opus form is there; without it every recording is still PENDING in that dialect."""

    async def work(transaction: Any) -> None:
        sql = "UPDATE recordings SET opus_bytes = 9 WHERE tenant = $1 AND id = $2"
        await transaction.execute(sql, recording.tenant, recording.id.bytes)

    return work


async def test_recordings_of_one_transaction_are_one_call_in_the_xima_dialect(
    world: World, acme: Tenant, token: str
) -> None:
    await collect(world, acme, SEED)
    later = replace(SEED, startDate="2007-12-19T19:17:36-08:00", filename="S20071220/R2007122003173601000.wav")
    await collect(world, acme, later)
    calls = (await world.get("call-recording-info?startTime=2007-12-01&endTime=2008-01-01", token)).json
    assert [(call["callKey"], len(call["recordings"])) for call in calls] == [("1", 2)]


@pytest.mark.parametrize("channel", ["", "#virtual_outbound#", "#virtual_daa#"])
async def test_what_a_file_leaves_empty_is_not_filled_in_from_another_of_its_transaction(
    world: World, acme: Tenant, token: str, channel: str
) -> None:
    await collect(world, acme, SEED)
    silent = replace(SEED, filename="S20071220/R2007122003173601000.wav", channel=channel, phoneNumber="")
    await collect(world, acme, silent)
    assert await file_of(world, token, f"filename={silent.filename}") == json.loads(msgspec.json.encode(silent))
    assert len((await asked(world, "files.json?phoneNumber=", token)).json["recordings"]["file"]) == 1


# What was collected from Xima

OF_XIMA = xima.XimaRecording(
    recordingKey="91a1e1e8-08p8-427b-bd04-da43c2a1db7d-1707770449131",
    callKey="1dd0gg18-9c63-41de-a386-4f21ba0086f2-1707770438499-1707770497510",
    startTime=START,
    duration=3_606,
    size=9_111,
    eventId=99_181,
    status="SAVED",
    callingParty="18885553794",
    receivingParty="Spencer Porter(253)",
    tenantName="acme-ns",
    tagData="Default",
    callDirection="INBOUND",
    skill="CC Sales",
    agent="Spencer Porter(253)",
)
OUT_OF_XIMA = replace(
    OF_XIMA, callDirection="OUTBOUND", callingParty=OF_XIMA.agent, receivingParty="18885553794", skill=""
)


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (OF_XIMA, {"agentID": "253", "phoneNumber": "18885553794", "queueID": "", "queueName": "CC Sales"}),
        (OF_XIMA, {"startDate": "2024-02-12T12:40:49-08:00", "duration": 3, "transactionID": OF_XIMA.callKey}),
        (OF_XIMA, {"filename": "S20240212/R202402122040499999.wav", "caseID": 0, "wrapUpCode": {}}),
        (OUT_OF_XIMA, {"phoneNumber": "18885553794", "channel": "#virtual_outbound#", **OUTBOUND_QUEUE}),
        (replace(OF_XIMA, skill=""), {"phoneNumber": "18885553794", "channel": "#virtual_daa#", **DIRECT_QUEUE}),
        (replace(OF_XIMA, callDirection="INTERNAL", skill=""), {"channel": "#virtual_daa#", **DIRECT_QUEUE}),
    ],
)
async def test_what_was_collected_from_xima_is_read_in_8x8_s_words_and_comes_back_in_its_own(
    world: World, acme: Tenant, token: str, record: xima.XimaRecording, told: dict[str, Any]
) -> None:
    recording = replace(xima.recording_of(record, acme.id, acme.name), opus_bytes=record.size)
    call = xima.call_of_recording(record, acme.id, acme.name)
    await world.archive.keep(recording, call=call, call_is_whole=False)
    ours, theirs = await both(world, token)
    assert ours == asdict(record)
    assert theirs | told == theirs


async def test_the_number_that_was_dialled_comes_from_ximas_call(world: World, acme: Tenant, token: str) -> None:
    call = xima.XimaCall(
        callKey=OF_XIMA.callKey, startTime=START, endTime=START + 5_000, direction="INBOUND", tenantName="acme-ns",
        dialedPartyNumber="7035559310",
    )  # fmt: skip
    recording = xima.recording_of(OF_XIMA, acme.id, acme.name)
    await world.archive.keep(recording, call=xima.call_of(call, acme.id, acme.name))
    shown = await file_of(world, token, "channel=7035559310&phoneNumber=18885553794&agentID=253")
    assert shown["channel"] == "7035559310"


async def test_one_removed_in_either_dialect_is_gone_from_the_other(world: World, acme: Tenant, token: str) -> None:
    recording = replace(xima.recording_of(OF_XIMA, acme.id, acme.name), opus_bytes=9)
    await world.archive.keep(recording)
    assert (await asked(world, "files/S20240212/R202402122040499999", token, method="DELETE")).status == 200
    (shown,) = await world.listed(token)
    assert shown["status"] == "DELETED_USER"
