"""The times in Xima's queries: ISO 8601, as clients really send them (reference D28).

```
time   = date [ ("T" | "t" | " ") clock [ zone ] ]
date   = YYYY-MM-DD | YYYYMMDD
clock  = hh:mm[:ss[.f...]] | hhmm[ss[.f...]]
zone   = "Z" | "z" | ("+" | "-" | " ") hh[[:]mm]      a raw "+" arrives as a space
```
Spaces around it are dropped (Xima's own printed example has one). A time without a zone is in the tenant's zone, a
date alone is its midnight there. Where clocks change such a time may name two moments: a range takes in both.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

from whenever import PlainDateTime

from voxkeep.archive.units import LATEST, EpochMs
from voxkeep.web.errors import BadRequestError

TIME = re.compile(
    r"(?P<year>\d{4})(?P<dash>-?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"(?:[Tt ](?P<hour>\d\d)(?P<colon>:?)(?P<minute>\d\d)"
    r"(?:(?P=colon)(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>[Zz]| ?[-+ ]\d\d(?::?\d\d)?)?)?",
    re.ASCII,
)
EARLIEST = EpochMs(0)
NANOS_PER_MS = 1_000_000


def parse(text: str, parameter: str, zone: str | None, *, starts: bool = False) -> EpochMs:
    """Return the moment that `text` names, as a range's end, or as its start when it `starts` one.

    A part of a millisecond is rounded inwards; of two moments a start is the earlier, an end the later. `zone` is for
    a time without one; None when there is no single tenant's zone to take. Raises BadRequestError naming `parameter`.
    """
    match = TIME.fullmatch(text.strip())
    if match is None:
        raise BadRequestError(f"{parameter} is not an ISO 8601 date and time", parameter)
    try:
        seconds = _seconds(match, zone, starts=starts)
    except (ValueError, OverflowError):
        raise BadRequestError(f"{parameter} is not a date and time that exists", parameter) from None
    if seconds is None:
        raise BadRequestError(f"{parameter} needs a zone: the token's tenants lie in several", parameter)
    nanos = int((match["fraction"] or "0").ljust(9, "0"))
    ms, rest = divmod(nanos, NANOS_PER_MS)
    moment = EpochMs(seconds * 1000 + ms + (1 if starts and rest else 0))
    if not EARLIEST <= moment < LATEST:
        raise BadRequestError(f"{parameter} lies outside the years 1970 to 2199", parameter)
    return moment


def _seconds(match: re.Match[str], zone: str | None, *, starts: bool) -> int | None:
    fields = [int(match[name] or 0) for name in ("year", "month", "day", "hour", "minute", "second")]
    offset = match["zone"]
    if offset is not None:
        return int(datetime(*fields, tzinfo=_offset(offset)).timestamp())  # type: ignore[arg-type,misc]
    if zone is None:
        return None
    return PlainDateTime(*fields).assume_tz(zone, disambiguation="earlier" if starts else "later").timestamp()


def _offset(text: str) -> timezone:
    if text in "Zz":
        return UTC
    digits = text.lstrip(" +-").replace(":", "")
    hours, minutes = int(digits[:2]), int(digits[2:] or 0)
    if minutes > 59:  # noqa: PLR2004 -- minutes of an hour
        raise ValueError("no such offset")
    sign = -1 if "-" in text else 1
    return timezone(sign * timedelta(hours=hours, minutes=minutes))
