"""The local folder: objects are files that a person can find, mode 0600, put so that a power cut loses nothing.

A put writes a temporary file in the object's own folder, hashing on the way, checks the length, fsyncs it, gives it
its name, closes it and fsyncs the folder. The name is given by a hard link that fails when it is taken (a plain
rename would silently replace another process's object), then the temporary name goes.

Every temporary file is locked (flock) by its writer as long as that lives, so a sweep can tell an abandoned one
from one that another process is writing at this moment.
"""

import asyncio
import errno
import io
import os
import stat
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar

from voxkeep.vault.foldersync import ensure_folder, make_folder
from voxkeep.vault.interface import BadName, ObjectMissing, Source, VaultError, VaultFull
from voxkeep.vault.lanes import Lane
from voxkeep.vault.naming import Give, NameChange, Take, change_names
from voxkeep.vault.temporary import Temporary, sweep

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FILE_BUFFER_BYTES = 1 << 16
GATHER_BYTES = 1 << 20


def _failure(error: OSError) -> VaultError:
    if isinstance(error, FileNotFoundError):
        return ObjectMissing("it is not in the vault")
    if error.errno in NO_SPACE:
        return VaultFull("no space is left for audio")
    return VaultError(f"{error.strerror or error}")


async def _told(step: Awaitable[T]) -> T:
    """Wait for a step in the vault's threads, its errors told as VaultError."""
    try:
        return await step
    except OSError as error:
        raise _failure(error) from error


