"""Units and identities, so that milliseconds cannot meet seconds, nor one table's key another's."""

import secrets
import time
import uuid
from typing import NewType

EpochMs = NewType("EpochMs", int)
"""A moment: milliseconds since 1970-01-01T00:00Z."""
DurationMs = NewType("DurationMs", int)
TenantId = NewType("TenantId", int)
"""The archive's own number of a tenant; never shown."""
RecordingId = NewType("RecordingId", uuid.UUID)
CallId = NewType("CallId", uuid.UUID)
TranscriptId = NewType("TranscriptId", uuid.UUID)

RANDOM_BITS = 74
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
LATEST = EpochMs(7_258_118_400_000)
"""2200-01-01T00:00Z: times outside 1970 to 2199 are absurd."""


def now_ms() -> EpochMs:
    """Return this moment."""
    return EpochMs(time.time_ns() // 1_000_000)


def uuid7(at: EpochMs, random_bits: int | None = None) -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562) whose time is `at`; `random_bits` gives its 74 random bits, for a chosen seed."""
    bits = secrets.randbits(RANDOM_BITS) if random_bits is None else random_bits
    high, low = bits >> 62, bits & ((1 << 62) - 1)
    return uuid.UUID(int=at << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low)


def uuid7_time(value: uuid.UUID) -> EpochMs:
    """Return the time in a UUIDv7."""
    return EpochMs(value.int >> 80)


def recording_key(recording: uuid.UUID) -> str:
    """Return the key a recording shows where its vendor gave it none: `{uuid}-{startMs}`.

    The time is the id's own, which stays when a start is corrected, so that the key stays too.
    """
    return f"{recording}-{uuid7_time(recording)}"


def recording_of_key(key: str) -> RecordingId | None:
    """Return the id that `recording_key` made `key` from, or None."""
    try:
        found = uuid.UUID(key[:36])
    except ValueError:
        return None
    return RecordingId(found) if recording_key(found) == key else None


def call_key(call: uuid.UUID, started_at: EpochMs, ended_at: EpochMs) -> str:
    """Return the key a call shows where its vendor gave it none: `{uuid}-{startMs}-{endMs}`."""
    return f"{call}-{started_at}-{ended_at}"
