"""The port to whoever can place a call: a telephony platform, a webhook, the demo's simulator. Knows no vendor."""

from typing import Protocol

from msgspec import Struct

from voxkeep.activity.events import ActivityError
from voxkeep.archive.units import TenantId


class DialError(ActivityError):
    """The call was not placed; the text tells why, for people."""


class DialRefused(DialError):
    """Whoever places calls will not place this one, now or later."""


class ClickToDial(Struct, frozen=True, kw_only=True):
    """An agent's telephone is to call a number."""

    tenant: TenantId
    extension: str
    """The agent's."""
    number: str
    outbound_caller_id: str = ""
    """Empty for the platform's own choice."""
    external_prefix: str = ""


class Callback(Struct, frozen=True, kw_only=True):
    """A skill is to call a number back: it waits in the skill's queue as if its owner had asked for it."""

    tenant: TenantId
    skill: str
    """The skill's id."""
    skill_name: str
    number: str
    caller_name: str = ""


class Dialler(Protocol):
    """Places calls."""

    async def click_to_dial(self, asked: ClickToDial) -> None:
        """Have an agent call a number; returns once it was taken, not when it is answered. Raises DialError."""
        ...

    async def call_back(self, asked: Callback) -> None:
        """Queue a callback; returns once it was taken. Raises DialError."""
        ...
