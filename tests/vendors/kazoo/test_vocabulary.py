"""One call in Kazoo's words (the design's table), cell by cell; each vendor's rows in this dialect, Kazoo's in others.

The Xima and 8x8 columns of the same calls stand in the tests of the 8x8 dialect.
"""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.server.harness import START, World
from tests.vendors.eightbyeight.harness import asked as asked_8x8
from tests.vendors.eightbyeight.test_vocabulary import CALLER, DIALLED, KINDS, OF_XIMA, SEED, collect
from tests.vendors.kazoo.customers import Customer, documents

from voxkeep.archive.model import Call, State
from voxkeep.archive.units import CallId, EpochMs, uuid7
from voxkeep.vendors.kazoo import wire
from voxkeep.vendors.kazoo.gregorian import gregorian
from voxkeep.vendors.xima import wire as xima

REALM = "acme.sip.test"

CELLS: list[tuple[str, dict[str, Any]]] = [
    # agent: the user's id, and the name on the agent's side
    ("inbound", {"callee_id_name": "Bill Harmon", "callee_id_number": "256"}),
    ("outbound", {"caller_id_name": "Bill Harmon", "caller_id_number": "256"}),
    # direction: the switch's view, and in origin the user's
    ("inbound", {"direction": "outbound", "origin": "inbound from offnet to endpoint"}),
    ("outbound", {"direction": "inbound", "origin": "outbound to offnet from endpoint"}),
    ("direct", {"direction": "outbound", "origin": "inbound from offnet to endpoint"}),
    ("internal", {"direction": "outbound", "origin": "inbound from onnet to endpoint"}),
    # parties
    ("inbound", {"from": f"{CALLER}@{REALM}", "to": f"{DIALLED}@{REALM}", "request": f"{DIALLED}@{REALM}"}),
    ("inbound", {"caller_id_number": CALLER}),
    ("outbound", {"from": f"256@{REALM}", "to": f"{CALLER}@{REALM}", "request": f"{CALLER}@{REALM}"}),
    ("outbound", {"callee_id_number": CALLER}),
    ("direct", {"from": f"{CALLER}@{REALM}", "to": f"256@{REALM}"}),
    ("internal", {"from": f"251@{REALM}", "caller_id_name": "Ann Lee(251)"}),
    # start, duration
    ("inbound", {"start": gregorian(START), "duration": 27, "duration_ms": 27_999}),
    # call id
    ("inbound", {"call_id": "call-1", "cdr_id": "202402-call-1"}),
    # what any other origin presents itself as
    ("inbound", {"content_type": "audio/mpeg", "media_type": "mp3", "_read_only": {"content_types": ["audio/mpeg"]}}),
]


async def the_one(customer: Customer) -> dict[str, Any]:
    (shown,) = await documents(customer)
    return shown


@pytest.mark.parametrize(("kind", "told"), CELLS)
async def test_each_cell_of_the_table(world: World, acme: Customer, kind: str, told: dict[str, Any]) -> None:
    await world.keep(acme.tenant, state=State.KEPT, duration_ms=27_999, call_key="call-1", **KINDS[kind])
    shown = await the_one(acme)
    assert shown | told == shown


@pytest.mark.parametrize("kind", ["inbound", "outbound"])
async def test_the_agent_is_the_owner(world: World, acme: Customer, kind: str) -> None:
    bill = await acme.user("bill", agent_login="bill")
    await world.keep(acme.tenant, state=State.KEPT, **KINDS[kind])
    shown = await the_one(acme)
    assert shown["owner_id"] == shown["custom_channel_vars"]["Owner-ID"] == bill.id


async def test_the_skill_is_the_queue(world: World, acme: Customer) -> None:
    await world.keep(acme.tenant, state=State.KEPT, **KINDS["inbound"])
    assert (await the_one(acme))["custom_channel_vars"]["Queue-ID"] == "101"


