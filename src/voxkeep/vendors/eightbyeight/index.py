"""The index of a folder: `I<yyyymmdd>_version2.csv`, one line for every recording in it (reference 3).

Its values are those of the API's files; the names and the order of its columns are the vendor's. An index is written
once, chunk by chunk, into a file without a name, so that its size is known before it is sent; the last few are held
until something in their folder changes. Called in threads that may block.
"""

import csv
import io
import os
import re
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from threading import Lock
from typing import BinaryIO, NamedTuple
from weakref import WeakValueDictionary
from zoneinfo import ZoneInfo

from voxkeep.archive import Archive
from voxkeep.archive.folders import FolderState
from voxkeep.archive.model import Tenant, name_in
from voxkeep.archive.units import TenantId
from voxkeep.database import Row
from voxkeep.vendors.eightbyeight import wire
from voxkeep.vendors.eightbyeight.bridge import Bridge
from voxkeep.vendors.eightbyeight.render import cell, file_pairs

HELD = 8
"""Indexes held at most, each a file on the archive's disk."""
FILE_NAME = re.compile(r"(S\d{8})/(R\d+\.wav)", re.ASCII)
"""The file names that can be asked for."""
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
CALL_TYPES = {wire.OUTBOUND_CHANNEL: "Outbound", wire.DIRECT_CHANNEL: "Direct Agent Access"}
"""By channel; a call on any other is Inbound (reference 7)."""
INBOUND = "Inbound"


class Line(NamedTuple):
    """What a line is made of: the recording as the API shows it, and what the API does not show."""

    file: wire.File
    folder: str
    name: str
    agent: str
    started: datetime
    stopped: datetime
    zone: tzinfo

    @property
    def call_type(self) -> str:
        """The type of the call, by its channel."""
        return CALL_TYPES.get(self.file.channel, INBOUND)

    @property
    def outbound(self) -> bool:
        """Whether the customer was called: then the customer's number is the called one."""
        return self.file.channel == wire.OUTBOUND_CHANNEL


def _local(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).strftime(TIME_FORMAT)


CELLS: dict[str, Callable[[Line], object]] = {
    "CALL TYPE": lambda line: line.call_type,
    "START TIME": lambda line: _local(line.started, line.zone),
    "STOP TIME": lambda line: _local(line.stopped, line.zone),
    "AGENT NAME": lambda line: line.agent or line.file.agentID,
    "CUSTOMER NUMBER": lambda line: "" if line.outbound else line.file.phoneNumber,
    "PHONE CHANNEL": lambda line: line.file.channel,
    "CALLED NUMBER": lambda line: line.file.phoneNumber if line.outbound else "",
    "CASEID": lambda line: line.file.caseID,
    "DURATION": lambda line: line.file.duration,
    "FILENAME": lambda line: line.name,
    "DIRECTORY": lambda line: line.folder,
    "ACCOUNT NUMBER": lambda line: line.file.accountNumber,
    "START TIME UTC": lambda line: line.started.strftime(TIME_FORMAT),
    "STOP TIME UTC": lambda line: line.stopped.strftime(TIME_FORMAT),
    "QUEUE": lambda line: line.file.queueID,
    "QUEUE NAME": lambda line: line.file.queueName,
    "TRANS ID": lambda line: line.file.transactionID,
    "EXT VAR1": lambda line: line.file.extVar1,
    "EXT VAR2": lambda line: line.file.extVar2,
    "OUT DIAL CODE": lambda line: line.file.outDialCode,
    "WRAP UP CODE": lambda line: cell(file_pairs(line.file)),
}
"""Column -> its cell, in the order of the columns (reference 3)."""

COLUMNS = (*wire.COLUMNS, "agent", "kept_at")
_STARTED, _BEFORE_COLUMNS = 1, 3
_EXTENSION, _DURATION = (COLUMNS.index(name) + _BEFORE_COLUMNS for name in ("agent_extension", "duration_ms"))


