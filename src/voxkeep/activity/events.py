"""What happens: events of calls and of agents, in our own words, and their stored form.

An event says all about the stretch of time that it begins: what is going on, with which agent, for which skill.
Nothing is carried over from the event before it. Who reports events may send them in any order.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from voxkeep.archive.model import display_name
from voxkeep.archive.units import LATEST, EpochMs

PLAIN = r"\A[^\x00-\x1f\x7f]*\Z"
"""Texts hold no control characters."""

Id = Annotated[str, Meta(min_length=1, max_length=100, pattern=PLAIN)]
Key = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]
Text = Annotated[str, Meta(max_length=200, pattern=PLAIN)]
Moment = Annotated[EpochMs, Meta(ge=0, lt=LATEST)]
Order = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class ActivityError(Exception):
    """Activity could not be taken or read."""


class BadEvent(ActivityError):
    """An event that cannot be; `field` names what is wrong with it, by its path."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class CallKind(StrEnum):
    """What begins in a call (reference 5.3)."""

    AUTO_ATTENDANT = "auto_attendant"
    RINGING = "ringing"
    QUEUE = "queue"
    QUEUE_OFFER = "queue_offer"
    """The queue rings an agent."""
    QUEUE_AUDIO = "queue_audio"
    TALKING = "talking"
    HOLD = "hold"
    """Only who holds can go on."""
    PARK = "park"
    """Anyone can go on."""
    TRANSFER_HOLD = "transfer_hold"
    TRANSFER = "transfer"
    CONFERENCE = "conference"
    DIALLING = "dialling"
    VOICEMAIL = "voicemail"
    OVERFLOW = "overflow"
    BUSY = "busy"
    LISTEN = "listen"
    CALLING_DROP = "calling_drop"
    """The calling party hung up: every leg ends."""
    RECEIVING_DROP = "receiving_drop"
    """The called party hung up: every leg ends."""
    LEG_END = "leg_end"
    """This leg ends and the call goes on: a consultation is over."""
    CALLBACK_SCHEDULED = "callback_scheduled"
    CALLBACK_ATTEMPT = "callback_attempt"
    CALLBACK_PROMPT = "callback_prompt"
    CALLBACK_ACCEPTED = "callback_accepted"
    CALLBACK_MISSED = "callback_missed"
    CALLBACK_OFFER = "callback_offer"
    CALLBACK_AUDIO = "callback_audio"
    CALLBACK_SNOOZED = "callback_snoozed"
    CALLBACK_CANCELLED = "callback_cancelled"
    CALLBACK_ABORTED = "callback_aborted"


class AgentKind(StrEnum):
    """What an agent begins to be. Each of the first four ends the one before; logins to skills stand beside them."""

    READY = "ready"
    IDLE = "idle"
    """Signed in, neither ready nor away for a reason."""
    DND = "dnd"
    """Not to be disturbed, with a reason."""
    ACW = "acw"
    """After-call work."""
    LOGOUT = "logout"
    """Gone: also from every skill."""
    SKILL_LOGIN = "skill_login"
    SKILL_LOGOUT = "skill_logout"


class Direction(StrEnum):
    """Where a call goes."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"
    INTERSITE = "intersite"


class Who(Struct, frozen=True, gc=False, omit_defaults=True, forbid_unknown_fields=True):
    """An agent, by whichever of these the reporter knows; always the same ones for the same agent."""

    name: Text = ""
    extension: Text = ""
    login: Text = ""

    @property
    def key(self) -> str:
        """Return what the agent is told from others by: the extension, else the login, else the name."""
        return self.extension or self.login or self.name

    @property
    def shown(self) -> str:
        """Return the agent as people see one."""
        return display_name(self.name, self.extension) or self.login


class CallEvent(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Something begins in a call. It ends when the next event of the same call and leg begins, or with a drop."""

    id: Id
    """Unique in the tenant: an id that is known changes nothing."""
    at: Moment
    kind: CallKind
    call: Key
    """The call's key."""
    leg: Text = ""
    """Empty for the caller's own way through the call; parallel parts (a consultation) have names."""
    seq: Order = 0
    """Tells the order of events that have the same time."""
    agent: Who | None = None
    skill: Text = ""
    skill_id: Text = ""
    party: Text = ""
    """The number outside."""
    direction: Direction | None = None
    account_code: Text = ""
    caller_name: Text = ""
    dialled_number: Text = ""
    location: Text = ""
    """Where the outside party is, e.g. `Denver, CO`."""
    number: Order = 0
    """A short number that people use for the call."""
    reference: Text = ""
    """A second, free identity of the call."""
    recording: Text = ""
    """The key of the recording of this leg."""


class AgentEvent(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An agent begins to be something."""

    id: Id
    """Unique in the tenant, among the events of calls too."""
    at: Moment
    kind: AgentKind
    agent: Who
    seq: Order = 0
    """Tells the order of events that have the same time."""
    reason: Text = ""
    skill: Text = ""
    skill_id: Text = ""


Event = CallEvent | AgentEvent
EVENTS: Mapping[str, type[CallEvent] | type[AgentEvent]] = {
    **dict.fromkeys(map(str, CallKind), CallEvent),
    **dict.fromkeys(map(str, AgentKind), AgentEvent),
}
"""The word of a kind -> the event that has it."""
SKILL_KINDS = frozenset({AgentKind.SKILL_LOGIN, AgentKind.SKILL_LOGOUT})
REASON_KINDS = frozenset({AgentKind.DND, AgentKind.LOGOUT})

encode = msgspec.msgpack.Encoder().encode
"""An event -> its stored form."""
call_event = msgspec.msgpack.Decoder(CallEvent).decode
agent_event = msgspec.msgpack.Decoder(AgentEvent).decode


def checked(event: Event) -> Event:
    """Return `event` if its fields go together. Raises BadEvent."""
    if event.agent is not None and not event.agent.key:
        raise BadEvent("agent", "a name, an extension or a login is needed")
    if isinstance(event, AgentEvent):
        if event.kind in SKILL_KINDS and not (event.skill or event.skill_id):
            raise BadEvent("skill", f"{event.kind} needs a skill or a skill_id")
        if event.kind not in SKILL_KINDS and (event.skill or event.skill_id):
            raise BadEvent("skill" if event.skill else "skill_id", f"{event.kind} has no skill")
        if event.reason and event.kind not in REASON_KINDS:
            raise BadEvent("reason", f"{event.kind} has no reason")
    return event


def stored(event: Event) -> bytes:
    """Return the stored form of an event made in Python, which nothing has checked yet. Raises BadEvent."""
    try:
        body = encode(event)
        (call_event if isinstance(event, CallEvent) else agent_event)(body)
    except (msgspec.ValidationError, UnicodeEncodeError, OverflowError, TypeError) as error:
        raise refusal(str(error)) from error
    checked(event)
    return body


def refusal(message: str) -> BadEvent:
    """Return what msgspec says of an event that does not fit, with the field it speaks of."""
    reason, _, place = message.partition(" - at `$")
    path = place.rstrip("`").removeprefix(".")
    for start in ("Object contains unknown field `", "Object missing required field `"):
        if reason.startswith(start):
            path = f"{path}.{reason[len(start) : -1]}".removeprefix(".")
            reason = "there is no such field" if "unknown" in start else "this field is required"
    return BadEvent(path, "control characters are not taken" if "matching regex" in reason else reason)
