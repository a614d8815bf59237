"""Statements about recordings and calls. Each function runs inside a transaction that its caller holds."""

from collections.abc import Sequence

from msgspec.structs import replace

from voxkeep.archive import changes, filenames
from voxkeep.archive.model import Audio, Call, Recording, Rendition, State
from voxkeep.archive.query import Visibility
from voxkeep.archive.rows import (
    CALL_COLUMNS,
    PERSONAL,
    RECORDING_COLUMNS,
    call_of,
    call_values,
    extra_text,
    insert_statement,
    recording_of,
    recording_values,
)
from voxkeep.archive.units import DAY_MS, CallId, EpochMs, TenantId, call_key, now_ms, uuid7
from voxkeep.archive.visibility import condition
from voxkeep.audio.render import Form
from voxkeep.database import Transaction, Value

_RECORDING = ", ".join(RECORDING_COLUMNS)
_CALL = ", ".join(CALL_COLUMNS)

# names of our own tables and columns only; every value is a parameter
SELECT_BY_ID = f"SELECT {_RECORDING} FROM recordings WHERE tenant = $1 AND id = $2"  # noqa: S608
SELECT_BY_FILE_NAME = f"SELECT {_RECORDING} FROM recordings WHERE tenant = $1 AND file_name = $2"  # noqa: S608
SELECT_BY_KEY = f"SELECT {_RECORDING} FROM recordings WHERE tenant = $1 AND vendor = $2 AND vendor_key = $3"  # noqa: S608
SELECT_OF_CALL_KEY = (
    f"SELECT {_RECORDING} FROM recordings WHERE tenant = $1 AND call IN "  # noqa: S608
    "(SELECT id FROM calls WHERE tenant = $1 AND vendor = $2 AND vendor_key = $3)"
)
INSERT_RECORDING = insert_statement("recordings", RECORDING_COLUMNS)
SELECT_CALL = f"SELECT {_CALL} FROM calls WHERE tenant = $1 AND vendor = $2 AND vendor_key = $3"  # noqa: S608
INSERT_CALL = insert_statement("calls", CALL_COLUMNS)
NOTE_DIALLED = (
    "UPDATE recordings SET dialled_number = $3 "
    "WHERE tenant = $1 AND call = $2 AND dialled_number = '' AND CAST($3 AS TEXT) <> ''"
)
FORGET_EMPTY_CALL = (
    "DELETE FROM calls WHERE tenant = $1 AND id = $2 "
    "AND NOT EXISTS (SELECT 1 FROM recordings WHERE tenant = $1 AND call = $2)"
)
INSERT_RENDITION = (
    "INSERT INTO renditions (tenant, recording, form, layer, name, bytes, sha256, made_at) "
    "VALUES ($1, $2, $3, '', $4, $5, $6, $7) ON CONFLICT (tenant, recording, form, layer) DO NOTHING"
)
# an object's name tells its day and key, so whatever shares it started that day and has that key
_SHARES = "recordings.tenant = $1 AND started_at >= $2 AND started_at < $3 AND vendor_key = $4 AND recordings.id <> $5"
SELECT_ORIGINAL_SHARED = f"SELECT 1 FROM recordings WHERE {_SHARES} AND audio_name = $6 LIMIT 1"  # noqa: S608
SELECT_RENDITION_SHARED = (
    "SELECT 1 FROM recordings JOIN renditions "  # noqa: S608
    "ON renditions.tenant = recordings.tenant AND renditions.recording = recordings.id "
    f"WHERE {_SHARES} AND renditions.name = $6 LIMIT 1"
)
INSERT_JOB = (
    "INSERT INTO rendition_jobs (tenant, recording, form, next_at, attempts, error) "
    "VALUES ($1, $2, $3, $4, 0, '') ON CONFLICT DO NOTHING"
)


def select_of_calls(visibility: Visibility, columns: Sequence[str], calls: int) -> tuple[str, tuple[Value, ...]]:
    """Return a statement for the recordings of calls (values: tenant, call ids, then those returned with it)."""
    places = ", ".join(f"${number}" for number in range(2, calls + 2))
    extra, names = condition(visibility, first_place=calls + 2)
    sql = (
        f"SELECT {', '.join(columns)} FROM recordings WHERE tenant = $1 AND call IN ({places}) {extra} "  # noqa: S608
        "ORDER BY started_at, vendor_key"
    )
    return sql, names


def sharing(recording: Recording, name: str, *, but: bytes) -> tuple[Value, ...]:
    """Return the values that ask SELECT_..._SHARED whether any recording, but that of id `but`, uses object `name`."""
    day = recording.started_at - recording.started_at % DAY_MS
    return (recording.tenant, day, day + DAY_MS, recording.vendor_key, but, name)


async def held(transaction: Transaction, recording: Recording) -> Recording | None:
    """Return the recording that stands under the same vendor key, if any."""
    rows = await transaction.rows(SELECT_BY_KEY, recording.tenant, recording.vendor, recording.vendor_key)
    return recording_of(rows[0]) if rows else None


