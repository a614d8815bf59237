"""The SQLite driver: WAL, one writer thread with group commit, a few reader threads.

Writes that arrive while a commit is being made durable share the next one. Each runs in a savepoint of its own, so
that one that fails takes nothing of its neighbours with it.
"""

import asyncio
import re
import threading
from collections.abc import Coroutine, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import apsw

from voxkeep.database.interface import DatabaseError, DatabaseFull, Row, Shape, Transaction, Value, Work
from voxkeep.database.jobs import Completions, Job, Loops

T = TypeVar("T")

WORDS: Mapping[str, str] = {"bytes": "BLOB", "big": "INTEGER", "clustered": "WITHOUT ROWID"}
FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX
"""Each connection is one thread's, so it needs no lock of its own; without it a wide scan is a third faster."""
PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    # FULL makes every commit durable; NORMAL would lose acknowledged commits with the power
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -8192",
    "PRAGMA wal_autocheckpoint = 2000",
    "PRAGMA foreign_keys = ON",
)


@lru_cache(maxsize=1024)
def numbered(sql: str) -> str:
    """Return `sql` with `?1` for `$1`: SQLite takes `$1` as a name, and binding by place would swap silently."""
    return re.sub(r"\$(\d+)", r"?\1", sql)


def _failure(error: apsw.Error) -> DatabaseError:
    if isinstance(error, apsw.FullError):
        return DatabaseFull("no space is left for the database")
    return DatabaseError(f"{type(error).__name__}: {error}")


