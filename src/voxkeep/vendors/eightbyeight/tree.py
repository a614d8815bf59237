"""One tenant's recordings as a tree of files (reference 3), read-only: what a visitor can list and open.

`/` holds folders `S<yyyymmdd>`, the UTC days of the file names; each holds its `R*.wav` and an index. Sizes are exact
without making any audio. Nothing exists but names of this alphabet that the tenant has: no path leads elsewhere.
Knows no FTP. Called in threads that may block; refusals are the OSErrors of a file system.
"""

import errno
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from voxkeep.access import Access, Action, AuditEntry, Outcome
from voxkeep.archive import Archive
from voxkeep.archive.errors import AudioMissing, AudioNotReady
from voxkeep.archive.model import Recording, State, Tenant
from voxkeep.archive.renditions import facts_of
from voxkeep.archive.units import now_ms
from voxkeep.audio.errors import AudioError
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.render import Form, is_form, wav_size_bytes
from voxkeep.database import Row
from voxkeep.vault import Reader
from voxkeep.vendors.eightbyeight.bridge import Bridge
from voxkeep.vendors.eightbyeight.index import FILE_NAME, Index, Indexes, index_name

PATH = re.compile(r"/(?:(S\d{8})(?:/([^/]+))?)?", re.ASCII)
COLUMNS = ("ended_at", "audio_bytes", "container", "codec", "channels", "sample_rate", "samples")
"""What the entry of a recording is made of, behind (file_name, started_at, id)."""
SHOWN_SECONDS = 10.0
"""So long a visitor who has seen an index gets that one: what is fetched has the size that was told."""


class Entry(NamedTuple):
    """A file or folder as a list shows it."""

    name: str
    size: int
    """In bytes; 0 for a folder."""
    modified: int
    """In seconds: the end of a recording, the newest one's coming for an index, the day's begin for a folder."""
    is_folder: bool = False


class Visitor(NamedTuple):
    """Who looks at the tree: a tenant, and from where."""

    tenant: Tenant
    remote: str

    def entry(self, action: Action, subject: str, outcome: Outcome = Outcome.DONE, detail: str = "") -> AuditEntry:
        """Return the entry of the audit trail that this was done, or refused."""
        user = f"ftps:{self.tenant.name}"
        return AuditEntry(now_ms(), user, self.tenant.id, action, subject, outcome, detail, self.remote)


class OpenFile:
    """A file being read, in the words of Python's files; `name` is its path."""

    def __init__(self, name: str, size: int, pread: Callable[[int, int], bytes], close: Callable[[], None]) -> None:
        self.name = name
        self.size = size
        self.closed = False
        self._pread = pread
        self._close = close
        self._position = 0

    def read(self, length: int) -> bytes:
        """Return the next `length` bytes, fewer only at the end."""
        data = self._pread(self._position, length)
        self._position += len(data)
        return data

    def seek(self, position: int) -> None:
        """Go on from `position`."""
        self._position = position

    def close(self) -> None:
        """Let go of it."""
        if not self.closed:
            self.closed = True
            self._close()


class Shown(NamedTuple):
    """The index that a visitor saw last."""

    folder: str
    until: float
    """On the monotonic clock, in seconds."""
    finished: Index


