"""The lists of agents and skills (seed 001, "Agent Data" and "Skill Data"), from the tenants' rosters.

The samples of the seed wrap the records in braces, which is no JSON; its prose says array, and so it is (reference D3).
A token of several tenants gets one tenant's entries after another's: no field tells whose they are.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from voxkeep.access import Access, Action, AuditEntry, Outcome, Permission
from voxkeep.archive import Archive
from voxkeep.archive.model import Agent, Skill
from voxkeep.archive.query import Scope as Part
from voxkeep.archive.units import now_ms
from voxkeep.vendors.xima.request import Request
from voxkeep.web.lists import send_json_array

T = TypeVar("T")

_encoder = msgspec.json.Encoder()


class XimaAgent(Struct, frozen=True):
    """An agent as listed; what is not known is an empty text."""

    agent: str
    """`Name(extension)`: what shows an agent and what other requests name one by (reference 2.3)."""
    type: str
    """`UC`, by a phone of the telephony platform, or `XIMA`, by the softphone."""
    email: str


class XimaSkill(Struct, frozen=True):
    """A skill as listed; what is not known is an empty text."""

    id: str
    name: str


def agent_of(agent: Agent) -> XimaAgent:
    """Return an agent in Xima's words."""
    return XimaAgent(agent.displayed, str(agent.kind), agent.email)


def skill_of(skill: Skill) -> XimaSkill:
    """Return a skill in Xima's words."""
    return XimaSkill(skill.id, skill.name)


class Rosters:
    """Answers the routes that list agents and skills."""

    def __init__(self, archive: Archive, access: Access) -> None:
        self._roster = archive.roster
        self._access = access

    async def agents(self, request: Request) -> None:
        """GET agents: those of the roster whom the service user may see, in order of name."""
        parts = self._admitted(request, "agents")
        found = _encoded(parts, self._roster.agents, agent_of)
        await send_json_array(request.send, found, receive=request.receive, name="agents")

    async def skills(self, request: Request) -> None:
        """GET skills: those of the roster that the service user may see, in order of name."""
        parts = self._admitted(request, "skills")
        found = _encoded(parts, self._roster.skills, skill_of)
        await send_json_array(request.send, found, receive=request.receive, name="skills")

    def _admitted(self, request: Request, what: str) -> list[Part]:
        """Return what may be seen of each tenant, noted in the trail. Raises ForbiddenError."""
        parts = request.parts(Permission.ROSTER_READ)
        user, remote = request.principal.name, request.remote
        for part in parts:
            entry = AuditEntry(now_ms(), user, part.tenant, Action.LIST_ROSTER, what, Outcome.DONE, "", remote)
            self._access.audit.note(entry)
        return parts


async def _encoded(
    parts: Sequence[Part], chunks: Callable[[Part], AsyncIterator[list[T]]], shown: Callable[[T], Struct]
) -> AsyncIterator[bytes]:
    for part in parts:
        async for chunk in chunks(part):
            yield _encoder.encode([shown(each) for each in chunk])
