"""Events in the database: each kept once by its id, under the subject it is about. Statements, and the rows' shapes.

What takes a transaction runs inside one that its caller holds.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from voxkeep.activity.agents import track_of
from voxkeep.activity.calls import LiveCall, call_of
from voxkeep.activity.events import AgentEvent, CallEvent, Event, agent_event, call_event, stored
from voxkeep.archive.units import HOUR_MS, EpochMs, TenantId
from voxkeep.database import Row, Transaction

CALL, AGENT = 0, 1
"""Families of subjects."""
LATE_MS = HOUR_MS
IDS_AT_ONCE = 250

INSERT_IDS = (
    "INSERT INTO activity_ids (tenant, id) VALUES "  # noqa: S608 -- numbers of places
    f"{', '.join(f'($1, ${number})' for number in range(2, IDS_AT_ONCE + 2))} ON CONFLICT DO NOTHING RETURNING id"
)
INSERT_EVENT = "INSERT INTO activity_events (number, tenant, subject, at, body) VALUES ($1, $2, $3, $4, $5)"
LAST_EVENT = "SELECT COALESCE(MAX(number), 0) FROM activity_events"
LAST_SUBJECT = "SELECT COALESCE(MAX(number), 0) FROM activity_subjects"
# only calls have versions: of agents nothing is handed over
TOUCH_SUBJECT = """
INSERT INTO activity_subjects (number, tenant, family, key, track, began_at, version, settled)
VALUES ($1, $2, $3, $4, $5, $6, $7, 0)
ON CONFLICT (tenant, family, key, track) DO UPDATE SET
    began_at = CASE WHEN excluded.began_at < activity_subjects.began_at
        THEN excluded.began_at ELSE activity_subjects.began_at END,
    version = activity_subjects.version + excluded.version
RETURNING number
"""
SELECT_NEWEST = "SELECT at FROM activity_newest WHERE tenant = $1"
NOTE_NEWEST = (
    "INSERT INTO activity_newest (tenant, at) VALUES ($1, $2) ON CONFLICT (tenant) DO UPDATE SET at = excluded.at"
)
SETTLE = "UPDATE activity_subjects SET settled = $2 WHERE number = $1"

# The sub-select gives the calls of a chunk, the join all their events; rows of one call are put together by number.
_CHUNK = (
    "SELECT s.number, s.tenant, s.version, s.began_at, e.body FROM ({calls}) AS s "
    "JOIN activity_events AS e ON e.subject = s.number"
)
_SUBJECTS = "SELECT number, tenant, version, began_at FROM activity_subjects"
CALLS_BETWEEN = _CHUNK.format(
    calls=f"{_SUBJECTS} WHERE tenant = $1 AND family = 0 AND (began_at, number) > ($2, $3) AND began_at <= $4 "
    "ORDER BY began_at, number LIMIT $5"
)
UNSETTLED = _CHUNK.format(calls=f"{_SUBJECTS} WHERE version <> settled AND number > $1 ORDER BY number LIMIT $2")
ONE_CALL = _CHUNK.format(calls=f"{_SUBJECTS} WHERE tenant = $1 AND family = 0 AND key = $2")

AGENTS = (
    "SELECT DISTINCT key FROM activity_subjects WHERE tenant = $1 AND family = 1 AND key > $2 ORDER BY key LIMIT $3"
)
# of each track also the moment before the span and the one after it: what lasted when it began, and until when
AGENT_EVENTS = """
SELECT e.body FROM activity_subjects AS s JOIN activity_events AS e ON e.subject = s.number
WHERE s.tenant = $1 AND s.family = 1 AND s.key = $2
    AND e.at >= COALESCE((SELECT MAX(at) FROM activity_events WHERE subject = s.number AND at < $3), $3)
    AND e.at <= COALESCE((SELECT MIN(at) FROM activity_events WHERE subject = s.number AND at > $4), $4)
