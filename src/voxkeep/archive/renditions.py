"""Other forms of the audio: opening one, and making those that are missing. Originals are never altered."""

import asyncio
import errno
import logging
import os
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast
from weakref import WeakValueDictionary

from msgspec.structs import replace

from voxkeep.archive import alarms, catalog
from voxkeep.archive.alarms import Alarms
from voxkeep.archive.errors import AudioMissing, AudioNotReady
from voxkeep.archive.intake import Intake
from voxkeep.archive.model import Audio, Recording, Rendition
from voxkeep.archive.rows import recording_of
from voxkeep.archive.units import EpochMs, RecordingId, TenantId, now_ms
from voxkeep.audio.errors import AudioError
from voxkeep.audio.health import Examination, Health, examine
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.render import Form, is_form, render
from voxkeep.database import Database, Row, Transaction
from voxkeep.vault import Reader, Vault, VaultError, VaultFull

_log = logging.getLogger(__name__)

RETRY_MS = (60_000, 600_000, 3_600_000, 6 * 3_600_000)
"""Waits before a failed form is tried again; the last one repeats."""
JOBS_AT_ONCE = 50
IN_MEMORY_BYTES = 1 << 20
"""A form that is being made goes to a file once it is larger."""
BLOCK_BYTES = 1 << 18
ABOUT_AUDIO = (alarms.AUDIO_MISSING, alarms.AUDIO_ALTERED)


