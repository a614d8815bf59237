"""Whom and what the recordings and chats of a tenant name: agents and skills, each once, as the newest tells of it.

What was removed names nobody any more. Knows no roster: what its entries may be is not looked at here.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from msgspec.structs import replace

from voxkeep.archive.model import Agent, Skill, State, name_in
from voxkeep.archive.units import TenantId
from voxkeep.database import Database, Row

DISPLAYED = re.compile(r"(?P<name>.*)\((?P<extension>[^()\s]+)\)")
"""An agent as displayed, where that shows an extension."""


def _mentions(columns: str) -> str:
    each = " UNION ALL ".join(
        f"SELECT {columns}, started_at FROM {table} WHERE tenant = $1 AND state <> $2"  # noqa: S608 -- our own names
        for table in ("recordings", "transcripts")
    )
    return (
        f"SELECT {columns}, MAX(started_at) AS latest FROM ({each}) AS mentions "  # noqa: S608 -- the same
        f"GROUP BY {columns} ORDER BY latest DESC, {columns}"
    )


MENTIONED_AGENTS = _mentions("agent, agent_extension, agent_login")
MENTIONED_SKILLS = _mentions("skill, skill_id")


class Mentioned(NamedTuple):
    """What is named; in each list those that have an extension or id come before those told by a name alone."""

    agents: list[Agent]
    skills: list[Skill]


async def mentioned(database: Database, tenant: TenantId) -> Mentioned:
    """Return whom and what a tenant's recordings and chats name. Looks at all of them."""
    values = (tenant, int(State.REMOVED))
    agents = _agents(tenant, await database.read(MENTIONED_AGENTS, *values))
    skills = _skills(tenant, await database.read(MENTIONED_SKILLS, *values))
    return Mentioned(
        sorted(agents, key=lambda agent: not agent.extension), sorted(skills, key=lambda skill: not skill.id)
    )


def _agents(tenant: TenantId, rows: Iterable[Row]) -> list[Agent]:
    """Return the agents in rows that come newest first; a login that the newest does not tell is an older one's."""
    found: dict[tuple[str, str], Agent] = {}
    for displayed, extension, login, _ in rows:
        agent = _agent(tenant, displayed, extension, login)
        identity = (agent.extension, "" if agent.extension else agent.name)
        newer = found.setdefault(identity, agent)
        if not newer.login:
            found[identity] = replace(newer, login=login)
    found.pop(("", ""), None)
    return list(found.values())


def _agent(tenant: TenantId, displayed: str, extension: str, login: str) -> Agent:
    if extension:
        return Agent(tenant=tenant, name=name_in(displayed, extension), extension=extension, login=login)
    shown = DISPLAYED.fullmatch(displayed)
    name, extension = shown.group("name", "extension") if shown else (displayed, "")
    return Agent(tenant=tenant, name=name, extension=extension, login=login)


def _skills(tenant: TenantId, rows: Iterable[Row]) -> list[Skill]:
    found: dict[tuple[str, str], Skill] = {}
    for name, identity, _ in rows:
        found.setdefault((identity, "" if identity else name), Skill(tenant=tenant, id=identity, name=name))
    found.pop(("", ""), None)
    return list(found.values())
