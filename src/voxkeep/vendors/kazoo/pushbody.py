"""Taking in the body of a push: its bytes durable, and looked at as far as its header tells."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

from starlette.types import Scope

from voxkeep.archive import Archive
from voxkeep.archive.units import EpochMs, TenantId
from voxkeep.audio.errors import AudioError
from voxkeep.audio.health import Examination, Health, examine
from voxkeep.audio.outline import outline
from voxkeep.audio.probe import AudioFacts
from voxkeep.vault import Staged
from voxkeep.vendors.kazoo.multipart import ENCODED_BLOCK_BYTES, Multipart, decoded, is_encoded
from voxkeep.vendors.kazoo.pushpath import Place
from voxkeep.web.headers import header

IN_MEMORY_BYTES = 1 << 20
"""A body of up to so many bytes is taken whole: it needs fewer turns of the threads that write."""
UNREAD_RATE = 8_000
"""Samples a second that audio counts which cannot be read."""


class Body(NamedTuple):
    """A request's body before it is read."""

    blocks: AsyncIterator[bytes]
    content_type: bytes
    length: int | None
    """Bytes announced."""


class Came(NamedTuple):
    """A body that is durable: discard or keep it."""

    staged: Staged
    content_type: bytes
    """Of the audio, as a header tells it."""
    document: bytes
    """What came in a part of its own; empty without one."""
    found: Examination


class Receiver:
    """Takes bodies into an archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def take(
        self, body: Body, tenant: TenantId, started_at: EpochMs, place: Place, duration_ms: int | None
    ) -> Came | None:
        """Make a body's bytes durable and look into them; None where there are none.

        Raises BadBody, LengthMismatch, VaultFull, and what the blocks raise; nothing is left behind then.
        """
        source, length, parts = body.blocks, body.length, None
        if body.content_type.lower().startswith(b"multipart/"):
            parts = Multipart(body.content_type)
            source, length = parts.attachment(source), None
        first, ended = await _beginning(source)
        if not first:
            return None
        whole = first if ended else _all(first, source)
        staged = await self._archive.stage(tenant, started_at, place.path, whole, length=length)
        # what lies in memory is looked at here: a header is read in microseconds, a turn of a thread costs more
        found = _outlined(BytesIO(first), duration_ms) if ended else None
        try:
            if found is None:
                found = await asyncio.to_thread(_look, staged, place.extension, duration_ms)
            if found is None:
                encoded = staged
                staged = await self._undone(encoded, tenant, started_at, place)
                await encoded.discard()
                found = await asyncio.to_thread(_look_at_plain, staged, place.extension, duration_ms)
        except BaseException:
            # also when the client leaves: nothing half-done stays
            await staged.discard()
            raise
        kind, document = (body.content_type, b"") if parts is None else (parts.content_type, parts.document)
        return Came(staged, kind, document, found)

    async def _undone(self, encoded: Staged, tenant: TenantId, started_at: EpochMs, place: Place) -> Staged:
        """Stage what a body in base64 stands for."""
        with encoded.file() as file:

            async def plain() -> AsyncIterator[bytes]:
                while block := await asyncio.to_thread(file.read, ENCODED_BLOCK_BYTES):
                    yield decoded(block)

            return await self._archive.stage(tenant, started_at, place.path, plain())


def length_of(scope: Scope) -> int | None:
    """Return how many bytes a request announces, if it does."""
    text = header(scope, b"content-length") or b""
    return int(text) if text.isdigit() else None


async def _beginning(body: AsyncIterator[bytes]) -> tuple[bytes, bool]:
    """Return the first bytes of a body, and whether they are all of it."""
    gathered, size = list[bytes](), 0
    async for block in body:
        gathered.append(block)
        size += len(block)
        if size >= IN_MEMORY_BYTES:
            return b"".join(gathered), False
    return b"".join(gathered), True


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for block in rest:
        yield block


def _look(staged: Staged, extension: str, expected_ms: int | None) -> Examination | None:
    """Return what the bytes are, or None where they are base64 of audio. Blocks: for a thread."""
    with staged.file() as file:
        if is_encoded(file):
            return None
    return _look_at_plain(staged, extension, expected_ms)


def _look_at_plain(staged: Staged, extension: str, expected_ms: int | None) -> Examination:
    with staged.file() as file:
        found = _outlined(file, expected_ms)
        if found is not None:
            return found
        try:
            return examine(file, expected_ms)
        except AudioError:
            return _unread(extension, expected_ms)


def _outlined(file: BinaryIO, expected_ms: int | None) -> Examination | None:
    """Return what a file is by its header, where that says all.

    Decoding 200 KB of MP3 takes 25 ms, and a cluster waits for its answer: it is done right after.
    """
    facts = outline(file, expected_ms)
    return None if facts is None else Examination(facts, Health.UNEXAMINED)


def _unread(extension: str, expected_ms: int | None) -> Examination:
    """Return what is told of audio that cannot be read: it is kept all the same."""
    samples = (expected_ms or 0) * UNREAD_RATE // 1000
    facts = AudioFacts(extension or "unknown", "unknown", 1, UNREAD_RATE, samples)
    return Examination(facts, Health.UNREADABLE)
