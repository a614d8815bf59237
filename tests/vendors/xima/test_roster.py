"""The lists of agents and skills: what the roster holds, in the seed's words, to those who may see it."""

import subprocess
from typing import Any

import msgspec
import pytest
from tests.server.harness import Answer, DemoProcess, World, ask_at, refused, restricted
from tests.vendors.xima.conftest import Opener

from voxkeep.access import Grant, Permission, TenantLimits
from voxkeep.archive.model import Agent, AgentKind, Skill, Tenant
from voxkeep.settings import Archive as ArchiveSettings
from voxkeep.settings import Settings

V1 = "/rest/api/v1"
ROUTES = ("agents", "skills")
UNKNOWN_TOKEN = "vk_" + "A" * 43
PEOPLE = (
    ("Spencer Porter", "253", "sporter", "spencer@acme.test", AgentKind.UC),
    ("Kelly Jaques", "256", "kj", "", AgentKind.XIMA),
    ("Alone", "", "", "", AgentKind.XIMA),
)
AGENTS = b"""{"agents":[{"agent":"Alone","type":"XIMA","email":""},\
{"agent":"Kelly Jaques(256)","type":"XIMA","email":""},\
{"agent":"Spencer Porter(253)","type":"UC","email":"spencer@acme.test"}]}"""
SKILLS = b'{"skills":[{"id":"103","name":"CC Billing"},{"id":"101","name":"CC Sales"},{"id":"","name":"Walk-in"}]}'


async def set_up(world: World, tenant: Tenant) -> Tenant:
    for name, extension, login, email, kind in PEOPLE:
        agent = Agent(tenant=tenant.id, name=name, extension=extension, login=login, email=email, kind=kind)
        await world.archive.roster.put_agent(agent)
    for identity, name in (("101", "CC Sales"), ("103", "CC Billing"), ("", "Walk-in")):
        await world.archive.roster.put_skill(Skill(tenant=tenant.id, id=identity, name=name))
    return tenant


@pytest.fixture
async def acme(world: World) -> Tenant:
    return await set_up(world, await world.tenant("acme-ns", "acme.xima.test"))


@pytest.fixture
async def other(world: World) -> Tenant:
    tenant = await world.tenant("globex-ns", "globex.xima.test")
    await world.archive.roster.put_agent(Agent(tenant=tenant.id, name="Nora Byrne", extension="253"))
    await world.archive.roster.put_skill(Skill(tenant=tenant.id, id="101", name="Globex Sales"))
    return tenant


async def get(world: World, route: str, token: str | None = None, **headers: str) -> Answer:
    return await world.ask("GET", f"{V1}/{route}", token, **headers)


async def names(world: World, route: str, token: str, **headers: str) -> list[str]:
    answer = await get(world, route, token, **headers)
    assert answer.status == 200, answer
    (records,) = answer.json.values()
    return [record["agent" if route == "agents" else "name"] for record in records]


async def test_the_lists_are_the_seeds_in_its_order_of_fields(world: World, acme: Tenant) -> None:
    token = await world.token(acme)
    for route, body in (("agents", AGENTS), ("skills", SKILLS)):
        answer = await get(world, route, token)
        assert (answer.status, answer.body) == (200, body)
        assert answer.headers["content-type"] == "application/json"


async def test_where_nothing_is_set_up_the_lists_are_empty_whatever_recordings_name(world: World) -> None:
    tenant = await world.tenant("empty-ns")
    await world.keep(tenant, agent_name="Spencer Porter", agent_extension="253", skill="CC Sales")
    token = await world.token(tenant)
    assert [(await get(world, route, token)).body for route in ROUTES] == [b'{"agents":[]}', b'{"skills":[]}']


async def test_a_list_of_many_chunks_is_one_document(opened: Opener) -> None:
    world = await opened(Settings(archive=ArchiveSettings(chunk_rows=2)))
    acme = await set_up(world, await world.tenant("acme-ns"))
    answers = [(await get(world, route, await world.token(acme, name=route))).body for route in ROUTES]
    assert answers == [AGENTS, SKILLS]
    hidden = await world.token(acme, name="hidden", grant=restricted(agents=["nobody"], skills=["none"]))
    assert [(await get(world, route, hidden)).body for route in ROUTES] == [b'{"agents":[]}', b'{"skills":[]}']


