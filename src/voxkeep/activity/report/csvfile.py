"""A report as CSV (RFC 4180): a line of titles and a line a row, in UTF-8.

There is no byte order mark: programs ask for CSV, and most take the mark for a part of the first title; for
spreadsheets there are files of their own. The summary is left out, so that no total is added up twice. Where a report
has rows of its own and sections too, or sections of different columns, an empty line stands between their tables.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from zoneinfo import ZoneInfo

from voxkeep.activity.report.table import Column, Row, Table, parts
from voxkeep.activity.report.values import CSV, encodable, harmless, readers, zone_of

ROWS_A_CHUNK = 1000
NEWLINE = b"\r\n"


class CsvWriter:
    """One table, piece by piece, for whoever gets its rows piece by piece."""

    def __init__(self, columns: tuple[Column, ...], zone: ZoneInfo) -> None:
        self._columns = columns
        self._read = readers(columns, zone, CSV)

    def head(self) -> bytes:
        """Return the line of titles."""
        return _lines([[harmless(encodable(column.title)) for column in self._columns]])

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Return the lines of some rows; raises ValueError for one that does not fit the columns."""
        return _lines(map(self._read, rows))


def _lines(lines: Iterable[list[str]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=NEWLINE.decode()).writerows(lines)
    return buffer.getvalue().encode()


def chunks(table: Table) -> Iterator[bytes]:
    """Yield a report's CSV, a thousand rows at a time."""
    zone = zone_of(table)
    gap = b""
    for part in parts(table):
        writer = CsvWriter(part.columns, zone)
        yield gap + writer.head()
        while some := list(islice(part.rows, ROWS_A_CHUNK)):
            yield writer.rows(some)
        gap = NEWLINE
