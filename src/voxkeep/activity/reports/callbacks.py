"""Calls that were called back: the part of a call from its first attempt on. A definition that reports add."""

from msgspec.structs import replace

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.definitions import Kinds, of_kinds
from voxkeep.activity.events import CallKind

CALLED_BACK: Kinds = frozenset({CallKind.CALLBACK_OFFER, CallKind.CALLBACK_ATTEMPT, CallKind.CALLBACK_ACCEPTED})
"""What begins the calling back; a callback that is merely scheduled or prompted for has not begun."""


def since_callback(call: LiveCall) -> LiveCall | None:
    """Return a call with only what went on since it was called back; None if nobody did."""
    began = next((each.begin for each in of_kinds(call, CALLED_BACK)), None)
    if began is None:
        return None
    return replace(call, intervals=tuple(each for each in call.intervals if each.begin >= began))
