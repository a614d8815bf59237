"""The roster of a tenant: the agents and skills that its contact centre is set up with.

It holds what was put in, and nothing else. Recordings name agents too, but those who have left among them, without an
email or what they talk by: a roster made of recordings unasked would tell as configured what nobody configured. Who
wants one all the same has it filled from them, once, and sees what stands there then.

An agent is told by the extension, or by the name alone where there is none; a skill by its id, or its name, likewise.
"""

import uuid
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive import changes
from voxkeep.archive.errors import NotInRoster, UnknownTenant
from voxkeep.archive.mentions import mentioned
from voxkeep.archive.model import Agent, AgentKind, Skill
from voxkeep.archive.query import Scope
from voxkeep.archive.rosterchecks import BadEntry, checked_agent, checked_skill
from voxkeep.archive.rows import insert_statement
from voxkeep.archive.units import TenantId, now_ms, uuid7
from voxkeep.database import Database, Row, Transaction, Work

T = TypeVar("T")

AGENT_COLUMNS = ("tenant", "name", "extension", "login", "email", "kind", "id")
SKILL_COLUMNS = ("tenant", "name", "id")
PERSONAL = ("name", "extension", "login", "email")
"""Fields of an agent that tell of a person: hashed in the change log."""

# names of our own tables and columns only; every value is a parameter
_AGENTS = f"SELECT {', '.join(AGENT_COLUMNS)} FROM agents WHERE tenant = $1"  # noqa: S608
_SKILLS = f"SELECT {', '.join(SKILL_COLUMNS)} FROM skills WHERE tenant = $1"  # noqa: S608
AGENT_BY_EXTENSION = f"{_AGENTS} AND extension = $2 AND extension <> ''"
AGENT_BY_NAME = f"{_AGENTS} AND name = $2 AND extension = ''"
AGENT_BY_EITHER = (
    f"{_AGENTS} AND ((extension <> '' AND (extension = $2 OR name || '(' || extension || ')' = $2)) "
    "OR (extension = '' AND name = $2))"
)
SKILL_BY_ID = f"{_SKILLS} AND id = $2 AND id <> ''"
SKILL_BY_NAME = f"{_SKILLS} AND name = $2 AND id = ''"
NEXT_AGENTS = f"{_AGENTS} AND (name, extension) > ($2, $3) ORDER BY name, extension LIMIT $4"
NEXT_SKILLS = f"{_SKILLS} AND (name, id) > ($2, $3) ORDER BY name, id LIMIT $4"
INSERT_AGENT = insert_statement("agents", AGENT_COLUMNS)
INSERT_SKILL = insert_statement("skills", SKILL_COLUMNS)
DELETE_AGENT = "DELETE FROM agents WHERE tenant = $1 AND name = $2 AND extension = $3"
DELETE_SKILL = "DELETE FROM skills WHERE tenant = $1 AND name = $2 AND id = $3"


class Filled(Struct, frozen=True):
    """What was added to a roster from what recordings and chats name."""

    agents: tuple[Agent, ...] = ()
    skills: tuple[Skill, ...] = ()
    refused: tuple[str, ...] = ()
    """What is named and cannot be an entry."""

    def __bool__(self) -> bool:
        """Tell whether anything was added."""
        return bool(self.agents or self.skills)


