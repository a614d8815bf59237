"""Xima's words <-> our model, both ways.

A recording has 15 fields, a call 13 and its recordings (seed 000, seed 001). What the model cannot give back exactly
as it came is kept under `extra["xima"]`, so that a vendor's own fields always win in its dialect.

Lists are turned from rows into answers column by column: 300,000 rows must not pay for a Python call each.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field
from msgspec.structs import asdict, replace

from voxkeep.archive.model import OWN, Call, Recording, State
from voxkeep.archive.rows import extra_of
from voxkeep.archive.units import CallId, DurationMs, EpochMs, RecordingId, TenantId, recording_key, uuid7
from voxkeep.database import Row

VENDOR = "xima"

SAVED, PENDING = "SAVED", "PENDING"
STATUS_OF_STATE = {
    State.KEPT: SAVED,
    State.PENDING: PENDING,
    State.REMOVED: "DELETED_USER",
    State.LOST_TO_SPACE: "DELETED_SPACE",
    State.LOST_TO_AGE: "DELETED_TIME",
    State.LOST: "DELETED_UNKNOWN",
}
"""Our state -> Xima's status (reference 2.1). A kept recording is PENDING until its Opus form exists."""

STATE_OF_STATUS = {word: state for state, word in STATUS_OF_STATE.items()} | {
    "PENDING_DELETE_SPACE": State.KEPT,
    "PENDING_DELETE_TIME": State.KEPT,
}
"""Xima's status -> our state; the audio of PENDING_DELETE_* is still there."""

DIRECTIONS = {"inbound": "INBOUND", "outbound": "OUTBOUND", "internal": "INTERNAL", "intersite": "INTERSITE"}
"""Our direction -> Xima's; other words go through unchanged."""
_DIRECTIONS_IN = {theirs: ours for ours, theirs in DIRECTIONS.items()}

AGENT = re.compile(r"(?P<name>.*)\((?P<extension>[^()]*)\)", re.DOTALL)
CALL_KEY_TIMES = re.compile(r".*-(?P<start>\d{12,14})-(?P<end>\d{12,14})")

T = TypeVar("T")
S = TypeVar("S", bound=Struct)


class XimaRecording(Struct, gc=False):
    """A recording as Xima tells it. Times and durations are in ms, size in bytes, empty texts are `""`."""

    recordingKey: str  # noqa: N815 -- the vendor's spelling, here and below
    callKey: str = ""  # noqa: N815
    startTime: int = 0  # noqa: N815
    duration: int = 0
    size: int = 0
    eventId: int = 0  # noqa: N815
    recordingSystemId: int = 0  # noqa: N815
    status: str = SAVED
    callingParty: str = ""  # noqa: N815
    receivingParty: str = ""  # noqa: N815
    tenantName: str = ""  # noqa: N815
    tagData: str = ""  # noqa: N815
    callDirection: str = ""  # noqa: N815
    skill: str = ""
    agent: str = ""


class XimaCall(Struct):
    """A call of call-recording-info (seed 000), with its recordings."""

    callId: str = ""  # noqa: N815
    shortId: int = 0  # noqa: N815
    callKey: str = ""  # noqa: N815
    startTime: int = 0  # noqa: N815
    endTime: int = 0  # noqa: N815
    direction: str = ""
    recordings: list[XimaRecording] = field(default_factory=list)
    tenantName: str = ""  # noqa: N815
    callerId: str = ""  # noqa: N815
    dialedPartyNumber: str = ""  # noqa: N815
    accountCodes: list[str] = field(default_factory=list)  # noqa: N815
    totalHoldDuration: int = 0  # noqa: N815
    location: str = ""
    dropEventType: str = ""  # noqa: N815


# Serving: rows -> Xima's records

RECORDING_COLUMNS = (
    "vendor", "call_key", "duration_ms", "opus_bytes", "event_id", "system_id", "state", "calling_party",
    "receiving_party", "source_tenant", "tag", "direction", "skill", "agent", "extra",
)  # fmt: skip
"""What is asked of `Archive.find` (and `tenant` last, of several); its rows begin with started_at, id, vendor_key."""

CALL_COLUMNS = (
    "reference", "number", "ended_at", "direction", "source_tenant", "caller_name", "dialled_number",
    "account_codes", "hold_ms", "location", "drop_event", "extra", "tenant",
)  # fmt: skip
"""What is asked of `Archive.find_calls`; its rows begin with started_at, id and key."""

