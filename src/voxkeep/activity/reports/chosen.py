"""Whose part of a call a report looks at: what is chosen, applied to one call after the other."""

from collections.abc import Iterable
from itertools import product
from typing import TypeAlias

from voxkeep.activity.calls import Interval, LiveCall
from voxkeep.activity.definitions import ANYONE, Whose
from voxkeep.activity.events import Who
from voxkeep.activity.reports.asked import Asked, SkillName

Whoses: TypeAlias = tuple[Whose, ...]
"""Whose events count, all together; with none, the call does not."""
EVERYBODY: Whoses = (ANYONE,)


def skill_of(interval: Interval) -> SkillName:
    """Return the skill of an event of a call."""
    return SkillName(interval.skill_id, interval.skill)


def skills_of(call: LiveCall) -> dict[str, SkillName]:
    """Return the skills that had to do with a call, by key, in order."""
    skills = map(skill_of, call.intervals)
    return {skill.key: skill for skill in skills if skill.key}


class Chosen:
    """The agents and skills that are chosen."""

    def __init__(self, asked: Asked) -> None:
        self.agents: dict[str, Who] = {who.key: who for who in asked.agents}
        self.skills: dict[str, SkillName] = {skill.key: skill for skill in asked.skills}

    def agents_in(self, call: LiveCall) -> dict[str, Who]:
        """Return a call's agents by key: the chosen ones, or all when none are."""
        return {key: who for key, who in call.agents.items() if not self.agents or key in self.agents}

    def skills_in(self, call: LiveCall) -> dict[str, SkillName]:
        """Return a call's skills by key: the chosen ones, or all when none are."""
        return {key: skill for key, skill in skills_of(call).items() if not self.skills or key in self.skills}

    def whole(self, call: LiveCall) -> Whoses:
        """Return the whole call, or the parts of the chosen agents and skills in it."""
        return self._narrowed(call, self.agents_in(call) if self.agents else ("",))

    def of_agent(self, call: LiveCall, agent: str) -> Whoses:
        """Return an agent's part in a call, as far as it is of the chosen skills."""
        return self._narrowed(call, (agent,))

    def of_agents(self, call: LiveCall) -> Whoses:
        """Return the parts of all agents, or of the chosen ones, as far as they are of the chosen skills."""
        return self._narrowed(call, self.agents_in(call))

    def of_skills(self, call: LiveCall) -> Whoses:
        """Return the parts of all skills, or of the chosen ones."""
        return tuple(Whose(skill=key) for key in self.skills_in(call))

    def _narrowed(self, call: LiveCall, agents: Iterable[str]) -> Whoses:
        skills = self.skills_in(call) if self.skills else ("",)
        return tuple(whose for whose in (Whose(*each) for each in product(agents, skills)) if involved(call, whose))


def involved(call: LiveCall, whose: Whose) -> bool:
    """Tell whether a call has any event that counts; a call without events has none but anyone's."""
    return whose == ANYONE or any(map(whose.has, call.intervals))
