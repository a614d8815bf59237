"""Giving and taking names: many changes of names share one fsync of each folder they are in."""

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from voxkeep.vault.foldersync import fsync_folder
from voxkeep.vault.interface import VaultError
from voxkeep.vault.temporary import Temporary

NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS}
COMPARE_BYTES = 1 << 20


class NameChange(Protocol):
    """One change. `do` changes a name and returns the path concerned; `undo` takes it back if it can be."""

    def do(self) -> str:
        """Change the name; not durable yet."""
        ...

    def undo(self) -> None:
        """Take the change back: it could not be made durable."""
        ...


class Give:
    """Gives a finished temporary file its name: `path`, or when that is taken by other bytes, one with the hash."""

    def __init__(self, temporary: Temporary, path: str, sha256: str, folder_for: Callable[[str], None]) -> None:
        self._temporary = temporary
        self._path = path
        self._sha256 = sha256
        self._folder_for = folder_for
        self._made = ""

    def do(self) -> str:
        """See `NameChange.do`."""
        self._folder_for(self._path)
        stem, extension = os.path.splitext(self._path)
        for candidate in (self._path, f"{stem}~{self._sha256[:12]}{extension}"):
            made = _link(self._temporary.path, candidate)
            if made or _same_bytes(self._temporary.path, candidate):
                self._made = candidate if made else ""
                self._temporary.discard()
                return candidate
        raise VaultError(f"{os.path.basename(self._path)} is taken, and so is its name with the hash added")

    def undo(self) -> None:
        """See `NameChange.undo`; a name that stood before stays."""
        if self._made:
            with suppress(OSError):
                os.unlink(self._made)


class Take:
    """Takes an object's name away. `do` raises FileNotFoundError when there is none."""

    def __init__(self, path: str) -> None:
        self._path = path

    def do(self) -> str:
        """See `NameChange.do`."""
        os.unlink(self._path)
        return self._path

    def undo(self) -> None:
        """See `NameChange.undo`; what is removed cannot be brought back."""


def change_names(changes: Sequence[NameChange]) -> list[str | Exception]:
    """Make all changes, then every folder concerned durable; returns each one's path, or what went wrong with it."""
    outcomes = [_attempt(change) for change in changes]
    failures = {
        folder: _synced(folder) for folder in {os.path.dirname(each) for each in outcomes if isinstance(each, str)}
    }
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, str) and (failure := failures[os.path.dirname(outcome)]) is not None:
            changes[index].undo()
            outcomes[index] = failure
    return outcomes


def _attempt(change: NameChange) -> str | Exception:
    try:
        return change.do()
    except (OSError, VaultError) as error:
        return error


def _synced(folder: str) -> OSError | None:
    try:
        fsync_folder(folder)
    except OSError as error:
        return error
    return None


def _link(temporary: str, path: str) -> bool:
    """Give the file its name; False when the name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # a file system without hard links: a check and a rename is the best it offers
        if os.path.lexists(path):
            return False
        os.rename(temporary, path)
    return True


def _same_bytes(one: str, other: str) -> bool:
    with open(one, "rb") as left, open(other, "rb") as right:
        if os.fstat(left.fileno()).st_size != os.fstat(right.fileno()).st_size:
            return False
        while block := left.read(COMPARE_BYTES):
            if block != right.read(COMPARE_BYTES):
                return False
    return True
