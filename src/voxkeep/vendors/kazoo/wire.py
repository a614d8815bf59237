"""Kazoo's words for recordings <-> our model, both ways (reference 2; design, the vocabulary table).

A document that Kazoo itself made (collected or pushed) is kept whole and shown unchanged; of any other recording a
document is made. `direction` is the switch's view: a phone that places a call is `inbound` there.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType, field
from msgspec.structs import replace

from voxkeep.archive.model import Call, Recording, State, display_name, name_in
from voxkeep.archive.rows import extra_text
from voxkeep.archive.units import LATEST, CallId, DurationMs, EpochMs, RecordingId, TenantId, uuid7
from voxkeep.database import Row
from voxkeep.vendors.kazoo.accounts import NOBODY, Account, Users
from voxkeep.vendors.kazoo.gregorian import epoch_ms, gregorian
from voxkeep.vendors.kazoo.ids import month, recording_id, time_of

VENDOR = "kazoo"
MP3 = "audio/mpeg"
UNKNOWN = "unknown"
"""The user part of an address that nobody knows."""
MEDIA_TYPES: Mapping[str, str] = {"mp3": MP3, "wav": "audio/x-wav", "ogg": "audio/ogg", "flac": "audio/flac"}
"""Container -> type of the media, in Kazoo's words."""
ANY_MEDIA = "application/octet-stream"
MEDIA_TYPE = re.compile(r"(?:audio|video)/[A-Za-z0-9!#$&^_.+-]{1,100}|application/octet-stream", re.ASCII)
OUTBOUND = "outbound"
METADATA = "user_metadata"
"""Free notes, the one field that clients may change."""
NOTED_AT = "noted_at"
"""When that was done last, in ms; kept beside the document."""
PUSHED = "pushed"
"""What is kept beside the document of a recording that a push alone made."""
PLACED_BY_PHONE = frozenset({"device", "user", "mobile"})
"""`Authorizing-Type` of a leg that one's own phone began."""
LONGEST_MS = 366 * 86_400_000
MOST_LEVELS = 32


class BadDocument(ValueError):
    """A document that no recording can be made of; the text begins with the field at fault."""


class ChannelVars(Struct, omit_defaults=True, gc=False):
    """`custom_channel_vars`: what the switch knew of the leg; empty ones are left out."""

    account: str = field(name="Account-ID", default="")
    owner: str = field(name="Owner-ID", default="")
    interaction: str = field(name="Call-Interaction-ID", default="")
    recording: str = field(name="Media-Recording-ID", default="")
    media: str = field(name="Media-Name", default="")
    queue: str = field(name="Queue-ID", default="")


class ReadOnly(Struct, gc=False):
    """`_read_only` of a list's items: the types of the media that is there."""

    content_types: tuple[str, ...]


class Document(Struct, omit_defaults=True, gc=False):
    """A recording as Kazoo tells it; empty texts are left out, as Kazoo leaves out what it does not know."""

    id: str
    call_id: str
    cdr_id: str
    interaction_id: str
    from_: str = field(name="from")
    to: str
    request: str
    direction: str
    origin: str
    start: int
    duration: int
    duration_ms: int
    name: str
    description: str
    custom_channel_vars: ChannelVars
    caller_id_name: str = ""
    caller_id_number: str = ""
    callee_id_name: str = ""
    callee_id_number: str = ""
    owner_id: str = ""
    content_type: str = ""
    media_type: str = ""
    media_source: str = ""
    source_type: str = ""
    user_metadata: Raw | UnsetType = UNSET
    read_only: ReadOnly | UnsetType = field(name="_read_only", default=UNSET)


class Own(Struct):
    """What is kept of Kazoo's own under `extra["kazoo"]`."""

    document: Raw | UnsetType = UNSET
    """The document, as it came."""
    content_types: tuple[str, ...] = ()
    """Types of its media, as they were listed."""
    user_metadata: Raw | UnsetType = UNSET
    """What a client noted on a recording that is not Kazoo's own."""
    noted_at: int = 0


class _Extra(Struct):
    kazoo: Own | UnsetType = UNSET


