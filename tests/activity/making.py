"""Events for tests: written short by hand, or any that there can be."""

import itertools
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from voxkeep.activity import AgentEvent, AgentKind, CallEvent, CallKind, Direction, LiveCall, Who
from voxkeep.activity.calls import call_of
from voxkeep.activity.events import REASON_KINDS, SKILL_KINDS
from voxkeep.archive.units import LATEST, EpochMs

T0 = EpochMs(1_763_647_391_250)
"""2025-11-20T14:03:11.250Z"""
ANNA = Who(name="Anna", extension="201", login="anna")
BERT = Who(name="Bert", extension="202")
SALES: dict[str, Any] = {"skill": "CC Sales", "skill_id": "101"}


def second(seconds: float) -> EpochMs:
    return EpochMs(T0 + round(seconds * 1000))


def told(at: float, kind: CallKind, **fields: Any) -> CallEvent:
    """Return an event of call `c`, `at` seconds after T0."""
    defaults = {"call": "c", "id": f"{fields.get('call', 'c')}-{at}-{fields.get('leg', '')}-{kind}"}
    return CallEvent(at=second(at), kind=kind, **{**defaults, **fields})


def call(*events: CallEvent) -> LiveCall:
    return call_of(events)


def of_agent(at: float, kind: AgentKind, agent: Who = ANNA, **fields: Any) -> AgentEvent:
    identity = f"{agent.key}-{at}-{kind}-{fields.get('skill', '')}"
    return AgentEvent(at=second(at), kind=kind, agent=agent, **{"id": identity, **fields})


def answered_call(key: str = "c", at: float = 0, **first: Any) -> list[CallEvent]:
    """Return a call: announcement 5 s, queue 15 s, offer 5 s, talk 35 s, hold 20 s, talk 40 s: 120 s in all."""
    mine: dict[str, Any] = {"call": key, "agent": ANNA, **SALES}
    return [
        told(at, CallKind.AUTO_ATTENDANT, call=key, **{"direction": Direction.INBOUND, **first}),
        told(at + 5, CallKind.QUEUE, call=key, **SALES),
        told(at + 20, CallKind.QUEUE_OFFER, **mine),
        told(at + 25, CallKind.TALKING, **mine),
        told(at + 60, CallKind.HOLD, **mine),
        told(at + 80, CallKind.TALKING, **mine),
        told(at + 120, CallKind.RECEIVING_DROP, call=key),
    ]


PLAIN = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
NAMED = PLAIN.filter(bool)
MOMENTS = st.integers(0, LATEST - 1).map(EpochMs)
NEAR = st.integers(0, 30).map(lambda offset: EpochMs(T0 + offset * 10))
"""So few that many meet."""
AGENTS = st.one_of(
    st.sampled_from([ANNA, BERT]),
    st.builds(Who, name=NAMED, extension=PLAIN, login=PLAIN),
)


def call_events(moments: st.SearchStrategy[EpochMs] = MOMENTS) -> st.SearchStrategy[CallEvent]:
    return st.builds(
        CallEvent,
        id=NAMED,
        at=moments,
        kind=st.sampled_from(CallKind),
        call=st.one_of(st.sampled_from(["c", "d"]), NAMED),
        leg=st.sampled_from(["", "a", "b"]),
        seq=st.integers(0, 3),
        agent=st.none() | AGENTS,
        skill=PLAIN,
        skill_id=PLAIN,
        party=PLAIN,
        direction=st.none() | st.sampled_from(Direction),
        account_code=PLAIN,
        caller_name=PLAIN,
        dialled_number=PLAIN,
        location=PLAIN,
        number=st.integers(0, 2**31 - 1),
        reference=PLAIN,
        recording=PLAIN,
    )


@st.composite
def agent_events(draw: st.DrawFn, moments: st.SearchStrategy[EpochMs] = MOMENTS) -> AgentEvent:
    kind = draw(st.sampled_from(AgentKind))
    return AgentEvent(
        id=draw(NAMED),
        at=draw(moments),
        kind=kind,
        agent=draw(AGENTS),
        seq=draw(st.integers(0, 3)),
        reason=draw(PLAIN) if kind in REASON_KINDS else "",
        skill=draw(st.one_of(st.sampled_from(["x", "y"]), NAMED)) if kind in SKILL_KINDS else "",
        skill_id=draw(PLAIN) if kind in SKILL_KINDS else "",
    )


KINDS = st.sampled_from(
    [
        CallKind.QUEUE, CallKind.RINGING, CallKind.TALKING, CallKind.HOLD, CallKind.VOICEMAIL, CallKind.LEG_END,
        CallKind.CALLING_DROP, CallKind.RECEIVING_DROP,
    ]
)  # fmt: skip


@st.composite
def one_call(draw: st.DrawFn, most: int = 14) -> list[CallEvent]:
    """Draw the events of one call, many at the same moment, with drops and legs anywhere."""
    made = draw(
        st.lists(st.tuples(NEAR, KINDS, st.sampled_from(["", "a"]), st.integers(0, 1)), min_size=1, max_size=most)
    )
    return [
        CallEvent(id=str(number), at=at, kind=kind, call="c", leg=leg, seq=seq, agent=ANNA if number % 2 else None)
        for number, (at, kind, leg, seq) in enumerate(made)
    ]


@st.composite
def one_agent(draw: st.DrawFn, most: int = 14) -> list[AgentEvent]:
    """Draw the events of one agent, many at the same moment."""
    made = draw(st.lists(st.tuples(NEAR, st.sampled_from(AgentKind), st.sampled_from(["x", "y"])), max_size=most))
    return [
        AgentEvent(
            id=str(number),
            at=at,
            kind=kind,
            agent=ANNA,
            skill=skill if kind in SKILL_KINDS else "",
            reason=skill if kind is AgentKind.DND else "",
        )
        for number, (at, kind, skill) in enumerate(made)
    ]


def parts(whole: Sequence[Any], cuts: Sequence[int]) -> list[list[Any]]:
    """Return a list cut at some places."""
    places = [0, *sorted(cut % (len(whole) + 1) for cut in cuts), len(whole)]
    return [list(whole[begin:end]) for begin, end in itertools.pairwise(places)]
