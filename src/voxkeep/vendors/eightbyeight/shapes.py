"""Reading 8x8's JSON in every form that it is known or feared to come in (reference 2.2).

No sample of it is published, and that of the sister APIs looks like converted XML: texts become numbers where they can,
empty elements become `""`, `{}`, null or nothing at all, and a list of one is a bare object. So a list is any of

```
{"recordings": {"file": [record, ...]}}      as documented for the sister APIs
{"recordings": {"file": record}}             a list of one
{"recordings": [record, ...]}                or [{"file": record}, ...]
{"file": [record, ...]}, [record, ...], record
{"recordings": ""}, {}, "", null, nothing    none
```
and so are the lists within a record. A number is read as the text that stands there, so that no digit is lost. A record
that cannot be understood is told, with its raw JSON, and the others are read. Anything else is Unreadable as a whole.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from voxkeep.archive.units import LATEST, EpochMs
from voxkeep.vendors.eightbyeight.chats import NO_METADATA, Chat, ChatMessage, MetaDatas, MetaDatum
from voxkeep.vendors.eightbyeight.wire import (
    NO_WRAP_UP,
    NUMBERS,
    File,
    TransactionCode,
    TransactionCodes,
    WrapUp,
    number_or_text,
)

S = TypeVar("S", bound=Struct)

ROOT, FILE, CHAT = "recordings", "file", "transcript"
FILE_NAME = re.compile(r"S\d{8}/R(?P<time>\d{14})\d{0,50}\.wav", re.ASCII)
"""What a file may be called: it becomes a path at the vendor (reference 2.1, oddity 3)."""
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)", re.ASCII)
DURATION = re.compile(r"(?P<seconds>\d{1,9})(\.\d*)?", re.ASCII)
EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")
MILLISECOND = timedelta(milliseconds=1)
DEEPEST = 6
ENOUGH_FIELDS = 2
"""An object with so many fields of a record is one, if a damaged one; `{"status": 500, "error": ...}` is none."""
FILE_FIELDS, CHAT_FIELDS = frozenset(File.__struct_fields__), frozenset(Chat.__struct_fields__)
MESSAGE_FIELDS = ChatMessage.__struct_fields__


class Unreadable(Exception):
    """The answer is nothing that was asked for, in no known form."""


class Bad(Struct, frozen=True):
    """A record that could not be understood."""

    raw: bytes
    reason: str
    key: str = ""


class Dated(Struct, Generic[S], frozen=True):
    """A record, and when it began."""

    record: S
    at: EpochMs


class Read(Struct, Generic[S], frozen=True):
    """What a list held."""

    good: list[Dated[S]]
    bad: list[Bad]

    @property
    def count(self) -> int:
        """Rows of the page, understood or not."""
        return len(self.good) + len(self.bad)


class _Number(str):
    """A number's own digits."""

    __slots__ = ()


def files(body: bytes) -> Read[File]:
    """Read an answer of `/files.json`. Raises Unreadable."""
    return _read(_rows(_decoded(body), FILE, FILE_FIELDS), _file, "filename")


def chats(body: bytes) -> Read[Chat]:
    """Read an answer of `/transcripts.json`. Raises Unreadable."""
    return _read(_rows(_decoded(body), CHAT, CHAT_FIELDS), _chat, "interactionGUID")


def chat(body: bytes, guid: str) -> tuple[Dated[Chat], list[Dated[ChatMessage]]]:
    """Read an answer of `/transcripts/{guid}.json`: that chat and its messages. Raises Unreadable."""
    rows = _rows(_decoded(body), CHAT, CHAT_FIELDS)
    if len(rows) != 1 or not isinstance(rows[0], dict):
        raise Unreadable("not one transcript")
    try:
        record, at = _chat(rows[0])
        messages = _messages(rows[0].get("messages"), at)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    if record.interactionGUID != guid:
        raise Unreadable("another transcript")
    return Dated(record, at), messages


# The list around the records


def _decoded(body: bytes) -> object:
    if not body.strip():
        return None
    try:
        return json.loads(body, parse_int=_Number, parse_float=_Number, parse_constant=_no_number)
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error
    except RecursionError as error:
        raise Unreadable("JSON nested too deeply") from error


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no number")


def _rows(answer: object, element: str, fields: frozenset[str], depth: int = 0) -> list[object]:
    """Find the records in an answer, whatever is around them."""
    if _is_empty(answer):
        return []
    if isinstance(answer, list):
        return [row for each in answer for row in _unwrapped(each, element)]
    if not isinstance(answer, dict) or depth > DEEPEST:
        raise Unreadable(f"not a list but {type(answer).__name__}")
    for name in (ROOT, element):
        if name in answer:
            return _rows(answer[name], element, fields, depth + 1)
    if len(fields & answer.keys()) >= ENOUGH_FIELDS:
        return [answer]
    raise Unreadable("no list of records in the answer")


def _is_empty(value: object) -> bool:
    return value is None or value in ("", {}, [])


def _unwrapped(row: object, element: str) -> list[object]:
    """Take a row of a list out of the object that may be around it: `{"file": record}`."""
    if not isinstance(row, dict) or row.keys() != {element}:
        return [row]
    inner = row[element]
    return inner if isinstance(inner, list) else [inner]