NONE = Own()
_extra = msgspec.json.Decoder(_Extra)
_encoder = msgspec.json.Encoder()

COLUMNS = (
    "vendor", "vendor_key", "call", "call_key", "duration_ms", "direction", "calling_party", "receiving_party",
    "caller_number", "dialled_number", "agent", "agent_extension", "agent_login", "skill", "skill_id", "state",
    "container", "kept_at", "extra",
)  # fmt: skip
"""What is asked of the archive; its rows begin with ended_at, id and started_at."""
_VENDOR, _STATE, _CONTAINER = (3 + COLUMNS.index(name) for name in ("vendor", "state", "container"))


class View(NamedTuple):
    """Through whose account documents are seen."""

    account: Account
    users: Users = NOBODY


# Serving: rows -> documents


def own_of(extra: str | None) -> Own:
    """Return what is kept of Kazoo's own in a row's `extra`; nothing where it is not as we write it."""
    if extra is None:
        return NONE
    try:
        kept = _extra.decode(extra).kazoo
    except msgspec.MsgspecError:
        return NONE
    return NONE if kept is UNSET else kept


def document(row: Row, view: View, *, item: bool) -> Document | Raw:
    """Return a row's document, ready to be encoded; `item` is one of a list, which tells of its media."""
    own = NONE if row[-1] is None else own_of(row[-1])
    # beside a recording of others, anything may stand there
    if own.document is not UNSET and row[_VENDOR] == VENDOR:
        return _shown(bytes(own.document), _content_types(row, own), item=item)
    made = _made(row, view)
    if own.user_metadata is not UNSET:
        made.user_metadata = own.user_metadata
    if item:
        made.read_only = ReadOnly((MP3,) if row[_STATE] == State.KEPT else ())
    return made


def _shown(kept: bytes, content_types: Sequence[str], *, item: bool) -> Raw:
    if not item:
        return Raw(kept)
    told = _encoder.encode({"content_types": sorted(set(content_types))})
    return Raw(b"".join((kept[:-1], b',"_read_only":', told, b"}")))


def _content_types(row: Row, own: Own) -> Sequence[str]:
    if row[_STATE] != State.KEPT:
        return ()
    return own.content_types or (media_type_of(own, row[_CONTAINER]),)


def media_type_of(own: Own, container: str | None) -> str:
    """Return the type of Kazoo's own media: as it was listed, else as its document says, else as it is.

    What others say counts only if it is a type of audio: a browser would run other things.
    """
    for stated in (*own.content_types[:1], _field_of(own, "content_type")):
        if isinstance(stated, str) and MEDIA_TYPE.fullmatch(stated):
            return stated
    return MEDIA_TYPES.get(container or "", ANY_MEDIA)


def name_of(own: Own) -> str:
    """Return the file name of Kazoo's own media; empty where its document tells none."""
    name = _field_of(own, "name")
    return name if isinstance(name, str) else ""


def _field_of(own: Own, name: str) -> object:
    return None if own.document is UNSET else msgspec.json.decode(own.document).get(name)


def _made(row: Row, view: View) -> Document:
    (_, key, started_at, vendor, vendor_key, call, call_key, duration, direction, calling, receiving, caller, dialled,
     agent, extension, login, skill, skill_id, _, _, _, _) = row  # fmt: skip
    shown_id = vendor_key if vendor == VENDOR else recording_id(key)
    name = f"{key.hex()}.mp3"
    realm = view.account.realm
    interaction = f"{gregorian(time_of(call))}-{call[-4:].hex()}"
    agent_name = name_in(agent, extension)
    owner = view.users.owner(login, extension, agent_name)
    owner_id = "" if owner is None else owner.id
    net = "onnet" if direction in ON_NET else "offnet"
    if direction == OUTBOUND:
        caller, dialled = caller or extension, dialled or receiving
        switch, origin = "inbound", f"outbound to {net} from endpoint"
        names = (agent_name, extension or caller, "" if receiving == dialled else receiving, dialled)
    else:
        caller = caller or calling
        switch, origin = "outbound", f"inbound from {net} to endpoint"
        names = ("" if calling == caller else calling, caller, agent_name, extension)
    to = f"{dialled or UNKNOWN}@{realm}"
    return Document(
        shown_id, call_key, f"{month(started_at)}-{call_key}", interaction, f"{caller or UNKNOWN}@{realm}", to, to,
        switch, origin, gregorian(started_at), duration // 1000, duration, name, f"recording {name}",
        ChannelVars(view.account.id, owner_id, interaction, shown_id, name, skill_id or skill),
        *names, owner_id, MP3, "mp3", "recorded", "voxkeep",
    )  # fmt: skip


