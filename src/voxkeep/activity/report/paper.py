"""Landscape pages with lines and rows of a table on them, drawn straight by reportlab's canvas.

The font is Noto Sans (a PyPI package brings it): Latin, Greek and Cyrillic. What it has no shape for is shown as one
sign, and remembered. Lengths are in points, 72 an inch.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from threading import Lock
from typing import NamedTuple

import fontpkg  # type: ignore[import-untyped]
from reportlab.lib.pagesizes import A4, landscape
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.pdfgen.textobject import PDFTextObject

from voxkeep.activity.report.values import UNPRINTABLE

FONT = "VoxkeepSans"
FAMILY = "Noto Sans"
PAGE_WIDTH, PAGE_HEIGHT = landscape(A4)
MARGIN = 36.0
ROOM = PAGE_WIDTH - 2 * MARGIN
"""What is left for a line, or for all columns of a table."""
LOWEST = MARGIN + 14.0
"""Below it stands the foot of the page."""
SIZE, LEADING = 8.0, 10.0
"""Of a table's text."""
FOOT_SIZE = 7.0
PADDING = 4.0
"""On either side of a cell's text."""
ROW_GAP = 3.0
EPSILON = 0.01
"""Sums of widths that are the same in theory differ by less."""
BOLD_STROKE = 0.25
"""The font comes in one weight: bold text is drawn with an outline of this width."""
MOST_TITLE_LINES = 6
"""Of a column's title: the titles stand on every page and must leave room for rows."""
GREY, RULE, SHADE = 0.38, 0.8, 0.94
TOTAL = "total"
"""The form that stands for the number of pages, which is known at the end."""
_saving = Lock()


class Alphabet(NamedTuple):
    """The characters that the font has, with their widths in thousandths of the size."""

    widths: Mapping[str, float]
    known: frozenset[str]

    def width(self, text: str, size: float) -> float:
        """Return how wide a text is that has only known characters."""
        return sum([self.widths[letter] for letter in text]) * size / 1000


@cache
def alphabet() -> Alphabet:
    """Load the font, once, and return what it has."""
    font = TTFont(FONT, str(fontpkg.path(FAMILY)))
    pdfmetrics.registerFont(font)
    widths = {chr(code): font.face.getCharWidth(code) for code in font.face.charToGlyph}  # type: ignore[no-untyped-call]
    return Alphabet(widths, frozenset(widths))


def wrap(text: str, width: float, size: float = SIZE) -> list[str]:
    """Return a text's lines of at most this width: cut between words, or within one where it is too long."""
    lines: list[str] = []
    for line in text.split("\n"):
        if alphabet().width(line, size) <= width + EPSILON:
            lines.append(line)
        else:
            lines.extend(_broken(line, (width + EPSILON) * 1000 / size))
    return lines


def _broken(text: str, room: float) -> Iterator[str]:
    """Yield the lines of a text; `room` is in thousandths of the size. A line has one letter at least."""
    widths = alphabet().widths
    start, space, used, place = 0, -1, 0.0, 0
    while place < len(text):
        if text[place] == " ":
            space = place
        if used + widths[text[place]] > room and place > start:
            end = space if space > start else place
            yield text[start:end]
            start = end + 1 if space > start else end
            space, place = -1, max(place, start)
            used = sum([widths[letter] for letter in text[start:place]])
        else:
            used += widths[text[place]]
            place += 1
    yield text[start:]


def shares(wanted: Sequence[float], room: float) -> list[float]:
    """Return widths that fit in `room`: what is narrower than a fair share keeps its own, the rest share what is left.

    The order of the columns makes no difference.
    """
    left, waiting = room, len(wanted)
    given = dict.fromkeys(range(len(wanted)), 0.0)
    for number in sorted(given, key=lambda one: wanted[one]):
        given[number] = min(wanted[number], left / waiting)
        left -= given[number]
        waiting -= 1
    return [given[number] for number in range(len(wanted))]


class Grid(NamedTuple):
    """A table's columns: the lines of their titles, their widths, and which stand to the right."""

    titles: list[list[str]]
    widths: list[float]
    right: list[bool]


