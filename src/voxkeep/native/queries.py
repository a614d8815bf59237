"""What is asked of our own API: query parameters, each at most once; times, limits and cursors.

```
moment = ISO 8601 date and time with "Z" or an offset | milliseconds since 1970-01-01T00:00Z
limit  = 1 to 500
cursor = base64url of a message's number, 8 bytes        what `next` of a page says
```
"""

import base64
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

from msgspec import Struct
from whenever import Instant

from voxkeep.access.audit import LONGEST_TEXT
from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import LATEST, EpochMs
from voxkeep.web.errors import BadRequestError

QUESTION, TENANT, FROM, TO, LIMIT, BEFORE = "q", "tenant", "from", "to", "limit", "before"
DEFAULT_LIMIT, MOST = 50, 500
NANOS_PER_MS = 1_000_000
DIGITS = re.compile(r"\d{1,18}", re.ASCII)
PLUS_AS_SPACE = re.compile(r" (?=\d\d(?::?\d\d)?$)", re.ASCII)
"""Where a raw `+` before an offset arrived as a space."""
CURSOR = re.compile(r"[A-Za-z0-9_-]{11}", re.ASCII)
CURSOR_BYTES = 8
LARGEST_NUMBER = (1 << 63) - 1


class Asked(Struct, frozen=True):
    """What a search asks for."""

    question: str
    times: TimeRange | None
    limit: int
    before: int | None
    """The number of the last message seen: what follows has lower ones."""


def parameters(query: bytes) -> dict[str, str]:
    """Return the parameters of a query string. Raises BadRequestError for one of ours that is given twice."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=None):
        if name in found and name in (QUESTION, TENANT, FROM, TO, LIMIT, BEFORE):
            raise BadRequestError(f"{name} is given more than once", name)
        found[name] = value
    return found


def asked_of(given: Mapping[str, str]) -> Asked:
    """Return what a search asks for. Raises BadRequestError naming the parameter at fault."""
    return Asked(
        _question(given.get(QUESTION, "")), _times(given), _limit(given.get(LIMIT)), _before(given.get(BEFORE))
    )


def _question(text: str) -> str:
    if not text.strip():
        raise BadRequestError(f"{QUESTION} is required", QUESTION)
    if len(text) > LONGEST_TEXT:  # the trail has to tell all of it
        raise BadRequestError(f"{QUESTION} is longer than {LONGEST_TEXT} characters", QUESTION)
    return text


def _times(given: Mapping[str, str]) -> TimeRange | None:
    if FROM not in given and TO not in given:
        return None
    first = moment(given[FROM], FROM, starts=True) if FROM in given else EpochMs(0)
    last = moment(given[TO], TO) if TO in given else EpochMs(LATEST - 1)
    if last < first:
        raise BadRequestError(f"{TO} lies before {FROM}", TO)
    return TimeRange(first, last)


def moment(text: str, parameter: str, *, starts: bool = False) -> EpochMs:
    """Return the moment that `text` names; a part of a millisecond is rounded inwards, up where a range `starts`.

    Raises BadRequestError naming `parameter`.
    """
    text = text.strip()
    at = int(text) if DIGITS.fullmatch(text) else _iso(PLUS_AS_SPACE.sub("+", text), parameter, starts=starts)
    if not 0 <= at < LATEST:
        raise BadRequestError(f"{parameter} lies outside the years 1970 to 2199", parameter)
    return EpochMs(at)


def _iso(text: str, parameter: str, *, starts: bool) -> int:
    try:
        nanos = Instant.parse_iso(text).timestamp(unit="nanosecond")
    except ValueError:
        raise BadRequestError(
            f"{parameter} is neither an ISO 8601 date and time with an offset nor milliseconds since 1970", parameter
        ) from None
    return -(-nanos // NANOS_PER_MS) if starts else nanos // NANOS_PER_MS


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not DIGITS.fullmatch(text) or not 1 <= int(text) <= MOST:
        raise BadRequestError(f"{LIMIT} is a number from 1 to {MOST}", LIMIT)
    return int(text)


def cursor(number: int) -> str:
    """Return what leads to the messages with lower numbers than this."""
    return base64.urlsafe_b64encode(number.to_bytes(CURSOR_BYTES)).rstrip(b"=").decode()


def _before(text: str | None) -> int | None:
    """Return the number that `cursor` made `text` of."""
    if text is None:
        return None
    if CURSOR.fullmatch(text):
        number = int.from_bytes(base64.urlsafe_b64decode(f"{text}="))
        if number <= LARGEST_NUMBER and cursor(number) == text:
            return number
    raise BadRequestError(f"{BEFORE} is not the next of a page", BEFORE)
