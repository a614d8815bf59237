"""Statuses, their one shape and their order; who is let in, under which names and hosts; what the audit trail tells."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace
from tests.server.harness import EVERYTHING, V2, Answer, DemoProcess, World, ask_at, refused, restricted, until
from tests.vendors.xima.conftest import Opener

from voxkeep.access import AuditEntry, Grant, Permission, TenantLimits
from voxkeep.archive.model import State, Tenant
from voxkeep.archive.units import EpochMs, now_ms
from voxkeep.database import DatabaseError
from voxkeep.settings import Server, Settings
from voxkeep.vendors.xima import wire

BAD_TIMES = "startTime=never&endTime=2024-01-01"
UNKNOWN_TOKEN = "vk_" + "A" * 43


@pytest.fixture
async def acme(world: World) -> Tenant:
    return await world.tenant("acme-ns", "acme.xima.test")


@pytest.fixture
async def other(world: World) -> Tenant:
    return await world.tenant("globex-ns", "globex.xima.test")


@pytest.fixture
async def token(world: World, acme: Tenant) -> str:
    return await world.token(acme)


# The statuses of the vendor's tables, each with its exact document


async def test_200_is_a_bare_array(world: World, token: str) -> None:
    answer = await world.get(f"recordings?{EVERYTHING}", token)
    assert (answer.status, answer.body) == (200, b"[]")
    assert answer.headers["content-type"] == "application/json"


async def test_400_names_the_parameter(world: World, token: str) -> None:
    answer = await world.get("recordings?endTime=2024-01-01", token)
    assert answer.json == {"status": 400, "error": "Bad Request", "message": "startTime is required"}
    assert answer.status == 400


async def test_400_for_a_format_that_is_not_served(world: World, token: str, acme: Tenant) -> None:
    recording = await world.keep(acme, audio="ogg")
    answer = await world.get(f"recordings/acme-ns/{wire.key_of(recording)}/audio?format=wav", token)
    assert answer.json["message"] == "format: audio comes as ogg (Opus) only"
    assert answer.status == 400


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer nonsense",
        f"Bearer {UNKNOWN_TOKEN}",
        f"Basic {UNKNOWN_TOKEN}",
        UNKNOWN_TOKEN,
        f"Bearer {UNKNOWN_TOKEN} {UNKNOWN_TOKEN}",
        "Bearer vk_\xff\xfe" + "A" * 41,
    ],
)
@pytest.mark.parametrize("route", ["recordings", "call-recording-info", "recordings/acme-ns/some-key/audio"])
async def test_401_for_any_token_that_is_not_one(
    world: World, acme: Tenant, route: str, authorization: str | None
) -> None:
    assert acme.name == "acme-ns"
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = await world.get(f"{route}?{EVERYTHING}", **headers)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json == {
        "status": 401,
        "error": "Unauthorized",
        "message": "The bearer token is missing, expired or invalid",
    }
    assert answer.status == 401


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER   {}", " Bearer {} "])
async def test_the_scheme_is_read_without_regard_to_case_or_spaces(world: World, token: str, form: str) -> None:
    answer = await world.get(f"recordings?{EVERYTHING}", Authorization=form.format(token))
    assert answer.status == 200


async def test_401_for_a_token_that_was_replaced_revoked_or_is_over(world: World, token: str) -> None:
    newer = await world.access.tokens.issue("bi")
    refused(await world.get(f"recordings?{EVERYTHING}", token), 401)
    assert (await world.get(f"recordings?{EVERYTHING}", newer)).status == 200
    over = await world.access.tokens.issue("bi", EpochMs(now_ms() - 1))
    refused(await world.get(f"recordings?{EVERYTHING}", over), 401)
    last = await world.access.tokens.issue("bi")
    await world.access.tokens.revoke("bi")
    refused(await world.get(f"recordings?{EVERYTHING}", last), 401)


@pytest.mark.parametrize(
    ("permission", "route"),
    [
        (Permission.RECORDINGS_LIST, "recordings"),
        (Permission.CALLS_LIST, "call-recording-info"),
        (Permission.RECORDINGS_LISTEN, "recordings/acme-ns/some-key/audio"),
    ],
)
async def test_403_without_the_permission_and_only_then(
    world: World, acme: Tenant, permission: Permission, route: str
) -> None:
    without = await world.token(acme, name="without", grant=Grant(frozenset(Permission) - {permission}))
    only = await world.token(acme, name="only", grant=Grant(frozenset({permission})))
    message = refused(await world.get(f"{route}?{EVERYTHING}", without), 403)
    assert "approved" in message
    assert (await world.get(f"{route}?{EVERYTHING}", only)).status in (200, 404)


async def test_403_on_every_route_of_a_tenant_whose_api_is_switched_off(
    world: World, acme: Tenant, other: Tenant
) -> None:
    token, both = await world.token(acme), await world.token(acme, other, name="both")
    key = wire.key_of(await world.keep(acme, audio="ogg"))
    await world.keep(other)
    await world.access.gate.set_limits(acme.id, TenantLimits(api_enabled=False), by="test")
    for route in ("recordings", "call-recording-info", f"recordings/acme-ns/{key}/audio"):
        assert "approved" in refused(await world.get(f"{route}?{EVERYTHING}", token), 403)
    assert [record["tenantName"] for record in await world.listed(both)] == ["globex-ns"]
    refused(await world.get(f"recordings/acme-ns/{key}/audio", both), 404)
    await world.access.gate.set_limits(acme.id, TenantLimits(), by="test")
    assert len(await world.listed(both)) == 2


@pytest.mark.parametrize(
    "path", ["", "recording", "recordings/", "recordings/x", "recordings/x/y", "recordings/x/y/audio/", "Recordings"]
)
async def test_404_for_a_path_that_is_no_route_even_without_a_token(world: World, path: str) -> None:
    assert refused(await world.get(path), 404) == "There is no such resource"


async def test_404_for_a_recording_that_is_none(world: World, token: str) -> None:
    answer = await world.get("recordings/acme-ns/some-key/audio", token)
    assert answer.json == {"status": 404, "error": "Not Found", "message": "There is no such recording"}
    assert answer.status == 404


@pytest.mark.parametrize(
    ("path", "method", "allow"),
    [
        ("recordings", "POST", "GET"),
        ("recordings", "HEAD", "GET"),
        ("call-recording-info", "DELETE", "GET"),
        ("recordings/a/b/audio", "PUT", "GET, HEAD"),
        ("recordings/a/b/audio", "OPTIONS", "GET, HEAD"),
    ],
)
async def test_405_tells_what_is_allowed(world: World, path: str, method: str, allow: str) -> None:
    answer = await world.ask(method, f"{V2}/{path}")
    assert (answer.status, answer.headers["allow"]) == (405, allow)
    if method != "HEAD":
        refused(answer, 405)


async def test_500_has_the_shape_and_tells_nothing_of_the_fault(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: Any) -> Any:
        raise DatabaseError("secret of the inside")

    monkeypatch.setattr(world.archive.database, "read_shaped", fails)
    answer = await world.get(f"recordings?{EVERYTHING}", token)
    assert answer.json == {"status": 500, "error": "Internal Server Error", "message": "An unexpected error occurred"}
    assert answer.status == 500
    assert "secret of the inside" in caplog.text


async def test_503_under_maintenance_with_retry_after(opened: Opener) -> None:
    world = await opened(Settings(server=Server(maintenance=True, retry_after_seconds=77)))
    for path in ("recordings", "recordings/a/b/audio", "nowhere"):
        answer = await world.get(path)
        refused(answer, 503)
        assert answer.headers["retry-after"] == "77"


async def test_503_beyond_the_requests_in_flight_with_retry_after(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await opened(Settings(server=Server(max_in_flight=1, retry_after_seconds=5)))
    token = await world.token(await world.tenant("acme-ns"))
    waiting, go_on = asyncio.Event(), asyncio.Event()
    read = world.archive.database.read_shaped

    async def slow(*args: Any) -> Any:
        waiting.set()
        await go_on.wait()
        return await read(*args)

    monkeypatch.setattr(world.archive.database, "read_shaped", slow)
    first = asyncio.create_task(world.get(f"recordings?{EVERYTHING}", token))
    await waiting.wait()
    answer = await world.get(f"recordings?{EVERYTHING}", token)
    refused(answer, 503)
    assert answer.headers["retry-after"] == "5"
    assert (await world.ask("GET", "/healthz")).status == 200
    go_on.set()
    assert (await first).status == 200
    assert (await world.get(f"recordings?{EVERYTHING}", token)).status == 200


# The order of the checks: each request is wrong in two ways, the earlier one is told


async def test_the_checks_come_in_their_order(world: World, acme: Tenant, other: Tenant) -> None:
    token = await world.token(acme)
    no_permission = await world.token(acme, name="none", grant=Grant(frozenset({Permission.CALLS_LIST})))
    hidden = await world.token(acme, name="hidden", grant=restricted(agents=["999"]))
    recording = await world.keep(acme, audio="ogg", agent_name="Spencer Porter", agent_extension="253")
    audio = f"recordings/acme-ns/{wire.key_of(recording)}/audio"
    spent = TenantLimits(egress_cap_bytes=0)
    await world.access.gate.set_limits(acme.id, spent, by="test")

    refused(await world.ask("POST", f"{V2}/nowhere"), 404)  # route before method
    refused(await world.ask("POST", f"{V2}/recordings", UNKNOWN_TOKEN), 405)  # method before token
    refused(await world.get(f"recordings?{BAD_TIMES}", UNKNOWN_TOKEN), 401)  # token before parameters
    refused(await world.get(f"recordings?{BAD_TIMES}", UNKNOWN_TOKEN, Host=other.host), 401)  # token before tenant
    refused(await world.get(f"recordings?{BAD_TIMES}", no_permission, Host=other.host), 404)  # tenant before permission
    refused(await world.get(f"recordings?{BAD_TIMES}", no_permission), 403)  # permission before parameters
    refused(await world.get("recordings/acme-ns/none/audio", no_permission), 403)  # permission before key
    refused(await world.get("recordings/acme-ns/none/audio?format=wav", token), 404)  # key before parameters
    refused(await world.get(f"{audio}?format=wav", hidden), 403)  # visibility before parameters
    refused(await world.get(f"{audio}?format=wav", token), 400)  # parameters before limits
    refused(await world.get(audio, token), 509)


async def test_429_comes_before_509(world: World, acme: Tenant, token: str) -> None:
    audio = f"recordings/acme-ns/{wire.key_of(await world.keep(acme, audio='ogg'))}/audio"
    await world.access.gate.set_limits(acme.id, TenantLimits(egress_cap_bytes=1_000_000), by="test")
    world.now = now_ms()
    assert [(await world.get(audio, token)).status for _ in range(3)] == [200] * 3
    await world.access.gate.set_limits(acme.id, TenantLimits(egress_cap_bytes=1), by="test")
    refused(await world.get(audio, token), 429)


# Unknown and foreign are one


async def test_the_unknown_and_the_foreign_get_the_very_same_bytes(world: World, acme: Tenant, other: Tenant) -> None:
    token = await world.token(acme)
    mine = wire.key_of(await world.keep(acme, audio="ogg"))
    theirs = wire.key_of(await world.keep(other, audio="ogg"))
    deleted = await world.keep(acme, audio="ogg")
    await world.archive.remove(acme.id, deleted.id)
    targets = [
        "recordings/acme-ns/unknown/audio",
        f"recordings/acme-ns/{theirs}/audio",
        f"recordings/globex-ns/{theirs}/audio",
        f"recordings/globex-ns/{mine}/audio",
        f"recordings/globex.xima.test/{theirs}/audio",
        f"recordings/unknown/{mine}/audio",
        f"recordings/1/{mine}/audio",
        f"recordings//{mine}/audio",
        f"recordings/%20/{mine}/audio",
        f"recordings/acme-ns/{wire.key_of(deleted)}/audio",
    ]
    answers = [await world.get(target, token) for target in targets]
    hosts = [await world.get(f"recordings/acme-ns/{mine}/audio", token, Host=other.host)]
    assert set(map(frozen, answers + hosts)) == {frozen(answers[0])}
    assert answers[0].status == 404
    lists = await world.get(f"recordings?{EVERYTHING}", token, Host=other.host)
    assert frozen(lists) == frozen(answers[0])


def frozen(answer: Answer) -> tuple[int, frozenset[tuple[str, str]], bytes]:
    headers = frozenset((name, value) for name, value in answer.headers.items() if name != "date")
    return answer.status, headers, answer.body


# Names and hosts of tenants


@pytest.mark.parametrize("name", ["acme-ns", "ACME-NS", "acme", "Acme", "acme.xima.test", "ACME.Xima.Test"])
async def test_a_tenant_goes_by_name_host_label_and_host_in_any_case(
    world: World, acme: Tenant, token: str, name: str
) -> None:
    key = wire.key_of(await world.keep(acme, audio="ogg"))
    assert (await world.get(f"recordings/{name}/{key}/audio", token)).status == 200


async def test_a_collected_recordings_own_name_of_its_tenant_leads_to_it(world: World, acme: Tenant) -> None:
    other = await world.tenant("branch")
    token = await world.token(acme, other)
    # the vendor called the tenant by a name that another of ours has
    await world.keep(acme, audio="ogg", vendor="xima", vendor_key="k", source_tenant="branch")
    (record,) = await world.listed(token)
    assert record["tenantName"] == "branch"
    for name in ("branch", "Branch", "acme-ns", "acme"):
        assert (await world.get(f"recordings/{name}/k/audio", token)).status == 200
    refused(await world.get("recordings/nobody/k/audio", token), 404)


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        ("acme.xima.test", {"acme-ns"}),
        ("ACME.xima.TEST:8400", {"acme-ns"}),
        ("globex.xima.test", {"globex-ns"}),
        ("localhost", {"acme-ns", "globex-ns"}),
        ("127.0.0.1:8400", {"acme-ns", "globex-ns"}),
        ("[::1]:8400", {"acme-ns", "globex-ns"}),
        ("unknown.xima.test", {"acme-ns", "globex-ns"}),
        ("acme-ns", {"acme-ns", "globex-ns"}),
        ("acme", {"acme-ns", "globex-ns"}),
        ("", {"acme-ns", "globex-ns"}),
    ],
)
async def test_a_tenants_own_host_narrows_and_any_other_says_nothing(
    world: World, acme: Tenant, other: Tenant, host: str, seen: set[str]
) -> None:
    token = await world.token(acme, other)
    await world.keep(acme)
    await world.keep(other)
    answer = await world.get(f"recordings?{EVERYTHING}", token, Host=host)
    assert {record["tenantName"] for record in answer.json} == seen


async def test_a_configured_host_outside_the_grants_is_404_on_every_route(
    world: World, acme: Tenant, other: Tenant
) -> None:
    token = await world.token(other)
    key = wire.key_of(await world.keep(other, audio="ogg"))
    for route in ("recordings", "call-recording-info", f"recordings/globex-ns/{key}/audio"):
        refused(await world.get(f"{route}?{EVERYTHING}", token, Host=acme.host), 404)
        assert (await world.get(f"{route}?{EVERYTHING}", token, Host=other.host)).status == 200


async def test_a_host_narrows_the_audio_route_too(world: World, acme: Tenant, other: Tenant) -> None:
    token = await world.token(acme, other)
    key = wire.key_of(await world.keep(other, audio="ogg"))
    refused(await world.get(f"recordings/globex-ns/{key}/audio", token, Host=acme.host), 404)
    assert (await world.get(f"recordings/globex-ns/{key}/audio", token, Host="localhost")).status == 200


async def test_a_changed_host_counts_at_once(world: World, acme: Tenant, other: Tenant) -> None:
    token = await world.token(acme)
    refused(await world.get(f"recordings?{EVERYTHING}", token, Host=other.host), 404)
    await world.access.change_tenant(replace(other, host="elsewhere.xima.test"))
    assert (await world.get(f"recordings?{EVERYTHING}", token, Host=other.host)).status == 200


# The audit trail


def tail(entries: list[AuditEntry]) -> list[tuple[str, str, str]]:
    return [(entry.user, entry.action, entry.outcome) for entry in entries]


async def test_a_list_stands_in_the_trail_without_anybody_asking(world: World, token: str, acme: Tenant) -> None:
    await world.get(f"recordings?{EVERYTHING}", token)
    await world.get(f"call-recording-info?{EVERYTHING}", token)

    async def asked() -> list[AuditEntry]:
        return [entry for entry in await world.access.audit.read(EpochMs(0), acme.id) if entry.remote]

    async def both() -> bool:
        return len(await asked()) == 2

    await until(both)
    entries = await asked()
    assert tail(entries) == [("bi", "recording.list", "done"), ("bi", "call.list", "done")]
    assert {entry.remote for entry in entries} == {"127.0.0.1"}
    assert entries[0].subject == "0-7258032000000"


async def test_a_listen_stands_in_the_trail_before_its_first_byte(world: World, token: str, acme: Tenant) -> None:
    key = wire.key_of(await world.keep(acme, audio="ogg"))
    answer = await world.get(f"recordings/acme-ns/{key}/audio", token)
    # nothing is flushed here: it must be durable already
    (entry,) = [each for each in await world.access.audit.read(EpochMs(0), acme.id) if each.remote]
    assert (entry.action, entry.subject, entry.outcome) == ("recording.listen", key, "done")
    assert entry.detail == f"{len(answer.body)} bytes"


async def test_every_refusal_stands_in_the_trail_once(world: World, acme: Tenant) -> None:
    token = await world.token(acme)
    forbidden = await world.token(acme, name="forbidden", grant=Grant(frozenset({Permission.CALLS_LIST})))
    audio = f"recordings/acme-ns/{wire.key_of(await world.keep(acme, audio='ogg'))}/audio"
    await world.get("recordings", UNKNOWN_TOKEN)
    await world.get("recordings", forbidden)
    await world.get("recordings/acme-ns/none/audio", token)
    await world.access.gate.set_limits(acme.id, TenantLimits(egress_cap_bytes=0), by="test")
    await world.get(audio, token)
    await world.access.gate.set_limits(acme.id, TenantLimits(), by="test")
    world.now = now_ms()
    assert [(await world.get(audio, token)).status for _ in range(4)] == [200, 200, 200, 429]
    refusals = [entry for entry in await world.access.audit.read(EpochMs(0)) if entry.outcome == "refused"]
    assert [(entry.user, entry.action, entry.detail.split()[0]) for entry in refusals] == [
        ("", "authenticate", "401"),
        ("forbidden", "recording.list", "403"),
        ("bi", "recording.listen", "404"),
        ("bi", "recording.listen", "egress"),
        ("bi", "recording.listen", "too"),
    ]
    assert refusals[2].subject == f"{V2}/recordings/acme-ns/none/audio"


async def test_a_token_that_is_put_in_the_path_does_not_reach_the_trail(world: World, token: str) -> None:
    await world.get(f"recordings/acme-ns/{token}/audio", token)
    assert token not in str(await world.audited())


async def test_a_refusal_that_cannot_be_written_down_is_no_refusal_but_a_fault(
    world: World, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: Any) -> Any:
        raise DatabaseError("disk")

    monkeypatch.setattr(world.archive.database, "write", fails)
    refused(await world.get("recordings/acme-ns/none/audio", token), 500)


# What makes no difference


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "audio/ogg"},
        {"Content-Type": "\xff nonsense"},
        {"Accept": "text/html"},
        {"Content-Type": "application/json", "Content-Length": "7", "Accept": "application/ogg"},
    ],
)
async def test_a_get_never_looks_at_content_type_accept_or_a_body(
    world: World, acme: Tenant, token: str, headers: dict[str, str]
) -> None:
    key = wire.key_of(await world.keep(acme, audio="ogg"))
    for route, status in ((f"recordings?{EVERYTHING}", 200), (f"recordings/acme-ns/{key}/audio", 200)):
        answer = await world.get(route, token, **headers)
        assert answer.status == status


def test_the_real_server_answers_the_unknown_and_the_foreign_alike(demo: DemoProcess) -> None:
    token = demo.token("acme-ns")
    foreign = ask_at(demo.port, "GET", f"{V2}/recordings?{demo.window}", demo.token("globex-ns")).json[0]
    targets = [f"globex-ns/{foreign['recordingKey']}", f"acme-ns/{foreign['recordingKey']}", "nobody/nothing"]
    answers = [ask_at(demo.port, "GET", f"{V2}/recordings/{target}/audio", token) for target in targets]
    assert len(set(map(frozen, answers))) == 1
    assert answers[0].status == 404


async def test_a_pending_and_a_deleted_recordings_audio_is_404(world: World, acme: Tenant, token: str) -> None:
    for state in State:
        recording = await world.keep(acme, state=state)
        refused(await world.get(f"recordings/acme-ns/{wire.key_of(recording)}/audio", token), 404)
    assert {record["status"] for record in await world.listed(token)} == {
        "PENDING",
        "DELETED_USER",
        "DELETED_SPACE",
        "DELETED_TIME",
        "DELETED_UNKNOWN",
    }
