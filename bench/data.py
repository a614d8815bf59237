"""The big archive that lists are read from: made once in bench/data/, found again by its number of rows.

One tenant, vendor "xima", rows as the collector would have kept them (without calls of their own, which no measured
route reads), one every few seconds over 3.5 years. A row's start is a function of its number, so a window of any
number of rows can be named without asking the archive. Written past the archive's door, straight into its tables.
"""

import asyncio
import hashlib
import random
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import apsw
from msgspec.structs import replace

from voxkeep.access import MIGRATIONS as ACCESS
from voxkeep.access import Access, Grant
from voxkeep.access.limits import TenantLimits
from voxkeep.archive import Archive
from voxkeep.archive.archive import DATABASE_NAME
from voxkeep.archive.migrations import MIGRATIONS
from voxkeep.archive.model import Audio, Recording, Tenant
from voxkeep.archive.names import file_name, object_name
from voxkeep.archive.rows import RECORDING_COLUMNS, insert_statement, recording_values
from voxkeep.archive.units import DAY_MS, CallId, DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.database import Value
from voxkeep.database.sqlite import numbered
from voxkeep.demo.people import AGENTS, MAIN_NUMBERS, SKILLS
from voxkeep.settings import Settings

FOLDER = Path(__file__).parent / "data"
TENANT = "acme-ns"
USER = "bench"
FIRST = EpochMs(int(datetime(2022, 1, 1, tzinfo=UTC).timestamp() * 1000))
SPAN_MS = int(3.5 * 365.25 * 86_400_000)
TEMPLATES = 1009
BYTES_A_ROW = 1000
BATCH_ROWS = 100_000


