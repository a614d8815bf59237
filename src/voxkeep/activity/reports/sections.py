"""Reports of one section for each agent: those chosen, in that order, or all who occur, by name."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from voxkeep.activity.events import Who
from voxkeep.activity.report import Column, Figure, Section
from voxkeep.activity.reports.asked import Asked
from voxkeep.activity.reports.grouping import by_name
from voxkeep.activity.reports.spool import Spool, Strand

S = TypeVar("S")


class Part(Generic[S]):
    """An agent's rows and sums."""

    def __init__(self, shown: str, rows: Strand, sums: S) -> None:
        self.shown = shown
        self.rows = rows
        self.sums = sums


class Parts(Generic[S]):
    """The parts of all agents."""

    def __init__(self, asked: Asked, spool: Spool, sums: Callable[[], S]) -> None:
        self._spool = spool
        self._new_sums = sums
        self._parts: dict[str, Part[S]] = {}
        self._ordered = bool(asked.agents)
        for who in asked.agents:
            self.of(who)

    def of(self, who: Who) -> Part[S]:
        """Return the part of an agent."""
        part = self._parts.get(who.key)
        if part is None:
            part = self._parts[who.key] = Part(who.shown, self._spool.strand(), self._new_sums())
        return part

    def all(self) -> list[Part[S]]:
        """Return all parts in order."""
        if self._ordered:
            return list(self._parts.values())
        return [self._parts[key] for key, _ in by_name({key: part.shown for key, part in self._parts.items()})]

    def sections(self, columns: Sequence[Column], figures: Callable[[S], tuple[Figure, ...]]) -> list[Section]:
        """Return all parts as sections."""
        return [Section(part.shown, tuple(columns), part.rows, figures(part.sums)) for part in self.all()]
