"""The envelope around every answer in JSON (reference 1.3): `data` first, then what tells of it.

`data` stands first so that a long list can be sent while it is read; the order of keys means nothing to clients.
"""

import hashlib
import secrets
import time
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import UNSET, Struct, UnsetType

VERSION = "4.3.0"
"""The version of Kazoo whose envelope this is."""
REVISION_DIGITS = 32
NODE = secrets.token_urlsafe(16)
"""Which server answered: 22 letters, another for each process."""


class Told(Struct, omit_defaults=True):
    """What an envelope tells beside its data; UNSET is left out."""

    auth_token: str | UnsetType = UNSET
    page_size: int | UnsetType = UNSET
    """Items in this page."""
    start_key: str | UnsetType = UNSET
    next_start_key: str | UnsetType = UNSET
    revision: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    """The status as a text; only on errors."""
    message: str | UnsetType = UNSET
    status: str | UnsetType = "success"
    request_id: str | UnsetType = UNSET
    timestamp: str | UnsetType = UNSET
    version: str | UnsetType = UNSET
    node: str | UnsetType = UNSET


_encoder = msgspec.json.Encoder()


def encoded(data: object) -> bytes:
    """Return plain data as JSON."""
    return _encoder.encode(data)


def revision_of(data: bytes) -> str:
    """Return what changes when encoded data does: 32 hex digits, as Kazoo's, of a SHA-256, which is faster than MD5."""
    return hashlib.sha256(data).hexdigest()[:REVISION_DIGITS]


def opening() -> bytes:
    """Return what comes before the data."""
    return b'{"data":'


def closing(told: Told) -> bytes:
    """Return what comes after the data."""
    fields = msgspec.to_builtins(told) | {"status": "error" if told.error is not UNSET else "success"}
    fields |= {"timestamp": _stamp(int(time.time())), "version": VERSION, "node": NODE}
    return b"," + _encoder.encode(fields)[1:]


@lru_cache(maxsize=2)
def _stamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def enveloped(data: bytes, told: Told) -> bytes:
    """Return encoded data in its envelope."""
    return b"".join((opening(), data, closing(told)))
