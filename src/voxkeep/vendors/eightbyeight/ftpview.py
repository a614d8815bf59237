"""A tree as pyftpdlib looks at it: its "file system" and its "authorizer", and the lines of listings.

Neither is derived from pyftpdlib's own, whose methods would reach the real disk: what is not here cannot be done.
Listings are made as they are sent, so that a folder of any size takes no memory.
"""

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from voxkeep.vendors.eightbyeight.tree import Entry, OpenFile, Tree

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
RECENT_SECONDS = 180 * 24 * 3600
"""Lists show the time of day up to this age, and the year beyond it, as `ls` does."""
PERMISSIONS: Final = "elr"
"""pyftpdlib's letters: change folder, list, retrieve."""

FACTS: Mapping[str, Callable[[Entry], str]] = {
    "type": lambda entry: "dir" if entry.is_folder else "file",
    "perm": lambda entry: "el" if entry.is_folder else "r",
    "size": lambda entry: str(entry.size),
    "modify": lambda entry: f"{_utc(entry.modified):%Y%m%d%H%M%S}",
}
"""What MLST and MLSD tell of an entry (RFC 3659), times in UTC."""


class Listing:
    """The entries of a folder, which come in order, read as they are asked for; pyftpdlib would sort a list."""

    def __init__(self, entries: Iterator[Entry]) -> None:
        self._entries = entries

    def __iter__(self) -> Iterator[Entry]:
        return self._entries

    def sort(self) -> None:
        """Do nothing: see the class."""


class View:
    """The tree behind one connection, with the folder it stands in. Methods raise the tree's OSErrors."""

    root = "/"

    def __init__(self, tree: Tree, cmd_channel: object) -> None:
        self.cwd = "/"
        self.cmd_channel = cmd_channel
        self._tree = tree

    # Paths: there is only the virtual one

    def ftp2fs(self, path: str) -> str:
        """Return an absolute path; `..` never leads above the root."""
        return "/" + posixpath.normpath(posixpath.join(self.cwd, path)).lstrip("/")

    def fs2ftp(self, path: str) -> str:
        """Return the same path."""
        return path

    def realpath(self, path: str) -> str:
        """Return the same path: there are no links."""
        return path

    def validpath(self, path: str) -> bool:
        """Say yes: an absolute path leads into the tree or nowhere."""
        return path.startswith("/")

    # What is there

    def isdir(self, path: str) -> bool:
        """Tell whether a folder is there."""
        entry = self._entry(path)
        return entry is not None and entry.is_folder

    def isfile(self, path: str) -> bool:
        """Tell whether a file is there."""
        entry = self._entry(path)
        return entry is not None and not entry.is_folder

    def _entry(self, path: str) -> Entry | None:
        try:
            return self._tree.entry(path)
        except FileNotFoundError:
            return None

    def lstat(self, path: str) -> Entry:
        """Return what is there."""
        return self._tree.entry(path)

    def getsize(self, path: str) -> int:
        """Return a file's size in bytes."""
        return self._tree.entry(path).size

    def getmtime(self, path: str) -> int:
        """Return when a file was modified, in seconds."""
        return self._tree.entry(path).modified

    def chdir(self, path: str) -> None:
        """Stand in another folder."""
        if not self._tree.entry(path).is_folder:
            raise NotADirectoryError(20, "Not a directory", path)
        self.cwd = path

    def listdir(self, path: str) -> Listing:
        """Return what a folder holds."""
        return Listing(self._tree.entries(path))

    def open(self, path: str, mode: str) -> OpenFile:
        """Open a file to read."""
        if mode != "rb":
            raise PermissionError(13, "Permission denied", path)
        return self._tree.open(path)

    # Lines

    def format_list(self, folder: str, listing: Listing | Sequence[str]) -> Iterator[bytes]:
        """Yield the lines of LIST, of all in a folder or of the names in it."""
        now = datetime.now(UTC).timestamp()
        return (list_line(entry, now) for entry in self._entries(folder, listing))

    def format_mlsx(
        self,
        folder: str,
        listing: Listing | Sequence[str],
        perms: str,
        facts: Sequence[str],
        ignore_err: bool = True,  # noqa: FBT001, FBT002 -- pyftpdlib's signature
    ) -> Iterator[bytes]:
        """Yield the lines of MLSD and MLST with the facts that were asked for."""
        del perms, ignore_err
        return (fact_line(entry, facts) for entry in self._entries(folder, listing))

    def _entries(self, folder: str, listing: Listing | Sequence[str]) -> Iterable[Entry]:
        if isinstance(listing, Listing):
            return listing
        return [self._tree.entry(posixpath.join(folder, name)) for name in listing]


class ReadOnly:
    """What everybody may do: look and take. Who comes in is decided before (pyftpdlib's "authorizer")."""

    def has_perm(self, username: str, perm: str, path: str | None = None) -> bool:
        """Tell whether something may be done: by its letter."""
        del username, path
        return perm in PERMISSIONS

    def get_perms(self, username: str) -> str:
        """Return the letters of what may be done."""
        del username
        return PERMISSIONS

    def get_msg_quit(self, username: str) -> str:
        """Return the farewell."""
        del username
        return "Goodbye."

    def impersonate_user(self, username: str, password: str) -> None:
        """Do nothing: there are no system users."""

    def terminate_impersonation(self, username: str) -> None:
        """Do nothing."""


def list_line(entry: Entry, now: float) -> bytes:
    """Return a line as `ls -l` has it, in UTC."""
    modified = _utc(entry.modified)
    recent = now - entry.modified <= RECENT_SECONDS
    moment = f"{modified:%H:%M}" if recent else f"{modified.year:5}"
    mode = "dr-xr-xr-x" if entry.is_folder else "-r--r--r--"
    day = f"{MONTHS[modified.month - 1]} {modified.day:2} {moment}"
    return f"{mode} 1 voxkeep voxkeep {entry.size:12} {day} {entry.name}\r\n".encode()


def fact_line(entry: Entry, facts: Sequence[str]) -> bytes:
    """Return a line of facts, in the order of the names as RFC 3659 has it."""
    told = "".join(f"{name}={FACTS[name](entry)};" for name in sorted(facts) if name in FACTS)
    return f"{told} {entry.name}\r\n".encode()


def _utc(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)
