"""A report as PDF: landscape pages of A4, the titles of the columns on every page, pages counted.

Its widths are fitted to the first rows of each table. A text that is wider than its column goes on in the next line, a
row that is higher than the page on the next one. 1,000 rows take some tenths of a second.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from zoneinfo import ZoneInfo

from voxkeep.activity.report.paper import (
    GREY,
    LEADING,
    MOST_TITLE_LINES,
    PADDING,
    ROOM,
    ROW_GAP,
    SIZE,
    Grid,
    Paper,
    alphabet,
    shares,
    wrap,
)
from voxkeep.activity.report.table import MEASURES, Column, Figure, Section, Table, definitions, noted
from voxkeep.activity.report.values import READ, UNPRINTABLE, printable, readers, shown, timeframe, zone_of

TITLE_SIZE, HEADING_SIZE, TEXT_SIZE = 16.0, 11.0, 9.0
MEASURED_ROWS = 1000
SPARE = 1.2
"""What a column may be wider than its widest measured value, where there is room."""
BOLD = 1.0
"""What the outline of a title adds to its width."""
FIGURE_GAP = "     "
MOST_TOLD = 20
"""Characters without a shape that are told one by one."""


def chunks(table: Table) -> Iterator[bytes]:
    """Yield a report's PDF, whole."""
    zone = zone_of(table)
    paper = Paper(printable(table.title))
    seen: list[Section] = [table]
    paper.line(printable(table.title), TITLE_SIZE, bold=True)
    for text in filter(None, (printable(table.subtitle), timeframe(table, zone))):
        paper.line(text, TEXT_SIZE, grey=GREY)
    _summary(paper, table.summary, zone)
    _grid(paper, table, zone)
    for section in noted(table.sections, seen):
        _section(paper, section, zone)
    _legend(paper, seen)
    yield paper.finish()


def _section(paper: Paper, section: Section, zone: ZoneInfo) -> None:
    paper.space(LEADING)
    paper.keep(HEADING_SIZE * 1.3 + 3 * LEADING)
    paper.line(printable(section.title), HEADING_SIZE, bold=True)
    if section.subtitle:
        paper.line(printable(section.subtitle), TEXT_SIZE, grey=GREY)
    _summary(paper, section.summary, zone)
    _grid(paper, section, zone)


def _summary(paper: Paper, figures: Sequence[Figure], zone: ZoneInfo) -> None:
    if figures:
        told = [f"{printable(title)}: {shown(kind, value, zone)}" for title, kind, value, _ in figures]
        paper.line(FIGURE_GAP.join(told), TEXT_SIZE)


def _grid(paper: Paper, section: Section, zone: ZoneInfo) -> None:
    if not section.columns:
        return
    read = readers(section.columns, zone, READ)
    rows = ([paper.shapes(text) for text in read(row)] for row in section.rows)
    first = list(islice(rows, MEASURED_ROWS))
    grid = _fitted([paper.shapes(printable(column.title)) for column in section.columns], first, section.columns)
    rooms = [width - 2 * PADDING for width in grid.widths]
    paper.space(ROW_GAP)
    paper.grid(grid)
    for texts in chain(first, rows):
        paper.row([wrap(text, room) for text, room in zip(texts, rooms, strict=True)])


def _fitted(titles: list[str], rows: list[list[str]], columns: Sequence[Column]) -> Grid:
    """Give values their room first; what is left goes to titles in one line, and to values yet to come."""
    needed = [_needed(title, [row[number] for row in rows]) for number, title in enumerate(titles)]
    wished = [
        max(_wide(title) + BOLD + 2 * PADDING, need * SPARE) - need for title, need in zip(titles, needed, strict=True)
    ]
    given = shares(needed, ROOM)
    more = shares(wished, max(ROOM - sum(given), 0.0))
    widths = [width + plus for width, plus in zip(given, more, strict=True)]
    return Grid(
        titles=[_short(wrap(title, width - 2 * PADDING)) for title, width in zip(titles, widths, strict=True)],
        widths=widths,
        right=[column.kind in MEASURES for column in columns],
    )


def _needed(title: str, texts: list[str]) -> float:
    """Return the width of a column's widest value, or of the longest word of its title."""
    values = max((_wide(line) for text in texts for line in text.split("\n")), default=0.0)
    words = max(map(_wide, title.split()), default=0.0)
    return max(values, words + BOLD) + 2 * PADDING


def _wide(text: str) -> float:
    return alphabet().width(text.replace("\n", " "), SIZE)


def _short(lines: list[str]) -> list[str]:
    return lines if len(lines) <= MOST_TITLE_LINES else [*lines[: MOST_TITLE_LINES - 1], "…"]


def _legend(paper: Paper, seen: Sequence[Section]) -> None:
    meanings = definitions(seen)
    if meanings:
        paper.space(LEADING)
        paper.keep(HEADING_SIZE * 1.3 + 2 * LEADING)
        paper.line("What the columns and figures mean", HEADING_SIZE, bold=True)
    for title, text in meanings:
        paper.line(f"{printable(title)}: {printable(text)}")
    if paper.unknown:
        codes = [f"U+{ord(letter):04X}" for letter in paper.unknown]
        more = f" and {len(codes) - MOST_TOLD} more" if len(codes) > MOST_TOLD else ""
        paper.space(LEADING)
        paper.line(
            f"{UNPRINTABLE} stands for characters that cannot be shown here: {', '.join(codes[:MOST_TOLD])}{more}."
        )