class _Transaction:
    """Runs in the writer's thread; its coroutines never suspend."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def rows(self, sql: str, *values: Value) -> list[Row]:
        return self._connection.execute(numbered(sql), values).fetchall()

    async def execute(self, sql: str, *values: Value) -> int:
        before = self._connection.total_changes()
        self._connection.execute(numbered(sql), values)
        return self._connection.total_changes() - before

    async def execute_many(self, sql: str, rows: Iterable[tuple[Value, ...]]) -> None:
        self._connection.executemany(numbered(sql), rows)


class _Write(Job[T]):
    """One write on its way."""

    def __init__(self, completions: Completions, work: Work[T]) -> None:
        super().__init__(completions)
        self.work = work

    def run(self, transaction: Transaction) -> None:
        coroutine = self.work(transaction)
        assert isinstance(coroutine, Coroutine)  # noqa: S101 -- a programming error of ours, not input
        try:
            coroutine.send(None)
        except StopIteration as stop:
            self.result = stop.value
        else:
            coroutine.close()
            raise RuntimeError("a transaction awaited something other than its own statements")


class _Read(Job[T]):
    """One read on its way."""

    def __init__(self, completions: Completions, shape: Shape[T], sql: str, values: tuple[Value, ...]) -> None:
        super().__init__(completions)
        self.shape = shape
        self.sql = sql
        self.values = values

    def run(self, connection: apsw.Connection) -> None:
        try:
            self.result = self.shape(connection.execute(numbered(self.sql), self.values).fetchall())
        except apsw.Error as error:
            self.error = _failure(error)
        except Exception as error:  # noqa: BLE001 -- whatever the shaping raises belongs to whoever awaits it
            self.error = error


class SqliteDatabase:
    """See `voxkeep.database.Database`; `path` is the database file, made when missing."""

    words = WORDS

    def __init__(self, path: Path, *, readers: int = 2, group_commit: int = 32, busy_timeout_ms: int = 10_000) -> None:
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._group_commit = group_commit
        try:
            # the write-ahead log takes over the mode
            path.touch(mode=0o600)
        except OSError as error:
            raise DatabaseError(f"{path.name}: {error.strerror}") from error
        self._connections: list[apsw.Connection] = []
        self._loops = Loops()
        self._writer = self._connect()
        self._watcher = self._connect()
        self._writes: SimpleQueue[_Write[Any] | None] = SimpleQueue()
        self._reads: SimpleQueue[_Read[Any] | None] = SimpleQueue()
        self._reader_count = readers
        self._threads = [threading.Thread(target=self._write_loop, name="voxkeep-write", daemon=True)]
        for _ in range(readers):
            target, connection = self._read_loop, self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._threads.append(threading.Thread(target=target, args=(connection,), name="voxkeep-read", daemon=True))
        for thread in self._threads:
            thread.start()

    def _connect(self) -> apsw.Connection:
        try:
            connection = apsw.Connection(str(self._path), flags=FLAGS)
            connection.set_busy_timeout(self._busy_timeout_ms)
            for pragma in PRAGMAS:
                connection.execute(pragma)
        except apsw.Error as error:
            raise DatabaseError(f"{self._path.name}: {error}") from error
        self._connections.append(connection)
        return connection

    async def read(self, sql: str, *values: Value) -> list[Row]:
        """See `Database.read`."""
        return await self.read_shaped(_as_they_are, sql, *values)

    async def read_shaped(self, shape: Shape[T], sql: str, *values: Value) -> T:
        """See `Database.read_shaped`."""
        job = _Read(self._loops.here(), shape, sql, values)
        self._reads.put(job)
        return await job.future

    def _read_loop(self, connection: apsw.Connection) -> None:
        while (job := self._reads.get()) is not None:
            job.run(connection)
            job.completions.put(job)

    async def write(self, work: Work[T]) -> T:
        """See `Database.write`."""
        job = _Write(self._loops.here(), work)
        self._writes.put(job)
        return await job.future

    async def define(self, script: str) -> None:
        """See `Database.define`."""

        async def run(transaction: Transaction) -> None:
            await transaction.execute(script)

        await self.write(run)

    async def glance(self, sql: str, *values: Value) -> list[Row]:
        """See `Database.glance`."""
        try:
            return self._watcher.execute(numbered(sql), values).fetchall()
        except apsw.Error as error:
            raise _failure(error) from error

    async def changes(self) -> int:
        """See `Database.changes`; answered on the event loop, in a few microseconds."""
        version: int = self._watcher.execute("PRAGMA data_version").get
        return version

    async def close(self) -> None:
        """See `Database.close`."""
        self._writes.put(None)
        for _ in range(self._reader_count):
            self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        for connection in self._connections:
            connection.close()

    # In the writer's thread from here on.

    def _write_loop(self) -> None:
        while (group := self._next_group()) is not None:
            self._run_group(group)
            for job in group:
                job.completions.put(job)

    def _next_group(self) -> list[_Write[Any]] | None:
        first = self._writes.get()
        if first is None:
            return None
        group = [first]
        while len(group) < self._group_commit:
            try:
                job = self._writes.get_nowait()
            except Empty:
                break
            if job is None:
                self._writes.put(None)
                break
            group.append(job)
        return group

    def _run_group(self, group: list[_Write[Any]]) -> None:
        try:
            self._commit_together(group)
        except apsw.Error as error:
            self._roll_back()
            if len(group) == 1 or isinstance(error, apsw.BusyError):
                # another process holds the database: each of them would wait for it as long again
                for job in group:
                    job.error = _failure(error)
                return
            # one of them broke the whole transaction (disk full, I/O): alone, each meets only its own fate
            for job in group:
                self._run_group([job])

    def _commit_together(self, group: list[_Write[Any]]) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        transaction = _Transaction(self._writer)
        for job in group:
            job.error = None
            self._run_in_savepoint(job, transaction)
        self._writer.execute("COMMIT")

    def _run_in_savepoint(self, job: _Write[Any], transaction: _Transaction) -> None:
        self._writer.execute("SAVEPOINT job")
        try:
            job.run(transaction)
        except Exception as error:  # whatever the work raises belongs to whoever awaits it
            if not self._writer.in_transaction:  # SQLite gave up the whole of it
                raise error if isinstance(error, apsw.Error) else apsw.Error(str(error)) from error
            self._writer.execute("ROLLBACK TO job")
            job.error = _failure(error) if isinstance(error, apsw.Error) else error
        self._writer.execute("RELEASE job")

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")


def _as_they_are(rows: list[Row]) -> list[Row]:
    return rows
