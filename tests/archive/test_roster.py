"""The roster holds what was put in, once each, in order; what recordings name only when it is asked to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from msgspec.structs import replace

from voxkeep.archive import Archive, Kept
from voxkeep.archive.errors import NotInRoster, UnknownTenant
from voxkeep.archive.mentions import mentioned
from voxkeep.archive.model import Agent, AgentKind, Recording, Skill, Tenant, Transcript
from voxkeep.archive.query import Scope, Visibility
from voxkeep.archive.roster import Filled
from voxkeep.archive.rosterchecks import BadEntry, checked_agent
from voxkeep.archive.transcripts import KeptTranscript
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.database import DatabaseError, Transaction
from voxkeep.settings import Archive as ArchiveSettings
from voxkeep.settings import Settings

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]
MakeChat = Callable[..., Transcript]
KeepChat = Callable[..., Awaitable[KeptTranscript]]


@pytest.fixture
def agent_of(acme: Tenant) -> Callable[..., Agent]:
    def make(name: str = "Spencer Porter", extension: str = "253", **fields: Any) -> Agent:
        return Agent(tenant=acme.id, name=name, extension=extension, **fields)

    return make


@pytest.fixture
def skill_of(acme: Tenant) -> Callable[..., Skill]:
    def make(name: str = "CC Sales", identity: str = "101") -> Skill:
        return Skill(tenant=acme.id, id=identity, name=name)

    return make


async def agents(archive: Archive, tenant: Tenant, visibility: Visibility | None = None) -> list[Agent]:
    scope = Scope(tenant.id) if visibility is None else Scope(tenant.id, visibility)
    return [agent async for chunk in archive.roster.agents(scope) for agent in chunk]


async def skills(archive: Archive, tenant: Tenant, visibility: Visibility | None = None) -> list[Skill]:
    scope = Scope(tenant.id) if visibility is None else Scope(tenant.id, visibility)
    return [skill async for chunk in archive.roster.skills(scope) for skill in chunk]


async def kinds(archive: Archive) -> list[str]:
    return [change.kind for change in await archive.changes.after(0)]


# Put, list, remove


async def test_what_was_put_comes_back_as_it_was_in_order_of_name(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent], skill_of: Callable[..., Skill]
) -> None:
    spencer = agent_of(login="sporter", email="spencer@acme.test", kind=AgentKind.UC)
    others = [agent_of("Kelly Jaques", "256"), agent_of("Kelly Jaques", "255"), agent_of("Alone", "")]
    for agent in (spencer, *others):
        assert await archive.roster.put_agent(agent)
    assert await agents(archive, acme) == [others[2], others[1], others[0], spencer]
    for skill in (skill_of(), skill_of("CC Billing", "103"), skill_of("Walk-in", "")):
        assert await archive.roster.put_skill(skill)
    assert [skill.name for skill in await skills(archive, acme)] == ["CC Billing", "CC Sales", "Walk-in"]


async def test_put_again_nothing_changes_and_nothing_is_told(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent], skill_of: Callable[..., Skill]
) -> None:
    outcomes = [
        [await archive.roster.put_agent(agent_of()), await archive.roster.put_skill(skill_of())] for _ in range(3)
    ]
    assert outcomes == [[True, True], [False, False], [False, False]]
    assert await kinds(archive) == ["agent.put", "skill.put"]
    assert (len(await agents(archive, acme)), len(await skills(archive, acme))) == (1, 1)


async def test_the_extension_tells_an_agent_and_the_id_a_skill_whatever_they_are_called(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent], skill_of: Callable[..., Skill]
) -> None:
    await archive.roster.put_agent(agent_of("Spencer", "253"))
    await archive.roster.put_agent(agent_of("Ruth Adler", "253", email="ruth@acme.test"))
    assert await agents(archive, acme) == [agent_of("Ruth Adler", "253", email="ruth@acme.test")]
    await archive.roster.put_skill(skill_of("Sales"))
    await archive.roster.put_skill(skill_of("CC Sales"))
    assert await skills(archive, acme) == [skill_of("CC Sales")]
    first, second = [change for change in await archive.changes.after(0) if change.kind == "agent.put"]
    assert first.subject == second.subject


async def test_one_without_an_extension_or_id_is_another_and_told_by_the_name(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent], skill_of: Callable[..., Skill]
) -> None:
    for agent in (agent_of("Kelly", ""), agent_of("Kelly", "256"), agent_of("Kelly", "", login="kj")):
        assert await archive.roster.put_agent(agent)
    assert await agents(archive, acme) == [agent_of("Kelly", "", login="kj"), agent_of("Kelly", "256")]
    for skill in (skill_of("Sales", ""), skill_of("Sales", "101")):
        assert await archive.roster.put_skill(skill)
    assert not await archive.roster.put_skill(skill_of("Sales", ""))
    assert len(await skills(archive, acme)) == 2


@pytest.mark.parametrize("text", ["253", "Spencer Porter(253)"])
async def test_an_agent_is_removed_by_extension_or_as_displayed(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent], text: str
) -> None:
    other = agent_of("Kelly Jaques", "256")
    await archive.roster.put_agent(agent_of())
    await archive.roster.put_agent(other)
    assert await archive.roster.remove_agent(acme.id, text) == agent_of()
    assert await agents(archive, acme) == [other]
    for gone in (text, "", "Spencer Porter", "nobody", "()"):
        with pytest.raises(NotInRoster):
            await archive.roster.remove_agent(acme.id, gone)
    assert await kinds(archive) == ["agent.put", "agent.put", "agent.removed"]


async def test_an_agent_whose_name_is_anothers_extension_is_the_one_so_displayed(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent]
) -> None:
    await archive.roster.put_agent(agent_of("253", ""))
    await archive.roster.put_agent(agent_of())
    assert await archive.roster.remove_agent(acme.id, "253") == agent_of("253", "")
    assert await archive.roster.remove_agent(acme.id, "253") == agent_of()


async def test_a_skill_is_removed_by_its_id_or_its_name_without_one(
    archive: Archive, acme: Tenant, skill_of: Callable[..., Skill]
) -> None:
    for skill in (skill_of(), skill_of("Walk-in", ""), skill_of("101", "")):
        await archive.roster.put_skill(skill)
    assert await archive.roster.remove_skill(acme.id, "101") == skill_of()
    assert await archive.roster.remove_skill(acme.id, "101") == skill_of("101", "")
    assert await archive.roster.remove_skill(acme.id, "Walk-in") == skill_of("Walk-in", "")
    for gone in ("CC Sales", "101", ""):
        with pytest.raises(NotInRoster):
            await archive.roster.remove_skill(acme.id, gone)


async def test_tenants_never_see_or_change_each_others(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent], skill_of: Callable[..., Skill]
) -> None:
    other = await archive.tenants.add(Tenant(id=TenantId(0), name="globex"))
    mine, theirs = agent_of(), replace(agent_of("Nora Byrne"), tenant=other.id)
    for agent in (mine, theirs):
        await archive.roster.put_agent(agent)
    await archive.roster.put_skill(skill_of())
    await archive.roster.put_skill(replace(skill_of("Theirs"), tenant=other.id))
    assert (await agents(archive, acme), await agents(archive, other)) == ([mine], [theirs])
    assert [skill.name for skill in await skills(archive, acme)] == ["CC Sales"]
    assert await archive.roster.remove_agent(other.id, "253") == theirs
    with pytest.raises(NotInRoster):
        await archive.roster.remove_agent(other.id, "Spencer Porter(253)")
    assert await agents(archive, acme) == [mine]


async def test_an_unknown_tenant_has_no_roster(archive: Archive, agent_of: Callable[..., Agent]) -> None:
    nobody = TenantId(99)
    with pytest.raises(UnknownTenant):
        await archive.roster.put_agent(replace(agent_of(), tenant=nobody))
    with pytest.raises(UnknownTenant):
        await archive.roster.put_skill(Skill(tenant=nobody, name="Sales"))
    with pytest.raises(UnknownTenant):
        await archive.roster.fill(nobody, AgentKind.UC)
    assert await kinds(archive) == []


async def test_of_processes_that_put_the_same_agent_one_adds_it(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent]
) -> None:
    other = await Archive.at(archive.home, Settings())
    outcomes = await asyncio.gather(
        *((archive, other)[number % 2].roster.put_agent(agent_of(extension=str(number % 5))) for number in range(40))
    )
    assert sum(outcomes) == 5
    assert len(await agents(archive, acme)) == 5
    await other.close()


async def test_what_is_done_with_a_change_stands_or_falls_with_it(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent]
) -> None:
    done = []

    async def note(_: Transaction) -> None:
        done.append(1)

    async def fail(_: Transaction) -> None:
        raise DatabaseError("disk")

    with pytest.raises(DatabaseError):
        await archive.roster.put_agent(agent_of(), fail)
    assert await agents(archive, acme) == []
    for _ in range(2):
        await archive.roster.put_agent(agent_of(), note)
    await archive.roster.fill(acme.id, AgentKind.UC, note)
    assert done == [1]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": "", "extension": ""}, "name"),
        ({"name": " Ann"}, "name"),
        ({"name": "A\nB"}, "name"),
        ({"name": "\udcff"}, "name"),
        ({"name": "A" * 201}, "name"),
        ({"name": "Ann(253)", "extension": ""}, "name"),
        ({"name": "(253)", "extension": ""}, "name"),
        ({"extension": "2 53"}, "extension"),
        ({"extension": "(253)"}, "extension"),
        ({"login": "a\0b"}, "login"),
        ({"email": "nobody"}, "email"),
        ({"email": "a@b@c"}, "email"),
        ({"email": "a b@c"}, "email"),
    ],
)
async def test_what_cannot_be_an_agent_is_refused_by_the_field(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent], fields: dict[str, str], named: str
) -> None:
    with pytest.raises(BadEntry, match=rf"^{named}:"):
        await archive.roster.put_agent(agent_of(**fields))
    assert await agents(archive, acme) == []


@pytest.mark.parametrize(("name", "identity", "named"), [("", "", "name"), ("a\tb", "1", "name"), ("a", "1 ", "id")])
async def test_what_cannot_be_a_skill_is_refused_by_the_field(
    archive: Archive, skill_of: Callable[..., Skill], name: str, identity: str, named: str
) -> None:
    with pytest.raises(BadEntry, match=rf"^{named}:"):
        await archive.roster.put_skill(skill_of(name, identity))


TEXTS = st.text(st.sampled_from("A1()\u00e9 "), max_size=6)


@given(one=st.tuples(TEXTS, TEXTS), other=st.tuples(TEXTS, TEXTS))
def test_no_two_agents_that_are_not_the_same_are_displayed_alike(one: tuple[str, str], other: tuple[str, str]) -> None:
    pair = []
    for name, extension in (one, other):
        agent = Agent(tenant=TenantId(1), name=name, extension=extension)
        try:
            pair.append(checked_agent(agent))
        except BadEntry:
            return
    same = (pair[0].name, pair[0].extension) == (pair[1].name, pair[1].extension)
    assert (pair[0].displayed == pair[1].displayed) == same


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "remove"]),
        st.sampled_from(["", "Ann", "Bo", "1", "2"]),
        st.sampled_from(["", "1", "2"]),
        st.sampled_from(["", "a@b.test"]),
    ),
    max_size=25,
)


@profile(max_examples=40)
@given(acts=ACTS)
async def test_any_puts_and_removals_leave_what_a_plain_table_would(
    archive: Archive, agent_of: Callable[..., Agent], acts: list[tuple[str, str, str, str]]
) -> None:
    tenant = await archive.tenants.add(Tenant(id=TenantId(0), name=f"t{len(await archive.tenants.all())}"))
    expected: dict[str, Agent] = {}
    for act, name, extension, email in acts:
        agent = replace(agent_of(name, extension, email=email), tenant=tenant.id)
        key = f"ext {extension}" if extension else f"name {name}"
        if act == "put" and (name or extension):
            assert await archive.roster.put_agent(agent) == (expected.get(key) != agent)
            expected[key] = agent
        elif expected.get(key) is not None:
            gone = expected.pop(key)
            assert await archive.roster.remove_agent(tenant.id, gone.displayed) == gone
    in_order = sorted(expected.values(), key=lambda each: (each.name, each.extension))
    assert await agents(archive, tenant) == in_order


async def test_a_list_of_many_chunks_is_whole_and_in_order(archive: Archive, agent_of: Callable[..., Agent]) -> None:
    small = await Archive.at(archive.home, Settings(archive=ArchiveSettings(chunk_rows=7)))
    (tenant,) = await small.tenants.all() or [await small.tenants.add(Tenant(id=TenantId(0), name="acme"))]
    for count in (6, 7, 8, 14, 29):
        for number in range(count):
            await small.roster.put_agent(replace(agent_of(f"A{number % 3}", str(number)), tenant=tenant.id))
            await small.roster.put_skill(Skill(tenant=tenant.id, id=str(number), name=f"S{number % 3}"))
        listed, queues = await agents(small, tenant), await skills(small, tenant)
        assert [(each.name, each.extension) for each in listed] == sorted(
            (f"A{number % 3}", str(number)) for number in range(count)
        )
        assert [(each.name, each.id) for each in queues] == sorted(
            (f"S{number % 3}", str(number)) for number in range(count)
        )
        assert [len(chunk) async for chunk in small.roster.agents(Scope(tenant.id))][:1] == [min(7, count)]
    await small.close()


# Who may see what


@pytest.mark.parametrize(
    ("named", "seen"),
    [
        ([], ["253", "256"]),
        (["253"], ["253"]),
        (["Spencer Porter"], ["253"]),
        (["Spencer Porter(253)", "kj"], ["253", "256"]),
        (["nobody"], []),
        ([""], []),
        (["SPENCER PORTER"], []),
    ],
)
async def test_a_restricted_reader_sees_the_agents_that_its_recordings_are_of(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent], named: list[str], seen: list[str]
) -> None:
    for agent in (agent_of(login=""), agent_of("Kelly", "256", login="kj")):
        await archive.roster.put_agent(agent)
    found = await agents(archive, acme, Visibility(agents=frozenset(named)))
    assert sorted(agent.extension for agent in found) == seen
    assert len(await agents(archive, acme, Visibility(skills=frozenset(["CC Sales"])))) == 2


async def test_a_restricted_reader_sees_its_skills(
    archive: Archive, acme: Tenant, skill_of: Callable[..., Skill]
) -> None:
    for skill in (skill_of(), skill_of("CC Support", "102")):
        await archive.roster.put_skill(skill)
    assert await skills(archive, acme, Visibility(skills=frozenset(["CC Sales"]))) == [skill_of()]
    assert await skills(archive, acme, Visibility(skills=frozenset(["101"]))) == []
    assert len(await skills(archive, acme, Visibility(agents=frozenset(["253"])))) == 2


# The change log


async def test_the_changes_tell_of_an_agent_without_a_personal_value(
    archive: Archive, acme: Tenant, agent_of: Callable[..., Agent]
) -> None:
    await archive.roster.put_agent(agent_of(login="sporter", email="spencer@acme.test", kind=AgentKind.UC))
    await archive.roster.remove_agent(acme.id, "253")
    put, removed = await archive.changes.after(0)
    assert (put.kind, removed.kind) == ("agent.put", "agent.removed")
    assert put.tenant == acme.id
    assert put.subject == removed.subject
    assert put.facts == {"kind": "UC"}
    values = ("Spencer Porter", "253", "sporter", "spencer@acme.test")
    assert set(put.hashes) == {"name", "extension", "login", "email"}
    personal = await archive.changes.personal(put.seq)
    assert tuple(personal[name].value for name in ("name", "extension", "login", "email")) == values
    for (entry,) in await archive.database.read("SELECT entry FROM changes"):
        assert not [value for value in values[::2] + values[3:] if value.encode() in entry]


async def test_the_changes_tell_of_a_skill(archive: Archive, acme: Tenant, skill_of: Callable[..., Skill]) -> None:
    await archive.roster.put_skill(skill_of())
    await archive.roster.remove_skill(acme.id, "101")
    put, removed = await archive.changes.after(0)
    assert [each.kind for each in (put, removed)] == ["skill.put", "skill.removed"]
    assert [each.subject for each in (put, removed)] == ["101", "101"]
    assert put.facts == removed.facts == {"id": "101", "name": "CC Sales"}


# Filling


@pytest.fixture
async def named(acme: Tenant, recording_of: Make, keep: Keep, chat_of: MakeChat, keep_chat: KeepChat) -> Tenant:
    """Recordings and chats that name agents in several ways, oldest first."""
    mentions: list[dict[str, Any]] = [
        {"agent_name": "S. Porter", "agent_extension": "253", "agent_login": "sporter", "skill": "Sales"},
        {"agent_name": "Spencer Porter", "agent_extension": "253", "skill": "CC Sales", "skill_id": "101"},
        {"agent_name": "Spencer Porter", "skill": "CC Sales"},
        {"agent_name": "Nora Byrne", "skill": "Old name", "skill_id": "102"},
        {"agent_name": "Ann(260)", "skill": "CC Support", "skill_id": "102"},
        {"agent_extension": "261"},
        {"agent_name": "Bad\nName", "agent_extension": "999", "skill": "Bad\nskill"},
        {},
    ]
    for number, fields in enumerate(mentions):
        recording = recording_of(f"k{number}", **fields)
        at = EpochMs(recording.started_at + number * 1000)
        await keep(replace(recording, started_at=at))
    await keep_chat(chat_of("c1", agent_name="Chatty", agent_extension="262", skill="Chats", skill_id="201"))
    return acme


async def test_a_roster_is_empty_until_it_is_filled_whatever_recordings_name(archive: Archive, named: Tenant) -> None:
    assert await agents(archive, named) == []
    assert await skills(archive, named) == []


async def test_filled_it_has_each_agent_and_skill_once_as_the_newest_tells(archive: Archive, named: Tenant) -> None:
    filled = await archive.roster.fill(named.id, AgentKind.UC)
    listed = await agents(archive, named)
    assert [(each.displayed, each.login) for each in listed] == [
        ("(261)", ""),
        ("Ann(260)", ""),
        ("Chatty(262)", ""),
        ("Nora Byrne", ""),
        ("Spencer Porter(253)", "sporter"),
    ]
    assert {(each.kind, each.email) for each in listed} == {(AgentKind.UC, "")}
    queues = await skills(archive, named)
    assert [(each.id, each.name) for each in queues] == [
        ("101", "CC Sales"),
        ("102", "CC Support"),
        ("201", "Chats"),
        ("", "Sales"),
    ]
    assert sorted(filled.agents, key=lambda each: (each.name, each.extension)) == listed
    assert sorted(filled.skills, key=lambda each: (each.name, each.id)) == queues
    assert sorted(filled.refused) == ["Bad\nName(999)", "Bad\nskill"]


async def test_filled_again_nothing_is_added_or_told(archive: Archive, named: Tenant) -> None:
    await archive.roster.fill(named.id, AgentKind.UC)
    before = await kinds(archive)
    again = await archive.roster.fill(named.id, AgentKind.XIMA)
    assert (again.agents, again.skills) == ((), ())
    assert await kinds(archive) == before


async def test_entries_that_stand_are_left_alone(
    archive: Archive, named: Tenant, agent_of: Callable[..., Agent], skill_of: Callable[..., Skill]
) -> None:
    standing = [agent_of("Sir Spencer", "253", email="s@acme.test"), agent_of("Nora Byrne", "270")]
    for agent in standing:
        await archive.roster.put_agent(agent)
    await archive.roster.put_skill(skill_of("Sales", "900"))
    filled = await archive.roster.fill(named.id, AgentKind.UC)
    listed = await agents(archive, named)
    assert {"Sir Spencer(253)", "Nora Byrne(270)"} <= {each.displayed for each in listed}
    assert all(each in listed for each in standing)
    # named alone, they are those who are known with an extension
    assert sorted(each.displayed for each in filled.agents) == ["(261)", "Ann(260)", "Chatty(262)"]
    assert "Sales" not in {each.name for each in filled.skills}


async def test_what_was_removed_names_nobody(
    archive: Archive, acme: Tenant, recording_of: Make, keep: Keep, chat_of: MakeChat, keep_chat: KeepChat
) -> None:
    kept = (await keep(recording_of(agent_name="Gone", agent_extension="1", skill="Gone"))).recording
    chat = (await keep_chat(chat_of(agent_name="Left", agent_extension="2", skill="Left"))).transcript
    await archive.remove(acme.id, kept.id)
    await archive.remove_transcript(acme.id, chat.id)
    assert await archive.roster.fill(acme.id, AgentKind.UC) == Filled()


async def test_another_tenants_recordings_fill_nothing(archive: Archive, named: Tenant) -> None:
    other = await archive.tenants.add(Tenant(id=TenantId(0), name="globex"))
    assert named.id != other.id
    assert await mentioned(archive.database, other.id) == ([], [])
    assert not await archive.roster.fill(other.id, AgentKind.UC)
