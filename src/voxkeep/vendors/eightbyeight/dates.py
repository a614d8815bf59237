"""The dates in 8x8's queries: `d`, `start-date`, `finish-date` and `tz` (seed 003: Dates, Keep in Mind).

```
d      = value [ "," value ]                          a day, 24 hours, or a range whose end is left out of it
value  = time | "today" [ "-" N "d" ]                 also all that start-date and finish-date take
time   = date [ ("T" | "t" | " ") clock [ offset ] ]
date   = YYYY-MM-DD | YYYYMMDD
clock  = hh:mm[:ss[.f...]] | hhmm[ss[.f...]]          either clock may follow either date
offset = "Z" | "z" | [" "] ("+" | "-" | " ") hh[[:]mm]   a raw "+" arrives as a space
```
Spaces around a value are dropped, parts of a second too. A time without an offset is in the zone: `tz`, else the
tenant's. A date alone is its midnight there, and so are `today` and the N-th day before it.

`d=A` is the day A, or from a time A to the same clock time on the next day; with an offset that is 24 hours. `d=A,A`
with the same date alone at both ends is that day, where any other range begins at A and ends before B.
Days are counted in the calendar, so one on which clocks change has 23 or 25 hours, and one that a zone left out has
none. A clock time that is skipped moves forward by what was skipped, of one that comes twice the first is taken.

Knows no recordings: times in and out are whole seconds since 1970, as shown. What is compared with an interval is a
start without its part of a second, or that shown start plus the duration without its part of a second.
"""

import re
import zoneinfo
from functools import lru_cache

import whenever
from msgspec import Struct
from whenever import Instant, PlainDateTime, Time

from voxkeep.archive import units
from voxkeep.web.errors import BadRequestError

TIME = re.compile(
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"(?P<clock>[Tt ](?P<hour>\d\d)(?P<colon>:?)(?P<minute>\d\d)(?:(?P=colon)(?P<second>\d\d)(?:\.\d+)?)?"
    r"(?:(?P<utc>[Zz])| ?(?P<sign>[-+ ])(?P<hours>[01]\d|2[0-3])(?::?(?P<minutes>[0-5]\d))?)?)?",
    re.ASCII,
)
TODAY = re.compile(r"today(?:-0*(?P<days>\d{1,5})d)?", re.ASCII)
"""Five digits of days lead out of the years below from any of them; more are no date."""

EARLIEST = 0
LATEST = units.LATEST // 1000
NEARBY_S = 5
"""How far a start or finish may lie from the date that is asked for, both ways (seed 003: Keep in Mind)."""


class Interval(Struct, frozen=True):
    """Seconds since 1970, from `first` up to but without `end`."""

    first: int
    end: int


class _Value(Struct, frozen=True):
    """One written value: a clock's time and how many seconds it is ahead of UTC, None for as many as the zone is."""

    wall: PlainDateTime
    offset_s: int | None
    whole_day: bool


def zone_of(text: str, parameter: str = "tz") -> str:
    """Return `text` if it is exactly a name in the tz database. Raises BadRequestError naming `parameter`."""
    # no name has a space: a raw "+" (Etc/GMT+5) arrives as one
    name = text.replace(" ", "+")
    if name not in _zones():
        raise BadRequestError(f"{parameter} is not the name of a time zone, such as America/New_York", parameter)
    return name


def interval(text: str, zone: str, now: int) -> Interval:
    """Return the interval that a decoded `d` names, read in `zone` at the second `now`. Raises BadRequestError."""
    parts = text.split(",", 2)
    if len(parts) > 2:  # noqa: PLR2004 -- a range has two ends
        raise BadRequestError("d is one date, or two with a comma between them", "d")
    start, *ends = [_value(part, "d", zone, now) for part in parts]
    first = _seconds(start, "d", zone, LATEST - 1)
    if not ends or (start.whole_day and ends[0] == start):
        ends = [_Value(start.wall.add(days=1), start.offset_s, start.whole_day)]
    end = _seconds(ends[0], "d", zone, LATEST)
    if end < first:
        raise BadRequestError("d is a range that ends before it begins", "d")
    return Interval(first, end)


def moment(text: str, parameter: str, zone: str, now: int) -> int:
    """Return the second that a decoded `start-date` or `finish-date` names. Raises BadRequestError naming it."""
    if "," in text:
        raise BadRequestError(f"{parameter} is one date, a range is asked for with d", parameter)
    return _seconds(_value(text, parameter, zone, now), parameter, zone, LATEST - 1)


def around(moment: int) -> Interval:
    """Return the seconds that are near enough to `moment`: five on either side, both included."""
    return Interval(moment - NEARBY_S, moment + NEARBY_S + 1)


def iso_utc(seconds: int) -> str:
    """Return a moment as an answer's header shows it: 2007-08-05T04:00:00Z."""
    return Instant.from_timestamp(seconds).format_iso()


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    # dates are read with whenever and written with zoneinfo; "localtime" is no zone's name, and only one lists it
    return frozenset(zoneinfo.available_timezones() & whenever.available_timezones())


def _value(text: str, parameter: str, zone: str, now: int) -> _Value:
    text = text.strip()
    relative = TODAY.fullmatch(text)
    if relative is not None:
        today = Instant.from_timestamp(now).to_tz(zone).date()
        return _Value(today.subtract(days=int(relative["days"] or 0)).at(Time()), None, whole_day=True)
    match = TIME.fullmatch(text)
    if match is None:
        raise BadRequestError(f"{parameter} is not a date, a date and time, today or today-Nd", parameter)
    try:
        wall = PlainDateTime(*[int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")])
    except ValueError:
        raise BadRequestError(f"{parameter} is not a date and time that exists", parameter) from None
    return _Value(wall, _offset(match), whole_day=match["clock"] is None)


def _offset(match: re.Match[str]) -> int | None:
    if match["utc"]:
        return 0
    if match["sign"] is None:
        return None
    ahead = int(match["hours"]) * 3600 + int(match["minutes"] or 0) * 60
    return -ahead if match["sign"] == "-" else ahead


def _seconds(value: _Value, parameter: str, zone: str, latest: int) -> int:
    """Return the second that `value` names, from 1970 to `latest`. Raises BadRequestError naming `parameter`."""
    try:
        if value.offset_s is None:
            seconds = value.wall.assume_tz(zone, disambiguation="compatible").timestamp()
        else:
            seconds = value.wall.assume_utc().timestamp() - value.offset_s
    except ValueError:  # the first and the last day of the calendar have no instant in every zone
        seconds = EARLIEST - 1
    if not EARLIEST <= seconds <= latest:
        raise BadRequestError(f"{parameter} reaches outside the years 1970 to 2199", parameter)
    return seconds
