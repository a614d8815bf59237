"""Sums, and the cells of a report that are made of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.definitions import Totals
from voxkeep.activity.report import Column, Figure, Kind, Value
from voxkeep.activity.reports.asked import Options
from voxkeep.activity.reports.chosen import Whoses
from voxkeep.activity.reports.measures import Measure


class Sum(Struct):
    """Totals that grow."""

    count: int = 0
    total: int = 0
    largest: int = 0

    def add(self, part: Totals) -> None:
        """Add totals of one call."""
        self.merge(part.count, part.total_ms, part.max_ms)

    def merge(self, count: int, total: int, largest: int) -> None:
        """Add what is summed up already."""
        self.count += count
        self.total += total
        self.largest = max(self.largest, largest)

    def one(self, size: int) -> None:
        """Add one thing."""
        self.merge(1, size, size)


class Fold(StrEnum):
    """What is shown of a sum."""

    COUNT = "count"
    """How many."""
    TOTAL = "total"
    AVERAGE = "average"
    """Nothing where there is none."""
    LARGEST = "largest"
    PERCENT = "percent"
    """Of how many; nothing where there is none."""


FOLDS: Mapping[Fold, Callable[[Sum], Value]] = {
    Fold.COUNT: lambda sums: sums.count,
    Fold.TOTAL: lambda sums: sums.total,
    Fold.AVERAGE: lambda sums: sums.total / sums.count if sums.count else None,
    Fold.LARGEST: lambda sums: sums.largest,
    Fold.PERCENT: lambda sums: 100 * sums.total / sums.count if sums.count else None,
}
KINDS: Mapping[Fold, Kind] = {
    Fold.COUNT: Kind.COUNT,
    Fold.TOTAL: Kind.DURATION,
    Fold.AVERAGE: Kind.DURATION,
    Fold.LARGEST: Kind.DURATION,
    Fold.PERCENT: Kind.PERCENT,
}


class Cell(Struct, frozen=True):
    """A column (or figure) whose values are sums of a measure."""

    key: str
    title: str
    fold: Fold
    measure: Measure
    definition: str

    @property
    def column(self) -> Column:
        """Return the cell as a column."""
        return Column(self.key, self.title, KINDS[self.fold], self.definition)

    def titled(self, title: str, definition: str = "") -> "Cell":
        """Return the same under another title, and in other words where they are given."""
        return replace(self, title=title, definition=definition or self.definition)


class Sums:
    """The sums that some cells need, each measure once."""

    def __init__(self, cells: Sequence[Cell], options: Options) -> None:
        self._cells = cells
        self._options = options
        self.by_measure = {cell.measure: Sum() for cell in cells}

    def add(self, call: LiveCall, whoses: Whoses) -> None:
        """Add a call, as far as it counts."""
        for measure, each in self.by_measure.items():
            each.add(measure(call, whoses, self._options))

    def merge(self, others: Iterable["Sums"]) -> "Sums":
        """Add other sums of the same cells, and return all together."""
        for other in others:
            for measure, each in other.by_measure.items():
                self.by_measure[measure].merge(each.count, each.total, each.largest)
        return self

    def values(self, cells: Sequence[Cell] | None = None) -> tuple[Value, ...]:
        """Return the value of each cell (of some, where they are given)."""
        asked = self._cells if cells is None else cells
        return tuple(FOLDS[cell.fold](self.by_measure[cell.measure]) for cell in asked)

    def figures(self, cells: Sequence[Cell]) -> tuple[Figure, ...]:
        """Return some cells as figures."""
        return tuple(
            Figure(cell.title, KINDS[cell.fold], value, cell.definition)
            for cell, value in zip(cells, self.values(cells), strict=True)
        )