class Roster:
    """The rosters of an archive's tenants. `also` of a change is kept together with it, where it changes anything."""

    def __init__(self, database: Database, chunk_rows: int) -> None:
        self._database = database
        self._chunk_rows = chunk_rows

    async def put_agent(self, agent: Agent, also: Work[None] | None = None) -> bool:
        """Have an agent stand as given, in place of the same one; False when it does already.

        Raises BadEntry naming the field, UnknownTenant.
        """
        checked_agent(agent)
        return await self._change(agent.tenant, partial(_put_agent, agent), also)

    async def put_skill(self, skill: Skill, also: Work[None] | None = None) -> bool:
        """Have a skill stand as given, in place of the same one; False when it does already.

        Raises BadEntry naming the field, UnknownTenant.
        """
        checked_skill(skill)
        return await self._change(skill.tenant, partial(_put_skill, skill), also)

    async def remove_agent(self, tenant: TenantId, agent: str, also: Work[None] | None = None) -> Agent:
        """Remove the agent so displayed, or of this extension, and return it. Raises NotInRoster, UnknownTenant."""
        return await self._change(tenant, partial(_remove_agent, tenant, agent), also)

    async def remove_skill(self, tenant: TenantId, skill: str, also: Work[None] | None = None) -> Skill:
        """Remove the skill of this id, or one without an id of this name, and return it.

        Raises NotInRoster, UnknownTenant.
        """
        return await self._change(tenant, partial(_remove_skill, tenant, skill), also)

    async def fill(self, tenant: TenantId, kind: AgentKind, also: Work[None] | None = None) -> Filled:
        """Add the agents and skills that the tenant's recordings and chats name; entries that stand are left alone.

        A recording does not tell what an agent talks by: those who are added get `kind`. One named without extension
        (or id) is taken for the entry of that name that has one. Raises UnknownTenant.
        """
        named = await mentioned(self._database, tenant)
        agents = [replace(agent, kind=kind) for agent in named.agents]
        return await self._change(tenant, partial(_fill, tenant, agents, named.skills), also)

    def agents(self, scope: Scope) -> AsyncIterator[list[Agent]]:
        """Yield the agents that may be seen, in order of name and extension, a chunk at a time."""
        return self._entries(
            NEXT_AGENTS, scope.tenant, _agent, lambda agent: scope.visibility.allows_agent(agent.names)
        )

    def skills(self, scope: Scope) -> AsyncIterator[list[Skill]]:
        """Yield the skills that may be seen, in order of name and id, a chunk at a time."""
        return self._entries(NEXT_SKILLS, scope.tenant, _skill, lambda skill: scope.visibility.allows_skill(skill.name))

    async def _entries(
        self, sql: str, tenant: TenantId, entry: Callable[[Row], T], seen: Callable[[T], bool]
    ) -> AsyncIterator[list[T]]:
        after = ("", "")
        while True:
            rows = await self._database.read(sql, tenant, *after, self._chunk_rows)
            yield [each for each in map(entry, rows) if seen(each)]
            if len(rows) < self._chunk_rows:
                return
            after = rows[-1][1:3]

    async def _change(self, tenant: TenantId, change: Work[T], also: Work[None] | None) -> T:
        async def work(transaction: Transaction) -> T:
            if not await transaction.rows("SELECT 1 FROM tenants WHERE id = $1", tenant):
                raise UnknownTenant(f"no tenant has the number {tenant}")
            changed = await change(transaction)
            if also is not None and changed:
                await also(transaction)
            return changed

        return await self._database.write(work)


async def _put_agent(agent: Agent, transaction: Transaction) -> bool:
    row = await _agent_row(transaction, agent)
    if row is not None and _agent(row) == agent:
        return False
    identity = uuid7(now_ms()).bytes if row is None else row[-1]
    if row is not None:
        await transaction.execute(DELETE_AGENT, *row[:3])
    values = (agent.tenant, agent.name, agent.extension, agent.login, agent.email, str(agent.kind))
    await transaction.execute(INSERT_AGENT, *values, identity)
    await _tell_agent(transaction, "agent.put", agent, identity)
    return True


async def _put_skill(skill: Skill, transaction: Transaction) -> bool:
    row = await _skill_row(transaction, skill)
    if row is not None and _skill(row) == skill:
        return False
    if row is not None:
        await transaction.execute(DELETE_SKILL, *row)
    await transaction.execute(INSERT_SKILL, skill.tenant, skill.name, skill.id)
    await _tell_skill(transaction, "skill.put", skill)
    return True


async def _remove_agent(tenant: TenantId, text: str, transaction: Transaction) -> Agent:
    rows = await transaction.rows(AGENT_BY_EITHER, tenant, text)
    if not rows:
        raise NotInRoster(f"no agent is displayed as {text!r} or has that extension")
    # no two are displayed alike, but one's name may be another's extension
    row = min(rows, key=lambda each: _agent(each).displayed != text)
    await transaction.execute(DELETE_AGENT, *row[:3])
    await _tell_agent(transaction, "agent.removed", _agent(row), row[-1])
    return _agent(row)


