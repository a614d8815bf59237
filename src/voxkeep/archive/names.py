"""Names of audio objects: `tenant/YYYY/MM/DD/<key>.<ext>`, days in UTC, readable by a person and safe on any disk.

Beside them the file name that a recording shows where a dialect or an export knows recordings as files.
"""

import hashlib
import re
from datetime import UTC, datetime

from voxkeep.archive.units import EpochMs

UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST = 120
LAST_IN_A_SECOND = 9_999
"""File names given here count down from this number, so that a vendor's own, which count up, do not meet them."""
CONTAINERS = frozenset({"ogg", "wav", "mp3", "flac"})
"""Containers whose name is their file extension too."""


def safe(key: str) -> str:
    """Return `key` if it is safe as a file name; else its safe part with a hash, so that no two keys meet."""
    cleaned = UNSAFE.sub("_", key).lstrip(".")[:LONGEST]
    if key and cleaned == key and not key.endswith("."):
        return key
    return f"{cleaned.rstrip('.')}-{hashlib.sha256(key.encode()).hexdigest()[:10]}"


def extension_of(container: str) -> str:
    """Return the extension of an original in this container."""
    return f".{container}" if container in CONTAINERS else ".audio"


def object_name(tenant: str, started_at: EpochMs, key: str, extension: str) -> str:
    """Return the name of the audio object of the recording `key` of the tenant so named."""
    day = datetime.fromtimestamp(started_at / 1000, UTC)
    return f"{safe(tenant)}/{day:%Y/%m/%d}/{safe(key)}{extension}"


def file_stem(started_at: EpochMs) -> str:
    """Return how the file names of all recordings that started in the same second begin."""
    second = datetime.fromtimestamp(started_at // 1000, UTC)
    return f"S{second:%Y%m%d}/R{second:%Y%m%d%H%M%S}"


def file_name(started_at: EpochMs, number: int) -> str:
    """Return `S<day>/R<second><number>.wav`, all in UTC; the number has four digits or, past 9999, more."""
    return f"{file_stem(started_at)}{number:04d}.wav"