# Who may see them


@pytest.mark.parametrize("route", ROUTES)
async def test_401_for_any_token_that_is_not_one(world: World, acme: Tenant, route: str) -> None:
    assert acme.name == "acme-ns"
    for token in (None, "", UNKNOWN_TOKEN):
        answer = await get(world, route, token)
        refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("route", ROUTES)
async def test_403_without_the_permission_and_only_then(world: World, acme: Tenant, route: str) -> None:
    without = await world.token(acme, name="without", grant=Grant(frozenset(Permission) - {Permission.ROSTER_READ}))
    only = await world.token(acme, name="only", grant=Grant(frozenset({Permission.ROSTER_READ})))
    refused(await get(world, route, without), 403)
    assert (await get(world, route, only)).status == 200
    refused(await world.get("recordings?startTime=2024-01-01&endTime=2024-01-02", only), 403)


@pytest.mark.parametrize("route", ROUTES)
async def test_403_where_the_tenants_api_is_switched_off(world: World, acme: Tenant, other: Tenant, route: str) -> None:
    token, both = await world.token(acme), await world.token(acme, other, name="both")
    await world.access.gate.set_limits(acme.id, TenantLimits(api_enabled=False), by="test")
    refused(await get(world, route, token), 403)
    assert len(await names(world, route, both)) == 1


@pytest.mark.parametrize(
    ("grant", "agents", "skills"),
    [
        (restricted(), ["Alone", "Kelly Jaques(256)", "Spencer Porter(253)"], ["CC Billing", "CC Sales", "Walk-in"]),
        (restricted(agents=["253"]), ["Spencer Porter(253)"], ["CC Billing", "CC Sales", "Walk-in"]),
        (restricted(agents=["kj", "Alone"]), ["Alone", "Kelly Jaques(256)"], ["CC Billing", "CC Sales", "Walk-in"]),
        (restricted(skills=["CC Sales"]), ["Alone", "Kelly Jaques(256)", "Spencer Porter(253)"], ["CC Sales"]),
        (restricted(["nobody"], ["101"]), [], []),
    ],
)
async def test_a_restricted_reader_sees_its_agents_and_skills_alone(
    world: World, acme: Tenant, grant: Grant, agents: list[str], skills: list[str]
) -> None:
    token = await world.token(acme, grant=grant)
    assert [await names(world, route, token) for route in ROUTES] == [agents, skills]


async def test_tenants_never_see_each_others(world: World, acme: Tenant, other: Tenant) -> None:
    mine, theirs = await world.token(acme, name="mine"), await world.token(other, name="theirs")
    assert [(await get(world, route, mine)).body for route in ROUTES] == [AGENTS, SKILLS]
    assert [await names(world, route, theirs) for route in ROUTES] == [["Nora Byrne(253)"], ["Globex Sales"]]


async def test_a_token_of_several_tenants_gets_one_after_another_and_a_host_narrows(
    world: World, acme: Tenant, other: Tenant
) -> None:
    both = await world.token(acme, other)
    assert await names(world, "agents", both) == [
        "Alone",
        "Kelly Jaques(256)",
        "Spencer Porter(253)",
        "Nora Byrne(253)",
    ]
    assert await names(world, "skills", both) == ["CC Billing", "CC Sales", "Walk-in", "Globex Sales"]
    assert await names(world, "agents", both, Host=other.host) == ["Nora Byrne(253)"]
    assert await names(world, "skills", both, Host=f"{other.host}:8400") == ["Globex Sales"]
    assert (await get(world, "agents", both, Host=acme.host)).body == AGENTS