_SHOWS_ITS_OWN_KEY = {VENDOR, OWN}
_START_AND_KEY = attrgetter("startTime", "recordingKey")


def _direction(ours: str) -> str:
    return DIRECTIONS.get(ours, ours)


_statuses = {int(state): word for state, word in STATUS_OF_STATE.items()}


def recordings_of(rows: Sequence[Row], tenant: str | Mapping[TenantId, str]) -> list[XimaRecording]:
    """Return rows of `Archive.find` with RECORDING_COLUMNS as Xima's records, row by row.

    `tenant` is the name of the one tenant they are all of, or those of several: then `tenant` is their last column.
    """
    return _made(rows, tenant)[0] if rows else []


def listed(rows: Sequence[Row], tenant: str | Mapping[TenantId, str]) -> list[XimaRecording]:
    """Return the same, ordered by start and the key that is shown, which may not be the one that ordered the rows."""
    if not rows:
        return []
    made, derived = _made(rows, tenant)
    if derived:
        made.sort(key=_START_AND_KEY)
    return made


def _made(rows: Sequence[Row], tenant: str | Mapping[TenantId, str]) -> tuple[list[XimaRecording], bool]:
    """Return the records, and whether some show another key than their row's."""
    (starts, ids, keys, vendors, call_keys, durations, opus, events, systems, states, calling, receiving,
     sources, tags, directions, skills, agents, extras, *tenants) = zip(*rows, strict=True)  # fmt: skip
    derived = not set(vendors) <= _SHOWS_ITS_OWN_KEY
    made = list(
        map(
            XimaRecording,
            _derived_keys(ids, keys, vendors) if derived else keys,
            call_keys,
            starts,
            durations,
            [size or 0 for size in opus] if None in opus else opus,
            events,
            systems,
            _status_column(states, opus),
            calling,
            receiving,
            _tenant_column(sources, tenant, *tenants),
            tags,
            map(DIRECTIONS.get, directions, directions),
            skills,
            agents,
        )
    )
    _overlay(made, extras)
    return made, derived


def calls_of(rows: Sequence[Row], tenant_names: Mapping[TenantId, str]) -> list[XimaCall]:
    """Return rows of `Archive.find_calls` with CALL_COLUMNS as Xima's calls, their recordings still missing."""
    made = []
    for row in rows:
        started_at, _, key, *rest, tenant = row
        (reference, number, ended_at, direction, source, caller, dialled, codes, hold, location, drop, _) = rest
        call = XimaCall(
            callId=reference,
            shortId=number,
            callKey=key,
            startTime=started_at,
            endTime=ended_at,
            direction=_direction(direction),
            tenantName=source or tenant_names[tenant],
            callerId=caller,
            dialedPartyNumber=dialled,
            accountCodes=msgspec.json.decode(codes, type=list[str]),
            totalHoldDuration=hold,
            location=location,
            dropEventType=drop,
        )
        made.append(call)
    _overlay(made, [row[-2] for row in rows])
    return made


def key_of(recording: Recording) -> str:
    """Return the key that a recording shows in this dialect."""
    return recording.vendor_key if recording.vendor in _SHOWS_ITS_OWN_KEY else recording_key(recording.id)


def _derived_keys(ids: Sequence[bytes], keys: Sequence[str], vendors: Sequence[str]) -> Sequence[str]:
    return [
        key if vendor in _SHOWS_ITS_OWN_KEY else _derived(identity)
        for identity, key, vendor in zip(ids, keys, vendors, strict=True)
    ]


def _derived(identity: bytes) -> str:
    """Return `units.recording_key` of an id in bytes, without making a UUID object."""
    text = identity.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}-{int(text[:12], 16)}"


def _status_column(states: Sequence[int], opus: Sequence[int | None]) -> Iterable[str]:
    if None not in opus:
        return map(_statuses.__getitem__, states)
    return [
        PENDING if size is None and state == State.KEPT else _statuses[state]
        for state, size in zip(states, opus, strict=True)
    ]


def _tenant_column(
    sources: Sequence[str], tenant: str | Mapping[TenantId, str], tenants: Sequence[TenantId] = ()
) -> Iterable[str]:
    """Return the names of tenants: the vendor's own where it differs, else ours."""
    ours = [tenant] * len(sources) if isinstance(tenant, str) else [tenant[each] for each in tenants]
    return [source or name for source, name in zip(sources, ours, strict=True)] if any(sources) else ours


