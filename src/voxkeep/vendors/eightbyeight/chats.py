"""8x8's words for chat transcripts <-> our model, both ways (seed 003, "Chat Transcripts").

A transcript has 16 fields, and its messages where one transcript is asked for. See `wire` for what both have in common.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import asdict, replace

from voxkeep.archive.model import AGENT, CUSTOMER, Message, MetaData, Transcript, name_in
from voxkeep.archive.query import Term
from voxkeep.archive.rows import extra_text, list_text
from voxkeep.archive.transcripts import metadata_of
from voxkeep.archive.units import DurationMs, EpochMs, TenantId, TranscriptId, uuid7
from voxkeep.database import Row
from voxkeep.vendors.eightbyeight.wire import (
    NONE,
    TERMS,
    VENDOR,
    Shown,
    differences,
    number_or_text,
    overlay,
)

SENDERS = {CUSTOMER: "C", AGENT: "A"}
"""Our word for who sent a message -> 8x8's letter; other words go through unchanged."""
SENDERS_IN = {theirs: ours for ours, theirs in SENDERS.items()}


class MetaDatum(Struct, frozen=True):
    """A field that the contact filled in, and what it says."""

    fieldName: str  # noqa: N815 -- the vendor's spelling, here and below
    fieldValue: str  # noqa: N815


class MetaDatas(Struct, frozen=True, omit_defaults=True):
    """The fields that a contact filled in; None inside when there are none, so that nothing is shown."""

    metaData: tuple[MetaDatum, ...] | None = None  # noqa: N815


NO_METADATA = MetaDatas()


class Chat(Struct):
    """A transcript as 8x8 lists it, fields in the seed's order; empty texts are `""`."""

    startDate: str  # noqa: N815
    agentID: str  # noqa: N815
    agentName: str  # noqa: N815
    contactID: str  # noqa: N815
    contactName: str  # noqa: N815
    queueID: str  # noqa: N815
    queueName: str  # noqa: N815
    channelID: str  # noqa: N815
    channelName: str  # noqa: N815
    caseID: int | str  # noqa: N815
    targetIP: str  # noqa: N815
    transactionID: int | str  # noqa: N815
    interactionGUID: str  # noqa: N815
    transcriptType: str  # noqa: N815
    duration: int
    metaDatas: MetaDatas = NO_METADATA  # noqa: N815


class ChatMessage(Struct):
    """A message as 8x8 tells it."""

    messageTime: str  # noqa: N815
    messageFrom: str = ""  # noqa: N815
    originalLanguage: str = ""  # noqa: N815
    originalMessage: str = ""  # noqa: N815
    translatedLanguage: str = ""  # noqa: N815
    translatedMessage: str = ""  # noqa: N815


COLUMNS = (
    "vendor", "vendor_key", "call_key", "duration_ms", "kind", "agent", "agent_extension", "agent_login",
    "contact_id", "contact_name", "skill", "skill_id", "channel_id", "channel_name", "case_id", "target_address",
    "metadata", "extra",
)  # fmt: skip
"""What is asked of `Archive.page_transcripts`; its rows begin with started_at and id."""

FILTERS: Mapping[str, str] = {
    "contactID": "contact_id", "contactName": "contact_name", "queueID": "skill_id",
    "queueName": "skill", "channelID": "channel_id", "channelName": "channel_name", "targetIP": "target_address",
    "interactionGUID": "vendor_key", "transcriptType": "kind",
}  # fmt: skip
"""Query variable -> the column that shows it."""


def _agent_name(value: str) -> tuple[Term, ...]:
    # alone, or as displayed with an extension behind it
    return (Term.equal("agent", value), Term("agent", f"{value}(", f"{value})"))


CHAT_TERMS = (
    {name: TERMS[name] for name in ("agentID", "caseID", "transactionID", "duration")}
    | {"agentName": _agent_name}
    | {name: (lambda value, column=column: (Term.equal(column, value),)) for name, column in FILTERS.items()}
)


def chats_of(rows: Sequence[Row], shown: Shown) -> list[Chat]:
    """Return rows of `Archive.page_transcripts` with COLUMNS as 8x8's transcripts."""
    return [_chat(row, shown) for row in rows]


def _chat(row: Row, shown: Shown) -> Chat:
    (started_at, _, vendor, key, call_key, duration, kind, agent, extension, login, contact_id, contact, skill,
     skill_id, channel_id, channel, case, address, metadata, extra) = row  # fmt: skip
    made = Chat(
        shown(started_at), login or extension, name_in(agent, extension), contact_id, contact, skill_id, skill,
        channel_id, channel, number_or_text(case or ("" if vendor == VENDOR else NONE)), address,
        number_or_text(call_key), key, kind, duration // 1000, meta_datas_of(metadata_of(metadata)),
    )  # fmt: skip
    if extra is not None:
        overlay(made, extra)
    return made


def chat_of(transcript: Transcript, shown: Shown) -> Chat:
    """Return a transcript as this dialect shows it."""
    special = {"metadata": list_text(transcript.metadata), "extra": extra_text(transcript.extra)}
    values = (special[name] if name in special else getattr(transcript, name) for name in COLUMNS)
    return _chat((transcript.started_at, transcript.id.bytes, *values), shown)


def meta_datas_of(metadata: Sequence[MetaData]) -> MetaDatas:
    """Return the fields of a contact as 8x8 nests them."""
    return MetaDatas(tuple(MetaDatum(each.name, each.value) for each in metadata)) if metadata else NO_METADATA


def message_of(message: Message, shown: Shown) -> ChatMessage:
    """Return a message as this dialect shows it."""
    return ChatMessage(
        shown(message.at),
        SENDERS.get(message.sender, message.sender),
        message.language,
        message.text,
        message.translated_language,
        message.translated_text,
    )


def dummy_message(started_at: EpochMs, shown: Shown) -> ChatMessage:
    """Return what stands for the messages of a chat that were removed (seed 003: a dummy message)."""
    return ChatMessage(shown(started_at))


# Collecting: 8x8's transcripts -> our model


def transcript_of(chat: Chat, started_at: EpochMs, tenant: TenantId) -> Transcript:
    """Return the transcript that 8x8 tells of, without its messages, to be kept for a tenant of ours."""
    transcript = Transcript(
        tenant=tenant,
        id=TranscriptId(uuid7(started_at)),
        started_at=started_at,
        duration_ms=DurationMs(chat.duration * 1000),
        vendor=VENDOR,
        vendor_key=chat.interactionGUID,
        call_key=str(chat.transactionID),
        kind=chat.transcriptType,
        agent_name=chat.agentName,
        agent_login=chat.agentID,
        contact_id=chat.contactID,
        contact_name=chat.contactName,
        skill=chat.queueName,
        skill_id=chat.queueID,
        channel_id=chat.channelID,
        channel_name=chat.channelName,
        case_id=str(chat.caseID),
        target_address=chat.targetIP,
        metadata=tuple(MetaData(each.fieldName, each.fieldValue) for each in chat.metaDatas.metaData or ()),
    )
    return replace(transcript, extra=differences(chat, chat_of(transcript, lambda _: chat.startDate)))


def kept_message(message: ChatMessage, at: EpochMs) -> Message:
    """Return a message of 8x8's as we keep it."""
    fields = asdict(message)
    return Message(
        at=at,
        sender=SENDERS_IN.get(message.messageFrom, message.messageFrom),
        language=fields["originalLanguage"],
        text=fields["originalMessage"],
        translated_language=fields["translatedLanguage"],
        translated_text=fields["translatedMessage"],
    )
