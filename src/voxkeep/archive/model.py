"""What is kept: tenants with their agents and skills, calls, recordings, their audio, chats.

Field names are ours; a vendor's stand in its room.
"""

from enum import IntEnum, StrEnum
from typing import Any

from msgspec import Struct, field

from voxkeep.archive.units import CallId, DurationMs, EpochMs, RecordingId, TenantId, TranscriptId

OWN = "voxkeep"
"""The vendor of what was made here (captured, simulated)."""
IMPORTED = "import"
"""The vendor of what came by `voxkeep import`."""


class State(IntEnum):
    """Where a recording stands."""

    KEPT = 0
    """Its original is held."""
    PENDING = 1
    """It is known, its audio is still to come."""
    REMOVED = 2
    """It was removed here; the key stays, so that it is not collected again."""
    LOST_TO_SPACE = 3
    """The system that made it deleted it for space before it came here."""
    LOST_TO_AGE = 4
    """The system that made it deleted it for its age before it came here."""
    LOST = 5
    """It was deleted before it came here, nobody knows why."""


class Tenant(Struct, frozen=True, kw_only=True):
    """A customer whose recordings nobody else sees."""

    id: TenantId
    name: str
    host: str = ""
    """Host name its API is asked under, e.g. `acme.xima.test`; its first label is a name of the tenant too."""
    zone: str = "UTC"
    """IANA time zone, for times given without an offset."""
    licensed_agents: int = 0
    """Licensed recorded agents; the egress cap is reckoned from them."""


class AgentKind(StrEnum):
    """What an agent talks by."""

    UC = "UC"
    """A phone of the telephony platform."""
    XIMA = "XIMA"
    """A softphone of the contact centre itself."""


class Agent(Struct, frozen=True, kw_only=True):
    """An agent of a contact centre; `voxkeep.archive.roster` says what makes one the same."""

    tenant: TenantId
    name: str = ""
    extension: str = ""
    login: str = ""
    email: str = ""
    kind: AgentKind = AgentKind.XIMA

    @property
    def displayed(self) -> str:
        """Return the agent as displayed, which tells agents of a tenant apart."""
        return display_name(self.name, self.extension)

    @property
    def names(self) -> frozenset[str]:
        """Return all that the agent may be named by."""
        return agent_names(self.name, self.extension, self.login)


class Skill(Struct, frozen=True, kw_only=True):
    """A skill of a contact centre: a queue whose interactions go to agents who have it."""

    tenant: TenantId
    id: str = ""
    """Its id in its system."""
    name: str = ""


class Audio(Struct, frozen=True, kw_only=True):
    """The original audio of a recording, as received."""

    name: str
    """The object's name in the vault."""
    size_bytes: int
    sha256: str
    container: str
    codec: str
    channels: int
    sample_rate: int
    samples: int
    """Samples in each channel at `sample_rate`."""
    health: int = 0
    """Flags of `voxkeep.audio.health.Health`; 0 is sound."""


class Call(Struct, frozen=True, kw_only=True):
    """A call; one or more recordings belong to it."""

    tenant: TenantId
    id: CallId
    started_at: EpochMs
    ended_at: EpochMs
    vendor: str = OWN
    vendor_key: str = ""
    """The vendor's identity of the call; ours is its key."""
    key: str = ""
    """The call's key, `{uuid}-{startMs}-{endMs}` unless the vendor has one of that kind."""
    source_tenant: str = ""
    """What the vendor calls the tenant, where that differs from our name of it."""
    reference: str = ""
    """A second, free identity that a vendor may show beside the key."""
    number: int = 0
    """A short number that people use for the call."""
    direction: str = "inbound"
    """inbound, outbound, internal, intersite; other words are kept as they came."""
    caller_name: str = ""
    dialled_number: str = ""
    account_codes: tuple[str, ...] = ()
    hold_ms: DurationMs = DurationMs(0)
    location: str = ""
    drop_event: str = ""
    extra: dict[str, Any] = field(default_factory=dict)
    """What only one vendor has and nobody filters on, by vendor."""


class WrapUpCode(Struct, frozen=True):
    """What an agent chose to say about a call when it was over: a code, and the list it is in."""

    list_name: str
    name: str


