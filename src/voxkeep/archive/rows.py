"""Rows of the catalog <-> the model: the column tables and both ways through them."""

import uuid
from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from voxkeep.archive.model import Audio, Call, Recording, State, WrapUpCode, name_in
from voxkeep.archive.units import CallId, RecordingId
from voxkeep.database import Row, Value

RECORDING_PLAIN = (
    "tenant", "started_at", "duration_ms", "vendor", "vendor_key", "source_tenant", "call_key", "direction",
    "calling_party", "receiving_party", "caller_number", "dialled_number", "agent_extension", "agent_login",
    "skill", "skill_id", "event_id", "system_id", "tag", "opus_bytes", "kept_at", "removed_at",
    "case_id", "account_number", "variable_1", "variable_2", "out_dial_code",
)  # fmt: skip
"""Columns that are fields of Recording under the same name, unchanged."""

AUDIO_COLUMNS = {
    "audio_name": "name", "audio_bytes": "size_bytes", "audio_sha256": "sha256", "container": "container",
    "codec": "codec", "channels": "channels", "sample_rate": "sample_rate", "samples": "samples",
    "health": "health",
}  # fmt: skip
"""Column -> field of Audio."""

RECORDING_COLUMNS = (
    *RECORDING_PLAIN, "agent", "id", "ended_at", "call", "state", *AUDIO_COLUMNS, "file_name", "wrap_up_codes", "extra",
)  # fmt: skip

CALL_PLAIN = (
    "tenant", "started_at", "ended_at", "vendor", "vendor_key", "key", "source_tenant", "reference", "number",
    "direction", "caller_name", "dialled_number", "hold_ms", "location", "drop_event",
)  # fmt: skip
CALL_COLUMNS = (*CALL_PLAIN, "id", "account_codes", "extra")

PERSONAL = (
    "calling_party", "receiving_party", "caller_number", "dialled_number", "agent_name", "agent_extension",
    "agent_login", "account_number",
)  # fmt: skip
"""Fields of a recording that tell of a person: hashed in the change log."""


def insert_statement(table: str, columns: tuple[str, ...], rest: str = "") -> str:
    """Return the statement that inserts one row of `columns`."""
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) {rest}"  # noqa: S608 -- our own names


def recording_values(recording: Recording) -> tuple[Value, ...]:
    """Return a recording as a row of RECORDING_COLUMNS."""
    assert recording.call is not None  # noqa: S101 -- keep gives every recording a call
    audio = recording.audio
    return (
        *(getattr(recording, name) for name in RECORDING_PLAIN),
        recording.agent,
        recording.id.bytes,
        recording.ended_at,
        recording.call.bytes,
        int(recording.state),
        *(None if audio is None else getattr(audio, name) for name in AUDIO_COLUMNS.values()),
        recording.file_name or None,
        list_text(recording.wrap_up_codes),
        extra_text(recording.extra),
    )


def recording_of(row: Row) -> Recording:
    """Return the recording in a row of RECORDING_COLUMNS."""
    values = dict(zip(RECORDING_COLUMNS, row, strict=True))
    audio = {name: values[column] for column, name in AUDIO_COLUMNS.items()}
    return Recording(
        **{name: values[name] for name in RECORDING_PLAIN},
        agent_name=name_in(values["agent"], values["agent_extension"]),
        id=RecordingId(uuid.UUID(bytes=values["id"])),
        call=CallId(uuid.UUID(bytes=values["call"])),
        state=State(values["state"]),
        audio=None if audio["name"] is None else Audio(**audio),
        file_name=values["file_name"] or "",
        wrap_up_codes=wrap_up_codes_of(values["wrap_up_codes"]),
        extra=extra_of(values["extra"]),
    )


def call_values(call: Call) -> tuple[Value, ...]:
    """Return a call as a row of CALL_COLUMNS."""
    codes = msgspec.json.encode(call.account_codes).decode()
    return (*(getattr(call, name) for name in CALL_PLAIN), call.id.bytes, codes, extra_text(call.extra))


def call_of(row: Row) -> Call:
    """Return the call in a row of CALL_COLUMNS."""
    values = dict(zip(CALL_COLUMNS, row, strict=True))
    return Call(
        **{name: values[name] for name in CALL_PLAIN},
        id=CallId(uuid.UUID(bytes=values["id"])),
        account_codes=tuple(msgspec.json.decode(values["account_codes"], type=list[str])),
        extra=extra_of(values["extra"]),
    )


def extra_of(text: str | None) -> dict[str, Any]:
    """Return the free fields in a row's `extra` column."""
    return {} if text is None else msgspec.json.decode(text, type=dict[str, Any])


def extra_text(extra: dict[str, Any]) -> str | None:
    """Return free fields as a row holds them: NULL where there are none."""
    return msgspec.json.encode(extra).decode() if extra else None


def list_text(items: Sequence[Struct]) -> str | None:
    """Return a list of small structs as a row holds it: NULL where it is empty."""
    return msgspec.json.encode(items).decode() if items else None


_wrap_up_codes = msgspec.json.Decoder(tuple[WrapUpCode, ...])


def wrap_up_codes_of(text: str | None) -> tuple[WrapUpCode, ...]:
    """Return the codes in a row's `wrap_up_codes` column."""
    return () if text is None else _wrap_up_codes.decode(text)
