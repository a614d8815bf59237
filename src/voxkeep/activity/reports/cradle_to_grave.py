"""Cradle to Grave: a section for each call, in it a row for each event, from the first to the last."""

from collections.abc import Iterator
from typing import Any

from voxkeep.activity import definitions as d
from voxkeep.activity.calls import DROPS, Interval, LiveCall
from voxkeep.activity.events import Direction
from voxkeep.activity.report import Column, Kind, Row, Section
from voxkeep.activity.report.values import local
from voxkeep.activity.reports import lists
from voxkeep.activity.reports.asked import Asked, Options
from voxkeep.activity.reports.chosen import EVERYBODY, Chosen, skill_of
from voxkeep.activity.reports.names import EVENTS
from voxkeep.activity.reports.reading import Reader
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Content, Report
from voxkeep.activity.reports.spool import Strand
from voxkeep.activity.reports.tally import Sums

COLUMNS = (
    Column("event", "Call Info", Kind.TEXT, "What went on."),
    Column("start", "Start Time", Kind.MOMENT, "When it began."),
    Column("duration", "Duration", Kind.DURATION, "From its start to the next event; nothing while it lasts."),
    Column("calling", "Calling Party", Kind.TEXT, "Who called: the number outside, or the agent."),
    Column("receiving", "Receiving Party", Kind.TEXT, "Who was called: the agent, the number outside or dialled."),
    Column("caller_name", "Caller Name", Kind.TEXT, "The caller's name, where it is known."),
    Column("location", "Location", Kind.TEXT, "Where the party outside is, where it is known."),
    Column("group", "Group", Kind.TEXT, "The skill."),
)
FIGURES = (lists.CALLS, lists.CALL_DURATION, lists.ALL_TALKING)


def parties(call: LiveCall, event: Interval) -> tuple[str, str]:
    """Return who called and who was called, as an event of a call shows them; empty where it is not known."""
    outside = event.party or call.party
    first = d.initial_agent(call)
    caller = first.shown if first else ""
    agent = event.agent.shown if event.agent else ""
    if call.direction is Direction.INBOUND:
        return outside, agent or call.dialled_number
    if call.direction is Direction.OUTBOUND:
        return agent or caller, outside or call.dialled_number
    return caller, (agent if agent != caller else "") or call.dialled_number or outside


class _Calls:
    """The sections, made one by one of the rows that wait."""

    def __init__(self, rows: Strand) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Section]:
        for title, subtitle, rows in self._rows:
            yield Section(title, COLUMNS, [tuple(row) for row in rows], subtitle=subtitle)


def _section(call: LiveCall, asked: Asked) -> tuple[Any, ...]:
    begin = local(call.began_at, asked.zoned).isoformat(" ", "seconds")
    title = f"{begin} {call.direction.capitalize()} {call.party}".strip()
    location = call.first(lambda event: event.location, "")
    told = (call.caller_name or None, location or None)
    return title, call.key, [_row(call, event, told) for event in call.intervals]


def _row(call: LiveCall, event: Interval, told: tuple[str | None, str | None]) -> Row:
    calling, receiving = parties(call, event)
    length = 0 if event.kind in DROPS else None if event.end is None else event.duration_ms
    return (
        EVENTS[event.kind],
        event.begin,
        length,
        calling or None,
        receiving or None,
        *told,
        skill_of(event).shown or None,
    )


def _columns(_: Options) -> tuple[Column, ...]:
    return COLUMNS


async def _compute(reader: Reader, asked: Asked) -> Content:
    chosen, rows, sums = Chosen(asked), reader.spool().strand(), Sums(FIGURES, asked.options)

    def take(call: LiveCall) -> None:
        if chosen.whole(call):
            rows.add(_section(call, asked))
            sums.add(call, EVERYBODY)

    await reader.each_call(asked, take)
    return Content((), sums.figures(FIGURES), _Calls(rows))


REPORT = Report(
    name="cradle-to-grave",
    title="Cradle to Grave",
    about="Every call, or the whole calls that chosen agents and skills took part in, event by event.",
    parameters=TIMEFRAME | AGENTS | SKILLS,
    columns_by=_columns,
    compute=_compute,
    sectioned=True,
)
