"""Real recordings for the tests of the archive: a second of sound each, in a tenant of their own."""

import io
import wave
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import voxkeep.archive
from voxkeep.archive import Archive, Kept, NewAudio
from voxkeep.archive.model import CUSTOMER, Call, Message, Recording, Tenant, Transcript
from voxkeep.archive.query import Scope, TimeRange
from voxkeep.archive.transcripts import KeptTranscript
from voxkeep.archive.units import DurationMs, EpochMs, RecordingId, TenantId, TranscriptId, uuid7
from voxkeep.audio.health import examine
from voxkeep.audio.render import Form
from voxkeep.database import Row
from voxkeep.vault import Source

START = EpochMs(1_763_647_391_250)
"""2025-11-20T14:03:11.250Z"""
EVER = TimeRange(EpochMs(0), EpochMs(2**52))

Keep = Callable[..., Awaitable[Kept]]
Make = Callable[..., Recording]
MakeChat = Callable[..., Transcript]
KeepChat = Callable[..., Awaitable[KeptTranscript]]


def tone(seconds: float = 1.0, pitch_hz: float = 440.0) -> bytes:
    samples = (8_000 * np.sin(np.arange(int(8_000 * seconds)) * 2 * np.pi * pitch_hz / 8_000)).astype("<i2")
    target = io.BytesIO()
    with wave.open(target, "wb") as wav:
        wav.setparams((1, 2, 8_000, 0, "NONE", "not compressed"))
        wav.writeframes(samples.tobytes())
    return target.getvalue()


@pytest.fixture(scope="session")
def wav() -> bytes:
    return tone()


@pytest.fixture(scope="session")
def other_wav() -> bytes:
    return tone(pitch_hz=880.0)


@pytest.fixture
async def acme(archive: Archive) -> Tenant:
    return await archive.tenants.add(Tenant(id=TenantId(0), name="acme", host="acme-ns.xima.test"))


@pytest.fixture
def recording_of(acme: Tenant) -> Make:
    def make(key: str = "key-1", **fields: Any) -> Recording:
        started_at = fields.setdefault("started_at", START)
        defaults: dict[str, Any] = {"duration_ms": DurationMs(1000), "vendor": "import", "tenant": acme.id}
        return Recording(vendor_key=key, id=RecordingId(uuid7(started_at)), **{**defaults, **fields})

    return make


@pytest.fixture
async def globex(archive: Archive) -> Tenant:
    return await archive.tenants.add(Tenant(id=TenantId(0), name="globex", host="globex-ns.xima.test"))


@pytest.fixture
def chat_of(acme: Tenant) -> MakeChat:
    def make(key: str = "chat-1", **fields: Any) -> Transcript:
        started_at = fields.setdefault("started_at", START)
        defaults: dict[str, Any] = {"duration_ms": DurationMs(60_000), "vendor": "import", "tenant": acme.id}
        return Transcript(vendor_key=key, **{"id": TranscriptId(uuid7(started_at)), **defaults, **fields})

    return make


@pytest.fixture
def keep_chat(archive: Archive) -> KeepChat:
    """Keep a chat whose messages come a second apart from its start on, unless they are given whole."""

    async def kept(chat: Transcript, messages: Sequence[Message | str] = ()) -> KeptTranscript:
        whole = [
            each
            if isinstance(each, Message)
            else Message(at=EpochMs(chat.started_at + 1000 * number), sender=CUSTOMER, text=each)
            for number, each in enumerate(messages)
        ]
        return await archive.keep_transcript(chat, whole)

    return kept


async def keep_in(
    archive: Archive,
    recording: Recording,
    audio: bytes | None = None,
    *,
    call: Call | None = None,
    opus: Source | None = None,
) -> Kept:
    """Keep a recording with the audio given: staged, examined, kept, as every way in does it."""
    renditions = [] if opus is None else [(Form.OPUS, opus)]
    if audio is None:
        return await archive.keep(recording, call=call, renditions=renditions)
    staged = await archive.stage(recording.tenant, recording.started_at, recording.vendor_key, audio)
    try:
        examined = examine(audio)
        new = NewAudio(staged, examined.facts, int(examined.health))
        return await archive.keep(recording, new, call=call, renditions=renditions)
    finally:
        await staged.discard()


@pytest.fixture
def keep(archive: Archive) -> Keep:
    async def kept(recording: Recording, audio: bytes | None = None, **more: Any) -> Kept:
        return await keep_in(archive, recording, audio, **more)

    return kept


@pytest.fixture
def keep_into() -> Keep:
    """Keep in an archive of the test's own."""
    return keep_in


@pytest.fixture
def listed(archive: Archive) -> Callable[..., Awaitable[list[Row]]]:
    async def rows(tenant: TenantId, *columns: str) -> list[Row]:
        found = archive.find([Scope(tenant)], EVER, columns or ("state",), lambda each: each)
        return [row async for chunk in found for row in chunk]

    return rows


@pytest.fixture
def files(archive: Archive) -> Callable[[], list[str]]:
    """Every file in the vaults, by its place in the archive's home."""

    def found() -> list[str]:
        return files_in(archive.home)

    return found


def files_in(home: Path) -> list[str]:
    return sorted(
        str(path.relative_to(home))
        for folder in ("vault", "renditions")
        for path in (home / folder).rglob("*")
        if path.is_file()
    )


@pytest.fixture
def content() -> Callable[..., Awaitable[bytes]]:
    """Read the audio of a recording, in a form."""

    async def read(archive: Archive, recording: Recording, form: Form | None = None) -> bytes:
        reader = await archive.open(recording, form)
        try:
            return await reader.pread(0, reader.size)
        finally:
            reader.close()

    return read


@pytest.fixture
def files_of() -> Callable[[Path], list[str]]:
    """List the files in the vaults of an archive's home."""
    return files_in


@pytest.fixture(scope="session")
def clip_ogg() -> bytes:
    """A clip of real speech in the Ogg/Opus form."""
    return (Path(voxkeep.archive.__file__).parents[1] / "demo" / "clips" / "06-wrong-number.ogg").read_bytes()
