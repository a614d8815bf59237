"""What both kinds of spreadsheet share: which cells there are, what stands in them, and on which sheet.

First the rows, on as many sheets as they need, then a sheet that tells of them: title, timeframe, summary, what the
columns mean. Durations, moments and percents are real ones that can be added up and compared: a moment is the local
time of day, and its format shows the offset. Texts are never taken for formulas.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import chain, count, islice
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from msgspec import Struct, field
from msgspec.structs import replace

from voxkeep.activity.report.table import Column, Figure, Kind, Part, Section, Table, Value, definitions, noted, parts
from voxkeep.activity.report.values import duration, local, printable, shown, timeframe, zone_of

LONGEST_TEXT = 32_767
"""UTF-16 units that a cell of either kind holds."""
LONGEST_NAME = 31
"""Letters of a sheet's name."""
ABOUT = "About"
ABOUT_WIDTHS = [32, 60]
RESERVED = frozenset({"", "history", "about"})
"""What the sheet of a report must not be called: Excel keeps one to itself, and the last sheet has the other."""
CUT = "…"
LARGEST_WHOLE = 2**53
"""Numbers in a spreadsheet are floats: beyond this, whole ones are no longer told apart."""
DAY_S, DAY_MS = 86_400, 86_400_000
UNIX_EPOCH_DAY = 25_569
"""1970-01-01 in the days that spreadsheets count."""
GENERAL = "General"
WIDTHS: Mapping[Kind, int] = {
    Kind.TEXT: 24, Kind.COUNT: 10, Kind.DURATION: 12, Kind.MOMENT: 31, Kind.PERCENT: 10, Kind.FLAG: 8,
}  # fmt: skip
"""Of columns, in letters."""
WIDEST = 60
_NOT_IN_NAMES = str.maketrans(dict.fromkeys("[]:*?/\\\n\t", " "))


_T = TypeVar("_T")


class Cell(NamedTuple):
    """What stands in a cell, and the number format that shows it."""

    value: str | float | bool
    number_format: str = GENERAL


NOTHING = Cell("")


class Book(Protocol):
    """A workbook of one kind; cells go to the sheet added last, row by row."""

    most_rows: int
    """Of a sheet, its line of titles included."""
    most_columns: int

    def add_sheet(self, name: str, widths: list[int]) -> None:
        """Begin a sheet with columns of these widths, in letters."""

    def write(self, row: int, column: int, cell: Cell, *, heading: bool) -> None:
        """Write a cell, a heading in bold."""


class _Line(NamedTuple):
    cells: list[Cell]
    heading: bool = False


class _Told(Struct):
    """What came up while the rows were written, to be told of on the last sheet."""

    sections: list[Section] = field(default_factory=list)
    continued: list[str] = field(default_factory=list)
    cut: int = 0
    """Texts that were too long for a cell."""
    first_cut: str = ""


# Cells


def _text(value: Any, _: ZoneInfo) -> Cell:  # noqa: ANN401
    return Cell(printable(value))


def _count(value: int, _: ZoneInfo) -> Cell:
    return Cell(float(value), "0") if abs(value) <= LARGEST_WHOLE else Cell(str(value))


