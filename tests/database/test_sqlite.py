"""What the SQLite driver promises beyond the contract: durability, group commit, a full disk."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from voxkeep.database import DatabaseError, DatabaseFull, Transaction
from voxkeep.database.sqlite import SqliteDatabase, numbered

WRITER = """
import asyncio, sys
from pathlib import Path
from voxkeep.database.sqlite import SqliteDatabase

async def main():
    database = SqliteDatabase(Path(sys.argv[1]))
    await database.define("CREATE TABLE IF NOT EXISTS t (n INTEGER PRIMARY KEY)")
    async def worker(start):
        for number in range(start, 1_000_000, 8):
            async def work(transaction):
                await transaction.execute("INSERT INTO t VALUES ($1)", number)
            await database.write(work)
            print(number, flush=True)
    await asyncio.gather(*(worker(start) for start in range(8)))

asyncio.run(main())
"""


def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "killed.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(400)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout.read().split("\n")[:-1]]
    with apsw.Connection(str(path)) as connection:
        kept = {number for (number,) in connection.execute("SELECT n FROM t")}
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert set(acknowledged) <= kept


async def test_writes_are_durable_before_they_are_acknowledged(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db")
    assert database._writer.pragma("synchronous") == 2
    assert database._writer.pragma("journal_mode") == "wal"
    await database.close()


async def test_a_full_database_is_told_as_such_and_only_to_the_write_that_met_it(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "full.db")
    await database.define("CREATE TABLE t (a BLOB)")
    pages = database._writer.pragma("page_count")

    def insert(size: int):  # type: ignore[no-untyped-def] # noqa: ANN202
        async def work(transaction: Transaction) -> int:
            return await transaction.execute("INSERT INTO t VALUES (zeroblob($1))", size)

        return work

    database._writer.pragma("max_page_count", pages + 4)
    outcomes = await asyncio.gather(
        database.write(insert(10)), database.write(insert(10**6)), database.write(insert(10)), return_exceptions=True
    )
    assert outcomes[0] == outcomes[2] == 1
    assert isinstance(outcomes[1], DatabaseFull)
    assert await database.read("SELECT count(*) FROM t") == [(2,)]
    await database.close()


async def test_a_transaction_that_waits_for_something_else_is_refused(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db")

    async def work(_transaction: Transaction) -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaited something other"):
        await database.write(work)
    await database.close()


async def test_a_file_that_is_no_database_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(DatabaseError, match=r"x\.db"):
        SqliteDatabase(path)


async def test_a_write_whose_asker_left_is_still_kept(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db")
    await database.define("CREATE TABLE t (a)")

    async def work(transaction: Transaction) -> None:
        await transaction.execute("INSERT INTO t VALUES (1)")

    task = asyncio.create_task(database.write(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.close()
    reopened = SqliteDatabase(tmp_path / "x.db")
    assert await reopened.read("SELECT a FROM t") == [(1,)]
    await reopened.close()


def test_placeholders_are_numbered_for_sqlite() -> None:
    assert numbered("a = $1 AND b > $12 AND c = $1") == "a = ?1 AND b > ?12 AND c = ?1"


def modes(folder: Path) -> list[int]:
    return [path.stat().st_mode & 0o777 for path in folder.iterdir()]


async def test_the_database_is_its_owners_alone(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db")
    await database.define("CREATE TABLE t (a)")
    assert modes(tmp_path) == [0o600] * 3
    await database.close()


async def test_writes_that_meet_another_process_writing_all_fail_after_one_wait(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "x.db", busy_timeout_ms=50)
    await database.define("CREATE TABLE t (a)")
    other = apsw.Connection(str(tmp_path / "x.db"))
    other.execute("BEGIN IMMEDIATE")
    begun = []

    async def work(transaction: Transaction) -> None:
        begun.append(await transaction.execute("INSERT INTO t VALUES (1)"))

    outcomes = await asyncio.gather(*(database.write(work) for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in outcomes} == {DatabaseError}
    assert begun == []
    other.execute("ROLLBACK")
    other.close()
    await database.write(work)
    await database.close()
