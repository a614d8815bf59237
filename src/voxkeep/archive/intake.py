"""How a recording comes in: bytes first, durably, then the row that makes them visible."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive import catalog
from voxkeep.archive.model import Audio, Call, Recording, Rendition, State
from voxkeep.archive.names import extension_of, object_name
from voxkeep.archive.tenants import Tenants
from voxkeep.archive.units import EpochMs, TenantId, recording_key
from voxkeep.audio.probe import AudioFacts
from voxkeep.audio.render import FORMS, Form, is_form
from voxkeep.database import Database, Transaction
from voxkeep.vault import Reader, Source, Staged, Vault

WANTED_FORMS = (Form.OPUS,)
"""Forms that every recording gets."""
BLOCK_BYTES = 1 << 18
NOBODY = b""
"""No recording's id."""

Also = Callable[[Transaction, Recording], Awaitable[None]]
"""What is written together with a recording, given as it is kept."""


class NewAudio(Struct, frozen=True):
    """An original that is about to be kept: its durable bytes, and what was found in them."""

    staged: Staged
    facts: AudioFacts
    health: int = 0


class Incoming(Struct, frozen=True):
    """A recording on its way in, with all that comes along; see `Archive.keep`."""

    recording: Recording
    audio: NewAudio | None = None
    call: Call | None = None
    call_is_whole: bool = True
    renditions: Sequence[tuple[Form, Source]] = ()
    also: Also | None = None


class Kept(Struct, frozen=True):
    """A recording as it stands in the archive after `keep`."""

    recording: Recording
    new: bool
    """False when it was held before (or removed: the key stays taken)."""