def _duration(value: float, _: ZoneInfo) -> Cell:
    # a spreadsheet shows no time below zero; and it rounds where every other form cuts, so it gets whole seconds
    return Cell(int(value // 1000) / DAY_S, "[h]:mm:ss") if value >= 0 else Cell(duration(value))


def _moment(value: int, zone: ZoneInfo) -> Cell:
    at = local(value, zone)
    local_ms = value + round((at.utcoffset() or timedelta()) / timedelta(milliseconds=1))
    # the same hour comes twice where clocks are set back: only the offset tells
    offset = at.isoformat(timespec="seconds")[len("2024-03-01T09:30:00") :]
    return Cell(UNIX_EPOCH_DAY + local_ms / DAY_MS, f'yyyy\\-mm\\-dd"T"hh:mm:ss.000"{offset}"')


def _percent(value: float, zone: ZoneInfo) -> Cell:
    return Cell(value / 100, "0.0%") if shown(Kind.PERCENT, value, zone) else NOTHING


def _flag(value: Any, _: ZoneInfo) -> Cell:  # noqa: ANN401
    return Cell(bool(value))


Maker: TypeAlias = Callable[[Any, ZoneInfo], Cell]
MAKERS: Mapping[Kind, Maker] = {
    Kind.TEXT: _text,
    Kind.COUNT: _count,
    Kind.DURATION: _duration,
    Kind.MOMENT: _moment,
    Kind.PERCENT: _percent,
    Kind.FLAG: _flag,
}


def cell(kind: Kind, value: Value, zone: ZoneInfo) -> Cell:
    """Return what stands in a spreadsheet for a value; an empty text for None."""
    return NOTHING if value is None else MAKERS[kind](value, zone)


def fitting(text: str) -> str:
    """Return a text as long as a cell can hold; what was cut ends in `…`."""
    if len(text) <= LONGEST_TEXT // 2:
        return text
    units = text.encode("utf-16-le")
    if len(units) <= 2 * LONGEST_TEXT:
        return text
    return units[: 2 * (LONGEST_TEXT - 1)].decode("utf-16-le", "ignore") + CUT


# Sheets


def sheet_names(title: str, reserved: frozenset[str] = RESERVED) -> Iterator[str]:
    """Yield names for sheets in turn: what they are called, as far as that can be a sheet's name."""
    base = printable(title).translate(_NOT_IN_NAMES).strip(" '")
    base = "Report" if base.lower() in reserved else base
    for number in count(1):
        ending = "" if number == 1 else f" ({number})"
        letters = 2 * (LONGEST_NAME - len(ending))
        yield base.encode("utf-16-le")[:letters].decode("utf-16-le", "ignore").rstrip(" '") + ending


def fill(book: Book, table: Table) -> None:
    """Write a report into a workbook. Raises ValueError where it has more columns than a sheet can have."""
    zone = zone_of(table)
    told = _Told()
    names = sheet_names(table.title)
    for part in parts(replace(table, sections=noted(table.sections, told.sections))):
        if len(part.columns) > book.most_columns:
            raise ValueError(f"{len(part.columns)} columns, of {book.most_columns} that a sheet can have")
        _write_part(book, part, names, zone, told)
    about = iter(_about(table, zone, told))
    for name, lines in zip(sheet_names(ABOUT, frozenset()), portions(about, book.most_rows), strict=False):
        book.add_sheet(name, ABOUT_WIDTHS)
        for number, line in enumerate(lines):
            _write_line(book, number, line)


def portions(rows: Iterator[_T], most: int) -> Iterator[Iterator[_T]]:
    """Yield `rows` in portions of at most so many, one of none where there are none; each is to be read in turn."""
    yield islice(rows, most)
    for first in rows:
        yield chain([first], islice(rows, most - 1))


def _write_part(book: Book, part: Part, names: Iterator[str], zone: ZoneInfo, told: _Told) -> None:
    before = ""
    makers = [MAKERS[column.kind] for column in part.columns]
    for rows in portions(part.rows, book.most_rows - 1):
        name = next(names)
        book.add_sheet(name, [_width(column) for column in part.columns])
        _write_line(book, 0, _Line([Cell(printable(column.title)) for column in part.columns], heading=True))
        for number, row in enumerate(rows, 1):
            cells = [NOTHING if value is None else make(value, zone) for make, value in zip(makers, row, strict=True)]
            if _write_line(book, number, _Line(cells)):
                told.cut += 1
                told.first_cut = told.first_cut or f"sheet {name}, row {number + 1}"
        if before:
            told.continued.append(f"The rows of sheet {before} go on in sheet {name}.")
        before = name


def _width(column: Column) -> int:
    return min(max(WIDTHS[column.kind], len(column.title) + 2), WIDEST)


def _write_line(book: Book, number: int, line: _Line) -> bool:
    """Write a line, and tell whether a text of it was cut."""
    cut = False
    for column, made in enumerate(line.cells):
        if made.value == "":
            continue
        if isinstance(made.value, str) and (fits := fitting(made.value)) is not made.value:
            made, cut = Cell(fits), True  # noqa: PLW2901
        book.write(number, column, made, heading=line.heading)
    return cut


# The last sheet


def _about(table: Table, zone: ZoneInfo, told: _Told) -> Iterator[_Line]:
    yield _Line([Cell(printable(table.title))], heading=True)
    for text in filter(None, (printable(table.subtitle), timeframe(table, zone))):
        yield _Line([Cell(text)])
    yield from _figures("Summary", table.summary, zone)
    for section in told.sections:
        yield from _figures(section.title, section.summary, zone)
    yield from _listed("Columns and figures", [(title, text) for title, text in definitions([table, *told.sections])])
    yield from _listed("Notes", [(note,) for note in _notes(told)])


def _figures(title: str, figures: Iterable[Figure], zone: ZoneInfo) -> Iterator[_Line]:
    lines = [_Line([Cell(printable(name)), cell(kind, value, zone)]) for name, kind, value, _ in figures]
    return _headed(title, lines)


def _listed(title: str, texts: Iterable[tuple[str, ...]]) -> Iterator[_Line]:
    return _headed(title, [_Line([Cell(printable(text)) for text in line]) for line in texts])


def _headed(title: str, lines: list[_Line]) -> Iterator[_Line]:
    if lines:
        yield _Line([])
        yield _Line([Cell(printable(title))], heading=True)
        yield from lines


def _notes(told: _Told) -> Iterator[str]:
    yield from told.continued
    if told.cut:
        yield f"Rows with a text that is longer than a cell can hold, which ends in {CUT}: {told.cut}."
        yield f"The first is on {told.first_cut}."
