"""Manifests for `voxkeep import`: one recording a line, JSON, in the model's own field names.

```
{"audio": "calls/0001.wav", "started_at": "2026-11-20T14:03:11.250+01:00", "tenant": "acme", "key": "0001", ...}
```
Only `audio` (a path, relative to the manifest) and `started_at` (ISO 8601 with an offset, or epoch ms) are required.
Identity is `key`, or without one the audio's SHA-256 and the start, so that importing twice changes nothing.
"""

import re
from datetime import datetime
from pathlib import PurePath
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from voxkeep.archive.model import IMPORTED, Call, Recording, WrapUpCode
from voxkeep.archive.units import LATEST, CallId, DurationMs, EpochMs, RecordingId, TenantId, call_key, uuid7
from voxkeep.audio.probe import AudioFacts

STATED_DURATION = "stated_duration_ms"
"""Where a duration is kept that the audio does not have."""
FIELD = re.compile(r"`\$\.?([^`\[]*)")
NAMED = re.compile(r"(?:unknown|missing required) field `(.+)`", re.DOTALL)

Text = Annotated[str, Meta(max_length=1_000)]
Key = Annotated[str, Meta(min_length=1, max_length=500)]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class BadLine(Exception):
    """A line that cannot be imported: the field at fault, and why."""

    def __init__(self, field_name: str, reason: str) -> None:
        super().__init__(f"{field_name}: {reason}")
        self.field = field_name
        self.reason = reason


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line. Texts and numbers mean what they mean in `model.Recording` and `model.Call`."""

    audio: Annotated[str, Meta(min_length=1, max_length=4_096)]
    started_at: int | str
    tenant: Text = ""
    key: Key | None = None
    duration_ms: Count | None = None
    """What the recording's metadata says; shorter audio is kept, and flagged."""
    direction: Text = "inbound"
    calling_party: Text = ""
    receiving_party: Text = ""
    caller_number: Text = ""
    dialled_number: Text = ""
    agent_name: Text = ""
    agent_extension: Text = ""
    agent_login: Text = ""
    skill: Text = ""
    skill_id: Text = ""
    event_id: Count = 0
    system_id: Count = 0
    tag: Text = ""
    case_id: Text = ""
    account_number: Text = ""
    variable_1: Text = ""
    variable_2: Text = ""
    out_dial_code: Text = ""
    wrap_up_codes: tuple[WrapUpCode, ...] = ()
    """Each with `list_name` and `name`."""
    call: Key | None = None
    """The call's identity, where several recordings belong to one call."""
    call_started_at: int | str | None = None
    call_ended_at: int | str | None = None
    url: Annotated[str, Meta(min_length=1, max_length=4_096)] | None = None
    """Where the recording is to be sent once it is kept, http or https, composed as Kazoo does it."""
    method: Literal["put", "post", "PUT", "POST"] | None = None
    """The verb it is sent with, put unless given; only with a `url`."""
    extra: dict[str, Any] = field(default_factory=dict)


PLAIN = (
    "direction", "calling_party", "receiving_party", "caller_number", "dialled_number", "agent_name",
    "agent_extension", "agent_login", "skill", "skill_id", "event_id", "system_id", "tag", "case_id", "account_number",
    "variable_1", "variable_2", "out_dial_code", "wrap_up_codes",
)  # fmt: skip
"""Fields that a recording has under the same name."""

_decoder = msgspec.json.Decoder(Line)


def parse(text: bytes) -> Line:
    """Return what a line says. Raises BadLine naming the field at fault."""
    try:
        line = _decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _bad(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadLine("line", f"not a JSON object: {error}") from error
    except RecursionError as error:
        raise BadLine("line", "nested too deeply") from error
    if "\0" in line.audio or PurePath(line.audio).name == "":
        raise BadLine("audio", "not a path")
    if line.method is not None and line.url is None:
        raise BadLine("method", "only with a url")
    for name in ("started_at", "call_started_at", "call_ended_at"):
        value = getattr(line, name)
        if value is not None:
            moment(value, name)
    started_at, ended_at = line.call_started_at, line.call_ended_at
    if started_at is not None and ended_at is not None and moment(ended_at, "") < moment(started_at, ""):
        raise BadLine("call_ended_at", "before call_started_at")
    return line


def _bad(message: str) -> BadLine:
    place, named = FIELD.search(message), NAMED.search(message)
    found = place if place and place[1] else named
    return BadLine(found[1] if found else "line", message)


def moment(value: int | str, name: str) -> EpochMs:
    """Return a time given as epoch ms or as ISO 8601 with an offset. Raises BadLine."""
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value.strip())
        except ValueError:
            raise BadLine(name, f"not an ISO 8601 time: {value[:40]!r}") from None
        if parsed.tzinfo is None:
            raise BadLine(name, "needs an offset, such as Z or +01:00")
        value = round(parsed.timestamp() * 1000)
    if not 0 <= value < LATEST:
        raise BadLine(name, "outside the years 1970 to 2199")
    return EpochMs(value)


def recording_of(line: Line, tenant: TenantId, facts: AudioFacts, sha256: str) -> Recording:
    """Return the recording that a line tells of, with the length its audio really has."""
    started_at = moment(line.started_at, "started_at")
    # under our own name: no line may speak for a vendor
    free = dict(line.extra)
    if line.duration_ms is not None and line.duration_ms != facts.duration_ms:
        free[STATED_DURATION] = line.duration_ms
    return Recording(
        tenant=tenant,
        id=RecordingId(uuid7(started_at)),
        started_at=started_at,
        duration_ms=DurationMs(facts.duration_ms),
        vendor=IMPORTED,
        vendor_key=line.key or f"{sha256}-{started_at}",
        extra={IMPORTED: free} if free else {},
        **{name: getattr(line, name) for name in PLAIN},
    )


def call_of(line: Line, recording: Recording) -> Call | None:
    """Return the call that a line names, or None when it names none. Raises BadLine when its times cannot be."""
    if line.call is None:
        return None
    started_at = (
        recording.started_at if line.call_started_at is None else moment(line.call_started_at, "call_started_at")
    )
    ended_at = recording.ended_at if line.call_ended_at is None else moment(line.call_ended_at, "call_ended_at")
    if ended_at < started_at:
        given = "call_started_at" if line.call_ended_at is None else "call_ended_at"
        raise BadLine(given, "the call would end before it begins")
    identity = CallId(uuid7(started_at))
    return Call(
        tenant=recording.tenant,
        id=identity,
        started_at=started_at,
        ended_at=ended_at,
        vendor=IMPORTED,
        vendor_key=line.call,
        key=call_key(identity, started_at, ended_at),
        reference=line.call,
        direction=line.direction,
        dialled_number=line.dialled_number,
    )
