"""Migrations: every room brings the numbered steps of its own tables, and they run once each, in order."""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from voxkeep.database.interface import Database, DatabaseError, Transaction

VERSIONS = "CREATE TABLE IF NOT EXISTS migrations (room TEXT PRIMARY KEY, version {big} NOT NULL)"


Step = str | Callable[[Transaction], Awaitable[None]]
"""A script of definitions, or work on the rows that are there (in the same transaction as the steps around it)."""


class Migrations(NamedTuple):
    """A room's table definitions. A step that has been released is never changed: a new one follows it."""

    room: str
    steps: Sequence[Step]


async def migrate(database: Database, rooms: Sequence[Migrations]) -> None:
    """Bring the tables of `rooms` up to date. Raises DatabaseError when the archive is from a newer version."""
    await database.define(VERSIONS.format_map(database.words))
    for room in rooms:
        await _migrate_room(database, room)


async def _migrate_room(database: Database, room: Migrations) -> None:
    async def step(transaction: Transaction) -> None:
        rows = await transaction.rows("SELECT version FROM migrations WHERE room = $1", room.room)
        version = rows[0][0] if rows else 0
        if version > len(room.steps):
            raise DatabaseError(
                f"this archive was written by a newer version: {room.room} is at {version}, known is {len(room.steps)}"
            )
        if version == len(room.steps):
            return
        for each in room.steps[version:]:
            if not isinstance(each, str):
                await each(transaction)
                continue
            for statement in statements(each.format_map(database.words)):
                await transaction.execute(statement)
        await transaction.execute(
            "INSERT INTO migrations VALUES ($1, $2) ON CONFLICT (room) DO UPDATE SET version = excluded.version",
            room.room,
            len(room.steps),
        )

    await database.write(step)


def statements(script: str) -> list[str]:
    """Split a script of definitions at its semicolons (definitions hold none inside texts)."""
    return [part.strip() for part in script.split(";") if part.strip()]
