"""What every store of audio objects does.

```
VaultError
├── VaultFull        no space is left: permanent, nobody retries it
├── LengthMismatch   another number of bytes came than was announced
├── ObjectMissing    no object has that name
└── BadName          a name that could lead outside the store
```
"""

from collections.abc import AsyncIterable
from typing import BinaryIO, Protocol

Source = bytes | AsyncIterable[bytes]


class VaultError(Exception):
    """The store could not do what was asked; no half object is left under any name."""


class VaultFull(VaultError):
    """No space is left in the store. Trying again does not help until there is."""


class LengthMismatch(VaultError):
    """Another number of bytes came than was announced."""


class ObjectMissing(VaultError):
    """No object has that name."""


class BadName(VaultError):
    """A name that could lead outside the store."""


class Reader(Protocol):
    """An open object. Its bytes never change."""

    size: int
    """Bytes of the object."""
    etag: str
    """SHA-256 of the object, in hex."""

    def fileno(self) -> int | None:
        """Return a descriptor for reading by position, where there is a plain file; else None."""
        ...

    async def pread(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the object."""
        ...

    def file(self) -> BinaryIO:
        """Return a seekable file over the whole object, for a thread that may block; close it."""
        ...

    def close(self) -> None:
        """Let go of the object."""
        ...


class Staged(Protocol):
    """Bytes that are durable but not yet an object: place them or discard them."""

    size: int
    """Bytes staged."""
    sha256: str
    """Their SHA-256, in hex."""

    def file(self) -> BinaryIO:
        """Return a seekable file over the bytes, for a thread that may block; close it."""
        ...

    async def place(self, name: str | None = None) -> str:
        """Make them the object `name` (the staged name, unless given), durably, and return the name it has.

        That is the name asked for; or, when it is taken by other bytes, that name with a part of the hash added.
        When the same bytes stand there already (a run that died before it told the catalog), they are the object.
        """
        ...

    async def discard(self) -> None:
        """Remove them. Harmless after `place`."""
        ...


class Vault(Protocol):
    """A store. Safe to use from many tasks, and from several processes, at once."""

    async def stage(self, name: str, source: Source, *, length: int | None = None) -> Staged:
        """Write `source` durably beside where the object `name` will be, hashing it on the way.

        Raises VaultFull, LengthMismatch (when `length` bytes were announced), BadName, or what `source` raises;
        nothing is left behind then.
        """
        ...

    async def open(self, name: str, etag: str) -> Reader:
        """Open an object whose SHA-256 is known to be `etag`. Raises ObjectMissing."""
        ...

    async def size(self, name: str) -> int | None:
        """Return the bytes of an object, or None when there is none."""
        ...

    async def remove(self, name: str) -> bool:
        """Remove an object durably; False when there was none."""
        ...

    async def sweep(self) -> int:
        """Remove what writers that died left staged, and return how many there were."""
        ...

    async def close(self) -> None:
        """Finish what is under way."""
        ...
