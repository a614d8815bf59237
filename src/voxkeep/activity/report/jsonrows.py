"""A report as JSON: one object that tells title, timeframe and columns, then rows as objects, summary, and sections.

```
{
    "title": "...",
    "subtitle": "...",
    "timeframe": {"begin": "...", "end": "...", "zone": "..."},
    "columns": [{"key", "title", "kind", "definition"}],
    "rows": [{key: value}],
    "summary": {title: value},
    "sections": [{"title", "subtitle", "columns", "rows", "summary"}],
}
```
Durations are milliseconds, moments ISO 8601 with offset, percents 0 to 100 unrounded, flags true or false.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from zoneinfo import ZoneInfo

import msgspec

from voxkeep.activity.report.table import Column, Row, Section, Table, Value
from voxkeep.activity.report.values import encodable, moment, plain, zone_of

ROWS_A_CHUNK = 1000
_encode = msgspec.json.Encoder().encode


class JsonWriter:
    """One table or section, piece by piece: `head`, any number of `rows`, `foot`, then the closing brace."""

    def __init__(self, section: Section, zone: ZoneInfo) -> None:
        self._section = section
        self._zone = zone
        self._columns = [(encodable(column.key), column.kind) for column in section.columns]
        self._begun = False

    def head(self) -> bytes:
        """Return what stands before the rows."""
        told: dict[str, object] = {
            "title": encodable(self._section.title),
            "subtitle": encodable(self._section.subtitle),
        }
        if isinstance(self._section, Table):
            told["timeframe"] = self._timeframe(self._section)
        told["columns"] = [_column(column) for column in self._section.columns]
        return _encode(told)[:-1] + b',"rows":['

    def _timeframe(self, table: Table) -> dict[str, str | None]:
        begin, end = (None if at is None else moment(at, self._zone) for at in (table.begin, table.end))
        return {"begin": begin, "end": end, "zone": encodable(table.zone)}

    def rows(self, rows: Iterable[Row]) -> bytes:
        """Return some rows; raises ValueError for one that does not fit the columns."""
        encoded = _encode([self._object(row) for row in rows])[1:-1]
        if not encoded:
            return b""
        begun, self._begun = self._begun, True
        return b"," + encoded if begun else encoded

    def _object(self, row: Row) -> dict[str, Value]:
        return {key: plain(kind, value, self._zone) for (key, kind), value in zip(self._columns, row, strict=True)}

    def foot(self) -> bytes:
        """Return what stands after the rows, without the brace that closes it all."""
        figures = {
            encodable(figure.title): plain(figure.kind, figure.value, self._zone) for figure in self._section.summary
        }
        return b'],"summary":' + _encode(figures)


def _column(column: Column) -> dict[str, str]:
    told = {"key": column.key, "title": column.title, "kind": column.kind.value, "definition": column.definition}
    return {name: encodable(text) for name, text in told.items()}


def chunks(table: Table) -> Iterator[bytes]:
    """Yield a report's JSON, a thousand rows at a time."""
    zone = zone_of(table)
    yield from _section(table, zone)
    yield b',"sections":['
    for number, section in enumerate(table.sections):
        yield b"," if number else b""
        yield from _section(section, zone)
        yield b"}"
    yield b"]}"


def _section(section: Section, zone: ZoneInfo) -> Iterator[bytes]:
    writer = JsonWriter(section, zone)
    yield writer.head()
    rows = iter(section.rows)
    while some := list(islice(rows, ROWS_A_CHUNK)):
        yield writer.rows(some)
    yield writer.foot()
