"""Agent Call Summary by Skill: a section for each agent, in it a row for each skill."""

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.definitions import Whose
from voxkeep.activity.report import Column, Section
from voxkeep.activity.reports import cells as c
from voxkeep.activity.reports.asked import Asked, Options
from voxkeep.activity.reports.chosen import Chosen, involved
from voxkeep.activity.reports.grouping import SKILL, by_name
from voxkeep.activity.reports.reading import Reader
from voxkeep.activity.reports.report import AGENTS, SKILLS, TIMEFRAME, Content, Report
from voxkeep.activity.reports.summaries import Tally

CELLS = (c.PRESENTED, c.ANSWERED, c.MISSED)
COLUMNS = (SKILL, *(cell.column for cell in CELLS))


def _columns(_: Options) -> tuple[Column, ...]:
    return COLUMNS


class _Agent:
    """One agent's rows."""

    def __init__(self, shown: str, chosen: Chosen, options: Options) -> None:
        self.shown = shown
        self._ordered = bool(chosen.skills)
        self._skills = {key: skill.shown for key, skill in chosen.skills.items()}
        self.tally = Tally(options, CELLS)

    def take(self, call: LiveCall, agent: str, chosen: Chosen) -> None:
        """Take a call of the agent's."""
        for key, skill in chosen.skills_in(call).items():
            whose = Whose(agent, key)
            if involved(call, whose):
                self._skills.setdefault(key, skill.shown)
                self.tally.of(key).add(call, (whose,))

    def section(self) -> Section:
        """Return the rows as a section."""
        skills = list(self._skills.items()) if self._ordered else by_name(self._skills)
        rows = [(shown, *self.tally.of(key).values()) for key, shown in skills]
        return Section(self.shown, COLUMNS, rows, self.tally.all().figures(CELLS))


async def _compute(reader: Reader, asked: Asked) -> Content:
    chosen, options = Chosen(asked), asked.options
    agents = {key: _Agent(who.shown, chosen, options) for key, who in chosen.agents.items()}

    def take(call: LiveCall) -> None:
        for key, who in chosen.agents_in(call).items():
            if key not in agents:
                agents[key] = _Agent(who.shown, chosen, options)
            agents[key].take(call, key, chosen)

    await reader.each_call(asked, take)
    shown = {key: agent.shown for key, agent in agents.items()}
    order = shown.items() if chosen.agents else by_name(shown)
    whole = Tally(options, CELLS).all().merge(agent.tally.all() for agent in agents.values())
    return Content((), whole.figures(CELLS), [agents[key].section() for key, _ in order])


REPORT = Report(
    name="agent-call-summary-by-skill",
    title="Agent Call Summary by Skill",
    about="Calls of each agent by skill; calls without a skill are left out. Figures add up the rows.",
    parameters=TIMEFRAME | AGENTS | SKILLS,
    columns_by=_columns,
    compute=_compute,
    sectioned=True,
)
