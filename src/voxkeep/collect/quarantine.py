"""The quarantine: answers that could not be used, kept raw for a person to look at, never dropped.

`HOME/quarantine/<source>-<UTC time>-<n>.rejected`, mode 0600: one line of JSON facts, then the first MiB of what came.
"""

import asyncio
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from voxkeep.vault.foldersync import make_folder

LARGEST_BYTES = 1 << 20


class Quarantine:
    """Where one source's unusable answers go."""

    def __init__(self, home: Path, source: str) -> None:
        self._folder = home / "quarantine"
        self._source = source
        self._number = 0

    async def put(self, raw: bytes, facts: Mapping[str, str | int]) -> str:
        """Keep an answer, and return the name of its file. Raises OSError."""
        return await asyncio.to_thread(self._put, raw, facts)

    def _put(self, raw: bytes, facts: Mapping[str, str | int]) -> str:
        make_folder(self._folder)
        head = msgspec.json.encode({**facts, "bytes": len(raw)})
        time = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        while True:
            self._number += 1
            name = f"{self._source}-{time}-{self._number}.rejected"
            try:
                descriptor = os.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                continue
            with os.fdopen(descriptor, "wb") as file:
                file.write(head + b"\n" + raw[:LARGEST_BYTES])
            return name