ON_NET = frozenset({"internal", "intersite"})
"""Our directions of calls that never leave the house."""


def encoded(documents: Sequence[Document | Raw | dict[str, Any]]) -> bytes:
    """Return documents as a JSON array."""
    return _encoder.encode(documents)


def plain(shown: Document | Raw) -> dict[str, Any]:
    """Return a document as plain data."""
    found: dict[str, Any] = msgspec.json.decode(shown if isinstance(shown, Raw) else _encoder.encode(shown))
    return found


def private(row: Row, account: Account) -> dict[str, Any]:
    """Return what Kazoo keeps beside the public document."""
    created = gregorian(row[0])
    noted_at = own_of(row[-1]).noted_at
    return {
        "pvt_type": "call_recording",
        "pvt_created": created,
        "pvt_modified": gregorian(noted_at) if noted_at else created,
        "pvt_account_id": account.id,
    }


def row_of(recording: Recording) -> Row:
    """Return a recording as a row of the archive with COLUMNS."""
    special = {
        "call": b"" if recording.call is None else recording.call.bytes,
        "agent": recording.agent,
        "state": int(recording.state),
        "container": None if recording.audio is None else recording.audio.container,
        "extra": extra_text(recording.extra),
    }
    values = (special[name] if name in special else getattr(recording, name) for name in COLUMNS)
    return (recording.ended_at, recording.id.bytes, recording.started_at, *values)


def shown_id(recording: Recording) -> str:
    """Return the id under which a recording is shown."""
    return recording.vendor_key if recording.vendor == VENDOR else recording_id(recording.id.bytes)


def document_of(recording: Recording, view: View) -> dict[str, Any]:
    """Return a recording's document as plain data, as a GET of it shows."""
    return plain(document(row_of(recording), view, item=False))


# Collecting: documents -> our model


def recording_of(shown: Mapping[str, Any], tenant: TenantId) -> Recording:
    """Return the recording that a document tells of, still without audio. Raises BadDocument.

    The document is kept whole; `_read_only` is not part of it.
    """
    kept = {name: value for name, value in shown.items() if name != "_read_only"}
    key = _text(kept, "id")
    if not key:
        raise BadDocument("id: there is none")
    if is_deep(kept):
        raise BadDocument(f"it is nested deeper than {MOST_LEVELS} levels")
    started_at, duration = _start(kept), _duration(kept)
    channel = kept.get("custom_channel_vars")
    channel = channel if isinstance(channel, dict) else {}
    outbound = _is_outbound(kept, channel)
    caller = _text(kept, "caller_id_number") or _user(kept, "from")
    callee = _text(kept, "callee_id_number")
    dialled = (callee if outbound else _user(kept, "request")) or _user(kept, "to")
    name, number = _text(kept, _of_agent("name", outbound)), _text(kept, _of_agent("number", outbound))
    agent, extension = (name, number) if name else (number, "")
    displayed = display_name(agent, extension)
    queue = _text(channel, "Queue-ID")
    return Recording(
        tenant=tenant,
        id=RecordingId(uuid7(started_at)),
        started_at=started_at,
        duration_ms=duration,
        vendor=VENDOR,
        vendor_key=key,
        call_key=_text(kept, "call_id"),
        direction="outbound" if outbound else "inbound",
        calling_party=displayed if outbound else caller,
        receiving_party=dialled if outbound else displayed or dialled,
        caller_number=caller,
        dialled_number=dialled,
        agent_name=agent,
        agent_extension=extension,
        skill=queue,
        skill_id=queue,
        extra={VENDOR: _own(kept, shown.get("_read_only"))},
    )


