"""What is known of a pushed recording, as a Kazoo document (reference 2, 3.4).

Every value may be missing, empty or nonsense: what cannot be is passed over here, and kept with the push as it came.
What nobody knows stays out of the document.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from voxkeep.archive.units import LATEST, EpochMs
from voxkeep.vendors.kazoo.gregorian import epoch_ms, gregorian
from voxkeep.vendors.kazoo.pushpath import Pairs, Place
from voxkeep.vendors.kazoo.wire import ANY_MEDIA, LONGEST_MS, MEDIA_TYPES, is_deep, whole

TEXTS = ("call_id", "cdr_id", "interaction_id", "caller_id_name", "caller_id_number", "from", "to", "owner_id")
"""Fields of the document that a query tells as they are."""
NO_ORIGIN = "no origin"
"""What Kazoo 5 says where it does not know how a recording was started."""
CONFERENCE = ("conference_recording", "conference_id")
CHANNEL = {
    "account_id": "Account-ID",
    "owner_id": "Owner-ID",
    "interaction_id": "Call-Interaction-ID",
    "recording_id": "Media-Recording-ID",
}
TYPES: Mapping[str, str] = {**MEDIA_TYPES, "mp4": "audio/mp4", "m4a": "audio/mp4", "opus": "audio/ogg"}
"""Extension -> type of the media, in Kazoo's words."""
AUDIBLE = re.compile(rb"(audio|video)/[a-z0-9.+-]{1,64}", re.ASCII)
NUMBER = re.compile(r"-?[0-9]{1,18}(\.0*)?", re.ASCII)
TWO_DOTS = re.compile(r"\.\.(?=[^.]*$)")
"""What some senders put before the extension (reference 3.4)."""
LONGEST_ID = 255
REACHABLE = re.compile(r"[0-9]{4}(?:0[1-9]|1[0-2])-[A-Za-z0-9_~-][A-Za-z0-9_.~-]*", re.ASCII)
"""An id of a recording that any client can ask for again."""
PRIVATE = ("_", "pvt_")
"""How keys begin that a document does not show (reference 2)."""
SECRET = re.compile(r"(?i)token|secret|pass|pwd|^pw$|key|auth|sig|cred")
"""Parameters of the customer's own that are not kept."""
HIDDEN = "***"


class Told(Struct, frozen=True):
    """What came with a push beside its bytes."""

    place: Place
    fields: Mapping[str, str]
    """Of the query: of each name the first value that is not empty."""
    document: Mapping[str, Any]
    """The document that came in a part of its own; empty without one."""
    received_at: EpochMs
    content_type: bytes = b""
    """Of the audio, as a header names it."""

    @property
    def recording(self) -> str:
        """The id that Kazoo gave the recording; empty where none came, or none that can be one."""
        for value in (self.place.recording, self.fields.get("recording_id"), self.document.get("id")):
            if isinstance(value, str) and len(value) <= LONGEST_ID and REACHABLE.fullmatch(value):
                return value
        return ""

    @property
    def call_id(self) -> str:
        """The call's id; empty where none came."""
        stated = self.document.get("call_id")
        return (stated if isinstance(stated, str) else "") or self.fields.get("call_id", "") or self.place.call_id

    @property
    def interaction_id(self) -> str:
        """The id of the group of legs; empty where none came."""
        stated = self.document.get("interaction_id")
        return (stated if isinstance(stated, str) else "") or self.fields.get("interaction_id", "")

    @property
    def start(self) -> int | None:
        """The start in Gregorian seconds, if one came that can be."""
        at = self._number("start")
        return at if at is not None and 0 <= epoch_ms(at) < LATEST else None

    @property
    def duration_ms(self) -> int | None:
        """The duration, if one came that can be."""
        exact, seconds = self._number("duration_ms"), self._number("duration")
        found = exact if exact is not None or seconds is None else seconds * 1000
        return found if found is not None and 0 <= found <= LONGEST_MS else None

    def started_at(self, audio_ms: int = 0) -> EpochMs:
        """Return when the recording started, to the second; without a start so long ago as it is long."""
        if self.start is not None:
            return epoch_ms(self.start)
        length = audio_ms if self.duration_ms is None else self.duration_ms
        return epoch_ms(gregorian(max(0, self.received_at - length)))

    def _number(self, name: str) -> int | None:
        stated = whole(self.document.get(name))
        if stated is not None:
            return stated
        text = self.fields.get(name, "").strip()
        return int(text.partition(".")[0]) if NUMBER.fullmatch(text) else None


def fields_of(pairs: Pairs) -> dict[str, str]:
    """Return of each parameter the first value that is not empty."""
    fields: dict[str, str] = {}
    for name, value in pairs:
        if value:
            fields.setdefault(name, value)
    return fields


def kept_query(pairs: Pairs) -> str:
    """Return a query as it is kept with the push, in JSON: all of it but the customer's own secrets."""
    hidden = [(name, HIDDEN if SECRET.search(name) else value) for name, value in pairs]
    return msgspec.json.encode(hidden).decode()


def posted(raw: bytes) -> dict[str, Any]:
    """Return a document that came in a part; nothing where it is no JSON object: the audio counts for more."""
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return {}
    if not isinstance(document, dict) or is_deep(document):
        return {}
    return {name: value for name, value in document.items() if not name.startswith(PRIVATE)}


def document_of(told: Told, identity: str, audio_ms: int, container: str) -> dict[str, Any]:
    """Return the document of a pushed recording that is called `identity`."""
    document = {**told.document, "id": identity} if told.document else _made(told, identity, container)
    if told.start is None or whole(document.get("start")) is None:
        document["start"] = gregorian(told.started_at(audio_ms))
    if not _tells_duration(document):
        duration = audio_ms if told.duration_ms is None else told.duration_ms
        document["duration"] = duration // 1000
        document["duration_ms"] = duration
    return document


def _tells_duration(document: Mapping[str, Any]) -> bool:
    """Tell whether a document has a duration that can be, as `wire` reads it: the exact one before the seconds."""
    exact, seconds = whole(document.get("duration_ms")), whole(document.get("duration"))
    found = exact if exact is not None or seconds is None else seconds * 1000
    return found is not None and 0 <= found <= LONGEST_MS


def _made(told: Told, identity: str, container: str) -> dict[str, Any]:
    place = told.place
    known = {
        "account_id": place.account,
        "owner_id": place.owner,
        **told.fields,
        "call_id": told.call_id,
        "recording_id": identity,
    }
    extension = place.extension or container
    told_as = {
        **{name: known.get(name, "") for name in (*TEXTS, *CONFERENCE)},
        "name": TWO_DOTS.sub(".", place.file_name),
        "media_type": extension if extension in TYPES else "",
        "content_type": media_type(told.content_type, extension, container),
        "media_source": "recorded",
    }
    # these are texts in every document (reference 8.2)
    always = {"from": "", "to": "", "origin": NO_ORIGIN}
    channel = {shown: known[name] for name, shown in CHANNEL.items() if known.get(name)}
    return {
        "id": identity,
        **always,
        **{name: value for name, value in told_as.items() if value},
        "custom_channel_vars": channel,
    }


def media_type(header: bytes, extension: str, container: str) -> str:
    """Return the type of the audio: as its header says, if that is of audio, else by its name, else by its bytes."""
    stated = header.partition(b";")[0].strip().lower()
    if AUDIBLE.fullmatch(stated):
        return stated.decode()
    return TYPES.get(extension) or TYPES.get(container) or ANY_MEDIA
