"""Statuses, their one shape and their order; who is let in, under which hosts; what the audit trail tells."""

import asyncio
import logging

import pytest
from tests.native.conftest import SEARCH, chat, found, search
from tests.server.harness import World, refused, restricted

from voxkeep.access import EVERYTHING, Grant, Permission, TenantLimits
from voxkeep.archive.model import Tenant
from voxkeep.database import DatabaseError
from voxkeep.settings import Server, Settings

UNKNOWN_TOKEN = "vk_" + "A" * 43


@pytest.mark.parametrize("authorization", [None, "", "Bearer", f"Bearer {UNKNOWN_TOKEN}", f"Basic {UNKNOWN_TOKEN}"])
async def test_401_for_any_token_that_is_not_one(world: World, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await world.ask("GET", f"{SEARCH}?q=x&limit=never", **headers)
    assert refused(answer, 401) == "The bearer token is missing, expired or invalid"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_revoked_token_is_dead_at_once(world: World, token: str) -> None:
    assert await found(world, token, "x") == []
    await world.access.tokens.revoke("bi")
    refused(await search(world, token, "x"), 401)


async def test_403_without_the_permission_and_only_then(world: World, acme: Tenant) -> None:
    others = await world.token(acme, name="others", grant=Grant(EVERYTHING - {Permission.TRANSCRIPTS_READ}))
    only = await world.token(acme, name="only", grant=Grant(frozenset({Permission.TRANSCRIPTS_READ})))
    assert "no permission" in refused(await search(world, others, ""), 403)
    assert await found(world, only, "x") == []


async def test_tenants_without_the_permission_are_left_out(world: World, acme: Tenant, other: Tenant) -> None:
    grants = {acme.id: Grant(), other.id: Grant(frozenset({Permission.RECORDINGS_LIST}))}
    both = await world.access.directory.add_with_token("both", grants)
    await chat(world, acme, ["parcel of acme"])
    await chat(world, other, ["parcel of globex"])
    assert await found(world, both, "parcel") == ["parcel of acme"]
    refused(await search(world, both, "parcel", tenant="globex-ns"), 403)


async def test_a_tenant_whose_api_is_switched_off_is_not_searched(world: World, acme: Tenant, other: Tenant) -> None:
    token, both = await world.token(acme), await world.token(acme, other, name="both")
    await chat(world, acme, ["parcel of acme"])
    await chat(world, other, ["parcel of globex"])
    await world.access.gate.set_limits(acme.id, TenantLimits(api_enabled=False), by="test")
    assert "switched off" in refused(await search(world, token, "parcel"), 403)
    assert await found(world, both, "parcel") == ["parcel of globex"]


async def test_an_unknown_tenant_and_anothers_get_the_same_404(world: World, other: Tenant, token: str) -> None:
    await chat(world, other, ["parcel of globex"])
    targets = [
        f"{SEARCH}?q=parcel&tenant={name}" for name in ("unknown", "globex-ns", "globex.xima.test", "", "%20", "2")
    ]
    answers = [await world.ask("GET", target, token) for target in targets]
    answers.append(await world.ask("GET", f"{SEARCH}?q=parcel", token, Host=other.host))
    assert {refused(answer, 404) for answer in answers} == {"There is no such tenant"}
    assert len({answer.body for answer in answers}) == 1


async def test_a_tenants_own_host_narrows_and_any_other_says_nothing(world: World, acme: Tenant, other: Tenant) -> None:
    both = await world.token(acme, other)
    await chat(world, acme, ["parcel of acme"])
    await chat(world, other, ["parcel of globex"])
    for host, count in ((acme.host, 1), (acme.host.upper() + ":8400", 1), ("10.0.0.1", 2), ("elsewhere.test", 2)):
        answer = await world.ask("GET", f"{SEARCH}?q=parcel", both, Host=host)
        assert len(answer.json["hits"]) == count
    answer = await world.ask("GET", f"{SEARCH}?q=parcel&tenant=globex-ns", both, Host=acme.host)
    assert refused(answer, 404) == "There is no such tenant"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "q is required"),
        ("q=x&q=y", "q is given more than once"),
        ("q=x&limit=0", "limit is a number"),
        ("q=x&from=never", "from is neither"),
        ("q=x&to=2024-02-12", "to is neither"),
        ("q=x&from=5&to=4", "to lies before from"),
        ("q=x&to=2200-01-01T00:00:00Z", "to lies outside"),
        ("q=x&before=nonsense", "before is not"),
        ("q=%FF", "The query is not valid UTF-8"),
        ("q=x%00", "The query holds a control character"),
    ],
)
async def test_400_names_the_parameter(world: World, token: str, query: str, message: str) -> None:
    assert refused(await world.ask("GET", f"{SEARCH}?{query}", token), 400).startswith(message)


