"""The local folder: objects are files that a person can find, mode 0600, put so that a power cut loses nothing.

A put writes a temporary file in the object's own folder, hashing on the way, checks the length, fsyncs and closes
it, gives it its name and fsyncs the folder. The name is given by a hard link that fails when it is taken (a plain
rename would silently replace another process's object), then the temporary name goes.

Every temporary file is locked (flock) by its writer as long as that lives, so a sweep can tell an abandoned one
from one that another process is writing at this moment.
"""

import asyncio
import errno
import fcntl
import hashlib
import io
import os
import re
import secrets
from collections.abc import AsyncIterable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from voxkeep.vault.foldersync import FolderSync, ensure_folder, make_folder
from voxkeep.vault.interface import BadName, LengthMismatch, ObjectMissing, Source, VaultError, VaultFull

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.part")
NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}
FILE_BUFFER_BYTES = 1 << 16
GATHER_BYTES = 1 << 20
COMPARE_BYTES = 1 << 20


def _failure(error: OSError) -> VaultError:
    if error.errno in NO_SPACE:
        return VaultFull("no space is left for audio")
    return VaultError(f"{error.strerror or error}")


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
        return io.BufferedReader(_PositionedFile(os.dup(self._descriptor)), FILE_BUFFER_BYTES)

    def close(self) -> None:
        """See `Reader.close`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class _Temporary:
    """A temporary file while it is written; all of it runs in the vault's threads."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.path = target
        self.size = 0
        self._hash = hashlib.sha256()
        self._descriptor = -1

    def begin(self) -> None:
        """Make the file and lock it; a sweep that came between the two has taken it, then another is made."""
        while self._descriptor < 0:
            self.path = self._target.with_name(f".{self._target.name}.{secrets.token_hex(4)}.part")
            self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            if not self._lock():
                self.close()

    def _lock(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return os.fstat(self._descriptor).st_nlink > 0

    def write(self, block: bytes) -> None:
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._hash.update(block)
        self.size += len(block)

    def finish(self, length: int | None) -> str:
        """Make the bytes durable and return their hash. The file stays open: its lock says that we live."""
        if length is not None and length != self.size:
            raise LengthMismatch(f"{length} bytes were announced, {self.size} came")
        os.fsync(self._descriptor)
        return self._hash.hexdigest()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> None:
        if self.path != self._target:
            self.path.unlink(missing_ok=True)
        self.close()


class FolderStaged:
    """See `voxkeep.vault.Staged`."""

    def __init__(self, vault: "FolderVault", name: str, temporary: _Temporary, sha256: str) -> None:
        self._vault = vault
        self._name = name
        self._temporary = temporary
        self.size = temporary.size
        self.sha256 = sha256

    def file(self) -> BinaryIO:
        """See `Staged.file`."""
        return self._temporary.path.open("rb")

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
        self._folders = FolderSync(self._pool)
        make_folder(root)
        ensure_folder(root)
        self._known = {root}

    def _path(self, name: str) -> Path:
        parts = PurePosixPath(name).parts
        if not parts or name.startswith("/") or any(part.startswith(".") or "\0" in part for part in parts):
            raise BadName(f"not an object's name: {name!r}")
        return self._root.joinpath(*parts)

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
        temporary = _Temporary(path)
        try:
            if isinstance(source, bytes):
                sha256 = await self.run(self._stage_bytes, path, temporary, source, length)
            else:
                sha256 = await self._stage_stream(path, temporary, source, length)
        except BaseException:
            # also when the task is cancelled: nothing half-written stays
            temporary.discard()
            raise
        return FolderStaged(self, name, temporary, sha256)

    def _folder_for(self, path: Path) -> None:
        missing = [folder for folder in path.parents if folder.is_relative_to(self._root) and folder not in self._known]
        for folder in reversed(missing):
            ensure_folder(folder)
            self._known.add(folder)

    def _begin(self, path: Path, temporary: _Temporary) -> None:
        self._folder_for(path)
        temporary.begin()

    def _stage_bytes(self, path: Path, temporary: _Temporary, block: bytes, length: int | None) -> str:
        self._begin(path, temporary)
        temporary.write(block)
        return temporary.finish(length)

    async def _stage_stream(
        self, path: Path, temporary: _Temporary, source: AsyncIterable[bytes], length: int | None
    ) -> str:
        await self.run(self._begin, path, temporary)
        gathered = bytearray()
        async for block in source:
            gathered += block
            if len(gathered) >= GATHER_BYTES:
                await self.run(temporary.write, bytes(gathered))
                gathered.clear()
        await self.run(temporary.write, bytes(gathered))
        return await self.run(temporary.finish, length)

    async def place(self, name: str, temporary: _Temporary, sha256: str) -> str:
        """Give a finished temporary file its name; see `Staged.place`."""
        path = self._path(name)
        given, made = await self.run(self._name_file, temporary, path, sha256)
        try:
            await self._sync(path.parent)
        except VaultError:
            if made:
                await self.run(given.unlink)
            raise
        return name if given == path else f"{name[: -len(path.name)]}{given.name}"

    async def _sync(self, folder: Path) -> None:
        try:
            await self._folders.sync(folder)
        except OSError as error:
            raise _failure(error) from error

    def _name_file(self, temporary: _Temporary, path: Path, sha256: str) -> tuple[Path, bool]:
        """Return the name the file has now, and whether it is a new one."""
        self._folder_for(path)
        candidates = (path, path.with_name(f"{path.stem}~{sha256[:12]}{path.suffix}"))
        for candidate in candidates:
            made = _link(temporary.path, candidate)
            if made or _same_bytes(temporary.path, candidate):
                temporary.discard()
                return candidate, made
        raise VaultError(f"{path.name} is taken, and so is its name with the hash added")

    async def open(self, name: str, etag: str) -> FolderReader:
        """See `Vault.open`."""
        return await self.run(_open, self._path(name), etag)

    async def size(self, name: str) -> int | None:
        """See `Vault.size`."""
        return await self.run(_size, self._path(name))

    async def remove(self, name: str) -> bool:
        """See `Vault.remove`."""
        path = self._path(name)
        try:
            await self.run(path.unlink)
        except VaultError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return False
            raise
        await self._sync(path.parent)
        return True

    async def sweep(self) -> int:
        """See `Vault.sweep`."""
        return await self.run(_sweep, self._root)

    async def close(self) -> None:
        """See `Vault.close`."""
        await asyncio.to_thread(self._pool.shutdown)


def _link(temporary: Path, path: Path) -> bool:
    """Give the file its name; False when the name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # a file system without hard links: a check and a rename is the best it offers
        if path.exists():
            return False
        temporary.rename(path)
    return True


def _same_bytes(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        if os.fstat(left.fileno()).st_size != os.fstat(right.fileno()).st_size:
            return False
        while block := left.read(COMPARE_BYTES):
            if block != right.read(COMPARE_BYTES):
                return False
    return True


def _open(path: Path, etag: str) -> FolderReader:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise ObjectMissing(f"{path.name} is not in the vault") from error
    return FolderReader(descriptor, os.fstat(descriptor).st_size, etag)


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _sweep(root: Path) -> int:
    swept = 0
    for folder, _, files in os.walk(root):
        for name in files:
            if TEMPORARY.fullmatch(name):
                swept += _remove_abandoned(Path(folder, name))
    return swept


def _remove_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False  # its writer lives
    else:
        path.unlink(missing_ok=True)
        return True
    finally:
        os.close(descriptor)