"""


class Taken(Struct, frozen=True):
    """What became of the events of a batch: `new` and `known` are all of them; `late` ones are among the new.

    Late is what happened over an hour before the newest that its tenant had told until then. It is kept like any other.
    """

    new: int
    known: int
    late: int


class Subject(NamedTuple):
    """Whom an event is about."""

    family: int
    key: str
    track: str


class Item(NamedTuple):
    """An event on its way in."""

    id: str
    at: EpochMs
    subject: Subject
    body: bytes


class ReadCall(NamedTuple):
    """A call as it was read, with its place in the order of calls."""

    number: int
    tenant: TenantId
    version: int
    began_at: EpochMs
    call: LiveCall


def item_of(event: Event) -> Item:
    """Return an event as it is kept. Raises BadEvent."""
    body = stored(event)
    if isinstance(event, AgentEvent):
        return Item(event.id, event.at, Subject(AGENT, event.agent.key, track_of(event)), body)
    return Item(event.id, event.at, Subject(CALL, event.call, ""), body)


async def keep(
    transaction: Transaction, tenant: TenantId, items: Sequence[Item], now: EpochMs
) -> tuple[Taken, frozenset[str]]:
    """Keep the items whose id is new; of two with one id in a batch, the first. Returns also the new ids."""
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(item.id, item)
    claimed = await _claimed(transaction, tenant, sorted(first))
    new = {identity: item for identity, item in first.items() if identity in claimed}
    if new:
        numbers = await _subjects(transaction, tenant, new.values())
        ((last,),) = await transaction.rows(LAST_EVENT)
        rows = [
            (number, tenant, numbers[item.subject], item.at, item.body)
            for number, item in enumerate(new.values(), start=last + 1)
        ]
        await transaction.execute_many(INSERT_EVENT, rows)
    late = await _late(transaction, tenant, new.values(), now)
    return Taken(len(new), len(items) - len(new), late), frozenset(new)


async def _claimed(transaction: Transaction, tenant: TenantId, ids: list[str]) -> set[str]:
    """Keep the ids that are new, and return them."""
    new = set[str]()
    for first in range(0, len(ids), IDS_AT_ONCE):
        part = ids[first : first + IDS_AT_ONCE]
        # one statement for all: the places that are left over hold the last id again
        rows = await transaction.rows(INSERT_IDS, tenant, *part, *part[-1:] * (IDS_AT_ONCE - len(part)))
        new.update(identity for (identity,) in rows)
    return new


async def _subjects(transaction: Transaction, tenant: TenantId, items: Iterable[Item]) -> dict[Subject, int]:
    """Return the number of each subject, after noting that something new is known of it."""
    began: dict[Subject, EpochMs] = {}
    for item in items:
        began[item.subject] = min(item.at, began.get(item.subject, item.at))
    ((number,),) = await transaction.rows(LAST_SUBJECT)
    numbers: dict[Subject, int] = {}
    # in order of time, so that numbers grow with it
    for subject, at in sorted(began.items(), key=lambda each: each[1]):
        version = 1 if subject.family == CALL else 0
        ((numbers[subject],),) = await transaction.rows(TOUCH_SUBJECT, number + 1, tenant, *subject, at, version)
        number = max(number, numbers[subject])
    return numbers


async def _late(transaction: Transaction, tenant: TenantId, items: Iterable[Item], now: EpochMs) -> int:
    """Return how many items are late, one after the other, and note the newest."""
    rows = await transaction.rows(SELECT_NEWEST, tenant)
    before = newest = rows[0][0] if rows else 0
    late = 0
    for item in items:
        late += item.at < newest - LATE_MS
        # a clock that is ahead does not make all others late
        newest = max(newest, min(item.at, now))
    if newest > before:
        await transaction.execute(NOTE_NEWEST, tenant, newest)
    return late


async def settle(transaction: Transaction, read: Iterable[ReadCall]) -> None:
    """Note that the archive knows these calls as they were read."""
    await transaction.execute_many(SETTLE, [(each.number, each.version) for each in read])


def calls_of(rows: list[Row]) -> list[ReadCall]:
    """Return the calls in the rows of a chunk, in order of begin and number."""
    events: dict[Row, list[CallEvent]] = {}
    for number, tenant, version, began_at, body in rows:
        events.setdefault((began_at, number, tenant, version), []).append(call_event(body))
    return [
        ReadCall(number, tenant, version, began_at, call_of(events[which]))
        for which in sorted(events)
        for began_at, number, tenant, version in [which]
    ]


def agent_events_of(rows: list[Row]) -> list[AgentEvent]:
    """Return the events in rows of AGENT_EVENTS."""
    return [agent_event(body) for (body,) in rows]