async def insert(
    transaction: Transaction, recording: Recording, call: Call | None, *, call_is_whole: bool = True
) -> Recording:
    """Add a recording and its call; returns it as kept.

    A call that is known already is renewed only by a whole one: what a recording alone tells of it is less.
    """
    renew = call is not None and call_is_whole
    known = await ensure_call(transaction, call or own_call(recording), renew=renew)
    kept = replace(
        recording,
        call=known.id,
        call_key=recording.call_key or known.key,
        dialled_number=recording.dialled_number or known.dialled_number,
        file_name=await filenames.named(transaction, recording),
        kept_at=now_ms(),
    )
    await transaction.execute(INSERT_RECORDING, *recording_values(kept))
    await tell(transaction, "recording.kept", kept)
    return kept


async def promote(transaction: Transaction, pending: Recording, recording: Recording) -> Recording:
    """Give a recording that was waiting for its audio what came; its id, call and key stay."""
    # first, so that it does not meet its own file name
    await transaction.execute("DELETE FROM recordings WHERE tenant = $1 AND id = $2", pending.tenant, pending.id.bytes)
    named = replace(recording, file_name=recording.file_name or pending.file_name)
    kept = replace(
        recording,
        id=pending.id,
        call=pending.call,
        call_key=recording.call_key or pending.call_key,
        dialled_number=recording.dialled_number or pending.dialled_number,
        file_name=await filenames.named(transaction, named),
        kept_at=now_ms(),
    )
    await transaction.execute(INSERT_RECORDING, *recording_values(kept))
    await tell(transaction, "recording.kept", kept)
    return kept


def own_call(recording: Recording) -> Call:
    """Return the call that a recording makes when it comes without one."""
    identity = CallId(uuid7(recording.started_at))
    key = recording.call_key or call_key(identity, recording.started_at, recording.ended_at)
    return Call(
        tenant=recording.tenant,
        id=identity,
        started_at=recording.started_at,
        ended_at=recording.ended_at,
        vendor=recording.vendor,
        vendor_key=key,
        key=key,
        source_tenant=recording.source_tenant,
        reference=str(identity),
        direction=recording.direction,
        dialled_number=recording.dialled_number,
    )


async def ensure_call(transaction: Transaction, call: Call, *, renew: bool = True) -> Call:
    """Keep a call under its vendor's identity, with what is newly known of it if `renew`; returns it as kept."""
    rows = await transaction.rows(SELECT_CALL, call.tenant, call.vendor, call.vendor_key)
    if not rows:
        await transaction.execute(INSERT_CALL, *call_values(call))
        return call
    known = call_of(rows[0])
    renewed = replace(call, id=known.id) if renew else known
    if renewed != known:
        await transaction.execute("DELETE FROM calls WHERE tenant = $1 AND id = $2", known.tenant, known.id.bytes)
        await transaction.execute(INSERT_CALL, *call_values(renewed))
        await transaction.execute(NOTE_DIALLED, renewed.tenant, renewed.id.bytes, renewed.dialled_number)
    return renewed


async def add_rendition(transaction: Transaction, recording: Recording, rendition: Rendition) -> None:
    """Note a form of a recording's audio that is durable."""
    key = (recording.tenant, recording.id.bytes, rendition.form)
    await transaction.execute(INSERT_RENDITION, *key, rendition.name, rendition.size_bytes, rendition.sha256, now_ms())
    await transaction.execute("DELETE FROM rendition_jobs WHERE tenant = $1 AND recording = $2 AND form = $3", *key)


async def has_audio(transaction: Transaction, recording: Recording) -> bool:
    """Tell whether the recording's audio is still held, not freed."""
    key = (recording.tenant, recording.id.bytes)
    rows = await transaction.rows("SELECT audio_name FROM recordings WHERE tenant = $1 AND id = $2", *key)
    return bool(rows) and rows[0][0] is not None


async def note_form(transaction: Transaction, recording: Recording, rendition: Rendition) -> None:
    """Tell, of a form made after its recording was kept, what lists and followers must know."""
    if rendition.form == Form.OPUS:
        await transaction.execute(
            "UPDATE recordings SET opus_bytes = $3 WHERE tenant = $1 AND id = $2",
            recording.tenant,
            recording.id.bytes,
            rendition.size_bytes,
        )
    facts = {"form": rendition.form, "bytes": rendition.size_bytes, "sha256": rendition.sha256}
    await changes.record(transaction, "rendition.made", recording.tenant, str(recording.id), facts)


async def note_examined(transaction: Transaction, recording: Recording) -> None:
    """Note what was found in audio that was kept before it was looked into, unless it is freed meanwhile."""
    audio = recording.audio
    if audio is None:
        return
    noted = await transaction.execute(
        "UPDATE recordings SET container = $4, codec = $5, channels = $6, sample_rate = $7, samples = $8, health = $9 "
        "WHERE tenant = $1 AND id = $2 AND audio_name = $3",
        recording.tenant,
        recording.id.bytes,
        audio.name,
        audio.container,
        audio.codec,
        audio.channels,
        audio.sample_rate,
        audio.samples,
        audio.health,
    )
    if noted:
        await tell(transaction, "recording.examined", recording)


