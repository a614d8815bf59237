"""Who may report events, of which tenant; and what the audit trail tells of it."""

import pytest
from tests.native.reporting import CALL, EVENTS, calls, keys, lines, receipt, report
from tests.server.harness import World, refused, restricted

from voxkeep.access import EVERYTHING, Grant, Permission, TenantLimits
from voxkeep.archive.model import Tenant
from voxkeep.archive.units import EpochMs
from voxkeep.native import events as events_module
from voxkeep.native.events import MOST_LINES


async def test_tenants_never_touch_each_others_calls(world: World, acme: Tenant, other: Tenant, token: str) -> None:
    theirs = await world.token(other, name="theirs")
    await receipt(world, token, lines(CALL))
    before = await calls(world, acme)
    # the same ids and calls are others there, and say nothing of what is known here
    assert (await receipt(world, theirs, lines(CALL[:2])))["taken"] == 2
    assert await calls(world, acme) == before
    assert [len(call.events) for call in await calls(world, other)] == [2]


async def test_a_token_of_several_tenants_names_the_one_it_means(world: World, acme: Tenant, other: Tenant) -> None:
    both = await world.token(acme, other)
    assert refused(await report(world, both, lines(CALL)), 400).startswith("tenant is required")
    assert await keys(world, acme) == await keys(world, other) == []
    await receipt(world, both, lines(CALL), "?tenant=globex-ns")
    assert (await keys(world, acme), await keys(world, other)) == ([], ["c"])
    answer = await report(world, both, lines(CALL), Host=acme.host)
    assert answer.json["taken"] == 7
    assert await keys(world, acme) == ["c"]


async def test_the_tenant_is_named_even_where_the_permission_leaves_one(
    world: World, acme: Tenant, other: Tenant
) -> None:
    grants = {acme.id: Grant(), other.id: Grant(frozenset({Permission.CALLS_LIST}))}
    some = await world.access.directory.add_with_token("some", grants)
    refused(await report(world, some, lines(CALL)), 400)
    refused(await report(world, some, lines(CALL), "?tenant=globex-ns"), 403)
    assert (await receipt(world, some, lines(CALL), "?tenant=ACME"))["taken"] == 7
    assert await keys(world, other) == []


async def test_an_unknown_tenant_and_anothers_get_the_same_404(world: World, other: Tenant, token: str) -> None:
    answers = [await report(world, token, lines(CALL), f"?tenant={name}") for name in ("unknown", "globex-ns", "", "2")]
    answers.append(await report(world, token, lines(CALL), Host=other.host))
    assert {refused(answer, 404) for answer in answers} == {"There is no such tenant"}
    assert len({answer.body for answer in answers}) == 1
    assert await keys(world, other) == []


async def test_403_without_the_permission_whatever_the_body_is(world: World, acme: Tenant) -> None:
    others = await world.token(acme, name="others", grant=Grant(EVERYTHING - {Permission.EVENTS_WRITE}))
    only = await world.token(acme, name="only", grant=Grant(frozenset({Permission.EVENTS_WRITE})))
    assert "no permission" in refused(await report(world, others, b""), 403)
    refused(await report(world, others, lines(CALL)), 403)
    assert await keys(world, acme) == []
    assert (await receipt(world, only, lines(CALL)))["taken"] == 7


@pytest.mark.parametrize("grant", [restricted(agents=["201"]), restricted(skills=["CC Sales"])], ids=["agent", "skill"])
async def test_who_sees_but_some_agents_or_skills_reports_nothing(world: World, acme: Tenant, grant: Grant) -> None:
    reader = await world.token(acme, grant=grant)
    refused(await report(world, reader, lines(CALL)), 403)
    assert await keys(world, acme) == []


async def test_a_tenant_whose_api_is_switched_off_takes_nothing(world: World, acme: Tenant, token: str) -> None:
    await world.access.gate.set_limits(acme.id, TenantLimits(api_enabled=False), by="test")
    assert "switched off" in refused(await report(world, token, lines(CALL)), 403)
    assert await keys(world, acme) == []


async def test_401_without_a_token_before_the_body_is_read(world: World) -> None:
    for token in (None, "vk_" + "A" * 43):
        answer = await report(world, token, b"x")
        assert refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_405_for_a_method_before_any_token(world: World, method: str) -> None:
    answer = await world.ask(method, EVENTS)
    assert (answer.status, answer.headers["allow"]) == (405, "POST")


# The audit trail


async def test_every_batch_stands_once_in_the_trail_before_it_is_answered(
    world: World, acme: Tenant, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_module, "PIECE_BYTES", 100)
    await receipt(world, token, b"\n".join([lines(CALL), b"x", lines(CALL[:2])]))
    # what is only noted would not be there yet
    entries = [entry for entry in await world.access.audit.read(EpochMs(0)) if entry.remote]
    assert [(entry.user, entry.tenant, entry.action, entry.outcome) for entry in entries] == [
        ("bi", acme.id, "event.take", "done")
    ]
    assert (entries[0].detail, entries[0].remote) == ("7 taken, 2 known, 1 bad", "127.0.0.1")


async def test_refusals_stand_in_the_trail_and_bad_bodies_do_not(world: World, acme: Tenant, token: str) -> None:
    without = await world.token(acme, name="without", grant=Grant(frozenset({Permission.CALLS_LIST})))
    await report(world, None, lines(CALL))
    await report(world, without, lines(CALL))
    await report(world, token, lines(CALL), "?tenant=unknown")
    await report(world, token, b"x")
    await report(world, token, b"\n" * (MOST_LINES + 1))
    entries = await world.audited()
    assert [(entry.user, entry.action, entry.detail[:3]) for entry in entries] == [
        ("", "authenticate", "401"),
        ("without", "event.take", "403"),
        ("bi", "event.take", "404"),
    ]
