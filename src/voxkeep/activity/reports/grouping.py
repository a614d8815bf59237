"""What the rows of a summary stand for: agents, skills, numbers outside, or times."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.report import Column, Kind
from voxkeep.activity.reports import slots
from voxkeep.activity.reports.asked import Asked
from voxkeep.activity.reports.chosen import EVERYBODY, Chosen, Whoses

AGENT = Column("agent", "Agent", Kind.TEXT, "As displayed: the name with the extension.")
SKILL = Column("skill", "Skill", Kind.TEXT, "By name.")
NUMBER = Column("external_number", "External Number", Kind.TEXT, "The number outside; calls without one have no row.")


class Grouping(Protocol):
    """Tells the rows that a call belongs to."""

    def places(self, call: LiveCall) -> Iterable[tuple[str, Whoses]]:
        """Yield the keys of rows, each with whose part of the call it is."""
        ...

    def rows(self) -> Iterable[tuple[str, str]]:
        """Yield all rows in order after every call was placed: key, and what is shown."""
        ...


class ByAgent:
    """A row for each agent: those chosen, in that order, or all who occur, by name."""

    def __init__(self, asked: Asked) -> None:
        self._chosen = Chosen(asked)
        self._shown = {key: who.shown for key, who in self._chosen.agents.items()}

    def places(self, call: LiveCall) -> Iterator[tuple[str, Whoses]]:
        """Yield each agent's part."""
        for key, who in self._chosen.agents_in(call).items():
            whoses = self._chosen.of_agent(call, key)
            if whoses:
                self._shown.setdefault(key, who.shown)
                yield key, whoses

    def rows(self) -> Iterable[tuple[str, str]]:
        """Return the agents."""
        return self._shown.items() if self._chosen.agents else by_name(self._shown)


class BySkill:
    """A row for each skill: those chosen, in that order, or all that occur, by name."""

    def __init__(self, asked: Asked) -> None:
        self._chosen = Chosen(asked)
        self._shown = {key: skill.shown for key, skill in self._chosen.skills.items()}

    def places(self, call: LiveCall) -> Iterator[tuple[str, Whoses]]:
        """Yield each skill's part."""
        skills = self._chosen.skills_in(call)
        for key, whose in zip(skills, self._chosen.of_skills(call), strict=True):
            self._shown.setdefault(key, skills[key].shown)
            yield key, (whose,)

    def rows(self) -> Iterable[tuple[str, str]]:
        """Return the skills."""
        return self._shown.items() if self._chosen.skills else by_name(self._shown)


class ByNumber:
    """A row for each number outside, in order; memory grows with their number."""

    def __init__(self, asked: Asked) -> None:
        self._chosen = Chosen(asked)
        self._numbers = set[str]()

    def places(self, call: LiveCall) -> Iterator[tuple[str, Whoses]]:
        """Yield the whole call, if anyone chosen had to do with it."""
        number = call.party
        if number and self._chosen.whole(call):
            self._numbers.add(number)
            yield number, EVERYBODY

    def rows(self) -> Iterable[tuple[str, str]]:
        """Return the numbers."""
        return ((number, number) for number in sorted(self._numbers))


class BySlot:
    """A row for each time, also where there is nothing; `part` tells whose part of a call counts."""

    def __init__(self, asked: Asked, part: Callable[[Chosen, LiveCall], Whoses] = Chosen.whole) -> None:
        self._asked = asked
        self._chosen = Chosen(asked)
        self._part = part
        self._label = slots.label(asked)

    def places(self, call: LiveCall) -> Iterator[tuple[str, Whoses]]:
        """Yield the time in which the call began."""
        whoses = self._part(self._chosen, call)
        if whoses:
            yield self._label(call.began_at), whoses

    def rows(self) -> Iterable[tuple[str, str]]:
        """Return the times."""
        return ((label, label) for label in slots.labels(self._asked))


def by_name(shown: dict[str, str]) -> list[tuple[str, str]]:
    """Return keys with what is shown of them, ordered by the latter."""
    return sorted(shown.items(), key=lambda each: (each[1], each[0]))
