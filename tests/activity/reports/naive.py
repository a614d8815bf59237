"""Every report once more, over raw events, without a line of the product's own."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.activity.reports.days import Told, World
from tests.activity.reports.naive_calls import (
    CALLED_BACK,
    RINGS,
    Call,
    Part,
    Stretch,
    Sums,
    agents_of,
    average,
    chosen,
    largest,
    own_sums,
    parts,
    rows_by_time,
    skills_of,
)  # fmt: skip

from voxkeep.activity import AgentEvent, Who
from voxkeep.activity.reports import Asked
from voxkeep.archive.units import EpochMs

Answer = tuple[Told, list[Told]]
Values = Callable[[Sums], tuple[Any, ...]]


def added(rows: list[Sums], asked: Asked) -> Sums:
    return Sums(asked, [each for row in rows for each in row.calls])


def summary(
    title: str, rows: list[tuple[str, Sums]], asked: Asked, values: Values, figures: Values, *names: str
) -> Answer:
    together = figures(added([sums for _, sums in rows], asked))
    return Told(title, [(label, *values(sums)) for label, sums in rows], dict(zip(names, together, strict=True))), []


# The reports


def agent_call_summary(world: World, asked: Asked) -> Answer:
    def values(s: Sums) -> tuple[Any, ...]:
        offers = s.lengths("queue_offer")
        return (
            s.n, sum(s.durations), sum(offers), average(offers), sum(s.talks), average(s.talks), largest(s.talks),
            s.answered, s.answered_percent,
        )  # fmt: skip

    rows = [(who.shown, own_sums(world, asked, who.key)) for who in agents_of(world, asked)]
    return summary(
        "Agent Call Summary", rows, asked, values, values,
        "Total Calls", "Total Call Duration", "Total Queue Offer Duration", "Avg Queue Offer Duration",
        "Total Talking Duration", "Avg Talking Duration", "Max Talking Duration", "Total Answered Calls",
        "Avg Answered Call Percentage",
    )  # fmt: skip


def agent_call_summary_by_skill(world: World, asked: Asked) -> Answer:
    def values(s: Sums) -> tuple[Any, ...]:
        return s.presented, s.answered, s.missed

    def section(who: Who) -> tuple[Told, Sums]:
        rows = [(it.shown, own_sums(world, asked, who.key, it.key)) for it in skills_of(world, asked, who.key)]
        told, _ = summary(who.shown, rows, asked, values, values, *names)
        return told, added([sums for _, sums in rows], asked)

    names = ("Total Presented", "Total Answered", "Total Missed")
    everyone = agents_of(world, Asked(**{**given(asked), "skills": ()}))
    sections = [section(who) for who in everyone]
    figures = values(added([sums for _, sums in sections], asked))
    title = "Agent Call Summary by Skill"
    return Told(title, [], dict(zip(names, figures, strict=True))), [told for told, _ in sections]


def given(asked: Asked) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.__struct_fields__}


def agent_call_volume(world: World, asked: Asked) -> Answer:
    def of(call: Call) -> list[Part]:
        return parts(asked, call, [key for key in call.agents if key in all_agents], None)

    def values(s: Sums) -> tuple[Any, ...]:
        since = [each.length for parts in s.calls for part in parts for each in part.of({"talking"}, part.call.since)]
        inbound = [
            each.length for parts in s.calls for part in parts for each in part.talks if part.call.way == "inbound"
        ]
        back = s.count(lambda part: bool(part.of({"talking", *CALLED_BACK}, part.call.since)))
        return (
            s.n, s.way("inbound"), back, sum(s.talks), sum(inbound), sum(since), average(s.talks), largest(s.talks),
        )  # fmt: skip

    all_agents = {who.key for who in agents_of(world, asked)}
    return summary(
        "Agent Call Volume", rows_by_time(world, asked, of), asked, values, values,
        "Total Calls", "Inbound Calls", "Callback Calls", "Total Talking Duration", "Inbound Talking Duration",
        "Callback Talking Duration", "Avg Talking Duration", "Max Talking Duration",
    )  # fmt: skip


def call_volume(world: World, asked: Asked) -> Answer:
    def values(s: Sums) -> tuple[Any, ...]:
        ways = (s.way(way) for way in ("inbound", "outbound", "internal", "intersite"))
        return (
            s.n, *ways, s.answered, s.count(s.abandoned_by), sum(s.durations), average(s.durations), sum(s.talks),
            average(s.talks), largest(s.talks),
        )  # fmt: skip

    return summary(
        "Call Volume", rows_by_time(world, asked, lambda call: [Part(call)]), asked, values, values,
        "Total Calls", "Inbound Calls", "Outbound Calls", "Internal Calls", "Intersite Calls", "Answered Calls",
        "Abandoned Calls", "Total Call Duration", "Avg Call Duration", "Total Talking Duration",
        "Avg Talking Duration", "Max Talking Duration",
    )  # fmt: skip


def call_performance(world: World, asked: Asked) -> Answer:
    def values(s: Sums) -> tuple[Any, ...]:
        steps = asked.options.answered_within_ms
        late = s.calls and [
            parts for parts in s.calls
            if any(map(s.answered_by, parts)) and not any(map(s.within(steps[-1]), parts))
        ]  # fmt: skip
        accepted = s.percent(
            lambda part: bool(part.of({"callback_accepted"})),
            lambda part: bool(part.of({"callback_accepted", "callback_scheduled"})),
        )
        return (
            s.presented, s.answered, s.missed, s.answered_percent, *(s.count(s.within(step)) for step in steps),
            len(late), average(s.talks), average(s.durations), s.kind("callback_scheduled"),
            s.kind("callback_accepted"), s.kind("callback_cancelled", "callback_aborted"), accepted, s.service,
        )  # fmt: skip

    def figures(s: Sums) -> tuple[Any, ...]:
        return s.presented, s.answered, s.missed, s.answered_percent, s.service, s.speed

    return summary(
        "Call Performance", rows_by_time(world, asked, lambda call: parts(asked, call, None, None)), asked, values,
        figures, "Calls Presented", "Calls Answered", "Calls Missed", "Answered Calls Percent", "Service Level",
        "Avg Speed of Answer",
    )  # fmt: skip


def call_details(world: World, asked: Asked) -> Answer:
    calls = chosen(world, asked)
    all_of = Sums(asked, [[Part(call)] for call in calls])
    rows = [
        (
            call.way.capitalize(), call.length, call.begin, call.end, call.party or None, call.first_agent,
            sum(each.length for each in Part(call).talks), bool(Part(call).talks),
            next((event.account_code for event in call.events if event.account_code), None), call.events[0].call,
        )
        for call in calls
    ]  # fmt: skip
    figures = {
        "Total Calls": len(calls),
        "Total Call Duration": sum(all_of.durations),
        "Total Talking Duration": sum(all_of.talks),
        "Answered Calls": all_of.answered_any_way,
    }
    return Told("Call Details", rows, figures), []


def abandoned_calls(world: World, asked: Asked) -> Answer:
    def given_up(call: Call) -> bool:
        return any(map(Sums(asked, []).abandoned_by, parts(asked, call, None, None)))

    calls = [call for call in chosen(world, asked) if given_up(call)]
    all_of = Sums(asked, [[Part(call)] for call in calls])
    rows = []
    for call in calls:
        assert call.last is not None
        own = [each for each in call.all if not each.event.leg] or call.all
        wait = sum(each.length for each in own if each.event.kind not in {"talking", "voicemail", "dialling"})
        last = str(call.last.event.kind).replace("_", " ").title()
        last = {"Callback Cancelled": "Callback Canceled", "Callback Aborted": "Callback Abort"}.get(last, last)
        rows.append(
            (
                call.begin, call.party or None, call.events[0].caller_name or None, call.first_agent,
                call.last.event.skill or None, last, wait, call.length, bool(Part(call).talks), call.events[0].call,
            )
        )  # fmt: skip
    figures = {
        "Abandoned Calls": len(calls),
        "Answered Calls": all_of.answered,
        "Total Call Duration": sum(all_of.durations),
        "Avg Call Duration": average(all_of.durations),
    }
    return Told("Abandoned Calls", rows, figures), []


def agent_calls(world: World, asked: Asked) -> Answer:
    def figures(s: Sums) -> dict[str, Any]:
        return {
            "Total Calls": s.n,
            "Answered Calls": s.answered_any_way,
            "Total Talking Duration": sum(s.talks),
            "Avg Talking Duration": average(s.talks),
        }

    def row(own: list[Part]) -> tuple[Any, ...]:
        call, talks = own[0].call, [each.length for part in own for each in part.talks]
        return (
            call.begin, call.end, call.way.capitalize(), call.party or None, call.length, sum(talks), bool(talks),
            call.events[0].call,
        )  # fmt: skip

    people = [(who.shown, own_sums(world, asked, who.key)) for who in agents_of(world, asked)]
    whole = added([sums for _, sums in people], asked)
    return Told("Agent Calls", [], figures(whole)), [
        Told(shown, [row(own) for own in sums.calls], figures(sums)) for shown, sums in people
    ]


def external_number_summary(world: World, asked: Asked) -> Answer:
    def values(s: Sums) -> tuple[Any, ...]:
        return (
            s.n, sum(s.durations), average(s.durations), largest(s.durations), sum(s.talks), average(s.talks),
        )  # fmt: skip

    calls = chosen(world, asked)
    numbers = sorted({call.party for call in calls} - {""})
    rows = [(number, Sums(asked, [[Part(call)] for call in calls if call.party == number])) for number in numbers]
    return summary(
        "External Number Summary", rows, asked, values, values, "Total Calls", "Total Call Duration",
        "Avg Call Duration", "Max Call Duration", "Total Talking Duration", "Avg Talking Duration",
    )  # fmt: skip


def skill_call_summary(world: World, asked: Asked) -> Answer:
    def values(s: Sums) -> tuple[Any, ...]:
        return (
            s.presented, s.answered, s.missed, sum(s.durations), average(s.durations), s.kind("callback_scheduled"),
            s.kind("callback_accepted"), s.kind("callback_cancelled", "callback_aborted"), s.speed, s.service,
        )  # fmt: skip

    rows = [(skill.shown, own_sums(world, asked, skill=skill.key)) for skill in skills_of(world, asked)]
    return summary(
        "Skill Call Summary", rows, asked, values, values, "Total Presented", "Total Answered", "Total Missed",
        "Total Call Duration", "Avg Call Duration", "Callbacks Scheduled", "Callbacks Accepted",
        "Callbacks Cancelled/Aborted", "Avg Speed of Answer", "Service Level",
    )  # fmt: skip


def skill_call_volume(world: World, asked: Asked) -> Answer:
    def of(call: Call) -> list[Part]:
        return parts(asked, call, None, [skill.key for skill in skills_of(world, asked)])

    def values(s: Sums) -> tuple[Any, ...]:
        return (
            s.n, s.presented, s.answered, s.missed, s.count(s.abandoned_by), sum(s.talks), average(s.talks),
            largest(s.talks),
        )  # fmt: skip

    return summary(
        "Skill Call Volume", rows_by_time(world, asked, of), asked, values, values, "Total Calls", "Total Presented",
        "Total Answered", "Total Missed", "Abandoned Calls", "Total Talking Duration", "Avg Talking Duration",
        "Max Talking Duration",
    )  # fmt: skip


def missed_call_summary(world: World, asked: Asked) -> Answer:
    def values(s: Sums) -> tuple[Any, ...]:
        rings = [each.length for parts in s.calls for part in parts if s.missed_by(part) for each in part.of(RINGS)]
        percent = s.percent(s.missed_by, s.offered_by)
        return s.presented, s.missed, percent, sum(rings), average(rings), largest(rings)

    rows = [(who.shown, own_sums(world, asked, who.key)) for who in agents_of(world, asked)]
    return summary(
        "Missed Call Summary", rows, asked, values, values, "Total Presented", "Total Missed", "Missed Calls Percent",
        "Total Ringing Duration", "Avg Ringing Duration", "Max Ringing Duration",
    )  # fmt: skip


def track(event: AgentEvent) -> str:
    return event.skill_id or event.skill


def spans(world: World, asked: Asked, who: Who) -> list[tuple[AgentEvent, EpochMs | None]]:
    mine = sorted((event for event in world.agents if event.agent == who), key=lambda event: event.at)
    found: list[tuple[AgentEvent, EpochMs | None]] = []
    for number, event in enumerate(mine):
        ends = (it.at for it in mine[number + 1 :] if it.kind == "logout" or track(it) == track(event))
        if not event.kind.endswith("logout") and asked.begin <= event.at < asked.end:
            found.append((event, next(ends, None)))
    return found


FEATURES = {"ready": "Ready", "idle": "Idle", "dnd": "DND", "acw": "ACW", "skill_login": "Skill Login"}


def trace(world: World, asked: Asked, title: str, kinds: set[str], *, full: bool) -> Answer:
    def row(event: AgentEvent, end: EpochMs | None) -> tuple[Any, ...]:
        kind, length = FEATURES[event.kind], None if end is None else end - event.at
        still = () if full else (end is None or end >= asked.end,)
        return event.skill or kind, kind, *still, event.at, end, length, event.reason or None

    def figures(found: list[tuple[AgentEvent, EpochMs | None]]) -> dict[str, Any]:
        lengths = [end - event.at for event, end in found if end is not None]
        more = {"Max Duration": largest(lengths), "Avg Duration": average(lengths)} if full else {}
        return {"Feature Events": len(found), "Total Duration": sum(lengths), **more}

    everybody = {event.agent.key: event.agent for event in world.agents}.values()
    people = asked.agents or sorted(everybody, key=lambda who: who.shown)
    own = {who.shown: [it for it in spans(world, asked, who) if it[0].kind in kinds] for who in people}
    sections = [
        Told(shown, [row(*it) for it in found], figures(found)) for shown, found in own.items() if found or asked.agents
    ]
    return Told(title, [], figures([it for found in own.values() for it in found])), sections


def agent_chat_summary(world: World, asked: Asked) -> Answer:
    def values(who: Who | None) -> tuple[Any, ...]:
        mine = [
            (chat, messages)
            for chat, messages in world.chats
            if asked.begin <= chat.started_at < asked.end
            for of in [Who(chat.agent_name, chat.agent_extension, chat.agent_login)]
            if (of == who if who else of in people)
        ]
        firsts = [(chat, [it.at for it in messages if it.sender == "agent"]) for chat, messages in mine]
        speeds = [times[0] - chat.started_at for chat, times in firsts if times]
        lengths = [int(chat.duration_ms) for chat, _ in mine]
        return len(mine), len(speeds), sum(lengths), average(lengths), average(speeds)

    everybody = {
        Who(chat.agent_name, chat.agent_extension, chat.agent_login)
        for chat, _ in world.chats
        if asked.begin <= chat.started_at < asked.end
    } - {Who()}
    people = asked.agents or sorted(everybody, key=lambda who: who.shown)
    names = (
        "Total Chat Count", "Total Answered Chat Count", "Total Chat Duration", "Avg Chat Duration",
        "Avg Chat Speed of Answer",
    )  # fmt: skip
    rows = [(who.shown, *values(who)) for who in people]
    return Told("Agent Chat Summary", rows, dict(zip(names, values(None), strict=True))), []


def cradle_to_grave(world: World, asked: Asked) -> Answer:
    def parties(call: Call, each: Stretch) -> tuple[str, str]:
        agent, first = each.event.agent.shown if each.event.agent else "", call.first_agent or ""
        outside = each.event.party or call.party
        return {
            "inbound": (outside, agent),
            "outbound": (agent or first, outside),
        }.get(call.way, (first, agent if agent and agent != first else outside))

    def row(call: Call, each: Stretch) -> tuple[Any, ...]:
        name = str(each.event.kind).replace("_", " ").title()
        name = {"Callback Cancelled": "Callback Canceled", "Callback Aborted": "Callback Abort"}.get(name, name)
        told = (*parties(call, each), call.events[0].caller_name, "", each.event.skill)
        length = None if each.end is None else each.length
        return (name, each.begin, length, *(text or None for text in told))

    def title(call: Call) -> str:
        at = datetime.fromtimestamp(call.begin // 1000, ZoneInfo(asked.zone))
        return f"{at:%Y-%m-%d %H:%M:%S}{at.isoformat()[19:]} {call.way.capitalize()} {call.party}".strip()

    details, _ = call_details(world, asked)
    figures = {name: value for name, value in details.summary.items() if name.startswith("Total")}
    sections = [Told(title(call), [row(call, each) for each in call.all], {}) for call in chosen(world, asked)]
    return Told("Cradle to Grave", [], figures), sections


NAIVE: dict[str, Callable[[World, Asked], Answer]] = {
    "abandoned-calls": abandoned_calls,
    "agent-call-summary": agent_call_summary,
    "agent-call-summary-by-skill": agent_call_summary_by_skill,
    "agent-call-volume": agent_call_volume,
    "agent-calls": agent_calls,
    "agent-chat-summary": agent_chat_summary,
    "agent-feature-trace": lambda world, asked: trace(world, asked, "Agent Feature Trace", set(FEATURES), full=False),
    "agent-reason-code-trace": lambda world, asked: trace(world, asked, "Agent Reason Code Trace", {"dnd"}, full=True),
    "call-details": call_details,
    "call-performance": call_performance,
    "call-volume": call_volume,
    "cradle-to-grave": cradle_to_grave,
    "external-number-summary": external_number_summary,
    "missed-call-summary": missed_call_summary,
    "skill-call-summary": skill_call_summary,
    "skill-call-volume": skill_call_volume,
}