@pytest.mark.parametrize("path", ["/voxkeep/v1/", "/voxkeep/v1/search/", "/voxkeep/v1/other", "/voxkeep/v1/search/x"])
async def test_404_for_a_path_that_is_none_before_any_token(world: World, path: str) -> None:
    refused(await world.ask("GET", f"{path}?q=x"), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_405_for_a_method_before_any_token(world: World, method: str) -> None:
    answer = await world.ask(method, SEARCH)
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


async def test_500_says_nothing_of_the_inside(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise DatabaseError("secret of the inside")

    monkeypatch.setattr(world.archive, "search", fail)
    with caplog.at_level(logging.ERROR):
        message = refused(await search(world, token, "x"), 500)
    assert message == "An unexpected error occurred"
    assert "secret of the inside" in caplog.text


async def test_503_in_maintenance(world: World, token: str) -> None:
    await world.restart(Settings(server=Server(maintenance=True)))
    answer = await search(world, token, "x")
    refused(answer, 503)
    assert int(answer.headers["retry-after"]) > 0


# The audit trail


async def test_a_search_stands_in_the_trail_before_it_is_answered(
    world: World, acme: Tenant, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat(world, acme, ["parcel"])

    async def fail(_: object) -> None:
        await asyncio.sleep(0)
        raise DatabaseError("no space for the trail")

    with monkeypatch.context() as patched:
        patched.setattr(world.access.audit, "record", fail)
        refused(await search(world, token, "parcel"), 500)
    assert await world.audited() == []
    await search(world, token, "parcel")
    (entry,) = await world.audited()
    assert (entry.user, entry.tenant, entry.action) == ("bi", acme.id, "transcript.search")
    assert (entry.subject, entry.outcome, entry.detail, entry.remote) == ("parcel", "done", "1 messages", "127.0.0.1")


async def test_every_tenant_that_is_searched_has_its_entry(world: World, acme: Tenant, other: Tenant) -> None:
    both = await world.token(acme, other)
    await chat(world, acme, ["parcel", "parcel"])
    await search(world, both, "parcel")
    entries = await world.audited()
    assert {(entry.tenant, entry.detail) for entry in entries} == {(acme.id, "2 messages"), (other.id, "0 messages")}


async def test_the_trail_holds_the_longest_question_whole_and_no_token(world: World, token: str) -> None:
    await search(world, token, "x" * 500)
    await search(world, token, token)
    whole, hidden = await world.audited()
    assert whole.subject == "x" * 500
    assert hidden.subject == "vk_..."


async def test_refusals_stand_in_the_trail_and_bad_requests_do_not(world: World, acme: Tenant, token: str) -> None:
    without = await world.token(acme, name="without", grant=Grant(frozenset({Permission.CALLS_LIST})))
    await search(world, None, "x")
    await search(world, without, "x")
    await search(world, token, "x", tenant="unknown")
    await search(world, token, "")
    await search(world, token, "x", before="nonsense")
    await world.ask("POST", SEARCH, token)
    entries = await world.audited()
    assert [(entry.user, entry.action, entry.detail[:3]) for entry in entries] == [
        ("", "authenticate", "401"),
        ("without", "transcript.search", "403"),
        ("bi", "transcript.search", "404"),
    ]
    assert {(entry.subject, entry.outcome) for entry in entries} == {(SEARCH, "refused")}


async def test_a_restricted_readers_count_is_of_what_was_shown(world: World, acme: Tenant) -> None:
    reader = await world.token(acme, grant=restricted(agents=["kelly"]))
    await chat(world, acme, ["parcel", "parcel"], agent_login="tom")
    await search(world, reader, "parcel")
    assert [entry.detail for entry in await world.audited()] == ["0 messages"]