async def _remove_skill(tenant: TenantId, text: str, transaction: Transaction) -> Skill:
    rows = await transaction.rows(SKILL_BY_ID, tenant, text) or await transaction.rows(SKILL_BY_NAME, tenant, text)
    if not rows:
        raise NotInRoster(f"no skill has the id {text!r}, and none without an id has that name")
    await transaction.execute(DELETE_SKILL, *rows[0])
    await _tell_skill(transaction, "skill.removed", _skill(rows[0]))
    return _skill(rows[0])


async def _fill(tenant: TenantId, agents: list[Agent], skills: list[Skill], transaction: Transaction) -> Filled:
    refused = list[str]()
    added_agents = await _fill_agents(tenant, agents, refused, transaction)
    added_skills = await _fill_skills(tenant, skills, refused, transaction)
    return Filled(tuple(added_agents), tuple(added_skills), tuple(refused))


async def _fill_agents(
    tenant: TenantId, agents: list[Agent], refused: list[str], transaction: Transaction
) -> list[Agent]:
    """Add those who are new; the ones with an extension come first."""
    extended = {row[1] for row in await transaction.rows(_AGENTS, tenant) if row[2]}
    added = []
    for agent in agents:
        if not agent.extension and agent.name in extended:
            continue
        try:
            checked_agent(agent)
        except BadEntry:
            refused.append(agent.displayed)
            continue
        if await _agent_row(transaction, agent) is None:
            await _put_agent(agent, transaction)
            added.append(agent)
        extended.update([agent.name] if agent.extension else [])
    return added


async def _fill_skills(
    tenant: TenantId, skills: list[Skill], refused: list[str], transaction: Transaction
) -> list[Skill]:
    """Add those that are new; the ones with an id come first."""
    identified = {row[1] for row in await transaction.rows(_SKILLS, tenant) if row[2]}
    added = []
    for skill in skills:
        if not skill.id and skill.name in identified:
            continue
        try:
            checked_skill(skill)
        except BadEntry:
            refused.append(skill.name or skill.id)
            continue
        if await _skill_row(transaction, skill) is None:
            await _put_skill(skill, transaction)
            added.append(skill)
        identified.update([skill.name] if skill.id else [])
    return added


async def _agent_row(transaction: Transaction, agent: Agent) -> Row | None:
    """Return the row of the same agent."""
    by = (AGENT_BY_EXTENSION, agent.extension) if agent.extension else (AGENT_BY_NAME, agent.name)
    rows = await transaction.rows(by[0], agent.tenant, by[1])
    return rows[0] if rows else None


async def _skill_row(transaction: Transaction, skill: Skill) -> Row | None:
    """Return the row of the same skill."""
    by = (SKILL_BY_ID, skill.id) if skill.id else (SKILL_BY_NAME, skill.name)
    rows = await transaction.rows(by[0], skill.tenant, by[1])
    return rows[0] if rows else None


def _agent(row: Row) -> Agent:
    tenant, name, extension, login, email, kind, _ = row
    return Agent(tenant=tenant, name=name, extension=extension, login=login, email=email, kind=AgentKind(kind))


def _skill(row: Row) -> Skill:
    tenant, name, identity = row
    return Skill(tenant=tenant, id=identity, name=name)


async def _tell_agent(transaction: Transaction, kind: str, agent: Agent, identity: bytes) -> None:
    personal = {name: getattr(agent, name) for name in PERSONAL}
    subject = str(uuid.UUID(bytes=identity))
    await changes.record(transaction, kind, agent.tenant, subject, {"kind": str(agent.kind)}, personal)


async def _tell_skill(transaction: Transaction, kind: str, skill: Skill) -> None:
    await changes.record(transaction, kind, skill.tenant, skill.id or skill.name, {"id": skill.id, "name": skill.name})