async def test_legs_of_one_call_are_one_interaction(world: World, acme: Customer) -> None:
    await world.keep(acme.tenant, state=State.KEPT, call_key="alone")
    call = Call(
        tenant=acme.tenant.id,
        id=CallId(uuid7(START)),
        started_at=START,
        ended_at=START,
        vendor_key="shared",
        key="shared",
    )
    for offset in (1_000, 2_000):
        await world.keep(acme.tenant, START + offset, state=State.KEPT, call=call)
    interactions = [each["interaction_id"] for each in await documents(acme)]
    assert interactions[0] == interactions[1] != interactions[2]


async def test_created_is_the_end_of_the_recording(world: World, acme: Customer) -> None:
    await world.keep(acme.tenant, START, state=State.KEPT, duration_ms=90_000, call_key="long")
    await world.keep(acme.tenant, START + 60_000, state=State.KEPT, duration_ms=1_000, call_key="short")
    assert [each["call_id"] for each in await documents(acme)] == ["long", "short"]
    window = f"created_from={gregorian(START + 62_000)}&created_to={gregorian(START + 91_000)}"
    assert [each["call_id"] for each in await documents(acme, window)] == ["long"]


async def test_what_was_collected_from_xima_is_told_in_kazoos_words(world: World, acme: Customer) -> None:
    await world.archive.keep(xima.recording_of(OF_XIMA, acme.tenant.id, acme.tenant.name))
    shown = await the_one(acme)
    told = {"call_id": OF_XIMA.callKey, "from": f"{OF_XIMA.callingParty}@{REALM}", "callee_id_number": "253"}
    assert shown | told == shown
    assert shown["origin"] == "inbound from offnet to endpoint"


async def test_what_was_collected_from_8x8_is_told_in_kazoos_words(world: World, acme: Customer) -> None:
    await collect(world, acme.tenant, SEED)
    ended = 1_198_120_596_000 + 27_000
    (shown,) = await documents(acme, f"created_from={gregorian(ended)}&created_to={gregorian(ended)}")
    told = {"call_id": "1", "from": f"{CALLER}@{REALM}", "to": f"{DIALLED}@{REALM}", "duration": 27}
    assert shown | told == shown


DOCUMENT = {
    "id": "202402-3f1c00000000000000000000000000aa", "call_id": "leg@host", "interaction_id": "63874989649-1f2e3d4c",
    "caller_id_number": CALLER, "callee_id_name": "Bill Harmon", "callee_id_number": "256", "direction": "outbound",
    "origin": "inbound from offnet to endpoint", "start": gregorian(START), "duration": 27, "duration_ms": 27_999,
    "to": f"{DIALLED}@elsewhere", "from": f"{CALLER}@elsewhere", "request": f"{DIALLED}@elsewhere",
    "custom_channel_vars": {"Queue-ID": "q1"}, "content_type": "audio/mpeg",
}  # fmt: skip


async def test_what_was_collected_from_kazoo_is_read_in_the_others_words(world: World, acme: Customer) -> None:
    recording = replace(wire.recording_of(DOCUMENT, acme.tenant.id), opus_bytes=9)
    await world.archive.keep(recording, call=wire.call_of(recording))
    token = await world.token(acme.tenant)
    (in_xima,) = await world.listed(token)
    told = {"callDirection": "INBOUND", "callingParty": CALLER, "receivingParty": "Bill Harmon(256)", "skill": "q1"}
    assert in_xima | told | {"callKey": "leg@host", "duration": 27_999} == in_xima
    (in_8x8,) = (await asked_8x8(world, "files.json", token, tenant=acme.tenant.name)).json["recordings"]["file"]
    assert in_8x8 | {"phoneNumber": CALLER, "channel": DIALLED, "queueID": "q1", "agentID": "256"} == in_8x8
    assert EpochMs(in_xima["startTime"]) == START // 1000 * 1000


async def test_one_removed_here_is_gone_from_the_others(world: World, acme: Customer) -> None:
    await world.keep(acme.tenant, state=State.KEPT)
    shown = await the_one(acme)
    assert (await acme.ask("DELETE", f"recordings/{shown['id']}")).status == 200
    token = await world.token(acme.tenant)
    (in_xima,) = await world.listed(token)
    assert in_xima["status"] == "DELETED_USER"
    assert (await asked_8x8(world, "files.json", token, tenant=acme.tenant.name)).json["recordings"]["file"] == []
    assert await documents(acme) == []
