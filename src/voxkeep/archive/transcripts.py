"""Chat transcripts: keeping them with their messages, reading them, removing the messages.

Messages are rows beside their chat, found by words through `search`. A removed chat stands with no messages; they are
freed after the grace, and found no more from the moment of removal.
"""

import hashlib
import uuid
from collections.abc import AsyncIterator, Sequence
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from voxkeep.archive import changes
from voxkeep.archive.model import Message, MetaData, State, Transcript, name_in
from voxkeep.archive.rows import extra_of, extra_text, insert_statement, list_text
from voxkeep.archive.units import EpochMs, TenantId, TranscriptId, now_ms
from voxkeep.database import Database, Row, Transaction, Value, Work

PLAIN = (
    "tenant", "started_at", "duration_ms", "vendor", "vendor_key", "call_key", "kind", "agent_extension",
    "agent_login", "contact_id", "contact_name", "skill", "skill_id", "channel_id", "channel_name", "case_id",
    "target_address", "message_count", "kept_at", "removed_at",
)  # fmt: skip
"""Columns that are fields of Transcript under the same name, unchanged."""
COLUMNS = (*PLAIN, "agent", "id", "ended_at", "state", "metadata", "extra")
MESSAGE_COLUMNS = ("at", "sender", "language", "text", "translated_language", "translated_text")
PERSONAL = ("agent_name", "agent_extension", "agent_login", "contact_id", "contact_name")
"""Fields that tell of a person: hashed in the change log."""
NUMBER_BITS = 20
"""A message's number is its time in ms and so many bits that tell messages of one moment apart."""
CHUNK_MESSAGES = 500
FREED_AT_ONCE = 100

_ALL = ", ".join(COLUMNS)
# names of our own tables and columns only; every value is a parameter
SELECT_BY_ID = f"SELECT {_ALL} FROM transcripts WHERE tenant = $1 AND id = $2"  # noqa: S608
SELECT_BY_KEY = f"SELECT {_ALL} FROM transcripts WHERE tenant = $1 AND vendor_key = $2 ORDER BY vendor"  # noqa: S608
SELECT_HELD = f"SELECT {_ALL} FROM transcripts WHERE tenant = $1 AND vendor_key = $2 AND vendor = $3"  # noqa: S608
INSERT = insert_statement("transcripts", COLUMNS)
INSERT_MESSAGE = insert_statement("messages", ("tenant", "transcript", "seq", "number", *MESSAGE_COLUMNS))
INSERT_WORDS = "INSERT INTO message_words (rowid, scope, text, translated_text) VALUES ($1, $2, $3, $4)"
SELECT_MESSAGES = (
    f"SELECT seq, {', '.join(MESSAGE_COLUMNS)} FROM messages "  # noqa: S608
    "WHERE tenant = $1 AND transcript = $2 AND seq > $3 ORDER BY seq LIMIT $4"
)
FORGET_WORDS = (
    "DELETE FROM message_words WHERE rowid IN (SELECT -number FROM messages WHERE tenant = $1 AND transcript = $2)"
)
BURY = (
    "UPDATE transcripts SET state = $3, removed_at = $4, message_count = 0 "
    "WHERE tenant = $1 AND id = $2 AND state <> $3"
)
FREE_LATER = (
    "INSERT INTO transcript_removals VALUES ($1, $2, $3) "
    "ON CONFLICT (tenant, transcript) DO UPDATE SET free_at = excluded.free_at"
)
FORGET_REMOVAL = "DELETE FROM transcript_removals WHERE tenant = $1 AND transcript = $2"
DUE = "SELECT tenant, transcript FROM transcript_removals WHERE free_at <= $1 ORDER BY free_at LIMIT $2"


class KeptTranscript(Struct, frozen=True):
    """A chat as it stands in the archive after `keep`."""

    transcript: Transcript
    new: bool
    """False when it was held before (or removed: the key stays taken)."""