class _PositionedFile(io.RawIOBase):
    """A file with a position of its own over a shared descriptor (a duplicate's position is shared)."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: os.fstat(self._descriptor).st_size}
        self._position = max(0, base[whence] + offset)
        return self._position

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def _file(descriptor: int) -> BinaryIO:
    return io.BufferedReader(_PositionedFile(descriptor), FILE_BUFFER_BYTES)


class FolderReader:
    """See `voxkeep.vault.Reader`."""

    def __init__(self, descriptor: int, size: int, etag: str) -> None:
        self._descriptor = descriptor
        self.size = size
        self.etag = etag

    def fileno(self) -> int | None:
        """Return the file's descriptor."""
        return self._descriptor

    async def pread(self, offset: int, length: int) -> bytes:
        """See `Reader.pread`."""
        return await asyncio.to_thread(os.pread, self._descriptor, length, offset)

    def file(self) -> BinaryIO:
        """See `Reader.file`."""
        return _file(os.dup(self._descriptor))

    def close(self) -> None:
        """See `Reader.close`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class _Put(NamedTuple):
    """Bytes on their way into a temporary file: all of them, or the last of a stream."""

    temporary: Temporary
    block: bytes
    length: int | None

    def write(self) -> None:
        if not self.temporary.begun:
            self.temporary.begin()
        self.temporary.write(self.block)
        self.temporary.check(self.length)
        self.temporary.hasten()


class FolderStaged:
    """See `voxkeep.vault.Staged`."""

    def __init__(self, vault: "FolderVault", name: str, temporary: Temporary, sha256: str) -> None:
        self._vault = vault
        self._name = name
        self._temporary = temporary
        self.size = temporary.size
        self.sha256 = sha256

    def file(self) -> BinaryIO:
        """See `Staged.file`."""
        # nameless, so that no error text of a decoder shows where it lies
        return _file(os.open(self._temporary.path, os.O_RDONLY | os.O_CLOEXEC))

    async def place(self, name: str | None = None) -> str:
        """See `Staged.place`."""
        return await self._vault.place(name or self._name, self._temporary, self.sha256)

    async def discard(self) -> None:
        """See `Staged.discard`."""
        await self._vault.run(self._temporary.discard)


class FolderVault:
    """See `voxkeep.vault.Vault`; `root` is the folder, made when missing."""

    def __init__(self, root: Path, *, threads: int = 8) -> None:
        self._root = root
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="voxkeep-vault")
        self._flushers = ThreadPoolExecutor(threads, thread_name_prefix="voxkeep-flush")
        # two, so that one batch is written while the disk is at work on the other
        self._finishing: Lane[_Put, str] = Lane(self._pool, self._finish_all, at_once=2)
        self._naming: Lane[NameChange, str] = Lane(self._pool, change_names)
        make_folder(root)
        ensure_folder(root)
        self._known = {str(root)}

    def _path(self, name: str) -> str:
        parts = [part for part in name.split("/") if part]
        if not parts or name[0] == "/" or "\0" in name or any(part[0] == "." for part in parts):
            raise BadName(f"not an object's name: {name!r}")
        return f"{self._root}/{'/'.join(parts)}"

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a blocking step in the vault's threads, its errors told as VaultError.

        A thread cannot be cancelled: whoever is cancelled here leaves only when the step is over, so that what they
        do next does not meet it.
        """
        step = asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        try:
            return await asyncio.shield(step)
        except OSError as error:
            raise _failure(error) from error
        except asyncio.CancelledError:
            await asyncio.wait([step])
            raise

    async def stage(self, name: str, source: Source, *, length: int | None = None) -> FolderStaged:
        """See `Vault.stage`."""
        path = self._path(name)
        temporary = Temporary(path, self._folder_for)
        try:
            if isinstance(source, bytes):
                put = _Put(temporary, source, length)
            else:
                put = _Put(temporary, await self._written(temporary, source), length)
            sha256 = await _told(self._finishing.run(put))
        except BaseException:
            # also when the task is cancelled: nothing half-written stays
            temporary.discard()
            raise
        return FolderStaged(self, name, temporary, sha256)

    def _folder_for(self, path: str) -> None:
        """Make the folder of an object durably, once."""
        folder = os.path.dirname(path)
        if folder in self._known:
            return
        missing = [each for each in Path(path).parents if each.is_relative_to(self._root)]
        for each in reversed(missing):
            if str(each) not in self._known:
                ensure_folder(each)
                self._known.add(str(each))

    async def _written(self, temporary: Temporary, source: AsyncIterable[bytes]) -> bytes:
        """Write a stream, and return its last bytes, which are still to be written."""
        await self.run(temporary.begin)
        gathered = bytearray()
        async for block in source:
            gathered += block
            if len(gathered) >= GATHER_BYTES:
                await self.run(temporary.write, bytes(gathered))
                gathered.clear()
        return bytes(gathered)

    def _finish_all(self, puts: Sequence[_Put]) -> list[str | Exception]:
        """Write all, then make all durable at once.

        Beside each other, the files' fsyncs share the flushes of the disk's journal: measured with 32 files of 200 KB,
        twice as fast as one after the other.
        """
        failures = [_failed(put.write) for put in puts]
        finished = self._flushers.map(
            _finished, [put for put, failed in zip(puts, failures, strict=True) if not failed]
        )
        return [failure or next(finished) for failure in failures]

    async def place(self, name: str, temporary: Temporary, sha256: str) -> str:
        """Give a finished temporary file its name; see `Staged.place`."""
        path = self._path(name)
        given = await _told(self._naming.run(Give(temporary, path, sha256, self._folder_for)))
        return name if given == path else f"{os.path.dirname(name)}/{os.path.basename(given)}"

    async def open(self, name: str, etag: str) -> FolderReader:
        """See `Vault.open`."""
        return await self.run(_open, self._path(name), etag)

    async def size(self, name: str) -> int | None:
        """See `Vault.size`."""
        return await self.run(_size, self._path(name))

    async def remove(self, name: str) -> bool:
        """See `Vault.remove`."""
        try:
            await _told(self._naming.run(Take(self._path(name))))
        except ObjectMissing:
            return False
        return True

    async def sweep(self) -> int:
        """See `Vault.sweep`."""
        return await self.run(sweep, str(self._root))

    async def close(self) -> None:
        """See `Vault.close`."""
        await asyncio.to_thread(self._pool.shutdown)
        await asyncio.to_thread(self._flushers.shutdown)


def _failed(step: Callable[[], None]) -> Exception | None:
    try:
        step()
    except (OSError, VaultError) as error:
        return error
    return None


def _finished(put: _Put) -> str | Exception:
    try:
        return put.temporary.finish()
    except OSError as error:
        return error


def _open(path: str, etag: str) -> FolderReader:
    # not blocking: what is no file, such as a FIFO, must not hold up who opens it
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        os.close(descriptor)
        raise ObjectMissing("what stands in its place is no file")
    return FolderReader(descriptor, found.st_size, etag)


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return None
