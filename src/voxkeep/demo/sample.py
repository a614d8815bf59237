"""The sample calls of a tenant: everything depends only on the seed, the tenant and the end of the last day."""

import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive.model import OWN, Call, Recording, State, WrapUpCode, display_name
from voxkeep.archive.names import LAST_IN_A_SECOND, file_name
from voxkeep.archive.units import (
    DAY_MS,
    HOUR_MS,
    RANDOM_BITS,
    CallId,
    DurationMs,
    EpochMs,
    RecordingId,
    TenantId,
    call_key,
    uuid7,
)
from voxkeep.demo.clips import Clip, clips
from voxkeep.demo.people import AGENTS, CALLERS, MAIN_NUMBERS, SKILLS, DemoAgent

KINDS = (("inbound", 60), ("direct", 12), ("outbound", 22), ("internal", 6))
"""Kinds of calls and how many of a hundred are such."""
OPENING_HOUR, OPEN_HOURS = 14, 11
"""Business hours in UTC, those of a centre in North America."""
TRANSFERRED_OF_100 = 8
GAP_MS = 4_000
SECOND_MS = 1_000
FIRST_EVENT_ID, FIRST_CALL_NUMBER = 99_181, 31_875
WRAP_UP_CODES = (
    (),
    (WrapUpCode("Outcome", "Solved"),),
    (WrapUpCode("Outcome", "Call back"), WrapUpCode("Reason", "Price = too high | other")),
    (WrapUpCode("Gauffre", "Gauffre 1"),),
)
SAMPLES_WITHOUT_AUDIO = (State.PENDING, State.LOST_TO_AGE, State.LOST_TO_SPACE)


class Sample(Struct, frozen=True):
    """One sample recording: its call, and its clip (None for one without audio)."""

    recording: Recording
    call: Call
    clip: Clip | None


class _Party(NamedTuple):
    """Who an agent talks to: as displayed, and as dialled."""

    shown: str
    number: str


class _Desk:
    """Hands out calls so that no agent talks twice at once."""

    def __init__(self, random: Random, first_day: EpochMs, days: int) -> None:
        self._random = random
        self._first_day = first_day
        self._days = days
        self._busy: dict[str, list[tuple[int, int]]] = {agent.extension: [] for agent in AGENTS}

    def slot(self, number: int, agents: Sequence[DemoAgent], length_ms: int) -> EpochMs:
        """Return a start at which all of `agents` are free for so long."""
        day = self._first_day + (number % self._days) * DAY_MS + OPENING_HOUR * HOUR_MS
        while True:
            start = min(day + self._random.randrange(OPEN_HOURS * HOUR_MS), self._latest(length_ms))
            busy = [time for agent in agents for time in self._busy[agent.extension]]
            if all(start >= end or start + length_ms <= begin for begin, end in busy):
                for agent in agents:
                    self._busy[agent.extension].append((start, start + length_ms))
                return EpochMs(start)

    def _latest(self, length_ms: int) -> int:
        """Nothing reaches past the end of the last day."""
        return self._first_day + self._days * DAY_MS - length_ms - self._random.randrange(HOUR_MS)


def samples(tenant: TenantId, name: str, seed: int, end: EpochMs, days: int, recordings: int) -> Iterator[Sample]:
    """Yield `recordings` samples with audio, and a few without, of the `days` days before `end`."""
    seconds = Counter[int]()
    for sample in _samples(tenant, name, seed, end, days, recordings):
        # given here and not at keep, which happens in no certain order
        second = sample.recording.started_at // SECOND_MS
        named = file_name(sample.recording.started_at, LAST_IN_A_SECOND - seconds[second])
        seconds[second] += 1
        yield replace(sample, recording=replace(sample.recording, file_name=named))


def _samples(tenant: TenantId, name: str, seed: int, end: EpochMs, days: int, recordings: int) -> Iterator[Sample]:
    random = Random(f"{seed}/{name}")  # noqa: S311 -- repeatable on purpose
    desk = _Desk(random, EpochMs(end - days * DAY_MS), days)
    made, calls = 0, 0
    while made < recordings:
        legs = 2 if recordings - made > 1 and random.randrange(100) < TRANSFERRED_OF_100 else 1
        for sample in _call(random, desk, tenant, calls, made, legs):
            yield sample
            made += 1
        calls += 1
    for number, state in enumerate(SAMPLES_WITHOUT_AUDIO):
        (sample,) = _call(random, desk, tenant, calls + number, made + number, 1)
        yield replace(sample, recording=replace(sample.recording, state=state), clip=None)


