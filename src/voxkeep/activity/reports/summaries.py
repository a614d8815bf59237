"""Reports of one row for each agent, skill, number or time: sums over calls, in memory that grows with the rows."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.report import Column
from voxkeep.activity.reports.asked import Asked, Options
from voxkeep.activity.reports.grouping import Grouping
from voxkeep.activity.reports.reading import Reader
from voxkeep.activity.reports.report import Content
from voxkeep.activity.reports.tally import Cell, Sums

FigureCells = tuple[Cell, ...]


class Summary(Struct, frozen=True, kw_only=True):
    """How such a report is computed; its figures sum up its rows."""

    by: Callable[[Asked], Grouping]
    first: Callable[[Options], Column]
    """The column of what a row stands for."""
    cells: Callable[[Options], tuple[Cell, ...]]
    figures: FigureCells = ()
    """Their measures may be others than those of the cells."""

    def columns(self, options: Options) -> tuple[Column, ...]:
        """Return the columns."""
        return (self.first(options), *(cell.column for cell in self.cells(options)))

    async def compute(self, reader: Reader, asked: Asked) -> Content:
        """Compute the rows and figures."""
        cells = self.cells(asked.options)
        by, sums = self.by(asked), Tally(asked.options, (*cells, *self.figures))

        def take(call: LiveCall) -> None:
            for key, whoses in by.places(call):
                sums.of(key).add(call, whoses)

        await reader.each_call(asked, take)
        rows = [(shown, *sums.of(key).values(cells)) for key, shown in by.rows()]
        return Content(rows, sums.all().figures(self.figures))


class Tally:
    """The sums of some cells, for each key."""

    def __init__(self, options: Options, cells: Sequence[Cell]) -> None:
        self._options = options
        self._cells = cells
        self._sums: dict[str, Sums] = {}

    def of(self, key: str) -> Sums:
        """Return the sums of one key."""
        sums = self._sums.get(key)
        if sums is None:
            sums = self._sums[key] = Sums(self._cells, self._options)
        return sums

    def all(self) -> Sums:
        """Return all together."""
        return Sums(self._cells, self._options).merge(self._sums.values())


def always(column: Column) -> Callable[[Options], Column]:
    """Return a column whatever the options."""
    return lambda _: column
