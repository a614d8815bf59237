"""Kazoo's identities: 32 hex digits for accounts and users, `YYYYMM-` and 32 hex digits for recordings.

The month is that in which the recording started, in UTC. It is never trusted: Kazoo itself lists documents under one
month's id that stand in another (reference 2, "Month-boundary defect").
"""

import re
import uuid
from datetime import UTC, datetime
from functools import lru_cache

from voxkeep.archive.units import DAY_MS, RecordingId

HEX = re.compile(r"[0-9a-f]{32}", re.ASCII)
RECORDING = re.compile(r"\d{4}(0[1-9]|1[0-2])-(.+)", re.ASCII | re.DOTALL)


def month(at: int) -> str:
    """Return the month of a moment (ms), `YYYYMM` in UTC."""
    return _month_of(at // DAY_MS)


@lru_cache(maxsize=4_096)
def _month_of(day: int) -> str:
    moment = datetime.fromtimestamp(day * DAY_MS / 1000, UTC)
    return f"{moment.year:04}{moment.month:02}"


def recording_id(identity: bytes) -> str:
    """Return the id that a recording shows which Kazoo gave none; `identity` is our own."""
    return f"{month(time_of(identity))}-{identity.hex()}"


def time_of(identity: bytes) -> int:
    """Return the time (ms) in a UUIDv7, given as its bytes."""
    return int.from_bytes(identity[:6])


def is_recording_id(text: str) -> bool:
    """Tell whether a text has the form of a recording's id."""
    return RECORDING.fullmatch(text) is not None


def uuid_of(text: str) -> RecordingId | None:
    """Return the id of ours that `recording_id` made a text of (its month does not matter), or None."""
    match = RECORDING.fullmatch(text)
    if match is None or HEX.fullmatch(match[2]) is None:
        return None
    return RecordingId(uuid.UUID(hex=match[2]))
