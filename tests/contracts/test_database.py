"""What every database driver promises."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from voxkeep.database import Database, DatabaseError, DatabaseFull, Migrations, Row, Transaction, migrate
from voxkeep.database.sqlite import SqliteDatabase

DRIVERS: dict[str, Callable[[Path], Database]] = {"sqlite": lambda folder: SqliteDatabase(folder / "contract.db")}


@pytest.fixture(params=list(DRIVERS.values()), ids=list(DRIVERS))
async def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[[], Database]]:
    """Opens the same database as often as it is called, as several processes would."""
    opened: list[Database] = []

    def open_one() -> Database:
        opened.append(request.param(tmp_path))
        return opened[-1]

    yield open_one
    for each in opened:
        await each.close()


@pytest.fixture
async def database(open_database: Callable[[], Database]) -> Database:
    made = open_database()
    table = "CREATE TABLE things (id {big} PRIMARY KEY, name TEXT NOT NULL, blob {bytes}) {clustered}"
    await made.define(table.format_map(made.words))
    return made


def insert(number: int, name: str = "x") -> Callable[[Transaction], Awaitable[int]]:
    async def work(transaction: Transaction) -> int:
        return await transaction.execute("INSERT INTO things (id, name) VALUES ($1, $2)", number, name)

    return work


async def count(database: Database) -> int:
    return int((await database.read("SELECT count(*) FROM things"))[0][0])


async def test_numbered_placeholders_take_their_own_values_in_any_order(database: Database) -> None:
    assert await database.read("SELECT CAST($2 AS text), CAST($1 AS text)", "one", "two") == [("two", "one")]
    assert await database.read("SELECT CAST($1 AS text), CAST($1 AS text)", "again") == [("again", "again")]


async def test_values_of_every_kind_come_back_as_they_were(database: Database) -> None:
    async def work(transaction: Transaction) -> list[Row]:
        await transaction.execute("INSERT INTO things VALUES ($1, $2, $3)", 2**62, "é\U0001f600", b"\x00\xff")
        await transaction.execute("INSERT INTO things VALUES ($1, $2, $3)", 1, "", None)
        return await transaction.rows("SELECT * FROM things ORDER BY id")

    expected = [(1, "", None), (2**62, "é\U0001f600", b"\x00\xff")]
    assert await database.write(work) == expected
    assert await database.read("SELECT * FROM things ORDER BY id") == expected


async def test_a_write_is_seen_by_every_reader_once_it_is_acknowledged(
    database: Database, open_database: Callable[[], Database]
) -> None:
    other = open_database()
    await database.write(insert(1))
    assert await count(database) == 1
    assert await count(other) == 1


async def test_a_failed_transaction_keeps_nothing_and_harms_no_neighbour(database: Database) -> None:
    async def failing(transaction: Transaction) -> None:
        await transaction.execute("INSERT INTO things (id, name) VALUES ($1, $2)", 99, "lost")
        raise LookupError("changed my mind")

    writes = [database.write(insert(number)) for number in range(10)]
    outcomes = await asyncio.gather(*writes[:5], database.write(failing), *writes[5:], return_exceptions=True)
    assert [type(each) for each in outcomes] == [int] * 5 + [LookupError] + [int] * 5
    assert await count(database) == 10


async def test_a_statement_that_fails_is_a_database_error_and_keeps_nothing(database: Database) -> None:
    await database.write(insert(1))
    outcomes = await asyncio.gather(
        database.write(insert(2)), database.write(insert(1)), database.write(insert(3)), return_exceptions=True
    )
    assert isinstance(outcomes[1], DatabaseError)
    assert await database.read("SELECT id FROM things ORDER BY id") == [(1,), (2,), (3,)]
    with pytest.raises(DatabaseError):
        await database.read("SELECT nothing FROM nowhere")


async def test_many_writers_at_once_lose_nothing(database: Database) -> None:
    async def add(transaction: Transaction) -> None:
        await transaction.execute(
            "INSERT INTO things (id, name) SELECT COALESCE(MAX(id), 0) + 1, 'n' FROM things WHERE true"
        )

    await asyncio.gather(*(database.write(add) for _ in range(200)))
    assert await count(database) == 200


async def test_two_processes_that_write_wait_for_each_other(
    database: Database, open_database: Callable[[], Database]
) -> None:
    other = open_database()
    await asyncio.gather(*((database if number % 2 else other).write(insert(number)) for number in range(100)))
    assert await count(database) == 100


async def test_insert_on_conflict_and_returning_work(database: Database) -> None:
    statement = "INSERT INTO things (id, name) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING RETURNING name"

    async def work(transaction: Transaction) -> list[list[Row]]:
        return [await transaction.rows(statement, 1, "first"), await transaction.rows(statement, 1, "second")]

    assert await database.write(work) == [[("first",)], []]


async def test_rows_are_shaped_beside_the_read(database: Database) -> None:
    await database.write(insert(7, "seven"))
    shaped: dict[str, int] = await database.read_shaped(dict, "SELECT name, id FROM things")
    assert shaped == {"seven": 7}


async def test_an_error_of_the_shaping_reaches_who_asked(database: Database) -> None:
    def broken(rows: list[Row]) -> None:
        raise ZeroDivisionError(rows)

    with pytest.raises(ZeroDivisionError):
        await database.read_shaped(broken, "SELECT 1")


async def test_the_change_number_moves_with_every_commit_of_any_process(
    database: Database, open_database: Callable[[], Database]
) -> None:
    other = open_database()
    seen = [await database.changes()]
    await database.write(insert(1))
    seen.append(await database.changes())
    await other.write(insert(2))
    seen.append(await database.changes())
    assert len(set(seen)) == 3
    await database.read("SELECT 1")
    assert await database.changes() == seen[-1]


async def test_keyset_chunks_by_row_values_walk_everything_once(database: Database) -> None:
    for number in range(25):
        await database.write(insert(number, f"name-{number % 3}"))
    seen: list[Row] = []
    position: tuple[str, int] = ("", -1)
    while True:
        rows = await database.read(
            "SELECT name, id FROM things WHERE (name, id) > ($1, $2) ORDER BY name, id LIMIT 7", *position
        )
        seen += rows
        if len(rows) < 7:
            break
        position = rows[-1]
    assert seen == sorted((f"name-{number % 3}", number) for number in range(25))


async def test_migrations_run_once_and_in_order(database: Database, open_database: Callable[[], Database]) -> None:
    steps = ["CREATE TABLE one (a {big}); INSERT INTO one VALUES (1)"]
    await migrate(database, [Migrations("room", steps)])
    await migrate(open_database(), [Migrations("room", steps)])
    later = [*steps, "ALTER TABLE one ADD COLUMN b TEXT NOT NULL DEFAULT 'new'"]
    await migrate(database, [Migrations("room", later)])
    assert await database.read("SELECT a, b FROM one") == [(1, "new")]


async def test_an_archive_of_a_newer_version_is_not_opened(database: Database) -> None:
    steps = ["CREATE TABLE one (a {big})", "CREATE TABLE two (a {big})"]
    await migrate(database, [Migrations("room", steps)])
    with pytest.raises(DatabaseError, match="newer version"):
        await migrate(database, [Migrations("room", steps[:1])])


async def test_a_migration_that_fails_leaves_the_tables_as_they_were(database: Database) -> None:
    with pytest.raises(DatabaseError):
        await migrate(database, [Migrations("room", ["CREATE TABLE one (a {big}); CREATE BROKEN"])])
    with pytest.raises(DatabaseError):
        await database.read("SELECT * FROM one")


async def fill_one(transaction: Transaction) -> None:
    """Copy what the step before left, in words that a script of definitions cannot say."""
    for (number,) in await transaction.rows("SELECT a FROM one ORDER BY a"):
        await transaction.execute("UPDATE one SET b = $1 WHERE a = $2", f"filled {number}", number)


FILLED = (
    "CREATE TABLE one (a {big}, b TEXT); INSERT INTO one VALUES (1, NULL); INSERT INTO one VALUES (2, NULL)",
    fill_one,
    "CREATE UNIQUE INDEX one_b ON one (b)",
)


async def test_work_on_the_rows_runs_between_the_definitions_around_it(database: Database) -> None:
    await migrate(database, [Migrations("room", FILLED)])
    assert await database.read("SELECT a, b FROM one ORDER BY a") == [(1, "filled 1"), (2, "filled 2")]


async def test_work_on_the_rows_of_an_older_version_runs_once(
    database: Database, open_database: Callable[[], Database]
) -> None:
    await migrate(database, [Migrations("room", FILLED[:1])])
    await database.define("INSERT INTO one VALUES (3, 'own')")
    await migrate(database, [Migrations("room", FILLED)])
    assert await database.read("SELECT b FROM one WHERE a = 3") == [("filled 3",)]
    await database.define("UPDATE one SET b = 'mine' WHERE a = 3")
    await migrate(open_database(), [Migrations("room", FILLED)])
    assert await database.read("SELECT b FROM one WHERE a = 3") == [("mine",)]


async def test_two_processes_that_migrate_at_once_do_the_work_on_the_rows_once(
    database: Database, open_database: Callable[[], Database]
) -> None:
    both = (database, open_database())
    await asyncio.gather(*(migrate(each, [Migrations("room", FILLED)]) for each in both))
    assert await database.read("SELECT a, b FROM one ORDER BY a") == [(1, "filled 1"), (2, "filled 2")]


async def test_work_on_the_rows_that_fails_leaves_the_tables_as_they_were(database: Database) -> None:
    async def broken(transaction: Transaction) -> None:
        await transaction.execute("UPDATE one SET b = 'half'")
        raise LookupError("cannot tell")

    await migrate(database, [Migrations("room", FILLED[:1])])
    with pytest.raises(LookupError, match="cannot tell"):
        await migrate(database, [Migrations("room", (FILLED[0], "ALTER TABLE one ADD COLUMN c {big}", broken))])
    assert await database.read("SELECT * FROM one ORDER BY a") == [(1, None), (2, None)]
    await migrate(database, [Migrations("room", FILLED)])
    assert await database.read("SELECT b FROM one ORDER BY a") == [("filled 1",), ("filled 2",)]


async def test_what_follows_work_on_the_rows_and_fails_takes_it_back(database: Database) -> None:
    await migrate(database, [Migrations("room", FILLED[:1])])
    with pytest.raises(DatabaseError):
        await migrate(database, [Migrations("room", (*FILLED[:2], "CREATE BROKEN"))])
    assert await database.read("SELECT b FROM one ORDER BY a") == [(None,), (None,)]


async def test_a_statement_runs_once_for_each_row_of_values_or_not_at_all(database: Database) -> None:
    sql = "INSERT INTO things (name, id) VALUES ($2, $1)"

    async def work(transaction: Transaction) -> None:
        await transaction.execute_many(sql, ((number, f"n{number}") for number in range(3)))
        await transaction.execute_many(sql, [])

    async def colliding(transaction: Transaction) -> None:
        await transaction.execute_many(sql, [(7, "fine"), (1, "taken")])

    await database.write(work)
    with pytest.raises(DatabaseError):
        await database.write(colliding)
    assert await database.read("SELECT id, name FROM things ORDER BY id") == [(0, "n0"), (1, "n1"), (2, "n2")]


def test_full_is_a_database_error_of_its_own() -> None:
    assert issubclass(DatabaseFull, DatabaseError)