class Renditions:
    """The forms of an archive's recordings."""

    def __init__(
        self, database: Database, originals: Vault, renditions: Vault, intake: Intake, sounder: Alarms, scratch: Path
    ) -> None:
        """`scratch` is a folder on the archive's own disk for forms while they are made."""
        self._database = database
        self._originals = originals
        self._renditions = renditions
        self._intake = intake
        self._alarms = sounder
        self._scratch = scratch
        # threads of its own: many who ask for forms at once must not hold up reads of files that are there
        self._renderers = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="voxkeep-render")
        self._making: WeakValueDictionary[tuple[RecordingId, Form], asyncio.Lock] = WeakValueDictionary()

    async def open(self, recording: Recording, form: Form | None) -> Reader:
        """Open a recording's original (`form` None, or when it is in that form already) or another form of it.

        Raises AudioNotReady when the form is not made yet, AudioMissing (and an alarm) when its bytes are gone. The
        alarm is taken back by the first opening that finds all of the recording's audio in its place again.
        """
        original = recording.audio
        if original is None:
            raise AudioNotReady("the recording has no audio yet")
        if form is None or is_form(facts_of(recording), form):
            name = await self._name_of(recording, original)
            return await self._open(recording, self._originals, name, original.sha256, original.size_bytes)
        rendition = await self._find(recording, form)
        if rendition is None:
            raise AudioNotReady(f"the {form} form is not made yet")
        return await self._open(recording, self._renditions, rendition.name, rendition.sha256, rendition.size_bytes)

    async def _name_of(self, recording: Recording, original: Audio) -> str:
        """Return the name of an original; it may have got another one since the recording was read."""
        if await self._originals.size(original.name) is None:
            for row in await self._database.read(catalog.SELECT_BY_ID, recording.tenant, recording.id.bytes):
                now = recording_of(row).audio
                if now is not None and now.sha256 == original.sha256:
                    return now.name
        return original.name

    async def has(self, recording: Recording, form: Form) -> bool:
        """Tell whether a form need not be made: it is there, or there is no audio that it could be made of."""
        if recording.audio is None or is_form(facts_of(recording), form):
            return True
        return await self._find(recording, form) is not None

    async def open_made(self, recording: Recording, form: Form) -> Reader:
        """Open a form, made first where it is missing; whoever asks for one that is being made waits for it.

        Raises what `open` and `make` raise.
        """
        if recording.audio is None:
            raise AudioNotReady("the recording has no audio yet")
        try:
            return await self.open(recording, form)
        except AudioNotReady:
            async with self._making.setdefault((recording.id, form), asyncio.Lock()):
                if await self._find(recording, form) is None:
                    await self._make_now(recording, form)
            return await self.open(recording, form)

    async def _make_now(self, recording: Recording, form: Form) -> None:
        try:
            await self.make(recording, form)
        except AudioError:
            await self._sound(alarms.RENDITION_FAILED, recording)
            raise
        for kind in await self._alarms.standing(recording.tenant, str(recording.id), (alarms.RENDITION_FAILED,)):
            await self._alarms.clear(kind, recording.tenant, str(recording.id))

    async def close(self) -> None:
        """End what is being made."""
        await asyncio.to_thread(self._renderers.shutdown)

    async def _open(self, recording: Recording, vault: Vault, name: str, sha256: str, size_bytes: int) -> Reader:
        try:
            reader = await vault.open(name, sha256)
        except VaultError as error:
            await self._sound(alarms.AUDIO_MISSING, recording)
            raise AudioMissing(f"the audio of {recording.id} is missing") from error
        if reader.size != size_bytes:
            reader.close()
            await self._sound(alarms.AUDIO_ALTERED, recording)
            raise AudioMissing(f"the audio of {recording.id} is not as it was kept")
        try:
            await self._take_alarms_back(recording)
        except BaseException:
            reader.close()
            raise
        return reader

    async def _sound(self, kind: str, recording: Recording) -> None:
        await self._alarms.sound(kind, recording.tenant, str(recording.id), key=recording.vendor_key)

    async def _take_alarms_back(self, recording: Recording) -> None:
        raised = await self._alarms.standing(recording.tenant, str(recording.id), ABOUT_AUDIO)
        if raised and await self._is_whole(recording):
            for kind in raised:
                await self._alarms.clear(kind, recording.tenant, str(recording.id))

    async def _is_whole(self, recording: Recording) -> bool:
        """Tell whether the original and every form are in their places: an alarm does not say which of them was not."""
        rows = await self._database.read(
            "SELECT name, sha256, bytes FROM renditions WHERE tenant = $1 AND recording = $2",
            recording.tenant,
            recording.id.bytes,
        )
        objects = [(self._renditions, *row) for row in rows]
        if recording.audio is not None:
            original = recording.audio
            objects.append((self._originals, original.name, original.sha256, original.size_bytes))
        return all([await _is_there(*each) for each in objects])

    async def _find(self, recording: Recording, form: Form) -> Rendition | None:
        rows = await self._database.read(
            "SELECT name, bytes, sha256 FROM renditions "
            "WHERE tenant = $1 AND recording = $2 AND form = $3 AND layer = ''",
            recording.tenant,
            recording.id.bytes,
            form,
        )
        return Rendition(form=form, name=rows[0][0], size_bytes=rows[0][1], sha256=rows[0][2]) if rows else None

    async def names(self, recording: Recording) -> list[str]:
        """Return the object names of all forms of a recording."""
        rows = await self._database.read(
            "SELECT name FROM renditions WHERE tenant = $1 AND recording = $2", recording.tenant, recording.id.bytes
        )
        return [name for (name,) in rows]

    async def waiting(self) -> dict[TenantId, int]:
        """Return how many forms are still to be made, of each tenant that has any."""
        rows = await self._database.read("SELECT tenant, COUNT(*) FROM rendition_jobs GROUP BY tenant")
        return {TenantId(tenant): count for tenant, count in rows}

    async def make(self, recording: Recording, form: Form) -> None:
        """Make a form and keep it, unless the audio is freed meanwhile.

        Raises AudioError, AudioMissing, AudioNotReady, VaultError or DatabaseError.
        """
        recording = await self.examined(recording)
        reader = await self.open(recording, None)
        try:
            rendered = await self._rendered(reader, form)
        finally:
            reader.close()
        with rendered:
            rendition = await self._intake.place_rendition(recording, form, _blocks(rendered))

        async def work(transaction: Transaction) -> bool:
            if not await catalog.has_audio(transaction, recording):
                return False
            await catalog.add_rendition(transaction, recording, rendition)
            await catalog.note_form(transaction, recording, rendition)
            return True

        kept = False
        try:
            kept = await self._database.write(work)
        finally:
            if not kept:
                await self._intake.remove_unshared(replace(recording, audio=None), [rendition.name])

    async def examined(self, recording: Recording) -> Recording:
        """Look into audio that was kept before anybody had, and note what it is; any other is given back unchanged.

        Raises AudioMissing, DatabaseError.
        """
        if recording.audio is None or Health.UNEXAMINED not in Health(recording.audio.health):
            return recording
        reader = await self.open(recording, None)
        try:
            loop = asyncio.get_running_loop()
            looking = loop.run_in_executor(self._renderers, _examine, reader, recording)
            found = await asyncio.shield(looking)
        finally:
            reader.close()
        facts = found.facts
        audio = replace(
            recording.audio,
            container=facts.container,
            codec=facts.codec,
            channels=facts.channels,
            sample_rate=facts.sample_rate,
            samples=facts.samples,
            health=int(found.health),
        )
        examined = replace(recording, audio=audio)
        await self._database.write(lambda transaction: catalog.note_examined(transaction, examined))
        return examined

    async def _rendered(self, reader: Reader, form: Form) -> BinaryIO:
        """Render in a thread; one who is cancelled leaves when it is done with the files, and closes its own."""
        loop = asyncio.get_running_loop()
        rendering = loop.run_in_executor(self._renderers, _render, reader, form, self._scratch)
        try:
            return await asyncio.shield(rendering)
        except asyncio.CancelledError:
            await asyncio.wait([rendering])
            if not rendering.cancelled() and rendering.exception() is None:
                rendering.result().close()
            raise

    async def make_due(self) -> int:
        """Make the forms whose time has come, and return how many jobs were dealt with."""
        rows = await self._database.read(
            "SELECT tenant, recording, form, attempts FROM rendition_jobs WHERE next_at <= $1 "
            "ORDER BY next_at LIMIT $2",
            now_ms(),
            JOBS_AT_ONCE,
        )
        for row in rows:
            await self._run(row)
        return len(rows)

    async def _run(self, job: Row) -> None:
        tenant, identity, form, attempts = job
        found = await self._database.read(catalog.SELECT_BY_ID, tenant, identity)
        if not found:
            return
        recording = recording_of(found[0])
        try:
            await self.make(recording, Form(form))
        except Exception as error:  # noqa: BLE001 -- whatever ails one job, it waits its time and the others go on
            await self._sound(alarms.RENDITION_FAILED, recording)
            wait = RETRY_MS[min(attempts, len(RETRY_MS) - 1)]
            await self._postpone(job, EpochMs(now_ms() + wait), str(error))
        else:
            if attempts:
                await self._alarms.clear(alarms.RENDITION_FAILED, tenant, str(recording.id))

    async def _postpone(self, job: Row, next_at: EpochMs, error: str) -> None:
        async def work(transaction: Transaction) -> None:
            await transaction.execute(
                "UPDATE rendition_jobs SET next_at = $4, attempts = attempts + 1, error = $5 "
                "WHERE tenant = $1 AND recording = $2 AND form = $3",
                *job[:3],
                next_at,
                error,
            )

        await self._database.write(work)