class Intake:
    """Keeps recordings; see `Archive.keep`."""

    def __init__(self, database: Database, tenants: Tenants, originals: Vault, renditions: Vault) -> None:
        self._database = database
        self._tenants = tenants
        self._originals = originals
        self._renditions = renditions
        self._turns: WeakValueDictionary[tuple[TenantId, str], asyncio.Lock] = WeakValueDictionary()

    async def stage(
        self, tenant: TenantId, started_at: EpochMs, key: str, source: Source, length: int | None
    ) -> Staged:
        """Write an original durably beside where it will stand."""
        name = object_name(await self._tenants.name(tenant), started_at, key, "")
        return await self._originals.stage(name, source, length=length)

    async def keep(self, incoming: Incoming) -> Kept:
        """See `Archive.keep`; one who is cancelled leaves when it is decided whether the recording is kept."""
        keeping = asyncio.create_task(self._keep_in_turn(incoming))
        try:
            return await asyncio.shield(keeping)
        except asyncio.CancelledError:
            await asyncio.wait([keeping])
            if not keeping.cancelled():
                keeping.exception()
            raise

    def _turn(self, recording: Recording) -> asyncio.Lock:
        """Return the lock of all who place or remove objects of one name."""
        return self._turns.setdefault((recording.tenant, recording.vendor_key), asyncio.Lock())

    async def _keep_in_turn(self, incoming: Incoming) -> Kept:
        recording, audio = incoming.recording, incoming.audio
        recording = replace(recording, vendor_key=recording.vendor_key or recording_key(recording.id))
        made: list[Rendition] = []
        async with self._turn(recording):
            try:
                if audio is not None:
                    recording = await self._place_original(recording, audio)
                for form, source in incoming.renditions:
                    made.append(await self.place_rendition(recording, form, source))
                recording = replace(recording, opus_bytes=_opus_bytes(recording, audio, made))
                placed = replace(incoming, recording=recording)
                kept = await self._database.write(lambda transaction: _keep(transaction, placed, made))
            except Exception:
                await self._take_back(recording, audio, made)
                raise
            if not kept.new:
                await self._take_back(recording, audio, made)
        return kept

    async def _place_original(self, recording: Recording, audio: NewAudio) -> Recording:
        facts = audio.facts
        tenant = await self._tenants.name(recording.tenant)
        wanted = object_name(tenant, recording.started_at, recording.vendor_key, extension_of(facts.container))
        original = Audio(
            name=await audio.staged.place(wanted),
            size_bytes=audio.staged.size,
            sha256=audio.staged.sha256,
            container=facts.container,
            codec=facts.codec,
            channels=facts.channels,
            sample_rate=facts.sample_rate,
            samples=facts.samples,
            health=audio.health,
        )
        return replace(recording, audio=original)

    async def renamed(self, held: Recording, told: Recording) -> Audio | None:
        """Return the audio of a recording that is called otherwise by now, as an object of that name.

        An object's name tells the key and the day of its recording; by them is found who else uses it. Raises
        VaultError.
        """
        audio = held.audio
        if audio is None:
            return None
        tenant = await self._tenants.name(told.tenant)
        wanted = object_name(tenant, told.started_at, told.vendor_key, extension_of(audio.container))
        if wanted == object_name(tenant, held.started_at, held.vendor_key, extension_of(audio.container)):
            return audio
        reader = await self._originals.open(audio.name, audio.sha256)
        try:
            staged = await self._originals.stage(wanted, _blocks(reader), length=audio.size_bytes)
        finally:
            reader.close()
        try:
            return replace(audio, name=await staged.place())
        finally:
            await staged.discard()

    async def place_rendition(self, recording: Recording, form: Form, source: Source) -> Rendition:
        """Make `source` a durable object among the renditions; the catalog does not know it yet."""
        tenant = await self._tenants.name(recording.tenant)
        key = f"{recording.vendor_key}.{form}"
        wanted = object_name(tenant, recording.started_at, key, FORMS[form].extension)
        staged = await self._renditions.stage(wanted, source)
        try:
            name = await staged.place()
        except BaseException:
            await staged.discard()
            raise
        return Rendition(form=form, name=name, size_bytes=staged.size, sha256=staged.sha256)

    async def _take_back(self, recording: Recording, audio: NewAudio | None, made: Sequence[Rendition]) -> None:
        """Remove what was placed for a recording that was not kept."""
        if audio is not None:
            await audio.staged.discard()
        await self._remove_unshared(recording, [each.name for each in made], NOBODY)

    async def remove_unshared(self, recording: Recording, renditions: Sequence[str]) -> None:
        """Remove a recording's objects from the vaults, except those that another recording uses too.

        The same bytes under the same name are one object: kept twice, or under two vendors' equal keys.
        """
        async with self._turn(recording):
            await self._remove_unshared(recording, renditions, recording.id.bytes)

    async def _remove_unshared(self, recording: Recording, renditions: Sequence[str], but: bytes) -> None:
        if recording.audio is not None:
            asked = catalog.sharing(recording, recording.audio.name, but=but)
            if not await self._database.read(catalog.SELECT_ORIGINAL_SHARED, *asked):
                await self._originals.remove(recording.audio.name)
        for name in renditions:
            asked = catalog.sharing(recording, name, but=but)
            if not await self._database.read(catalog.SELECT_RENDITION_SHARED, *asked):
                await self._renditions.remove(name)


async def _blocks(reader: Reader) -> AsyncIterator[bytes]:
    for offset in range(0, reader.size, BLOCK_BYTES):
        yield await reader.pread(offset, BLOCK_BYTES)


def _opus_bytes(recording: Recording, audio: NewAudio | None, made: Sequence[Rendition]) -> int | None:
    if audio is not None and is_form(audio.facts, Form.OPUS):
        return audio.staged.size
    return next((each.size_bytes for each in made if each.form == Form.OPUS), recording.opus_bytes)


async def _keep(transaction: Transaction, incoming: Incoming, made: Sequence[Rendition]) -> Kept:
    recording = incoming.recording
    held = await catalog.held(transaction, recording)
    if held is None:
        recording = await catalog.insert(transaction, recording, incoming.call, call_is_whole=incoming.call_is_whole)
    elif held.state is State.PENDING and recording.audio is not None:
        recording = await catalog.promote(transaction, held, recording)
    else:
        return Kept(held, new=False)
    for rendition in made:
        await catalog.add_rendition(transaction, recording, rendition)
    if recording.audio is not None and recording.opus_bytes is None:
        for form in WANTED_FORMS:
            await catalog.order_rendition(transaction, recording, form)
    if incoming.also is not None:
        await incoming.also(transaction, recording)
    return Kept(recording, new=True)
