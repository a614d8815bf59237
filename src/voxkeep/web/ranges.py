"""Which bytes of a body a request asks for: Range and If-Range of RFC 9110, 13.1.5 and 14, over header values.

Decisions where the RFC leaves a choice:

- An unknown unit or a malformed set is ignored: the whole body, 200 (14.2).
- More than `MAX_RANGES` ranges are ignored too: the RFC names many small or overlapping ranges as an attack, and the
  whole body once is cheaper than any answer to them.
- Ranges that overlap, touch or stand nearer than `MERGE_GAP_BYTES` are joined, since a part's own header costs about
  that much (15.3.7.2), and parts go out in ascending order. Within these rules no answer repeats a byte.
- A suffix of an empty body is satisfiable and cannot be written as Content-Range: the whole (empty) body, 200.
"""

import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

MAX_RANGES: Final = 64
MERGE_GAP_BYTES: Final = 80

_RANGE = re.compile(rb"(\d*)-(\d*)")
_OWS: Final = b" \t"
_MAX_DIGITS: Final = 18


class Span(NamedTuple):
    """Bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int


class UnsatisfiableError(Exception):
    """Every range lies behind the end of the body: 416."""


def parse_range(value: bytes, size: int) -> list[Span] | None:
    """Resolve a Range header's value against a body of `size` bytes.

    Gives ascending, separate, non-empty spans, or None when the header is to be ignored and the whole body sent.
    Raises UnsatisfiableError when the set is valid and no range of it lies in the body.
    """
    unit, equals, ranges = value.partition(b"=")
    if not equals or unit.strip(_OWS).lower() != b"bytes":
        return None
    specs = [spec for item in ranges.split(b",") if (spec := item.strip(_OWS))]
    if not specs or len(specs) > MAX_RANGES:
        return None
    spans: list[Span] = []
    for spec in specs:
        bounds = _bounds(spec, size)
        if bounds is None:
            return None
        spans.append(bounds)
    inside = [span for span in spans if span.start < span.stop]
    if inside:
        return inside if len(inside) == 1 else coalesce(inside)
    if size == 0 and any(_is_suffix(spec) for spec in specs):
        return None
    raise UnsatisfiableError


def _is_suffix(spec: bytes) -> bool:
    return spec.startswith(b"-") and _number(spec[1:]) > 0


def _bounds(spec: bytes, size: int) -> Span | None:
    """Resolve one range, clipped to the body; empty when it lies outside, None when it is malformed."""
    match = _RANGE.fullmatch(spec)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return Span(max(0, size - _number(last)), size) if last else None
    start = _number(first)
    if not last:
        return Span(start, size)
    stop = _number(last) + 1
    return Span(start, min(stop, size)) if start < stop else None


def _number(digits: bytes) -> int:
    """Read a position of any length; beyond 18 digits all are alike, far behind any body's end."""
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def coalesce(spans: Sequence[Span]) -> list[Span]:
    """Join spans that overlap or stand nearer than `MERGE_GAP_BYTES`; ascending."""
    merged: list[Span] = []
    for span in sorted(spans):
        if merged and span.start - merged[-1].stop < MERGE_GAP_BYTES:
            merged[-1] = Span(merged[-1].start, max(merged[-1].stop, span.stop))
        else:
            merged.append(span)
    return merged


def if_range_holds(value: bytes, etag: bytes, last_modified_s: int | None) -> bool:
    """Say whether an If-Range header lets its Range count.

    `etag` is ours with its quotes and strong, so a weak tag never holds. A date holds only when it is exactly our
    Last-Modified (epoch seconds); without one it never does, and the whole body is sent.
    """
    value = value.strip(_OWS)
    if value.startswith((b'"', b"W/")):
        return value == etag
    if last_modified_s is None:
        return False
    try:
        moment = parsedate_to_datetime(value.decode("ascii"))
    except ValueError:
        return False
    return moment.tzinfo is not None and moment.timestamp() == last_modified_s


def none_match_hits(value: bytes, etag: bytes) -> bool:
    """Say whether an If-None-Match header names our `etag` (quoted) by weak comparison, or is `*`: 304."""
    if value.strip(_OWS) == b"*":
        return True
    return any(tag == etag for tag in re.findall(rb'"[^"]*"', value))
