"""Pushed recordings: which recording a push is, keeping it, and finding it again by its path (reference 3.4, 8.4).

The same path with the same bytes is one recording however often it comes; other bytes are another one. Nothing that
came is ever dropped: where it is not clear which recording a push belongs to, it becomes one of its own.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

from msgspec import Struct
from msgspec.structs import replace

from voxkeep.access.audit import AuditEntry, append
from voxkeep.archive import Archive, NewAudio
from voxkeep.archive.alarms import PUSH_UNJOINED
from voxkeep.archive.model import Recording, State
from voxkeep.archive.query import START, AnyOf, Question, Scope, Term, TimeRange
from voxkeep.archive.units import DAY_MS, EpochMs, RecordingId, TenantId
from voxkeep.database import Row, Transaction, Work
from voxkeep.vendors.kazoo.accounts import Account
from voxkeep.vendors.kazoo.ids import month
from voxkeep.vendors.kazoo.pushdocument import Told, document_of
from voxkeep.vendors.kazoo.wire import PUSHED, VENDOR, call_of, recording_of

INSERT = (
    "INSERT INTO kazoo_pushes (account, path, sha256, tenant, recording, received_at, size, flag, query, document) "
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (account, path, sha256, tenant) DO NOTHING"
)
FIND = "SELECT recording, flag FROM kazoo_pushes WHERE account = $1 AND path = $2 AND sha256 = $3 AND tenant = $4"
NEWEST = "SELECT tenant, recording FROM kazoo_pushes WHERE account = $1 AND path = $2 ORDER BY received_at DESC, sha256"
INSERT_PROBE = (
    "INSERT INTO kazoo_probes (account, path, content_type, body, received_at) VALUES ($1, $2, $3, $4, $5) "
    "ON CONFLICT (account, path) DO UPDATE SET content_type = excluded.content_type, body = excluded.body, "
    "received_at = excluded.received_at"
)
FORGET_PROBES = "DELETE FROM kazoo_probes WHERE account = $1 AND received_at < $2"
FIND_PROBE = "SELECT content_type, body FROM kazoo_probes WHERE account = $1 AND path = $2"

SLACK_MS, SLACK_SHARE = 2_000, 0.02
"""By how much the durations of one recording may differ."""
AROUND_MS = DAY_MS
"""How far from a push's start a document of its call is looked for where no interaction leads to it."""
MOST_OF_A_CALL = 1_000


class Flag(StrEnum):
    """What a person must look at in a push."""

    NONE = ""
    UNJOINED = "unjoined"
    """Documents of its call were collected, and it is not clear which of them it is."""


class Contended(Exception):
    """Another writer took the key just now; nothing was kept, and the same push again will be."""


