"""What Xima's clients ask: the query parameters of each route, parsed into what the archive understands."""

from urllib.parse import parse_qsl

from voxkeep.archive.query import TimeRange
from voxkeep.vendors.xima.times import parse
from voxkeep.web.errors import BadRequestError

START, END, FORMAT = "startTime", "endTime", "format"
FORMATS = frozenset({"ogg", "opus"})
"""What `format` may say on the audio route; Xima's text of 400 knows it, its v2 does not (reference D11)."""


def parameters(query: bytes) -> dict[str, list[str]]:
    """Return the parameters of a query string, each with all its values."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=None):
        found.setdefault(name, []).append(value)
    return found


def time_range(query: bytes, zones: set[str]) -> TimeRange:
    """Return the asked range, both ends included. Raises BadRequestError naming the parameter at fault."""
    asked = parameters(query)
    zone = next(iter(zones)) if len(zones) == 1 else None
    first = parse(_single(asked, START), START, zone, starts=True)
    last = parse(_single(asked, END), END, zone)
    if last < first:
        raise BadRequestError(f"{END} lies before {START}", END)
    return TimeRange(first, last)


def check_format(query: bytes) -> None:
    """Accept the audio route's optional `format`. Raises BadRequestError for one that is not served."""
    for value in parameters(query).get(FORMAT, []):
        if value.lower() not in FORMATS:
            raise BadRequestError(f"{FORMAT}: audio comes as ogg (Opus) only", FORMAT)


def _single(asked: dict[str, list[str]], name: str) -> str:
    values = asked.get(name, [])
    if not values or not values[0].strip():
        raise BadRequestError(f"{name} is required", name)
    if len(values) > 1:
        raise BadRequestError(f"{name} is given more than once", name)
    return values[0]
