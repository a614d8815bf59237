"""Random days of a contact centre around midnights and changes of clocks: events of calls and agents, and chats."""

from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from msgspec import Struct

from voxkeep.activity import AgentEvent, AgentKind, CallEvent, CallKind, Direction, Who
from voxkeep.activity.definitions import Denominator
from voxkeep.activity.events import REASON_KINDS, SKILL_KINDS
from voxkeep.activity.report import Section, Table
from voxkeep.activity.reports import Asked, Options, Parameter, SkillName, Slot
from voxkeep.archive.model import AGENT, CUSTOMER, Message, Transcript
from voxkeep.archive.units import HOUR_MS, DurationMs, EpochMs, TenantId, TranscriptId, uuid7

ANNA = Who(name="Anna", extension="209", login="anna")
"""By name before Bert, by key after him."""
BERT = Who(name="Bert", extension="202")
CARL = Who(login="carl")
IDLER = Who(name="Idler", extension="299")
"""Has nothing to do with anything."""
SALES, SUPPORT, UNUSED = SkillName("101", "CC Sales"), SkillName("", "Support"), SkillName("109", "Unused")

EVES = (
    ("Europe/Berlin", 2024, 10, 26),
    ("Europe/Berlin", 2025, 3, 29),
    ("America/New_York", 2025, 11, 1),
    ("America/Sao_Paulo", 2018, 11, 3),
    ("Australia/Lord_Howe", 2025, 4, 5),
    ("Pacific/Apia", 2011, 12, 29),
    ("Asia/Kathmandu", 2025, 6, 1),
    ("UTC", 2025, 11, 20),
)
"""Days before one on which clocks change, mostly: at midnight, by half an hour, by a whole day."""
HOURS = 60
"""So many from a day's beginning on are filled."""
MOST_WORK = [CallKind.QUEUE, CallKind.QUEUE_OFFER, CallKind.RINGING, CallKind.TALKING, CallKind.HOLD]
CALLBACKS = [CallKind.CALLBACK_SCHEDULED, CallKind.CALLBACK_ATTEMPT, CallKind.CALLBACK_ACCEPTED, CallKind.TALKING]
KINDS = st.one_of(st.sampled_from(MOST_WORK), st.sampled_from(CALLBACKS), st.sampled_from(CallKind))
GAPS = st.one_of(st.integers(1, 20_000), st.sampled_from([9_999, 10_000, 15_000, 60_000, HOUR_MS, 3 * HOUR_MS]))


class World(NamedTuple):
    """Everything that happened."""

    calls: list[list[CallEvent]]
    agents: list[AgentEvent]
    chats: list[tuple[Transcript, list[Message]]]


class Place(NamedTuple):
    """A time and a zone."""

    zone: str
    begin: int


def place(zone: str, year: int, month: int, day: int) -> Place:
    return Place(zone, int(datetime(year, month, day, tzinfo=ZoneInfo(zone)).timestamp()) * 1000)


PLACES = st.sampled_from([place(*eve) for eve in EVES])


def moments(where: Place) -> st.SearchStrategy[int]:
    """Moments in the filled hours, many right at the turn of an hour."""
    hours = st.integers(0, HOURS).map(lambda hour: where.begin + hour * HOUR_MS)
    near = st.builds(lambda at, off: at + off, hours, st.integers(-2, 2))
    return near | st.integers(where.begin, where.begin + HOURS * HOUR_MS)


@st.composite
def one_call(draw: st.DrawFn, where: Place, key: str) -> list[CallEvent]:
    at = draw(moments(where))
    made = []
    kinds = draw(st.lists(KINDS, min_size=1, max_size=8))
    if draw(st.integers(0, 3)):
        kinds.append(draw(st.sampled_from([CallKind.CALLING_DROP, CallKind.RECEIVING_DROP])))
    for number, kind in enumerate(kinds):
        skill = draw(st.sampled_from([None, SALES, SUPPORT]))
        given: dict[str, Any] = {"skill": skill.name, "skill_id": skill.id} if skill else {}
        given["party"] = draw(st.sampled_from(["", "", "+13035550100", "+49301234"]))
        if not number:
            given["direction"] = draw(st.sampled_from([None, Direction.INBOUND, *Direction]))
            given["account_code"] = draw(st.sampled_from(["", "A7"]))
            given["caller_name"] = draw(st.sampled_from(["", "Ana"]))
        made.append(
            CallEvent(
                id=f"{key}-{number}",
                at=EpochMs(at),
                kind=kind,
                call=key,
                leg=draw(st.sampled_from(["", "", "", "a"])),
                agent=draw(st.sampled_from([None, ANNA, ANNA, BERT, CARL])),
                **given,
            )
        )
        at += draw(GAPS)
    return made


