"""An archive that was made before recordings had file names and chats: opened, it has both, and all that it had."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from voxkeep.archive import Archive, Kept
from voxkeep.archive.archive import DATABASE_NAME
from voxkeep.archive.migrations import FIRST
from voxkeep.archive.model import Agent, Message, Recording, State, Transcript
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, TranscriptId, uuid7
from voxkeep.database import Database, DatabaseError, Migrations, Transaction, Value, migrate
from voxkeep.database.sqlite import SqliteDatabase
from voxkeep.settings import Settings

Keep = Callable[..., Awaitable[Kept]]

START = EpochMs(1_763_647_391_250)
"""2025-11-20T14:03:11.250Z"""
EVER = TimeRange(EpochMs(0), EpochMs(2**52))
ACME, GLOBEX = TenantId(1), TenantId(2)
STARTS = (
    (ACME, START), (ACME, START), (ACME, START + 700), (ACME, START + 750), (ACME, START + 86_400_000),
    (GLOBEX, START), (GLOBEX, START + 1),
)  # fmt: skip
NAMES = (
    "S20251120/R202511201403119999.wav", "S20251120/R202511201403119998.wav", "S20251120/R202511201403119997.wav",
    "S20251120/R202511201403129999.wav", "S20251121/R202511211403119999.wav",
    "S20251120/R202511201403119999.wav", "S20251120/R202511201403119998.wav",
)  # fmt: skip
"""The names of those, in the order of tenant, start and id."""
AUDIO_NAME = "acme/2025/11/20/key-0.wav"

Fields = dict[str, Value]


def old_call(number: int, tenant: TenantId, started_at: int) -> Fields:
    call_id = uuid7(EpochMs(started_at), number)
    texts = dict.fromkeys(("source_tenant", "reference", "caller_name", "dialled_number", "location", "drop_event"), "")
    return {
        "tenant": tenant,
        "id": call_id.bytes,
        "started_at": started_at,
        "ended_at": started_at + 1000,
        "vendor": "import",
        "vendor_key": f"call-{number}",
        "key": f"call-{number}",
        "number": number,
        "direction": "inbound",
        "account_codes": "[]",
        "hold_ms": 0,
        **texts,
    }


def old_recording(number: int, tenant: TenantId, started_at: int) -> Fields:
    """Return a row as the first version wrote one: without a file name, or columns for it."""
    texts = dict.fromkeys(
        ("calling_party", "source_tenant", "tag", "skill", "agent_login", "skill_id", "caller_number"), ""
    )
    return {
        "tenant": tenant,
        "id": uuid7(EpochMs(started_at), number).bytes,
        "started_at": started_at,
        "ended_at": started_at + 1000,
        "duration_ms": 1000,
        "vendor": "import",
        "vendor_key": f"key-{number}",
        "call": uuid7(EpochMs(started_at), number).bytes,
        "call_key": f"call-{number}",
        "event_id": number,
        "system_id": 0,
        "state": int(State.PENDING),
        "receiving_party": "Ann(7)",
        "direction": "inbound",
        "agent": "Ann(7)",
        "agent_extension": "7",
        "dialled_number": "+15550001",
        "extra": '{"v":{"a":1}}',
        "kept_at": 5,
        **texts,
    }


def old_audio(audio: bytes) -> Fields:
    return {
        "state": int(State.KEPT),
        "audio_name": AUDIO_NAME,
        "audio_bytes": len(audio),
        "audio_sha256": hashlib.sha256(audio).hexdigest(),
        "container": "wav",
        "codec": "pcm_s16le",
        "channels": 1,
        "sample_rate": 8000,
        "samples": 8000,
        "health": 0,
    }


async def insert(database: Database, table: str, fields: Fields) -> None:
    places = ", ".join(f"${number}" for number in range(1, len(fields) + 1))
    sql = f"INSERT INTO {table} ({', '.join(fields)}) VALUES ({places})"  # noqa: S608 -- our own names

    async def work(transaction: Transaction) -> None:
        await transaction.execute(sql, *fields.values())

    await database.write(work)


async def make_old(home: Path, audio: bytes, starts: Sequence[tuple[TenantId, int]] = STARTS) -> None:
    """Write an archive as the first version did: its tables, a few rows, the audio of one of them."""
    file = home / "vault" / AUDIO_NAME
    file.parent.mkdir(parents=True)
    file.write_bytes(audio)
    database = SqliteDatabase(home / DATABASE_NAME)
    await migrate(database, [Migrations("archive", [FIRST])])
    for tenant, name in ((ACME, "acme"), (GLOBEX, "globex")):
        await insert(database, "tenants", {"id": tenant, "name": name, "host": "", "zone": "UTC", "licensed_agents": 0})
        await insert(database, "tenant_names", {"name": name, "tenant": tenant})
    for number, (tenant, started_at) in enumerate(starts):
        await insert(database, "calls", old_call(number, tenant, started_at))
        row = old_recording(number, tenant, started_at)
        await insert(database, "recordings", row | (old_audio(audio) if number == 0 else {}))
    await database.close()


@pytest.fixture
async def home(tmp_path: Path, wav: bytes) -> Path:
    made = tmp_path / "old"
    await make_old(made, wav)
    return made


@pytest.fixture
async def upgraded(home: Path) -> AsyncIterator[Archive]:
    opened = await Archive.at(home, Settings())
    yield opened
    await opened.close()


async def names(archive: Archive) -> list[str]:
    rows = await archive.database.read("SELECT file_name FROM recordings ORDER BY tenant, started_at, id")
    return [name for (name,) in rows]


def id_of(number: int) -> RecordingId:
    return RecordingId(uuid7(EpochMs(STARTS[number][1]), number))


async def test_every_recording_of_an_older_archive_gets_a_file_name(upgraded: Archive) -> None:
    assert await names(upgraded) == list(NAMES)
    for number, ((tenant, _), name) in enumerate(zip(STARTS, NAMES, strict=True)):
        found = await upgraded.by_file_name(tenant, name)
        assert found is not None
        assert found.id == id_of(number)


async def test_the_names_are_those_that_keeping_gives(tmp_path: Path, upgraded: Archive) -> None:
    fresh = await Archive.at(tmp_path / "fresh", Settings())
    for number, (tenant, started_at) in enumerate(STARTS):
        old = await upgraded.by_id(tenant, id_of(number))
        assert old is not None
        new = Recording(
            tenant=tenant,
            id=old.id,
            started_at=EpochMs(started_at),
            duration_ms=old.duration_ms,
            vendor_key=old.vendor_key,
        )
        assert (await fresh.keep(new)).recording.file_name == old.file_name
    assert await names(fresh) == await names(upgraded)
    await fresh.close()


async def test_an_older_archive_stays_readable_as_it_was(upgraded: Archive, wav: bytes) -> None:
    recording = await upgraded.by_key(ACME, "import", "key-0")
    assert recording is not None
    assert (recording.agent_name, recording.agent_extension, recording.receiving_party) == ("Ann", "7", "Ann(7)")
    assert (recording.dialled_number, recording.extra) == ("+15550001", {"v": {"a": 1}})
    assert (recording.kept_at, recording.wrap_up_codes, recording.case_id, recording.variable_1) == (5, (), "", "")
    reader = await upgraded.open(recording)
    assert await reader.pread(0, reader.size) == wav
    reader.close()
    listing = upgraded.find([Scope(ACME), Scope(GLOBEX)], EVER, ["file_name"], list)
    rows = [row for chunk in [chunk async for chunk in listing] for row in chunk]
    assert sorted(row[3] for row in rows) == sorted(NAMES)
    calls = [chunk async for chunk in upgraded.find_calls([Scope(ACME)], EVER, ["number"], len)]
    assert sum(calls) == 5


async def test_what_is_kept_next_goes_on_from_there(upgraded: Archive) -> None:
    at = EpochMs(START + 100)
    new = Recording(tenant=ACME, id=RecordingId(uuid7(at)), started_at=at, duration_ms=DurationMs(5), vendor_key="new")
    assert (await upgraded.keep(new)).recording.file_name == "S20251120/R202511201403119996.wav"


async def test_a_recording_that_waited_for_its_audio_gets_it_and_keeps_its_name(
    upgraded: Archive, keep_into: Keep, wav: bytes
) -> None:
    pending = await upgraded.by_key(ACME, "import", "key-1")
    assert pending is not None
    came = Recording(
        tenant=ACME,
        id=RecordingId(uuid7(START)),
        started_at=START,
        duration_ms=DurationMs(1000),
        vendor="import",
        vendor_key="key-1",
    )
    kept = (await keep_into(upgraded, came, wav)).recording
    assert (kept.id, kept.file_name, kept.state) == (pending.id, NAMES[1], State.KEPT)


async def test_an_older_archive_takes_chats(upgraded: Archive) -> None:
    chat = Transcript(
        tenant=ACME, id=TranscriptId(uuid7(START)), started_at=START, duration_ms=DurationMs(5), vendor_key="c"
    )
    await upgraded.keep_transcript(chat, [Message(at=START, text="hello")])
    (hit,) = await upgraded.search([Scope(ACME)], "hello", None, None, 10)
    assert (hit.transcript, hit.message.text) == ("c", "hello")


async def test_an_older_archive_takes_a_roster(upgraded: Archive) -> None:
    scope = Scope(ACME)
    assert [chunk async for chunk in upgraded.roster.agents(scope)] == [[]]
    assert await upgraded.roster.put_agent(Agent(tenant=ACME, name="Spencer Porter", extension="253"))
    assert [agent.displayed async for chunk in upgraded.roster.agents(scope) for agent in chunk] == [
        "Spencer Porter(253)"
    ]


async def test_opened_again_nothing_changes(home: Path) -> None:
    for _ in range(2):
        archive = await Archive.at(home, Settings())
        assert await names(archive) == list(NAMES)
        await archive.close()


async def test_an_upgrade_that_fails_leaves_the_older_archive_whole(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def always_the_same(_started_at: EpochMs, _number: int) -> str:
        return "same"

    monkeypatch.setattr("voxkeep.archive.filenames.file_name", always_the_same)
    with pytest.raises(DatabaseError, match="Constraint"):
        await Archive.at(home, Settings())
    monkeypatch.undo()
    database = SqliteDatabase(home / DATABASE_NAME)
    with pytest.raises(DatabaseError, match="file_name"):
        await database.read("SELECT file_name FROM recordings")
    await database.close()
    archive = await Archive.at(home, Settings())
    assert await names(archive) == list(NAMES)
    await archive.close()
