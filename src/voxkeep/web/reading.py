"""Reading exact pieces of a body: inline when the page cache has them, in a thread when the disk must be asked."""

import asyncio
import os
from typing import Final, Protocol

from voxkeep.web.errors import TruncatedBodyError

CHUNK_BYTES: Final = 256 * 1024

_NOWAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)
_PROBE: Final = [bytearray(1)]  # written, never read


class AudioBody(Protocol):
    """What the sender needs of a stored body. It stays open until the sender is done; the caller closes it."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    @property
    def etag(self) -> str:
        """The body's hex SHA-256, without quotes."""

    def fileno(self) -> int | None:
        """Give a descriptor of a regular file holding exactly this body, or None when there is none."""

    async def pread(self, offset: int, length: int) -> bytes:
        """Read `length` bytes from `offset`; fewer only at the end of the body."""


async def read_exactly(body: AudioBody, offset: int, length: int) -> bytes | bytearray:
    """Read `length` bytes from `offset`, by the body's descriptor when it has one. Raises TruncatedBodyError."""
    descriptor = body.fileno()
    if descriptor is None:
        data: bytes | bytearray = await body.pread(offset, length)
    else:
        data = await read_file(descriptor, offset, length)
    if len(data) != length:
        raise TruncatedBodyError(length, offset)
    return data


async def read_file(descriptor: int, offset: int, length: int) -> bytes | bytearray:
    """Read up to `length` bytes of a file at `offset` without holding the event loop up for the disk."""
    cached = _read_cached(descriptor, offset, length)
    if cached is not None:
        return cached
    return await asyncio.to_thread(os.pread, descriptor, length, offset)


def _read_cached(descriptor: int, offset: int, length: int) -> bytearray | None:
    if _NOWAIT is None:
        return None
    buffer = bytearray(length)
    try:
        count = os.preadv(descriptor, [buffer], offset, _NOWAIT)
    except (
        OSError
    ):  # EAGAIN: not in the cache; EOPNOTSUPP: the file system cannot say. Other faults show in the thread.
        return None
    return buffer if count == length else None


def is_cached(descriptor: int, start: int, stop: int) -> bool:
    """Say whether a piece is likely in the page cache: its last byte is, and read-ahead goes forwards. Never waits.

    Raises TruncatedBodyError when the file ends before `stop`.
    """
    if _NOWAIT is None:
        return False
    try:
        if os.preadv(descriptor, _PROBE, stop - 1, _NOWAIT) == 0:
            raise TruncatedBodyError(stop - start, start)
    except OSError:
        return False
    return True
