"""The archive's single door: keep, find, open, remove. Nobody else touches the catalog or the vault."""

import fcntl
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from msgspec.structs import replace

from voxkeep.archive import catalog, pages, search
from voxkeep.archive.alarms import Alarms
from voxkeep.archive.changes import Changes
from voxkeep.archive.errors import ArchiveError, RemovalRefused, UnknownRecording, UnknownTranscript
from voxkeep.archive.folders import Files, FolderState, all_folders, has_files, state_of
from voxkeep.archive.intake import Also, Incoming, Intake, Kept, NewAudio
from voxkeep.archive.migrations import MIGRATIONS
from voxkeep.archive.model import Call, Message, Recording, State, Transcript
from voxkeep.archive.query import Ends, Position, Question, Scope, TimeRange
from voxkeep.archive.renditions import Renditions
from voxkeep.archive.roster import Roster
from voxkeep.archive.rows import recording_of
from voxkeep.archive.streams import Chunks, Stream
from voxkeep.archive.tenants import Tenants
from voxkeep.archive.transcripts import KeptTranscript, Transcripts
from voxkeep.archive.units import DAY_MS, EpochMs, RecordingId, TenantId, TranscriptId, now_ms
from voxkeep.audio.render import Form
from voxkeep.database import Database, Migrations, Row, Transaction, Value, Work, migrate
from voxkeep.database.sqlite import SqliteDatabase
from voxkeep.settings import Settings
from voxkeep.vault import FolderVault, Reader, Source, Staged, Vault
from voxkeep.vault.foldersync import make_folder

T = TypeVar("T")

DATABASE_NAME = "voxkeep.db"
IN_USE_NAME = "in-use.lock"
FREED_AT_ONCE = 100


