"""Reading what a cluster answers: its envelopes, lists of documents, logins, accounts (reference 1.3, 2, 4).

A document that cannot be understood is told, with its raw JSON, and the others are read. What is no list of documents
at all is Unreadable as a whole. Keys of an envelope may come in any order, and values of a kind that nobody expects:
older clusters give `next_start_key` as raw JSON, and it is passed back as it came.
"""

import json
import re
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from voxkeep.archive.units import EpochMs
from voxkeep.vendors.kazoo.ids import is_recording_id
from voxkeep.vendors.kazoo.options import ACCOUNT

NOTHING = Raw(b"null")
PRINTABLE = re.compile(r"[!-~]{1,200}")
TOKEN = re.compile(r"[!-~]+")
DATE_RANGE = "date_range"


class Unreadable(Exception):
    """The answer is nothing that was asked for."""


class Bad(Struct, frozen=True):
    """A document that could not be understood."""

    raw: bytes
    reason: str
    key: str = ""


class Page(Struct, frozen=True):
    """One page of a list."""

    documents: dict[str, dict[str, Any]]
    """By id."""
    bad: list[Bad]
    count: int
    """Documents of the page, understood or not; one that comes twice counts twice."""
    next_key: str
    """Begins the next page; "" on the last."""
    clock: EpochMs | None
    """What time it is at the cluster, where it says so."""


class Login(Struct, frozen=True):
    """What a login gives."""

    token: str
    account: str
    """Id of its account."""
    name: str
    """What its account is called."""


class Below(Struct, frozen=True):
    """An account below another one."""

    id: str
    name: str
    above: tuple[str, ...]
    """Ids of the accounts between the asked one and this one, with the asked one, from the top."""


class Accounts(Struct, frozen=True):
    """A list of accounts, or one page of it."""

    accounts: list[Below]
    next_key: str


class _Envelope(Struct):
    data: Raw = NOTHING
    next_start_key: Raw = NOTHING
    timestamp: Raw = NOTHING
    auth_token: Raw = NOTHING


_envelopes = msgspec.json.Decoder(_Envelope)
_lists = msgspec.json.Decoder(list[Raw])


def page(body: bytes) -> Page:
    """Read a page of recordings. Raises Unreadable."""
    envelope, rows = _list(body)
    good: dict[str, dict[str, Any]] = {}
    bad: list[Bad] = []
    for row in rows:
        try:
            found = document(row)
        except ValueError as error:
            bad.append(Bad(row, str(error), _key(row)))
        else:
            good[found["id"]] = found
    return Page(good, bad, len(rows), _next_key(envelope), _clock(envelope))


def item(body: bytes) -> dict[str, Any]:
    """Read the answer to a GET of one recording. Raises Unreadable."""
    try:
        return document(bytes(_envelope(body).data))
    except ValueError as error:
        raise Unreadable(str(error)) from error


def login(body: bytes) -> Login:
    """Read the answer to a login. Raises Unreadable."""
    envelope = _envelope(body)
    token, data = _plain(envelope.auth_token), _plain(envelope.data)
    account = data.get("account_id") if isinstance(data, dict) else None
    if not isinstance(token, str) or not TOKEN.fullmatch(token):
        raise Unreadable("no auth_token in the answer")
    if not isinstance(account, str) or not ACCOUNT.fullmatch(account):
        raise Unreadable("no account_id in the answer")
    return Login(token, account, _text(data.get("account_name")))


def accounts(body: bytes) -> Accounts:
    """Read a list of descendants; what names no account is left out. Raises Unreadable."""
    envelope, rows = _list(body)
    found = [row for row in (_plain(each) for each in rows) if isinstance(row, dict) and _is_account(row.get("id"))]
    return Accounts([_below(row) for row in found], _next_key(envelope))


def _below(row: dict[str, Any]) -> Below:
    tree = row.get("tree")
    above = tuple(each for each in tree if _is_account(each)) if isinstance(tree, list) else ()
    return Below(row["id"], _text(row.get("name")), above)


def _is_account(value: object) -> bool:
    return isinstance(value, str) and ACCOUNT.fullmatch(value) is not None


def tells_of_range(raw: bytes) -> bool:
    """Tell whether the body of a 400 says that a window is wider than the cluster takes (reference 1.2)."""
    try:
        data = _plain(_envelope(raw).data)
    except Unreadable:
        return False
    return isinstance(data, dict) and any(isinstance(each, dict) and DATE_RANGE in each for each in data.values())


def content_types(document: dict[str, Any]) -> list[str] | None:
    """Return the types of the media that a list says is there; None where it says nothing of that."""
    told = document.get("_read_only")
    types = told.get("content_types") if isinstance(told, dict) else None
    return [each for each in types if isinstance(each, str)] if isinstance(types, list) else None


# Documents


def document(row: bytes) -> dict[str, Any]:
    """Return a document as plain data that encodes again. Raises ValueError."""
    try:
        found = msgspec.json.decode(row)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"not JSON that can be kept: {error}") from error
    except RecursionError as error:
        raise ValueError("JSON nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError(f"a document is an object, not {type(found).__name__}")  # noqa: TRY004 -- input
    key = found.get("id")
    if not isinstance(key, str) or not is_recording_id(key) or not PRINTABLE.fullmatch(key):
        raise ValueError("id: not of the form YYYYMM-..., under which the cluster could be asked for it")
    return found


def _key(row: bytes) -> str:
    """Return the id in a document that is broken elsewhere, "" where there is none."""
    try:
        found = json.loads(row.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return ""
    key = found.get("id") if isinstance(found, dict) else None
    return key if isinstance(key, str) and PRINTABLE.fullmatch(key) else ""


# The envelope


def _envelope(body: bytes) -> _Envelope:
    try:
        return _envelopes.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Unreadable(f"no envelope: {error}") from error
    except RecursionError as error:
        raise Unreadable("JSON nested too deeply") from error


def _list(body: bytes) -> tuple[_Envelope, list[bytes]]:
    """Return an envelope and the items of the list in it."""
    try:
        envelope = _envelopes.decode(body)
        return envelope, [bytes(row) for row in _lists.decode(envelope.data)]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _repaired(body)
    except RecursionError as error:
        raise Unreadable("JSON nested too deeply") from error


def _repaired(body: bytes) -> tuple[_Envelope, list[bytes]]:
    """Read a list in which single values are no JSON (half a character, NaN): only their documents are lost."""
    try:
        found = json.loads(body.decode("utf-8", "surrogateescape"))
        if not isinstance(found, dict) or not isinstance(found.get("data"), list):
            raise Unreadable("no list in the answer")
        rows = [json.dumps(each).encode() for each in found.pop("data")]
        told = {name: Raw(json.dumps(found[name]).encode()) for name in _Envelope.__struct_fields__ if name in found}
        return _Envelope(**told), rows
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error
    except RecursionError as error:
        raise Unreadable("JSON nested too deeply") from error


def _plain(raw: Raw | bytes) -> Any:  # noqa: ANN401 -- whatever came
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _next_key(envelope: _Envelope) -> str:
    found = _plain(envelope.next_start_key)
    if found is None or found == "":
        return ""
    return found if isinstance(found, str) else bytes(envelope.next_start_key).decode()


def _clock(envelope: _Envelope) -> EpochMs | None:
    """Return the moment in `timestamp`; where it tells no zone it is UTC (reference 1.3)."""
    try:
        moment = datetime.fromisoformat(_text(_plain(envelope.timestamp)))
    except ValueError:
        return None
    at = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    return EpochMs(at) if at >= 0 else None