class Windows:
    """Which start each row has, and so which window holds how many."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self._step_ms = SPAN_MS // rows

    def started_at(self, number: int) -> EpochMs:
        """Return the start of a row: the starts rise strictly, unevenly."""
        return EpochMs(FIRST + number * self._step_ms + number * 7919 % self._step_ms)

    def query(self, first: int, count: int) -> str:
        """Return the query string of the window that holds `count` rows from number `first` on."""
        return f"startTime={_iso(self.started_at(first))}&endTime={_iso(self.started_at(first + count - 1))}"

    def range(self, first: int, count: int) -> str:
        """Return the range (8x8's `d`) that begins at row `first` and holds so many rows at least."""
        ends = (self.started_at(first), self.started_at(first + count) + 1000)
        return ",".join(datetime.fromtimestamp(at // 1000, UTC).strftime("%Y%m%dT%H%M%SZ") for at in ends)


def _iso(at: EpochMs) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"


def big_archive(rows: int) -> Path:
    """Return the home of the archive with so many rows, made when missing or when its tables have changed."""
    steps = (step if isinstance(step, str) else step.__qualname__ for step in MIGRATIONS.steps)
    tables = hashlib.sha256("".join(steps).encode()).hexdigest()[:8]
    home = FOLDER / f"lists-{rows}-{tables}"
    if home.exists():
        return home
    part = home.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    FOLDER.mkdir(exist_ok=True)
    free = shutil.disk_usage(FOLDER).free
    if free < 2 * rows * BYTES_A_ROW:
        raise RuntimeError(f"{rows:,} rows need {2 * rows * BYTES_A_ROW / 1e9:.0f} GB, {free / 1e9:.0f} GB are free")
    begun = time.monotonic()
    tenant = asyncio.run(_new(part))
    _fill(part / DATABASE_NAME, tenant, rows)
    part.rename(home)
    print(f"made {rows:,} rows in {time.monotonic() - begun:.0f} s", flush=True)
    return home


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[tuple[Archive, Access]]:
    archive = await Archive.at(home, Settings(), [ACCESS])
    try:
        yield archive, Access(archive.database, archive.settings, archive.tenants)
    finally:
        await archive.close()


async def _new(home: Path) -> TenantId:
    async with opened(home) as (_, access):
        return (await new_tenant(access)).id


async def new_tenant(access: Access) -> Tenant:
    """Add the tenant, without a limit on audio; lists have none to begin with."""
    new = Tenant(id=TenantId(0), name=TENANT, host="acme.xima.test", zone="America/Denver", licensed_agents=10)
    return await access.add_tenant(new, TenantLimits(enabled=False))


def new_token(home: Path) -> str:
    """Return a token of a new service user. Access is set up anew: nothing stays of earlier runs or older tables."""
    with apsw.Connection(str(home / DATABASE_NAME)) as connection:
        named = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name LIKE 'access\\_%' ESCAPE '\\'"
        for (name,) in connection.execute(named).fetchall():
            connection.execute(f"DROP TABLE {name}")
        connection.execute("DELETE FROM migrations WHERE room = ?", (ACCESS.room,))
    return asyncio.run(_token(home))


async def _token(home: Path) -> str:
    async with opened(home) as (archive, access):
        return await user_token(access, await archive.tenants.named(TENANT))


async def user_token(access: Access, tenant: Tenant) -> str:
    """Add the service user and return its token."""
    return await access.directory.add_with_token(USER, {tenant.id: Grant()})


def warm(home: Path) -> None:
    """Bring the database into the page cache, so that no side pays for the disk."""
    with (home / DATABASE_NAME).open("rb", buffering=0) as file:
        while file.read(1 << 24):
            pass


def _fill(path: Path, tenant: TenantId, rows: int) -> None:
    connection = apsw.Connection(str(path))
    for pragma in ("journal_mode = DELETE", "journal_mode = OFF", "synchronous = OFF", "cache_size = -1000000"):
        connection.execute(f"PRAGMA {pragma}")
    indexes = connection.execute(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'recordings' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    statement = numbered(insert_statement("recordings", RECORDING_COLUMNS))
    for first in range(0, rows, BATCH_ROWS):
        with connection:
            connection.executemany(statement, _rows(tenant, Windows(rows), first, min(rows, first + BATCH_ROWS)))
    for _, sql in indexes:
        connection.execute(str(sql))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def _templates(tenant: TenantId) -> list[tuple[Value, ...]]:
    chance = random.Random(5)
    made = []
    for _ in range(TEMPLATES):
        agent = chance.choice(AGENTS)
        caller, shown = f"1702555{chance.randrange(10_000):04d}", f"{agent.name}({agent.extension})"
        skill_id, skill = chance.choice(SKILLS)
        inbound = chance.random() < 0.8
        recording = Recording(
            tenant=tenant,
            id=RecordingId(uuid7(FIRST)),
            started_at=FIRST,
            duration_ms=DurationMs(chance.randrange(5_000, 900_000)),
            vendor="xima",
            call=CallId(uuid7(FIRST)),
            direction="inbound" if inbound else "outbound",
            calling_party=caller if inbound else shown,
            receiving_party=shown if inbound else caller,
            caller_number=caller if inbound else "",
            dialled_number=MAIN_NUMBERS[skill_id] if inbound else caller,
            agent_name=agent.name,
            agent_extension=agent.extension,
            skill=skill if inbound else "",
            system_id=0,
            tag=chance.choice(("", "Default")),
        )
        size = recording.duration_ms
        audio = Audio(
            name="",
            size_bytes=size,
            sha256="",
            container="ogg",
            codec="opus",
            channels=1,
            sample_rate=8_000,
            samples=recording.duration_ms * 8,
        )
        made.append(recording_values(replace(recording, audio=audio, opus_bytes=size)))
    return made


def _rows(tenant: TenantId, windows: Windows, first: int, last: int) -> Iterator[tuple[Value, ...]]:
    templates = _templates(tenant)
    chance = random.Random(first)
    at = {name: RECORDING_COLUMNS.index(name) for name in RECORDING_COLUMNS}
    duration = at["duration_ms"]
    places = [at[name] for name in _VARYING]
    for number in range(first, last):
        row = list(templates[number * 31 % TEMPLATES])
        values = _varying(number, windows.started_at(number), row[duration], chance.randbytes(64))
        for place, value in zip(places, values, strict=True):
            row[place] = value
        yield tuple(row)


_VARYING = (
    "id", "call", "started_at", "ended_at", "vendor_key", "call_key", "event_id", "audio_name", "audio_sha256",
    "kept_at", "file_name",
)  # fmt: skip


def _varying(number: int, start: EpochMs, duration: Value, noise: bytes) -> tuple[Value, ...]:
    assert isinstance(duration, int)
    text = noise.hex()
    end = start + duration
    key = f"{_dashed(text[:32])}-{start}"
    return (
        _uuid7(start, noise[:8]),
        _uuid7(start, noise[8:16]),
        start,
        end,
        key,
        f"{_dashed(text[32:64])}-{start - 20_000}-{end + 1_000}",
        400_000 + 3 * number,
        f"{_folder(start // DAY_MS)}{key}.ogg",
        text[64:],
        end + 3_600_000,
        # neighbours that share a second have other numbers
        file_name(start, number % 10_000),
    )


def _uuid7(at: EpochMs, noise: bytes) -> bytes:
    """Return what `units.uuid7` makes, as bytes and in less time."""
    return at.to_bytes(6, "big") + b"\x70" + noise[:1] + b"\x80" + noise[1:]


@lru_cache
def _folder(day: int) -> str:
    return object_name(TENANT, EpochMs(day * DAY_MS), "x", "").removesuffix("x")


def _dashed(text: str) -> str:
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