class Transcripts:
    """The chats of an archive; `Archive` decides about removals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, transcript: Transcript, messages: Sequence[Message]) -> KeptTranscript:
        """Keep a chat with its messages; when this returns, both are durable. A key that is held changes nothing."""
        key = transcript.vendor_key or str(transcript.id)
        wanted = replace(transcript, vendor_key=key, message_count=len(messages), kept_at=now_ms())
        new = await self._database.write(lambda transaction: _keep(transaction, wanted, messages))
        if new:
            return KeptTranscript(wanted, new=True)
        held = await self._one(SELECT_HELD, wanted.tenant, key, wanted.vendor)
        return KeptTranscript(held or wanted, new=False)

    async def by_key(self, tenant: TenantId, key: str, vendor: str | None = None) -> Transcript | None:
        """Return the chat that its vendor (any, unless one is named) calls `key`, a removed one too."""
        if vendor is not None:
            return await self._one(SELECT_HELD, tenant, key, vendor)
        return await self._one(SELECT_BY_KEY, tenant, key)

    async def by_id(self, tenant: TenantId, identity: TranscriptId) -> Transcript | None:
        """Return a chat, a removed one too."""
        return await self._one(SELECT_BY_ID, tenant, identity.bytes)

    async def _one(self, sql: str, *values: Value) -> Transcript | None:
        rows = await self._database.read(sql, *values)
        return transcript_of(rows[0]) if rows else None

    async def messages(self, transcript: Transcript) -> AsyncIterator[list[Message]]:
        """Yield the messages of a chat in order, a chunk at a time; none of a removed one."""
        if transcript.state is State.REMOVED:
            return
        seq, identity = -1, transcript.id.bytes
        while rows := await self._database.read(SELECT_MESSAGES, transcript.tenant, identity, seq, CHUNK_MESSAGES):
            yield [Message(**dict(zip(MESSAGE_COLUMNS, row[1:], strict=True))) for row in rows]
            seq = rows[-1][0]

    async def remove(self, transcript: Transcript, free_at: EpochMs, also: Work[None] | None = None) -> bool:
        """Take a chat's messages away, to be freed at `free_at`; False when they are gone already."""
        key = (transcript.tenant, transcript.id.bytes)

        async def work(transaction: Transaction) -> bool:
            if not await transaction.execute(BURY, *key, int(State.REMOVED), now_ms()):
                return False
            await transaction.execute(FORGET_WORDS, *key)
            await transaction.execute(FREE_LATER, *key, free_at)
            await tell(transaction, "transcript.removed", transcript)
            if also is not None:
                await also(transaction)
            return True

        return await self._database.write(work)

    async def free_due(self) -> int:
        """Free the messages whose grace is over, and return of how many chats."""
        rows = await self._database.read(DUE, now_ms(), FREED_AT_ONCE)
        for tenant, identity in rows:
            transcript = await self._one(SELECT_BY_ID, tenant, identity)
            if transcript is not None:
                await self.free(transcript)
            else:
                await self._database.write(partial(_forget_removal, tenant=tenant, identity=identity))
        return len(rows)

    async def free(self, transcript: Transcript) -> None:
        """Free the messages of a removed chat now, unless somebody else has done so."""
        key = (transcript.tenant, transcript.id.bytes)

        async def work(transaction: Transaction) -> None:
            if not await transaction.execute(FORGET_REMOVAL, *key):
                return
            await transaction.execute("DELETE FROM messages WHERE tenant = $1 AND transcript = $2", *key)
            await tell(transaction, "transcript.freed", transcript)

        await self._database.write(work)


async def _forget_removal(transaction: Transaction, tenant: TenantId, identity: bytes) -> None:
    await transaction.execute(FORGET_REMOVAL, tenant, identity)


