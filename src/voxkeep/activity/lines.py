"""Events as lines of JSON: each line an event, those that cannot be read named, the rest kept."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import asdict, fields

from voxkeep.activity.events import EVENTS, AgentEvent, BadEvent, CallEvent, Event, checked, refusal
from voxkeep.archive.units import LATEST, EpochMs

LONGEST_LINE = 64 * 1024
MOST_LINES = 200_000
"""In one batch, so that what it takes to read it has a bound."""
LONGEST_TOLD = 80
"""Letters of a value that are told back."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

Time = int | Annotated[datetime, Meta(tz=True)]
"""Epoch ms, or RFC 3339 (ISO 8601 with seconds and an offset); what is finer than a millisecond is dropped."""


class BadLine(Struct, frozen=True):
    """A line that was not taken: its number from 1 on, the field that is wrong (empty for the whole line), and why."""

    line: int
    field: str
    reason: str


class Batch(Struct, frozen=True):
    """What a body holds."""

    events: list[Event]
    bad: list[BadLine]


class _Head(Struct, frozen=True):
    kind: str


def _line_type(event: type[CallEvent] | type[AgentEvent]) -> type[Struct]:
    """Return an event's twin whose time is still as it was written."""
    made: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for each in fields(event):
        kind = Time if each.name == "at" else each.type
        made.append((each.name, kind) if each.default is NODEFAULT else (each.name, kind, each.default))
    return msgspec.defstruct(event.__name__, made, kw_only=True, forbid_unknown_fields=True)


_head = msgspec.json.Decoder(_Head)
_decoders: Mapping[type, msgspec.json.Decoder[Any]] = {
    each: msgspec.json.Decoder(_line_type(each)) for each in (CallEvent, AgentEvent)
}


def parse(body: bytes) -> Batch:
    """Return the events in the lines of `body`, and what is wrong with the other lines. Empty lines count for nothing.

    Raises nothing, whatever the body holds. After `MOST_LINES` lines a bad line tells that the rest was not read.
    """
    batch = Batch([], [])
    for number, raw in enumerate(_lines(body), start=1):
        if number > MOST_LINES:
            batch.bad.append(BadLine(number, "", f"over {MOST_LINES} lines: this one and the rest were not read"))
            break
        # of a line that is too long only a part is here
        line = raw if len(raw) > LONGEST_LINE else raw.strip()
        if not line:
            continue
        try:
            batch.events.append(event_of(line))
        except BadEvent as error:
            batch.bad.append(BadLine(number, error.field, error.reason))
    return batch


def _lines(body: bytes) -> Iterator[bytes]:
    begin = len(BYTE_ORDER_MARK) if body.startswith(BYTE_ORDER_MARK) else 0
    while begin < len(body):
        end = body.find(b"\n", begin)
        end = len(body) if end < 0 else end
        # one byte too many is enough to see that a line is too long
        yield body[begin : min(end, begin + LONGEST_LINE + 1)]
        begin = end + 1


def event_of(line: bytes) -> Event:
    """Return the event in one line. Raises BadEvent."""
    if len(line) > LONGEST_LINE:
        raise BadEvent("", f"longer than {LONGEST_LINE} bytes")
    try:
        kind = _head.decode(line).kind
        event = EVENTS.get(kind)
        if event is None:
            raise BadEvent("kind", f"no kind of event is called {kind[:LONGEST_TOLD]!r}")
        values = asdict(_decoders[event].decode(line))
    except UnicodeDecodeError:
        raise BadEvent("", "not UTF-8") from None
    except RecursionError:
        raise BadEvent("", "nested too deeply") from None
    except msgspec.MsgspecError as error:
        raise refusal(str(error)) from None
    values["at"] = _moment(values["at"])
    return checked(event(**values))


def _moment(time: int | datetime) -> EpochMs:
    at = time if isinstance(time, int) else (time - EPOCH) // MILLISECOND
    if not 0 <= at < LATEST:
        raise BadEvent("at", "outside the years 1970 to 2199")
    return EpochMs(at)


def line_of(event: Event) -> bytes:
    """Return the line that `event_of` reads as this event."""
    return msgspec.json.encode(event)