@contextmanager
def in_use(home: Path, *, alone: bool = False) -> Iterator[None]:
    """Tell other processes that the archive at `home` (made when missing) is in use; the system forgets it with ours.

    `alone` is for who would take the whole archive away. Raises BlockingIOError while one who is alone keeps others
    out, or others keep out who would be alone; OSError when the folder cannot be made.
    """
    make_folder(home)
    descriptor = os.open(home / IN_USE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


class Archive:
    """One archive. Open it with `Archive.at`, close it with `close`."""

    def __init__(self, home: Path, settings: Settings, database: Database, originals: Vault, renditions: Vault) -> None:
        self.home = home
        self.settings = settings
        self.database = database
        """For the other rooms' own tables; the archive's are reached through this class alone."""
        self.tenants = Tenants(database)
        self.roster = Roster(database, settings.archive.chunk_rows)
        self.changes = Changes(database)
        self.alarms = Alarms(database, self.tenants)
        self._originals = originals
        self._rendition_vault = renditions
        self._intake = Intake(database, self.tenants, originals, renditions)
        self.renditions = Renditions(database, originals, renditions, self._intake, self.alarms, home)
        self._transcripts = Transcripts(database)

    @classmethod
    async def at(cls, home: Path, settings: Settings, rooms: Iterable[Migrations] = ()) -> Self:
        """Open the archive at `home`, made when missing, with the tables of `rooms` beside its own.

        Raises ArchiveError when its folders cannot be made, DatabaseError when its database cannot be opened, for one
        because a newer version wrote it.
        """
        try:
            originals, renditions = _vaults(home)
        except OSError as error:
            raise ArchiveError(f"{home}: {error.strerror}") from error
        each = settings.database
        database = SqliteDatabase(
            home / DATABASE_NAME,
            readers=each.readers,
            group_commit=each.group_commit,
            busy_timeout_ms=each.busy_timeout_ms,
        )
        try:
            await migrate(database, [MIGRATIONS, *rooms])
        except BaseException:
            await database.close()
            raise
        return cls(home, settings, database, originals, renditions)

    async def close(self) -> None:
        """Finish what is under way and let go of the files."""
        await self.renditions.close()
        await self._originals.close()
        await self._rendition_vault.close()
        await self.database.close()

    async def sweep(self) -> int:
        """Remove what dead writers left half-written, and return how many files that were."""
        return await self._originals.sweep() + await self._rendition_vault.sweep()

    async def stage(
        self, tenant: TenantId, started_at: EpochMs, key: str, source: Source, *, length: int | None = None
    ) -> Staged:
        """Take in the bytes of an original: durable, not yet visible. Keep them, or discard them.

        Raises VaultFull, LengthMismatch when `length` bytes were announced and others came, or what `source` raises.
        """
        return await self._intake.stage(tenant, started_at, key, source, length)

    async def keep(
        self,
        recording: Recording,
        audio: NewAudio | None = None,
        *,
        call: Call | None = None,
        call_is_whole: bool = True,
        renditions: Sequence[tuple[Form, Source]] = (),
        also: Also | None = None,
    ) -> Kept:
        """Keep a recording; when this returns, bytes and row are durable.

        A key that is held (or removed) already changes nothing, except that one waiting for its audio gets it. A
        recording without a known call gets a call of its own; a call that is known already is renewed by `call` if
        that is whole. `also` is kept together with a recording that is new or got its audio. Raises VaultFull or
        DatabaseFull: then there is neither row nor file.
        """
        return await self._intake.keep(Incoming(recording, audio, call, call_is_whole, renditions, also))

    async def keep_call(self, call: Call) -> Call:
        """Keep a call, or what is newly known of one; returns it as kept."""
        return await self.database.write(lambda transaction: catalog.ensure_call(transaction, call))

    def find(
        self, scopes: Sequence[Scope], times: TimeRange, columns: Sequence[str], shape: Callable[[list[Row]], T]
    ) -> Chunks[T]:
        """Yield what `shape` makes of the recordings that started in `times`, a chunk at a time.

        `shape` runs off the event loop. Its rows are (started_at, id, vendor_key, *columns), ordered by start and
        then key; the last chunk may be empty.
        """
        return self._chunks("recordings", "vendor_key", scopes, times, columns, shape)

    def find_calls(
        self, scopes: Sequence[Scope], times: TimeRange, columns: Sequence[str], shape: Callable[[list[Row]], T]
    ) -> Chunks[T]:
        """Yield what `shape` makes of the calls that started in `times`; rows are (started_at, id, key, *columns)."""
        return self._chunks("calls", "key", scopes, times, columns, shape)

    def _chunks(
        self,
        table: str,
        key: str,
        scopes: Sequence[Scope],
        times: TimeRange,
        columns: Sequence[str],
        shape: Callable[[list[Row]], T],
    ) -> Chunks[T]:
        streams = [Stream(self.database, table, key, columns, scope, times) for scope in scopes]
        return Chunks(streams, shape, self.settings.archive.chunk_rows)

    async def page(
        self,
        question: Question,
        after: Position,
        limit: int,
        columns: Sequence[str],
        shape: Callable[[list[Row]], T],
    ) -> T:
        """Return what `shape` makes of the next recordings after a place; its rows are (started_at, id, *columns).

        In the order of the table's key; `shape` runs off the event loop. The end is a read of fewer than `limit` rows.
        """
        return await pages.rows_after(self.database, "recordings", question, after, limit, columns, shape)

    async def page_transcripts(
        self,
        question: Question,
        after: Position,
        limit: int,
        columns: Sequence[str],
        shape: Callable[[list[Row]], T],
    ) -> T:
        """Return the same of the next chat transcripts."""
        return await pages.rows_after(self.database, "transcripts", question, after, limit, columns, shape)

    async def page_by_end(
        self,
        question: Question,
        ends: Ends,
        limit: int,
        columns: Sequence[str],
        shape: Callable[[list[Row]], T],
    ) -> T:
        """Return what `shape` makes of the next `limit` recordings in order of their ends; see `pages.rows_by_end`."""
        return await pages.rows_by_end(self.database, question, ends, limit, columns, shape)

    async def search(
        self, scopes: Sequence[Scope], question: str, times: TimeRange | None, before: int | None, limit: int
    ) -> list[search.Hit]:
        """Return up to `limit` chat messages with the words asked for, newest first, numbered below `before`.

        Raises `voxkeep.archive.search.NoWords`.
        """
        return await search.search_all(self.database, scopes, question, times, before, limit)

    async def keep_transcript(self, transcript: Transcript, messages: Sequence[Message]) -> KeptTranscript:
        """Keep a chat with its messages; when this returns, both are durable. A key that is held changes nothing."""
        return await self._transcripts.keep(transcript, messages)

    async def transcript(self, tenant: TenantId, key: str, vendor: str | None = None) -> Transcript | None:
        """Return the chat that its vendor (any, unless one is named) calls `key`, a removed one too."""
        return await self._transcripts.by_key(tenant, key, vendor)

    def messages(self, transcript: Transcript) -> AsyncIterator[list[Message]]:
        """Yield the messages of a chat in order, a chunk at a time; none of a removed one."""
        return self._transcripts.messages(transcript)

    async def of_calls(self, scope: Scope, calls: Sequence[bytes], columns: Sequence[str]) -> list[Row]:
        """Return the recordings of some calls (their ids as bytes) as rows of `columns`, ordered by start and key."""
        sql, names = catalog.select_of_calls(scope.visibility, columns, len(calls))
        values: tuple[Value, ...] = (scope.tenant, *calls, *names)
        return await self.database.read(sql, *values) if calls else []

    async def of_call_keys(self, tenant: TenantId, vendor: str, keys: Sequence[str]) -> list[Recording]:
        """Return the recordings of the calls that a vendor calls by one of `keys`, tombstones included."""
        found = [
            await self.database.read(catalog.SELECT_OF_CALL_KEY, tenant, vendor, key) for key in dict.fromkeys(keys)
        ]
        return [recording_of(row) for rows in found for row in rows]

    async def by_id(self, tenant: TenantId, identity: RecordingId) -> Recording | None:
        """Return a recording, tombstones included."""
        return await self._one(catalog.SELECT_BY_ID, tenant, identity.bytes)

    async def by_key(self, tenant: TenantId, vendor: str, key: str) -> Recording | None:
        """Return the recording that a vendor calls `key`, tombstones included."""
        return await self._one(catalog.SELECT_BY_KEY, tenant, vendor, key)

    async def by_file_name(self, tenant: TenantId, name: str) -> Recording | None:
        """Return the recording that shows this file name, tombstones included."""
        return await self._one(catalog.SELECT_BY_FILE_NAME, tenant, name)

    async def _one(self, sql: str, *values: Value) -> Recording | None:
        rows = await self.database.read(sql, *values)
        return recording_of(rows[0]) if rows else None

    async def folders(self, tenant: TenantId) -> list[str]:
        """Return the folders of file names (`S<yyyymmdd>`) in which a tenant has kept recordings, in order."""
        return await all_folders(self.database, tenant)

    async def has_folder(self, tenant: TenantId, folder: str) -> bool:
        """Tell whether a tenant has a kept recording in a folder."""
        return await has_files(self.database, tenant, folder)

    async def folder_state(self, tenant: TenantId, folder: str) -> FolderState:
        """Return what is another one after anything in a folder has changed."""
        return await state_of(self.database, tenant, folder)

    def in_folder(
        self, tenant: TenantId, folder: str, columns: Sequence[str], shape: Callable[[list[Row]], T]
    ) -> Files[T]:
        """Yield what `shape` makes of the kept recordings in a folder, in order of file name, a chunk at a time.

        `shape` runs off the event loop. Its rows are (file_name, started_at, id, *columns); the last chunk may be
        empty.
        """
        return Files(self.database, tenant, folder, columns, shape, self.settings.archive.chunk_rows)

    async def open(self, recording: Recording, form: Form | None = None) -> Reader:
        """Open a recording's audio, in its original form or in another. Raises AudioNotReady, AudioMissing."""
        return await self.renditions.open(recording, form)

    async def has(self, recording: Recording, form: Form) -> bool:
        """Tell whether a recording's audio is there in a form, or never will be: only then is nothing to be made."""
        return await self.renditions.has(recording, form)

    async def open_made(self, recording: Recording, form: Form) -> Reader:
        """Open a recording's audio in a form, which is made first where it is missing.

        Raises AudioNotReady when there is no audio yet, AudioMissing, AudioError, VaultError or DatabaseError.
        """
        return await self.renditions.open_made(recording, form)

    async def annotate(
        self,
        tenant: TenantId,
        identity: RecordingId,
        change: Callable[[dict[str, Any]], dict[str, Any]],
        also: Work[None] | None = None,
    ) -> Recording:
        """Change what a recording's `extra` holds; nothing else of it ever changes. Returns it as it is then.

        `change` makes the new of the old, inside the transaction; the old one given back changes nothing. `also` is
        kept together with it or not at all. Raises UnknownRecording, also for a removed one.
        """

        async def work(transaction: Transaction) -> Recording:
            rows = await transaction.rows(catalog.SELECT_BY_ID, tenant, identity.bytes)
            recording = recording_of(rows[0]) if rows else None
            if recording is None or recording.state is State.REMOVED:
                raise UnknownRecording(f"no recording {identity}")
            extra = change(recording.extra)
            if extra == recording.extra:
                return recording
            annotated = replace(recording, extra=extra)
            await catalog.annotate(transaction, annotated)
            if also is not None:
                await also(transaction)
            return annotated

        return await self.database.write(work)

    async def renew(
        self,
        tenant: TenantId,
        identity: RecordingId,
        change: Callable[[Recording], Recording | None],
        *,
        call: Call | None = None,
    ) -> Recording | None:
        """Give a recording that is held what its vendor newly tells of it, its key too.

        Its id, audio, file name and state stay. `change` says what is told of the one that is held; None leaves it as
        it is. Returns it as it is then, None where there is none, or only a removed one. Raises VaultError.
        """
        while True:
            held = await self.by_id(tenant, identity)
            if held is None or held.state is State.REMOVED:
                return None
            told = change(held)
            if told is None:
                return held
            renewed = await self._renew_once(held, told, call)
            if renewed is not None:
                return renewed

    async def _renew_once(self, held: Recording, told: Recording, call: Call | None) -> Recording | None:
        """Return a recording renewed, None when somebody else has changed it meanwhile."""
        audio = await self._intake.renamed(held, told)
        forms = await self.renditions.names(held)

        async def work(transaction: Transaction) -> Recording | None:
            rows = await transaction.rows(catalog.SELECT_BY_ID, held.tenant, held.id.bytes)
            if not rows or recording_of(rows[0]) != held:
                return None
            return await catalog.renew(transaction, held, told, audio, call)

        renewed: Recording | None = None
        try:
            renewed = await self.database.write(work)
        finally:
            if audio != held.audio:
                # the objects of the old name, or of the new one where nothing came of it
                spare = replace(told, id=held.id, audio=audio) if renewed is None else held
                await self._intake.remove_unshared(spare, [] if renewed is None else forms)
        return renewed

    async def examined(self, recording: Recording) -> Recording:
        """Return a recording whose audio was looked into; done now where it was kept before anybody had.

        Raises AudioMissing, DatabaseError.
        """
        return await self.renditions.examined(recording)

    async def may_remove(self, kept: Recording | Transcript) -> str | None:
        """Return why a recording or chat may not be removed, or None. Nothing forbids it yet."""
        del kept
        return None

    async def remove(
        self, tenant: TenantId, identity: RecordingId, *, hard: bool = False, also: Work[None] | None = None
    ) -> Recording:
        """Turn a recording into a tombstone that keeps its key; its audio is freed after the grace, or now (`hard`).

        `also` is kept together with it or not at all. Returns it as it was before. Raises UnknownRecording, also for
        one removed already, and RemovalRefused.
        """
        recording = await self.by_id(tenant, identity)
        if recording is None or recording.state is State.REMOVED:
            raise UnknownRecording(f"no recording {identity}")
        free_at = await self._free_at(recording, hard=hard)

        async def work(transaction: Transaction) -> bool:
            buried = await catalog.bury(transaction, recording, free_at)
            if buried and also is not None:
                await also(transaction)
            return buried

        if not await self.database.write(work):
            raise UnknownRecording(f"no recording {identity}")
        if hard:
            await self._free(recording)
        return recording

    async def remove_transcript(
        self, tenant: TenantId, identity: TranscriptId, *, hard: bool = False, also: Work[None] | None = None
    ) -> Transcript:
        """Take a chat's messages away; the chat stands. They are freed after the grace, or now (`hard`).

        Returns it as it was before; one removed already stays as it is, and `also` undone. Raises UnknownTranscript,
        RemovalRefused.
        """
        transcript = await self._transcripts.by_id(tenant, identity)
        if transcript is None:
            raise UnknownTranscript(f"no transcript {identity}")
        free_at = await self._free_at(transcript, hard=hard)
        if await self._transcripts.remove(transcript, free_at, also) and hard:
            await self._transcripts.free(transcript)
        return transcript

    async def _free_at(self, kept: Recording | Transcript, *, hard: bool) -> EpochMs:
        """Return when what is removed now is freed. Raises RemovalRefused when it may not be removed."""
        refusal = await self.may_remove(kept)
        if refusal is not None:
            raise RemovalRefused(refusal)
        return EpochMs(now_ms() + (0 if hard else self.settings.archive.removal_grace_days * DAY_MS))

    async def free_due(self) -> int:
        """Free what was removed and whose grace is over, and return how many recordings and chats that were."""
        return await self._free_recordings_due() + await self._transcripts.free_due()

    async def _free_recordings_due(self) -> int:
        rows = await self.database.read(
            "SELECT tenant, recording FROM removals WHERE free_at <= $1 ORDER BY free_at LIMIT $2",
            now_ms(),
            FREED_AT_ONCE,
        )
        for tenant, identity in rows:
            recording = await self._one(catalog.SELECT_BY_ID, tenant, identity)
            if recording is not None:
                await self._free(recording)
            else:
                await self.database.write(partial(catalog.forget_removal, tenant=tenant, identity=identity))
        return len(rows)

    async def _free(self, recording: Recording) -> None:
        """Free a removed recording's audio; with that, nothing is left to be alarmed about."""
        names = await self.renditions.names(recording)
        await self._intake.remove_unshared(recording, names)
        had = await self.database.write(lambda transaction: catalog.freed(transaction, recording))
        # one that was made just then
        await self._intake.remove_unshared(replace(recording, audio=None), [name for name in had if name not in names])
        for kind in await self.alarms.standing(recording.tenant, str(recording.id)):
            await self.alarms.clear(kind, recording.tenant, str(recording.id))


def _vaults(home: Path) -> tuple[Vault, Vault]:
    make_folder(home)
    return FolderVault(home / "vault"), FolderVault(home / "renditions")