async def _keep(transaction: Transaction, transcript: Transcript, messages: Sequence[Message]) -> bool:
    if await transaction.rows(SELECT_HELD, transcript.tenant, transcript.vendor_key, transcript.vendor):
        return False
    await transaction.execute(INSERT, *values_of(transcript))
    words: list[tuple[Value, ...]] = []
    scope = scope_text(transcript)
    for seq, message in enumerate(messages):
        number = await _free_number(transaction, transcript.id, seq, message.at)
        texts = tuple(getattr(message, name) for name in MESSAGE_COLUMNS)
        await transaction.execute(INSERT_MESSAGE, transcript.tenant, transcript.id.bytes, seq, number, *texts)
        words.append((words_row(number), scope, message.text, message.translated_text))
    # in the order of the index's rows: it would begin a new part at every step back
    await transaction.execute_many(INSERT_WORDS, sorted(words))
    await tell(transaction, "transcript.kept", transcript)
    return True


def first_number(at: EpochMs) -> int:
    """Return the least number that a message of this moment can have."""
    return at << NUMBER_BITS


async def _free_number(transaction: Transaction, identity: TranscriptId, seq: int, at: EpochMs) -> int:
    """Return a number for a message: by its time, then by its place in the chat where several share a moment."""
    low = (identity.int + seq) % (1 << NUMBER_BITS)
    for _ in range(1 << NUMBER_BITS):
        number = first_number(at) + low
        if not await transaction.rows("SELECT 1 FROM messages WHERE number = $1", number):
            return number
        low = (low + 1) % (1 << NUMBER_BITS)
    raise AssertionError("a million messages in one millisecond")


def words_row(number: int) -> int:
    """Return a message's row in the words' index: the newest comes first there, which FTS5 reads twice as fast."""
    return -number


def scope_text(transcript: Transcript) -> str:
    """Return the words by which the index tells who may find a chat's messages: its tenant, agent and skill.

    Without the latter two a reader who may see little would have all that others may see read, to find nothing.
    """
    agents = (agent_word(name) for name in sorted(transcript.agent_names))
    return " ".join((tenant_word(transcript.tenant), *agents, skill_word(transcript.skill)))


def tenant_word(tenant: TenantId) -> str:
    """Return the word of a tenant."""
    return f"t{tenant}"


def agent_word(name: str) -> str:
    """Return the word of an agent's name, extension or login: a hash, since it may be no single word itself."""
    return f"a{_hash(name)}"


def skill_word(skill: str) -> str:
    """Return the word of a skill."""
    return f"s{_hash(skill)}"


def _hash(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


async def tell(transaction: Transaction, kind: str, transcript: Transcript) -> None:
    """Append what happened to a chat to the changes."""
    facts: dict[str, object] = {
        "vendor": transcript.vendor,
        "key": transcript.vendor_key,
        "start": transcript.started_at,
        "messages": transcript.message_count,
    }
    personal = {name: getattr(transcript, name) for name in PERSONAL}
    await changes.record(transaction, kind, transcript.tenant, str(transcript.id), facts, personal)


def values_of(transcript: Transcript) -> tuple[Value, ...]:
    """Return a chat as a row of COLUMNS."""
    return (
        *(getattr(transcript, name) for name in PLAIN),
        transcript.agent,
        transcript.id.bytes,
        transcript.ended_at,
        int(transcript.state),
        list_text(transcript.metadata),
        extra_text(transcript.extra),
    )


_metadata = msgspec.json.Decoder(tuple[MetaData, ...])


def metadata_of(text: str | None) -> tuple[MetaData, ...]:
    """Return the fields in a row's `metadata` column."""
    return () if text is None else _metadata.decode(text)


def transcript_of(row: Row) -> Transcript:
    """Return the chat in a row of COLUMNS."""
    values = dict(zip(COLUMNS, row, strict=True))
    return Transcript(
        **{name: values[name] for name in PLAIN},
        agent_name=name_in(values["agent"], values["agent_extension"]),
        id=TranscriptId(uuid.UUID(bytes=values["id"])),
        state=State(values["state"]),
        metadata=metadata_of(values["metadata"]),
        extra=extra_of(values["extra"]),
    )
