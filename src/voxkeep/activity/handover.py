"""A call of ours as the archive keeps one."""

import hashlib

from voxkeep.activity.calls import LiveCall
from voxkeep.activity.definitions import HOLD, total
from voxkeep.archive.model import OWN, Call
from voxkeep.archive.units import RANDOM_BITS, CallId, DurationMs, EpochMs, TenantId, uuid7


def call_id(tenant: TenantId, key: str, began_at: EpochMs) -> CallId:
    """Return the id a call gets when the archive does not know it yet: always the same, so that it can be rebuilt."""
    digest = hashlib.sha256(f"{tenant}\0{key}".encode()).digest()
    return CallId(uuid7(began_at, int.from_bytes(digest, "big") >> (256 - RANDOM_BITS)))


def archived(tenant: TenantId, call: LiveCall) -> Call | None:
    """Return a call as it is kept; None for one that is not over.

    Its key is the one that its events name, in the archive as well: it stays when late events move the call's ends.
    """
    if call.ended_at is None:
        return None
    identity = call_id(tenant, call.key, call.began_at)
    return Call(
        tenant=tenant,
        id=identity,
        started_at=call.began_at,
        ended_at=call.ended_at,
        vendor=OWN,
        vendor_key=call.key,
        key=call.key,
        reference=call.first(lambda event: event.reference, str(identity)),
        number=call.first(lambda event: event.number, 0),
        direction=str(call.direction),
        caller_name=call.caller_name,
        dialled_number=call.dialled_number,
        account_codes=call.account_codes,
        hold_ms=DurationMs(total(call, HOLD).total_ms),
        location=call.first(lambda event: event.location, ""),
        drop_event=str(call.drop or ""),
    )
