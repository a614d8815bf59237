"""Folders: kept recordings as files in the folders of their file names, for who shows an archive as a tree.

Reads go by the index (tenant, file_name). Only recordings whose audio is there are files; knows no form of audio.
"""

from collections.abc import Callable, Sequence
from typing import Generic, NamedTuple, Self, TypeVar

from voxkeep.archive.filenames import AFTER_DIGITS
from voxkeep.archive.model import State
from voxkeep.archive.units import TenantId
from voxkeep.database import Database, Row

T = TypeVar("T")

FOLDER_LENGTH = len("S20071220")
KEPT = f"state = {int(State.KEPT)} AND audio_name IS NOT NULL"
NEXT = f"SELECT file_name FROM recordings WHERE tenant = $1 AND {KEPT} AND file_name > "  # noqa: S608 -- our own

BEHIND = f"substr(name, 1, {FOLDER_LENGTH}) || '/{AFTER_DIGITS}'"
"""What comes behind all files of the folder that `name` is in."""
IN_FOLDER = f"name LIKE 'S________/%' AND name < {BEHIND}"

# from each folder's first file straight behind its last; a name of another form is stepped over by itself
FOLDERS = f"""
WITH RECURSIVE first_files (name) AS (
    SELECT ({NEXT} '' ORDER BY file_name LIMIT 1)
    UNION ALL
    SELECT ({NEXT} CASE WHEN {IN_FOLDER} THEN {BEHIND} ELSE name END ORDER BY file_name LIMIT 1)
    FROM first_files WHERE name IS NOT NULL
)
SELECT substr(name, 1, {FOLDER_LENGTH}) FROM first_files WHERE {IN_FOLDER}
"""  # noqa: S608 -- our own
RANGE = "FROM recordings WHERE tenant = $1 AND file_name > $2 AND file_name < $3"
BETWEEN = f"{RANGE} AND {KEPT}"
# a kept row changes in one thing only: a later leg may tell the number that was dialled, where there was none
STATE = (
    f"SELECT count(*), count(CASE WHEN {KEPT} THEN 1 END), count(nullif(dialled_number, '')), "
    f"coalesce(max(kept_at), 0), coalesce(max(removed_at), 0) {RANGE}"
)


class FolderState(NamedTuple):
    """Changes whenever what is told of a folder's files does; times in ms."""

    rows: int
    files: int
    dialled: int
    kept_at: int
    removed_at: int


async def all_folders(database: Database, tenant: TenantId) -> list[str]:
    """Return the folders (`S<yyyymmdd>`) in which a tenant has files, in order: a look-up each, whatever they hold."""
    return [str(name) for (name,) in await database.read(FOLDERS, tenant)]


async def has_files(database: Database, tenant: TenantId, folder: str) -> bool:
    """Tell whether there is any file in a folder."""
    rows = await database.read(f"SELECT 1 {BETWEEN} LIMIT 1", tenant, *_bounds(folder))
    return bool(rows)


async def state_of(database: Database, tenant: TenantId, folder: str) -> FolderState:
    """Return the state of a folder: one read of its rows, whatever the other folders hold."""
    (row,) = await database.read(STATE, tenant, *_bounds(folder))
    return FolderState(*row)


class Files(Generic[T]):
    """What `shape` makes of a folder's files in order of name, a chunk at a time; an async iterator.

    `shape` runs off the event loop; its rows are (file_name, started_at, id, *columns).
    """

    def __init__(
        self,
        database: Database,
        tenant: TenantId,
        folder: str,
        columns: Sequence[str],
        shape: Callable[[list[Row]], T],
        chunk_rows: int,
    ) -> None:
        names = ", ".join(("file_name", "started_at", "id", *columns))
        self._sql = f"SELECT {names} {BETWEEN} ORDER BY file_name LIMIT $4"
        self._database = database
        self._tenant = tenant
        self._after, self._end = _bounds(folder)
        self._shape = shape
        self._chunk_rows = chunk_rows
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        if self._ended:
            raise StopAsyncIteration
        return await self._database.read_shaped(
            self._work, self._sql, self._tenant, self._after, self._end, self._chunk_rows
        )

    def _work(self, rows: list[Row]) -> T:
        self._ended = len(rows) < self._chunk_rows
        if rows:
            self._after = rows[-1][0]
        return self._shape(rows)


def _bounds(folder: str) -> tuple[str, str]:
    """Return what stands before and behind all names in a folder."""
    return f"{folder}/", f"{folder}/{AFTER_DIGITS}"
