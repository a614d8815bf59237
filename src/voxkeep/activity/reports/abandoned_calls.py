"""Abandoned Calls: a row for each."""

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.definitions import callers_last
from voxkeep.activity.report import Column, Kind
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports import lists
from voxkeep.activity.reports.asked import Options
from voxkeep.activity.reports.chosen import Chosen
from voxkeep.activity.reports.lists import CallList, Field
from voxkeep.activity.reports.measures import is_abandoned
from voxkeep.activity.reports.names import EVENTS
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Report


def _listed(call: LiveCall, chosen: Chosen, options: Options) -> bool:
    return any(is_abandoned(call, whose, options) for whose in chosen.whole(call))


def _skill(call: LiveCall) -> str | None:
    last = callers_last(call)
    return (last.skill or last.skill_id or None) if last else None


def _event(call: LiveCall) -> str | None:
    last = callers_last(call)
    return EVENTS[last.kind] if last else None


LIST = CallList(
    fields=(
        lists.START,
        lists.NUMBER,
        lists.NAME,
        lists.AGENT,
        Field(Column("skill", "Skill", Kind.TEXT, "Of the last event."), lambda call, _: _skill(call)),
        Field(
            Column("last_event", "Last Event", Kind.TEXT, "What went on when the caller hung up."),
            lambda call, _: _event(call),
        ),
        lists.WAIT,
        lists.DURATION,
        lists.IS_ANSWERED,
        lists.KEY,
    ),
    figures=(
        c.ABANDONED.titled("Abandoned Calls", "Calls listed."),
        c.ANSWERED.titled("Answered Calls", "Calls listed that had a Talking event before they were given up."),
        lists.CALL_DURATION,
        c.AVG_CALL_DURATION.titled("Avg Call Duration", "Of the calls listed."),
    ),
    listed=_listed,
)
REPORT = Report(
    name="abandoned-calls",
    title="Abandoned Calls",
    about="Calls (inbound, unless set otherwise) that were given up; of chosen agents and skills, at whom they were.",
    parameters=TIMEFRAME | AGENTS | SKILLS,
    columns_by=LIST.columns,
    compute=LIST.compute,
)