def _own(kept: dict[str, Any], read_only: object) -> dict[str, Any]:
    listed = read_only.get("content_types") if isinstance(read_only, dict) else None
    types = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
    return {"document": kept, **({"content_types": types} if types else {})}


def _of_agent(what: str, outbound: bool) -> str:  # noqa: FBT001 -- which of two sides
    return f"{'caller' if outbound else 'callee'}_id_{what}"


def _is_outbound(kept: Mapping[str, Any], channel: Mapping[str, Any]) -> bool:
    """Tell the user's view of the direction: by the first word of origin, else by who began the leg."""
    word = _text(kept, "origin").partition(" ")[0]
    if word in ("inbound", "outbound"):
        return word == "outbound"
    placed = bool(_text(kept, "owner_id")) or _text(channel, "Authorizing-Type") in PLACED_BY_PHONE
    return _text(kept, "direction") == "inbound" and placed


def _text(kept: Mapping[str, Any], name: str) -> str:
    value = kept.get(name)
    return value if isinstance(value, str) else ""


def _user(kept: Mapping[str, Any], name: str) -> str:
    return _text(kept, name).partition("@")[0]


def is_deep(value: object) -> bool:
    """Tell whether JSON is nested deeper than MOST_LEVELS: what is, some reader would not come to the end of."""
    level = [value]
    for _ in range(MOST_LEVELS):
        inner = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [item for items in inner for item in items]
        if not level:
            return False
    return True


def whole(value: object) -> int | None:
    """Return a JSON number that is a whole one, None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _start(kept: Mapping[str, Any]) -> EpochMs:
    seconds = whole(kept.get("start"))
    if seconds is None:
        raise BadDocument("start: no whole number of seconds")
    at = epoch_ms(seconds)
    if not 0 <= at < LATEST:
        raise BadDocument("start: outside 1970 to 2199")
    return at


def _duration(kept: Mapping[str, Any]) -> DurationMs:
    """Return the duration; where only `duration` tells, in its seconds."""
    exact, seconds = whole(kept.get("duration_ms")), whole(kept.get("duration"))
    if exact is None and seconds is None:
        raise BadDocument("duration_ms: no whole number")
    duration = exact if exact is not None else (seconds or 0) * 1000
    if not 0 <= duration <= LONGEST_MS:
        raise BadDocument("duration_ms: no length of a call")
    return DurationMs(duration)


def renewed(told: Recording, held: Recording) -> Recording | None:
    """Return what a recording becomes by its cluster's whole document; None where it is what was collected already.

    One that was pushed brought a few fields along, and one whose media is awaited may have been noted on: what was
    noted here stays, but where the cluster says otherwise.
    """
    own = held.extra.get(VENDOR)
    own = own if isinstance(own, dict) else {}
    if not own.get(PUSHED) and held.state is not State.PENDING:
        return None
    kept = dict(told.extra[VENDOR])
    before = own.get("document")
    notes = before.get(METADATA) if isinstance(before, dict) else None
    if isinstance(notes, dict):
        theirs = kept["document"].get(METADATA, {})
        if isinstance(theirs, dict):
            kept["document"] = {**kept["document"], METADATA: {**notes, **theirs}}
    return replace(told, extra={**held.extra, VENDOR: kept})


def call_of(recording: Recording) -> Call | None:
    """Return what a recording tells of its call, which other recordings may share; None where it names none."""
    own = recording.extra[VENDOR]["document"]
    key = _text(own, "interaction_id") or recording.call_key
    if not key:
        return None
    return Call(
        tenant=recording.tenant,
        id=CallId(uuid7(recording.started_at)),
        started_at=recording.started_at,
        ended_at=recording.ended_at,
        vendor=VENDOR,
        vendor_key=key,
        key=recording.call_key or key,
        reference=key,
        direction=recording.direction,
        dialled_number=recording.dialled_number,
    )