class Paper:
    """The pages of one document, filled from top to bottom."""

    def __init__(self, title: str) -> None:
        self._alphabet = alphabet()
        self.unknown: dict[str, None] = {}
        """Characters that were met and have no shape."""
        self._made = io.BytesIO()
        # without the time and a random id the same report is the same bytes
        size = (PAGE_WIDTH, PAGE_HEIGHT)
        self._canvas = Canvas(self._made, pagesize=size, pageCompression=1, invariant=1, initialFontName=FONT)  # type: ignore[arg-type]
        self._canvas.setTitle(title)
        self._canvas.setCreator("Voxkeep")
        self._title = wrap(self.shapes(title).replace("\n", " "), ROOM * 0.8, FOOT_SIZE)[0]
        self._pages = 0
        self._grid: Grid | None = None
        self._begin_page()

    def shapes(self, text: str) -> str:
        """Return a text of characters that the font has."""
        if self._alphabet.known.issuperset(text):
            return text
        text = text.replace("\t", "    ")
        missing = set(text) - self._alphabet.known - {"\n"}
        self.unknown.update(dict.fromkeys(sorted(missing)))
        return text.translate(dict.fromkeys(map(ord, missing), UNPRINTABLE))

    # Pages

    def _begin_page(self) -> None:
        self._pages += 1
        self._y = PAGE_HEIGHT - MARGIN
        self._text = self._begin_text()

    def _begin_text(self) -> PDFTextObject:
        text = self._canvas.beginText()
        text.setFont(FONT, SIZE, LEADING)
        return text

    def _end_page(self) -> None:
        self._canvas.drawText(self._text)
        foot = self._canvas.beginText(MARGIN, MARGIN)
        foot.setFont(FONT, FOOT_SIZE)
        foot.setFillGray(GREY)
        foot.textOut(self._title)
        page = f"Page {self._pages} of "
        # room is left for the widest number of pages: the total is set in its own form, at the end
        left = PAGE_WIDTH - MARGIN - self._alphabet.width(page + "00000", FOOT_SIZE)
        foot.setTextOrigin(left, MARGIN)
        foot.textOut(page)
        self._canvas.drawText(foot)
        self._canvas.saveState()
        self._canvas.translate(left + self._alphabet.width(page, FOOT_SIZE), MARGIN)
        self._canvas.doForm(TOTAL)
        self._canvas.restoreState()
        self._canvas.showPage()

    def _new_page(self) -> None:
        self._end_page()
        self._begin_page()
        if self._grid is not None:
            self._draw_titles(self._grid)

    def finish(self) -> bytes:
        """Return the document."""
        self._end_page()
        self._canvas.beginForm(TOTAL, 0, -5, 100, 20)
        total = self._canvas.beginText(0, 0)
        total.setFont(FONT, FOOT_SIZE)
        total.setFillGray(GREY)
        total.textOut(str(self._pages))
        self._canvas.drawText(total)
        self._canvas.endForm()
        # the font's file is read anew for its subset, at a place that all documents share
        with _saving:
            self._canvas.save()
        return self._made.getvalue()

    # Lines

    def space(self, points: float) -> None:
        """Leave some room."""
        self._y -= points

    def keep(self, points: float) -> None:
        """Begin a new page where less than this is left."""
        if self._y - points < LOWEST:
            self._new_page()

    def line(
        self, text: str, size: float = SIZE, *, bold: bool = False, grey: float = 0.0, indent: float = 0.0
    ) -> None:
        """Draw a text over the whole width, in as many lines as it needs."""
        self._grid = None
        for one in wrap(self.shapes(text), ROOM - indent, size):
            self.keep(size * 1.3)
            self._y -= size * 1.3
            self._text.setFont(FONT, size, LEADING)
            self._text.setFillGray(grey)
            self._embolden(bold)
            self._text.setTextOrigin(MARGIN + indent, self._y)
            self._text.textOut(one)
        self._text.setFont(FONT, SIZE, LEADING)
        self._text.setFillGray(0)
        self._embolden(False)

    def _embolden(self, bold: bool) -> None:  # noqa: FBT001
        self._text.setTextRenderMode(2 if bold else 0)

    # Tables

    def grid(self, grid: Grid) -> None:
        """Begin a table: its titles stand here, and again on every page that it goes on on."""
        self.keep(self._height(grid.titles) + LEADING + ROW_GAP)
        self._grid = grid
        self._draw_titles(grid)

    @staticmethod
    def _height(cells: list[list[str]]) -> float:
        return max(map(len, cells)) * LEADING + ROW_GAP

    def _draw_titles(self, grid: Grid) -> None:
        height = self._height(grid.titles)
        self._canvas.setFillGray(SHADE)
        self._canvas.rect(MARGIN, self._y - height, sum(grid.widths), height, stroke=0, fill=1)
        self._canvas.setFillGray(0)
        self._canvas.setLineWidth(BOLD_STROKE)
        self._embolden(True)
        self._draw(grid, grid.titles, height)
        self._embolden(False)

    def row(self, cells: list[list[str]]) -> None:
        """Draw a row of the table that was begun last: the lines of each cell."""
        grid = self._grid
        assert grid is not None, "a row without a table"  # noqa: S101
        while cells:
            lines = max(map(len, cells))
            fit = int((self._y - LOWEST - ROW_GAP) // LEADING)
            page = int((PAGE_HEIGHT - MARGIN - LOWEST - self._height(grid.titles) - ROW_GAP) // LEADING)
            if fit < 1 or (fit < lines <= page):
                self._new_page()
                continue
            part = [cell[:fit] for cell in cells]
            self._draw(grid, part, self._height(part))
            cells = [cell[fit:] for cell in cells] if lines > fit else []

    def _draw(self, grid: Grid, cells: list[list[str]], height: float) -> None:
        left, text = MARGIN, self._text
        for lines, width, right in zip(cells, grid.widths, grid.right, strict=True):
            y = self._y - LEADING
            for line in lines:
                shift = width - PADDING - self._alphabet.width(line, SIZE) if right else PADDING
                text.setTextOrigin(left + shift, y)
                text.textOut(line)
                y -= LEADING
            left += width
        self._y -= height
        self._canvas.setStrokeGray(RULE)
        self._canvas.setLineWidth(BOLD_STROKE)
        self._canvas.line(MARGIN, self._y, left, self._y)
        self._canvas.setStrokeGray(0)