class Interaction(Struct, frozen=True, kw_only=True):
    """What recordings and chats have alike: whose, when, with which agent, of which skill."""

    tenant: TenantId
    started_at: EpochMs
    duration_ms: DurationMs
    vendor: str = OWN
    vendor_key: str = ""
    """The key in the vendor's own system, unique in (tenant, vendor)."""
    call_key: str = ""
    """Key of the call or interaction in its system."""
    agent_name: str = ""
    agent_extension: str = ""
    agent_login: str = ""
    skill: str = ""
    skill_id: str = ""
    case_id: str = ""
    kept_at: EpochMs = EpochMs(0)
    removed_at: EpochMs | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    """What only one vendor has and nobody filters on, by vendor."""

    @property
    def ended_at(self) -> EpochMs:
        """Return its end."""
        return EpochMs(self.started_at + self.duration_ms)

    @property
    def agent(self) -> str:
        """Return the agent as displayed."""
        return display_name(self.agent_name, self.agent_extension)

    @property
    def agent_names(self) -> frozenset[str]:
        """Return all that the agent may be named by."""
        return agent_names(self.agent_name, self.agent_extension, self.agent_login)


class Recording(Interaction, frozen=True, kw_only=True):
    """A recording of one talking leg of a call; its own key is `units.recording_key`."""

    id: RecordingId
    source_tenant: str = ""
    """What the vendor calls the tenant, where that differs from our name of it."""
    call: CallId | None = None
    """None only before it is kept: a recording without a known call gets a call of its own."""
    state: State = State.KEPT
    direction: str = "inbound"
    calling_party: str = ""
    """As displayed: a number, or `Name(extension)` for an agent."""
    receiving_party: str = ""
    """As displayed: a number, or `Name(extension)` for an agent."""
    caller_number: str = ""
    dialled_number: str = ""
    event_id: int = 0
    """Number of the talking leg in its system."""
    system_id: int = 0
    """Number of the recording system."""
    tag: str = ""
    file_name: str = ""
    """`names.file_name`, or the vendor's own of that form; unique in the tenant. Empty only before it is kept."""
    account_number: str = ""
    variable_1: str = ""
    """Free values that a screen pop or dialler gave the call."""
    variable_2: str = ""
    out_dial_code: str = ""
    wrap_up_codes: tuple[WrapUpCode, ...] = ()
    audio: Audio | None = None
    opus_bytes: int | None = None
    """Bytes of the Ogg/Opus form, None until it exists."""


CUSTOMER, AGENT = "customer", "agent"
"""Who sends a chat message; other words are kept as they came."""


class Message(Struct, frozen=True, kw_only=True):
    """One message of a chat."""

    at: EpochMs
    sender: str = ""
    """`CUSTOMER`, `AGENT`, or the vendor's word for somebody else."""
    language: str = ""
    text: str = ""
    translated_language: str = ""
    translated_text: str = ""


class MetaData(Struct, frozen=True):
    """A field that a contact filled in before a chat, and what it says."""

    name: str
    value: str


class Transcript(Interaction, frozen=True, kw_only=True):
    """A chat: who wrote with whom, and what. Its messages come along where it is kept, and are read by themselves."""

    id: TranscriptId
    state: State = State.KEPT
    """KEPT, or REMOVED: then the chat stands, its messages are gone."""
    kind: str = ""
    """Who talked with whom, e.g. `A2C` for an agent with a customer."""
    contact_id: str = ""
    contact_name: str = ""
    channel_id: str = ""
    channel_name: str = ""
    target_address: str = ""
    """Address that the contact wrote to."""
    metadata: tuple[MetaData, ...] = ()
    message_count: int = 0


class Rendition(Struct, frozen=True, kw_only=True):
    """Another form of a recording's audio."""

    form: str
    name: str
    """The object's name among the renditions."""
    size_bytes: int
    sha256: str


def name_in(displayed: str, extension: str) -> str:
    """Return the name that `display_name` made `displayed` of with this extension."""
    return displayed[: -len(extension) - 2] if extension else displayed


def display_name(name: str, extension: str) -> str:
    """Return an agent as people see one: `Name(extension)`, or what there is of it."""
    return f"{name}({extension})" if extension else name


def agent_names(name: str, extension: str, login: str) -> frozenset[str]:
    """Return all that an agent may be named by: as displayed, by the name alone, by extension, by login."""
    return frozenset((display_name(name, extension), name, extension, login)) - {""}