class Tree:
    """See the module; one for each who is let in."""

    def __init__(self, archive: Archive, access: Access, bridge: Bridge, indexes: Indexes, visitor: Visitor) -> None:
        self._archive = archive
        self._access = access
        self._bridge = bridge
        self._indexes = indexes
        self._visitor = visitor
        self._shown: Shown | None = None

    def entry(self, path: str) -> Entry:
        """Return what is at an absolute path. Raises OSError: ENOENT, or what the bridge raises."""
        folder, name = place_of(path)
        if not folder:
            return Entry("", 0, 0, is_folder=True)
        if name and name != index_name(folder):
            return _entry(self._recording(folder, name))
        if not self._bridge(self._archive.has_folder(self._visitor.tenant.id, folder)):
            raise _missing(path)
        return self._index_entry(folder) if name else _folder_entry(folder)

    def entries(self, path: str) -> Iterator[Entry]:
        """Return what a folder holds, in order of name, read as it is asked for; noted in the audit trail.

        Raises OSError: ENOENT, ENOTDIR, or what the bridge raises, that also later on.
        """
        if not self.entry(path).is_folder:
            raise _error(errno.ENOTDIR, path)
        folder, _ = place_of(path)
        self._note(Action.LIST, path)
        self._shown = None  # a list is a new look
        return self._files(folder) if folder else self._folders()

    def _folders(self) -> Iterator[Entry]:
        for folder in self._bridge(self._archive.folders(self._visitor.tenant.id)):
            if PATH.fullmatch(f"/{folder}"):
                yield _folder_entry(folder)

    def _files(self, folder: str) -> Iterator[Entry]:
        yield self._index_entry(folder)
        chunks = self._archive.in_folder(self._visitor.tenant.id, folder, COLUMNS, entries_of)
        for chunk in self._bridge.each(chunks):
            yield from chunk

    def _index_entry(self, folder: str) -> Entry:
        index = self._index(folder)
        return Entry(index_name(folder), index.size, index.modified)

    def _index(self, folder: str) -> Index:
        now = time.monotonic()
        shown = self._shown
        if shown is None or shown.folder != folder or now >= shown.until:
            shown = self._shown = Shown(folder, now + SHOWN_SECONDS, self._indexes.of(self._visitor.tenant, folder))
        return shown.finished

    def open(self, path: str) -> OpenFile:
        """Open a file; a recording's audio is made where there is no WAV of it yet.

        Before this returns, that it is listened to (or was refused) stands durably in the audit trail. Raises
        OSError: ENOENT, EISDIR, or what the bridge raises.
        """
        folder, name = place_of(path)
        if not name:
            raise _error(errno.EISDIR if self.entry(path).is_folder else errno.ENOENT, path)
        if name == index_name(folder):
            return self._open_index(path, folder)
        try:
            reader = self._bridge(self._open_audio(folder, name))
        except FileNotFoundError:
            self._record(Action.LISTEN, f"{folder}/{name}", Outcome.REFUSED, "there is no such file")
            raise
        try:
            self._record(Action.LISTEN, f"{folder}/{name}", Outcome.DONE, f"{reader.size} bytes")
            return _open_file(path, reader)
        except OSError:
            reader.close()
            raise

    def _open_index(self, path: str, folder: str) -> OpenFile:
        self.entry(path)
        index = self._index(folder)
        self._note(Action.LIST, path)
        return OpenFile(path, index.size, index.pread, lambda: None)

    def _recording(self, folder: str, name: str) -> Recording:
        return self._bridge(self._find(folder, name))

    async def _find(self, folder: str, name: str) -> Recording:
        file_name = f"{folder}/{name}"
        if FILE_NAME.fullmatch(file_name) is not None:
            recording = await self._archive.by_file_name(self._visitor.tenant.id, file_name)
            if recording is not None and recording.state is State.KEPT and recording.audio is not None:
                return recording
        raise _missing(file_name)

    async def _open_audio(self, folder: str, name: str) -> Reader:
        recording = await self._find(folder, name)
        try:
            return await self._archive.open_made(recording, Form.WAV)
        except (AudioMissing, AudioNotReady, AudioError):
            # each has raised its alarm: an operator must look, the visitor cannot have it
            raise _missing(recording.file_name) from None

    def _note(self, action: Action, subject: str) -> None:
        self._bridge.soon(lambda: self._access.audit.note(self._visitor.entry(action, subject)))

    def _record(self, action: Action, subject: str, outcome: Outcome, detail: str) -> None:
        self._bridge(self._access.audit.record(self._visitor.entry(action, subject, outcome, detail)))


class Place(NamedTuple):
    """The parts of a path; without a folder it is the root, without a name the folder itself."""

    folder: str
    name: str


def place_of(path: str) -> Place:
    """Return where an absolute path leads. Raises FileNotFoundError for one that leads nowhere."""
    match = PATH.fullmatch(path)
    if match is None:
        raise _missing(path)
    return Place(match[1] or "", match[2] or "")


def entries_of(rows: Sequence[Row]) -> list[Entry]:
    """Return the entries of rows of `Archive.in_folder` with COLUMNS."""
    return list(_entries(rows))


def _entries(rows: Iterable[Row]) -> Iterator[Entry]:
    for file_name, _, _, ended_at, audio_bytes, *facts in rows:
        match = FILE_NAME.fullmatch(file_name)
        if match is not None:
            yield Entry(match[2], _size(AudioFacts(*facts), audio_bytes), ended_at // 1000)


def _entry(recording: Recording) -> Entry:
    facts = facts_of(recording)
    size = _size(facts, 0 if recording.audio is None else recording.audio.size_bytes)
    return Entry(recording.file_name.rpartition("/")[2], size, recording.ended_at // 1000)


def _size(facts: AudioFacts, audio_bytes: int) -> int:
    """Return the bytes of a recording's WAV: an original that is one already is sent as it is."""
    return audio_bytes if is_form(facts, Form.WAV) else wav_size_bytes(facts)


def _folder_entry(folder: str) -> Entry:
    try:
        day = datetime.strptime(folder, "S%Y%m%d").replace(tzinfo=UTC)
    except ValueError:  # a vendor's own name that is no day
        return Entry(folder, 0, 0, is_folder=True)
    return Entry(folder, 0, max(0, int(day.timestamp())), is_folder=True)


def _open_file(path: str, reader: Reader) -> OpenFile:
    file = reader.file()

    def pread(offset: int, length: int) -> bytes:
        file.seek(offset)
        return file.read(length)

    def close() -> None:
        file.close()
        reader.close()

    return OpenFile(path, reader.size, pread, close)


def _missing(path: str) -> OSError:
    return _error(errno.ENOENT, path)


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)