class Part(NamedTuple):
    """Some lines of an index, and when the newest of their recordings was kept, in ms."""

    text: bytes
    newest: int


def index_name(folder: str) -> str:
    """Return the name of a folder's index."""
    return f"I{folder[1:]}_version2.csv"


def header() -> bytes:
    """Return the first line."""
    return _csv([tuple(CELLS)])


def part_of(rows: Sequence[Row], zone: str) -> Part:
    """Return the lines of rows of `Archive.in_folder` with COLUMNS, local times in `zone`."""
    info = ZoneInfo(zone)
    files = wire.files_of([row[1:-2] for row in rows], str)
    lines = [_line(row, file, info) for row, file in zip(rows, files, strict=True) if FILE_NAME.fullmatch(row[0])]
    text = _csv([[make(line) for make in CELLS.values()] for line in lines])
    return Part(text, max((row[-1] for row in rows), default=0))


def _line(row: Row, file: wire.File, zone: tzinfo) -> Line:
    started_s = row[_STARTED] // 1000
    stopped_s = started_s + row[_DURATION] // 1000  # shown seconds, as everywhere in this dialect
    folder, _, name = row[0].partition("/")
    return Line(file, folder, name, name_in(row[-2], row[_EXTENSION]), _utc(started_s), _utc(stopped_s), zone)


def _utc(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def _csv(lines: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()


class Index:
    """A finished index; what it lies in goes with it."""

    def __init__(self, modified: int, file: BinaryIO) -> None:
        self.modified = modified
        """When its newest recording was kept, in seconds."""
        self._descriptor = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._descriptor)
        self.size = os.fstat(self._descriptor).st_size

    def pread(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end."""
        return os.pread(self._descriptor, length, offset)


Key = tuple[TenantId, str, str]


class Held(NamedTuple):
    """An index, and of when it is: the number of the archive's newest change and the folder's state before that."""

    seq: int
    state: FolderState
    finished: Index


class Indexes:
    """The indexes of an archive's folders. Safe to use from many threads: each index is made once."""

    def __init__(self, archive: Archive, bridge: Bridge) -> None:
        self._archive = archive
        self._bridge = bridge
        self._lock = Lock()
        self._making: WeakValueDictionary[Key, _Making] = WeakValueDictionary()
        self._held: OrderedDict[Key, Held] = OrderedDict()

    def of(self, tenant: Tenant, folder: str) -> Index:
        """Return the index of a folder as of now. Raises OSError."""
        key = (tenant.id, tenant.zone, folder)
        with self._lock:
            making = self._making.setdefault(key, _Making())
        with making.lock:
            seq = self._bridge(self._archive.changes.latest())
            with self._lock:
                held = self._held.get(key)
            if held is None or held.seq != seq:
                held = self._renewed(held, seq, tenant, folder)
            self._hold(key, held)
        return held.finished

    def _renewed(self, held: Held | None, seq: int, tenant: Tenant, folder: str) -> Held:
        """Return the index that was held if nothing in its folder has changed, else another."""
        state = self._bridge(self._archive.folder_state(tenant.id, folder))
        index = held.finished if held is not None and held.state == state else self._make(tenant, folder)
        return Held(seq, state, index)

    def _hold(self, key: Key, held: Held) -> None:
        with self._lock:
            self._held[key] = held
            self._held.move_to_end(key)
            if len(self._held) > HELD:
                self._held.popitem(last=False)

    def _make(self, tenant: Tenant, folder: str) -> Index:
        parts = self._archive.in_folder(tenant.id, folder, COLUMNS, lambda rows: part_of(rows, tenant.zone))
        newest = 0
        with tempfile.TemporaryFile(dir=self._archive.home) as file:
            file.write(header())
            for part in self._bridge.each(parts):
                file.write(part.text)
                newest = max(newest, part.newest)
            file.flush()
            return Index(newest // 1000, file)


class _Making:
    """Lets one thread make an index while others wait for it."""

    def __init__(self) -> None:
        self.lock = Lock()
