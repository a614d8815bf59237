"""Reporting events over HTTP, and looking for what came of them."""

from collections.abc import Sequence
from typing import Any

from tests.activity.making import answered_call
from tests.server.harness import Answer, World

from voxkeep.activity import Activity, Event, LiveCall
from voxkeep.activity.lines import line_of
from voxkeep.archive.model import Tenant
from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import EpochMs

EVENTS = "/voxkeep/v1/events"
EVER = TimeRange(EpochMs(0), EpochMs(2**52))
CALL = answered_call()


def lines(events: Sequence[Event]) -> bytes:
    return b"\n".join(map(line_of, events))


async def report(world: World, token: str | None, body: bytes, query: str = "", **headers: str) -> Answer:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return await world.send("POST", f"{EVENTS}{query}", body, **headers)


async def receipt(world: World, token: str, body: bytes, query: str = "") -> dict[str, Any]:
    answer = await report(world, token, body, query)
    assert answer.status == 200, answer
    told_of: dict[str, Any] = answer.json
    return told_of


async def calls(world: World, tenant: Tenant) -> list[LiveCall]:
    return [call async for chunk in Activity(world.archive).calls(tenant.id, EVER) for call in chunk]


async def keys(world: World, tenant: Tenant) -> list[str]:
    return [call.key for call in await calls(world, tenant)]
