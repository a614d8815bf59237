"""Reading Xima's lists in every shape they are known or feared to come in (reference D1, D2).

```
[record, ...]                      what the prose says
{"recordings": [record, ...]}      one list under one of WRAPPERS, perhaps inside another
{"any": record, ...}               an object whose values are records
record                             one alone, as the samples of seed 000 show it
{} or null or nothing              none
```
A record that cannot be understood is told, with its raw JSON, and the others are read. An answer that holds no list
in any of these shapes (an error told with status 200, say) is Unreadable as a whole.
"""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from voxkeep.archive.units import LATEST
from voxkeep.vendors.xima.wire import XimaCall, XimaRecording

S = TypeVar("S", bound=Struct)

WRAPPERS = ("recordings", "records", "items", "data", "results", "content", "calls")
DEEPEST = 3
SAYS_MORE = {"last": False, "hasMore": True, "hasNext": True, "truncated": True}
"""A wrapper's words for "this is only a part"."""
TOTALS = ("total", "totalElements", "totalCount", "totalRecords")
LARGEST_INT = 2**63 - 1
RECORDING_FIELDS = frozenset(XimaRecording.__struct_fields__)
CALL_FIELDS = frozenset(XimaCall.__struct_fields__) - set(WRAPPERS)
NEEDED = {XimaRecording: ("recordingKey", "startTime"), XimaCall: ("callKey", "startTime", "endTime")}
TIMES = ("startTime", "endTime")
ENOUGH_FIELDS = 2
"""An object with so many fields of a record is one, if a damaged one; `{"status": 500, "error": ...}` is none."""


class Unreadable(Exception):
    """The answer is no list in any known shape."""


class Partial(Exception):
    """The answer says of itself that there is more."""


class Bad(Struct, frozen=True):
    """A record that could not be understood."""

    raw: bytes
    reason: str
    key: str = ""


class Read(Struct, Generic[S], frozen=True):
    """What a list held."""

    good: list[S]
    bad: list[Bad]


def recordings(body: bytes) -> Read[XimaRecording]:
    """Read an answer of `/recordings`. Raises Unreadable, Partial."""
    return _read(_rows(_decoded(body), RECORDING_FIELDS, "recordingKey"), XimaRecording, "recordingKey")


def calls(body: bytes) -> Read[XimaCall]:
    """Read an answer of `/call-recording-info`; of a call's recordings only the keys. Raises Unreadable, Partial."""
    rows = _rows(_decoded(body), CALL_FIELDS, "callKey")
    return _read([_with_keys_only(row) for row in rows], XimaCall, "callKey")


def _decoded(body: bytes) -> object:
    if not body.strip():
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError) as error:
        raise Unreadable(f"not JSON: {error}") from error
    except RecursionError as error:
        raise Unreadable("JSON nested too deeply") from error


def _rows(answer: object, fields: frozenset[str], mark: str, depth: int = 0) -> list[object]:
    """Find the records in an answer, whatever is around them; `mark` is the field that makes an object a record."""
    if answer is None or answer == {}:
        return []
    if isinstance(answer, list):
        return answer
    if not isinstance(answer, dict):
        raise Unreadable(f"not a list but {type(answer).__name__}")
    if mark in answer:
        return [answer]
    for wrapped in _wrapped(answer):
        if depth < DEEPEST:
            return _whole(answer, _rows(wrapped, fields, mark, depth + 1))
    if len(fields & answer.keys()) >= ENOUGH_FIELDS:
        return [answer]
    values = list(answer.values())
    if any(isinstance(value, dict) and len(fields & value.keys()) >= ENOUGH_FIELDS for value in values):
        return [value for value in values if isinstance(value, dict)]
    raise Unreadable("no list of records in the answer")


def _wrapped(answer: dict[str, Any]) -> Iterator[object]:
    """Yield what the object wraps, the fullest list first."""
    found = [answer[name] for name in WRAPPERS if name in answer and isinstance(answer[name], list | dict | None)]
    yield from sorted(found, key=lambda value: -len(value or ()))


def _whole(answer: dict[str, Any], rows: list[object]) -> list[object]:
    if any(answer.get(name) is value for name, value in SAYS_MORE.items()):
        raise Partial("the answer says that it is only a part")
    totals = [answer[name] for name in TOTALS if isinstance(answer.get(name), int)]
    if rows and any(total > len(rows) for total in totals):
        raise Partial(f"the answer holds {len(rows)} of {max(totals)} records")
    return rows


def _read(rows: list[object], kind: type[S], mark: str) -> Read[S]:
    read: Read[S] = Read([], [])
    for row in rows:
        try:
            read.good.append(_record(row, kind))
        except (msgspec.ValidationError, ValueError) as error:
            key = row.get(mark) if isinstance(row, dict) else None
            read.bad.append(Bad(msgspec.json.encode(row), str(error), key if isinstance(key, str) else ""))
    return read


def _record(row: object, kind: type[S]) -> S:
    """Read one record: numbers may be texts, texts may be numbers, and what is null is as if it were not there."""
    if not isinstance(row, dict):
        raise ValueError(f"a record is an object, not {type(row).__name__}")  # noqa: TRY004 -- input, not our types
    for name in NEEDED[kind]:
        if row.get(name) is None or row[name] == "":
            raise ValueError(f"{name} is missing")
    record = msgspec.convert(_tidied(row, kind), kind, strict=False)
    _check(record)
    return record


def _tidied(row: dict[str, Any], kind: type[Struct]) -> dict[str, Any]:
    tidied = {}
    for each in msgspec.structs.fields(kind):
        value = row.get(each.encode_name)
        if value is None:
            continue
        if each.type is str and isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)
        tidied[each.encode_name] = value
    return tidied


def _check(record: Struct) -> None:
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if not isinstance(value, int):
            continue
        if name in TIMES and not 0 <= value < LATEST:
            raise ValueError(f"{name} lies outside the years 1970 to 2199")
        if not -LARGEST_INT <= value <= LARGEST_INT or (name == "duration" and not 0 <= value < LATEST):
            raise ValueError(f"{name} is absurd")


def _with_keys_only(row: object) -> object:
    """Leave of a call's recordings only their keys: the records themselves come from the other list."""
    if not isinstance(row, dict) or not isinstance(row.get("recordings"), list):
        return row if not isinstance(row, dict) else {name: row[name] for name in row if name != "recordings"}
    keys = [each.get("recordingKey") for each in row["recordings"] if isinstance(each, dict)]
    return {**row, "recordings": [{"recordingKey": key} for key in keys if isinstance(key, str)]}