def _read(rows: Sequence[object], make: Callable[[dict[str, Any]], tuple[S, EpochMs]], mark: str) -> Read[S]:
    read: Read[S] = Read([], [])
    for row in rows:
        try:
            if not isinstance(row, dict):
                raise ValueError(f"a record is an object, not {type(row).__name__}")  # noqa: TRY004, TRY301 -- input
            read.good.append(Dated(*make(row)))
        except ValueError as error:
            read.bad.append(Bad(_raw(row), str(error), _key(row, mark)))
    return read


def _key(row: object, mark: str) -> str:
    key = row.get(mark) if isinstance(row, dict) else None
    return _spelled(key) if isinstance(key, str) else ""


def _raw(row: object) -> bytes:
    """Return a record as JSON again, its numbers as they came."""
    try:
        return msgspec.json.encode(_plain(row))
    except RecursionError:
        return b"(nested too deeply to be shown)"


def _plain(value: object) -> object:
    if isinstance(value, _Number):
        return msgspec.Raw(value.encode())
    if isinstance(value, str):
        return _spelled(value)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {_spelled(name): _plain(each) for name, each in value.items()}
    return value


def _spelled(text: str) -> str:
    """Return a text without the halves of characters that JSON may bring and nothing can store."""
    return text.encode("utf-8", "replace").decode()


# A record's fields


def _file(row: dict[str, Any]) -> tuple[File, EpochMs]:
    texts = _texts(row, FILE_FIELDS - {"wrapUpCode"})
    if FILE_NAME.fullmatch(texts["filename"]) is None:
        raise ValueError("filename is not of the form S<day>/R<digits>.wav")
    codes = _items(row.get("wrapUpCode"), ("transactionCodes", "transactionCode"), ("listName", "name"))
    wrap_up = WrapUp(TransactionCodes(tuple(TransactionCode(*code) for code in codes))) if codes else NO_WRAP_UP
    record = File(**_typed(texts), wrapUpCode=wrap_up)
    return record, moment(texts["startDate"], "startDate")


def _chat(row: dict[str, Any]) -> tuple[Chat, EpochMs]:
    texts = _texts(row, CHAT_FIELDS - {"metaDatas"})
    if not texts["interactionGUID"]:
        raise ValueError("interactionGUID is missing")
    fields = _items(row.get("metaDatas"), ("metaDatas", "metaData"), ("fieldName", "fieldValue"))
    metadata = MetaDatas(tuple(MetaDatum(*each) for each in fields)) if fields else NO_METADATA
    return Chat(**_typed(texts), metaDatas=metadata), moment(texts["startDate"], "startDate")


def _messages(value: object, started_at: EpochMs) -> list[Dated[ChatMessage]]:
    """Read a chat's messages; one without a time is as old as the chat."""
    rows = _items(value, ("messages", "message"), MESSAGE_FIELDS)
    messages = [ChatMessage(*row) for row in rows]
    return [
        Dated(each, moment(each.messageTime, "messageTime") if each.messageTime else started_at) for each in messages
    ]


def _typed(texts: Mapping[str, str]) -> dict[str, Any]:
    numbers: dict[str, int | str] = {name: number_or_text(texts[name]) for name in NUMBERS}
    return {**texts, **numbers, "duration": seconds(texts["duration"])}


def _texts(row: Mapping[str, object], names: frozenset[str] | Sequence[str]) -> dict[str, str]:
    return {name: _text(row.get(name), name) for name in names}


def _text(value: object, name: str) -> str:
    """Return a field as the text that its XML would hold. Raises ValueError."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{name} holds half a character") from error
        return str(value)
    if _is_empty(value):
        return ""
    raise ValueError(f"{name} is not a text but {type(value).__name__}")


def _items(value: object, around: Sequence[str], fields: Sequence[str], depth: int = 0) -> list[tuple[str, ...]]:
    """Return the objects of a list within a record, each as the texts of its fields. Raises ValueError."""
    if _is_empty(value):
        return []
    if depth > DEEPEST:
        raise ValueError(f"{around[-1]} is nested too deeply")
    if isinstance(value, list):
        return [item for each in value for item in _items(each, around, fields, depth + 1)]
    if not isinstance(value, dict):
        raise ValueError(f"{around[-1]} is not an object but {type(value).__name__}")  # noqa: TRY004 -- input
    for name in around:
        if name in value:
            return _items(value[name], around, fields, depth + 1)
    if not value.keys() & set(fields):
        raise ValueError(f"{around[-1]} has none of the fields {', '.join(fields)}")
    return [tuple(_texts(value, fields).values())]


def moment(text: str, name: str) -> EpochMs:
    """Return the moment that a date of 8x8's names, `2008-02-14T10:12:13-08:00`. Raises ValueError naming `name`."""
    if DATE.fullmatch(text) is None:
        raise ValueError(f"{name} is not a date with an offset" if text else f"{name} is missing")
    try:
        found = (datetime.fromisoformat(text) - EPOCH) // MILLISECOND
    except ValueError as error:
        raise ValueError(f"{name} is not a date that exists") from error
    if not 0 <= found < LATEST:
        raise ValueError(f"{name} lies outside the years 1970 to 2199")
    return EpochMs(found)


def seconds(text: str) -> int:
    """Return a duration in whole seconds; nothing is 0. Raises ValueError."""
    match = DURATION.fullmatch(text or "0")
    if match is None:
        raise ValueError("duration is not a number of seconds")
    return int(match["seconds"])