async def _is_there(vault: Vault, name: str, sha256: str, size_bytes: int) -> bool:
    try:
        reader = await vault.open(name, sha256)
    except VaultError:
        return False
    try:
        return reader.size == size_bytes
    finally:
        reader.close()


def facts_of(recording: Recording) -> AudioFacts:
    """Return what is known of the original's audio."""
    audio = recording.audio
    if audio is None:
        raise AudioNotReady("the recording has no audio yet")
    return AudioFacts(
        container=audio.container,
        codec=audio.codec,
        channels=audio.channels,
        sample_rate=audio.sample_rate,
        samples=audio.samples,
    )


def _examine(reader: Reader, recording: Recording) -> Examination:
    with reader.file() as file:
        try:
            return examine(file, recording.duration_ms or None)
        except AudioError:
            return Examination(facts_of(recording), Health.UNREADABLE)


def _render(reader: Reader, form: Form, scratch: Path) -> BinaryIO:
    """Return a form in a file of no name, so that a long recording is never in memory whole. Raises VaultFull."""
    target = cast("BinaryIO", tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES, dir=str(scratch)))  # noqa: SIM115 -- returned
    try:
        with reader.file() as source:
            render(source, form, target)
        target.seek(0)
    except OSError as error:
        target.close()
        if error.errno == errno.ENOSPC:
            raise VaultFull("no space is left to make a form of a recording") from error
        raise
    except BaseException:
        target.close()
        raise
    return target


async def _blocks(file: BinaryIO) -> AsyncIterator[bytes]:
    while block := await asyncio.to_thread(file.read, BLOCK_BYTES):
        yield block
