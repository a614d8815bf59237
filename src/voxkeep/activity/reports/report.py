"""A report: what it is called, what it takes, what its columns mean, and how it is computed."""

from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple

from msgspec import Struct

from voxkeep.activity.report import Chart, Column, Figure, Row, Section, Table
from voxkeep.activity.reports.asked import DEFAULTS, Asked, BadAsked, Options, Parameter
from voxkeep.activity.reports.reading import Reader

MOST_NAMED = 10
TIMEFRAME = frozenset({Parameter.TIMEFRAME})
AGENTS = frozenset({Parameter.AGENTS})
SKILLS = frozenset({Parameter.SKILLS})


class Content(NamedTuple):
    """What a report comes to."""

    rows: Iterable[Row] = ()
    summary: tuple[Figure, ...] = ()
    sections: Iterable[Section] = ()


class Report(Struct, frozen=True, kw_only=True):
    """A kind of report. What began in the timeframe counts, whole, so that neighbouring timeframes add up."""

    name: str
    """For programs, as `call-details`."""
    title: str
    about: str
    """What it tells, in words."""
    parameters: frozenset[Parameter]
    columns_by: Callable[[Options], tuple[Column, ...]]
    compute: Callable[[Reader, Asked], Awaitable[Content]]
    sectioned: bool = False
    """Whether the columns are those of its sections."""
    chart: Chart | None = None

    def columns(self, options: Options = DEFAULTS) -> tuple[Column, ...]:
        """Return the columns with their definitions."""
        return self.columns_by(options)

    async def run(self, reader: Reader, asked: Asked) -> Table:
        """Compute the report; its rows and sections may be read any number of times.

        Raises BadAsked for a parameter that it does not take, ActivityError, DatabaseError.
        """
        refused = sorted(asked.parameters - self.parameters)
        if refused:
            raise BadAsked(refused[0], f"{self.title} does not take it")
        rows, summary, sections = await self.compute(reader, asked)
        return Table(
            self.title,
            () if self.sectioned else self.columns(asked.options),
            rows,
            summary,
            _chosen(asked),
            begin=asked.begin,
            end=asked.end,
            zone=asked.zone,
            sections=sections,
            chart=self.chart,
        )


def _chosen(asked: Asked) -> str:
    """Return in words whom the report is about."""
    chosen = {"Agents": [who.shown for who in asked.agents], "Skills": [skill.shown for skill in asked.skills]}
    return "; ".join(f"{what}: {_listed(names)}" for what, names in chosen.items() if names)


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