@st.composite
def agents(draw: st.DrawFn, where: Place) -> list[AgentEvent]:
    made = []
    for number, at in enumerate(draw(st.lists(moments(where), max_size=10, unique=True))):
        kind = draw(st.sampled_from(AgentKind))
        skill = draw(st.sampled_from([SALES, SUPPORT])) if kind in SKILL_KINDS else SkillName()
        made.append(
            AgentEvent(
                id=f"agent-{number}",
                at=EpochMs(at),
                kind=kind,
                agent=draw(st.sampled_from([ANNA, BERT])),
                reason=draw(st.sampled_from(["", "Lunch"])) if kind in REASON_KINDS else "",
                skill=skill.name,
                skill_id=skill.id,
            )
        )
    return made


@st.composite
def one_chat(draw: st.DrawFn, where: Place, key: str, tenant: TenantId) -> tuple[Transcript, list[Message]]:
    at = draw(moments(where))
    who = draw(st.sampled_from([ANNA, BERT, CARL, Who()]))
    chat = Transcript(
        tenant=tenant,
        id=TranscriptId(uuid7(EpochMs(at))),
        started_at=EpochMs(at),
        duration_ms=DurationMs(draw(st.integers(0, 600_000))),
        vendor_key=key,
        agent_name=who.name,
        agent_extension=who.extension,
        agent_login=who.login,
    )
    senders = draw(st.lists(st.sampled_from([CUSTOMER, AGENT, "bot"]), max_size=4))
    steps = draw(st.lists(st.integers(0, 90_000), min_size=4, max_size=4))
    return chat, [
        Message(at=EpochMs(at + sum(steps[: number + 1])), sender=sender, text="x")
        for number, sender in enumerate(senders)
    ]


@st.composite
def worlds(draw: st.DrawFn, where: Place, tenant: TenantId) -> World:
    return World(
        [draw(one_call(where, f"call-{number}")) for number in range(draw(st.integers(0, 9)))],
        draw(agents(where)),
        [draw(one_chat(where, f"chat-{number}", tenant)) for number in range(draw(st.integers(0, 4)))],
    )


@st.composite
def questions(draw: st.DrawFn, where: Place, world: World, tenant: TenantId, parameters: frozenset[Parameter]) -> Asked:
    """Draw what a report can be asked for that takes these parameters, also from or to when something happens."""
    turning: list[int] = [event.at for events in world.calls for event in events]
    turning += [event.at for event in world.agents]
    turning += [chat.started_at for chat, _ in world.chats]
    hours = [where.begin + hour * HOUR_MS for hour in range(HOURS)]
    bound = st.sampled_from([*turning, *hours])
    everything = (where.begin - 10, where.begin + 2**29)
    begin, end = sorted((draw(bound), draw(bound))) if draw(st.booleans()) else everything
    some_agents = st.lists(st.sampled_from([ANNA, BERT, CARL, IDLER]), unique=True).map(tuple)
    some_skills = st.lists(st.sampled_from([SALES, SUPPORT, UNUSED]), unique=True).map(tuple)
    steps = st.lists(st.sampled_from([1, 10_000, 15_000, 45_000]), min_size=1, unique=True).map(sorted).map(tuple)
    options = st.builds(
        Options,
        service_level_ms=st.sampled_from([10_000, 30_000]),
        denominator=st.sampled_from(Denominator),
        answered_within_ms=steps,
        directions=st.sampled_from([frozenset({Direction.INBOUND}), frozenset(Direction)]),
        slot=st.sampled_from(Slot) if Parameter.SLOT in parameters else st.just(Slot.HOUR_OF_DAY),
    )
    return Asked(
        tenant=tenant,
        begin=EpochMs(begin),
        end=EpochMs(end),
        zone=where.zone,
        agents=draw(some_agents) if Parameter.AGENTS in parameters else (),
        skills=draw(some_skills) if Parameter.SKILLS in parameters else (),
        options=draw(options),
    )


class Told(Struct, frozen=True):
    """A section in plain values."""

    title: str
    rows: list[tuple[Any, ...]]
    summary: dict[str, Any]


def told(section: Section) -> Told:
    return Told(section.title, list(section.rows), {figure.title: figure.value for figure in section.summary})


def whole(table: Table) -> tuple[Told, list[Told]]:
    return told(table), [told(section) for section in table.sections]
