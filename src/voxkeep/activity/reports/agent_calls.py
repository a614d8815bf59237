"""Agent Calls: a section for each agent, in it a row for each call."""

from msgspec.structs import replace

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.definitions import EVERY_WAY, answered
from voxkeep.activity.report import Column
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports import lists
from voxkeep.activity.reports import measures as m
from voxkeep.activity.reports.asked import Asked, Options
from voxkeep.activity.reports.chosen import Chosen
from voxkeep.activity.reports.lists import Field
from voxkeep.activity.reports.reading import Reader
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Content, Report
from voxkeep.activity.reports.sections import Parts
from voxkeep.activity.reports.tally import Cell, Fold, Sums


def _own(field: Field, definition: str) -> Field:
    return replace(field, column=replace(field.column, definition=definition))


FIELDS = (
    lists.START,
    lists.END,
    lists.DIRECTION,
    lists.NUMBER,
    lists.DURATION,
    _own(lists.TALKING, "Talking events of the agent's together."),
    _own(lists.IS_ANSWERED, "Whether there is a Talking event of the agent's, whichever way the call went."),
    lists.KEY,
)
COLUMNS = tuple(field.column for field in FIELDS)
ANSWERED = Cell(
    "answered",
    "Answered Calls",
    Fold.COUNT,
    m.counting(lambda call, whose, _: answered(call, whose, EVERY_WAY)),
    "Calls with a Talking event of the agent's, whichever way they went.",
)
FIGURES = (c.CALLS, ANSWERED, c.TALKING, c.AVG_TALKING)


def _columns(_: Options) -> tuple[Column, ...]:
    return COLUMNS


async def _compute(reader: Reader, asked: Asked) -> Content:
    chosen = Chosen(asked)
    parts = Parts(asked, reader.spool(), lambda: Sums(FIGURES, asked.options))

    def take(call: LiveCall) -> None:
        for key, who in chosen.agents_in(call).items():
            whoses = chosen.of_agent(call, key)
            if whoses:
                part = parts.of(who)
                part.rows.add(tuple(field.value(call, whoses) for field in FIELDS))
                part.sums.add(call, whoses)

    await reader.each_call(asked, take)
    whole = Sums(FIGURES, asked.options).merge(part.sums for part in parts.all())
    return Content((), whole.figures(FIGURES), parts.sections(COLUMNS, lambda sums: sums.figures(FIGURES)))


REPORT = Report(
    name="agent-calls",
    title="Agent Calls",
    about="The calls of each agent. Figures add up the rows: a call that two agents took part in counts for both.",
    parameters=TIMEFRAME | AGENTS | SKILLS,
    columns_by=_columns,
    compute=_compute,
    sectioned=True,
)
