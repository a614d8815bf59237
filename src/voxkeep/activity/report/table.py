"""What a report is before it has a form: a table of typed columns, its figures, its sections and perhaps a chart.

Everything that a renderer needs stands here, and nothing of how a report is computed. Rows and sections may be
iterators, read once and never held together: such a table can be rendered once.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive.units import EpochMs


class Kind(StrEnum):
    """What the values of a column are, and in which unit; any of them may be None, which is shown as nothing."""

    TEXT = "text"
    COUNT = "count"
    """A whole number."""
    DURATION = "duration"
    """Milliseconds; of an average also a fraction of them."""
    MOMENT = "moment"
    """Milliseconds since 1970-01-01T00:00Z."""
    PERCENT = "percent"
    """0 to 100."""
    FLAG = "flag"
    """True or False."""


MEASURES = frozenset({Kind.COUNT, Kind.DURATION, Kind.PERCENT})
"""Kinds that have a size, which a chart can draw."""

Value: TypeAlias = str | int | float | None
"""One cell, in the unit of its column's kind; a flag is a bool."""
Row: TypeAlias = tuple[Value, ...]


class Column(Struct, frozen=True):
    """One column: `key` names it for programs and is its own among its table's, `definition` says what it counts."""

    key: str
    title: str
    kind: Kind
    definition: str = ""


class Figure(NamedTuple):
    """One figure over the whole of a table, as a total."""

    title: str
    kind: Kind
    value: Value
    definition: str = ""


class ChartKind(StrEnum):
    """How a chart draws its values."""

    BAR = "bar"
    LINE = "line"


class Chart(Struct, frozen=True):
    """What of a table is drawn: the keys of the column that labels the points, and of those that give their height.

    The heights share one axis, so that their columns must be of one kind.
    """

    kind: ChartKind
    label: str
    values: tuple[str, ...]


class Section(Struct):
    """A table within a report, as the calls of one agent. Raises ValueError where two columns have one key."""

    title: str
    columns: tuple[Column, ...] = ()
    rows: Iterable[Row] = ()
    summary: tuple[Figure, ...] = ()
    subtitle: str = ""

    def __post_init__(self) -> None:
        _all_different("column key", [column.key for column in self.columns])
        _all_different("figure", [figure.title for figure in self.summary])


class Table(Section):
    """A whole report over [begin, end); its moments, its sections' too, are shown in `zone` (an IANA name).

    Raises ValueError where a chart asks for a column that is not there or that it cannot draw.
    """

    begin: EpochMs | None = None
    end: EpochMs | None = None
    zone: str = "UTC"
    sections: Iterable[Section] = ()
    chart: Chart | None = None

    def __post_init__(self) -> None:
        Section.__post_init__(self)
        if self.chart is not None:
            _check_chart(self.chart, {column.key: column.kind for column in self.columns})


def _all_different(what: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"two of one {what}: {twice!r}")


def _check_chart(chart: Chart, kinds: dict[str, Kind]) -> None:
    missing = [key for key in (chart.label, *chart.values) if key not in kinds]
    if missing:
        raise ValueError(f"no such column to draw: {missing[0]!r}")
    drawn = {kinds[key] for key in chart.values}
    if len(drawn) != 1 or not drawn <= MEASURES:
        raise ValueError("a chart draws columns of one kind that has a size")


class Part(NamedTuple):
    """A plain rectangle of cells."""

    columns: tuple[Column, ...]
    rows: Iterator[Row]


SECTION = Column("section", "Section", Kind.TEXT, "The part of the report that a row belongs to.")


def parts(table: Table) -> Iterator[Part]:
    """Yield a report as plain rectangles, for the forms that have no headings.

    First its own rows, if it has columns, then those of its sections. Neighbouring sections of the same columns are one
    rectangle, in which each row begins with the title of its section. A part must be read before the next is asked for.
    """
    if table.columns:
        yield Part(table.columns, iter(table.rows))
    for columns, sections in groupby(table.sections, key=lambda section: section.columns):
        if columns:
            yield Part((SECTION, *columns), _titled(sections))


def _titled(sections: Iterable[Section]) -> Iterator[Row]:
    for section in sections:
        for row in section.rows:
            yield (section.title, *row)


def noted(sections: Iterable[Section], seen: list[Section]) -> Iterator[Section]:
    """Yield sections, and note in `seen` what each of them told, its rows apart."""
    for section in sections:
        seen.append(replace(section, rows=()))
        yield section


def definitions(sections: Iterable[Section]) -> list[tuple[str, str]]:
    """Return what columns and figures mean, each once: (title, definition), in the order in which they are met."""
    told: dict[tuple[str, str], None] = {}
    for section in sections:
        for column in section.columns:
            told[column.title, column.definition] = None
        for figure in section.summary:
            told[figure.title, figure.definition] = None
    return [(title, definition) for title, definition in told if definition]
