"""Rows that wait to be rendered: the first few in memory, the rest in a file without a name.

A report's figures stand beside its rows, in some forms before them; so the rows are computed first, and kept where they
do not need memory. The file is gone with the last one who holds the rows, also when the process dies.
"""

import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from voxkeep.activity.events import ActivityError
from voxkeep.activity.report import Row

BLOCK_ROWS = 100
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[Any, ...]]).decode


class Spool:
    """A file for the rows of one report, made when it is first needed, in `folder` or the system's own."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._descriptor: int | None = None
        self._size = 0

    def strand(self) -> "Strand":
        """Return a new, empty sequence of rows."""
        return Strand(self)

    def put(self, block: bytes) -> tuple[int, int]:
        """Keep some bytes, and return where. Raises ActivityError when there is no space."""
        try:
            self._write(block)
        except OSError as error:
            raise ActivityError(f"no room for a report's rows: {error.strerror}") from error
        self._size += len(block)
        return self._size - len(block), len(block)

    def _write(self, block: bytes) -> None:
        if self._descriptor is None:
            self._descriptor, name = tempfile.mkstemp(dir=self._folder)
            weakref.finalize(self, os.close, self._descriptor)
            Path(name).unlink()
        written = 0
        while written < len(block):
            written += os.pwrite(self._descriptor, block[written:], self._size + written)

    def get(self, place: int, size: int) -> bytes:
        """Return the bytes that `put` kept there. Raises ActivityError when they cannot be read."""
        if self._descriptor is None:
            raise AssertionError("nothing was put")
        block = os.pread(self._descriptor, size, place)
        if len(block) < size:
            raise ActivityError("a report's rows cannot be read back")
        return block


class Strand:
    """Rows in the order in which they were added; may be read any number of times, by several at once."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._blocks: list[tuple[int, int]] = []
        self._newest: list[Row] = []

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row: of texts, numbers, flags, None, or lists of such."""
        self._newest.append(row)
        if len(self._newest) == BLOCK_ROWS:
            self._blocks.append(self._spool.put(_encode(self._newest)))
            self._newest = []

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for block in self._blocks:
            yield from _decode(self._spool.get(*block))
        yield from self._newest