async def order_rendition(transaction: Transaction, recording: Recording, form: str) -> None:
    """Have a form made by whoever walks the jobs."""
    await transaction.execute(INSERT_JOB, recording.tenant, recording.id.bytes, form, now_ms())


async def annotate(transaction: Transaction, recording: Recording) -> None:
    """Write a recording's free fields anew."""
    await transaction.execute(
        "UPDATE recordings SET extra = $3 WHERE tenant = $1 AND id = $2",
        recording.tenant,
        recording.id.bytes,
        extra_text(recording.extra),
    )
    await tell(transaction, "recording.annotated", recording)


async def renew(
    transaction: Transaction, held: Recording, told: Recording, audio: Audio | None, call: Call | None
) -> Recording:
    """Give a recording all that is newly told of it, and its call; its id, file name and state stay.

    `audio` is the same audio under the name that it has by now; under another one its forms are to be made again.
    """
    known = await ensure_call(transaction, call or own_call(told), renew=False)
    renewed = replace(
        told,
        id=held.id,
        call=known.id,
        call_key=told.call_key or known.key,
        file_name=held.file_name,
        state=held.state,
        audio=audio,
        opus_bytes=held.opus_bytes,
        kept_at=held.kept_at,
        removed_at=held.removed_at,
    )
    if audio != held.audio:
        renewed = await _without_forms(transaction, renewed)
    await transaction.execute("DELETE FROM recordings WHERE tenant = $1 AND id = $2", held.tenant, held.id.bytes)
    await transaction.execute(INSERT_RECORDING, *recording_values(renewed))
    if held.call is not None and held.call != known.id:
        await transaction.execute(FORGET_EMPTY_CALL, held.tenant, held.call.bytes)
    await tell(transaction, "recording.renewed", renewed)
    return renewed


async def _without_forms(transaction: Transaction, recording: Recording) -> Recording:
    """Forget the forms of a recording, whose names tell what it was called, and have them made again."""
    key = (recording.tenant, recording.id.bytes)
    forms = await transaction.rows("DELETE FROM renditions WHERE tenant = $1 AND recording = $2 RETURNING form", *key)
    for (form,) in forms:
        await order_rendition(transaction, recording, form)
    # an original that is Ogg/Opus itself still is
    return replace(recording, opus_bytes=None) if (Form.OPUS,) in forms else recording


async def bury(transaction: Transaction, recording: Recording, free_at: EpochMs) -> bool:
    """Turn a recording into a tombstone whose audio is freed at `free_at`; False when it is one already."""
    key = (recording.tenant, recording.id.bytes)
    buried = await transaction.execute(
        "UPDATE recordings SET state = $3, removed_at = $4 WHERE tenant = $1 AND id = $2 AND state <> $3",
        *key,
        int(State.REMOVED),
        now_ms(),
    )
    if not buried:
        return False
    await transaction.execute(
        "INSERT INTO removals (tenant, recording, free_at) VALUES ($1, $2, $3) "
        "ON CONFLICT (tenant, recording) DO UPDATE SET free_at = excluded.free_at",
        *key,
        free_at,
    )
    await tell(transaction, "recording.removed", recording)
    return True


async def forget_removal(transaction: Transaction, tenant: TenantId, identity: bytes) -> None:
    """Take a removal off the list of those whose audio is to be freed."""
    await transaction.execute("DELETE FROM removals WHERE tenant = $1 AND recording = $2", tenant, identity)


async def freed(transaction: Transaction, recording: Recording) -> list[str]:
    """Note that a tombstone's audio is gone from the vault; returns the names of the forms it had until now."""
    key = (recording.tenant, recording.id.bytes)
    await forget_removal(transaction, *key)
    forms = await transaction.rows("DELETE FROM renditions WHERE tenant = $1 AND recording = $2 RETURNING name", *key)
    await transaction.execute("DELETE FROM rendition_jobs WHERE tenant = $1 AND recording = $2", *key)
    await transaction.execute("UPDATE recordings SET audio_name = NULL WHERE tenant = $1 AND id = $2", *key)
    await tell(transaction, "recording.freed", recording)
    return [name for (name,) in forms]


async def tell(transaction: Transaction, kind: str, recording: Recording) -> None:
    """Append what happened to a recording to the changes."""
    facts: dict[str, object] = {
        "vendor": recording.vendor,
        "key": recording.vendor_key,
        "start": recording.started_at,
        "duration": recording.duration_ms,
    }
    if recording.audio is not None:
        facts |= {"bytes": recording.audio.size_bytes, "sha256": recording.audio.sha256}
    personal = {name: getattr(recording, name) for name in PERSONAL}
    await changes.record(transaction, kind, recording.tenant, str(recording.id), facts, personal)
