"""Call Details: a row for each call."""

from voxkeep.activity.definitions import EVERY_WAY, answered
from voxkeep.activity.reports import lists
from voxkeep.activity.reports import measures as m
from voxkeep.activity.reports.lists import CallList
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Report
from voxkeep.activity.reports.tally import Cell, Fold

ANSWERED = Cell(
    "answered",
    "Answered Calls",
    Fold.COUNT,
    m.counting(lambda call, whose, _: answered(call, whose, EVERY_WAY)),
    "Calls with a Talking event, whichever way they went.",
)
LIST = CallList(
    fields=(
        lists.DIRECTION,
        lists.DURATION,
        lists.START,
        lists.END,
        lists.NUMBER,
        lists.AGENT,
        lists.TALKING,
        lists.IS_ANSWERED,
        lists.ACCOUNT_CODE,
        lists.KEY,
    ),
    figures=(lists.CALLS, lists.CALL_DURATION, lists.ALL_TALKING, ANSWERED),
    listed=lambda call, chosen, _: bool(chosen.whole(call)),
)
REPORT = Report(
    name="call-details",
    title="Call Details",
    about="Every call, or the whole calls that chosen agents and skills took part in.",
    parameters=TIMEFRAME | AGENTS | SKILLS,
    columns_by=LIST.columns,
    compute=LIST.compute,
)
