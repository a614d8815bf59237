"""A report as XLS, the BIFF8 workbook of Excel 97 to 2003, by xlwt.

A sheet of that kind has 65,536 lines, its titles being one: what is more goes on in a further sheet, as the last one
tells. The workbook is made whole, in memory.
"""

import io
from collections.abc import Iterator
from contextlib import closing

import xlwt  # type: ignore[import-untyped]
from xlwt.BIFFRecords import SharedStringTable  # type: ignore[import-untyped]

from voxkeep.activity.report.sheets import Cell, fill
from voxkeep.activity.report.table import Table

RECORD_BYTES = 0x2020
"""Of texts in a record, as xlwt writes them."""
LEAST_BYTES = 7
"""What a text begins with: two bytes of length, one of options, a character of up to four."""
HIGH_HALVES = range(0xD8, 0xDC)
"""Second bytes (UTF-16LE) of a unit that is the first half of a character."""
LETTER_WIDTH = 256
"""xlwt counts the width of columns in 256ths of a letter."""
ROWS_A_FLUSH = 1000


class _Texts(SharedStringTable):  # type: ignore[misc]
    """All texts of a workbook, never cut within a character.

    Records hold 8 KB, so that texts go on from one to the next. xlwt cuts between any two units of UTF-16, even of one
    character, whose halves most readers then lose.
    """

    def _add_to_sst(self, s: str) -> None:
        # of a text's first character xlwt itself places one unit: the other must have room beside it
        if RECORD_BYTES - len(self._current_piece) < LEAST_BYTES:
            self._new_piece()
        super()._add_to_sst(s)

    def _save_splitted(self, s: bytes, is_unicode_str: bool) -> None:  # noqa: FBT001
        begin = 0
        while begin < len(s):
            free = RECORD_BYTES - len(self._current_piece)
            end = min(begin + free, len(s))
            if is_unicode_str and end < len(s):
                end -= (end - begin) % 2
                end -= 2 * (end > begin and s[end - 1] in HIGH_HALVES)
            self._current_piece += s[begin:end]
            begin = end
            if begin < len(s):
                self._new_piece()
                self._current_piece += b"\x01" if is_unicode_str else b"\x00"


class XlsBook:
    """A workbook as `sheets` fills it."""

    most_rows = 65_536
    most_columns = 256

    def __init__(self) -> None:
        self.book = xlwt.Workbook(encoding="utf-8")
        vars(self.book)["_Workbook__sst"] = _Texts(self.book.encoding)
        self._styles: dict[tuple[str, bool], xlwt.XFStyle] = {}
        self._sheets: list[xlwt.Worksheet] = []
        self._row = 0

    def add_sheet(self, name: str, widths: list[int]) -> None:
        """Begin a sheet whose first line stays in sight."""
        self._sheet = self.book.add_sheet(name)
        self._sheets.append(self._sheet)
        self._row = 0
        for number, width in enumerate(widths):
            self._sheet.col(number).width = width * LETTER_WIDTH
        self._sheet.set_panes_frozen(True)
        self._sheet.set_horz_split_pos(1)

    def write(self, row: int, column: int, cell: Cell, *, heading: bool) -> None:
        """Write a cell; a text is written as one, whatever it begins with."""
        if row >= self._row + ROWS_A_FLUSH:
            # rows that are done take far less memory in the form they are saved in
            self._sheet.flush_row_data()
            self._row = row
        self._sheet.write(row, column, cell.value, self._style(cell.number_format, heading))

    def _style(self, number_format: str, heading: bool) -> xlwt.XFStyle:  # noqa: FBT001
        if (number_format, heading) not in self._styles:
            style = xlwt.XFStyle()
            style.num_format_str = number_format
            style.font.bold = heading
            self._styles[number_format, heading] = style
        return self._styles[number_format, heading]

    def save(self) -> bytes:
        """Return the workbook."""
        made = io.BytesIO()
        self.book.save(made)
        return made.getvalue()

    def close(self) -> None:
        """Close the files of flushed rows, which xlwt leaves open."""
        for sheet in self._sheets:
            if sheet.row_tempfile:
                sheet.row_tempfile.close()


def chunks(table: Table) -> Iterator[bytes]:
    """Yield a report's XLS, whole."""
    with closing(XlsBook()) as book:
        fill(book, table)
        yield book.save()