@pytest.mark.parametrize("route", ROUTES)
async def test_another_tenants_host_is_404(world: World, acme: Tenant, other: Tenant, route: str) -> None:
    token = await world.token(acme)
    refused(await get(world, route, token, Host=other.host), 404)
    assert (await get(world, route, token, Host="unknown.xima.test")).status == 200


async def test_a_permission_in_one_tenant_shows_that_ones_alone(world: World, acme: Tenant, other: Tenant) -> None:
    grants = {acme.id: Grant(frozenset({Permission.CALLS_LIST})), other.id: Grant()}
    token = await world.access.directory.add_with_token("mixed", grants)
    assert await names(world, "agents", token) == ["Nora Byrne(253)"]
    refused(await get(world, "agents", token, Host=acme.host), 403)


# Routes, and the trail


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE", "OPTIONS"])
async def test_405_tells_what_is_allowed(world: World, route: str, method: str) -> None:
    answer = await world.ask(method, f"{V1}/{route}")
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize(
    "path",
    [
        "/rest/api/v2/agents",
        "/rest/api/v2/skills",
        "/rest/api/v1/recordings",
        f"{V1}/agents/",
        f"{V1}/Agents",
        f"{V1}/",
    ],
)
async def test_a_resource_is_found_at_its_own_version_alone(world: World, acme: Tenant, path: str) -> None:
    assert refused(await world.ask("GET", path, await world.token(acme)), 404) == "There is no such resource"


async def test_lists_and_refusals_stand_in_the_trail(world: World, acme: Tenant, other: Tenant) -> None:
    token = await world.token(acme)
    forbidden = await world.token(acme, name="forbidden", grant=Grant(frozenset({Permission.CALLS_LIST})))
    both = await world.token(acme, other, name="both")
    await get(world, "agents", token)
    await get(world, "skills", both)
    await get(world, "agents", forbidden)
    await get(world, "skills", UNKNOWN_TOKEN)
    entries = sorted(await world.audited(), key=lambda entry: (entry.outcome, entry.user, entry.tenant or 0))
    assert [(entry.user, entry.tenant, entry.action, entry.subject, entry.outcome) for entry in entries] == [
        ("bi", acme.id, "roster.list", "agents", "done"),
        ("both", acme.id, "roster.list", "skills", "done"),
        ("both", other.id, "roster.list", "skills", "done"),
        ("", None, "authenticate", f"{V1}/skills", "refused"),
        ("forbidden", acme.id, "roster.list", f"{V1}/agents", "refused"),
    ]


# The real command


@pytest.mark.parametrize(
    ("route", "fields", "count"), [("agents", ["agent", "type", "email"], 10), ("skills", ["id", "name"], 4)]
)
def test_the_seeds_curl_line_lists_the_demos(demo: DemoProcess, route: str, fields: list[str], count: int) -> None:
    command = ["curl", "-sS", "-L", "-X", "GET", f"{demo.document['url']}{V1}/{route}"]
    headers = ["-H", "Content-Type: application/json", "-H", f"Authorization: Bearer {demo.token('acme-ns')}"]
    done = subprocess.run([*command, *headers], capture_output=True, check=True, timeout=30)
    document: dict[str, list[dict[str, Any]]] = msgspec.json.decode(done.stdout)
    assert list(document) == [route]
    assert len(document[route]) == count
    for record in document[route]:
        assert list(record) == fields
        assert all(isinstance(value, str) and value for value in record.values())


def test_the_demos_agents_are_those_whom_its_recordings_show(demo: DemoProcess) -> None:
    token = demo.token("acme-ns")
    listed = ask_at(demo.port, "GET", f"{V1}/agents", token).json["agents"]
    recordings = ask_at(demo.port, "GET", f"/rest/api/v2/recordings?{demo.window}", token).json
    assert {record["agent"] for record in recordings} <= {agent["agent"] for agent in listed}
    assert {agent["type"] for agent in listed} == {"UC", "XIMA"}
    queues = ask_at(demo.port, "GET", f"{V1}/skills", token).json["skills"]
    assert {record["skill"] for record in recordings} - {""} <= {skill["name"] for skill in queues}
