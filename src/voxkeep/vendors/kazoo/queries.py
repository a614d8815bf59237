"""What a list is asked for: its window, order, page and filters, out of the query (reference 1.2).

```
created_from, created_to    Gregorian seconds, both included; anything else than a positive number is as good as none
ascending=true, descending=false            oldest first
page_size, start_key (or bookmark)          a page; paginate=anything but true: all of the window
is_chunked=true, fields=["name", ...]       as they are sent, and what of each document
filter_KEY, has_key, modified_from ...      see `filters`
```
What else stands in a query is ignored: every client that is built on jQuery adds a parameter of its own.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from voxkeep.archive.query import TimeRange
from voxkeep.archive.units import LATEST, EpochMs
from voxkeep.settings import Kazoo
from voxkeep.vendors.kazoo import errors
from voxkeep.vendors.kazoo.errors import Invalid
from voxkeep.vendors.kazoo.filters import Filters, filters_of, integer
from voxkeep.vendors.kazoo.gregorian import OFFSET_SECONDS, epoch_ms
from voxkeep.vendors.kazoo.startkey import Position, decode

PAGE_SIZE = 50
"""Items on a page where nothing else is asked for."""
MOST_ITEMS = 10_000_000
"""Kazoo knows no largest page; larger ones than this are taken for this."""
FROM, TO = "created_from", "created_to"
FIELDS = "fields"


class Wanted(Struct, frozen=True, kw_only=True):
    """What a list is asked for."""

    created: TimeRange
    """The window, in ms since 1970; it ends before it begins where it lies outside of 1970 to 2200."""
    ascending: bool = False
    page_size: int | None = PAGE_SIZE
    """None: all of the window at once."""
    start: Position | None = None
    """The row that the page begins with."""
    chunked: bool = False
    filters: Filters = Filters()
    fields: tuple[str, ...] | None = None
    """Names of what is shown of each document beside its id; None: everything."""


def wanted(query: Mapping[str, str], now_s: int, rule: Kazoo) -> Wanted:
    """Return what a query asks for at a moment (seconds since 1970). Raises KazooError naming the field."""
    return Wanted(
        created=_window(query, now_s + OFFSET_SECONDS, rule.maximum_range_seconds),
        ascending=query.get("ascending") == "true" or query.get("descending") == "false",
        page_size=_page_size(query),
        start=_start(query),
        chunked=query.get("is_chunked") == "true",
        filters=filters_of(query),
        fields=_fields(query.get(FIELDS, "")),
    )


def _window(query: Mapping[str, str], now: int, longest: int) -> TimeRange:
    to = _seconds(query, TO, now)
    since = _seconds(query, FROM, to - longest)
    if to < since:
        raise _bad_range(f"{TO} {to} is prior to {FROM} {since}", since)
    if to - since > longest:
        raise _bad_range(f"{TO} {to} is more than {longest} seconds from {FROM} {since}", to)
    first, last = epoch_ms(since), epoch_ms(to + 1) - 1
    return TimeRange(EpochMs(min(max(first, 0), LATEST)), EpochMs(min(max(last, -1), LATEST)))


def _seconds(query: Mapping[str, str], name: str, otherwise: int) -> int:
    given = integer(query.get(name, ""))
    return given if given is not None and given > 0 else otherwise


def _bad_range(message: str, cause: int) -> errors.KazooError:
    return errors.validation([Invalid(FROM, "date_range", message, cause=cause)])


def _page_size(query: Mapping[str, str]) -> int | None:
    if query.get("paginate", "true") != "true":
        return None
    size = integer(query.get("page_size", str(PAGE_SIZE)))
    if size is None:
        raise errors.faulty_request("invalid page size")
    if size < 1:
        raise errors.faulty_request("page size must be at least 1")
    return min(size, MOST_ITEMS)


def _start(query: Mapping[str, str]) -> Position | None:
    """Return where the page begins. A key that is none of ours is as good as none, as in Kazoo 5."""
    return decode(query.get("start_key", "")) or decode(query.get("bookmark", ""))


def _fields(text: str) -> tuple[str, ...] | None:
    """Return the names in a JSON array; of an empty one, as of nothing at all, None."""
    if not text:
        return None
    try:
        names = msgspec.json.decode(text, type=list[str])
    except (msgspec.MsgspecError, ValueError, RecursionError):
        problem = Invalid(FIELDS, "type", "Value did not match type(s): array of strings", target="array")
        raise errors.validation([problem]) from None
    return tuple(dict.fromkeys(names)) or None