def _overlay(made: Sequence[Struct], extras: Sequence[str | None]) -> None:
    """Put back what the vendor's own record said where the model cannot say it."""
    if extras.count(None) == len(extras):
        return
    for record, text in zip(made, extras, strict=True):
        own = None if text is None else extra_of(text).get(VENDOR)
        if isinstance(own, dict):
            for name, value in own.items():
                # only what `_differences` writes: a field there is, with a value of its type
                if name in record.__struct_fields__ and type(value) is type(getattr(record, name)):
                    setattr(record, name, value)


# Collecting: Xima's records -> our model


def recording_of(wire: XimaRecording, tenant: TenantId, tenant_name: str) -> Recording:
    """Return the recording that Xima tells of, still without audio, to be kept for the tenant of ours so named."""
    match = AGENT.fullmatch(wire.agent)
    name, extension = match.group("name", "extension") if match else (wire.agent, "")
    direction = _DIRECTIONS_IN.get(wire.callDirection, wire.callDirection)
    outbound = direction == "outbound"
    recording = Recording(
        tenant=tenant,
        id=RecordingId(uuid7(EpochMs(wire.startTime))),
        started_at=EpochMs(wire.startTime),
        duration_ms=DurationMs(wire.duration),
        vendor=VENDOR,
        vendor_key=wire.recordingKey,
        source_tenant="" if wire.tenantName == tenant_name else wire.tenantName,
        call_key=wire.callKey,
        state=STATE_OF_STATUS.get(wire.status, State.KEPT),
        direction=direction,
        calling_party=wire.callingParty,
        receiving_party=wire.receivingParty,
        caller_number="" if outbound else wire.callingParty,
        dialled_number=wire.receivingParty if outbound else "",
        agent_name=name,
        agent_extension=extension,
        skill=wire.skill,
        event_id=wire.eventId,
        system_id=wire.recordingSystemId,
        tag=wire.tagData,
    )
    shown = XimaRecording(
        **asdict(wire)
        | {
            "callDirection": _direction(direction),
            "agent": recording.agent,
            "tenantName": recording.source_tenant or tenant_name,
            # without a key the recording gets a call of its own, whose key would be shown
            "callKey": wire.callKey or None,
        }
    )
    return replace(recording, extra=_differences(wire, shown))


def call_of(wire: XimaCall, tenant: TenantId, tenant_name: str) -> Call:
    """Return the call that Xima tells of, without its recordings."""
    direction = _DIRECTIONS_IN.get(wire.direction, wire.direction)
    call = Call(
        tenant=tenant,
        id=CallId(uuid7(EpochMs(wire.startTime))),
        started_at=EpochMs(wire.startTime),
        ended_at=EpochMs(wire.endTime),
        vendor=VENDOR,
        vendor_key=wire.callKey,
        key=wire.callKey,
        source_tenant="" if wire.tenantName == tenant_name else wire.tenantName,
        reference=wire.callId,
        number=wire.shortId,
        direction=direction,
        caller_name=wire.callerId,
        dialled_number=wire.dialedPartyNumber,
        account_codes=tuple(wire.accountCodes),
        hold_ms=DurationMs(wire.totalHoldDuration),
        location=wire.location,
        drop_event=wire.dropEventType,
    )
    shown = replace(wire, direction=_direction(direction), tenantName=call.source_tenant or tenant_name)
    return replace(call, extra=_differences(wire, shown))


def call_of_recording(wire: XimaRecording, tenant: TenantId, tenant_name: str) -> Call | None:
    """Return what a recording alone tells of its call: its key, and the times in it. None when there are none."""
    match = CALL_KEY_TIMES.fullmatch(wire.callKey)
    if match is None:
        return None
    known = XimaCall(
        callId="",
        callKey=wire.callKey,
        startTime=int(match["start"]),
        endTime=int(match["end"]),
        direction=wire.callDirection,
        tenantName=wire.tenantName,
    )
    return call_of(known, tenant, tenant_name)


def _differences(own: S, shown: S) -> dict[str, Any]:
    """Return, under our name for the vendor, the fields of its own record that we would not show as they came."""
    ours = asdict(shown)
    differing = {name: value for name, value in asdict(own).items() if ours[name] != value}
    return {VENDOR: differing} if differing else {}