class Push(Struct, frozen=True):
    """A push whose bytes are durable already."""

    account: Account
    """Whose secret it came with."""
    tenant: TenantId
    """Whose it is: the account's own tenant, or that of one below."""
    told: Told
    audio: NewAudio
    audio_ms: int
    """As long as the audio is; what was told where it cannot be read."""
    query: str
    document: str
    """What came as its document and is not shown as it came; empty else."""

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes."""
        return self.audio.staged.sha256


class Done(NamedTuple):
    """What became of a push."""

    recording: Recording
    new: bool
    """False where the same had come before."""


class _Choice(NamedTuple):
    """Which recording a push is: one that is held with its audio, or one that is to be kept."""

    recording: Recording
    held: bool = False
    flag: Flag = Flag.NONE


class Pushes:
    """The pushes of an archive."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._turns: WeakValueDictionary[tuple[TenantId, str], asyncio.Lock] = WeakValueDictionary()

    async def keep(self, push: Push, entry: AuditEntry) -> Done:
        """Keep a push and the trail's entry of it; durable when this returns, its bytes placed or discarded.

        Pushes of one call go one after the other, so that two of them never take one document. Raises Contended,
        VaultFull, DatabaseFull.
        """
        turn = (push.tenant, push.told.call_id or push.told.place.path)
        async with self._turns.setdefault(turn, asyncio.Lock()):
            known = await self._known(push)
            if known is not None:
                await push.audio.staged.discard()
                return Done(known, new=False)
            choice = await self._choose(push)
            if choice.held:
                await push.audio.staged.discard()
                await self._archive.database.write(_noted(push, entry, choice.recording, choice.flag))
                return Done(choice.recording, new=True)
            recording = await self._keep(choice, push, entry)
            await self._sound(recording, choice.flag)
        return Done(recording, new=True)

    async def newest(self, account: Account, path: str) -> Recording | None:
        """Return the newest recording that was pushed to a path, of those that are not removed."""
        for tenant, identity in await self._archive.database.read(NEWEST, account.id, path):
            recording = await self._by_id(TenantId(tenant), identity)
            if recording is not None and recording.state is not State.REMOVED and recording.audio is not None:
                return recording
        return None

    async def keep_probe(self, account: Account, path: str, content_type: str, body: bytes, at: EpochMs) -> None:
        """Keep a file by which a storage plan is tried, for a day at least."""

        async def work(transaction: Transaction) -> None:
            await transaction.execute(FORGET_PROBES, account.id, at - DAY_MS)
            await transaction.execute(INSERT_PROBE, account.id, path, content_type, body, at)

        await self._archive.database.write(work)

    async def probe(self, account: Account, path: str) -> tuple[str, bytes] | None:
        """Return the type and the bytes of such a file."""
        rows = await self._archive.database.read(FIND_PROBE, account.id, path)
        return (rows[0][0], bytes(rows[0][1])) if rows else None

    async def _by_id(self, tenant: TenantId, identity: bytes) -> Recording | None:
        return await self._archive.by_id(tenant, _recording_id(identity))

    async def _known(self, push: Push) -> Recording | None:
        key = (push.account.id, push.told.place.path, push.sha256, push.tenant)
        rows = await self._archive.database.glance(FIND, *key)
        if not rows:
            return None
        identity, flag = rows[0]
        recording = await self._by_id(push.tenant, identity)
        if recording is not None:
            # the process may have died before it could
            await self._sound(recording, flag)
        return recording

    async def _sound(self, recording: Recording, flag: str) -> None:
        """Call a person to a push that could not be joined, once."""
        alarms, subject = self._archive.alarms, str(recording.id)
        if flag != Flag.UNJOINED or await alarms.standing(recording.tenant, subject, (PUSH_UNJOINED,)):
            return
        await alarms.sound(PUSH_UNJOINED, recording.tenant, subject, key=recording.vendor_key)

    async def _keep(self, choice: _Choice, push: Push, entry: AuditEntry) -> Recording:
        recording = choice.recording

        async def also(transaction: Transaction, kept: Recording) -> None:
            await _noted(push, entry, kept, choice.flag)(transaction)

        call = call_of(recording)
        kept = await self._archive.keep(recording, push.audio, call=call, call_is_whole=False, also=also)
        if not kept.new:
            # a derived key stands for its bytes, also where those are gone again
            if not _has(kept.recording, push.sha256) and recording.vendor_key != derived_key(push):
                raise Contended
            await self._archive.database.write(_noted(push, entry, kept.recording, choice.flag))
        return kept.recording

    async def _choose(self, push: Push) -> _Choice:
        identity = push.told.recording
        if not identity:
            return await self._join(push)
        held = await self._archive.by_key(push.tenant, VENDOR, identity)
        if held is None:
            return _Choice(made_of(push, identity))
        freed = held.state is State.REMOVED and held.audio is None
        if freed or _has(held, push.sha256):
            # what was removed stays removed, by whatever path it comes again; once it is freed, its bytes are not known
            return _Choice(held, held=True)
        if held.state is State.PENDING:
            return _Choice(replace(held, state=State.KEPT))
        return _Choice(made_of(push, derived_key(push)))

    async def _join(self, push: Push) -> _Choice:
        """Return the collected recording that a push without an id can only be, else one of its own."""
        of_call = await self._of_call(push)
        same = [each for each in of_call if _has(each, push.sha256)]
        if len(same) == 1:
            return _Choice(same[0], held=True)
        collected = [each for each in of_call if not each.extra.get(VENDOR, {}).get(PUSHED)]
        fitting = [each for each in collected if each.state is State.PENDING and _agrees(each, push)]
        if len(fitting) == 1:
            return _Choice(replace(fitting[0], state=State.KEPT))
        return _Choice(made_of(push, derived_key(push)), flag=Flag.UNJOINED if collected else Flag.NONE)

    async def _of_call(self, push: Push) -> Sequence[Recording]:
        """Return the recordings that are not removed of a push's call: by its interaction, else by their time."""
        call, interaction = push.told.call_id, push.told.interaction_id
        if not call:
            return []
        if interaction:
            found = await self._archive.of_call_keys(push.tenant, VENDOR, (interaction, call))
        else:
            found = await self._around(push, call)
        return [
            each for each in found if (each.vendor, each.call_key) == (VENDOR, call) and each.state is not State.REMOVED
        ]

    async def _around(self, push: Push, call: str) -> list[Recording]:
        start = push.told.started_at(push.audio_ms)
        times = TimeRange(EpochMs(max(0, start - AROUND_MS)), EpochMs(start + AROUND_MS))
        terms = (AnyOf((Term.equal("vendor", VENDOR),)), AnyOf((Term.equal("call_key", call),)))
        question = Question(Scope(push.tenant), started=times, conditions=terms)
        identities = await self._archive.page(question, START, MOST_OF_A_CALL, (), _ids)
        found = [await self._by_id(push.tenant, identity) for identity in identities]
        return [each for each in found if each is not None]


def _noted(push: Push, entry: AuditEntry, recording: Recording, flag: Flag) -> Work[None]:
    """Return the work that writes down which recording a push is."""
    key = (push.account.id, push.told.place.path, push.sha256, push.tenant)
    facts = (recording.id.bytes, push.told.received_at, push.audio.staged.size, str(flag))

    async def work(transaction: Transaction) -> None:
        await transaction.execute(INSERT, *key, *facts, push.query, push.document)
        await append(transaction, replace(entry, subject=recording.vendor_key))

    return work


def made_of(push: Push, identity: str) -> Recording:
    """Return the recording that a push alone makes."""
    document = document_of(push.told, identity, push.audio_ms, push.audio.facts.container)
    recording = recording_of(document, push.tenant)
    own: dict[str, Any] = {**recording.extra[VENDOR], PUSHED: True}
    return replace(recording, extra={**recording.extra, VENDOR: own})


def derived_key(push: Push) -> str:
    """Return the key of a push that Kazoo gave no id, or one that other bytes have already."""
    facts = f"{push.account.id}\n{push.told.place.path}\n{push.sha256}"
    digest = hashlib.sha256(facts.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{month(push.told.started_at(push.audio_ms))}-{digest[:32]}"


def _has(recording: Recording, sha256: str) -> bool:
    return recording.audio is not None and recording.audio.sha256 == sha256


def _agrees(recording: Recording, push: Push) -> bool:
    told = push.audio_ms if push.told.duration_ms is None else push.told.duration_ms
    return abs(recording.duration_ms - told) <= max(SLACK_MS, SLACK_SHARE * recording.duration_ms)


def _ids(rows: list[Row]) -> list[bytes]:
    return [row[1] for row in rows]


def _recording_id(identity: bytes) -> RecordingId:
    return RecordingId(UUID(bytes=identity))