def _call(random: Random, desk: _Desk, tenant: TenantId, number: int, event: int, legs: int) -> list[Sample]:
    *agents, colleague = random.sample(AGENTS, legs + 1)
    kind = random.choices([kind for kind, _ in KINDS], [weight for _, weight in KINDS])[0]
    talking = [*agents, colleague] if kind == "internal" else agents
    chosen = [random.choice(clips()) for _ in range(legs)]
    length = sum(clip.duration_ms + GAP_MS for clip in chosen)
    wait = random.randrange(3, 45) * SECOND_MS + random.randrange(SECOND_MS)
    start = EpochMs(desk.slot(number, talking, length + wait + GAP_MS) + wait)
    call = _call_of(random, tenant, number, kind, agents[0], EpochMs(start - wait), EpochMs(start + length))
    external = f"1{random.choice(('702', '385', '480', '208', '512'))}5550{random.randrange(100, 200)}"
    other = _Party(external, external)
    if kind == "internal":
        other = _Party(display_name(colleague.name, colleague.extension), colleague.extension)
    made = []
    for leg, (agent, clip) in enumerate(zip(agents, chosen, strict=True)):
        recording = _recording(random, call, agent, other, kind, start, clip)
        made.append(Sample(replace(recording, event_id=FIRST_EVENT_ID + 3 * event + leg), call, clip))
        start = EpochMs(start + clip.duration_ms + GAP_MS)
    return made


def _call_of(
    random: Random, tenant: TenantId, number: int, kind: str, agent: DemoAgent, begin: EpochMs, end: EpochMs
) -> Call:
    identity = CallId(uuid7(begin, random.getrandbits(RANDOM_BITS)))
    key = call_key(identity, begin, end)
    caller, location = random.choice(CALLERS)
    skill_id = next(skill_id for skill_id, skill in SKILLS if skill == agent.skill)
    return Call(
        tenant=tenant,
        id=identity,
        started_at=begin,
        ended_at=end,
        vendor_key=key,
        key=key,
        reference=str(uuid.UUID(int=random.getrandbits(128), version=4)),
        number=FIRST_CALL_NUMBER + number,
        direction="inbound" if kind == "direct" else kind,
        caller_name=caller if kind in ("inbound", "direct") else "",
        dialled_number=MAIN_NUMBERS[skill_id] if kind == "inbound" else agent.extension,
        hold_ms=DurationMs(random.choice((0, 0, 0, 12_000, 47_500))),
        location=location,
        drop_event="DROP",
    )


def _recording(
    random: Random, call: Call, agent: DemoAgent, other: _Party, kind: str, start: EpochMs, clip: Clip
) -> Recording:
    shown = display_name(agent.name, agent.extension)
    outbound = kind == "outbound"
    skill_id, skill = next(pair for pair in SKILLS if pair[1] == agent.skill) if kind == "inbound" else ("", "")
    return Recording(
        tenant=call.tenant,
        id=RecordingId(uuid7(start, random.getrandbits(RANDOM_BITS))),
        started_at=start,
        duration_ms=DurationMs(clip.duration_ms),
        vendor=OWN,
        call=call.id,
        call_key=call.key,
        direction=call.direction,
        calling_party=shown if outbound else other.shown,
        receiving_party=other.shown if outbound else shown,
        caller_number=agent.extension if outbound else other.number,
        dialled_number=other.number if outbound else call.dialled_number,
        agent_name=agent.name,
        agent_extension=agent.extension,
        agent_login=agent.login,
        skill=skill,
        skill_id=skill_id,
        tag=random.choice(("", "Default")),
        case_id=str(random.choice((0, random.randrange(10_000, 30_000)))),
        account_number=str(random.choice((0, 0, random.randrange(1_000_000, 9_999_999)))),
        variable_1=random.choice(("", "", "campaign-7")),
        out_dial_code="9" if outbound else "",
        wrap_up_codes=random.choice(WRAP_UP_CODES),
    )
