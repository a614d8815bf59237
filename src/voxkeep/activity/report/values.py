"""How each kind of value reads: for people, in CSV and in JSON.

Durations are shown as H:MM:SS, cut to whole seconds; moments in ISO 8601, local to the report's zone, with
milliseconds and offset; percents with one decimal. Only JSON gives durations and percents in full.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voxkeep.activity.report.table import Column, Kind, Row, Table, Value

HOUR_S, MINUTE_S = 3600, 60
UNPRINTABLE = "\ufffd"
"""Stands for what cannot be shown."""

Reading: TypeAlias = Callable[[Any, ZoneInfo], str]

_NEWLINES = re.compile("\r\n?")
_NO_TEXT = re.compile("[\ud800-\udfff]")
_NO_CHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
# what XML or HTML forbid: controls but for tab and newline, halves of characters, and what Unicode calls no character
_FORBIDDEN = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff{_NO_CHARACTERS}]")
# what makes a spreadsheet take a text for a formula, its full-width forms included
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?[0-9][0-9 ./()-]*", re.ASCII)


def zone_of(table: Table) -> ZoneInfo:
    """Return the zone that a table's moments are shown in; raises ValueError where nobody knows it."""
    try:
        return ZoneInfo(table.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"no such time zone: {table.zone!r}") from error


# Text


def encodable(text: str) -> str:
    """Return a text in which nothing is left that UTF-8 cannot carry (halves of characters)."""
    return _NO_TEXT.sub(UNPRINTABLE, text)


def printable(text: str) -> str:
    """Return a text as paper, pages and spreadsheets can show it: no controls but tab and newline."""
    if text.isprintable():
        return text
    return _FORBIDDEN.sub(UNPRINTABLE, _NEWLINES.sub("\n", text))


def harmless(text: str) -> str:
    """Return a free text so that no spreadsheet runs it as a formula: with an apostrophe before what might be one.

    Plain numbers, as `+49 30 1234`, are left as they are. A text that looks as if it had been guarded gets one more
    apostrophe, so that taking one away always gives back what was kept.
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


# Each kind


def duration(ms: float) -> str:
    """Return milliseconds as H:MM:SS, with as many hours as there are; a part of a second is cut off."""
    whole = int(abs(ms) // 1000)
    hours, rest = divmod(whole, HOUR_S)
    minutes, seconds = divmod(rest, MINUTE_S)
    return f"{'-' if ms < 0 < whole else ''}{hours}:{minutes:02}:{seconds:02}"


def moment(at: int, zone: ZoneInfo) -> str:
    """Return a moment as `2024-03-01T09:30:00.250+01:00`."""
    return local(at, zone).isoformat(timespec="milliseconds")


def local(at: int, zone: ZoneInfo) -> datetime:
    """Return a moment in a zone, exact to the millisecond."""
    seconds, ms = divmod(at, 1000)
    return datetime.fromtimestamp(seconds, zone).replace(microsecond=ms * 1000)


def _percent(value: float) -> str:
    return f"{value:.1f}" if math.isfinite(value) else ""


READ: Mapping[Kind, Reading] = {
    Kind.TEXT: lambda value, _: printable(value),
    Kind.COUNT: lambda value, _: format(value, "d"),
    Kind.DURATION: lambda value, _: duration(value),
    Kind.MOMENT: moment,
    Kind.PERCENT: lambda value, _: f"{_percent(value)}%" if math.isfinite(value) else "",
    Kind.FLAG: lambda value, _: "yes" if value else "no",
}
"""For people."""
CSV: Mapping[Kind, Reading] = {
    **READ,
    Kind.TEXT: lambda value, _: harmless(encodable(value)),
    Kind.PERCENT: lambda value, _: _percent(value),
    Kind.FLAG: lambda value, _: "true" if value else "false",
}
"""For programs that read text."""


def readers(columns: Iterable[Column], zone: ZoneInfo, readings: Mapping[Kind, Reading]) -> Callable[[Row], list[str]]:
    """Return what reads a row of these columns; it raises ValueError for a row that is too short or too long."""
    each = [readings[column.kind] for column in columns]

    def read(row: Row) -> list[str]:
        return ["" if value is None else reading(value, zone) for reading, value in zip(each, row, strict=True)]

    return read


def shown(kind: Kind, value: Value, zone: ZoneInfo) -> str:
    """Return one value for people."""
    return "" if value is None else READ[kind](value, zone)


def plain(kind: Kind, value: Value, zone: ZoneInfo) -> Value:
    """Return one value for JSON: moments as their text, all else as the number, flag or text that it is."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if kind is Kind.TEXT:
        return encodable(str(value))
    return moment(int(value), zone) if kind is Kind.MOMENT else value


def timeframe(table: Table, zone: ZoneInfo) -> str:
    """Return the time a report is about, for people; nothing where it has none."""
    bounds = [moment(at, zone) for at in (table.begin, table.end) if at is not None]
    return f"{' to '.join(bounds)} ({printable(table.zone)})" if bounds else ""
