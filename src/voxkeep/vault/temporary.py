"""Temporary files: written beside where their object will be, and locked as long as their writer lives."""

import fcntl
import hashlib
import os
import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from voxkeep.vault.interface import LengthMismatch

NAME = re.compile(r"\..+\.[0-9a-f]{8}\.part")


class Temporary:
    """A temporary file while it is written; all of it runs in the vault's threads.

    `folder_for` makes the folder of a path.
    """

    def __init__(self, target: str, folder_for: Callable[[str], None]) -> None:
        self._target = target
        self._folder_for = folder_for
        self.path = target
        self.size = 0
        self._hash = hashlib.sha256()
        self._descriptor = -1

    @property
    def begun(self) -> bool:
        """Whether the file was made."""
        return self.path != self._target

    def begin(self) -> None:
        """Make the file and lock it; a sweep that came between the two has taken it, then another is made."""
        self._folder_for(self._target)
        folder, name = os.path.split(self._target)
        while self._descriptor < 0:
            self.path = f"{folder}/.{name}.{secrets.token_hex(4)}.part"
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
        """Append `block`, and take it into the hash."""
        rest = memoryview(block)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
        self._hash.update(block)
        self.size += len(block)

    def hasten(self) -> None:
        """Have the disk begin with what was written, so that there is less to wait for when it must be durable."""
        # that is what Linux does on this advice with pages that are not written yet; not every system has it
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def check(self, length: int | None) -> None:
        """Raise LengthMismatch unless `length` bytes, when they were announced, have come."""
        if length is not None and length != self.size:
            raise LengthMismatch(f"{length} bytes were announced, {self.size} came")

    def finish(self) -> str:
        """Make the bytes durable and return their hash. The file stays open: its lock says that we live."""
        os.fsync(self._descriptor)
        return self._hash.hexdigest()

    def close(self) -> None:
        """Close the file, and with it the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def discard(self) -> None:
        """Remove the name, if it is still there."""
        if self.begun:
            with suppress(FileNotFoundError):
                os.unlink(self.path)
            self.path = self._target
        self.close()


def sweep(root: str) -> int:
    """Remove the temporary files below `root` whose writer is dead, and return how many there were."""
    swept = 0
    for folder, _, files in os.walk(root):
        for name in files:
            if NAME.fullmatch(name):
                swept += _remove_abandoned(Path(folder, name))
    return swept


def _remove_abandoned(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
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
