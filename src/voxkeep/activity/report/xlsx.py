"""A report as XLSX (Office Open XML), by xlsxwriter: rows are written to disk as they come, so memory stays flat.

A sheet has 1,048,576 lines, its titles being one: what is more goes on in a further sheet, as the last one tells.
"""

import io
from collections.abc import Iterator
from contextlib import closing

import xlsxwriter  # type: ignore[import-untyped]

from voxkeep.activity.report.sheets import Cell, fill
from voxkeep.activity.report.table import Table

OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
    "nan_inf_to_errors": False,
}


class XlsxBook:
    """A workbook as `sheets` fills it."""

    most_rows = 1_048_576
    most_columns = 16_384

    def __init__(self, made: io.BytesIO) -> None:
        self.book = xlsxwriter.Workbook(made, OPTIONS)
        self._styles: dict[tuple[str, bool], xlsxwriter.format.Format] = {}

    def add_sheet(self, name: str, widths: list[int]) -> None:
        """Begin a sheet whose first line stays in sight."""
        self._sheet = self.book.add_worksheet(name)
        for number, width in enumerate(widths):
            self._sheet.set_column(number, number, width)
        self._sheet.freeze_panes(1, 0)

    def write(self, row: int, column: int, cell: Cell, *, heading: bool) -> None:
        """Write a cell; a text is written as one, whatever it begins with."""
        value, style = cell.value, self._style(cell.number_format, heading)
        if isinstance(value, str):
            self._sheet.write_string(row, column, value, style)
        elif isinstance(value, bool):
            self._sheet.write_boolean(row, column, value, style)
        else:
            self._sheet.write_number(row, column, value, style)

    def _style(self, number_format: str, heading: bool) -> xlsxwriter.format.Format:  # noqa: FBT001
        if (number_format, heading) not in self._styles:
            self._styles[number_format, heading] = self.book.add_format({"num_format": number_format, "bold": heading})
        return self._styles[number_format, heading]


def chunks(table: Table) -> Iterator[bytes]:
    """Yield a report's XLSX, whole."""
    made = io.BytesIO()
    # closing also removes the files that rows wait in, of a report that failed too
    book = XlsxBook(made)
    with closing(book.book):
        fill(book, table)
    yield made.getvalue()
