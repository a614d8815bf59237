"""Deliveries as rows: what stands in one, and every statement about them."""

from enum import StrEnum
from uuid import UUID

from msgspec import Struct

from voxkeep.archive.units import EpochMs, RecordingId, TenantId
from voxkeep.audio.render import Form
from voxkeep.database import Row
from voxkeep.deliver.targets import Method


class State(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DONE = "done"
    DEAD = "dead"
    """It was given up; somebody must look at it."""


class Delivery(Struct, frozen=True, kw_only=True):
    """A delivery, as it may be told: there is no URL in it."""

    id: int
    tenant: TenantId
    recording: RecordingId
    key: str
    """What people know the recording by."""
    place: str
    """`targets.place_of` its URL."""
    method: Method
    media_type: str
    form: Form | None
    state: State
    ordered_at: EpochMs
    next_at: EpochMs
    """When it is tried (again), while it waits."""
    attempts: int
    """Tries since it was ordered, or since it was last asked to be tried again."""
    error: str
    """Why the last try did not succeed; empty when it did, or there was none."""
    status: int | None
    """What the receiver answered last."""
    done_at: EpochMs | None
    sha256: str | None
    """Of what was sent."""
    size_bytes: int | None
    """Of what was sent."""


class Ordered(Struct, frozen=True):
    """An order as it stands; not `new` when the same was ordered before."""

    delivery: Delivery
    new: bool


class Taken(Struct, frozen=True):
    """A delivery that this process alone sends, until its lease ends."""

    delivery: Delivery
    url: str
    lease: EpochMs
    alarmed: bool

    def __repr__(self) -> str:
        """Show nothing that is not to be told."""
        return f"Taken({self.delivery.id})"


COLUMNS = (
    "id, tenant, recording, key, place, method, media_type, form, state, ordered_at, next_at, attempts, error, status, "
    "done_at, sha256, size_bytes"
)
_NAMES = COLUMNS.split(", ")

SELECT = f"SELECT {COLUMNS} FROM deliveries WHERE"  # noqa: S608 -- our own names
BY_ID = f"{SELECT} id = $1"
BY_TARGET = f"{SELECT} tenant = $1 AND recording = $2 AND target = $3"
OF_RECORDING = f"{SELECT} tenant = $1 AND recording = $2 ORDER BY id"
PAGE = f"{SELECT} id > $1 ORDER BY id LIMIT $2"
PAGE_IN_STATE = f"{SELECT} id > $1 AND state = $3 ORDER BY id LIMIT $2"

ORDER = (
    "INSERT INTO deliveries (id, tenant, recording, target, key, url, place, method, media_type, form, state, "
    "ordered_at, next_at, sending, attempts, alarmed, error) "
    "SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9, 'waiting', $10, $10, 0, 0, 0, '' "
    "FROM deliveries WHERE TRUE ON CONFLICT (tenant, recording, target) DO NOTHING"
)
IS_DUE = "SELECT 1 FROM deliveries WHERE state = 'waiting' AND next_at <= $1 LIMIT 1"
TAKE = (
    "UPDATE deliveries SET sending = 1, next_at = $2, attempts = attempts + 1 WHERE id = "  # noqa: S608 -- ours
    "(SELECT id FROM deliveries WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at, id LIMIT 1) "
    f"RETURNING {COLUMNS}, url, alarmed"
)
HELD = "id = $1 AND state = 'waiting' AND sending = 1 AND next_at = $2"
"""Still ours: the lease was not taken over by another process."""
GIVE_BACK = f"UPDATE deliveries SET sending = 0, next_at = $3, attempts = attempts - 1 WHERE {HELD}"  # noqa: S608
POSTPONE = f"UPDATE deliveries SET sending = 0, next_at = $3, error = $4, status = $5 WHERE {HELD}"  # noqa: S608
BURY = (
    "UPDATE deliveries SET state = 'dead', sending = 0, alarmed = 1, next_at = $3, error = $4, status = $5 "  # noqa: S608
    f"WHERE {HELD}"
)
# Whoever holds the lease by now: what was sent was sent.
FINISH = (
    "UPDATE deliveries SET state = 'done', sending = 0, alarmed = 0, error = '', next_at = $2, done_at = $2, "
    "status = $3, sha256 = $4, size_bytes = $5 WHERE id = $1 AND state <> 'done'"
)
RETRY = "UPDATE deliveries SET state = 'waiting', sending = 0, attempts = 0, next_at = $2 WHERE id = $1"
RETRY_ALL = "UPDATE deliveries SET state = 'waiting', sending = 0, attempts = 0, next_at = $1 WHERE state = 'dead'"
IS_BEING_SENT = "SELECT 1 FROM deliveries WHERE id = $1 AND sending = 1 AND next_at > $2"
DROP = "DELETE FROM deliveries WHERE id = $1"
IS_ANY_DEAD = "SELECT 1 FROM deliveries WHERE tenant = $1 AND recording = $2 AND state = 'dead' LIMIT 1"


def delivery_of(row: Row) -> Delivery:
    """Return a row that begins with COLUMNS as a delivery."""
    fields = dict(zip(_NAMES, row, strict=False))
    return Delivery(
        **{
            **fields,
            "recording": recording_id(fields["recording"]),
            "method": Method(fields["method"]),
            "form": Form(fields["form"]) if fields["form"] else None,
            "state": State(fields["state"]),
        }
    )


def recording_id(raw: bytes) -> RecordingId:
    """Return a recording's id as its column holds it."""
    return RecordingId(UUID(bytes=raw))
