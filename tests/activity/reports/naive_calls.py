"""Calls, what is chosen of them, and their figures once more, as plainly as the definitions of reference 5.3 read."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.activity.reports.days import World

from voxkeep.activity import CallEvent, Who
from voxkeep.activity.definitions import Denominator
from voxkeep.activity.reports import Asked, SkillName, Slot

DROPS = {"calling_drop", "receiving_drop"}
RINGS = {"ringing", "queue_offer"}
QUEUES = {"queue", "queue_audio"}
CALLED_BACK = {"callback_offer", "callback_attempt", "callback_accepted"}


class Stretch(NamedTuple):
    event: CallEvent
    begin: int
    end: int | None

    @property
    def length(self) -> int:
        return 0 if self.end is None else self.end - self.begin

    @property
    def skill(self) -> str:
        return self.event.skill_id or self.event.skill

    @property
    def agent(self) -> str:
        return self.event.agent.key if self.event.agent else ""


class Call:
    def __init__(self, events: list[CallEvent]) -> None:
        self.events = sorted(events, key=lambda event: event.at)
        self.all: list[Stretch] = []
        for number, event in enumerate(self.events):
            later = self.events[number + 1 :]
            if event.kind in DROPS:
                if not self.all or self.all[-1].event.kind not in DROPS:
                    self.all.append(Stretch(event, event.at, event.at))
            elif event.kind != "leg_end":
                ends = (each.at for each in later if each.kind in DROPS or each.leg == event.leg)
                self.all.append(Stretch(event, event.at, next(ends, None)))
        self.begin = self.events[0].at
        open_still = any(each.end is None for each in self.all) or all(each.event.kind in DROPS for each in self.all)
        self.end = None if open_still else max(each.end or 0 for each in self.all)
        self.way = str(next((event.direction for event in self.events if event.direction), "inbound"))
        self.party = next((event.party for event in self.events if event.party), "")
        self.length = max((each.begin if each.end is None else each.end for each in self.all), default=self.begin)
        self.length -= self.begin
        self.agents = {each.agent: each.event.agent for each in self.all if each.event.agent}
        self.skills = {each.skill: each.event.skill for each in self.all if each.skill}
        first = next(iter(self.agents.values()), None)
        self.first_agent = first.shown if first else None
        going = [each for each in self.all if each.event.kind not in DROPS]
        self.last = next((each for each in reversed(going) if not each.event.leg), going[-1] if going else None)
        called_back = [each.begin for each in self.all if each.event.kind in CALLED_BACK]
        self.since = [each for each in self.all if called_back and each.begin >= called_back[0]]


class Part(NamedTuple):
    """What of a call counts: an agent's, a skill's, both or all."""

    call: Call
    agent: str = ""
    skill: str = ""

    def has(self, each: Stretch) -> bool:
        return self.agent in ("", each.agent) and self.skill in ("", each.skill)

    def of(self, kinds: Iterable[str], among: list[Stretch] | None = None) -> list[Stretch]:
        chosen = self.call.all if among is None else among
        return [each for each in chosen if each.event.kind in kinds and self.has(each)]

    @property
    def talks(self) -> list[Stretch]:
        return self.of({"talking"})

    @property
    def offered_by(self) -> set[str]:
        return RINGS if self.agent else RINGS | QUEUES

    @property
    def speed(self) -> int | None:
        if not self.talks:
            return None
        talk = self.talks[0].begin
        before = [each for each in self.of(self.offered_by) if each.begin < talk]
        return sum(min(talk, talk if each.end is None else each.end) - each.begin for each in before)


class Sums:
    """Parts of calls put together: one list of parts for each call that counts."""

    def __init__(self, asked: Asked, calls: list[list[Part]]) -> None:
        self.options = asked.options
        self.calls = [parts for parts in calls if parts]

    def _in(self, part: Part) -> bool:
        return part.call.way in self.options.directions

    def presented_by(self, part: Part) -> bool:
        return self._in(part) and bool(part.of(part.offered_by))

    def answered_by(self, part: Part) -> bool:
        return self._in(part) and bool(part.talks)

    def missed_by(self, part: Part) -> bool:
        return self._in(part) and bool(part.of(RINGS)) and not part.talks

    def abandoned_by(self, part: Part) -> bool:
        last = part.call.last
        if last is None or part.call.end is None or not self._in(part) or not part.has(last):
            return False
        return last.event.kind not in {"talking", "voicemail"}

    def offered_by(self, part: Part) -> bool:
        return self.presented_by(part) or self.answered_by(part)

    def within(self, ms: int) -> Callable[[Part], bool]:
        return lambda part: self._in(part) and part.speed is not None and part.speed < ms

    def served_among(self, part: Part) -> bool:
        among = {
            Denominator.ANSWERED: self.answered_by(part),
            Denominator.PRESENTED: self.offered_by(part),
            Denominator.ANSWERED_OR_ABANDONED: self.answered_by(part) or self.abandoned_by(part),
        }
        return among[self.options.denominator]

    def count(self, test: Callable[[Part], bool]) -> int:
        return sum(any(map(test, parts)) for parts in self.calls)

    def percent(self, test: Callable[[Part], bool], among: Callable[[Part], bool]) -> float | None:
        counted = [parts for parts in self.calls if any(map(among, parts))]
        return 100 * sum(any(map(test, parts)) for parts in counted) / len(counted) if counted else None

    def kind(self, *kinds: str) -> int:
        return self.count(lambda part: bool(part.of(kinds)))

    def way(self, way: str) -> int:
        return self.count(lambda part: part.call.way == way)

    @property
    def n(self) -> int:
        return len(self.calls)

    @property
    def durations(self) -> list[int]:
        return [parts[0].call.length for parts in self.calls]

    def lengths(self, *kinds: str) -> list[int]:
        return [each.length for parts in self.calls for part in parts for each in part.of(kinds)]

    @property
    def talks(self) -> list[int]:
        return self.lengths("talking")

    @property
    def presented(self) -> int:
        return self.count(self.presented_by)

    @property
    def answered(self) -> int:
        return self.count(self.answered_by)

    @property
    def answered_any_way(self) -> int:
        return self.count(lambda part: bool(part.talks))

    @property
    def missed(self) -> int:
        return self.count(self.missed_by)

    @property
    def answered_percent(self) -> float | None:
        return self.percent(self.answered_by, self.offered_by)

    @property
    def service(self) -> float | None:
        return self.percent(self.within(self.options.service_level_ms), self.served_among)

    @property
    def speed(self) -> float | None:
        speeds = [part.speed for parts in self.calls for part in parts if self.answered_by(part)]
        return average([speed for speed in speeds if speed is not None])


def average(lengths: list[int]) -> float | None:
    return sum(lengths) / len(lengths) if lengths else None


def largest(lengths: list[int]) -> int:
    return max(lengths, default=0)


# What is chosen


def calls_of(world: World, asked: Asked) -> list[Call]:
    calls = sorted((Call(events) for events in world.calls), key=lambda call: call.begin)
    return [call for call in calls if asked.begin <= call.begin < asked.end]


def parts(asked: Asked, call: Call, agents: Iterable[str] | None, skills: Iterable[str] | None) -> list[Part]:
    """Return the parts of these agents and skills; None takes the chosen ones, or the whole call."""
    agents = agents if agents is not None else [who.key for who in asked.agents] or [""]
    skills = skills if skills is not None else [skill.key for skill in asked.skills] or [""]
    made = [Part(call, agent, skill) for agent in agents for skill in skills]
    return [part for part in made if part == Part(call) or any(map(part.has, call.all))]


def chosen(world: World, asked: Asked) -> list[Call]:
    return [call for call in calls_of(world, asked) if parts(asked, call, None, None)]


def agents_of(world: World, asked: Asked) -> list[Who]:
    if asked.agents:
        return list(asked.agents)
    skills = {skill.key for skill in asked.skills}
    found = {
        each.agent: each.event.agent
        for call in calls_of(world, asked)
        for each in call.all
        if each.event.agent and (not skills or each.skill in skills)
    }
    return sorted(found.values(), key=lambda who: (who.shown, who.key))


def skills_of(world: World, asked: Asked, agent: str = "") -> list[SkillName]:
    if asked.skills:
        return list(asked.skills)
    found = {
        each.skill: SkillName(each.event.skill_id, each.event.skill)
        for call in calls_of(world, asked)
        for each in call.all
        if each.skill and agent in ("", each.agent)
    }
    return sorted(found.values(), key=lambda skill: (skill.shown, skill.key))


def own_sums(world: World, asked: Asked, agent: str | None = None, skill: str | None = None) -> Sums:
    agents, skills = (None if each is None else [each] for each in (agent, skill))
    return Sums(asked, [parts(asked, call, agents, skills) for call in calls_of(world, asked)])


def rows_by_time(world: World, asked: Asked, of: Callable[[Call], list[Part]]) -> list[tuple[str, Sums]]:
    zone = ZoneInfo(asked.zone)
    clock: dict[Slot, Callable[[datetime], str]] = {
        Slot.HOUR_OF_DAY: lambda at: f"{at:%H}:00",
        Slot.WEEKDAY: lambda at: f"{at:%A}",
        Slot.DAY: lambda at: f"{at:%Y-%m-%d}",
    }
    read = clock[asked.options.slot]

    def at(ms: int) -> datetime:
        return datetime.fromtimestamp(ms // 1000, zone)

    # every quarter of an hour is looked at, so that none of the days is left out
    days = dict.fromkeys(f"{at(ms):%Y-%m-%d}" for ms in range(asked.begin, asked.end, 900_000))
    monday = datetime(2024, 1, 1)  # noqa: DTZ001 -- names of weekdays
    labels = {
        Slot.HOUR_OF_DAY: [f"{hour:02}:00" for hour in range(24)],
        Slot.WEEKDAY: [f"{monday + timedelta(days=day):%A}" for day in range(7)],
        Slot.DAY: list(days),
    }[asked.options.slot]
    calls = calls_of(world, asked)
    return [(label, Sums(asked, [of(call) for call in calls if read(at(call.begin)) == label])) for label in labels]
